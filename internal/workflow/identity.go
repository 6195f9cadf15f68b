package workflow

import (
	"context"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// systemOf names the system to which a strategy gives access, as stored
// identities do. At Google people are the same for all strategies, and for handlers.
func systemOf(s flow.Strategy) (service, externalID string) {
	service = s.Type
	if i := s.Integration; i != nil {
		if externalID = i.ExternalID; i.Type == strategy.Google {
			service = i.Type
		}
	}
	return service, externalID
}

// shownIdentity is who the requester is at the target, as those who decide are
// shown it: "" for an approval-only flow, where nothing is stored, and where it
// is the e-mail address. Before a grant it is found out anew, and has to be the
// same.
func shownIdentity(ctx context.Context, users store.Users, f *flow.Flow, who flow.Actor, now time.Time) (string, error) {
	if f.Strategy == nil {
		return "", nil
	}
	service, externalID := systemOf(*f.Strategy)
	var known string
	var err error
	if len(f.Handlers(flow.HandlerIdentity, flow.HandlerIdentityLookup)) > 0 { // they are asked before the directory
		known, err = users.Identity(ctx, who, service, externalID)
	} else {
		known, err = users.IdentityShown(ctx, who, service, externalID, f.Strategy.Name, now)
	}
	if err != nil || strings.EqualFold(known, who.Email) {
		return "", err
	}
	return known, nil
}

// find asks a system's own directory who the requester is, by an address that a
// handler may have given. The answer for their own address is remembered, for those
// who decide about their next requests.
func (a *Access) find(ctx context.Context, finder strategy.Identifier, s flow.Strategy, requester flow.Actor, email string) (string, error) {
	who := requester
	who.Email = email
	found, err := finder.Identity(ctx, who)
	if err != nil && flow.CodeOf(err) != flow.CodeIdentity {
		return "", err
	}
	if email == requester.Email {
		service, external := systemOf(s)
		kept := a.Users.SetFound(ctx, requester, store.FoundIdentity{
			Identity: store.Identity{Service: service, ExternalID: external, UserID: found}, Strategy: s.Name, At: a.Clock.Now().UTC(),
		})
		if kept != nil && flow.CodeOf(kept) != flow.CodeForbidden { // nobody waits for it
			a.Log.WarnContext(ctx, "whom a directory gave for somebody could not be kept: those who decide are not shown it", "strategy", s.Name, "user", requester.ID, "error", kept)
		}
	}
	if err != nil {
		return "", unknownAt(requester, s, flow.UserMessage(err), err)
	}
	return found, nil
}

// unknownAt returns the error for a person who is not known to a system, with what
// an administrator can do about it.
func unknownAt(who flow.Actor, s flow.Strategy, why string, cause error) *flow.Error {
	service, external := systemOf(s)
	command := "identity set " + who.Email + " -service " + service
	if external != "" {
		command += " -service-id " + external
	}
	return &flow.Error{
		Code: flow.CodeIdentity, Cause: cause,
		Message: strings.TrimRight(why, ". ") + ". An administrator can say who they are there, with the command `" + command + " -user-id …`",
	}
}
