package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// maxReason is how much of a reason is told, in characters.
const maxReason = 300

// Facts are what is told of a run.
type Facts struct {
	Run       string
	Flow      string // its name
	FlowTitle string
	Requester string // e-mail address, or name
	Submitter string // who asked for them; "" if they did
	Bot       bool   // a program asked
	Target    string
	Reason    string

	Asked   time.Time // zero: the request was never made
	Outcome flow.RequestOutcome
	Took    time.Duration // until people decided; 0 if they did not
	// ByRule says that a rule of the flow decided.
	ByRule bool
	// Decisions are those of people that counted, approvals of several among them.
	Decisions []Decision

	Emergency bool // without approval
	Reviewer  string
	Skipped   int

	Given     time.Time // zero: there was no access
	End       time.Time // when it is to end, or was; zero: by hand
	Removed   time.Time // zero: not yet
	Scheduled bool      // the removal was, and nobody asked for it
	Stays     bool      // what was removed of it stays for others, or was there before
	Extended  int
	// Failing says why the removal does not succeed; "" if it has, or is not due.
	Failing string
	// Missing and Lingering count how often the target showed less, or more, than was
	// recorded.
	Missing, Lingering int
}

// Decision is one of a person.
type Decision struct {
	Who      string
	Approved bool
	At       time.Time
	Took     time.Duration
	Self     bool // about their own request
}

// Late is how long after its end access was removed; false where nothing says when it
// was to end, because somebody ended it before that.
func (f Facts) Late() (time.Duration, bool) {
	if f.Removed.IsZero() || f.End.IsZero() || !f.Scheduled {
		return 0, false
	}
	return max(f.Removed.Sub(f.End), 0), true
}

// Lasted is for how long there was access, up to a time.
func (f Facts) Lasted(until time.Time) time.Duration {
	if f.Given.IsZero() {
		return 0
	}
	if !f.Removed.IsZero() && f.Removed.Before(until) {
		until = f.Removed
	}
	return max(until.Sub(f.Given), 0)
}

// Of takes from a run what is told of it.
func Of(r flow.Run) Facts {
	f := Facts{
		Run: r.ID, Flow: strings.ToLower(r.Flow), FlowTitle: cmp.Or(r.FlowTitle, r.Flow), Requester: person(r.Requester),
		Bot: r.Source == flow.ChannelAPI, Extended: r.Extended, Emergency: r.BreakGlass != nil && !r.BreakGlass.At.IsZero(),
	}
	if r.Asker != nil {
		f.Submitter = person(*r.Asker)
	}
	if t := r.GivenTarget(); t != nil {
		f.Target = t.Title()
	}
	if reason, ok := r.Fields[flow.FieldNameReason].(string); ok {
		f.Reason = flow.Clip(strings.Join(strings.Fields(reason), " "), maxReason)
	}
	if f.Emergency {
		f.Skipped = r.BreakGlass.Skipped
	}
	if asked, ok := r.Last(flow.EventRequest); ok {
		f.Asked = asked.At
		f.Outcome, f.Took = r.Outcome()
	}
	if decision, ok := r.Decision(); ok {
		f.ByRule = decision.Actor.Hook != ""
	}
	for _, e := range r.Events {
		f.take(r, e)
	}
	if r.Access != nil {
		f.End = r.Access.End
		f.Stays = slices.ContainsFunc(r.Access.Entitlements, func(p flow.Part) bool { return p.StillHeld || p.Kept || len(p.GrantedBy) > 0 })
		if r.Error != nil && r.Error.Step == flow.EventDeescalate && f.Removed.IsZero() {
			f.Failing = cmp.Or(string(r.Error.Code), "unknown")
		}
	}
	return f
}

// take takes in an event of the run, in their order.
func (f *Facts) take(r flow.Run, e flow.Event) {
	if e.Name == flow.EventEscalate && slices.ContainsFunc(e.Errors, func(x flow.Failure) bool { return x.Code == flow.CodeMissing }) {
		f.Missing++
	}
	if e.Failed() || e.Ignored() {
		return
	}
	switch e.Name {
	case flow.EventApprove, flow.EventDeny:
		if e.Actor.Kind == flow.KindPerson && !f.Emergency {
			f.Decisions = append(f.Decisions, Decision{
				Who: person(e.Actor), Approved: e.Name == flow.EventApprove, At: e.At, Self: e.Actor.Same(r.Requester),
				Took: max((e.At.Sub(f.Asked) + time.Second - 1).Truncate(time.Second), time.Second),
			})
		}
	case flow.EventReview:
		f.Reviewer = person(e.Actor)
	case flow.EventEscalate:
		if f.Given.IsZero() {
			f.Given = e.At
		}
	case flow.EventDeescalate:
		if _, again := e.Fields[flow.KeyLingering]; again {
			f.Lingering++
		}
		if f.Removed.IsZero() {
			f.Removed, f.Scheduled = e.At, e.Fields[flow.KeyDeescalateType] == flow.Scheduled
		}
	}
}

// person is how reports name somebody: by what is theirs alone, if it is known.
func person(a flow.Actor) string {
	if a.Hook != "" {
		return a.Name
	}
	return cmp.Or(a.Email, a.Display())
}
