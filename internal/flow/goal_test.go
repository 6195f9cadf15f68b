package flow

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

var permissions = []string{"read", "write", "admin"}

// TestHolder_JSON: holders are read in the form of before there were values, and are
// written in it where they have none.
func TestHolder_JSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Holder{
		`"run"`:                         {Run: "run"},
		`{"run":"run","value":"admin"}`: {Run: "run", Value: "admin"},
		`{"run":"run","end":"` + t0.Format(time.RFC3339) + `"}`: {Run: "run", End: t0},
	} {
		var got Holder
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v, %v", text, got, err)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != text {
			t.Errorf("%+v: written as %s, %v", want, b, err)
		}
	}
	var old Grant
	if err := json.Unmarshal([]byte(`{"key":"k","state":"present","holders":["me","it"],"before":"absent","lease":{}}`), &old); err != nil {
		t.Fatal(err)
	}
	if left, do, err := old.Release("me", myLease, t0); err != nil || do != DoNone || !left.HeldByOthers("me") {
		t.Errorf("an item of before: %+v, %s, %v", left, do, err)
	}
}

// TestGrant_Goal: what the target is to show.
func TestGrant_Goal(t *testing.T) {
	t.Parallel()
	hour := t0.Add(time.Hour)
	for _, c := range []struct {
		name    string
		before  Presence
		value   string // before
		holders []Holder
		want    Goal
	}{
		{"nobody", Absent, "", nil, Goal{None: true}},
		{"nobody, before it was looked at", "", "", nil, Goal{None: true}},
		{"nobody, and it was there before", Present, "", nil, Goal{}},
		{"nobody, and a value was there before", Present, "write", nil, Goal{Value: "write"}},
		{"one", Absent, "", []Holder{{Run: "me"}}, Goal{}},
		{"the highest", Absent, "", []Holder{{Run: "me", Value: "write"}, {Run: "it", Value: "read"}}, Goal{Value: "write"}},
		{"more than before", Present, "read", []Holder{{Run: "me", Value: "admin"}}, Goal{Value: "admin"}},
		{"less than before", Present, "admin", []Holder{{Run: "me", Value: "read"}}, Goal{Value: "admin"}},
		{"more than an invitation of before", Invited, "read", []Holder{{Run: "me", Value: "write"}}, Goal{Value: "write"}},
		{"until its end, and a margin", Absent, "", []Holder{{Run: "me", End: t0}}, Goal{Until: t0.Add(2 * time.Minute)}},
		{"until the last end", Absent, "", []Holder{{Run: "me", End: hour}, {Run: "it", End: t0}}, Goal{Until: hour.Add(2 * time.Minute)}},
		{"one has no end", Absent, "", []Holder{{Run: "me", End: hour}, {Run: "it"}}, Goal{}},
		{"it was there before, and has none", Present, "", []Holder{{Run: "me", End: hour}}, Goal{}},
	} {
		g := Grant{Before: c.before, BeforeValue: c.value, Order: permissions, Holders: c.holders}
		if got := g.Goal(); !got.Same(c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// given is an entitlement that runs hold, as it was seen last.
func given(before Presence, beforeValue, value string, holders ...Holder) Grant {
	g := Grant{Key: "k", State: GrantPresent, Before: before, BeforeValue: beforeValue, Order: permissions, Value: value, Top: value, Holders: holders}
	g.Until = g.Goal().Until
	return g
}

// TestGrant_Joins: who needs no more than is set shares it; who needs more, or longer,
// has the target asked, under a lease.
func TestGrant_Joins(t *testing.T) {
	t.Parallel()
	hour := t0.Add(time.Hour)
	write := Holder{Run: "it", Value: "write", End: hour}
	for _, c := range []struct {
		name  string
		grant Grant
		me    Holder
		do    Do
		top   string
	}{
		{"less", given(Absent, "", "write", write), Holder{Run: "me", Value: "read", End: t0}, DoNone, "write"},
		{"as much", given(Absent, "", "write", write), Holder{Run: "me", Value: "write", End: hour}, DoNone, "write"},
		{"more", given(Absent, "", "write", write), Holder{Run: "me", Value: "admin", End: hour}, DoCreate, "admin"},
		{"longer", given(Absent, "", "write", write), Holder{Run: "me", Value: "read", End: hour.Add(1)}, DoNone, "write"}, // by less than systems keep
		{"longer by a minute", given(Absent, "", "write", write), Holder{Run: "me", Value: "read", End: hour.Add(time.Minute)}, DoCreate, "write"},
		{"without an end", given(Absent, "", "write", write), Holder{Run: "me", Value: "read"}, DoCreate, "write"},
		{"as much as was there before", given(Present, "admin", "admin", write), Holder{Run: "me", Value: "admin"}, DoNone, "admin"},
		{"the same run, with another end", given(Absent, "", "write", write), Holder{Run: "it", Value: "write", End: t0}, DoCreate, "write"},
	} {
		g, do, err := c.grant.Acquire(c.me, permissions, myLease, t0)
		if err != nil || do != c.do || g.Top != c.top || (do == DoCreate) != (g.State == GrantCreating && g.Lease == myLease) {
			t.Errorf("%s: %+v, %s, %v", c.name, g, do, err)
		}
	}
	taken := given(Absent, "", "write", write)
	taken.State, taken.Lease = GrantRemoving, leases["theirs"]
	if _, _, err := taken.Acquire(Holder{Run: "me", Value: "admin"}, permissions, myLease, t0); CodeOf(err) != CodeBusy {
		t.Errorf("while another changes it: %v", err)
	}
}

// TestGrant_Leaves: who leaves takes away what nobody else needs, in one write; what
// is not certain to be there no more is taken away, too.
func TestGrant_Leaves(t *testing.T) {
	t.Parallel()
	hour := t0.Add(time.Hour)
	me, it := Holder{Run: "me", Value: "admin", End: hour}, Holder{Run: "it", Value: "read", End: hour}
	as := func(g Grant, state GrantState, top string) Grant {
		g.State, g.Top = state, top
		return g
	}
	for _, c := range []struct {
		name  string
		grant Grant
		do    Do
		goal  Goal
	}{
		{"the highest", given(Absent, "", "admin", me, it), DoRemove, Goal{Value: "read", Until: hour.Add(2 * time.Minute)}},
		{"one that others cover", given(Absent, "", "admin", me, Holder{Run: "it", Value: "admin", End: hour}), DoNone, Goal{Value: "admin", Until: hour.Add(2 * time.Minute)}},
		{"the last to end", given(Absent, "", "admin", me, Holder{Run: "it", Value: "admin", End: t0}), DoRemove, Goal{Value: "admin", Until: t0.Add(2 * time.Minute)}},
		{"the only one", given(Absent, "", "admin", me), DoRemove, Goal{None: true}},
		{"the only one, of what was there before", given(Present, "write", "admin", me), DoRemove, Goal{Value: "write"}},
		{"one whose grant may have come further than known", as(given(Absent, "", "read", it), GrantCreating, "admin"), DoRemove, Goal{Value: "read", Until: hour.Add(2 * time.Minute)}},
		{"one that never came to be asked for", as(given("", "", "", it), GrantCreating, ""), DoNone, Goal{Value: "read", Until: hour.Add(2 * time.Minute)}},
		{"again, while it is set to what remains", as(given(Absent, "", "admin", it), GrantRemoving, "admin"), DoRemove, Goal{Value: "read", Until: hour.Add(2 * time.Minute)}},
		{"after another has set it to what remains", given(Absent, "", "read", it), DoNone, Goal{Value: "read", Until: hour.Add(2 * time.Minute)}},
	} {
		g, do, err := c.grant.Release("me", myLease, t0)
		if err != nil || do != c.do || !g.Goal().Same(c.goal) || (do == DoRemove) != (g.State == GrantRemoving && g.Lease == myLease) {
			t.Errorf("%s: %+v, %s, %v; goal %+v", c.name, g, do, err, g.Goal())
		}
		if do != DoRemove {
			continue
		}
		gone, err := g.Gone(myLease.Owner, t0)
		if want := len(g.Holders) > 0; err != nil || (gone.State == GrantPresent) != want || want && (gone.Value != c.goal.Value || gone.Top != c.goal.Value) {
			t.Errorf("%s: ends as %+v, %v", c.name, gone, err)
		}
	}
	busy := given(Absent, "", "admin", me, it)
	busy.State, busy.Lease = GrantRemoving, leases["theirs"]
	if _, _, err := busy.Release("me", myLease, t0); CodeOf(err) != CodeBusy {
		t.Errorf("while another changes it: %v", err)
	}
}

// TestGrant_SawValue: the value of before is the one that was there when nothing of
// ours could be.
func TestGrant_SawValue(t *testing.T) {
	t.Parallel()
	raised := given(Present, "read", "admin", Holder{Run: "me", Value: "admin"})
	fresh := Grant{Order: permissions, Holders: raised.Holders}
	for _, c := range []struct {
		name         string
		grant        Grant
		seen         Presence
		value        string
		before, want string
	}{
		{"at first", fresh, Present, "read", "present", "read"},
		{"ours", raised, Present, "admin", "present", "read"},
		{"taken by others altogether", raised, Absent, "", "absent", ""},
	} {
		c.grant.State, c.grant.Lease = GrantCreating, leases["mine"]
		g, err := c.grant.Saw("mine", c.seen, c.value)
		if err != nil || string(g.Before) != c.before || g.BeforeValue != c.want || g.Top != "admin" {
			t.Errorf("%s: %+v, %v", c.name, g, err)
		}
	}
}

// TestGrant_WorkFor: work for what was to be is over when something else is to be.
func TestGrant_WorkFor(t *testing.T) {
	t.Parallel()
	create := Work{Operation: &Operation{ID: "op-1", Kind: OperationGrant, Started: t0}, Accepted: t0}
	for _, c := range []struct {
		name   string
		me     Holder
		former bool
	}{
		{"more is needed", Holder{Run: "me", Value: "admin"}, true},
		{"no more is needed", Holder{Run: "me", Value: "read"}, false},
	} {
		g := given(Absent, "", "", Holder{Run: "it", Value: "write"})
		g.State, g.Work = GrantCreating, create
		g, _, err := g.Acquire(c.me, permissions, myLease, t0)
		if err != nil || g.Work.Former != c.former || g.Work.Operation == nil || g.Work.Accepted.IsZero() != c.former {
			t.Errorf("%s: %+v, %v", c.name, g.Work, err)
		}
	}
}

// TestGrant_OrphanValues: a killed process's removal that leaves something may arrive
// as a grant would, so that others wait for its end.
func TestGrant_OrphanValues(t *testing.T) {
	t.Parallel()
	g := given(Absent, "", "admin", Holder{Run: "it", Value: "read"})
	g.State, g.Lease = GrantRemoving, leases["theirs"]
	if got := g.Orphan(t0); got.Lease != g.Lease {
		t.Errorf("its lease has become %+v", got.Lease)
	}
}

// TestGrant_CompareValues: a value that the target shows against those that are
// recorded.
func TestGrant_CompareValues(t *testing.T) {
	t.Parallel()
	held := given(Absent, "", "write", Holder{Run: "it", Value: "write"})
	unsettled := held
	unsettled.State, unsettled.Top = GrantRemoving, "admin"
	for _, c := range []struct {
		name          string
		grant         Grant
		live, leaving bool
		seen          string // "": absent
		want          DriftKind
	}{
		{"as it was set", held, true, false, "write", ""},
		{"less than is held", held, true, false, "read", DriftMissing},
		{"gone", held, true, false, "", DriftMissing},
		{"more than anybody asked for", held, true, false, "admin", DriftUnknown},
		{"what has left, being taken away", unsettled, true, true, "admin", ""},
		{"what has left, and nobody takes away", unsettled, true, false, "admin", DriftLingering},
		{"what was there before", given(Present, "read", "read", Holder{Run: "it", Value: "read"}), true, false, "read", ""},
		{"more than was there before", given(Present, "read", "read", Holder{Run: "it", Value: "read"}), true, false, "write", DriftUnknown},
		{"less than it was raised to", given(Present, "read", "admin", Holder{Run: "it", Value: "admin"}), true, false, "read", DriftMissing},
	} {
		seen := Present
		if c.seen == "" {
			seen = Absent
		}
		if got := c.grant.Compare(seen, c.seen, c.live, c.leaving, t0); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
