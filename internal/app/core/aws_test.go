package core

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/symflows/symflows/internal/config"
)

// TestDeployedSlack: the way to Slack is opened before there is anything to say,
// and needs no token.
func TestDeployedSlack(t *testing.T) {
	t.Parallel()
	reached := make(chan *http.Request, 1)
	slack := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r }))
	defer slack.Close()
	secrets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"SecretString":`+quoted(`{"bot_token":"xoxb-1","team_id":"T1"}`)+`}`)
	}))
	defer secrets.Close()
	cfg, err := AWS(lambdaSets("AWS_ENDPOINT_URL", secrets.URL))
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Settings{Org: "sym", Slack: config.Slack{APIURL: slack.URL + "/api/"}, AWS: config.AWS{SlackSecret: "slack"}}
	connected, err := Deploy(settings, cfg, WallClock{}, slog.New(slog.DiscardHandler)).Slack(t.Context())
	if err != nil || connected.Directory.Team != "T1" {
		t.Fatalf("%+v, %v", connected, err)
	}
	if r := <-reached; r.Method != http.MethodHead || r.URL.Path != "/api/" || r.Header.Get("Authorization") != "" {
		t.Errorf("Slack was reached by %s %s %v", r.Method, r.URL, r.Header)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a text always encodes
	return string(b)
}
