package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

const runB = "6f1c1f9e-58a4-4c0a-9a3e-0c5d8d1b0000"

// removing is a schedule whose removals are noted, with their times.
type removing struct {
	*Schedule
	t     *testing.T
	clock *clockwork.FakeClock
	times *times
	do    func(ctx context.Context, s *Schedule, id string) error
	journal
}

// newRemoving makes one; what was set in an earlier process is in kept.
func newRemoving(t *testing.T, kept *times, do func(context.Context, *Schedule, string) error) *removing {
	e, clock := running(t)
	r := &removing{t: t, clock: clock, times: kept, do: do}
	names := map[string]string{runA: "a", runB: "b"}
	remover := &Remover{Engine: e, OnTime: func(ctx context.Context, id string) error {
		r.add(fmt.Sprintf("%s +%s", names[id], clock.Now().Sub(start)))
		return r.do(ctx, r.Schedule, id)
	}}
	r.Schedule = &Schedule{Times: kept, Remover: remover}
	return r
}

// ended is a removal that went well.
func ended(ctx context.Context, s *Schedule, id string) error { return s.Delete(ctx, id) }

func (r *removing) pass(d time.Duration) {
	r.t.Helper()
	for until := r.clock.Now().Add(d); ; {
		idle(r.t, r.Remover.Engine)
		at, ok := r.Remover.Engine.Next()
		if !ok || at.After(until) {
			r.clock.Advance(until.Sub(r.clock.Now()))
			idle(r.t, r.Remover.Engine)
			return
		}
		r.clock.Advance(at.Sub(r.clock.Now()))
	}
}

func (r *removing) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestSchedule_KeepsTimes(t *testing.T) {
	t.Parallel()
	r := newRemoving(t, &times{}, ended)
	r.must(r.Set(t.Context(), runA, start.Add(time.Hour)))
	r.must(r.Set(t.Context(), runA, start.Add(10*time.Minute)))
	r.must(r.Set(t.Context(), runB, start.Add(20*time.Minute)))
	r.must(r.Delete(t.Context(), runB))
	r.pass(2 * time.Hour)
	r.want(t, "a +10m0s")
	if len(r.times.set) != 0 {
		t.Errorf("kept %v", r.times.set)
	}
}

// TestSchedule_SameMoment: grants that end at the same moment have a timer each.
func TestSchedule_SameMoment(t *testing.T) {
	t.Parallel()
	r := newRemoving(t, &times{}, ended)
	r.must(r.Set(t.Context(), runA, start.Add(10*time.Minute)))
	r.must(r.Set(t.Context(), runB, start.Add(10*time.Minute)))
	r.pass(time.Hour)
	slices.Sort(r.lines) // nothing is under way any more
	r.want(t, "a +10m0s", "b +10m0s")
}

// TestSchedule_FiresAgain until somebody moved or deleted it: a removal that
// failed, or was left to another worker, is not over.
func TestSchedule_FiresAgain(t *testing.T) {
	t.Parallel()
	n := 0
	r := newRemoving(t, &times{}, func(ctx context.Context, s *Schedule, id string) error {
		switch n++; n {
		case 1:
			return errors.New("the store is down")
		case 2:
			return nil // another worker is at it
		case 3:
			return s.Set(ctx, id, start.Add(30*time.Minute)) // it was too early
		}
		return s.Delete(ctx, id)
	})
	r.must(r.Set(t.Context(), runA, start.Add(10*time.Minute)))
	r.pass(2 * time.Hour)
	r.want(t, "a +10m0s", "a +11m0s", "a +12m0s", "a +30m0s")
}

// TestSchedule_Load arms what an earlier process set, over or not, and nothing
// that is not a run's.
func TestSchedule_Load(t *testing.T) {
	t.Parallel()
	kept := &times{}
	earlier := newRemoving(t, kept, ended)
	earlier.must(earlier.Set(t.Context(), runA, start.Add(-time.Hour)))
	idle(t, earlier.Remover.Engine)
	kept.set[runA] = start.Add(-time.Hour) // it died while firing
	earlier.must(earlier.Set(t.Context(), runB, start.Add(5*time.Minute)))
	kept.set["later#relay#run#"+runA] = start

	r := newRemoving(t, kept, ended)
	r.must(r.Load(t.Context()))
	r.pass(time.Hour)
	r.want(t, "a +0s", "b +5m0s")

	kept.err = errors.New("the database is locked")
	if err := r.Load(t.Context()); err == nil {
		t.Error("times that can't be read are taken for none")
	}
	if err := r.Set(t.Context(), runA, start); err == nil {
		t.Error("a time that can't be kept is taken for set")
	}
}

// TestRemover does not wait for the removal.
func TestRemover(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := newRemoving(t, &times{}, func(context.Context, *Schedule, string) error { <-hold; return errors.New("the store is down") })
	r.must(r.Remover.Remove(t.Context(), runA, start))
	r.must(r.Remover.Remove(t.Context(), runB, start))
	close(hold)
	idle(t, r.Remover.Engine)
	slices.Sort(r.lines)
	r.want(t, "a +0s", "b +0s")
}

// Of any number of removals that are due at the same moment, each is begun once, by its
// schedule alone: at one target as many as have a place are under way, and the next
// begins as soon as one ends. So how late the last one is goes by what the target takes,
// and nothing is left to the sweep. Removals at another target don't wait.
func TestRemover_ThousandsAtOnce(t *testing.T) {
	t.Parallel()
	const many = 10_000
	e, clock := running(t)
	type call struct {
		id  string
		end chan struct{}
	}
	calls := make(chan call)
	remover := &Remover{
		Engine: e,
		Target: func(_ context.Context, id string) string { return id[:1] },
		OnTime: func(_ context.Context, id string) error {
			c := call{id, make(chan struct{})}
			calls <- c
			<-c.end
			return nil
		},
	}
	s := &Schedule{Times: &times{}, Remover: remover}
	for i := range many {
		if err := s.Set(t.Context(), fmt.Sprint("busy ", i), start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Set(t.Context(), "other", start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	seen, others := map[string]bool{}, 0
	var busy []call
	for len(seen) < many+1 {
		c := <-calls
		if seen[c.id] {
			t.Fatalf("%s was begun twice", c.id)
		}
		seen[c.id] = true
		if c.id == "other" {
			others++
			close(c.end)
			continue
		}
		busy = append(busy, c)
		if len(busy) > places {
			t.Fatalf("%d are under way at one target, with %d places", len(busy), places)
		}
		if len(busy) == places || len(seen) >= many { // there is no place: only an end lets the next begin
			close(busy[0].end)
			busy = busy[1:]
		}
	}
	for _, c := range busy {
		close(c.end)
	}
	idle(t, e)
	if others != 1 {
		t.Errorf("the removal at another target was begun %d times", others)
	}
}

// put stores a run as it is after the inputs.
func put(t *testing.T, runs store.Runs, id string, now time.Time, inputs ...flow.Input) flow.Run {
	t.Helper()
	f := &flow.Flow{Org: "acme", Name: "deploy", Version: "1.0.1"}
	r, err := flow.Apply(flow.Run{}, flow.Start{ID: id, Flow: f, Requester: flow.Actor{ID: "u1", Kind: flow.KindPerson}, Source: flow.ChannelAPI}, now)
	for _, in := range inputs {
		if err == nil {
			r, err = flow.Apply(r, in, now)
		}
	}
	if err == nil {
		r, err = runs.Put(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRecover: what a dead process left is taken up at once.
func TestRecover(t *testing.T) {
	t.Parallel()
	e, clock := running(t)
	runs := store.Runs{Store: &storetest.Memory{Now: clock.Now}}
	requester := flow.Actor{ID: "u1", Kind: flow.KindPerson}
	submit := flow.Receive{Action: flow.ActionRequest, Actor: requester, Channel: flow.ChannelAPI, Submission: &flow.Submission{}}
	route := func(id string) flow.Route {
		return flow.Route{SignalID: flow.EventID(id, 1), Deciders: flow.Deciders{Members: true, Required: 1}, Tiers: []flow.Tier{{Channel: "#access", TimeoutSeconds: 600}}}
	}
	id := func(n int) string { return flow.RunIDFrom("acme", fmt.Sprint(n)) }
	put(t, runs, id(0), start)                                                                                                 // an open form
	put(t, runs, id(1), start, submit, flow.Dispatch{})                                                                        // not routed
	put(t, runs, id(2), start, submit, flow.Dispatch{}, route(id(2)))                                                          // about to wait
	put(t, runs, id(3), start, submit, flow.Dispatch{}, route(id(3)), flow.Wait{Attempt: 1, Token: id(3) + "-1"})              // waiting
	put(t, runs, id(4), start, submit, flow.Dispatch{}, route(id(4)), flow.Receive{Action: flow.ActionDeny, Actor: requester}) // decided, not taken
	var j journal
	names := map[string]string{}
	for n := range 5 {
		names[id(n)] = fmt.Sprint(n)
	}
	r := &Runner{
		Engine: e,
		Enter: func(ctx context.Context, id string) (flow.Step, error) {
			r, err := runs.Get(ctx, id)
			return flow.Next(r), err
		},
		Await: func(ctx context.Context, id string, attempt int, token string) (time.Duration, bool, error) {
			j.add("await " + names[id])
			return 10 * time.Minute, true, nil
		},
	}
	note := func(ctx context.Context, id string) (flow.Step, error) {
		run, err := runs.Get(ctx, id)
		j.add(fmt.Sprintf("%s %s", flow.Next(run), names[id]))
		return flow.StepDone, err
	}
	r.Tasks = map[flow.Step]Task{flow.StepRoute: note, flow.StepDecide: note, flow.StepForward: note}
	drive := workflow.Drive{Runs: runs, Runner: r, Now: clock.Now}
	if err := r.Recover(t.Context(), runs, drive, nobody); err != nil {
		t.Fatal(err)
	}
	idle(t, e)
	slices.Sort(j.lines)
	j.want(t, "await 2", "await 3", "decide 4", "route 1")
	if next, ok := e.Next(); !ok || !next.Equal(start.Add(10*time.Minute)) {
		t.Errorf("next timer %s", next)
	}
}

// faultyGet is a store in which one item can be listed but not read.
type faultyGet struct {
	store.Store
	key string
}

func (s faultyGet) Get(ctx context.Context, key string) (store.Item, error) {
	if key == s.key {
		return store.Item{}, errors.New("the disk has a bad block")
	}
	return s.Store.Get(ctx, key)
}

// TestRecover_OneFails: it keeps the process neither from starting nor from
// taking up the others.
func TestRecover_OneFails(t *testing.T) {
	t.Parallel()
	e, clock := running(t)
	memory := &storetest.Memory{Now: clock.Now}
	submit := flow.Receive{Action: flow.ActionRequest, Actor: flow.Actor{ID: "u1"}, Channel: flow.ChannelAPI, Submission: &flow.Submission{}}
	put(t, store.Runs{Store: memory}, runA, start, submit)
	put(t, store.Runs{Store: memory}, runB, start, submit)
	runs := store.Runs{Store: faultyGet{memory, "run#" + runA}}
	var j journal
	r := &Runner{Engine: e, Enter: func(_ context.Context, id string) (flow.Step, error) { j.add(id); return flow.StepDone, nil }}
	if err := r.Recover(t.Context(), runs, workflow.Drive{Runs: runs, Runner: r, Now: clock.Now}, nobody); err != nil {
		t.Fatal(err)
	}
	idle(t, e)
	j.want(t, runB)
}

// TestSweeper comes by every minute, whatever the last time was like.
func TestSweeper(t *testing.T) {
	t.Parallel()
	e, clock := running(t)
	memory := &storetest.Memory{Now: clock.Now}
	var j journal
	sweep := workflow.Sweep{Runs: store.Runs{Store: listed{memory, &j}}, Now: clock.Now, Log: e.Log}
	Sweeper{Engine: e, Sweep: sweep}.Start()
	idle(t, e)
	for range 3 {
		clock.Advance(time.Minute)
		idle(t, e)
	}
	j.want(t, "list", "list", "list", "list")
}

type listed struct {
	store.Store
	j *journal
}

func (s listed) List(context.Context, store.Query) (store.Page, error) {
	s.j.add("list")
	return store.Page{}, errors.New("the store is down")
}

// nobody takes over nothing.
func nobody(context.Context, flow.Run) error { return nil }
