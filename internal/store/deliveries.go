package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Deliveries keeps which events were taken, by the ids that their sender gave
// them: senders repeat an event until they have an answer.
type Deliveries struct {
	Store Store            // required
	Now   func() time.Time // required
}

// ErrUnderWay says that an event is being taken by another delivery of it: the
// sender is to come again, should that one fail.
var ErrUnderWay = errors.New("store: the event is being taken already")

// For how long a delivery keeps others from taking its event, which is longer than
// any work for one takes, and for how long a taken event is remembered: Slack
// repeats for an hour, or each hour for a day where that was chosen
// (docs.slack.dev/apis/events-api).
const (
	deliveryLease = time.Minute
	deliveryTime  = 25 * time.Hour
)

type delivery struct {
	Begun time.Time `json:"begun"`
	Done  bool      `json:"done,omitempty"`
}

// Once takes an event, unless it was taken before. If take fails, the event is as
// if it had not come, and so it is, a minute later, if the process ends meanwhile.
// Returns take's error, or ErrUnderWay.
func (s Deliveries) Once(ctx context.Context, id string, take func(context.Context) error) error {
	rev, err := s.claim(ctx, id)
	if err != nil || rev == 0 {
		return err
	}
	failed := take(ctx)
	ctx = context.WithoutCancel(ctx)
	if failed != nil {
		err = s.Store.Delete(ctx, KindDelivery.Key(id), rev)
	} else {
		_, err = s.put(ctx, id, rev, delivery{Begun: s.Now().UTC(), Done: true})
	}
	if err != nil && !errors.Is(err, ErrConflict) { // the lease ends by itself
		err = fmt.Errorf("note the delivery of an event: %w", err)
		return errors.Join(failed, err)
	}
	return failed
}

// claim notes that an event is being taken, and gives the revision of the note: 0
// if the event was taken before.
func (s Deliveries) claim(ctx context.Context, id string) (int64, error) {
	now := s.Now().UTC()
	rev, err := s.put(ctx, id, 0, delivery{Begun: now})
	if !errors.Is(err, ErrConflict) {
		return rev, err
	}
	var d delivery
	item, err := s.Store.Get(ctx, KindDelivery.Key(id))
	if errors.Is(err, ErrNotFound) {
		return 0, ErrUnderWay // it failed just now
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &d)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the delivery of an event: %w", err)
	case d.Done:
		return 0, nil
	case now.Before(d.Begun.Add(deliveryLease)):
		return 0, ErrUnderWay
	}
	if rev, err = s.put(ctx, id, item.Rev, delivery{Begun: now}); errors.Is(err, ErrConflict) {
		return 0, ErrUnderWay
	}
	return rev, err
}

func (s Deliveries) put(ctx context.Context, id string, rev int64, d delivery) (int64, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, Item{Key: KindDelivery.Key(id), Rev: rev, Writer: NewWriter(), Body: body, Expires: d.Begun.Add(deliveryTime)})
}
