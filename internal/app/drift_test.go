package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
)

// TestDrift_NothingRuns: where nothing has run yet, the command says what to do.
func TestDrift_NothingRuns(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "state")
	for _, command := range [][]string{{"drift"}, {"drift", "-now"}, {"identity", "list", "alice@example.com"}, {"token", "list"}, {"standing", "confirm"}} {
		var out bytes.Buffer
		err := Main(t.Context(), append(command, "-data", missing), os.Getenv, &out, &out)
		if err == nil || !strings.Contains(err.Error(), "start local first") {
			t.Errorf("%q: %v", command, err)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder was made")
	}
}

// TestDrift_AWS: access that an administrator takes away at AWS is missed within
// two hours, told, shown by the command, and granted again by who approved it, to
// end when it was to end; and what somebody gives again after its end is left alone.
func TestDrift_AWS(t *testing.T) {
	x := newExample(t)
	x.start()
	fake, p, must, pass, run := x.fake, x.product, x.must, x.pass, x.run
	told := func() string {
		var out bytes.Buffer
		must(Main(t.Context(), []string{"drift", "-data", p.path("data")}, os.Getenv, &out, &out))
		return out.String()
	}
	set := func(has bool) {
		change := fake.IdentityCenter.Unassign
		if has {
			change = fake.IdentityCenter.Assign
		}
		change(awsfake.Own, exampleAdmin, exampleAccount, "USER", exampleAlice)
	}
	alice, bob := p.local.Slack.As("alice"), p.local.Slack.As("bob")
	must(alice.Command("/sym req aws-access"))
	must(alice.Fill(map[string]string{"Why do you need it?": "fix the bill", "For how long?": "8 hours", "Target": "AdministratorAccess on " + exampleAccount}))
	must(alice.Submit())
	must(p.settle())
	must(bob.Click("", "Approve"))
	must(p.settle())
	pass(12, 5*time.Second)
	end := run(flow.Escalated).Access.End
	pass(2, 70*time.Minute)
	if report := told(); !strings.Contains(report, "all targets show what was granted") {
		t.Errorf("nothing differs: %s", report)
	}

	set(false)
	pass(2, 70*time.Minute)
	if r := run(flow.Escalated); !r.Missing() {
		t.Fatalf("it is not missed: %+v", r.Error)
	}
	if report := told(); !strings.Contains(report, "missing") || !strings.Contains(report, exampleAlice) {
		t.Errorf("shown as %s", report)
	}
	must(bob.Click("", "Grant again"))
	must(p.settle())
	pass(12, 5*time.Second)
	if r := run(flow.Escalated); r.Missing() || !r.Access.End.Equal(end) || !fake.IdentityCenter.Assigned(awsfake.Own, exampleAdmin, exampleAccount, "USER", exampleAlice) {
		t.Errorf("granted again: %+v, ends %v, was to end %v", r.Error, r.Access.End, end)
	}

	pass(5, time.Hour)
	pass(12, 5*time.Second)
	run(flow.Deescalated)
	set(true)
	pass(2, 70*time.Minute)
	if report := told(); !strings.Contains(report, "back") {
		t.Errorf("given again by somebody else, shown as %s", report)
	}
	run(flow.Deescalated)
	if !fake.IdentityCenter.Assigned(awsfake.Own, exampleAdmin, exampleAccount, "USER", exampleAlice) {
		t.Error("what somebody else gave was taken away")
	}
}
