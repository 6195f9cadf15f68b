package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// erase asks for a person to be erased. On this machine the server then does it, for only
// it writes runs; in AWS this command does.
func erase(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local erase", out)
	at := placeFlags(set)
	pending := set.Bool("pending", false, "list the erasures that are under way, and what they wait for; with -outputs, go on with them first")
	given, err := leading(set, args, 1)
	if err != nil {
		return err
	}
	if (len(given) == 0) != *pending {
		return errors.New("erase wants the person's e-mail address, or -pending")
	}
	db, err := at.open(ctx, settings)
	if err != nil {
		return err
	}
	defer db.Close()
	all := store.Erasures{Store: db.Store, Org: db.settings.Org, Now: time.Now}
	as := ""
	if !*pending {
		asked, err := all.Ask(ctx, given[0], flow.Author{By: db.by, At: time.Now()})
		if err != nil {
			return said(err)
		}
		as = asked.Pseudonym
		if !at.inAWS() {
			fmt.Fprintf(out, "%s is erased by the server within a minute, or when it is started next, and is called %s from then on; -pending shows what is not done yet\n", given[0], as)
			return nil
		}
		fmt.Fprintf(out, "%s is called %s from now on\n", given[0], as)
	}
	if at.inAWS() {
		if err := all.Work(ctx); err != nil {
			return fmt.Errorf("%w: nothing is lost, -pending goes on", said(err))
		}
	}
	list, err := all.Pending(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		state := "is being erased"
		if n := len(e.Waiting); n > 0 && e.Kind == "" {
			state = fmt.Sprintf("waits until %s of others are closed, the first of them %s", count(n, "run"), flow.ShortID(e.Waiting[0]))
			if at.inAWS() {
				state += ": erase -pending goes on then"
			}
		}
		fmt.Fprintf(out, "%s (%s) %s\n", e.Pseudonym, e.Who.Email, state)
	}
	if as != "" && !slices.ContainsFunc(list, func(e store.Erasure) bool { return e.Pseudonym == as }) {
		fmt.Fprintf(out, "%s is erased\n", given[0])
	}
	return nil
}
