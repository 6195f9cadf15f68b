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
		return nil, lookup(err, "the user "+slackID)
	}
	return json.Marshal(u)
}

// Users gives Slack's own objects of the people of the workspace: those who are
// active, or everybody.
func (s Services) Users(ctx context.Context, activeOnly bool) ([]json.RawMessage, error) {
	teams, err := s.Directory.workspaces(ctx)
	if err != nil {
		return nil, err
	}
	var all []slack.User
	seen := map[string]bool{}
	for _, team := range teams {
		list, err := s.API.GetUsersContext(ctx, slack.GetUsersOptionTeamID(team))
		if err != nil {
			return nil, lookup(err, "the people of the workspace")
		}
		for _, u := range list {
			if !seen[u.ID] { // people may be in several workspaces of an organisation
				seen[u.ID] = true
				all = append(all, u)
			}
		}
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
	return s.Directory.Everybody(ctx, group)
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
		found, err := s.Directory.all(ctx, ids)
		if err != nil {
			return nil, err
		}
		members = append(members, slices.DeleteFunc(found, func(u store.User) bool { return u.Role == store.RoleBot })...)
		if cursor = next; cursor == "" {
			return members, nil
		}
	}
}

func (s Services) channelID(ctx context.Context, channel string) (string, error) {
	if channelIDPattern.MatchString(channel) {
		return channel, nil
	}
	teams, err := s.Directory.workspaces(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, team := range teams {
		id, err := s.channelIn(ctx, team, channel)
		if err != nil {
			return "", err
		}
		if id != "" && !slices.Contains(found, id) { // several workspaces may share one
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", flow.Errorf(flow.CodeUndeliverable, "Slack has no channel %s that the bot can see: check its name, and if it is private, type /invite @Sym in it", channel)
	case 1:
		return found[0], nil
	}
	return "", flow.Errorf(flow.CodeUndeliverable, "the organisation has %d channels called %s: name the one that is meant by its id, such as %s", len(found), channel, found[0])
}

// channelIn finds a channel of a workspace. It returns "" if there is none of
// that name.
func (s Services) channelIn(ctx context.Context, team, channel string) (string, error) {
	name := strings.TrimPrefix(channel, "#")
	for cursor := ""; ; {
		list, next, err := s.API.GetConversationsContext(ctx, &slack.GetConversationsParameters{
			Cursor: cursor, Limit: 200, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"}, TeamID: team,
		})
		if err != nil {
			return "", inChannel(err, channel)
		}
		if i := slices.IndexFunc(list, func(c slack.Channel) bool { return strings.EqualFold(c.Name, name) }); i >= 0 {
			return list[i].ID, nil
		}
		if cursor = next; cursor == "" {
			return "", nil
		}
	}
}

// inChannel turns Slack's errors about a channel into ours.
func inChannel(err error, channel string) error {
	err = lookup(err, channel)
	if e, ok := errors.AsType[*flow.Error](err); ok && (e.Code == flow.CodeLookupRefused || e.Code == flow.CodeUnknownUser) {
		e.Code = flow.CodeUndeliverable
	}
	return err
}
