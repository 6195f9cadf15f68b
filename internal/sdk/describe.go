package sdk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/confine"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Describe gives the handlers that a source defines. Faults of the
// source are a flow.SourceError. It is what a catalog is loaded with: the source
// of an isolated flow is looked at by that flow's function, and no other.
func (c *Client) Describe(ctx context.Context, s flow.Source, isolated string) (flow.Outline, error) {
	m := c.message(opDescribe, store.NewWriter(), nil, &s)
	m.Read = c.Read
	asked := *c
	asked.Isolated = []string{isolated} // of the configuration at hand
	got, err := asked.invoke(ctx, m, workflow.HandlerCall{Flow: &flow.Flow{Name: cmp.Or(isolated, s.Name)}})
	if err != nil {
		return flow.Outline{}, err
	}
	if got.Error != nil {
		return flow.Outline{}, got.Error.inSource()
	}
	found := flow.Outline{Handlers: append([]string{}, got.Handlers...)}
	for _, w := range got.Warnings {
		found.Warnings = append(found.Warnings, w.inSource())
	}
	return found, nil
}

// inSource says what is wrong with a source; the report names its file.
func (f *fault) inSource() *flow.SourceError {
	at := *f
	at.File = ""
	return &flow.SourceError{Line: f.Line, Message: at.text("")}
}

// describeTime bounds a look at a source.
const describeTime = time.Minute

// Here looks at sources by this machine's python3, where nothing is deployed.
type Here struct {
	Dir string // as for FindPython
	// Read has sources read only: nothing in them runs. What can't be told
	// without running one is a fault.
	Read bool
	// Plain holds what a source defines when it runs to what it shows when it is
	// read; what differs is a fault.
	Plain bool
	// Bare is called with the reason if a source that ran could see more of this
	// machine than its own processes. It may be nil.
	Bare func(why error)
}

// Unprotected says what it means that a source ran bare, and what to do instead.
func Unprotected(why error) string {
	return fmt.Sprintf("nothing protects this machine from the Python that was run to look at it: its first lines can read what you can, "+
		"the environment of the shell that runs this included (%v). Use check -static for files that you don't trust: it runs none of them", why)
}

// Describe is that of a Client. It discards what the source prints.
func (h Here) Describe(ctx context.Context, s flow.Source, isolated string) (flow.Outline, error) {
	at, err := FindPython(h.Dir)
	if err != nil {
		return flow.Outline{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	reader := &Client{Functions: Python{Dir: at}, Read: true, Log: slog.New(slog.DiscardHandler)}
	if h.Read {
		return reader.Describe(ctx, s, isolated)
	}
	c := &Client{Functions: Python{Dir: at, Bare: h.Bare}, Log: reader.Log}
	found, err := c.Describe(ctx, s, isolated)
	if err != nil || !h.Plain {
		return found, err
	}
	shown, err := reader.Describe(ctx, s, isolated)
	if err != nil {
		return found, err
	}
	for _, name := range found.Handlers {
		if !slices.Contains(shown.Handlers, name) {
			return found, &flow.SourceError{Message: fmt.Sprintf("%s is defined only when the file runs, and a configuration with an isolated flow is published without running any: define it at the top of the file, by def or class", name)}
		}
	}
	for _, name := range shown.Handlers {
		if !slices.Contains(found.Handlers, name) {
			return found, &flow.SourceError{Message: fmt.Sprintf("%s is in the text and not there once the file has run, and a configuration with an isolated flow is published by its text: it would be asked, and fail each time; remove it, or define it in any case", name)}
		}
	}
	return shown, nil
}

// Python runs the function that runs handlers once for each invocation, by the
// interpreter of this machine: enough to look at sources where nothing is
// deployed. It implements workflow.Functions; the ARN makes no difference.
type Python struct {
	Dir         string // that has main.py
	Interpreter string // "" is python3
	// Bare is called with the reason if the process had no namespaces of its own.
	// It may be nil.
	Bare func(why error)
}

// missing returns the error for a machine that can't run Python.
func missing(interpreter string, err error) error {
	return &flow.Error{
		Code:    flow.CodeHandler,
		Message: fmt.Sprintf("%s can't be run, and flows with Python need it: install Python 3.11 or later", interpreter), Cause: err,
	}
}

// oneCall reads a message, calls the handler as Lambda would with a minute
// left, and writes the answer to a descriptor of its own, apart from anything
// that is printed.
const oneCall = `import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import main
class Context:
    def get_remaining_time_in_millis(self):
        return 60_000
json.dump(main.handler(json.load(sys.stdin), Context()), answers)
`

// Invoke implements workflow.Functions.
func (p Python) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	interpreter := p.Interpreter
	if interpreter == "" {
		interpreter = "python3"
	}
	program, err := exec.LookPath(interpreter)
	if err != nil {
		return nil, missing(interpreter, err)
	}
	var out, problems bytes.Buffer
	bare, err := confine.Program{
		Path: program, Args: []string{"-u", "-B", "-P", "-c", oneCall}, Dir: p.Dir,
		// Nothing of our environment: customers' code runs at its first line.
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + os.TempDir(), "TMPDIR=" + os.TempDir(), "PYTHONPATH=" + p.Dir,
		},
		Stdin: bytes.NewReader(payload), Stdout: &out, Stderr: &problems,
	}.Run(ctx)
	if bare != nil && p.Bare != nil {
		p.Bare(bare)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(problems.String()), "\n")
		return nil, &flow.Error{Code: flow.CodeHandler, Message: fmt.Sprintf("%s failed: %s", interpreter, lines[len(lines)-1]), Cause: err}
	}
	if !json.Valid(out.Bytes()) {
		return nil, flow.Errorf(flow.CodeHandler, "%s gave no answer", interpreter)
	}
	return out.Bytes(), nil
}

// mainFile is the entry of the Python side.
const mainFile = "main.py"

// FindPython finds the folder of the Python side: dir if that is given, else
// functions/sdk of the nearest folder above the working directory that has it.
func FindPython(dir string) (string, error) {
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, mainFile)); err != nil {
			return "", fmt.Errorf("find the Python SDK: there is no %s in %s", mainFile, dir)
		}
		return filepath.Abs(dir)
	}
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the Python SDK: %w", err)
	}
	for {
		candidate := filepath.Join(at, "functions", "sdk")
		if _, err := os.Stat(filepath.Join(candidate, mainFile)); err == nil {
			return candidate, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find the Python SDK: %w", err)
		}
		above := filepath.Dir(at)
		if above == at {
			return "", fmt.Errorf("find the Python SDK: no folder above this one has functions/sdk/%s: run this in the repository, or name its folder by -sdk", mainFile)
		}
		at = above
	}
}
