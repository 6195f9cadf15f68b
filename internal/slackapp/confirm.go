package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// buttonConfirm is the action id of the button by which an admin confirms what a
// notice tells of.
const buttonConfirm = "confirm_account"

// all is the value of a button that confirms all accounts.
const all = "all"

func confirmButton(what store.Confirmable) slack.BlockElement {
	if what.All {
		return button(buttonConfirm, all, "Confirm all", slack.StyleDanger, "All addresses that wait now are given to the accounts that claim them, as those of the same people.")
	}
	a := what.Account
	value := strings.Join([]string{what.Person, string(a.Realm), a.Space, a.ID}, separatorOfKeys)
	return button(buttonConfirm, value, "Confirm", slack.StyleDanger, "The account gets what the configuration gives to the address.")
}

// readConfirmable reads a button's value; false for any that is not of ours.
func readConfirmable(value string) (store.Confirmable, bool) {
	if value == all {
		return store.Confirmable{All: true}, true
	}
	parts := strings.Split(value, separatorOfKeys)
	if len(parts) != 4 || slices.Contains(parts, "") {
		return store.Confirmable{}, false
	}
	return store.Confirmable{Person: parts[0], Account: store.Account{Realm: store.Realm(parts[1]), Space: parts[2], ID: parts[3]}}, true
}

// confirm takes the button of a notice. What became of it stands in the notice's
// place.
func (a *App) confirm(ctx context.Context, in interaction, value string) {
	said, err := guard(ctx, a, func(ctx context.Context) (string, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return "", err
		}
		what, ok := readConfirmable(value)
		if !ok || !in.Message.isNotice(value) {
			return "", flow.Errorf(flow.CodeForbidden, "this button is not one of the message that it is in, so that it does not count")
		}
		who, err := a.Directory.User(ctx, in.User.ID) // as they are now: nobody looks at it again
		if err != nil {
			return "", err
		}
		done, err := a.Accounts.ByAdmin(ctx, who, what)
		for _, c := range done {
			a.Log.InfoContext(ctx, "account confirmed", "by", who.SlackID, "person", c.ID, "account", c.Account.String(), "former", c.Former.String())
		}
		if what.All && errors.Is(err, context.DeadlineExceeded) {
			err = flow.Errorf(flow.CodeBusy, "%s confirmed so far: the others are when they are seen next, or press the button once more", count(len(done), "account"))
		}
		return confirmed(what, done, who), err
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+buttonConfirm, err))
		return
	}
	a.tell(ctx, in, said)
	a.settled(ctx, in, said)
}

// confirmed says what was confirmed.
func confirmed(what store.Confirmable, done []store.Claim, who store.User) string {
	if what.All {
		return fmt.Sprintf("Addresses of people who moved belong to their new Slack accounts: %s confirmed by %s.", count(len(done), "account"), who.Display())
	}
	var lines []string
	for _, c := range done {
		lines = append(lines, fmt.Sprintf("The address %s belongs to %s (%s) now, and not to %s: confirmed by %s.", c.Email, c.Display(), c.Account, c.Former, who.Display()))
	}
	return strings.Join(lines, "\n")
}

// settled replaces a notice whose button was pressed.
func (a *App) settled(ctx context.Context, in interaction, text string) {
	if in.Container.MessageTS == "" || in.Container.IsEphemeral {
		return
	}
	ctx, cancel := a.within(ctx, sorryTime)
	defer cancel()
	m := Messenger{a.API}
	body, err := m.RenderNotice(store.Notice{Text: text})
	if err == nil {
		err = m.Edit(ctx, in.Container.ChannelID, in.Container.MessageTS, body)
	}
	if err != nil {
		a.Log.WarnContext(ctx, "notice was not edited", "error", err)
	}
}
