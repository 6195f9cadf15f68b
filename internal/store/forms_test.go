package store_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestForms(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	forms := store.Forms{Store: &storetest.Memory{Now: clock}, Now: clock}
	if _, _, err := forms.Get(ctx, "Run-1"); flow.CodeOf(err) != flow.CodeStale {
		t.Errorf("none: %v", err)
	}
	form := flow.OpenForm{FlowVars: map[string]string{"a": "b"}, Fields: []flow.OpenField{
		{Name: "repo", Type: flow.FieldString, Value: "api", CurrentAllowed: []flow.Option{}, OriginalAllowed: []flow.Option{{Value: "api", Label: "The API"}}},
		{Name: "free", Type: flow.FieldString},
	}}
	if err := forms.Put(ctx, "Run-1", form, 0); err != nil {
		t.Fatal(err)
	}
	if err := forms.Put(ctx, "run-1", form, 0); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second first one: %v", err)
	}
	got, rev, err := forms.Get(ctx, "run-1")
	if diff := cmp.Diff(form, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	form.Fields[0].Visible = true
	if err := forms.Put(ctx, "run-1", form, rev); err != nil {
		t.Fatal(err)
	}
	if err := forms.Put(ctx, "run-1", form, rev); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over another one: %v", err)
	}
	now = now.Add(flow.PromptTimeout)
	if _, _, err := forms.Get(ctx, "run-1"); flow.CodeOf(err) != flow.CodeStale {
		t.Errorf("too old: %v", err)
	}

	noise := rand.New(rand.NewPCG(1, 2))
	for range 40_000 {
		form.Fields[0].CurrentAllowed = append(form.Fields[0].CurrentAllowed, flow.Option{Value: strconv.FormatUint(noise.Uint64(), 36)})
	}
	if err := forms.Put(ctx, "run-2", form, 0); flow.CodeOf(err) != flow.CodeTooLarge {
		t.Errorf("too large: %v", err)
	}
}

func TestFlowsFilter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	flows := &store.Flows{Store: &storetest.Memory{Now: time.Now}}
	want := func(want *flow.FlowsFilter) {
		t.Helper()
		got, err := flows.Filter(ctx)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	one := &flow.FlowsFilter{Implementation: flow.NewSource("f.py", "…"), Vars: map[string]string{"a": "b"}}
	for _, f := range []*flow.FlowsFilter{nil, one, one, {Implementation: flow.NewSource("g.py", "…")}, nil, nil, one} {
		if err := flows.PublishFilter(ctx, flow.Author{}, f); err != nil {
			t.Fatal(err)
		}
		want(f)
	}
}
