package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

func secretly(f *flow.Flow) {
	f.Strategy.Secrets = map[string]flow.SecretRef{"signing_secret_id": {Name: "hmac", Path: "sym/hmac"}}
	f.Strategy.Integration = &flow.Integration{Name: "okta", Type: "okta", Secrets: map[string]flow.SecretRef{"api_token_secret": {Path: "sym/okta"}}}
}

// TestPublish: what a live grant needs can't be dropped; anything else can.
func TestPublish(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit    func(*flow.Strategy)
		missing string // "": may be published
	}{
		"Same":          {func(*flow.Strategy) {}, ""},
		"OtherTargets":  {func(s *flow.Strategy) { s.Targets = append(s.Targets, flow.Target{Name: "more"}) }, ""},
		"OtherSettings": {func(s *flow.Strategy) { s.Settings = map[string]string{"x": "y"} }, ""},
		"Strategy":      {func(s *flow.Strategy) { s.Name = "renamed" }, `strategy "databases" of type fake`},
		"Type":          {func(s *flow.Strategy) { s.Type = "http" }, `strategy "databases" of type fake`},
		"Function": {func(s *flow.Strategy) {
			s.Targets = []flow.Target{{Name: "orders-db", Settings: map[string]string{"arn": "other"}}}
		}, "function arn:aws:lambda:us-east-1:123456789012:function:orders-access"},
		"Secret":            {func(s *flow.Strategy) { s.Secrets = nil }, "secret sym/hmac"},
		"IntegrationSecret": {func(s *flow.Strategy) { s.Integration = nil }, "secret sym/okta"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, secretly)
			next := *w.flow
			changed := *w.flow.Strategy
			c.edit(&changed)
			next.Strategy, next.Label = &changed, "New label"
			publish := func() error {
				_, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{&next}, Strategies: []flow.Strategy{changed}})
				return err
			}
			var ids []string
			for i := range 7 {
				ids = append(ids, w.ask(asker, fmt.Sprint(i)))
				w.click(ids[i], flow.ActionApprove, first)
			}
			before, err := w.flows.Latest(t.Context(), next.Name)
			must(t, err)
			err = publish()
			if c.missing == "" {
				must(t, err)
				return
			}
			if flow.CodeOf(err) != flow.CodeConfigNeeded {
				t.Fatalf("error %v", err)
			}
			said := flow.UserMessage(err)
			named := 0
			for _, id := range ids {
				named += strings.Count(said, id)
			}
			if !strings.Contains(said, c.missing) || named != 5 || !strings.Contains(said, "and 2 more") {
				t.Errorf("said %q", said)
			}
			if after, err := w.flows.Latest(t.Context(), next.Name); err != nil || after.Version != before.Version {
				t.Errorf("something was published: %+v, %v", after, err)
			}
			w.pass(grantedFor) // no grant needs it any more
			must(t, publish())
		})
	}
}

// TestPublish_WhileGranting: a grant that was begun and not seen counts.
func TestPublish_WhileGranting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["grant"] = []fate{refused}
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Approved)
	if _, err := w.publish.Whole(t.Context(), workflow.Configuration{}); flow.CodeOf(err) != flow.CodeConfigNeeded || !strings.Contains(err.Error(), id) {
		t.Errorf("error %v", err)
	}
}

// TestPublish_RemovalUsesRecordedFacts: what is published meanwhile does not
// reach a live grant.
func TestPublish_RemovalUsesRecordedFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	next := *w.flow
	changed := *w.flow.Strategy
	changed.Settings = map[string]string{"url": "https://elsewhere.example.com"}
	next.Strategy = &changed
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{&next}, Strategies: []flow.Strategy{changed}})
	must(t, err)
	w.target.keys = func(string, string) []string { return []string{"something else"} }
	w.pass(grantedFor)
	w.want(id, flow.Deescalated)
	w.wantPresent()
}

// TestPublish_OldHits: listings may be old, so that runs are read again.
func TestPublish_OldHits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	old, err := w.memory.List(t.Context(), store.Query{By: store.ByStatus, Value: string(flow.Escalated)})
	must(t, err)
	w.pass(grantedFor)
	w.want(id, flow.Deescalated)
	w.publish.Runs = store.Runs{Store: lagging{w.memory, old}}
	_, err = w.publish.Whole(t.Context(), workflow.Configuration{})
	must(t, err)
}

// lagging is a store whose listings are old.
type lagging struct {
	store.Store
	old store.Page
}

func (s lagging) List(context.Context, store.Query) (store.Page, error) { return s.old, nil }

// TestPublish_ApprovalOnly: runs that were approved and grant nothing are there
// for ever, and a publish reads none of them.
func TestPublish_ApprovalOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, approvalFlow)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Approved)
	w.publish.Runs = store.Runs{Store: unreadable{w.memory}}
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{})
	must(t, err)
}

// unreadable is a store that can only be listed.
type unreadable struct{ store.Store }

func (unreadable) Get(_ context.Context, key string) (store.Item, error) {
	return store.Item{}, fmt.Errorf("%s was read", key)
}

// TestPublish_MeanwhileGranted: a grant that begins while a publish looks for
// live ones is either seen by the publish, or sees it, however late the listing
// is: access that could not be taken away any more is never granted.
func TestPublish_MeanwhileGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	listed := store.Page{} // when the run was not approved yet
	w.publish.Runs = store.Runs{Store: lagging{w.memory, listed}}
	without := *w.flow // the flow stays, by another strategy
	without.Strategy = &flow.Strategy{Name: "others", Type: "fake", Targets: w.flow.Strategy.Targets}
	if _, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{&without}}); err != nil {
		t.Fatal(err)
	}
	w.click(id, flow.ActionApprove, first)
	w.pass(time.Minute)
	w.wantPresent()
	r := w.want(id, flow.Approved)
	if r.Error == nil || r.Error.Code != flow.CodeConfigNeeded || !strings.Contains(r.Error.Message, `strategy "databases" of type fake`) {
		t.Errorf("error %+v", r.Error)
	}
	if w.target.calls["grant"] != 0 {
		t.Error("the target was called")
	}
	w.pass(grantedFor + flow.GrantWindow)
	w.want(id, flow.Deescalated)
}

// TestPublish_Refused: a publish that is refused changes nothing for access.
func TestPublish_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{w.flow}, Strategies: []flow.Strategy{*w.flow.Strategy}})
	must(t, err)
	a, b := w.ask(asker, "a"), w.ask(asker, "b")
	w.click(a, flow.ActionApprove, first)
	if _, err := w.publish.Whole(t.Context(), workflow.Configuration{}); flow.CodeOf(err) != flow.CodeConfigNeeded {
		t.Fatalf("error %v", err)
	}
	w.click(b, flow.ActionApprove, first)
	w.want(b, flow.Escalated)
}

// published has the world's configuration published, as a deploy does.
func (w *world) published() {
	w.t.Helper()
	_, err := w.publish.Whole(w.t.Context(), workflow.Configuration{Flows: []*flow.Flow{w.flow}, Strategies: []flow.Strategy{*w.flow.Strategy}})
	must(w.t, err)
}

// TestPublish_DropsNothing: a publish that drops nothing asks no listing and waits
// for none, whatever is live.
func TestPublish_DropsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.published()
	w.click(w.ask(asker, "a"), flow.ActionApprove, first)
	w.publish.Runs = store.Runs{} // which can't be asked
	w.publish.Lag = time.Second   // with no clock to wait by
	more := *w.flow.Strategy
	more.Name = "more"
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{w.flow}, Strategies: []flow.Strategy{*w.flow.Strategy, more}})
	must(t, err)
}

// TestPublish_First: where nothing was published yet, nothing is live.
func TestPublish_First(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := &storetest.Memory{Now: w.clock.Now}
	p := workflow.Publish{Flows: &store.Flows{Store: empty}, Entities: store.Entities{Store: empty, Org: "sym", Now: w.clock.Now}, Rights: rightsOf, Lag: time.Second}
	_, err := p.Whole(t.Context(), workflow.Configuration{Flows: []*flow.Flow{w.flow}, Strategies: []flow.Strategy{*w.flow.Strategy}})
	must(t, err)
}

// TestPublish_Crashed: what a publish has begun to drop is known to the next one,
// though the first could put nothing back.
func TestPublish_Crashed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.published()
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Escalated)
	broken := w.publish
	broken.Flows = &store.Flows{Store: &dying{Store: w.memory, key: "flows#strategies", writes: 1}}
	if _, err := broken.Whole(t.Context(), workflow.Configuration{}); !errors.Is(err, errStoreGone) {
		t.Fatalf("error %v", err)
	}
	for range 2 { // the first has put nothing back that would hide it either
		if _, err := w.publish.Whole(t.Context(), workflow.Configuration{}); flow.CodeOf(err) != flow.CodeConfigNeeded || !strings.Contains(err.Error(), id) {
			t.Errorf("error %v", err)
		}
	}
	w.pass(grantedFor)
	w.lookTwice(id)
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{})
	must(t, err)
	if dropped, err := w.flows.Dropped(t.Context()); err != nil || len(dropped) > 0 {
		t.Errorf("dropped %q, %v", dropped, err)
	}
}

var errStoreGone = errors.New("the store is gone")

// dying is a store that takes a number of writes of a key, and then fails.
type dying struct {
	store.Store
	key    string
	writes int
}

func (d *dying) Put(ctx context.Context, item store.Item) (int64, error) {
	if item.Key == d.key {
		if d.writes--; d.writes < 0 {
			return 0, errStoreGone
		}
	}
	return d.Store.Put(ctx, item)
}

// TestPublish_Waits: where listings lag, a publish waits for them after it has
// written down what it has.
func TestPublish_Waits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish.Lag, w.publish.Clock = time.Second, w.clock
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.publish.Whole(ctx, workflow.Configuration{}); !errors.Is(err, context.Canceled) {
		t.Errorf("did not wait: %v", err)
	}
	w.publish.Clock = quick{w.clock}
	at := w.clock.Now()
	_, err := w.publish.Whole(t.Context(), workflow.Configuration{})
	must(t, err)
	if waited := w.clock.Now().Sub(at); waited != time.Second {
		t.Errorf("waited %s", waited)
	}
}
