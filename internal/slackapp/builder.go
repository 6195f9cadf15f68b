package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// The steps that people can put into workflows, in Slack's Workflow Builder.
const (
	stepAccess   = "request_access"
	stepApproval = "ask_for_approval"
)

// CustomStep is a step as the manifest describes it.
type CustomStep struct {
	Title       string               `json:"title"`
	Description string               `json:"description"`
	Inputs      map[string]Parameter `json:"input_parameters"`
	Outputs     map[string]Parameter `json:"output_parameters"`
}

// Parameter is what goes into a step, or comes out of it.
type Parameter struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Required    bool   `json:"is_required"`
}

// Inputs of the steps. starter has no field in Workflow Builder: Slack says who started
// the workflow, and its author can't (docs.slack.dev/reference/types/user_context-type).
const (
	inputFlow      = "flow"
	inputTarget    = "target"
	inputDuration  = "duration"
	inputReason    = "reason"
	inputFields    = "fields"
	inputRequester = "requester"
	inputStarter   = "starter"
)

// customSteps are the steps of the manifest, by their callback ids.
func customSteps() map[string]CustomStep {
	named := func(list ...Parameter) map[string]Parameter {
		all := map[string]Parameter{}
		for _, p := range list {
			all[p.Name] = p
		}
		return all
	}
	common := []Parameter{
		{inputFlow, "string", "Flow", "Its name, such as prod-access", true},
		{inputReason, "string", "Reason", "Why it is needed", false},
		{inputFields, "string", "Other fields", "One a line: the name of the field, a colon and its value", false},
		{inputRequester, "slack#/types/user_id", "Requester", "For whom it is; if it is empty, for whoever started the workflow", false},
		{inputStarter, "slack#/types/user_context", "Starter", "Who started the workflow, as Slack says", false},
	}
	outputs := named(
		Parameter{"status", "string", "Status", "approved, escalated (access is there), denied, expired, cancelled or deescalated", true},
		Parameter{"run_id", "string", "Request", "The id of the request", true},
	)
	return map[string]CustomStep{
		stepAccess: {
			Title: "Request access", Description: "Asks for access for somebody, and goes on when it is there or refused",
			Inputs: named(append([]Parameter{
				{inputTarget, "string", "Target", "The name or label of what to get access to", true},
				{inputDuration, "string", "Duration", "For how long, such as 1h", false},
			}, common...)...), Outputs: outputs,
		},
		stepApproval: {
			Title: "Ask for approval", Description: "Asks those who may decide, and goes on when they have",
			Inputs: named(common...), Outputs: outputs,
		},
	}
}

// stepStarted makes a request of a step that a workflow has come to. What can't be
// asked for ends the step with the reason; the outcome of a request ends it by
// [Messenger.Post]. The token that comes with the step is used at once or never, and
// never kept.
func (a *App) stepStarted(ctx context.Context, e event) error {
	var step struct {
		Function struct {
			CallbackID string `json:"callback_id"`
		} `json:"function"`
		Inputs    map[string]json.RawMessage `json:"inputs"`
		Execution string                     `json:"function_execution_id"`
		Token     string                     `json:"bot_access_token"`
	}
	if json.Unmarshal(e.Inner, &step) != nil || step.Execution == "" || len(step.Execution) > maxEventID {
		return nil
	}
	if _, ours := customSteps()[step.Function.CallbackID]; !ours {
		return nil
	}
	q := workflow.StepRequest{Execution: step.Execution, Access: step.Function.CallbackID == stepAccess}
	for name, to := range map[string]*string{
		inputFlow: &q.Flow, inputTarget: &q.Target, inputDuration: &q.Duration, inputReason: &q.Reason, inputFields: &q.Fields, inputRequester: &q.Requester,
	} {
		*to = stepText(step.Inputs[name])
	}
	var starter struct{ ID string }
	_ = json.Unmarshal(step.Inputs[inputStarter], &starter) // absent, it is not known
	q.Starter = starter.ID
	_, err := a.Submit.RequestByStep(ctx, q)
	if err == nil {
		return nil
	}
	text, known := sayings[flow.CodeOf(err)]
	if !known || text != "" && flow.CodeOf(err) != flow.CodeUnknownUser || flow.CodeOf(err) == flow.CodeBusy {
		return err // it may be over when Slack sends the step again
	}
	return a.failStep(ctx, step.Execution, step.Token, whatIsWrong(err))
}

// stepText reads an input that is a text, or a number.
func stepText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// whatIsWrong writes an error with what it says of each field, for the author of a
// workflow.
func whatIsWrong(err error) string {
	text := sentence(withoutCode(flow.UserMessage(err)))
	if e, ok := errors.AsType[*flow.Error](err); ok && len(e.Fields) > 0 {
		var faults []string
		for _, f := range e.Fields {
			faults = append(faults, "the field "+f.Field+": "+f.Message)
		}
		text = sentence(strings.Join(faults, "; "))
	}
	return fit(text, maxText)
}

// failStep ends a step that made no request. Should Slack not take the bot token for
// that, it takes the step's own.
func (a *App) failStep(ctx context.Context, execution, token, why string) error {
	err := a.API.FunctionCompleteErrorContext(ctx, execution, why)
	if kind, _ := troubleOf(err, ""); err != nil && kind == scope && token != "" {
		options := []slack.Option{}
		if a.APIURL != "" {
			options = append(options, slack.OptionAPIURL(strings.TrimSuffix(a.APIURL, "/")+"/"))
		}
		err = slack.New(token, options...).FunctionCompleteErrorContext(ctx, execution, why)
	}
	if err = stepError(err); flow.CodeOf(err) == flow.CodeUndeliverable {
		a.Log.WarnContext(ctx, "a step of a workflow could not be told why there is no request", "error", err)
		return nil
	}
	return err
}

// completeStep ends a step with what has come of its request.
func (m Messenger) completeStep(ctx context.Context, execution string, body []byte) error {
	var outputs map[string]string
	if err := json.Unmarshal(body, &outputs); err != nil {
		return fmt.Errorf("read the outputs of a step: %w", err)
	}
	return stepError(m.API.FunctionCompleteSuccessContext(ctx, execution, slack.FunctionCompleteSuccessRequestOptionOutput(outputs)))
}

// stepError turns Slack's errors to the end of a step into ours. A step that is over,
// or whose workflow is gone, needs no end.
func stepError(err error) error {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch refused.Err {
		case "execution_not_in_running_state", "function_execution_not_found":
			return nil
		case "parameter_validation_failed":
			return &flow.Error{Code: flow.CodeUndeliverable, Message: "Slack does not take the outputs of the step: compare the app's settings with the manifest in docs/slack.md", Cause: err}
		}
	}
	return delivery(err, "the step of a workflow")
}

// stepOutputs are what a step ends with.
func stepOutputs(r flow.Run) ([]byte, error) {
	status, _ := r.StepOutcome()
	return json.Marshal(map[string]string{"status": string(status), "run_id": r.ID})
}
