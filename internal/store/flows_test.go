package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestFlows_Read(t *testing.T) {
	t.Parallel()
	s := memory()
	flows := &store.Flows{Store: s}
	publish(t, s, map[string]string{"Prod": "one"})
	publish(t, s, map[string]string{"Prod": "two"})
	for _, name := range []string{"Prod", "prod", "PROD"} {
		for version, want := range map[string]string{flow.Latest: "two", "1.0.2": "two", "1.0.1": "one"} {
			for range 2 { // the second time from memory
				f, err := flows.Version(t.Context(), name, version)
				if err != nil || f.Label != want || f.Name != "Prod" {
					t.Errorf("version %s of %s: %+v, %v; want %q", version, name, f, err, want)
				}
			}
		}
	}
	for _, q := range [][2]string{{"prod", "1.0.3"}, {"other", "1.0.1"}, {"other", flow.Latest}, {"", flow.Latest}, {"prod#1.0.1", flow.Latest}} {
		_, err := flows.Version(t.Context(), q[0], q[1])
		wantCode(t, err, flow.CodeUnknownFlow)
	}

	// What others publish is seen at once; what was withdrawn can't be started,
	// but its runs go on.
	publish(t, s, map[string]string{"Prod": "three"})
	if f, err := flows.Latest(t.Context(), "prod"); err != nil || f.Label != "three" {
		t.Errorf("latest after another publish: %+v, %v", f, err)
	}
	publish(t, s, map[string]string{})
	_, err := flows.Latest(t.Context(), "prod")
	wantCode(t, err, flow.CodeUnknownFlow)
	publish(t, s, map[string]string{"Prod": "four"})
	if f, err := flows.Latest(t.Context(), "prod"); err != nil || f.Label != "four" {
		t.Errorf("latest after coming back: %+v, %v", f, err)
	}
	if f, err := flows.Version(t.Context(), "prod", "1.0.1"); err != nil || f.Label != "one" {
		t.Errorf("first version in the end: %+v, %v", f, err)
	}
}

// Where a flow stands in its files is told as it is now, and is no new version.
func TestFlows_Places(t *testing.T) {
	t.Parallel()
	flows := &store.Flows{Store: memory()}
	for _, place := range []string{"flows/a.yaml:3", "flows/a.yaml:4"} {
		f := &flow.Flow{Org: "sym", Name: "ask", Places: map[string]string{"approval.approvers[0]": place}}
		list, err := flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{f})
		if err != nil || list[0].Version != "1.0.1" {
			t.Errorf("%s: %+v, %v", place, list, err)
		}
		latest, err := flows.Latest(t.Context(), "ask")
		if err != nil || latest.Places["approval.approvers[0]"] != place {
			t.Errorf("%s: %+v, %v", place, latest, err)
		}
		if version, err := flows.Version(t.Context(), "ask", "1.0.1"); err != nil || version.Places != nil {
			t.Errorf("the version: %+v, %v", version, err)
		}
	}
}

// targets makes a flow with so many targets, whose settings can't be guessed.
func targets(n int) *flow.Flow {
	f := &flow.Flow{Org: "sym", Name: "large", Strategy: &flow.Strategy{Name: "databases", Type: "aws_lambda"}}
	for i := range n {
		sum := sha256.Sum256(fmt.Append(nil, i))
		id := hex.EncodeToString(sum[:8])
		f.Strategy.Targets = append(f.Strategy.Targets, flow.Target{
			Name: "database-" + id, Type: "aws_lambda_function", Label: fmt.Sprint("Database number ", i),
			Settings: map[string]string{"arn": "arn:aws:lambda:us-east-1:123456789012:function:grant-" + id, "identifier": id},
		})
	}
	return f
}

func TestFlows_TenThousandTargets(t *testing.T) {
	t.Parallel()
	flows := &store.Flows{Store: memory()}
	want := targets(10_000)
	list, err := flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{want})
	if err != nil {
		t.Fatal(err)
	}
	got, err := flows.Latest(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	want.Version = list[0].Version
	if !reflect.DeepEqual(want, got) {
		t.Error("the flow is not as it was published")
	}

	noise := make([]byte, store.MaxItemBytes)
	rand.NewChaCha8([32]byte{}).Read(noise)
	_, err = flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{{Name: "noise", Label: hex.EncodeToString(noise)}})
	wantCode(t, err, flow.CodeTooLarge)

	// Python that does not compress: the error says what takes how much.
	code := flow.NewSource("impl.py", hex.EncodeToString(noise[:200<<10]))
	_, err = flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{{
		Name: "python", Implementation: code, Label: hex.EncodeToString(noise[200<<10:]),
		Strategy: &flow.Strategy{Targets: make([]flow.Target, 3), Implementation: code},
	}})
	wantCode(t, err, flow.CodeTooLarge)
	for _, part := range []string{"implementation has 400 KB", "its strategy has 3 targets", "the strategy's implementation has 400 KB"} {
		if !strings.Contains(flow.UserMessage(err), part) {
			t.Errorf("%q lacks %q", flow.UserMessage(err), part)
		}
	}
}

func TestFlowSummary(t *testing.T) {
	t.Parallel()
	none, api := []flow.Channel{}, []flow.Channel{flow.ChannelAPI}
	flows := []*flow.Flow{
		{Name: "all", Label: "All", Strategy: &flow.Strategy{}},
		{Name: "api", Params: flow.Params{AllowedSources: &api}},
		{Name: "none", Params: flow.Params{AllowedSources: &none}},
	}
	list, err := (&store.Flows{Store: memory()}).Publish(t.Context(), flow.Author{}, flows)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		title                    string
		approvalOnly, slack, api bool
	}{{"All", false, true, true}, {"api", true, false, true}, {"none", true, false, false}} {
		got := list[i]
		if got.Title() != want.title || got.ApprovalOnly != want.approvalOnly || got.Allows(flow.ChannelSlack) != want.slack || got.Allows(flow.ChannelAPI) != want.api {
			t.Errorf("summary %+v, want %+v", got, want)
		}
	}
}

// unreadable is a store that answers no question.
type unreadable struct{ store.Store }

func (unreadable) Get(context.Context, string) (store.Item, error) {
	return store.Item{}, storetest.ErrFault
}

func TestFlows_Faults(t *testing.T) {
	t.Parallel()
	flows := &store.Flows{Store: unreadable{memory()}}
	_, err := flows.Latest(t.Context(), "a")
	wantFault(t, err)
	_, err = flows.List(t.Context())
	wantFault(t, err)
	_, err = flows.Publish(t.Context(), flow.Author{}, labelled(map[string]string{"a": "one"}))
	wantFault(t, err)
}
