package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/aws/jsii-runtime-go"
)

// inside is the variable that is set in the process that contained starts.
const inside = "SYMFLOWS_INFRA_INSIDE"

// contained calls run in a process of its own, with a folder for temporary files
// that is removed afterwards, and gives the status to exit with.
//
// jsii unpacks its runtime into such a folder as soon as a program starts, and
// its Close, if the runtime was used, is a race: it waits for a process that it
// is waiting for already, and may then complain, or leave the folder there.
// Closing what was never used is safe, and without Close the runtime ends when
// its standard input does.
func contained(run func() int) (status int) {
	if os.Getenv(inside) != "" {
		return run()
	}
	defer jsii.Close()
	failed := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "symflows-infra-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return failed(err)
	}
	child := exec.Command(self, os.Args[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = append(os.Environ(), inside+"=1", "TMPDIR="+dir)
	if err := child.Run(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return max(exit.ExitCode(), 1) // less: a signal ended it
		}
		return failed(err)
	}
	return 0
}
