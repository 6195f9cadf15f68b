package flow

import "time"

// Past is what those who decide are told of the requester: how often they asked for the
// same before, what came of it, and what else they have. It is as it was when the first
// people were asked, and no part of the record.
type Past struct {
	Times int  `json:"times,omitempty"` // requests for the same, in the last PastDays
	More  bool `json:"more,omitempty"`  // there may be more than were looked at
	// Last is when the last of them was made, and CameTo what had come of it.
	Last   time.Time `json:"last,omitzero"`
	CameTo CameTo    `json:"came_to,omitempty"`
	// Live are the titles of what else they have now, MaxPastLive at most.
	Live []string `json:"live,omitempty"`
}

// CameTo is what has come of a request, in a word.
type CameTo string

// The outcomes, beside the statuses that say it themselves.
const (
	CameToOnTime CameTo = "on_time" // access was there, and ended by its time
	CameToByHand CameTo = "by_hand" // access was there, and somebody ended it
)

// How far Past looks back, and how much it has.
const (
	PastDays    = 90
	MaxPastLive = 5
)

// PastOf says what is to be known of the requester of a run from their other runs,
// newest first. more: there are others, which were not looked at.
func PastOf(r Run, others []Run, more bool, now time.Time) Past {
	past := Past{}
	since := now.AddDate(0, 0, -PastDays)
	for _, other := range others {
		asked, sent := other.Last(EventRequest)
		if other.ID == r.ID || !sent || !other.Requester.Is(r.Requester) {
			continue
		}
		if other.Status == Escalated && !other.asksSame(r) && len(past.Live) < MaxPastLive {
			past.Live = append(past.Live, other.thing())
		}
		if !other.asksSame(r) || asked.At.Before(since) {
			continue
		}
		if past.Times++; past.Times == 1 {
			past.Last, past.CameTo = asked.At, other.cameTo()
		}
	}
	if n := len(others); more && n > 0 && others[n-1].Created.After(since) {
		past.More = true
	}
	return past
}

// asksSame tells whether two runs are for the same thing.
func (r Run) asksSame(other Run) bool {
	a, b := r.GivenTarget(), other.GivenTarget()
	if a == nil || b == nil {
		return a == nil && b == nil && r.Flow == other.Flow
	}
	return a.Name == b.Name && a.Type == b.Type
}

// thing names what a run gives.
func (r Run) thing() string {
	if t := r.GivenTarget(); t != nil {
		return t.Title()
	}
	return r.FlowTitle
}

func (r Run) cameTo() CameTo {
	e, ended := r.Last(EventDeescalate)
	switch {
	case r.Status != Deescalated || !ended:
		return CameTo(r.Status)
	case e.Fields[KeyDeescalateType] == Manual:
		return CameToByHand
	}
	return CameToOnTime
}
