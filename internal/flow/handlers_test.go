package flow

import (
	"errors"
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
	if e.State != StateCompleted || e.Failed() || len(e.Errors) != 1 || len(r.After) != 0 {
		t.Errorf("what fails afterwards is reported and changes nothing: %+v", e)
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
