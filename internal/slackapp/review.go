package slackapp

import (
	"context"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// viewReview is the callback id of the form that reviews an emergency.
const viewReview = "review"

// askReview opens the form in which somebody says that they have looked at what was
// done in an emergency, and what they make of it.
func (a *App) askReview(ctx context.Context, in interaction, who store.User, b pressedButton) (flow.Run, error) {
	r, err := a.Submit.Runs.Get(ctx, b.run)
	if err != nil {
		return r, err
	}
	if err := a.Submit.MayClick(ctx, r, workflow.Click{Action: flow.ActionReview, Actor: who, Channel: flow.ChannelSlack}); err != nil {
		return r, err
	}
	if err := r.Reviewable(); err != nil {
		return r, err
	}
	_, err = a.open(ctx, in.TriggerID, reviewModal(r, metadata{Run: r.ID, Via: in.via(b)}))
	return r, err
}

// reviewModal is the form that reviews an emergency.
func reviewModal(r flow.Run, m metadata) slack.ModalViewRequest {
	c := &card{message: workflow.Message{Kind: workflow.KindRequest}, Run: r}
	ended, _ := r.Last(flow.EventDeescalate)
	c.page.add(section(mention(r.Requester) + " had access to *" + safe(r.EmergencyTitle()) + "* without approval, in an emergency, until " + moment(ended.At) + "."))
	if reason := r.Reason(); reason != "" {
		for _, b := range wholeText("“" + reason + "”") {
			c.page.add(b)
		}
	}
	said := &slack.PlainTextInputBlockElement{
		Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: maxInput, Multiline: true, Placeholder: plain("For the requester, and for the record", maxPlaceholder),
	}
	c.page.add(slack.NewInputBlock(blockDecision, plain("What did you find?", maxLabel), nil, said).WithOptional(true))
	c.page.context(plain("It says that you have looked at what was done with the access. It neither approves nor undoes it.", maxText))
	return modal(viewReview, "Review emergency", "Reviewed", m, c.page.blocks)
}

// reviewed takes the form that reviews an emergency.
func (a *App) reviewed(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	m := metadataOf(in.View)
	said, _ := valuesOf(in.View)[blockDecision].(string)
	_, _, err = a.Submit.Click(ctx, workflow.Click{
		RunID: m.Run, Action: flow.ActionReview, Actor: who, Channel: flow.ChannelSlack, Via: m.Via, Message: strings.TrimSpace(said),
	})
	return nil, err
}

// noEmergency says in a form, in place of the box, what keeps somebody from an
// emergency, with a link to the earlier one that does.
func (a *App) noEmergency(ctx context.Context, who store.User, err error) slack.Block {
	said := []slack.MixedElement{plain("Emergency: "+flow.UserMessage(err), maxText)}
	if blocked, ok := errors.AsType[*workflow.Blocked](err); ok {
		link := ""
		if blocked.By.AwaitsReview() { // those who may review it find the button there
			link = a.linkToOne(ctx, blocked.By, func(m workflow.Message, channel string) bool { return m.Copy == 0 && asksChannel(m, channel) })
		}
		if link == "" {
			link = a.linkTo(ctx, who, blocked.By)
		}
		if link != "" {
			said = append(said, mrkdwn("<"+link+"|Go to its message>", maxText))
		}
	}
	return slack.NewContextBlock("", said...)
}

// review says who has looked at what was done in an emergency, or that it is still to
// be done; "" if there is nothing to review.
func (c *card) review() string {
	switch {
	case c.AwaitsReview():
		return "👀 *Not reviewed yet*: somebody else who may approve has to press Reviewed. Until then " + mention(c.Requester) + " can't take access without approval again."
	case c.BreakGlass != nil && c.BreakGlass.Review != nil:
		return "👀 *Reviewed* by " + mention(c.BreakGlass.Review.Actor) + ", " + moment(c.BreakGlass.Review.At)
	}
	return ""
}
