package dynamo_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
)

// noise can't be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}

func TestPut_Compressed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body []byte
		want string // attribute
	}{
		"Empty":      {nil, ""},
		"Small":      {bytes.Repeat([]byte("b"), 1023), "body"},
		"Large":      {bytes.Repeat([]byte("b"), 1024), "gzip"},
		"Largest":    {bytes.Repeat([]byte("b"), store.MaxItemBytes), "gzip"},
		"Compressed": {noise(100 << 10), "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, healthy)
			f.put(store.Item{Key: "run#a", Body: test.body})
			got, err := f.Get(t.Context(), "run#a")
			if err != nil || !bytes.Equal(got.Body, test.body) {
				t.Errorf("get: %d bytes, %v; want the %d that were put", len(got.Body), err, len(test.body))
			}
			raw := f.raw("run#a")
			for _, attribute := range []string{"body", "gzip"} {
				if _, ok := raw[attribute]; ok != (attribute == test.want) {
					t.Errorf("attribute %q is there: %v", attribute, ok)
				}
			}
			if b, ok := raw["gzip"].(*types.AttributeValueMemberB); ok && len(b.Value) >= len(test.body)/2 {
				t.Errorf("%d bytes take %d", len(test.body), len(b.Value))
			}
		})
	}
}

// What DynamoDB would refuse is refused before it is sent.
func TestPut_TooLarge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2049)
	index := store.Index{Created: start}
	for name, item := range map[string]store.Item{
		"Requester": {Index: store.Index{Created: start, Requester: long}},
		"Flow":      {Index: store.Index{Created: start, Flow: long}},
		"Status":    {Index: store.Index{Created: start, Status: long}},
		"Whole":     {Index: index, Body: noise(store.MaxItemBytes), Writer: strings.Repeat("w", 30<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, healthy)
			item.Key = "run#a"
			if item.Writer == "" {
				item.Writer = "w"
			}
			if _, err := f.Put(t.Context(), item); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("%v, want ErrTooLarge", err)
			}
			if n := f.made("PutItem"); n != 0 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// The largest item there may be is one that DynamoDB takes.
func TestPut_Largest(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	long := strings.Repeat("x", 2048)
	want := f.put(store.Item{
		Key: "run#" + strings.Repeat("k", store.MaxKeyBytes-4), Body: noise(store.MaxItemBytes), Expires: start.Add(time.Hour),
		Index: store.Index{Due: start, Created: start, Requester: long, Flow: long, Status: long},
	})
	for _, q := range []store.Query{
		{By: store.ByDue, Until: start}, {By: store.ByRequester, Value: long}, {By: store.ByFlow, Value: long},
		{By: store.ByStatus, Value: long}, {By: store.ByKind, Value: "run#"},
	} {
		f.wantPage(q, false, want.Key)
	}
}

// The time to live is what DynamoDB deletes by: whole seconds, and not before
// the item's time.
func TestPut_TTL(t *testing.T) {
	t.Parallel()
	whole := start.Truncate(time.Second)
	for _, test := range []struct {
		expires time.Time
		want    int64 // 0: none
	}{
		{time.Time{}, 0},
		{whole, whole.Unix()},
		{whole.Add(1), whole.Unix() + 1},
		{whole.Add(time.Second - 1), whole.Unix() + 1},
	} {
		f := open(t, healthy)
		f.put(store.Item{Key: "token#a", Expires: test.expires})
		got, ok := f.raw("token#a")[dynamo.Schema().TTL].(*types.AttributeValueMemberN)
		if ok != (test.want != 0) || ok && got.Value != strconv.FormatInt(test.want, 10) {
			t.Errorf("an item that expires at %v has the time to live %v, want %d", test.expires, got, test.want)
		}
	}
}

// An item is written whole: nothing of the one before is left.
func TestPut_Whole(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	item := f.put(store.Item{
		Key: "run#a", Body: bytes.Repeat([]byte("b"), 2000), Expires: start.Add(time.Hour),
		Index: store.Index{Due: start, Created: start, Requester: "u", Flow: "f", Status: "s"},
	})
	f.put(store.Item{Key: "run#a", Rev: item.Rev, Writer: "w"})
	want := map[string]types.AttributeValue{
		"key":    &types.AttributeValueMemberS{Value: "run#a"},
		"kind":   &types.AttributeValueMemberS{Value: "run#"},
		"rev":    &types.AttributeValueMemberN{Value: "2"},
		"writer": &types.AttributeValueMemberS{Value: "w"},
	}
	if diff := cmp.Diff(want, f.raw("run#a"), cmp.Comparer(func(a, b types.AttributeValue) bool { return cmp.Equal(text(a), text(b)) })); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// text gives what is compared of attributes here.
func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return "S " + v.Value
	case *types.AttributeValueMemberN:
		return "N " + v.Value
	}
	return "other"
}
