package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// journal is a runner and a remover that only note what they are asked.
type journal struct {
	gone bool
	err  error

	mu    sync.Mutex
	lines []string
}

func (j *journal) write(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) Start(_ context.Context, _ string, attempt int) error {
	j.write(fmt.Sprintf("start %d", attempt))
	return j.err
}

func (j *journal) Resume(_ context.Context, token string) error {
	j.write("resume " + token)
	if j.gone {
		return runner.ErrGone
	}
	return j.err
}

func (j *journal) Remove(context.Context, string, time.Time) error {
	j.write("remove")
	return j.err
}

// TestDrive: what relay (at once) and sweep (later) do for a run in each of its
// states.
func TestDrive(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Minute // longer than any step may take
	// Runs are brought to where no execution drives them: these tests do it.
	for name, c := range map[string]struct {
		bring func(w *world, j *journal) string
		relay string // what happens at once
		sweep string // what happens when the run is due, or after wait
	}{
		"Prompted": {func(w *world, _ *journal) string {
			id := flow.RunIDFrom("acme", "a")
			if _, err := w.submit.Prompt(w.t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker}); err != nil {
				w.t.Fatal(err)
			}
			return id
		}, "", ""},
		"Submitted": {func(w *world, _ *journal) string {
			w.seen = 1 << 30
			return w.ask(asker, "a")
		}, "start 1", "start 2"},
		"Waiting": {func(w *world, _ *journal) string {
			return w.ask(asker, "a")
		}, "", ""},
		"Waiting, and decided": {func(w *world, _ *journal) string {
			id := w.ask(asker, "a")
			must(w.t, w.press(id, flow.ActionApprove, first))
			return id
		}, "resume TOKEN", "resume TOKEN"},
		"Resumed before": {func(w *world, j *journal) string {
			id := w.ask(asker, "a")
			must(w.t, w.press(id, flow.ActionApprove, first))
			j.gone = true
			return id
		}, "resume TOKEN", "resume TOKEN, start 2"},
		"Live": {func(w *world, _ *journal) string {
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			return id
		}, "", ""},
		"End asked for": {func(w *world, _ *journal) string {
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			must(w.t, w.press(id, flow.ActionDeescalate, first))
			return id
		}, "remove", "remove"},
		"Over": {func(w *world, _ *journal) string {
			w.schedule.on, w.sweeping = false, false
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.pass(grantedFor)
			return id
		}, "remove", "remove"},
		"Removal backs off": {func(w *world, _ *journal) string {
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.target.fates["revoke"] = []fate{unavailable}
			w.click(id, flow.ActionDeescalate, first)
			return id
		}, "", "remove"},
		"Grant backs off": {func(w *world, _ *journal) string {
			w.target.fates["grant"] = []fate{unavailable}
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			return id
		}, "", "start 2"},
		"Grant refused": {func(w *world, _ *journal) string {
			w.target.fates["grant"] = []fate{refused}
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			return id
		}, "", ""},
		"Denied": {func(w *world, _ *journal) string {
			id := w.ask(asker, "a")
			w.click(id, flow.ActionDeny, first)
			return id
		}, "", ""},
	} {
		for _, path := range []string{"relay", "sweep"} {
			t.Run(name+"/"+path, func(t *testing.T) {
				t.Parallel()
				w, j := newWorld(t), &journal{}
				id := c.bring(w, j)
				drive := workflow.Drive{Runs: w.runs, Runner: j, Remover: j, Now: w.clock.Now}
				want := c.relay
				if path == "relay" {
					must(t, workflow.Relay{Drive: drive}.Handle(t.Context(), store.Change{Key: store.KindRun.Key(id)}))
				} else {
					want = c.sweep
					if name == "Submitted" { // as the relay left it
						must(t, drive.Run(t.Context(), id, false, 0))
						j.lines = nil
					}
					w.clock.Advance(wait)
					_, err := workflow.Sweep{Runs: w.runs, Drive: drive, Now: w.clock.Now, Log: w.access.Log}.Run(t.Context())
					must(t, err)
				}
				want = strings.ReplaceAll(want, "TOKEN", w.run(id).Execution.Token)
				if before, _, ok := strings.Cut(want, ","); ok { // the token is gone with the execution
					want = strings.Replace(want, before, j.lines[0], 1)
				}
				if got := strings.Join(j.lines, ", "); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			})
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDrive_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	w, j := newWorld(t), &journal{}
	w.seen = 1 << 30
	id := w.ask(asker, "a")
	drive := workflow.Drive{Runs: w.runs, Runner: j, Remover: j, Now: w.clock.Now}
	// The other one is as fast as can be: between our read and our write.
	w.target.hook = func(context.Context) {
		w.target.hook = nil
		must(t, drive.Run(t.Context(), id, false, 0))
	}
	must(t, drive.Run(t.Context(), id, false, 0))
	if !slices.Equal(j.lines, []string{"start 1"}) {
		t.Errorf("%v, want one execution", j.lines)
	}
}

// TestDrive_Faults: an error asks for the same change again, which starts what was
// dispatched and never started; and so does the watchdog.
func TestDrive_Faults(t *testing.T) {
	t.Parallel()
	w, j := newWorld(t), &journal{err: errors.New("throttled")}
	w.seen = 1 << 30
	id := w.ask(asker, "a")
	drive := workflow.Drive{Runs: w.runs, Runner: j, Remover: j, Now: w.clock.Now}
	if err := drive.Run(t.Context(), id, false, 0); err == nil {
		t.Error("the fault is swallowed")
	}
	j.err = nil
	must(t, drive.Run(t.Context(), id, false, 0))
	w.clock.Advance(4 * time.Minute)
	must(t, drive.Run(t.Context(), id, false, 0))
	if want := []string{"start 1", "start 1", "start 2"}; !slices.Equal(j.lines, want) {
		t.Errorf("%v, want %v", j.lines, want)
	}
	if err := (workflow.Relay{Drive: drive}).Handle(t.Context(), store.Change{Key: store.KindRun.Key(flow.RunIDFrom("acme", "none"))}); err != nil {
		t.Errorf("a run that is not there: %v", err)
	}
	if err := (workflow.Relay{Drive: drive}).Handle(t.Context(), store.Change{Key: store.KindGrant.Key("x")}); err != nil {
		t.Errorf("another item: %v", err)
	}
}

// TestDrive_QuickClicks: two clicks in a row make one walk, and the customer's
// function is called once.
func TestDrive_QuickClicks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(f *flow.Flow) {
		f.Strategy, f.Params.OnApprove = nil, &flow.LambdaCall{ARN: "check"}
	})
	id := w.ask(asker, "a")
	must(t, w.press(id, flow.ActionApprove, first))
	must(t, w.press(id, flow.ActionApprove, second))
	w.settle()
	w.wantHistory(id, "prompt request approve approve!Run:ALREADY_DECIDED")
	if len(w.functions.asked) != 1 || len(w.executed) != 1 {
		t.Errorf("asked %v, executions %v", w.functions.asked, w.executed)
	}
}

// TestAwait_Outdated: an execution whose place was taken ends, instead of
// going round.
func TestAwait_Outdated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	_, _, err := w.approval.Await(t.Context(), id, 7, "token")
	if _, again := errors.AsType[*workflow.Retry](err); flow.CodeOf(err) != flow.CodeStale || again {
		t.Errorf("error %v", err)
	}
	must(t, w.press(id, flow.ActionApprove, first))
	if _, waits, err := w.approval.Await(t.Context(), id, 1, "token"); waits || err != nil {
		t.Errorf("waits %t, error %v, though a signal is there", waits, err)
	}
}

// TestSweep_Others: a run that can't be driven keeps no other from it.
func TestSweep_Others(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.schedule.on, w.sweeping = false, false
	var ids []string
	for i := range 3 {
		ids = append(ids, w.ask(asker, fmt.Sprint(i)))
		w.click(ids[i], flow.ActionApprove, first)
	}
	w.pass(grantedFor)
	var removed []string
	w.sweep.Drive.Remover = failing{func(id string) error {
		if id == ids[1] {
			return errors.New("throttled")
		}
		removed = append(removed, id)
		return nil
	}}
	swept, err := w.sweep.Run(t.Context())
	if swept != (workflow.Swept{Driven: 2, Failed: 1}) || err != nil || len(removed) != 2 {
		t.Errorf("%+v, removed %d, error %v", swept, len(removed), err)
	}
}

type failing struct{ remove func(string) error }

func (f failing) Remove(_ context.Context, id string, _ time.Time) error { return f.remove(id) }

// TestPromptExpires: a form that was never sent is over after a week.
func TestPromptExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := flow.RunIDFrom("acme", "a")
	_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker})
	must(t, err)
	w.pass(flow.PromptTimeout - time.Second)
	w.want(id, flow.Prompted)
	w.pass(2 * time.Minute)
	w.want(id, flow.Expired)
	if _, err := w.submit.Request(t.Context(), id, asker.Actor, w.form()); flow.CodeOf(err) != flow.CodeStale {
		t.Errorf("submitted after the end: %v", err)
	}
}
