package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
)

// handled is a folder of docs/examples, and what happens with it.
type handled struct {
	folder      string
	integration string // the type of the one that leads to the vendor; "": there is none
	open        func(t *testing.T) vendorSystem
	tell        func(x *telling)
}

var handledExamples = []handled{
	{folder: "approvals", tell: tellApprovals},
	{folder: "pagerduty", integration: "pagerduty", open: openPagerDuty, tell: func(x *telling) { tellRule(x, "on-call", "On call for SRE") }},
	{folder: "knowbe4", integration: "knowbe4", open: openKnowBe4, tell: func(x *telling) { tellRule(x, "trained", "Has passed the training") }},
	{folder: "okta-approvers", integration: "okta", open: openOkta, tell: tellOkta},
	{folder: "github-dynamic-targets", integration: "github", open: openGitHub, tell: tellGitHub},
}

// TestExamples_Handlers runs each folder as it is: what its handlers ask of a vendor is
// answered by a fake at the integration's api_url.
func TestExamples_Handlers(t *testing.T) {
	t.Parallel()
	for _, x := range handledExamples {
		t.Run(x.folder, func(t *testing.T) {
			t.Parallel()
			x.tell(newTelling(t, x))
		})
	}
}

// telling is the product with an example.
type telling struct {
	t       *testing.T
	product *product
	vendor  vendorSystem
	down    *atomic.Bool // has the vendor fail
}

func newTelling(t *testing.T, x handled) *telling {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := &telling{t: t, product: newProduct(t.TempDir(), repository), down: &atomic.Bool{}}
	p := out.product
	out.must(os.CopyFS(p.path("flows"), os.DirFS(filepath.Join(repository, "docs/examples", x.folder))))
	if x.open != nil {
		out.vendor = x.open(t)
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if out.down.Load() {
				w.WriteHeader(http.StatusBadRequest) // which nobody repeats
				return
			}
			forward(w, r, out.vendor.address)
		}))
		t.Cleanup(front.Close)
		pointAt(t, p.path("flows"), x.integration, vendorSystem{address: front.URL, secrets: out.vendor.secrets})
	}
	var said bytes.Buffer
	if err := Main(t.Context(), []string{"check", "-flows", p.path("flows"), "-data", p.path("data")}, os.Getenv, &said, &said); err != nil || strings.Contains(said.String(), "warning") {
		t.Fatalf("check: %v\n%s", err, said.String())
	}
	out.must(p.start(func(o *Options) error {
		o.seams.http = http.DefaultTransport // to the fake
		return nil
	}))
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return out
}

// forward asks another server the same.
func forward(w http.ResponseWriter, r *http.Request, to string) {
	again := r.Clone(r.Context())
	again.RequestURI, again.URL.Scheme, again.URL.Host, again.Host = "", "http", strings.TrimPrefix(to, "http://"), ""
	answer, err := http.DefaultTransport.RoundTrip(again)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err == nil {
		_, _ = w.Write(body.Bytes())
	}
}

func (x *telling) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// ask has somebody ask by a flow, with "orders are stuck" as the reason.
func (x *telling) ask(who, byFlow string, fill map[string]string, want flow.Status) {
	x.t.Helper()
	p := x.product.local.Slack.As(who)
	x.must(p.Command("/sym req " + byFlow))
	x.must(x.product.settle()) // handlers may fill in the form
	x.must(p.Fill(map[string]string{"Why do you need it?": "orders are stuck"}))
	x.must(p.Fill(fill))
	x.must(p.Submit())
	x.expect(want)
}

// press has somebody press a button of the newest message that has it.
func (x *telling) press(who, button string, want flow.Status) {
	x.t.Helper()
	x.must(x.product.local.Slack.As(who).Click("", button))
	x.expect(want)
}

// expect holds the newest run to a status.
func (x *telling) expect(want flow.Status) flow.Run {
	x.t.Helper()
	p := x.product
	x.must(p.settle())
	x.must(p.meet())
	r, err := p.local.Runs.Get(x.t.Context(), p.runs[len(p.runs)-1])
	x.must(err)
	if r.Status != want {
		x.t.Fatalf("the run is %s, want %s: %+v\n%s", r.Status, want, r.Error, readFile(x.t, p.path("log")))
	}
	return r
}

// sees holds what somebody sees to a text in it.
func (x *telling) sees(who, text string) {
	x.t.Helper()
	if screen := x.product.local.Slack.As(who).Screen(); !strings.Contains(screen, text) {
		x.t.Errorf("%s does not see %q:\n%s", who, text, screen)
	}
}

func (x *telling) pass(d time.Duration) {
	x.t.Helper()
	for range d / (5 * time.Second) {
		x.must(x.product.at(x.product.clock.Since(scriptStart) + 5*time.Second))
	}
}

var about = map[string]string{"What is it about?": "Orders"}

func tellApprovals(x *telling) {
	x.ask("alice", "approvals", about, flow.Requested)
	x.press("alice", "Approve", flow.Requested)
	x.sees("alice", "Somebody else has to approve")
	x.press("carol", "Approve", flow.Requested)
	x.sees("carol", "Only bob@example.com, lead@example.com may approve.")
	x.press("carol", "Deny", flow.Requested)
	x.sees("carol", "and the requester may deny.")
	x.press("bob", "Approve", flow.Approved)
	x.ask("alice", "approvals", about, flow.Requested)
	x.press("alice", "Deny", flow.Denied)
}

// tellRule: a rule approves alice at once, and not carol; people decide for her, and
// wherever the vendor can't be asked.
func tellRule(x *telling, byFlow, reason string) {
	x.ask("alice", byFlow, about, flow.Approved)
	x.sees("bob", reason)
	x.ask("carol", byFlow, about, flow.Requested)
	x.press("bob", "Approve", flow.Approved)
	x.down.Store(true)
	x.ask("alice", byFlow, about, flow.Requested)
	x.press("bob", "Approve", flow.Approved)
}

// answering is a vendor that has answers in JSON for paths, to who signs in as it
// wants.
func answering(t *testing.T, authorization, secretPath, secret string, answers func(r *http.Request) any) vendorSystem {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != authorization {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer := answers(r)
		if answer == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return vendorSystem{address: server.URL, secrets: map[string]string{secretPath: secret}}
}

// openPagerDuty has alice on the first level of the policy SRE, and all on the second
// (https://developer.pagerduty.com/api-reference/).
func openPagerDuty(t *testing.T) vendorSystem {
	type object = map[string]any
	people := []object{
		{"id": "PALICE", "type": "user", "name": "Alice", "email": "alice@example.com"},
		{"id": "PCAROL", "type": "user", "name": "Carol", "email": "carol@example.com"},
	}
	page := func(key string, items []object) any {
		return object{key: items, "limit": 100, "offset": 0, "more": false, "total": nil}
	}
	return answering(t, "Token token=p4gerduty", "/sym/main/pagerduty", "p4gerduty", func(r *http.Request) any {
		switch q := r.URL.Query(); r.URL.Path {
		case "/escalation_policies":
			return page("escalation_policies", []object{{"id": "PPSRE", "type": "escalation_policy", "name": "SRE"}})
		case "/users":
			return page("users", slices.DeleteFunc(slices.Clone(people), func(p object) bool { return !strings.Contains(p["email"].(string), q.Get("query")) }))
		case "/oncalls":
			var on []object
			for _, p := range people {
				for level := 1; level <= 2; level++ {
					if p["id"] == q.Get("user_ids[]") && q.Get("escalation_policy_ids[]") == "PPSRE" && (level == 2 || p["id"] == "PALICE") {
						on = append(on, object{"user": p, "escalation_level": level, "escalation_policy": object{"id": "PPSRE"}})
					}
				}
			}
			return page("oncalls", on)
		}
		return nil
	})
}

// openKnowBe4 has alice pass the training, and carol under way
// (https://developer.knowbe4.com/rest/reporting).
func openKnowBe4(t *testing.T) vendorSystem {
	type object = map[string]any
	return answering(t, "Bearer kn0wbe4", "/sym/main/knowbe4", "kn0wbe4", func(r *http.Request) any {
		switch q := r.URL.Query(); r.URL.Path {
		case "/v1/users":
			return []object{{"id": 700, "email": "Alice@example.com", "status": "active"}, {"id": 701, "email": "carol@example.com", "status": "active"}}
		case "/v1/training/enrollments":
			status := map[string]string{"700": "Passed", "701": "In Progress"}[q.Get("user_id")]
			if q.Get("campaign_id") != "100345" || status == "" {
				return []object{}
			}
			return []object{{"enrollment_id": 1, "content_type": "Store Purchase", "module_name": "Customers' data", "status": status}}
		}
		return nil
	})
}

func openOkta(t *testing.T) vendorSystem {
	fake := oktafake.New(t)
	return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/okta-token": oktafake.Token}}
}

// tellOkta: one integration serves the handlers and the strategy.
func tellOkta(x *telling) {
	fake := x.vendor.System.(*oktafake.Fake)
	x.ask("alice", "okta-approvers", map[string]string{"Target": "Operations", "For how long?": "30 minutes"}, flow.Requested)
	x.press("bob", "Approve", flow.Requested)
	x.sees("bob", "Only the group of approvers in Okta may approve.")
	fake.Give(flow.Target{Settings: map[string]string{"group_id": oktafake.Dev}}, oktafake.Bob)
	x.must(x.product.local.Slack.As("bob").Click("", "Approve"))
	x.must(x.product.settle())
	x.pass(time.Minute)
	r := x.expect(flow.Escalated)
	if !fake.Has(r.Access.Target, oktafake.Alice) {
		x.t.Error("alice is not in the group")
	}
	x.pass(31 * time.Minute)
	x.expect(flow.Deescalated)
	if fake.Has(r.Access.Target, oktafake.Alice) {
		x.t.Error("alice is still in the group")
	}
}

func openGitHub(t *testing.T) vendorSystem {
	fake := githubfake.New(t)
	return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/github-token": githubfake.Token}}
}

// tellGitHub: a handler lists the repositories, and the strategy grants the one that
// was chosen.
func tellGitHub(x *telling) {
	x.ask("alice", "repositories", map[string]string{"Target": "Write to a repository", "Repository": "orders", "For how long?": "30 minutes"}, flow.Requested)
	x.must(x.product.local.Slack.As("bob").Click("", "Approve"))
	x.must(x.product.settle())
	x.pass(time.Minute)
	r := x.expect(flow.Escalated)
	if got := r.Access.Target.Settings["repo_name"]; got != "orders" || !x.vendor.Has(r.Access.Target, r.Access.Identity) {
		x.t.Errorf("%s has no access to repository %q", r.Access.Identity, got)
	}
	x.pass(31 * time.Minute)
	x.expect(flow.Deescalated)
	if x.vendor.Has(r.Access.Target, r.Access.Identity) {
		x.t.Errorf("%s still has access", r.Access.Identity)
	}
}

// TestExamples_All: there is no folder that no test runs.
func TestExamples_All(t *testing.T) {
	t.Parallel()
	run := map[string]bool{"aws-iam": true, "aws-sso": true, "pipelines": true}
	for _, x := range slices.Concat(vendorExamples, googleExamples) {
		run[strings.ReplaceAll(x.strategy, "_", "-")] = true
	}
	for _, x := range handledExamples {
		run[x.folder] = true
	}
	entries, err := os.ReadDir("../../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !run[e.Name()] {
			t.Errorf("no test runs docs/examples/%s: give it a row in a table of this package", e.Name())
		}
	}
}

// TestExample_IAM does the whole job with docs/examples/aws-iam, against an emulator
// at AWS_ENDPOINT_URL.
func TestExample_IAM(t *testing.T) {
	fake := inAWS(t)
	fake.IAM.AddGroup(awsfake.Own, "/", "operators")
	fake.IAM.AddUser(awsfake.Own, "/", "alice@example.com", nil)
	has := func() bool { return fake.IAM.In(awsfake.Own, "operators", "alice@example.com") }
	x := newTelling(t, handled{folder: "aws-iam"})
	x.ask("alice", "aws-iam", map[string]string{"Target": "Operators", "For how long?": "30 minutes"}, flow.Requested)
	if has() {
		t.Error("there is access before anybody approved")
	}
	x.must(x.product.local.Slack.As("bob").Click("", "Approve"))
	x.must(x.product.settle())
	x.pass(time.Minute)
	x.expect(flow.Escalated)
	if !has() {
		t.Error("there is no access")
	}
	x.pass(31 * time.Minute)
	x.expect(flow.Deescalated)
	if has() {
		t.Error("access is still there")
	}
}
