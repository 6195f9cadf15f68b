package workflow_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func names(people []flow.Actor) string {
	var out []string
	for _, p := range people {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestRoute_Deciders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvers []string
		edit      func(*flow.Flow)
		world     func(*world)
		members   bool
		people    string
		admins    string
	}{
		"Default":    {members: true, admins: "admin"},
		"User":       {approvers: []string{"user:first@example.com"}, people: "first", admins: "admin"},
		"Group":      {approvers: []string{"group:platform"}, people: "second third", admins: "admin"},
		"Both, once": {approvers: []string{"user:second@example.com", "group:platform"}, people: "second third", admins: "admin"},
		// Of several groups each counts, whichever of them is empty.
		"TwoGroups":   {approvers: []string{"group:empty", "group:platform", "group:oncall"}, people: "second third first", admins: "admin"},
		"UnknownUser": {approvers: []string{"user:nobody@example.com", "user:first@example.com"}, people: "first", admins: "admin"},
		"UnknownGroup": {
			approvers: []string{"group:nobody", "user:first@example.com"}, people: "first", admins: "admin",
		},
		"Guest":        {approvers: []string{"user:guest@example.com", "user:first@example.com"}, people: "first", admins: "admin"},
		"GuestAllowed": {approvers: []string{"user:guest@example.com"}, edit: func(f *flow.Flow) { f.Params.AllowGuestInteraction = true }, people: "guest", admins: "admin"},
		"Deactivated": {
			approvers: []string{"group:platform"}, people: "third", admins: "admin",
			world: func(w *world) { w.leave(second) },
		},
		"AdminIsGuest": {
			approvers: []string{"user:first@example.com"}, people: "first",
			edit: func(f *flow.Flow) {
				f.Environment.Admins = []string{guest.Email}
				f.Params.AllowGuestInteraction = true
			},
		},
		"AdminUnknown": {
			approvers: []string{"user:first@example.com"}, people: "first",
			edit: func(f *flow.Flow) { f.Environment.Admins = []string{"nobody@example.com"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(f *flow.Flow) {
				f.Params.Approval.Approvers = c.approvers
				if c.edit != nil {
					c.edit(f)
				}
			})
			w.directory.groups["platform"] = []string{second.SlackID, third.SlackID}
			w.directory.groups["oncall"] = []string{third.SlackID, first.SlackID}
			w.directory.groups["empty"] = nil
			if c.world != nil {
				c.world(w)
			}
			r := w.want(w.ask(asker, "a"), flow.Requested)
			d := r.Deciders
			if d.Members != c.members || names(d.People) != c.people || names(d.Admins) != c.admins || d.Required != 1 {
				t.Errorf("deciders %+v", d)
			}
		})
	}
}

// leave makes somebody leave the workspace.
func (w *world) leave(u store.User) {
	u.Role = store.RoleDeactivated
	w.directory.users[u.SlackID] = u
}

func TestRoute_NobodyCanApprove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvers []string
		admins    []string
		required  int
		self      bool
		by        store.User
		reason    string // "": somebody can
	}{
		"OnlyTheRequester":        {approvers: []string{"user:asker@example.com"}, reason: "self-approval is off"},
		"OnlyTheRequester, as an": {approvers: []string{"user:asker@example.com"}, admins: []string{asker.Email}, reason: "self-approval is off"},
		"SelfApproval":            {approvers: []string{"user:asker@example.com"}, self: true},
		"NobodyIsThere":           {approvers: []string{"user:nobody@example.com"}, reason: "none of the flow's approvers"},
		"EmptyGroup":              {approvers: []string{"group:empty"}, reason: "none of the flow's approvers"},
		"AdminIsThere":            {approvers: []string{"user:nobody@example.com"}, admins: []string{admin.Email}},
		"TooFew":                  {approvers: []string{"user:first@example.com", "user:asker@example.com"}, required: 2, reason: "it needs 2 different people, and only 1 may"},
		"Enough":                  {approvers: []string{"user:first@example.com", "user:second@example.com"}, required: 2},
		"AdminCounts":             {approvers: []string{"user:first@example.com"}, admins: []string{admin.Email}, required: 2},
		"AdminCountsOnce":         {approvers: []string{"user:admin@example.com"}, admins: []string{admin.Email}, required: 2, reason: "only 1 may"},
		"Everybody":               {required: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(f *flow.Flow) {
				f.Environment.Admins = c.admins
				f.Params.Approval.Approvers, f.Params.Approval.Required = c.approvers, max(c.required, 1)
				f.Params.Approval.AllowSelfApproval = c.self
			})
			w.directory.groups["empty"] = nil
			id := w.ask(asker, "a")
			if c.reason == "" {
				w.want(id, flow.Requested)
				return
			}
			r := w.want(id, flow.Denied)
			w.wantHistory(id, "prompt request deny")
			deny, _ := r.Last(flow.EventDeny)
			if deny.Actor != flow.System || !strings.Contains(fmt.Sprint(deny.Fields["decision_message"]), c.reason) {
				t.Errorf("denied by %+v, fields %v, want %q", deny.Actor, deny.Fields, c.reason)
			}
			if w.pass(time.Hour); !w.run(id).Due.IsZero() {
				t.Error("it is not over")
			}
		})
	}
}

func TestRoute_LookupFails(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]string{"Group": "platform", "User": first.Email, "Admin": admin.Email, "Tier": second.Email} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(f *flow.Flow) {
				f.Params.Approval.Approvers = []string{"user:first@example.com", "group:platform"}
				f.Params.Approval.Notify = []flow.Notify{{Users: []string{second.Email}}}
			})
			w.directory.groups["platform"] = []string{third.SlackID}
			w.directory.fail[who] = errLookup
			w.seen = 1 << 30 // the relay does not drive it, only the test does
			id := w.ask(asker, "a")
			before := w.run(id)
			_, err := w.approval.Route(t.Context(), id)
			if _, again := errors.AsType[*workflow.Retry](err); !again {
				t.Errorf("error %v, want one that is tried again", err)
			}
			if r := w.run(id); r.Rev != before.Rev {
				t.Errorf("something was written: %s", history(r))
			}
			w.seen = 0
			w.pass(10 * time.Minute)
			w.want(id, flow.Prompted)
			delete(w.directory.fail, who)
			w.pass(10 * time.Minute)
			w.want(id, flow.Requested)
		})
	}
}

func TestRoute_Tiers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(f *flow.Flow) {
		f.Params.Approval.Notify = []flow.Notify{
			{Channel: "#access", Timeout: flow.Duration(time.Minute)},
			{Users: []string{first.Email, "nobody@example.com", guest.Email, first.Email}},
			{Users: []string{"nobody@example.com"}},
		}
	})
	r := w.want(w.ask(asker, "a"), flow.Requested)
	var got []string
	for _, tier := range r.Tiers {
		got = append(got, fmt.Sprintf("%s/%s/%d", tier.Channel, names(tier.Users), tier.TimeoutSeconds))
	}
	if want := []string{"#access//60", "/first guest/0", "//0"}; !slices.Equal(got, want) {
		t.Errorf("tiers %q, want %q", got, want)
	}
	must(t, w.tell(r.ID))
	r = w.run(r.ID)
	if at := r.Deadline(); !at.Equal(w.clock.Now().Add(time.Minute)) {
		t.Errorf("deadline %s", at)
	}
	if next, err := w.approval.Route(t.Context(), r.ID); next != flow.StepAwait || err != nil {
		t.Errorf("routed twice: %s, %v", next, err)
	}
	w.wantHistory(r.ID, "prompt request")
}
