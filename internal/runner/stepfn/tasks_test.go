package stepfn

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// waker is a runner that notes whom it wakes.
type waker struct {
	woken []string
	err   error
}

func (*waker) Start(context.Context, string, int) error { return errors.New("tasks start nothing") }

func (w *waker) Resume(_ context.Context, token string) error {
	w.woken = append(w.woken, token)
	return w.err
}

// tasks has one run that waits until deadline.
func tasks(t *testing.T, deadline time.Time) (Tasks, *waker) {
	t.Helper()
	runs := store.Runs{Store: &storetest.Memory{Now: func() time.Time { return now }}}
	if _, err := runs.Put(t.Context(), flow.Run{
		ID: runID, Created: now, Status: flow.Requested, Tiers: []flow.Tier{{Channel: "#access", Deadline: deadline}},
	}); err != nil {
		t.Fatal(err)
	}
	w := &waker{}
	return Tasks{
		Steps: map[flow.Step]Task{}, Runs: runs, Runner: w, Now: func() time.Time { return now },
		Await: func(context.Context, string, int, string) (time.Duration, bool, error) { return time.Minute, true, nil },
	}, w
}

func returning(s flow.Step, err error) Task {
	return func(context.Context, string) (flow.Step, error) { return s, err }
}

func TestTasksHandle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		next     flow.Step
		deadline time.Duration // from now
		want     string
	}{
		{"GoesOn", flow.StepEscalate, time.Hour, `{"next":"escalate","timeout":60}`}, // await follows, and gives its token back
		{"Ends", flow.StepDone, time.Hour, `{"next":"done","timeout":60}`},
		{"Waits", flow.StepAwait, 30 * time.Minute, `{"next":"await","timeout":1800}`},
		{"WaitsTheWholeSecond", flow.StepAwait, 1800*time.Second - time.Millisecond, `{"next":"await","timeout":1800}`},
		{"IsLate", flow.StepAwait, -time.Hour, `{"next":"await","timeout":1}`},
		{"IsOnTheDot", flow.StepAwait, 0, `{"next":"await","timeout":1}`},
		{"WaitsForAMonth", flow.StepAwait, 30 * 24 * time.Hour, `{"next":"await","timeout":2592000}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tasks, _ := tasks(t, now.Add(c.deadline))
			tasks.Steps[flow.StepRoute] = returning(c.next, nil)
			out, err := tasks.Handle(t.Context(), Input{Step: flow.StepRoute, Run: runID, Attempt: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(out); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestTasksHandle_moved: between the task and the look at the deadline the run
// may have moved on.
func TestTasksHandle_moved(t *testing.T) {
	t.Parallel()
	tasks, _ := tasks(t, now.Add(time.Hour))
	tasks.Steps[flow.StepRoute] = func(ctx context.Context, id string) (flow.Step, error) {
		r, err := tasks.Runs.Get(ctx, id)
		if err != nil {
			return "", err
		}
		r.Signals = []flow.Signal{{ID: flow.EventID(id, 1), Action: flow.ActionApprove}}
		_, err = tasks.Runs.Put(ctx, r)
		return flow.StepAwait, err
	}
	out, err := tasks.Handle(t.Context(), Input{Step: flow.StepRoute, Run: runID})
	if err != nil || out != (Output{Next: flow.StepDecide, Timeout: notices}) {
		t.Errorf("got %+v, %v", out, err)
	}
}

// TestTasksHandle_last: after the usual last step the execution ends.
func TestTasksHandle_last(t *testing.T) {
	t.Parallel()
	tasks, _ := tasks(t, now)
	tasks.Steps[flow.StepEscalate] = returning(flow.StepDone, nil)
	out, err := tasks.Handle(t.Context(), Input{Step: flow.StepEscalate, Run: runID})
	if err != nil || out != (Output{Next: flow.StepDone}) {
		t.Errorf("got %+v, %v", out, err)
	}
}

// nameOf gives the name under which Lambda reports an error of a handler: the one that
// the error has itself, or else that of its Go type.
func nameOf(err error) string {
	if named, ok := err.(messages.InvokeResponse_Error); ok { // Lambda looks no deeper
		return named.Type
	}
	return reflect.TypeOf(err).Elem().Name()
}

func TestTasksHandle_errors(t *testing.T) {
	t.Parallel()
	passing := &workflow.Retry{Cause: errors.New("no answer")}
	for _, c := range []struct {
		name string
		in   Input
		want string // the error's type, which the machine sees
	}{
		{"Passing", Input{Step: flow.StepRoute, Run: runID}, flow.ErrorRetry},
		{"ForGood", Input{Step: flow.StepDecide, Run: runID}, string(flow.CodeUnknownFlow)},
		{"NoSuchRun", Input{Step: flow.StepForward, Run: "0197f3c2-5b1e-4c7a-9d42-6f0e8a7c0000"}, string(flow.CodeUnknownRun)},
		{"AnotherFunctions", Input{Step: flow.StepExtend, Run: runID}, string(flow.CodeInvalid)},
		{"GoesOnAfterTheLast", Input{Step: flow.StepEscalate, Run: runID}, flow.ErrorElsewhere},
		{"OfALaterVersion", Input{Step: "reflect", Run: runID}, string(flow.CodeInvalid)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tasks, _ := tasks(t, now.Add(time.Hour))
			tasks.Steps = map[flow.Step]Task{
				flow.StepRoute:   returning("", passing),
				flow.StepDecide:  returning("", flow.Errorf(flow.CodeUnknownFlow, "none")),
				flow.StepForward: returning(flow.StepAwait, nil),
				// What follows is another signal, most likely.
				flow.StepEscalate: returning(flow.StepDecide, nil),
			}
			out, err := tasks.Handle(t.Context(), c.in)
			if err == nil || out != (Output{}) {
				t.Fatalf("got %+v, %v", out, err)
			}
			if name := nameOf(err); name != c.want {
				t.Errorf("the machine sees a %s, want %s: %v", name, c.want, err)
			}
		})
	}
}

func TestTasksHandle_await(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		waits bool
		err   error // of Await
		wake  error // of Resume
		woken int
		want  string
	}{
		{"Waits", true, nil, nil, 0, ""},
		{"NothingToWaitFor", false, nil, nil, 1, ""},
		{"TimedOutMeanwhile", false, nil, runner.ErrGone, 1, ""},
		{"CannotBeWoken", false, nil, errors.New("throttled"), 1, flow.ErrorRetry},
		{"Passing", false, &workflow.Retry{Cause: errors.New("no answer")}, nil, 0, flow.ErrorRetry},
		{"AnotherTookOver", false, flow.Errorf(flow.CodeStale, "over"), nil, 0, string(flow.CodeStale)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tasks, waker := tasks(t, now.Add(time.Hour))
			waker.err = c.wake
			tasks.Await = func(_ context.Context, id string, attempt int, token string) (time.Duration, bool, error) {
				if id != runID || attempt != 7 || token != "token" {
					t.Errorf("asked for %s, attempt %d, token %q", id, attempt, token)
				}
				return time.Minute, c.waits, c.err
			}
			out, err := tasks.Handle(t.Context(), Input{Step: flow.StepAwait, Run: runID, Attempt: 7, Token: "token"})
			if out != (Output{}) || len(waker.woken) != c.woken || (err != nil) != (c.want != "") {
				t.Fatalf("got %+v, %v, woken %q", out, err, waker.woken)
			}
			if err != nil && nameOf(err) != c.want {
				t.Errorf("the machine sees %v, want %s", err, c.want)
			}
		})
	}
	t.Run("NotOfThisFunction", func(t *testing.T) {
		t.Parallel()
		tasks, _ := tasks(t, now)
		tasks.Await = nil
		if _, err := tasks.Handle(t.Context(), Input{Step: flow.StepAwait, Run: runID}); nameOf(err) != string(flow.CodeInvalid) {
			t.Errorf("got %v", err)
		}
	})
}
