package functions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// ask calls the HTTP API and decodes the answer; authorise signs the request.
func (a *account) ask(method, path string, input any, authorise func(*http.Request, []byte), status int, answer any) {
	a.t.Helper()
	var body []byte
	if input != nil {
		var err error
		body, err = json.Marshal(input)
		a.must(err)
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.gateway.URL+path, bytes.NewReader(body))
	a.must(err)
	if input != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	authorise(r, body)
	resp, err := http.DefaultClient.Do(r)
	a.must(err)
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	a.must(err)
	if resp.StatusCode != status {
		a.t.Fatalf("%s %s: %s: %s; want %d", method, path, resp.Status, said, status)
	}
	if status == http.StatusNoContent {
		return
	}
	if err := json.Unmarshal(said, answer); err != nil {
		a.t.Fatalf("%s %s answered %s: %v", method, path, said, err)
	}
}

func bearer(token string) func(*http.Request, []byte) {
	return func(r *http.Request, _ []byte) { r.Header.Set("Authorization", "Bearer "+token) }
}

func unsigned(*http.Request, []byte) {}

// signed signs as AWS's own clients do.
func (a *account) signed(r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	a.must(v4.NewSigner().SignHTTP(a.t.Context(), aws.Credentials{AccessKeyID: "AKIAADMIN", SecretAccessKey: "secret"}, r,
		hex.EncodeToString(sum[:]), "execute-api", region, time.Now()))
}

// token makes one with AWS credentials.
func (a *account) token(bot string) events.CreatedToken {
	a.t.Helper()
	var made events.CreatedToken
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: bot, Owner: "carol@example.com", Label: "tests", Expires: "1d"}, a.signed, http.StatusOK, &made)
	return made
}

// TestAPIRun: a program asks for access, and ends it, with a token that was made
// with AWS credentials.
func TestAPIRun(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	var refused map[string]any
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "ci", Owner: "carol@example.com", Expires: "1d"}, unsigned, http.StatusForbidden, &refused)
	a.ask("GET", "/api/v1/tokens", nil, bearer("no-such-token"), http.StatusForbidden, &refused)
	a.ask("GET", "/api/v1/flows", nil, bearer("no-such-token"), http.StatusUnauthorized, &refused)
	token := a.token("ci")

	var asked events.RequestOutput
	input := events.RequestInput{
		FlowSRN: "sym:flow:prod-access:latest", UserEmail: "alice@example.com",
		FlowInputs: map[string]any{"target_srn": "sym:access_target:aws_lambda_function:orders-db:latest", "duration": 3600, "reason": "to fix an order"},
	}
	a.ask("POST", "/api/v1/events/request", input, bearer(token.Value), http.StatusOK, &asked)
	run := asked.RunID
	a.sees("bob", flow.ShortID(run))
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	var status events.RunStatus
	a.await("the record of the grant", func() bool { return len(a.recordsOf(run)) == 3 })
	a.ask("GET", "/api/v1/runs/"+run, nil, bearer(token.Value), http.StatusOK, &status)
	if status.Status != "escalated" || status.Requester.Username != "alice@example.com" || status.ExpiresAt == nil {
		t.Errorf("status: %+v", status)
	}
	var list events.RunList
	a.ask("GET", "/api/v1/runs?flow=prod-access", nil, bearer(token.Value), http.StatusOK, &list)
	if len(list.Runs) != 1 || list.Runs[0].RunID != run {
		t.Errorf("listed %+v", list)
	}
	var ending events.DeescalateOutput
	a.ask("POST", "/api/v1/events/deescalate", events.DeescalateInput{RunID: run}, bearer(token.Value), http.StatusOK, &ending)
	a.ended(g, run)
	records := a.shippedFor(run, "request", "approve", "escalate", "deescalate")
	if records[0].Event.Channel != "sym" || records[3].Actor.Name != "ci" {
		t.Errorf("records: %+v", records)
	}

	var tokens events.TokenList
	a.ask("GET", "/api/v1/tokens", nil, a.signed, http.StatusOK, &tokens)
	if len(tokens.Tokens) != 1 || tokens.Tokens[0].ID != token.ID {
		t.Errorf("tokens: %+v", tokens)
	}
	var revoked events.Token
	a.ask("DELETE", "/api/v1/tokens/"+token.ID, nil, a.signed, http.StatusOK, &revoked)
	a.ask("GET", "/api/v1/runs/"+run, nil, bearer(token.Value), http.StatusUnauthorized, &refused)
}
