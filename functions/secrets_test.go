package functions_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// TestSecretsStaySecret: no secret is in what functions log, store, send to other
// services or are sent by them, and none in what people read.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	signing := marker("grants are signed with this")
	a.mu.Lock()
	a.secrets["/sym/main/signing"] = signing
	a.mu.Unlock()
	granted := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = events.VerifySignature(signing, r.Header.Get("X-Sym-Timestamp"), body, r.Header.Get("X-Sym-Signature"), time.Now())
		}
		if err != nil {
			t.Error(err)
		}
		var record events.AuditRecord
		_ = json.Unmarshal(body, &record)
		granted <- record.Event.Type
		_, _ = io.WriteString(w, `{"body":{},"errors":[]}`)
	}))
	defer server.Close()
	wiki := `
kind: secrets
name: aws
type: aws_secrets_manager
---
kind: secret
name: signing
source_id: aws
path: /sym/main/signing
---
kind: target
name: wiki
type: http
label: Wiki
settings: {identifier: wiki}
---
kind: strategy
name: tools
type: http
targets: [wiki]
settings: {url: "` + server.URL + `", signing_secret_id: signing}
---
kind: flow
name: tools
environment_id: main
params:
  strategy_id: tools
  prompt_fields: [{name: duration, type: duration, allowed_values: [1s]}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`
	if answer := a.deploy(without("", map[string]string{"wiki.yaml": wiki})); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}
	token := a.token("ci").Value
	var asked events.RequestOutput
	a.ask("POST", "/api/v1/events/request", events.RequestInput{
		FlowSRN: "sym:flow:tools:latest", UserEmail: "alice@example.com",
		FlowInputs: map[string]any{"target_srn": "sym:access_target:http:wiki:latest", "duration": 1},
	}, bearer(token), http.StatusOK, &asked)
	a.sees("bob", flow.ShortID(asked.RunID))
	a.must(a.slack.As("bob").Click("", "Approve"))
	for _, want := range []string{"escalate", "deescalate"} {
		if got := <-granted; got != want {
			t.Errorf("the server was told to %s, want %s", got, want)
		}
	}
	a.shippedFor(asked.RunID, "request", "approve", "escalate", "deescalate")
	a.must(a.slack.As("alice").Command("/sym whoami"))
	// Errors are where secrets like to be shown.
	var refused map[string]any
	a.ask("GET", "/api/v1/runs/none", nil, bearer(token), http.StatusNotFound, &refused)
	a.ask("GET", "/api/v1/flows", nil, bearer(token+"x"), http.StatusUnauthorized, &refused)

	a.mu.Lock()
	defer a.mu.Unlock()
	found := func(where string, text []byte) {
		for _, secret := range []string{"MARKER-", token, "secret of "} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s shows a secret: %s", where, text)
			}
		}
	}
	for _, l := range a.log {
		found("the log of "+l.function, []byte(l.line))
	}
	items := 0
	for _, c := range a.calls {
		found(c.function+", "+c.action, c.input)
		if c.action == "dynamodb:PutItem" {
			item := itemOf(t, c.input)
			found(c.function+", an item", item)
			if bytes.Contains(item, []byte(asked.RunID)) {
				items++
			}
		}
	}
	for _, i := range a.invocations {
		// The caller's token is in the header of a request to the API, and in the
		// one answer that makes it.
		if i.function != "api" && i.function != "tokens" {
			found("the payload of "+i.function, i.payload)
		}
		if i.function != "tokens" {
			found("the answer of "+i.function, i.answer)
		}
	}
	for _, who := range []string{"alice", "bob", "lead"} {
		found("Slack", []byte(a.slack.As(who).Screen()))
	}
	if items < 5 {
		t.Errorf("only %d items of the run were looked at", items)
	}
}

// itemOf gives the body of an item that is written.
func itemOf(t *testing.T, input []byte) []byte {
	t.Helper()
	var in struct {
		Item struct {
			Body, Gzip struct{ B []byte }
		}
	}
	if err := json.Unmarshal(input, &in); err != nil {
		t.Fatal(err)
	}
	if len(in.Item.Gzip.B) == 0 {
		return in.Item.Body.B
	}
	z, err := gzip.NewReader(bytes.NewReader(in.Item.Gzip.B))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !strings.HasPrefix(string(text), "{") {
		t.Fatalf("%v: %s", err, text)
	}
	return text
}
