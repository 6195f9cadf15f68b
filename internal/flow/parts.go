package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Part is one entitlement of a run, and how it stands. Most runs have one. One
// that asks for several targets has a part for each, and each goes on by itself:
// one that fails, or waits, keeps none of the others.
type Part struct {
	Entitlement
	Began   time.Time `json:"began,omitzero"`   // the first attempt at granting it; Retry begins anew
	Seen    time.Time `json:"seen,omitzero"`    // when the target showed it
	Lost    time.Time `json:"lost,omitzero"`    // when the target was seen not to show it any more
	Removed time.Time `json:"removed,omitzero"` // when its absence was observed, or it was left to others
	// Before and BeforeValue are what the grant's item has of them, which says what may
	// be removed: records tell it, should that item be lost.
	Before      Presence `json:"before,omitempty"`
	BeforeValue string   `json:"before_value,omitempty"`
	Waiting     *Waiting `json:"waiting,omitempty"`
	// Error is why the last attempt failed: the step says at what.
	Error *Failure `json:"error,omitempty"`
	// Of a removal: other runs hold it, it was there before us, and what else gives
	// the same access.
	StillHeld bool     `json:"still_held,omitempty"`
	Kept      bool     `json:"kept,omitempty"`
	GrantedBy []string `json:"granted_by,omitempty"`
	// Output and Warnings are what the target answered, until the step is over.
	Output   json.RawMessage `json:"output,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// PartState is how a part of a run's access stands, as records and the API say it.
type PartState string

// The states of a part.
const (
	PartWaiting PartState = "waiting" // it is being granted, or is to be
	PartGranted PartState = "granted"
	PartFailed  PartState = "failed"  // it was not granted, and is not tried any more
	PartMissing PartState = "missing" // it was granted, and somebody has taken it away at the target
	PartRemoved PartState = "removed"
	PartKept    PartState = "kept" // it was there before, or another run holds it: it is left as it is
)

// PartStates lists them all.
var PartStates = []PartState{PartWaiting, PartGranted, PartFailed, PartMissing, PartRemoved, PartKept}

// State says how the part stands.
func (p Part) State() PartState {
	switch {
	case !p.Removed.IsZero() && (p.Kept || p.StillHeld):
		return PartKept
	case p.Seen.IsZero() && p.Error != nil && (p.Error.Step == EventDeescalate || p.givenUp()):
		return PartFailed // even if it is taken away now, to be sure
	case !p.Removed.IsZero():
		return PartRemoved
	case !p.Lost.IsZero():
		return PartMissing
	case !p.Seen.IsZero():
		return PartGranted
	}
	return PartWaiting
}

// Title names the part among those of its run, as people read it: by the values
// that tell it apart.
func (p Part) Title() string {
	if len(p.Settings) == 0 {
		return p.Key
	}
	var values []string
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		values = append(values, p.Settings[name])
	}
	return strings.Join(values, ", ")
}

// Said is what there is to say of a part that is not as it should be: why it
// failed, or what it waits for. It returns "" if there is nothing.
func (p Part) Said() string {
	switch {
	case p.Error != nil:
		return p.Error.Message
	case p.Waiting != nil:
		return p.Waiting.Text
	}
	return ""
}

// givenUp tells whether the part was not granted, and is not tried by itself any
// more.
func (p Part) givenUp() bool {
	return p.Seen.IsZero() && p.Error != nil && p.Error.Step == EventEscalate && (!p.Error.Retryable || p.Error.Attempts >= MaxGrantAttempts)
}

// goesOn tells whether a step has still something to do for the part.
func (p Part) goesOn(step EventName) bool {
	if step == EventDeescalate {
		return p.Removed.IsZero()
	}
	return p.Seen.IsZero() && !p.givenUp()
}

// next is when a step goes on with the part; zero: at once.
func (p Part) next(step EventName) time.Time {
	switch {
	case p.Waiting != nil && p.Waiting.Step == step:
		return p.Waiting.LookAt
	case p.Error != nil && p.Error.Step == step:
		return p.Error.RetryAt
	}
	return time.Time{}
}

// Listed tells whether the run asks for several targets, or might have, so that
// records list its entitlements.
func (a *Access) Listed() bool {
	return a != nil && (len(a.Entitlements) > 1 || len(a.Entitlements) == 1 && len(a.Entitlements[0].Settings) > 0)
}

// TargetOf is the target of one of the entitlements.
func (a *Access) TargetOf(e Entitlement) Target { return a.Target.With(e.Settings) }

// partEarly is by how much too early an attempt may come: clocks differ.
const partEarly = 2 * time.Second

// Ready lists the entitlements that a step (EventEscalate or EventDeescalate) has
// to go on with now: where there are several, without those that wait, and those
// that failed a moment ago.
func (a *Access) Ready(step EventName, now time.Time) []Entitlement {
	var out []Entitlement
	for _, p := range a.Entitlements {
		if len(a.Entitlements) == 1 || p.goesOn(step) && !p.next(step).After(now.Add(partEarly)) {
			out = append(out, p.Entitlement)
		}
	}
	return out
}

// Listing is how the entitlements stand, as events and the API show it.
func (a *Access) Listing() []any {
	var out []any
	for _, p := range a.Entitlements {
		settings := map[string]any{}
		for name, value := range p.Settings {
			settings[name] = value
		}
		one := map[string]any{"settings": settings, "state": string(p.State())}
		if p.Error != nil {
			one["error"] = p.Error.Message
		}
		out = append(out, one)
	}
	return out
}

// SeenAt is when an entitlement was seen; zero if it was not.
func (a *Access) SeenAt(key string) time.Time {
	p := a.part(key)
	switch {
	case p == nil:
		return time.Time{}
	case len(a.Entitlements) == 1:
		return a.Seen
	}
	return p.Seen
}

// part finds the part of a key; nil if there is none. An empty key is that of the
// only part.
func (a *Access) part(key string) *Part {
	for i := range a.Entitlements {
		if p := &a.Entitlements[i]; p.Key == key || key == "" && len(a.Entitlements) == 1 {
			return p
		}
	}
	return nil
}

// count tells how many parts are in a state.
func (a *Access) count(s PartState) int {
	n := 0
	for _, p := range a.Entitlements {
		if p.State() == s {
			n++
		}
	}
	return n
}

// cloneParts copies what inputs may change.
func (a *Access) cloneParts() {
	a.Entitlements = slices.Clone(a.Entitlements)
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if p.Waiting != nil {
			waiting := *p.Waiting
			p.Waiting = &waiting
		}
		if p.Error != nil {
			failure := *p.Error
			p.Error = &failure
		}
	}
}

// shortage says of which of several parts a step came to nothing, and why.
func (a *Access) shortage(parts []*Part, deed string) string {
	head := fmt.Sprintf("%d of %d %s. Not", len(a.Entitlements)-len(parts), len(a.Entitlements), deed)
	if len(parts) == len(a.Entitlements) {
		head = fmt.Sprintf("None of %d %s:", len(a.Entitlements), deed)
	}
	var lines []string
	for _, p := range parts {
		lines = append(lines, p.Title()+": "+p.Said())
	}
	return Clip(head+" "+strings.Join(lines, "\n"), 2000)
}

// shortfall is the error of access that is live and not whole: parts of it are
// missing at the target, or were never granted. It is nil if nothing is amiss.
func (r *Run) shortfall() *Failure {
	a := r.Access
	var lost, failed []*Part
	for i := range a.Entitlements {
		switch p := &a.Entitlements[i]; p.State() {
		case PartMissing:
			lost = append(lost, p)
		case PartFailed:
			failed = append(failed, p)
		}
	}
	var f Failure
	switch {
	case len(lost) > 0 && len(a.Entitlements) == 1:
		f = Failure{Code: CodeMissing, Message: "The target does not show this access any more: somebody has taken it away there. An approver or an admin can have it granted again."}
	case len(lost) > 0:
		var titles []string
		for _, p := range lost {
			titles = append(titles, p.Title())
		}
		f = Failure{Code: CodeMissing, Message: Clip(fmt.Sprintf("The target does not show %d of %d any more: somebody has taken it away there. An approver or an admin can have it granted again: %s.",
			len(lost), len(a.Entitlements), strings.Join(titles, "; ")), 2000)}
	case len(failed) > 0 && len(a.Entitlements) > 1:
		f = failureOfParts(failed[:1])
		f.Message = a.shortage(failed, "could be granted")
	default:
		return nil
	}
	f.Step, f.Attempts, f.Retryable, f.RetryAt = EventEscalate, cmp.Or(f.Attempts, 1), false, time.Time{}
	f.EventID = cmp.Or(f.EventID, r.failureEvent(f.Step, f.Code))
	return &f
}

// forget changes the parts that wait at a step, or failed at it.
func (a *Access) forget(step EventName, change func(*Part)) {
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if p.Waiting != nil && p.Waiting.Step == step || p.Error != nil && p.Error.Step == step {
			change(p)
		}
	}
}

// again readies the parts that are not there for being granted once more.
func (a *Access) again() {
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if !p.Lost.IsZero() || p.Seen.IsZero() {
			p.Began, p.Seen, p.Lost, p.Waiting, p.Error = time.Time{}, time.Time{}, time.Time{}, nil, nil
		}
	}
}
