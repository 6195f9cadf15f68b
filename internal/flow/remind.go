package flow

import (
	"slices"
	"time"
)

// Reminder is a mark that people are reminded of something, each once. It is set
// when its time has come, and shown by whoever shows the run: it moves nothing.
type Reminder struct {
	Of ReminderOf `json:"of"`
	At time.Time  `json:"at"` // when it was set
	// Tier is whose time is half over, for RemindDeciders.
	Tier int `json:"tier,omitempty"`
	// End is when access was to end when it was set, for RemindRequester: an extension
	// moves it, and then there is another one.
	End time.Time `json:"end,omitzero"`
}

// ReminderOf says who is reminded of what.
type ReminderOf string

// The reminders.
const (
	RemindDeciders  ReminderOf = "decide" // half of a tier's time is over
	RemindRequester ReminderOf = "end"    // access is about to end
	// RemindReviewers is that an emergency has waited for its review for ReviewPatience.
	// It is noted whatever the flow says of reminders, since it is counted as well.
	RemindReviewers ReminderOf = "review"
)

// ReviewPatience is how long an emergency may wait for its review before those who may
// review it are reminded, and operators told.
const ReviewPatience = 24 * time.Hour

// How soon reminders come. What is shorter than remindAbove has none.
const (
	remindAbove = 15 * time.Minute
	remindLeast = 5 * time.Minute // before the end of access
	remindShare = 10              // or a tenth of its time, if that is more
)

// Remind sets the mark of a reminder whose time has come.
type Remind struct{}

func (Remind) apply(r *Run, now time.Time) error {
	m, at := r.reminder(now)
	if at.IsZero() || now.Before(at) {
		return ErrUnchanged
	}
	m.At = now
	r.Reminders = append(slices.Clone(r.Reminders), m)
	return nil
}

// ReminderDue is when the next reminder is to be set, as things are now; zero: never.
// None comes when what it speaks of is over.
func (r *Run) ReminderDue(now time.Time) time.Time {
	_, at := r.reminder(now)
	return at
}

// reminder is the next one, and when its time comes; zero: there is none.
func (r *Run) reminder(now time.Time) (Reminder, time.Time) {
	var m Reminder
	var at time.Time
	switch {
	case r.AwaitsReview():
		ended, _ := r.Last(EventDeescalate)
		m, at = Reminder{Of: RemindReviewers}, ended.At.Add(ReviewPatience)
	case r.Form.NoReminders:
	case r.Status == Requested && Next(*r) == StepAwait:
		t := r.Tiers[r.Tier]
		if t.Delivered && now.Before(t.Deadline) && t.timeout() >= remindAbove {
			m, at = Reminder{Of: RemindDeciders, Tier: r.Tier}, t.Deadline.Add(-t.timeout()/2)
		}
	case r.Status == Escalated && r.Access.Live() && !r.Access.End.IsZero() && !r.ending(now):
		end := r.Access.End
		lasts := end.Sub(r.Access.Seen)
		if lasts >= remindAbove {
			m, at = Reminder{Of: RemindRequester, End: end}, end.Add(-max(lasts/remindShare, remindLeast))
		}
		if e, ok := r.Last(EventExtend); ok && !e.At.Before(at) {
			at = time.Time{} // whoever has just got more time knows
		}
	}
	if slices.ContainsFunc(r.Reminders, m.same) {
		at = time.Time{}
	}
	return m, at
}

func (m Reminder) same(other Reminder) bool {
	return m.Of == other.Of && m.Tier == other.Tier && m.End.Equal(other.End)
}
