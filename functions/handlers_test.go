package functions_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/store"
)

// pagerdutySecret is the secret of an integration that handlers read.
const pagerdutySecret = "/sym/main/pagerduty"

// ticketsSecret is that of the integration of a custom strategy.
const ticketsSecret = "/sym/main/tickets"

// handled is a flow whose handlers use what they may: a secret, a customer's
// function, and what they ask of services.
var handled = map[string]string{
	"handled.yaml": `
kind: secrets
name: vault
type: aws_secrets_manager
---
kind: secret
name: pagerduty-token
source_id: vault
path: ` + pagerdutySecret + `
---
kind: integration
name: pagerduty
type: pagerduty
external_id: acme.pagerduty.com
settings: {api_token_secret: pagerduty-token}
---
kind: environment
name: handled
integrations: {slack_id: slack, pagerduty_id: pagerduty}
error_logger_id: errors
lambda_arns: ["` + reportARN + `"]
---
kind: flow
name: tables
environment_id: handled
implementation: ./impl.py
vars: {report: "` + reportARN + `"}
params:
  prompt_fields: [{name: table, type: string, label: Table}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#general", timeout: 30m}]
`,
	"tickets.yaml": `
kind: secret
name: tickets-key
source_id: vault
path: ` + ticketsSecret + `
---
kind: integration
name: tickets
type: custom
external_id: tickets
settings: {secret_ids_json: '["tickets-key"]'}
---
kind: target
name: support
type: custom
label: Support tickets
---
kind: strategy
name: tickets
type: custom
integration_id: tickets
implementation: ./tickets.py
targets: [support]
---
kind: flow
name: tickets
environment_id: handled
vars: {report: "` + reportARN + `"}
params:
  strategy_id: tickets
  prompt_fields: [{name: duration, type: duration, allowed_values: [1s]}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`,
	"tickets.py": `
from sym.sdk.integrations import aws_lambda
from sym.sdk.strategies import AccessStrategy
from sym.sdk.templates import ApprovalTemplateStep, get_step_output


class Tickets(AccessStrategy):
    def fetch_remote_identity(self, user):
        return "T-" + user.email

    def escalate(self, target_id, event):
        key = self.integration.settings["secrets"][0].retrieve_value()
        aws_lambda.invoke(event.flow.vars["report"], {"table": f"grant with {key}"})
        return {"seat": 7}

    def deescalate(self, target_id, event):
        seat = get_step_output(ApprovalTemplateStep.ESCALATE)["seat"]
        aws_lambda.invoke(event.flow.vars["report"], {"table": f"take {seat}"})
`,
	"impl.py": `
from sym.sdk.annotations import hook
from sym.sdk.integrations import aws_lambda, slack, store
from sym.sdk.templates import ApprovalTemplate


@hook
def on_request(event):
    pagerduty = event.flow.environment.integrations["pagerduty"]
    if event.payload.fields["table"] == "orders" and pagerduty.settings["secrets"][0].retrieve_value() == "on call":
        store.put("asked/orders", store.fetch("asked/orders") or event.user.get_event_count("request"))
        slack.send_message(slack.channel("#general"), f"{event.user.email} is on call")
        return ApprovalTemplate.approve(reason="on call")


@hook
def on_approve(event):
    if event.payload.fields["table"] == "salaries":
        raise RuntimeError("nobody sees salaries")


@hook
def after_approve(event):
    table = event.payload.fields["table"]
    report = aws_lambda.invoke(event.flow.vars["report"], {"table": table})
    slack.send_message(event.get_actor("request"), f"{report['rows']} rows of {table}, asked for {store.fetch('asked/orders')}")
`,
}

// withHandlers makes an account in which the flow above is published, beside the
// others.
func withHandlers(t *testing.T) *account {
	t.Helper()
	all := maps.Clone(flows)
	maps.Copy(all, handled)
	a, _ := productOf(t, all)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[pagerdutySecret] = "on call"
	a.secrets[ticketsSecret] = "the key"
	return a
}

// TestHandlers: a whole run whose handlers approve it by a rule, by what a secret
// says, send messages and invoke a customer's function. All that they do is done
// with the rights of sdk and services, or it would have failed.
func TestHandlers(t *testing.T) {
	t.Parallel()
	a := withHandlers(t)
	p := a.slack.As("alice")
	a.must(p.Command("/sym req tables"))
	a.must(p.Fill(map[string]string{"Table": "orders"}))
	a.must(p.Submit())
	a.sees("bob", "alice@example.com is on call")
	a.sees("alice", "7 rows of orders, asked for 1")
	var run string
	a.await("the run", func() bool {
		for run = range a.runsLocked() {
		}
		return run != ""
	})
	records := a.shippedFor(run, "prompt", "request intercepted", "approve")
	a.await("the end of the execution", func() bool { return a.executionsOf(run)[0].over })
	if actor := records[2].Actor; actor.Username == "alice@example.com" || actor.Username == "bob@example.com" {
		t.Errorf("%+v approved", actor)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, want := range []string{"secretsmanager:GetSecretValue", "lambda:InvokeFunction"} {
		if a.count("sdk", want) == 0 {
			t.Errorf("handlers never asked for %s themselves", want)
		}
	}
	if puts, deletes := a.countKeys("approval", "dynamodb:PutItem", store.KindCall), a.countKeys("approval", "dynamodb:DeleteItem", store.KindCall); puts == 0 || puts != deletes {
		t.Errorf("%d tokens were made for calls, %d ended", puts, deletes)
	}
	for _, i := range a.invocations {
		if i.function == "sdk" && (strings.Contains(string(i.payload), "MARKER-") || strings.Contains(string(i.payload), "secret of ")) {
			t.Errorf("handlers were told a secret of ours: %s", i.payload)
		}
	}
}

// TestHandlerStopsApproval: an exception in on_approve keeps the approval from
// counting; whoever approved, and the error channel, are told where and why.
func TestHandlerStopsApproval(t *testing.T) {
	t.Parallel()
	a := withHandlers(t)
	run := a.request("alice", "tables", "#general", map[string]string{"Table": "salaries"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.sees("bob", "nobody sees salaries")
	a.shippedFor(run, "prompt", "request", "approve in_progress")
	a.mu.Lock()
	for _, r := range a.recordsOf(run)[2:] {
		if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), "impl.py:19") {
			t.Errorf("the record does not say where: %s, %v", text, err)
		}
	}
	a.mu.Unlock()
	a.must(a.slack.As("bob").Click("", "Deny"))
	a.shippedFor(run, "prompt", "request", "approve in_progress", "deny")
}

// TestCustomStrategy: a customer's class grants and takes away, asked by access in
// the role of sdk.
func TestCustomStrategy(t *testing.T) {
	t.Parallel()
	a := withHandlers(t)
	run := a.request("alice", "tickets", "#access-prod", map[string]string{"Target": "Support tickets", "duration": "1 second"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	a.mu.Lock()
	defer a.mu.Unlock()
	var did []string
	for _, c := range a.calls {
		if c.function == "sdk" && c.resource == reportARN {
			did = append(did, string(c.input))
		}
	}
	if want := []string{`{"table": "grant with the key"}`, `{"table": "take 7"}`}; !slices.Equal(did, want) {
		t.Errorf("the class did %q, want %q", did, want)
	}
	if a.countKeys("access", "dynamodb:PutItem", store.KindIdentity) == 0 {
		t.Error("who alice is at the target was not kept")
	}
}

// TestPublishLooksAtPython: what Python can't read fails the deploy, with the line.
func TestPublishLooksAtPython(t *testing.T) {
	t.Parallel()
	a := open(t)
	broken := maps.Clone(flows)
	maps.Copy(broken, handled)
	broken["impl.py"] = "from sym.sdk.annotations import hook\n\n\n@hook\ndef on_request(event)\n"
	if answer := a.deploy(broken); answer.Status != "FAILED" || !strings.Contains(answer.Reason, "impl.py:5") {
		t.Errorf("publish answered %+v", answer)
	}
}

// TestNoHandlers: a flow without Python asks nobody.
func TestNoHandlers(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.shippedFor(run, "prompt", "request", "approve")
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range a.invocations {
		if i.function == "sdk" || i.function == "services" {
			t.Errorf("%s was invoked with %s", i.function, i.payload)
		}
	}
}

// countKeys says how often a function asked for an action on a kind of items. The
// caller holds the lock.
func (a *account) countKeys(function, action string, kind store.Kind) int {
	n := 0
	for _, c := range a.calls {
		if c.function == function && c.action == action && len(c.keys) == 1 && strings.HasPrefix(c.keys[0], string(kind)) {
			n++
		}
	}
	return n
}
