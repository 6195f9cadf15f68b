// Command relay reads the table's stream: it drives the runs that changed, and
// then ships what they recorded. Records that the audit log does not take wait
// in a queue, which it reads too.
package main

import (
	"context"
	"encoding/json"
	"errors"

	awsevents "github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditlog"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

type relay struct {
	core.Deployed
	drive workflow.Relay
	audit workflow.Audit
	queue auditqueue.Queue
}

func build(_ context.Context, d core.Deployed) (func(context.Context, json.RawMessage) (any, error), error) {
	settings := d.Settings.AWS
	r := relay{
		Deployed: d,
		drive: workflow.Relay{Drive: workflow.Drive{
			Runs: d.Runs, Now: d.Clock.Now,
			Runner:  stepfn.Runner{API: sfn.NewFromConfig(d.AWS), StateMachineARN: settings.StateMachine},
			Remover: invoke.Remover{API: lambda.NewFromConfig(d.AWS), FunctionARN: settings.AccessFunction},
		}},
		audit: workflow.Audit{Runs: d.Runs, Log: auditlog.Firehose{API: firehose.NewFromConfig(d.AWS), Stream: settings.AuditStream, Clock: d.Clock}},
		queue: auditqueue.Queue{API: sqs.NewFromConfig(d.AWS), URL: settings.AuditQueue},
	}
	return r.handle, nil
}

// handle tells the two sources apart. Their records are alike only in naming
// their source.
func (r relay) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var stream awsevents.DynamoDBEvent
	if err := json.Unmarshal(event, &stream); err == nil && len(stream.Records) > 0 && stream.Records[0].EventSource == "aws:dynamodb" {
		return r.changes(ctx, stream)
	}
	var queue awsevents.SQSEvent
	if err := json.Unmarshal(event, &queue); err == nil && len(queue.Records) > 0 && queue.Records[0].EventSource == "aws:sqs" {
		return r.unshipped(ctx, queue), nil
	}
	return nil, errors.New("the event is neither of the table's stream nor of the audit queue")
}

// changes drives first: nothing that becomes of the audit records holds it up.
// Nor does a run that can't be driven keep its records from being shipped.
func (r relay) changes(ctx context.Context, event awsevents.DynamoDBEvent) (any, error) {
	batch := dynamo.Batch(event)
	failed := workflow.Each(ctx, batch.Changes, r.drive.Handle)
	for _, f := range failed {
		r.Log.WarnContext(ctx, "run could not be driven, and will be again", "key", f.Change.Key, "error", f.Cause)
	}
	if err := r.audit.HandleOrQueue(ctx, batch.Changes, r.queue); err != nil {
		return nil, err
	}
	return batch.Again(workflow.Changes(failed)...), nil
}

func (r relay) unshipped(ctx context.Context, event awsevents.SQSEvent) awsevents.SQSEventResponse {
	var again awsevents.SQSEventResponse
	for _, m := range event.Records {
		u, err := auditqueue.Unshipped(m)
		if err == nil {
			err = r.audit.Ship(ctx, []workflow.Unshipped{u})
		}
		if err != nil {
			r.Log.WarnContext(ctx, "audit records could not be shipped, and will be again", "run", u.Run, "error", err)
			again.BatchItemFailures = append(again.BatchItemFailures, awsevents.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return again
}
