package workflow_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// recorded are the records of runs as the audit log has them, read from its lines. It
// has them as often as they were shipped: what changed, at each of its revisions.
func (w *world) recorded(ids ...string) []events.AuditRecord {
	w.t.Helper()
	var out []events.AuditRecord
	for _, id := range ids {
		r := w.run(id)
		for _, e := range r.Events {
			line, err := json.Marshal(record.Of(r, e))
			if err != nil {
				w.t.Fatal(err)
			}
			var read events.AuditRecord
			if err := json.Unmarshal(line, &read); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, read)
		}
	}
	return out
}

func logOf(records []events.AuditRecord) iter.Seq2[events.AuditRecord, error] {
	return func(yield func(events.AuditRecord, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// loses has the process die and the table be another one.
func (w *world) loses(table *storetest.Memory) {
	w.memory = table
	w.feed, w.seen = nil, 0
	w.restart()
}

// recovers puts back what records tell of, and gives what became of each run.
func (w *world) recovers(records []events.AuditRecord) map[string]workflow.Recovered {
	w.t.Helper()
	v := workflow.Recovery{
		Runs: w.runs, Grants: w.grants, Flows: w.flows, Acts: store.Acts{Store: w.memory, Now: w.clock.Now},
		Now: w.clock.Now, By: flow.Operator, Table: "sym",
	}
	out := map[string]workflow.Recovered{}
	count, err := v.Run(w.t.Context(), began, logOf(records), func(r workflow.Recovered) { out[r.Run] = r })
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0
	for _, n := range count {
		sum += n
	}
	if sum != len(out) {
		w.t.Errorf("counted %v of %d runs", count, len(out))
	}
	return out
}

func (w *world) wantRecovered(got map[string]workflow.Recovered, id, what string) {
	w.t.Helper()
	if got[id].What != what || got[id].Err != nil {
		w.t.Errorf("run %s: %q (%s), error %v; want %q", id, got[id].What, got[id].Why, got[id].Err, what)
	}
}

// Access of a table that is lost ends on time, whatever its target is like, and with
// the flows or without them.
func TestRecover_LostTable(t *testing.T) {
	t.Parallel()
	keys := func(names ...string) func(string, string) []string {
		return func(identity, _ string) []string {
			var out []string
			for _, name := range names {
				out = append(out, name+"/"+identity)
			}
			return out
		}
	}
	for name, tc := range map[string]struct {
		target  func(*world)
		flows   bool // are in the new table
		extend  bool
		minutes time.Duration // after which the table is lost
	}{
		"observed":            {func(*world) {}, true, false, 3},
		"without its flow":    {func(*world) {}, false, false, 3},
		"cannot be read back": {func(w *world) { w.target.blind = true }, true, false, 3},
		"several":             {func(w *world) { w.target.keys = keys("a", "b", "c") }, true, false, 3},
		"over by then":        {func(*world) {}, true, false, 60},
		"of one run alone":    {func(w *world) { w.target.keys = func(_, run string) []string { return []string{run} } }, true, false, 3},
		"extended":            {func(*world) {}, true, true, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(f *flow.Flow) {
				f.Params.Extend = &flow.Extend{Max: 1, For: []flow.Duration{flow.Duration(5 * time.Minute)}, Approval: flow.ExtendNone}
			})
			fresh := w.memory.Snapshot()
			if !tc.flows {
				fresh = &storetest.Memory{Now: w.clock.Now}
			}
			tc.target(w)
			id := w.approved("a")
			if tc.extend {
				if _, _, err := w.submit.Extend(t.Context(), workflow.MoreTime{RunID: id, By: 5 * time.Minute, Actor: asker, Channel: flow.ChannelSlack}); err != nil {
					t.Fatal(err)
				}
				w.settle()
			}
			before := w.want(id, flow.Escalated)
			had := w.target.present()
			if len(had) == 0 {
				t.Fatal("nothing was granted")
			}
			records := w.recorded(id)
			w.sweeping = false
			w.loses(fresh)
			w.pass(tc.minutes * time.Minute)
			w.wantRecovered(w.recovers(records), id, workflow.RecoveredGrant)
			image := w.memory.Snapshot()
			w.wantRecovered(w.recovers(records), id, workflow.RecoveredNone)
			again, err := image.Get(t.Context(), store.KindRun.Key(id))
			if now, _ := w.memory.Get(t.Context(), store.KindRun.Key(id)); err != nil || now.Rev != again.Rev {
				t.Errorf("a second recovery wrote revision %d over %d: %v", now.Rev, again.Rev, err)
			}
			after := w.want(id, flow.Escalated)
			if !after.Access.End.Equal(before.Access.End) || after.Requester != before.Requester || after.Access.Identity != before.Access.Identity || after.Approver() != before.Approver() {
				t.Errorf("put back as %+v of %+v, want %+v of %+v", after.Access, after.Requester, before.Access, before.Requester)
			}
			w.sweeping = true
			w.pass(max(0, before.Access.End.Sub(w.clock.Now())-time.Second))
			if now := w.target.present(); before.Access.End.After(w.clock.Now()) && !slices.Equal(now, had) {
				t.Errorf("before its end the target shows %q, had %q", now, had)
			}
			w.pass(3 * time.Minute)
			w.want(id, flow.Deescalated)
			if now := w.target.present(); len(now) > 0 || w.target.calls["grant"] != len(had) {
				t.Errorf("after its end the target shows %q; granted %d times", now, w.target.calls["grant"])
			}
			ended, _ := after.Last(flow.EventEscalate)
			final := w.run(id)
			closed, ok := final.Last(flow.EventDeescalate)
			if !ok || slices.ContainsFunc(before.Events, func(e flow.Event) bool { return e.ID == closed.ID }) || closed.Actor != ended.Actor {
				t.Errorf("it ended by %+v", closed)
			}
		})
	}
}

// What was there before us is known from the records, and stays.
func TestRecover_WhatWasThereBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.has["db/"+asker.Email] = true
	id := w.approved("a")
	records := w.recorded(id)
	w.loses(&storetest.Memory{Now: w.clock.Now})
	w.wantRecovered(w.recovers(records), id, workflow.RecoveredGrant)
	w.pass(20 * time.Minute)
	w.want(id, flow.Deescalated)
	if now := w.target.present(); len(now) != 1 || w.target.calls["revoke"] > 0 {
		t.Errorf("the target shows %q after %d removals", now, w.target.calls["revoke"])
	}
}

// Two runs that share an entitlement have it until the later end, also where one of
// them is in the table.
func TestRecover_Shared(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		t.Run(fmt.Sprintf("one is there=%t", there), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			one := w.approved("a")
			restored := w.memory.Snapshot()
			w.pass(5 * time.Minute)
			two := w.approved("b")
			records := w.recorded(one, two)
			if !there {
				restored = &storetest.Memory{Now: w.clock.Now}
			}
			w.loses(restored)
			w.recovers(records)
			w.pass(7 * time.Minute)
			w.want(one, flow.Deescalated)
			if now := w.target.present(); len(now) != 1 {
				t.Errorf("the target shows %q while one run has it", now)
			}
			w.pass(5 * time.Minute)
			w.want(two, flow.Deescalated)
			if now := w.target.present(); len(now) > 0 {
				t.Errorf("the target shows %q in the end", now)
			}
		})
	}
}

// A table that is restored to any moment of a run's life, and recovered before
// anything works on it, grants nothing twice, and nothing lingers.
func TestRecover_RestoredTable(t *testing.T) {
	t.Parallel()
	moments := []struct {
		name string
		come func(*world, string)
		want string
		over string // if the access has ended in the records
	}{
		{"before the request", func(*world, string) {}, workflow.RecoveredGrant, workflow.RecoveredOver},
		{"requested", func(w *world, cause string) { w.ask(asker, cause) }, workflow.RecoveredGrant, workflow.RecoveredEnd},
		{"approved, target is down", func(w *world, cause string) {
			w.target.fates["grant"] = []fate{unavailable}
			id := w.ask(asker, cause)
			w.click(id, flow.ActionApprove, first)
		}, workflow.RecoveredGrant, workflow.RecoveredEnd},
		{"approved, the answer is lost", func(w *world, cause string) {
			w.target.fates["grant"] = []fate{answerLost}
			id := w.ask(asker, cause)
			w.click(id, flow.ActionApprove, first)
		}, workflow.RecoveredGrant, workflow.RecoveredEnd},
		{"escalated", func(w *world, cause string) { w.approved(cause) }, workflow.RecoveredNone, workflow.RecoveredNone},
	}
	for _, m := range moments {
		for _, over := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, over=%t", m.name, over), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				id := flow.RunIDFrom("acme", "a")
				m.come(w, "a")
				restored := w.memory.Snapshot()
				switch m.name {
				case "before the request":
					w.approved("a")
				case "requested":
					w.click(id, flow.ActionApprove, first)
				}
				w.pass(2 * time.Minute)
				live := w.want(id, flow.Escalated)
				if over {
					w.click(id, flow.ActionDeescalate, asker)
					w.pass(30 * time.Second)
					w.want(id, flow.Deescalated)
				}
				records := w.recorded(id)
				granted := w.target.calls["grant"]
				w.loses(restored)
				want := m.want
				if over {
					want = m.over
				}
				w.wantRecovered(w.recovers(records), id, want)
				w.pass(live.Access.End.Sub(w.clock.Now()) + 5*time.Minute)
				if want != workflow.RecoveredOver {
					w.want(id, flow.Deescalated)
				}
				if now := w.target.present(); len(now) > 0 {
					t.Errorf("the target shows %q", now)
				}
				if w.target.calls["grant"] != granted {
					t.Errorf("granted %d times, and %d before", w.target.calls["grant"], granted)
				}
			})
		}
	}
}

// What records can't tell is said, and nothing is guessed.
func TestRecover_Doubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := w.ask(asker, "open")
	w.target.fates["observe"] = slices.Repeat([]fate{unavailable}, 3)
	down := w.ask(second, "down")
	w.click(down, flow.ActionApprove, first)
	approved := w.recorded(down)
	w.pass(10 * time.Minute)
	w.want(down, flow.Escalated)
	old := w.approved("old")
	var records []events.AuditRecord
	for _, r := range append(approved, w.recorded(open)...) {
		if r.Event.Type != string(flow.EventEscalate) {
			records = append(records, r)
		}
	}
	for _, r := range w.recorded(old) {
		r.Access = nil // as an earlier release wrote it
		records = append(records, r)
	}
	w.loses(&storetest.Memory{Now: w.clock.Now})
	got := w.recovers(records)
	w.wantRecovered(got, open, workflow.RecoveredAsked)
	w.wantRecovered(got, down, workflow.RecoveredDoubt)
	w.wantRecovered(got, old, workflow.RecoveredDoubt)
	for _, id := range []string{open, down, old} {
		if _, err := w.stored(id); flow.CodeOf(err) != flow.CodeUnknownRun {
			t.Errorf("%s was put back: %v", id, err)
		}
	}
}

// That somebody recovers is on record before anything is written, with what came of it
// and with each run.
func TestRecover_Acts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.approved("a")
	records := w.recorded(id)
	w.loses(&storetest.Memory{Now: w.clock.Now})
	w.recovers(records)
	page, err := w.memory.List(t.Context(), store.Query{By: store.ByKind, Value: string(store.KindAct)})
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]flow.Act{}
	for _, item := range page.Items {
		acts, err := store.Acts{Store: w.memory, Now: w.clock.Now}.Of(t.Context(), item.Key, item.Rev)
		if err != nil || len(acts) != 1 || !item.Acts {
			t.Fatalf("%s has %+v: %v", item.Key, acts, err)
		}
		about[acts[0].About.Kind] = acts[0]
	}
	run, table := about["run"], about["table"]
	if run.Name != flow.ActRecover || run.About.ID != id || run.Result != flow.ActDone || run.Fields[flow.KeyExpiresAt] == nil {
		t.Errorf("of the run: %+v", run)
	}
	if table.Name != flow.ActRecover || table.About.Name != "sym" || table.Result != flow.ActDone || fmt.Sprint(table.Fields["put_back"]) != "1" || table.By != flow.Operator {
		t.Errorf("of the table: %+v", table)
	}
}
