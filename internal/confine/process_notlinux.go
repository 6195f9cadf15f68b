//go:build unix && !linux

package confine

import (
	"errors"
	"os/exec"
	"syscall"
)

// Hide does nothing: other systems do not show a process's environment to
// processes of others, and those of the same user can't be kept out.
func Hide() error { return nil }

// Process is a program that runs.
type Process struct{ command *exec.Cmd }

// Start starts a program.
func (p Program) Start() (*Process, error) {
	command := exec.Command(p.Path, p.Args...)
	command.Dir, command.Env = p.Dir, append([]string{}, p.Env...)
	command.Stdin, command.Stdout, command.Stderr = p.Stdin, p.Stdout, p.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = p.outputGrace()
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &Process{command}, nil
}

// Isolation says why the program has no namespaces of its own.
func (p *Process) Isolation() error { return errors.New("only Linux has namespaces") }

// Terminate asks the program to end.
func (p *Process) Terminate() { _ = syscall.Kill(-p.command.Process.Pid, syscall.SIGTERM) } // a group that is gone needs none

// Kill ends the program and all of its process group. It does not wait for it.
func (p *Process) Kill() { _ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) }

// Wait waits until the program is gone, and ends what its group has left. The
// error is an *exec.ExitError if it did not end well.
func (p *Process) Wait() error {
	err := p.command.Wait()
	p.Kill()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}
