package slackapp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Directory asks Slack who people are, and remembers it.
type Directory struct {
	API   *slack.Client // required
	Users store.Users   // required
	Org   string
	// Team is the id of the workspace that we serve, or of the organisation if
	// the app is installed for all of it: see [Workspace]. People are known by it
	// and by their own id, which is one for all workspaces of an organisation.
	Team string
	// Simulated says that the workspace is.
	Simulated bool
	Now       func() time.Time

	mu     sync.Mutex
	groups map[string]group // as found before, by handle
	known  installation
}

// installation is which workspaces of an organisation have the app.
type installation struct {
	teams []string
	asked time.Time
}

// group is where Slack has a user group.
type group struct {
	id, team string
	found    time.Time
}

var _ workflow.Directory = (*Directory)(nil)

// memory is how long what Slack last said of a person counts as current, for
// letting them press a button. What the button does is checked again with a
// fresh answer.
const memory = 10 * time.Minute

// Workspace asks Slack which workspace the client's token belongs to; it returns
// the id of the organisation if the token is for all of its workspaces.
func Workspace(ctx context.Context, api *slack.Client) (team string, err error) {
	who, err := api.AuthTestContext(ctx)
	if err != nil {
		_, hint := troubleOf(err, "the workspace")
		return "", fmt.Errorf("ask Slack whose the bot token is: %w; %s", err, hint)
	}
	if who.TeamID == "" || strings.HasPrefix(who.TeamID, organisation) {
		return cmp.Or(who.EnterpriseID, who.TeamID), nil
	}
	return who.TeamID, nil
}

// organisation is what ids of organisations begin with, where those of
// workspaces have a T (docs.slack.dev/enterprise).
const organisation = "E"

func (d *Directory) forOrganisation() bool { return strings.HasPrefix(d.Team, organisation) }

// workspaces lists the workspaces that we serve: one, or those of the
// organisation that have the app. Methods that list something have to be told
// which one is meant.
func (d *Directory) workspaces(ctx context.Context) ([]string, error) {
	if !d.forOrganisation() {
		return []string{d.Team}, nil
	}
	return d.installed(ctx, memory)
}

// serves tells whether we serve a workspace, or the whole organisation, of this
// id. One that was not there a minute ago may have been given the app since.
func (d *Directory) serves(ctx context.Context, team string) (bool, error) {
	if team == "" || team == d.Team {
		return team != "", nil
	}
	for _, age := range []time.Duration{memory, time.Minute} {
		teams, err := d.installed(ctx, age)
		if err != nil || slices.Contains(teams, team) {
			return err == nil, err
		}
	}
	return false, nil
}

// installed lists the workspaces of the organisation that have the app. It asks
// Slack, unless it did so less than that long ago.
func (d *Directory) installed(ctx context.Context, age time.Duration) ([]string, error) {
	now := d.Now()
	d.mu.Lock()
	known := d.known
	d.mu.Unlock()
	if known.teams != nil && now.Sub(known.asked) < age {
		return known.teams, nil
	}
	var ids []string
	for cursor := ""; ; {
		teams, next, err := d.API.ListTeamsContext(ctx, slack.ListTeamsParameters{Limit: 200, Cursor: cursor})
		if err != nil {
			return nil, lookup(err, "the workspaces of the organisation")
		}
		for _, t := range teams {
			ids = append(ids, t.ID)
		}
		if cursor = next; cursor == "" {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.known = installation{teams: ids, asked: now}
			return ids, nil
		}
	}
}

// User asks Slack who somebody is, by the id that Slack has for them.
func (d *Directory) User(ctx context.Context, slackID string) (store.User, error) {
	if !slackIDPattern.MatchString(slackID) {
		return store.User{}, flow.Errorf(flow.CodeUnknownUser, "Slack has no such user")
	}
	u, err := d.API.GetUserInfoContext(ctx, slackID)
	return d.learn(ctx, u, lookup(err, "the user "+slackID))
}

// UserByEmail asks Slack who has an e-mail address.
func (d *Directory) UserByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := d.API.GetUserByEmailContext(ctx, email)
	return d.learn(ctx, u, lookup(err, email))
}

// Known says who somebody is by one read of our own store, and asks Slack only
// about people whom we don't know, have not asked about for ten minutes, or whose
// account waits to be confirmed.
func (d *Directory) Known(ctx context.Context, slackID string) (store.User, error) {
	u, err := d.Users.BySlack(ctx, d.Team, slackID)
	if err == nil && d.current(u) {
		return u, nil
	}
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return store.User{}, err
	}
	return d.User(ctx, slackID)
}

// KnownByEmail does as Known, by e-mail address.
func (d *Directory) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := d.Users.ByID(ctx, flow.UserID(d.Org, email))
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return store.User{}, err
	}
	if err == nil && u.SlackID != "" && u.SlackTeam == d.Team && u.Role != store.RoleDeactivated && d.current(u) {
		return u, nil
	}
	return d.UserByEmail(ctx, email)
}

// current tells whether what Slack last said of a person counts, where nothing is
// decided by it.
func (d *Directory) current(u store.User) bool {
	return !u.Unconfirmed && d.Now().Sub(u.SeenAt) < memory
}

// Deactivated tells whether Slack says of exactly this id that it was
// deactivated. It remembers nothing.
func (d *Directory) Deactivated(ctx context.Context, slackID string) (bool, error) {
	u, err := d.API.GetUserInfoContext(ctx, slackID)
	if err != nil {
		return false, lookup(err, "the user "+slackID)
	}
	return u.ID == slackID && u.Deleted, nil
}

// lookedUp is how many members of a group are looked up when a request is made:
// more than a message names. Their ids are enough to say who may decide, and
// a person who presses a button is looked up then.
const lookedUp = 20

// Group lists the members of a user group, by its id or handle. Those of a large
// group are known by their ids only, and taken for members of the workspace
// until they are looked up.
func (d *Directory) Group(ctx context.Context, handle string) ([]store.User, error) {
	ids, err := d.memberIDs(ctx, handle)
	if err != nil {
		return nil, err
	}
	var members []store.User
	asking := true
	for i, id := range ids {
		u := store.User{Actor: flow.Actor{Kind: flow.KindPerson, SlackID: id, SlackTeam: d.Team}, Role: store.RoleMember}
		if asking && i < lookedUp {
			known, err := d.Known(ctx, id)
			switch {
			case flow.CodeOf(err) == flow.CodeUnknownUser:
				continue // left between the two questions
			case err != nil:
				asking = false // Slack asks to wait, for one: the ids will do
			default:
				u = known
			}
		}
		members = append(members, u)
	}
	return members, nil
}

// Everybody lists the members of a user group as Group does, and looks all of
// them up.
func (d *Directory) Everybody(ctx context.Context, handle string) ([]store.User, error) {
	ids, err := d.memberIDs(ctx, handle)
	if err != nil {
		return nil, err
	}
	return d.all(ctx, ids)
}

// all looks people up, and leaves out those who left.
func (d *Directory) all(ctx context.Context, ids []string) ([]store.User, error) {
	var people []store.User
	for _, id := range ids {
		u, err := d.Known(ctx, id)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			continue
		}
		if err != nil {
			return nil, err
		}
		people = append(people, u)
	}
	return people, nil
}

// memberIDs asks Slack who is in a user group.
func (d *Directory) memberIDs(ctx context.Context, handle string) ([]string, error) {
	handle = strings.TrimPrefix(handle, "@")
	what := "the user group @" + handle
	g, fresh, err := d.find(ctx, handle, what)
	if err != nil {
		return nil, err
	}
	ids, err := d.API.GetUserGroupMembersContext(ctx, g.id, slack.GetUserGroupMembersOptionTeamID(g.team))
	if err = lookup(err, what); flow.CodeOf(err) == flow.CodeUnknownUser && !fresh {
		d.mu.Lock()
		delete(d.groups, handle)
		d.mu.Unlock()
		return d.memberIDs(ctx, handle) // its handle may be another group's by now
	}
	return ids, err
}

// find asks Slack for a user group, unless it did so within ten minutes: such
// questions may be asked twenty times a minute, and come with each click.
func (d *Directory) find(ctx context.Context, handle, what string) (g group, fresh bool, err error) {
	now := d.Now()
	d.mu.Lock()
	g, ok := d.groups[handle]
	d.mu.Unlock()
	if ok && now.Sub(g.found) < memory {
		return g, false, nil
	}
	teams, err := d.workspaces(ctx)
	if err != nil {
		return group{}, false, err
	}
	var found []group
	for _, team := range teams {
		list, err := d.API.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionTeamID(team))
		if err != nil {
			return group{}, false, lookup(err, what)
		}
		for _, one := range list {
			same := func(g group) bool { return g.id == one.ID }
			if (one.ID == handle || strings.EqualFold(one.Handle, handle)) && !slices.ContainsFunc(found, same) {
				found = append(found, group{one.ID, team, now})
			}
		}
	}
	switch len(found) {
	case 0:
		return group{}, false, flow.Errorf(flow.CodeUnknownUser, "the workspace has no user group %q", handle)
	case 1:
	default:
		return group{}, false, flow.Errorf(flow.CodeLookupRefused, "the organisation has %d user groups called %q: name the one that is meant by its id, such as %s", len(found), handle, found[0].id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.groups == nil {
		d.groups = map[string]group{}
	}
	d.groups[handle] = found[0]
	return found[0], true, nil
}

// learn turns Slack's answer into a person, and remembers it.
func (d *Directory) learn(ctx context.Context, u *slack.User, err error) (store.User, error) {
	if err != nil {
		return store.User{}, err
	}
	now := d.Now().UTC()
	who := store.User{Actor: d.actor(u), Role: d.role(u), Account: d.account(u), SeenAt: now}
	old, err := d.Users.BySlack(ctx, d.Team, who.SlackID)
	if err == nil && !old.Unconfirmed && now.Sub(old.SeenAt) < memory/2 {
		if old.SeenAt = now; old == who {
			return who, nil // no news: spare the write
		}
	}
	return d.Users.Remember(ctx, who)
}

// account is the person's account, by the ids that Slack makes for good: on
// Enterprise Grid people belong to the organisation.
func (d *Directory) account(u *slack.User) store.Account {
	a := store.Account{Realm: store.RealmWorkspace, Space: d.Team, ID: u.ID}
	if u.Enterprise.EnterpriseID != "" {
		a.Space = u.Enterprise.EnterpriseID
	}
	switch {
	case d.Simulated:
		a.Realm = store.RealmSimulation
	case u.IsStranger || d.elsewhere(u):
		a.Realm = store.RealmElsewhere
		if u.Enterprise.EnterpriseID == "" && u.TeamID != "" {
			a.Space = u.TeamID
		}
	}
	return a
}

// elsewhere tells whether a person is of another workspace. Members of a
// workspace in an Enterprise organisation may carry the id of another one, and
// then list ours. Where the app is installed for the organisation, its people are
// members whichever workspace they are in.
func (d *Directory) elsewhere(u *slack.User) bool {
	if d.forOrganisation() {
		return u.Enterprise.EnterpriseID != d.Team
	}
	return u.TeamID != "" && u.TeamID != d.Team && !slices.Contains(u.Enterprise.Teams, d.Team)
}

// actor names a person. Their id follows from the e-mail address, as that of
// the API's users does; people without one go by Slack's id.
func (d *Directory) actor(u *slack.User) flow.Actor {
	name := "slack:" + d.Team + "/" + u.ID
	if u.Profile.Email != "" {
		name = u.Profile.Email
	}
	a := flow.Actor{ID: flow.UserID(d.Org, name), Kind: flow.KindPerson, Email: strings.ToLower(u.Profile.Email), SlackID: u.ID, SlackTeam: d.Team}
	for _, s := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName, u.Name} {
		if a.Name == "" {
			a.Name = strings.TrimSpace(s)
		}
	}
	if robot(u) {
		a.Kind = flow.KindBot
	}
	return a
}

// robot tells whether a user of Slack is a program. Slackbot is one, although
// Slack does not mark it as a bot.
func robot(u *slack.User) bool { return u.IsBot || u.ID == "USLACKBOT" }

// role says what the workspace lets a person do, by the fields of Slack's user
// object (docs.slack.dev/reference/objects/user-object): guests are
// single-channel and multi-channel guests, and people of other workspaces.
func (d *Directory) role(u *slack.User) store.Role {
	switch {
	case u.Deleted:
		return store.RoleDeactivated
	case robot(u):
		return store.RoleBot
	case u.IsRestricted || u.IsUltraRestricted || u.IsStranger || d.elsewhere(u):
		return store.RoleGuest
	}
	return store.RoleMember
}
