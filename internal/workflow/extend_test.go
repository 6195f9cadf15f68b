package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// extends lets people ask for more time.
func extends(approval string) func(*flow.Flow) {
	return func(f *flow.Flow) {
		f.Params.Extend = &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(30 * time.Minute)}, Approval: approval}
	}
}

// wish asks for half an hour more.
func (w *world) wish(id string, who store.User) error {
	_, _, err := w.submit.Extend(w.t.Context(), workflow.MoreTime{RunID: id, By: 30 * time.Minute, Actor: who, Channel: flow.ChannelSlack, Key: "view"})
	return err
}

// judge decides what is asked for now.
func (w *world) judge(id string, action flow.Action, who store.User, asked string) error {
	_, _, err := w.submit.Click(w.t.Context(), workflow.Click{RunID: id, Action: action, Actor: who, Channel: flow.ChannelSlack, Seen: asked})
	return err
}

// TestExtend: the end moves when it was decided and not before, at the schedule and
// at a target that ends access by itself.
func TestExtend(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"both", "schedule", "sweep"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, extends(flow.ExtendSame))
			v := w.sell(0, 0)
			v.kind = expiring
			w.schedule.on, w.sweeping = path != "sweep", path != "schedule"
			id := w.approved("a")
			end := w.want(id, flow.Escalated).Access.End
			must(t, w.wish(id, asker))
			must(t, w.wish(id, asker)) // a replay
			w.settle()
			r := w.run(id)
			if r.Extension == nil || !r.Access.End.Equal(end) {
				t.Fatalf("asked: %+v, ends %s", r.Extension, r.Access.End)
			}
			w.wantUntil("asked", end.Add(2*time.Minute))
			must(t, w.judge(id, flow.ActionExtend, first, r.Extension.EventID))
			w.settle()
			if r = w.run(id); !r.Access.End.Equal(end.Add(30*time.Minute)) || r.Access.Untold != nil {
				t.Fatalf("decided: ends %s, untold %+v", r.Access.End, r.Access.Untold)
			}
			if sets := w.schedule.sets; len(sets) == 0 || !sets[len(sets)-1].Equal(r.Access.End) {
				t.Errorf("scheduled at %v, want %s last", sets, r.Access.End)
			}
			w.wantUntil("decided", r.Access.End.Add(2*time.Minute))
			w.pass(end.Add(5 * time.Minute).Sub(w.clock.Now()))
			w.wantPresent(askerHas) // the old end is none
			w.pass(r.Access.End.Add(2*time.Minute + 10*time.Second).Sub(w.clock.Now()))
			w.want(id, flow.Deescalated)
			w.wantPresent()
			w.wantHistory(id, "prompt request approve escalate extend_request extend deescalate")
		})
	}
}

// TestExtend_undecided: silence leaves the old end, and what is decided when access is
// being taken away, or is gone, revives nothing.
func TestExtend_undecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendSame))
	id := w.approved("a")
	w.want(id, flow.Escalated)
	must(t, w.wish(id, asker))
	w.settle()
	asked := w.run(id).Extension.EventID
	must(t, w.press(id, flow.ActionDeescalate, admin))
	if err := w.judge(id, flow.ActionExtend, first, asked); flow.CodeOf(err) != flow.CodeStale {
		t.Errorf("decided while it ends: %v", err)
	}
	w.settle()
	w.pass(time.Minute)
	w.want(id, flow.Deescalated)
	if err := w.judge(id, flow.ActionExtend, first, asked); flow.CodeOf(err) != flow.CodeStale {
		t.Errorf("decided when it had ended: %v", err)
	}
	w.wantHistory(id, "prompt request approve escalate extend_request extend_expire deescalate")

	id = w.approved("b")
	end := w.want(id, flow.Escalated).Access.End
	must(t, w.wish(id, asker))
	w.settle()
	w.pass(end.Add(90 * time.Second).Sub(w.clock.Now()))
	r := w.want(id, flow.Deescalated)
	if !r.Access.End.Equal(end) || r.Extended > 0 {
		t.Errorf("nobody decided, and it ended at %s", r.Access.End)
	}
	w.wantPresent()

	// A decision that came in time, and is taken too late.
	id = w.approved("c")
	end = w.want(id, flow.Escalated).Access.End
	must(t, w.wish(id, asker))
	w.settle()
	w.directory.fail[first.SlackID] = flow.Errorf(flow.CodeLookup, "Slack does not answer")
	w.pass(end.Add(-time.Minute).Sub(w.clock.Now()))
	must(t, w.judge(id, flow.ActionExtend, first, w.run(id).Extension.EventID))
	w.pass(3 * time.Minute)
	if r := w.want(id, flow.Deescalated); r.Extended > 0 {
		t.Errorf("extended when it had ended, to %s", r.Access.End)
	}
	w.wantPresent()
}

// TestExtend_deciders: who may decide is asked when it is decided, whoever asked may
// not, and it takes as many as the request took.
func TestExtend_deciders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendSame), func(f *flow.Flow) { f.Params.Approval.Required = 2 })
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.click(id, flow.ActionApprove, second)
	end := w.want(id, flow.Escalated).Access.End
	if err := w.wish(id, third); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("a stranger asks: %v", err)
	}
	must(t, w.wish(id, first))
	w.settle()
	asked := w.run(id).Extension.EventID
	for who, want := range map[store.User]flow.Code{asker: flow.CodeSelfApproval, first: flow.CodeSelfApproval} {
		if err := w.judge(id, flow.ActionExtend, who, asked); flow.CodeOf(err) != want {
			t.Errorf("%s approves: %v", who.Display(), err)
		}
	}
	must(t, w.judge(id, flow.ActionExtend, second, asked))
	w.settle()
	if r := w.run(id); !r.Access.End.Equal(end) || len(r.Extension.Approvals) != 1 {
		t.Fatalf("one of two has moved the end to %s", r.Access.End)
	}
	if err := w.judge(id, flow.ActionExtend, second, asked); flow.CodeOf(err) != flow.CodeDuplicate {
		t.Errorf("the same once more: %v", err)
	}
	gone := w.directory.users[second.SlackID]
	gone.Role = store.RoleDeactivated
	w.directory.users[second.SlackID] = gone
	must(t, w.judge(id, flow.ActionExtend, admin, asked))
	w.settle()
	if r := w.run(id); !r.Access.End.Equal(end) || len(r.Extension.Approvals) != 1 || !r.Extension.Approvals[0].Actor.Is(admin.Actor) {
		t.Fatalf("an approval of somebody who has left counts: %+v, ends %s", r.Extension, r.Access.End)
	}
	must(t, w.judge(id, flow.ActionExtendDeny, admin, asked))
	w.settle()
	if r := w.run(id); !r.Access.End.Equal(end) || r.Extension != nil {
		t.Errorf("denied, and it ends at %s", r.Access.End)
	}
	w.wantHistory(id, "prompt request approve~ approve escalate extend_request extend~ extend~ extend_deny")
}

// TestExtend_unasked: the end moves at once, where the flow asks nobody; but not for
// somebody who has left.
func TestExtend_unasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendNone))
	id := w.approved("a")
	end := w.want(id, flow.Escalated).Access.End
	must(t, w.wish(id, asker))
	w.settle()
	if r := w.run(id); !r.Access.End.Equal(end.Add(30 * time.Minute)) {
		t.Fatalf("it ends at %s", r.Access.End)
	}
	gone := w.directory.users[asker.SlackID]
	gone.Role = store.RoleDeactivated
	w.directory.users[asker.SlackID] = gone
	_, _, err := w.submit.Extend(t.Context(), workflow.MoreTime{RunID: id, By: 30 * time.Minute, Actor: first, Channel: flow.ChannelSlack})
	must(t, err)
	w.settle()
	if r := w.run(id); r.Extended != 1 {
		t.Errorf("the access of somebody who has left was extended to %s", r.Access.End)
	}
	w.wantHistory(id, "prompt request approve escalate extend_request extend extend_request!Run:REQUESTER_INELIGIBLE")
}

// TestExtend_untold: a target that can't be told is tried again, people are told once,
// and nothing waits for it.
func TestExtend_untold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendNone))
	v := w.sell(0, 0)
	v.kind = expiring
	id := w.approved("a")
	end := w.want(id, flow.Escalated).Access.End
	v.fates["grant"] = []fate{unavailable, unavailable}
	must(t, w.wish(id, asker))
	w.settle()
	r := w.run(id)
	if r.Error == nil || r.Error.Step != flow.EventExtend || !r.Access.End.Equal(end.Add(30*time.Minute)) {
		t.Fatalf("error %+v, ends %s", r.Error, r.Access.End)
	}
	if sets := w.schedule.sets; !sets[len(sets)-1].Equal(r.Access.End) {
		t.Errorf("scheduled at %v", sets)
	}
	w.pass(4 * time.Minute)
	if r = w.run(id); r.Error != nil || r.Access.Untold != nil {
		t.Errorf("afterwards error %+v, untold %+v", r.Error, r.Access.Untold)
	}
	w.wantUntil("told", r.Access.End.Add(2*time.Minute))
	w.wantHistory(id, "prompt request approve escalate extend_request extend extend!Strategy:UNAVAILABLE")

	// One that refuses waits for Retry, and ends access when it was told.
	v.fates["grant"] = []fate{refused}
	_, _, err := w.submit.Extend(t.Context(), workflow.MoreTime{RunID: id, By: 30 * time.Minute, Actor: first, Channel: flow.ChannelSlack})
	must(t, err)
	w.settle()
	w.pass(5 * time.Minute)
	if r = w.run(id); r.Error == nil || !r.Access.Untold.Stuck {
		t.Fatalf("refused: error %+v, untold %+v", r.Error, r.Access.Untold)
	}
	_, err = w.submit.Retry(t.Context(), id, first)
	must(t, err)
	w.settle()
	w.pass(time.Minute)
	if r = w.run(id); r.Error != nil || r.Access.Untold != nil {
		t.Errorf("after Retry error %+v, untold %+v", r.Error, r.Access.Untold)
	}
	w.wantUntil("after Retry", r.Access.End.Add(2*time.Minute))
}

// TestExtend_missing: what somebody took away at the target does not come back by an
// extension.
func TestExtend_missing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendNone))
	v := w.sell(0, 0)
	v.kind = expiring
	id := w.approved("a")
	w.want(id, flow.Escalated)
	v.mu.Lock()
	v.state[askerHas] = kept{presence: flow.Absent}
	v.mu.Unlock()
	must(t, w.wish(id, asker))
	w.settle()
	w.pass(2 * time.Minute)
	if got := v.present(); len(got) > 0 {
		t.Errorf("the target shows %v", got)
	}
	if r := w.run(id); r.Error == nil || r.Error.Code != flow.CodeMissing {
		t.Errorf("error %+v", r.Error)
	}
}

// TestExtend_hooks: hooks may grant, refuse and ignore more time, and hear of it.
func TestExtend_hooks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hook string
		says says
		want string
		end  time.Duration
	}{
		"granted": {"on_extend_request", returned(flow.EventExtend, nil), "extend_request~ extend", 30 * time.Minute},
		"denied":  {"on_extend_request", returned(flow.EventExtendDeny, nil), "extend_request~ extend_deny", 0},
		"ignored": {"on_extend_request", ignores("not today"), "extend_request~", 0},
		"raised":  {"on_extend_request", raised("on_extend_request"), "extend_request!" + string(raised("").failed.Code), 0},
		"vetoed":  {"on_extend", returned(flow.EventExtendDeny, nil), "extend_request extend~ extend_deny", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, extends(flow.ExtendSame), defines(c.hook, "after_extend", "after_extend_deny"))
			id := w.approved("a")
			end := w.want(id, flow.Escalated).Access.End
			w.handlers.says[c.hook] = []says{c.says}
			must(t, w.wish(id, asker))
			w.settle()
			if x := w.run(id).Extension; x != nil {
				must(t, w.judge(id, flow.ActionExtend, first, x.EventID))
				w.settle()
			}
			r := w.run(id)
			if !r.Access.End.Equal(end.Add(c.end)) {
				t.Errorf("it ends at %s", r.Access.End)
			}
			w.wantHistory(id, "prompt request approve escalate "+c.want)
			decided := strings.HasSuffix(c.want, "extend") || strings.HasSuffix(c.want, "deny")
			if heard := strings.Contains(fmt.Sprint(w.handlers.asked), "after_extend"); heard != decided {
				t.Errorf("after_extend was called %t: %v", heard, w.handlers.asked)
			}
		})
	}
}
