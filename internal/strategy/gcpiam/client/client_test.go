package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
	"github.com/symflows/symflows/internal/strategy/gcpiam/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	alice    = "alice@example.com"
	run      = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
	otherRun = "0d9e8f7a-6b5c-4d3e-8f2a-1b0c9d8e0000"
	project  = "acme-production"
	role     = "roles/cloudsql.admin"
)

func TestStrategy(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject { return googlefake.ProjectSubject(t) })
}

// bench is a strategy, opened on a Google of its own.
type bench struct {
	*testing.T
	*googlefake.Fake
	strategy.Strategy
	target flow.Target
}

func open(t *testing.T) *bench {
	t.Helper()
	s := googlefake.ProjectSubject(t)
	o, err := s.Open(s.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, s.System.(googlefake.Projects).Fake, o, s.Strategy.Targets[0]}
}

func (b *bench) call(run string, until time.Time) strategy.Call {
	return strategy.Call{RunID: run, Target: b.target, Identity: alice, Until: until, Class: strategy.Granting}
}

func (b *bench) grant(run string, until time.Time) {
	b.Helper()
	if _, err := b.Grant(b.Context(), b.call(run, until)); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) observe(class strategy.Class) strategy.Sight {
	b.Helper()
	c := b.call(run, time.Time{})
	c.Class = class
	seen, err := b.Strategy.(strategy.Observer).Observe(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	return seen
}

// of gives the bindings of the role.
func (b *bench) of(role string) []googlefake.Binding {
	return slices.DeleteFunc(b.Policy(project), func(x googlefake.Binding) bool { return x.Role != role })
}

// ours is a binding as the strategy writes it.
func ours(run, who string, until time.Time) googlefake.Binding {
	return googlefake.Binding{Role: role, Members: []string{"user:" + who}, Condition: &googlefake.Condition{
		Title: "sym-" + run, Description: "Given by Sym Flows for request " + run,
		Expression: "request.time < timestamp('" + until.Format(time.RFC3339) + "')",
	}}
}

// TestGrant_Bindings: there is one binding of ours for each person and role, by the
// run that wrote it last, and its end moves by a new condition.
func TestGrant_Bindings(t *testing.T) {
	t.Parallel()
	b := open(t)
	end := b.Now().Add(time.Hour)
	never := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, step := range []struct {
		run   string
		until time.Time
		want  googlefake.Binding
	}{
		{run, end, ours(run, alice, end)},
		{otherRun, end, ours(run, alice, end)}, // nothing is to be changed
		{otherRun, end.Add(time.Hour), ours(otherRun, alice, end.Add(time.Hour))},
		{run, end.Add(time.Minute), ours(run, alice, end.Add(time.Minute))},
		{run, time.Time{}, ours(run, alice, never)},
		{run, end, ours(run, alice, end)},
	} {
		b.grant(step.run, step.until)
		if diff := cmp.Diff([]googlefake.Binding{step.want}, b.of(role)); diff != "" {
			t.Errorf("until %s: -want +got:\n%s", step.until, diff)
		}
		if seen := b.observe(strategy.Granting); !seen.Until.Equal(step.until) {
			t.Errorf("observed until %s, want %s", seen.Until, step.until)
		}
	}
	b.Advance(2 * time.Hour)
	if seen := b.observe(strategy.Looking); seen.Presence != flow.Absent {
		t.Errorf("after the end: %+v", seen)
	}
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); err != nil || len(b.of(role)) > 0 {
		t.Errorf("what is over is still in the policy: %v, %+v", err, b.of(role))
	}
}

// TestOthers: what is not ours stays as it is, whatever becomes of ours.
func TestOthers(t *testing.T) {
	t.Parallel()
	b := open(t)
	end := b.Now().Add(time.Hour)
	foreign := []googlefake.Binding{
		{Role: role, Members: []string{"user:" + alice, "group:ops@example.com"}, Condition: &googlefake.Condition{Title: "sym-pathy", Expression: `resource.type == "x"`}},
		{Role: role, Members: []string{"user:" + alice}, Condition: &googlefake.Condition{Title: "until spring", Expression: "request.time < timestamp('2027-03-20T00:00:00Z')"}},
		{Role: role, Members: []string{"group:ops@example.com", "serviceAccount:" + alice}},
	}
	for _, f := range foreign {
		b.Bind(project, f)
	}
	before, audit := b.Policy(project), b.Audit(project)
	b.grant(run, end)
	if seen := b.observe(strategy.Looking); seen.Presence != flow.Present || len(seen.Others) != 2 {
		t.Errorf("observed %+v, want two other ways", seen)
	}
	if diff := cmp.Diff(append(slices.Clone(before), ours(run, alice, end)), b.Policy(project)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.Policy(project)); diff != "" || b.Audit(project) != audit {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDirect: who has the role for good had it before a grant, and has it by another
// way afterwards.
func TestDirect(t *testing.T) {
	t.Parallel()
	b := open(t)
	direct := googlefake.Binding{Role: role, Members: []string{"user:Alice@example.com"}}
	b.Bind(project, direct)
	if seen := b.observe(strategy.Granting); seen.Presence != flow.Present || !seen.Until.IsZero() || len(seen.Others) > 0 {
		t.Errorf("before: %+v", seen)
	}
	b.grant(run, b.Now().Add(time.Hour))
	if diff := cmp.Diff([]googlefake.Binding{direct}, b.of(role)); diff != "" {
		t.Errorf("a binding was added to what is there for good:\n%s", diff)
	}
	b = open(t)
	b.grant(run, b.Now().Add(time.Hour))
	b.Bind(project, direct)
	if seen := b.observe(strategy.Looking); seen.Presence != flow.Present || seen.Until.IsZero() || len(seen.Others) != 1 {
		t.Errorf("beside ours: %+v", seen)
	}
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); err != nil {
		t.Fatal(err)
	}
	if seen := b.observe(strategy.Removing); seen.Presence != flow.Absent || len(seen.Others) != 1 {
		t.Errorf("after ours: %+v", seen)
	}
	if diff := cmp.Diff([]googlefake.Binding{direct}, b.of(role)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLeftovers: what is ours and over is taken away by whatever is written next, be
// it of another person and role; what is not over, and what is others', is not.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	b := open(t)
	over, live := ours(otherRun, "bob@example.com", b.Now().Add(-time.Hour)), ours(otherRun, "bob@example.com", b.Now().Add(time.Hour))
	over.Role, live.Role = "roles/run.admin", "roles/run.admin"
	theirs := googlefake.Binding{Role: "roles/run.admin", Members: []string{"user:bob@example.com"}, Condition: &googlefake.Condition{Title: "last year", Expression: "request.time < timestamp('2025-01-01T00:00:00Z')"}}
	for _, x := range []googlefake.Binding{over, live, theirs} {
		b.Bind(project, x)
	}
	b.grant(run, b.Now().Add(time.Hour))
	if diff := cmp.Diff([]googlefake.Binding{live, theirs}, b.of("roles/run.admin")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Bind(project, over)
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]googlefake.Binding{live, theirs}, b.of("roles/run.admin")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestShared: of a binding of ours to which somebody has added others, ours is taken.
func TestShared(t *testing.T) {
	t.Parallel()
	b := open(t)
	shared := ours(run, alice, b.Now().Add(time.Hour))
	shared.Members = append(shared.Members, "user:bob@example.com")
	b.Bind(project, shared)
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); err != nil {
		t.Fatal(err)
	}
	shared.Members = shared.Members[1:]
	if diff := cmp.Diff([]googlefake.Binding{shared}, b.of(role)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDeletedAccount: Google marks accounts that are deleted; ours goes away.
func TestDeletedAccount(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grant(run, b.Now().Add(time.Hour))
	b.HideAccounts()
	b.DeleteUser(alice)
	if seen := b.observe(strategy.Removing); seen.Presence != flow.Absent {
		t.Errorf("observed %+v", seen)
	}
	result, err := b.Revoke(t.Context(), b.call(run, time.Time{}))
	if err != nil || len(result.Warnings) != 1 || len(b.of(role)) > 0 {
		t.Errorf("%v, %v; left: %+v", result, err, b.of(role))
	}
}

// TestFull: a policy that names as many as it may says so.
func TestFull(t *testing.T) {
	t.Parallel()
	b := open(t)
	many := googlefake.Binding{Role: "roles/browser"}
	for i := range 1497 { // three are there
		many.Members = append(many.Members, fmt.Sprintf("serviceAccount:s%d@acme.iam.gserviceaccount.com", i))
	}
	b.Bind(project, many)
	_, err := b.Grant(t.Context(), b.call(run, b.Now().Add(time.Hour)))
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "1500") {
		t.Errorf("got %v", err)
	}
}

// TestConcurrent: grants to one project at the same time lose none of each other.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	b := open(t)
	var work sync.WaitGroup
	const people = 8
	for i := range people {
		who := fmt.Sprintf("p%d@example.com", i)
		b.AddUser(who)
		work.Go(func() {
			c := b.call(fmt.Sprintf("%s-%d", run, i), b.Now().Add(time.Hour))
			c.Identity = who
			for { // as the workflow does
				_, err := b.Grant(t.Context(), c)
				if err == nil {
					return
				}
				if flow.CodeOf(err) != flow.CodeUnavailable {
					t.Errorf("%s: %v", who, err)
					return
				}
			}
		})
	}
	work.Wait()
	if got := len(b.of(role)); got != people {
		t.Errorf("%d bindings, want %d", got, people)
	}
}

// TestStale: a policy that is read late is not written.
func TestStale(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.SetMood(strategytest.Stale)
	b.grant(run, b.Now().Add(time.Hour))
	_, err := b.Grant(t.Context(), b.call(run, b.Now().Add(2*time.Hour)))
	if flow.CodeOf(err) != flow.CodeUnavailable || len(b.of(role)) != 1 {
		t.Errorf("got %v, %+v", err, b.of(role))
	}
}

// TestWritten: what is written is what was read, with ours: whatever there may be in a
// policy that we don't know, and the etag, and version 3.
func TestWritten(t *testing.T) {
	t.Parallel()
	const audit, labels = `[{"service":"allServices","future":{"a":[1,2.50,"<&>"]}}]`, `{"b":1,"a":2}`
	const foreign = `{"members":["group:ops@example.com"],"role":"roles/viewer","condition":{"title":"<t>","expression":"a < b && c","future":1.0},"bindingId":"x"}`
	for name, test := range map[string]struct {
		policy string
		code   flow.Code
	}{
		"Whole":  {`{"version":1,"etag":"BwX=","auditConfigs":` + audit + `,"labels":` + labels + `,"bindings":[` + foreign + `]}`, ""},
		"NoEtag": {`{"version":3,"bindings":[` + foreign + `]}`, flow.CodeUnavailable},
		"NoList": {`{"version":3,"etag":"BwX=","bindings":{}}`, flow.CodeUnavailable},
		"Faulty": {`{"version":3,"etag":"BwX=","bindings":[7]}`, flow.CodeUnavailable},
		"HTML":   {`<html>`, flow.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := googlefake.New(t)
			var written, asked map[string]json.RawMessage
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, ":getIamPolicy"):
					json.NewDecoder(r.Body).Decode(&asked)
					fmt.Fprint(w, test.policy)
				case strings.HasSuffix(r.URL.Path, ":setIamPolicy"):
					json.NewDecoder(r.Body).Decode(&written)
					fmt.Fprint(w, `{}`)
				default:
					f.ServeHTTP(w, r) // to sign in
				}
			}))
			t.Cleanup(server.Close)
			i := f.Integration()
			i.Settings["api_url"] = server.URL
			o, err := client.Open(f.APIs())(flow.Strategy{Type: "gcp_iam", Integration: i})
			if err != nil {
				t.Fatal(err)
			}
			target := flow.Target{Settings: map[string]string{"project": project, "role": role}}
			_, err = o.Grant(t.Context(), strategy.Call{RunID: run, Target: target, Identity: alice, Until: f.Now().Add(time.Hour)})
			if flow.CodeOf(err) != test.code {
				t.Fatalf("got %v, want %q", err, test.code)
			}
			if test.code != "" {
				if written != nil {
					t.Errorf("it was written all the same: %s", written)
				}
				return
			}
			if got := string(asked["options"]); got != `{"requestedPolicyVersion":3}` {
				t.Errorf("asked for %s", got)
			}
			var p map[string]json.RawMessage
			if err := json.Unmarshal(written["policy"], &p); err != nil {
				t.Fatal(err)
			}
			var bindings []json.RawMessage
			if err := json.Unmarshal(p["bindings"], &bindings); err != nil || len(bindings) != 2 {
				t.Fatalf("%v: %s", err, p["bindings"])
			}
			for what, pair := range map[string][2]string{
				"auditConfigs": {audit, string(p["auditConfigs"])}, "labels": {labels, string(p["labels"])}, "etag": {`"BwX="`, string(p["etag"])},
				"version": {"3", string(p["version"])}, "binding": {foreign, string(bindings[0])},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: wrote %s, want %s", what, pair[1], pair[0])
				}
			}
		})
	}
}

// TestProjectGone: a project that is deleted, and one that we may not see.
func TestProjectGone(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.target.Settings = map[string]string{"project": "acme-elsewhere", "role": role}
	if _, err := b.Revoke(t.Context(), b.call(run, time.Time{})); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("a project that we may not see: %v, want an error of %s", err, flow.CodeStrategy)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grant(run, b.Now().Add(time.Hour))
	over := ours(otherRun, "bob@example.com", b.Now().Add(-time.Minute))
	b.Bind(project, over)
	b.Bind(project, googlefake.Binding{Role: role, Members: []string{"user:Carol@example.com", "group:ops@example.com", "user:" + alice}})
	holders, err := b.Strategy.(strategy.Lister).Holders(t.Context(), b.target)
	slices.Sort(holders)
	if diff := cmp.Diff([]string{alice, "carol@example.com"}, holders); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	b.AddProject("acme-tools", "Tools", googlefake.Binding{Role: "roles/run.serviceAgent", Members: []string{"serviceAccount:s@acme.iam.gserviceaccount.com"}},
		googlefake.Binding{Role: "projects/acme-tools/roles/on_call_for_everything_that_there_is_to_be_on_call_for", Members: []string{"group:ops@example.com"}})
	b.AddProject("acme-gone", "Gone", googlefake.Binding{Role: role, Members: []string{"group:ops@example.com"}})
	b.DeleteProject("acme-gone")
	found, err := b.Strategy.(strategy.Discoverer).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, f := range found {
		labels = append(labels, f.Label)
		if err := flow.CheckName(f.Name); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{
		"cloudsql.admin on acme-production", "storage.admin on acme-production", "storage.admin on acme-staging",
		"on_call_for_everything_that_there_is_to_be_on_call_for on Tools",
	}, labels); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if faults := gcpiam.Type().Check(flow.Strategy{Type: "gcp_iam", Integration: b.Integration(), Targets: found}); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	b := open(t)
	find := b.Strategy.(strategy.Identifier).Identity
	if got, err := find(t.Context(), flow.Actor{Email: "Alice@example.com"}); err != nil || got != alice {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := find(t.Context(), flow.Actor{Email: "nobody@example.com"}); flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), "as who they are at Google") {
		t.Errorf("got %v", err)
	}
}
