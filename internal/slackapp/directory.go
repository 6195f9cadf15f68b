package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Team  string // id of the workspace we serve: see [Workspace]
	Now   func() time.Time
}

var _ workflow.Directory = (*Directory)(nil)

// memory is how long what Slack last said of a person counts as current, for
// letting them press a button. What the button does is checked again with a
// fresh answer.
const memory = 10 * time.Minute

// Workspace asks Slack which workspace the client's token belongs to.
func Workspace(ctx context.Context, api *slack.Client) (team string, err error) {
	who, err := api.AuthTestContext(ctx)
	if err != nil {
		return "", fmt.Errorf("ask Slack whose the bot token is: %w", err)
	}
	return who.TeamID, nil
}

// User asks Slack who somebody is, by the id that Slack has for them.
func (d *Directory) User(ctx context.Context, slackID string) (store.User, error) {
	if !slackIDPattern.MatchString(slackID) {
		return store.User{}, flow.Errorf(flow.CodeUnknownUser, "Slack has no such user")
	}
	u, err := d.API.GetUserInfoContext(ctx, slackID)
	return d.learn(ctx, u, err)
}

// UserByEmail asks Slack who has an e-mail address.
func (d *Directory) UserByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := d.API.GetUserByEmailContext(ctx, email)
	return d.learn(ctx, u, err)
}

// Known says who somebody is by one read of our own store, and asks Slack only
// about people whom we don't know or have not asked about for ten minutes.
func (d *Directory) Known(ctx context.Context, slackID string) (store.User, error) {
	u, err := d.Users.BySlack(ctx, d.Team, slackID)
	if err == nil && d.Now().Sub(u.SeenAt) < memory {
		return u, nil
	}
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return store.User{}, err
	}
	return d.User(ctx, slackID)
}

// Group lists the members of a user group.
func (d *Directory) Group(ctx context.Context, handle string) ([]store.User, error) {
	groups, err := d.API.GetUserGroupsContext(ctx)
	if err != nil {
		return nil, lookup(err)
	}
	handle = strings.TrimPrefix(handle, "@")
	i := slices.IndexFunc(groups, func(g slack.UserGroup) bool { return g.ID == handle || strings.EqualFold(g.Handle, handle) })
	if i < 0 {
		return nil, flow.Errorf(flow.CodeUnknownUser, "the workspace has no user group %q", handle)
	}
	ids, err := d.API.GetUserGroupMembersContext(ctx, groups[i].ID)
	if err != nil {
		return nil, lookup(err)
	}
	var members []store.User
	for _, id := range ids {
		u, err := d.Known(ctx, id)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			continue // left between the two questions
		}
		if err != nil {
			return nil, err
		}
		members = append(members, u)
	}
	return members, nil
}

// learn turns Slack's answer into a person, and remembers it.
func (d *Directory) learn(ctx context.Context, u *slack.User, err error) (store.User, error) {
	if err != nil {
		return store.User{}, lookup(err)
	}
	now := d.Now().UTC()
	who := store.User{Actor: d.actor(u), Role: d.role(u), SeenAt: now}
	old, err := d.Users.BySlack(ctx, d.Team, who.SlackID)
	if err == nil && old.Actor == who.Actor && old.Role == who.Role && now.Sub(old.SeenAt) < memory/2 {
		return who, nil // no news: spare the write
	}
	return who, d.Users.Remember(ctx, who)
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

// robot tells whether a user of Slack is no person. Slackbot is none, though Slack
// says nothing of the kind.
func robot(u *slack.User) bool { return u.IsBot || u.ID == "USLACKBOT" }

// role says what the workspace lets a person do, by the fields of Slack's user
// object (docs.slack.dev/reference/objects/user-object): guests are
// single-channel and multi-channel guests, and people of other workspaces.
// Members of a workspace in an Enterprise organisation may carry the id of
// another one, and then list ours.
func (d *Directory) role(u *slack.User) store.Role {
	elsewhere := u.TeamID != "" && u.TeamID != d.Team && !slices.Contains(u.Enterprise.Teams, d.Team)
	switch {
	case u.Deleted:
		return store.RoleDeactivated
	case robot(u):
		return store.RoleBot
	case u.IsRestricted || u.IsUltraRestricted || u.IsStranger || elsewhere:
		return store.RoleGuest
	}
	return store.RoleMember
}

// lookup turns Slack's errors into ours: there is no such person, or Slack
// can't be asked.
func lookup(err error) error {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch refused.Err {
		case "user_not_found", "users_not_found", "user_not_visible", "no_such_subteam":
			return &flow.Error{Code: flow.CodeUnknownUser, Message: "Slack has no such user", Cause: err}
		}
	}
	return &flow.Error{Code: flow.CodeLookup, Message: "Slack could not say who this is", Cause: err}
}
