package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// labelled makes flows whose content is their label: {"name": "label"}.
func labelled(labels map[string]string) []*flow.Flow {
	var flows []*flow.Flow
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		flows = append(flows, &flow.Flow{Org: "sym", Name: name, Label: labels[name]})
	}
	return flows
}

// publish publishes flows; the versions it gave are "name label version".
func publish(t *testing.T, s store.Store, flows map[string]string) []string {
	t.Helper()
	list, err := (&store.Flows{Store: s}).Publish(t.Context(), flow.Author{}, labelled(flows))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, f.Name+" "+f.Title()+" "+f.Version)
	}
	return got
}

func wantSame(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantConsistent checks that the list, the newest versions and the versions by
// number agree on what was published, and that nothing else can be started.
func wantConsistent(t *testing.T, s store.Store, published []string, gone ...string) {
	t.Helper()
	flows := &store.Flows{Store: s}
	list, err := flows.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, summary := range list {
		got = append(got, summary.Name+" "+summary.Title()+" "+summary.Version)
		latest, err := flows.Latest(t.Context(), summary.Name)
		if err != nil {
			t.Errorf("latest of %s: %v", summary.Name, err)
			continue
		}
		version, err := flows.Version(t.Context(), summary.Name, summary.Version)
		if err != nil {
			t.Errorf("version %s of %s: %v", summary.Version, summary.Name, err)
			continue
		}
		if latest.Version != summary.Version || latest.Label != summary.Label {
			t.Errorf("latest of %s is %s, %q; the list says %s, %q", summary.Name, latest.Version, latest.Label, summary.Version, summary.Label)
		}
		wantSame(t, "latest and version of "+summary.Name, latest, version)
	}
	wantSame(t, "list of flows", published, got)
	for _, name := range gone {
		_, err := flows.Latest(t.Context(), name)
		wantCode(t, err, flow.CodeUnknownFlow)
	}
}

func TestFlows_Publish(t *testing.T) {
	t.Parallel()
	s := memory()
	for _, step := range []struct {
		publish map[string]string
		want    []string
		gone    []string
	}{
		{map[string]string{"b": "one", "a": "one"}, []string{"a one 1.0.1", "b one 1.0.1"}, []string{"c"}},
		{map[string]string{"a": "two", "b": "one"}, []string{"a two 1.0.2", "b one 1.0.1"}, nil},
		{map[string]string{"a": "three", "b": "one", "c": "one"}, []string{"a three 1.0.3", "b one 1.0.1", "c one 1.0.1"}, nil},
		{map[string]string{"a": "one", "c": "one"}, []string{"a one 1.0.1", "c one 1.0.1"}, []string{"b"}},
		{map[string]string{"a": "four", "B": "one"}, []string{"B one 1.0.2", "a four 1.0.4"}, []string{"c"}},
		{map[string]string{}, nil, []string{"a", "b", "c"}},
		{map[string]string{"b": "one"}, []string{"b one 1.0.1"}, []string{"a", "c"}},
	} {
		wantSame(t, "published", step.want, publish(t, s, step.publish))
		wantConsistent(t, s, step.want, step.gone...)
	}
}

func TestFlows_Publish_SameContent(t *testing.T) {
	t.Parallel()
	s := counted()
	flows := map[string]string{"a": "one", "b": "one"}
	first := publish(t, s, flows)
	item, err := s.Get(t.Context(), "flow#a")
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "published again", first, publish(t, s, flows))
	again, err := s.Get(t.Context(), "flow#a")
	if err != nil || again.Rev != item.Rev {
		t.Errorf("publishing the same wrote again: revision %d, %v", again.Rev, err)
	}
	// Only what was asked for counts as content, not a version it came with.
	numbered := &flow.Flow{Org: "sym", Name: "a", Label: "one", Version: "9.9.9"}
	list, err := (&store.Flows{Store: s}).Publish(t.Context(), flow.Author{}, []*flow.Flow{numbered})
	if err != nil || list[0].Version != "1.0.1" || numbered.Version != "9.9.9" {
		t.Errorf("published with a version: %+v, %v", list, err)
	}
}

func TestFlows_Publish_Refused(t *testing.T) {
	t.Parallel()
	s := counted()
	_, err := (&store.Flows{Store: s}).Publish(t.Context(), flow.Author{}, labelled(map[string]string{"prod": "one", "Prod": "two"}))
	wantCode(t, err, flow.CodeInvalid)
	if s.Writes() != 0 {
		t.Errorf("%d writes", s.Writes())
	}
}

// A publish that breaks down at any write is made good by the next one: of the
// same flows, or of others.
func TestFlows_Publish_BreaksDown(t *testing.T) {
	t.Parallel()
	before := map[string]string{"stays": "one", "changes": "one", "goes": "one"}
	during := map[string]string{"stays": "one", "changes": "two", "comes": "one"}
	then := map[string]map[string]string{
		"Same":   during,
		"Before": before,
		"Other":  {"stays": "two"},
	}
	wants := map[string][]string{
		"Same":   {"changes two", "comes one", "stays one"},
		"Before": {"changes one", "goes one", "stays one"},
		"Other":  {"stays two"},
	}
	for name, after := range then {
		for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
			t.Run(fmt.Sprint(name, fault), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					s := memory()
					publish(t, s, before)
					faulty := &storetest.Faulty{Store: s, Fault: func(n int) storetest.Fault {
						if n == at {
							return fault
						}
						return storetest.None
					}}
					_, err := (&store.Flows{Store: faulty}).Publish(t.Context(), flow.Author{}, labelled(during))
					if at > faulty.Writes() {
						if err != nil || at < 8 {
							t.Errorf("%d writes went well, and then: %v", at-1, err)
						}
						return
					}
					if err != nil { // nil where the write that failed was of no consequence
						wantFault(t, err)
					}
					got := publish(t, s, after)
					var gone []string
					for _, old := range []string{"stays", "changes", "goes", "comes"} {
						if _, ok := after[old]; !ok {
							gone = append(gone, old)
						}
					}
					wantConsistent(t, s, got, gone...)
					for i, want := range wants[name] {
						if i >= len(got) || got[i][:len(want)] != want {
							t.Errorf("write %d failed; published %v after it, want %v", at, got, wants[name])
							break
						}
					}
				}
			})
		}
	}
}
