package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Step is a step of the app in a workflow of Workflow Builder, that somebody started.
type Step struct {
	Callback string // its callback id
	State    string // "running", "completed" or "failed"
	Outputs  map[string]string
	Error    string // why it failed

	token string
}

// StartStep has a person start a workflow, which comes to a step of the app's at once.
// The inputs are those that the workflow's author gave; Slack adds who started it under
// the name that starter says, "" where it does not. It returns Slack's id of the step.
func (p Person) StartStep(callback, starter string, inputs map[string]string) (execution string, err error) {
	s := p.sim
	s.mu.Lock()
	execution = "Fx" + s.token(6)
	step := &Step{Callback: callback, State: "running", token: "xwfp-" + s.token(12)}
	s.steps = append(s.steps, step)
	s.executions[execution] = step
	given := object{}
	for name, value := range inputs {
		given[name] = value
	}
	if starter != "" {
		given[starter] = object{"id": p.ID(), "secret": s.token(8)}
	}
	s.change()
	s.mu.Unlock()
	d := s.happens(p.profile, object{
		"type": "function_executed", "inputs": given, "function_execution_id": execution, "workflow_execution_id": "Wx" + execution,
		"bot_access_token": step.token, "function": object{"id": "Fn0SYM", "callback_id": callback, "type": "app", "app_id": appID},
	})
	if d.Err == nil && d.Status != http.StatusOK {
		return execution, fmt.Errorf("the app answered the step with status %d", d.Status)
	}
	return execution, d.Err
}

// CancelStep ends a step as whoever stops the workflow does.
func (s *Sim) CancelStep(execution string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.executions[execution].State = "cancelled"
	s.change()
}

// Steps lists the steps that were started, oldest first.
func (s *Sim) Steps() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Step, len(s.steps))
	for i, step := range s.steps {
		list[i] = *step
	}
	return list
}

// stepToken tells whether a token is that of a step which runs: it ends with it.
func (s *Sim) stepToken(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range s.steps {
		if step.State == "running" && step.token == token {
			return true
		}
	}
	return false
}

func (s *Sim) completeStep(args arguments) (object, *apiError) {
	var outputs map[string]string
	if json.Unmarshal(args.json("outputs"), &outputs) != nil {
		return nil, &apiError{code: "parameter_validation_failed", messages: []string{"[ERROR] outputs must be texts"}}
	}
	return s.endStep(args, "completed", func(step *Step) { step.Outputs = outputs })
}

func (s *Sim) failStep(args arguments) (object, *apiError) {
	if !args.has("error") {
		return refuse("invalid_arguments")
	}
	return s.endStep(args, "failed", func(step *Step) { step.Error = args.text("error") })
}

func (s *Sim) endStep(args arguments, state string, end func(*Step)) (object, *apiError) {
	step := s.executions[args.text("function_execution_id")]
	switch {
	case step == nil:
		return refuse("function_execution_not_found")
	case step.State != "running":
		return refuse("execution_not_in_running_state")
	}
	step.State = state
	end(step)
	s.change()
	return object{}, nil
}
