package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/symflows/symflows/internal/store"
)

// List implements store.Store. The index may lag; the items are as they are now.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	after, started, err := q.Position()
	if err != nil {
		return store.Page{}, err
	}
	section := sectionOf(q, after, started)
	if section.empty() {
		return store.Page{}, nil
	}
	size := store.PageSize(q.Limit)
	out, err := s.api.Query(ctx, section.query(s.table, size+1))
	if err != nil {
		return store.Page{}, fault(ctx, "list items", err)
	}
	entries, more := out.Items, len(out.LastEvaluatedKey) > 0
	if q.By == store.ByKind {
		// The index goes by kind, and the prefix may be narrower.
		beyond := func(entry attributes) bool { return !strings.HasPrefix(stringOf(entry[attrKey]), q.Value) }
		if n := slices.IndexFunc(entries, beyond); n >= 0 {
			entries, more = entries[:n], false
		}
	}
	if len(entries) > size {
		entries, more = entries[:size], true
	}
	var page store.Page
	if page.Items, err = s.described(ctx, section.index, entries); err != nil {
		return store.Page{}, err
	}
	if more && len(entries) > 0 {
		page.Cursor = position(q, section.index, entries[len(entries)-1]).Cursor()
	}
	return page, nil
}

// section is the part of an index that the pages of a listing still have to go
// through.
type section struct {
	index     Index
	partition string
	backwards bool
	from, to  string // sort keys; to belongs to the section, unless it goes backwards: then it does not, and from is ""
}

// The keys between which the sort keys of indexes by time are: digits.
const (
	beforeTimes = "0"
	behindTimes = ":"
)

func sectionOf(q store.Query, after store.Position, started bool) section {
	s := section{index: index(q.By), partition: q.Value}
	switch q.By {
	case store.ByDue:
		s.partition = dueItems
		s.from, s.to = beforeTimes, store.FormatTime(q.Until)+"$" // "$" follows the "#" of places
		if started {
			s.from = next(after.Time + "#" + after.Key)
		}
	case store.ByKind:
		s.partition = kindOf(q.Value)
		s.from, s.to = q.Value, strings.TrimSuffix(s.partition, "#")+"$"
		if started {
			s.from = next(after.Key)
		}
	default:
		s.backwards, s.to = true, behindTimes
		if !q.Before.IsZero() {
			s.to = store.FormatTime(q.Before) // before "#" and a key
		}
		if started {
			s.to = min(s.to, after.Time+"#"+after.Key)
		}
	}
	return s
}

// next gives the first key behind a key.
func next(key string) string { return key + "\x00" }

// empty tells whether nothing can be in the section. DynamoDB refuses to look.
func (s section) empty() bool {
	return s.from > s.to || len(s.partition) > maxPartitionBytes || len(s.from) > maxSortBytes
}

func (s section) query(table string, limit int) *dynamodb.QueryInput {
	q := &dynamodb.QueryInput{
		TableName:                 &table,
		IndexName:                 &s.index.Name,
		Limit:                     aws.Int32(int32(limit)),
		ScanIndexForward:          aws.Bool(!s.backwards),
		KeyConditionExpression:    aws.String("#partition = :partition AND #sort BETWEEN :from AND :to"),
		ExpressionAttributeNames:  map[string]string{"#partition": s.index.Partition, "#sort": s.index.Sort},
		ExpressionAttributeValues: attributes{":partition": text(s.partition), ":from": text(s.from), ":to": text(s.to)},
	}
	if s.backwards {
		q.KeyConditionExpression = aws.String("#partition = :partition AND #sort < :to")
		delete(q.ExpressionAttributeValues, ":from")
	}
	return q
}

// position gives the position of an entry of the listing's index.
func position(q store.Query, index Index, entry attributes) store.Position {
	p := store.Position{By: q.By, Value: q.Value, Key: stringOf(entry[attrKey])}
	if index.Sort != attrKey {
		p.Time = timeAt(stringOf(entry[index.Sort]))
	}
	return p
}

// described reads the items of entries of an index, in their order. It leaves
// out those that are gone, have expired, or are elsewhere in the index by now.
func (s *Store) described(ctx context.Context, index Index, entries []attributes) ([]store.Item, error) {
	found, err := s.getAll(ctx, entries)
	if err != nil {
		return nil, err
	}
	var items []store.Item
	for _, entry := range entries {
		a := found[stringOf(entry[attrKey])]
		if a == nil || stringOf(a[index.Partition]) != stringOf(entry[index.Partition]) || stringOf(a[index.Sort]) != stringOf(entry[index.Sort]) {
			continue
		}
		item, err := decode(a)
		if err != nil {
			return nil, fmt.Errorf("list items: %w", err)
		}
		if !expired(item, s.now()) {
			items = append(items, item)
		}
	}
	return items, nil
}

// maxBatch is how many items BatchGetItem takes.
const maxBatch = 100

// getAll reads the items of entries, by key.
func (s *Store) getAll(ctx context.Context, entries []attributes) (map[string]attributes, error) {
	var keys []attributes
	asked := map[string]bool{}
	for _, entry := range entries {
		// An item on its way from one place to another may be seen at both,
		// and a key may be asked for only once.
		if key := stringOf(entry[attrKey]); !asked[key] {
			asked[key] = true
			keys = append(keys, attributes{attrKey: text(key)})
		}
	}
	found := map[string]attributes{}
	for some := range slices.Chunk(keys, maxBatch) {
		ask := map[string]types.KeysAndAttributes{s.table: {Keys: some, ConsistentRead: aws.Bool(true)}}
		for len(ask) > 0 { // an answer holds some at least, and 16 MB at most
			out, err := s.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: ask})
			if err != nil {
				return nil, fault(ctx, "list items", err)
			}
			for _, a := range out.Responses[s.table] {
				found[stringOf(a[attrKey])] = a
			}
			ask = out.UnprocessedKeys
		}
	}
	return found, nil
}
