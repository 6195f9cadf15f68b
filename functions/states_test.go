package functions_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/aws/awstest"
)

// execution is an execution of the state machine.
type execution struct {
	account *account
	name    string
	input   string
	// The account's lock is held for these.
	entered []string // states
	over    bool
	failed  string // why, if it did
}

// transitions is what the execution is billed for: all states that it entered,
// and both start and end, as in AWS's price examples.
func (e *execution) transitions() int { return 1 + len(e.entered) + 1 }

func (e *execution) enter(state string) {
	e.account.mu.Lock()
	defer e.account.mu.Unlock()
	e.entered = append(e.entered, state)
	e.account.change()
}

func (e *execution) end(failed string) {
	e.account.mu.Lock()
	defer e.account.mu.Unlock()
	e.over, e.failed = true, failed
	e.account.change()
}

// retryPause is how long executions wait before they repeat a task, in seconds.
const retryPause = 0.05

// serveStates is Step Functions
// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html).
func (a *account) serveStates(function, operation string, input []byte) (any, error) {
	var in struct{ StateMachineArn, Name, Input, TaskToken, Output string }
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	if err := a.faultOf(call{function: function, action: "states:" + operation, resource: arn("states", "stateMachine:sym-flows"), input: input}); err != nil {
		return nil, err
	}
	switch operation {
	case "StartExecution":
		if in.StateMachineArn != a.machine {
			return nil, bad("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+in.StateMachineArn+"'")
		}
		return a.startExecution(in.Name, in.Input)
	case "SendTaskSuccess":
		if !json.Valid([]byte(in.Output)) {
			return nil, bad("InvalidOutput", "Invalid Output: "+in.Output)
		}
		switch s := a.states.succeed(in.TaskToken); {
		case !s.Known:
			return nil, bad("InvalidToken", "Invalid Token: 'Invalid token'")
		case !s.Waiting:
			return nil, bad("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
		}
		return struct{}{}, nil
	}
	return nil, unknown(operation)
}

func bad(code, message string) error {
	return &awstest.Fault{Status: http.StatusBadRequest, Code: code, Message: message}
}

func (a *account) startExecution(name, input string) (any, error) {
	arn := strings.Replace(a.machine, ":stateMachine:", ":execution:", 1) + ":" + name
	answer := map[string]any{"executionArn": arn, "startDate": float64(time.Now().Unix())}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.executions[name]; known != nil {
		if known.over || known.input != input {
			return nil, bad("ExecutionAlreadyExists", "Execution Already Exists: '"+arn+"'")
		}
		return answer, nil // the same call once more
	}
	e := &execution{account: a, name: name, input: input}
	a.executions[name] = e
	a.states.mu.Lock()
	a.states.executions[arn] = e
	a.states.mu.Unlock()
	a.states.tell("start", map[string]any{"execution": arn, "definition": a.asl, "input": json.RawMessage(input), "pause": retryPause})
	a.change()
	return answer, nil
}

// executionsOf gives the executions of a run, in the order of their attempts.
// The caller holds the lock.
func (a *account) executionsOf(run string) (all []*execution) {
	for n := 1; ; n++ {
		e := a.executions[run+"-"+itoa(n)]
		if e == nil {
			return all
		}
		all = append(all, e)
	}
}
