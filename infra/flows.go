package main

import (
	"io/fs"
	"path"
	"strings"
)

// onThisMachine are the files in the folder of the configuration that are for one
// machine only, as patterns of their names: cases of policy tests among them, which decide
// nothing, so that a change of one is no deploy. They are not uploaded, and the
// configuration can't refer to them.
var onThisMachine = []string{"functions", "local.yaml", "*.policy.yaml", "__pycache__"}

// uploaded is the folder as publish sees it.
type uploaded struct{ fs.FS }

// Open hides what is not uploaded.
func (u uploaded) Open(name string) (fs.File, error) {
	top, _, _ := strings.Cut(name, "/")
	for _, pattern := range onThisMachine {
		if hidden, _ := path.Match(pattern, top); hidden {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	return u.FS.Open(name)
}
