package invoke

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/symflows/symflows/internal/workflow"
)

// Remover asks a function to take access away.
type Remover struct {
	API         *lambda.Client // required
	FunctionARN string         // required: the function that takes a workflow.DeescalateInput
}

var _ workflow.Remover = Remover{}

// Remove puts the invocation into the function's queue, where Lambda keeps it
// until the function has taken it, and repeats it as the function is configured
// to (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html). An
// error means that it is not in the queue, and may be tried again.
func (r Remover) Remove(ctx context.Context, runID string) error {
	payload, err := json.Marshal(workflow.DeescalateInput{Run: runID})
	if err != nil {
		return err
	}
	_, err = r.API.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(r.FunctionARN), InvocationType: types.InvocationTypeEvent, Payload: payload,
	})
	if err != nil {
		return fmt.Errorf("ask for the removal of run %s: %w", runID, err)
	}
	return nil
}
