package workflow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// roll answers by the directory of the world, and for no other id.
type roll struct{ *directory }

func (r roll) Deactivated(ctx context.Context, id string) (bool, error) {
	u, err := r.User(ctx, id)
	return u.SlackID == id && u.Role == store.RoleDeactivated, err
}

// told keeps what is told.
type told struct{ sent []string }

func (t *told) Tell(_ context.Context, about, text, channel string) error {
	if line := channel + ": " + text; !slices.Contains(t.sent, line) {
		t.sent = append(t.sent, line)
	}
	return nil
}

// holders gives some people access, each by a run.
func holders(t *testing.T, w *world, n int) (people []store.User, runs []string) {
	t.Helper()
	for i := range n {
		u := member(fmt.Sprintf("holder%d", i))
		w.directory.users[u.SlackID] = u
		id := w.ask(u, u.Name)
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
		people, runs = append(people, u), append(runs, id)
	}
	return people, runs
}

func (w *world) standing(atOnce int) (workflow.Standing, *told) {
	heard := &told{}
	return workflow.Standing{
		Runs: w.runs, Flows: w.flows, Rounds: store.Rounds{Store: w.memory}, Roll: roll{w.directory}, Notices: heard,
		Now: w.clock.Now, Log: w.sweep.Log, AtOnce: atOnce,
	}, heard
}

// rounds looks so often that a round is over, whatever it was at.
func rounds(t *testing.T, s workflow.Standing, w *world) (all workflow.Looked) {
	t.Helper()
	for range 20 {
		l, err := s.Look(t.Context())
		must(t, err)
		w.settle()
		all.Asked, all.Ended, all.Rechecked, all.Held = all.Asked+l.Asked, all.Ended+l.Ended, all.Rechecked+l.Rechecked, l.Held
	}
	return all
}

func forever(f *flow.Flow) { f.Params.ScheduleDeescalation = false }

// TestStanding_Ends: the access of somebody who was deactivated ends, with why,
// and nobody else's.
func TestStanding_Ends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever, defines("on_deescalate"))
	people, runs := holders(t, w, 4)
	second := w.ask(people[0], "again")
	w.click(second, flow.ActionApprove, first)
	s, heard := w.standing(2)
	if l := rounds(t, s, w); l.Ended != 0 || l.Held != 0 {
		t.Fatalf("nobody is gone: %+v", l)
	}
	w.as(people[0], store.RoleDeactivated)
	w.as(people[1], store.RoleGuest)
	delete(w.directory.users, people[2].SlackID) // no verdict
	w.directory.fail[people[3].SlackID] = errLookup
	for range 10 {
		w.handlers.says["on_deescalate"] = append(w.handlers.says["on_deescalate"], ignores("stay")) // which nobody asks it about
	}
	l := rounds(t, s, w)
	if l.Ended != 2 {
		t.Errorf("%+v", l)
	}
	for _, id := range []string{runs[0], second} {
		r := w.want(id, flow.Deescalated)
		e, _ := r.Last(flow.EventDeescalate)
		if e.Actor.Kind != flow.KindSystem || e.Fields[flow.KeyDeescalateType] != flow.Manual || e.Fields[flow.KeyDecisionMessage] != "holder0 was deactivated in Slack" {
			t.Errorf("recorded %+v", e)
		}
	}
	for _, id := range runs[1:] {
		w.want(id, flow.Escalated)
	}
	if len(heard.sent) > 0 {
		t.Errorf("told %v", heard.sent)
	}
}

// TestStanding_Pace: a look asks about so many people, and the next one goes on.
func TestStanding_Pace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	people, runs := holders(t, w, 7)
	w.as(people[0], store.RoleDeactivated) // whom the listing has last
	s, _ := w.standing(3)
	for i, want := range []int{3, 3, 2, 0} { // seven, and one of them again
		l, err := s.Look(t.Context())
		must(t, err)
		if i < 3 && l.Asked != want {
			t.Errorf("look %d asked about %d, want %d", i, l.Asked, want)
		}
		w.settle()
	}
	w.want(runs[0], flow.Deescalated)
	w.directory.fail[""] = errLookup
	asked := w.directory.asked
	l, err := s.Look(t.Context())
	must(t, err)
	if w.directory.asked != asked+1 || l.Asked != 1 {
		t.Errorf("asked %d times though nobody answers", w.directory.asked-asked)
	}
}

// TestStanding_TooMany: too many at once end nothing until somebody confirms.
func TestStanding_TooMany(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		holders, gone int
		held          bool
	}{
		{10, 10, false}, {11, 11, true}, {20, 1, false}, {20, 2, true}, {19, 2, false},
	} {
		t.Run(fmt.Sprintf("%dOf%d", tc.gone, tc.holders), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, forever)
			people, runs := holders(t, w, tc.holders)
			for _, u := range people[:tc.gone] {
				w.as(u, store.RoleDeactivated)
			}
			s, heard := w.standing(50)
			l := rounds(t, s, w)
			if !tc.held {
				if l.Ended != tc.gone || l.Held != 0 || len(heard.sent) > 0 {
					t.Errorf("%+v, told %v", l, heard.sent)
				}
				return
			}
			if l.Ended != 0 || l.Held != tc.gone {
				t.Errorf("%+v", l)
			}
			if len(heard.sent) != 1 || !strings.HasPrefix(heard.sent[0], ": ") || !strings.Contains(heard.sent[0], people[0].SlackID) {
				t.Errorf("told %v", heard.sent)
			}
			n, err := s.Rounds.Confirm(t.Context(), flow.Author{By: flow.Operator, At: w.clock.Now()})
			must(t, err)
			w.as(people[0], store.RoleMember) // back meanwhile
			if l := rounds(t, s, w); n != tc.gone || l.Ended != tc.gone-1 || l.Held != 0 {
				t.Errorf("confirmed %d: %+v", n, l)
			}
			w.want(runs[0], flow.Escalated)
			if n, err := s.Rounds.Confirm(t.Context(), flow.Author{By: flow.Operator, At: w.clock.Now()}); n != 0 || err != nil {
				t.Errorf("confirmed %d more, %v", n, err)
			}
		})
	}
	t.Run("TheDirectoryWasWrong", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, forever)
		people, runs := holders(t, w, 12)
		for _, u := range people {
			w.as(u, store.RoleDeactivated)
		}
		s, _ := w.standing(50)
		if l := rounds(t, s, w); l.Held != 12 {
			t.Fatalf("%+v", l)
		}
		for _, u := range people {
			w.as(u, store.RoleMember)
		}
		if l := rounds(t, s, w); l.Ended != 0 || l.Held != 0 {
			t.Errorf("%+v", l)
		}
		for _, id := range runs {
			w.want(id, flow.Escalated)
		}
	})
}

// TestStanding_Requests: open requests of a flow that is gone, and of one whose
// approvers are gone, close by themselves; others go on.
func TestStanding_Requests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:first@example.com"} })
	s, _ := w.standing(50)
	id, other := w.ask(asker, "a"), w.ask(second, "b")
	if l := rounds(t, s, w); l.Rechecked != 0 {
		t.Fatalf("nothing has changed: %+v", l)
	}
	next := *w.flow
	next.Label = "Production"
	publish := func(flows ...*flow.Flow) {
		t.Helper()
		_, err := w.flows.Publish(t.Context(), flow.Author{}, flows)
		must(t, err)
	}
	publish(&next)
	if l := rounds(t, s, w); l.Rechecked != 2 {
		t.Errorf("a new version: %+v", l)
	}
	w.want(id, flow.Requested)
	w.wantHistory(id, "prompt request")
	w.click(other, flow.ActionCancel, second)
	w.want(other, flow.Cancelled)
	gone := next
	gone.Environment.Admins, gone.Params.Approval.Approvers = nil, []string{"user:nobody@example.com"}
	other = w.ask(second, "c")
	publish(&gone)
	rounds(t, s, w)
	w.wantClosed(id, flow.CodeNoApprover)
	w.wantClosed(other, flow.CodeNoApprover)
	publish(&next)
	id = w.ask(asker, "d")
	publish()
	rounds(t, s, w)
	w.wantClosed(id, flow.CodeWithdrawn)
	w.wantHistory(id, "prompt request deny")
}

// TestStanding_Deciders: a request whose approvers have all left Slack closes by
// itself, however many look-ups that takes, and no other does.
func TestStanding_Deciders(t *testing.T) {
	t.Parallel()
	named := func(f *flow.Flow) {
		f.Environment.Admins = nil
		f.Params.Approval.Approvers = []string{"user:first@example.com", "user:second@example.com", "user:third@example.com"}
	}
	t.Run("AllGone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, named)
		id, theirs := w.ask(asker, "a"), w.ask(third, "b")
		s, _ := w.standing(2) // one a look
		if l := rounds(t, s, w); l.Rechecked != 0 || l.Asked != 1 {
			t.Errorf("looked %+v", l)
		}
		w.as(first, store.RoleDeactivated)
		w.as(second, store.RoleDeactivated)
		if l := rounds(t, s, w); l.Asked != 0 {
			t.Errorf("asked again at once: %+v", l)
		}
		w.clock.Advance(time.Hour)
		if l := rounds(t, s, w); l.Rechecked != 1 || l.Asked != 3 {
			t.Errorf("looked %+v", l)
		}
		w.wantClosed(theirs, flow.CodeNoApprover) // who is one of the three
		w.wantHistory(theirs, "prompt request deny")
		w.want(id, flow.Requested)
		w.as(third, store.RoleDeactivated)
		w.clock.Advance(time.Hour)
		rounds(t, s, w)
		w.wantClosed(id, flow.CodeNoApprover)
	})
	t.Run("TooFew", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, named, func(f *flow.Flow) { f.Params.Approval.Required = 2 })
		id := w.ask(asker, "a")
		s, _ := w.standing(50)
		w.as(first, store.RoleDeactivated)
		rounds(t, s, w)
		w.want(id, flow.Requested)
		w.as(third, store.RoleDeactivated)
		w.clock.Advance(time.Hour)
		rounds(t, s, w)
		w.wantClosed(id, flow.CodeNoApprover)
	})
	t.Run("OthersByNow", func(t *testing.T) { // who joined the group later, and can't decide what was asked before
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Environment.Admins, f.Params.Approval.Approvers = nil, []string{"group:seniors"} })
		w.directory.groups["seniors"] = []string{first.SlackID}
		id := w.ask(asker, "a")
		w.as(first, store.RoleDeactivated)
		w.directory.groups["seniors"] = []string{second.SlackID}
		s, _ := w.standing(50)
		if l := rounds(t, s, w); l.Rechecked != 1 {
			t.Errorf("looked %+v", l)
		}
		w.wantClosed(id, flow.CodeNoApprover)
	})
	t.Run("BackAgain", func(t *testing.T) { // by the time of the review
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Environment.Admins, f.Params.Approval.Approvers = nil, []string{"user:first@example.com"}
		})
		id := w.ask(asker, "a")
		w.as(first, store.RoleDeactivated)
		s, _ := w.standing(50)
		l, err := s.Look(t.Context())
		must(t, err)
		if l.Rechecked != 1 {
			t.Errorf("looked %+v", l)
		}
		w.as(first, store.RoleMember)
		w.settle()
		w.want(id, flow.Requested)
		w.wantHistory(id, "prompt request")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
	})
	t.Run("NoVerdict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, named)
		id := w.ask(asker, "a")
		w.directory.fail[""] = errLookup
		s, _ := w.standing(50)
		if l := rounds(t, s, w); l.Rechecked != 0 {
			t.Errorf("looked %+v", l)
		}
		w.want(id, flow.Requested)
	})
	t.Run("Members", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.ask(asker, "a")
		s, _ := w.standing(50)
		if l := rounds(t, s, w); l.Rechecked != 0 || l.Asked != 0 {
			t.Errorf("looked %+v", l)
		}
	})
}
