package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Messenger posts and edits messages in Slack.
type Messenger struct {
	API *slack.Client // required
}

var _ workflow.Messenger = Messenger{}

// Render implements [workflow.Messenger] by the function of that name.
func (Messenger) Render(m workflow.Message, r flow.Run) ([]byte, error) { return Render(m, r) }

// RenderNotice implements [workflow.Messenger].
func (Messenger) RenderNotice(n store.Notice) ([]byte, error) {
	var p page
	text := escape(fit(n.Text, maxText)) // it says at its end what to do
	p.add(section(text))
	if n.Confirms != nil {
		p.buttons(confirmButton(*n.Confirms))
	}
	return p.message(text)
}

// maxGroup is how many people share a group message: Slack allows eight, the
// bot included (docs.slack.dev/reference/methods/conversations.open).
const maxGroup = 7

// Post sends a message to a channel, to one person, or to a group of two to
// seven people. A reply whose thread is gone stands by itself.
func (m Messenger) Post(ctx context.Context, to workflow.Address, body []byte) (channel, ts string, err error) {
	if to.Step != "" {
		return "", "", m.completeStep(ctx, to.Step, body)
	}
	message, err := content(body)
	if err != nil {
		return "", "", err
	}
	if to.Channel != "" && len(to.Users) == 1 && to.Users[0].SlackID != "" && !strings.HasPrefix(to.Channel, "D") {
		_, err := m.API.PostEphemeralContext(ctx, to.Channel, to.Users[0].SlackID, message)
		if err = delivery(err, to.Channel); flow.CodeOf(err) != flow.CodeUndeliverable {
			return to.Channel, "", err // an ephemeral message can't be edited, so it has no place
		}
		to.Channel = "" // they can't be reached there
	}
	where := to.Channel
	switch {
	case where != "" && len(to.Users) != 1:
	case len(to.Users) == 1 && slackIDPattern.MatchString(to.Users[0].SlackID):
		where = to.Users[0].SlackID // Slack opens the conversation, which saves a call
	default:
		if where, err = m.open(ctx, to.Users); err != nil {
			return "", "", err
		}
	}
	below := message
	if to.Thread != "" {
		below = slack.MsgOptionCompose(message, slack.MsgOptionTS(to.Thread))
	}
	if to.Aloud {
		below = slack.MsgOptionCompose(below, slack.MsgOptionBroadcast())
	}
	channel, ts, err = m.API.PostMessageContext(ctx, where, below)
	refused, _ := errors.AsType[slack.SlackErrorResponse](err)
	switch {
	case refused.Err == "channel_not_found" && where != to.Channel && len(to.Users) == 1: // what is the matter is said by this one
		if where, err = m.open(ctx, to.Users); err != nil {
			return "", "", err
		}
		channel, ts, err = m.API.PostMessageContext(ctx, where, message)
	case to.Thread != "" && (refused.Err == "thread_not_found" || refused.Err == "cannot_reply_to_message"):
		channel, ts, err = m.API.PostMessageContext(ctx, where, message)
	}
	return channel, ts, delivery(err, addressee(to))
}

// open finds the conversation of the bot with people.
func (m Messenger) open(ctx context.Context, people []flow.Actor) (string, error) {
	var ids []string
	for _, a := range people {
		if a.SlackID != "" {
			ids = append(ids, a.SlackID)
		}
	}
	switch {
	case len(ids) == 0:
		return "", flow.Errorf(flow.CodeUndeliverable, "none of the people to ask is in this Slack workspace: check the e-mail addresses in the flow's approval.notify")
	case len(ids) > maxGroup:
		return "", flow.Errorf(flow.CodeUndeliverable, "a Slack group message reaches at most %d people, not %d: name fewer in the flow's approval.notify, or a channel", maxGroup, len(ids))
	}
	c, _, _, err := m.API.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: ids})
	if err != nil {
		return "", delivery(err, addressee(workflow.Address{Users: people}))
	}
	return c.ID, nil
}

// Edit replaces a message.
func (m Messenger) Edit(ctx context.Context, channel, ts string, body []byte) error {
	message, err := content(body)
	if err != nil {
		return err
	}
	_, _, _, err = m.API.UpdateMessageContext(ctx, channel, ts, message)
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch refused.Err {
		// It was deleted, or can't be edited any more.
		case "message_not_found", "cant_update_message", "edit_window_closed":
			return nil
		}
	}
	return delivery(err, channel)
}

// content turns a rendered message into arguments of chat.postMessage and
// chat.update. Nothing in it is parsed for links or mentions, nor unfurled.
func content(body []byte) (slack.MsgOption, error) {
	var message struct {
		Text   string       `json:"text"`
		Blocks []asRendered `json:"blocks"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	blocks := make([]slack.Block, len(message.Blocks))
	for i, b := range message.Blocks {
		blocks[i] = b
	}
	return slack.MsgOptionCompose(
		slack.MsgOptionText(message.Text, false), slack.MsgOptionBlocks(blocks...),
		slack.MsgOptionParse(false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	), nil
}

// asRendered is a block that is sent as Render has written it.
type asRendered struct{ json.RawMessage }

// BlockType implements slack.Block. What it is stands in the block.
func (asRendered) BlockType() slack.MessageBlockType { return "" }

// ID implements slack.Block.
func (asRendered) ID() string { return "" }

// addressee is how an error speaks of an address.
func addressee(to workflow.Address) string {
	if to.Channel != "" {
		return to.Channel
	}
	var names []string
	for _, a := range to.Users {
		names = append(names, a.Display())
	}
	return strings.Join(names, ", ")
}
