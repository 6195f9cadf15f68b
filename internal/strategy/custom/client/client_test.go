package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/custom"
	"github.com/symflows/symflows/internal/strategy/custom/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

func ours() flow.Strategy {
	return flow.Strategy{
		Name: "ours", Type: "custom", Implementation: flow.NewSource("ours.py", "class Ours(AccessStrategy): ..."),
		Targets: []flow.Target{
			{Name: "orders", Type: "custom", Label: "Orders", Settings: map[string]string{"identifier": "orders"}},
			{Name: "billing", Type: "custom", Label: "Billing", Settings: map[string]string{"identifier": "billing"}},
		},
	}
}

// code is a class that keeps who has access, by run.
type code struct {
	mu      sync.Mutex
	mood    strategytest.Mood
	changes []strategytest.Change
	access  map[string]bool // "<identifier> <identity> <run>"
	counted bool            // it does not tell runs apart
}

func (c *code) SetMood(m strategytest.Mood) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mood = m
}

func (c *code) Changes() []strategytest.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.changes)
}

func (c *code) Has(target flow.Target, identity string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for who := range c.access {
		if strings.HasPrefix(who, target.Settings["identifier"]+" "+identity+" ") {
			return true
		}
	}
	return false
}

func (c *code) Do(ctx context.Context, _ flow.Strategy, method string, call strategy.Call) (json.RawMessage, error) {
	c.mu.Lock()
	mood := c.mood
	value, err := c.do(method, call, mood)
	c.mu.Unlock()
	if mood == strategytest.Mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return value, err
}

func (c *code) do(method string, call strategy.Call, mood strategytest.Mood) (json.RawMessage, error) {
	record, err := json.Marshal(call.Record)
	if err != nil {
		return nil, err
	}
	c.changes = append(c.changes, strategytest.Change{Event: method, Identity: call.Identity, Record: record})
	switch mood {
	case strategytest.Refusing:
		return nil, flow.Errorf(flow.CodeStrategy, "%s (ours.py:7): no such database", method)
	case strategytest.Throttled: // as Lambda asks
		return nil, &flow.RateLimited{After: 7 * time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "function could not be reached")}
	case strategytest.Broken, strategytest.Untimed:
		return nil, flow.Errorf(flow.CodeUnavailable, "function could not be reached")
	case strategytest.Mute:
		return nil, nil
	}
	key := fmt.Sprintf("%s %s %s", call.Target.Settings["identifier"], call.Identity, call.RunID)
	if c.counted {
		key = fmt.Sprintf("%s %s ", call.Target.Settings["identifier"], call.Identity)
	}
	if method == "escalate" {
		c.access[key] = true
	} else {
		delete(c.access, key)
	}
	if mood == strategytest.Forgetful {
		return nil, flow.Errorf(flow.CodeUnavailable, "connection lost")
	}
	return json.RawMessage(`{"user":"u1"}`), nil
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, counted := range []bool{false, true} {
		t.Run(fmt.Sprintf("Counted=%t", counted), func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(*testing.T) strategytest.Subject {
				system := &code{access: map[string]bool{}, counted: counted}
				s := ours()
				if counted {
					s.Settings = map[string]string{"counted": "true"}
				}
				return strategytest.Subject{
					Type: custom.Type(), Open: client.Open(system), System: system, Strategy: s,
					Identities: [2]string{"alice@example.com", "bob@example.com"}, Shared: counted, Wait: 7 * time.Second, Cannot: strategytest.Blind(),
				}
			})
		})
	}
}

// says is code that always says the same.
type says struct {
	value string
	err   error
}

func (s says) Do(context.Context, flow.Strategy, string, strategy.Call) (json.RawMessage, error) {
	return json.RawMessage(s.value), s.err
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		says   says
		output string
		code   flow.Code
	}{
		{"Object", says{value: `{"a":1}`}, `{"a":1}`, ""},
		{"None", says{value: `null`}, ``, ""},
		{"Raised", says{err: flow.Errorf(flow.CodeStrategy, "no")}, ``, flow.CodeStrategy},
		{"FunctionFailed", says{err: flow.Errorf(flow.CodeHandler, "a bug")}, ``, flow.CodeStrategy},
		{"Unreachable", says{err: flow.Errorf(flow.CodeUnavailable, "throttled")}, ``, flow.CodeUnavailable},
	} {
		opened, err := client.Open(tc.says)(ours())
		if err != nil {
			t.Fatal(err)
		}
		got, err := opened.Grant(t.Context(), strategy.Call{})
		if string(got.Output) != tc.output || flow.CodeOf(err) != tc.code {
			t.Errorf("%s: got %s, %v", tc.name, got.Output, err)
		}
	}
}

func TestFindIdentity(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`"remote-1"`: "remote-1", `null`: "", ``: "", `7`: "!"} {
		opened, err := client.Open(says{value: value})(ours())
		if err != nil {
			t.Fatal(err)
		}
		got, err := opened.(strategy.Finder).FindIdentity(t.Context(), "run", flow.Actor{})
		if want == "!" && flow.CodeOf(err) != flow.CodeStrategy || want != "!" && (got != want || err != nil) {
			t.Errorf("%s: got %q, %v", value, got, err)
		}
	}
}

// TestOpenWithoutPython: a removal must go on trying until there is Python.
func TestOpenWithoutPython(t *testing.T) {
	t.Parallel()
	if _, err := client.Open(nil)(ours()); !flow.Retryable(err) {
		t.Errorf("got %v, want an error that may pass", err)
	}
}
