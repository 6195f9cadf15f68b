package awsiam

import (
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names where Sym had them.
const (
	SettingGroup       = "iam_group"    // of a target
	SettingIdentityTag = "identity_tag" // of the strategy
	settingEndSessions = "end_sessions" // of the strategy
)

// TargetGroup is the type of its targets.
const TargetGroup = "aws_iam_group"

// Type is the strategy's type. Its targets name a group each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "aws_iam", About: "AWS IAM: membership of users in groups",
		Integration: strategy.AWSIntegration(),
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: SettingIdentityTag, About: "the key of the tag of users that has their e-mail address; unless set, users are named by it", Check: checkTag},
			{Name: settingEndSessions, About: `not needed: what a group allows ends with the membership`, Check: checkEndSessions},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetGroup,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingGroup, Label: "Group", About: "the name of the group", Required: true, Check: checkGroup, Bindable: true},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept",
				Expiry:  "no",
				Lingers: "no: policies are read at each call",
				Limit:   "none that AWS documents; what it throttles comes back later",
			},
		}},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

var (
	name    = pattern.Of(`^[A-Za-z0-9_+=,.@-]+$`)
	tagKey  = pattern.Of(`^[A-Za-z0-9 _.:/=+@-]+$`)
	userARN = pattern.Of(`^arn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[!-~]*/)?([A-Za-z0-9_+=,.@-]+)$`)
)

// IAM's limits in characters.
const (
	maxGroup  = 128
	maxUser   = 64
	maxTagKey = 128
)

func checkGroup(v string) error {
	if len(v) <= maxGroup && name.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the name of a group, without its path: letters, digits and _+=,.@- only")
}

func checkTag(v string) error {
	if len(v) <= maxTagKey && tagKey.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the key of a tag, like email: letters, digits, spaces and _.:/=+@- only")
}

func checkEndSessions(v string) error {
	if v == "false" {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "is not needed: what a group allows ends with the membership, and no session goes on. Remove it")
}

// rules: what requesters may choose is what a role may change, because the role
// of the function that grants could put anybody into any group.
func rules(s flow.Strategy) []flow.Fault {
	faults := strategy.CheckAWSAccount(s)
	if strategy.AccountOf(s).Role.ARN != "" {
		return faults
	}
	for _, t := range s.Targets {
		if slices.Contains(t.FieldBindings, SettingGroup) {
			return append(faults, flow.Fault{
				Path:    "integration_id",
				Message: "is missing, or has no role_arn: where requesters choose " + SettingGroup + ", a role says which groups there are to choose from",
			})
		}
	}
	return faults
}

// rights: a group's ARN has its path, which configurations don't name. Names are
// unique in an account, so that one pattern more stands for the same group.
func rights(s flow.Strategy) strategy.Rights {
	in := strategy.AccountOf(s)
	var groups []string
	for _, t := range s.Targets {
		if g := t.Settings[SettingGroup]; g != "" {
			groups = append(groups, in.GlobalARN("iam", "group/"+g), in.GlobalARN("iam", "group/*/"+g))
		}
	}
	var allow []strategy.Allow
	if len(groups) > 0 {
		allow = []strategy.Allow{
			{Actions: []string{"iam:AddUserToGroup", "iam:GetGroup", "iam:RemoveUserFromGroup"}, Resources: groups},
			{Actions: []string{"iam:GetUser", "iam:ListGroupsForUser"}, Resources: []string{in.GlobalARN("iam", "user/*")}},
		}
		if s.Settings[SettingIdentityTag] != "" {
			allow = append(allow, strategy.Allow{Actions: []string{"iam:GetAccountAuthorizationDetails"}, Resources: []string{"*"}})
		}
	}
	return in.Rights(allow...)
}

// User takes an identity apart, the ARN of a user or its name. The account is ""
// for a name. The error has flow.CodeIdentity and says what to store instead.
func User(identity string) (accountID, userName string, err error) {
	if m := userARN.FindStringSubmatch(identity); m != nil && len(m[2]) <= maxUser {
		return m[1], m[2], nil
	}
	if len(identity) <= maxUser && name.MatchString(identity) {
		return "", identity, nil
	}
	return "", "", flow.Errorf(flow.CodeIdentity, "%s is no user of IAM: have an administrator save the user's ARN, like arn:aws:iam::123456789012:user/alice, as who they are at aws_iam", flow.Clip(identity, 100))
}

// Entitlements says what a target means for an identity. Names differ by more
// than the case of their letters, in IAM.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	in := strategy.AccountOf(s)
	accountID, user, err := User(identity)
	if err != nil {
		return nil, err
	}
	if accountID != "" && in.ID != strategy.Account && accountID != in.ID {
		return nil, flow.Errorf(flow.CodeIdentity, "%s is a user of account %s, and the groups are in %s: have an administrator save who they are there", identity, accountID, in)
	}
	return []flow.Entitlement{{Key: strings.Join([]string{"aws_iam", in.ID, strings.ToLower(target.Settings[SettingGroup]), strings.ToLower(user)}, "/")}}, nil
}
