package stepfn

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awstest"
)

// states is Step Functions with one state machine. Its executions go by the
// clock of the test, and the functions that they invoke answer at once.
// (TestInterpreted holds the machine to an interpreter that is none of ours.)
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
type states struct {
	machine machine
	now     func() time.Time
	// invoke calls a Lambda function. failed is the type of its error; "": none.
	invoke func(arn string, payload []byte) (answer []byte, failed string)

	mu      sync.Mutex
	changed *sync.Cond
	busy    int                  // executions that are neither waiting nor over
	named   map[string]*walk     // by name
	tokens  map[string]*waitable // handed out
	pauses  []*waitable          // that end at a time
	ended   chan struct{}        // closed when the test is over
}

// walk is an execution.
type walk struct {
	name  string
	input string
	over  bool
}

// waitable is what an execution waits for: a time, or the token if it has one.
type waitable struct {
	until   time.Time
	woken   chan bool // false: the time is over
	waiting bool
	early   bool // the token came back before the wait began
	over    bool
}

func serveStates(t testing.TB, definition []byte, now func() time.Time, invoke func(string, []byte) ([]byte, string)) *states {
	t.Helper()
	s := &states{now: now, invoke: invoke, named: map[string]*walk{}, tokens: map[string]*waitable{}, ended: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	if err := json.Unmarshal(definition, &s.machine); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(s.ended) })
	return s
}

func bad(code, message string) error {
	return &awstest.Fault{Status: http.StatusBadRequest, Code: code, Message: message}
}

// nameLimit is what a name of an execution may have.
const nameLimit = 80

// serve answers an operation.
func (s *states) serve(operation string, input []byte) (any, error) {
	var in struct{ StateMachineArn, Name, Input, TaskToken, Output string }
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, bad("SerializationException", err.Error())
	}
	switch operation {
	case "StartExecution":
		switch {
		case in.StateMachineArn != machineARN:
			return nil, bad("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+in.StateMachineArn+"'")
		case in.Name == "" || len(in.Name) > nameLimit || strings.ContainsAny(in.Name, " \t\n<>{}[]?*\"#%\\^|~`$&,;:/"):
			return nil, bad("InvalidName", "Invalid Name: '"+in.Name+"'")
		case !json.Valid([]byte(in.Input)):
			return nil, bad("InvalidExecutionInput", "Invalid State Machine Execution Input")
		}
		return s.start(in.Name, in.Input)
	case "SendTaskSuccess":
		if !json.Valid([]byte(in.Output)) {
			return nil, bad("InvalidOutput", "Invalid Output: "+in.Output)
		}
		return s.succeed(in.TaskToken)
	}
	return nil, bad("UnknownOperationException", operation)
}

func (s *states) start(name, input string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]any{"executionArn": strings.Replace(machineARN, ":stateMachine:", ":execution:", 1) + ":" + name, "startDate": float64(s.now().Unix())}
	if known := s.named[name]; known != nil {
		if known.over || known.input != input {
			return nil, bad("ExecutionAlreadyExists", fmt.Sprintf("Execution Already Exists: '%s'", answer["executionArn"]))
		}
		return answer, nil // while it runs, the same call is the same execution
	}
	x := &walk{name: name, input: input}
	s.named[name] = x
	s.busy++
	go s.run(x)
	return answer, nil
}

func (s *states) succeed(token string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.tokens[token]
	switch {
	case w == nil:
		return nil, bad("InvalidToken", "Invalid Token: 'Invalid token'")
	case w.over || w.early:
		return nil, bad("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	case w.waiting:
		s.wake(w, true)
	default:
		w.early = true
	}
	return struct{}{}, nil
}

// wake ends a wait. The caller holds the lock.
func (s *states) wake(w *waitable, byToken bool) {
	w.waiting, w.over = false, true
	s.pauses = slices.DeleteFunc(s.pauses, func(p *waitable) bool { return p == w })
	s.busy++
	w.woken <- byToken
}

// wait waits until the token comes back (true) or the time is over.
func (s *states) wait(w *waitable, d time.Duration) bool {
	s.mu.Lock()
	if w.early {
		w.over = true
		s.mu.Unlock()
		return true
	}
	w.until, w.woken, w.waiting = s.now().Add(d), make(chan bool, 1), true
	s.pauses = append(s.pauses, w)
	s.busy--
	s.changed.Broadcast()
	s.mu.Unlock()
	select {
	case byToken := <-w.woken:
		return byToken
	case <-s.ended:
		runtime.Goexit()
		return false
	}
}

// settle returns once all executions wait for a time to come, or are over.
func (s *states) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for _, w := range slices.Clone(s.pauses) {
			if !s.now().Before(w.until) {
				s.wake(w, false)
			}
		}
		if s.busy == 0 {
			return
		}
		s.changed.Wait()
	}
}

// run takes an execution through the states.
func (s *states) run(x *walk) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.over = true
		s.busy--
		s.changed.Broadcast()
	}()
	var input any // of the state
	var given any // the execution's own
	_ = json.Unmarshal([]byte(x.input), &given)
	input = given
	for name := s.machine.StartAt; ; {
		spec := s.machine.States[name]
		switch spec.Type {
		case "Succeed", "Fail":
			return
		case "Choice":
			name = spec.Default
			for _, c := range spec.Choices {
				if at(input, c.Variable) == c.StringEquals {
					name = c.Next
					break
				}
			}
		case "Task":
			output, failed := s.task(spec, given, input)
			name, input = spec.Next, output
			if failed != "" {
				i := slices.IndexFunc(spec.Catch, func(c catcher) bool { return matches(c.ErrorEquals, failed) })
				if i < 0 {
					return // it has failed
				}
				name, input = spec.Catch[i].Next, map[string]any{"Error": failed, "Cause": ""}
			} else if spec.End {
				return
			}
		default:
			panic("the machine has a state of a type that this fake does not know: " + spec.Type)
		}
	}
}

// task does a task, with its retries. failed is the name of an error; "": none.
func (s *states) task(spec state, given, input any) (output any, failed string) {
	tries := make([]int, len(spec.Retry))
	for {
		output, failed = s.attempt(spec, given, input)
		i := slices.IndexFunc(spec.Retry, func(r retrier) bool { return matches(r.ErrorEquals, failed) })
		if failed == "" || i < 0 || tries[i] == spec.Retry[i].MaxAttempts {
			return output, failed
		}
		pause := float64(spec.Retry[i].IntervalSeconds)
		for range tries[i] {
			pause *= spec.Retry[i].BackoffRate
		}
		tries[i]++
		s.wait(&waitable{}, time.Duration(pause*float64(time.Second)))
	}
}

func (s *states) attempt(spec state, given, input any) (output any, failed string) {
	token := &waitable{}
	s.mu.Lock()
	value := fmt.Sprintf("AQCEAAAAKgAAAAMAAAAA%dpYWxhbmd1YWdl", len(s.tokens))
	s.tokens[value] = token
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		token.over = true
	}()

	var template map[string]any
	b, _ := json.Marshal(spec.Parameters.Payload)
	_ = json.Unmarshal(b, &template)
	context := map[string]any{"Execution": map[string]any{"Input": given}, "Task": map[string]any{"Token": value}}
	payload := map[string]any{}
	for key, v := range template {
		if name, isPath := strings.CutSuffix(key, ".$"); isPath {
			path := v.(string)
			if inContext, ok := strings.CutPrefix(path, "$"); ok && strings.HasPrefix(inContext, "$") {
				payload[name] = at(context, inContext)
			} else {
				payload[name] = at(input, path)
			}
		} else {
			payload[key] = v
		}
	}
	b, _ = json.Marshal(payload)
	answer, failed := s.invoke(spec.Parameters.FunctionName, b)
	waits := strings.HasSuffix(spec.Resource, ".waitForTaskToken")
	s.mu.Lock()
	early := token.early
	s.mu.Unlock()
	switch {
	case waits && early:
		return map[string]any{}, ""
	case failed != "":
		return nil, failed
	case waits:
		seconds, ok := at(input, spec.TimeoutSecondsPath).(float64)
		if !ok || seconds < 1 {
			return nil, "States.Runtime" // the path must be that of a positive number
		}
		if !s.wait(token, time.Duration(seconds)*time.Second) {
			return nil, timeout
		}
		return map[string]any{}, ""
	}
	var returned any
	_ = json.Unmarshal(answer, &returned)
	return at(map[string]any{"Payload": returned}, spec.OutputPath), ""
}

// matches tells whether a list of errors has one of the name.
func matches(list []string, name string) bool {
	return name != "" && (slices.Contains(list, name) || slices.Contains(list, "States.ALL") ||
		slices.Contains(list, "States.TaskFailed") && name != timeout)
}

// at follows a path: "$.a.b".
func at(v any, path string) any {
	for name := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(path, "$"), "."), ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}
