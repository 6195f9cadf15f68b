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
	_, err := s.read(ctx, "slackuser#"+team+"#"+id, &u)
	return u, err
}

// ByID reads a person by our own id. The error has flow.CodeUnknownUser where
// we never saw them.
func (s Users) ByID(ctx context.Context, userID string) (User, error) {
	var p person
	if _, err := s.read(ctx, "user#"+userID, &p); err != nil {
		return User{}, err
	}
	if p.ID == "" {
		return User{}, flow.Errorf(flow.CodeUnknownUser, "we don't know this user")
	}
	return p.User, nil
}

// Remember saves a person as the directory just described them.
func (s Users) Remember(ctx context.Context, u User) error {
	if err := change(ctx, s.Store, "slackuser#"+u.SlackTeam+"#"+u.SlackID, func(stored *User) { *stored = u }); err != nil {
		return err
	}
	return change(ctx, s.Store, "user#"+u.ID, func(p *person) { p.User = u })
}

// person is what we keep under our own id.
type person struct {
	User
	Identities []Identity `json:"identities,omitempty"`
}

// Identity reads a stored identity of a person; "" where there is none.
func (s Users) Identity(ctx context.Context, userID, service, externalID string) (string, error) {
	var p person
	_, err := s.read(ctx, "user#"+userID, &p)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return "", err
	}
	for _, i := range p.Identities {
		if i.Service == service && i.ExternalID == externalID {
			return i.UserID, nil
		}
	}
	return "", nil
}

// SetIdentity saves an identity in place of the one of the same service.
func (s Users) SetIdentity(ctx context.Context, userID string, i Identity) error {
	return change(ctx, s.Store, "user#"+userID, func(p *person) {
		for k, old := range p.Identities {
			if old.Service == i.Service && old.ExternalID == i.ExternalID {
				p.Identities[k] = i
				return
			}
		}
		p.Identities = append(p.Identities, i)
	})
}

func (s Users) read(ctx context.Context, key string, v any) (Item, error) {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return item, flow.Errorf(flow.CodeUnknownUser, "we don't know this user")
	}
	if err != nil {
		return item, fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(item.Body, v); err != nil {
		return item, fmt.Errorf("decode %s: %w", key, err)
	}
	return item, nil
}

// change reads an item into a T (its zero value where there is none), edits
// and writes it, anew for each lost race.
func change[T any](ctx context.Context, s Store, key string, edit func(*T)) error {
	for range maxConflicts {
		var v T
		item, err := s.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &v)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read %s: %w", key, err)
		}
		edit(&v)
		body, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		_, err = s.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		return nil
	}
	return fmt.Errorf("write %s: %w", key, ErrConflict)
}
