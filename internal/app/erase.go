package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// erase asks for a person to be erased from the state on this machine, which the
// server then does: only it writes runs.
func erase(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	c := newPeopleCommand("local erase", settings, out)
	pending := c.set.Bool("pending", false, "list the erasures that are under way, and what they wait for")
	email, err := c.email(args)
	if err != nil {
		return err
	}
	switch {
	case *c.url != "":
		return errors.New("people of a deployment in AWS can't be erased by this command yet: it works on the state of this machine, by -data")
	case email == "" && !*pending:
		return errors.New("erase wants the person's e-mail address, or -pending")
	}
	db, err := openState(*c.data)
	if err != nil {
		return err
	}
	defer db.Close()
	all := store.Erasures{Store: db, Org: settings.Org, Now: time.Now}
	if !*pending {
		asked, err := all.Ask(ctx, email, flow.Author{By: flow.Operator, At: time.Now()})
		if err != nil {
			return said(err)
		}
		fmt.Fprintf(out, "%s is erased by the server within a minute, or when it is started next, and is called %s from then on; -pending shows what is not done yet\n", email, asked.Pseudonym)
		return nil
	}
	list, err := all.Pending(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		state := "is being erased"
		if n := len(e.Waiting); n > 0 && e.Kind == "" {
			state = fmt.Sprintf("waits until %s of others are closed, the first of them %s", count(n, "run"), flow.ShortID(e.Waiting[0]))
		}
		fmt.Fprintf(out, "%s (%s) %s\n", e.Pseudonym, e.Who.Email, state)
	}
	return nil
}
