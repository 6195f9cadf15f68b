// Package auditqueue keeps audit records that the audit log refused in an SQS
// queue. A message names a run, or another item, and its revisions only, so that a deploy never
// outdates messages that wait.
package auditqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Queue is an SQS queue.
type Queue struct {
	API *sqs.Client // required
	URL string      // required
}

var _ workflow.AuditQueue = Queue{}

// maxEntries is how many messages SendMessageBatch takes
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
const maxEntries = 10

// Put queues each run or item as a message of its own. It tries all of them; the error,
// of flow.CodeUnavailable, says how many are not queued.
func (q Queue) Put(ctx context.Context, items []workflow.Unshipped) error {
	left := 0
	var reason []string
	for some := range slices.Chunk(items, maxEntries) {
		var entries []types.SendMessageBatchRequestEntry
		for i, u := range some {
			body, err := json.Marshal(u)
			if err != nil {
				return fmt.Errorf("encode the records of %s: %w", u.Run+u.Item, err)
			}
			entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body))})
		}
		out, err := q.API.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(q.URL), Entries: entries})
		if err != nil {
			left += len(some)
			reason = append(reason, err.Error())
			continue
		}
		left += len(out.Failed)
		for _, f := range out.Failed {
			reason = append(reason, aws.ToString(f.Code))
		}
	}
	if left > 0 {
		return flow.Errorf(flow.CodeUnavailable, "the audit records of %d runs and items could not be queued: %s", left, strings.Join(reason, "; "))
	}
	return nil
}

// Unshipped reads a message of the queue. The error has flow.CodeInvalid for
// one that is not ours.
func Unshipped(m events.SQSMessage) (workflow.Unshipped, error) {
	var u workflow.Unshipped
	if err := json.Unmarshal([]byte(m.Body), &u); err != nil || (u.Run == "") == (u.Item == "") {
		return u, flow.Errorf(flow.CodeInvalid, "message %s of the audit queue names no run and no item", m.MessageId)
	}
	return u, nil
}
