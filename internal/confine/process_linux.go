package confine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Hide keeps other processes of our user out of our environment and memory, as
// long as they have no capabilities. Call it before anything is started.
func Hide() error {
	if err := prctl(prSetDumpable, 0); err != nil {
		return fmt.Errorf("hide from other processes: %w", err)
	}
	return nil
}

// Process is a program that runs.
type Process struct {
	keeper    *exec.Cmd
	isolation error
	ended     chan struct{}
	kill      func()
}

// report is what the keeper tells once the program has begun, or has not.
type report struct {
	Error       string // why it can't be started
	NotIsolated string // why it has no namespaces of its own
}

// Start starts a program. The thread that calls must live as long as the
// program does (runtime.LockOSThread): Linux ends the program with it.
func (p Program) Start() (*Process, error) {
	path, err := exec.LookPath(p.Path)
	if err != nil {
		return nil, err
	}
	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reading.Close()
	keeper := &exec.Cmd{
		Path: self,
		Args: append([]string{keeperName, strconv.Itoa(p.MemoryMB), strconv.Itoa(cmp.Or(p.Processes, MaxProcesses)), path, p.Path}, p.Args...),
		Dir:  p.Dir, Env: append([]string{}, p.Env...),
		Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr, ExtraFiles: []*os.File{writing},
		// What our terminal sends to us is not for strangers.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: endAll},
		WaitDelay:   p.outputGrace(),
	}
	err = keeper.Start()
	writing.Close()
	if err != nil {
		return nil, err
	}
	var said report
	if err := json.NewDecoder(reading).Decode(&said); err != nil || said.Error != "" {
		if err == nil {
			err = errors.New(said.Error)
		}
		_ = keeper.Process.Kill() // it ends by itself
		return nil, errors.Join(err, errOf(keeper.Wait()))
	}
	process := &Process{keeper: keeper, ended: make(chan struct{})}
	if said.NotIsolated != "" {
		process.isolation = errors.New(said.NotIsolated)
	}
	process.kill = sync.OnceFunc(func() { go process.end() })
	return process, nil
}

// errOf drops how a keeper ended that had nothing to keep.
func errOf(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// Isolation is nil if the program has namespaces of its own, and otherwise why
// it has none.
func (p *Process) Isolation() error { return p.isolation }

// Terminate asks the program to end.
func (p *Process) Terminate() { _ = p.keeper.Process.Signal(syscall.SIGTERM) } // one that has ended needs none

// Kill ends the program and all that it has started. It does not wait for it.
func (p *Process) Kill() { p.kill() }

func (p *Process) end() {
	_ = p.keeper.Process.Signal(endAll) // as in Terminate
	select {
	case <-p.ended:
	case <-time.After(grace): // somebody holds the keeper up
		_ = p.keeper.Process.Kill()
	}
}

// Wait waits until the program and all that it has started are gone. The error
// is an *exec.ExitError if it did not end well; the status of one that was
// killed by a signal is 128 more than the signal's number, as a shell has it.
func (p *Process) Wait() error {
	err := p.keeper.Wait()
	close(p.ended)
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it ended well, and its output is lost that came too late
	}
	return err
}
