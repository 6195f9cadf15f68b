package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// refusalEvery is how often the refusals of one person about one run are recorded at
// most: whoever clicks all day costs no more than a write an hour, and no read either.
const refusalEvery = time.Hour

// Refusals keeps which decisions were refused on the spot, because whoever clicked may
// not decide: the first of each person about each run, and then one an hour, with how
// many there were that this process saw.
type Refusals struct {
	Store Store            // required
	Now   func() time.Time // required

	mu   sync.Mutex
	seen map[string]refusalsSeen // by key
}

// refusalsSeen are those that are not recorded yet.
type refusalsSeen struct {
	count int
	until time.Time // in which no other is recorded
}

// maxRefusalsSeen is for how many people and runs a process counts. Then it forgets,
// which costs a read for each.
const maxRefusalsSeen = 10_000

// refusals are those of one person about one run.
type refusals struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`

	acted
}

// Note counts a refusal, and records it if it is time to.
func (s *Refusals) Note(ctx context.Context, r flow.Run, who flow.Actor, action flow.Action, why error) error {
	key, now := KindRefusal.Key(r.ID+"#"+who.SlackTeam+"#"+who.SlackID), s.Now().UTC()
	count, due := s.count(key, now)
	if !due {
		return nil
	}
	until := now.Add(refusalEvery)
	err := s.record(ctx, key, now, &until, count, r, who, action, why)
	if err == nil {
		s.recorded(key, until)
	}
	return err
}

// count counts one more, and tells whether it may be time to record.
func (s *Refusals) count(key string, now time.Time) (count int, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= maxRefusalsSeen {
		s.seen = map[string]refusalsSeen{}
	}
	seen := s.seen[key]
	seen.count++
	s.seen[key] = seen
	return seen.count, !now.Before(seen.until)
}

func (s *Refusals) recorded(key string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[key]
	seen.until = until
	s.seen[key] = seen
}

// record writes, unless another process has in the last hour: then until is when the
// next may be. A race that is lost is one to another record.
func (s *Refusals) record(ctx context.Context, key string, now time.Time, until *time.Time, count int, r flow.Run, who flow.Actor, action flow.Action, why error) error {
	var stored refusals
	item, err := s.Store.Get(ctx, key)
	if err == nil {
		err = json.Unmarshal(item.Body, &stored)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("read %s: %w", key, err)
	}
	rev := item.Rev
	if next := stored.Last.Add(refusalEvery); rev > 0 && now.Before(next) {
		*until = next
		return nil
	}
	act := flow.NewAct(flow.Author{By: flow.ByPerson(who), At: now}, flow.ActRefuse, flow.Subject{Kind: "run", ID: r.ID, Name: r.Flow}, map[string]any{
		"action": string(action), "error": map[string]any{"message": flow.UserMessage(why), "code": string(flow.CodeOf(why))},
	})
	act.Result = flow.ActRefused
	if len(stored.Acts) > 0 { // the same record, which says more
		act.ID, act.At = stored.Acts[0].ID, stored.Acts[0].At
	}
	stored.Count, stored.Last = stored.Count+count, now
	act.Count, act.Last = stored.Count, now
	stored.Acts = flow.Acts{}.With(act, rev+1)
	body, err := flow.EncodeJSON(stored)
	if err != nil {
		return err
	}
	_, err = s.Store.Put(ctx, Item{Key: key, Rev: rev, Writer: NewWriter(), Body: body, Expires: now.Add(actsKept), Acts: true})
	if errors.Is(err, ErrConflict) {
		return nil
	}
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		seen := s.seen[key]
		seen.count -= count
		s.seen[key] = seen
	}
	return err
}
