package flow

import (
	"testing"
	"time"
)

// TestGrant_Compare: what is recorded of an entitlement against what its target
// shows.
func TestGrant_Compare(t *testing.T) {
	t.Parallel()
	ended := t0.Add(-time.Hour)
	ours := Grant{State: GrantPresent, Holders: []Holder{{Run: "me"}}, Before: Absent}
	for _, c := range []struct {
		name  string
		grant Grant
		live  bool
		seen  Presence
		want  DriftKind
	}{
		{"granted, and there", ours, true, Present, ""},
		{"granted, and not there", ours, true, Absent, DriftMissing},
		{"there before us, granted, and gone", Grant{State: GrantPresent, Before: Present}, true, Absent, ""},
		{"closed, and there", ours, false, Present, DriftLingering},
		{"closed, and not there", ours, false, Absent, ""},
		{"a grant that never came to an end", Grant{State: GrantCreating, Before: Absent, Lease: leases["dead"]}, false, Present, DriftLingering},
		{"a grant under way", Grant{State: GrantCreating, Before: Absent, Lease: leases["theirs"]}, false, Present, ""},
		{"a removal under way", Grant{State: GrantRemoving, Before: Absent, Lease: leases["theirs"]}, false, Present, ""},
		{"a removal whose process died", Grant{State: GrantRemoving, Before: Absent, Lease: leases["dead"]}, false, Present, DriftLingering},
		{"a removal that its run repeats", Grant{State: GrantRemoving, Before: Absent}, true, Present, ""},
		{"never touched", Grant{State: GrantCreating, Lease: leases["dead"]}, false, Present, DriftUnknown},
		{"an invitation before us, accepted, and closed", Grant{State: GrantPresent, Before: Invited}, false, Present, ""},
		{"there before us, and closed", Grant{State: GrantPresent, Before: Present}, false, Present, ""},
		{"removed, and there again", Grant{Ended: ended}, false, Present, DriftBack},
		{"removed", Grant{Ended: ended}, false, Absent, ""},
		{"left alone, and there", Grant{Left: []Departure{{"me", ended}}}, false, Present, DriftUnknown},
		{"never ours", Grant{}, false, Present, DriftUnknown},
		{"an invitation never ours", Grant{}, false, Invited, DriftUnknown},
	} {
		if got := c.grant.Compare(c.seen, "", c.live, false, t0); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestGrant_Ended: only a removal that ended in an absence that was seen makes
// what comes later somebody else's doing.
func TestGrant_Ended(t *testing.T) {
	t.Parallel()
	removing := Grant{State: GrantRemoving, Lease: leases["mine"], Before: Absent}
	gone, err := removing.Gone("mine", t0)
	if err != nil || !gone.Ended.Equal(t0) {
		t.Errorf("removed: %+v, %v", gone, err)
	}
	again, _, err := gone.Acquire(Holder{Run: "me"}, nil, myLease, t0)
	if err != nil || !again.Echoes(t0) || again.Echoes(t0.Add(trusted)) || again.Compare(Present, "", false, false, t0) == DriftBack {
		t.Errorf("granted again: %+v, %v", again, err)
	}
	if again, err = again.Saw("mine", Absent, ""); err == nil {
		again, err = again.Created("mine", t0)
	}
	if err != nil || !again.Ended.IsZero() || again.Echoes(t0) {
		t.Errorf("granted again: %+v, %v", again, err)
	}
	removing.Before = Present
	if kept, err := removing.Gone("mine", t0); err != nil || !kept.Ended.IsZero() {
		t.Errorf("left alone: %+v, %v", kept, err)
	}
}

// TestGrantAgain: what somebody took away at the target is granted again by those
// who may, to end when it was to end.
func TestGrantAgain(t *testing.T) {
	t.Parallel()
	missing := situations()["missing"]
	end := missing.run.Access.End
	for name, c := range map[string]struct {
		who  Actor
		want Code
	}{"requester": {requester, CodeForbidden}, "outsider": {outsider, CodeForbidden}, "approver": {approver, ""}, "admin": {admin, ""}} {
		if _, err := Apply(missing.run, Retry{Actor: c.who}, missing.now); CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	r := must(missing.run, missing.now, Retry{Actor: approver})
	if Next(r) != StepEscalate {
		t.Fatalf("next is %s", Next(r))
	}
	r = must(r, missing.now, Escalate{})
	e, _ := r.Last(EventEscalate)
	if !r.Access.End.Equal(end) || e.Fields[KeyAgain] != true || e.Fields[KeyExpiresAt] != end.Format(time.RFC3339Nano) {
		t.Errorf("ends %v, was to end %v: %+v", r.Access.End, end, e)
	}
	if events := r.Events; e.ID == events[len(events)-2].ID {
		t.Errorf("the second grant has the id of the first: %v", e.ID)
	}
}

// TestLinger: access that outlives its run is taken away by an event of its own.
func TestLinger(t *testing.T) {
	t.Parallel()
	s := situations()["lingering"]
	if at, due := s.run.EndDue(); !due || at.After(s.now) {
		t.Fatalf("due %v, %t", at, due)
	}
	r := must(s.run, s.now, Claim{Owner: "worker", Until: s.now.Add(time.Minute)}, Deescalate{Owner: "worker"})
	var ends []Event
	for _, e := range r.Events {
		if e.Name == EventDeescalate {
			ends = append(ends, e)
		}
	}
	if len(ends) != 2 || ends[0].ID == ends[1].ID || ends[0].Fields[KeyLingering] != nil || ends[1].Fields[KeyLingering] == nil || r.Status != Deescalated {
		t.Errorf("%s: %+v", r.Status, ends)
	}
}
