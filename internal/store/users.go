package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Role is what a workspace lets a person do.
type Role string

// The roles. Admins are members whom an environment names.
const (
	RoleMember      Role = "member"
	RoleGuest       Role = "guest"       // includes people of other workspaces (Slack Connect)
	RoleDeactivated Role = "deactivated" // left; may do nothing
	RoleBot         Role = "bot"
)

// Outsider tells whether people of this role are not members of the workspace, or
// have left it.
func (r Role) Outsider() bool { return r == RoleGuest || r == RoleDeactivated }

// User is a person as we know them.
type User struct {
	flow.Actor
	Role Role `json:"role"`
	// Account is the person's in Slack.
	Account Account `json:"account,omitzero"`
	// SeenAt is when the directory said so last.
	SeenAt time.Time `json:"seen_at"`
}

// Guest tells whether the workspace knows the person as a guest.
func (u User) Guest() bool { return u.Role == RoleGuest }

// Users keeps what we learned of people: as the workspace knows them, and as
// other services do.
type Users struct {
	Store Store // required
	// Keeper has identities that an earlier release kept with people moved to
	// items of their own when they are read. It is for those who may write these.
	Keeper bool
}

// BySlack reads a person by Slack's ids. The error has flow.CodeUnknownUser
// where we never saw them.
func (s Users) BySlack(ctx context.Context, team, id string) (User, error) {
	var u User
	err := s.read(ctx, slackUserKey(team, id), &u)
	return u, err
}

// ByID reads a person by our own id: of several accounts that had the address,
// it is the one that the address belongs to. The error has flow.CodeUnknownUser
// where we never saw them.
func (s Users) ByID(ctx context.Context, userID string) (User, error) {
	p, err := s.person(ctx, userID)
	if err == nil && p.ID == "" {
		err = flow.Errorf(flow.CodeUnknownUser, "we don't know this user")
	}
	return p.User, err
}

// Remember saves a person as the directory described them at u.SeenAt. What it
// said later is kept. It returns the person, who is Unconfirmed if the address
// belongs to another account: then administrators are told.
func (s Users) Remember(ctx context.Context, u User) (User, error) {
	if u.Account.ID == "" && u.SlackID != "" {
		u.Account = Account{Realm: RealmWorkspace, Space: u.SlackTeam, ID: u.SlackID}
	}
	p, _, err := change(ctx, s.Store, KindUser.Key(u.ID), func(p *person, _ int64) (err error) {
		u.Unconfirmed, err = p.meet(u, func() (moved, error) { return s.moved(ctx) })
		return err
	})
	if err != nil {
		return u, err
	}
	if claim, ok := p.Claims[u.Account.Realm]; ok && u.Unconfirmed && claim.Account == u.Account {
		if err := s.tellOf(ctx, claim, u.SeenAt); err != nil {
			return u, err
		}
	}
	if u.SlackID != "" {
		_, _, err = change(ctx, s.Store, slackUserKey(u.SlackTeam, u.SlackID), func(stored *User, _ int64) error {
			stored.update(u)
			return nil
		})
	}
	return u, err
}

func (u *User) update(seen User) {
	if !seen.SeenAt.Before(u.SeenAt) {
		*u = seen
	}
}

// person reads what is kept under our own id. The error has
// flow.CodeUnknownUser if there is nothing.
func (s Users) person(ctx context.Context, userID string) (person, error) {
	var p person
	err := s.read(ctx, KindUser.Key(userID), &p)
	return p, err
}

func (s Users) read(ctx context.Context, key string, v any) error {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return flow.Errorf(flow.CodeUnknownUser, "we don't know this user")
	}
	if err == nil {
		err = json.Unmarshal(item.Body, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}
