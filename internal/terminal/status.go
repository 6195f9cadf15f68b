package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/client"
)

// waiting are the flags of commands that can wait.
func waiting(set *flag.FlagSet) (wait *bool, timeout *time.Duration) {
	return set.Bool("wait", false, "print each change as it happens, and end with a status that says the outcome"),
		set.Duration("timeout", time.Hour, "with -wait: how long at most; the request goes on after that")
}

// status tells how a run stands, or waits for its outcome.
func (c Command) status(ctx context.Context, args []string) error {
	set, connection := c.flags("status", " RUN")
	wait, timeout := waiting(set)
	id, err := oneRun(set, args)
	if err != nil {
		return err
	}
	api, err := c.connect(connection)
	if err != nil {
		return err
	}
	if *wait {
		return c.wait(ctx, api, connection, id, api.Now().Add(*timeout))
	}
	run, err := api.Run(ctx, id)
	if err != nil {
		return err
	}
	c.show(connection, &shown{}, run, client.OutcomeOf(run, api.Now()))
	return nil
}

// oneRun reads flags and the id of a run.
func oneRun(set *flag.FlagSet, args []string) (string, error) {
	given, err := parse(set, args, 1)
	if err != nil {
		return "", err
	}
	if len(given) == 0 {
		return "", wrong("%s wants the id of a run, as request printed it", set.Name())
	}
	return given[0], nil
}

// end withdraws a request, or ends the access that has come of it.
func (c Command) end(ctx context.Context, args []string) error {
	set, connection := c.flags("end", " RUN")
	id, err := oneRun(set, args)
	if err != nil {
		return err
	}
	api, err := c.connect(connection)
	if err != nil {
		return err
	}
	run, ended, err := api.End(ctx, id)
	if err != nil {
		return c.interrupted(ctx, err, "it may have been ended: "+c.again(connection, "status", id)+" tells")
	}
	what := "there is nothing to end"
	if ended {
		what = "is being ended"
	}
	if *connection.json {
		return json.NewEncoder(c.Out).Encode(map[string]any{"run_id": run.RunID, "was": run.Status, "ended": ended})
	}
	fmt.Fprintf(c.Out, "%s was %s: %s\n", run.RunID, run.Status, what)
	return nil
}

// wait prints each change of a run until it has an outcome, or a time has come.
func (c Command) wait(ctx context.Context, api *client.Client, f connection, id string, until time.Time) error {
	var sofar shown
	run, outcome, err := api.Wait(ctx, id, until, func(run events.RunStatus) {
		c.show(f, &sofar, run, client.OutcomeOf(run, api.Now()))
	})
	id = cmp.Or(run.RunID, id)
	goesOn := fmt.Sprintf("run %s goes on without this command (%s). See how it stands: %s. Withdraw or end it: %s",
		id, cmp.Or(run.Status, "asked for"), c.again(f, "status", id), c.again(f, "end", id))
	if err != nil {
		return c.interrupted(ctx, err, goesOn)
	}
	how, bad := outcomes[outcome]
	switch {
	case !bad:
		return nil
	case outcome == client.TimedOut:
		return &Exit{how.status, how.words + ": " + goesOn}
	case outcome == client.Failed && run.Status == "deescalated":
		return &Exit{how.status, "the access is over"}
	case outcome == client.Failed:
		return &Exit{how.status, fmt.Sprintf("%s, and waits for somebody who has it tried again: %s (%s). Withdraw it: %s",
			how.words, line(run.Error.Message), run.Error.Code, c.again(f, "end", id))}
	}
	return &Exit{how.status, how.words}
}

// interrupted says what goes on where the person, or the pipeline, has ended a command.
func (c Command) interrupted(ctx context.Context, err error, what string) error {
	if ctx.Err() == nil {
		return err
	}
	return &Exit{StatusInterrupted, "interrupted: " + what}
}

// shown is how much of a run was printed already.
type shown struct {
	states  int
	failure events.AuditError
	waiting string
}

// show prints what is new about a run: a line each state, or the run as JSON.
func (c Command) show(f connection, sofar *shown, run events.RunStatus, outcome client.Outcome) {
	if *f.json {
		_ = json.NewEncoder(c.Out).Encode(struct {
			events.RunStatus
			Outcome client.Outcome `json:"outcome,omitempty"`
		}{run, outcome})
		return
	}
	states := statesOf(run)
	for _, s := range states[min(sofar.states, len(states)):] {
		fmt.Fprintln(c.Out, s)
	}
	sofar.states = max(sofar.states, len(states))
	if run.Waiting != nil && run.Waiting.Text != sofar.waiting {
		sofar.waiting = run.Waiting.Text
		fmt.Fprintf(c.Out, "%s waiting %s\n", clock(run.Waiting.Since), line(run.Waiting.Text))
	}
	if run.Error != nil && *run.Error != sofar.failure {
		sofar.failure = *run.Error
		fmt.Fprintf(c.Out, "%s error %s (%s)\n", clock(run.UpdatedAt), line(run.Error.Message), run.Error.Code)
	}
}

// statesOf gives the states that a run has been in so far, a line each: its time, its
// name, and who brought it about.
func statesOf(run events.RunStatus) []string {
	lines := []string{clock(run.CreatedAt) + " prompted"}
	state := func(e events.RunEvent, name, more string) {
		lines = append(lines, line(fmt.Sprintf("%s %s%s", clock(e.Timestamp), name, more)))
	}
	decided := run.Status == "approved" || run.Status == "escalated" || run.Status == "deescalated"
	var approval *events.RunEvent
	approved := func() {
		if approval != nil && decided {
			state(*approval, "approved", " by "+approval.Actor.Name)
			approval = nil
		}
	}
	for _, e := range run.Events {
		if e.Status != events.EventSuccess {
			continue
		}
		switch e.Name {
		case "request":
			state(e, "requested", "")
		case "approve":
			approval = &e // of several, the last one decides
		case "deny":
			state(e, "denied", " by "+e.Actor.Name)
		case "request_expire":
			state(e, "expired", "")
		case "cancel":
			state(e, "cancelled", " by "+e.Actor.Name)
		case "escalate":
			approved()
			until := ""
			if run.ExpiresAt != nil {
				until = " until " + clock(*run.ExpiresAt)
			}
			state(e, "escalated", until)
		case "deescalate":
			approved()
			if run.Status == "deescalated" {
				state(e, "deescalated", "")
			}
		}
	}
	approved()
	return lines
}
