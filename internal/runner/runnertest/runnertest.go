// Package runnertest holds the contract of internal/runner as tests. Every
// implementation runs them: runner/local as it is, runner/stepfn against a fake
// of Step Functions.
//
// The suite has runs and the tasks of their steps ([World]); it starts and
// resumes executions, and looks at which steps were done. What the steps do to
// real runs is tested in internal/workflow.
package runnertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
)

// start is when every test begins.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// longestPause is longer than any between two tries of a step.
const longestPause = 2 * time.Minute

const (
	runA = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"
	runB = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7c0000"
)

// Run holds a runner to the contract of the port. open makes one that does the
// tasks of the world and goes by its clock. settle returns once every execution
// waits or has ended, after it has acted on all times that are over.
func Run(t *testing.T, open func(t testing.TB, w *World) (r runner.Runner, settle func())) {
	for _, test := range []struct {
		name string
		run  func(*World)
	}{
		{"Start", testStart},
		{"StartTwice", testStartTwice},
		{"StartAtOnce", testStartAtOnce},
		{"StartAnother", testStartAnother},
		{"Resume", testResume},
		{"ResumeTwice", testResumeTwice},
		{"ResumeAtOnce", testResumeAtOnce},
		{"ResumeBeforeTheWait", testResumeBeforeTheWait},
		{"SignalBeforeTheWait", testSignalBeforeTheWait},
		{"ResumeForNothing", testResumeForNothing},
		{"ResumeAnEarlierWait", testResumeAnEarlierWait},
		{"ResumeAfterTheEnd", testResumeAfterTheEnd},
		{"ResumeUnknown", testResumeUnknown},
		{"TimeIsOver", testTimeIsOver},
		{"SignalAsTimeIsOver", testSignalAsTimeIsOver},
		{"FaultPasses", testFaultPasses},
		{"FaultStays", testFaultStays},
		{"RunsApart", testRunsApart},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.runner, w.settle = open(t, w)
			test.run(w)
		})
	}
}

func newWorld(t testing.TB) *World {
	return &World{
		Clock: clockwork.NewFakeClockAt(start), t: t,
		runs: map[string]flow.Run{}, did: map[string][]string{}, at: map[string]int{},
		attempt: map[string]int{}, token: map[string]string{}, faults: map[string][]error{},
		during: map[flow.Step]func(){}, before: map[flow.Step]func(){},
	}
}

// start starts an execution.
func (w *World) start(id string, attempt int) {
	w.t.Helper()
	if err := w.runner.Start(context.Background(), id, attempt); err != nil {
		w.t.Errorf("start %s-%d: %v", id, attempt, err)
	}
}

// resume wakes an execution that waits.
func (w *World) resume(token string) {
	w.t.Helper()
	if err := w.runner.Resume(context.Background(), token); err != nil {
		w.t.Errorf("resume: %v", err)
	}
}

// resumeLate resumes what may wait no more.
func (w *World) resumeLate(token string) {
	w.t.Helper()
	if err := w.runner.Resume(context.Background(), token); err != nil && !errors.Is(err, runner.ErrGone) {
		w.t.Errorf("resume late: %v", err)
	}
}

// advance moves the time.
func (w *World) advance(d time.Duration) {
	w.Clock.Advance(d)
	w.settle()
}

// waits has an execution of a run wait for its first tier.
func (w *World) waits(id string) {
	w.t.Helper()
	w.put(id, flow.StepRoute)
	w.start(id, 1)
	w.settle()
	w.wantDone(id, "route")
}

// wantDone: these are the steps that were done.
func (w *World) wantDone(id, steps string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.did[id], " "); got != steps {
		w.t.Fatalf("the steps %q were done, want %q", got, steps)
	}
}

// An execution enters where the run stands.
func testStart(w *World) {
	for step, want := range map[flow.Step]string{
		flow.StepRoute: "route", flow.StepAwait: "", flow.StepDecide: "decide escalate", flow.StepEscalate: "escalate", flow.StepDone: "",
	} {
		id := flow.RunIDFrom("acme", string(step))
		w.put(id, step)
		w.start(id, 1)
		w.settle()
		w.wantDone(id, want)
	}
}

func testStartTwice(w *World) {
	w.put(runA, flow.StepRoute)
	w.during[flow.StepRoute] = func() { w.start(runA, 1) } // at work,
	w.start(runA, 1)
	w.settle()
	w.wantDone(runA, "route")
	token := w.tokenOf(runA)
	w.start(runA, 1) // as it waits,
	w.settle()
	w.wantDone(runA, "route")
	if w.tokenOf(runA) != token {
		w.t.Error("a second execution of the same name waits")
	}
	w.approve(runA)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route decide escalate")
	w.start(runA, 1) // and after its end
	w.settle()
	w.wantDone(runA, "route decide escalate")
}

func testStartAtOnce(w *World) {
	w.put(runA, flow.StepDecide)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { w.start(runA, 1) })
	}
	all.Wait()
	w.settle()
	w.wantDone(runA, "decide escalate")
}

// The next execution takes over from one that waits.
func testStartAnother(w *World) {
	w.waits(runA)
	old := w.tokenOf(runA)
	w.start(runA, 2)
	w.settle()
	w.wantDone(runA, "route")
	w.resumeLate(old)
	w.settle()
	w.wantDone(runA, "route")
	w.approve(runA)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route decide escalate")
}

func testResume(w *World) {
	w.waits(runA)
	w.approve(runA)
	w.settle()
	w.wantDone(runA, "route") // it is the resume that wakes
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route decide escalate")
	w.advance(2 * tierTime) // the wait is over, and its time with it
	w.wantDone(runA, "route decide escalate")
}

func testResumeTwice(w *World) {
	w.waits(runA)
	token := w.tokenOf(runA)
	w.approve(runA)
	w.during[flow.StepDecide] = func() { w.resumeLate(token) }
	w.during[flow.StepEscalate] = func() { w.resumeLate(token) }
	w.resume(token)
	w.settle()
	w.wantDone(runA, "route decide escalate")
	w.resumeLate(token)
	w.settle()
	w.wantDone(runA, "route decide escalate")
}

func testResumeAtOnce(w *World) {
	w.waits(runA)
	token := w.tokenOf(runA)
	w.approve(runA)
	var woken atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			switch err := w.runner.Resume(context.Background(), token); {
			case err == nil:
				woken.Add(1)
			case !errors.Is(err, runner.ErrGone):
				w.t.Errorf("resume: %v", err)
			}
		})
	}
	all.Wait()
	w.settle()
	if woken.Load() == 0 {
		w.t.Error("all ten were told that nothing waits")
	}
	w.wantDone(runA, "route decide escalate")
}

// The token is handed in, and the wait has not begun.
func testResumeBeforeTheWait(w *World) {
	w.put(runA, flow.StepRoute)
	w.during[flow.StepAwait] = func() {
		w.approve(runA)
		w.resume(w.tokenOf(runA))
	}
	w.start(runA, 1)
	w.settle()
	w.wantDone(runA, "route decide escalate")
}

// The step that waits finds that it need not, with and without a resume.
func testSignalBeforeTheWait(w *World) {
	w.put(runA, flow.StepRoute)
	w.before[flow.StepAwait] = func() {
		w.approve(runA)
		w.resume(w.tokenOf(runA))
	}
	w.start(runA, 1)
	w.put(runB, flow.StepRoute)
	w.settle()
	w.wantDone(runA, "route decide escalate")
	w.before[flow.StepAwait] = func() { w.approve(runB) }
	w.start(runB, 1)
	w.settle()
	w.wantDone(runB, "route decide escalate")
}

// An execution that was resumed for nothing waits again, as long as before.
func testResumeForNothing(w *World) {
	w.waits(runA)
	w.advance(tierTime / 2)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route")
	w.advance(tierTime/2 - time.Second)
	w.wantDone(runA, "route")
	w.advance(time.Second)
	w.wantDone(runA, "route forward")
	w.resume(w.tokenOf(runA))
	w.settle()
	w.approve(runA)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route forward decide escalate")
}

// The token of a wait that is over does not end the next one.
func testResumeAnEarlierWait(w *World) {
	w.waits(runA)
	token := w.tokenOf(runA)
	w.advance(tierTime)
	w.wantDone(runA, "route forward")
	w.resumeLate(token)
	w.settle()
	w.wantDone(runA, "route forward")
	w.advance(tierTime)
	w.wantDone(runA, "route forward forward")
}

func testResumeAfterTheEnd(w *World) {
	w.waits(runA)
	w.approve(runA)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.waits(runB)
	w.advance(tierTime)
	w.advance(tierTime) // no decision comes
	for id, want := range map[string]string{runA: "route decide escalate", runB: "route forward forward"} {
		w.wantDone(id, want)
		w.resumeLate(w.tokenOf(id))
		w.settle()
		w.wantDone(id, want)
	}
}

func testResumeUnknown(w *World) {
	w.waits(runA)
	for _, token := range []string{"made up", strings.Repeat("A", 1000), runA} {
		if err := w.runner.Resume(context.Background(), token); !errors.Is(err, runner.ErrGone) {
			w.t.Errorf("resume %.50q: %v, want ErrGone", token, err)
		}
	}
	w.settle()
	w.wantDone(runA, "route")
}

func testTimeIsOver(w *World) {
	w.waits(runA)
	w.advance(tierTime - time.Second)
	w.wantDone(runA, "route")
	w.advance(time.Second)
	w.wantDone(runA, "route forward")
	w.advance(tierTime - time.Second)
	w.wantDone(runA, "route forward")
	w.advance(time.Second)
	w.wantDone(runA, "route forward forward")
}

// A decision that came in time counts, though nothing was resumed for it.
func testSignalAsTimeIsOver(w *World) {
	w.waits(runA)
	w.approve(runA)
	w.advance(tierTime)
	w.wantDone(runA, "route decide escalate")
	w.resumeLate(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route decide escalate")
}

// A step that fails for a while is done again, with the pauses of flow.Steps.
func testFaultPasses(w *World) {
	spec, _ := flow.Spec(flow.StepDecide)
	rule := spec.Retry[0]
	w.faults[runA] = slices.Repeat([]error{errPasses}, rule.MaxAttempts)
	w.put(runA, flow.StepDecide)
	w.start(runA, 1)
	w.settle()
	tries := func(n int) string { return strings.Repeat(" decide", n)[1:] }
	pause := rule.Interval
	for n := range rule.MaxAttempts {
		w.advance(pause - time.Second)
		w.wantDone(runA, tries(n+1))
		w.advance(time.Second)
		pause = time.Duration(float64(pause) * rule.BackoffRate)
	}
	w.wantDone(runA, tries(rule.MaxAttempts+1)+" escalate")
}

// A step that can't succeed, or fails too often, ends the execution; the next
// one enters there.
func testFaultStays(w *World) {
	spec, _ := flow.Spec(flow.StepRoute)
	for id, faults := range map[string][]error{
		runA: {errForGood},
		runB: slices.Repeat([]error{errPasses}, spec.Retry[0].MaxAttempts+1),
	} {
		w.faults[id] = faults
		w.put(id, flow.StepRoute)
		w.start(id, 1)
		w.settle()
		for range len(faults) + 1 {
			w.advance(longestPause)
		}
		failed := strings.Repeat("route ", len(faults))
		w.wantDone(id, strings.TrimSpace(failed))
		w.start(id, 2)
		w.settle()
		w.wantDone(id, failed+"route")
	}
}

// What one run does, another does not feel.
func testRunsApart(w *World) {
	w.waits(runA)
	w.waits(runB)
	w.during[flow.StepDecide] = func() { // while A is decided, B is
		w.approve(runB)
		w.resume(w.tokenOf(runB))
	}
	w.approve(runA)
	w.resume(w.tokenOf(runA))
	w.settle()
	w.wantDone(runA, "route decide escalate")
	w.wantDone(runB, "route decide escalate")
	w.advance(2 * tierTime)
	w.wantDone(runA, "route decide escalate")
	w.wantDone(runB, "route decide escalate")
}
