// Package auditqueue keeps the runs and items whose records go to the logs in an SQS FIFO
// queue, in the order in which they changed. A message names them and their revisions
// only, so that a deploy never outdates messages that wait.
package auditqueue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Queue is an SQS FIFO queue. All its messages are of one group: they come in order, and
// while some are being handled nobody else is given others.
type Queue struct {
	API         *sqs.Client // required
	URL         string      // required
	DeadLetters string      // URL of the queue of what can't be handled; required by SetAside
}

var _ workflow.AuditQueue = Queue{}

const (
	group = "records"
	// maxItems is how many runs and items are in one message, which takes a hundredth of
	// what SQS allows.
	maxItems = 25
	// maxMessages is how many SQS gives at once
	// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
	maxMessages = 10
)

// Message is one that was taken.
type Message struct {
	ID     string
	Items  []workflow.Unshipped
	handle string
	body   string
}

// Put queues the items, several to a message. Those that were queued in the last five
// minutes already are not queued again. The error has flow.CodeUnavailable, and those
// before the one that could not be queued are.
func (q Queue) Put(ctx context.Context, items []workflow.Unshipped) error {
	for some := range slices.Chunk(items, maxItems) {
		body, err := json.Marshal(some)
		if err != nil {
			return fmt.Errorf("encode what was recorded: %w", err)
		}
		if err := q.send(ctx, q.URL, string(body)); err != nil {
			return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("the audit records of %d runs and items could not be queued", len(some)), Cause: err}
		}
	}
	return nil
}

func (q Queue) send(ctx context.Context, url, body string) error {
	sum := sha256.Sum256([]byte(body))
	_, err := q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: &body, MessageGroupId: aws.String(group), MessageDeduplicationId: aws.String(hex.EncodeToString(sum[:])),
	})
	return err
}

// Take gives the next messages, the oldest first; none if there are none, or if somebody
// else is handling some. They come again unless they are Done in the queue's visibility
// time-out. A message that is not ours has no items.
func (q Queue) Take(ctx context.Context) (messages []Message, err error) {
	out, err := q.API.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: maxMessages})
	if err != nil {
		return nil, &flow.Error{Code: flow.CodeUnavailable, Message: "the queue of audit records could not be read", Cause: err}
	}
	for _, m := range out.Messages {
		taken := Message{ID: aws.ToString(m.MessageId), handle: aws.ToString(m.ReceiptHandle), body: aws.ToString(m.Body)}
		var items []workflow.Unshipped
		if err := json.Unmarshal([]byte(taken.body), &items); err == nil && !slices.ContainsFunc(items, invalid) {
			taken.Items = items
		}
		messages = append(messages, taken)
	}
	return messages, nil
}

func invalid(u workflow.Unshipped) bool { return (u.Run == "") == (u.Item == "") }

// Done has messages that were handled not come again.
func (q Queue) Done(ctx context.Context, messages ...Message) error {
	var entries []types.DeleteMessageBatchRequestEntry
	for i, m := range messages {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.handle)})
	}
	out, err := q.API.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.URL, Entries: entries})
	if err == nil && len(out.Failed) > 0 {
		var reasons []string
		for _, f := range out.Failed {
			reasons = append(reasons, aws.ToString(f.Code))
		}
		err = fmt.Errorf("%d of them: %s", len(out.Failed), strings.Join(reasons, "; "))
	}
	if err != nil {
		return &flow.Error{Code: flow.CodeUnavailable, Message: "messages of audit records that were handled could not be deleted, and come again", Cause: err}
	}
	return nil
}

// SetAside puts a message that can't be handled into the queue of dead letters.
func (q Queue) SetAside(ctx context.Context, m Message) error {
	if err := q.send(ctx, q.DeadLetters, m.body); err != nil {
		return &flow.Error{Code: flow.CodeUnavailable, Message: "a message of audit records could not be set aside", Cause: err}
	}
	return q.Done(ctx, m)
}
