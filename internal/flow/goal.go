package flow

import (
	"encoding/json"
	"slices"
	"time"
)

// Holder is a run that needs an entitlement, with how much of it and until when.
type Holder struct {
	Run string
	// Value is the one that the run needs, where the target keeps one for each person
	// and thing.
	Value string
	// End is when the run needs it no more, where the target ends access by itself;
	// zero: that is not known, so that the target must not.
	End time.Time
}

type holderJSON struct {
	Run   string    `json:"run"`
	Value string    `json:"value,omitempty"`
	End   time.Time `json:"end,omitzero"`
}

// MarshalJSON writes a holder that needs the entitlement as such as its run's id
// alone.
func (h Holder) MarshalJSON() ([]byte, error) {
	if h.Value == "" && h.End.IsZero() {
		return json.Marshal(h.Run)
	}
	return json.Marshal(holderJSON(h))
}

// UnmarshalJSON reads both forms.
func (h *Holder) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*h = Holder{}
		return json.Unmarshal(b, &h.Run)
	}
	return json.Unmarshal(b, (*holderJSON)(h))
}

// Goal is how much of an entitlement a person is to have at its target.
type Goal struct {
	None  bool      // nothing
	Value string    // "" where the target does not keep one of several
	Until time.Time // when the target is to end it by itself; zero: never
}

// Same tells whether two goals are one.
func (a Goal) Same(b Goal) bool {
	return a.None == b.None && a.Value == b.Value && a.Until.Equal(b.Until)
}

// expiryMargin is how long after the last holder's end the target ends access by
// itself: later than any removal of ours that succeeds at once.
const expiryMargin = 2 * time.Minute

// Goal is what the target is to show: the highest of what was there before us and
// of what the holders need, until the last of them needs it no more. What was there
// before is never given an end.
func (g Grant) Goal() Goal {
	goal := Goal{None: len(g.Holders) == 0 && !g.Predates()}
	if g.Predates() {
		goal.Value = g.BeforeValue
	}
	endless := g.Predates()
	for _, h := range g.Holders {
		if g.rank(h.Value) > g.rank(goal.Value) {
			goal.Value = h.Value
		}
		if endless = endless || h.End.IsZero(); h.End.After(goal.Until) {
			goal.Until = h.End
		}
	}
	if endless || goal.Until.IsZero() {
		goal.Until = time.Time{}
	} else {
		goal.Until = goal.Until.Add(expiryMargin).UTC().Truncate(time.Second)
	}
	return goal
}

// Predates tells whether the entitlement was there before us, or an invitation to it.
func (g Grant) Predates() bool { return g.Before == Present || g.Before == Invited }

// rank is how much a value is; -1 for none, and for one that is not known.
func (g Grant) rank(value string) int { return slices.Index(g.Order, value) }

// Reached tells whether a value that the target shows is as much as the goal.
func (g Grant) Reached(value string) bool { return g.Covers(value, g.Goal().Value) }

// Covers tells whether one value is as much as another.
func (g Grant) Covers(value, needed string) bool { return g.rank(value) >= g.rank(needed) }

// Above tells whether a value that the target shows is more than the goal.
func (g Grant) Above(value string) bool { return g.rank(value) > g.rank(g.Goal().Value) }

// Exceeds tells whether the target may show more than the goal because of us.
func (g Grant) Exceeds() bool { return g.Above(g.Top) }

// Ours tells whether something of ours may be at the target.
func (g Grant) Ours() bool {
	return g.Before == Absent || g.rank(g.Top) > g.rank(g.BeforeValue)
}

// trusted is how long after a grant was seen a sight of less is taken to be newer.
const trusted = 2 * time.Minute

// Raised tells whether more than the goal was given by us, and seen so long ago that
// whatever is seen now has come after it.
func (g Grant) Raised(now time.Time) bool {
	return g.Exceeds() && g.Value == g.Top && now.Sub(g.Since) >= trusted
}

// Echoes tells whether what the target shows may be what was removed lately: targets
// show things late, and not always in their order. Nothing that is there now need have
// been there before us.
func (g Grant) Echoes(now time.Time) bool {
	return g.Before == "" && !g.Ended.IsZero() && now.Sub(g.Ended) < trusted
}

// Asks tells whether a grant has to ask the target for the goal, which shows a value
// now. What was not there before is asked for even if it is shown: a removal under
// way may not have taken it yet, or it comes of a grant whose answer was lost.
func (g Grant) Asks(shown string) bool {
	if !g.Predates() {
		return true
	}
	goal := g.rank(g.Goal().Value)
	return goal > g.rank(g.BeforeValue) || goal > g.rank(shown)
}

// Understands tells whether a value that the target shows can be compared with, and
// set again.
func (g Grant) Understands(value string) bool { return len(g.Order) == 0 || g.rank(value) >= 0 }

// satisfied tells whether what was seen last is enough for the holders.
func (g Grant) satisfied() bool {
	return g.Reached(g.Value) && g.Goal().Until.Equal(g.Until)
}

// retarget notes that the goal is not what it was: of work for the former one it
// only matters that it may be under way.
func (g *Grant) retarget(former Goal) {
	if !g.Goal().Same(former) && !g.Work.IsZero() {
		g.Work = g.Work.turned()
	}
}

// intend notes how much the target may show once it is asked for the goal. It comes
// in the write before that.
func (g *Grant) intend() {
	if g.Before != "" && !g.Exceeds() {
		g.Top = g.Goal().Value
	}
}
