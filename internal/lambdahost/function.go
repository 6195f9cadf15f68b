package lambdahost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/symflows/symflows/internal/flow"
)

// maxWorkers is how many invocations of one function run at the same time.
const maxWorkers = 4

// function is a function and its workers.
type function struct {
	host    *Host
	arn     string
	name    string
	config  Function
	command []string
	env     []string // of every worker; each adds its own
	slots   chan struct{}

	mu   sync.Mutex
	idle []*worker // the one that was used last is used first
}

func newFunction(h *Host, arn string, config Function, data string) *function {
	f := &function{host: h, arn: arn, config: config, command: config.Command, slots: make(chan struct{}, maxWorkers)}
	parts := strings.Split(arn, ":")
	f.name = parts[min(6, len(parts)-1)]
	handler, root := config.Handler, config.Dir
	if p := config.Python; p != nil {
		// -u: what the handler prints is logged at once. -B: nothing is written
		// beside the code, as nothing can be in Lambda.
		f.command = []string{p.Interpreter, "-u", "-B", h.bootstrap}
		handler, root = p.Handler, filepath.Dir(p.File)
	}
	f.env = []string{
		"PATH=" + os.Getenv("PATH"),
		"LANG=C.UTF-8",
		"TZ=:UTC", // as in Lambda
		"_HANDLER=" + handler,
		"LAMBDA_TASK_ROOT=" + root,
		"AWS_LAMBDA_FUNCTION_NAME=" + f.name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", config.MemoryMB),
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
	}
	for name, value := range config.Environment {
		f.env = append(f.env, name+"="+strings.ReplaceAll(value, dataVariable, data))
	}
	return f
}

// file is a file name for the function: ARNs that end alike differ in it.
func (f *function) file() string {
	digest := sha256.Sum256([]byte(f.arn))
	return f.name + "-" + hex.EncodeToString(digest[:4])
}

func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, f.unavailable(ctx.Err(), "is busy: all %d of its workers are at work", maxWorkers)
	case <-f.host.closing:
		return nil, f.unavailable(nil, "was not called: this machine is shutting down")
	}
	ctx, cancel := f.host.within(ctx, f.config.Timeout)
	defer cancel()
	for {
		w := f.takeIdle()
		fresh := w == nil
		if fresh {
			var err error
			if w, err = f.start(); err != nil {
				return nil, err
			}
		}
		answer, err := w.invoke(ctx, payload)
		if errors.Is(err, errExitedIdle) {
			if fresh {
				return nil, w.initFailure()
			}
			continue // it exited while it was idle: take another
		}
		f.putIdle(w)
		return answer, err
	}
}

func (f *function) takeIdle() *worker {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.idle)
	if n == 0 {
		return nil
	}
	w := f.idle[n-1]
	f.idle = f.idle[:n-1]
	return w
}

// putIdle keeps a worker for the next invocation, unless it is gone.
func (f *function) putIdle(w *worker) {
	select {
	case <-w.exited:
		return
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, w)
}

// failed returns the error of a function that reported a failure.
func (f *function) failed(message string) *flow.Error {
	const most = 1000 // characters
	return flow.Errorf(flow.CodeHandler, "function %q failed: %s", f.name, flow.Clip(message, most))
}

// unavailable returns the error of a function that was cut short.
func (f *function) unavailable(cause error, format string, args ...any) *flow.Error {
	return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("function %q ", f.name) + fmt.Sprintf(format, args...), Cause: cause}
}
