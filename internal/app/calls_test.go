package app

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

const callsFlows = `
kind: environment
name: main
admins: [carol@example.com]
---
kind: target
name: orders-db
type: http
---
kind: strategy
name: databases
type: http
targets: [orders-db]
settings: {url: "https://target.example.com/"}
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: reason, type: string}
    - {name: duration, type: duration, allowed_values: [4m]}
  approval:
    approvers: ["user:bob@example.com"]
    notify: [{channel: "#access-prod"}]
`

// TestSlackCalls: one whole access run, from the command to the end, makes at most
// nine calls of Slack that show something: the form; the card in the channel and the
// requester's, each posted and edited twice; and two replies. Beside these it asks who
// people are: the requester as they ask, both as it is decided, and whoever holds access
// every five minutes, which no memory answers; others only if Slack was not asked for
// ten minutes.
func TestSlackCalls(t *testing.T) {
	t.Parallel()
	p := newProduct(t.TempDir(), "")
	c := contest{p, t}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Mkdir(p.path("flows"), 0o700))
	check(os.WriteFile(p.path("flows/flows.yaml"), []byte(callsFlows), 0o600))
	check(p.start(func(*Options) error { return nil }))
	t.Cleanup(func() { check(p.stop()) })
	alice, bob := p.local.Slack.As("alice"), p.local.Slack.As("bob")
	var at time.Duration
	pass := func(d time.Duration) {
		at += d
		check(c.at(at))
	}
	run := func() map[string]int {
		before := p.local.Slack.Calls()
		check(alice.Command("/sym req prod-access"))
		check(alice.Fill(map[string]string{"Target": "orders-db", "Duration": "4 minutes", "Reason": "to look into late orders"}))
		check(alice.Submit())
		pass(time.Minute)
		check(bob.Click("", "Approve"))
		pass(time.Minute)
		if access := p.target.access(); !strings.Contains(access, "alice") {
			t.Fatalf("access is not live: %q", access)
		}
		pass(4 * time.Minute)
		if access := p.target.access(); access != "" {
			t.Fatalf("access is still live: %q", access)
		}
		made := p.local.Slack.Calls()
		maps.DeleteFunc(made, func(method string, n int) bool {
			made[method] -= before[method]
			return n == before[method]
		})
		return made
	}
	for _, tc := range []struct {
		name   string
		people map[string]int
	}{
		{"cold", map[string]int{"users.info": 5, "users.lookupByEmail": 2}},
		{"warm", map[string]int{"users.info": 4}},
	} {
		made := run()
		shows := 0
		for method, n := range made {
			if !strings.HasPrefix(method, "users.") {
				shows += n
			}
		}
		want := maps.Clone(tc.people)
		maps.Copy(want, map[string]int{"views.open": 1, "chat.postMessage": 4, "chat.update": 4})
		if shows > 9 || !maps.Equal(made, want) {
			t.Errorf("%s: %d calls that show something, 9 at most; all are %v, want %v", tc.name, shows, made, want)
		}
	}
}
