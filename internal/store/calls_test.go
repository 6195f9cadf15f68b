package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// puts keeps what is put into a store.
type puts struct {
	store.Store
	items []store.Item
}

func (p *puts) Put(ctx context.Context, item store.Item) (int64, error) {
	p.items = append(p.items, item)
	return p.Store.Put(ctx, item)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	at := start
	m := &storetest.Memory{Now: func() time.Time { return at }}
	written := &puts{Store: m}
	calls := store.Calls{Store: written, Now: m.Now}
	token, err := calls.Begin(t.Context(), store.Call{Run: "run-1", Event: "event-1"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := calls.Begin(t.Context(), store.Call{Run: "run-2"})
	if err != nil || other == token {
		t.Errorf("a second token is like the first, %v", err)
	}
	call, err := calls.Check(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "call", store.Call{Run: "run-1", Event: "event-1", Expires: start.Add(15 * time.Minute)}, call)
	for _, wrong := range []string{"", token + "x", strings.ToLower(token), "call_"} {
		_, err := calls.Check(t.Context(), wrong)
		wantCode(t, err, flow.CodeUnauthenticated)
	}

	// What is stored gives no token away, and goes by itself.
	if len(written.items) != 2 {
		t.Fatalf("%d items", len(written.items))
	}
	for _, item := range written.items {
		if strings.Contains(item.Key, token) || bytes.Contains(item.Body, []byte(token)) || !item.Expires.Equal(start.Add(15*time.Minute)) {
			t.Errorf("item %q: %s until %v", item.Key, item.Body, item.Expires)
		}
	}
	for range 2 {
		if err := calls.End(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	_, err = calls.Check(t.Context(), token)
	wantCode(t, err, flow.CodeUnauthenticated)
	if _, err := calls.Check(t.Context(), other); err != nil {
		t.Errorf("the other call has ended too: %v", err)
	}
	at = start.Add(15 * time.Minute)
	_, err = calls.Check(t.Context(), other)
	wantCode(t, err, flow.CodeUnauthenticated)
}

func TestValues(t *testing.T) {
	t.Parallel()
	values := store.Values{Store: &storetest.Memory{Now: func() time.Time { return start }}}
	if got, err := values.Get(t.Context(), "f", "counts/alice"); got != nil || err != nil {
		t.Errorf("before: %s, %v", got, err)
	}
	for _, v := range []string{`{"n": 1}`, `"two"`, `null`} {
		if err := values.Put(t.Context(), "f", "counts/alice", json.RawMessage(v)); err != nil {
			t.Fatal(err)
		}
		got, err := values.Get(t.Context(), "f", "counts/alice")
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, json.RawMessage(v)); err != nil || string(got) != compact.String() {
			t.Errorf("got %s, want %s", got, v)
		}
	}
	if got, err := values.Get(t.Context(), "f", "counts/bob"); got != nil || err != nil {
		t.Errorf("another path: %s, %v", got, err)
	}
	for _, path := range []string{"", strings.Repeat("p", store.MaxPathBytes+1)} {
		_, err := values.Get(t.Context(), "f", path)
		wantCode(t, err, flow.CodeInvalid)
		wantCode(t, values.Put(t.Context(), "f", path, json.RawMessage(`1`)), flow.CodeInvalid)
	}
	wantCode(t, values.PutShared(t.Context(), "", json.RawMessage(`1`)), flow.CodeInvalid)
	wantCode(t, values.Put(t.Context(), "f", "p", json.RawMessage(`"`+strings.Repeat("x", store.MaxValueBytes)+`"`)), flow.CodeTooLarge)
}

func TestValues_Shared(t *testing.T) {
	t.Parallel()
	values := store.Values{Store: memory()}
	put := func(flow, path, value string) {
		t.Helper()
		err := values.Put(t.Context(), flow, path, json.RawMessage(value))
		if flow == "" {
			err = values.PutShared(t.Context(), path, json.RawMessage(value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(flow, path, want string) {
		t.Helper()
		if got, err := values.Get(t.Context(), flow, path); string(got) != want || err != nil {
			t.Errorf("flow %s has %s at %s, %v: want %s", flow, got, path, err, want)
		}
	}
	put("", "n", "1") // as all values were before flows had their own
	want("a", "n", "1")
	put("a", "n", "2")
	want("A", "n", "2") // names of flows are the same in letters of either case
	want("b", "n", "1")
	put("", "n", "3")
	want("a", "n", "2")
	want("b", "n", "3")
	put("b", "n", "null")
	want("b", "n", "null")
}
