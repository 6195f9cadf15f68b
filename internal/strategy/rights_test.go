package strategy_test

import (
	"cmp"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	token := flow.SecretRef{Name: "token", Path: "/sym/token"}
	role := strategy.Role{ARN: "arn:aws:iam::210987654321:role/sym/directory", ExternalID: "c-1"}
	a := strategy.Rights{
		Allow:   []strategy.Allow{{Actions: []string{"iam:RemoveUserFromGroup", "iam:AddUserToGroup"}, Resources: []string{"arn:g2", "arn:g1"}}},
		Assume:  []strategy.Role{role},
		Secrets: []flow.SecretRef{token, {Name: "other", Path: "/sym/other"}},
	}
	b := strategy.Rights{
		Allow: []strategy.Allow{
			{Actions: []string{"iam:GetGroup"}, Resources: []string{"arn:g1"}},
			{Actions: []string{"iam:GetGroup"}, Resources: []string{"arn:g2"}, When: map[string][]string{"aws:x": {"2", "1"}}},
			{Actions: []string{"iam:GetGroup"}, Resources: []string{"arn:g1"}, When: map[string][]string{"aws:x": {"1", "2"}}},
			{Actions: []string{"iam:AddUserToGroup", "iam:RemoveUserFromGroup"}, Resources: []string{"arn:g1", "arn:g3"}},
		},
		Assume:  []strategy.Role{{ARN: role.ARN, ExternalID: "b-1"}, role},
		Secrets: []flow.SecretRef{token},
	}
	want := strategy.Rights{
		Allow: []strategy.Allow{
			{Actions: []string{"iam:AddUserToGroup", "iam:RemoveUserFromGroup"}, Resources: []string{"arn:g1", "arn:g2", "arn:g3"}},
			{Actions: []string{"iam:GetGroup"}, Resources: []string{"arn:g1"}},
			{Actions: []string{"iam:GetGroup"}, Resources: []string{"arn:g1", "arn:g2"}, When: map[string][]string{"aws:x": {"1", "2"}}},
		},
		Assume:  []strategy.Role{{ARN: role.ARN, ExternalID: "b-1"}, role},
		Secrets: []flow.SecretRef{{Name: "other", Path: "/sym/other"}, token},
	}
	for name, got := range map[string]strategy.Rights{"a+b": strategy.Join(a, b), "b+a": strategy.Join(b, a), "again": strategy.Join(want)} {
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	looking := strategy.Rights{Allow: want.Allow[1:], Assume: want.Assume, Secrets: want.Secrets}
	if diff := gocmp.Diff(looking, want.Looking()); diff != "" {
		t.Errorf("to look (-want +got):\n%s", diff)
	}
	names := []string{
		"right to iam:AddUserToGroup, iam:RemoveUserFromGroup on arn:g1",
		"right to iam:AddUserToGroup, iam:RemoveUserFromGroup on arn:g2",
		"right to iam:AddUserToGroup, iam:RemoveUserFromGroup on arn:g3",
		"right to iam:GetGroup on arn:g1",
		"right to iam:GetGroup on arn:g1 if aws:x is 1 or 2",
		"right to iam:GetGroup on arn:g2 if aws:x is 1 or 2",
		"role " + role.ARN + " with external id b-1", "role " + role.ARN + " with external id c-1",
	}
	if diff := gocmp.Diff(names, want.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"function arn:f"}, strategy.InvokeFunctions("arn:f").Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(strategy.Rights{}, strategy.Join(strategy.InvokeFunctions())); diff != "" {
		t.Errorf("of no functions (-want +got):\n%s", diff)
	}
}

// TestRightsOf_Bound: what fields fill in is not known to a configuration, so that
// the target of a run takes the same rights as the one that it comes from.
func TestRightsOf_Bound(t *testing.T) {
	t.Parallel()
	typ := strategy.Type{Name: "acme", Rights: func(s flow.Strategy) strategy.Rights {
		var on []string
		for _, t := range s.Targets {
			on = append(on, "arn:"+t.Settings["room"]+"/"+cmp.Or(t.Settings["door"], "*"))
		}
		return strategy.Rights{Allow: []strategy.Allow{{Actions: []string{"acme:Open"}, Resources: on}}}
	}}
	target := flow.Target{Settings: map[string]string{"room": "lab", "door": "front"}, FieldBindings: []string{"door"}}
	want := []string{"right to acme:Open on arn:lab/*"}
	for name, targets := range map[string][]flow.Target{
		"configuration": {target},
		"one":           {target.Bind(map[string]any{"door": "back"})},
		"several":       target.Bind(map[string]any{"door": []any{"back", "side"}}).All(),
		"together":      {target.Bind(map[string]any{"door": []any{"back", "side"}})},
	} {
		if diff := gocmp.Diff(want, typ.RightsOf(flow.Strategy{Targets: targets}).Names()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if target.Settings["door"] != "front" {
		t.Error("the target was changed")
	}
}

// TestRightsOf: secrets are read that settings name which the type declares, and no
// others: an integration has those of handlers, too.
func TestRightsOf(t *testing.T) {
	t.Parallel()
	key, token, wiki := flow.SecretRef{Name: "key", Path: "/sym/key"}, flow.SecretRef{Name: "token", Path: "/sym/token"}, flow.SecretRef{Name: "wiki", Path: "/sym/wiki"}
	typ := strategy.Type{
		Name: "acme", Settings: strategy.Settings{Known: []strategy.Setting{{Name: "signing_secret_id"}}},
		Integration: strategy.Integration{Settings: []strategy.Setting{{Name: "api_token_secret"}, {Name: "private_key_secret"}}},
		Rights: func(flow.Strategy) strategy.Rights {
			return strategy.Rights{Allow: []strategy.Allow{{Actions: []string{"kms:Sign"}, Resources: []string{"arn:k"}}}}
		},
	}
	s := flow.Strategy{
		Secrets:     map[string]flow.SecretRef{"signing_secret_id": key, "other_secret": wiki},
		Integration: &flow.Integration{Secrets: map[string]flow.SecretRef{"api_token_secret": token, "wiki_secret": wiki}},
	}
	want := strategy.Rights{
		Allow:   []strategy.Allow{{Actions: []string{"kms:Sign"}, Resources: []string{"arn:k"}}},
		Secrets: []flow.SecretRef{key, token},
	}
	if diff := gocmp.Diff(want, typ.RightsOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := gocmp.Diff(want, typ.RightsOf(s).Looking()); diff != "" {
		t.Errorf("to look (-want +got):\n%s", diff)
	}
	s.Integration, s.Secrets = nil, nil
	want.Secrets = nil
	if diff := gocmp.Diff(want, typ.RightsOf(s)); diff != "" {
		t.Errorf("without secrets (-want +got):\n%s", diff)
	}
}
