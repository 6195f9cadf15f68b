package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// contest is a product whose requests many decide at the same moment.
type contest struct {
	*product
	testing.TB
}

const contestFlows = `
kind: environment
name: main
---
kind: flow
name: ask
environment_id: main
params:
  prompt_fields: [{name: reason, type: string}]
  approval: {notify: [{channel: "#access-prod"}]}
`

func newContest(tb testing.TB) contest {
	tb.Helper()
	c := contest{newProduct(tb.TempDir(), ""), tb}
	for _, err := range []error{
		os.Mkdir(c.path("flows"), 0o700),
		os.WriteFile(c.path("flows/ask.yaml"), []byte(contestFlows), 0o600),
		c.start(options(nil)),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		if err := c.stop(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// contestants is how many decide one request.
const contestants = 50

// round has half of them press buttons, which comes in as signed requests of
// Slack, and half of them click in process; half approve, half deny.
func (c contest) round() {
	c.Helper()
	ctx := c.Context()
	r, _, err := c.local.Submit.RequestByAPI(ctx, workflow.APIRequest{
		Bot: flow.Actor{ID: flow.UserID("sym", "ci"), Kind: flow.KindBot, Name: "ci"}, Token: store.Token{ID: "test", Owner: "carol@example.com"},
		FlowSRN: "sym:flow:ask:latest", UserEmail: "alice@example.com", Inputs: map[string]any{"reason": "why not"},
	})
	if err != nil {
		c.Fatal(err)
	}
	if err := c.settle(); err != nil {
		c.Fatal(err)
	}
	message := c.message(r.ID)
	errs := make([]error, contestants)
	events := make([]string, contestants)
	var all sync.WaitGroup
	for i := range contestants {
		action := flow.ActionApprove
		if i/2%2 == 1 {
			action = flow.ActionDeny
		}
		all.Go(func() {
			if i%2 == 0 {
				errs[i] = c.press(r.ID, message, action, []string{"bob", "carol", "lead"}[i%3])
				return
			}
			name := fmt.Sprintf("person%d@example.com", i)
			who := store.User{Actor: flow.Actor{ID: flow.UserID("sym", name), Kind: flow.KindPerson, Email: name}, Role: store.RoleMember}
			_, events[i], errs[i] = c.local.Submit.Click(ctx, clickOf(r.ID, action, who))
			if flow.CodeOf(errs[i]) == flow.CodeDecided {
				errs[i] = nil
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			c.Fatalf("contestant %d: %v", i, err)
		}
	}
	if err := c.settle(); err != nil {
		c.Fatal(err)
	}
	if r, err = c.local.Runs.Get(ctx, r.ID); err != nil {
		c.Fatal(err)
	}
	c.check(r, slices.DeleteFunc(events, func(id string) bool { return id == "" }))
}

// message finds the one that asks for a decision on a run.
func (c contest) message(run string) slacksim.Message {
	c.Helper()
	for _, m := range slices.Backward(c.local.Slack.Messages("#access-prod")) {
		if strings.Contains(c.local.Slack.RenderText(m), flow.ShortID(run)) {
			return m
		}
	}
	c.Fatalf("nobody is asked about run %s", run)
	return slacksim.Message{}
}

// press sends what Slack sends for a button, though the message may have been
// edited meanwhile: that is how it is when people are faster than messages.
func (c contest) press(run string, m slacksim.Message, action flow.Action, who string) error {
	type object = map[string]any
	payload, err := json.Marshal(object{
		"type": "block_actions", "user": object{"id": c.local.Slack.As(who).ID()},
		"actions": []object{{"type": "button", "block_id": "decide", "action_id": action, "value": run + " request:0"}},
		"message": object{"blocks": []object{{"type": "actions", "elements": []object{{"value": run + " request:0"}}}, {"type": "context", "elements": []object{{"type": "plain_text", "text": "Request " + flow.ShortID(run)}}}}},
	})
	if err != nil {
		return err
	}
	d := c.local.Slack.Deliver("/slack/interactions", url.Values{"payload": {string(payload)}})
	if d.Err == nil && d.Status != http.StatusOK {
		return fmt.Errorf("status %d: %s", d.Status, d.Answer)
	}
	return d.Err
}

// check looks for the one decision, and for all that came too late.
func (c contest) check(r flow.Run, acknowledged []string) {
	c.Helper()
	won := map[flow.EventName]int{}
	for _, e := range r.Events {
		switch {
		case e.Name != flow.EventApprove && e.Name != flow.EventDeny:
		case e.State == flow.StateCompleted:
			won[e.Name]++
		case len(e.Errors) != 1 || e.Errors[0].Code != flow.CodeDecided:
			c.Fatalf("event %s came too late and says %v", e.ID, e.Errors)
		}
	}
	want := map[flow.Status]flow.EventName{flow.Approved: flow.EventApprove, flow.Denied: flow.EventDeny}[r.Status]
	if won[want] != 1 || len(won) != 1 || len(r.Signals) > 0 {
		c.Fatalf("run %s is %s by %v, and %d signals are left", r.ID, r.Status, won, len(r.Signals))
	}
	for _, id := range acknowledged {
		if _, ok := r.Event(id); !ok {
			c.Fatalf("the click %s was acknowledged, and left no event", id)
		}
	}
}

// TestDecisionsHappenOnce has a hundred rounds: a few with the race detector, if
// this binary has it, and the others without.
func TestDecisionsHappenOnce(t *testing.T) {
	t.Parallel()
	c := newContest(t)
	for range 3 {
		c.round()
	}
	rounds := exec.CommandContext(t.Context(), plainBinary(t), "-test.run", "^$", "-test.bench", "^BenchmarkDecisions$", "-test.benchtime", "97x")
	if out, err := rounds.CombinedOutput(); err != nil || !strings.Contains(string(out), " 97\t") {
		t.Errorf("%v\n%s", err, out)
	}
}

// BenchmarkDecisions measures a round of 50 who decide one request, and checks
// that one of them did.
func BenchmarkDecisions(b *testing.B) {
	c := newContest(b)
	for b.Loop() {
		c.round()
	}
}
