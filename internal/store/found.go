package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// FoundFor is how long it is remembered whom a directory gave for a person.
const FoundFor = 24 * time.Hour

// FoundIdentity is whom a system's own directory gave for a person. Nobody has
// said so: it is shown, asked for again before each grant, and never taken for an
// identity that somebody saved.
type FoundIdentity struct {
	Identity
	Strategy string    `json:"strategy"` // which looked for it: others may look by something else
	At       time.Time `json:"at"`
}

// Found lists whom directories gave for a person in the last day. It returns an
// empty list if there are none, or the address has passed to another.
func (s Users) Found(ctx context.Context, who flow.Actor, now time.Time) ([]FoundIdentity, error) {
	p, stored, err := s.identitiesOf(ctx, who.ID)
	if err != nil || p.holds(who) != nil {
		return nil, err
	}
	return stored.lately(now), nil
}

// IdentityShown reads the stored identity of a person, or else whom the directory
// gave to the strategy in the last day. It returns "" if there is neither.
func (s Users) IdentityShown(ctx context.Context, who flow.Actor, service, externalID, strategy string, now time.Time) (string, error) {
	p, stored, err := s.identitiesOf(ctx, who.ID)
	if err != nil || p.holds(who) != nil {
		return "", err
	}
	for _, i := range stored.Saved {
		if i.Service == service && i.ExternalID == externalID {
			return i.UserID, nil
		}
	}
	for _, i := range stored.lately(now) {
		if i.Service == service && i.ExternalID == externalID && i.Strategy == strategy {
			return i.UserID, nil
		}
	}
	return "", nil
}

// SetFound remembers whom a directory gave, in place of what it gave the same
// strategy before. A UserID of "" forgets that. The error has flow.CodeForbidden
// if the address has passed to another, or another claims it.
func (s Users) SetFound(ctx context.Context, who flow.Actor, found FoundIdentity) error {
	return s.changeIdentities(ctx, who, func(stored *identities, _ int64) error {
		kept := slices.DeleteFunc(stored.lately(found.At), func(i FoundIdentity) bool {
			return i.Service == found.Service && i.ExternalID == found.ExternalID && i.Strategy == found.Strategy
		})
		if found.UserID != "" {
			kept = append(kept, found)
		}
		slices.SortFunc(kept, func(a, b FoundIdentity) int {
			return strings.Compare(a.Service+"\n"+a.ExternalID+"\n"+a.Strategy, b.Service+"\n"+b.ExternalID+"\n"+b.Strategy)
		})
		stored.Found = kept
		return nil
	})
}

// lately are those that are not too old.
func (i identities) lately(now time.Time) []FoundIdentity {
	return slices.DeleteFunc(slices.Clone(i.Found), func(f FoundIdentity) bool { return !now.Before(f.At.Add(FoundFor)) })
}
