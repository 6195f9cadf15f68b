package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// The stream has each write once, and in the order of the writes.
func TestChanges(t *testing.T) {
	t.Parallel()
	f := open(t, first("PutItem", dynamotest.AnswerLost))
	records := make(chan events.DynamoDBEventRecord, 10)
	f.server.Subscribe(func(r events.DynamoDBEventRecord) { records <- r })

	f.put(store.Item{Key: "token#a", Expires: start})  // has expired as it is written
	f.put(store.Item{Key: "token#a", Writer: "again"}) // takes its place
	f.put(store.Item{Key: "run#b", Body: []byte("body"), Index: store.Index{Due: start.Add(time.Hour)}})
	f.put(store.Item{Key: "token#a", Rev: 1})
	if _, err := f.Put(t.Context(), store.Item{Key: "token#a", Rev: 1, Writer: "late"}); err == nil {
		t.Error("a write at an old revision was taken")
	}
	if err := f.Delete(t.Context(), "token#a", 2); err != nil {
		t.Fatal(err)
	}
	if err := f.Delete(t.Context(), "token#a", 2); err != nil {
		t.Fatal(err)
	}
	f.put(store.Item{Key: "run#c"})
	for n, want := range []struct {
		event string
		store.Change
		isChange bool
	}{
		{"INSERT", store.Change{Key: "token#a", Rev: 1}, true},
		{"MODIFY", store.Change{Key: "token#a", Rev: 1}, true},
		{"INSERT", store.Change{Key: "run#b", Rev: 1}, true},
		{"MODIFY", store.Change{Key: "token#a", Rev: 2}, true},
		{"REMOVE", store.Change{}, false},
		{"INSERT", store.Change{Key: "run#c", Rev: 1}, true},
	} {
		record := travelled(t, <-records)
		change, ok := dynamo.Changes(record)
		if record.EventName != want.event || change != want.Change || ok != want.isChange {
			t.Errorf("record %d: %s, %+v, %v; want %+v", n, record.EventName, change, ok, want)
		}
	}
}

// Items are read as the stream shows them, after the newest change of the batch, and
// others from the table.
func TestChanged_Images(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	records := make(chan events.DynamoDBEventRecord, 10)
	f.server.Subscribe(func(r events.DynamoDBEventRecord) { records <- r })
	long := bytes.Repeat([]byte("body "), 1000) // is compressed
	want := store.Item{
		Key: "run#a", Rev: 1, Writer: "second", Body: long,
		Index: store.Index{Due: start.Add(time.Hour), Requester: "u1", Flow: "f", Status: "requested", Created: start},
	}
	f.put(store.Item{Key: "run#a", Writer: "first", Body: []byte("short")})
	f.put(want)
	f.put(store.Item{Key: "run#b", Body: []byte("b")})
	var event events.DynamoDBEvent
	for range 3 {
		event.Records = append(event.Records, travelled(t, <-records))
	}
	event.Records = event.Records[:2]
	want.Rev = 2
	latest := want
	latest.Writer = "third"
	f.put(latest)
	images := dynamo.Batch(event).Images(f.Store)
	before := f.server.Meter().Reads
	got, err := images.Get(t.Context(), "run#a")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if n := f.server.Meter().Reads - before; n != 0 {
		t.Errorf("%d reads of what the stream shows", n)
	}
	if got, err := images.Get(t.Context(), "run#b"); err != nil || string(got.Body) != "b" {
		t.Errorf("%s, %v", got.Body, err)
	}
	if _, err := images.Get(t.Context(), "run#c"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	// A record without the image is read.
	event.Records[1].Change.NewImage = nil
	if got, err := dynamo.Batch(event).Images(f.Store).Get(t.Context(), "run#a"); err != nil || got.Writer != "third" {
		t.Errorf("%+v, %v", got, err)
	}
}

// travelled is a record as a function gets it.
func travelled(t *testing.T, r events.DynamoDBEventRecord) events.DynamoDBEventRecord {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out events.DynamoDBEventRecord
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestChanges_OtherRecords(t *testing.T) {
	t.Parallel()
	key := func(name, value string) map[string]events.DynamoDBAttributeValue {
		return map[string]events.DynamoDBAttributeValue{name: events.NewStringAttribute(value)}
	}
	for name, test := range map[string]struct {
		record events.DynamoDBEventRecord
		want   store.Change
		ok     bool
	}{
		"Empty":      {events.DynamoDBEventRecord{}, store.Change{}, false},
		"OtherTable": {events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{Keys: key("id", "1")}}, store.Change{}, false},
		"KeysOnly":   {events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{Keys: key("key", "run#a")}}, store.Change{Key: "run#a"}, true},
		"TTL": {events.DynamoDBEventRecord{
			EventName: "REMOVE", UserIdentity: &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"},
			Change: events.DynamoDBStreamRecord{Keys: key("key", "token#a"), OldImage: key("key", "token#a")},
		}, store.Change{}, false},
	} {
		if got, ok := dynamo.Changes(test.record); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, test.want, test.ok)
		}
	}
}

// Records that failed are asked for by their sequence numbers; what is no
// change is passed over.
func TestBatch(t *testing.T) {
	t.Parallel()
	record := func(event, key, rev, sequence string) events.DynamoDBEventRecord {
		return events.DynamoDBEventRecord{EventName: event, Change: events.DynamoDBStreamRecord{
			Keys:     map[string]events.DynamoDBAttributeValue{"key": events.NewStringAttribute(key)},
			NewImage: map[string]events.DynamoDBAttributeValue{"rev": events.NewNumberAttribute(rev)}, SequenceNumber: sequence,
		}}
	}
	batch := dynamo.Batch(events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{
		record("INSERT", "run#a", "1", "101"), record("REMOVE", "token#x", "2", "102"), record("MODIFY", "run#a", "2", "103"),
	}})
	first, second := store.Change{Key: "run#a", Rev: 1}, store.Change{Key: "run#a", Rev: 2}
	if !slices.Equal(batch.Changes, []store.Change{first, second}) {
		t.Errorf("changes %v", batch.Changes)
	}
	for _, test := range []struct {
		failed []store.Change
		want   string
	}{
		{nil, `{"batchItemFailures":[]}`},
		{[]store.Change{second}, `{"batchItemFailures":[{"itemIdentifier":"103"}]}`},
		{[]store.Change{first, second}, `{"batchItemFailures":[{"itemIdentifier":"101"},{"itemIdentifier":"103"}]}`},
	} {
		got, err := json.Marshal(batch.Again(test.failed...))
		if err != nil || string(got) != test.want {
			t.Errorf("%v: %s, %v; want %s", test.failed, got, err, test.want)
		}
	}
}
