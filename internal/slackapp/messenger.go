package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

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
	p.add(section(safe(n.Text)))
	return body(safe(n.Text), p.blocks)
}

// maxGroup is how many people share a group message: Slack allows eight, the
// bot included (docs.slack.dev/reference/methods/conversations.open).
const maxGroup = 7

// Post sends a message to a channel, to one person, or to a group of two to
// seven people.
func (m Messenger) Post(ctx context.Context, to workflow.Address, body []byte) (channel, ts string, err error) {
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
	if where == "" || len(to.Users) == 1 {
		if where, err = m.open(ctx, to.Users); err != nil {
			return "", "", err
		}
	}
	channel, ts, err = m.API.PostMessageContext(ctx, where, message)
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
		Blocks slack.Blocks `json:"blocks"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return slack.MsgOptionCompose(
		slack.MsgOptionText(message.Text, false), slack.MsgOptionBlocks(message.Blocks.BlockSet...),
		slack.MsgOptionParse(false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	), nil
}

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

// impatience is how long to wait where Slack asks to, but does not say how long.
const impatience = 30 * time.Second

// hints say what to do about Slack's refusals; %s is where the message was to
// go. The names are those of chat.postMessage and conversations.open in
// Slack's reference.
var hints = map[string]string{
	"channel_not_found":                   "Slack has no channel %s that the bot can see: check its name, and if it is private, type /invite @Sym in it",
	"not_in_channel":                      "the bot is not in %s: type /invite @Sym there",
	"is_archived":                         "the channel %s is archived: unarchive it, or name another one in the flow",
	"restricted_action":                   "the workspace does not let apps post in %s: allow it in the channel's settings, or name another channel in the flow",
	"restricted_action_read_only_channel": "the channel %s is read-only: name another one in the flow",
	"user_not_found":                      "Slack does not know %s any more: correct the flow's approval.notify",
	"users_not_found":                     "Slack does not know %s any more: correct the flow's approval.notify",
	"user_disabled":                       "%s has been deactivated in Slack: correct the flow's approval.notify",
	"user_not_visible":                    "Slack does not let the bot see %s: correct the flow's approval.notify",
	"cannot_dm_bot":                       "%s is a bot, which can't be sent messages: correct the flow's approval.notify",
	"messages_tab_disabled":               "%s can't be sent messages: switch on the Messages Tab under App Home in the Slack app's settings",
	"missing_scope":                       "the Slack app lacks a scope to reach %s: add it under OAuth & Permissions and install the app again",
	"invalid_auth":                        "Slack refuses the bot token, so that %s can't be reached: install the app again and set the new token",
	"account_inactive":                    "Slack refuses the bot token, so that %s can't be reached: install the app again and set the new token",
	"token_revoked":                       "Slack refuses the bot token, so that %s can't be reached: install the app again and set the new token",
	"msg_too_long":                        "Slack found the message to %s too long: shorten the request's fields",
	"msg_blocks_too_long":                 "Slack found the message to %s too long: shorten the request's fields",
	"invalid_blocks":                      "Slack could not read the message to %s: this is a fault of ours, please report it",
	"user_not_in_channel":                 "the person is not in %s",
	"ekm_access_denied":                   "the workspace's administrators have suspended messages to %s",
}

// delivery turns Slack's errors into ours: hopeless, with a hint; wait; or try
// again.
func delivery(err error, to string) error {
	if err == nil {
		return nil
	}
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return &flow.RateLimited{After: limited.RetryAfter, Cause: err}
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusTooManyRequests {
		return &flow.RateLimited{After: impatience, Cause: err}
	}
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok {
		return fmt.Errorf("reach %s in Slack: %w", to, err)
	}
	if refused.Err == "ratelimited" || refused.Err == "rate_limited" {
		return &flow.RateLimited{After: impatience, Cause: err}
	}
	if hint, ok := hints[refused.Err]; ok {
		return &flow.Error{Code: flow.CodeUndeliverable, Message: fmt.Sprintf(hint, to), Cause: err}
	}
	return fmt.Errorf("reach %s in Slack: %w", to, err)
}
