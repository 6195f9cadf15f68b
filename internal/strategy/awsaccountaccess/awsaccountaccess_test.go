package awsaccountaccess_test

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
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
)

const alice = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"

// roles is the guide's example, in an account in which no role is assumed.
func roles() flow.Strategy {
	return flow.Strategy{
		Name: "account-access", Type: "aws_account_access",
		Settings: map[string]string{
			"application_arn": "arn:aws:account-access:eu-west-1:210987654321:application/app-1234",
			"instance_arn":    "arn:aws:sso:::instance/ssoins-1234567890abcdef", "identity_store_id": "d-1234567890",
		},
		Integration: &flow.Integration{Type: "permission_context", ExternalID: "x", Settings: map[string]string{"account_id": "210987654321"}},
		Targets:     []flow.Target{{Name: "prod-admin", Type: "aws_account_access_role", Settings: map[string]string{"role_arn": "arn:aws:iam::111122223333:role/ProdAdmin"}}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := awsaccountaccess.Type().Check(roles()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	for _, test := range []struct {
		name   string
		change func(*flow.Strategy)
		path   string
		text   string
	}{
		{"Application", func(s *flow.Strategy) { s.Settings["application_arn"] = "app-1234" }, "settings.application_arn", "must be the ARN of an application"},
		{"NoInstance", func(s *flow.Strategy) { delete(s.Settings, "instance_arn") }, "settings.instance_arn", "is required"},
		{"EndSessions", func(s *flow.Strategy) { s.Settings["end_sessions"] = "true" }, "settings.end_sessions", "everybody who has the role shares it"},
		{"Role", func(s *flow.Strategy) { s.Targets[0].Settings["role_arn"] = "ProdAdmin" }, "targets.prod-admin.settings.role_arn", "must be the ARN of a role"},
		{"PermissionSet", func(s *flow.Strategy) {
			s.Targets[0].Settings["role_arn"] = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1234"
		}, "targets.prod-admin.settings.role_arn", "make a strategy of type aws_sso"},
		{"AnyRole", func(s *flow.Strategy) { s.Targets[0].FieldBindings = []string{"role_arn"} }, "targets.prod-admin.field_bindings", "must not be bound"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := roles()
			test.change(&s)
			faults := awsaccountaccess.Type().Check(s)
			if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Message, test.text) {
				t.Errorf("got %v, want a fault at %s that says %q", faults, test.path, test.text)
			}
		})
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := roles()
	got, err := awsaccountaccess.Entitlements(s, s.Targets[0], alice)
	want := []flow.Entitlement{{Key: "aws_account_access/210987654321/app-1234/arn:aws:iam::111122223333:role/ProdAdmin/" + alice}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := awsaccountaccess.Entitlements(s, s.Targets[0], "alice"); flow.CodeOf(err) != flow.CodeIdentity {
		t.Errorf("of a name: %v", err)
	}
	if got := awsaccountaccess.RegionOf(s); got != "eu-west-1" {
		t.Errorf("the region is %q", got)
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
	block := regexp.MustCompile("(?s)```json\n([^`]*account-access:CreateEntitlement[^`]*)```").FindSubmatch(guide)
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
	if diff := cmp.Diff(lines(awsaccountaccess.Type().RightsOf(roles())), lines(shown)); diff != "" {
		t.Errorf("-needed +shown:\n%s", diff)
	}
}
