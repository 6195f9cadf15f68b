package slackapp

import (
	"context"
	"slices"
	"strings"
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

// withEnd adds to a form what people are to know of the end of access before they
// ask for it: for how long sessions may go on, where that is known, and what else
// happens then.
func (a *App) withEnd(v slack.ModalViewRequest, f *flow.Flow, l flow.Lingering) slack.ModalViewRequest {
	blocks := slices.Clone(v.Blocks.BlockSet)
	for _, text := range []string{cautionsOf(f), sessionsOf(f, l, a.Now())} {
		if text != "" && len(blocks) > 0 && len(blocks) < maxViewBlocks {
			blocks = slices.Insert(blocks, 1, slack.Block(slack.NewContextBlock("", plain(text, maxText))))
		}
	}
	v.Blocks.BlockSet = blocks
	return v
}

// cautionsOf says what the end of access does besides, at the targets of a flow:
// each thing once, a line each.
func cautionsOf(f *flow.Flow) string {
	if f.Strategy == nil {
		return ""
	}
	var cautions []string
	for _, t := range f.Strategy.Targets {
		if t.Caution != "" && !slices.Contains(cautions, t.Caution) {
			cautions = append(cautions, t.Caution)
		}
	}
	return strings.Join(cautions, "\n")
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
