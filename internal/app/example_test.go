package app

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
)

// What docs/examples/aws-sso speaks of.
const (
	exampleInstance = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
	exampleAdmin    = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
	exampleSupport  = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-fedcba0987654321"
	exampleAccount  = "111111111111"
	exampleGroup    = "a1b2c3d4e5-22222222-2222-2222-2222-222222222222"
	exampleAlice    = "a1b2c3d4e5-11111111-1111-1111-1111-111111111111"
)

// exampleOrganization fills a fake of AWS with what the example found there.
func exampleOrganization(fake *awsfake.Fake) {
	c := fake.IdentityCenter
	c.AddInstance(awsfake.Own, exampleInstance, "d-1234567890", "")
	for _, account := range []string{awsfake.Own, exampleAccount} {
		c.AddAccount(awsfake.Own, account)
	}
	c.AddPermissionSet(awsfake.Own, exampleAdmin, "AdministratorAccess", "PT4H")
	c.AddPermissionSet(awsfake.Own, exampleSupport, "Support", "PT1H")
	c.AddGroup(awsfake.Own, exampleGroup, "Billing")
	c.AddUser(awsfake.Own, exampleAlice, "alice", "alice@example.com")
	// Somebody has both somewhere, so that they are there to be found.
	c.Assign(awsfake.Own, exampleAdmin, exampleAccount, "GROUP", exampleGroup)
	c.Assign(awsfake.Own, exampleSupport, awsfake.Own, "GROUP", exampleGroup)
	c.Lasts(8 * time.Second) // what is asked for is not there at once
}

// example is the product with docs/examples/aws-sso, and an emulator of AWS at
// AWS_ENDPOINT_URL.
type example struct {
	t       *testing.T
	fake    *awsfake.Fake
	folder  string // of the example, whose copy the product has
	product *product
}

func newExample(t *testing.T) *example {
	t.Helper()
	fake := inAWS(t)
	exampleOrganization(fake)
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	x := &example{t, fake, filepath.Join(repository, "docs/examples/aws-sso"), newProduct(t.TempDir(), repository)}
	x.must(os.CopyFS(x.product.path("flows"), os.DirFS(x.folder)))
	return x
}

func (x *example) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// start starts the product, until the test ends.
func (x *example) start() {
	x.t.Helper()
	x.must(x.product.start(func(*Options) error { return nil }))
	x.t.Cleanup(func() {
		if err := x.product.stop(); err != nil {
			x.t.Error(err)
		}
	})
}

// pass lets time pass here and at AWS, so many times that long.
func (x *example) pass(times int, d time.Duration) {
	x.t.Helper()
	for range times {
		x.fake.Advance(d)
		x.must(x.product.at(x.product.clock.Since(scriptStart) + d))
	}
}

// run gives the newest run, which must have the status.
func (x *example) run(want flow.Status) flow.Run {
	x.t.Helper()
	p := x.product
	x.must(p.meet())
	r, err := p.local.Runs.Get(x.t.Context(), p.runs[len(p.runs)-1])
	x.must(err)
	if r.Status != want {
		x.t.Fatalf("the run is %s, want %s: %+v\n%s", r.Status, want, r.Error, readFile(x.t, p.path("log")))
	}
	return r
}

// TestExample_AWS does the whole job with docs/examples/aws-sso, against an
// emulator at AWS_ENDPOINT_URL: targets are found, access is asked for, approved,
// seen at AWS, ended and gone there, and recorded.
func TestExample_AWS(t *testing.T) {
	x := newExample(t)
	fake, p := x.fake, x.product
	must := x.must

	// What it has found is what the command finds.
	var out bytes.Buffer
	if err := Main(t.Context(), []string{"targets", "aws_sso", "-flows", p.path("flows"), "-strategy", "identity-center"}, os.Getenv, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if found := readFile(t, p.path("flows/targets-identity-center.yaml")); *update {
		if err := os.WriteFile(filepath.Join(x.folder, "targets-identity-center.yaml"), []byte(found), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if found != readFile(t, filepath.Join(x.folder, "targets-identity-center.yaml")) {
		t.Errorf("the example has not what is found (run with -update if this is right):\n%s", out.String())
	}
	out.Reset()
	if err := Main(t.Context(), []string{"check", "-flows", p.path("flows"), "-data", p.path("data")}, os.Getenv, &out, &out); err != nil || strings.Contains(out.String(), "warning") {
		t.Fatalf("%v\n%s", err, out.String())
	}

	x.start()
	alice, bob := p.local.Slack.As("alice"), p.local.Slack.As("bob")
	run := x.run
	// pass lets time pass here and at AWS, a few seconds at a time.
	pass := func(d time.Duration) {
		t.Helper()
		x.pass(int(d/(5*time.Second)), 5*time.Second)
	}

	// A permission set on an account, from the list.
	must(alice.Command("/sym req aws-access"))
	must(alice.Fill(map[string]string{"Why do you need it?": "fix the bill", "For how long?": "30 minutes", "Target": "AdministratorAccess on " + exampleAccount}))
	must(alice.Submit())
	must(p.settle())
	if r := run(flow.Requested); r.Lingers != int64((4 * time.Hour).Seconds()) {
		t.Errorf("who decides is told that sessions go on for %d seconds, want the permission set's four hours", r.Lingers)
	}
	has := func() bool {
		return fake.IdentityCenter.Assigned(awsfake.Own, exampleAdmin, exampleAccount, "USER", exampleAlice)
	}
	if has() {
		t.Error("there is access before anybody approved")
	}
	must(bob.Click("", "Approve"))
	must(p.settle())
	pass(time.Minute)
	r := run(flow.Escalated)
	if !has() || r.Access.Identity != exampleAlice {
		t.Errorf("access at AWS: %t, for %q", has(), r.Access.Identity)
	}
	pass(32 * time.Minute)
	r = run(flow.Deescalated)
	if has() {
		t.Error("access is still there")
	}
	recorded := map[string]string{} // the newest record of each event
	for record, err := range p.local.Audit.Read(t.Context(), time.Time{}, time.Time{}) {
		must(err)
		recorded[record.Event.Type] = record.State.Status
	}
	for _, event := range []string{"prompt", "request", "approve", "escalate", "deescalate"} {
		if recorded[event] != "completed" {
			t.Errorf("%s is recorded as %q", event, recorded[event])
		}
	}

	// One on an account of the requester's choice.
	must(alice.Command("/sym req aws-support"))
	must(alice.Fill(map[string]string{"Target": "Support", "Account": "production", "Why do you need it?": "see the case", "For how long?": "30 minutes"}))
	if err := alice.Submit(); err == nil || !strings.Contains(err.Error(), "12 digits") {
		t.Errorf("what is no account: %v", err)
	}
	must(alice.Fill(map[string]string{"Account": exampleAccount}))
	must(alice.Submit())
	must(p.settle())
	must(bob.Click("", "Approve"))
	must(p.settle())
	pass(time.Minute)
	run(flow.Escalated)
	if !fake.IdentityCenter.Assigned(awsfake.Own, exampleSupport, exampleAccount, "USER", exampleAlice) {
		t.Error("no access at AWS")
	}
	must(alice.Click("", "End now"))
	pass(time.Minute)
	run(flow.Deescalated)

	// By API, the same is refused with the field.
	token, err := os.ReadFile(p.path("data/token"))
	must(err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/events/request", strings.NewReader(
		`{"flow_srn": "sym:flow:aws-support:latest", "user_email": "alice@example.com", "flow_inputs": {"target_srn": "sym:access_target:aws_sso_permission_set:support:latest", "account_id": "production", "reason": "see", "duration": 1800}}`))
	must(err)
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	must(err)
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(body.String(), "flow_inputs.account_id") {
		t.Errorf("%s: %s (%v)", resp.Status, body.String(), err)
	}
}

// TestExample_Several runs what docs/flows.md shows of several targets on one
// request, as it stands there, by rights of our own. One of two accounts is not there.
func TestExample_Several(t *testing.T) {
	x := newExample(t)
	p, must, run := x.product, x.must, x.run
	guide := readFile(t, filepath.Join(x.folder, "../../flows.md"))
	_, guide, _ = strings.Cut(guide, "### Several targets on one request")
	_, guide, _ = strings.Cut(guide, "```yaml\n")
	shown, _, ok := strings.Cut(guide, "```")
	if !ok {
		t.Fatal("the guide shows no configuration")
	}
	must(os.RemoveAll(p.path("flows")))
	must(os.Mkdir(p.path("flows"), 0o700))
	must(os.WriteFile(p.path("flows/several.yaml"), []byte(shown), 0o600))
	x.start()
	has := func() bool {
		return x.fake.IdentityCenter.Assigned(awsfake.Own, exampleAdmin, exampleAccount, "USER", exampleAlice)
	}

	alice, lead := p.local.Slack.As("alice"), p.local.Slack.As("lead")
	must(alice.Command("/sym req aws-admin"))
	must(alice.Fill(map[string]string{"Target": "Administrator", "Accounts": exampleAccount + ",222222222222", "For how long?": "30 minutes"}))
	must(alice.Submit())
	must(p.settle())
	must(lead.Click("", "Approve"))
	must(p.settle())
	x.pass(12, 5*time.Second)
	r := run(flow.Escalated)
	var parts []string
	for _, part := range r.Access.Entitlements {
		parts = append(parts, part.Title()+" "+string(part.State()))
	}
	if got, want := strings.Join(parts, ", "), exampleAccount+" granted, 222222222222 failed"; !has() || got != want {
		t.Errorf("at AWS: %t; %s, want %s", has(), got, want)
	}
	x.pass(32*12, 5*time.Second)
	run(flow.Deescalated)
	if has() {
		t.Error("access is still there")
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
