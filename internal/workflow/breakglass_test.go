package workflow_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// breaksGlass lets asker have access in an emergency.
func breaksGlass(f *flow.Flow) {
	f.Params.BreakGlass = &flow.BreakGlassParams{
		Who: []string{"user:" + asker.Email}, Reason: flow.ReasonRequired, Duration: flow.Duration(30 * time.Minute), Notify: []flow.Notify{{Channel: "#incidents"}},
	}
}

// inEmergency is what the form of an emergency has besides.
var inEmergency = map[string]any{flow.KeyBreakGlass: []string{flow.KeyBreakGlass}}

// mayBreakGlass returns why somebody may not have access in an emergency now.
func (w *world) mayBreakGlass(who store.User) error {
	return w.submit.MayBreakGlass(w.t.Context(), w.flow, who)
}

// TestBreakGlass: access in an emergency is granted at once, for no longer than the
// flow says, and everybody is told; there is one at a time, until it was reviewed.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, breaksGlass)
	w.lasts, w.extra = "1h", inEmergency
	id := w.ask(asker, "a")
	tell := func() { t.Helper(); w.must("tell", func() error { return w.tell(id) }) }
	tell()
	r := w.want(id, flow.Escalated)
	if lasts := r.Access.End.Sub(r.Access.Seen); lasts != 30*time.Minute || r.BreakGlass.Skipped != 1 {
		t.Errorf("it lasts %s, %d approvals skipped", lasts, r.BreakGlass.Skipped)
	}
	w.wantPresent(askerHas)
	for _, to := range []string{"#access: request:0 ", "#incidents: request:0.", "#errors: request:0.", "D" + admin.Name + ": request:0."} {
		if !slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.HasPrefix(s, to) }) {
			t.Errorf("nothing was sent to %q: %q", to, w.slack.sent)
		}
	}
	blocked := func(want string) {
		t.Helper()
		err := w.mayBreakGlass(asker)
		if flow.CodeOf(err) != flow.CodeGlassBroken || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), flow.ShortID(id)) {
			t.Errorf("another emergency: %v, want %q", err, want)
		}
	}
	blocked("has not ended yet")
	if err := w.press(id, flow.ActionReview, first); flow.CodeOf(err) != flow.CodeIllegal {
		t.Errorf("reviewed while it lasts: %v", err)
	}
	w.pass(r.Access.End.Add(time.Minute).Sub(w.clock.Now()))
	w.want(id, flow.Deescalated)
	w.wantPresent()
	blocked("has to press Reviewed")
	for who, code := range map[store.User]flow.Code{asker: flow.CodeSelfApproval, guest: flow.CodeForbidden} {
		if err := w.press(id, flow.ActionReview, who); flow.CodeOf(err) != code {
			t.Errorf("reviewed by %s: %v", who.Name, err)
		}
	}
	api := workflow.Click{RunID: id, Action: flow.ActionReview, Actor: first, Channel: flow.ChannelAPI}
	if _, _, err := w.submit.Click(t.Context(), api); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("reviewed by API: %v", err)
	}
	w.pass(flow.ReviewPatience - 10*time.Minute)
	if tell(); len(w.reminded()) > 0 || w.unreviewed > 0 {
		t.Errorf("before its time: reminded %v, %d counted", w.reminded(), w.unreviewed)
	}
	w.pass(time.Hour)
	tell()
	tell()
	if got, want := w.reminded(), []string{"#access review", "#incidents review", "#errors review", "D" + admin.Name + " review"}; !slices.Equal(got, want) {
		t.Errorf("reminded %v, want %v", got, want)
	}
	if w.emergencies != 1 || w.unreviewed != 1 {
		t.Errorf("%d emergencies, %d unreviewed were counted", w.emergencies, w.unreviewed)
	}
	w.click(id, flow.ActionReview, first)
	tell()
	w.wantHistory(id, "prompt request approve escalate deescalate review")
	r = w.run(id)
	e, _ := r.Last(flow.EventReview)
	for _, to := range []string{"#access below ", "#incidents below ", "#errors below ", "D" + admin.Name + " below ", "D" + asker.Name + " below "} {
		if !slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.HasPrefix(s, to) && strings.Contains(s, e.ID) }) {
			t.Errorf("the review was not told to %q: %q", to, w.slack.sent)
		}
	}
	if err := w.mayBreakGlass(asker); err != nil {
		t.Errorf("reviewed, another emergency: %v", err)
	}
	w.pass(25 * time.Hour)
	if r := w.run(id); !r.Due.IsZero() {
		t.Errorf("there is no rest: due %s", r.Due)
	}
}

// hopeless has every grant fail for good before anything is intended, while what it
// gives is true.
func (w *world) hopeless() *bool {
	wrong := true
	w.bound = func(flow.Strategy, flow.Target) error {
		if wrong {
			return flow.Errorf(flow.CodeStrategy, "the account is no account any more")
		}
		return nil
	}
	w.access.Bound = w.bound
	return &wrong
}

// TestBreakGlass_stuck: an emergency that can't be granted, before anything is intended
// for it, can be called off by the requester and by whoever may decide the request; then
// there may be another one. Nothing is granted any more, whoever is late.
func TestBreakGlass_stuck(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]store.User{"requester": asker, "approver": first, "admin": admin} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, breaksGlass)
			wrong := w.hopeless()
			w.extra = inEmergency
			id := w.ask(asker, "a")
			r := w.want(id, flow.Approved)
			if !r.Stuck() || r.Access != nil {
				t.Fatalf("it is not stuck: %+v", r.Error)
			}
			w.pass(time.Hour)
			if err := w.mayBreakGlass(asker); flow.CodeOf(err) != flow.CodeGlassBroken || !strings.Contains(err.Error(), "call it off") {
				t.Errorf("another emergency: %v", err)
			}
			if err := w.press(id, flow.ActionCancel, guest); flow.CodeOf(err) != flow.CodeForbidden {
				t.Errorf("called off by a guest: %v", err)
			}
			w.click(id, flow.ActionCancel, who)
			w.want(id, flow.Cancelled)
			w.wantHistory(id, "prompt request approve escalate!"+string(flow.CodeStrategy)+" cancel")
			*wrong = false
			if _, err := w.access.Escalate(t.Context(), id); err != nil {
				t.Error(err)
			}
			w.pass(time.Hour)
			if w.target.calls["grant"] > 0 || w.schedule.armed(id) || !w.run(id).Due.IsZero() {
				t.Errorf("%d calls, schedule %t, due %s", w.target.calls["grant"], w.schedule.armed(id), w.run(id).Due)
			}
			w.wantPresent()
			if err := w.mayBreakGlass(asker); err != nil {
				t.Errorf("called off, another emergency: %v", err)
			}
			w.ask(asker, "b")
			w.wantPresent(askerHas)
		})
	}
}

// TestBreakGlass_unknown: an emergency of which can't be found out whether it may be had
// is denied at once: it waits for no repair, and there may be another one.
func TestBreakGlass_unknown(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"a handler raises": func(w *world) { w.handlers.says["on_request"] = []says{raised("on_request")} },
		"Slack refuses": func(w *world) {
			w.directory.fail["platform"] = flow.Errorf(flow.CodeLookupRefused, "the Slack app lacks a scope: add it")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byGroup, breaksGlass, defines("on_request"))
			w.directory.groups["platform"] = []string{first.SlackID}
			spoil(w)
			w.extra = inEmergency
			id := w.ask(asker, "a")
			r := w.want(id, flow.Denied)
			if e, _ := r.Last(flow.EventDeny); !strings.Contains(e.Errors[0].Message, "could not be found out whether you may have access without approval") {
				t.Errorf("denied: %+v", e)
			}
			w.tellAll()
			if len(w.sentTo("#errors", "")) == 0 || len(w.sentTo("Dasker", "")) == 0 {
				t.Errorf("they were not told: %q", w.slack.sent)
			}
			if err := w.mayBreakGlass(asker); err != nil {
				t.Errorf("another emergency: %v", err)
			}
			if w.pass(8 * 24 * time.Hour); w.target.calls["grant"] > 0 || !w.run(id).Due.IsZero() {
				t.Errorf("%d calls, due %s", w.target.calls["grant"], w.run(id).Due)
			}
		})
	}
}

// TestBreakGlass_reviewersLeft: an emergency can be reviewed by who is an admin now, also
// where all have left who could when it was had, the flow is gone, or its code fails.
func TestBreakGlass_reviewersLeft(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		t.Run("flow gone="+strconv.FormatBool(gone), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, breaksGlass, func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:" + first.Email} })
			w.extra = inEmergency
			id := w.ask(asker, "a")
			w.pass(w.want(id, flow.Escalated).Access.End.Add(time.Minute).Sub(w.clock.Now()))
			w.want(id, flow.Deescalated)
			w.leave(first)
			w.leave(admin)
			next := *w.flow
			next.Environment.Admins = []string{third.Email}
			if gone {
				next.Name = "other"
			}
			next.Implementation = flow.NewSource("impl.py", "# get_permissions")
			next.Implementation.Handlers = []string{"get_permissions"}
			w.handlers.says["get_permissions"] = []says{raised("get_permissions")}
			_, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{&next}, Strategies: []flow.Strategy{*next.Strategy}})
			must(t, err)
			for _, who := range []store.User{second, asker, guest} {
				if err := w.press(id, flow.ActionReview, who); err == nil {
					t.Errorf("%s may review it", who.Name)
				}
			}
			w.click(id, flow.ActionReview, third)
			if r := w.run(id); r.BreakGlass.Review == nil || !r.BreakGlass.Review.Actor.Is(third.Actor) {
				t.Errorf("review %+v; %s", r.BreakGlass.Review, history(r))
			}
			if err := w.mayBreakGlass(asker); err != nil && !gone {
				t.Errorf("another emergency: %v", err)
			}
		})
	}
}

// TestBreakGlass_others: who is not named has nothing in an emergency, nor has anybody
// while the directory does not say who they are.
func TestBreakGlass_others(t *testing.T) {
	t.Parallel()
	w := newWorld(t, breaksGlass)
	w.extra = inEmergency
	sent := func(who store.User, cause string) error {
		t.Helper()
		id := flow.RunIDFrom("acme", cause)
		if _, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: who}); err != nil {
			t.Fatal(err)
		}
		_, err := w.submit.Request(t.Context(), id, who.Actor, w.form())
		w.settle()
		if r := w.run(id); len(r.Signals) != 0 || r.BreakGlass != nil {
			t.Errorf("%s left %+v", cause, r)
		}
		return err
	}
	if err := sent(second, "not named"); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("who is not named: %v", err)
	}
	w.directory.fail[asker.Email] = errLookup
	if err := sent(asker, "not known"); flow.CodeOf(err) != flow.CodeLookup {
		t.Errorf("while the directory does not answer: %v", err)
	}
	if w.target.calls["grant"] > 0 {
		t.Errorf("%d calls", w.target.calls["grant"])
	}
}
