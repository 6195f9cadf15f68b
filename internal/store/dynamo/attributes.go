package dynamo

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/symflows/symflows/internal/store"
)

// attributes are an item as DynamoDB has it.
type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func binary(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// stringOf gives the text of an attribute, or "" if there is none.
func stringOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// bytesOf gives the bytes of an attribute, or nil if there are none.
func bytesOf(v types.AttributeValue) []byte {
	if b, ok := v.(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// DynamoDB's limits: of an item, and of the two keys of an index.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItemBytes      = 400 << 10
	maxPartitionBytes = 2048
	maxSortBytes      = 1024
)

// encode turns an item into attributes. Returns store.ErrTooLarge for what
// DynamoDB would refuse.
func encode(i store.Item) (attributes, error) {
	for _, partition := range []string{i.Index.Requester, i.Index.Flow, i.Index.Status} {
		if len(partition) > maxPartitionBytes {
			return nil, store.ErrTooLarge
		}
	}
	a := attributes{attrKey: text(i.Key), attrRev: number(i.Rev), attrWriter: text(i.Writer)}
	for name, value := range map[string]string{
		attrKind:      kindOf(i.Key),
		attrRequester: i.Index.Requester,
		attrFlow:      i.Index.Flow,
		attrStatus:    i.Index.Status,
		attrDueAt:     place(i.Index.Due, i.Key),
		attrCreatedAt: place(i.Index.Created, i.Key),
		attrExpires:   store.FormatTime(i.Expires),
	} {
		if value != "" { // no key of an index may be empty
			a[name] = text(value)
		}
	}
	if i.Acts {
		a[attrActs] = text(RecordsActs)
	}
	if !i.Index.Due.IsZero() {
		a[attrDue] = text(dueItems)
	}
	if !i.Expires.IsZero() {
		a[attrTTL] = number(i.Expires.Add(time.Second - 1).Unix())
	}
	name, body, err := pack(i.Body)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if len(body) > 0 {
		a[name] = binary(body)
	}
	if size(a) > maxItemBytes {
		return nil, store.ErrTooLarge
	}
	return a, nil
}

// head reads all of an item but its body.
func head(a attributes) (store.Item, error) {
	i := store.Item{
		Key: stringOf(a[attrKey]), Writer: stringOf(a[attrWriter]),
		Index: store.Index{Requester: stringOf(a[attrRequester]), Flow: stringOf(a[attrFlow]), Status: stringOf(a[attrStatus])},
	}
	rev, ok := a[attrRev].(*types.AttributeValueMemberN)
	if !ok {
		return store.Item{}, fmt.Errorf("item %q has no revision", i.Key)
	}
	var err error
	if i.Rev, err = strconv.ParseInt(rev.Value, 10, 64); err != nil {
		return store.Item{}, fmt.Errorf("read the revision of item %q: %w", i.Key, err)
	}
	for _, t := range []struct {
		to   *time.Time
		from string
	}{
		{&i.Index.Due, timeAt(stringOf(a[attrDueAt]))},
		{&i.Index.Created, timeAt(stringOf(a[attrCreatedAt]))},
		{&i.Expires, stringOf(a[attrExpires])},
	} {
		if *t.to, err = store.ParseTime(t.from); err != nil {
			return store.Item{}, fmt.Errorf("read a time of item %q: %w", i.Key, err)
		}
	}
	return i, nil
}

// decode turns attributes into an item.
func decode(a attributes) (store.Item, error) {
	i, err := head(a)
	if err != nil {
		return store.Item{}, err
	}
	if i.Body, err = unpack(a); err != nil {
		return store.Item{}, fmt.Errorf("read the body of item %q: %w", i.Key, err)
	}
	return i, nil
}

// place gives the sort key of an item in an index by time, which no two items
// share. It is "" for an item without that time.
func place(t time.Time, key string) string {
	if t.IsZero() {
		return ""
	}
	return store.FormatTime(t) + "#" + key
}

// timeAt gives the time of a place, as store.FormatTime wrote it.
func timeAt(place string) string {
	at, _, _ := strings.Cut(place, "#")
	return at
}

// gzipFrom is the size in bytes from which on bodies are compressed. Writes are
// billed by KB begun, and a run takes a third of its size.
const gzipFrom = 1 << 10

// compressors are kept, for each takes longer to make than to use.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// pack gives the attribute that holds a body, and its value.
func pack(body []byte) (string, []byte, error) {
	if len(body) < gzipFrom {
		return attrBody, body, nil
	}
	var b bytes.Buffer
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(&b)
	_, err := z.Write(body)
	if err := errors.Join(err, z.Close()); err != nil {
		return "", nil, err
	}
	if b.Len() >= len(body) { // it was compressed before
		return attrBody, body, nil
	}
	return attrGzip, b.Bytes(), nil
}

func unpack(a attributes) ([]byte, error) {
	packed := bytesOf(a[attrGzip])
	if packed == nil {
		return bytesOf(a[attrBody]), nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// size counts the bytes of an item as DynamoDB does: names and values, the
// latter by an upper bound for numbers.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(a attributes) int {
	n := 0
	for name, value := range a {
		n += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += len(v.Value) + 1
		}
	}
	return n
}
