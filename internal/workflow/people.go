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

// user finds a person by our own id, as they are now. For a person who was
// never seen in Slack it returns what is stored.
func (p People) user(ctx context.Context, id string) (store.User, error) {
	u, err := p.Users.ByID(ctx, strings.ToLower(id))
	if err != nil || u.SlackID == "" {
		return u, err
	}
	return p.Directory.User(ctx, u.SlackID)
}

// byID looks somebody up by our own id. It returns an empty list if there is no
// such person.
func (p People) byID(ctx context.Context, id string) ([]store.User, error) {
	return known(p.user(ctx, id))
}

// known makes a list of the person who was found: an empty one where there is
// no such person.
func known(u store.User, err error) ([]store.User, error) {
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []store.User{u}, nil
}

// byEmail looks somebody up by e-mail address, as they were some minutes ago at most:
// whoever then does something is looked up by their id. It returns an empty list if
// there is no such person, or the address belongs to another account.
func (p People) byEmail(ctx context.Context, email string) ([]store.User, error) {
	found, err := known(p.Directory.KnownByEmail(ctx, email))
	return slices.DeleteFunc(found, func(u store.User) bool { return u.Unconfirmed }), err
}

// named finds the people whom a configuration names by "group:<handle>" or
// "user:<e-mail address>". The error has flow.CodeUnknownUser if there is no such
// group; of an address that nobody has, it returns an empty list.
func (p People) named(ctx context.Context, name string) ([]store.User, error) {
	kind, who, _ := strings.Cut(name, ":")
	switch kind {
	case "group":
		return p.Directory.Group(ctx, who)
	case "user":
		return p.byEmail(ctx, who)
	}
	return nil, nil // the configuration's checks let no other through
}

// bySlack looks somebody up by Slack's id or by e-mail address. It returns an
// empty list if there is no such person.
func (p People) bySlack(ctx context.Context, idOrEmail string) ([]store.User, error) {
	if strings.Contains(idOrEmail, "@") {
		return p.byEmail(ctx, idOrEmail)
	}
	return known(p.Directory.User(ctx, idOrEmail))
}

// Recipient resolves a destination that a handler named to a channel or to
// people. It returns an empty recipient if there are no such people.
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
	return flow.Recipient{Users: add(nil, found, true)}, err
}

// add appends those of the people who can press a button, each once.
func add(list []flow.Actor, people []store.User, guests bool) []flow.Actor {
	for _, u := range people {
		if (u.Role == store.RoleMember || guests && u.Guest()) && !slices.ContainsFunc(list, u.Actor.Is) {
			list = append(list, u.Actor)
		}
	}
	return list
}
