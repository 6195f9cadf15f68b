package lambdahost

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/symflows/symflows/internal/confine"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/loopback"
)

const (
	// closeGrace is how long functions have between SIGTERM and SIGKILL; it is
	// what Lambda gives them when there are extensions.
	closeGrace = 2 * time.Second
	// outputGrace is how long the output of an exited process is read if others
	// that it has started still hold on to it.
	outputGrace = time.Second
)

// errExitedIdle says that a worker exited before it took the invocation.
var errExitedIdle = errors.New("the worker has exited")

// worker is one process of a function, and the Runtime API that it speaks to.
type worker struct {
	function *function
	next     chan *invocation // taken by GET next
	doomed   chan struct{}    // closed when the process has to go at once
	doom     func()           // closes doomed
	exited   chan struct{}    // closed when the process is gone
	exit     error            // how it went; set before exited is closed

	mu      sync.Mutex
	current *invocation
	request string // id of the last invocation, for the log
	initErr *flow.Error
}

// invocation is one call of a function.
type invocation struct {
	id, trace string
	deadline  time.Time
	payload   []byte
	done      chan outcome // takes one
}

type outcome struct {
	answer []byte
	err    error
}

// start runs a process. It returns before the function is initialised.
func (f *function) start() (*worker, error) {
	if !f.host.enter() {
		return nil, f.unavailable(nil, "was not called: this machine is shutting down")
	}
	w := &worker{function: f, next: make(chan *invocation), doomed: make(chan struct{}), exited: make(chan struct{})}
	w.doom = sync.OnceFunc(func() { close(w.doomed) })
	started := make(chan error)
	go func() {
		defer f.host.workers.Done()
		w.run(started)
	}()
	if err := <-started; err != nil {
		e := f.failed("it can't be started; see its entry in local.yaml")
		e.Cause = err
		return nil, e
	}
	return w, nil
}

// run starts the process, reports how that went, and sees it to its end.
func (w *worker) run(started chan<- error) {
	runtime.LockOSThread() // the process ends with the thread that started it
	defer runtime.UnlockOSThread()
	defer close(w.exited)
	f := w.function
	listener, err := loopback.Listen(f.host.log)
	if err != nil {
		started <- fmt.Errorf("listen for the runtime: %w", err)
		return
	}
	address, secret := listener.Addr().String(), rand.Text()
	server := loopback.NewServer(w.runtimeAPI(address, secret), 0, f.host.log)
	go func() { _ = server.Serve(listener) }() // ends with Close
	defer server.Close()
	home, err := os.MkdirTemp(f.host.temp, f.name+"-")
	if err != nil {
		started <- fmt.Errorf("make the function's directory: %w", err)
		return
	}
	defer os.RemoveAll(home)

	output := &lines{emit: w.log}
	defer output.flush()
	process, err := confine.Program{
		Path: f.command[0], Args: f.command[1:], Dir: f.config.Dir,
		// Later values win: what the function's owner sets replaces ours.
		Env:    append([]string{"HOME=" + home, "TMPDIR=" + home, "AWS_LAMBDA_RUNTIME_API=" + address + "/" + secret}, f.env...),
		Stdout: output, Stderr: output, OutputGrace: f.host.outputGrace, MemoryMB: f.config.MemoryMB,
	}.Start()
	if err != nil {
		started <- err
		return
	}
	f.host.tell(process.Isolation())
	started <- nil
	gone := make(chan struct{})
	go w.end(process, gone)
	w.exit = process.Wait()
	close(gone)
}

// end ends the process when it has to.
func (w *worker) end(process *confine.Process, gone <-chan struct{}) {
	select {
	case <-gone:
		return
	case <-w.doomed:
	case <-w.function.host.closing:
		process.Terminate()
		select {
		case <-gone:
			return
		case <-w.doomed:
		case <-time.After(closeGrace):
		}
	}
	process.Kill()
}

// log passes a line of the process on.
func (w *worker) log(line string, dropped int) {
	w.mu.Lock()
	request := w.request
	w.mu.Unlock()
	attributes := []any{"function", w.function.name, "request_id", request}
	if dropped > 0 {
		attributes = append(attributes, "dropped_bytes", dropped)
	}
	w.function.host.log.Info(line, attributes...)
}

// invoke hands an invocation to the process and waits for its outcome. The
// error is errExitedIdle if the process was gone before.
func (w *worker) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline() // function.invoke has set one
	inv := &invocation{id: uuid.NewString(), trace: newTrace(deadline), deadline: deadline, payload: payload, done: make(chan outcome, 1)}
	select {
	case w.next <- inv:
	case <-w.exited:
		return nil, errExitedIdle
	case <-ctx.Done():
		return nil, w.stop(ctx)
	}
	select {
	case out := <-inv.done:
		return out.answer, out.err
	case <-w.exited:
	case <-ctx.Done():
		return nil, w.stop(ctx)
	}
	select {
	case out := <-inv.done: // just before it exited
		return out.answer, out.err
	default:
	}
	if w.function.host.isClosing() {
		return nil, w.function.unavailable(w.exit, "was stopped: this machine is shutting down")
	}
	return nil, w.function.unavailable(w.exit, "exited before it answered")
}

// stop ends the process, whose time is over.
func (w *worker) stop(ctx context.Context) error {
	w.doom()
	<-w.exited
	cause := fmt.Errorf("Sandbox.Timedout: %w", ctx.Err()) // Lambda's name for it
	if errors.Is(ctx.Err(), context.Canceled) {
		return w.function.unavailable(ctx.Err(), "was stopped: its caller has given up")
	}
	return w.function.unavailable(cause, "did not answer in time (its timeout is %s) and was stopped", w.function.config.Timeout)
}

// initFailure says why a process never asked for an invocation.
func (w *worker) initFailure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.initErr != nil {
		return w.initErr
	}
	if w.function.host.isClosing() {
		return w.function.unavailable(w.exit, "was stopped: this machine is shutting down")
	}
	e := w.function.failed("it exited before it asked for an invocation; its output is in the log")
	e.Cause = w.exit
	return e
}

// newTrace makes a trace header of X-Ray's form that asks for no tracing:
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html.
func newTrace(at time.Time) string {
	var id [12]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	return fmt.Sprintf("Root=1-%08x-%s;Sampled=0", at.Unix(), hex.EncodeToString(id[:]))
}
