package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// gateway is an API of API Gateway whose route takes AWS credentials, in front
// of what functions serve.
type gateway struct {
	credentials aws.Credentials
	behind      http.Handler
}

// ServeHTTP signs the request again, and lets it pass if that gives the same.
func (g gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	again := r.Clone(r.Context())
	again.URL.Scheme, again.URL.Host = "http", r.Host
	again.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
	again.ContentLength = int64(len(body))
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	digest := sha256.Sum256(body)
	if err == nil {
		err = v4.NewSigner().SignHTTP(r.Context(), g.credentials, again, hex.EncodeToString(digest[:]), "execute-api", "eu-central-1", at)
	}
	if err != nil || r.Header.Get("Authorization") != again.Header.Get("Authorization") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"Forbidden"}`)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.behind.ServeHTTP(w, r)
}

// TestToken_Remote: the command makes, lists and revokes tokens of a deployment
// with this shell's AWS credentials. (It sets variables, and so can't run beside
// others.)
func TestToken_Remote(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "example")
	t.Setenv("AWS_REGION", "eu-central-1")
	now := core.WallClock{}.Now
	tokens := store.Tokens{Store: &storetest.Memory{Now: now}, Org: "sym", Now: now}
	caller := func(*http.Request) (flow.Principal, bool) {
		return flow.Principal{Kind: flow.PrincipalAWS, Name: "arn:aws:iam::123456789012:user/operator"}, true
	}
	behind := http.NewServeMux()
	behind.Handle("/", (&api.TokenAPI{Tokens: tokens, Now: now, Log: slog.New(slog.DiscardHandler), Caller: caller}).Handler())
	behind.Handle(api.Base+api.SignedEntitiesPath, (&api.ConfigAPI{
		Configure: workflow.Configure{Entities: store.Entities{Store: tokens.Store, Org: "sym", Now: now}},
		Tokens:    tokens, Now: now, Log: slog.New(slog.DiscardHandler), Caller: caller,
	}).Handler())
	serve := func(secret string) string {
		server := httptest.NewServer(gateway{
			credentials: aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret},
			behind:      behind,
		})
		t.Cleanup(server.Close)
		return server.URL
	}
	url := serve("example")
	local := func(args ...string) (string, error) {
		var out strings.Builder
		err := token(t.Context(), args, config.Settings{Org: "sym"}, &out)
		return out.String(), err
	}
	made, err := local("create", "-bot", "ci", "-owner", "carol@example.com", "-flow", "deploy", "-for", "nobody", "-label", "pipeline", "-url", url)
	if err != nil {
		t.Fatal(err)
	}
	value, _, _ := strings.Cut(made, "\n")
	_, stored, err := tokens.Check(t.Context(), value)
	if err != nil {
		t.Fatalf("%s: %v", made, err)
	}
	if list, err := local("list", "-url", url+"/api/v1/"); err != nil || !strings.Contains(list, stored.ID) || !strings.Contains(list, "pipeline") || !strings.Contains(list, "carol@example.com  deploy  itself") {
		t.Errorf("list: %s, %v", list, err)
	}
	// One of before there were owners is warned of, by check, too.
	old := stored
	old.Owner = ""
	body, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	item, err := tokens.Store.Get(t.Context(), store.KindToken.Key(stored.Hash))
	if err != nil {
		t.Fatal(err)
	}
	item.Body, item.Writer = body, "an earlier release"
	if _, err := tokens.Store.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	warning := "warning: token " + stored.ID + " of bot ci has no owner"
	if list, err := local("list", "-url", url); err != nil || !strings.Contains(list, warning) {
		t.Errorf("list: %s, %v", list, err)
	}
	var checked strings.Builder
	err = check(t.Context(), []string{"-flows", filepath.Join("..", "..", "flows"), "-data", t.TempDir(), "-url", url}, config.Settings{Org: "sym"}, func(string) string { return "" }, &checked)
	if err != nil || !strings.Contains(checked.String(), warning) {
		t.Errorf("check: %s, %v", checked.String(), err)
	}
	// What is broken of what the API has stored is asked for with these credentials, too.
	broken := store.Broken{Kind: "log_destination", Name: "logs", Faults: []string{"log_destination logs: settings.url is missing"}}
	if err := (store.Assembled{Store: tokens.Store}).Set(t.Context(), store.Assembly{Broken: map[string]store.Broken{"": broken}}); err != nil {
		t.Fatal(err)
	}
	err = check(t.Context(), []string{"-flows", filepath.Join("..", "..", "flows"), "-data", t.TempDir(), "-url", url}, config.Settings{Org: "sym"}, func(string) string { return "" }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "\nlog destination logs, since ") || !strings.Contains(err.Error(), ": it is sent no records\n") || !strings.Contains(err.Error(), "\n  log_destination logs: settings.url is missing") {
		t.Errorf("check: %v", err)
	}
	if said, err := local("set-owner", stored.ID, "lead@example.com", "-url", url); err != nil || !strings.Contains(said, "is owned by lead@example.com") {
		t.Errorf("set-owner: %s, %v", said, err)
	}
	if _, now, err := tokens.Check(t.Context(), value); err != nil || now.Owner != "lead@example.com" {
		t.Errorf("set-owner left %+v, %v", now, err)
	}
	if said, err := local("revoke", stored.ID, "-url", url); err != nil || !strings.Contains(said, "is revoked") {
		t.Errorf("revoke: %s, %v", said, err)
	}
	for what, test := range map[string]struct {
		args []string
		want string
	}{
		"Unknown":          {[]string{"revoke", "unknown", "-url", url}, "there is no token"},
		"Revoked":          {[]string{"revoke", stored.ID, "-url", url}, "is revoked already, by arn:aws:iam::123456789012:user/operator"},
		"BadName":          {[]string{"create", "-bot", "alice@example.com", "-owner", "carol@example.com", "-url", url}, "the bot's name"},
		"OtherCredentials": {[]string{"list", "-url", serve("another")}, "execute-api:Invoke"},
		"NoURL":            {[]string{"list", "-url", "abc123"}, "give the URL of the deployment's API"},
		"InTheClear":       {[]string{"list", "-url", "http://api.example.com"}, "give the URL of the deployment's API"},
	} {
		if _, err := local(test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
}
