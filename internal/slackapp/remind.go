package slackapp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
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
		text = "⏰ " + c.reviewers() + mention(c.Requester) + " had access to " + what + " without approval, and for a day nobody has reviewed that. Press Reviewed… above."
	case of == string(flow.RemindDeciders) && c.Tier < len(c.Tiers):
		text = "⏰ " + c.whom() + "The request of " + mention(c.Requester) + " for " + what + " still waits for a decision"
		if ends := c.Tiers[c.Tier].Ends(); !ends.IsZero() {
			text += ", until " + moment(ends)
		}
		text += ". Approve or deny it above."
	default:
		return "", fmt.Errorf("%q is not what people are reminded of", mark)
	}
	c.page.add(section(text))
	return c.notification(text), nil
}

// reviewers mentions those who may review an emergency, where they are named.
func (c *card) reviewers() string {
	people := slices.DeleteFunc(slices.Clone(c.Deciders.People), c.Asks)
	if c.Deciders.Members || len(people) == 0 {
		return ""
	}
	return mentions(people) + ": "
}

// whom mentions those who may decide and have not, where they are named: they are the
// ones who have to act.
func (c *card) whom() string {
	people := slices.DeleteFunc(slices.Clone(c.Deciders.People), func(who flow.Actor) bool {
		approved := slices.ContainsFunc(c.Approvals, func(a flow.CountedApproval) bool { return a.Actor.Same(who) })
		return approved || c.Asks(who) && !c.Deciders.AllowSelfApproval
	})
	if c.Deciders.Members || len(people) == 0 {
		return ""
	}
	return mentions(people) + ": "
}
