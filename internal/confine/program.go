package confine

import (
	"cmp"
	"context"
	"io"
	"runtime"
	"time"
)

// MaxProcesses is how many processes a program may be, with what it starts, if
// nothing else is said.
const MaxProcesses = 128

// Program is a stranger's program.
type Program struct {
	Path string   // as exec.LookPath takes it
	Args []string // without the program's name
	Dir  string   // working directory
	Env  []string // all of it

	Stdin          io.Reader // nil: empty
	Stdout, Stderr io.Writer // nil: nowhere

	// OutputGrace is how long output is read after the end, should something
	// that could not be found still hold on to it; 0 is a second.
	OutputGrace time.Duration

	// MemoryMB bounds what each process may allocate, in MiB; 0 is no bound.
	// Linux only.
	MemoryMB int
	// Processes bounds how many there are at a time; 0 is MaxProcesses. Linux
	// only.
	Processes int
}

// grace is how long an end may take until it is made without the keeper.
const grace = 10 * time.Second

// Run runs a program to its end; it is ended when ctx is. Isolation is
// [Process.Isolation].
func (p Program) Run(ctx context.Context) (isolation, err error) {
	runtime.LockOSThread() // as Start asks for
	defer runtime.UnlockOSThread()
	process, err := p.Start()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, process.Kill)
	defer stop()
	if err = process.Wait(); ctx.Err() != nil {
		err = ctx.Err()
	}
	return process.Isolation(), err
}

func (p Program) outputGrace() time.Duration { return cmp.Or(p.OutputGrace, time.Second) }
