package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// promise is how long after its end access is there at most, while the target answers.
const promise = 90

// The bounds of the charts of durations, in seconds.
var (
	tookBounds = []int64{60, 5 * 60, 15 * 60, 3600, 4 * 3600, 24 * 3600}
	lateBounds = []int64{5, 15, 60, promise, 5 * 60, 3600}
)

// Source is what a report is made from.
type Source struct {
	Org  string    // required
	From time.Time // the month's beginning, in UTC
	Made time.Time
	// Facts are those of all runs to which something happened in the month; others may
	// be among them.
	Facts []Facts
	// Flows are those in force.
	Flows []*flow.Flow
	Drift Drift // as the last comparison has it; what runs tell is added
	Place Place
}

// Month gives the beginning of a month, which is written as 2026-11. The error has
// flow.CodeInvalid.
func Month(text string) (time.Time, error) {
	from, err := time.Parse("2006-01", text)
	if err != nil {
		return from, flow.Errorf(flow.CodeInvalid, "a month is written as 2026-11, and not %q", text)
	}
	return from, nil
}

// Make makes the report of a month.
func Make(s Source) Report {
	m := maker{
		Report: Report{
			Version: Version, Org: s.Org, Month: s.From.Format("2006-01"), From: s.From, To: s.From.AddDate(0, 1, 0), Made: s.Made.UTC().Truncate(time.Second),
			Requests: Requests{Outcomes: Outcomes{}}, Removals: Removals{Promise: promise, Latest: []Stretch{}, Failing: []Failing{}},
			Longest: []Stretch{}, Frequent: []Frequent{}, Self: SelfApproval{Allowed: []string{}, List: []Own{}},
			Emergencies: Emergencies{List: []Emergency{}}, Drift: s.Drift, Rules: []Rule{},
		},
		flows: map[string]*tally{}, approvers: map[string]*Approver{}, took: map[string][]int64{}, had: map[[2]string]*Frequent{},
	}
	m.Over = !m.Made.Before(m.To)
	facts := slices.Clone(s.Facts)
	slices.SortFunc(facts, func(a, b Facts) int { return cmp.Or(a.Asked.Compare(b.Asked), strings.Compare(a.Run, b.Run)) })
	for _, f := range facts {
		if m.within(f.Asked) {
			m.request(f)
		}
		m.access(f)
	}
	for _, f := range s.Flows {
		m.rule(f)
	}
	m.finish(facts)
	m.Fetch, m.Controls = s.Place.fetch(s.From), m.evidence(s.Place)
	return m.Report
}

// Empty tells whether nothing happened in the month.
func (r Report) Empty() bool {
	return r.Requests.Total+r.Access.Given+r.Access.LiveAtEnd+r.Removals.Total == 0
}

// tally counts requests of a day or a flow.
type tally struct {
	title       string
	of          Outcomes
	total       int
	took        []int64
	emergencies int
}

func (t *tally) add(f Facts) {
	t.of[f.Outcome]++
	t.total++
	if f.Took > 0 {
		t.took = append(t.took, seconds(f.Took))
	}
	if f.Emergency {
		t.emergencies++
	}
}

// maker is a report in the making.
type maker struct {
	Report
	flows     map[string]*tally
	approvers map[string]*Approver
	took      map[string][]int64 // by approver
	had       map[[2]string]*Frequent
	late      []int64
	lasted    []int64
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (m *maker) within(at time.Time) bool {
	return !at.IsZero() && !at.Before(m.From) && at.Before(m.To)
}

// until is up to when the month is known.
func (m *maker) until() time.Time {
	if m.Made.Before(m.To) {
		return m.Made
	}
	return m.To
}

// request counts one of the month's.
func (m *maker) request(f Facts) {
	of := m.flows[f.Flow]
	if of == nil {
		of = &tally{of: Outcomes{}}
		m.flows[f.Flow] = of
	}
	of.title = f.FlowTitle
	of.add(f)
	m.Requests.Total++
	m.Requests.Outcomes[f.Outcome]++
	for count, is := range map[*int]bool{&m.Requests.ByRule: f.ByRule, &m.Requests.ByProgram: f.Bot, &m.Requests.ForOthers: f.Submitter != "" && !f.Bot} {
		if is {
			*count++
		}
	}
	own, others := Decision{}, false
	for _, d := range f.Decisions {
		a := m.approvers[d.Who]
		if a == nil {
			a = &Approver{Who: d.Who}
			m.approvers[d.Who] = a
		}
		if d.Approved {
			a.Approved++
		} else {
			a.Denied++
		}
		m.took[d.Who] = append(m.took[d.Who], seconds(d.Took))
		if d.Self && d.Approved {
			own = d
		} else if d.Approved {
			others = true
		}
	}
	if own.Self {
		m.Self.Count++
		m.Self.List = append(m.Self.List, Own{Run: f.Run, Who: own.Who, Flow: f.FlowTitle, Target: f.Target, At: own.At, Alone: !others})
	}
	if f.Emergency {
		m.Emergencies.Count++
		if f.Reviewer == "" {
			m.Emergencies.Unreviewed++
		}
		m.Emergencies.List = append(m.Emergencies.List, Emergency{
			Run: f.Run, Who: f.Requester, Flow: f.FlowTitle, Target: f.Target, Reason: f.Reason, At: f.Asked, Skipped: f.Skipped, Reviewer: f.Reviewer,
		})
	}
}

// access counts what there was of it in the month.
func (m *maker) access(f Facts) {
	until := m.until()
	if !f.Given.IsZero() && f.Given.Before(until) && (f.Removed.IsZero() || !f.Removed.Before(until)) {
		m.Access.LiveAtEnd++
	}
	if m.within(f.Given) {
		lasted := seconds(f.Lasted(m.Made))
		m.Access.Given++
		m.Access.Seconds += lasted
		switch {
		case f.Emergency:
			m.Access.Emergencies++
		case f.Outcome != flow.OutcomeApproved:
			m.Access.Unapproved++
		}
		if f.Extended > 0 {
			m.Access.Extended++
		}
		if !f.Removed.IsZero() {
			m.lasted = append(m.lasted, lasted)
		}
		m.Longest = append(m.Longest, m.stretch(f))
		key := [2]string{f.Requester, f.Target}
		if m.had[key] == nil {
			m.had[key] = &Frequent{Who: f.Requester, Target: f.Target}
		}
		m.had[key].Times++
		m.had[key].Seconds += lasted
		m.Drift.Missing += f.Missing
	}
	if m.within(f.Removed) {
		m.Removals.Total++
		m.Drift.Lingering += f.Lingering
		if f.Stays {
			m.Removals.Stays++
		}
		if f.Scheduled {
			m.Removals.Scheduled++
		} else {
			m.Removals.Manual++
		}
		if late, known := f.Late(); known {
			m.late = append(m.late, seconds(late))
			s := m.stretch(f)
			s.LateSeconds = seconds(late)
			m.Removals.Latest = append(m.Removals.Latest, s)
			if late <= promise*time.Second {
				m.Removals.InTime++
			}
		}
	}
	if f.Failing != "" && f.End.Before(until) {
		m.Removals.Failing = append(m.Removals.Failing, Failing{Run: f.Run, Who: f.Requester, Target: f.Target, End: f.End.UTC(), Code: f.Failing})
	}
}

func (m *maker) stretch(f Facts) Stretch {
	s := Stretch{
		Run: f.Run, Who: f.Requester, Flow: f.FlowTitle, Target: f.Target, Reason: f.Reason, From: f.Given.UTC(), Seconds: seconds(f.Lasted(m.Made)), ApprovedBy: []string{},
		ByRule: f.ByRule, Emergency: f.Emergency,
	}
	if !f.Removed.IsZero() {
		at := f.Removed.UTC()
		s.Until = &at
	}
	for _, d := range f.Decisions {
		if d.Approved && !slices.Contains(s.ApprovedBy, d.Who) {
			s.ApprovedBy = append(s.ApprovedBy, d.Who)
		}
	}
	return s
}

// maxTargets is how many targets of a flow are named.
const maxTargets = 20

// rule tells who may approve.
func (m *maker) rule(f *flow.Flow) {
	r := Rule{
		Flow: f.Name, Title: f.Title(), Version: f.Version, Environment: f.Environment.Name, Targets: []string{},
		Approvers: append([]string{}, f.Params.Approval.Approvers...), Admins: append([]string{}, f.Environment.Admins...),
		Required: max(f.Params.Approval.Required, 1), Self: f.Params.Approval.AllowSelfApproval, Longest: seconds(f.Longest()), Emergency: []string{},
	}
	r.Members = len(r.Approvers) == 0
	r.ByHandler = len(f.Handlers(flow.HookBefore(flow.EventRequest), flow.HandlerPermissions, flow.HandlerApprovers)) > 0
	if f.Strategy != nil {
		for _, t := range f.Strategy.Targets[:min(len(f.Strategy.Targets), maxTargets)] {
			r.Targets = append(r.Targets, t.Title())
		}
		r.More = max(len(f.Strategy.Targets)-maxTargets, 0)
	}
	if b := f.Params.BreakGlass; b != nil {
		r.Emergency = append(r.Emergency, b.Who...)
	}
	if r.Self {
		m.Self.Allowed = append(m.Self.Allowed, r.Title)
	}
	m.Rules = append(m.Rules, r)
}

// finish makes the lists of what was counted.
func (m *maker) finish(facts []Facts) {
	days := map[string]*tally{}
	var took []int64
	asked, had, at := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range facts {
		if m.within(f.Asked) {
			asked[f.Requester] = true
			day := f.Asked.UTC().Format(time.DateOnly)
			if days[day] == nil {
				days[day] = &tally{of: Outcomes{}}
			}
			days[day].add(f)
			if f.Took > 0 {
				took = append(took, seconds(f.Took))
			}
		}
		if m.within(f.Given) {
			had[f.Requester], at[f.Target] = true, true
		}
	}
	m.Requests.People, m.Access.People, m.Access.Targets = len(asked), len(had), len(at)
	m.Decisions, m.Took = timesOf(took), buckets(took, tookBounds)
	for day := m.From; day.Before(m.To); day = day.AddDate(0, 0, 1) {
		d := Day{Date: day.Format(time.DateOnly), Outcomes: Outcomes{}}
		if t := days[d.Date]; t != nil {
			d.Outcomes, d.Decisions = t.of, timesOf(t.took)
		}
		m.Days = append(m.Days, d)
	}
	m.Flows = []FlowFigures{}
	for _, name := range slices.Sorted(maps.Keys(m.flows)) {
		t := m.flows[name]
		m.Flows = append(m.Flows, FlowFigures{Flow: name, Title: t.title, Total: t.total, Outcomes: t.of, Decisions: timesOf(t.took), Emergencies: t.emergencies})
	}
	slices.SortStableFunc(m.Flows, func(a, b FlowFigures) int { return b.Total - a.Total })
	m.Approvers = []Approver{}
	for _, who := range slices.Sorted(maps.Keys(m.approvers)) {
		a := *m.approvers[who]
		a.Decisions = timesOf(m.took[who])
		m.Approvers = append(m.Approvers, a)
	}
	slices.SortStableFunc(m.Approvers, func(a, b Approver) int { return b.Approved + b.Denied - a.Approved - a.Denied })
	m.Access.Lasted = timesOf(m.lasted)
	slices.SortStableFunc(m.Longest, func(a, b Stretch) int { return cmp.Compare(b.Seconds, a.Seconds) })
	m.Longest = m.Longest[:min(len(m.Longest), maxRanked)]
	for _, f := range m.had {
		if f.Times > 1 {
			m.Frequent = append(m.Frequent, *f)
		}
	}
	slices.SortFunc(m.Frequent, func(a, b Frequent) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(b.Seconds, a.Seconds), strings.Compare(a.Who, b.Who), strings.Compare(a.Target, b.Target))
	})
	m.Frequent = m.Frequent[:min(len(m.Frequent), maxRanked)]
	m.Removals.Late, m.Removals.ByLate = timesOf(m.late), buckets(m.late, lateBounds)
	slices.SortStableFunc(m.Removals.Latest, func(a, b Stretch) int { return cmp.Compare(b.LateSeconds, a.LateSeconds) })
	m.Removals.Latest = slices.DeleteFunc(m.Removals.Latest, func(s Stretch) bool { return s.LateSeconds <= promise })
	m.Removals.Latest = m.Removals.Latest[:min(len(m.Removals.Latest), maxRanked)]
	m.Removals.More = max(len(m.Removals.Failing)-maxListed, 0)
	m.Removals.Failing = m.Removals.Failing[:min(len(m.Removals.Failing), maxListed)]
	m.Self.List = m.Self.List[:min(len(m.Self.List), maxListed)]
	m.Emergencies.List = m.Emergencies.List[:min(len(m.Emergencies.List), maxListed)]
	if m.Drift.Found == nil {
		m.Drift.Found = map[flow.DriftKind]int{}
	}
	if m.Drift.List == nil {
		m.Drift.List = []flow.Drift{}
	}
	slices.SortStableFunc(m.Rules, func(a, b Rule) int { return strings.Compare(a.Title, b.Title) })
}
