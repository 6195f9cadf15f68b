package strategy_test

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	const empty = `{"body":null,"errors":[]}`
	for _, test := range []struct {
		name, answer string
		output       string
		warning      string // part of it; "" for none
		message      string // of the error; "" for none
	}{
		{name: "Success", answer: `{"body": {"user": "a1"}, "errors": []}`, output: `{"body":{"user":"a1"},"errors":[]}`},
		{name: "EmptyBody", answer: `{"body":{},"errors":[]}`, output: `{"body":{},"errors":[]}`},
		{name: "MoreKeys", answer: `{"body":{},"errors":[],"took":3}`, output: `{"body":{},"errors":[]}`},
		{name: "Nothing", answer: "", output: empty, warning: "the answer is missing"},
		{name: "Null", answer: "null", output: empty, warning: "the answer is null"},
		{name: "Text", answer: `"done"`, output: empty, warning: "the answer is a text"},
		{name: "List", answer: `[]`, output: empty, warning: "the answer is a list"},
		{name: "Number", answer: `42`, output: empty, warning: "the answer is a number"},
		{name: "NoJSON", answer: `<html>`, output: empty, warning: "the answer is no JSON"},
		{name: "HalfJSON", answer: `{"body":{},`, output: empty, warning: "the answer is no JSON"},
		{name: "NoBody", answer: `{"errors":[]}`, output: empty, warning: "body is missing"},
		{name: "NoErrors", answer: `{"body":{"a":1}}`, output: `{"body":{"a":1},"errors":[]}`, warning: "errors is missing"},
		{name: "TextBody", answer: `{"body":"ok","errors":[]}`, output: `{"body":"ok","errors":[]}`, warning: "body is a text"},
		{name: "NullErrors", answer: `{"body":{},"errors":null}`, output: `{"body":{},"errors":[]}`, warning: "errors is null"},
		{name: "EmptyErrorText", answer: `{"body":{},"errors":""}`, output: `{"body":{},"errors":[]}`, warning: "errors is a text"},
		{name: "Both", answer: `{"statusCode":200}`, output: empty, warning: "body is missing, errors is missing"},
		{name: "OneError", answer: `{"body":{},"errors":["no such database"]}`, message: "the function reported:\n• no such database"},
		{name: "TwoErrors", answer: `{"body":{},"errors":["one","two"]}`, message: "the function reported:\n• one\n• two"},
		{name: "ErrorsWithoutBody", answer: `{"errors":["one"]}`, message: "the function reported:\n• one"},
		{name: "ErrorObjects", answer: `{"body":{},"errors":[{"message":"one"}]}`, message: "the function reported:\n• {\"message\":\"one\"}"},
		{name: "ErrorText", answer: `{"body":{},"errors":"one"}`, message: "the function reported:\n• one"},
		{name: "ErrorTrue", answer: `{"body":{},"errors":true}`, message: "the function reported:\n• true"},
		{name: "LongError", answer: `{"errors":["` + strings.Repeat("é", 400) + `"]}`, message: "the function reported:\n• " + strings.Repeat("é", 300) + "…"},
		{
			name: "ManyErrors", answer: `{"errors":["1","2","3","4","5","6","7","8","9","10","11","12"]}`,
			message: "the function reported:\n• 1\n• 2\n• 3\n• 4\n• 5\n• 6\n• 7\n• 8\n• 9\n• 10\n• and 2 more",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result, err := strategy.ReadAnswer("the function", []byte(test.answer))
			if test.message != "" {
				if flow.CodeOf(err) != flow.CodeStrategy || flow.UserMessage(err) != test.message {
					t.Errorf("got error %q of %s, want %q of %s", err, flow.CodeOf(err), test.message, flow.CodeStrategy)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(result.Output) != test.output {
				t.Errorf("output %s, want %s", result.Output, test.output)
			}
			switch got := strings.Join(result.Warnings, "\n"); {
			case test.warning == "" && got != "":
				t.Errorf("warned: %s", got)
			case !strings.Contains(got, test.warning), test.warning != "" && !strings.Contains(got, `{"body": {…}, "errors": ["…"]}`):
				t.Errorf("warning %q, want one about %q that shows the shape", got, test.warning)
			}
		})
	}
}

func TestContractEntitlements(t *testing.T) {
	t.Parallel()
	s := flow.Strategy{Type: "aws_lambda", Name: "databases"}
	orders := flow.Target{Name: "orders-db", Settings: map[string]string{"arn": "arn:a", "identifier": "orders"}}
	key := func(s flow.Strategy, destination string, target flow.Target, identity, run string) string {
		t.Helper()
		e, err := strategy.ContractEntitlements(s, destination, target, identity, run)
		if err != nil {
			t.Fatal(err)
		}
		return e[0].Key
	}
	with := func(target flow.Target, k, v string) flow.Target {
		target.FieldBindings = []string{k}
		return target.Bind(map[string]any{k: v})
	}
	first := key(s, "arn:a", orders, "alice@example.com", "run-1")
	if again := key(s, "arn:a", orders, "alice@example.com", "run-1"); again != first {
		t.Errorf("not stable: %s, then %s", first, again)
	}
	relabelled := orders
	relabelled.Label = "Orders"
	if got := key(s, "arn:a", relabelled, "alice@example.com", "run-1"); got != first {
		t.Errorf("a label changed the key from %s to %s", first, got)
	}
	billing := orders
	billing.Name = "billing-db"
	distinct := map[string]string{first: "the first"}
	for what, got := range map[string]string{
		"destination": key(s, "arn:b", orders, "alice@example.com", "run-1"),
		"target":      key(s, "arn:a", billing, "alice@example.com", "run-1"),
		"setting":     key(s, "arn:a", with(orders, "schema", "public"), "alice@example.com", "run-1"),
		"identity":    key(s, "arn:a", orders, "bob@example.com", "run-1"),
		"run":         key(s, "arn:a", orders, "alice@example.com", "run-2"),
		"type":        key(flow.Strategy{Type: "http"}, "arn:a", orders, "alice@example.com", "run-1"),
	} {
		if other, taken := distinct[got]; taken {
			t.Errorf("another %s has the key %s of %s", what, got, other)
		}
		distinct[got] = what
	}

	counted := flow.Strategy{Type: "aws_lambda", Settings: map[string]string{"counted": "true"}}
	if a, b := key(counted, "arn:a", orders, "alice@example.com", "run-1"), key(counted, "arn:a", orders, "alice@example.com", "run-2"); a != b {
		t.Errorf("counted by the strategy, but two runs have %s and %s", a, b)
	}
	own := with(orders, "counted", "true")
	if a, b := key(s, "arn:a", own, "alice@example.com", "run-1"), key(s, "arn:a", own, "alice@example.com", "run-2"); a != b {
		t.Errorf("counted by the target, but two runs have %s and %s", a, b)
	}
	not := with(orders, "counted", "false")
	if a, b := key(counted, "arn:a", not, "alice@example.com", "run-1"), key(counted, "arn:a", not, "alice@example.com", "run-2"); a == b {
		t.Errorf("not counted by the target, but two runs share %s", a)
	}

	if _, err := strategy.ContractEntitlements(s, "arn:a", orders, "", "run-1"); flow.CodeOf(err) != flow.CodeIdentity {
		t.Errorf("without an identity: got %v, want an error of %s", err, flow.CodeIdentity)
	}
}
