package slackapp

import (
	"context"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// lingering reads for how long sessions at a flow's targets go on after access. A
// form is opened without it too.
func (a *App) lingering(ctx context.Context, flowName string) flow.Lingering {
	l, err := a.Lingering.Get(ctx, flowName)
	if err != nil {
		a.Log.WarnContext(ctx, "a form does not say how long sessions go on", "flow", flowName, "error", err)
	}
	return l
}

// withSessions adds to a form for how long sessions may go on after access, where
// that is known.
func (a *App) withSessions(v slack.ModalViewRequest, f *flow.Flow, l flow.Lingering) slack.ModalViewRequest {
	text := sessionsOf(f, l, a.Now())
	if text == "" || len(v.Blocks.BlockSet) == 0 || len(v.Blocks.BlockSet) >= maxViewBlocks {
		return v
	}
	v.Blocks.BlockSet = slices.Insert(slices.Clone(v.Blocks.BlockSet), 1, slack.Block(slack.NewContextBlock("", plain(text, maxText))))
	return v
}

// sessionsOf says for how long sessions at the targets of a flow may go on. It
// returns "" if they don't, or that is not known of any.
func sessionsOf(f *flow.Flow, l flow.Lingering, now time.Time) string {
	if f.Strategy == nil {
		return ""
	}
	longest, same, all := l.Longest(f.Strategy, now)
	switch {
	case longest == 0:
		return ""
	case all && same:
		return sessionsFor(longest)
	case all:
		return "Sessions opened with this access may go on after it ends: for up to " + flow.Words(longest) + ", depending on the target."
	}
	return "Sessions opened with this access may go on after it ends: at some of the targets for up to " + flow.Words(longest) + "."
}

// sessionsFor says for how long sessions at one target may go on.
func sessionsFor(d time.Duration) string {
	return "Sessions opened with this access may go on for up to " + flow.Words(d) + " after it ends."
}
