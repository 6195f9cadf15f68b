package core

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/config"
)

// TestSignedSlack: a signing secret that was changed is taken up within
// minutes, by functions that go on running too; a line's end that was pasted
// with it is cut off.
func TestSignedSlack(t *testing.T) {
	t.Parallel()
	var signing atomic.Value
	signing.Store("old\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == `{"SecretId":"signing"}` {
			io.WriteString(w, `{"SecretString":`+quoted(signing.Load().(string))+`}`)
			return
		}
		io.WriteString(w, `{"SecretString":`+quoted(`{"bot_token":"xoxb-1","team_id":"T1"}`)+`}`)
	}))
	defer server.Close()
	cfg, err := AWS(lambdaSets("AWS_ENDPOINT_URL", server.URL))
	if err != nil {
		t.Fatal(err)
	}
	clock := clockwork.NewFakeClock()
	settings := config.Settings{Org: "sym", Slack: config.Slack{APIURL: server.URL + "/api/"}, AWS: config.AWS{SlackSecret: "slack", SlackSigningSecret: "signing"}}
	_, secret, err := Deploy(settings, cfg, clock, slog.New(slog.DiscardHandler)).SignedSlack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := func(value string) {
		t.Helper()
		if got, err := secret(t.Context()); err != nil || got != value {
			t.Errorf("%q, %v; want %q", got, err, value)
		}
	}
	want("old")
	signing.Store("new")
	clock.Advance(5 * time.Minute)
	want("new")
}
