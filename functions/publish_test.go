package functions_test

import (
	"maps"
	"strings"
	"testing"
)

// without gives the flows without some files, and with others.
func without(name string, instead map[string]string) map[string]string {
	out := maps.Clone(flows)
	delete(out, name)
	maps.Copy(out, instead)
	return out
}

// TestPublishRefuses: a configuration that drops what live access needs, or that
// can't be used, fails the deploy, and says why.
func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.await("access", func() bool { return g.holds[run] })
	a.shippedFor(run, "prompt", "request", "approve", "escalate")
	for _, test := range []struct {
		name  string
		flows map[string]string
		wants []string // in the reason
	}{
		{"NeedsTheStrategy", without("prod-access.yaml", nil), []string{run, `strategy "databases"`, "function " + grantARN}},
		{"IsBroken", without("hasty.yaml", map[string]string{"hasty.yaml": "kind: flow\nname: hasty\nparams: {colour: red}\n"}), []string{"hasty.yaml:3", "colour", "environment_id"}},
		{"IsNoYAML", map[string]string{"x.yaml": "kind: [\n"}, []string{"x.yaml"}},
		{"IsLong", map[string]string{"x.yaml": strings.Repeat("---\nkind: flow\nname: a\n", 500)}, []string{"x.yaml", "make check"}},
	} {
		answer := a.deploy(test.flows)
		if answer.Status != "FAILED" {
			t.Errorf("%s: answered %+v", test.name, answer)
		}
		for _, want := range test.wants {
			if !strings.Contains(answer.Reason, want) {
				t.Errorf("%s: no %q in the reason %q", test.name, want, answer.Reason)
			}
		}
	}
	// A rollback sends the properties of before.
	if answer := a.customResource("Update", map[string]any{"Bucket": assets, "Key": "config-1.zip", "Org": "sym", "Build": "test"}); answer.Status != "SUCCESS" {
		t.Errorf("the rollback answered %+v", answer)
	}
	for name, properties := range map[string]map[string]any{
		"NoSuchObject": {"Bucket": assets, "Key": "none.zip"},
		"NoKey":        {"Bucket": assets},
	} {
		if answer := a.customResource("Update", properties); answer.Status != "FAILED" || answer.Reason == "" {
			t.Errorf("%s: answered %+v", name, answer)
		}
	}
	if answer := a.customResource("Delete", nil); answer.Status != "SUCCESS" {
		t.Errorf("the deletion answered %+v", answer)
	}
	// What the table has is still there to end the access.
	a.must(a.slack.As("bob").Click("", "Revoke"))
	a.ended(g, run)
}

// TestDeployDuringRun: a deploy changes nothing for a run that is under way, when
// it waits for a decision and when it has access. What asks from then on goes by
// the new configuration.
func TestDeployDuringRun(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	later := strings.Replace(flows["prod-access.yaml"], `["group:platform"]`, `["user:carol@example.com"]`, 1)
	later = strings.Replace(later, "[1s, 1m, 1h]", "[1h]", 1)
	deploy := func() {
		a.replaceFunctions()
		if answer := a.deploy(without("prod-access.yaml", map[string]string{"later.yaml": later})); answer.Status != "SUCCESS" {
			t.Fatalf("publish answered %+v", answer)
		}
	}
	deploy()
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.await("access", func() bool { return g.holds[run] })
	deploy()
	a.ended(g, run)
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")

	second := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.sees("bob", "Only Carol and Lead can decide this request")
	a.must(a.slack.As("carol").Click("", "Approve"))
	a.await("access", func() bool { return g.holds[second] })
}
