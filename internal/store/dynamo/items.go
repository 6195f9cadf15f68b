package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/symflows/symflows/internal/store"
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Item, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: attributes{attrKey: text(key)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return store.Item{}, fault(ctx, "get item", err)
	}
	if out.Item == nil {
		return store.Item{}, store.ErrNotFound
	}
	item, err := decode(out.Item)
	if err != nil {
		return store.Item{}, fmt.Errorf("get item: %w", err)
	}
	if expired(item, s.now()) {
		return store.Item{}, store.ErrNotFound
	}
	return item, nil
}

// The conditions of writes. An item that has expired is as good as absent.
const (
	free      = "attribute_not_exists(#key) OR #expires <= :now"
	unmoved   = "#rev = :rev AND (attribute_not_exists(#expires) OR #expires > :now)"
	removable = "attribute_not_exists(#key) OR #expires <= :now OR #rev = :rev"
)

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, item store.Item) (int64, error) {
	if err := item.Check(); err != nil {
		return 0, err
	}
	put := dynamodb.PutItemInput{
		TableName:                           &s.table,
		ConditionExpression:                 aws.String(unmoved),
		ExpressionAttributeNames:            map[string]string{"#rev": attrRev, "#expires": attrExpires},
		ExpressionAttributeValues:           attributes{":rev": number(item.Rev), ":now": s.time()},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if item.Rev == 0 {
		put.ConditionExpression = aws.String(free)
		put.ExpressionAttributeNames = map[string]string{"#key": attrKey, "#expires": attrExpires}
		put.ExpressionAttributeValues = attributes{":now": s.time()}
	}
	item.Rev++
	var err error
	if put.Item, err = encode(item); err != nil {
		return 0, fmt.Errorf("put item: %w", err)
	}
	_, err = s.api.PutItem(ctx, &put)
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return s.mine(item.Writer, refused.Item)
	}
	if err != nil {
		return 0, fault(ctx, "put item", err)
	}
	return item.Rev, nil
}

// mine gives the revision of the item that was in the way of a write, if the
// writer wrote it: it is this write, whose answer was lost. There may be no item.
func (s *Store) mine(writer string, stored attributes) (int64, error) {
	if len(stored) == 0 {
		return 0, store.ErrConflict
	}
	item, err := head(stored)
	if err != nil {
		return 0, fmt.Errorf("put item: %w", err)
	}
	if item.Writer != writer || expired(item, s.now()) {
		return 0, store.ErrConflict
	}
	return item.Rev, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string, rev int64) error {
	_, err := s.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 &s.table,
		Key:                       attributes{attrKey: text(key)},
		ConditionExpression:       aws.String(removable),
		ExpressionAttributeNames:  map[string]string{"#key": attrKey, "#rev": attrRev, "#expires": attrExpires},
		ExpressionAttributeValues: attributes{":rev": number(rev), ":now": s.time()},
	})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return store.ErrConflict
	}
	if err != nil {
		return fault(ctx, "delete item", err)
	}
	return nil
}

// time is now, as attributes have it.
func (s *Store) time() types.AttributeValue { return text(store.FormatTime(s.now())) }

func expired(i store.Item, now time.Time) bool {
	return !i.Expires.IsZero() && !now.Before(i.Expires)
}
