package client

import (
	"context"
	"net/http"
	"time"

	"github.com/symflows/symflows/events"
)

// Outcome is what has come of a request, as far as whoever asked waits for it.
type Outcome string

// The outcomes. A request that is open has none.
const (
	Open      Outcome = ""
	Approved  Outcome = "approved" // and nothing to grant, or not yet
	Granted   Outcome = "granted"
	Denied    Outcome = "denied"
	Expired   Outcome = "expired"
	Cancelled Outcome = "cancelled"
	Failed    Outcome = "failed" // it can't be granted by itself, or is over already
	TimedOut  Outcome = "timed out"
)

// OutcomeOf tells what has come of a request by now.
func OutcomeOf(r events.RunStatus, now time.Time) Outcome {
	switch r.Status {
	case "denied":
		return Denied
	case "expired":
		return Expired
	case "cancelled":
		return Cancelled
	case "escalated":
		return Granted
	case "deescalated":
		return Failed
	case "approved":
		if approvalOnly(r) || r.StartAt != nil && now.Before(*r.StartAt) {
			return Approved
		}
	}
	// What fails is tried again by itself, and then pending, or waits for somebody.
	if r.Error == nil {
		return Open
	}
	stuck := false
	for _, e := range r.Events {
		if e.Status == events.EventPending && e.Name != "deescalate" {
			return Open
		}
		stuck = stuck || e.Status == events.EventError
	}
	if stuck {
		return Failed
	}
	return Open
}

// approvalOnly tells whether a run has nothing to grant.
func approvalOnly(r events.RunStatus) bool {
	_, target := r.Fields["target_id"]
	return !target
}

const (
	firstPoll = time.Second
	maxPoll   = 15 * time.Second
)

// Wait looks at a run until it has an outcome, or a time has come: then that is
// [TimedOut]. It calls changed with the run as it is at first, and whenever it is another.
// It goes on where the API is limited or out of order for a while. The error is that of
// the context if that is over before, or that of a call that won't pass.
func (c *Client) Wait(ctx context.Context, id string, until time.Time, changed func(events.RunStatus)) (last events.RunStatus, outcome Outcome, err error) {
	pause := firstPoll
	var trouble error
	for seen := false; ; {
		var run events.RunStatus
		trouble = c.once(ctx, http.MethodGet, "/runs/"+segment(id), "", nil, &run)
		switch {
		case trouble == nil:
			if !seen || differ(last, run) {
				pause = firstPoll
				changed(run)
			}
			seen, last = true, run
			if outcome := OutcomeOf(run, c.Now()); outcome != Open {
				return run, outcome, nil
			}
		case !passes(ctx, trouble):
			return last, Open, cause(ctx, trouble)
		}
		left := until.Sub(c.Now())
		if left <= 0 {
			if !seen {
				return last, Open, trouble
			}
			return last, TimedOut, nil
		}
		if err := c.Sleep(ctx, min(left, max(pause, pauseAfter(trouble, pause)))); err != nil {
			return last, Open, err
		}
		pause = min(pause*3/2, maxPoll)
	}
}

// cause is the error of a context that is over, else what it brought about.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// differ tells whether whoever waits is to hear of a run again.
func differ(a, b events.RunStatus) bool {
	if a.Status != b.Status || len(a.Events) != len(b.Events) || (a.Error == nil) != (b.Error == nil) || (a.Waiting == nil) != (b.Waiting == nil) {
		return true
	}
	return a.Error != nil && *a.Error != *b.Error || a.Waiting != nil && a.Waiting.Text != b.Waiting.Text ||
		(a.ExpiresAt == nil) != (b.ExpiresAt == nil) || a.ExpiresAt != nil && !a.ExpiresAt.Equal(*b.ExpiresAt)
}
