package flow

import (
	"slices"
	"time"
)

// Recover puts back access that records tell of and the table does not: the run then
// only ends. It is granted nothing, and asks nobody.
type Recover struct {
	// Recorded is the run as far as records tell it: what it is, who asked for what,
	// its events, and its Access with the end. Its status is of no consequence.
	Recorded Run
	// Flow is the run's version of the flow, which says how it is shown and who its
	// admins are. Nil where the table lacks that, too.
	Flow *Flow
	// Over says that the access was taken away, as the records tell: a run that is
	// open in the table is closed, so that it is not granted once more.
	Over bool
}

// recoverGap is how many ids of events a recovered run leaves out: those that it has
// given after the last record that was kept.
const recoverGap = 64

// maxRecoverSeq is the last id of an event that a run may go on from.
const maxRecoverSeq = 0xff00

func (in Recover) apply(r *Run, now time.Time) error {
	told := in.Recorded.Clone()
	switch {
	case r.Status == Escalated || r.Status == Deescalated || r.ID == "" && in.Over:
		return ErrUnchanged
	case told.Access == nil || len(told.Access.Entitlements) == 0 || told.Access.EventID == "":
		return Errorf(CodeIllegal, "the records do not say what was granted")
	case r.ID != "" && (r.ID != told.ID || r.ApprovalOnly || r.Final()):
		return Errorf(CodeIllegal, "a run that is %s can't be one with access", r.Status)
	case r.ID == "":
		events := told.Events
		told.Events, told.Rev, told.Size = nil, 0, 0
		*r = told
		r.addRecorded(events)
		if f := in.Flow; f != nil {
			r.FlowTitle, r.Form = f.Title(), f.shownForm()
			for _, email := range f.Environment.Admins {
				r.Deciders.Admins = append(r.Deciders.Admins, Actor{ID: UserID(r.Org, email), Kind: KindPerson, Email: email})
			}
		}
	default:
		r.addRecorded(told.Events)
		r.give(told.GivenTarget(), told.DurationSeconds)
		r.Access = told.Access
	}
	r.Seq = min(max(r.Seq, told.Seq)+recoverGap, maxRecoverSeq)
	r.Signals, r.Coming, r.Turn, r.Extension, r.Error, r.Postponed, r.After = nil, nil, nil, nil, nil, nil, nil
	r.Access.Removal, r.Access.Waiting, r.Access.Untold, r.Access.Removed = Removal{}, nil, nil, time.Time{}
	r.Access.BusyUntil, r.Access.LookAt = time.Time{}, time.Time{}
	r.Status = Escalated
	if in.Over {
		r.Access.Removed = now
		r.Status = Deescalated
	}
	return nil
}

// addRecorded adds events that records tell of, in the order of their times. They are
// shipped already: as changes of no write, they are not shipped once more. Failures are
// left out: the next of their kind would count up an event whose record has a higher
// revision than it would get.
func (r *Run) addRecorded(events []Event) {
	for _, e := range events {
		if _, known := r.Event(e.ID); !known && !e.Failed() {
			e.Rev = 0
			r.Events = append(r.Events, e)
		}
	}
	slices.SortStableFunc(r.Events, func(a, b Event) int { return a.At.Compare(b.At) })
}

// Recover makes a run a holder again of what it was granted, as its records tell,
// where the item was lost or is older than that. recorded is the run's part, with
// what was there before us and what the target answered. Nothing changes if the
// run is a holder. The error is a [Busy] while somebody else is changing the grant.
func (g Grant) Recover(h Holder, recorded Part, now time.Time) (Grant, error) {
	if slices.ContainsFunc(g.Holders, func(other Holder) bool { return other == h }) && g.State == GrantPresent {
		return g, nil
	}
	if g.leasedByOther("", now) {
		return g, &Busy{g.Lease.Until}
	}
	if g.State == GrantAbsent {
		g = Grant{Key: g.Key, Rev: g.Rev}
	}
	alone := !g.HeldByOthers(h.Run)
	if len(recorded.Values) > 0 {
		g.Order = recorded.Values
	}
	if alone || g.Before == "" {
		g.Before, g.BeforeValue = recorded.Before, recorded.BeforeValue
	}
	if len(g.Output) == 0 {
		g.Output = recorded.Output
	}
	g.Left = slices.DeleteFunc(slices.Clone(g.Left), func(d Departure) bool { return d.Run == h.Run })
	g.hold(h)
	g.settle(now)
	if alone || g.rank(g.Value) > g.rank(g.Top) {
		g.Top = g.Value
	}
	return g, nil
}
