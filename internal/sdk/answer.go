package sdk

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// read turns the results of a step's handlers into its answer. A failure is
// part of the result: the first one, since no handler runs after it.
func read(response response) flow.Result {
	if response.Error != nil {
		return flow.Result{Error: response.Error.failure("")}
	}
	answer := &flow.Answer{}
	for _, r := range response.Results {
		if r.State == stateFailed {
			return flow.Result{Error: r.failure()}
		}
		if r.State != stateReturned {
			continue
		}
		if err := answerOf(answer, r); err != nil {
			return flow.Result{Error: &flow.Failure{
				Code: flow.CodeHandler, Message: fmt.Sprintf("%s returned what can't be understood: %v", r.Handler, err), Handler: r.Handler,
			}}
		}
	}
	return flow.Result{Answer: answer}
}

// answerOf puts one handler's value in its place.
func answerOf(a *flow.Answer, r result) error {
	switch r.Handler {
	case flow.HandlerPermissions:
		a.Permissions = &flow.Permissions{}
		return json.Unmarshal(r.Value, a.Permissions)
	case flow.HandlerNotifications:
		if err := json.Unmarshal(r.Value, &a.Notifications); err != nil {
			return err
		}
		if len(a.Notifications) == 0 {
			return fmt.Errorf("it names nobody to ask")
		}
		for _, n := range a.Notifications {
			if err := checkTimeout(n.Timeout); err != nil {
				return err
			}
		}
	case flow.HandlerApprovers:
		var said struct {
			flow.Destination
			flow.Approvers
		}
		if err := json.Unmarshal(r.Value, &said); err != nil {
			return err
		}
		a.Approvers = &said.Approvers
		if said.Kind != "fallback" {
			a.Approvers = &flow.Approvers{Destinations: []flow.Destination{said.Destination}}
		}
		for _, d := range a.Approvers.Destinations {
			if err := checkTimeout(d.Timeout); err != nil {
				return err
			}
		}
	default:
		if strings.HasPrefix(r.Handler, flow.HookBefore("")) && len(r.Value) > 0 && string(r.Value) != "null" {
			a.Hook = &flow.HookAnswer{}
			return json.Unmarshal(r.Value, a.Hook)
		}
	}
	return nil
}

func checkTimeout(seconds *int64) error {
	const longest = 366 * 24 * 3600
	if seconds != nil && (*seconds <= 0 || *seconds > longest) {
		return fmt.Errorf("a timeout of %d seconds: it must be from 1 to %d", *seconds, longest)
	}
	return nil
}

func (r result) failure() *flow.Failure {
	if r.Error == nil {
		return &flow.Failure{Code: flow.CodeHandler, Message: r.Handler + " failed, and gave no reason", Handler: r.Handler}
	}
	return r.Error.failure(r.Handler)
}

// failure returns what runs keep of a fault.
func (f *fault) failure(handler string) *flow.Failure {
	code := flow.Code(f.Code)
	if code == "" {
		code = flow.CodeHandler
	}
	if handler == "" {
		handler = f.File // what the file itself does when it is loaded
	}
	return &flow.Failure{Code: code, Message: f.text(handler), Handler: handler}
}

// text writes the fault for people: where it is, what it is, and what to do.
func (f *fault) text(handler string) string {
	where := handler
	if f.File != "" && f.Line > 0 {
		place := fmt.Sprintf("%s:%d", f.File, f.Line)
		if where == "" || where == f.File {
			where = place
		} else {
			where += " (" + place + ")"
		}
	}
	message := f.Message
	if f.Hint != "" {
		message = strings.TrimRight(message, " ") + " " + f.Hint
	}
	if where != "" {
		message = where + ": " + message
	}
	const most = 2000 // what a run keeps of a failure
	return flow.Clip(message, most)
}
