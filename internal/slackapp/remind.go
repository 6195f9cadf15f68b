package slackapp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// reminder reminds people to act; the mark says of what.
func (c *card) reminder(mark string) (string, error) {
	what := "*" + safe(c.what()) + "*"
	var text string
	switch of, _, _ := strings.Cut(mark, "."); {
	case of == string(flow.RemindRequester) && c.Access != nil:
		text = "⏰ " + mention(c.Requester) + ", your access to " + what + " ends " + moment(c.Access.End) + "."
		if slices.Contains(c.Buttons(flow.SideRequester), flow.ButtonMore) {
			text += " Need longer? Press Extend… above."
		}
	case of == string(flow.RemindReviewers):
		text = "⏰ " + c.called() + mention(c.Requester) + " had access to " + what + " without approval, and for a day nobody has reviewed that. " + c.anybody("press Reviewed…")
	case of == string(flow.RemindDeciders) && c.Tier < len(c.Tiers):
		text = "⏰ " + c.called() + "The request of " + c.whose() + " for " + what + " still waits for a decision"
		if ends := c.Tiers[c.Tier].Ends(); !ends.IsZero() {
			text += ", until " + moment(ends)
		}
		text += ". " + c.anybody("approve or deny it")
	default:
		return "", fmt.Errorf("%q is not what people are reminded of", mark)
	}
	c.page.add(section(text))
	return c.notification(text), nil
}

// called mentions those who have to act, where they are named.
func (c *card) called() string {
	people := workflow.Reminded(c.Run, c.message)
	if len(people) == 0 {
		return ""
	}
	return mentions(people) + ": "
}

// anybody says who has to act, where a reminder mentions nobody because all may.
func (c *card) anybody(do string) string {
	if c.Deciders.Members && len(workflow.Reminded(c.Run, c.message)) == 0 {
		return "Any other member of the workspace may " + do + " above."
	}
	return strings.ToUpper(do[:1]) + do[1:] + " above."
}
