package workflow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// told checks what was posted, in order.
func (w *world) told(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.slack.sent, want) {
		w.t.Errorf("posted\n  %s\nwant\n  %s", strings.Join(w.slack.sent, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestNotify_OneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	must(t, w.tell(id))
	posted := []string{"#access: request:0 requested", "Dasker: status requested"}
	w.told(posted...)
	if r := w.run(id); !r.Tiers[0].Delivered {
		t.Error("the delivery is not noted")
	}
	for range 3 { // the same change again posts nothing and edits nothing
		must(t, w.tell(id))
	}
	w.told(posted...)
	if w.slack.edits != 0 {
		t.Errorf("%d edits without a change", w.slack.edits)
	}
	if !w.slack.deadline {
		t.Error("a Slack that hangs would be waited for for ever")
	}

	w.click(id, flow.ActionApprove, first)
	must(t, w.tell(id))
	r := w.run(id)
	escalated, _ := r.Last(flow.EventEscalate)
	posted = append(posted, "Dasker below 2: outcome:"+escalated.ID+" escalated escalate")
	w.told(posted...)
	if w.slack.posts["#access 1"] != "request:0 escalated" || w.slack.posts["Dasker 2"] != "status escalated" {
		t.Errorf("shows %v", w.slack.posts)
	}
	w.pass(grantedFor)
	w.lookTwice(id)
	must(t, w.tell(id))
	if w.slack.posts["#access 1"] != "request:0 deescalated" {
		t.Errorf("shows %v", w.slack.posts)
	}
	if len(w.slack.sent) != 4 || !strings.HasSuffix(w.slack.sent[3], "deescalated deescalate") {
		t.Errorf("posted %v", w.slack.sent)
	}
}

func TestNotify_Others(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.notify.Handle(t.Context(), store.Change{Key: store.KindGrant.Key("x")}))
	must(t, w.notify.Handle(t.Context(), store.Change{Key: store.KindRun.Key(flow.RunIDFrom("acme", "none"))}))
	id := flow.RunIDFrom("acme", "form") // a form that is open is no news
	_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker})
	must(t, err)
	must(t, w.tell(id))
	w.pass(8 * 24 * time.Hour)
	w.want(id, flow.Expired)
	must(t, w.tell(id))
	w.told()
}

// TestNotify_Kinds: who is told what.
func TestNotify_Kinds(t *testing.T) {
	t.Parallel()
	t.Run("Denied", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.click(id, flow.ActionDeny, first)
		must(t, w.tell(id))
		if last := w.slack.sent[len(w.slack.sent)-1]; !strings.HasPrefix(last, "Dasker below 2: outcome:") || !strings.HasSuffix(last, " deny") {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
	t.Run("DeniedBySystem", func(t *testing.T) { // no people were asked
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Approvers = []string{"user:nobody@example.com"}
			f.Environment.Admins = nil
		})
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		if len(w.slack.sent) != 1 || !strings.Contains(w.slack.sent[0], "Dasker: outcome:") {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
	t.Run("CancelledByHimself", func(t *testing.T) { // needs no telling
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.click(id, flow.ActionCancel, asker)
		must(t, w.tell(id))
		if len(w.slack.sent) != 2 {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
	t.Run("Refused", func(t *testing.T) { // where the button is, for the eyes of the person who pressed it
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		var to []workflow.Address
		w.slack.post = func(a workflow.Address, body string) error {
			if strings.HasPrefix(body, "refused") {
				to = append(to, a)
			}
			return nil
		}
		via := &flow.MessageRef{Key: "request:0", Channel: "#access", TS: "1"}
		for _, c := range []workflow.Click{
			{RunID: id, Action: flow.ActionDeny, Actor: first, Channel: flow.ChannelSlack, Via: via},
			{RunID: id, Action: flow.ActionApprove, Actor: second, Channel: flow.ChannelSlack, Via: via},
		} {
			_, _, err := w.submit.Click(t.Context(), c)
			must(t, err)
		}
		w.settle()
		must(t, w.tell(id))
		if len(to) != 1 || to[0].Channel != "#access" || names(to[0].Users) != "second" {
			t.Errorf("told %+v", to)
		}
	})
	t.Run("Trouble", func(t *testing.T) { // the requester and the error channel, once, edited
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.target.fates["revoke"] = slices.Repeat([]fate{unavailable}, 100)
		w.pass(grantedFor)
		must(t, w.tell(id))
		w.pass(time.Hour)
		must(t, w.tell(id))
		troubles := 0
		for _, s := range w.slack.sent {
			if strings.HasPrefix(s, "#errors") {
				troubles++
			}
		}
		if troubles != 1 {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
	t.Run("MoreTrouble", func(t *testing.T) { // one card, with what comes later below it, until it is over
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.target.fates["grant"] = []fate{unavailable, refused}
		w.click(id, flow.ActionApprove, first)
		must(t, w.tell(id))
		w.pass(time.Minute)
		must(t, w.tell(id))
		_, err := w.submit.Retry(t.Context(), id, asker)
		must(t, err)
		w.settle()
		must(t, w.tell(id))
		r := w.want(id, flow.Escalated)
		granted, _ := r.Last(flow.EventEscalate)
		var failed []string
		for _, e := range r.Events {
			if e.Failed() {
				failed = append(failed, e.ID)
			}
		}
		if len(failed) != 2 {
			t.Fatalf("failures %v", failed)
		}
		for to, want := range map[string][]string{
			"#errors": {"#errors: trouble", "#errors below N: error:" + failed[1]},
			"#access": {"#access: request:0", "#access below N: told:0:" + failed[0], "#access below N: told:0:" + failed[1]},
			"Dasker":  {"Dasker: status", "Dasker below N: outcome:" + failed[0], "Dasker below N: outcome:" + failed[1], "Dasker below N: outcome:" + granted.ID},
		} {
			var got []string
			for _, s := range w.slack.sent {
				if s, ok := strings.CutPrefix(s, to); ok {
					head, body, _ := strings.Cut(s, ": ")
					if strings.Contains(head, "below") {
						head = " below N"
					}
					got = append(got, to+head+": "+strings.Fields(body)[0])
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s was told %q, want %q", to, got, want)
			}
		}
	})
	t.Run("SameChannel", func(t *testing.T) { // the card is there already
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Environment.ErrorChannel = "#access" })
		w.target.fates["grant"] = []fate{refused}
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.click(id, flow.ActionApprove, first)
		must(t, w.tell(id))
		var got []string
		for _, s := range w.slack.sent {
			if strings.HasPrefix(s, "#access") {
				got = append(got, strings.Join(strings.Fields(s)[:3], " "))
			}
		}
		if len(got) != 2 || got[0] != "#access: request:0 requested" || got[1] != "#access below 1:" {
			t.Errorf("posted %v", got)
		}
	})
	t.Run("Overtaken", func(t *testing.T) { // what is over when Slack can be told of it needs no telling
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.target.fates["grant"] = []fate{unavailable}
		w.click(id, flow.ActionApprove, first)
		w.pass(time.Minute)
		w.want(id, flow.Escalated)
		must(t, w.tell(id))
		for _, s := range w.slack.sent {
			if strings.Contains(s, "told:") || strings.Contains(s, "error:") {
				t.Errorf("posted %v", s)
			}
		}
	})
	t.Run("OwnApprover", func(t *testing.T) { // who asks in one conversation has one card with buttons
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.AllowSelfApproval = true
			f.Params.Approval.Notify = []flow.Notify{{Users: []string{asker.Email}}}
		})
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.told("Dasker: request:0 requested", "Dasker: status requested, quiet")
	})
	t.Run("AfterApproveFails", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow)
		w.functions.answers["after"] = []answer{{err: flow.Errorf(flow.CodeHandler, "no such table")}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		must(t, w.tell(id))
		if !slices.ContainsFunc(w.slack.sent, func(s string) bool {
			return strings.HasPrefix(s, "#errors: trouble")
		}) {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
	t.Run("NoErrorChannel", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Environment.ErrorChannel = "" })
		w.target.fates["grant"] = []fate{refused}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		must(t, w.tell(id))
		if slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.Contains(s, " error:") }) {
			t.Errorf("posted %v", w.slack.sent)
		}
	})
}

// TestNotify_Faults: a message that fails keeps no other from being shown, and
// is shown later, once.
func TestNotify_Faults(t *testing.T) {
	t.Parallel()
	t.Run("OneFails", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		limited := &flow.RateLimited{After: 7 * time.Second, Cause: errors.New("429")}
		w.slack.post = func(to workflow.Address, _ string) error {
			if to.Channel != "" {
				return limited
			}
			return nil
		}
		id := w.ask(asker, "a")
		err := w.tell(id)
		if got, ok := errors.AsType[*flow.RateLimited](err); !ok || got.After != 7*time.Second {
			t.Errorf("error %v does not say when", err)
		}
		w.told("Dasker: status requested")
		w.slack.post = nil
		must(t, w.tell(id))
		w.told("Dasker: status requested", "#access: request:0 requested")
	})
	t.Run("OneEditFails", func(t *testing.T) { // of two copies
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		must(t, w.notify.Messages.Save(t.Context(), id, store.Message{MessageRef: flow.MessageRef{Key: "request:0", Channel: "C2", TS: "9"}}))
		w.slack.edit = func(channel, _ string) error {
			if channel == "#access" {
				return errors.New("timeout")
			}
			return nil
		}
		w.click(id, flow.ActionDeny, first)
		if err := w.tell(id); err == nil {
			t.Error("the fault is swallowed")
		}
		if w.slack.posts["C2 9"] != "request:0 denied" || w.slack.posts["Dasker 2"] != "status denied" {
			t.Errorf("shows %v", w.slack.posts)
		}
		w.slack.edit = nil
		must(t, w.tell(id))
		if w.slack.posts["#access 1"] != "request:0 denied" {
			t.Errorf("shows %v", w.slack.posts)
		}
	})
	t.Run("EditsOfWhatIsOutOfReach", func(t *testing.T) { // are not tried for ever
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		tries := 0
		w.slack.edit = func(string, string) error {
			tries++
			return flow.Errorf(flow.CodeUndeliverable, "the channel is archived")
		}
		w.click(id, flow.ActionDeny, first)
		must(t, w.tell(id))
		must(t, w.tell(id))
		if tries != 2 {
			t.Errorf("%d tries for two messages", tries)
		}
	})
	t.Run("OutOfReach", func(t *testing.T) { // the requester has closed his messages to bots
		t.Parallel()
		w := newWorld(t)
		tries := 0
		w.slack.post = func(to workflow.Address, _ string) error {
			if to.Channel == "" {
				tries++
				return flow.Errorf(flow.CodeUndeliverable, "no direct messages")
			}
			return nil
		}
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		must(t, w.tell(id))
		w.told("#access: request:0 requested")
		if tries != 1 {
			t.Errorf("%d tries", tries)
		}
		w.want(id, flow.Requested)
	})
	t.Run("CrashBeforeDeliveryIsNoted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.process.left = 1 // the message is saved, the delivery is not
		if err := w.tell(id); err == nil {
			t.Fatal("nothing crashed")
		}
		w.restart()
		must(t, w.tell(id))
		if !w.run(id).Tiers[0].Delivered {
			t.Error("the delivery is forgotten")
		}
		w.told("#access: request:0 requested", "Dasker: status requested")
	})
}

// TestNotify_Adopts a copy that it never heard of, when somebody clicks it.
func TestNotify_Adopts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	must(t, w.tell(id))
	_, _, err := w.submit.Click(t.Context(), workflow.Click{
		RunID: id, Action: flow.ActionDeny, Actor: first, Channel: flow.ChannelSlack,
		Via: &flow.MessageRef{Key: "request:0", Channel: "#access", TS: "77"},
	})
	must(t, err)
	w.settle()
	must(t, w.tell(id))
	if w.slack.posts["#access 77"] != "request:0 denied, quiet" || w.slack.posts["#access 1"] != "request:0 denied" {
		t.Errorf("shows %v", w.slack.posts)
	}
}

// TestNotify_Forwarded: the tier that is over says so, the next one is asked.
func TestNotify_Forwarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	id := w.ask(asker, "a")
	must(t, w.tell(id))
	w.pass(30 * time.Minute)
	must(t, w.tell(id))
	if w.slack.posts["#access 1"] != "request:0 requested, moved on" {
		t.Errorf("shows %v", w.slack.posts)
	}
	w.told("#access: request:0 requested", "Dasker: status requested", "Dfirst: request:1 requested")

	// One that was never asked while it was its turn is not asked afterwards.
	w = newWorld(t, tiers)
	id = w.ask(asker, "a")
	w.pass(30 * time.Minute) // by a message that was never noted
	must(t, w.tell(id))
	w.told("Dfirst: request:1 requested", "Dasker: status requested")
}

// TestNotify_MovesOnMeanwhile: the change that comes while a message is posted
// is seen with the next change.
func TestNotify_MovesOnMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.slack.post = func(to workflow.Address, _ string) error {
		w.slack.post = nil
		return w.press(id, flow.ActionDeny, first)
	}
	must(t, w.tell(id))
	w.settle()
	must(t, w.tell(id))
	if w.slack.posts["#access 1"] != "request:0 denied" {
		t.Errorf("shows %v", w.slack.posts)
	}
	w.want(id, flow.Denied)
}

// TestNotify_Settle: what is about to be overtaken is not sent, unless that takes longer;
// where changes were gathered before, nobody waits.
func TestNotify_Settle(t *testing.T) {
	t.Parallel()
	for _, gathered := range []bool{false, true} {
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		must(t, w.press(id, flow.ActionApprove, first)) // and the execution is busy
		if gathered {
			w.notify.Settle = 0
		}
		err := w.tell(id)
		limited, waits := errors.AsType[*flow.RateLimited](err)
		if waits == gathered || !waits && err != nil {
			t.Fatalf("gathered %t: %v", gathered, err)
		}
		if waits && limited.After != workflow.Settle {
			t.Errorf("waits for %s", limited.After)
		}
		w.clock.Advance(workflow.Settle)
		must(t, w.tell(id))
	}
}
