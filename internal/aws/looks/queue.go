// Package looks has runs whose targets need time looked at again, by SQS queues that
// show a message after a delay and call a function with it: one for grants and one
// for removals, so that what hangs of the ones keeps none of the others. A message
// names a run only, so that a deploy never outdates messages that wait.
package looks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Queues are SQS queues whose messages a function reads with [Run].
type Queues struct {
	API      *sqs.Client      // required
	Grants   string           // required: the queue's URL
	Removals string           // required: the queue's URL
	Now      func() time.Time // required
}

var _ workflow.Looks = Queues{}

// longest is the most that SQS keeps a message back
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
const longest = 15 * time.Minute

// Later queues a message that is shown at the time, or after a quarter of an hour
// if that is earlier. The error, of flow.CodeUnavailable, says that it is not
// queued.
func (q Queues) Later(ctx context.Context, runID string, step flow.EventName, at time.Time) error {
	body, err := json.Marshal(workflow.LookInput{Run: runID})
	if err != nil {
		return err
	}
	url := q.Grants
	if step == flow.EventDeescalate {
		url = q.Removals
	}
	delay := min(max(at.Sub(q.Now()), 0), longest)
	_, err = q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(url), MessageBody: aws.String(string(body)),
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never too early
	})
	if err != nil {
		return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("a look at the target of run %s could not be queued", runID), Cause: err}
	}
	return nil
}

// Run reads a message of the queue, and gives the run that is to be looked at. The
// error has flow.CodeInvalid for one that is not ours.
func Run(m events.SQSMessage) (string, error) {
	var in workflow.LookInput
	if err := json.Unmarshal([]byte(m.Body), &in); err != nil || flow.CheckRunID(in.Run) != nil {
		return "", flow.Errorf(flow.CodeInvalid, "message %s of the queue of looks names no run", m.MessageId)
	}
	return in.Run, nil
}
