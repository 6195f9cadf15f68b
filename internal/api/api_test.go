package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

const org = "sym"

var (
	alice = person("alice@example.com", "U024ALICE", store.RoleMember)
	bob   = person("bob@example.com", "U024BOB", store.RoleMember)
	guest = person("guest@example.com", "U024GUEST", store.RoleGuest)
	gone  = person("gone@example.com", "U024GONE", store.RoleDeactivated)
)

func person(email, slackID string, role store.Role) store.User {
	name, _, _ := strings.Cut(email, "@")
	return store.User{Role: role, Actor: flow.Actor{
		ID: flow.UserID(org, email), Kind: flow.KindPerson, Email: email, Name: name, SlackID: slackID, SlackTeam: "T024ACME",
	}}
}

// directory knows the people above.
type directory struct{}

// E-mail addresses that stand for a directory in trouble.
const (
	askInVain = "down@example.com"
	askToFall = "panic@example.com"
)

func (directory) find(match func(store.User) bool) (store.User, error) {
	for _, u := range []store.User{alice, bob, guest, gone} {
		if match(u) {
			return u, nil
		}
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "there is no such user")
}

func (d directory) User(_ context.Context, slackID string) (store.User, error) {
	return d.find(func(u store.User) bool { return u.SlackID == slackID })
}

func (d directory) UserByEmail(_ context.Context, email string) (store.User, error) {
	switch email {
	case askInVain:
		return store.User{}, flow.Errorf(flow.CodeLookup, "Slack did not answer")
	case askToFall:
		panic("the directory fell over")
	}
	return d.find(func(u store.User) bool { return u.Email == email })
}

func (d directory) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	return d.UserByEmail(ctx, email)
}

func (directory) Group(context.Context, string) ([]store.User, error) {
	return nil, flow.Errorf(flow.CodeUnknownUser, "there is no such group")
}

// flows are what the fixture publishes.
func flows() []*flow.Flow {
	target := flow.Target{Name: "orders-db", Type: "aws_lambda_function", Label: "Orders database", Settings: map[string]string{"arn": "arn:aws:lambda:us-east-1:123456789012:function:orders"}}
	text := func(name string, required bool, allowed ...string) flow.PromptField {
		return flow.PromptField{Name: name, Type: flow.FieldString, Required: required, Visible: true, AllowedValues: allowed}
	}
	return []*flow.Flow{
		{
			Org: org, Name: "prod-access", Label: "Production access",
			Strategy: &flow.Strategy{Name: "databases", Type: "aws_lambda", Targets: []flow.Target{target}},
			Params: flow.Params{AllowRevoke: true, ScheduleDeescalation: true, StartAt: &flow.StartAtParams{Max: flow.Duration(48 * time.Hour)}, BreakGlass: &flow.BreakGlassParams{Who: []string{"user:alice@example.com"}, Reason: flow.ReasonRequired, Duration: flow.Duration(10 * time.Minute)}, Extend: &flow.Extend{Max: 3, For: []flow.Duration{flow.Duration(30 * time.Minute), flow.Duration(time.Hour)}, Approval: flow.ExtendSame}, PromptFields: []flow.PromptField{
				text("reason", true),
				{Name: "duration", Type: flow.FieldDuration, Required: true, Visible: true, AllowedValues: []string{"10m", "1h"}},
			}},
		},
		{
			Org: org, Name: "run-report",
			Params: flow.Params{PromptFields: []flow.PromptField{
				text("table", true, "orders", "customers"),
				{Name: "rows", Type: flow.FieldInt, Visible: true},
				{Name: "urgent", Type: flow.FieldBool, Visible: true},
			}},
		},
		{Org: org, Name: "by-hand", Params: flow.Params{AllowedSources: &[]flow.Channel{flow.ChannelSlack}}},
	}
}

// fixture is an API of its own, over an empty store.
type fixture struct {
	t       testing.TB
	handler http.Handler
	api     *API
	store   *storetest.Faulty
	token   string
	log     *lines

	mu  sync.Mutex
	now time.Time
}

// lines is a log that tests may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), log: &lines{}}
	f.store = &storetest.Faulty{Store: &storetest.Memory{Now: f.clock}, Fault: func(int) storetest.Fault { return storetest.None }}
	f.serve(f.store)
	value, _, err := f.api.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "bob@example.com", Drift: true}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f.token = value
	if _, err := f.api.Flows.Publish(t.Context(), flow.Author{}, flows()); err != nil {
		t.Fatal(err)
	}
	if _, err := (store.Users{Store: f.store}).Remember(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	return f
}

// serve puts the API on top of a store.
func (f *fixture) serve(s store.Store) {
	runs, published := store.Runs{Store: s}, &store.Flows{Store: s}
	f.api = &API{
		Submit: workflow.Submit{Org: org, Runs: runs, Flows: published, Directory: directory{}, Now: f.clock},
		Runs:   runs, Flows: published, Tokens: store.Tokens{Store: s, Org: org, Now: f.clock},
		Drifts: store.Drifts{Store: s}, Messages: store.Messages{Store: s}, Receipts: &transparency.Prover{Log: store.Log{Store: s}, Files: unwritten{}},
		Org: org, Now: f.clock, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	f.handler = f.api.Handler()
}

// send sends a request with the fixture's token; edit, where given, changes it.
func (f *fixture) send(method, path, body string, edit func(*http.Request)) *http.Response {
	f.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(f.t.Context(), method, "http://localhost"+path, reader)
	r.Header.Set("Authorization", "Bearer "+f.token)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Result()
}

// ok sends a request that must succeed, and decodes the answer.
func ok[T any](f *fixture, method, path, body string) T {
	f.t.Helper()
	resp := f.send(method, path, body, nil)
	var out T
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		f.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

const accessBody = `{"flow_srn":"sym:flow:prod-access:latest","user_email":"alice@example.com","flow_inputs":{
	"reason":"Deploy build 1234","target_srn":"sym:access_target:aws_lambda_function:orders-db:latest","duration":600}}`

const reportBody = `{"flow_srn":"sym:flow:run-report:latest","flow_inputs":{"table":"orders","rows":10}}`

func (f *fixture) request(body string) events.RequestOutput {
	f.t.Helper()
	return ok[events.RequestOutput](f, "POST", Base+"/events/request", body)
}

// change moves a run as the workflow does.
func (f *fixture) change(runID string, input func(flow.Run) flow.Input) {
	f.t.Helper()
	_, err := f.api.Runs.Change(f.t.Context(), runID, f.clock, func(r flow.Run) (flow.Input, error) { return input(r), nil })
	if err != nil {
		f.t.Fatal(err)
	}
}

// The moves of a run's life.

func (f *fixture) route(runID string) {
	f.t.Helper()
	f.change(runID, func(r flow.Run) flow.Input {
		return flow.Route{
			SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access", TimeoutSeconds: 60}, {Channel: "#leads", TimeoutSeconds: 60}},
			Deciders: flow.Deciders{Members: true, Required: 1},
		}
	})
}

func (f *fixture) receive(runID string, action flow.Action, who flow.Actor) {
	f.t.Helper()
	f.change(runID, func(r flow.Run) flow.Input {
		return flow.Receive{Action: action, Actor: who, Channel: flow.ChannelSlack, Tier: r.Tier}
	})
}

func (f *fixture) decide(runID string) {
	f.t.Helper()
	f.change(runID, func(r flow.Run) flow.Input {
		s, _ := r.Head()
		return flow.Decide{SignalID: s.ID}
	})
}

func (f *fixture) intend(runID string) {
	f.t.Helper()
	f.change(runID, func(r flow.Run) flow.Input {
		return flow.Intend{Target: *r.Target, Identity: alice.Email, Entitlements: []flow.Entitlement{{Key: "orders"}}}
	})
}

// escalated is a run whose access is live.
func (f *fixture) escalated() string {
	f.t.Helper()
	id := f.request(accessBody).RunID
	f.route(id)
	f.receive(id, flow.ActionApprove, bob.Actor)
	f.decide(id)
	f.intend(id)
	f.change(id, func(flow.Run) flow.Input { return flow.Escalate{} })
	return id
}

// open is a request that waits for a decision.
func (f *fixture) open() string {
	f.t.Helper()
	id := f.request(accessBody).RunID
	f.route(id)
	return id
}

// withdrawn takes a request back that people have yet to be asked about.
func (f *fixture) withdrawn(id string) string {
	f.t.Helper()
	f.route(id)
	f.receive(id, flow.ActionCancel, f.run(id).Requester)
	f.decide(id)
	return id
}

// cancelled is a request that was taken back.
func (f *fixture) cancelled() string {
	f.t.Helper()
	return f.withdrawn(f.request(accessBody).RunID)
}

// later is access that is approved, and starts in an hour.
func (f *fixture) later() string {
	f.t.Helper()
	at := f.clock().Add(time.Hour).Format(time.RFC3339)
	id := f.request(access(`"user_email"`, `"start_at":"`+at+`","user_email"`)).RunID
	f.route(id)
	f.receive(id, flow.ActionApprove, bob.Actor)
	f.decide(id)
	return id
}

// formOf is a form that somebody opened.
func (f *fixture) formOf(who flow.Actor, at time.Time) string {
	f.t.Helper()
	latest, err := f.api.Flows.Latest(f.t.Context(), "prod-access")
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := flow.Apply(flow.Run{}, flow.Start{ID: flow.NewRunID(), Flow: latest, Requester: who, Source: flow.ChannelSlack, Prompted: true}, at)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.api.Runs.Put(f.t.Context(), r); err != nil {
		f.t.Fatal(err)
	}
	return r.ID
}

// lapsed is a form that somebody opened, and did not send.
func (f *fixture) lapsed(who flow.Actor) string {
	f.t.Helper()
	id := f.formOf(who, f.clock().Add(-8*24*time.Hour))
	f.receive(id, flow.ActionTimeout, flow.System)
	f.change(id, func(r flow.Run) flow.Input { return flow.Forward{SignalID: r.Signals[0].ID} })
	return id
}

func (f *fixture) publish(changed []*flow.Flow) {
	f.t.Helper()
	if _, err := f.api.Flows.Publish(f.t.Context(), flow.Author{}, changed); err != nil {
		f.t.Fatal(err)
	}
}

// stuck is a request that a handler failed to take. It waits for somebody to
// have it tried again.
func (f *fixture) stuck() string {
	f.t.Helper()
	out := f.request(accessBody)
	f.change(out.RunID, func(flow.Run) flow.Input {
		return flow.Fail{Step: flow.EventRequest, SignalID: out.EventID, Reason: flow.FailureOf(flow.Errorf(flow.CodeHandler, "the handler failed"))}
	})
	return out.RunID
}

// afterFailed is an approval after which the customer's code failed.
func (f *fixture) afterFailed() string {
	f.t.Helper()
	id := f.request(reportBody).RunID
	f.route(id)
	f.receive(id, flow.ActionApprove, bob.Actor)
	approval := f.run(id).Signals[0].ID
	f.change(id, func(flow.Run) flow.Input { return flow.Decide{SignalID: approval, Hooks: []string{"after_approve"}} })
	f.change(id, func(flow.Run) flow.Input {
		failure := flow.FailureOf(flow.Errorf(flow.CodeHandler, "after_approve: it broke"))
		return flow.After{EventID: approval, Result: flow.Result{Invoked: true, Error: &failure}}
	})
	return id
}

// carry has the requests that follow carry a token of another bot, whose owner
// is Bob unless it says otherwise.
func (f *fixture) carry(t store.Token) {
	f.t.Helper()
	t.Bot, t.Owner = "other", cmp.Or(t.Owner, "bob@example.com")
	value, _, err := f.api.Tokens.Create(f.t.Context(), flow.Operator, t, time.Hour)
	if err != nil {
		f.t.Fatal(err)
	}
	f.token = value
}

func (f *fixture) claim(runID string) {
	f.t.Helper()
	f.change(runID, func(flow.Run) flow.Input { return flow.Claim{Owner: "worker", Until: f.clock().Add(time.Minute)} })
}

func (f *fixture) remove(runID string) {
	f.t.Helper()
	f.claim(runID)
	f.change(runID, func(flow.Run) flow.Input { return flow.Deescalate{Owner: "worker"} })
}

// stored gives the revision of every item that requests could touch.
func (f *fixture) stored() map[string]int64 {
	f.t.Helper()
	revs := map[string]int64{}
	for _, kind := range store.Kinds() {
		if !store.ListedByKind(string(kind)) {
			continue
		}
		page, err := f.store.List(f.t.Context(), store.Query{By: store.ByKind, Value: string(kind), Limit: 200})
		if err != nil || page.Cursor != "" {
			f.t.Fatalf("list %s: %q %v", kind, page.Cursor, err)
		}
		for _, item := range page.Items {
			revs[item.Key] = item.Rev
		}
	}
	return revs
}

// unwritten are the files of a log that nobody has written yet.
type unwritten struct{}

func (unwritten) Read(_ context.Context, name string) ([]byte, error) {
	return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
}
