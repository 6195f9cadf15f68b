package client

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Identity is the person's address at Google: the account's own one where Google
// shows us accounts, and only if the account is active; else the one that they have
// here.
func (s *strategyOf) Identity(ctx context.Context, who flow.Actor) (string, error) {
	const save = "have an administrator save the address of their account as who they are at google_group"
	if strategy.CheckGoogleAddress(who.Email) != nil {
		return "", flow.Errorf(flow.CodeIdentity, "%s has no e-mail address here by which Google could know them: %s", who.Display(), save)
	}
	found, readable, err := s.accounts.account(ctx, who.Email)
	if _, is := asGone(err); is {
		return "", flow.Errorf(flow.CodeIdentity, "Google has no account %s: %s", who.Email, save)
	}
	switch {
	case err != nil:
		return "", err
	case !readable:
		return strings.ToLower(who.Email), nil
	case found.Suspended || found.Archived:
		return "", flow.Errorf(flow.CodeIdentity, "the account %s is suspended at Google: have it made active, or %s", who.Email, save)
	case found.PrimaryEmail == "":
		return "", flow.Errorf(flow.CodeUnavailable, "Google has not said which account %s is", who.Email)
	}
	return strings.ToLower(found.PrimaryEmail), nil
}
