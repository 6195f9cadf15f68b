package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/terminal"
)

// agentFlows let agents in to one flow, and people alone to another.
const agentFlows = `kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  agents: {max_duration: 30m}
  prompt_fields: [{name: duration, type: duration, required: true, allowed_values: [10m, 1h]}]
  approval: {notify: [{channel: "#access-prod"}], allow_self_approval: true}
---
kind: flow
name: people-only
environment_id: main
params:
  approval: {notify: [{channel: "#access-prod"}]}
`

// withAgents is a product that agents may ask, and the token of one of Bob's.
func withAgents(t *testing.T) (p *product, token string) {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p = newProduct(t.TempDir(), repository)
	if err := environment(p.path("flows/environment.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path("flows/agents.yaml"), []byte(agentFlows), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.start(options(nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return p, p.tokenOf(t, store.Token{Bot: "helper", Agent: true, Owner: "bob@example.com"})
}

func (p *product) tokenOf(t *testing.T, of store.Token) string {
	t.Helper()
	value, _, err := p.local.Tokens.Create(t.Context(), flow.Operator, of, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// bearer sends requests with a token.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// byHTTP connects the SDK's own client to /mcp.
func byHTTP(t *testing.T, p *product, token string) (*sdk.ClientSession, error) {
	t.Helper()
	return dialHTTP(t, p.url+"/mcp", token)
}

func dialHTTP(t *testing.T, address, token string) (*sdk.ClientSession, error) {
	t.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	s, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: address, HTTPClient: &http.Client{Transport: bearer(token)}, DisableStandaloneSSE: true, MaxRetries: -1}, nil)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// byStdio connects it to the command mcp.
func byStdio(t *testing.T, p *product, token string) (*sdk.ClientSession, error) {
	t.Helper()
	return dialStdio(t, []string{"mcp"}, map[string]string{"SYM_API_URL": p.url, "SYM_JWT": token})
}

// dialStdio connects it to a command of package terminal.
func dialStdio(t *testing.T, args []string, env map[string]string) (*sdk.ClientSession, error) {
	t.Helper()
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := terminal.Command{
			Program: "symflows", In: toServer, Out: fromServer, Errors: io.Discard,
			Getenv: func(name string) string { return env[name] },
		}.Run(ctx, args)
		_ = fromServer.CloseWithError(io.EOF)
		ended <- err
	}()
	c := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	s, err := c.Connect(t.Context(), &sdk.IOTransport{Reader: toClient, Writer: fromClient}, nil)
	t.Cleanup(func() {
		if s != nil {
			_ = s.Close()
		}
		cancel()
		_ = fromClient.Close()
		<-ended
	})
	return s, err
}

// used calls a tool, and gives its result, or the code of its error.
func used(t *testing.T, s *sdk.ClientSession, tool string, args any) (out map[string]any, code string) {
	t.Helper()
	r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return nil, "protocol: " + err.Error()
	}
	if r.IsError {
		var failure struct{ Code string }
		text := r.Content[0].(*sdk.TextContent).Text
		if json.Unmarshal([]byte(text), &failure) != nil {
			return nil, "arguments: " + text
		}
		return nil, failure.Code
	}
	b, err := json.Marshal(r.StructuredContent)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, ""
}

const ordersSRN = "sym:access_target:http:orders-db:latest"

var right = map[string]any{"flow": "prod-access", "inputs": map[string]any{"target_srn": ordersSRN, "duration": 600}, "purpose": "find out why order 42 is stuck", "key": "task-1"}

// An agent finds what it may ask for, asks, waits, has access, and ends it: by HTTP and by
// standard input and output alike.
func TestMCP(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]func(*testing.T, *product, string) (*sdk.ClientSession, error){"http": byHTTP, "stdio": byStdio} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, token := withAgents(t)
			s, err := connect(t, p, token)
			if err != nil {
				t.Fatal(err)
			}
			tools, err := s.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range tools.Tools {
				names = append(names, tool.Name)
				if tool.Description == "" || tool.InputSchema == nil {
					t.Errorf("%s is not described", tool.Name)
				}
			}
			slices.Sort(names)
			if want := []string{"ask", "end", "list_flows", "list_live", "wait"}; !slices.Equal(names, want) {
				t.Errorf("the tools are %q, want %q", names, want)
			}
			known, code := used(t, s, "list_flows", map[string]any{})
			if text, _ := json.Marshal(known); code != "" || strings.Contains(string(text), "people-only") || !strings.Contains(string(text), ordersSRN) || !strings.Contains(string(text), `"max_duration":1800`) {
				t.Fatalf("it may ask for %s %s", text, code)
			}
			asked, code := used(t, s, "ask", right)
			again, _ := used(t, s, "ask", right) // a replay
			if code != "" || asked["run_id"] == "" || again["run_id"] != asked["run_id"] {
				t.Fatalf("%v, then %v, %s", asked, again, code)
			}
			if err := p.settle(); err != nil {
				t.Fatal(err)
			}
			if open, code := used(t, s, "wait", map[string]any{"run_id": asked["run_id"], "seconds": 1}); code != "" || open["over"] != false || open["status"] != "requested" {
				t.Errorf("while it is open: %v %s", open, code)
			}
			bob, alice := p.local.Slack.As("bob"), p.local.Slack.As("alice")
			id := asked["run_id"].(string)
			if err := onMessage(p, alice, []string{id}, func(ts string) error { return alice.Click(ts, "Approve") }); err != nil {
				t.Fatal(err)
			}
			if err := p.settle(); err != nil {
				t.Fatal(err)
			}
			if granted, code := used(t, s, "wait", map[string]any{"run_id": id}); code != "" || granted["outcome"] != "granted" || granted["expires_at"] == nil {
				t.Errorf("once it is approved: %v %s", granted, code)
			}
			if live, code := used(t, s, "list_live", map[string]any{}); code != "" || len(live["runs"].([]any)) != 1 {
				t.Errorf("live: %v %s", live, code)
			}
			if ended, code := used(t, s, "end", map[string]any{"run_id": id}); code != "" || ended["ended"] != true || ended["was"] != "escalated" {
				t.Errorf("ended: %v %s", ended, code)
			}
			if err := p.settle(); err != nil {
				t.Fatal(err)
			}
			if p.target.access() != "" {
				t.Errorf("there is access after its end: %s", p.target.access())
			}
			if live, _ := used(t, s, "list_live", map[string]any{}); len(live["runs"].([]any)) != 0 {
				t.Errorf("live after the end: %v", live)
			}
			if !strings.Contains(bob.Screen(), "Your agent *helper* asked") {
				t.Error("the owner was not told")
			}
		})
	}
}

// What an agent must not get by any tool or name of a field.
func TestMCP_Refused(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	s, err := byHTTP(t, p, token)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"approve", "deny", "decide", "extend", "review", "break_glass", "runs", "list_runs", "request", "events/request", "../ask", "Ask", ""} {
		if _, code := used(t, s, tool, map[string]any{"run_id": "x"}); !strings.HasPrefix(code, "protocol: ") {
			t.Errorf("the tool %q is there: %s", tool, code)
		}
	}
	with := func(name string, value any) map[string]any {
		args := map[string]any{"key": "other"}
		for k, v := range right {
			args[k] = v
		}
		args[name] = value
		return args
	}
	for _, name := range []string{"user_email", "user_id", "for", "requester", "owner", "actor", "approve", "approved_by", "break_glass", "start_at", "token", "status", "allow_self_approval", "decision"} {
		if out, code := used(t, s, "ask", with(name, "bob@example.com")); code == "" {
			t.Errorf("ask takes %s: %v", name, out)
		}
	}
	for name, value := range map[string]any{"user_email": "bob@example.com", "decision_message": "yes", "approve": true, "break_glass": true, "duration": 3600, ".for": "U0BOB", "target_id": "orders-db"} {
		if out, code := used(t, s, "ask", with("inputs", map[string]any{"target_srn": ordersSRN, "duration": 600, name: value})); code != "Request:INVALID" {
			t.Errorf("the input %s is taken: %v %s", name, out, code)
		}
	}
	for what, args := range map[string]map[string]any{"no purpose": with("purpose", " "), "a speech": with("purpose", strings.Repeat("x", flow.MaxPurpose+1))} {
		if _, code := used(t, s, "ask", args); code != "Request:INVALID" {
			t.Errorf("%s: %s", what, code)
		}
	}
	if _, code := used(t, s, "ask", with("flow", "people-only")); code != "Flow:NOT_FOUND" {
		t.Errorf("a flow for people: %s", code)
	}
	// Runs of others, its owner's among them, are not there.
	bob := p.local.Slack.As("bob")
	for _, do := range []func() error{func() error { return bob.Command("/sym req people-only") }, bob.Submit, p.settle, p.meet} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	other := p.tokenOf(t, store.Token{Bot: "second", Agent: true, Owner: "bob@example.com"})
	second, err := byHTTP(t, p, other)
	if err != nil {
		t.Fatal(err)
	}
	theirs, code := used(t, second, "ask", right)
	if code != "" {
		t.Fatal(code)
	}
	for whose, id := range map[string]any{"its owner's": p.runs[0], "another agent's": theirs["run_id"]} {
		for _, tool := range []string{"wait", "end"} {
			if out, code := used(t, s, tool, map[string]any{"run_id": id}); code != "Run:NOT_FOUND" {
				t.Errorf("%s of %s run: %v %s", tool, whose, out, code)
			}
		}
	}
	if live, _ := used(t, s, "list_live", map[string]any{}); len(live["runs"].([]any)) != 0 {
		t.Errorf("it is listed %v", live)
	}
	// A flood is held back.
	for n := range store.DefaultAgentLimits.AtOnce {
		if _, code := used(t, s, "ask", with("key", string(rune('a'+n)))); code != "" {
			t.Fatal(code)
		}
	}
	for range 3 {
		if _, code := used(t, s, "ask", with("key", "more")); code != "Agent:LIMIT" {
			t.Errorf("too many requests: %s", code)
		}
	}
}

// Who is no agent does not come in.
func TestMCP_Tokens(t *testing.T) {
	t.Parallel()
	p, _ := withAgents(t)
	bot := p.tokenOf(t, store.Token{Bot: "ci", Owner: "bob@example.com"})
	for name, token := range map[string]string{"a bot": bot, "nobody": "symflows_WRONG"} {
		for _, connect := range []func(*testing.T, *product, string) (*sdk.ClientSession, error){byHTTP, byStdio} {
			if _, err := connect(t, p, token); err == nil {
				t.Errorf("%s is let in", name)
			}
		}
	}
	for method, want := range map[string]int{http.MethodPost: 401, http.MethodGet: 401, http.MethodDelete: 401} {
		r, err := http.NewRequestWithContext(t.Context(), method, p.url+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s without a token: %d", method, resp.StatusCode)
		}
	}
}
