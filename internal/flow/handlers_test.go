package flow

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestApply_Outputs: what customers' code and targets answer is kept, within
// limits, and can always be stored.
func TestApply_Outputs(t *testing.T) {
	t.Parallel()
	r := must(situations()["requested"].run, t0, click(ActionApprove, approver))
	id := r.Signals[0].ID
	r = must(r, t0, Keep{EventID: id, Result: Result{Output: []byte(`{"build":7}`)}})
	if _, err := Apply(r, Keep{EventID: id, Result: Result{Output: []byte(`{"build":8}`)}}, t0); !errors.Is(err, ErrUnchanged) {
		t.Errorf("a second result for one signal: %v", err)
	}
	r = must(r, t0, Decide{SignalID: id, Hooks: []string{"after_approve"}}, After{EventID: id, Result: Result{
		Output: []byte("no JSON"), Error: &Failure{Code: CodeHandler, Message: "after_approve: timed out"},
	}})
	e, _ := r.Event(id)
	if got, want := string(e.Output), `{"after_approve":"no JSON","on_approve":{"build":7}}`; got != want {
		t.Errorf("output = %s, want %s", got, want)
	}
	if e.State != StateCompleted || e.Failed() || len(e.Errors) != 1 || len(r.After) != 1 || !r.After[0].Stuck {
		t.Errorf("what fails afterwards is reported and changes nothing: %+v", e)
	}

	if Next(r) == StepDecide {
		t.Error("what has failed is called again by itself")
	}
	if _, err := Apply(r, After{EventID: id}, t0); !errors.Is(err, ErrUnchanged) {
		t.Errorf("an answer that nobody waits for: %v", err)
	}

	big := `"` + strings.Repeat("ä", MaxOutputBytes) + `"`
	var warnings []string
	for range 30 {
		warnings = append(warnings, big)
	}
	r = must(r, t0, intend, Escalate{Output: []byte(big), Warnings: warnings})
	e, _ = r.Last(EventEscalate)
	kept := e.Fields["warnings"].([]string)
	if len(kept) != 21 || kept[20] != "and 10 more" {
		t.Errorf("%d warnings kept, the last is %q", len(kept), kept[len(kept)-1])
	}
	if !strings.HasPrefix(string(e.Output), `{"bytes":32770,"start":"\"ä`) {
		t.Errorf("output = %.60s", e.Output)
	}
	if s := stored(t, r); s.Size > 64<<10 {
		t.Errorf("the run takes %d bytes", s.Size)
	}
}

// TestRetry_after: what failed after an event waits for Retry, whatever the status, and
// is over once it has worked.
func TestRetry_after(t *testing.T) {
	t.Parallel()
	failed := func(message string) Result {
		return Result{Invoked: true, Error: &Failure{Code: CodeHandler, Message: message}}
	}
	r := must(situations()["requested"].run, t0, click(ActionDeny, approver))
	id := r.Signals[0].ID
	r = must(r, t0, Decide{SignalID: id, Hooks: []string{"after_deny"}}, After{EventID: id, Result: failed("it timed out")})
	if got := r.StuckAfter(); Next(r) != StepDone || !slices.Equal(got, []string{id}) || !r.Due.IsZero() {
		t.Fatalf("next is %s, due %s; it waits for Retry after %v", Next(r), r.Due, got)
	}
	for _, side := range []Side{SideDeciders, SideRequester, SideAdmins} {
		if !slices.Contains(r.Buttons(side), ButtonRetry) {
			t.Errorf("side %d has the buttons %v", side, r.Buttons(side))
		}
	}
	if e, _ := r.Event(id); r.Overcome(e) {
		t.Error("it is said to be over before it is run again")
	}
	r = must(r, t0, Retry{Actor: admin})
	if call, due := r.AfterDue(); !due || call.EventID != id || Next(r) != StepDecide || r.Due.IsZero() || slices.Contains(r.Buttons(SideDeciders), ButtonRetry) {
		t.Fatalf("next is %s (%+v), due %s, buttons %v", Next(r), call, r.Due, r.Buttons(SideDeciders))
	}
	if _, err := Apply(r, Retry{Actor: admin}, t0); !errors.Is(err, ErrUnchanged) {
		t.Errorf("a second Retry: %v", err)
	}
	r = must(r, t0, After{EventID: id, Result: failed("it timed out again")}, Retry{Actor: admin})
	if e, _ := r.Event(id); len(e.Errors) != 1 || e.Errors[0].Message != "it timed out again" || r.Overcome(e) || e.Fields[KeyRetriedBy] != admin.Display() {
		t.Errorf("failed twice: %+v", e)
	}
	hook := failed("the hook raised")
	hook.Error.Handler, hook.Output = "after_deny", []byte(`{"ok":true}`)
	r = must(r, t0, After{EventID: id, Result: hook}, Retry{Actor: admin})
	if call, _ := r.AfterDue(); !call.Invoked {
		t.Errorf("the function that has worked is to be called again: %+v", call)
	}
	r = must(r, t0, After{EventID: id})
	e, _ := r.Event(id)
	if len(r.After) > 0 || Next(r) != StepDone || r.Status != Denied || !r.Overcome(e) || string(e.Output) != `{"after_deny":{"ok":true}}` {
		t.Errorf("it worked, and is %+v with %+v to run, next %s", e, r.After, Next(r))
	}
	full := must(situations()["requested"].run, t0, click(ActionDeny, approver))
	full = must(full, t0, Decide{SignalID: id, Hooks: []string{"after_deny"}}, After{EventID: id, Result: failed("x")})
	full.Size = MaxRunBytes + 1
	if _, err := Apply(full, Retry{Actor: admin}, t0); CodeOf(err) != CodeFull {
		t.Errorf("of a run that is full: %v", err)
	}
}

// TestRetry_afterAndRemoval: who hurries a removal, as every token may, runs nothing else.
func TestRetry_afterAndRemoval(t *testing.T) {
	t.Parallel()
	s := situations()["claimed, over"]
	r := must(s.run, s.now, failing(EventDeescalate, CodeUnavailable, "the target did not answer"))
	id := r.Events[len(r.Events)-1].ID
	r.After = append(r.After, AfterCall{EventID: r.Events[0].ID, Event: EventRequest, Failed: true, Stuck: true})
	r = must(r, s.now, Retry{Actor: second})
	if e, _ := r.Event(id); len(r.StuckAfter()) != 1 || e.Fields[KeyRetriedBy] == nil {
		t.Errorf("hurried: %+v; still to run: %+v", e, r.After)
	}
}
