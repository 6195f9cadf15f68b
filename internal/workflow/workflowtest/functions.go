package workflowtest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Lambdas are the ARNs of functions that [Functions] invokes.
type Lambdas struct {
	Echo    string // answers with {"event": <the payload>}, maybe among other keys
	Fails   string // raises the exception "no such table: " and the payload's key "table"
	Missing string // is the ARN of no function
}

// Functions holds an implementation to the contract of the port. open makes one
// that can invoke the functions.
func Functions(t *testing.T, open func(t *testing.T) (workflow.Functions, Lambdas)) {
	t.Run("Answers", func(t *testing.T) {
		t.Parallel()
		f, lambdas := open(t)
		for _, payload := range []string{`{"table":"orders","name":"Zoë ✓"}`, `[1,2.5,null]`, `"<&>"`} {
			got, err := f.Invoke(t.Context(), lambdas.Echo, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			var answer struct{ Event any }
			var want any
			if err := errors.Join(json.Unmarshal(got, &answer), json.Unmarshal([]byte(payload), &want)); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if diff := cmp.Diff(want, answer.Event); diff != "" {
				t.Errorf("the function was called with (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("Fails", func(t *testing.T) { // people see the reason, and no code
		t.Parallel()
		f, lambdas := open(t)
		for range 2 { // and it can be called again
			_, err := f.Invoke(t.Context(), lambdas.Fails, []byte(`{"table":"orders"}`))
			shown := flow.UserMessage(err)
			if flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(shown, "no such table: orders") {
				t.Fatalf("got %v of %s", err, flow.CodeOf(err))
			}
			for _, inner := range []string{"Traceback", "stackTrace", ".py", "ValueError"} {
				if strings.Contains(shown, inner) {
					t.Errorf("people see %q", shown)
				}
			}
		}
	})
	t.Run("Missing", func(t *testing.T) { // trying again is of no use
		t.Parallel()
		f, lambdas := open(t)
		_, err := f.Invoke(t.Context(), lambdas.Missing, []byte(`{}`))
		name := lambdas.Missing[strings.LastIndexByte(lambdas.Missing, ':')+1:]
		if flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(flow.UserMessage(err), name) {
			t.Errorf("got %v of %s", err, flow.CodeOf(err))
		}
	})
	t.Run("Cancelled", func(t *testing.T) { // nothing is known of the function
		t.Parallel()
		f, lambdas := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Invoke(ctx, lambdas.Echo, []byte(`{}`)); flow.CodeOf(err) != flow.CodeUnavailable || !flow.Retryable(err) {
			t.Errorf("got %v of %s", err, flow.CodeOf(err))
		}
	})
}
