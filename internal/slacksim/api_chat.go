package slacksim

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// content is what a message says.
type content struct {
	text        string
	blocks      []object
	attachments []object
}

// readContent reads and validates text, blocks and attachments. None at all is
// no_text.
func readContent(args arguments, maxText int) (content, *apiError) {
	c := content{text: args.text("text")}
	if utf8.RuneCountInString(c.text) > maxText {
		return c, &apiError{code: "msg_too_long"}
	}
	if args.has("blocks") {
		raw := args.json("blocks")
		if utf8.RuneCount(raw) > maxBlocksSize {
			return c, &apiError{code: "msg_blocks_too_long"}
		}
		blocks, err := parseBlocks("/blocks", raw, inMessage)
		if err != nil {
			return c, err
		}
		c.blocks = objects(object{"blocks": blocks}, "blocks")
	}
	if args.has("attachments") {
		if json.Unmarshal(args.json("attachments"), &c.attachments) != nil {
			return c, &apiError{code: "invalid_attachments"}
		}
		if len(c.attachments) > maxAttachments {
			return c, &apiError{code: "too_many_attachments"}
		}
		for _, a := range c.attachments {
			if a["blocks"] == nil {
				continue
			}
			// What was decoded from JSON always marshals.
			raw, _ := json.Marshal(a["blocks"])
			blocks, err := parseBlocks("/attachments/blocks", raw, inMessage)
			if err != nil {
				return c, err
			}
			a["blocks"] = blocks
		}
	}
	if c.text == "" && len(c.blocks) == 0 && len(c.attachments) == 0 {
		return c, &apiError{code: "no_text"}
	}
	return c, nil
}

// target finds where the app wants to write: a channel by id or name, or a
// person, who gets a direct message.
func (s *Sim) target(name string) (*conversation, *apiError) {
	c := s.workspace.conversation(name)
	if c == nil && strings.HasPrefix(name, "U") {
		if p, ok := s.person(name); ok && p.id() == name {
			c, _ = s.workspace.direct([]string{name})
		}
	}
	if c == nil && !s.forOrganisation() { // whose workspaces may each have one of that name
		c = s.workspace.named(name)
	}
	return c, s.mayWrite(c)
}

// mayWrite: a private channel that the app is not in does not exist for it.
func (s *Sim) mayWrite(c *conversation) *apiError {
	switch {
	case c == nil || (c.Kind == kindPrivate && !c.App):
		return &apiError{code: "channel_not_found"}
	case c.Archived:
		return &apiError{code: "is_archived"}
	case !c.App:
		return &apiError{code: "not_in_channel"}
	}
	return nil
}

func (s *Sim) postMessage(args arguments) (object, *apiError) {
	c, err := s.target(args.text("channel"))
	if err != nil {
		return nil, err
	}
	body, err := readContent(args, maxPostedText)
	if err != nil {
		return nil, err
	}
	m := body.message()
	if err := c.thread(m, args); err != nil {
		return nil, err
	}
	s.workspace.add(c, m, s.now())
	s.change()
	return object{"channel": c.ID, "ts": m.TS, "message": s.wireMessage(m)}, nil
}

// thread puts a message that is about to be posted into the thread that the
// arguments name, if they name one. A reply is no parent, and what one person sees, or
// has been deleted, takes no replies.
func (c *conversation) thread(m *Message, args arguments) *apiError {
	if !args.has("thread_ts") {
		return nil // reply_broadcast means nothing then
	}
	m.ThreadTS, m.Broadcast = args.text("thread_ts"), args.flag("reply_broadcast")
	parent := c.message(m.ThreadTS)
	switch {
	case parent == nil:
		return &apiError{code: "thread_not_found"}
	case parent.ThreadTS != "" || parent.OnlyFor != "" || parent.Deleted:
		return &apiError{code: "cannot_reply_to_message"}
	}
	return nil
}

func (c content) message() *Message {
	return &Message{User: botUser, Text: c.text, Blocks: c.blocks, Attachments: c.attachments}
}

func (s *Sim) postEphemeral(args arguments) (object, *apiError) {
	c, err := s.target(args.text("channel"))
	if err != nil {
		return nil, err
	}
	user := args.text("user")
	if !slices.Contains(c.Members, user) {
		return refuse("user_not_in_channel")
	}
	body, err := readContent(args, maxPostedText)
	if err != nil {
		return nil, err
	}
	m := body.message()
	m.OnlyFor = user
	if err := c.thread(m, args); err != nil {
		return nil, err
	}
	m.Broadcast = false
	s.workspace.add(c, m, s.now())
	s.change()
	return object{"message_ts": m.TS}, nil
}

// own finds a message that the app may change. Ephemeral ones have left its
// reach: they are changed by response URL only.
func (s *Sim) own(args arguments, refusal string) (*conversation, *Message, *apiError) {
	c := s.workspace.conversation(args.text("channel"))
	if c == nil || (c.Kind == kindPrivate && !c.App) {
		return nil, nil, &apiError{code: "channel_not_found"}
	}
	m := c.message(args.text("ts"))
	switch {
	case m == nil || m.OnlyFor != "" || m.Deleted:
		return nil, nil, &apiError{code: "message_not_found"}
	case m.User != botUser:
		return nil, nil, &apiError{code: refusal}
	}
	return c, m, nil
}

// updateMessage: blocks that are not given stay, unless a text replaces them;
// attachments that are not given stay.
func (s *Sim) updateMessage(args arguments) (object, *apiError) {
	c, m, err := s.own(args, "cant_update_message")
	if err != nil {
		return nil, err
	}
	body, err := readContent(args, maxUpdatedText)
	emptied := err != nil && err.code == "no_text" && (args.has("blocks") || args.has("attachments"))
	if err != nil && !emptied {
		return nil, err
	}
	c.edit(m.TS, func(m *Message) {
		if args.has("blocks") || args.has("text") {
			m.Text, m.Blocks = body.text, body.blocks
		}
		if args.has("attachments") {
			m.Attachments = body.attachments
		}
		if args.flag("reply_broadcast") && m.ThreadTS != "" {
			m.Broadcast = true
		}
		m.Edited = true
	})
	s.change()
	edited := c.message(m.TS)
	return object{"channel": c.ID, "ts": m.TS, "text": edited.Text, "message": s.wireMessage(edited)}, nil
}

func (s *Sim) deleteMessage(args arguments) (object, *apiError) {
	c, m, err := s.own(args, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	c.delete(m.TS)
	s.change()
	return object{"channel": c.ID, "ts": m.TS}, nil
}

func (s *Sim) permalink(args arguments) (object, *apiError) {
	c := s.workspace.conversation(args.text("channel"))
	if c == nil || (c.Kind == kindPrivate && !c.App) {
		return refuse("channel_not_found")
	}
	m := c.message(args.text("message_ts"))
	if m == nil {
		return refuse("message_not_found")
	}
	link := s.config.BaseURL + "/archives/" + c.ID + "/p" + strings.Replace(m.TS, ".", "", 1)
	if m.ThreadTS != "" {
		link += "?thread_ts=" + m.ThreadTS + "&cid=" + c.ID
	}
	return object{"channel": c.ID, "permalink": link}, nil
}

// replies gives the replies to a message that all see, oldest first.
func (s *Sim) replies(parent *Message) []*Message {
	var out []*Message
	if c := s.workspace.conversation(parent.Channel); c != nil {
		for _, m := range c.Messages {
			if m.ThreadTS == parent.TS && m.OnlyFor == "" {
				out = append(out, m)
			}
		}
	}
	return out
}

// wireMessage gives a message as Slack sends it to apps.
func (s *Sim) wireMessage(m *Message) object {
	o := object{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text, "team": s.installedTeam()}
	if p, ok := s.person(m.User); ok {
		o["team"] = team(p.Workspace)
	}
	if m.User == botUser {
		o["bot_id"], o["app_id"] = botID, appID
	}
	if m.Blocks != nil {
		o["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		o["attachments"] = m.Attachments
	}
	switch replies := s.replies(m); {
	case m.Deleted:
		o["subtype"], o["hidden"] = "tombstone", true
		fallthrough
	case len(replies) > 0:
		users := []string{}
		for _, r := range replies {
			if !slices.Contains(users, r.User) {
				users = append(users, r.User)
			}
		}
		o["thread_ts"], o["reply_count"], o["reply_users"], o["reply_users_count"] = m.TS, len(replies), users, len(users)
		if len(replies) > 0 {
			o["latest_reply"] = replies[len(replies)-1].TS
		}
	case m.ThreadTS != "":
		o["thread_ts"] = m.ThreadTS
		if m.Broadcast {
			o["subtype"] = "thread_broadcast"
		}
		if c := s.workspace.conversation(m.Channel); c != nil {
			if parent := c.message(m.ThreadTS); parent != nil {
				o["parent_user_id"] = parent.User
			}
		}
	}
	if m.Edited {
		o["edited"] = object{"user": botUser, "ts": m.TS}
	}
	return o
}
