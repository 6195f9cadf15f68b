package flow

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// Bookings are what all processes together know of the pace of one system: the
// calls that are reserved, the slots that are taken, and who waits for either.
type Bookings struct {
	// Calls are the times of calls, in milliseconds since 1970, from a second ago
	// on, earliest first.
	Calls []int64 `json:"calls,omitempty"`
	// Slots are the operations of the system that are under way.
	Slots []Slot `json:"slots,omitempty"`
	// Waiting are those who were sent away, in the order in which they came.
	Waiting []Waiter `json:"waiting,omitempty"`
	// Took is how long the last operations took, in milliseconds, the latest
	// counted most; 0: not known.
	Took int64 `json:"took,omitempty"`
}

// Slot is an operation that is under way.
type Slot struct {
	Name  string    `json:"name"` // short
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // from then on it is free, whatever became of the operation
}

// Waiter is a piece of work that was told to come back.
type Waiter struct {
	Name  string    `json:"name"` // short
	Class int       `json:"class"`
	Slot  bool      `json:"slot,omitempty"` // it waits for a slot, not for calls
	Back  time.Time `json:"back"`           // when it was told to
}

// Wish is what somebody wants of a system.
type Wish struct {
	// Name is of the piece of work that it is for; "": of none that could wait.
	Name string
	// Class is the urgency: those of a higher one are before those of a lower.
	Class int
	// Limit is how many calls a second, or slots, the class may see in use.
	Limit int
	// First tells that the work has made no call yet, so that nothing is lost if
	// it comes back. Work that has begun goes before all that has not.
	First bool
	// Within is for how long the caller could wait. 0: for longer than anybody is
	// made to.
	Within time.Duration
}

// Line is where somebody stands in a line of our own. The zero value is none.
type Line struct {
	Number int           `json:"number"` // 1: the next
	Wait   time.Duration `json:"wait"`   // an estimate, from now
	After  time.Duration `json:"-"`      // when to look again, from now
}

// Bounds of lines.
const (
	// fewCalls is how many calls a piece of work makes, at most as a rule: to look,
	// to write, to ask how far it is, to look again.
	fewCalls = 8
	// SlotLasts is when the slot of an operation is free that nobody has ended.
	SlotLasts = 5 * time.Minute
	// longestLine is the most that a call is booked ahead.
	longestLine = time.Minute
	// tookAtFirst is how long an operation is taken to last before one was seen.
	tookAtFirst = 20 * time.Second
	// lateness is for how long somebody who does not come back keeps their place.
	lateness = time.Minute
	// maxWaiting is how many are remembered. Those beyond wait too, at the end.
	maxWaiting  = 200
	soonest     = time.Second     // to come back, at the earliest
	longestAway = 5 * time.Minute // and at the latest, whatever the estimate
)

// Call books a call for the earliest time that leaves the class its limit in
// every second. If that is later than the caller could wait, it books nothing,
// and gives the caller's place instead. The first call of a piece of work is
// booked only if all its calls find the time, at the pace of the line as it is:
// work that is let in ends, so a rush leads to a line, and not to everybody
// stopping half-way.
func (b *Bookings) Call(now time.Time, w Wish) (at time.Time, place Line) {
	b.tidy(now)
	if w.Limit <= 0 {
		return now, Line{}
	}
	at = b.free(now, w.Limit)
	wait, within := at.Sub(now), longestLine
	if w.Within > 0 {
		within = min(w.Within, longestLine)
	}
	ahead := 0
	if w.First {
		ahead = b.ahead(w, false)
		wait += time.Duration(ahead*fewCalls) * time.Second / time.Duration(w.Limit)
		within /= fewCalls
	}
	if wait > within {
		return time.Time{}, b.comeBack(now, w, false, Line{Number: ahead + 1, Wait: wait}, longestAway)
	}
	b.leave(w, false)
	i, _ := slices.BinarySearch(b.Calls, at.UnixMilli())
	b.Calls = slices.Insert(b.Calls, i, at.UnixMilli())
	return at, Line{}
}

// Begin takes a slot, or gives the caller's place. A slot that the name has
// already stays as it is.
func (b *Bookings) Begin(now time.Time, w Wish) (ok bool, place Line) {
	b.tidy(now)
	name := short(w.Name)
	if w.Limit <= 0 || slices.ContainsFunc(b.Slots, func(s Slot) bool { return s.Name == name }) {
		return true, Line{}
	}
	ahead := b.ahead(w, true)
	if over := len(b.Slots) + ahead + 1 - w.Limit; over > 0 {
		wait := b.took() * time.Duration(over) / time.Duration(w.Limit)
		return false, b.comeBack(now, w, true, Line{Number: ahead + 1, Wait: max(wait, soonest)}, lateness/2)
	}
	b.leave(w, true)
	b.Slots = append(b.Slots, Slot{Name: name, From: now.UTC(), Until: now.UTC().Add(SlotLasts)})
	return true, Line{}
}

// End frees the slot of a name.
func (b *Bookings) End(now time.Time, name string) {
	b.tidy(now)
	name = short(name)
	b.Slots = slices.DeleteFunc(b.Slots, func(s Slot) bool {
		if s.Name != name {
			return false
		}
		b.Took = (b.took()*3 + now.Sub(s.From)).Milliseconds() / 4
		return true
	})
}

func (b *Bookings) took() time.Duration {
	if b.Took > 0 {
		return time.Duration(b.Took) * time.Millisecond
	}
	return tookAtFirst
}

// free gives the earliest time from now on at which one more call leaves no
// second with more than limit calls. It can only be now, or a second after a
// call: at any other time, what is in the way is there a moment earlier too.
func (b *Bookings) free(now time.Time, limit int) time.Time {
	const second = int64(time.Second / time.Millisecond)
	t := now.UnixMilli()
	if b.fits(t, limit) {
		return time.UnixMilli(t)
	}
	for _, call := range b.Calls {
		if t = call + second; t > now.UnixMilli() && b.fits(t, limit) {
			break
		}
	}
	return time.UnixMilli(t)
}

// fits tells whether, with one more call at t, no limit+1 calls are within a second.
func (b *Bookings) fits(t int64, limit int) bool {
	const second = int64(time.Second / time.Millisecond)
	i, _ := slices.BinarySearch(b.Calls, t)
	with := slices.Insert(slices.Clone(b.Calls), i, t)
	for k := max(0, i-limit); k <= i && k+limit < len(with); k++ {
		if with[k+limit]-with[k] < second {
			return false
		}
	}
	return true
}

// tidy forgets what is over.
func (b *Bookings) tidy(now time.Time) {
	b.Calls = slices.DeleteFunc(b.Calls, func(at int64) bool { return at <= now.Add(-time.Second).UnixMilli() })
	b.Slots = slices.DeleteFunc(b.Slots, func(s Slot) bool { return !now.Before(s.Until) })
	b.Waiting = slices.DeleteFunc(b.Waiting, func(w Waiter) bool { return now.After(w.Back.Add(lateness)) })
}

// ahead counts those who wait before somebody.
func (b *Bookings) ahead(w Wish, slot bool) int {
	n, passed, name := 0, false, short(w.Name)
	for _, other := range b.Waiting {
		if other.Slot != slot {
			continue
		}
		if other.Name == name {
			passed = true
			continue
		}
		if other.Class > w.Class || other.Class == w.Class && !passed {
			n++
		}
	}
	return n
}

// comeBack notes that somebody is to come back, and when.
func (b *Bookings) comeBack(now time.Time, w Wish, slot bool, place Line, atMost time.Duration) Line {
	place.After = min(max(place.Wait, soonest), atMost)
	if w.Name == "" {
		return place
	}
	name, back := short(w.Name), now.UTC().Add(place.After)
	for i := range b.Waiting {
		if b.Waiting[i].Name == name && b.Waiting[i].Slot == slot {
			b.Waiting[i].Back = back
			return place
		}
	}
	if len(b.Waiting) < maxWaiting {
		b.Waiting = append(b.Waiting, Waiter{Name: name, Class: w.Class, Slot: slot, Back: back})
	}
	return place
}

// leave takes somebody out of a line.
func (b *Bookings) leave(w Wish, slot bool) {
	name := short(w.Name)
	b.Waiting = slices.DeleteFunc(b.Waiting, func(other Waiter) bool { return other.Name == name && other.Slot == slot })
}

// short keeps the item small, whatever names are made of.
func short(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
