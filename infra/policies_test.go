package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grantIn is a function that grants, in an account.
func grantIn(account int) string {
	return fmt.Sprintf("arn:aws:lambda:us-east-1:%012d:function:grant-database", 100_000_000_000+account)
}

// reportIn is a function that flows invoke.
func reportIn(account int) string {
	return strings.Replace(grantIn(account), "grant-database", "report", 1)
}

const manySecrets = 20 // what an integration takes

// manyFlows gives the folder of a configuration with targets, functions that
// flows invoke, so many of each, and some secrets of handlers.
func manyFlows(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("{kind: integration, name: slack, type: slack, external_id: T0123456789}\n")
	var targets, reports, secrets []string
	for i := range n {
		fmt.Fprintf(&b, "---\n{kind: target, name: t%d, type: aws_lambda_function, label: T%d, settings: {arn: %q}}\n", i, i, grantIn(i))
		targets, reports = append(targets, fmt.Sprintf("t%d", i)), append(reports, fmt.Sprintf("%q", reportIn(i)))
		if i >= manySecrets {
			continue
		}
		fmt.Fprintf(&b, "---\n{kind: secret, name: s%d, source_id: vault, path: /sym/s%d}\n", i, i)
		secrets = append(secrets, fmt.Sprintf("%q", fmt.Sprintf("s%d", i)))
	}
	fmt.Fprintf(&b, `---
{kind: secrets, name: vault, type: aws_secrets_manager}
---
{kind: integration, name: vendor, type: custom, external_id: vendor, settings: {secret_ids_json: '[%s]'}}
---
{kind: environment, name: main, integrations: {slack_id: slack, custom_id: vendor}, lambda_arns: [%s]}
---
{kind: strategy, name: databases, type: aws_lambda, targets: [%s]}
---
kind: flow
name: databases
environment_id: main
implementation: ./impl.py
params:
  strategy_id: databases
  prompt_fields: [{name: duration, type: duration, allowed_values: [1h]}]
  approval: {notify: [{channel: "#access"}], approvers: ["group:platform"]}
`, strings.Join(secrets, ","), strings.Join(reports, ","), strings.Join(targets, ","))
	dir := t.TempDir()
	for name, text := range map[string]string{"flows.yaml": b.String(), "impl.py": "from sym.sdk.annotations import hook\n@hook\ndef on_request(event): ...\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sub is what Fn::Sub puts in.
var sub = regexp.MustCompile(`\$\{[^}]*\}`)

// measured is how many characters IAM finds in a policy of the template, in a
// region and with names as long as they can be.
func measured(document any) int {
	long := strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "ap-southeast-99", "${AWS::AccountId}", "123456789012")
	n := 2 // braces
	n += len(`"Version":"2012-10-17","Statement":[]`)
	for i, s := range at(document, "Statement").([]any) {
		part := map[string]any{}
		for name, v := range s.(map[string]any) {
			part[name] = v
		}
		part["Resource"] = []string{}
		n += len(compact(part)) + min(i, 1)
		for j, r := range texts(at(s, "Resource")) {
			n += len(sub.ReplaceAllString(long.Replace(r), strings.Repeat("x", longestUnknown))) + len(`""`) + min(j, 1)
		}
	}
	return n
}

// policiesOf gives the policies of each role: those that are part of it, and those
// of their own by their ids.
func policiesOf(made template) (inline map[string][]any, own map[string]map[string]any) {
	inline, own = map[string][]any{}, map[string]map[string]any{}
	for id, r := range made.Resources {
		switch r.Type {
		case "AWS::IAM::Role":
			for _, p := range r.Properties["Policies"].([]any) {
				inline[id] = append(inline[id], at(p, "PolicyDocument"))
			}
		case "AWS::IAM::RolePolicy":
			role := strings.Trim(text(r.Properties["RoleName"]), "${}")
			inline[role] = append(inline[role], r.Properties["PolicyDocument"])
		case "AWS::IAM::ManagedPolicy":
			role := strings.Trim(text(at(r.Properties, "Roles", 0)), "${}")
			if own[role] == nil {
				own[role] = map[string]any{}
			}
			own[role][id] = r.Properties["PolicyDocument"]
		}
	}
	return inline, own
}

// checkPolicies: IAM takes all policies of a template.
func checkPolicies(t *testing.T, made template) {
	t.Helper()
	inline, own := policiesOf(made)
	for role, all := range inline {
		n := 0
		for _, p := range all {
			n += measured(p)
		}
		if n > 10_240 {
			t.Errorf("the policies in %s have %d characters", role, n)
		}
	}
	for role, all := range own {
		if len(all) > 10 {
			t.Errorf("%s has %d policies", role, len(all))
		}
		for id, p := range all {
			if n := measured(p); n > 6_144 {
				t.Errorf("%s of %s has %d characters", id, role, n)
			}
		}
	}
}

// TestPolicies_Few: a configuration as most are adds nothing but a policy to a role.
func TestPolicies_Few(t *testing.T) {
	t.Parallel()
	checkPolicies(t, standard(t))
	if _, own := policiesOf(standard(t)); len(own) != 0 {
		t.Errorf("policies of their own: %v", own)
	}
}

// TestPolicies_Many: with functions in 200 accounts, all roles have all their
// rights, each in policies that IAM takes, and all of them after publish.
func TestPolicies_Many(t *testing.T) {
	t.Parallel()
	const n = 200
	made := synthesize(t, map[string]any{"flows": manyFlows(t, n), "name": strings.Repeat("a", 40)})
	checkPolicies(t, made)
	for _, f := range made.findings() {
		t.Error(f)
	}
	_, own := policiesOf(made)
	if len(own["AccessRole"]) == 0 || len(own["ApprovalRole"]) == 0 || len(own["SdkRole"]) == 0 {
		t.Errorf("policies of %d roles only", len(own))
	}
	for id, r := range made.Resources {
		if (r.Type == "AWS::IAM::ManagedPolicy" || r.Type == "AWS::IAM::RolePolicy") && !slices.Contains(r.DependsOn, "Publish") {
			t.Errorf("%s comes before publish has looked at live access", id)
		}
	}
	has := map[string]int{}
	for _, g := range rightsOf(t, made) {
		has[fmt.Sprint(g.who, " ", g.action, " ", g.resource)]++
	}
	for i := range n {
		wants := []string{
			"AccessRole lambda:InvokeFunction " + grantIn(i), "ApprovalRole lambda:InvokeFunction " + reportIn(i), "SdkRole lambda:InvokeFunction " + reportIn(i),
		}
		if i < manySecrets {
			wants = append(wants, fmt.Sprintf("SdkRole secretsmanager:GetSecretValue arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/s%d-??????", i))
		}
		for _, want := range wants {
			if has[want] != 1 {
				t.Errorf("%d times: %s", has[want], want)
			}
		}
	}
}

// TestPolicies_Own: nobody whom a configuration names may invoke what this deployment
// is made of: tokens would make one for whoever says that the gateway let them in.
func TestPolicies_Own(t *testing.T) {
	t.Parallel()
	dir := manyFlows(t, 1)
	file := filepath.Join(dir, "flows.yaml")
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.NewReplacer(":function:report", ":function:sym-flows-tokens", ":function:grant-database", ":function:sym-flows-publish:live").Replace(string(written))
	if err := os.WriteFile(file, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = synthesizeInto(t.TempDir(), map[string]any{"flows": dir}, standInCode)
	for _, want := range []string{"has access invoke arn:aws:lambda:us-east-1:100000000000:function:sym-flows-publish:live", "has approval invoke", "has sdk invoke"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

// TestPolicies_TooMany: what IAM would refuse in the middle of a deploy, synth
// refuses, and says what to do.
func TestPolicies_TooMany(t *testing.T) {
	t.Parallel()
	flows := manyFlows(t, 1000)
	_, err := synthesizeInto(t.TempDir(), map[string]any{"flows": flows}, standInCode)
	for _, want := range []string{"has access work with 1000 ", "has approval ", "has sdk work with 1020 ", "6144", "functionPatterns", "-c name="} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

// granting is the right to invoke functions in so many accounts.
func granting(n int) []right {
	r := right{actions: []string{"lambda:InvokeFunction"}}
	for i := range n {
		r.resources = append(r.resources, grantIn(i))
	}
	return []right{r}
}

// TestSpread_Limit: up to the limit every policy is one that IAM takes, and has
// been counted to the letter.
func TestSpread_Limit(t *testing.T) {
	t.Parallel()
	n := 1
	for ; fits("access", granting(n), spread(granting(n))) == nil; n++ {
		if n > 2000 {
			t.Fatal("there is no limit")
		}
	}
	n--          // the last that fits
	if n < 700 { // docs/deploy.md has this number
		t.Errorf("the limit is at %d functions", n)
	}
	seen, largest := 0, 0
	for _, part := range spread(granting(n)) {
		document := policy(part)
		if got := len(compact(document)); got != length(document) || got > 6_144 {
			t.Errorf("a policy of %d characters, taken for %d", got, length(document))
		}
		largest = max(largest, length(document))
		for _, r := range part {
			seen += len(r.resources)
		}
	}
	t.Logf("up to %d functions", n)
	if seen != n || largest < 6_144-100 {
		t.Errorf("%d of %d, the largest policy has %d", seen, n, largest)
	}
}

// TestSpread_Stays: what comes and goes moves nothing else, for while a deploy is
// under way a policy may have lost what another one has not got yet.
func TestSpread_Stays(t *testing.T) {
	t.Parallel()
	all := granting(300)
	fewer := []right{{actions: all[0].actions, resources: slices.Delete(slices.Clone(all[0].resources), 40, 60)}}
	before, after := spread(all), spread(fewer)
	for i := range before {
		left := slices.DeleteFunc(slices.Clone(before[i][0].resources), func(arn string) bool { return !slices.Contains(fewer[0].resources, arn) })
		if diff := cmp.Diff(left, after[i][0].resources); diff != "" {
			t.Errorf("policy %d:\n%s", i, diff)
		}
	}
}

// TestMerge: rights that differ in their resources only are one statement.
func TestMerge(t *testing.T) {
	t.Parallel()
	with := map[string]any{"StringEquals": map[string]any{"sts:ExternalId": "1"}}
	assume := func(condition map[string]any, roles ...string) right {
		return right{[]string{"sts:AssumeRole"}, roles, condition}
	}
	got := merge([]right{assume(nil, "b"), assume(with, "c"), assume(nil, "a", "b"), assume(with, "d")})
	if diff := cmp.Diff([]right{assume(nil, "a", "b"), assume(with, "c", "d")}, got, cmp.AllowUnexported(right{})); diff != "" {
		t.Error(diff)
	}
}

// TestPatterns: functions whose names begin alike are allowed at once where that
// was said, and nobody gets what is another's.
func TestPatterns(t *testing.T) {
	t.Parallel()
	const account = "arn:aws:lambda:us-east-1:123456789012:function:"
	invoke := func(names ...string) []right {
		r := right{actions: []string{"lambda:InvokeFunction"}}
		for _, name := range names {
			r.resources = append(r.resources, account+name)
		}
		return []right{r}
	}
	got := merge(wide(invoke("grant-a", "grant-b", "report"), []string{account + "grant-*"}))
	if diff := cmp.Diff(invoke("grant-*", "report"), got, cmp.AllowUnexported(right{})); diff != "" {
		t.Error(diff)
	}
	secret := []right{readSecrets(account + "grant-a")}
	if got := wide(secret, []string{account + "grant-*"}); got[0].resources[0] != account+"grant-a" {
		t.Errorf("a right of another kind: %v", got)
	}
	for pattern, want := range map[string]string{
		"grant-*": "", "g*": "would let sdk invoke " + account + "grant-a, which only access may", "x*": "names no function",
	} {
		var said []string
		for _, err := range checkPatterns([]string{account + pattern}, map[string][]right{"access": invoke("grant-a", "grant-b"), "sdk": invoke("gather")}) {
			said = append(said, err.Error())
		}
		if all := strings.Join(said, "\n"); (all == "") != (want == "") || !strings.Contains(all, want) {
			t.Errorf("%s: %q", pattern, all)
		}
	}
}

// TestPolicies_Bounds: access may use what the deployment lets the configuration API
// name, drift may look by it, deliver may send records by it; approval and handlers may
// use what is for them, and nobody else has rights by it.
func TestPolicies_Bounds(t *testing.T) {
	t.Parallel()
	with := func(grants string) map[string]bool {
		context := map[string]any{"flows": manyFlows(t, 1)}
		if grants != "" {
			context["grants"] = grants
		}
		all := map[string]bool{}
		for _, g := range rightsOf(t, synthesize(t, context)) {
			all[g.who+" "+g.action+" "+g.resource] = true
		}
		return all
	}
	before, after := with(""), with("arn:aws:iam::*:role/sym/*,arn:aws:lambda:us-east-1:123456789012:function:grant-db,secret:/sym/okta,"+
		"handlers:arn:aws:lambda:us-east-1:123456789012:function:gather-*,handlers:secret:/sym/pagerduty")
	var more []string
	for g := range after {
		if !before[g] {
			more = append(more, g)
		}
	}
	slices.Sort(more)
	secret := "secretsmanager:GetSecretValue arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/okta-??????"
	want := []string{
		"AccessRole lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:grant-db", "AccessRole " + secret, "AccessRole sts:AssumeRole arn:aws:iam::*:role/sym/*",
		"ApprovalRole lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:gather-*",
		"DeliverRole " + secret, "DeliverRole sts:AssumeRole arn:aws:iam::*:role/sym/*",
		"DriftRole " + secret, "DriftRole sts:AssumeRole arn:aws:iam::*:role/sym/*",
		"SdkRole lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:gather-*", "SdkRole " + strings.Replace(secret, "okta", "pagerduty", 1),
	}
	if !slices.Equal(more, want) {
		t.Errorf("there are also\n%s", strings.Join(more, "\n"))
	}
}
