package workflow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// tiers asks the channel for 30 minutes, then two people for an hour.
func tiers(f *flow.Flow) {
	f.Params.Approval.Notify = []flow.Notify{
		{Channel: "#access", Timeout: flow.Duration(30 * time.Minute)},
		{Users: []string{first.Email, second.Email}, Timeout: flow.Duration(time.Hour)},
	}
}

// tell lets Slack hear of the run as it is now.
func (w *world) tell(id string) error {
	return w.notify.Handle(w.t.Context(), store.Change{Key: store.KindRun.Key(id)})
}

func TestForward_Silence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	id := w.ask(asker, "a")
	w.pass(30*time.Minute - time.Second)
	w.wantHistory(id, "prompt request")
	w.pass(time.Second)
	w.wantHistory(id, "prompt request request_forward")
	if r := w.want(id, flow.Requested); r.Tier != 1 || !r.Deadline().Equal(w.clock.Now().Add(time.Hour)) {
		t.Errorf("tier %d until %s", r.Tier, r.Deadline())
	}
	w.pass(time.Hour)
	w.want(id, flow.Expired)
	w.wantHistory(id, "prompt request request_forward request_expire")
	if err := w.press(id, flow.ActionApprove, first); flow.CodeOf(err) != flow.CodeDecided {
		t.Errorf("approved after the end: %v", err)
	}
	if len(w.executed) != 1 {
		t.Errorf("executions %v", w.executed)
	}
}

// TestForward_NoTimer: without an execution that waits, the sweep finds the deadline.
func TestForward_NoTimer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	id := w.ask(asker, "a")
	w.process.kill() // and its timers with it
	w.pass(92 * time.Minute)
	w.want(id, flow.Expired)
}

// TestForward_LastMoment: a decision that was written before the time-out counts.
func TestForward_LastMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers)
	id := w.ask(asker, "a")
	w.pass(30*time.Minute - time.Nanosecond)
	w.seen = 1 << 30 // the relay is late
	must(t, w.press(id, flow.ActionApprove, first))
	w.clock.Advance(time.Second)
	w.settle()
	w.seen = len(w.feed) - 1
	w.settle()
	w.want(id, flow.Escalated)
	w.pass(2 * time.Hour)
	if got := history(w.run(id)); strings.Contains(got, "forward") || strings.Contains(got, "expire") {
		t.Errorf("events %s", got)
	}
}

func TestForward_Undeliverable(t *testing.T) {
	t.Parallel()
	gone := flow.Errorf(flow.CodeUndeliverable, "the channel #access does not exist: invite the bot to it")
	t.Run("MovesOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, tiers)
		w.slack.post = func(to workflow.Address, _ string) error {
			if to.Channel == "#access" {
				return gone
			}
			return nil
		}
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.settle()
		w.wantHistory(id, "prompt request request_forward")
		must(t, w.tell(id))
		r := w.want(id, flow.Requested)
		if r.Tier != 1 || !r.Tiers[1].Delivered || r.Error != nil {
			t.Errorf("tier %d, %+v, error %+v", r.Tier, r.Tiers, r.Error)
		}
		if e := r.Events[2]; e.Fields["forward_reason"] != "undeliverable" || e.Fields["forward_message"] != gone.Message {
			t.Errorf("fields %v", e.Fields)
		}
	})
	t.Run("LastTierStaysOpen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.slack.post = func(to workflow.Address, body string) error {
			if strings.HasPrefix(body, "request:") {
				return gone
			}
			return nil
		}
		id := w.ask(asker, "a")
		for range 3 { // it is not tried again by itself
			must(t, w.tell(id))
			w.settle()
		}
		r := w.want(id, flow.Requested)
		if r.Error == nil || r.Error.Code != flow.CodeUndeliverable || r.Error.Message != gone.Message {
			t.Fatalf("error %+v", r.Error)
		}
		w.wantHistory(id, "prompt request request_forward!Slack:UNDELIVERABLE")

		_, err := w.submit.Retry(t.Context(), id, asker) // still broken
		must(t, err)
		must(t, w.tell(id))
		w.settle()
		w.wantHistory(id, "prompt request request_forward!Slack:UNDELIVERABLE")
		if r := w.run(id); r.Error == nil || r.Events[2].Count != 2 {
			t.Errorf("error %+v, event %+v", r.Error, r.Events[2])
		}

		w.slack.post = nil
		_, err = w.submit.Retry(t.Context(), id, asker)
		must(t, err)
		must(t, w.tell(id))
		w.settle()
		if r := w.want(id, flow.Requested); r.Error != nil || !r.Tiers[0].Delivered {
			t.Errorf("error %+v, tiers %+v", r.Error, r.Tiers)
		}
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
	})
	t.Run("NobodyThere", func(t *testing.T) { // all people of a tier are unknown
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Notify = []flow.Notify{{Users: []string{"nobody@example.com"}}, {Channel: "#access"}}
		})
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.settle()
		w.wantHistory(id, "prompt request request_forward")
	})
	t.Run("ExpiresAllTheSame", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.slack.post = func(workflow.Address, string) error { return gone }
		id := w.ask(asker, "a")
		must(t, w.tell(id))
		w.pass(flow.DeliveryPatience - time.Minute)
		w.want(id, flow.Requested)
		w.pass(2 * time.Minute)
		r := w.want(id, flow.Expired)
		if e, _ := r.Last(flow.EventRequestExpire); len(e.Errors) != 1 || e.Errors[0].Message != gone.Message {
			t.Errorf("expired with %+v", e)
		}
	})
}

// TestForward_ApprovalsSurvive a forward.
func TestForward_ApprovalsSurvive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tiers, func(f *flow.Flow) { f.Params.Approval.Required = 2 })
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(31 * time.Minute)
	w.click(id, flow.ActionApprove, second)
	w.want(id, flow.Escalated)
	w.wantHistory(id, "prompt request approve~ request_forward approve escalate")
}
