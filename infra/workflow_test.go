package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
)

// TestWorkflow: the machine is the one that the runner's own tests hold to the
// specification and run.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile(filepath.Join("..", "internal", "runner", "stepfn", "testdata", "machine.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	machine := standard(t).Resources["Workflow"].Properties
	got := strings.NewReplacer(
		"${ApprovalFunction.Arn}", "arn:aws:lambda:us-east-1:123456789012:function:approval",
		"${AccessFunction.Arn}", "arn:aws:lambda:us-east-1:123456789012:function:access",
	).Replace(text(machine["DefinitionString"]))
	if diff := cmp.Diff(string(golden), got); diff != "" {
		t.Error(diff)
	}
	if at(machine, "LoggingConfiguration", "Level") != "ERROR" || at(machine, "LoggingConfiguration", "IncludeExecutionData") != false {
		t.Errorf("logging %v: errors, without the tokens that are in the data of events", machine["LoggingConfiguration"])
	}
	if at(machine, "TracingConfiguration", "Enabled") != true {
		t.Error("no tracing")
	}
}

// TestTimeouts: a function ends before the step does that waits for it, so that
// Lambda says what became of it.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, spec := range flow.Steps {
		if timeout := timeoutOf(spec.Function); spec.Timeout > 0 && timeout >= spec.Timeout {
			t.Errorf("function %s may take %s, step %s %s", spec.Function, timeout, spec.Name, spec.Timeout)
		}
	}
	for _, asker := range []string{"approval", "access", "publish"} { // slack does not wait so long
		if timeoutOf("sdk") >= timeoutOf(asker) {
			t.Errorf("handlers may take %s, %s %s", timeoutOf("sdk"), asker, timeoutOf(asker))
		}
	}
	if timeoutOf("relay")*6 > 12*time.Hour { // SQS hides messages for so long at most
		t.Error("relay takes too long for its queue")
	}
}
