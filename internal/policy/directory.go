package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Directory is who people are, where no workspace is asked.
type Directory struct {
	org    string
	people []store.User        // in the order in which they were added
	groups map[string][]string // handle → e-mail addresses
}

var _ workflow.Directory = (*Directory)(nil)

// NewDirectory makes one without people. Org is the first part of SRNs.
func NewDirectory(org string) *Directory {
	return &Directory{org: org, groups: map[string][]string{}}
}

// Add adds somebody, unless they are there.
func (d *Directory) Add(email string, role store.Role) store.User {
	if u, ok := d.find(email); ok {
		return u
	}
	name, _, _ := strings.Cut(email, "@")
	u := store.User{Role: role, Actor: flow.Actor{
		ID: flow.UserID(d.org, email), Kind: flow.KindPerson, Email: strings.ToLower(email), Name: name,
		SlackID: fmt.Sprintf("U0%06d", len(d.people)+1), SlackTeam: "T0GIVEN",
	}}
	d.people = append(d.people, u)
	return u
}

// AddGroup adds people, by their e-mail addresses, to a user group.
func (d *Directory) AddGroup(handle string, emails ...string) {
	d.groups[handle] = append(d.groups[handle], emails...)
}

// People lists everybody.
func (d *Directory) People() []store.User { return slices.Clone(d.people) }

func (d *Directory) find(email string) (store.User, bool) {
	i := slices.IndexFunc(d.people, func(u store.User) bool { return strings.EqualFold(u.Email, email) })
	if i < 0 {
		return store.User{}, false
	}
	return d.people[i], true
}

// UserByEmail implements workflow.Directory.
func (d *Directory) UserByEmail(_ context.Context, email string) (store.User, error) {
	if u, ok := d.find(email); ok {
		return u, nil
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "%s is nobody in the directory: add them to its members", email)
}

// KnownByEmail implements workflow.Directory.
func (d *Directory) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	return d.UserByEmail(ctx, email)
}

// User implements workflow.Directory.
func (d *Directory) User(_ context.Context, slackID string) (store.User, error) {
	if i := slices.IndexFunc(d.people, func(u store.User) bool { return u.SlackID == slackID }); i >= 0 {
		return d.people[i], nil
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "nobody in the directory has the id %s", slackID)
}

// Group implements workflow.Directory.
func (d *Directory) Group(_ context.Context, handle string) ([]store.User, error) {
	members, ok := d.groups[handle]
	if !ok {
		return nil, flow.Errorf(flow.CodeUnknownUser, "there is no group %q in the directory", handle)
	}
	var found []store.User
	for _, email := range members {
		if u, ok := d.find(email); ok {
			found = append(found, u)
		}
	}
	return found, nil
}
