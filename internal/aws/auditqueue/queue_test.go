package auditqueue_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

const url, deadLetters = "https://sqs.example.com/records.fifo", "https://sqs.example.com/dead.fifo"

// service is SQS with FIFO queues: a message whose deduplication id it has seen is taken
// and not kept, and while messages of a group are in flight it gives none of it
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html).
type service struct {
	t       *testing.T
	fault   *awstest.Fault
	kept    map[string][]string // bodies, by queue
	seen    map[string]bool
	flying  int
	refused bool // deletions
}

func (s *service) serve(operation string, input []byte) (any, error) {
	var in struct {
		QueueUrl, MessageBody, MessageGroupId, MessageDeduplicationId string
		MaxNumberOfMessages                                           int
		Entries                                                       []struct{ Id, ReceiptHandle string }
	}
	if err := json.Unmarshal(input, &in); err != nil || in.QueueUrl != url && in.QueueUrl != deadLetters {
		s.t.Errorf("%s %s: %v", operation, input, err)
	}
	if s.fault != nil {
		return nil, s.fault
	}
	sum := md5.Sum([]byte(in.MessageBody))
	switch operation {
	case "SendMessage":
		if in.MessageGroupId == "" || in.MessageDeduplicationId == "" || len(in.MessageDeduplicationId) > 128 {
			return nil, &awstest.Fault{Status: http.StatusBadRequest, Code: "MissingParameter", Message: "The request must contain the parameter MessageGroupId."}
		}
		if id := in.QueueUrl + in.MessageDeduplicationId; !s.seen[id] {
			s.seen[id] = true
			s.kept[in.QueueUrl] = append(s.kept[in.QueueUrl], in.MessageBody)
		}
		return map[string]any{"MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:]), "SequenceNumber": "18849496460467696128"}, nil
	case "ReceiveMessage":
		var messages []map[string]string
		if s.flying == 0 {
			for i, body := range s.kept[url][:min(in.MaxNumberOfMessages, len(s.kept[url]))] {
				sum := md5.Sum([]byte(body))
				messages = append(messages, map[string]string{"MessageId": fmt.Sprint("m", i), "ReceiptHandle": body, "Body": body, "MD5OfBody": hex.EncodeToString(sum[:])})
			}
			s.flying = len(messages)
		}
		return map[string]any{"Messages": messages}, nil
	case "DeleteMessageBatch":
		var ok, failed []map[string]any
		for _, e := range in.Entries {
			if s.refused {
				failed = append(failed, map[string]any{"Id": e.Id, "Code": "ReceiptHandleIsInvalid", "SenderFault": true})
				continue
			}
			s.flying--
			s.kept[url] = slices.DeleteFunc(s.kept[url], func(body string) bool { return body == e.ReceiptHandle })
			ok = append(ok, map[string]any{"Id": e.Id})
		}
		return map[string]any{"Successful": ok, "Failed": failed}, nil
	}
	return nil, fmt.Errorf("there is no %s", operation)
}

func open(t *testing.T) (*service, auditqueue.Queue) {
	t.Helper()
	s := &service{t: t, kept: map[string][]string{}, seen: map[string]bool{}}
	return s, auditqueue.Queue{API: sqs.NewFromConfig(awstest.Config(t, awstest.Service(s.serve))), URL: url, DeadLetters: deadLetters}
}

func runs(n int) (all []workflow.Unshipped) {
	for i := range n {
		all = append(all, workflow.Unshipped{Run: fmt.Sprintf("run-%d", i), Revs: []int64{int64(i), 7}})
	}
	return append(all, workflow.Unshipped{Item: "token#x", Revs: []int64{1}})
}

// TestQueue: what was put comes in order, once however often it was put, and goes when it
// is done.
func TestQueue(t *testing.T) {
	t.Parallel()
	s, queue := open(t)
	put := runs(60)
	for range 2 {
		if err := queue.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := queue.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []workflow.Unshipped
	for _, m := range messages {
		got = append(got, m.Items...)
	}
	if diff := cmp.Diff(put, got); diff != "" || len(messages) != 3 {
		t.Errorf("%d messages: %s", len(messages), diff)
	}
	if others, err := queue.Take(t.Context()); len(others) != 0 || err != nil {
		t.Errorf("while they are handled others are given: %v, %v", others, err)
	}
	s.refused = true
	if err := queue.Done(t.Context(), messages...); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("deletions that are refused: %v", err)
	}
	s.refused = false
	if err := queue.SetAside(t.Context(), messages[1]); err != nil {
		t.Fatal(err)
	}
	if err := queue.Done(t.Context(), messages[0], messages[2]); err != nil || len(s.kept[url]) != 0 || len(s.kept[deadLetters]) != 1 {
		t.Errorf("%v, %v", s.kept, err)
	}
}

func TestQueue_Faults(t *testing.T) {
	t.Parallel()
	s, queue := open(t)
	s.kept[url] = []string{"no JSON", `[{"revs":[1]}]`, `{"run":"a","revs":[1]}`}
	messages, err := queue.Take(t.Context())
	if err != nil || len(messages) != 3 {
		t.Fatal(messages, err)
	}
	for _, m := range messages {
		if m.Items != nil {
			t.Errorf("a message that is not ours has %v", m.Items)
		}
	}
	s.fault = &awstest.Fault{Status: http.StatusBadRequest, Code: "KmsDisabled", Message: "the key is disabled"}
	_, taken := queue.Take(t.Context())
	for what, err := range map[string]error{"put": queue.Put(t.Context(), runs(1)), "take": taken, "done": queue.Done(t.Context(), messages...), "set aside": queue.SetAside(t.Context(), messages[0])} {
		if flow.CodeOf(err) != flow.CodeUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
}
