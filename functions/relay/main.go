// Command relay reads the table's stream: it drives the runs that changed, and then
// queues what they recorded, and what administrators did, for the transparency log.
package main

import (
	"context"
	"encoding/json"
	"errors"

	awsevents "github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

// build makes the function. It drives first: nothing that becomes of the records holds
// that up. Nor does a run that can't be driven keep its records from being queued.
func build(_ context.Context, d core.Deployed) (func(context.Context, input) (any, error), error) {
	settings := d.Settings.AWS
	drive := workflow.Relay{Drive: workflow.Drive{
		Runs: d.Runs, Now: d.Clock.Now,
		Runner:  stepfn.Runner{API: sfn.NewFromConfig(d.AWS), StateMachineARN: settings.StateMachine},
		Remover: invoke.Remover{API: lambda.NewFromConfig(d.AWS), FunctionARN: settings.RemovalFunction},
	}}
	configure := invoke.Queue{API: lambda.NewFromConfig(d.AWS), Function: settings.ConfigFunction}
	wake := d.Wake(func(ctx context.Context) error { return configure.Put(ctx, []byte(`{"assemble": true}`)) })
	conclude := d.Conclude()
	audit, queue := d.Audit(nil, nil), auditqueue.Queue{API: sqs.NewFromConfig(d.AWS), URL: settings.LogQueue}
	return func(ctx context.Context, in input) (any, error) {
		if in.waited != nil {
			return awsevents.SQSEventResponse{}, queue.Put(ctx, in.waited)
		}
		batch := dynamo.Batch(in.changes)
		failed := workflow.Each(ctx, batch.Changes, drive.Handle)
		for _, f := range failed {
			d.Log.WarnContext(ctx, "run could not be driven, and will be again", "key", f.Change.Key, "error", f.Cause)
		}
		if err := wake.Changed(ctx, batch.Changes); err != nil {
			return nil, err
		}
		concluded := conclude
		concluded.Runs.Store = batch.Images(conclude.Runs.Store)
		decided, err := concluded.Decided(ctx, batch.Changes)
		if decided {
			err = configure.Put(ctx, []byte(`{"conclude": true}`))
		}
		if err != nil {
			d.Log.ErrorContext(ctx, "nobody was called to do what was decided on the configuration, and the next sweep does it", "error", err)
		}
		recorded := audit
		recorded.Runs.Store, recorded.Acts.Store = batch.Images(audit.Runs.Store), batch.Images(audit.Acts.Store)
		if err := recorded.HandOn(ctx, batch.Changes, queue); err != nil {
			return nil, err
		}
		return batch.Again(workflow.Changes(failed)...), nil
	}, nil
}

// input is a batch of the stream; or messages of the queue in which an earlier release had
// what its audit log had not taken, and which a deploy ends.
type input struct {
	changes awsevents.DynamoDBEvent
	waited  []workflow.Unshipped
}

// UnmarshalJSON tells the two apart. Their records are alike only in naming their source.
func (in *input) UnmarshalJSON(event []byte) error {
	if err := json.Unmarshal(event, &in.changes); err == nil && len(in.changes.Records) > 0 && in.changes.Records[0].EventSource == "aws:dynamodb" {
		return nil
	}
	var messages awsevents.SQSEvent
	if err := json.Unmarshal(event, &messages); err != nil || len(messages.Records) == 0 || messages.Records[0].EventSource != "aws:sqs" {
		return errors.New("the event is neither of the table's stream nor of the audit queue")
	}
	for _, m := range messages.Records {
		var u workflow.Unshipped
		if err := json.Unmarshal([]byte(m.Body), &u); err != nil {
			return err
		}
		in.waited = append(in.waited, u)
	}
	return nil
}
