package dynamo

import (
	"github.com/aws/aws-lambda-go/events"

	"github.com/symflows/symflows/internal/store"
)

// Changes turns a record of the table's stream into a change. It returns false for
// an item that was deleted, or cleared away after its time. The revision is 0 if
// the stream does not show it.
func Changes(record events.DynamoDBEventRecord) (store.Change, bool) {
	key := record.Change.Keys[attrKey]
	if record.EventName == string(events.DynamoDBOperationTypeRemove) || key.DataType() != events.DataTypeString {
		return store.Change{}, false
	}
	change := store.Change{Key: key.String()}
	if rev := record.Change.NewImage[attrRev]; rev.DataType() == events.DataTypeNumber {
		change.Rev, _ = rev.Int64()
	}
	return change, true
}

// Changed has the changes in a batch of the table's stream.
type Changed struct {
	Changes   []store.Change
	sequences map[store.Change]string // sequence numbers of their records
}

// Batch reads a batch of the stream.
func Batch(event events.DynamoDBEvent) Changed {
	c := Changed{sequences: map[store.Change]string{}}
	for _, record := range event.Records {
		if change, ok := Changes(record); ok {
			c.Changes = append(c.Changes, change)
			c.sequences[change] = record.Change.SequenceNumber
		}
	}
	return c
}

// Again is the answer to Lambda that asks for the records of these changes once
// more. Lambda then gives all records from the first of them on
// (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).
func (c Changed) Again(changes ...store.Change) events.DynamoDBEventResponse {
	// Lambda documents an empty list, unlike a missing one, to mean success.
	again := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	for _, change := range changes {
		again.BatchItemFailures = append(again.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: c.sequences[change]})
	}
	return again
}
