package workflow_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// auditLog keeps batches, and fails as told.
type auditLog struct {
	batches [][]events.AuditRecord
	err     error
}

func (l *auditLog) Write(_ context.Context, records []events.AuditRecord) error {
	if l.err != nil {
		return l.err
	}
	l.batches = append(l.batches, records)
	return nil
}

// ids counts the records by event id.
func (l *auditLog) ids() map[string]int {
	out := map[string]int{}
	for _, b := range l.batches {
		for _, r := range b {
			out[r.ID]++
		}
	}
	return out
}

// TestAudit_Each: whatever the size of the batches, each event is shipped, and
// nothing else; failures of steps with their counts as they are in the end.
func TestAudit_Each(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["grant"] = []fate{unavailable, unavailable}
	w.target.fates["revoke"] = []fate{unavailable, unavailable, unavailable}
	var runs []flow.Run
	for _, cause := range []string{"a", "b", "c"} {
		id := w.ask(asker, cause)
		w.click(id, flow.ActionApprove, first)
		w.pass(grantedFor * 2)
		runs = append(runs, w.want(id, flow.Deescalated))
	}
	want := map[string]int{}
	for _, r := range runs {
		for _, e := range r.Events {
			want[e.ID] = 1
		}
	}
	for _, size := range []int{1, 7, len(w.feed)} {
		log := &auditLog{}
		audit := workflow.Audit{Runs: w.runs, Log: log}
		for batch := range slices.Chunk(w.feed, size) {
			must(t, audit.Handle(t.Context(), batch))
		}
		if got := log.ids(); !maps.Equal(got, want) {
			t.Errorf("batches of %d: shipped %v, want %v", size, got, want)
		}
		if size == len(w.feed) && len(log.batches) != 1 {
			t.Errorf("%d batches of one", len(log.batches))
		}
	}
}

// TestAudit_AsItHappens ships what is new with each change; what was amended
// since comes again, with the same id.
func TestAudit_AsItHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := &auditLog{}
	audit := workflow.Audit{Runs: w.runs, Log: log}
	shipped := 0
	ship := func() {
		for _, c := range w.feed[shipped:] {
			must(t, audit.Handle(t.Context(), []store.Change{c}))
		}
		shipped = len(w.feed)
	}
	w.target.fates["grant"] = []fate{unavailable, unavailable}
	id := w.ask(asker, "a")
	ship()
	w.click(id, flow.ActionApprove, first)
	ship()
	w.pass(grantedFor)
	ship()
	w.pass(grantedFor)
	ship()
	r := w.want(id, flow.Deescalated)
	want := map[string]int{}
	for _, e := range r.Events {
		want[e.ID] = 1
	}
	if len(log.ids()) != len(want) {
		t.Errorf("shipped %v, want %v", log.ids(), want)
	}
	for id, n := range log.ids() {
		if want[id] == 0 {
			t.Errorf("shipped %q %d times, which did not happen", id, n)
		}
	}
}

func TestAudit_Faults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask(asker, "a")
	log := &auditLog{err: errors.New("the stream is throttled")}
	audit := workflow.Audit{Runs: w.runs, Log: log}
	if err := audit.Handle(t.Context(), w.feed); !errors.Is(err, log.err) {
		t.Errorf("error %v", err)
	}
	log.err = nil
	w.process.kill()
	if err := audit.Handle(t.Context(), w.feed); err == nil {
		t.Error("a store that fails is taken for a run that is not there")
	}
	w.restart()
	audit.Runs = w.runs
	must(t, audit.Handle(t.Context(), append(w.feed, store.Change{Key: store.KindGrant.Key("x"), Rev: 1}, store.Change{Key: store.KindRun.Key(flow.RunIDFrom("acme", "none")), Rev: 1})))
	if len(log.ids()) != 2 {
		t.Errorf("shipped %v", log.ids())
	}
	must(t, audit.Handle(t.Context(), []store.Change{{Key: store.KindMessages.Key("x"), Rev: 1}}))
	if len(log.batches) != 1 {
		t.Error("an empty batch was written")
	}
}

// auditQueue keeps what is queued, and fails as told.
type auditQueue struct {
	runs []workflow.Unshipped
	err  error
}

func (q *auditQueue) Put(_ context.Context, runs []workflow.Unshipped) error {
	if q.err == nil {
		q.runs = append(q.runs, runs...)
	}
	return q.err
}

// TestAudit_HandOn: what was recorded is queued by run, and shipped from there later, just
// as it would have been; what recorded nothing is not.
func TestAudit_HandOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.ask(asker, "a"), w.ask(asker, "b")
	direct := &auditLog{}
	must(t, workflow.Audit{Runs: w.runs, Log: direct}.Handle(t.Context(), w.feed))

	log, queue := &auditLog{}, &auditQueue{}
	audit := workflow.Audit{Runs: w.runs, Log: log}
	must(t, audit.HandOn(t.Context(), []store.Change{{Key: store.KindRun.Key(a), Rev: 1 << 40}, {Key: store.KindRun.Key(flow.RunIDFrom("acme", "none")), Rev: 1}}, queue))
	if len(queue.runs) != 0 {
		t.Errorf("queued %v, which recorded nothing", queue.runs)
	}
	must(t, audit.HandOn(t.Context(), w.feed, queue))
	if len(log.batches) != 0 || len(queue.runs) != 2 || queue.runs[0].Run != a || queue.runs[1].Run != b {
		t.Fatalf("shipped %v, queued %v, want %s and %s", log.ids(), queue.runs, a, b)
	}
	must(t, audit.Ship(t.Context(), queue.runs))
	if !maps.Equal(log.ids(), direct.ids()) {
		t.Errorf("shipped %v, want %v", log.ids(), direct.ids())
	}
	queue.err = errors.New("the queue is throttled")
	if err := audit.HandOn(t.Context(), w.feed, queue); !errors.Is(err, queue.err) {
		t.Errorf("lost with %v", err)
	}
	queue.err, queue.runs = nil, nil
	w.process.kill() // whether anything was recorded can't be read
	if must(t, audit.HandOn(t.Context(), w.feed, queue)); len(queue.runs) != 2 {
		t.Errorf("queued %v", queue.runs)
	}
}
