package functions_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// storeTries is how often the store tries a request that fails in passing.
const storeTries = 4

// TestErrorTypes: what the step table repeats, and nothing else, is called Retry;
// what ends an execution is called by its code.
func TestErrorTypes(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	const task = `{"step":"%","run":"` + sampleRun + `","attempt":1,"token":"t"}`
	for _, test := range []struct {
		name, function, step string
		throttled            bool
		want                 string
	}{
		{"TableThrottles", "approval", "route", true, flow.ErrorRetry},
		{"TableThrottlesWait", "approval", "await", true, flow.ErrorRetry},
		{"TableThrottlesGrant", "access", "escalate", true, flow.ErrorRetry},
		{"NoSuchRun", "approval", "decide", false, string(flow.CodeUnknownRun)},
		{"NoSuchRunToGrant", "access", "escalate", false, string(flow.CodeUnknownRun)},
		{"NoSuchStep", "approval", "reflect", false, string(flow.CodeInvalid)},
		{"GrantsNothing", "approval", "escalate", false, string(flow.CodeInvalid)},
		{"DecidesNothing", "access", "decide", false, string(flow.CodeInvalid)},
	} {
		if test.throttled {
			a.fail(test.function, "dynamodb:GetItem", storeTries, http.StatusBadRequest, "ThrottlingException")
		}
		_, failed := a.invoke(functionARN(test.function), []byte(strings.Replace(task, "%", test.step, 1)))
		if failed == nil || failed.Type != test.want {
			t.Errorf("%s: %+v, want a %s", test.name, failed, test.want)
		}
	}
}

// TestGarbage: a payload that is none is an error, and no end of the process.
func TestGarbage(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	for _, name := range functionNames {
		if name == "sweep" {
			continue // it takes none
		}
		for _, payload := range []string{`"x"`, `[]`, `{"Records":"x","version":2,"run":[],"RequestType":1}`} {
			answer, failed := a.invoke(functionARN(name), []byte(payload))
			if name == "sdk" || name == "services" { // errors are among their answers
				var said struct{ Error struct{ Code string } }
				if failed == nil && json.Unmarshal(answer, &said) == nil && said.Error.Code != "" {
					continue
				}
			}
			if failed == nil || failed.Type == "Runtime.ExitError" {
				t.Errorf("%s took %s: %+v", name, payload, failed)
			}
		}
	}
}

// TestNotStarted: a function that can't start says in its log what to do, ends,
// and is started anew by the next call.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.mu.Lock()
	value := a.secrets[slackSecret]
	delete(a.secrets, slackSecret)
	a.mu.Unlock()
	for _, name := range []string{"slack", "services", "notify"} {
		if _, failed := a.invoke(functionARN(name), []byte(`{}`)); failed == nil || failed.Type != "Runtime.ExitError" {
			t.Errorf("%s: %+v", name, failed)
		}
		a.await("what to do", func() bool { return a.logs(name, "has no value in AWS Secrets Manager: set one") })
	}
	a.mu.Lock()
	a.secrets[slackSecret] = value
	a.mu.Unlock()
	a.must(a.slack.As("alice").Command("/sym whoami"))
	a.sees("alice", "alice@example.com")
}
