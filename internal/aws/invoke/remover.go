package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/workflow"
)

// Remover asks a function to take access away.
type Remover struct {
	API         *lambda.Client   // required
	FunctionARN string           // required: the function that takes a workflow.DeescalateInput
	Now         func() time.Time // required where there is Later
	// Later has [Remover.Call] called at a time that is yet to come. Without it the
	// function is called at once, which sees to the rest itself.
	Later func(ctx context.Context, runID string, at time.Time) error
}

var _ workflow.Remover = Remover{}

// Remove has the function called at the time. An error means that it is not, and may
// be tried again.
func (r Remover) Remove(ctx context.Context, runID string, at time.Time) error {
	if r.Later != nil && at.After(r.Now()) {
		return r.Later(ctx, runID, at)
	}
	return r.Call(ctx, runID)
}

// Call leaves the order in the function's queue, for now. An error means that it is
// not there, and may be tried again.
func (r Remover) Call(ctx context.Context, runID string) error {
	payload, err := json.Marshal(workflow.DeescalateInput{Run: runID})
	if err != nil {
		return err
	}
	if err := (Queue{API: r.API, Function: r.FunctionARN}).Put(ctx, payload); err != nil {
		return fmt.Errorf("ask for the removal of run %s: %w", runID, err)
	}
	return nil
}
