package workflow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// byGroup lets a group approve.
func byGroup(f *flow.Flow) { f.Params.Approval.Approvers = []string{"group:platform"} }

// tellAll lets Slack hear of all that changed, as the feed does.
func (w *world) tellAll() {
	w.t.Helper()
	w.settle()
	for i := 0; i < len(w.feed); i++ {
		must(w.t, w.notify.Handle(w.t.Context(), w.feed[i]))
		w.settle()
	}
}

// sentTo lists what was sent to a place and has a text in it.
func (w *world) sentTo(place, text string) (out []string) {
	for _, s := range w.slack.sent {
		if strings.HasPrefix(s, place+": ") && strings.Contains(s, text) {
			out = append(out, s)
		}
	}
	return out
}

// TestRetryByAPI: while Slack shows no button, a program has a request tried
// again, with a token that might have asked for it.
func TestRetryByAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token func(*store.Token)
		world func(*world)
		want  flow.Code
	}{
		"Well":         {},
		"ForPerson":    {token: func(t *store.Token) { t.People = []string{"ASKER@example.com"} }},
		"ForAnother":   {token: func(t *store.Token) { t.People = []string{"first@example.com"} }, want: flow.CodeForbidden},
		"ForFlow":      {token: func(t *store.Token) { t.Flows = []string{"Prod-Access"} }},
		"ForOthers":    {token: func(t *store.Token) { t.Flows = []string{"other"} }, want: flow.CodeForbidden},
		"OwnerGone":    {world: func(w *world) { w.leave(third) }, want: flow.CodeForbidden},
		"OwnerUnknown": {world: func(w *world) { w.directory.fail[""] = errLookup }, want: flow.CodeLookup},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byGroup)
			w.directory.groups["platform"] = []string{first.SlackID}
			w.directory.fail["platform"] = flow.Errorf(flow.CodeLookupRefused, "the Slack app lacks a scope: add it")
			id := w.ask(asker, "a")
			signal := w.want(id, flow.Prompted).Signals[0].ID
			delete(w.directory.fail, "platform")
			q := api()
			if c.token != nil {
				c.token(&q.Token)
			}
			if c.world != nil {
				c.world(w)
			}
			_, event, err := w.submit.RetryByAPI(t.Context(), id, q.Bot, q.Token)
			w.settle()
			if flow.CodeOf(err) != c.want {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if c.want != "" {
				w.want(id, flow.Prompted)
				return
			}
			w.want(id, flow.Requested)
			if event != signal {
				t.Errorf("event %s, want that of the request, %s", event, signal)
			}
			if _, _, err := w.submit.RetryByAPI(t.Context(), id, q.Bot, q.Token); flow.CodeOf(err) != flow.CodeNothingFailed {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// TestUnsent_Refused: what no waiting mends is told, with what to do, and waits
// for Retry.
func TestUnsent_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byGroup)
	w.directory.groups["platform"] = []string{first.SlackID}
	w.directory.fail["platform"] = flow.Errorf(flow.CodeLookupRefused, "the Slack app lacks a scope: add it")
	id := w.ask(asker, "a")
	w.pass(time.Hour)
	r := w.want(id, flow.Prompted)
	if r.Error == nil || r.Error.SignalID == "" || r.Error.Message != "the Slack app lacks a scope: add it" || w.directory.asked > 5 {
		t.Errorf("asked %d times, error %+v", w.directory.asked, r.Error)
	}
	w.tellAll()
	for _, place := range []string{"Dasker", "#errors"} {
		if len(w.sentTo(place, "add it")) != 1 {
			t.Errorf("%s was not told: %v", place, w.slack.sent)
		}
	}
	delete(w.directory.fail, "platform")
	_, err := w.submit.Retry(t.Context(), id, asker)
	must(t, err)
	w.settle()
	if r := w.want(id, flow.Requested); r.Error != nil {
		t.Errorf("error %+v", r.Error)
	}
}

// TestUnsent_Outage: what passes is tried again by itself, the requester is told
// once it takes long, and after a day it is over.
func TestUnsent_Outage(t *testing.T) {
	t.Parallel()
	out := func() (*world, string) {
		w := newWorld(t, byGroup)
		w.directory.groups["platform"] = []string{first.SlackID}
		w.directory.fail["platform"] = errLookup
		return w, w.ask(asker, "a")
	}
	w, id := out()
	w.pass(3 * time.Hour)
	w.want(id, flow.Prompted)
	if asked := w.directory.asked; asked > 150 {
		t.Errorf("Slack was asked %d times in three hours", asked)
	}
	w.tellAll()
	for _, place := range []string{"Dasker", "#errors"} {
		if len(w.sentTo(place, errLookup.Message)) != 1 {
			t.Errorf("%s was not told: %v", place, w.slack.sent)
		}
	}
	delete(w.directory.fail, "platform")
	w.pass(6 * time.Minute)
	if r := w.want(id, flow.Requested); r.Error != nil {
		t.Errorf("error %+v", r.Error)
	}
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Escalated)

	w, id = out()
	w.pass(flow.DeliveryPatience - time.Minute)
	w.want(id, flow.Prompted)
	w.pass(10 * time.Minute)
	r := w.want(id, flow.Expired)
	if e, _ := r.Last(flow.EventRequestExpire); len(e.Errors) != 1 || e.Errors[0].Code != flow.CodeUnreachable || !strings.Contains(e.Errors[0].Message, "Slack could not be reached") {
		t.Errorf("expired with %+v", e)
	}
	w.tellAll()
	if len(w.sentTo("Dasker", "Slack could not be reached")) != 1 {
		t.Errorf("the requester was not told: %v", w.slack.sent)
	}
}

// TestUnsent_RateLimited: Slack is not asked before it said it may be, and a
// short wait is not told.
func TestUnsent_RateLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byGroup)
	w.sweeping = false
	w.directory.groups["platform"] = []string{first.SlackID}
	w.directory.fail["platform"] = &flow.RateLimited{After: 40 * time.Second, Cause: errLookup}
	id := w.ask(asker, "a")
	asked := w.directory.asked
	w.pass(39 * time.Second)
	w.sweepOnce()
	w.settle()
	if w.directory.asked != asked {
		t.Errorf("Slack was asked %d times while it wanted to be left alone", w.directory.asked-asked)
	}
	delete(w.directory.fail, "platform")
	w.pass(time.Second)
	w.sweepOnce()
	w.settle()
	w.want(id, flow.Requested)
	w.tellAll()
	if told := w.sentTo("Dasker", errLookup.Message); len(told) > 0 {
		t.Errorf("told %v", told)
	}
}

// TestOutage: while Slack takes no message, tiers stand still; the messages
// come when it is over, and the health check knows.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	w.slack.post = func(workflow.Address, string) error {
		return flow.Errorf(flow.CodeUnreachable, "Slack refuses the bot token: set the new one")
	}
	id := w.ask(asker, "a")
	for range 5 {
		if err := w.tell(id); flow.CodeOf(err) != flow.CodeUnreachable {
			t.Fatalf("the change is not to come again: %v", err)
		}
		w.pass(2 * time.Hour)
	}
	r := w.want(id, flow.Requested)
	if r.Tier != 0 || r.Tiers[0].Delivered || r.Error != nil {
		t.Errorf("tier %d, %+v, error %+v", r.Tier, r.Tiers, r.Error)
	}
	if err := w.health.Err(); err == nil || !strings.Contains(err.Error(), "set the new one") || !strings.Contains(err.Error(), "2026-03-02T09:00:00Z") {
		t.Errorf("health: %v", err)
	}
	if n := w.health.Take().Unreachable; n < 5 || w.health.Take().Unreachable != 0 {
		t.Errorf("counted %d", n)
	}
	w.slack.post = nil
	must(t, w.tell(id))
	w.told("#access: request:0 requested", "Dasker: status requested")
	if r = w.run(id); !r.Deadline().Equal(w.clock.Now().Add(30 * time.Minute)) {
		t.Errorf("the tier's time is over at %s", r.Deadline())
	}
	if err := w.health.Err(); err != nil {
		t.Errorf("health: %v", err)
	}
	w.pass(30 * time.Minute)
	if r = w.want(id, flow.Requested); r.Tier != 1 {
		t.Errorf("tier %d", r.Tier)
	}
}

// TestOutage_Ends: what Slack has not taken for a day expires, and says why.
func TestOutage_Ends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	w.slack.post = func(workflow.Address, string) error { return flow.Errorf(flow.CodeUnreachable, "Slack is down") }
	id := w.ask(asker, "a")
	w.pass(flow.DeliveryPatience - time.Minute)
	w.want(id, flow.Requested)
	w.pass(2 * time.Minute)
	r := w.want(id, flow.Expired)
	w.wantHistory(id, "prompt request request_expire")
	if e := r.Events[2]; len(e.Errors) != 1 || e.Errors[0].Code != flow.CodeUnreachable {
		t.Errorf("expired with %+v", e)
	}
	w.slack.post = nil
	w.tellAll()
	for _, place := range []string{"Dasker", "#errors"} {
		if len(w.sentTo(place, "Slack could not be reached")) != 1 {
			t.Errorf("%s was not told: %v", place, w.slack.sent)
		}
	}
}

// TestAbsentNames: what the configuration names and Slack does not have is told
// in the error channel, each once a day.
func TestAbsentNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(f *flow.Flow) {
		f.Environment.Admins = []string{"left@example.com", admin.Email}
		f.Params.Approval.Approvers = []string{"group:renamed", "group:empty", "user:nobody@example.com", "user:" + first.Email}
		f.Params.Approval.Notify = []flow.Notify{{Channel: "#renamed"}, {Users: []string{"former@example.com", first.Email}}, {Channel: "#access"}}
		f.Places = map[string]string{
			"admins[0]": "flows/main.yaml:4", "approval.approvers[0]": "flows/a.yaml:12", "approval.approvers[1]": "flows/a.yaml:13", "approval.approvers[2]": "flows/a.yaml:14",
			"approval.notify[0].channel": "flows/a.yaml:17", "approval.notify[1].users[0]": "flows/a.yaml:18",
		}
	})
	w.directory.groups["empty"] = nil
	w.leave(third)
	w.slack.post = func(to workflow.Address, _ string) error {
		if to.Channel == "#renamed" {
			return flow.Errorf(flow.CodeUndeliverable, "Slack has no channel #renamed that the bot can see")
		}
		return nil
	}
	names := map[string]string{
		"left@example.com": "The environment main names user:left@example.com in its admins (flows/main.yaml:4), and Slack has no such active user",
		"group:renamed":    "The flow prod-access names group:renamed in its approval.approvers (flows/a.yaml:12), and Slack has no such user group",
		"group:empty":      "in its approval.approvers (flows/a.yaml:13),", "user:nobody@example.com": "in its approval.approvers (flows/a.yaml:14),",
		"former@example.com": "in its approval.notify[1].users (flows/a.yaml:18),", "#renamed": "Requests of the flow prod-access can't reach #renamed, which its approval.notify[0] names (flows/a.yaml:17):",
	}
	for day := 1; day <= 2; day++ {
		for range 2 {
			w.ask(asker, "a"+w.clock.Now().String())
			w.clock.Advance(time.Minute)
			w.tellAll()
		}
		for name, where := range names {
			told := slices.DeleteFunc(w.sentTo("#errors", "notice"), func(s string) bool { return !strings.Contains(s, name) })
			if len(told) != day || !strings.Contains(told[0], where) {
				t.Errorf("day %d, %s: told %q", day, name, told)
			}
		}
		if told := w.sentTo("#errors", "notice"); len(told) != day*len(names) {
			t.Errorf("day %d: told %q", day, told)
		}
		w.clock.Advance(24 * time.Hour)
	}
}

// TestAddressIsNamedBy: the error channel is told what names an address that can't be
// reached: the configuration, with its place as it is now, or a handler.
func TestAddressIsNamedBy(t *testing.T) {
	t.Parallel()
	place := func(at string) func(*flow.Flow) {
		return func(f *flow.Flow) {
			f.Params.Approval.Notify = []flow.Notify{{Channel: "#renamed"}, {Users: []string{first.Email}}}
			f.Places = map[string]string{"approval.notify[0].channel": at}
		}
	}
	for name, c := range map[string]struct {
		edit    func(*flow.Flow)
		answer  flow.Answer
		publish []func(*flow.Flow) // meanwhile
		want    string
	}{
		"TheConfiguration": {edit: place("flows/a.yaml:17"), want: "which its approval.notify[0] names (flows/a.yaml:17): "},
		"OnAnotherLine":    {edit: place("flows/a.yaml:17"), publish: []func(*flow.Flow){place("flows/a.yaml:19")}, want: "which its approval.notify[0] names (flows/a.yaml:19): "},
		"AnotherVersion": {edit: place("flows/a.yaml:17"), publish: []func(*flow.Flow){place("flows/a.yaml:19"), func(f *flow.Flow) { f.Label = "another" }},
			want: "which its approval.notify[0] names: "},
		"AHandler": {edit: defines("get_request_notifications"),
			answer: flow.Answer{Notifications: []flow.Notification{{Destinations: []flow.Destination{{Kind: flow.DestinationChannelName, Name: "#renamed"}}}}},
			want:   "which its get_request_notifications (impl.py) names: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.edit)
			if c.answer.Notifications != nil {
				w.handlers.says["get_request_notifications"] = []says{{answer: c.answer}}
			}
			w.slack.post = func(to workflow.Address, _ string) error {
				if to.Channel == "#renamed" {
					return flow.Errorf(flow.CodeUndeliverable, "Slack has no channel #renamed")
				}
				return nil
			}
			w.ask(asker, "a")
			if c.publish != nil {
				current, err := w.flows.Latest(t.Context(), "prod-access")
				must(t, err)
				f := *current
				for _, edit := range c.publish {
					edit(&f)
				}
				_, err = w.flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{&f})
				must(t, err)
			}
			w.tellAll()
			if told := w.sentTo("#errors", "notice"); len(told) != 1 || !strings.Contains(told[0], c.want) {
				t.Errorf("told %q, want %q", told, c.want)
			}
		})
	}
}

// TestErrorChannelIsGone: what even the error channel can't be told is in the
// log and in the health check, until it can be again.
func TestErrorChannelIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byGroup)
	w.directory.fail["platform"] = flow.Errorf(flow.CodeLookupRefused, "no scope")
	gone := func(to workflow.Address, _ string) error {
		if to.Channel == "#errors" {
			return flow.Errorf(flow.CodeUndeliverable, "Slack has no channel #errors")
		}
		return nil
	}
	w.slack.post = gone
	w.ask(asker, "a")
	must(t, store.Notices{Store: w.memory, Now: w.clock.Now}.Tell(t.Context(), "x", "something", "#errors"))
	w.tellAll()
	if err := w.health.Err(); err == nil || !strings.Contains(err.Error(), "the error channel #errors can't be told: Slack has no channel #errors") {
		t.Errorf("health: %v", err)
	}
	if n := w.health.Take().Lost; n != 1 {
		t.Errorf("counted %d", n)
	}
	if !strings.Contains(w.log.String(), "the error channel can't be told") {
		t.Errorf("log %s", w.log)
	}
	w.slack.post = nil
	w.ask(asker, "b")
	w.tellAll()
	if err := w.health.Err(); err != nil {
		t.Errorf("health: %v", err)
	}
}
