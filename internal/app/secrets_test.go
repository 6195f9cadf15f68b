package app

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slacksim"
)

const secretsFlows = `
kind: integration
name: slack
type: slack
external_id: T0LOCAL
---
kind: error_logger
name: errors
integration_id: slack
destination: "#sym-errors"
---
kind: environment
name: main
integrations: {slack_id: slack}
error_logger_id: errors
---
kind: secrets
name: vault
type: aws_secrets_manager
settings: {context_id: slack}
---
kind: secret
name: grants
path: /sym/grants
source_id: vault
---
kind: target
name: orders-db
type: http
---
kind: strategy
name: databases
type: http
targets: [orders-db]
settings: {url: "https://grants.example.com/sym?key=urlsecret000", signing_secret_id: grants}
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: reason, type: string}
    - {name: duration, type: duration, allowed_values: [10m]}
  approval: {notify: [{channel: "#access-prod"}]}
`

// TestNoSecretIsKept has a product work and fail in many ways, and looks for its
// secrets in all that it writes and answers.
func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	const (
		botToken  = "xoxb-bottoken000"
		signing   = "signingsecret000"
		granting  = "grantingsecret000"
		inURL     = "urlsecret000"
		badBearer = "sym_badbearer000"
	)
	p := newProduct(t.TempDir(), "")
	for _, err := range []error{
		os.Mkdir(p.path("flows"), 0o700),
		os.WriteFile(p.path("flows/flows.yaml"), []byte(secretsFlows), 0o600),
		os.WriteFile(p.path("flows/local.yaml"), []byte("secrets: {/sym/grants: {file: ../grants.secret}}\n"), 0o600),
		os.WriteFile(p.path("grants.secret"), []byte(granting), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	sim, connect := p.workspace(t, config.Slack{BotToken: botToken, SigningSecret: signing})
	var answers bytes.Buffer
	if err := p.start(func(o *Options) error {
		connect(o)
		o.seams.http = signedOnly{slacksim.InProcess(p.target).Transport, granting, p.clock.Now}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	p.local.Slack = sim // who does things below
	token, err := os.ReadFile(p.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := p.settle(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	call := func(path, bearer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := resp.Write(&answers); err != nil {
			t.Fatal(err)
		}
	}
	tell := func(mode string) {
		p.target.mu.Lock()
		defer p.target.mu.Unlock()
		p.target.mode, p.target.words = mode, "not for you"
	}

	alice, bob := sim.As("alice"), sim.As("bob")
	sim.Inject("chat.postMessage", 1, slacksim.Fault{Status: http.StatusBadGateway})
	sim.Inject("chat.postMessage", 1, slacksim.Fault{DropAnswer: true})
	sim.Inject("users.lookupByEmail", 1, slacksim.Fault{Error: "invalid_auth"})
	do("command", alice.Command("/sym req prod-access"))
	do("fill", alice.Fill(map[string]string{"reason": "fix order 42", "duration": "10 minutes", "Target": "orders-db"}))
	do("submit", alice.Submit())
	do("wait", p.at(2*time.Minute))
	tell(targetRefuses)
	do("approve", bob.Click("", "Approve"))
	tell(targetLoses)
	do("retry", bob.Click("", "Retry"))
	tell(targetWell)
	do("wait", p.at(3*time.Minute))
	sim.Inject("*", 5, slacksim.Fault{Status: http.StatusInternalServerError})
	do("wait", p.at(5*time.Minute))
	tell(targetFails)
	do("end", alice.Click("", "End now"))
	tell(targetWell)
	do("wait", p.at(9*time.Minute))
	for _, path := range []string{"/api/v1/flows", "/api/v1/runs?status=deescalated", "/healthz", "/api/v1/runs?token=" + url.QueryEscape(string(token))} {
		call(path, string(token))
	}
	call("/api/v1/flows", badBearer)
	if !strings.Contains(answers.String(), `"status":"deescalated"`) {
		t.Errorf("the run did not come to its end:\n%s", answers.String())
	}
	secrets := map[string]string{
		"the bot token": botToken, "the signing secret": signing, "the strategy's secret": granting,
		"the key in the strategy's URL": inURL, "the API token": string(token), "a wrong API token": badBearer,
	}
	for _, d := range sim.Deliveries() {
		body, err := url.QueryUnescape(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range regexp.MustCompile(`/response/([0-9a-zA-Z]+)`).FindAllStringSubmatch(body, -1) {
			secrets["a response URL"] = u[1]
		}
	}
	if len(secrets) != 7 {
		t.Fatalf("%d kinds of secrets, want 7: Slack sent no response URL", len(secrets))
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	written := map[string][]byte{"answers of the API": answers.Bytes()}
	for _, root := range []string{"data", "log"} {
		err := filepath.WalkDir(p.path(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			written[strings.TrimPrefix(path, p.dir)] = b
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(written["/log"]) == 0 || len(written["/data/sym.db"]) == 0 || !bytes.Equal(written["/data/token"], token) {
		t.Fatalf("of what was written, only %d files were found", len(written))
	}
	var records []byte
	for record, err := range auditFiles(p.path("data")).Read(t.Context(), scriptStart, scriptStart.AddDate(1, 0, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b...)
	}
	written["audit records"] = records
	for what, secret := range secrets {
		for where, b := range written {
			allowed := where == "/data/token" && what == "the API token" ||
				where == "/data/sym.db" && what == "the key in the strategy's URL" // it is configuration
			if bytes.Contains(b, []byte(secret)) && !allowed {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
}

// signedOnly is a server that takes signed requests only.
type signedOnly struct {
	http.RoundTripper
	secret string
	now    func() time.Time
}

func (s signedOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = events.VerifySignature(s.secret, r.Header.Get(events.HeaderTimestamp), body, r.Header.Get(events.HeaderSignature), s.now())
	}
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.RoundTripper.RoundTrip(r)
}
