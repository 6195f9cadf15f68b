package app

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// ask makes a request of the flow "ask", for alice.
func (c contest) ask(key string) flow.Run {
	c.Helper()
	r, _, err := c.local.Submit.RequestByAPI(c.Context(), workflow.APIRequest{
		Bot: flow.Actor{ID: flow.UserID("sym", "ci"), Kind: flow.KindBot, Name: "ci"}, Token: store.Token{ID: "test", Owner: "carol@example.com"}, IdempotencyKey: key,
		FlowSRN: "sym:flow:ask:latest", UserEmail: "alice@example.com", Inputs: map[string]any{"reason": "why not"},
	})
	if err != nil {
		c.Fatal(err)
	}
	if err := c.settle(); err != nil {
		c.Fatal(err)
	}
	return c.now(r.ID)
}

func (c contest) now(id string) flow.Run {
	c.Helper()
	r, err := c.local.Runs.Get(context.Background(), id)
	if err != nil {
		c.Fatal(err)
	}
	return r
}

func (c contest) pass(d time.Duration) {
	c.Helper()
	if err := c.at(c.clock.Since(scriptStart) + d); err != nil {
		c.Fatal(err)
	}
}

func (c contest) health() (status int, body string) {
	c.Helper()
	resp, err := http.Get(c.url + "/healthz")
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestSlackOutage: whichever way Slack fails for hours, in the midst of runs,
// and whether or not we are restarted meanwhile, no message is lost, none comes
// twice, no tier's time runs, and /healthz says so until it is over.
func TestSlackOutage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacksim.Fault{
		"account_inactive": {Error: "account_inactive"}, "token_revoked": {Error: "token_revoked"}, "invalid_auth": {Error: "invalid_auth"},
		"fatal_error": {Error: "fatal_error"}, "an error of tomorrow": {Error: "brand_new_error"}, "503": {Status: http.StatusServiceUnavailable},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %t", name, restarted), func(t *testing.T) {
				t.Parallel()
				c := newContest(t)
				before := c.ask("before")
				if !before.Tiers[0].Delivered {
					t.Fatalf("tiers %+v", before.Tiers)
				}
				deny := func(id string) {
					t.Helper()
					if err := c.press(id, c.message(id), flow.ActionDeny, "bob"); err != nil {
						t.Fatal(err)
					}
					if err := c.settle(); err != nil {
						t.Fatal(err)
					}
				}
				out := func() {
					for _, method := range []string{"chat.postMessage", "chat.update", "conversations.open"} {
						c.local.Slack.Inject(method, math.MaxInt, fault)
					}
				}
				out()
				during := c.ask("during")
				c.pass(3 * time.Hour)
				if status, body := c.health(); status != http.StatusServiceUnavailable || !strings.Contains(body, "Slack has taken no message since") {
					t.Errorf("health: %d %s", status, body)
				}
				if restarted {
					if err := c.stop(); err != nil {
						t.Fatal(err)
					}
					if err := c.start(options(nil)); err != nil {
						t.Fatal(err)
					}
					out()
				}
				c.pass(3 * time.Hour)
				if r := c.now(during.ID); r.Status != flow.Requested || r.Tiers[0].Delivered && !restarted {
					t.Errorf("%s, tiers %+v", r.Status, r.Tiers)
				}
				deny(before.ID) // buttons that are there work, even if nothing can be shown
				c.local.Slack.Heal()
				c.pass(5 * time.Minute)
				r := c.now(during.ID)
				if !r.Tiers[0].Delivered || r.Deadline().Before(c.clock.Now().Add(flow.DefaultRequestTimeout-6*time.Hour)) {
					t.Errorf("tiers %+v", r.Tiers)
				}
				deny(during.ID)
				for _, id := range []string{before.ID, during.ID} {
					if r := c.now(id); r.Status != flow.Denied {
						t.Errorf("run is %s", r.Status)
					}
					shown := 0
					for _, m := range c.local.Slack.Messages("#access-prod") {
						if text := c.local.Slack.RenderText(m); strings.Contains(text, flow.ShortID(id)) {
							shown++
							if !strings.Contains(text, "Denied") {
								t.Errorf("shows %s", text)
							}
						}
					}
					if shown != 1 {
						t.Errorf("%d messages ask for a decision", shown)
					}
				}
				if status, body := c.health(); status != http.StatusOK {
					t.Errorf("health: %d %s", status, body)
				}
			})
		}
	}
}
