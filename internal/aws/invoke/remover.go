package invoke

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/workflow"
)

// Remover asks a function to take access away.
type Remover struct {
	API         *lambda.Client // required
	FunctionARN string         // required: the function that takes a workflow.DeescalateInput
}

var _ workflow.Remover = Remover{}

// Remove leaves the order in the function's queue. An error means that it is not
// there, and may be tried again.
func (r Remover) Remove(ctx context.Context, runID string) error {
	payload, err := json.Marshal(workflow.DeescalateInput{Run: runID})
	if err != nil {
		return err
	}
	if err := (Queue{API: r.API, Function: r.FunctionARN}).Put(ctx, payload); err != nil {
		return fmt.Errorf("ask for the removal of run %s: %w", runID, err)
	}
	return nil
}
