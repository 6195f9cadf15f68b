package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Services does in Slack what customers' handlers ask for.
type Services struct {
	API       *slack.Client // required
	Directory *Directory    // required
}

// Send posts a text in Slack's mrkdwn, as handlers wrote it, to a channel or to
// people; below a message of ours where thread is one.
func (s Services) Send(ctx context.Context, to workflow.Address, text string, thread *flow.MessageRef) error {
	options := []slack.MsgOption{slack.MsgOptionText(fit(text, maxSent), false)}
	where := to.Channel
	var err error
	switch {
	case thread != nil:
		where = thread.Channel
		options = append(options, slack.MsgOptionTS(thread.TS))
	case where == "":
		if where, err = (Messenger{s.API}).open(ctx, to.Users); err != nil {
			return err
		}
	}
	_, _, err = s.API.PostMessageContext(ctx, where, options...)
	return delivery(err, addressee(workflow.Address{Channel: where}))
}

// maxSent is where Slack begins to cut texts, in characters
// (docs.slack.dev/reference/methods/chat.postMessage).
const maxSent = 40_000

// UserInfo gives Slack's own object of a user.
func (s Services) UserInfo(ctx context.Context, slackID string) (json.RawMessage, error) {
	u, err := s.API.GetUserInfoContext(ctx, slackID)
	if err != nil {
		return nil, lookup(err)
	}
	return json.Marshal(u)
}

// Users gives Slack's own objects of the people of the workspace: those who are
// active, or everybody.
func (s Services) Users(ctx context.Context, activeOnly bool) ([]json.RawMessage, error) {
	all, err := s.API.GetUsersContext(ctx)
	if err != nil {
		return nil, lookup(err)
	}
	out := []json.RawMessage{}
	for i := range all {
		if robot(&all[i]) || activeOnly && all[i].Deleted {
			continue
		}
		b, err := json.Marshal(all[i])
		if err != nil {
			return nil, fmt.Errorf("encode a user of Slack: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}

// GroupMembers lists the members of a user group, by its id or handle.
func (s Services) GroupMembers(ctx context.Context, group string) ([]store.User, error) {
	return s.Directory.Group(ctx, group)
}

// ChannelMembers lists the people of a channel, by its id or "#name". The bot
// sees the members of those channels only that it sees itself.
func (s Services) ChannelMembers(ctx context.Context, channel string) ([]store.User, error) {
	id, err := s.channelID(ctx, channel)
	if err != nil {
		return nil, err
	}
	var members []store.User
	for cursor := ""; ; {
		ids, next, err := s.API.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: id, Cursor: cursor, Limit: 200})
		if err != nil {
			return nil, inChannel(err, channel)
		}
		for _, id := range ids {
			u, err := s.Directory.Known(ctx, id)
			if flow.CodeOf(err) == flow.CodeUnknownUser || err == nil && u.Role == store.RoleBot {
				continue
			}
			if err != nil {
				return nil, err
			}
			members = append(members, u)
		}
		if cursor = next; cursor == "" {
			return members, nil
		}
	}
}

func (s Services) channelID(ctx context.Context, channel string) (string, error) {
	if channelIDPattern.MatchString(channel) {
		return channel, nil
	}
	name := strings.TrimPrefix(channel, "#")
	for cursor := ""; ; {
		list, next, err := s.API.GetConversationsContext(ctx, &slack.GetConversationsParameters{
			Cursor: cursor, Limit: 200, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		if err != nil {
			return "", inChannel(err, channel)
		}
		if i := slices.IndexFunc(list, func(c slack.Channel) bool { return strings.EqualFold(c.Name, name) }); i >= 0 {
			return list[i].ID, nil
		}
		if cursor = next; cursor == "" {
			return "", flow.Errorf(flow.CodeUndeliverable, "Slack has no channel %s that the bot can see: check its name, and if it is private, type /invite @Sym in it", channel)
		}
	}
}

// inChannel turns Slack's errors about a channel into ours.
func inChannel(err error, channel string) error {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		if hint, ok := hints[refused.Err]; ok {
			return &flow.Error{Code: flow.CodeUndeliverable, Message: fmt.Sprintf(hint, channel), Cause: err}
		}
	}
	return &flow.Error{Code: flow.CodeLookup, Message: "Slack could not say who is in " + channel, Cause: err}
}
