package workflow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// HomeTab shows a person what is theirs, in the app's Home tab.
type HomeTab interface {
	// Show publishes the tab as it is to be now. Errors are as Messenger's.
	Show(ctx context.Context, who store.User) error
}

// Home keeps what Home tabs show, which follows from runs, and shows changes of it to
// those who have opened theirs lately.
type Home struct {
	Homes    store.Homes
	Waits    store.Waits
	Live     store.Live
	Stats    store.Stats
	Tab      HomeTab
	Now      func() time.Time
	Log      *slog.Logger
	Patience time.Duration // the least bound of what shows one tab
}

// Changes are shown to those who have opened their Home tab within homeFresh, to each
// once in homePause.
const (
	homeFresh = time.Hour
	homePause = 10 * time.Second
)

// homePeople bounds whom a change of one run is shown to.
const homePeople = 100

// follow keeps what follows from a run: whom it waits for, its access, and its part in
// the figures of its day. It is done again, to the same end, for each change.
func (h *Home) follow(ctx context.Context, f *flow.Flow, r flow.Run) error {
	if r.Status == flow.Prompted {
		return nil
	}
	asked, sent := r.Last(flow.EventRequest)
	var failed []error
	if sent {
		out, took := r.Outcome()
		err := h.Stats.Count(ctx, f.Environment.Name, r.ID, asked.At, out, took)
		if flow.CodeOf(err) == flow.CodeTooLarge {
			h.Log.WarnContext(ctx, "a request is missing in the figures of its day", "run", r.ID, "error", err)
			err = nil
		}
		failed = append(failed, err, h.carry(ctx, r, asked.At))
	}
	var people []flow.Actor
	all, since := false, r.Created
	open := r.Buttons(flow.SideDeciders)
	if slices.ContainsFunc(open, func(b flow.Button) bool {
		return b == flow.ButtonApprove || b == flow.ButtonExtend || b == flow.ButtonReview
	}) {
		people, all = askedOf(r), r.Deciders.Members
	}
	if sent {
		since = asked.At
	}
	failed = append(failed,
		h.Waits.Follow(ctx, r.ID, r.Rev, since, people, all),
		h.Live.Follow(ctx, r.ID, r.Rev, liveOf(f, r)),
	)
	return errors.Join(failed...)
}

// carry notes in which later months than that of its request something happened to a
// run, for their reports.
func (h *Home) carry(ctx context.Context, r flow.Run, asked time.Time) error {
	noted := monthOf(asked)
	for _, e := range r.Events { // in their order
		if month := monthOf(e.At); month.After(noted) {
			if err := h.Stats.Carry(ctx, r.ID, month); err != nil {
				return err
			}
			noted = month
		}
	}
	return nil
}

// monthOf is the beginning of a time's month.
func monthOf(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// askedOf lists those who are asked to decide: admins, who may always, where nobody
// else may.
func askedOf(r flow.Run) []flow.Actor {
	if d := r.Deciders; len(d.People) > 0 || d.Members {
		return d.People
	}
	return r.Deciders.Admins
}

// liveOf is a run's access as lists have it; nil if it has none that is live.
func liveOf(f *flow.Flow, r flow.Run) *store.LiveAccess {
	if r.Status != flow.Escalated || !r.Access.Live() {
		return nil
	}
	what := r.FlowTitle
	if t := r.GivenTarget(); t != nil {
		what = t.Title()
	}
	return &store.LiveAccess{
		Run: r.ID, Environment: f.Environment.Name, Who: r.Requester, What: what, Flow: r.Flow, Title: r.FlowTitle, End: r.Access.End,
		BreakGlass: r.BreakGlass != nil,
		Endable:    slices.Contains(r.Buttons(flow.SideDeciders), flow.ButtonEnd),
	}
}

// atRest tells whether a run stays as it is until somebody does something, or a time
// has come. What is under way is shown when it is over, as a rule a second later.
func atRest(r flow.Run) bool {
	switch {
	case len(r.Signals) > 0:
		return false
	case r.Error != nil:
		return true
	case r.Status == flow.Approved:
		return r.ApprovalOnly || r.WaitsForTarget(flow.EventEscalate) != nil
	case r.Status == flow.Escalated:
		return r.Access.Removal.EventID == ""
	}
	return true
}

// changed shows a change of a run to those whom it is about, if they have opened their
// Home tab lately. Nothing of it is an error: messages don't wait for Home tabs.
func (h *Home) changed(ctx context.Context, r flow.Run) {
	if r.Status == flow.Prompted {
		return
	}
	people := append([]flow.Actor{r.Requester}, askedOf(r)...)
	for _, a := range r.Approvals {
		people = append(people, a.Actor)
	}
	if r.Asker != nil {
		people = append(people, *r.Asker)
	}
	if r.Owner != nil {
		people = append(people, *r.Owner)
	}
	if r.Tier < len(r.Tiers) {
		people = append(people, r.Tiers[r.Tier].Users...)
	}
	seen := map[string]bool{}
	for _, who := range people[:min(len(people), homePeople)] {
		if who.SlackID == "" || seen[who.SlackID] {
			continue
		}
		seen[who.SlackID] = true
		if err := h.show(ctx, who, atRest(r)); err != nil {
			h.Log.WarnContext(ctx, "a Home tab does not show a change", "run", r.ID, "user", who.SlackID, "error", err)
		}
	}
}

// woken shows what could not be shown when it changed.
func (h *Home) woken(ctx context.Context, name string) error {
	home, err := h.Homes.Named(ctx, name)
	if err != nil || !home.Woken {
		return err
	}
	if err := h.show(ctx, home.Who.Actor, true); err != nil {
		h.Log.WarnContext(ctx, "a Home tab does not show a change", "user", home.Who.SlackID, "error", err)
	}
	return nil
}

// show shows somebody a change: now, or when it is not too soon after the last one
// and things have settled, by the sweep.
func (h *Home) show(ctx context.Context, who flow.Actor, now bool) error {
	var show bool
	at := h.Now().UTC()
	home, err := h.Homes.Change(ctx, who, func(home *store.Home) error {
		show = false
		next := home.Changed.Add(homePause)
		switch fresh := !home.Opened.IsZero() && at.Before(home.Opened.Add(homeFresh)); {
		case !fresh && home.Wanted.IsZero():
			return flow.ErrUnchanged
		case !fresh:
			home.Wanted, home.Woken = time.Time{}, false
		case now && !at.Before(next):
			show = true
			home.Changed, home.Wanted, home.Woken = at, time.Time{}, false
		case !home.Wanted.IsZero() && !home.Woken:
			return flow.ErrUnchanged
		default:
			home.Wanted, home.Woken = at.Add(homePause), false
		}
		return nil
	})
	if err != nil || !show {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, max(showTimeout, h.Patience))
	defer cancel()
	err = h.Tab.Show(bounded, home.Who)
	if err == nil || flow.CodeOf(err) == flow.CodeUndeliverable {
		return err
	}
	again := time.Minute
	if limited, ok := errors.AsType[*flow.RateLimited](err); ok {
		again = max(again, limited.After)
	}
	_, failed := h.Homes.Change(ctx, who, func(home *store.Home) error {
		if home.Wanted.IsZero() {
			home.Wanted, home.Woken = at.Add(again), false
		}
		return nil
	})
	return errors.Join(err, failed)
}
