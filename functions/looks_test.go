package functions_test

import (
	"path"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// TestLooks: a system that shows late what it has done is looked at again, for the
// grant and for the removal, by messages that their queues hold back for as long as
// the functions ask.
func TestLooks(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	vendor := oneloginfake.New(t)
	a.mu.Lock()
	a.secrets["/sym/main/onelogin"] = oneloginfake.ClientSecret
	a.mu.Unlock()
	roles := `
kind: secrets
name: aws
type: aws_secrets_manager
---
kind: secret
name: onelogin
source_id: aws
path: /sym/main/onelogin
---
kind: integration
name: onelogin
type: onelogin
external_id: acme.onelogin.com
settings: {client_id: ` + oneloginfake.ClientID + `, client_secret: onelogin, api_url: "` + vendor.URL + `"}
---
kind: target
name: production
type: onelogin_role
label: Production
settings: {role_id: "` + oneloginfake.Production + `", privilege_level: member}
---
kind: strategy
name: onelogin
type: onelogin
integration_id: onelogin
targets: [production]
---
kind: flow
name: roles
environment_id: main
params:
  strategy_id: onelogin
  prompt_fields: [{name: duration, type: duration, allowed_values: [1s]}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`
	if answer := a.deploy(without("", map[string]string{"roles.yaml": roles})); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}
	production := flow.Target{Type: "onelogin_role", Settings: map[string]string{"role_id": oneloginfake.Production, "privilege_level": "member"}}
	has := func() bool { return vendor.Has(production, oneloginfake.Alice) }
	run := a.request("alice", "roles", "#access-prod", map[string]string{"Target": "Production", "duration": "1 second"})

	vendor.SetMood(strategytest.Stale)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.await("a look at the grant", func() bool { return a.queued(grantLooks) > 0 })
	if !has() {
		t.Error("the grant is waited for, and was not asked for")
	}
	vendor.SetMood(strategytest.Willing)
	a.shippedFor(run, "prompt", "request", "approve", "escalate")
	a.await("a look at the removal", func() bool { return a.queued(removalQueue) > 0 })
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	if has() {
		t.Error("the access is there after its removal")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for url, function := range map[string]string{grantLooks: "access", removalQueue: "removal"} {
		for _, body := range a.queues[url].held {
			if !strings.Contains(body, run) {
				t.Errorf("%s was sent %s, which does not name the run", path.Base(url), body)
			}
		}
		if a.count(function, "sqs:SendMessage") == 0 {
			t.Errorf("%s has sent no message", function)
		}
	}
}

// queued tells how many messages a queue has been sent that it held back. The caller
// holds the lock.
func (a *account) queued(url string) int { return len(a.queues[url].held) }
