package main

import (
	"io/fs"
	"slices"
	"strings"
)

// onThisMachine is what the folder of the configuration has for one machine only.
// It is not uploaded, so that nothing in the configuration may lead there.
var onThisMachine = []string{"functions", "local.yaml", "__pycache__"}

// uploaded is the folder as publish gets to see it.
type uploaded struct{ fs.FS }

// Open hides what stays here.
func (u uploaded) Open(name string) (fs.File, error) {
	if top, _, _ := strings.Cut(name, "/"); slices.Contains(onThisMachine, top) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return u.FS.Open(name)
}
