package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
)

// Holders lists the users who are entitled to the target's role by themselves, not
// those who are as members of a group.
func (m *manager) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	all, err := m.api(account.Caller{}).list(ctx, filter{Role: target.Settings[awsaccountaccess.SettingRole]})
	if err != nil {
		return nil, failure(err)
	}
	var users []string
	for _, e := range all {
		if e.User != "" {
			users = append(users, e.User)
		}
	}
	return users, nil
}

// Discover lists the roles that groups of Identity Center are entitled to: AWS
// lists entitlements of somebody only, and roles of one account at a time.
func (m *manager) Discover(ctx context.Context) ([]flow.Target, error) {
	groups, err := m.directory(account.Caller{}).Groups(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]flow.Target{} // by role
	for _, g := range groups {
		all, err := m.api(account.Caller{}).list(ctx, filter{Group: g.ID})
		if err != nil {
			return nil, failure(err)
		}
		for _, e := range all {
			if number, name, ok := awsaccountaccess.RoleName(e.Role); ok {
				where := e.Account
				if where == "" {
					where = number
				}
				found[e.Role] = flow.Target{
					Name: targetName(e.Role, number, name), Type: awsaccountaccess.TargetRole, Label: name + " in " + where,
					Settings: map[string]string{awsaccountaccess.SettingRole: e.Role},
				}
			}
		}
	}
	var targets []flow.Target
	for _, t := range found {
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return targets, nil
}

var noName = pattern.Of(`[^A-Za-z0-9_-]`)

// targetName makes a name of a role's ARN. One that leaves something of it out
// has a part that tells it from others of which the same is left.
func targetName(arn, number, role string) string {
	name := "role-" + number + "-" + noName.ReplaceAllString(role, "_")
	if strings.HasSuffix(arn, ":role/"+name[len("role-")+len(number)+1:]) && len(name) <= flow.MaxOption {
		return name
	}
	digest := sha256.Sum256([]byte(arn))
	return name[:min(len(name), flow.MaxOption-9)] + "-" + hex.EncodeToString(digest[:4])
}
