package dynamo

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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
	images    map[string]image        // of each item, after its newest change
}

// image is an item as the stream shows it.
type image = map[string]events.DynamoDBAttributeValue

// Batch reads a batch of the stream.
func Batch(event events.DynamoDBEvent) Changed {
	c := Changed{sequences: map[store.Change]string{}, images: map[string]image{}}
	for _, record := range event.Records {
		if change, ok := Changes(record); ok {
			c.Changes = append(c.Changes, change)
			c.sequences[change] = record.Change.SequenceNumber
			c.images[change.Key] = record.Change.NewImage
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

// Images gives a store that reads the items of the batch as the stream shows them, after
// their newest change in it, and does all else as s. To read them so costs nothing: it is
// for whoever records what has changed. Who acts on an item reads it as it is now.
func (c Changed) Images(s store.Store) store.Store { return images{s, c.images} }

type images struct {
	store.Store
	shown map[string]image
}

// Get implements store.Store.
func (i images) Get(ctx context.Context, key string) (store.Item, error) {
	if item, err := decode(attributesOf(i.shown[key])); err == nil && item.Key == key {
		return item, nil
	}
	return i.Store.Get(ctx, key)
}

// attributesOf gives what of an image is of the types that items are made of.
func attributesOf(i image) attributes {
	a := attributes{}
	for name, value := range i {
		switch value.DataType() {
		case events.DataTypeString:
			a[name] = text(value.String())
		case events.DataTypeNumber:
			a[name] = &types.AttributeValueMemberN{Value: value.Number()}
		case events.DataTypeBinary:
			a[name] = binary(value.Binary())
		}
	}
	return a
}
