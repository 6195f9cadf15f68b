package flow

import (
	"encoding/json"
	"slices"
	"time"
)

// Grant is an entitlement as all runs share it: who holds it, and who may
// change it at the target. It is stored as one item with compare-and-swap.
//
//	absent ──Acquire──▶ creating ──Created──▶ present ──Release (last holder)──▶ removing ──Gone──▶ absent
//	                        ▲                    │ ▲                                │
//	                        └── lease is dead ───┘ └── another holder, lease dead ──┘
//
// Where a target keeps one value for each person and thing, or ends access by itself,
// holders need different things of it: goal.go. Who needs more than is set takes a
// present grant back to creating; who leaves, and had more than others need, takes it
// to removing, and what remains is present again.
//
// A lease bounds one invocation; Work is what the target goes on with between them.
type Grant struct {
	Key string `json:"key"`
	// Rev is the number of the write that stored this state. The store sets it.
	Rev   int64      `json:"-"`
	State GrantState `json:"state"`
	// Holders are the runs that need the entitlement.
	Holders []Holder `json:"holders,omitempty"`
	// Left are the runs that were taken off lately, whether they had come to
	// hold the entitlement or not: a slow attempt at granting that comes after
	// the removal of its own run finds itself here, and is refused.
	Left []Departure `json:"left,omitempty"`
	// Before is what the target showed before we first touched it; "" until seen.
	Before Presence `json:"before,omitempty"`
	// BeforeValue is the value that it showed then, which is set again at the end.
	BeforeValue string `json:"before_value,omitempty"`
	// Order has the values that a person may have, from the least to the most; empty
	// where they have the entitlement or not.
	Order []string `json:"order,omitempty"`
	// Value and Until are the goal that was seen last: what a person had at least.
	// Since is when that was.
	Value string    `json:"value,omitempty"`
	Until time.Time `json:"until,omitzero"`
	Since time.Time `json:"since,omitzero"`
	// Top is the highest value that the target may show because of us.
	Top string `json:"top,omitempty"`
	// Output is what the target answered when it was created: runs that join
	// later, or lost the answer, have it from here.
	Output json.RawMessage `json:"output,omitempty"`
	Lease  Lease           `json:"lease"`
	// Ended is when the target was seen not to show it any more after a removal;
	// zero once it is there again, and where it was left alone.
	Ended time.Time `json:"ended,omitzero"`
	// Work is how far creating or removing has come.
	Work Work `json:"work,omitzero"`
	// Stray is until when a call that removes, of a process that was killed, may
	// still arrive at the target. It harms no other removal, but would take away
	// what is granted before.
	Stray time.Time `json:"stray,omitzero"`
}

// Departure is a run that may not come back.
type Departure struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// rememberLeft is how long departures are kept: longer than any attempt at
// granting can be under way.
const rememberLeft = time.Hour

// Lease is the sole right to call the target for a grant. It lasts at least as
// long as a call can.
type Lease struct {
	Owner string    `json:"owner,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Work is how far the target has come with a change, as far as we know. It
// outlives leases: whoever has the next one goes on with it.
type Work struct {
	// Operation is what may be under way at the target. One without an ID says
	// that nobody knows: an answer was lost, or the call never began.
	Operation *Operation `json:"operation,omitempty"`
	// Former says that the operation is none for what is wanted now: when it is over,
	// all is left to be done.
	Former bool `json:"former,omitempty"`
	// Accepted is when the target took what was asked of it, to show it later.
	Accepted time.Time `json:"accepted,omitzero"`
	// Missed is when a removal did not see the entitlement for the first time.
	Missed time.Time `json:"missed,omitzero"`
	// Output and Warnings are what the target answered so far.
	Output   json.RawMessage `json:"output,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// IsZero tells whether nothing is known.
func (w Work) IsZero() bool {
	return w.Operation == nil && !w.Former && w.Accepted.IsZero() && w.Missed.IsZero() && len(w.Output) == 0 && len(w.Warnings) == 0
}

// Known tells whether it is known what the target works on, or that it works on
// nothing.
func (w Work) Known() bool {
	return w.Operation != nil && w.Operation.ID != "" || w.Operation == nil && !w.Accepted.IsZero()
}

// taken is the work as somebody takes it over who goes on in the same direction.
func (w Work) taken() Work {
	if !w.Known() {
		w.Operation = &Operation{} // a call may have begun, and its end is not known
	}
	return w
}

// turned is the work as somebody takes it over who wants the opposite: all that
// matters is what may be under way.
func (w Work) turned() Work {
	op := w.taken().Operation
	return Work{Operation: op, Former: op != nil}
}

// Operation is work that a target has accepted and goes on with by itself.
type Operation struct {
	ID      string    `json:"id"`   // the target's
	Kind    string    `json:"kind"` // OperationGrant or OperationRevoke
	Started time.Time `json:"started"`
}

// The kinds of operations.
const (
	OperationGrant  = "grant"
	OperationRevoke = "revoke"
)

// GrantState is where an entitlement stands.
type GrantState string

// The states of a grant; the zero value is absent.
const (
	GrantAbsent   GrantState = ""
	GrantCreating GrantState = "creating"
	GrantPresent  GrantState = "present"
	GrantRemoving GrantState = "removing"
)

// Do says what the caller of a move on a grant has to do next.
type Do string

// What Acquire and Release answer.
const (
	DoCreate Do = "create" // observe, save what was there before, ask for the Goal, then Created
	DoRemove Do = "remove" // take away what is more than the Goal, and observe; then Gone
	DoNone   Do = "none"   // nothing: others see to it, or it is so already
)

// busy says that somebody else has the lease, or has taken it over.
var busy = Errorf(CodeBusy, "another request is changing the same access right now")

func (g Grant) leasedByOther(owner string, now time.Time) bool {
	return g.Lease.Owner != "" && g.Lease.Owner != owner && now.Before(g.Lease.Until)
}

// Acquire makes a run a holder, or has one that is a holder need something else.
// order has the values that a person may have, from the least to the most. DoCreate:
// the caller owns the lease and has to bring the target to the [Grant.Goal]. DoNone:
// it is there, and shared. The error is a [Busy] while somebody else is changing it.
func (g Grant) Acquire(h Holder, order []string, lease Lease, now time.Time) (Grant, Do, error) {
	if slices.ContainsFunc(g.Left, func(d Departure) bool { return d.Run == h.Run }) {
		return g, DoNone, Errorf(CodeStale, "this access was ended before it was granted")
	}
	was := g
	if len(order) > 0 {
		g.Order = order
	}
	g.hold(h)
	if g.State == GrantPresent && g.satisfied() {
		return g, DoNone, nil
	}
	if g.leasedByOther(lease.Owner, now) {
		return was, DoNone, &Busy{g.Lease.Until}
	}
	if now.Before(g.Stray) {
		return was, DoNone, &Busy{g.Stray}
	}
	// Absent; or more is needed; or the target works on it; or a leaseholder died
	// while creating or removing: what it did is unknown, so the target is asked again.
	switch g.State {
	case GrantCreating:
		g.Work = g.Work.taken()
	case GrantRemoving:
		g.Work = g.Work.turned()
	}
	g.State, g.Lease, g.Stray = GrantCreating, lease, time.Time{}
	g.retarget(was.Goal())
	g.intend()
	return g, DoCreate, nil
}

func (g *Grant) hold(h Holder) {
	g.Holders = slices.Clone(g.Holders)
	i := slices.IndexFunc(g.Holders, func(other Holder) bool { return other.Run == h.Run })
	if i < 0 {
		g.Holders = append(g.Holders, h)
		return
	}
	g.Holders[i] = h
}

// Saw notes what the target showed before the first change. Once absence was
// seen, whatever is there is ours: later sights are not kept. Neither are values that
// may be ours.
func (g Grant) Saw(owner string, p Presence, value string) (Grant, error) {
	if g.State != GrantCreating || g.Lease.Owner != owner {
		return g, busy
	}
	former := g.Goal()
	if p == Absent {
		g.Before, g.BeforeValue = Absent, ""
	} else if !g.Ours() {
		g.Before, g.BeforeValue = p, value
	}
	g.retarget(former)
	g.intend()
	return g, nil
}

// Created ends creating: the goal was observed.
func (g Grant) Created(owner string, now time.Time) (Grant, error) {
	if g.State != GrantCreating || g.Lease.Owner != owner {
		return g, busy
	}
	g.settle(now)
	return g, nil
}

func (g *Grant) settle(now time.Time) {
	goal := g.Goal()
	g.State, g.Lease, g.Work, g.Ended = GrantPresent, Lease{}, Work{}, time.Time{}
	g.Value, g.Until, g.Since = goal.Value, goal.Until, now
}

// Lost makes a present entitlement one to create again, under the lease: the
// target does not show it, or less than the goal, though no run removed it.
func (g Grant) Lost(lease Lease) (Grant, error) {
	if g.State != GrantPresent {
		return g, busy
	}
	g.State, g.Lease = GrantCreating, lease
	return g, nil
}

// Begin notes, before the target is asked for a change, that what was known of its
// work is over: should the answer be lost, nobody knows what may be under way.
func (g Grant) Begin(owner string, w Work) (Grant, error) {
	if g.Lease.Owner != owner || g.State != GrantCreating && g.State != GrantRemoving {
		return g, busy
	}
	w.Operation = &Operation{}
	g.Work = w
	return g, nil
}

// Pause gives the lease back because the target needs time, or a person does. The
// next one that has it goes on with the work.
func (g Grant) Pause(owner string, w Work) (Grant, error) {
	if g.Lease.Owner != owner || g.State != GrantCreating && g.State != GrantRemoving {
		return g, busy
	}
	g.Lease, g.Work = Lease{}, w
	return g, nil
}

// Yield gives the lease back after a failure, so that the next attempt need
// not wait for its end. What the target shows is unknown.
func (g Grant) Yield(owner string) (Grant, error) {
	if g.Lease.Owner != owner {
		return g, busy
	}
	g.Lease = Lease{}
	return g, nil
}

// Orphan ends the lease of a removal whose process is known to have been killed,
// so that another removal begins at once. Leases of grants last until their end: a
// grant that arrives after its removal would stay. So do those of removals that leave
// something, which are grants for the target.
func (g Grant) Orphan(now time.Time) Grant {
	sets := g.Ours() && !g.Goal().None
	if g.State == GrantRemoving && !sets && now.Before(g.Lease.Until) {
		g.Stray, g.Lease = g.Lease.Until, Lease{}
	}
	return g
}

// Release takes the run off the holders; leaving and removing are one write.
// DoRemove: the caller owns the lease and has to take away from the target what is
// more than the [Grant.Goal]. DoNone: others hold all of it, or it is absent already.
// The error is a [Busy] while somebody else is changing it.
func (g Grant) Release(run string, lease Lease, now time.Time) (Grant, Do, error) {
	former := g.Goal()
	g.Left = slices.DeleteFunc(slices.Clone(g.Left), func(d Departure) bool {
		return d.Run == run || now.Sub(d.At) > rememberLeft
	})
	g.Left = append(g.Left, Departure{Run: run, At: now})
	if g.State == GrantAbsent {
		return g, DoNone, nil
	}
	was := g
	g.Holders = slices.DeleteFunc(slices.Clone(g.Holders), func(h Holder) bool { return h.Run == run })
	shared := len(g.Holders) > 0 && !g.settlesLess(former)
	switch {
	case shared && g.State != GrantCreating:
		return g, DoNone, nil
	case g.leasedByOther(lease.Owner, now):
		return was, DoNone, &Busy{g.Lease.Until}
	case shared:
		// Creating, and the leaseholder is dead: the others go on.
		g.Lease = Lease{}
		return g, DoNone, nil
	}
	switch g.State {
	case GrantCreating:
		if len(g.Output) == 0 {
			g.Output = g.Work.Output // for the removal
		}
		g.Work = g.Work.turned()
	case GrantRemoving:
		g.Work = g.Work.taken()
	}
	if len(g.Holders) == 0 {
		g.Holders = nil
	}
	g.State, g.Lease = GrantRemoving, lease
	g.retarget(former)
	return g, DoRemove, nil
}

// settlesLess tells whether the target has to be asked because a run has left that
// shared the entitlement with others, when the goal was former.
func (g Grant) settlesLess(former Goal) bool {
	if g.Before == "" { // the target was never touched
		return false
	}
	return g.State == GrantRemoving || g.Exceeds() || !g.Goal().Same(former)
}

// Gone ends removing: it was observed that nothing is left but the goal, or what
// predates us was left alone.
func (g Grant) Gone(owner string, now time.Time) (Grant, error) {
	if g.State != GrantRemoving || g.Lease.Owner != owner {
		return g, busy
	}
	if len(g.Holders) > 0 {
		g.settle(now)
		g.Top = g.Value
		return g, nil
	}
	gone := Grant{Key: g.Key, Rev: g.Rev, Left: g.Left, Stray: g.Stray}
	switch g.Before {
	case Absent:
		gone.Ended = now
	case "": // nothing was asked of the target, which may still show what was there before
		gone.Ended = g.Ended
	}
	return gone, nil
}

// HeldByOthers tells whether runs other than this one hold the entitlement.
func (g Grant) HeldByOthers(run string) bool {
	return slices.ContainsFunc(g.Holders, func(h Holder) bool { return h.Run != run })
}
