package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	// SeenAt is when the directory said so last.
	SeenAt time.Time `json:"seen_at"`
}

// Guest tells whether the workspace knows the person as a guest.
func (u User) Guest() bool { return u.Role == RoleGuest }

// Identity is a person as an outside service knows them.
type Identity struct {
	Service    string `json:"service"`     // "aws_sso", "okta", …
	ExternalID string `json:"external_id"` // of the service: a domain, an instance ARN
	UserID     string `json:"user_id"`
}

// Users keeps what we learned of people: as the workspace knows them, and as
// other services do.
type Users struct {
	Store Store // required
}

// BySlack reads a person by Slack's ids. The error has flow.CodeUnknownUser
// where we never saw them.
func (s Users) BySlack(ctx context.Context, team, id string) (User, error) {
	var u User
	err := s.read(ctx, slackUserKey(team, id), &u)
	return u, err
}

// ByID reads a person by our own id. The error has flow.CodeUnknownUser where
// we never saw them.
func (s Users) ByID(ctx context.Context, userID string) (User, error) {
	var p person
	if err := s.read(ctx, KindUser.Key(userID), &p); err != nil {
		return User{}, err
	}
	if p.ID == "" {
		return User{}, flow.Errorf(flow.CodeUnknownUser, "we don't know this user")
	}
	return p.User, nil
}

// Remember saves a person as the directory described them at u.SeenAt. What it
// said later is kept.
func (s Users) Remember(ctx context.Context, u User) error {
	if u.SlackID != "" {
		_, _, err := change(ctx, s.Store, slackUserKey(u.SlackTeam, u.SlackID), func(stored *User, _ int64) error {
			stored.update(u)
			return nil
		})
		if err != nil {
			return err
		}
	}
	_, _, err := change(ctx, s.Store, KindUser.Key(u.ID), func(p *person, _ int64) error {
		p.update(u)
		return nil
	})
	return err
}

func (u *User) update(seen User) {
	if !seen.SeenAt.Before(u.SeenAt) {
		*u = seen
	}
}

// person is what we keep under our own id.
type person struct {
	User
	Identities []Identity `json:"identities,omitempty"`
}

// ByIdentities finds the people whom a service knows by these ids. Ids that match
// no person are left out. It reads everybody that we know: it is for handlers
// that ask now and then, not for what people wait for.
func (s Users) ByIdentities(ctx context.Context, service, externalID string, ids []string) ([]User, error) {
	var found []User
	q := Query{By: ByKind, Value: string(KindUser), Limit: 200}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		for _, item := range page.Items {
			var p person
			if err := json.Unmarshal(item.Body, &p); err != nil {
				return nil, fmt.Errorf("decode %s: %w", item.Key, err)
			}
			if p.ID != "" && slices.ContainsFunc(p.Identities, func(i Identity) bool {
				return i.Service == service && i.ExternalID == externalID && slices.Contains(ids, i.UserID)
			}) {
				found = append(found, p.User)
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return found, nil
		}
	}
}

// Known gives a person's role and identities. It returns "" and an empty list for
// a person whom we never saw.
func (s Users) Known(ctx context.Context, userID string) (Role, []Identity, error) {
	var p person
	if err := s.read(ctx, KindUser.Key(userID), &p); err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return "", nil, err
	}
	return p.Role, p.Identities, nil
}

// Identities lists the stored identities of a person. It returns an empty list if
// there are none.
func (s Users) Identities(ctx context.Context, userID string) ([]Identity, error) {
	_, identities, err := s.Known(ctx, userID)
	return identities, err
}

// Identity reads a stored identity of a person. It returns "" if there is none.
func (s Users) Identity(ctx context.Context, userID, service, externalID string) (string, error) {
	all, err := s.Identities(ctx, userID)
	if err != nil {
		return "", err
	}
	for _, i := range all {
		if i.Service == service && i.ExternalID == externalID {
			return i.UserID, nil
		}
	}
	return "", nil
}

// SetIdentity saves an identity in place of the one of the same service and
// external id.
func (s Users) SetIdentity(ctx context.Context, userID string, i Identity) error {
	_, _, err := change(ctx, s.Store, KindUser.Key(userID), func(p *person, _ int64) error {
		for k, old := range p.Identities {
			if old.Service == i.Service && old.ExternalID == i.ExternalID {
				p.Identities[k] = i
				return nil
			}
		}
		p.Identities = append(p.Identities, i)
		return nil
	})
	return err
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
