package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build compiles all functions of the repository at root as Lambda wants them,
// into a new folder with one for each function. The same source gives the same
// binaries, on whatever machine, so that what did not change is not deployed.
func build(root string, a architecture) (dir string, err error) {
	dir, err = os.MkdirTemp("", "symflows-functions-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", dir + string(filepath.Separator)}
	for _, name := range functionNames {
		args = append(args, "./functions/"+name)
	}
	command := exec.Command("go", args...)
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+a.goarch)
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	for _, name := range functionNames { // a binary becomes a folder that holds it
		if err := os.Mkdir(code(dir, name), 0o755); err != nil {
			return "", err
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(code(dir, name), "bootstrap")); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// code is the folder in which build puts a function.
func code(built, name string) string { return filepath.Join(built, name+".lambda") }
