package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/workflow"
)

// refusals is what Slack refuses us, and why, until it takes us again.
type refusals struct {
	mu  sync.Mutex
	why map[string]error
}

// What may be refused.
const (
	theToken      = "the bot token"
	theConnection = "the connection"
)

// note keeps why something is refused; nil says that it is not any more.
func (r *refusals) note(what string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == nil {
		r.why = map[string]error{}
	}
	r.why[what] = why
}

// Err says what is refused; nil if nothing is.
func (r *refusals) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []error
	for _, what := range slices.Sorted(maps.Keys(r.why)) {
		all = append(all, r.why[what])
	}
	return errors.Join(all...)
}

// askAgain is how long Slack is left alone that refused us.
const askAgain = 30 * time.Second

// withoutSlack lets a start go on that Slack refuses, for access to end, and
// asks Slack again until it takes the token. Who it serves it knows by those who
// hold access. With nothing live, the refusal is returned.
func (l *Local) withoutSlack(ctx context.Context, api *slack.Client, refusal error) (team string, err error) {
	team, live, err := l.liveIn(ctx)
	if err != nil || !live {
		return "", errors.Join(refusal, err)
	}
	l.options.Log.ErrorContext(ctx, "Slack refuses us: access that was granted ends as planned, by its time and by the API, and Slack is asked again and again", "error", refusal)
	l.refused.note(theToken, refusal)
	l.Engine.Every("asking Slack again", askAgain, func(ctx context.Context) error {
		if l.refused.Err() == nil {
			return nil
		}
		served, err := slackapp.Workspace(ctx, api)
		if err == nil && served != team {
			err = flow.Errorf(flow.CodeUnreachable, "Slack takes the bot token again, of %s: start once more to serve it", served)
		}
		l.refused.note(theToken, err)
		return nil
	})
	return team, nil
}

// liveIn says whether there is access that has to be taken away, and in which
// workspace or organisation people have it; "" if they are not known to Slack.
func (l *Local) liveIn(ctx context.Context) (team string, live bool, err error) {
	for r, err := range workflow.Live(ctx, l.Runs) {
		if err != nil {
			return "", live, err
		}
		live = true
		who := []flow.Actor{r.Requester, r.Approver()}
		for _, counted := range r.Approvals {
			who = append(who, counted.Actor)
		}
		for _, a := range who {
			if a.SlackTeam != "" {
				return a.SlackTeam, true, nil
			}
		}
	}
	return "", live, nil
}

// stayConnected serves Socket Mode. While access is live it outlasts a Slack that
// refuses the connection; with nothing live, the refusal is returned.
func (l *Local) stayConnected(ctx context.Context, a *slackapp.App) error {
	for {
		refusal := a.ServeSocket(ctx)
		if refusal == nil || ctx.Err() != nil {
			return refusal
		}
		if _, live, err := l.liveIn(ctx); err != nil || !live {
			return errors.Join(refusal, err)
		}
		again := make(chan struct{})
		l.Engine.At("connecting to Slack again", l.clock.Now().Add(askAgain), func(context.Context) { close(again) })
		l.refused.note(theConnection, refusal)
		l.options.Log.ErrorContext(ctx, "Slack refuses the connection: access that was granted ends as planned, and Slack is asked again and again", "error", refusal)
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		}
	}
}
