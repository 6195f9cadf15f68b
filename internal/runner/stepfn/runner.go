package stepfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/runner"
)

// Runner starts and resumes executions of the state machine. What fails for
// another reason than the contract names, throttling for one, may be tried
// again.
type Runner struct {
	API             *sfn.Client // required
	StateMachineARN string      // required
}

var _ runner.Runner = Runner{}

// start is the input of an execution. Nothing else is known of a run here, so
// that no deploy outdates it.
type start struct {
	Run     string `json:"run"`
	Attempt int    `json:"attempt"`
}

// Start begins an execution. Its name keeps it from being begun twice: while it
// runs, Step Functions takes the same name and input for the same call; for 90
// days after its end the name is refused
// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
// Attempts are numbered, so a name is never wanted again.
func (r Runner) Start(ctx context.Context, runID string, attempt int) error {
	input, err := json.Marshal(start{runID, attempt})
	if err != nil {
		return err
	}
	_, err = r.API.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String(r.StateMachineARN),
		Name:            aws.String(fmt.Sprintf("%s-%d", runID, attempt)),
		Input:           aws.String(string(input)),
	})
	if code(err) == "ExecutionAlreadyExists" {
		return nil
	}
	return err
}

// Resume gives the token back. The run tells what became of it; the output
// says nothing.
func (r Runner) Resume(ctx context.Context, token string) error {
	_, err := r.API.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String(token), Output: aws.String("{}")})
	switch code(err) {
	case "TaskTimedOut", "TaskDoesNotExist", "InvalidToken":
		return runner.ErrGone
	}
	return err
}

// code is the name that AWS gives an error; "" for those of other makers.
func code(err error) string {
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		return refused.ErrorCode()
	}
	return ""
}
