package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Notices keeps what administrators should hear of that belongs to no run: each
// is told once a day, in the error channel.
type Notices struct {
	Store Store            // required
	Now   func() time.Time // required
}

// Notice is something that administrators should hear of.
type Notice struct {
	// About says what it is about. There is one notice of it a day, whatever its
	// text.
	About string `json:"about"`
	Text  string `json:"text"` // plain text: what is wrong, and what to do
	// Confirms is what an administrator may confirm by a button; nil if nothing.
	Confirms *Confirmable `json:"confirms,omitempty"`
	// Channel is an environment's error channel; "" for those of all published
	// flows.
	Channel string    `json:"channel,omitempty"`
	At      time.Time `json:"at"`
	// Sent are the channels that were told, or can't be.
	Sent []string `json:"sent,omitempty"`
}

// Confirmable is what administrators may confirm: that an address belongs to an
// account which claims it, or that all do that wait for it.
type Confirmable struct {
	All     bool    `json:"all,omitempty"`
	Person  string  `json:"person,omitempty"` // by our id
	Account Account `json:"account,omitzero"` // zero: whichever claims the address now
}

// noticeTime is how long a notice is kept, which is longer than its readers are
// patient with Slack.
const noticeTime = 7 * 24 * time.Hour

// Tell has administrators told, unless they have been today.
func (s Notices) Tell(ctx context.Context, about, text, channel string) error {
	return s.tell(ctx, Notice{About: about, Text: text, Channel: channel})
}

func (s Notices) tell(ctx context.Context, n Notice) error {
	n.At = s.Now().UTC()
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	key := keyOfNotice(n.At, n.About, n.Channel)
	_, err = s.Store.Put(ctx, Item{Key: key, Writer: NewWriter(), Body: body, Expires: n.At.Add(noticeTime)})
	if err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("write notice: %w", err)
	}
	return nil
}

// Over says that what a notice was about is over: should it come again today, it
// is told again.
func (s Notices) Over(ctx context.Context, about, channel string) error {
	key := keyOfNotice(s.Now().UTC(), about, channel)
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = s.Store.Delete(ctx, key, item.Rev)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("delete notice: %w", err)
	}
	return nil
}

func keyOfNotice(at time.Time, about, channel string) string {
	digest := sha256.Sum256([]byte(channel + "\n" + about))
	return KindNotice.Key(at.Format(time.DateOnly) + "#" + hex.EncodeToString(digest[:16]))
}

// Get reads a notice by the name that a change has of it. Returns ErrNotFound.
func (s Notices) Get(ctx context.Context, name string) (Notice, error) {
	var n Notice
	item, err := s.Store.Get(ctx, KindNotice.Key(name))
	if err == nil {
		err = json.Unmarshal(item.Body, &n)
	}
	if err != nil {
		return n, fmt.Errorf("read notice %s: %w", name, err)
	}
	return n, nil
}

// Sent notes that a channel was told, or can't be.
func (s Notices) Sent(ctx context.Context, name, channel string) error {
	for range maxConflicts {
		item, err := s.Store.Get(ctx, KindNotice.Key(name))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		var n Notice
		if err == nil {
			err = json.Unmarshal(item.Body, &n)
		}
		if err != nil {
			return fmt.Errorf("read notice %s: %w", name, err)
		}
		if slices.Contains(n.Sent, channel) {
			return nil
		}
		n.Sent = append(n.Sent, channel)
		if item.Body, err = json.Marshal(n); err != nil {
			return err
		}
		item.Writer = NewWriter()
		if _, err = s.Store.Put(ctx, item); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write notice %s: %w", name, ErrConflict)
}
