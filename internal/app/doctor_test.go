package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
)

// surgery is a workspace whose doctor is asked, and the configuration that is
// looked at.
type surgery struct {
	*testing.T
	sim   *slacksim.Sim
	url   string
	flows string
	env   map[string]string

	mu    sync.Mutex
	calls []string
	// socket answers what asks for a connection of Socket Mode.
	socket string
}

const (
	realBot    = "xoxb-1-2-notasecret"
	realApp    = "xapp-1-A0SYM-1-0123456789abcdef0123456789abcdef"
	realSecret = "0123456789abcdef0123456789abcdef"
)

const patient = `kind: integration
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
admins: [lead@example.com]
---
kind: flow
name: ask
environment_id: main
params:
  approval:
    notify:
      - {channel: "#access-prod", timeout: 10m}
      - {users: [bob@example.com, lead@example.com]}
    approvers: ["group:platform"]
`

func newSurgery(t *testing.T, flows string, change ...func(*slacksim.Config)) *surgery {
	t.Helper()
	s := &surgery{T: t, flows: filepath.Join(t.TempDir(), "flows"), socket: `{"ok":true,"url":"wss://example.com"}`}
	if err := os.Mkdir(s.flows, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.flows, "ask.yaml"), []byte(flows), 0o600); err != nil {
		t.Fatal(err)
	}
	c := slacksim.Config{
		SigningSecret: realSecret, BotToken: realBot, AppURL: "http://127.0.0.1:1", BaseURL: "http://127.0.0.1:1", Clock: core.WallClock{},
		Scopes: slackapp.NewManifest(slackapp.ManifestOptions{}).OAuth.Scopes.Bot,
	}
	for _, change := range change {
		change(&c)
	}
	var err error
	if s.sim, err = slacksim.New(c); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := strings.TrimPrefix(r.URL.Path, "/api/")
		s.mu.Lock()
		s.calls = append(s.calls, method)
		s.mu.Unlock()
		if method == "apps.connections.open" {
			if r.Header.Get("Authorization") != "Bearer "+s.env["SLACK_APP_TOKEN"] {
				t.Error("Socket Mode is asked for with another token than the app's")
			}
			_, _ = w.Write([]byte(s.socket))
			return
		}
		s.sim.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.env = map[string]string{"SLACK_BOT_TOKEN": realBot, "SLACK_APP_TOKEN": realApp, "SLACK_API_URL": server.URL + "/api"}
	return s
}

// ask runs the doctor, and returns what it prints and whether it fails.
func (s *surgery) ask(args ...string) (string, error) {
	s.Helper()
	return s.local(append([]string{"doctor", "-flows", s.flows}, args...))
}

// local runs a command. No secret may be in anything that it prints.
func (s *surgery) local(args []string) (string, error) {
	s.Helper()
	var out, logs bytes.Buffer
	err := Main(s.Context(), args, func(name string) string { return s.env[name] }, &out, &logs)
	told := out.String() + logs.String()
	if err != nil {
		told += err.Error()
	}
	for name, value := range s.env {
		if value != "" && name != "SLACK_API_URL" && strings.Contains(told, value) {
			s.Errorf("%s is shown: %s", name, told)
		}
	}
	return out.String(), err
}

func TestDoctor_Healthy(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, patient)
	out, err := s.ask()
	if err != nil || out != "Slack has all that the flows need\n" {
		t.Errorf("%v:\n%s", err, out)
	}
	// The least that it can be: one for each person, one for all the rest of a kind.
	slices.Sort(s.calls)
	want := []string{"apps.connections.open", "auth.test", "bots.info", "usergroups.list", "users.conversations", "users.lookupByEmail", "users.lookupByEmail"}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDoctor_Findings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		flows  [2]string // what is replaced in the flows, by what
		change func(*slacksim.Config)
		with   func(*surgery)
		want   []string // lines, whole
		well   bool     // warnings only
	}{
		{name: "a channel that the bot is not in", flows: [2]string{"#access-prod", "#lonely"}, change: func(c *slacksim.Config) {
			c.Channels = append(slacksim.DefaultChannels(), slacksim.Channel{Name: "lonely"})
		}, want: []string{"fault: flows/ask.yaml:23: the bot is not in #lonely; type /invite @Sym there"}},
		{name: "a channel that is not there", flows: [2]string{"#sym-errors", "#no-such"},
			want: []string{"fault: flows/ask.yaml:9: Slack has no channel #no-such that the bot can see; create it, or correct the name; if it is private, type /invite @Sym there"}},
		{name: "an id that is not there", flows: [2]string{"#sym-errors", "C0NOSUCH"},
			want: []string{"fault: flows/ask.yaml:9: Slack has no channel C0NOSUCH that the bot can see; create it, or correct the name; if it is private, type /invite @Sym there"}},
		{name: "an id that is", flows: [2]string{"#sym-errors", "C0SYMERRORS"}, well: true, want: []string{"Slack has all that the flows need"}},
		{name: "an archived channel", flows: [2]string{"#access-prod", "#old"}, change: func(c *slacksim.Config) {
			c.Channels = append(slacksim.DefaultChannels(), slacksim.Channel{Name: "old", Archived: true, App: true})
		}, want: []string{"fault: flows/ask.yaml:23: the channel #old is archived; unarchive it, or name another one"}},
		{name: "a group that is not there", flows: [2]string{"group:platform", "group:plattform"},
			want: []string{"fault: flows/ask.yaml:25: Slack has no user group @plattform; create it, or correct the name"}},
		{name: "an empty group", flows: [2]string{"group:platform", "group:nobody"}, change: func(c *slacksim.Config) {
			c.Groups = []slacksim.Group{{Handle: "nobody"}}
		}, want: []string{
			"fault: flows/ask.yaml:25: nobody is in the user group @nobody; add people to it",
			"warning: flows/ask.yaml:24: bob@example.com is asked and may not approve, so that their click is refused; add them to a group of approvers, name user:bob@example.com there, or ask somebody else",
		}},
		{name: "who is asked and in no group", flows: [2]string{"bob@example.com", "carol@example.com"}, well: true, want: []string{
			"warning: flows/ask.yaml:24: carol@example.com is asked and may not approve, so that their click is refused; add them to a group of approvers, name user:carol@example.com there, or ask somebody else",
			"Slack has all that the flows need",
		}},
		{name: "somebody who is not there", flows: [2]string{"admins: [lead@example.com]", "admins: [lead@example.com, gone@example.com]"},
			want: []string{"fault: flows/ask.yaml:15: Slack has nobody active with the address gone@example.com; correct it, or remove it"}},
		{name: "a guest", flows: [2]string{"admins: [lead@example.com]", "admins: [lead@example.com, guest@example.com]"}, well: true, want: []string{
			"warning: flows/ask.yaml:15: guest@example.com is a guest, whose clicks count only where the flow says allow_guest_interaction; name a member, or allow guests",
			"Slack has all that the flows need",
		}},
		{name: "another workspace", flows: [2]string{"T0LOCAL", "T0123456789"}, well: true, want: []string{
			"warning: flows/ask.yaml:4: the configuration is for the workspace T0123456789, and the bot token is of T0LOCAL; write external_id: T0LOCAL, or set the token of the other workspace",
			"Slack has all that the flows need",
		}},
		{name: "a scope that is missing", change: func(c *slacksim.Config) {
			c.Scopes = slices.DeleteFunc(slices.Clone(c.Scopes), func(s string) bool { return s == "usergroups:read" })
		}, want: []string{
			"fault: the bot token lacks the scope usergroups:read (who is in the groups that may approve); add it under OAuth & Permissions, or take the manifest of slack-manifest over, and install the app again",
			"fault: flows/ask.yaml:25: the Slack app lacks a scope to reach the user groups: add it under OAuth & Permissions and install the app again (needed: usergroups:read; there: " +
				strings.Join(slices.DeleteFunc(slackapp.NewManifest(slackapp.ManifestOptions{}).OAuth.Scopes.Bot, func(s string) bool { return s == "usergroups:read" }), ",") +
				"); take the manifest of slack-manifest over (App Manifest in the app's settings) and install the app again",
		}},
		{name: "a scope too many", change: func(c *slacksim.Config) { c.Scopes = append(slices.Clone(c.Scopes), "admin") }, well: true, want: []string{
			"warning: the bot token has the scope admin, which nothing here uses; remove it under OAuth & Permissions, and install the app again",
			"Slack has all that the flows need",
		}},
		{name: "one of the two scopes for links", change: func(c *slacksim.Config) { c.Scopes = append(slices.Clone(c.Scopes), "links:read") }, want: []string{
			"fault: the bot token lacks the scope links:write (to show what such a link leads to); add it under OAuth & Permissions, or take the manifest of slack-manifest over, and install the app again",
		}},
		{name: "both scopes for links", change: func(c *slacksim.Config) { c.Scopes = append(slices.Clone(c.Scopes), "links:read", "links:write") }, well: true, want: []string{
			"Slack has all that the flows need",
		}},
		{name: "no scopes for links", args: []string{"-links"}, want: []string{
			"fault: the bot token lacks the scope links:read (to hear of links to requests that people post); add it under OAuth & Permissions, or take the manifest of slack-manifest over, and install the app again",
			"fault: the bot token lacks the scope links:write (to show what such a link leads to); add it under OAuth & Permissions, or take the manifest of slack-manifest over, and install the app again",
		}},
		{name: "an unnamed set of scopes", change: func(c *slacksim.Config) { c.Scopes = nil }, want: []string{
			"unknown: Slack did not say which scopes the bot token has; compare the app's settings with slack-manifest",
		}},
		{name: "a revoked token", with: func(s *surgery) { s.sim.Inject("auth.test", 1, slacksim.Fault{Error: "token_revoked"}) }, want: []string{
			"fault: Slack refuses the bot token, so that the workspace can't be reached: install the app again and set the new token; see docs/slack.md",
		}},
		{name: "Slack is down", with: func(s *surgery) { s.sim.Inject("*", 100, slacksim.Fault{Status: 503}) }, want: []string{
			"unknown: Slack does not answer about the workspace; run this again; if it goes on, look at status.slack.com, at SLACK_API_URL and at this machine's way to the internet",
		}},
		{name: "Slack breaks off", with: func(s *surgery) { s.sim.Inject("users.lookupByEmail", 100, slacksim.Fault{DropAnswer: true}) }, want: []string{
			"unknown: flows/ask.yaml:24: Slack does not answer about bob@example.com; run this again; if it goes on, look at status.slack.com, at SLACK_API_URL and at this machine's way to the internet",
		}},
		{name: "an app token of another app", with: func(s *surgery) {
			s.env["SLACK_APP_TOKEN"] = "xapp-1-A0OTHER-1-0123456789abcdef0123456789abcdef"
		}, want: []string{
			"fault: SLACK_APP_TOKEN: it is a token of the app A0OTHER, and the bot token is of the app A0SYM; take both tokens from one app",
		}},
		{name: "an app token without its scope", with: func(s *surgery) {
			s.socket = `{"ok":false,"error":"missing_scope","needed":"connections:write","provided":"authorizations:read"}`
		}, want: []string{
			"fault: SLACK_APP_TOKEN: the app-level token lacks the scope connections:write; make one with it under Basic Information, App-Level Tokens",
		}},
		{name: "an app token that is refused", with: func(s *surgery) { s.socket = `{"ok":false,"error":"invalid_auth"}` }, want: []string{
			"fault: SLACK_APP_TOKEN: Slack refuses the app-level token (invalid_auth); make a new one under Basic Information, App-Level Tokens, with connections:write",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*slacksim.Config)
			if test.change != nil {
				changes = append(changes, test.change)
			}
			s := newSurgery(t, strings.Replace(patient, test.flows[0], test.flows[1], 1), changes...)
			if test.flows[0] == "" {
				s = newSurgery(t, patient, changes...)
			}
			if test.with != nil {
				test.with(s)
			}
			out, err := s.ask(test.args...)
			if diff := cmp.Diff(test.want, strings.Split(strings.TrimSuffix(out, "\n"), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != test.well {
				t.Errorf("the command ends with %v", err)
			}
		})
	}
}

// Where Slack asks to wait, it is waited for; longer than there is time for, the
// finding says what was not asked.
func TestDoctor_Limited(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, patient)
	s.sim.Inject("users.lookupByEmail", 1, slacksim.Fault{RetryAfter: time.Second})
	if out, err := s.ask(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	s.sim.Inject("users.lookupByEmail", 1, slacksim.Fault{RetryAfter: 24 * time.Hour})
	out, err := s.ask()
	if want := "unknown: flows/ask.yaml:24: Slack asks to wait "; err == nil || !strings.Contains(out, want) {
		t.Errorf("%v, want %q:\n%s", err, want, out)
	}
}

// By HTTP, the deployment itself is asked whether what Slack signs arrives.
func TestDoctor_Probe(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, patient)
	delete(s.env, "SLACK_APP_TOKEN")
	s.env["SLACK_SIGNING_SECRET"] = realSecret
	other := "fedcba9876543210fedcba9876543210"
	deployment := httptest.NewServer((&slackapp.App{Wall: time.Now}).Handler(slackapp.FixedSecret(realSecret)))
	t.Cleanup(deployment.Close)
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	for _, test := range []struct {
		name, url, secret, want string
	}{
		{"well", deployment.URL + "/", realSecret, ""},
		{"not asked", "", realSecret, "unknown: whether Slack's requests arrive can't be known from here"},
		{"another secret", deployment.URL, other, "fault: the deployment at " + deployment.URL + "/slack/events refuses what is signed with SLACK_SIGNING_SECRET"},
		{"another server", nothing.URL, realSecret, "fault: what answers at " + nothing.URL + "/slack/events (status 404) is not a deployment of this product"},
		{"no server", "http://127.0.0.1:1", realSecret, "fault: nothing answers at http://127.0.0.1:1/slack/events"},
		{"a token as the secret", deployment.URL, "xoxp-1", "fault: SLACK_SIGNING_SECRET: this is a token, not the signing secret"},
		{"a short secret", deployment.URL, "0123456789abcdef", "warning: SLACK_SIGNING_SECRET: this does not look like a signing secret"},
	} {
		s.env["SLACK_SIGNING_SECRET"] = test.secret
		out, err := s.ask("-url", test.url)
		if !strings.Contains(out, test.want) || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v:\n%s", test.name, err, out)
		}
	}
}

func TestDoctor_JSON(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, strings.Replace(patient, "group:platform", "group:none", 1))
	out, err := s.ask("-json")
	var got struct{ Findings []slackapp.Finding }
	if jsonErr := json.Unmarshal([]byte(out), &got); jsonErr != nil || err == nil {
		t.Fatalf("%v, %v: %s", jsonErr, err, out)
	}
	want := []slackapp.Finding{{Level: slackapp.LevelFault, Where: "flows/ask.yaml:25", What: "Slack has no user group @none", Do: "create it, or correct the name"}}
	if diff := cmp.Diff(want, got.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// For an organisation, each of its workspaces is asked, and channels have no names.
func TestDoctor_Organisation(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, strings.NewReplacer("T0LOCAL", "E0LOCAL", "#sym-errors", "C0SYMERRORS").Replace(patient), func(c *slacksim.Config) {
		c.Workspaces = []string{"sales"}
		c.Groups = append(slacksim.DefaultGroups(), slacksim.Group{Handle: "platform", Members: []string{"bob"}, Workspace: "sales"})
	})
	out, err := s.ask()
	want := `fault: flows/ask.yaml:23: the app is installed for a whole organisation, for which Slack finds no channel by a name such as #access-prod; name the channel by its id (C…)
fault: flows/ask.yaml:25: the organisation has several user groups called @platform; name the one that is meant by its id, such as S0SALESPLATFORM
`
	if diff := cmp.Diff(want, out); diff != "" || err == nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestDoctor_NoTokens(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, patient)
	s.env = nil
	if _, err := s.ask(); err == nil || !strings.Contains(err.Error(), "set SLACK_BOT_TOKEN") {
		t.Error(err)
	}
}
