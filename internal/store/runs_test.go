package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// prompted makes a run of alice's, as it is before it is stored.
func prompted(t *testing.T, id, name string, at time.Time) flow.Run {
	t.Helper()
	r, err := flow.Apply(flow.Run{}, flow.Start{
		ID: id, Flow: &flow.Flow{Org: "sym", Name: name, Version: "1.0.1"}, Requester: alice(), Source: flow.ChannelSlack, Prompted: true,
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored puts a run.
func stored(t *testing.T, runs store.Runs, r flow.Run) flow.Run {
	t.Helper()
	r, err := runs.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// submitted is the signal that makes a prompted run requested.
func submitted(flow.Run) (flow.Input, error) {
	return flow.Receive{Action: flow.ActionRequest, Actor: alice(), Channel: flow.ChannelSlack, Submission: &flow.Submission{}}, nil
}

// requested makes a stored run that is open for decisions.
func requested(t *testing.T, runs store.Runs) flow.Run {
	t.Helper()
	r := stored(t, runs, prompted(t, flow.NewRunID(), "f", start))
	for _, decide := range []func(flow.Run) (flow.Input, error){
		submitted,
		func(r flow.Run) (flow.Input, error) {
			return flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#c"}}, Deciders: flow.Deciders{Members: true, Required: 1}}, nil
		},
	} {
		var err error
		if r, err = runs.Change(t.Context(), r.ID, now, decide); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestRuns_PutGet(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: memory()}
	put := stored(t, runs, prompted(t, flow.NewRunID(), "f", start))
	if put.Rev != 1 || put.Size == 0 {
		t.Errorf("put gave revision %d, size %d", put.Rev, put.Size)
	}
	for _, id := range []string{put.ID, strings.ToUpper(put.ID)} {
		got, err := runs.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(put, got); diff != "" {
			t.Errorf("get %s (-want +got):\n%s", id, diff)
		}
	}
	if _, err := runs.Put(t.Context(), prompted(t, put.ID, "other", start)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("second run of the same id: %v, want ErrConflict", err)
	}
}

func TestRuns_Unknown(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: memory()}
	for _, id := range []string{flow.NewRunID(), "", "nonsense", "run#x"} {
		_, err := runs.Get(t.Context(), id)
		wantCode(t, err, flow.CodeUnknownRun)
		_, err = runs.Change(t.Context(), id, now, submitted)
		wantCode(t, err, flow.CodeUnknownRun)
	}
}

func TestRuns_TooLarge(t *testing.T) {
	t.Parallel()
	r := prompted(t, flow.NewRunID(), "f", start)
	r.Context = slices.Concat([]byte(`"`), bytes.Repeat([]byte("x"), store.MaxItemBytes), []byte(`"`))
	_, err := store.Runs{Store: memory()}.Put(t.Context(), r)
	wantCode(t, err, flow.CodeFull)
	if flow.Retryable(err) {
		t.Error("trying again won't make it smaller")
	}
}

func TestRuns_Change(t *testing.T) {
	t.Parallel()
	s := counted()
	runs := store.Runs{Store: s}
	r := stored(t, runs, prompted(t, flow.NewRunID(), "f", start))
	later := start.Add(time.Minute)

	changed, err := runs.Change(t.Context(), r.ID, func() time.Time { return later }, submitted)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Rev != 2 || len(changed.Signals) != 1 || !changed.Touched.Equal(later) {
		t.Errorf("changed to revision %d, %d signals, at %v", changed.Rev, len(changed.Signals), changed.Touched)
	}
	got, err := runs.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Errorf("what was stored (-returned +stored):\n%s", diff)
	}

	// A change that changes nothing returns nil, and writes nothing.
	writes := s.Writes()
	for name, decide := range map[string]func(flow.Run) (flow.Input, error){
		"Apply":  submitted,
		"decide": func(flow.Run) (flow.Input, error) { return nil, fmt.Errorf("as it was: %w", flow.ErrUnchanged) },
	} {
		same, err := runs.Change(t.Context(), r.ID, now, decide)
		if err != nil || same.Rev != 2 {
			t.Errorf("unchanged by %s: revision %d, %v", name, same.Rev, err)
		}
	}

	// Errors leave the run as it was, and tell how that is.
	reason := errors.New("a reason")
	as, err := runs.Change(t.Context(), r.ID, now, func(flow.Run) (flow.Input, error) { return nil, reason })
	if !errors.Is(err, reason) || as.Rev != 2 {
		t.Errorf("decide's error: revision %d, %v", as.Rev, err)
	}
	as, err = runs.Change(t.Context(), r.ID, now, func(flow.Run) (flow.Input, error) {
		return flow.Receive{Action: flow.ActionApprove, Actor: alice()}, nil
	})
	if err == nil || as.Rev != 2 {
		t.Errorf("an approval of what is not requested: revision %d, %v", as.Rev, err)
	}
	if s.Writes() != writes {
		t.Errorf("%d writes for nothing", s.Writes()-writes)
	}
}

// Many people decide at once: one decision wins, the others are told.
func TestRuns_Change_Contention(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: memory()}
	r := requested(t, runs)
	const people = 30
	var all sync.WaitGroup
	for n := range people {
		all.Go(func() {
			who := flow.Actor{ID: fmt.Sprint("person", n), Kind: flow.KindPerson}
			_, err := runs.Change(t.Context(), r.ID, now, func(flow.Run) (flow.Input, error) {
				return flow.Receive{Action: flow.ActionDeny, Actor: who, Channel: flow.ChannelSlack}, nil
			})
			if err != nil {
				t.Errorf("person %d: %v", n, err)
			}
		})
	}
	all.Wait()
	got, err := runs.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rev != r.Rev+people || len(got.Signals) != people {
		t.Errorf("revision %d with %d signals, want %d more of each", got.Rev, len(got.Signals), people)
	}
	ids := map[string]bool{}
	for _, s := range got.Signals {
		ids[s.ID] = true
	}
	if len(ids) != people {
		t.Errorf("%d ids for %d signals", len(ids), people)
	}
}

// decide sees each state that it decides on, anew after a lost race.
func TestRuns_Change_DecidesAnew(t *testing.T) {
	t.Parallel()
	m := memory()
	r := stored(t, store.Runs{Store: m}, prompted(t, flow.NewRunID(), "f", start))
	s := &raced{Store: m}
	s.left.Store(3)
	s.race = func() {
		item, err := m.Get(t.Context(), "run#"+r.ID)
		if err != nil {
			t.Error(err)
		}
		item.Writer = store.NewWriter()
		if _, err := m.Put(t.Context(), item); err != nil {
			t.Error(err)
		}
	}
	var saw []int64
	changed, err := store.Runs{Store: s}.Change(t.Context(), r.ID, now, func(r flow.Run) (flow.Input, error) {
		saw = append(saw, r.Rev)
		return submitted(r)
	})
	if err != nil || changed.Rev != 5 {
		t.Errorf("revision %d, %v; want 5", changed.Rev, err)
	}
	if want := []int64{1, 2, 3, 4}; !slices.Equal(saw, want) {
		t.Errorf("decided on revisions %v, want %v", saw, want)
	}
}

func TestRuns_Change_Faults(t *testing.T) {
	t.Parallel()
	m := memory()
	r := stored(t, store.Runs{Store: m}, prompted(t, flow.NewRunID(), "f", start))
	if _, err := (store.Runs{Store: contended{m}}).Change(t.Context(), r.ID, now, submitted); !errors.Is(err, store.ErrConflict) {
		t.Errorf("races lost without end: %v, want ErrConflict", err)
	}
	_, err := store.Runs{Store: broken()}.Put(t.Context(), r)
	wantFault(t, err)
}

func TestRuns_List(t *testing.T) {
	t.Parallel()
	m := memory()
	runs := store.Runs{Store: m}
	var ids []string
	for n := range 5 {
		ids = append(ids, stored(t, runs, prompted(t, flow.NewRunID(), "Flow", start.Add(time.Duration(n)*time.Hour))).ID)
	}
	if _, err := m.Put(t.Context(), store.Item{Key: "token#x", Writer: "w", Body: []byte("no run")}); err != nil {
		t.Fatal(err)
	}
	list := func(q store.Query) (got []string) {
		t.Helper()
		q.Limit = 2
		for {
			page, err := runs.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Runs {
				if r.Rev != 1 || r.Size == 0 {
					t.Errorf("run %s listed with revision %d, size %d", r.ID, r.Rev, r.Size)
				}
				got = append(got, r.ID)
			}
			if q.Cursor = page.Cursor; q.Cursor == "" {
				return got
			}
		}
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	byID := slices.Sorted(slices.Values(ids))
	for _, test := range []struct {
		q    store.Query
		want []string
	}{
		{store.Query{By: store.ByRequester, Value: alice().ID}, newest},
		{store.Query{By: store.ByFlow, Value: "Flow"}, newest},
		{store.Query{By: store.ByFlow, Value: "flow"}, newest},
		{store.Query{By: store.ByStatus, Value: string(flow.Prompted)}, newest},
		{store.Query{By: store.ByStatus, Value: string(flow.Requested)}, nil},
		{store.Query{By: store.ByKind}, byID},
		{store.Query{By: store.ByDue, Until: start.Add(flow.PromptTimeout + time.Hour)}, ids[:2]},
	} {
		if got := list(test.q); !slices.Equal(got, test.want) {
			t.Errorf("list by %s %q: %v, want %v", test.q.By, test.q.Value, got, test.want)
		}
	}
	_, err := runs.List(t.Context(), store.Query{By: store.ByStatus, Value: "s", Cursor: "garbage"})
	wantCode(t, err, flow.CodeInvalid)
}

// TestRuns_Beginning: runs are found by the beginning of their ids, in either case,
// and by nothing else of them.
func TestRuns_Beginning(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: memory()}
	for _, id := range []string{"aaaa0000-0000-4000-8000-000000000000", "aaaa1111-0000-4000-8000-000000000000", "bbbb0000-0000-4000-8000-aaaa00000000"} {
		stored(t, runs, prompted(t, id, "f", start))
	}
	for prefix, want := range map[string]int{"aaaa": 2, "AAAA1": 1, "bbbb0000-0000-4000-8000-aaaa00000000": 1, "cccc": 0, "": 3} {
		page, err := runs.Beginning(t.Context(), prefix, 0)
		if err != nil || len(page.Runs) != want || page.Cursor != "" {
			t.Errorf("%q: %d runs, %v", prefix, len(page.Runs), err)
		}
	}
	if page, err := runs.Beginning(t.Context(), "aaaa", 1); err != nil || len(page.Runs) != 1 || page.Cursor == "" {
		t.Errorf("the first of two: %d runs, cursor %q, %v", len(page.Runs), page.Cursor, err)
	}
}
