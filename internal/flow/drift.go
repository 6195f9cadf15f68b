package flow

import "time"

// Drift is a difference between what is recorded of an entitlement and what its
// target shows.
type Drift struct {
	Kind DriftKind `json:"kind"`
	Key  string    `json:"key"` // the entitlement's
	// Strategy and Target are names of the configuration, Title the target's as
	// people read it.
	Strategy string `json:"strategy"`
	Target   string `json:"target"`
	Title    string `json:"title"`
	Identity string `json:"identity"`      // who it is at the target
	Run      string `json:"run,omitempty"` // that holds the entitlement, or held it last
	// Requester is the run's, as people read it.
	Requester string    `json:"requester,omitempty"`
	Since     time.Time `json:"since"` // when it was seen first
}

// DriftKind says what differs.
type DriftKind string

// The kinds.
const (
	// DriftLingering is access of ours that no run holds, and that was never seen
	// absent since we created it. Its removal is taken up again.
	DriftLingering DriftKind = "lingering"
	// DriftMissing is access of ours that a live run holds and the target does not
	// show: somebody else has taken it away.
	DriftMissing DriftKind = "missing"
	// DriftBack is access that was seen absent after we removed it, and is there
	// again: somebody else's doing, which is never removed by us.
	DriftBack DriftKind = "back"
	// DriftUnknown is access that was never ours.
	DriftUnknown DriftKind = "unknown"
)

// DriftKinds lists them all, the gravest first.
var DriftKinds = []DriftKind{DriftLingering, DriftMissing, DriftBack, DriftUnknown}

// Compare says how what the target shows of an entitlement, and which value, differs
// from what is recorded of it. live says that a run needs the access, or is just
// granting it or taking it away; leaving, that one is just taking it away. It returns
// "" if nothing differs, if somebody is changing the entitlement, or if it was there
// before us.
func (g Grant) Compare(seen Presence, value string, live, leaving bool, now time.Time) DriftKind {
	if seen == Absent {
		value = ""
	}
	switch {
	case now.Before(g.Lease.Until):
		return ""
	case g.Above(value) && g.rank(value) > g.rank(g.Top): // nobody ever asked for that much
		return DriftUnknown
	case g.Above(value) && leaving:
		return ""
	case g.Above(value):
		return DriftLingering
	case live:
		settled := g.State != GrantAbsent && g.Reached(g.Value) // else more is just being granted
		if settled && (seen == Absent && g.Before == Absent || g.Ours() && !g.Reached(value)) {
			return DriftMissing
		}
		return ""
	case seen == Absent || g.Predates():
		return ""
	case g.State != GrantAbsent && g.Before == Absent:
		return DriftLingering
	case g.State == GrantAbsent && !g.Ended.IsZero():
		return DriftBack
	}
	return DriftUnknown
}

// Held tells whether the run's access was granted, and it is not to end yet.
func (r *Run) Held(now time.Time) bool {
	if r.Status != Escalated || !r.Access.Live() || r.removing() {
		return false
	}
	at := r.endsAt()
	return at.IsZero() || now.Before(at)
}

// Miss notes that the target does not show an entitlement that was granted, though
// nobody asked for its end. A person may have it granted again: [Retry]. The run
// goes on: other entitlements of it are there.
type Miss struct{ Key string } // "" is the only one

func (in Miss) apply(r *Run, now time.Time) error {
	if !r.Held(now) {
		return stale
	}
	p := r.Access.part(in.Key)
	if p == nil || len(r.Access.Entitlements) > 1 && p.Seen.IsZero() {
		return stale
	}
	if !p.Lost.IsZero() {
		return ErrUnchanged
	}
	p.Lost = now
	r.recordFailure(*r.shortfall(), System, ChannelInternal, now)
	r.amend(r.Error.EventID, func(e *Event) { e.Fields = r.withListing(e.Fields) })
	return nil
}

// Find takes back that an entitlement is missing: the target shows it.
type Find struct{ Key string } // "" is the only one

func (in Find) apply(r *Run, _ time.Time) error {
	if !r.Missing() {
		return ErrUnchanged
	}
	p := r.Access.part(in.Key)
	if p == nil || p.Lost.IsZero() && len(r.Access.Entitlements) > 1 {
		return ErrUnchanged
	}
	p.Lost = time.Time{}
	r.Error = r.shortfall()
	return nil
}

// Short tells whether the access is there in part only: some of it was not
// granted, or is missing at the target.
func (r *Run) Short() bool {
	return r.Status == Escalated && r.Error != nil && r.Error.Step == EventEscalate
}

// Missing tells whether the target does not show access that was granted.
func (r *Run) Missing() bool {
	return r.Short() && r.Error.Code == CodeMissing
}

// grantAgain takes the run back to its grant, of what is not there.
func (r *Run) grantAgain(who Actor, now time.Time) error {
	if !r.Held(now) {
		return stale
	}
	if err := r.mayGrantAgain(who); err != nil {
		return err
	}
	r.Error = nil
	r.Status = Approved
	r.Access.EventID = r.nextID()
	r.Access.again()
	return nil
}

// Linger takes up the removal of access that the run has closed, and that its
// target shows all the same.
type Linger struct{}

func (in Linger) apply(r *Run, now time.Time) error {
	if r.Access.Live() {
		return ErrUnchanged
	}
	if r.Status != Deescalated {
		return r.notLive()
	}
	r.Access.Removed, r.Access.Removal, r.Access.Lingering = time.Time{}, Removal{}, now
	for i := range r.Access.Entitlements {
		p := &r.Access.Entitlements[i]
		p.Removed, p.StillHeld, p.Kept, p.GrantedBy, p.Waiting, p.Error = time.Time{}, false, false, nil, nil, nil
	}
	r.Status = Escalated
	return nil
}
