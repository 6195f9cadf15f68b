package app

import (
	"context"
	"fmt"
	"io"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// standing confirms what a deployment on this machine holds back. In AWS, the
// function of that name is invoked for it.
func standing(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] != "confirm" {
		return fmt.Errorf("standing wants the word confirm: local standing confirm")
	}
	set := flags("local standing confirm", out)
	data := set.String("data", ".local", dataUsage)
	if err := parse(set, args[1:]); err != nil {
		return err
	}
	db, err := openState(*data)
	if err != nil {
		return err
	}
	defer db.Close()
	clock, err := openClock(core.WallClock{}, *data)
	if err != nil {
		return err
	}
	people, err := store.Rounds{Store: db}.Confirm(ctx, flow.Author{By: flow.Operator, At: clock.Now()})
	switch {
	case err != nil:
		return err
	case people == 0:
		fmt.Fprintln(out, "nothing is held back")
	default:
		fmt.Fprintf(out, "the access of %d people who were deactivated in Slack ends at the next looks, within minutes\n", people)
	}
	return nil
}
