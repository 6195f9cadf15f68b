package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/workflow"
)

const runA = "6f1c1f9e-58a4-4c0a-9a3e-0c5d8d1a0000"

// scripted is a runner whose tasks do as they are told, and are noted.
type scripted struct {
	*Runner
	t     *testing.T
	clock *clockwork.FakeClock
	journal

	mu      sync.Mutex
	next    map[flow.Step][]outcome // of the next calls of a task; then done
	stands  flow.Step               // where the run stands
	left    time.Duration           // how long await waits
	nowait  error                   // await's error; errGoOn: it need not wait
	during  func(flow.Step)         // while a task is under way
	at      int                     // tasks under way
	overlap bool
}

type outcome struct {
	step flow.Step
	err  error
}

var (
	errGoOn  = errors.New("go on")
	errAgain = &workflow.Retry{Cause: errors.New("the directory does not answer")}
)

func newScripted(t *testing.T) *scripted {
	e, clock := running(t)
	s := &scripted{t: t, clock: clock, next: map[flow.Step][]outcome{}}
	s.Runner = &Runner{
		Engine: e, Tasks: map[flow.Step]Task{},
		Enter: func(context.Context, string) (flow.Step, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.stands, nil
		},
		Await: func(_ context.Context, id string, attempt int, token string) (time.Duration, bool, error) {
			s.note(fmt.Sprintf("await %s", token))
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.nowait == errGoOn {
				return 0, false, nil
			}
			return s.left, s.nowait == nil, s.nowait
		},
	}
	for _, step := range []flow.Step{flow.StepRoute, flow.StepDecide, flow.StepForward, flow.StepEscalate} {
		s.Tasks[step] = func(ctx context.Context, id string) (flow.Step, error) { return s.do(ctx, step) }
	}
	return s
}

// note writes a line with the time.
func (s *scripted) note(line string) {
	s.add(fmt.Sprintf("%s +%s", strings.ReplaceAll(line, runA, "run"), s.clock.Now().Sub(start)))
}

func (s *scripted) do(ctx context.Context, step flow.Step) (flow.Step, error) {
	s.note(string(step))
	if _, ok := ctx.Deadline(); !ok {
		s.t.Errorf("step %s has no deadline", step)
	}
	s.mu.Lock()
	s.at++
	s.overlap = s.overlap || s.at > 1
	during := s.during
	s.mu.Unlock()
	if during != nil {
		during(step)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at--
	if len(s.next[step]) == 0 {
		return flow.StepDone, nil
	}
	o := s.next[step][0]
	s.next[step] = s.next[step][1:]
	return o.step, o.err
}

func (s *scripted) begin() {
	s.t.Helper()
	if err := s.Start(s.t.Context(), runA, 1); err != nil {
		s.t.Fatal(err)
	}
	idle(s.t, s.Engine)
}

// advance goes to the next timer, and n further.
func (s *scripted) advance(n int) {
	s.t.Helper()
	for range n {
		at, ok := s.Engine.Next()
		if !ok {
			s.t.Fatal("nothing is to come")
		}
		s.clock.Advance(at.Sub(s.clock.Now()))
		idle(s.t, s.Engine)
	}
}

func (s *scripted) wantRest() {
	s.t.Helper()
	if at, ok := s.Engine.Next(); ok {
		s.t.Errorf("something is to come at %s", at)
	}
}

func TestRunner_WalksTheTable(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.stands, s.left = flow.StepRoute, time.Hour
	s.next[flow.StepRoute] = []outcome{{flow.StepAwait, nil}}
	s.next[flow.StepForward] = []outcome{{flow.StepAwait, nil}}
	s.next[flow.StepDecide] = []outcome{{flow.StepEscalate, nil}}
	s.begin()
	s.want(t, "route +0s", "await run-1 +0s")
	s.advance(1) // nobody answers: on to the next tier
	s.want(t, "route +0s", "await run-1 +0s", "forward +1h0m0s", "await run-1 +1h0m0s")
	s.stands = flow.StepDecide
	if err := s.Resume(t.Context(), runA+"-1"); err != nil {
		t.Fatal(err)
	}
	idle(t, s.Engine)
	s.want(t, "route +0s", "await run-1 +0s", "forward +1h0m0s", "await run-1 +1h0m0s", "decide +1h0m0s", "escalate +1h0m0s")
	s.wantRest()
}

// TestRunner_Retries by the numbers of the step table.
func TestRunner_Retries(t *testing.T) {
	t.Parallel()
	spec, _ := flow.Spec(flow.StepDecide)
	rule := spec.Retry[0]
	t.Run("UntilItGoesWell", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands = flow.StepDecide
		s.next[flow.StepDecide] = []outcome{{"", errAgain}, {"", errAgain}, {flow.StepEscalate, nil}}
		s.begin()
		s.advance(2)
		s.want(t, "decide +0s", "decide +2s", "decide +6s", "escalate +6s")
		s.wantRest()
	})
	t.Run("UntilItGivesUp", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands = flow.StepDecide
		s.next[flow.StepDecide] = slices.Repeat([]outcome{{"", errAgain}}, 20)
		s.begin()
		s.advance(rule.MaxAttempts)
		want, at, pause := []string{"decide +0s"}, time.Duration(0), rule.Interval
		for range rule.MaxAttempts {
			at += pause
			pause = time.Duration(float64(pause) * rule.BackoffRate)
			want = append(want, fmt.Sprintf("decide +%s", at))
		}
		s.want(t, want...)
		s.wantRest()
	})
	t.Run("NotWhatIsOfNoUse", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands = flow.StepDecide
		s.next[flow.StepDecide] = []outcome{{"", flow.Errorf(flow.CodeUnknownFlow, "there is no such flow")}}
		s.begin()
		s.want(t, "decide +0s")
		s.wantRest()
	})
	t.Run("CountsAnewForEachStep", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands = flow.StepDecide
		s.next[flow.StepDecide] = []outcome{{"", errAgain}, {flow.StepEscalate, nil}}
		s.next[flow.StepEscalate] = []outcome{{"", errAgain}}
		s.begin()
		s.advance(2)
		s.want(t, "decide +0s", "decide +2s", "escalate +2s", "escalate +4s")
	})
}

func TestRunner_UnknownStepEnds(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.stands = flow.StepRoute
	s.next[flow.StepRoute] = []outcome{{"a step of a newer version", nil}}
	s.begin()
	s.want(t, "route +0s")
	s.wantRest()
}

func TestRunner_Await(t *testing.T) {
	t.Parallel()
	t.Run("NeedNotWait", func(t *testing.T) { // a signal came meanwhile
		t.Parallel()
		s := newScripted(t)
		s.stands, s.nowait = flow.StepRoute, errGoOn
		s.next[flow.StepRoute] = []outcome{{flow.StepAwait, nil}}
		s.during = func(flow.Step) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stands = flow.StepDecide
		}
		s.begin()
		s.want(t, "route +0s", "await run-1 +0s", "decide +0s")
		s.wantRest()
	})
	t.Run("Outdated", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands, s.nowait = flow.StepAwait, flow.Errorf(flow.CodeStale, "another execution has taken over")
		s.begin()
		s.want(t, "await run-1 +0s")
		s.wantRest()
	})
	t.Run("DeadlineIsOver", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		s.stands = flow.StepAwait
		s.begin()
		s.want(t, "await run-1 +0s", "forward +0s")
		s.wantRest()
	})
}

func TestRunner_Resume(t *testing.T) {
	t.Parallel()
	t.Run("Twice", func(t *testing.T) { // it goes on once at a time, and its timer is gone
		t.Parallel()
		s := newScripted(t)
		s.stands, s.left = flow.StepAwait, time.Hour
		s.begin()
		s.mu.Lock()
		s.stands = flow.StepDecide
		s.mu.Unlock()
		hold, held := make(chan struct{}), make(chan struct{}, 2)
		s.during = func(flow.Step) { held <- struct{}{}; <-hold }
		for range 2 {
			if err := s.Resume(t.Context(), runA+"-1"); err != nil {
				t.Fatal(err)
			}
		}
		<-held
		s.Runner.mu.Lock()
		if next, walking := s.walks[runA]; !walking || next == nil {
			t.Error("the second does not wait for the end of the first")
		}
		s.Runner.mu.Unlock()
		close(hold)
		idle(t, s.Engine)
		s.want(t, "await run-1 +0s", "decide +0s", "decide +0s")
		if s.overlap {
			t.Error("a run was walked twice at once")
		}
		s.wantRest()
	})
	t.Run("WhileItIsAboutToWait", func(t *testing.T) { // the wake-up is not lost
		t.Parallel()
		s := newScripted(t)
		s.stands, s.left = flow.StepRoute, time.Hour
		s.next[flow.StepRoute] = []outcome{{flow.StepAwait, nil}}
		s.during = func(step flow.Step) {
			if step == flow.StepRoute {
				s.mu.Lock()
				s.stands = flow.StepDecide
				s.mu.Unlock()
				if err := s.Resume(t.Context(), runA+"-1"); err != nil {
					t.Error(err)
				}
			}
		}
		s.begin()
		s.want(t, "route +0s", "await run-1 +0s", "decide +0s")
		s.wantRest()
	})
	t.Run("Nonsense", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t)
		for _, token := range []string{"", "x", "run-", "run-x", "-"} {
			if err := s.Resume(t.Context(), token); !errors.Is(err, runner.ErrGone) {
				t.Errorf("token %q: %v", token, err)
			}
		}
	})
}

// TestRunner_PanicEndsOneWalk, not those to come.
func TestRunner_PanicEndsOneWalk(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.stands = flow.StepDecide
	s.during = func(flow.Step) { panic("a bug") }
	s.begin()
	s.during = nil
	s.at = 0
	s.begin()
	s.want(t, "decide +0s", "decide +0s")
}

// TestRunner_FaultAtEntry ends the walk; the sweep starts another.
func TestRunner_FaultAtEntry(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.Enter = func(context.Context, string) (flow.Step, error) { return "", errors.New("the store is down") }
	s.begin()
	s.want(t)
	s.wantRest()
}

// TestRunner_StopsBetweenSteps: what is left is taken up by the next process.
func TestRunner_StopsBetweenSteps(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(start)
	e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()
	var j journal
	r := &Runner{Engine: e, Enter: func(context.Context, string) (flow.Step, error) { return flow.StepRoute, nil }}
	r.Tasks = map[flow.Step]Task{
		flow.StepRoute: func(context.Context, string) (flow.Step, error) {
			j.add("route")
			stop()
			if err := clock.BlockUntilContext(context.Background(), 1); err != nil { // the engine is stopping
				t.Error(err)
			}
			return flow.StepDecide, nil
		},
		flow.StepDecide: func(context.Context, string) (flow.Step, error) { j.add("decide"); return flow.StepDone, nil },
	}
	if err := r.Start(t.Context(), runA, 1); err != nil {
		t.Fatal(err)
	}
	<-done
	j.want(t, "route")
}
