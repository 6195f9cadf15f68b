package flow

import "time"

// Execution is the disposable walk through the steps that drives the run.
type Execution struct {
	Attempt int    `json:"attempt,omitempty"` // number of the last one started
	Active  bool   `json:"active,omitempty"`  // started, and a step was left to do
	Rev     int64  `json:"rev,omitempty"`     // the run's when the execution was dispatched; 0 once it waited
	Token   string `json:"token,omitempty"`   // by which the waiting one is resumed
}

// Dispatch counts a new execution, before it is started.
type Dispatch struct{}

func (Dispatch) apply(r *Run, _ time.Time) error {
	if Next(*r) == StepDone {
		return ErrUnchanged
	}
	r.Execution = Execution{Attempt: r.Execution.Attempt + 1, Active: true, Rev: r.Rev + 1}
	return nil
}

// Wait notes the token of the execution that waits for the run's next signal.
type Wait struct {
	Attempt int
	Token   string
}

func (in Wait) apply(r *Run, _ time.Time) error {
	if in.Attempt != r.Execution.Attempt || Next(*r) != StepAwait {
		return stale
	}
	if r.Execution.Token == in.Token {
		return ErrUnchanged
	}
	r.Execution.Token, r.Execution.Active, r.Execution.Rev = in.Token, true, 0
	return nil
}
