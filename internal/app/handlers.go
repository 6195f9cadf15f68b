package app

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/loopback"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/workflow"
)

// sdkARN is what the function that runs Python handlers is called on this
// machine. No account has twelve zeros.
const sdkARN = "arn:aws:lambda:us-east-1:000000000000:function:sdk"

// sdkTimeout bounds one invocation of it: some handlers, each with its own
// deadline, one after the other.
const sdkTimeout = 2 * time.Minute

// sdkFunction returns that function for lambdahost. Its code is in dir, or in
// the repository if dir is "".
func sdkFunction(dir string) (lambdahost.Function, error) {
	dir, err := sdk.FindPython(dir)
	if err != nil {
		return lambdahost.Function{}, err
	}
	return lambdahost.Function{
		Python: &lambdahost.Python{File: filepath.Join(dir, "main.py"), Handler: "main.handler", Interpreter: "python3"},
		Dir:    dir, Timeout: sdkTimeout, MemoryMB: 1024,
	}, nil
}

// hasPython tells whether there is any code to run.
func hasPython(c *catalog.Catalog) bool {
	return c.Filter != nil || slices.ContainsFunc(c.Flows, (*flow.Flow).HasPython)
}

// serveHandlers builds the client that asks Python handlers through f, and
// serves their own requests while they run, on a separate address that no other
// machine and no other user of this one can reach.
func (l *Local) serveHandlers(c core.Core, f workflow.Functions, p core.ServicesPorts) (*sdk.Client, error) {
	answers, err := c.Services(p)
	if err != nil {
		return nil, err
	}
	listener, err := loopback.Listen(c.Log)
	if err != nil {
		return nil, fmt.Errorf("listen for handlers: %w", err)
	}
	server := loopback.NewServer(answers.Handler(), c.Patience, c.Log)
	go func() { _ = server.Serve(listener) }() // ends with Close
	l.closers = append(l.closers, server.Close)
	return c.Handlers(f, sdkARN, sdk.Services{
		URL: "http://" + listener.Addr().String(), Offers: []string{"secret", "invoke"},
	}, l.isolated...), nil
}
