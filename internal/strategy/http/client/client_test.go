package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
	"github.com/symflows/symflows/internal/strategy/http/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	secret = "signing-secret-value"
	token  = "token-in-the-url"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// secrets has the one secret there is; or none, if it is empty.
type secrets string

func (s secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	switch ref.Path {
	case "/sym/unmapped":
		return "", flow.Errorf(flow.CodeUnavailable, "map it in local.yaml")
	case "/sym/other":
		return "", errors.New("no such secret")
	}
	return string(s), nil
}

func grants(url string) flow.Strategy {
	return flow.Strategy{
		Name: "databases", Type: "http",
		Settings: map[string]string{"url": url + "/sym?token=" + token},
		Secrets:  map[string]flow.SecretRef{"signing_secret_id": {Name: "signing", Source: "aws_secrets_manager", Path: "/sym/signing"}},
		Targets: []flow.Target{
			{Name: "orders-db", Type: "http", Label: "Orders", Settings: map[string]string{"identifier": "orders"}},
			{Name: "billing-db", Type: "http", Label: "Billing", Settings: map[string]string{"identifier": "billing"}},
		},
	}
}

func deps(c *http.Client) client.Deps {
	return client.Deps{Client: c, Secrets: secrets(secret), Now: func() time.Time { return now }}
}

// server is a customer's server: it takes signed requests only and keeps who
// has access, by run.
type server struct {
	mu      sync.Mutex
	mood    strategytest.Mood
	changes []strategytest.Change
	access  map[string]bool
}

func (s *server) SetMood(m strategytest.Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

func (s *server) Changes() []strategytest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

func (s *server) Has(target flow.Target, identity string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who := range s.access {
		if strings.HasPrefix(who, target.Settings["identifier"]+" "+identity+" ") {
			return true
		}
	}
	return false
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/sym" || r.URL.Query().Get("token") != token {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := events.VerifySignature(secret, r.Header.Get(events.HeaderTimestamp), body, r.Header.Get(events.HeaderSignature), now); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var record events.AuditRecord
	if err := json.Unmarshal(body, &record); err != nil || r.Header.Get("Idempotency-Key") != record.ID {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch s.do(record, body) {
	case strategytest.Refusing:
		w.WriteHeader(http.StatusUnprocessableEntity)
	case strategytest.Throttled:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case strategytest.Untimed:
		w.WriteHeader(http.StatusTooManyRequests)
	case strategytest.Broken:
		w.WriteHeader(http.StatusInternalServerError)
	case strategytest.Mute:
		<-r.Context().Done()
	case strategytest.Forgetful:
		panic(http.ErrAbortHandler) // closes the connection
	default:
		io.WriteString(w, `{"body":{"user":"u1"},"errors":[]}`)
	}
}

func (s *server) do(record events.AuditRecord, body []byte) strategytest.Mood {
	s.mu.Lock()
	defer s.mu.Unlock()
	identity := record.Run.Actors["request"].Username
	s.changes = append(s.changes, strategytest.Change{Event: record.Event.Type, Identity: identity, Record: body})
	if s.mood == strategytest.Willing || s.mood == strategytest.Forgetful {
		target := record.Fields["target"].(map[string]any)["settings"].(map[string]any)["identifier"].(string)
		key := target + " " + identity + " " + record.Run.SRN
		if record.Event.Type == "escalate" {
			s.access[key] = true
		} else {
			delete(s.access, key)
		}
	}
	return s.mood
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject {
		system := &server{access: map[string]bool{}}
		listening := httptest.NewServer(system)
		t.Cleanup(listening.Close)
		return strategytest.Subject{
			Type: httpstrategy.Type(), Open: client.Open(deps(listening.Client())), System: system, Strategy: grants(listening.URL),
			Identities: [2]string{"alice@example.com", "bob@example.com"}, Wait: 7 * time.Second, Secrets: []string{secret, token},
			Cannot: strategytest.Blind(),
		}
	})
}

// grant asks a server with this handler for a grant.
func grant(t *testing.T, answer http.HandlerFunc, change func(*flow.Strategy)) (strategy.Result, error) {
	t.Helper()
	listening := httptest.NewServer(answer)
	defer listening.Close()
	s := grants(listening.URL)
	if change != nil {
		change(&s)
	}
	opened, err := client.Open(deps(listening.Client()))(s)
	if err != nil {
		t.Fatal(err)
	}
	return opened.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Record: events.AuditRecord{ID: "event-1"}})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		status  int
		headers map[string]string
		body    string
		warned  bool
		code    flow.Code
		text    string // part of the error
		after   time.Duration
	}{
		{name: "OK", status: 200, body: `{"body":{},"errors":[]}`},
		{name: "Created", status: 201, body: `{"body":{},"errors":[]}`},
		{name: "NoContent", status: 204, warned: true},
		{name: "IllFormed", status: 200, body: `OK`, warned: true},
		{name: "Errors", status: 200, body: `{"body":{},"errors":["one","two"]}`, code: flow.CodeStrategy, text: "reported:\n• one\n• two"},
		{name: "TooLarge", status: 200, body: strings.Repeat(" ", 1<<20) + `{}`, code: flow.CodeStrategy, text: "more than 1024 KB"},
		{name: "Redirect", status: 307, headers: map[string]string{"Location": "/elsewhere?token=" + token}, code: flow.CodeStrategy, text: "redirect, which is not followed"},
		{name: "NotFound", status: 404, body: "<html>", code: flow.CodeStrategy, text: "status 404"},
		{name: "RefusedWithErrors", status: 422, body: `{"errors":["no such database"]}`, code: flow.CodeStrategy, text: "• no such database"},
		{name: "RequestTimeout", status: 408, code: flow.CodeUnavailable, text: "status 408"},
		{name: "TooEarly", status: 425, code: flow.CodeUnavailable, text: "status 425"},
		{name: "Throttled", status: 429, headers: map[string]string{"Retry-After": "7"}, code: flow.CodeUnavailable, text: "status 429", after: 7 * time.Second},
		{name: "Maintenance", status: 503, headers: map[string]string{"Retry-After": now.Add(2 * time.Minute).Format(http.TimeFormat)}, code: flow.CodeUnavailable, text: "status 503", after: 2 * time.Minute},
		{name: "RetryVeryLate", status: 503, headers: map[string]string{"Retry-After": "99999999999"}, code: flow.CodeUnavailable, after: time.Hour},
		{name: "RetryInThePast", status: 503, headers: map[string]string{"Retry-After": now.Add(-time.Minute).Format(http.TimeFormat)}, code: flow.CodeUnavailable},
		{name: "RetryNonsense", status: 503, headers: map[string]string{"Retry-After": "soon"}, code: flow.CodeUnavailable},
		{name: "ServerErrorWithErrors", status: 500, body: `{"errors":["boom"]}`, code: flow.CodeUnavailable, text: "status 500"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var calls int
			result, err := grant(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				for k, v := range test.headers {
					w.Header().Set(k, v)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			}, nil)
			if calls != 1 {
				t.Errorf("the server was called %d times, want once", calls)
			}
			if flow.CodeOf(err) != test.code || err != nil && !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got error %v of %q, want one of %q about %q", err, flow.CodeOf(err), test.code, test.text)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error shows a token: %v", err)
			}
			if (len(result.Warnings) > 0) != test.warned {
				t.Errorf("warnings %q, want some: %t", result.Warnings, test.warned)
			}
			if after := flow.AskedToWait(err); after != test.after {
				t.Errorf("asks to wait %s, want %s", after, test.after)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var header http.Header
	answer := func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		io.WriteString(w, `{"body":{},"errors":[]}`)
	}
	if _, err := grant(t, answer, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "symflows", "Idempotency-Key": "event-1", "X-Sym-Timestamp": "1772366400",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := grant(t, answer, func(s *flow.Strategy) { s.Secrets = nil }); err != nil {
		t.Fatal(err)
	}
	if got := header.Get(events.HeaderSignature); got != "" {
		t.Errorf("signed without a secret: %s", got)
	}
}

func TestTargetsURLWins(t *testing.T) {
	t.Parallel()
	var path string
	_, err := grant(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		io.WriteString(w, `{"body":{},"errors":[]}`)
	}, func(s *flow.Strategy) {
		s.Targets[0].Settings["url"] = strings.Replace(s.Settings["url"], "/sym", "/own", 1)
		s.Settings = nil
	})
	if err != nil || path != "/own" {
		t.Errorf("called %q, %v; want /own", path, err)
	}
}

func TestSecretFails(t *testing.T) {
	t.Parallel()
	never := func(http.ResponseWriter, *http.Request) { t.Error("called without a signature") }
	_, err := grant(t, never, func(s *flow.Strategy) {
		s.Secrets = map[string]flow.SecretRef{"signing_secret_id": {Name: "signing", Path: "/sym/other"}}
	})
	if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(err.Error(), `"signing"`) {
		t.Errorf("got %v, want an error of %s that names the secret", err, flow.CodeUnavailable)
	}
	_, err = grant(t, never, func(s *flow.Strategy) {
		s.Secrets = map[string]flow.SecretRef{"signing_secret_id": {Name: "signing", Path: "/sym/unmapped"}}
	})
	if flow.CodeOf(err) != flow.CodeUnavailable || flow.UserMessage(err) != "map it in local.yaml" {
		t.Errorf("got %v, want the secrets' own hint", err)
	}
	opened, err := client.Open(client.Deps{Client: http.DefaultClient, Secrets: secrets("")})(grants("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = opened.Grant(t.Context(), strategy.Call{}); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("an empty secret: got %v, want an error of %s", err, flow.CodeStrategy)
	}
}
