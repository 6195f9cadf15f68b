package workflow

import (
	"context"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// People finds the people whom configurations and handlers name.
type People struct {
	Directory Directory
	Users     store.Users
}

// byID looks somebody up by our own id; nobody is no error.
func (p People) byID(ctx context.Context, id string) ([]store.User, error) {
	u, err := p.Users.ByID(ctx, strings.ToLower(id))
	if err == nil && u.SlackID != "" {
		u, err = p.Directory.User(ctx, u.SlackID)
	}
	return known(u, err)
}

// known makes a list of who was found: nobody is no error.
func known(u store.User, err error) ([]store.User, error) {
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []store.User{u}, nil
}

// byEmail looks somebody up by e-mail address; nobody is no error.
func (p People) byEmail(ctx context.Context, email string) ([]store.User, error) {
	return known(p.Directory.UserByEmail(ctx, email))
}

// bySlack looks somebody up by Slack's id or by e-mail address.
func (p People) bySlack(ctx context.Context, idOrEmail string) ([]store.User, error) {
	if strings.Contains(idOrEmail, "@") {
		return p.byEmail(ctx, idOrEmail)
	}
	return known(p.Directory.User(ctx, idOrEmail))
}

// Recipient resolves a destination that a handler named to a channel or to
// people; empty: nobody knows them.
func (p People) Recipient(ctx context.Context, d flow.Destination) (flow.Recipient, error) {
	switch d.Kind {
	case flow.DestinationChannelID:
		return flow.Recipient{Channel: d.ID}, nil
	case flow.DestinationChannelName:
		return flow.Recipient{Channel: "#" + strings.TrimPrefix(d.Name, "#")}, nil
	}
	var found []store.User
	look := func(more []store.User, err error) error {
		found = append(found, more...)
		return err
	}
	var err error
	switch d.Kind {
	case flow.DestinationSlackUser:
		err = look(p.bySlack(ctx, d.ID))
	case flow.DestinationGroup:
		for _, who := range d.Users {
			if err = look(p.bySlack(ctx, who)); err != nil {
				break
			}
		}
	case flow.DestinationUser:
		if err = look(p.byID(ctx, d.ID)); err == nil && len(found) == 0 && d.Email != "" {
			err = look(p.byEmail(ctx, d.Email))
		}
	default:
		err = flow.Errorf(flow.CodeHandler, "%q is no kind of destination", d.Kind)
	}
	var r flow.Recipient
	for _, u := range found {
		r.Users = add(r.Users, u, true)
	}
	return r, err
}

// add appends somebody who can press a button, once.
func add(list []flow.Actor, u store.User, guests bool) []flow.Actor {
	if u.Role != store.RoleMember && !(guests && u.Guest()) || slices.ContainsFunc(list, u.Actor.Same) {
		return list
	}
	return append(list, u.Actor)
}
