package strategy

import "context"

// Class says for whom a system is asked. Where calls are limited, removals may
// use all of a limit, grants not the last of it, and looks a small part only.
type Class int

// The classes. The zero value is the least: whoever forgets to say gets no more.
const (
	Looking  Class = iota // to compare, or to tell people something
	Granting              // for a grant: its look-ups and its waiting included
	Removing              // for a removal
)

// Pace is how fast a system may be asked, by all processes together.
type Pace struct {
	// Key names what the limit is of: a system's type and the account or instance
	// at it.
	Key string
	// Calls is how many a second each class may see made, its own and all others:
	// {Looking: 5, Granting: 15, Removing: 20}. 0: no limit.
	Calls [3]int
	// Slots is how many of the system's asynchronous operations each class may see
	// under way, with the one that it begins. 0: no limit.
	Slots [3]int
}

// Limiter keeps the pace of all processes together. Where it is not yet the
// caller's turn, and won't be by the context's deadline, the error is a
// flow.RateLimited with a CodeUnavailable as its cause: it says when to come
// back, and the place in line. Whoever comes back under the same name has kept
// it: see [WithTurn].
//
// It never holds a removal because of a fault of its own: if what it keeps can't
// be read or written in a moment, removals go ahead. Everything else is then
// refused with CodeUnavailable. Implementations run strategytest.Limiter. Methods
// are safe for concurrent use.
type Limiter interface {
	// Call waits until the class may make one call.
	Call(context.Context, Pace, Class) error
	// Begin takes one of the slots for an operation, by a name that is the
	// caller's: taken again under that name, it is the same slot. It is free at
	// End, or flow.SlotLasts later. Begin does not wait for a slot.
	Begin(ctx context.Context, p Pace, c Class, name string) error
	// End frees the slot. It returns nil if there is none of that name.
	End(ctx context.Context, p Pace, name string) error
}
