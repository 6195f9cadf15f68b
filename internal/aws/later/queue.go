// Package later has functions called for runs at a time that is minutes away, by
// SQS queues that hold a message back for as long as is left then, and call a
// function with it. A message names a run only, so that a deploy never outdates
// messages that wait: whoever is called reads what is to be done.
//
// Messages may come late, twice and in any order, and one may be lost with its
// queue: the sweep makes up for it.
package later

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Queue is an SQS queue whose messages a function takes with [Each].
type Queue struct {
	API *sqs.Client      // required
	URL string           // required
	Now func() time.Time // required
}

// longest is the most that SQS keeps a message back
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
const longest = 15 * time.Minute

// message is what a queue holds.
type message struct {
	Run string `json:"run"`
}

// Put queues a message that is shown at the time, or after a quarter of an hour
// if that is earlier. Queues count whole seconds: it is shown up to a second later,
// never earlier. The error, of flow.CodeUnavailable, says that it is not queued.
func (q Queue) Put(ctx context.Context, runID string, at time.Time) error {
	body, err := json.Marshal(message{Run: runID})
	if err != nil {
		return err
	}
	delay := min(max(at.Sub(q.Now()), 0), longest)
	_, err = q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(q.URL), MessageBody: aws.String(string(body)),
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never too early
	})
	if err != nil {
		return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("what is to be done later for run %s could not be queued", runID), Cause: err}
	}
	return nil
}

// Showed tells whether a message is of this queue.
func (q Queue) Showed(m events.SQSMessage) bool {
	return strings.HasSuffix(m.EventSourceARN, ":"+path.Base(q.URL))
}

// Looks are the queues by which runs are looked at again whose targets need time:
// one for grants and one for removals, so that what hangs of the ones keeps none of
// the others.
type Looks struct {
	Grants, Removals Queue // required
}

var _ workflow.Looks = Looks{}

// Later implements workflow.Looks.
func (l Looks) Later(ctx context.Context, runID string, step flow.EventName, at time.Time) error {
	if step == flow.EventDeescalate {
		return l.Removals.Put(ctx, runID, at)
	}
	return l.Grants.Put(ctx, runID, at)
}

// Each does something for the run of each message, all at once, and names the
// messages for which that failed: the queue shows them again. failed is told of each,
// with flow.CodeInvalid for a message that is not ours.
func Each(ctx context.Context, messages []events.SQSMessage, do func(ctx context.Context, runID string) error, failed func(m events.SQSMessage, err error)) (out events.SQSEventResponse) {
	errs := make([]error, len(messages))
	var work sync.WaitGroup
	for i, m := range messages {
		work.Go(func() {
			run, err := read(m)
			if err == nil {
				err = do(ctx, run)
			}
			errs[i] = err
		})
	}
	work.Wait()
	for i, err := range errs {
		if err != nil {
			failed(messages[i], err)
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: messages[i].MessageId})
		}
	}
	return out
}

// read gives the run of a message.
func read(m events.SQSMessage) (string, error) {
	var in message
	if err := json.Unmarshal([]byte(m.Body), &in); err != nil || flow.CheckRunID(in.Run) != nil {
		return "", flow.Errorf(flow.CodeInvalid, "message %s of the queue names no run", m.MessageId)
	}
	return in.Run, nil
}
