package main

import (
	"context"
	"encoding/json"
	"errors"

	awsevents "github.com/aws/aws-lambda-go/events"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

type relay struct {
	core.Deployed
	drive workflow.Relay
	audit workflow.Audit
	queue auditqueue.Queue
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
			r.Log.WarnContext(ctx, "audit records could not be shipped, and will be again", "run", u.Run, "item", u.Item, "error", err)
			again.BatchItemFailures = append(again.BatchItemFailures, awsevents.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return again
}
