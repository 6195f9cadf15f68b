package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/terminal"
)

// asker is a command of package terminal at work beside a script. While it waits, it
// waits for the script.
type asker struct {
	mu     sync.Mutex
	out    bytes.Buffer
	naps   chan struct{} // it has gone to sleep
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan error
}

func (a *asker) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.out.Write(p)
}

// sleep is over when the script says so: it stands for any time.
func (a *asker) sleep(ctx context.Context, _ time.Duration) error {
	select {
	case a.naps <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest waits until the command sleeps or has ended. It gives what was printed since, with
// the exit status at its end.
func (a *asker) rest() (out string, waits bool, err error) {
	status := ""
	select {
	case <-a.naps:
		waits = true
	case err := <-a.ended:
		a.cancel()
		if err != nil {
			status = err.Error() + "\n"
		}
		status += fmt.Sprintf("exit status %d\n", terminal.ExitStatus(err))
	case <-time.After(deadline.LastResort):
		return "", false, errors.New("the command neither ends nor waits")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.out.Reset()
	return a.out.String() + status, waits, nil
}

// startAsker begins a command, at the product's time, with what the environment of the
// script says.
func (p *product) startAsker(args []string, getenv func(string) string, transport http.RoundTripper) *asker {
	ctx, cancel := context.WithCancel(context.Background())
	a := &asker{naps: make(chan struct{}), wake: make(chan struct{}), cancel: cancel, ended: make(chan error, 1)}
	command := terminal.Command{
		Program: "symflows", Getenv: getenv, Out: a, Errors: a,
		Client: func(address, token string) *client.Client {
			return &client.Client{URL: address, Token: token, HTTP: &http.Client{Transport: transport}, Now: p.clock.Now, Sleep: a.sleep}
		},
	}
	go func() { a.ended <- command.Run(ctx, args) }()
	return a
}

// runClient runs a command of package terminal, until it has ended or waits: "client ARGS …".
// "client" alone has the one that waits look again, "client interrupt" ends it as Ctrl-C does.
func runClient(p *product, ts *testscript.TestScript, args []string) (string, error) {
	switch {
	case len(args) == 0:
		p.asker.wake <- struct{}{}
	case args[0] == "interrupt":
		p.asker.cancel()
	default:
		for i := range args {
			if i > 0 && args[i-1] == "-token-file" {
				args[i] = ts.MkAbs(args[i])
			}
			args[i] = p.unnamed(args[i])
		}
		p.asker = p.startAsker(args, ts.Getenv, nil)
	}
	out, waits, err := p.asker.rest()
	if p.local == nil || err != nil {
		return out, err
	}
	if err := p.settle(); err != nil || !waits {
		return out, err
	}
	p.asker.wake <- struct{}{} // it sees what has come to rest meanwhile
	more, _, err := p.asker.rest()
	return out + more, err
}
