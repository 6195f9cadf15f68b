package workflow

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Accounts says, in an administrator's name, that addresses belong to other
// accounts of Slack's than before.
type Accounts struct {
	Users store.Users
	Flows *store.Flows // for ByAdmin only
	Now   func() time.Time
}

// Confirm gives an address, or all that wait for it, to the accounts that claim
// them, and lists these; by is who confirms it. Errors are those of
// store.Users.Confirm; what was done before one is listed.
func (a Accounts) Confirm(ctx context.Context, what store.Confirmable, by flow.Principal) ([]store.Claim, error) {
	return a.Users.Confirm(ctx, what, flow.Author{By: by, At: a.Now().UTC()})
}

// ByAdmin is Confirm by somebody in Slack, as the directory describes them now.
// What an address has may be anywhere in the configuration, so that it takes an
// admin of all environments. The error has flow.CodeForbidden for everybody
// else.
func (a Accounts) ByAdmin(ctx context.Context, who store.User, what store.Confirmable) ([]store.Claim, error) {
	own, others, err := a.environments(ctx, who)
	switch {
	case err != nil:
		return nil, err
	case who.Role != store.RoleMember || len(own) == 0:
		return nil, flow.Errorf(flow.CodeForbidden, "only an admin can confirm this")
	case len(others) > 0:
		return nil, flow.Errorf(flow.CodeForbidden, "only an admin of all environments can confirm this, because the address may be named in any: you are no admin of %s", strings.Join(others, ", "))
	}
	return a.Confirm(ctx, what, flow.ByPerson(who.Actor))
}

// environments lists those of published flows that somebody is an admin of, and
// the others.
func (a Accounts) environments(ctx context.Context, who store.User) (own, others []string, err error) {
	list, err := a.Flows.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, summary := range list {
		f, err := a.Flows.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, nil, err
		}
		names := &others
		if f.Environment.Administers(who.Actor) {
			names = &own
		}
		if !slices.Contains(*names, f.Environment.Name) {
			*names = append(*names, f.Environment.Name)
		}
	}
	return own, others, nil
}
