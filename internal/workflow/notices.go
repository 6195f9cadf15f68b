package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// tell sends a notice to the error channels that have not had it. Between
// sending and noting it, it may be sent twice.
func (n Notify) tell(ctx context.Context, name string) error {
	notice, err := n.Notices.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nobody could be reached until it was over
	}
	if err != nil {
		return err
	}
	channels := []string{notice.Channel}
	if notice.Channel == "" {
		if channels, err = n.errorChannels(ctx); err != nil {
			return err
		}
	}
	var failed []error
	for _, channel := range channels {
		if !slices.Contains(notice.Sent, channel) {
			failed = append(failed, n.tellChannel(ctx, name, notice, channel))
		}
	}
	return errors.Join(failed...)
}

func (n Notify) tellChannel(ctx context.Context, name string, notice store.Notice, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, max(showTimeout, n.Patience))
	defer cancel()
	body, err := n.Slack.RenderNotice(notice)
	if err != nil {
		return err
	}
	_, _, err = n.post(ctx, Address{Channel: channel}, body)
	if flow.CodeOf(err) == flow.CodeUndeliverable { // the log has it, and says why
		n.Health.lost(channel, err)
		n.Log.ErrorContext(ctx, "notice can't be delivered", "channel", channel, "notice", notice.Text, "error", err)
	} else if err != nil {
		return err
	}
	return n.Notices.Sent(ctx, name, channel)
}

// errorChannels lists the error channels of the published flows, each once.
func (n Notify) errorChannels(ctx context.Context) ([]string, error) {
	list, err := n.Flows.List(ctx)
	if err != nil {
		return nil, err
	}
	var channels []string
	for _, summary := range list {
		f, err := n.Flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow {
			continue // withdrawn meanwhile
		}
		if err != nil {
			return nil, err
		}
		if c := f.Environment.ErrorChannel; c != "" && !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	return channels, nil
}

// configured lists those with these e-mail addresses who can press a button,
// each once. The error channel hears of those whom Slack does not have; attribute
// is the path of what names them.
func (a Approval) configured(ctx context.Context, f *flow.Flow, attribute string, emails []string, guests bool) ([]flow.Actor, error) {
	var list []flow.Actor
	for i, email := range emails {
		found, err := a.people().byEmail(ctx, email)
		if err == nil && gone(found) {
			err = a.absent(ctx, f, fmt.Sprintf("%s[%d]", attribute, i), "user:"+email)
		}
		if err != nil {
			return nil, err
		}
		list = add(list, found, guests)
	}
	return list, nil
}

// gone tells whether there is none of the people who were asked for, or they
// are deactivated all of them.
func gone(found []store.User) bool {
	return !slices.ContainsFunc(found, func(u store.User) bool { return u.Role != store.RoleDeactivated })
}

// absent has the error channel told of a name in the configuration that Slack
// does not have any more. What an environment names, all its flows do.
func (a Approval) absent(ctx context.Context, f *flow.Flow, path, name string) error {
	place, err := placeOf(ctx, a.Flows, f, path)
	if err != nil {
		return err
	}
	attribute := path[:strings.LastIndexByte(path, '[')]
	by := "flow " + f.Name
	if attribute == flow.PathAdmins {
		by = "environment " + f.Environment.Name
	}
	why := "has no such active user, or another account has the address than before. It counts as nobody: correct it, or confirm the account."
	if strings.HasPrefix(name, "group:") {
		why = "has no such user group, or nobody active is in it. It counts as nobody: correct it, or the group."
	}
	text := "The " + by + " names " + name + " in its " + attribute + place + ", and Slack " + why
	return a.Notices.Tell(ctx, by+", "+attribute+": "+name, text, f.Environment.ErrorChannel)
}

// placeOf says in brackets where the configuration in force has an attribute of
// a version of a flow; "" if it has another version of it, or none.
func placeOf(ctx context.Context, flows *store.Flows, f *flow.Flow, path string) (string, error) {
	current, err := flows.Latest(ctx, f.Name)
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if place := current.Places[path]; place != "" && current.Version == f.Version {
		return " (" + place + ")", nil
	}
	return "", nil
}

// missed has the error channel told that the message of a tier can't reach where
// it was to go: a request that is passed on to the next tier keeps going, but
// the configuration should be repaired.
func (n Notify) missed(ctx context.Context, f *flow.Flow, to Address, cause error) error {
	name := to.Channel
	for _, who := range to.Users {
		name += " " + who.Display()
	}
	name = strings.TrimSpace(name)
	named, err := n.namedBy(ctx, f, to)
	if err != nil {
		return err
	}
	text := "Requests of the flow " + f.Name + " can't reach " + name + ", which " + named + ": " + flow.UserMessage(cause) + "."
	return n.Notices.Tell(ctx, "flow "+f.Name+", address "+name, text, f.Environment.ErrorChannel)
}

// namedBy says what of a flow names a destination: its configuration, or else a
// handler.
func (n Notify) namedBy(ctx context.Context, f *flow.Flow, to Address) (string, error) {
	lists := map[string][]flow.Notify{"approval.notify": f.Params.Approval.Notify}
	if b := f.Params.BreakGlass; b != nil {
		lists["break_glass.notify"] = b.Notify
	}
	for _, attribute := range slices.Sorted(maps.Keys(lists)) {
		for i, each := range lists[attribute] {
			path := fmt.Sprintf("%s[%d]", attribute, i)
			switch {
			case to.Channel != "" && strings.EqualFold(each.Channel, to.Channel):
				place, err := placeOf(ctx, n.Flows, f, path+".channel")
				return "its " + path + " names" + place, err
			case to.Channel == "" && namesAll(each.Users, to.Users):
				place, err := placeOf(ctx, n.Flows, f, path+".users[0]")
				return "its " + path + " names" + place, err
			}
		}
	}
	for _, handler := range []string{flow.HandlerNotifications, flow.HandlerApprovers} {
		if code := f.Implementation; code.Defines(handler) {
			return "its " + handler + " (" + code.Name + ") names", nil
		}
	}
	return "an earlier version of it named", nil
}

// namesAll tells whether these addresses are those of all of these people.
func namesAll(emails []string, people []flow.Actor) bool {
	return len(people) > 0 && !slices.ContainsFunc(people, func(who flow.Actor) bool {
		return !slices.ContainsFunc(emails, func(email string) bool { return strings.EqualFold(email, who.Email) })
	})
}
