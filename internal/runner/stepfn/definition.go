package stepfn

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// The parts of Amazon States Language that the machine needs:
// https://states-language.net/spec.html, and for what is special to Lambda
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html.
type (
	machine struct {
		Comment string
		StartAt string
		States  map[string]state
	}
	state struct {
		Type               string
		Resource           string      `json:",omitempty"`
		Parameters         *invocation `json:",omitempty"`
		OutputPath         string      `json:",omitempty"`
		TimeoutSeconds     int         `json:",omitempty"`
		TimeoutSecondsPath string      `json:",omitempty"`
		Retry              []retrier   `json:",omitempty"`
		Catch              []catcher   `json:",omitempty"`
		Choices            []choice    `json:",omitempty"`
		Default            string      `json:",omitempty"`
		ErrorPath          string      `json:",omitempty"`
		CausePath          string      `json:",omitempty"`
		Next               string      `json:",omitempty"`
		End                bool        `json:",omitempty"`
	}
	invocation struct {
		FunctionName string
		Payload      payload
	}
	// payload is an [Input] as a template: keys that end in .$ are paths.
	payload struct {
		Step    flow.Step `json:"step"`
		Run     string    `json:"run.$"`
		Attempt string    `json:"attempt.$"`
		Token   string    `json:"token.$,omitempty"`
	}
	retrier struct {
		ErrorEquals     []string
		IntervalSeconds int
		BackoffRate     float64
		MaxAttempts     int
	}
	catcher struct {
		ErrorEquals []string
		Next        string
	}
	choice struct {
		Variable     string
		StringEquals string
		Next         string
	}
)

const (
	choiceState = "choice"
	failedState = "failed"
	// timeout is the name under which Step Functions reports that a state took
	// longer than it may.
	timeout = "States.Timeout"
)

// Definition renders flow.Steps as a state machine. functions has, by the
// names in the table, the ARNs to invoke; anything that becomes an ARN at
// deploy, like a CloudFormation token, is kept as it is. The error, of
// flow.CodeInvalid, names a function that is missing.
func Definition(functions map[string]string) ([]byte, error) {
	m := machine{
		Comment: "The request workflow of Sym Flows. Rendered from the step table; deploy to change it.",
		StartAt: string(flow.Steps[0].Name),
		States:  map[string]state{},
	}
	route := state{Type: "Choice", Default: string(flow.StepDone)}
	for _, spec := range flow.Steps {
		if spec.Name == flow.StepDone {
			m.States[string(spec.Name)] = state{Type: "Succeed"}
			continue
		}
		arn := functions[spec.Function]
		if arn == "" {
			return nil, flow.Errorf(flow.CodeInvalid, "step %s is a task of the function %q, whose ARN is missing", spec.Name, spec.Function)
		}
		m.States[string(spec.Name)] = task(spec, arn)
		route.Choices = append(route.Choices, choice{Variable: "$.next", StringEquals: string(spec.Name), Next: string(spec.Name)})
	}
	m.States[choiceState] = route
	// The execution fails by the name of the error, which is a code of ours, so that
	// an alarm tells of it. What can't be caught, States.Runtime and
	// States.DataLimitExceeded, fails it as well.
	m.States[failedState] = state{Type: "Fail", ErrorPath: "$.Error", CausePath: "$.Cause"}

	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return out.Bytes(), err
}

// task renders a step that invokes a function.
func task(spec flow.StepSpec, arn string) state {
	s := state{
		Type:     "Task",
		Resource: "arn:aws:states:::lambda:invoke",
		Parameters: &invocation{FunctionName: arn, Payload: payload{
			Step: spec.Name, Run: "$$.Execution.Input.run", Attempt: "$$.Execution.Input.attempt",
		}},
		OutputPath:     "$.Payload",
		TimeoutSeconds: seconds(spec.Timeout),
		Next:           choiceState,
	}
	switch spec.Usually {
	case "":
	case flow.StepDone:
		s.Next, s.End = "", true
		// It is entered anew, by the step that knows where the run is.
		s.Catch = append(s.Catch, catcher{ErrorEquals: []string{flow.ErrorElsewhere}, Next: string(flow.Steps[0].Name)})
	default:
		s.Next = string(spec.Usually)
	}
	for _, r := range spec.Retry {
		names := r.Errors
		if spec.WaitsForSignal {
			// Here a time-out is not a fault: it ends the wait.
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == timeout })
		}
		s.Retry = append(s.Retry, retrier{
			ErrorEquals: names, IntervalSeconds: seconds(r.Interval), BackoffRate: r.BackoffRate, MaxAttempts: r.MaxAttempts,
		})
	}
	if spec.WaitsForSignal {
		// The function's answer is ignored; the output is what comes with the token.
		s.Resource += ".waitForTaskToken"
		s.Parameters.Payload.Token = "$$.Task.Token"
		s.OutputPath = ""
		s.TimeoutSeconds, s.TimeoutSecondsPath = 0, "$.timeout"
		s.Catch = append(s.Catch, catcher{ErrorEquals: []string{timeout}, Next: string(spec.OnTimeout)})
		s.Next = string(spec.OnSignal)
	}
	s.Catch = append(s.Catch,
		catcher{ErrorEquals: []string{string(flow.CodeStale)}, Next: string(flow.StepDone)}, // another execution has taken its place
		catcher{ErrorEquals: []string{"States.ALL"}, Next: failedState})
	return s
}

// seconds rounds up: Step Functions takes whole seconds.
func seconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}
