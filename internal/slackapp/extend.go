package slackapp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// aboutMore tells whether an event is about more time for access.
func aboutMore(name flow.EventName) bool {
	switch name {
	case flow.EventExtendRequest, flow.EventExtend, flow.EventExtendDeny, flow.EventExtendExpire:
		return true
	}
	return false
}

// moreTime says by how much an event is to have access end later, or has.
func moreTime(e flow.Event) string {
	var seconds int64
	switch n := e.Fields[flow.KeyExtendBy].(type) {
	case int64:
		seconds = n
	case float64: // as stored
		seconds = int64(n)
	}
	if seconds <= 0 {
		return "more time"
	}
	return flow.Words(time.Duration(seconds)*time.Second) + " more"
}

// byWhom says who has granted more time; nobody where the flow asks nobody.
func byWhom(e flow.Event) string {
	switch {
	case e.Channel == flow.ChannelSDK:
		return "by a rule of the flow"
	case e.Actor.Kind == flow.KindSystem:
		return "as the flow allows without asking"
	}
	return "by " + mention(e.Actor)
}

// endsNow says when access ends by an event that has extended it.
func endsNow(e flow.Event) string {
	at := expiry(e)
	if at.IsZero() {
		return ""
	}
	return ": it lasts until " + moment(at)
}

// expiry is when access was to end as an event left it; zero if somebody ends it.
func expiry(e flow.Event) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text(e.Fields[flow.KeyExpiresAt]))
	if err != nil {
		return time.Time{}
	}
	return at
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// askMore opens the form that asks for how much longer, and why. It is authorised
// once more when it is submitted.
func (a *App) askMore(ctx context.Context, in interaction, button pressed) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		b := readButton(button.Value) // in a list it is the run alone
		if _, known := messageOf(b.key); button.ActionID == string(flow.ButtonMore) && (!known || !in.shows(b)) {
			return nil, errStray
		}
		who, r, err := a.mayExtend(ctx, in, b.run)
		if err != nil {
			return nil, err
		}
		by, err := r.Extendable(a.Now())
		if err != nil {
			return nil, err
		}
		_, err = a.open(ctx, in.TriggerID, moreModal(r, by, who.Actor))
		return nil, err
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+button.ActionID, err))
	}
}

// mayExtend reads a run, if the person may ask for more time of it.
func (a *App) mayExtend(ctx context.Context, in interaction, id string) (store.User, flow.Run, error) {
	if err := a.ours(ctx, in.origin()); err != nil {
		return store.User{}, flow.Run{}, err
	}
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return who, flow.Run{}, err
	}
	r, err := a.Submit.Runs.Get(ctx, id)
	if err == nil {
		err = workflow.MayClick(r, workflow.Click{Action: flow.ActionExtendRequest, Actor: who, Channel: flow.ChannelSlack})
	}
	return who, r, err
}

// moreModal is the form that asks for how much longer, and why.
func moreModal(r flow.Run, by []time.Duration, who flow.Actor) slack.ModalViewRequest {
	c := card{Run: r}
	what := "Your access to " + c.what()
	if !r.Requester.Is(who) {
		what = "The access of " + r.Requester.Display() + " to " + c.what()
	}
	var all []choice
	for _, d := range by {
		all = append(all, choice{value: strconv.FormatInt(int64(d/time.Second), 10), label: flow.Words(d)})
	}
	why := slack.NewPlainTextInputBlockElement(plain("What is left to do", maxPlaceholder), actionValue)
	why.Multiline, why.MaxLength = true, maxReason
	decides := "Until somebody has approved it, the access ends when it was to end."
	if r.Unasked() {
		decides = "The access ends so much later at once: nobody is asked."
	}
	blocks := []slack.Block{
		slack.NewSectionBlock(mrkdwn(safe(what)+" ends "+moment(r.Access.End)+".", maxText), nil, nil),
		slack.NewInputBlock(blockMore, plain("How much longer", maxLabel), nil, selector(all, all[:1], "Choose", actionValue, maxOptions)),
		slack.NewInputBlock(blockWhy, plain("Why", maxLabel), nil, why).WithOptional(true),
		slack.NewContextBlock("", plain(decides, maxText)),
	}
	return modal(viewMore, "Extend access", "Ask", metadata{Run: r.ID}, blocks)
}

// maxReason bounds what is written as the reason of an extension, in characters.
const maxReason = 500

// wished takes the form that asks for more time.
func (a *App) wished(ctx context.Context, in interaction) (any, error) {
	who, r, err := a.mayExtend(ctx, in, metadataOf(in.View).Run)
	if err != nil {
		return nil, err
	}
	values := valuesOf(in.View)
	seconds, err := strconv.ParseInt(text(values[blockMore]), 10, 64)
	if err != nil || seconds <= 0 || seconds > int64((1<<62)/time.Second) {
		return nil, &flow.Error{Code: flow.CodeInvalid, Message: "the form is not right", Fields: []flow.FieldError{{Field: blockMore, Message: "must be one of those offered"}}}
	}
	r, _, err = a.Submit.Extend(ctx, workflow.MoreTime{
		RunID: r.ID, By: time.Duration(seconds) * time.Second, Reason: strings.TrimSpace(text(values[blockWhy])),
		Actor: who, Channel: flow.ChannelSlack, Key: "view " + in.View.ID,
	})
	if err != nil {
		return nil, err
	}
	return nil, nil
}

// toDecide mentions those who have to decide on the more time that an event asks for,
// where they are named: a reply is told only to those whom it mentions.
func (c *card) toDecide(e flow.Event) string {
	people := workflow.AskedForMore(c.Run, c.message, e)
	if len(people) == 0 {
		return ""
	}
	return mentions(people) + ": "
}

// wished says who asks for how much more time and why, and how many have approved it.
func (c *card) wished(x flow.Extension) string {
	text := mention(x.Actor) + " asks for *" + flow.Words(x.By()) + " more*"
	if x.Reason != "" {
		text += ": " + escape(c.cut(x.Reason, maxReason))
	}
	if c.Deciders.Required > 1 {
		text += fmt.Sprintf(" (%d of %d approvals)", len(x.Approvals), c.Deciders.Required)
	}
	return text
}
