package gcpiam

import (
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings of a target.
const (
	SettingProject = "project"
	SettingRole    = "role"
)

// TargetRole is the type of its targets.
const TargetRole = "gcp_project_role"

// Type is the strategy's type. Its targets name a project and a role each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "gcp_iam", About: "Google Cloud IAM: roles on projects, with a condition on time",
		Integration: strategy.GoogleIntegration(),
		Targets: []strategy.TargetType{{
			Name: TargetRole,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingProject, Label: "Project", About: "the id of the project, like acme-production", Required: true, Check: checkProject, Bindable: true},
				{Name: SettingRole, Label: "Role", About: "the role, like roles/cloudsql.admin, or one of the project's or organization's own; not owner, editor or viewer, which Google gives without a condition only", Required: true, Check: checkRole},
			}},
			Expires: true,
			Habits: strategy.Habits{
				Before:  "read first, and kept; what others have bound, with a condition or without, stays as it is",
				Expiry:  "yes, by the condition; the binding is taken away by us",
				Lingers: "no: IAM looks at each call; a change takes two minutes as a rule, seven and more at times",
				Limit:   "Google's quotas (600 changes of a policy a minute); what it throttles comes back later",
			},
		}},
		Observes: true,
		Rules:    rules,
		Rights:   strategy.GoogleRights,
	}
}

// What Google's names look like:
// https://cloud.google.com/resource-manager/docs/creating-managing-projects
// https://cloud.google.com/iam/docs/reference/rest/v1/organizations.roles
var (
	project = pattern.Of(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	role    = pattern.Of(`^(?:projects/([a-z0-9.:-]+)/|organizations/[0-9]+/)?roles/[A-Za-z0-9_.]+$`)
	basic   = []string{"roles/owner", "roles/editor", "roles/viewer"}
)

func checkProject(v string) error {
	if project.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the id of a project, like acme-production, and not its name or number")
}

func checkRole(v string) error {
	switch {
	case slices.Contains(basic, v):
		return flow.Errorf(flow.CodeInvalid, "must not be %s: Google gives the basic roles without a condition only, so that it would not end by itself. Name a predefined role, or make one", v)
	case role.MatchString(v):
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the name of a role, like roles/cloudsql.admin, projects/acme-production/roles/oncall or organizations/123456789012/roles/oncall")
}

// rules: a project has its own roles and no other's.
func rules(s flow.Strategy) []flow.Fault {
	faults := strategy.CheckGoogle(s)
	for _, t := range s.Targets {
		m := role.FindStringSubmatch(t.Settings[SettingRole])
		if m == nil || m[1] == "" {
			continue
		}
		at := "targets." + t.Name + ".settings." + SettingRole
		switch of := t.Settings[SettingProject]; {
		case slices.Contains(t.FieldBindings, SettingProject):
			faults = append(faults, flow.Fault{Path: at, Message: "is a role of project " + m[1] + " alone: where requesters choose the project, name a predefined role or one of the organization"})
		case of != "" && of != m[1]:
			faults = append(faults, flow.Fault{Path: at, Message: "is a role of project " + m[1] + ", and can't be given on " + of})
		}
	}
	return faults
}

// Entitlements says what a target means for an identity. Google takes no notice of
// the case of addresses.
func Entitlements(target flow.Target, identity string) ([]flow.Entitlement, error) {
	if strategy.CheckGoogleAddress(identity) != nil {
		return nil, flow.Errorf(flow.CodeIdentity, "%q is no account of Google: have an administrator save the address of theirs, like alice@example.com, as who they are at Google", flow.Clip(identity, 100))
	}
	return []flow.Entitlement{{
		Key: strings.Join([]string{"gcp_iam", target.Settings[SettingProject], target.Settings[SettingRole], strings.ToLower(identity)}, "/"),
	}}, nil
}
