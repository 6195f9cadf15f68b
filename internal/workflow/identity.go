package workflow

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// systemOf names the system to which a strategy gives access, as stored
// identities do.
func systemOf(s flow.Strategy) (service, externalID string) {
	if s.Integration != nil {
		externalID = s.Integration.ExternalID
	}
	return s.Type, externalID
}

// shownIdentity is who the requester is at the target, as those who decide are
// shown it: "" for an approval-only flow, where nothing is stored, and where it
// is the e-mail address.
func shownIdentity(ctx context.Context, users store.Users, f *flow.Flow, who flow.Actor) (string, error) {
	if f.Strategy == nil {
		return "", nil
	}
	service, externalID := systemOf(*f.Strategy)
	stored, err := users.Identity(ctx, who, service, externalID)
	if err != nil || strings.EqualFold(stored, who.Email) {
		return "", err
	}
	return stored, nil
}
