package functions_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// seldom are flows for what happens now and then: forms that handlers have a say
// in, a filter, and handlers that ask services for everything there is.
var seldom = map[string]string{
	"seldom.yaml": `
kind: flows_filter
implementation: ./filter.py
---
kind: flow
name: watched
environment_id: main
implementation: ./watched.py
params:
  prompt_fields: [{name: server, type: string, label: Server, prefetch: true}]
  approval:
    approvers: ["user:carol@example.com"]
    notify: [{channel: "#general", timeout: 30m}]
---
kind: flow
name: seats
environment_id: handled
vars: {report: "` + reportARN + `"}
params:
  strategy_id: tickets
  prompt_fields: [{name: duration, type: duration, allowed_values: [1h]}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`,
	"filter.py": `
from sym.sdk.annotations import reducer


@reducer
def get_flows(user, flows, flows_filter_vars):
    return flows
`,
	"watched.py": `
from sym.sdk.annotations import hook, prefetch
from sym.sdk.exceptions import SymIntegrationError
from sym.sdk.field_option import FieldOption
from sym.sdk.integrations import _lookup, slack, store
from sym.sdk.utils import persist_user_identity


@prefetch(field_name="server")
def servers(event):
    return [FieldOption(value="blue", label="blue")]


@hook
def on_request(event):
    store.put("own", 1)
    store.put("all", 2, shared=True)
    event.user.get_event_count("approve")
    persist_user_identity(email=event.user.email, service="pagerduty", service_id="acme.pagerduty.com", user_id="P1")
    _lookup.ask(SymIntegrationError, "users_by_identities", service="pagerduty", service_id="acme.pagerduty.com", user_ids=["P1"])
    for email in ("guest@example.com", "bob@example.com"):
        _lookup.ask(SymIntegrationError, "user_by_email", email=email, create=True)


@hook
def after_request(event):
    slack.send_thread_message("looked at")
`,
}

// pressed sends a click that Slack would send, of a message with one button.
func (a *account) pressed(user, action, value string) {
	a.t.Helper()
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "team": map[string]any{"id": "T0LOCAL"}, "user": map[string]any{"id": user}, "trigger_id": "seldom",
		"container": map[string]any{"type": "message", "channel_id": "C0SYMERRORS", "message_ts": "1700000000.000100"},
		"message": map[string]any{"blocks": []any{
			map[string]any{"type": "actions", "elements": []any{map[string]any{"type": "button", "action_id": action, "value": value}}},
		}},
		"actions": []any{map[string]any{"type": "button", "action_id": action, "value": value}},
	})
	a.must(err)
	body := url.Values{"payload": {string(payload)}}.Encode()
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(marker("signing secret")))
	fmt.Fprintf(mac, "v0:%s:%s", at, body)
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.gateway.URL+"/slack/interactions", strings.NewReader(body))
	a.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", at)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(r)
	a.must(err)
	if resp.Body.Close(); resp.StatusCode != http.StatusOK {
		a.t.Fatalf("a click was answered %s", resp.Status)
	}
}

// TestSeldom: what happens now and then is within the rights of who does it, like
// all that these tests do; see rightsAreNeeded. An address passes to another
// account, which each function that takes people in may be the first to see;
// handlers have a say in forms; and what can't be delivered is given up.
func TestSeldom(t *testing.T) {
	t.Parallel()
	all := maps.Clone(flows)
	maps.Copy(all, handled)
	all["handled.yaml"] = strings.Replace(all["handled.yaml"], "name: handled\n", "name: handled\nadmins: [lead@example.com]\n", 1)
	all["environment.yaml"] = strings.Replace(all["environment.yaml"], "integrations: {slack_id: slack}", "integrations: {slack_id: slack, pagerduty_id: pagerduty}", 1)
	maps.Copy(all, seldom)
	a, g := productOf(t, all)
	a.mu.Lock()
	a.secrets[pagerdutySecret], a.secrets[ticketsSecret] = "on call", "the key"
	a.mu.Unlock()
	if answer := a.deploy(leaving(all, "hasty.yaml")); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}

	// Forms with options that a handler gives, in Slack and by the API.
	a.must(a.slack.As("alice").Command("/sym req"))
	a.must(a.slack.As("alice").Close())
	a.request("alice", "watched", "#general", map[string]string{"Server": "blue"})

	// What would come of a request is asked of the handlers, too, and nothing of what they
	// ask for is done.
	lead := a.slack.As("lead")
	_, err := lead.Home()
	a.must(err)
	a.must(lead.PressHome("🧭 Explain a request…"))
	a.must(lead.Fill(map[string]string{"Flow": "watched", "Who asks": "bob"}))
	sent := len(a.slack.Messages("#general"))
	a.must(lead.Submit())
	if a.slack.Wait(deadline.Context(t), func() bool { return !strings.Contains(lead.Modal(), "Loading…") }) != nil {
		t.Fatalf("lead sees %s", lead.Modal())
	}
	if seen := lead.Modal(); !strings.Contains(seen, "*People decide*") || !strings.Contains(seen, "may approve (user:carol@") {
		t.Errorf("lead sees %s", seen)
	}
	if now := len(a.slack.Messages("#general")); now != sent {
		t.Errorf("explaining a request has sent %d messages", now-sent)
	}
	a.must(lead.Close())

	// Requests of one's own, and those whose ids begin like something.
	for _, command := range []string{"/sym list", "/sym show abcd"} {
		a.must(a.slack.As("alice").Command(command))
	}
	a.await("handlers", func() bool { return a.count("services", "dynamodb:BatchGetItem") > 0 })
	a.sees("lead", "looked at")
	var token events.CreatedToken
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "ci", Owner: "lead@example.com", Expires: "1d", Drift: true}, a.signed, http.StatusOK, &token)
	asks := func(email, flow string, inputs map[string]any, status int) {
		t.Helper()
		var answer map[string]any
		input := events.RequestInput{FlowSRN: "sym:flow:" + flow + ":latest", UserEmail: email, FlowInputs: inputs}
		a.ask("POST", "/api/v1/events/request", input, bearer(token.Value), status, &answer)
	}
	asks("alice@example.com", "watched", map[string]any{"server": "blue"}, http.StatusOK)
	asks("guest@example.com", "watched", map[string]any{"server": "blue"}, http.StatusForbidden)
	var listed map[string]any
	a.ask("GET", "/api/v1/flows", nil, bearer(token.Value), http.StatusOK, &listed)
	a.ask("GET", "/api/v1/runs?requester=alice@example.com", nil, bearer(token.Value), http.StatusOK, &listed)
	for _, status := range []string{"prompted", "requested", "approved", "denied", "expired", "cancelled", "escalated", "deescalated"} {
		a.ask("GET", "/api/v1/runs?status="+status, nil, bearer(token.Value), http.StatusOK, &listed)
	}
	identity := events.Identity{Email: "alice@example.com", Service: "custom", ServiceID: "tickets", UserID: "T-1"}
	a.ask("PUT", "/api/v1/identities", identity, a.signed, http.StatusOK, &listed)

	// Addresses pass to other accounts. That of the requester does while she has
	// access, which ends all the same.
	seat := a.request("alice", "seats", "#access-prod", map[string]string{"Target": "Support tickets", "duration": "1 hour"})
	a.must(a.slack.As("bob").Click(a.about("bob", seat), "Approve"))
	a.await("access", func() bool { return slices.Contains(told(a.recordsOf(seat)), "escalate") })
	short := flow.ShortID(seat)
	a.ask("GET", "/api/v1/runs/"+short, nil, bearer(token.Value), http.StatusOK, &listed)
	a.must(a.slack.As("alice").Command("/sym show " + short)) // with a link to the message
	for who, next := range map[string]string{"alice": "Nina", "guest": "Gina"} {
		a.must(a.slack.Succeed(who, next))
	}
	a.must(a.slack.As("U0NINA").Command("/sym whoami"))
	asks("guest@example.com", "watched", map[string]any{"server": "blue"}, http.StatusBadRequest)
	a.sees("bob", "[Revoke]")
	a.must(a.slack.As("bob").Click(a.about("bob", seat), "Revoke"))
	a.await("the end of access", func() bool { return slices.Contains(told(a.recordsOf(seat)), "deescalate") })
	waits := deadline.Context(t)
	for decided := (events.RunList{}); len(decided.Runs) == 0; { // it is listed a moment later
		a.ask("GET", "/api/v1/runs?approver=bob@example.com", nil, bearer(token.Value), http.StatusOK, &decided)
		if waits.Err() != nil {
			t.Fatal("nothing is listed of what bob decided")
		}
	}
	a.must(a.slack.Succeed("carol", "Cleo"))
	a.must(a.slack.Succeed("bob", "Boris"))
	for _, who := range []string{"U0CLEO", "U0BORIS"} { // whose the addresses were is remembered for a while
		a.must(a.slack.As(who).Command("/sym whoami"))
	}
	asks("lead@example.com", "watched", map[string]any{"server": "blue"}, http.StatusOK)
	for _, who := range []string{"alice", "guest", "carol", "bob"} {
		a.must(a.slack.Wait(deadline.Context(t), func() bool {
			return strings.Contains(a.slack.As("lead").Channel("#sym-errors"), "The address "+who+"@")
		}))
	}
	a.pressed(a.slack.As("lead").ID(), "confirm_account", "all")
	var claims events.AddressClaims
	a.ask("GET", "/api/v1/users", nil, a.signed, http.StatusOK, &claims)
	if len(claims.Claims) != 0 {
		t.Errorf("they wait to be confirmed after an admin did: %+v", claims)
	}
	a.must(a.slack.Succeed("guest", "Greta"))
	asks("guest@example.com", "watched", map[string]any{"server": "blue"}, http.StatusBadRequest)
	a.ask("POST", "/api/v1/users", events.ConfirmInput{All: true}, a.signed, http.StatusOK, &claims)
	if len(claims.Claims) != 1 {
		t.Errorf("confirmed %+v", claims)
	}

	// Access of somebody who leaves ends by a look.
	a.ask("PUT", "/api/v1/tokens/"+token.ID, events.SetTokenOwnerInput{Owner: "alice@example.com"}, a.signed, http.StatusOK, &listed)
	var asked events.RequestOutput
	a.ask("POST", "/api/v1/events/request", events.RequestInput{
		FlowSRN: "sym:flow:prod-access:latest", UserEmail: "carol@example.com",
		FlowInputs: map[string]any{"target_srn": "sym:access_target:aws_lambda_function:orders-db:latest", "duration": 3600, "reason": "to fix an order"},
	}, bearer(token.Value), http.StatusOK, &asked)
	run := asked.RunID
	a.sees("lead", flow.ShortID(run))
	a.must(a.slack.As("lead").Click(a.about("lead", run), "Approve"))
	a.grants(g, run)
	a.await("the record of the grant", func() bool { return slices.Contains(told(a.recordsOf(run)), "escalate") })
	if _, failed := a.invoke(functionARN("drift"), []byte(`{"now":true}`)); failed != nil {
		t.Errorf("drift failed: %+v", failed)
	}
	a.ask("GET", "/api/v1/drift", nil, bearer(token.Value), http.StatusOK, &listed)
	a.must(a.slack.Deactivate("carol", true))
	if _, failed := a.invoke(functionARN("standing"), []byte(`{"source":"aws.events"}`)); failed != nil {
		t.Errorf("standing failed: %+v", failed)
	}
	a.ended(g, run)

	// What nobody can take is kept.
	var change []awsevents.DynamoDBEventRecord
	a.must(json.Unmarshal([]byte(`[{"eventSource":"aws:dynamodb","eventName":"MODIFY","dynamodb":{"SequenceNumber":"1","Keys":{"key":{"S":"run#`+run+`"}}}}]`), &change))
	for _, function := range []string{"relay", "notify"} {
		a.fail(function, "dynamodb:GetItem", 1<<20, http.StatusInternalServerError, "InternalServerError")
		a.deliver(function, change, 0)
	}
	for _, function := range []string{"access", "publish"} {
		a.asynchronous(functionARN(function), []byte(`"nonsense"`))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.deadLetters) != 4 {
		t.Errorf("given up: %v", a.deadLetters)
	}
}

// leaving gives the flows without a file.
func leaving(all map[string]string, name string) map[string]string {
	rest := maps.Clone(all)
	delete(rest, name)
	return rest
}
