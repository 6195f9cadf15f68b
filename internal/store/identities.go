package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/symflows/symflows/internal/flow"
)

// Identity is a person as an outside service knows them.
type Identity struct {
	Service    string `json:"service"`     // "aws_sso", "okta", …
	ExternalID string `json:"external_id"` // of the service: a domain, an instance ARN
	UserID     string `json:"user_id"`
}

// maxIdentity is how long each part of an identity may be, in characters: ARNs
// are the longest.
const maxIdentity = 500

// Check returns an error of flow.CodeInvalid if a part is missing or too long.
// Systems whose strategies have no integration have no external id.
func (i Identity) Check() error {
	for _, part := range []string{i.Service, i.ExternalID, i.UserID} {
		if len([]rune(part)) > maxIdentity {
			return flow.Errorf(flow.CodeInvalid, "an identity has a service, a service_id and a user_id, of at most %d characters each", maxIdentity)
		}
	}
	if i.Service == "" || i.UserID == "" {
		return flow.Errorf(flow.CodeInvalid, "an identity has a service and a user_id")
	}
	return nil
}

// SavedIdentity is an identity, with who saved it.
type SavedIdentity struct {
	Identity
	flow.Author
}

// identities are those of a person. They are items of their own, so that those
// who take requests can't say who somebody is elsewhere.
type identities struct {
	// Successions is that of the person: what was saved for somebody who had the
	// address before counts for nothing.
	Successions int             `json:"successions,omitempty"`
	Saved       []SavedIdentity `json:"saved"`
	Found       []FoundIdentity `json:"found,omitempty"`

	acted
}

// identitiesOf reads what is stored for whoever has the address now.
func (s Users) identitiesOf(ctx context.Context, userID string) (person, identities, error) {
	p, err := s.person(ctx, userID)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return p, identities{}, err
	}
	var found identities
	item, err := s.Store.Get(ctx, KindIdentity.Key(userID))
	switch {
	case errors.Is(err, ErrNotFound):
		found, err = s.old(p), nil
		if s.Keeper {
			err = s.move(ctx, userID, found)
		}
	case err == nil:
		err = json.Unmarshal(item.Body, &found)
	}
	if err != nil {
		return p, found, fmt.Errorf("read identities of %s: %w", userID, err)
	}
	if found.Successions != p.Successions {
		found = identities{Successions: p.Successions}
	}
	return p, found, nil
}

// old are the identities that an earlier release kept with the person.
func (Users) old(p person) identities {
	var found identities
	for _, i := range p.Identities {
		found.Saved = append(found.Saved, SavedIdentity{Identity: i, Author: flow.Author{By: flow.Principal{Name: "an earlier release"}}})
	}
	return found
}

// move begins the item of somebody's identities, even of none: from then on, what
// is kept with the person is not believed.
func (s Users) move(ctx context.Context, userID string, found identities) error {
	body, err := json.Marshal(found)
	if err != nil {
		return err
	}
	_, err = s.Store.Put(ctx, Item{Key: KindIdentity.Key(userID), Writer: NewWriter(), Body: body})
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// Saved lists the stored identities of a person, with who saved them. It
// returns an empty list if there are none, or the address has passed to another.
func (s Users) Saved(ctx context.Context, who flow.Actor) ([]SavedIdentity, error) {
	p, found, err := s.identitiesOf(ctx, who.ID)
	if err != nil || p.holds(who) != nil {
		return nil, err
	}
	return found.Saved, nil
}

// Known gives what is known of somebody: their role and their identities. Of
// people whom we never saw, it returns nothing.
func (s Users) Known(ctx context.Context, who flow.Actor) (Role, []Identity, error) {
	p, found, err := s.identitiesOf(ctx, who.ID)
	if err != nil {
		return "", nil, err
	}
	if p.holds(who) != nil {
		u, err := s.BySlack(ctx, who.SlackTeam, who.SlackID)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			err = nil
		}
		return u.Role, nil, err
	}
	var out []Identity
	for _, i := range found.Saved {
		out = append(out, i.Identity)
	}
	return p.Role, out, nil
}

// Identities lists the stored identities of a person. It returns an empty list
// if there are none, or the address has passed to another.
func (s Users) Identities(ctx context.Context, who flow.Actor) ([]Identity, error) {
	_, found, err := s.Known(ctx, who)
	return found, err
}

// Identity reads a stored identity of a person. It returns "" if there is none.
func (s Users) Identity(ctx context.Context, who flow.Actor, service, externalID string) (string, error) {
	saved, err := s.Saved(ctx, who)
	for _, i := range saved {
		if i.Service == service && i.ExternalID == externalID {
			return i.UserID, err
		}
	}
	return "", err
}

// SetIdentity saves an identity in place of the one of the same service and
// external id. The error has flow.CodeForbidden if the address has passed to
// another, or another claims it.
func (s Users) SetIdentity(ctx context.Context, who flow.Actor, i SavedIdentity) error {
	return s.changeIdentities(ctx, who, func(stored *identities, rev int64) error {
		told := map[string]any{"service": i.Service, "service_id": i.ExternalID, "user_id": i.UserID}
		k := slices.IndexFunc(stored.Saved, func(old SavedIdentity) bool { return old.Service == i.Service && old.ExternalID == i.ExternalID })
		switch {
		case k < 0:
			stored.Saved = append(stored.Saved, i)
		case stored.Saved[k].UserID == i.UserID:
			return nil
		default:
			told["former_user_id"], stored.Saved[k] = stored.Saved[k].UserID, i
		}
		stored.Acts = stored.Acts.With(flow.NewAct(i.Author, flow.ActIdentitySet, personAs(who), told), rev+1)
		return nil
	})
}

// personAs is somebody as acts tell of them.
func personAs(who flow.Actor) flow.Subject {
	return flow.Subject{Kind: "person", ID: who.ID, Name: who.Email}
}

// DeleteIdentity removes an identity, in the name of by. The error has
// flow.CodeInvalid if there is none.
func (s Users) DeleteIdentity(ctx context.Context, by flow.Author, who flow.Actor, service, externalID string) error {
	return s.changeIdentities(ctx, who, func(stored *identities, rev int64) error {
		is := func(i SavedIdentity) bool { return i.Service == service && i.ExternalID == externalID }
		k := slices.IndexFunc(stored.Saved, is)
		if k < 0 {
			return flow.Errorf(flow.CodeInvalid, "no identity at %s %s is stored for %s: \"identity list\" shows those that are", service, externalID, who.Display())
		}
		told := map[string]any{"service": service, "service_id": externalID, "former_user_id": stored.Saved[k].UserID}
		stored.Saved = slices.DeleteFunc(slices.Clone(stored.Saved), is)
		stored.Acts = stored.Acts.With(flow.NewAct(by, flow.ActIdentityDelete, personAs(who), told), rev+1)
		return nil
	})
}

func (s Users) changeIdentities(ctx context.Context, who flow.Actor, edit func(stored *identities, rev int64) error) error {
	p, before, err := s.identitiesOf(ctx, who.ID)
	if err == nil {
		err = p.holds(who)
	}
	if err != nil {
		return err
	}
	_, _, err = change(ctx, s.Store, KindIdentity.Key(who.ID), func(stored *identities, rev int64) error {
		switch {
		case rev == 0:
			*stored = before
		case stored.Successions != p.Successions:
			*stored = identities{Successions: p.Successions, acted: stored.acted}
		}
		return edit(stored, rev)
	})
	return err
}

// ByIdentities finds the people whom a service knows by these ids. Who is not
// known by one is left out. It reads everybody that we know: it is for handlers
// that ask now and then, not for what people wait for.
func (s Users) ByIdentities(ctx context.Context, service, externalID string, ids []string) ([]User, error) {
	is := func(i SavedIdentity) bool {
		return i.Service == service && i.ExternalID == externalID && slices.Contains(ids, i.UserID)
	}
	var found []User
	err := s.each(ctx, KindUser, func(item Item) error {
		var p person
		err := json.Unmarshal(item.Body, &p)
		if err == nil && len(p.Identities) > 0 && s.Keeper {
			err = s.move(ctx, p.ID, s.old(p))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("move identities: %w", err)
	}
	err = s.each(ctx, KindIdentity, func(item Item) error {
		var stored identities
		if err := json.Unmarshal(item.Body, &stored); err != nil {
			return fmt.Errorf("decode %s: %w", item.Key, err)
		}
		if !slices.ContainsFunc(stored.Saved, is) {
			return nil
		}
		id, _ := KindIdentity.Name(item.Key)
		p, err := s.person(ctx, id)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			return nil
		}
		if err == nil && p.ID != "" && p.Successions == stored.Successions && p.holds(p.Actor) == nil {
			found = append(found, p.User)
		}
		return err
	})
	return found, err
}
