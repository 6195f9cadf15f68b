package workflow_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// handOver has somebody leave, and gives their address to another account.
func (w *world) handOver(who store.User) (next store.User) {
	w.t.Helper()
	users := store.Users{Store: w.memory}
	who.SeenAt = w.clock.Now()
	who, err := users.Remember(w.t.Context(), who)
	must(w.t, err)
	next = who
	next.SlackID, next.Account.ID, next.Name = "U0NEXT", "U0NEXT", "next"
	next, err = users.Remember(w.t.Context(), next)
	must(w.t, err)
	who.Role = store.RoleDeactivated
	w.directory.users[who.SlackID] = who
	delete(w.directory.users, who.SlackID)
	w.directory.users[next.SlackID] = next
	return next
}

// confirm says that somebody's address is theirs.
func (w *world) confirm(who store.User) store.User {
	w.t.Helper()
	_, err := store.Users{Store: w.memory}.Confirm(w.t.Context(), store.Confirmable{Person: who.ID}, flow.Author{By: flow.Principal{Name: "operator"}})
	must(w.t, err)
	who.Unconfirmed = false
	w.directory.users[who.SlackID] = who
	return who
}

// TestAddressPasses: what the configuration and handlers give to an address is
// not for an account that got it later, until that is confirmed.
func TestAddressPasses(t *testing.T) {
	t.Parallel()
	approvers := func(names ...string) func(*flow.Flow) {
		return func(f *flow.Flow) { f.Params.Approval.Approvers, f.Environment.Admins = names, nil }
	}
	t.Run("Approver", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvers("user:first@example.com", "user:second@example.com"))
		before := w.ask(asker, "a")
		next := w.handOver(first)
		if err := w.press(before, flow.ActionApprove, next); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("of a request that the former was asked about: %v", err)
		}
		during := w.ask(asker, "b")
		if err := w.press(during, flow.ActionApprove, next); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("of a new request: %v", err)
		}
		next = w.confirm(next)
		after := w.ask(asker, "c")
		w.click(after, flow.ActionApprove, next)
		w.want(after, flow.Escalated)
	})
	t.Run("Admin", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:second@example.com"} })
		before := w.ask(asker, "before")
		next := w.handOver(admin)
		if err := w.press(before, flow.ActionApprove, next); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("of a request that the former could decide: %v", err)
		}
		id := w.ask(asker, "a")
		if err := w.press(id, flow.ActionApprove, next); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("got %v", err)
		}
		if w.flow.Environment.Administers(next.Actor) {
			t.Error("handlers would take them for an admin")
		}
	})
	t.Run("Notify", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Notify = []flow.Notify{{Users: []string{"first@example.com", "second@example.com"}}}
		})
		w.handOver(first)
		r := w.run(w.ask(asker, "a"))
		if asked := r.Tiers[0].Users; len(asked) != 1 || asked[0].SlackID != second.SlackID {
			t.Errorf("asked %+v", asked)
		}
	})
	t.Run("Handler", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defines("get_permissions"))
		next := w.handOver(first)
		w.handlers.says["get_permissions"] = []says{{answer: flow.Answer{Permissions: &flow.Permissions{
			ApproveDeny: flow.Permission{Users: []string{first.ID}},
		}}}}
		id := w.ask(asker, "a")
		if err := w.press(id, flow.ActionApprove, next); flow.CodeOf(err) != flow.CodeForbidden && flow.CodeOf(err) != flow.CodeDecided {
			t.Errorf("got %v", err)
		}
	})
	t.Run("API", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.handOver(first)
		_, _, err := w.submit.RequestByAPI(t.Context(), workflow.APIRequest{Bot: flow.Actor{ID: "b", Kind: flow.KindBot, Name: "ci"}, FlowSRN: "acme:flow:" + w.flow.Name + ":latest", UserEmail: first.Email})
		refused, ok := errors.AsType[*flow.Error](err)
		if !ok || len(refused.Fields) != 1 || refused.Fields[0].Field != "user_email" || !strings.Contains(refused.Fields[0].Message, "another Slack account") {
			t.Errorf("a request for whoever had the address: %v", err)
		}
	})
	t.Run("CountedApproval", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Params.Approval.Required = 2 })
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		was := w.directory.users[first.SlackID]
		w.handOver(first)
		w.directory.users[first.SlackID] = was // with another address now
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Requested)
		w.click(id, flow.ActionApprove, third)
		w.want(id, flow.Escalated)
	})
	t.Run("Requester", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.access.Users.SetIdentity(t.Context(), asker.Actor, saved("u-1")))
		was := w.directory.users[asker.SlackID]
		next := w.handOver(asker)
		w.directory.users[asker.SlackID] = was // with another address now
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Approved)
		if r.Error == nil || r.Error.Code != flow.CodeIdentity || len(w.target.has) != 0 {
			t.Errorf("%+v, %v", r.Error, w.target.has)
		}
		if err := r.MayEnd(next.Actor); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("who has the address now may end it: %v", err)
		}
		w.confirm(next)
		own := w.ask(next, "b")
		w.click(own, flow.ActionApprove, first)
		w.want(own, flow.Escalated)
		w.wantPresent("db/" + asker.Email) // and not u-1
	})
}

// TestAccess_IdentityShown: those who decide see whose account it will be, and
// no other is granted.
func TestAccess_IdentityShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.access.Users.SetIdentity(t.Context(), asker.Actor, saved("u-4711")))
	shown, changed := w.ask(asker, "a"), w.ask(asker, "b")
	r := w.run(shown)
	if requested, _ := r.Last(flow.EventRequest); r.Identity != "u-4711" || requested.Fields[flow.KeyTargetIdentity] != "u-4711" {
		t.Errorf("shown %q, recorded %v", r.Identity, requested.Fields)
	}
	w.click(shown, flow.ActionApprove, first)
	r = w.want(shown, flow.Escalated)
	if granted, _ := r.Last(flow.EventEscalate); granted.Fields[flow.KeyTargetIdentity] != "u-4711" {
		t.Errorf("recorded %v", granted.Fields)
	}
	must(t, w.access.Users.SetIdentity(t.Context(), asker.Actor, saved("attacker-admin")))
	w.click(changed, flow.ActionApprove, first)
	if r := w.want(changed, flow.Approved); r.Error == nil || r.Error.Code != flow.CodeIdentity {
		t.Errorf("error %+v", r.Error)
	}
	w.wantPresent("db/u-4711")
	own := w.ask(first, "c")
	w.click(own, flow.ActionApprove, second)
	if r := w.want(own, flow.Escalated); r.Identity != "" {
		t.Errorf("nothing is stored of them, and %q is shown", r.Identity)
	} else if granted, _ := r.Last(flow.EventEscalate); granted.Fields[flow.KeyTargetIdentity] != nil {
		t.Errorf("their e-mail address is recorded as more: %v", granted.Fields)
	}
}

// phonebook is a strategy with a directory of its own.
type phonebook struct {
	strategy.Strategy
	has map[string]string // by e-mail address
}

func (p phonebook) Identity(_ context.Context, who flow.Actor) (string, error) {
	if id := p.has[who.Email]; id != "" {
		return id, nil
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s is nobody in the phone book.", who.Display())
}

// withPhonebook has the target know people by ids.
func withPhonebook(w *world, has map[string]string) {
	w.access.Open = func(s flow.Strategy) (strategy.Strategy, error) {
		opened, err := w.target.open(s)
		return phonebook{opened, has}, err
	}
}

// TestAccess_IdentityFound: whom the target's directory gave is shown to those who
// decide next, asked for again before each grant, and no other is granted.
func TestAccess_IdentityFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	has := map[string]string{asker.Email: "id-1", first.Email: first.Email}
	withPhonebook(w, has)
	escalated := func(who store.User, name, shown, granted string) {
		t.Helper()
		id := w.ask(who, name)
		if r := w.run(id); r.Identity != shown {
			t.Errorf("%s: shown %q, want %q", name, r.Identity, shown)
		}
		w.click(id, flow.ActionApprove, second)
		if r := w.want(id, flow.Escalated); r.Access.Identity != granted {
			t.Errorf("%s: granted to %q, want %q", name, r.Access.Identity, granted)
		}
	}
	escalated(asker, "never asked before", "", "id-1")
	escalated(asker, "known since", "id-1", "id-1")
	escalated(first, "known by the address", "", first.Email)
	escalated(first, "known by the address since", "", first.Email)

	changed := w.ask(asker, "changed meanwhile")
	has[asker.Email] = "id-2"
	w.click(changed, flow.ActionApprove, second)
	if r := w.want(changed, flow.Approved); r.Error == nil || r.Error.Code != flow.CodeIdentity {
		t.Errorf("another account than was shown: %+v", r.Error)
	}
	w.wantPresent("db/"+first.Email, "db/id-1")
	escalated(asker, "as it is now", "id-2", "id-2")
	w.clock.Advance(store.FoundFor)
	w.settle()
	escalated(asker, "a day later", "", "id-2")

	delete(has, asker.Email)
	gone := w.ask(asker, "gone")
	w.click(gone, flow.ActionApprove, second)
	r := w.want(gone, flow.Approved)
	const want = "asker is nobody in the phone book. An administrator can say who they are there, with the command `identity set asker@example.com -service fake -user-id …`"
	if r.Error == nil || r.Error.Code != flow.CodeIdentity || r.Error.Message != want {
		t.Errorf("error %+v, want %s", r.Error, want)
	}
	if shown := w.run(w.ask(asker, "after that")).Identity; shown != "" {
		t.Errorf("shown %q, who is not there any more", shown)
	}
}

// inLine is a directory that has a line, which sends people away for so many times.
type inLine struct {
	strategy.Strategy
	times *int
}

func (l inLine) Identity(_ context.Context, who flow.Actor) (string, error) {
	if *l.times > 0 {
		*l.times--
		return "", &flow.RateLimited{
			After: 30 * time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "it is asked no faster"), Line: flow.Line{Number: *l.times + 1, Wait: 90 * time.Second},
		}
	}
	return who.Email, nil
}

// TestAccess_IdentityInLine: to wait for the directory's turn is no failed attempt,
// before anything of the target is known, and people read the place.
func TestAccess_IdentityInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	times := 7 // more than a grant is tried
	w.access.Open = func(s flow.Strategy) (strategy.Strategy, error) {
		opened, err := w.target.open(s)
		return inLine{opened, &times}, err
	}
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	r := w.want(id, flow.Approved)
	look := r.WaitsForTarget(flow.EventEscalate)
	if look == nil || !strings.HasPrefix(look.Text, "Number 7 in line") || r.Error != nil || r.Access != nil || r.Execution.Active || look.LookAt.Sub(w.clock.Now()) != 30*time.Second {
		t.Fatalf("waits for %+v, error %+v, execution %+v", look, r.Error, r.Execution)
	}
	w.pass(4 * time.Minute)
	if r = w.want(id, flow.Escalated); r.Turn != nil || times != 0 {
		t.Errorf("granted, and waits for %+v; sent away %d times more", r.Turn, times)
	}
	w.wantHistory(id, "prompt request approve escalate")
}

// TestAccess_IdentityFoundByHandler: a handler goes before the directory, so what
// that gave for others is not shown, nor kept for a name that a handler gave.
func TestAccess_IdentityFoundByHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines(flow.HandlerIdentityLookup))
	withPhonebook(w, map[string]string{asker.Email: "id-1", "other@example.com": "id-2"})
	w.handlers.says[flow.HandlerIdentityLookup] = []says{{text: "other@example.com"}}
	must(t, w.access.Users.SetFound(t.Context(), asker.Actor, store.FoundIdentity{
		Identity: store.Identity{Service: "fake", UserID: "id-1"}, Strategy: "databases", At: w.clock.Now(),
	}))
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, second)
	if r := w.want(id, flow.Escalated); r.Identity != "" || r.Access.Identity != "id-2" {
		t.Errorf("shown %q, granted to %q", r.Identity, r.Access.Identity)
	}
	if found, err := w.access.Users.Found(t.Context(), asker.Actor, w.clock.Now()); err != nil || len(found) != 1 || found[0].UserID != "id-1" {
		t.Errorf("kept %+v, %v", found, err)
	}
}
