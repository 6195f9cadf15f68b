package awssso_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
)

const (
	alice = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"
	group = "a1b2c3d4e5-aaaaaaaa-2222-3333-4444-555555555555"
	set   = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
)

// people is the guide's example, in an account in which no role is assumed.
func people() flow.Strategy {
	return flow.Strategy{
		Name: "identity-center", Type: "aws_sso",
		Settings:    map[string]string{"instance_arn": "arn:aws:sso:::instance/ssoins-1234567890abcdef", "identity_store_id": "d-1234567890"},
		Integration: &flow.Integration{Type: "permission_context", ExternalID: "x", Settings: map[string]string{"account_id": "210987654321"}},
		Targets: []flow.Target{
			{Name: "prod-admin", Type: "aws_sso_permission_set", Settings: map[string]string{"permission_set_arn": set, "account_id": "111122223333"}},
			{Name: "on-call", Type: "aws_sso_group", Settings: map[string]string{"group_id": group}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := awssso.Type().Check(people()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	const at = "targets.prod-admin.settings."
	for _, test := range []struct {
		name   string
		change func(*flow.Strategy)
		path   string // "": there is none
		text   string
	}{
		{"Instance", func(s *flow.Strategy) { s.Settings["instance_arn"] = "ssoins-1234567890abcdef" }, "settings.instance_arn", "must be the ARN of an instance"},
		{"Store", func(s *flow.Strategy) { s.Settings["identity_store_id"] = "store" }, "settings.identity_store_id", "like d-1234567890"},
		{"EndSessions", func(s *flow.Strategy) { s.Settings["end_sessions"] = "true" }, "settings.end_sessions", "shares one role there"},
		{"NoEndSessions", func(s *flow.Strategy) { s.Settings["end_sessions"] = "false" }, "", ""},
		{"PermissionSet", func(s *flow.Strategy) { s.Targets[0].Settings["permission_set_arn"] = "AdministratorAccess" }, at + "permission_set_arn", "must be the ARN of a permission set"},
		{"OtherInstance", func(s *flow.Strategy) {
			s.Targets[0].Settings["permission_set_arn"] = strings.Replace(set, "ssoins-1234567890abcdef", "ssoins-0000000000000000", 1)
		}, at + "permission_set_arn", "is of instance ssoins-0000000000000000"},
		{"Account", func(s *flow.Strategy) { s.Targets[0].Settings["account_id"] = "12345" }, at + "account_id", "12 digits"},
		{"Group", func(s *flow.Strategy) { s.Targets[1].Settings["group_id"] = "Admins" }, "targets.on-call.settings.group_id", "and not a name"},
		{"OldGroup", func(s *flow.Strategy) { s.Targets[1].Settings["group_id"] = group[11:] }, "", ""},
		{"AnyPermissionSet", func(s *flow.Strategy) { s.Targets[0].FieldBindings = []string{"permission_set_arn"} }, "targets.prod-admin.field_bindings", "must not be bound"},
		{"AnyAccount", func(s *flow.Strategy) {
			s.Targets[0] = flow.Target{Name: "prod-admin", Type: "aws_sso_permission_set", FieldBindings: []string{"account_id"}, Settings: map[string]string{"permission_set_arn": set}}
		}, "", ""},
		{"AnyGroup", func(s *flow.Strategy) { s.Targets[1].FieldBindings = []string{"group_id"} }, "integration_id", "a role says which groups"},
		{"AnyGroupOfARole", func(s *flow.Strategy) {
			s.Targets[1].FieldBindings = []string{"group_id"}
			s.Integration.Settings["role_arn"] = "arn:aws:iam::210987654321:role/sym/connector"
		}, "", ""},
		{"Integration", func(s *flow.Strategy) { s.Integration.Settings["role_arn"] = "connector" }, "integration.settings.role_arn", "the ARN of a role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := people()
			test.change(&s)
			faults := awssso.Type().Check(s)
			if test.path == "" {
				if len(faults) > 0 {
					t.Errorf("it has faults: %v", faults)
				}
				return
			}
			if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Message, test.text) {
				t.Errorf("got %v, want a fault at %s that says %q", faults, test.path, test.text)
			}
		})
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := people()
	for _, test := range []struct {
		target   int
		identity string
		want     string // "": refused
	}{
		{0, alice, "aws_sso/ssoins-1234567890abcdef/111122223333/ps-1234567890abcdef/" + alice},
		{1, alice, "aws_sso/ssoins-1234567890abcdef/group/" + group + "/" + alice},
		{1, strings.ToUpper(alice[11:]), "aws_sso/ssoins-1234567890abcdef/group/" + group + "/" + alice[11:]},
		{0, "alice@example.com", ""},
		{0, "", ""},
	} {
		got, err := awssso.Entitlements(s, s.Targets[test.target], test.identity)
		if test.want == "" {
			if flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), "as who they are at aws_sso") {
				t.Errorf("%q: got %v, %v", test.identity, got, err)
			}
			continue
		}
		if diff := cmp.Diff([]flow.Entitlement{{Key: test.want}}, got); err != nil || diff != "" {
			t.Errorf("%q: %v, -want +got:\n%s", test.identity, err, diff)
		}
	}
}

// lines writes each action on each resource.
func lines(r strategy.Rights) []string {
	var out []string
	for _, a := range r.Allow {
		for _, action := range a.Actions {
			for _, on := range a.Resources {
				out = append(out, action+" on "+on)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestGuide: the policy that the guide shows has the rights that its example needs,
// and no others.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n([^`]*sso:CreateAccountAssignment[^`]*)```").FindSubmatch(guide)
	if block == nil {
		t.Fatal("the guide shows no policy")
	}
	var policy struct {
		Statement []struct {
			Action   []string
			Resource any
		}
	}
	if err := json.Unmarshal(block[1], &policy); err != nil {
		t.Fatal(err)
	}
	var shown strategy.Rights
	for _, s := range policy.Statement {
		a := strategy.Allow{Actions: s.Action}
		switch on := s.Resource.(type) {
		case string:
			a.Resources = []string{on}
		case []any:
			for _, one := range on {
				a.Resources = append(a.Resources, one.(string))
			}
		}
		shown.Allow = append(shown.Allow, a)
	}
	if diff := cmp.Diff(lines(awssso.Type().RightsOf(people())), lines(shown)); diff != "" {
		t.Errorf("-needed +shown:\n%s", diff)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	s := people()
	delete(s.Settings, "identity_store_id")
	s.Targets[0] = flow.Target{Name: "prod-admin", Type: "aws_sso_permission_set", FieldBindings: []string{"account_id"}, Settings: map[string]string{"permission_set_arn": set}}
	got := lines(awssso.Type().RightsOf(s))
	for _, want := range []string{
		"sso:DescribeInstance on arn:aws:sso:::instance/ssoins-1234567890abcdef",
		"sso:CreateAccountAssignment on arn:aws:sso:::account/*",
		"identitystore:GetUserId on arn:aws:identitystore::210987654321:identitystore/*",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
	s.Integration.Settings["role_arn"], s.Integration.Settings["external_id"] = "arn:aws:iam::210987654321:role/sym/connector", "1f0c"
	want := strategy.Rights{Assume: []strategy.Role{{ARN: "arn:aws:iam::210987654321:role/sym/connector", ExternalID: "1f0c"}}}
	if diff := cmp.Diff(want, awssso.Type().RightsOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
