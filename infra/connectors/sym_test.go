package connectors_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// face is what others see of a module: types of variables, with a ! where one must be
// given, and outputs.
type face struct {
	variables map[string]string
	outputs   []string
}

// syms are the modules that Sym has published, in their last versions.
var syms = map[string]face{
	"runtime": {
		map[string]string{"environment": "string!", "sym_account_id": "string", "account_id_safelist": "list of string", "tags": "map of string"},
		[]string{"sym_integration", "sym_runtime", "sym_runtime_connector_role"},
	},
	"sso": {
		map[string]string{"environment": "string!", "runtime_role_arns": "list of string!", "sso_account_assignment_enabled": "bool", "tags": "map of string"},
		[]string{"settings"},
	},
	"iam": {
		map[string]string{"environment": "string!", "runtime_role_arns": "list of string!", "group_config": "list of object", "tags": "map of string"},
		[]string{"settings"},
	},
	"lambda": {
		map[string]string{"environment": "string!", "runtime_role_arns": "list of string!", "lambda_arns": "list of string!", "tags": "map of string"},
		[]string{"settings"},
	},
	"secretsmgr-addon": {
		map[string]string{"environment": "string!", "tag_name": "string", "iam_role_name": "string", "tags": "map of string"},
		[]string{"policy_arn"},
	},
	"kinesis-firehose-addon": {
		map[string]string{"environment": "string!", "tag_name": "string", "iam_role_name": "string", "tags": "map of string"},
		[]string{"policy_arn"},
	},
	"kinesis-data-stream-addon": {
		map[string]string{"environment": "string!", "stream_arns": "list of string!", "iam_role_name": "string", "tags": "map of string"},
		[]string{"policy_arn"},
	},
}

// ours is the one variable that a module may have beside: nobody has to give it.
const ours = "access_role_arn"

// idle are variables that are accepted and do nothing.
var idle = []string{"runtime: account_id_safelist"}

// TestSym: a module has the variables and outputs of Sym's.
func TestSym(t *testing.T) {
	t.Parallel()
	for name, want := range syms {
		m := read(t, name)
		got := face{map[string]string{}, slices.Sorted(maps.Keys(m["output"]))}
		used := map[string]bool{}
		for _, kind := range []string{"locals", "data", "resource", "module", "output"} {
			for _, body := range m[kind] {
				hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
					if e, ok := n.(*hclsyntax.ScopeTraversalExpr); ok && e.Traversal.RootName() == "var" {
						used[e.Traversal[1].(hcl.TraverseAttr).Name] = true
					}
					return nil
				})
			}
		}
		for v, in := range m.variables(t) {
			if used[v] == slices.Contains(idle, name+": "+v) {
				t.Errorf("%s: variable %s is used: %t", name, v, used[v])
			}
			if v == ours {
				if in.value == cty.NilVal {
					t.Errorf("%s: %s must be given", name, v)
				}
				continue
			}
			got.variables[v] = in.typ.FriendlyName()
			if in.value == cty.NilVal {
				got.variables[v] += "!"
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(face{})); diff != "" {
			t.Errorf("%s (-Sym's +ours):\n%s", name, diff)
		}
		for _, body := range m["variable"] {
			if body.Attributes["description"] == nil {
				t.Errorf("%s: a variable has no description", name)
			}
		}
	}
}

// sourceOf is what docs/terraform.md says a source is replaced by.
func sourceOf(name string) string {
	return "git::https://github.com/acme/sym-flows.git//infra/connectors/" + name
}

var registry = regexp.MustCompile(`^symopsio/([a-z-]+)/aws$`)

// quickstart applies a configuration, with the sources of connectors replaced.
func quickstart(t *testing.T, name string) applied {
	t.Helper()
	w := &world{t: t, account: account, region: "us-east-1", aliases: map[string]string{"sso": "444444444444"}}
	w.sources = func(source string) (string, map[string]cty.Value) {
		published := registry.FindStringSubmatch(source)
		if published == nil {
			t.Fatalf("%s: module %s is none of Sym's", name, source)
		}
		if published[1] == "kinesis-firehose-connector" { // it trusts nobody but AWS, and stays
			return "", map[string]cty.Value{
				"firehose_role_arn": cty.StringVal("arn:aws:iam::" + account + ":role/firehose"), "firehose_bucket_arn": cty.StringVal("arn:aws:s3:::firehose"),
			}
		}
		return strings.TrimSuffix(published[1], "-connector"), nil
	}
	return w.apply(filepath.Join("testdata", name), "", nil)
}

// find gives the resources of a kind, by id.
func (a applied) find(kind string) map[string]resource {
	out := map[string]resource{}
	for _, r := range a.resources {
		if r.kind == kind {
			out[r.attributes["id"].AsString()] = r
		}
	}
	return out
}

func settingsOf(t *testing.T, r resource) map[string]string {
	t.Helper()
	if r.attributes["settings"] == cty.NilVal {
		return nil
	}
	m, err := convert.Convert(r.attributes["settings"], cty.Map(cty.String))
	if err != nil {
		t.Fatalf("%s: %v", r.address, err)
	}
	out := map[string]string{}
	for key, v := range m.AsValueMap() {
		out[key] = v.AsString()
	}
	return out
}

// strategies are those that a configuration makes, its log destinations among them.
func (a applied) strategies(t *testing.T) (list []flow.Strategy, types []strategy.Type) {
	t.Helper()
	integration := func(r resource) *flow.Integration {
		id := r.attributes["integration_id"]
		if id == cty.NilVal {
			return nil
		}
		i := a.find("sym_integration")[id.AsString()]
		return &flow.Integration{Name: i.attributes["name"].AsString(), Type: i.attributes["type"].AsString(), ExternalID: i.attributes["external_id"].AsString(), Settings: settingsOf(t, i)}
	}
	for _, r := range a.find("sym_strategy") {
		s := flow.Strategy{Name: r.attributes["name"].AsString(), Type: r.attributes["type"].AsString(), Integration: integration(r), Settings: settingsOf(t, r), ByAPI: true}
		for _, id := range r.attributes["targets"].AsValueSlice() {
			x := a.find("sym_target")[id.AsString()]
			s.Targets = append(s.Targets, flow.Target{Name: x.attributes["name"].AsString(), Type: x.attributes["type"].AsString(), Settings: settingsOf(t, x)})
		}
		list, types = append(list, s), append(types, builtin.Types()[s.Type])
	}
	for _, r := range a.find("sym_log_destination") {
		s := flow.Strategy{Name: r.address, Type: r.attributes["type"].AsString(), Integration: integration(r), Settings: settingsOf(t, r), ByAPI: true}
		list, types = append(list, s), append(types, destination.Types()[s.Type])
	}
	return list, types
}

// rightsOfRole are what policies allow a role, and who may assume it: by which external id.
func (a applied) rightsOfRole(t *testing.T, arn string) (r resource, rights []string, trusted []string, externalID string) {
	t.Helper()
	for _, role := range a.find("aws_iam_role") {
		if role.attributes["arn"].AsString() == arn {
			r = role
		}
	}
	if r.address == "" {
		t.Fatalf("nothing makes role %s", arn)
	}
	name := r.attributes["name"].AsString()
	add := func(policy cty.Value) {
		for _, s := range decoded(t, policy).(map[string]any)["Statement"].([]any) {
			s := s.(map[string]any)
			when := map[string][]string{}
			if condition, ok := s["Condition"].(map[string]any); ok {
				for key, value := range condition["StringEquals"].(map[string]any) {
					when[key] = listOf(value)
				}
			}
			rights = append(rights, allowed(listOf(s["Action"]), listOf(s["Resource"]), when, strings.TrimSpace)...)
		}
	}
	for _, p := range a.resources {
		switch {
		case p.account != r.account:
		case p.kind == "aws_iam_role_policy" && p.attributes["role"].AsString() == name:
			add(p.attributes["policy"])
		case p.kind == "aws_iam_role_policy_attachment" && p.attributes["role"].AsString() == name:
			for _, managed := range a.find("aws_iam_policy") {
				if managed.attributes["arn"].AsString() == p.attributes["policy_arn"].AsString() {
					add(managed.attributes["policy"])
				}
			}
		}
	}
	trust := decoded(t, r.attributes["assume_role_policy"]).(map[string]any)["Statement"].([]any)
	if len(trust) != 1 {
		t.Fatalf("%s: who may assume it is said by %d statements", r.address, len(trust))
	}
	condition := trust[0].(map[string]any)["Condition"].(map[string]any)
	externalID, _ = condition["StringEquals"].(map[string]any)["sts:ExternalId"].(string)
	trusted = listOf(condition["ArnEquals"].(map[string]any)["aws:PrincipalArn"])
	if principal := trust[0].(map[string]any)["Principal"].(map[string]any)["AWS"]; principal != "arn:aws:iam::"+strings.Split(trusted[0], ":")[4]+":root" {
		t.Errorf("%s trusts %v", r.address, principal)
	}
	return r, sorted(rights), trusted, externalID
}

// covers tells whether one of the rights allows what is asked for.
func covers(rights []string, ask string) bool {
	return slices.ContainsFunc(rights, func(have string) bool {
		have, _, _ = strings.Cut(have, " if ")
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(have), `\*`, ".*") + "$"
		return regexp.MustCompile(pattern).MatchString(ask)
	})
}

// TestQuickstarts: with another source of the connectors, and nothing else changed, a
// configuration of Sym's has what its strategies and log destinations ask for: a role below
// /sym/ that trusts the deployment, by an external id that the integration has, and may do
// what is asked for there.
func TestQuickstarts(t *testing.T) {
	t.Parallel()
	deployment := "arn:aws:iam::" + account + ":role/sym-flows-us-east-1-"
	extra := map[string][]string{ // by strategy: what is not asked for by this one, but by others of its type
		"aws_sso": {"iam:CreateRole", "iam:GetRole", "iam:GetSAMLProvider", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:UpdateRole", "iam:UpdateSAMLProvider"},
		// The role is that of both destinations.
		destination.Firehose: {"kinesis:PutRecords"}, destination.KinesisStream: {"firehose:PutRecordBatch"},
	}
	roles := map[string]string{}
	for name, count := range map[string]int{"aws_iam": 1, "aws_sso": 1, "aws_lambda": 1, "firehose": 2, "okta": 0} {
		made := quickstart(t, name)
		strategies, types := made.strategies(t)
		if len(strategies) != count {
			t.Errorf("%s makes %d strategies", name, len(strategies))
		}
		for i, s := range strategies {
			typ, ask := types[i], types[i].RightsOf(s)
			if faults := typ.Check(s); len(faults) > 0 {
				t.Errorf("%s: %+v", name, faults)
			}
			if len(ask.Assume) != 1 || len(ask.Allow) > 0 {
				t.Errorf("%s asks for %+v, and not for a role alone", name, ask)
				continue
			}
			role, rights, trusted, externalID := made.rightsOfRole(t, ask.Assume[0].ARN)
			if externalID == "" || externalID != ask.Assume[0].ExternalID {
				t.Errorf("%s: the role asks for the external id %q, and is assumed by %q", name, externalID, ask.Assume[0].ExternalID)
			}
			roles[role.attributes["arn"].AsString()] = externalID
			who := deployment + "access"
			if count == 2 {
				who = deployment + "deliver"
			}
			for _, other := range trusted {
				if !slices.Contains([]string{deployment + "access", deployment + "drift", who}, other) {
					t.Errorf("%s trusts %s", name, other)
				}
			}
			if !slices.Contains(trusted, who) {
				t.Errorf("%s trusts %q, and not %s", name, trusted, who)
			}
			if !strings.HasPrefix(role.attributes["path"].AsString(), "/sym/") {
				t.Errorf("%s: the role is not below /sym/", name)
			}
			// What it takes there is what the strategy would ask for by rights of its own.
			own := s
			own.Integration = &flow.Integration{Type: strategy.PermissionContext, Settings: maps.Clone(s.Integration.Settings)}
			delete(own.Integration.Settings, strategy.SettingRoleARN)
			here := strings.NewReplacer(strategy.Partition, "aws", strategy.Account, role.account, strategy.Region, "us-east-1",
				":identitystore/*", ":identitystore/"+store) // which the strategy looks up
			actions := map[string]bool{}
			for _, a := range typ.RightsOf(own).Allow {
				for _, on := range a.Resources {
					for _, action := range a.Actions {
						actions[action] = true
						want := here.Replace(action + " " + on)
						if strings.HasSuffix(on, "/*/Readers") || strings.HasSuffix(on, ":group/Readers") { // whose path strategies can't know
							want = here.Replace(action + " arn:aws:iam::" + strategy.Account + ":group/sym/Readers")
						}
						if !covers(rights, want) {
							t.Errorf("%s: the role lacks %s", name, want)
						}
					}
				}
			}
			for _, have := range rights {
				action, _, _ := strings.Cut(have, " ")
				if !actions[action] && !slices.Contains(extra[s.Type], action) {
					t.Errorf("%s: the role may do %s, which nobody asks for", name, have)
				}
			}
		}
		if name == "okta" { // where the role of the runtime reads no secret
			for _, i := range made.find("sym_integration") {
				if i.attributes["type"].AsString() == strategy.PermissionContext {
					_, rights, _, _ := made.rightsOfRole(t, settingsOf(t, i)["role_arn"])
					if diff := cmp.Diff([]string{"secretsmanager:DescribeSecret * if secretsmanager:ResourceTag/SymEnv is main"}, rights); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
				}
			}
		}
	}
	ids := slices.Sorted(maps.Values(roles))
	if len(roles) != 4 || len(slices.Compact(ids)) != 4 {
		t.Errorf("roles and their external ids are %v, want each its own", roles)
	}
}

// TestFirehoseTag: a stream that is not tagged with the environment takes no records.
func TestFirehoseTag(t *testing.T) {
	t.Parallel()
	made := quickstart(t, "firehose")
	for _, i := range made.find("sym_integration") {
		_, rights, _, _ := made.rightsOfRole(t, settingsOf(t, i)["role_arn"])
		want := []string{"firehose:PutRecordBatch * if aws:ResourceTag/SymEnv is main", "kinesis:PutRecords arn:aws:kinesis:us-east-1:123456789012:stream/records"}
		if diff := cmp.Diff(want, rights); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestSymSettings: outputs have what Sym's had, and the external id.
func TestSymSettings(t *testing.T) {
	t.Parallel()
	role := "arn:aws:iam::" + account + ":role/sym/"
	runtime := cty.TupleVal([]cty.Value{cty.StringVal(role + "SymRuntimeMain")})
	for name, want := range map[string]map[string]string{
		"sso":    {"cloud": "aws", "region": "us-east-1", "role_arn": role + "SymSSOMain", "instance_arn": instance},
		"iam":    {"cloud": "aws", "region": "us-east-1", "role_arn": role + "SymIAMMain", "account_id": account},
		"lambda": {"cloud": "aws", "region": "us-east-1", "role_arn": role + "SymLambdaMain", "account_id": account},
	} {
		given := map[string]cty.Value{"environment": cty.StringVal("main"), "runtime_role_arns": runtime}
		if name == "lambda" {
			given["lambda_arns"] = texts("arn:aws:lambda:us-east-1:123456789012:function:grants")
		}
		w := &world{t: t, account: account, region: "us-east-1"}
		made := w.apply(name, "", given)
		got := settingsOf(t, resource{attributes: map[string]cty.Value{"settings": made.outputs["settings"]}})
		if len(got["external_id"]) < 16 {
			t.Errorf("%s: the external id is %q", name, got["external_id"])
		}
		delete(got, "external_id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhoIsTrusted: the roles that are trusted follow from what a module is given, and none
// of Sym's own account is.
func TestWhoIsTrusted(t *testing.T) {
	t.Parallel()
	const named = "arn:aws:iam::555555555555:role/other-eu-west-1-"
	arn := func(account string) cty.Value { return texts("arn:aws:iam::" + account + ":role/sym/SymRuntimeMain") }
	for name, c := range map[string]struct {
		module  string
		given   map[string]cty.Value
		want    []string
		refused string // the variable that refuses
	}{
		"as the runtime":       {"iam", map[string]cty.Value{"runtime_role_arns": arn("210987654321")}, []string{"arn:aws:iam::210987654321:role/sym-flows-us-east-1-access", "arn:aws:iam::210987654321:role/sym-flows-us-east-1-drift"}, ""},
		"named":                {"iam", map[string]cty.Value{"runtime_role_arns": arn("210987654321"), ours: cty.StringVal(named + "access")}, []string{named + "access", named + "drift"}, ""},
		"of a person":          {"iam", map[string]cty.Value{"runtime_role_arns": arn("210987654321"), ours: cty.StringVal("arn:aws:iam::555555555555:role/me")}, []string{"arn:aws:iam::555555555555:role/me"}, ""},
		"Sym's account":        {"iam", map[string]cty.Value{"runtime_role_arns": arn("803477428605")}, nil, "runtime_role_arns"},
		"no role":              {"iam", map[string]cty.Value{"runtime_role_arns": texts("main")}, nil, "runtime_role_arns"},
		"none":                 {"iam", map[string]cty.Value{"runtime_role_arns": texts()}, nil, "runtime_role_arns"},
		"no path":              {"iam", map[string]cty.Value{"runtime_role_arns": arn(account), "group_config": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"path": cty.StringVal("sym"), "name": cty.StringVal("*")})})}, nil, "group_config"},
		"a runtime":            {"runtime", nil, []string{"arn:aws:iam::" + account + ":role/sym-flows-us-east-1-access", "arn:aws:iam::" + account + ":role/sym-flows-us-east-1-deliver", "arn:aws:iam::" + account + ":role/sym-flows-us-east-1-drift"}, ""},
		"a runtime elsewhere":  {"runtime", map[string]cty.Value{"sym_account_id": cty.StringVal("210987654321")}, []string{"arn:aws:iam::210987654321:role/sym-flows-us-east-1-access", "arn:aws:iam::210987654321:role/sym-flows-us-east-1-deliver", "arn:aws:iam::210987654321:role/sym-flows-us-east-1-drift"}, ""},
		"a runtime of a name":  {"runtime", map[string]cty.Value{ours: cty.StringVal(named + "access")}, []string{named + "access", named + "deliver", named + "drift"}, ""},
		"a runtime for Sym":    {"runtime", map[string]cty.Value{"sym_account_id": cty.StringVal("803477428605")}, nil, "sym_account_id"},
		"a runtime for nobody": {"runtime", map[string]cty.Value{ours: cty.StringVal("me")}, nil, ours},
	} {
		given := map[string]cty.Value{"environment": cty.StringVal("main")}
		maps.Copy(given, c.given)
		w := &world{t: t, account: account, region: "us-east-1"}
		made := w.apply(c.module, "", given)
		if c.refused != "" {
			if len(made.refused) != 1 || !strings.HasPrefix(made.refused[0], c.refused+": ") || !strings.Contains(strings.ToLower(made.refused[0]), "must") {
				t.Errorf("%s: refused is %q", name, made.refused)
			}
			continue
		}
		if len(made.refused) > 0 {
			t.Errorf("%s: refused is %q", name, made.refused)
			continue
		}
		for _, r := range made.find("aws_iam_role") {
			if _, _, trusted, _ := made.rightsOfRole(t, r.attributes["arn"].AsString()); !slices.Equal(trusted, c.want) {
				t.Errorf("%s trusts %q", name, trusted)
			}
		}
	}
}

// TestMoved: where Sym's module has made a role, it is kept: a second one of the same name
// could not be made beside it.
func TestMoved(t *testing.T) {
	t.Parallel()
	addresses := map[string]string{"sso": "aws_iam_role.this", "iam": "aws_iam_role.this", "lambda": "aws_iam_role.this", "runtime": "aws_iam_role.sym_runtime_connector_role"}
	for name, was := range addresses {
		m := read(t, name)
		is := was
		for _, body := range m["moved"] {
			from, to := address(t, body.Attributes["from"].Expr), address(t, body.Attributes["to"].Expr)
			if from == was {
				is = to
			}
		}
		inside, there := strings.CutPrefix(is, "module.connector.")
		if there {
			m = read(t, "terraform")
		}
		if m["resource"][inside] == nil {
			t.Errorf("%s: %s is nowhere", name, is)
		}
	}
}

func address(t *testing.T, e hclsyntax.Expression) string {
	t.Helper()
	traversal, diagnostics := hcl.AbsTraversalForExpr(e)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	parts := []string{traversal.RootName()}
	for _, step := range traversal[1:] {
		parts = append(parts, step.(hcl.TraverseAttr).Name)
	}
	return strings.Join(parts, ".")
}

// TestModules_Guides: both guides say what each module stands for.
func TestModules_Guides(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/terraform.md")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range syms {
		published := name
		if !strings.HasSuffix(name, "-addon") {
			published += "-connector"
		}
		if row := fmt.Sprintf("| `symopsio/%s/aws` | `%s` |", published, sourceOf(name)); !strings.Contains(string(guide), row) {
			t.Errorf("docs/terraform.md has no row %s", row)
		}
		if row := fmt.Sprintf("| [%s](%s/) | `symopsio/%s/aws` |", name, name, published); !strings.Contains(string(own), row) {
			t.Errorf("README.md has no row %s", row)
		}
	}
}
