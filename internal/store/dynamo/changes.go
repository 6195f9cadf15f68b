package dynamo

import (
	"github.com/aws/aws-lambda-go/events"

	"github.com/symflows/symflows/internal/store"
)

// Changes turns a record of the table's stream into a change. It is false for
// what is none: an item that was deleted, or cleared away after its time. The
// revision is 0 where the stream does not show it.
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
