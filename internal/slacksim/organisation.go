package slacksim

import (
	"slices"
	"strings"
)

// An organisation (Enterprise Grid) has several workspaces. Its app is installed
// for all of them at once: payloads then name the organisation, and often leave
// the workspace out; methods that list something must be told which workspace is
// meant, and channels have no names for the app. See
// https://docs.slack.dev/enterprise.
const (
	organisationID   = "E0LOCAL"
	organisationName = "Local Organisation"
)

// forOrganisation tells whether the app is installed for an organisation.
func (s *Sim) forOrganisation() bool { return len(s.config.Workspaces) > 0 }

// team is the id of a workspace by its name; "" is the first one.
func team(workspace string) string {
	if workspace == "" {
		return teamID
	}
	return "T0" + idPart(workspace)
}

// teams are the ids of the workspaces that have the app.
func (s *Sim) teams() []string {
	ids := []string{teamID}
	for _, name := range s.config.Workspaces {
		ids = append(ids, team(name))
	}
	return ids
}

// installedTeam is what the app is installed for.
func (s *Sim) installedTeam() string {
	if s.forOrganisation() {
		return organisationID
	}
	return teamID
}

// teamList answers auth.teams.list.
func (s *Sim) teamList(args arguments) (object, *apiError) {
	var list []object
	for _, id := range s.teams() {
		list = append(list, object{"id": id, "name": id})
	}
	list, next, err := page(list, args)
	if err != nil {
		return nil, err
	}
	return object{"teams": anys(list), "response_metadata": next}, nil
}

// asked finds the workspace that a method is asked about: "" where there is one
// only.
func (s *Sim) asked(args arguments) (string, *apiError) {
	id := args.text("team_id")
	switch {
	case !s.forOrganisation():
		return "", nil
	case id == "":
		return "", &apiError{code: "missing_argument"}
	case !slices.Contains(s.teams(), id):
		return "", &apiError{code: "team_not_found"}
	}
	return id, nil
}

// in tells whether something of a workspace is asked for.
func in(asked, workspace string) bool { return asked == "" || asked == team(workspace) }

// origin adds to an interaction where it comes from, in the shapes of the
// reference (docs.slack.dev/reference/interaction-payloads): for an app of an
// organisation there is no team, but in suggestions of options, whose person is
// of the organisation.
func (p Person) origin(payload object, kind string) {
	user, workspace := child(payload, "user"), team(p.profile.Workspace)
	payload["team"], payload["enterprise"], payload["is_enterprise_install"] = object{"id": workspace, "domain": domain(p.profile.Workspace)}, nil, false
	user["team_id"] = workspace
	if !p.sim.forOrganisation() {
		return
	}
	payload["enterprise"], payload["is_enterprise_install"] = object{"id": organisationID, "name": organisationName}, true
	if kind == "block_suggestion" {
		payload["team"] = object{"id": workspace, "domain": domain(p.profile.Workspace), "enterprise_id": organisationID, "enterprise_name": organisationName}
		user["team_id"] = organisationID
		return
	}
	payload["team"] = nil
}

func domain(workspace string) string {
	if workspace == "" {
		return teamDomain
	}
	return strings.ToLower(workspace)
}
