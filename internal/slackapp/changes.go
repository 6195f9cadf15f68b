package slackapp

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// askChanges opens the form in which an approver gives something else than is asked
// for. Nothing is decided before that is sent, and everything is looked at again then.
func (a *App) askChanges(ctx context.Context, in interaction, who store.User, b pressedButton) (flow.Run, error) {
	r, err := a.Submit.Runs.Get(ctx, b.run)
	if err != nil {
		return r, err
	}
	if err := a.Submit.MayClick(ctx, r, workflow.Click{Action: flow.ActionApprove, Actor: who, Channel: flow.ChannelSlack}); err != nil {
		return r, err
	}
	if now, err := r.AskedFor(); err != nil || b.seen != now || r.Status != flow.Requested {
		// It says why: by somebody's decision, or because it reads otherwise now.
		return r, a.Submit.Outdated(r, b.seen)
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	offer := f.Offer(r)
	if offer.Empty() {
		return r, flow.Errorf(flow.CodeInvalid, "there is nothing else that could be given: approve it as it is asked for, or deny it")
	}
	_, err = a.open(ctx, in.TriggerID, changeModal(f, r, offer, metadata{Run: r.ID, Flow: f.Name, Version: f.Version, Via: in.via(b), Seen: b.seen}))
	return r, err
}

// changeModal is the form of what an approval gives. What is asked for is chosen in it
// already.
func changeModal(f *flow.Flow, r flow.Run, offer flow.Offer, m metadata) slack.ModalViewRequest {
	c := card{Run: r}
	blocks := []slack.Block{section(c.asks("asks for "+c.wish()) + ". What you choose here is given in its place; what was asked for stays in the record.")}
	if len(offer.Targets) > 0 {
		now := targetChoice(f, *r.GivenTarget())
		all := []choice{now}
		for _, t := range offer.Targets {
			all = append(all, targetChoice(f, t))
		}
		p, _ := f.Field(flow.FieldNameTarget)
		blocks = append(blocks, slack.NewInputBlock(flow.FieldNameTarget, plain(p.Title(), maxLabel), nil, selector(all, []choice{now}, "Choose", actionValue, maxOptions)))
	}
	if len(offer.Durations) > 0 {
		var all []choice
		for _, d := range append(offer.Durations, r.GivenDuration()) {
			all = append(all, choice{value: strconv.FormatInt(int64(d/time.Second), 10), label: flow.Words(d)})
		}
		p, _ := f.Field(flow.FieldNameDuration)
		blocks = append(blocks, slack.NewInputBlock(flow.FieldNameDuration, plain(p.Title(), maxLabel), nil, selector(all, all[len(all)-1:], "Choose", actionValue, maxOptions)))
	}
	if r.Form.IncludeDecision {
		in := &slack.PlainTextInputBlockElement{
			Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: maxInput, Multiline: true,
			Placeholder: plain("For the requester, and for the record", maxPlaceholder),
		}
		blocks = append(blocks, slack.NewInputBlock(blockDecision, plain("Decision message", maxLabel), nil, in).WithOptional(true))
	}
	if r.Deciders.Required > 1 && len(r.Approvals) > 0 && len(offer.Targets) > 0 {
		blocks = append(blocks, slack.NewContextBlock("", plain("With another target, the approvals so far do not count any more: those who gave them are asked anew.", maxText)))
	}
	return modal(viewChange, "Approve with changes", "Approve", m, blocks)
}

// searchOffer finds targets that an approver may give.
func (a *App) searchOffer(ctx context.Context, in interaction, m metadata) (offered, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return offered{}, err
	}
	r, err := a.Submit.Runs.Get(ctx, m.Run)
	if err != nil || in.BlockID != flow.FieldNameTarget {
		return offered{}, err
	}
	if err := a.Submit.MayClick(ctx, r, workflow.Click{Action: flow.ActionApprove, Actor: who, Channel: flow.ChannelSlack}); err != nil {
		return offered{}, err
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil || r.GivenTarget() == nil {
		return offered{}, err
	}
	all := []choice{targetChoice(f, *r.GivenTarget())}
	for _, t := range f.Offer(r).Targets {
		all = append(all, targetChoice(f, t))
	}
	return search(all, in.Value), nil
}

// changed takes the form of what an approval gives.
func (a *App) changed(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	m, values := metadataOf(in.View), valuesOf(in.View)
	c := workflow.Click{RunID: m.Run, Action: flow.ActionApprove, Actor: who, Channel: flow.ChannelSlack, Via: m.Via, Seen: m.Seen}
	c.Target, _ = values[flow.FieldNameTarget].(string)
	if s, _ := values[flow.FieldNameDuration].(string); s != "" {
		seconds, err := strconv.ParseInt(s, 10, 32)
		if err != nil || seconds <= 0 {
			return nil, flow.Errorf(flow.CodeInvalid, "this is no duration of the form: choose one of them")
		}
		c.Duration = time.Duration(seconds) * time.Second
	}
	message, _ := values[blockDecision].(string)
	c.Message = strings.TrimSpace(message)
	if c.Seen == "" {
		return nil, flow.Errorf(flow.CodeForbidden, "this form is not one of ours, so that it does not count")
	}
	_, _, err = a.Submit.Click(ctx, c)
	return nil, err
}

// yours says to the person whom a status is for what they asked for, or what somebody
// asked for them.
func (c *card) yours() string {
	switch {
	case c.ByAgent():
		return "🤖 Your agent *" + c.agent() + "* asked for " + c.below() + ", *for you*. Somebody else has to approve it. If you don't want it, end it; if it should not ask any more, shut the agent out."
	case !c.OnBehalf():
		return "You asked for " + c.below() + "."
	case c.message.Kind == workflow.KindAsker:
		return "You asked for " + c.wish() + ", for " + mention(c.Requester) + "."
	}
	return mention(*c.Asker) + " asked for " + c.wish() + ", *for you*. If you don't want it, cancel it."
}

// changes says what is given in place of what is asked for, and which request this one
// repeats: each in a line of its own, after what is asked for.
func (c *card) changes() string {
	text := ""
	if c.Repeats != "" {
		text += "\n🔁 Asked for again, after request `" + shortID(flow.Run{ID: c.Repeats}) + "`."
	}
	if !c.OtherThanAsked() && c.GivenDuration() == c.Duration() {
		return text
	}
	var what []string
	if c.OtherThanAsked() {
		what = append(what, "access to *"+safe(c.what())+"*")
	}
	if d := c.GivenDuration(); d != c.Duration() {
		what = append(what, "for *"+flow.Words(d)+"*")
	}
	if c.broke() { // nobody has changed it: the flow allows no longer one
		return text + "\n✂️ Given for *" + flow.Words(c.GivenDuration()) + "*, the longest that the flow gives in an emergency."
	}
	text += "\n✂️ *Given in its place*: " + strings.Join(what, " ")
	if by := c.changer(); by.Kind == flow.KindPerson {
		text += ", by " + mention(by)
	}
	return text + "."
}

// changer is who changed last what is given.
func (c *card) changer() flow.Actor {
	var who flow.Actor
	for _, e := range c.Events {
		if e.Given != nil && e.Name == flow.EventApprove {
			who = e.Actor
		}
	}
	return who
}

// voided tells an approver that an approval of theirs does not count any more.
func (c *card) voided(flow.Event) string {
	text := "↩️ *Your approval does not count any more*: " + mention(c.changer()) + " gives *" + safe(c.what()) + "* in place of what you approved, for " + mention(c.Requester) + "."
	c.page.add(section(text + "\nRead the request once more, and approve it anew if you agree."))
	return "Your approval of the request of " + safe(c.Requester.Display()) + " does not count any more: another target is given"
}
