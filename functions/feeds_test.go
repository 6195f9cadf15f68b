package functions_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
)

// streamReader is how a function reads the table's stream, as infra has it.
type streamReader struct {
	function      string
	most, retries int
	acts, kinds   []store.Kind
}

var streamReaders = map[string]streamReader{
	"relay":  {"relay", 100, 20, store.ActKinds(), []store.Kind{store.KindRun}},
	"notify": {"notify", 25, 1000, nil, []store.Kind{store.KindRun, store.KindNotice}},
}

// passes tells whether infra's filter passes a record.
func (s streamReader) passes(r awsevents.DynamoDBEventRecord) bool {
	isOf := func(k store.Kind) bool { return strings.HasPrefix(r.Change.Keys["key"].String(), string(k)) }
	_, recorded := r.Change.NewImage[dynamo.AttrActs]
	return r.EventName != "REMOVE" && (slices.ContainsFunc(s.kinds, isOf) || recorded && slices.ContainsFunc(s.acts, isOf))
}

// follow has a function read the table's stream, as Lambda does for it: only
// what infra's filter passes, in batches that are repeated from the first record
// that failed on, halved where the function itself failed, and given up after
// some retries
// (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).
func (a *account) follow(s streamReader) {
	for _, action := range []string{"ListStreams", "DescribeStream", "GetShardIterator"} {
		a.inItsName(s.function, "dynamodb:"+action, streamARN)
	}
	var mu sync.Mutex
	var waiting []awsevents.DynamoDBEventRecord
	more := make(chan struct{}, 1)
	a.table.Subscribe(func(r awsevents.DynamoDBEventRecord) {
		if !s.passes(r) {
			return
		}
		mu.Lock()
		waiting = append(waiting, r)
		mu.Unlock()
		select {
		case more <- struct{}{}:
		default: // it is known that there are some
		}
	})
	take := func() []awsevents.DynamoDBEventRecord {
		if a.isStopped(s.function) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		batch := slices.Clone(waiting[:min(s.most, len(waiting))])
		waiting = waiting[len(batch):]
		return batch
	}
	a.work.Go(func() {
		for {
			batch := take()
			if len(batch) > 0 {
				a.inItsName(s.function, "dynamodb:GetRecords", streamARN)
				a.deliver(s.function, batch, s.retries)
				continue
			}
			select {
			case <-more:
			case <-a.closing:
				return
			}
		}
	})
}

// deliver hands a function a batch until it takes all of it.
func (a *account) deliver(function string, batch []awsevents.DynamoDBEventRecord, retries int) {
	for ; ; retries-- {
		payload, err := json.Marshal(awsevents.DynamoDBEvent{Records: batch})
		if err != nil {
			panic(err) // it came from JSON
		}
		answer, failed := a.invoke(functionARN(function), payload)
		if a.isClosing() {
			return
		}
		if failed != nil && len(batch) > 1 {
			a.deliver(function, batch[:len(batch)/2], retries-1)
			a.deliver(function, batch[len(batch)/2:], retries-1)
			return
		}
		if failed == nil {
			at := firstFailure(batch, answer)
			if at == len(batch) {
				return
			}
			batch = batch[at:]
		}
		if retries <= 0 {
			rest, _ := json.Marshal(awsevents.DynamoDBEvent{Records: batch}) // as above
			a.inItsName(function, "s3:ListBucket", deadLetterBucket)
			a.inItsName(function, "s3:PutObject", deadLetterBucket+"/aws/lambda/"+function)
			a.giveUp(functionARN(function), rest)
			return
		}
	}
}

// firstFailure finds the lowest sequence number in an answer; an answer that
// names none of the batch's is a failure of all of it.
func firstFailure(batch []awsevents.DynamoDBEventRecord, answer []byte) int {
	var out awsevents.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return 0
	}
	first := len(batch)
	for _, f := range out.BatchItemFailures {
		at := slices.IndexFunc(batch, func(r awsevents.DynamoDBEventRecord) bool { return r.Change.SequenceNumber == f.ItemIdentifier })
		first = min(first, max(at, 0))
	}
	return first
}

// queue is an SQS queue.
type queue struct {
	visible, hidden []awsevents.SQSMessage
	held            []string // bodies of all messages that were held back for a while
	// loose has it do what standard queues may: show messages twice, and the latest
	// first (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html).
	loose bool
	// fifo gives messages in order, and none while others are in flight, and takes no
	// message twice whose deduplication id it has seen. All messages are of one group
	// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html).
	fifo bool
	seen map[string]bool
	// crowded gives others messages while some are in flight, as after a time-out.
	crowded bool
}

// add has a message be seen. The account's lock is held.
func (q *queue) add(m awsevents.SQSMessage) {
	if q.loose {
		q.visible = append([]awsevents.SQSMessage{m, m}, q.visible...)
		return
	}
	q.visible = append(q.visible, m)
}

// serveSQS is SQS
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
// and API_SendMessageBatch.html).
func (a *account) serveSQS(function, operation string, input []byte) (any, error) {
	type message struct {
		ID            string `json:"Id"`
		Body          string `json:"MessageBody"`
		Delay         int    `json:"DelaySeconds"`
		Group         string `json:"MessageGroupId"`
		Deduplication string `json:"MessageDeduplicationId"`
	}
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []message
		message
	}
	if operation == "ReceiveMessage" || operation == "DeleteMessageBatch" {
		return a.takeSQS(function, operation, input)
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	switch operation {
	case "SendMessage":
		in.Entries = []message{in.message}
	case "SendMessageBatch":
	default:
		return nil, unknown(operation)
	}
	name := path.Base(in.QueueURL)
	if err := a.faultOf(call{function: function, action: "sqs:SendMessage", resource: arn("sqs", name), input: input}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[in.QueueURL]
	if q == nil {
		return nil, bad("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	}
	type taken struct {
		ID        string `json:"Id,omitempty"`
		MessageID string `json:"MessageId"`
		MD5       string `json:"MD5OfMessageBody"`
	}
	var out struct{ Successful []taken }
	for _, e := range in.Entries {
		if q.fifo != (e.Group != "") || q.fifo != (e.Deduplication != "") || q.fifo && e.Delay != 0 {
			return nil, bad("InvalidParameterValue", "MessageGroupId, MessageDeduplicationId and no DelaySeconds are for FIFO queues.")
		}
		sum := md5.Sum([]byte(e.Body))
		if q.fifo && q.seen[e.Deduplication] {
			out.Successful = append(out.Successful, taken{e.ID, "as before", hex.EncodeToString(sum[:])})
			continue
		}
		if q.fifo {
			if q.seen == nil {
				q.seen = map[string]bool{}
			}
			q.seen[e.Deduplication] = true
		}
		m := awsevents.SQSMessage{
			MessageId: uuid.NewString(), ReceiptHandle: uuid.NewString(), Body: e.Body, Md5OfBody: hex.EncodeToString(sum[:]),
			EventSource: "aws:sqs", EventSourceARN: arn("sqs", name), AWSRegion: region,
			Attributes: map[string]string{"ApproximateReceiveCount": "1", "SenderId": "AROA" + strings.ToUpper(function) + ":sym-flows-" + function},
		}
		out.Successful = append(out.Successful, taken{e.ID, m.MessageId, m.Md5OfBody})
		if e.Delay == 0 {
			q.add(m)
			continue
		}
		q.held = append(q.held, e.Body)
		a.work.Go(func() { a.show(q, m, time.Duration(e.Delay)*time.Second) })
	}
	a.change()
	if operation == "SendMessage" {
		return out.Successful[0], nil
	}
	return out, nil
}

// takeSQS is SQS for a function that asks for messages by itself
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
// and API_DeleteMessageBatch.html).
func (a *account) takeSQS(function, operation string, input []byte) (any, error) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Most     int    `json:"MaxNumberOfMessages"`
		Entries  []struct {
			ID     string `json:"Id"`
			Handle string `json:"ReceiptHandle"`
		}
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	if err := a.faultOf(call{function: function, action: "sqs:" + strings.TrimSuffix(operation, "Batch"), resource: arn("sqs", path.Base(in.QueueURL)), input: input}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[in.QueueURL]
	if operation == "DeleteMessageBatch" {
		type deleted struct {
			ID string `json:"Id"`
		}
		var out struct{ Successful []deleted }
		for _, e := range in.Entries {
			q.hidden = slices.DeleteFunc(q.hidden, func(m awsevents.SQSMessage) bool { return m.ReceiptHandle == e.Handle })
			out.Successful = append(out.Successful, deleted{e.ID})
		}
		a.change()
		return out, nil
	}
	var out struct{ Messages []awsevents.SQSMessage }
	if len(q.hidden) == 0 || q.crowded { // else others of the group are in flight
		out.Messages = slices.Clone(q.visible[:min(in.Most, len(q.visible))])
		q.visible = q.visible[len(out.Messages):]
		q.hidden = append(q.hidden, out.Messages...)
	}
	type message struct {
		MessageID string `json:"MessageId"`
		Handle    string `json:"ReceiptHandle"`
		Body      string
		MD5       string `json:"MD5OfBody"`
	}
	messages := []message{}
	for _, m := range out.Messages {
		messages = append(messages, message{m.MessageId, m.ReceiptHandle, m.Body, m.Md5OfBody})
	}
	return map[string]any{"Messages": messages}, nil
}

// eachMinute has a rule call a function, whose minutes are over whenever there is something
// in the queue that it takes.
func (a *account) eachMinute(function, queue string) {
	a.work.Go(func() {
		for {
			a.mu.Lock()
			waiting := len(a.queues[queue].visible) > 0 && len(a.queues[queue].hidden) == 0 && !a.stopped[queue]
			if waiting != a.inMinute {
				a.inMinute = waiting
				a.change()
			}
			changed := a.changed
			a.mu.Unlock()
			if !waiting {
				select {
				case <-changed:
				case <-a.closing:
				}
			}
			select {
			case <-a.closing: // what is queued stays there: functions can't be called any more
				return
			default:
			}
			if waiting {
				a.minute(function)
			}
		}
	})
}

// minute has a rule call a function.
func (a *account) minute(function string) *failure {
	_, failed := a.invoke(functionARN(function), []byte(`{"source":"aws.events","detail-type":"Scheduled Event"}`))
	return failed
}

// show has a message be seen after its delay.
func (a *account) show(q *queue, m awsevents.SQSMessage, delay time.Duration) {
	select {
	case <-a.clock.After(delay):
	case <-a.closing:
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q.add(m)
	a.change()
}

// stop has a reader of a queue, or of the stream, read nothing from now on, as an event
// source mapping that is disabled. It is named by the queue's URL, or the function.
func (a *account) stop(readers ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range readers {
		a.stopped[r] = true
	}
}

func (a *account) isStopped(reader string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped[reader]
}

// receive has a function take a queue's messages, as Lambda does for it. Those
// that it does not take are hidden until reappear.
func (a *account) receive(url, function string) {
	queue := arn("sqs", path.Base(url))
	a.inItsName(function, "sqs:GetQueueAttributes", queue)
	a.work.Go(func() {
		for {
			a.mu.Lock()
			changed, q := a.changed, a.queues[url]
			most := 10
			if a.stopped[url] {
				most = 0
			}
			batch := slices.Clone(q.visible[:min(most, len(q.visible))])
			q.visible = q.visible[len(batch):]
			q.hidden = append(q.hidden, batch...)
			a.mu.Unlock()
			if len(batch) > 0 {
				a.inItsName(function, "sqs:ReceiveMessage", queue)
				left := a.offer(function, batch)
				if len(left) < len(batch) {
					a.inItsName(function, "sqs:DeleteMessage", queue)
				}
				a.mu.Lock()
				q.hidden = slices.DeleteFunc(q.hidden, func(m awsevents.SQSMessage) bool {
					is := func(other awsevents.SQSMessage) bool { return other.MessageId == m.MessageId }
					return slices.ContainsFunc(batch, is) && !slices.ContainsFunc(left, is)
				})
				a.change()
				a.mu.Unlock()
				continue
			}
			select {
			case <-changed:
			case <-a.closing:
				return
			}
		}
	})
}

// offer hands a function some messages and gives those that it did not take
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
func (a *account) offer(function string, batch []awsevents.SQSMessage) []awsevents.SQSMessage {
	payload, err := json.Marshal(awsevents.SQSEvent{Records: batch})
	if err != nil {
		panic(err) // texts alone
	}
	answer, failed := a.invoke(functionARN(function), payload)
	var out awsevents.SQSEventResponse
	if failed != nil || json.Unmarshal(answer, &out) != nil {
		return batch
	}
	var left []awsevents.SQSMessage
	for _, f := range out.BatchItemFailures {
		at := slices.IndexFunc(batch, func(m awsevents.SQSMessage) bool { return m.MessageId == f.ItemIdentifier })
		if at < 0 {
			return batch
		}
		left = append(left, batch[at])
	}
	return left
}

// reappear ends the visibility time-out of all messages that were not taken.
func (a *account) reappear(url string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[url]
	q.visible, q.hidden = append(q.visible, q.hidden...), nil
	a.change()
}
