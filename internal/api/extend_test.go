package api

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestExtend_once: with an Idempotency-Key a repetition asks for nothing more, also
// when the first has been decided.
func TestExtend_once(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	runID := f.escalated()
	path, key := Base+"/runs/"+runID+"/extend", header(headerIdempotencyKey, "k")
	f.send("POST", path, `{"duration":1800}`, key)
	f.change(runID, func(r flow.Run) flow.Input {
		return flow.AskExtension{SignalID: r.Signals[0].ID, Ruling: &flow.Ruling{Event: flow.EventExtend}}
	})
	resp := f.send("POST", path, `{"duration":1800}`, key)
	if run := f.run(runID); resp.StatusCode != 200 || len(run.Signals) > 0 || run.Extended != 1 {
		t.Errorf("a repetition is answered %d, and leaves %+v", resp.StatusCode, run.Signals)
	}
	f.send("POST", path, `{"duration":1800}`, header(headerIdempotencyKey, "another"))
	if run := f.run(runID); len(run.Signals) != 1 {
		t.Errorf("another key asks for nothing: %+v", run.Signals)
	}
}
