// Package connectors_test holds the connector's two forms, for CloudFormation and
// for Terraform, to what strategies ask for. Both are evaluated here as AWS and
// Terraform would, from the files as they are.
package connectors_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

const (
	account    = "123456789012"
	accessRole = "arn:aws:iam::210987654321:role/sym-flows-AccessRole-1A2B3C"
	driftRole  = "arn:aws:iam::210987654321:role/sym-flows-DriftRole-1A2B3C"
	externalID = "a-text-of-nobody-elses"
)

// use is a strategy as it may be configured, and what the connector is given for
// it.
type use struct {
	strategy   flow.Strategy
	parameters map[string]string    // of CloudFormation
	variables  map[string]cty.Value // of Terraform
}

func texts(list ...string) cty.Value {
	var out []cty.Value
	for _, s := range list {
		out = append(out, cty.StringVal(s))
	}
	if len(out) == 0 {
		return cty.EmptyTupleVal
	}
	return cty.TupleVal(out)
}

func target(typ string, settings ...string) flow.Target {
	t := flow.Target{Name: typ, Type: typ, Settings: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		t.Settings[settings[i]] = settings[i+1]
	}
	return t
}

// uses has those of each type of strategy that acts in accounts of AWS.
func uses() map[string][]use {
	const (
		instance = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
		set      = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
		other    = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-fedcba0987654321"
		group    = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"
		store    = "d-1234567890"

		application = "arn:aws:account-access:us-east-1:" + account + ":application/app-1234"
		view        = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
		edit        = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
		cluster     = "arn:aws:rds:us-east-1:" + account + ":cluster:orders"
		function    = "arn:aws:lambda:us-east-1:" + account + ":function:grant"
		login       = "arn:aws:secretsmanager:us-east-1:" + account + ":secret:sym/orders-AbCdEf"
	)
	// A configuration names groups without their paths, so that what it asks for
	// has a pattern beside the name. Whoever makes the connector knows the path.
	groups := []string{"arn:aws:iam::" + account + ":group/ops", "arn:aws:iam::" + account + ":group/*/ops"}
	sso := func(targets ...flow.Target) flow.Strategy {
		return flow.Strategy{Type: "aws_sso", Settings: map[string]string{"instance_arn": instance, "identity_store_id": store}, Targets: targets}
	}
	center := map[string]string{"SsoInstanceArn": instance, "IdentityStoreId": store}
	variables := func(sets, accounts, groups cty.Value) map[string]cty.Value {
		return map[string]cty.Value{"aws_sso": cty.ObjectVal(map[string]cty.Value{
			"instance_arn": cty.StringVal(instance), "identity_store_id": cty.StringVal(store),
			"permission_set_arns": sets, "account_ids": accounts, "group_ids": groups,
		})}
	}
	return map[string][]use{
		"aws_iam": {
			{
				flow.Strategy{Type: "aws_iam", Targets: []flow.Target{target("aws_iam_group", "iam_group", "ops")}},
				map[string]string{"IamGroupArns": strings.Join(groups, ",")},
				map[string]cty.Value{"aws_iam": cty.ObjectVal(map[string]cty.Value{"group_arns": texts(groups...), "identity_tag": cty.False})},
			},
			{
				flow.Strategy{Type: "aws_iam", Settings: map[string]string{"identity_tag": "email"}, Targets: []flow.Target{target("aws_iam_group", "iam_group", "ops")}},
				map[string]string{"IamGroupArns": strings.Join(groups, ","), "IamIdentityTag": "true"},
				map[string]cty.Value{"aws_iam": cty.ObjectVal(map[string]cty.Value{"group_arns": texts(groups...), "identity_tag": cty.True})},
			},
		},
		"aws_lambda": {{
			flow.Strategy{Type: "aws_lambda", Targets: []flow.Target{target("aws_lambda_function", "arn", function), target("aws_lambda_function", "arn", function+"-too")}},
			map[string]string{"LambdaFunctionArns": function + "," + function + "-too"},
			map[string]cty.Value{"aws_lambda": cty.ObjectVal(map[string]cty.Value{"function_arns": texts(function, function+"-too")})},
		}},
		"aws_sso": {
			{
				sso(target("aws_sso_permission_set", "permission_set_arn", set, "account_id", account), target("aws_sso_permission_set", "permission_set_arn", other, "account_id", "333333333333")),
				with(center, "SsoPermissionSetArns", set+","+other, "SsoAccountArns", "arn:aws:sso:::account/"+account+",arn:aws:sso:::account/333333333333"),
				variables(texts(set, other), texts(account, "333333333333"), texts()),
			},
			{
				sso(target("aws_sso_group", "group_id", group)),
				with(center, "SsoGroupArns", "arn:aws:identitystore:::group/"+group),
				variables(texts(), texts(), texts(group)),
			},
			{ // requesters choose the account
				sso(target("aws_sso_permission_set", "permission_set_arn", set), target("aws_sso_group", "group_id", group)),
				with(center, "SsoPermissionSetArns", set, "SsoAccountArns", "arn:aws:sso:::account/*", "SsoGroupArns", "arn:aws:identitystore:::group/"+group),
				variables(texts(set), texts("*"), texts(group)),
			},
		},
		"aws_account_access": {{
			flow.Strategy{
				Type: "aws_account_access", Settings: map[string]string{"application_arn": application, "instance_arn": instance, "identity_store_id": store},
				Targets: []flow.Target{target("aws_account_access_role", "role_arn", "arn:aws:iam::333333333333:role/ProdAdmin")},
			},
			map[string]string{"AccountAccessApplicationArn": application, "IdentityStoreId": store},
			map[string]cty.Value{"aws_account_access": cty.ObjectVal(map[string]cty.Value{"application_arn": cty.StringVal(application), "identity_store_id": cty.StringVal(store)})},
		}},
		"aws_eks": {{
			flow.Strategy{
				Type: "aws_eks", Targets: []flow.Target{
					target("aws_eks_access_policy", "cluster", "main", "policy_arn", view, "namespaces", "orders"),
					target("aws_eks_access_policy", "cluster", "main", "policy_arn", edit, "namespaces", "*"),
				},
			},
			map[string]string{
				"EksClusterArns": "arn:aws:eks:us-east-1:" + account + ":cluster/main", "EksAccessEntryArns": "arn:aws:eks:us-east-1:" + account + ":access-entry/main/*",
				"EksPolicyArns": view + "," + edit,
			},
			map[string]cty.Value{"aws_eks": cty.ObjectVal(map[string]cty.Value{"region": cty.StringVal("us-east-1"), "cluster_names": texts("main"), "policy_arns": texts(view, edit)})},
		}},
		"postgres": {{
			flow.Strategy{
				Type: "postgres", Settings: map[string]string{"resource_arn": cluster}, Secrets: map[string]flow.SecretRef{"secret_id": {Source: "aws_secrets_manager", Path: login}},
				Targets: []flow.Target{target("postgres_role", "role", "app_rw", "database", "orders")},
			},
			map[string]string{"PostgresClusterArns": cluster, "PostgresSecretArns": login},
			map[string]cty.Value{"postgres": cty.ObjectVal(map[string]cty.Value{"cluster_arns": texts(cluster), "secret_arns": texts(login)})},
		}},
	}
}

func with(parameters map[string]string, more ...string) map[string]string {
	out := maps.Clone(parameters)
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// TestRights: what the connector allows is what strategies ask for where they act
// by rights of their own, no more and no less.
func TestRights(t *testing.T) {
	t.Parallel()
	here := strings.NewReplacer(strategy.Partition, "aws", strategy.Account, account, strategy.Region, "us-east-1")
	acts := 0
	for name, typ := range builtin.Types() {
		if !slices.Contains(typ.Integration.Types, strategy.PermissionContext) {
			continue
		}
		acts++
		if len(uses()[name]) == 0 {
			t.Errorf("%s: add what it asks for to the connector, and to this test", name)
		}
		for i, u := range uses()[name] {
			var want []string
			rights := typ.RightsOf(u.strategy)
			for _, a := range rights.Allow {
				want = append(want, allowed(a.Actions, a.Resources, a.When, here.Replace)...)
			}
			for _, s := range rights.Secrets {
				want = append(want, allowed([]string{"secretsmanager:GetSecretValue"}, []string{s.Path}, nil, here.Replace)...)
			}
			want = sorted(want)
			if len(want) < 1 {
				t.Errorf("%s: use %d asks for %q only", name, i, want)
			}
			if diff := cmp.Diff(want, cloudFormation(t, u.parameters).rights); diff != "" {
				t.Errorf("%s: use %d of the CloudFormation template (-asked for +allowed):\n%s", name, i, diff)
			}
			if diff := cmp.Diff(want, terraform(t, u.variables).rights); diff != "" {
				t.Errorf("%s: use %d of the Terraform module (-asked for +allowed):\n%s", name, i, diff)
			}
		}
	}
	if acts == 0 {
		t.Error("no strategy acts in accounts of AWS")
	}
	for form, got := range map[string]connector{"the template": cloudFormation(t, nil), "the module": terraform(t, nil)} {
		if len(got.rights) > 0 {
			t.Errorf("%s allows %q though nothing is named", form, got.rights)
		}
	}
}

// TestTrust: nobody assumes the role but the function that grants, and the one that
// compares if it is named, and only by the external id.
func TestTrust(t *testing.T) {
	t.Parallel()
	drift := map[string]cty.Value{"drift_role_arn": cty.StringVal(driftRole)}
	const before = "arn:aws:iam::123456789012:role/sym-flows-AccessRole-1A2B3C"
	former := map[string]cty.Value{"former_role_arns": cty.TupleVal([]cty.Value{cty.StringVal(before), cty.StringVal(before + "4D")})}
	for form, c := range map[string]struct {
		made connector
		want []string
	}{
		"the template":                {cloudFormation(t, nil), []string{accessRole}},
		"the module":                  {terraform(t, nil), []string{accessRole}},
		"the template for drift":      {cloudFormation(t, map[string]string{"DriftRoleArn": driftRole}), []string{accessRole, driftRole}},
		"the module for drift":        {terraform(t, drift), []string{accessRole, driftRole}},
		"the template for an upgrade": {cloudFormation(t, map[string]string{"FormerRoleArns": before + "," + before + "4D"}), []string{accessRole, before, before + "4D"}},
		"the module for an upgrade":   {terraform(t, former), []string{accessRole, before, before + "4D"}},
	} {
		statement := c.made.trust.(map[string]any)["Statement"].([]any)[0].(map[string]any)
		named := statement["Condition"].(map[string]any)["ArnEquals"].(map[string]any)
		if got := listOf(named["aws:PrincipalArn"]); !slices.Equal(got, c.want) {
			t.Errorf("%s trusts %q, want %q", form, got, c.want)
		}
		delete(named, "aws:PrincipalArn")
		want := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"AWS": "arn:aws:iam::" + strings.Split(accessRole, ":")[4] + ":root"},
			"Condition": map[string]any{"StringEquals": map[string]any{"sts:ExternalId": externalID}, "ArnEquals": map[string]any{}},
		}}}
		if diff := cmp.Diff(want, c.made.trust); diff != "" {
			t.Errorf("%s (-want +got):\n%s", form, diff)
		}
	}
}

// TestSettings: what is pasted into an integration passes its checks.
func TestSettings(t *testing.T) {
	t.Parallel()
	for form, got := range map[string]connector{"the template": cloudFormation(t, nil), "the module": terraform(t, nil)} {
		var settings map[string]string
		if err := yaml.Unmarshal([]byte(got.settings), &settings); err != nil {
			t.Errorf("%s: %v in %s", form, err, got.settings)
		}
		want := map[string]string{
			"cloud": "aws", "role_arn": "arn:aws:iam::" + account + ":role/sym/sym-connector", "external_id": externalID, "account_id": account, "region": "us-east-1",
		}
		if diff := cmp.Diff(want, settings); diff != "" {
			t.Errorf("%s (-want +got):\n%s", form, diff)
		}
		for _, k := range strategy.AWSIntegration().Settings {
			if err := k.Check(settings[k.Name]); err != nil {
				t.Errorf("%s: %s: %v", form, k.Name, err)
			}
		}
	}
}

// connector is what one of the forms makes.
type connector struct {
	rights   []string // "action resource"
	trust    any
	settings string // output
}

// allowed lists each action on each resource, and when: what keys of a condition
// must be equal to.
func allowed(actions, resources []string, when map[string][]string, here func(string) string) []string {
	conditions := []string{""}
	for _, key := range slices.Sorted(maps.Keys(when)) {
		var more []string
		for _, c := range conditions {
			for _, value := range when[key] {
				more = append(more, c+" if "+key+" is "+value)
			}
		}
		conditions = more
	}
	var out []string
	for _, action := range actions {
		for _, resource := range resources {
			for _, c := range conditions {
				out = append(out, action+" "+here(resource)+c)
			}
		}
	}
	return out
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// rightsOf reads statements as JSON would have them.
func rightsOf(t *testing.T, statements any) []string {
	t.Helper()
	var out []string
	for _, s := range statements.([]any) {
		s := s.(map[string]any)
		when := map[string][]string{}
		if condition, ok := s["Condition"].(map[string]any); ok {
			for key, values := range condition["StringEquals"].(map[string]any) {
				when[key] = listOf(values)
			}
			if len(condition) != 1 {
				t.Errorf("a condition is more than equality: %v", condition)
			}
			delete(s, "Condition")
		}
		if s["Effect"] != "Allow" || len(s) != 3 {
			t.Errorf("a statement is more than what it allows: %v", s)
		}
		out = append(out, allowed(listOf(s["Action"]), listOf(s["Resource"]), when, strings.TrimSpace)...)
	}
	return out
}

func listOf(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	for _, item := range v.([]any) {
		out = append(out, item.(string))
	}
	return out
}

// cloudFormation evaluates the template as CloudFormation does.
func cloudFormation(t *testing.T, parameters map[string]string) connector {
	t.Helper()
	text, err := os.ReadFile("connector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			Type    string `yaml:"Type"`
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Conditions map[string]yaml.Node `yaml:"Conditions"`
		Resources  map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
		Outputs map[string]struct {
			Value yaml.Node `yaml:"Value"`
		} `yaml:"Outputs"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	e := evaluation{t: t, conditions: template.Conditions, values: map[string]any{
		"AWS::Partition": "aws", "AWS::AccountId": account, "AWS::Region": "us-east-1", "AWS::NoValue": noValue{},
		"Connector.Arn": "arn:aws:iam::" + account + ":role/sym/sym-connector",
	}}
	given := with(map[string]string{"AccessRoleArn": accessRole, "ExternalId": externalID}, flat(parameters)...)
	for name, p := range template.Parameters {
		value, ok := given[name]
		if !ok {
			value = p.Default
		}
		delete(given, name)
		e.values[name] = value
		if p.Type == "CommaDelimitedList" {
			var list []any
			for item := range strings.SplitSeq(value, ",") {
				list = append(list, item)
			}
			e.values[name] = list
		}
		if !regexp.MustCompile(`(Ref |\$\{)` + name + `\b`).Match(text) {
			t.Errorf("parameter %s is not used", name)
		}
	}
	if len(given) > 0 || len(template.Resources) != 1 || template.Resources["Connector"].Type != "AWS::IAM::Role" {
		t.Fatalf("there are no parameters %v, or other resources than the role", given)
	}
	node := template.Resources["Connector"].Properties
	role := e.value(&node).(map[string]any)
	made := connector{trust: role["AssumeRolePolicyDocument"]}
	for _, p := range role["Policies"].([]any) {
		made.rights = append(made.rights, rightsOf(t, p.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"])...)
	}
	made.rights = sorted(made.rights)
	settings := template.Outputs["Settings"].Value
	made.settings = e.value(&settings).(string)
	return made
}

func flat(m map[string]string) []string {
	var out []string
	for k, v := range m {
		out = append(out, k, v)
	}
	return out
}

type noValue struct{}

// evaluation knows the intrinsic functions that the template uses.
type evaluation struct {
	t          *testing.T
	conditions map[string]yaml.Node
	values     map[string]any
}

var variable = regexp.MustCompile(`\$\{([A-Za-z:.]+)\}`)

func (e evaluation) value(n *yaml.Node) any {
	var args []any
	list := func() []any {
		for _, c := range n.Content {
			args = append(args, e.value(c))
		}
		return args
	}
	switch n.Tag {
	case "!Ref":
		return e.named(n.Value, nil)
	case "!GetAtt":
		return e.named(n.Value, nil)
	case "!Sub":
		text, own := n.Value, map[string]any(nil)
		if n.Kind == yaml.SequenceNode {
			text, own = n.Content[0].Value, e.value(n.Content[1]).(map[string]any)
		}
		return variable.ReplaceAllStringFunc(text, func(v string) string { return e.named(v[2:len(v)-1], own).(string) })
	case "!Join":
		var texts []string
		for _, item := range list()[1].([]any) {
			texts = append(texts, item.(string))
		}
		return strings.Join(texts, args[0].(string))
	case "!Split":
		var out []any
		for item := range strings.SplitSeq(list()[1].(string), args[0].(string)) {
			out = append(out, item)
		}
		return out
	case "!Select":
		at, err := strconv.Atoi(list()[0].(string))
		if err != nil {
			e.t.Fatal(err)
		}
		return args[1].([]any)[at]
	case "!Equals":
		return list()[0] == args[1]
	case "!Not":
		return !list()[0].(bool)
	case "!And":
		return !slices.Contains(list(), any(false))
	case "!Or":
		return slices.Contains(list(), any(true))
	case "!Condition":
		return e.holds(n.Value)
	case "!If":
		if e.holds(n.Content[0].Value) {
			return e.value(n.Content[1])
		}
		return e.value(n.Content[2])
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		e.t.Fatalf("line %d: this test does not know %s", n.Line, n.Tag)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		return slices.DeleteFunc(list(), func(v any) bool { return v == any(noValue{}) })
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			out[n.Content[i].Value] = e.value(n.Content[i+1])
		}
		return out
	}
	return n.Value
}

func (e evaluation) named(name string, own map[string]any) any {
	v, ok := own[name]
	if !ok {
		v, ok = e.values[name]
	}
	if !ok {
		e.t.Fatalf("%s is not declared", name)
	}
	return v
}

func (e evaluation) holds(name string) bool {
	n, ok := e.conditions[name]
	if !ok {
		e.t.Fatalf("condition %s is not declared", name)
	}
	return e.value(&n).(bool)
}

// terraform applies the module.
func terraform(t *testing.T, variables map[string]cty.Value) connector {
	t.Helper()
	given := map[string]cty.Value{"access_role_arn": cty.StringVal(accessRole), "external_id": cty.StringVal(externalID)}
	maps.Copy(given, variables)
	w := &world{t: t, account: account, region: "us-east-1"}
	made := w.apply("terraform", "", given)
	var c connector
	for _, r := range made.resources {
		switch r.kind {
		case "aws_iam_role":
			c.trust = decoded(t, r.attributes["assume_role_policy"])
		case "aws_iam_role_policy":
			c.rights = append(c.rights, rightsOf(t, decoded(t, r.attributes["policy"]).(map[string]any)["Statement"])...)
		default:
			t.Errorf("the module makes %s", r.address)
		}
	}
	c.rights = sorted(c.rights)
	c.settings = made.outputs["settings"].AsString()
	return c
}

func decoded(t *testing.T, v cty.Value) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(v.AsString()), &out); err != nil {
		t.Fatal(fmt.Errorf("%w in %s", err, v.AsString()))
	}
	return out
}
