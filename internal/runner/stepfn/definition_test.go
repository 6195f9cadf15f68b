package stepfn

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
)

var update = flag.Bool("update", false, "rewrite the golden state machine")

var arns = map[string]string{
	"approval": "arn:aws:lambda:us-east-1:123456789012:function:approval",
	"access":   "arn:aws:lambda:us-east-1:123456789012:function:access",
}

func definition(t *testing.T) []byte {
	t.Helper()
	d, err := Definition(arns)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDefinition(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "machine.asl.json")
	got := definition(t)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the machine changed; if that is meant, run go test ./internal/runner/stepfn -update:\n%s", diff)
	}
}

func TestDefinitionKeepsTokens(t *testing.T) {
	t.Parallel()
	d, err := Definition(map[string]string{"approval": "${Token[TOKEN.12]}", "access": "<&>"})
	if err != nil || !bytes.Contains(d, []byte(`"${Token[TOKEN.12]}"`)) || !bytes.Contains(d, []byte(`"<&>"`)) {
		t.Errorf("%v:\n%s", err, d)
	}
}

func TestDefinitionWithoutFunction(t *testing.T) {
	t.Parallel()
	_, err := Definition(map[string]string{"approval": "arn"})
	if flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), `"access"`) {
		t.Errorf("got %v", err)
	}
}

// TestTransitions: a whole access run, from the submitted form to the access,
// is billed as at most 7 transitions. Removal costs none. Counted are all
// states that are entered, and both start and end, as in AWS's price examples.
func TestTransitions(t *testing.T) {
	t.Parallel()
	var m machine
	if err := json.Unmarshal(definition(t), &m); err != nil {
		t.Fatal(err)
	}
	returned := map[flow.Step]flow.Step{ // what the tasks of such a run return
		flow.StepRoute: flow.StepAwait, flow.StepDecide: flow.StepEscalate, flow.StepEscalate: flow.StepDone,
	}
	var way []string
	next := ""
	for name := m.StartAt; name != ""; {
		s, ok := m.States[name]
		if way = append(way, name); !ok || len(way) > 100 {
			t.Fatalf("the machine goes astray: %v", way)
		}
		name = s.Next
		if s.Type == "Choice" {
			name = s.Default
			for _, c := range s.Choices {
				if c.StringEquals == next {
					name = c.Next
				}
			}
		} else {
			next = string(returned[flow.Step(way[len(way)-1])])
		}
	}
	want := []string{"route", "await", "decide", "choice", "escalate"}
	if !slices.Equal(way, want) {
		t.Errorf("went %v, want %v", way, want)
	}
	if n := 1 + len(way) + 1; n > 7 {
		t.Errorf("%d transitions, at most 7 are promised", n)
	}
}

// answer is what a state's function does when it is called; see interpret.mjs.
type answer struct {
	Returns any    `json:"returns,omitempty"`
	Throws  string `json:"throws,omitempty"`
}

func next(s flow.Step) answer { return answer{Returns: Output{Next: s}} }

// unasked is what a task returns that a wait follows in which there is nothing to wait for.
func unasked(s flow.Step) answer { return answer{Returns: Output{Next: s, Timeout: notices}} }

var (
	awaits  = answer{Returns: Output{Next: flow.StepAwait, Timeout: 1800}}
	wakes   = answer{Returns: struct{}{}} // the token comes back
	silence = answer{}
	fault   = answer{Throws: flow.ErrorRetry}
)

type execution struct {
	Input start               `json:"input"`
	Tasks map[string][]answer `json:"tasks"`
}

type told struct {
	Entered []string         `json:"entered"`
	Waits   []float64        `json:"waits"`
	Calls   []map[string]any `json:"calls"`
	Error   string           `json:"error"`
}

// interpret hands a machine and executions of it to interpret.mjs.
func interpret(t *testing.T, definition []byte, executions []execution) (faults string, all []told) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "node_modules", "asl-validator")); err != nil {
		t.Fatal("the validator and the interpreter of state machines are not installed: run npm ci in the repository (make test does)")
	}
	in, err := json.Marshal(map[string]any{"definition": json.RawMessage(definition), "executions": executions})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "interpret.mjs"))
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, &said)
	}
	var result struct {
		Faults     string
		Executions []told
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return result.Faults, result.Executions
}

// TestInterpreted: the machine is valid, and an interpreter that is none of
// ours takes it through the steps as they are meant.
func TestInterpreted(t *testing.T) {
	t.Parallel()
	six := slices.Repeat([]answer{fault}, 6)
	cases := []struct {
		name    string
		tasks   map[string][]answer
		entered string
		failed  string // the name of the error that the execution fails with
	}{
		{
			"Access",
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {next(flow.StepEscalate)}, "escalate": {next(flow.StepDone)}},
			"route await decide choice escalate", "",
		},
		{
			"TwoApprovals",
			map[string][]answer{"route": {awaits}, "await": {wakes, wakes}, "decide": {awaits, next(flow.StepDone)}},
			"route await decide choice await decide choice done", "",
		},
		{
			"NobodyToAsk",
			map[string][]answer{"route": {unasked(flow.StepDone)}, "await": {wakes}, "decide": {next(flow.StepDone)}},
			"route await decide choice done", "",
		},
		{
			"EntersAtDecide",
			map[string][]answer{"route": {unasked(flow.StepDecide)}, "await": {wakes}, "decide": {next(flow.StepDone)}},
			"route await decide choice done", "",
		},
		{
			"EntersAtEscalate",
			map[string][]answer{"route": {unasked(flow.StepEscalate)}, "await": {wakes}, "decide": {next(flow.StepEscalate)}, "escalate": {next(flow.StepDone)}},
			"route await decide choice escalate", "",
		},
		{
			"GoesOnAfterTheLast",
			map[string][]answer{
				"route": {awaits, unasked(flow.StepExtend)}, "await": {wakes, wakes}, "decide": {next(flow.StepEscalate), next(flow.StepExtend)},
				"escalate": {{Throws: flow.ErrorElsewhere}}, "extend": {next(flow.StepDone)},
			},
			"route await decide choice escalate route await decide choice extend choice done", "",
		},
		{
			"TimeOut",
			map[string][]answer{"route": {awaits}, "await": {silence}, "forward": {next(flow.StepDone)}},
			"route await forward choice done", "",
		},
		{
			"TimeOutThenNextTier",
			map[string][]answer{"route": {awaits}, "await": {silence, wakes}, "forward": {awaits}, "decide": {next(flow.StepDone)}},
			"route await forward choice await decide choice done", "",
		},
		{
			"WokenByUndeliverable",
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {next(flow.StepForward)}, "forward": {next(flow.StepDone)}},
			"route await decide choice forward choice done", "",
		},
		{
			"UnknownStep",
			map[string][]answer{"route": {unasked("of-a-later-version")}, "await": {wakes}, "decide": {next("of-a-later-version")}},
			"route await decide choice done", "",
		},
		{
			"RetriesOurOwn",
			map[string][]answer{"route": {fault, fault, awaits}, "await": {fault, wakes}, "decide": {fault, next(flow.StepDone)}},
			"route await decide choice done", "",
		},
		{
			"RetriesLambdas",
			map[string][]answer{
				"route": {{Throws: "Lambda.TooManyRequestsException"}, {Throws: "Lambda.ServiceException"}, {Throws: "Lambda.AWSLambdaException"}, {Throws: "Lambda.SdkClientException"}, {Throws: "Sandbox.Timedout"}, awaits},
				"await": {{Throws: "Lambda.ClientExecutionTimeoutException"}, {Throws: "Runtime.ExitError"}, {Throws: "Lambda.Unknown"}, wakes}, "decide": {next(flow.StepDone)},
			},
			"route await decide choice done", "",
		},
		{
			"RetriesTasksThatHang",
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {silence, next(flow.StepDone)}},
			"route await decide choice done", "",
		},
		{
			"GivesUpRetrying",
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {next(flow.StepEscalate)}, "escalate": six},
			"route await decide choice escalate failed", flow.ErrorRetry,
		},
		{
			"Fails",
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {next(flow.StepEscalate)}, "escalate": {{Throws: string(flow.CodeUnknownFlow)}}},
			"route await decide choice escalate failed", string(flow.CodeUnknownFlow),
		},
		{
			"CannotBeCaught", // the choice has nothing to go by
			map[string][]answer{"route": {awaits}, "await": {wakes}, "decide": {{Returns: struct{}{}}}},
			"route await decide choice", "States.Runtime",
		},
		{
			"AnotherExecutionTookOver",
			map[string][]answer{"route": {awaits}, "await": {{Throws: string(flow.CodeStale)}}},
			"route await done", "",
		},
	}
	var executions []execution
	for _, c := range cases {
		executions = append(executions, execution{start{"0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000", 3}, c.tasks})
	}
	faults, all := interpret(t, definition(t), executions)
	if faults != "" {
		t.Fatalf("the machine is not valid:\n%s", faults)
	}
	for i, c := range cases {
		told := all[i]
		if got := strings.Join(told.Entered, " "); got != c.entered || told.Error != c.failed {
			t.Errorf("%s: entered %s\nwant %s\nfailed with %q, want %q", c.name, got, c.entered, told.Error, c.failed)
		}
		for _, name := range told.Entered {
			if name == "await" { // with the rest of the deadline that the task before returned
				if len(told.Waits) == 0 || told.Waits[0] != 1800 && told.Waits[0] != notices {
					t.Fatalf("%s: waits for %v", c.name, told.Waits)
				}
				told.Waits = told.Waits[1:]
			}
		}
		want := 0
		for _, answers := range c.tasks {
			want += len(answers)
		}
		if len(told.Calls) != want {
			t.Errorf("%s: %d calls, want %d", c.name, len(told.Calls), want)
		}
		for _, call := range told.Calls {
			checkCall(t, c.name, call)
		}
	}
}

// checkCall: each state invokes the function of its step, with ids alone.
func checkCall(t *testing.T, name string, call map[string]any) {
	t.Helper()
	sent, err := json.Marshal(call["Payload"])
	if err != nil {
		t.Fatal(err)
	}
	var in Input
	d := json.NewDecoder(bytes.NewReader(sent))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		t.Fatalf("%s: %s: %v", name, sent, err)
	}
	spec, _ := flow.Spec(in.Step)
	want := Input{Step: spec.Name, Run: "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000", Attempt: 3}
	if spec.WaitsForSignal {
		want.Token = "token-of-the-test"
	}
	if in != want || call["FunctionName"] != arns[spec.Function] {
		t.Errorf("%s: %v called with %s", name, call["FunctionName"], sent)
	}
}

// TestValidatorFindsFaults: a machine that leads nowhere does not pass.
func TestValidatorFindsFaults(t *testing.T) {
	t.Parallel()
	broken := bytes.ReplaceAll(definition(t), []byte(`"Next": "decide"`), []byte(`"Next": "nowhere"`))
	if faults, _ := interpret(t, broken, nil); faults == "" {
		t.Error("a state that is none was accepted")
	}
}
