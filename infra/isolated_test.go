package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// isolatedFlows has a flow with a function of its own, beside two that share one.
// Each of them has an environment, a secret and a function.
func isolatedFlows(t *testing.T, python string) string {
	t.Helper()
	dir := t.TempDir()
	text := "{kind: integration, name: slack, type: slack, external_id: T0123456789}\n---\n{kind: secrets, name: vault, type: aws_secrets_manager}\n"
	for _, name := range []string{"pay-roll", "deploy", "report"} {
		isolated := ""
		if name == "pay-roll" {
			isolated = "isolated: true\n"
		}
		text += strings.ReplaceAll(`---
{kind: secret, name: NAME-token, source_id: vault, path: /sym/NAME}
---
{kind: integration, name: NAME, type: pagerduty, external_id: NAME.pagerduty.com, settings: {api_token_secret: NAME-token}}
---
{kind: environment, name: NAME, integrations: {slack_id: slack, pagerduty_id: NAME}, lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:NAME"]}
---
kind: flow
name: NAME
environment_id: NAME
implementation: impl.py
`, "NAME", name) + isolated + `params: {approval: {notify: [{channel: "#general"}], approvers: ["group:platform"]}}
`
	}
	for file, text := range map[string]string{"flows.yaml": text, "impl.py": python} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const plainPython = "from sym.sdk.annotations import hook\n@hook\ndef on_request(event): ...\n"

// An isolated flow's handlers have a role that may what its flow needs, and the
// others' may not: neither can use the other's secrets and functions.
func TestIsolatedFlow(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"flows": isolatedFlows(t, plainPython)})
	var own string // ids have neither dashes nor names that are told apart by them
	for id, r := range made.ofType("AWS::Lambda::Function") {
		if text(r.Properties["FunctionName"]) == "sym-flows-sdk-pay-roll" {
			own = id
			if r.Properties["Handler"] != "main.handler" || at(r.Properties, "Environment", "Variables") != nil && len(at(r.Properties, "Environment", "Variables").(map[string]any)) > 0 {
				t.Errorf("the function is %v", r.Properties)
			}
		}
	}
	if own == "" {
		t.Fatal("there is no function for the isolated flow")
	}
	if !slices.Contains(made.Resources["Publish"].DependsOn, own) {
		t.Error("publish does not wait for it")
	}
	role := strings.Trim(strings.Split(text(made.Resources[own].Properties["Role"]), ".")[0], "${}")
	rights := map[string][]string{}
	for _, g := range rightsOf(t, made) {
		_, what, _ := strings.Cut(g.resource, ":${AWS::AccountId}:")
		if g.action == "lambda:InvokeFunction" || g.action == "secretsmanager:GetSecretValue" {
			if what == "" {
				what = strings.TrimPrefix(g.resource, "arn:aws:lambda:us-east-1:123456789012:")
			}
			rights[g.who] = append(rights[g.who], what)
		}
	}
	for who, want := range map[string][]string{
		role:      {"function:pay-roll", "function:sym-flows-services", "secret:/sym/pay-roll-??????"},
		"SdkRole": {"function:deploy", "function:report", "function:sym-flows-services", "secret:/sym/deploy-??????", "secret:/sym/report-??????"},
	} {
		slices.Sort(rights[who])
		if diff := cmp.Diff(want, rights[who]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", who, diff)
		}
	}
	// Its rights follow publish, as others do.
	for id, r := range made.Resources {
		if r.Type == "AWS::IAM::RolePolicy" && strings.Trim(text(r.Properties["RoleName"]), "${}") == role && !slices.Contains(r.DependsOn, "Publish") {
			t.Errorf("%s does not follow publish", id)
		}
	}
	// Those who ask handlers know it, and may. Publish asks it what its own source
	// defines, which it finds in the configuration.
	for _, name := range []string{"Slack", "Api", "Approval", "Access"} {
		if got := at(made.Resources[name+"Function"].Properties, "Environment", "Variables", "SYM_ISOLATED_FLOWS"); got != "pay-roll" {
			t.Errorf("%s finds %v", name, got)
		}
		if !slices.Contains(rights[name+"Role"], "function:sym-flows-sdk-pay-roll") {
			t.Errorf("%s may use %q", name, rights[name+"Role"])
		}
	}
	if !slices.Contains(rights["PublishRole"], "function:sym-flows-sdk-pay-roll") {
		t.Errorf("publish may use %q", rights["PublishRole"])
	}
	// Somebody hears of it when it fails.
	if !slices.ContainsFunc(slices.Collect(maps.Values(made.ofType("AWS::Logs::MetricFilter"))), func(r resource) bool {
		return strings.Contains(text(r.Properties["LogGroupName"]), strings.ReplaceAll(title(isolatedFunction("pay-roll")), "-", "")+"Logs")
	}) {
		t.Error("its failures are not counted")
	}
}

// Flows whose names differ in what ids do not have get functions of their own, too.
func TestIsolatedFlowsOfLikeNames(t *testing.T) {
	t.Parallel()
	dir := isolatedFlows(t, plainPython)
	file := filepath.Join(dir, "flows.yaml")
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	alike := strings.NewReplacer("deploy", "pay_roll", "report", "payroll", "implementation: impl.py\nparams", "implementation: impl.py\nisolated: true\nparams").Replace(string(written))
	if err := os.WriteFile(file, []byte(alike), 0o644); err != nil {
		t.Fatal(err)
	}
	made := synthesize(t, map[string]any{"flows": dir})
	var got []string
	for _, r := range made.ofType("AWS::Lambda::Function") {
		if name, own := strings.CutPrefix(text(r.Properties["FunctionName"]), "sym-flows-sdk-"); own {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"pay-roll", "pay_roll", "payroll"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Publish reads what a configuration with an isolated flow defines, and runs
// nothing: a handler that is made while its file runs would never be asked.
func TestIsolatedFlowIsPlain(t *testing.T) {
	t.Parallel()
	dir := isolatedFlows(t, plainPython+"globals()['get_permissions'] = __import__('sym.sdk.annotations').sdk.annotations.reducer(lambda event: None)\n")
	_, err := synthesizeInto(t.TempDir(), map[string]any{"flows": dir}, standInCode)
	if err == nil || !strings.Contains(err.Error(), "get_permissions is defined only when the file runs") {
		t.Errorf("got %v", err)
	}
}
