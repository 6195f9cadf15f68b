package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// wantPage checks which items a page has.
func (f *fixture) wantPage(q store.Query, more bool, want ...string) store.Page {
	f.Helper()
	page, err := f.List(f.Context(), q)
	if err != nil {
		f.Fatalf("list by %s: %v", q.By, err)
	}
	var got []string
	for _, item := range page.Items {
		got = append(got, item.Key)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("list by %s (-want +got):\n%s", q.By, diff)
	}
	if (page.Cursor != "") != more {
		f.Errorf("list by %s: the cursor is %q, want one: %v", q.By, page.Cursor, more)
	}
	return page
}

// The index may be behind the table: what it says of an item that has moved on,
// or is gone, is left out, and what stayed is listed.
func TestList_IndexLags(t *testing.T) {
	t.Parallel()
	index := store.Index{Due: start, Requester: "u", Flow: "f", Status: "s", Created: start}
	moved := store.Index{Due: start.Add(time.Second), Requester: "u2", Flow: "f2", Status: "s2", Created: start}
	for _, q := range []store.Query{
		{By: store.ByDue, Until: start.Add(time.Hour)},
		{By: store.ByRequester, Value: "u"}, {By: store.ByFlow, Value: "f"}, {By: store.ByStatus, Value: "s"},
	} {
		t.Run(string(q.By), func(t *testing.T) {
			t.Parallel()
			var f *fixture
			f = open(t, func(call dynamotest.Call) dynamotest.Fault {
				if call.Op == "BatchGetItem" { // the index has been read
					_, one := f.Put(t.Context(), store.Item{Key: "run#moved", Rev: 1, Writer: "w", Index: moved})
					_, two := f.Put(t.Context(), store.Item{Key: "run#stayed", Rev: 1, Writer: "w", Index: index, Body: []byte("new")})
					if err := errors.Join(one, two, f.Delete(t.Context(), "run#deleted", 1)); err != nil {
						t.Error(err)
					}
				}
				return dynamotest.None
			})
			for _, key := range []string{"run#moved", "run#stayed", "run#deleted"} {
				f.put(store.Item{Key: key, Index: index, Body: []byte("old")})
			}
			page := f.wantPage(q, false, "run#stayed")
			if body := string(page.Items[0].Body); body != "new" {
				t.Errorf("the item has the body %q, want that of the newest", body)
			}
		})
	}
}

// twice is a client that sees each entry of an index twice.
type twice struct{ aws.HTTPClient }

func (c twice) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.HTTPClient.Do(r)
	if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Query") {
		return answer, err
	}
	defer answer.Body.Close()
	var page struct{ Items []json.RawMessage }
	if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
		return nil, err
	}
	page.Items = append(page.Items, page.Items...)
	body, err := json.Marshal(page)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.Header.Del("X-Amz-Crc32")
	return answer, err
}

// An entry that is moved may be seen where it was and where it is. BatchGetItem
// refuses to read an item twice.
func TestList_EntryTwice(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	f.put(store.Item{Key: "run#a"})
	cfg := f.server.Config()
	cfg.HTTPClient = twice{cfg.HTTPClient}
	page, err := dynamo.New(cfg, dynamotest.TableName, now).List(t.Context(), store.Query{By: store.ByKind, Value: "run#"})
	if err != nil || len(page.Items) == 0 {
		t.Errorf("%d items, %v", len(page.Items), err)
	}
}

// BatchGetItem gives as much as it likes.
func TestList_Piecemeal(t *testing.T) {
	t.Parallel()
	f := open(t, func(dynamotest.Call) dynamotest.Fault { return dynamotest.Partial })
	var want []string
	for n := range 5 {
		want = append(want, f.put(store.Item{Key: fmt.Sprint("run#", n)}).Key)
	}
	f.made("BatchGetItem")
	f.wantPage(store.Query{By: store.ByKind, Value: "run#"}, false, want...)
	if n := f.made("BatchGetItem"); n != len(want) {
		t.Errorf("%d requests for %d items", n, len(want))
	}
}

// A page that ends with the listing says so.
func TestList_LastPage(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	for _, key := range []string{"flow#a#1", "flow#a#2", "flow#b#1", "flow#b#2"} {
		f.put(store.Item{Key: key})
	}
	f.wantPage(store.Query{By: store.ByKind, Value: "flow#", Limit: 4}, false, "flow#a#1", "flow#a#2", "flow#b#1", "flow#b#2")
	f.wantPage(store.Query{By: store.ByKind, Value: "flow#a#", Limit: 2}, false, "flow#a#1", "flow#a#2")
	f.wantPage(store.Query{By: store.ByKind, Value: "flow#a#", Limit: 1}, true, "flow#a#1")
	f.wantPage(store.Query{By: store.ByKind, Value: "flow#b#", Limit: 50}, false, "flow#b#1", "flow#b#2")
}

// A listing costs what it returns: one request to the index, one for the items,
// and none where there are none.
func TestList_Cost(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	for n := range 60 {
		f.put(store.Item{Key: fmt.Sprintf("run#%02d", n), Body: noise(3000), Index: store.Index{Due: start.Add(time.Duration(n) * time.Minute)}})
	}
	for until, want := range map[time.Time]dynamotest.Meter{
		start.Add(-1):              {Reads: 1, ReadUnits: 0.5},
		start.Add(9 * time.Minute): {Reads: 2, ReadUnits: 0.5 + 10},
	} {
		before := f.server.Meter()
		if _, err := f.List(t.Context(), store.Query{By: store.ByDue, Until: until}); err != nil {
			t.Fatal(err)
		}
		got := f.server.Meter()
		got.Reads -= before.Reads
		got.ReadUnits -= before.ReadUnits
		got.Writes, got.WriteUnits = 0, 0
		if got != want {
			t.Errorf("until %v: %+v, want %+v", until, got, want)
		}
	}
}

// What no index could hold is found nowhere; DynamoDB would not look for it.
func TestList_NothingThere(t *testing.T) {
	t.Parallel()
	f := open(t, healthy)
	f.put(store.Item{Key: "run#a", Index: store.Index{Due: start}})
	f.put(store.Item{Key: "run#b", Index: store.Index{Due: start}})
	long := strings.Repeat("x", 3000)
	for _, q := range []store.Query{
		{By: store.ByRequester, Value: long}, {By: store.ByFlow, Value: long}, {By: store.ByStatus, Value: long},
		{By: store.ByKind, Value: "run#" + long}, {By: store.ByKind, Value: long + "#"},
	} {
		f.wantPage(q, false)
	}
	page := f.wantPage(store.Query{By: store.ByDue, Until: start, Limit: 1}, true, "run#a")
	f.wantPage(store.Query{By: store.ByDue, Until: start.Add(-time.Hour), Cursor: page.Cursor}, false)

	made := store.Query{By: store.ByKind, Value: "run#"}.After(store.Item{Key: "run#" + long}).Cursor()
	if _, err := f.List(t.Context(), store.Query{By: store.ByKind, Value: "run#", Cursor: made}); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("a cursor at a key that is too long: %v, want %s", err, flow.CodeInvalid)
	}
}

// A role limited by dynamodb:LeadingKeys to the kinds of items that it is for
// can do all that the typed layer does with them.
func TestLeadingKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(t *testing.T, s store.Store) error
		want []string // prefixes of keys, and partitions of indexes
	}{
		"Runs": {func(t *testing.T, s store.Store) error {
			runs := store.Runs{Store: s}
			r, err := runs.Put(t.Context(), flow.Run{ID: flow.RunIDFrom("a"), Flow: "Prod", Status: flow.Requested, Requester: flow.Actor{ID: "u"}, Created: start, Due: start})
			if err != nil {
				return err
			}
			_, err = runs.Get(t.Context(), r.ID)
			return err
		}, []string{"run#"}},
		"Lists": {func(t *testing.T, s store.Store) error {
			runs := store.Runs{Store: s}
			_, err := runs.Put(t.Context(), flow.Run{ID: flow.RunIDFrom("a"), Flow: "Prod", Status: flow.Requested, Requester: flow.Actor{ID: "u"}, Created: start, Due: start})
			for _, q := range []store.Query{
				{By: store.ByDue, Until: start}, {By: store.ByRequester, Value: "u"}, {By: store.ByFlow, Value: "Prod"},
				{By: store.ByStatus, Value: "requested"}, {By: store.ByKind},
			} {
				page, listed := runs.List(t.Context(), q)
				if listed == nil && len(page.Runs) != 1 {
					listed = fmt.Errorf("list by %s: %d runs, want 1", q.By, len(page.Runs))
				}
				err = errors.Join(err, listed)
			}
			return err
		}, []string{"run#", "due", "u", "prod", "requested"}},
		"Grants": {func(t *testing.T, s store.Store) error {
			_, err := store.Grants{Store: s}.Change(t.Context(), "http/orders", func(g flow.Grant) (flow.Grant, error) { return g, nil })
			return err
		}, []string{"grant#"}},
		"Tokens": {func(t *testing.T, s store.Store) error {
			tokens := store.Tokens{Store: s, Org: "sym", Now: now}
			value, token, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Hour)
			_, _, checked := tokens.Check(t.Context(), value)
			return errors.Join(err, checked, tokens.Revoke(t.Context(), flow.Operator, token.ID))
		}, []string{"token#", "user#"}}, // whose the owner's address is
		"Messages": {func(t *testing.T, s store.Store) error {
			return store.Messages{Store: s}.Save(t.Context(), "run", store.Message{Digest: "d"})
		}, []string{"msg#"}},
		"Flows": {func(t *testing.T, s store.Store) error {
			_, err := (&store.Flows{Store: s}).Publish(t.Context(), flow.Author{}, []*flow.Flow{{Org: "sym", Name: "prod"}})
			return err
		}, []string{"flow#", "flowversion#", "flowdigests#", "flows#"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, healthy)
			if err := test.do(t, f.Store); err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, call := range f.asked() {
				if len(call.Keys) == 0 {
					t.Errorf("%s has no leading key", call.Op)
				}
				for _, key := range call.Keys {
					n := slices.IndexFunc(test.want, func(prefix string) bool {
						return key == prefix || strings.HasSuffix(prefix, "#") && strings.HasPrefix(key, prefix)
					})
					if n < 0 {
						t.Errorf("%s of %q needs more than %q", call.Op, key, test.want)
						continue
					}
					seen[test.want[n]] = true
				}
			}
			if len(seen) != len(test.want) {
				t.Errorf("of %q only %v were needed", test.want, seen)
			}
		})
	}
}
