package flow

import (
	"fmt"
	"strings"
	"time"
)

// About says in a line what a flow gives, for how long at most, and who is asked.
func (f *Flow) About() string {
	what := "Approval only"
	if f.Strategy != nil {
		what = fmt.Sprintf("%d targets", len(f.Strategy.Targets))
		if len(f.Strategy.Targets) == 1 {
			what = Clip(f.Strategy.Targets[0].Title(), 30)
		}
		if d := f.Longest(); d > 0 {
			what += ", at most " + Words(d)
		}
	}
	if names, known := f.AskedFirst(); known && len(names) > 0 {
		what += " · asks " + names[0]
		if len(names) > 1 {
			what += fmt.Sprintf(" and %d more", len(names)-1)
		}
	}
	return what
}

// Longest is the longest duration that can be asked for; zero if nothing bounds it.
func (f *Flow) Longest() time.Duration {
	limit := time.Duration(f.Params.MaxDuration)
	for _, p := range f.Fields() {
		if p.Name != FieldNameDuration || len(p.AllowedValues) == 0 {
			continue
		}
		var longest time.Duration
		for _, v := range p.AllowedValues {
			if d, err := ParseDuration(v); err == nil {
				longest = max(longest, d)
			}
		}
		if limit == 0 || longest < limit {
			return longest
		}
	}
	return limit
}

// AskedFirst lists the channels ("#name" or id) and people (e-mail addresses) that
// hear of a request first. known is false where the flow's own code decides that
// for each request.
func (f *Flow) AskedFirst() (names []string, known bool) {
	if len(f.Handlers(HandlerNotifications, HandlerApprovers)) > 0 {
		return nil, false
	}
	return f.askedIn(0), true
}

// AskedNext lists who is asked after a time without a decision; none if nobody is.
func (f *Flow) AskedNext() (names []string, after time.Duration) {
	tiers := f.Params.Approval.Notify
	if len(tiers) < 2 || tiers[0].Timeout == 0 {
		return nil, 0
	}
	return f.askedIn(1), time.Duration(tiers[0].Timeout)
}

func (f *Flow) askedIn(tier int) []string {
	tiers := f.Params.Approval.Notify
	if tier >= len(tiers) {
		return nil
	}
	var names []string
	if c := strings.TrimSpace(tiers[tier].Channel); c != "" {
		names = append(names, c)
	}
	return append(names, tiers[tier].Users...)
}
