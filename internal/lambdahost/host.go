package lambdahost

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// bootstrap runs Python handlers.
//
//go:embed bootstrap.py
var bootstrap []byte

// Options is what a Host works with. All are required.
type Options struct {
	Config Config
	// Data is our data directory. The host keeps its own files in Data/lambda;
	// no other host may use the same directory at the same time.
	Data string
	// KeepBuilt says that a Go package that can't be built now runs as it was
	// built last, if it ever was.
	KeepBuilt bool
	// Log takes what functions write, with the attributes function and
	// request_id.
	Log *slog.Logger
}

// Host runs the functions of a Config.
type Host struct {
	log       *slog.Logger
	temp      string // directories of workers
	bootstrap string // path of the Python bootstrap
	functions map[string]*function
	closing   chan struct{} // closed by Close
	tell      func(isolation error)

	// Bounds of time; tests set others.
	within      func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	outputGrace time.Duration

	mu      sync.Mutex
	closed  bool
	workers sync.WaitGroup
}

var _ workflow.Functions = (*Host)(nil)

// Open makes a host ready, and builds the functions that are Go packages; a
// package that has not changed since takes a moment only. The error has the
// compiler's words for every function that can't be built. Nothing runs before
// the first invocation.
func Open(ctx context.Context, o Options) (*Host, error) {
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	h := &Host{
		log: o.Log, temp: filepath.Join(data, "lambda", "tmp"),
		functions: map[string]*function{}, closing: make(chan struct{}),
		within: context.WithTimeout, outputGrace: outputGrace,
	}
	var once sync.Once
	h.tell = func(isolation error) {
		if isolation != nil {
			once.Do(func() {
				h.log.Warn("functions and handlers can see each other's processes, and may see those that started this one", "reason", isolation)
			})
		}
	}
	h.bootstrap = filepath.Join(h.temp, "bootstrap.py")
	bin := filepath.Join(data, "lambda", "bin")
	// What a host that was killed has left behind.
	if err := os.RemoveAll(h.temp); err != nil {
		return nil, fmt.Errorf("clear the functions' directory: %w", err)
	}
	for _, dir := range []string{h.temp, bin} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the functions' directory: %w", err)
		}
	}
	if err := os.WriteFile(h.bootstrap, bootstrap, 0o600); err != nil {
		return nil, fmt.Errorf("write the Python bootstrap: %w", err)
	}
	var faults []error
	for arn, config := range o.Config.Functions {
		f := newFunction(h, arn, config, data)
		if config.Go != "" {
			f.command = []string{filepath.Join(bin, f.file())}
			o.Log.InfoContext(ctx, "building a function of local.yaml", "function", f.name) // it may take a while
			err := build(ctx, config.Go, f.command[0])
			if err != nil && o.KeepBuilt {
				o.Log.ErrorContext(ctx, "a function can't be built, and runs as it was built last", "function", f.name, "error", err)
				if _, missing := os.Stat(f.command[0]); missing == nil {
					err = nil
				}
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("function %q: %w", f.name, err))
			}
		}
		h.functions[arn] = f
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return h, nil
}

// maxPayload is Lambda's limit of what goes into and comes out of a
// synchronous invocation, in bytes.
const maxPayload = 6 << 20

// Invoke calls a function and returns its answer. Errors:
//
//   - flow.CodeHandler: the function said that it failed, answered with more
//     than 6 MB, or does not even start. The same would happen again.
//   - flow.CodeUnavailable: it was cut short, by a crash, by its time-out or
//     by the end of ctx. It may or may not have done its work, and may be
//     called again with the same payload, as functions have to bear. It is also
//     the code if all workers stay busy until ctx ends, and while the host
//     closes.
//
// When Invoke returns because of a time-out, the function's process is gone.
func (h *Host) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	f, ok := h.functions[arn]
	if !ok {
		return nil, flow.Errorf(flow.CodeHandler, "function %s is not mapped in local.yaml: add it", arn)
	}
	if len(payload) > maxPayload {
		return nil, flow.Errorf(flow.CodeHandler, "function %q can't be called with %d bytes: %d MB is the limit", f.name, len(payload), maxPayload>>20)
	}
	if err := ctx.Err(); err != nil {
		return nil, f.unavailable(err, "was not called: there was no time left")
	}
	return f.invoke(ctx, payload)
}

// Close ends all functions, at the latest within two seconds, and waits for it.
// Invocations under way return an error. Closing twice is harmless.
func (h *Host) Close() error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.closing)
	}
	h.mu.Unlock()
	h.workers.Wait()
	if err := os.RemoveAll(h.temp); err != nil {
		return fmt.Errorf("clear the functions' directory: %w", err)
	}
	return nil
}

func (h *Host) isClosing() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// enter counts a worker, unless the host closes.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.workers.Add(1)
	}
	return !h.closed
}
