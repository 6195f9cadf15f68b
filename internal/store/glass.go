package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Glass keeps which run is the last emergency of a person: one item each, so that
// nobody has two of them, however fast they click. Whether that emergency is over is
// the run's to say: nothing has to be freed.
type Glass struct {
	Store Store // required
}

// brokenGlass is what is kept of a person.
type brokenGlass struct {
	Run string `json:"run"`
}

// A person is an account of Slack's: an address may pass to another.
func glassKey(who flow.Actor) string { return KindGlass.Key(who.SlackTeam + "#" + who.SlackID) }

// Broken gives the id of the run that is the person's last emergency; "" if they had
// none.
func (s Glass) Broken(ctx context.Context, who flow.Actor) (string, error) {
	broken, _, err := s.get(ctx, who)
	return broken.Run, err
}

func (s Glass) get(ctx context.Context, who flow.Actor) (broken brokenGlass, rev int64, err error) {
	item, err := s.Store.Get(ctx, glassKey(who))
	if errors.Is(err, ErrNotFound) {
		return broken, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &broken)
	}
	if err != nil {
		return broken, 0, fmt.Errorf("read the last emergency of %s: %w", who.Display(), err)
	}
	return broken, item.Rev, nil
}

// Claim makes a run the person's emergency, and returns nil if it is already.
// Whether it may take the place of another one says over, by the other's id: its
// error is returned. The run has to be stored by then as one that breaks the glass.
func (s Glass) Claim(ctx context.Context, who flow.Actor, run string, over func(other string) error) error {
	if who.SlackID == "" {
		return flow.Errorf(flow.CodeForbidden, "only people of the workspace have access without approval")
	}
	body, err := json.Marshal(brokenGlass{Run: run})
	if err != nil {
		return err
	}
	writer := NewWriter()
	for {
		broken, rev, err := s.get(ctx, who)
		if err != nil || broken.Run == run {
			return err
		}
		if broken.Run != "" {
			if err := over(broken.Run); err != nil {
				return err
			}
		}
		_, err = s.Store.Put(ctx, Item{Key: glassKey(who), Rev: rev, Writer: writer, Body: body})
		if errors.Is(err, ErrConflict) {
			continue // another request of theirs was faster: what it says counts now
		}
		if err != nil {
			return fmt.Errorf("keep the emergency of %s: %w", who.Display(), err)
		}
		return nil
	}
}
