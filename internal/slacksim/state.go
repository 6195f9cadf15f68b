package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The kinds of conversations, by Slack's words for them.
const (
	kindPublic  = "public_channel"
	kindPrivate = "private_channel"
	kindDirect  = "im"
	kindGroup   = "mpim"
)

// Message is a message as the workspace keeps it.
type Message struct {
	TS      string   `json:"ts"`
	Channel string   `json:"channel"`
	User    string   `json:"user"`
	Text    string   `json:"text"`
	Blocks  []object `json:"blocks,omitempty"`
	// ThreadTS is the time stamp of the message that it replies to, in whose thread it
	// stands; with Broadcast it stands in the conversation as well.
	ThreadTS  string `json:"thread_ts,omitempty"`
	Broadcast bool   `json:"broadcast,omitempty"`
	// Attachments are the older form of blocks, with a coloured bar.
	Attachments []object `json:"attachments,omitempty"`
	// Entities are Work Objects, which the app shows for links of the message.
	Entities []object `json:"entities,omitempty"`
	// OnlyFor is the id of the one person who sees it, if it is ephemeral.
	OnlyFor string `json:"only_for,omitempty"`
	Edited  bool   `json:"edited,omitempty"`
	// Deleted is what is left of a message that had replies.
	Deleted bool `json:"deleted,omitempty"`
}

// allBlocks gives the blocks of the message and of its attachments.
func (m *Message) allBlocks() []object {
	blocks := slices.Clone(m.Blocks)
	for _, a := range m.Attachments {
		blocks = append(blocks, objects(a, "blocks")...)
	}
	return flat(blocks)
}

// flat lists blocks with those inside of containers, which follow theirs.
func flat(blocks []object) []object {
	var out []object
	for _, b := range blocks {
		out = append(out, b)
		if text(b, "type") == "container" {
			out = append(out, flat(objects(b, "child_blocks"))...)
		}
	}
	return out
}

type conversation struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Workspace has the channel; conversations with the app are the organisation's.
	Workspace string            `json:"workspace,omitempty"`
	Kind      string            `json:"kind"`
	Archived  bool              `json:"archived,omitempty"`
	Members   []string          `json:"members"`
	App       bool              `json:"app,omitempty"` // the app is a member
	Messages  []*Message        `json:"messages,omitempty"`
	Read      map[string]string `json:"read,omitempty"` // person → ts of the last message seen
}

func (c *conversation) isDirect() bool { return c.Kind == kindDirect || c.Kind == kindGroup }

func (c *conversation) visibleTo(user string) bool { return slices.Contains(c.Members, user) }

// seenBy gives the messages that a person sees, oldest first.
func (c *conversation) seenBy(user string) []*Message {
	if !c.visibleTo(user) {
		return nil
	}
	var seen []*Message
	for _, m := range c.Messages {
		if m.OnlyFor == "" || m.OnlyFor == user {
			seen = append(seen, m)
		}
	}
	return seen
}

func (c *conversation) message(ts string) *Message {
	for _, m := range c.Messages {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

func (c *conversation) unread(user string) int {
	n := 0
	for _, m := range c.seenBy(user) {
		if m.User != user && m.TS > c.Read[user] {
			n++
		}
	}
	return n
}

// workspace is what a snapshot keeps: conversations with their messages. Open
// forms, triggers and response URLs end with the process, as they would within
// minutes in any case.
type workspace struct {
	Conversations []*conversation `json:"conversations"`
	// LastTS is the time of the newest message in microseconds, so that no two
	// messages have the same one.
	LastTS int64 `json:"last_ts"`
}

func newWorkspace(d directory, channels []Channel) (workspace, error) {
	var w workspace
	for _, ch := range channels {
		c := &conversation{ID: ch.id(), Name: ch.Name, Workspace: ch.Workspace, Kind: kindPublic, Archived: ch.Archived, App: ch.App, Members: d.full(ch.Workspace)}
		if ch.Private {
			c.Kind = kindPrivate
		}
		if ch.Members != nil {
			ids, err := d.ids(ch.Members)
			if err != nil {
				return w, fmt.Errorf("channel #%s: %w", ch.Name, err)
			}
			c.Members = ids
		}
		if w.conversation(c.ID) != nil {
			return w, fmt.Errorf("channel #%s would have the same id as another: %s", ch.Name, c.ID)
		}
		w.Conversations = append(w.Conversations, c)
	}
	return w, nil
}

func (w *workspace) conversation(id string) *conversation {
	for _, c := range w.Conversations {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// named finds a channel by name, with or without "#".
func (w *workspace) named(name string) *conversation {
	name = strings.TrimPrefix(name, "#")
	for _, c := range w.Conversations {
		if c.Name != "" && c.Name == name {
			return c
		}
	}
	return nil
}

// direct finds or makes the conversation of the app with these people.
func (w *workspace) direct(users []string) (c *conversation, existed bool) {
	for _, c := range w.Conversations {
		if c.isDirect() && sameMembers(c.Members, users) {
			return c, true
		}
	}
	c = &conversation{ID: "D" + users[0][1:], Kind: kindDirect, Members: users, App: true}
	if len(users) > 1 {
		sorted := slices.Sorted(slices.Values(users))
		for i, id := range sorted {
			sorted[i] = id[2:]
		}
		c.ID, c.Kind = "G0"+strings.Join(sorted, "0"), kindGroup
	}
	w.Conversations = append(w.Conversations, c)
	return c, false
}

// add posts a message and gives it its time stamp.
func (w *workspace) add(c *conversation, m *Message, now time.Time) *Message {
	m.TS, m.Channel = w.nextTS(now), c.ID
	c.Messages = append(c.Messages, m)
	if m.OnlyFor == "" && m.User != botUser && m.User != slackbot {
		c.markRead(m.User, m.TS)
	}
	return m
}

func (c *conversation) markRead(user, ts string) {
	if c.Read == nil {
		c.Read = map[string]string{}
	}
	c.Read[user] = max(c.Read[user], ts)
}

func (w *workspace) nextTS(now time.Time) string {
	w.LastTS = max(w.LastTS+1, now.UnixMicro())
	return formatTS(w.LastTS)
}

func formatTS(micros int64) string {
	return fmt.Sprintf("%010d.%06d", micros/1e6, micros%1e6)
}

// Snapshot writes all conversations to a file, whole or not at all.
func (s *Sim) Snapshot(path string) error {
	s.mu.Lock()
	data, err := json.Marshal(s.workspace)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write snapshot of the simulated Slack: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".slack-*")
	if err != nil {
		return fmt.Errorf("write snapshot of the simulated Slack: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("write snapshot of the simulated Slack: %w", err)
	}
	return os.Rename(temp.Name(), path)
}

// Restore reads what [Sim.Snapshot] wrote. Channels that the snapshot does not
// have are kept as configured; it returns nil if there is no file.
func (s *Sim) Restore(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read snapshot of the simulated Slack: %w", err)
	}
	var old workspace
	if err := json.Unmarshal(data, &old); err != nil {
		return fmt.Errorf("read snapshot of the simulated Slack %s: %w; delete the file to start with an empty workspace", path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.workspace.Conversations {
		if old.conversation(c.ID) == nil {
			old.Conversations = append(old.Conversations, c)
		}
	}
	s.workspace = old
	s.change()
	return nil
}
