package main

import (
	"io/fs"
	"slices"
	"strings"
)

// onThisMachine is the file in the folder of the configuration that is for one
// machine only. It is not uploaded, and the configuration can't refer to it.
var onThisMachine = []string{"functions", "local.yaml", "__pycache__"}

// uploaded is the folder as publish sees it.
type uploaded struct{ fs.FS }

// Open hides what is not uploaded.
func (u uploaded) Open(name string) (fs.File, error) {
	if top, _, _ := strings.Cut(name, "/"); slices.Contains(onThisMachine, top) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return u.FS.Open(name)
}
