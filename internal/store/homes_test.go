package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestLiveListsTheSoonestEndFirst(t *testing.T) {
	t.Parallel()
	ctx, live := t.Context(), store.Live{Store: memory(), Now: now}
	show := func(run string, rev int64, environment string, end time.Time) {
		t.Helper()
		if err := live.Follow(ctx, run, rev, &store.LiveAccess{Run: run, Environment: environment, End: end}); err != nil {
			t.Error(err)
		}
	}
	list := func(environment string) (runs []string) {
		t.Helper()
		for cursor := ""; ; {
			page, next, err := live.Of(ctx, environment, cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page {
				runs = append(runs, a.Run)
			}
			if cursor = next; cursor == "" {
				return runs
			}
		}
	}
	show("late", 1, "main", start.Add(3*time.Hour))
	show("never", 1, "main", time.Time{})
	show("soon", 1, "main", start.Add(time.Hour))
	show("other", 1, "test", start)
	show("mid", 1, "main", start.Add(2*time.Hour))
	if got := list("main"); !slices.Equal(got, []string{"soon", "mid", "late", "never"}) {
		t.Errorf("%q", got)
	}
	show("soon", 3, "main", start.Add(150*time.Minute)) // it was extended
	show("soon", 2, "main", start.Add(time.Hour))       // somebody late with an older state
	if got := list("main"); !slices.Equal(got, []string{"mid", "soon", "late", "never"}) {
		t.Errorf("%q", got)
	}
	for _, run := range []string{"mid", "unknown"} {
		if err := live.Follow(ctx, run, 5, nil); err != nil {
			t.Error(err)
		}
	}
	show("mid", 4, "main", start) // late again: what has ended stays so
	if got := list("main"); !slices.Equal(got, []string{"soon", "late", "never"}) {
		t.Errorf("%q", got)
	}
}

func TestWaitsFollowWhomARunWaitsFor(t *testing.T) {
	t.Parallel()
	ctx, waits := t.Context(), store.Waits{Store: memory(), Now: now}
	who := func(id string) flow.Actor { return flow.Actor{SlackTeam: "T1", SlackID: id} }
	follow := func(run string, rev int64, at time.Time, all bool, people ...flow.Actor) {
		t.Helper()
		if err := waits.Follow(ctx, run, rev, at, people, all); err != nil {
			t.Error(err)
		}
	}
	of := func(id string) []string {
		t.Helper()
		runs, _, err := waits.For(ctx, who(id))
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	follow("r1", 1, start, false, who("U1"), who("U2"), flow.Actor{Email: "no-slack@example.com"})
	follow("r2", 1, start.Add(time.Minute), false, who("U1"))
	if a, b := of("U1"), of("U2"); !slices.Equal(a, []string{"r2", "r1"}) || !slices.Equal(b, []string{"r1"}) {
		t.Errorf("%q, %q", a, b)
	}
	follow("r1", 3, start, false, who("U3")) // others are asked now
	follow("r1", 2, start, false, who("U2")) // late with an older state
	if a, b, c := of("U1"), of("U2"), of("U3"); !slices.Equal(a, []string{"r2"}) || len(b) > 0 || !slices.Equal(c, []string{"r1"}) {
		t.Errorf("%q, %q, %q", a, b, c)
	}
	follow("r1", 4, start, false)
	follow("r1", 5, start, false)
	if c := of("U3"); len(c) > 0 {
		t.Errorf("%q", c)
	}
	// Many are everybody, as where everybody may be the one.
	var many []flow.Actor
	for i := range 30 {
		many = append(many, who(fmt.Sprint("UM", i)))
	}
	follow("r3", 1, start, false, many...)
	follow("r4", 1, start.Add(time.Hour), true)
	if c := of("U9"); !slices.Equal(c, []string{"r4", "r3"}) {
		t.Errorf("%q", c)
	}
}

func TestStatsCountEachRequestOnce(t *testing.T) {
	t.Parallel()
	ctx, stats := t.Context(), store.Stats{Store: memory()}
	count := func(run string, made time.Time, out flow.RequestOutcome, took time.Duration) {
		t.Helper()
		if err := stats.Count(ctx, "Main", run, made, out, took); err != nil {
			t.Error(err)
		}
	}
	ids := []string{"0d6e0000-0000-4000-8000-000000000001", "1d6e0000-0000-4000-8000-000000000001", "fd6e0000-0000-4000-8000-000000000001"}
	for range 2 { // the feed gives changes twice
		for _, id := range ids {
			count(id, start, flow.OutcomeOpen, 0)
		}
		count(ids[0], start, flow.OutcomeApproved, 90*time.Second)
		count(ids[1], start, flow.OutcomeDenied, 30*time.Second)
		count("2d6e0000-0000-4000-8000-000000000001", start.AddDate(0, 0, -1), flow.OutcomeExpired, 0)
	}
	count(ids[2], start, flow.OutcomeOpen, 0)
	days, err := stats.Days(ctx, "main", start.Add(time.Hour), 14)
	if err != nil || len(days) != 14 {
		t.Fatalf("%d days, %v", len(days), err)
	}
	today, before := days[13], days[12]
	if today.Of[flow.OutcomeApproved] != 1 || today.Of[flow.OutcomeDenied] != 1 || today.Of[flow.OutcomeOpen] != 1 || today.Median() != 30*time.Second || len(today.Took) != 2 {
		t.Errorf("%+v", today)
	}
	if before.Of[flow.OutcomeExpired] != 1 || before.Median() != 0 || !today.Date.Equal(start.Truncate(24*time.Hour)) {
		t.Errorf("%+v", before)
	}
	if others, err := stats.Days(ctx, "other", start, 1); err != nil || len(others[0].Of) != 0 {
		t.Errorf("%+v, %v", others, err)
	}
}

func TestHomesWake(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := memory()
	homes := store.Homes{Store: s}
	want := func(id string, at time.Time) {
		t.Helper()
		_, err := homes.Change(ctx, flow.Actor{SlackTeam: "T1", SlackID: id}, func(h *store.Home) error {
			h.Who.SlackTeam, h.Who.SlackID, h.Wanted = "T1", id, at
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	stored(t, store.Runs{Store: s}, prompted(t, flow.NewRunID(), "f", start)) // which is due as well, some day
	want("U1", start)
	want("U2", start.Add(time.Hour))
	// Runs that are due are told from Home tabs.
	due, err := store.Runs{Store: s}.List(ctx, store.Query{By: store.ByDue, Until: start.AddDate(1, 0, 0)})
	if err != nil || len(due.Runs) != 1 || due.Runs[0].ID == "" || len(due.Homes) != 2 {
		t.Errorf("%+v, %v", due, err)
	}
	for _, home := range due.Homes {
		if err := homes.Wake(ctx, home.Who.Actor, start); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]bool{"T1#U1": true, "T1#U2": false} {
		// It is not due again before whoever was woken had time.
		if h, err := homes.Named(ctx, name); err != nil || h.Woken != want || !h.Wanted.After(start) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// A request that is counted again as it was is not written, nor one of another run
// whose entry looks alike overwritten.
func TestStats_CountedAgain(t *testing.T) {
	t.Parallel()
	writes := &storetest.Faulty{Store: memory(), Fault: func(int) storetest.Fault { return storetest.None }}
	stats := store.Stats{Store: writes}
	for _, step := range []struct {
		run  string
		out  flow.RequestOutcome
		took time.Duration
		want int // writes so far
	}{
		{"a1", flow.OutcomeOpen, 0, 1},
		{"a1", flow.OutcomeOpen, 0, 1},
		{"a1", flow.OutcomeApproved, time.Minute, 2},
		{"a1", flow.OutcomeApproved, time.Minute, 2},
		{"a1", flow.OutcomeApproved, 6 * time.Second, 3}, // 6 begins 60
		{"a12", flow.OutcomeApproved, 6 * time.Second, 4},
		{"a", flow.OutcomeApproved, 6 * time.Second, 5},
		{"a1", flow.OutcomeApproved, 6 * time.Second, 5},
	} {
		if err := stats.Count(t.Context(), "main", step.run, start, step.out, step.took); err != nil {
			t.Fatal(err)
		}
		if n := writes.Writes(); n != step.want {
			t.Errorf("%s %s after %v: %d writes, want %d", step.run, step.out, step.took, n, step.want)
		}
	}
	days, err := stats.Days(t.Context(), "main", start, 1)
	if err != nil || days[0].Of[flow.OutcomeApproved] != 3 || len(days[0].Took) != 3 {
		t.Errorf("%+v, %v", days, err)
	}
}
