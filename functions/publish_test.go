package functions_test

import (
	"maps"
	"net/http"
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
	a.grants(g, run)
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
	if answer := a.customResource("Update", map[string]any{"Bucket": assets, "Key": "sym-flows/config-1.zip", "Org": "sym", "Build": "test"}); answer.Status != "SUCCESS" {
		t.Errorf("the rollback answered %+v", answer)
	}
	for name, properties := range map[string]map[string]any{
		"NoSuchObject": {"Bucket": assets, "Key": "sym-flows/none.zip"},
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

// TestDeployDuringRun: a deploy changes nothing of what a run that is under way is
// for, when it waits for a decision and when it has access. What asks from then on goes by
// the new configuration.
func TestDeployDuringRun(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	later := strings.Replace(flows["prod-access.yaml"], `["group:platform"]`, `["user:carol@example.com"]`, 1)
	later = strings.Replace(later, "[1s, 4s, 1m, 1h]", "[1h]", 1)
	deploy := func() {
		a.replaceFunctions()
		if answer := a.deploy(without("prod-access.yaml", map[string]string{"later.yaml": later})); answer.Status != "SUCCESS" {
			t.Fatalf("publish answered %+v", answer)
		}
	}
	deploy()
	a.must(a.slack.As("lead").Click("", "Approve")) // whom the new version lets decide as well
	a.grants(g, run)
	deploy()
	a.ended(g, run)
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")

	second := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.sees("bob", "Only Carol and Lead can decide this request")
	a.must(a.slack.As("carol").Click("", "Approve"))
	a.grants(g, second)
}

// TestPublishBeforeItsRights: IAM tells of rights some seconds after the deploy
// that gives them, in all services.
func TestPublishBeforeItsRights(t *testing.T) {
	t.Parallel()
	a := open(t)
	for action, code := range map[string]string{
		"s3:GetObject": "AccessDenied", "dynamodb:PutItem": "AccessDeniedException", "lambda:InvokeFunction": "AccessDeniedException",
	} {
		a.fail("publish", action, 1, http.StatusForbidden, code)
	}
	all := maps.Clone(flows)
	maps.Copy(all, handled)
	if answer := a.deploy(all); answer.Status != "SUCCESS" {
		t.Errorf("publish answered %+v", answer)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.faults {
		if f.times != 0 {
			t.Errorf("%s was not asked", f.action)
		}
	}
}

// TestPublishCannotStart: a publish that can't start answers, and says why.
func TestPublishCannotStart(t *testing.T) {
	t.Parallel()
	a := open(t)
	f := a.functions[functionARN("publish")]
	whole := f.Environment
	for missing, want := range map[string]string{
		"SYM_TABLE": "SYM_TABLE is not set", "SYM_SDK_FUNCTION": "SYM_SDK_FUNCTION is not set", "AWS_REGION": "AWS_REGION is not set",
	} {
		f.Environment = maps.Clone(whole)
		delete(f.Environment, missing)
		a.functions[functionARN("publish")] = f
		a.replaceFunctions()
		if answer := a.deploy(flows); answer.Status != "FAILED" || !strings.Contains(answer.Reason, want) {
			t.Errorf("without %s it answered %+v", missing, answer)
		}
	}
}
