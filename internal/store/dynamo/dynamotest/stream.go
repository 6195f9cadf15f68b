package dynamotest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Subscribe has the records of the table's stream delivered, beginning with
// the oldest, in order and one at a time. A delivery may make requests. The
// last one has ended when the test has.
func (s *Server) Subscribe(deliver func(events.DynamoDBEventRecord)) {
	s.subscribers.Go(func() {
		for n := 0; ; n++ {
			record, ok := s.record(n)
			if !ok {
				return
			}
			deliver(record)
		}
	})
}

// record waits for a record. It returns false once no more will come.
func (s *Server) record(n int) (events.DynamoDBEventRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n >= len(s.records) && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		return events.DynamoDBEventRecord{}, false
	}
	return s.records[n], true
}

func (s *Server) endStream() {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.subscribers.Wait()
}

// streamStart is when the stream has its first record; each one is a second
// after the one before.
var streamStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// publish adds a change to the stream; nil stands for a missing item. A write that
// changes nothing adds nothing.
func (s *Server) publish(old, new item) {
	name, key := events.DynamoDBOperationTypeModify, new
	switch {
	case reflect.DeepEqual(old, new):
		return
	case old == nil:
		name = events.DynamoDBOperationTypeInsert
	case new == nil:
		name, key = events.DynamoDBOperationTypeRemove, old
	}
	n := len(s.records)
	s.records = append(s.records, events.DynamoDBEventRecord{
		AWSRegion: region,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: streamStart.Add(time.Duration(n) * time.Second)},
			Keys:                        image(keyOf(key)),
			NewImage:                    image(new),
			OldImage:                    image(old),
			SequenceNumber:              fmt.Sprintf("%021d", n+1),
			SizeBytes:                   int64(size(keyOf(key)) + size(new) + size(old)),
			StreamViewType:              schema.Stream,
		},
		EventID:        fmt.Sprintf("%032x", n+1),
		EventName:      string(name),
		EventSource:    "aws:dynamodb",
		EventVersion:   "1.1",
		EventSourceArn: "arn:aws:dynamodb:" + region + ":123456789012:table/" + TableName + "/stream/2026-01-01T00:00:00.000",
	})
	s.changed.Broadcast()
}

// image is an item as records have it; both are DynamoDB's JSON.
func image(i item) map[string]events.DynamoDBAttributeValue {
	if i == nil {
		return nil
	}
	var image map[string]events.DynamoDBAttributeValue
	if err := json.Unmarshal(encode(i), &image); err != nil {
		panic("dynamotest: " + err.Error())
	}
	return image
}

// Records gives the records of the table's stream so far, behind the first n.
func (s *Server) Records(n int) []events.DynamoDBEventRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records[n:])
}
