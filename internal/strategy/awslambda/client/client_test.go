package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awslambda"
	"github.com/symflows/symflows/internal/strategy/awslambda/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	ordersARN  = "arn:aws:lambda:us-east-1:123456789012:function:orders"
	billingARN = "arn:aws:lambda:us-east-1:123456789012:function:billing"
)

func databases() flow.Strategy {
	return flow.Strategy{
		Name: "databases", Type: "aws_lambda",
		Targets: []flow.Target{
			{Name: "orders-db", Type: "aws_lambda_function", Label: "Orders", Settings: map[string]string{"arn": ordersARN}},
			{Name: "billing-db", Type: "aws_lambda_function", Label: "Billing", Settings: map[string]string{"arn": billingARN}},
		},
	}
}

// lambda stands for Lambda with a function behind each ARN that keeps who has
// access, by run.
type lambda struct {
	mu      sync.Mutex
	mood    strategytest.Mood
	changes []strategytest.Change
	access  map[string]bool // "<arn> <identity> <run>"
	counted bool            // it does not tell runs apart
}

func (l *lambda) SetMood(m strategytest.Mood) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mood = m
}

func (l *lambda) Changes() []strategytest.Change {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.changes)
}

func (l *lambda) Has(target flow.Target, identity string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for who := range l.access {
		if strings.HasPrefix(who, target.Settings["arn"]+" "+identity+" ") {
			return true
		}
	}
	return false
}

func (l *lambda) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	l.mu.Lock()
	mood := l.mood
	answer, err := l.do(arn, payload, mood)
	l.mu.Unlock()
	if mood == strategytest.Mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return answer, err
}

func (l *lambda) do(arn string, payload []byte, mood strategytest.Mood) ([]byte, error) {
	var record events.AuditRecord
	if err := json.Unmarshal(payload, &record); err != nil {
		return nil, flow.Errorf(flow.CodeHandler, "bad payload")
	}
	identity := record.Run.Actors["request"].Username
	l.changes = append(l.changes, strategytest.Change{Event: record.Event.Type, Identity: identity, Record: payload})
	switch mood {
	case strategytest.Refusing:
		return []byte(`{"body":{},"errors":["no such database"]}`), nil
	case strategytest.Throttled: // as Lambda asks
		return nil, &flow.RateLimited{After: 7 * time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "function could not be reached")}
	case strategytest.Broken, strategytest.Untimed:
		return nil, flow.Errorf(flow.CodeUnavailable, "function could not be reached")
	case strategytest.Mute:
		return nil, nil
	}
	key := fmt.Sprintf("%s %s %s", arn, identity, record.Run.SRN)
	if l.counted {
		key = fmt.Sprintf("%s %s ", arn, identity)
	}
	if record.Event.Type == "escalate" {
		l.access[key] = true
	} else {
		delete(l.access, key)
	}
	if mood == strategytest.Forgetful {
		return nil, flow.Errorf(flow.CodeUnavailable, "connection lost")
	}
	return []byte(`{"body":{"user":"u1"},"errors":[]}`), nil
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, counted := range []bool{false, true} {
		t.Run(fmt.Sprintf("Counted=%t", counted), func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(*testing.T) strategytest.Subject {
				system := &lambda{access: map[string]bool{}, counted: counted}
				s := databases()
				if counted {
					s.Settings = map[string]string{"counted": "true"}
				}
				return strategytest.Subject{
					Type: awslambda.Type(), Open: client.Open(client.Deps{Functions: system}), System: system, Strategy: s,
					Identities: [2]string{"alice@example.com", "bob@example.com"}, Shared: counted, Wait: 7 * time.Second, Cannot: strategytest.Blind(),
				}
			})
		})
	}
}

// answer is a function that always gives the same answer.
type answer struct {
	body string
	err  error
}

func (a answer) Invoke(context.Context, string, []byte) ([]byte, error) { return []byte(a.body), a.err }

func TestAnswers(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for _, test := range []struct {
		name   string
		answer answer
		want   strategy.Result
		code   flow.Code
		text   string
	}{
		{
			name: "Success", answer: answer{body: `{"body":{"user":"u1"},"errors":[]}`},
			want: strategy.Result{Output: json.RawMessage(`{"body":{"user":"u1"},"errors":[]}`)},
		},
		{
			name: "IllFormed", answer: answer{body: `"ok"`},
			want: strategy.Result{
				Output:   json.RawMessage(`{"body":null,"errors":[]}`),
				Warnings: []string{`the function did not answer in the shape {"body": {…}, "errors": ["…"]}: the answer is a text. It counts as a success.`},
			},
		},
		{name: "Errors", answer: answer{body: `{"body":{},"errors":["one","two"]}`}, code: flow.CodeStrategy, text: "the function reported:\n• one\n• two"},
		{name: "FunctionError", answer: answer{err: flow.Errorf(flow.CodeHandler, `function "orders" failed: boom`)}, code: flow.CodeStrategy, text: `function "orders" failed: boom`},
		{name: "Unavailable", answer: answer{err: flow.Errorf(flow.CodeUnavailable, "not reached")}, code: flow.CodeUnavailable, text: "not reached"},
		{name: "NoCode", answer: answer{err: lost}, code: flow.CodeInternal, text: flow.UserMessage(lost)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opened, err := client.Open(client.Deps{Functions: test.answer})(databases())
			if err != nil {
				t.Fatal(err)
			}
			got, err := opened.Grant(t.Context(), strategy.Call{Target: databases().Targets[0]})
			if flow.CodeOf(err) != test.code || err != nil && flow.UserMessage(err) != test.text {
				t.Errorf("got error %q of %q, want %q of %q", err, flow.CodeOf(err), test.text, test.code)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
