package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Check compares what a case expects with what happens in it, and says for each
// difference what happened instead.
func (c Case) Check(x workflow.Explanation) []Fault {
	var faults []Fault
	line := func(key string) int { return c.Expect.lines[key] }
	differs := func(line int, format string, args ...any) {
		faults = append(faults, Fault{File: c.File, Line: line, Message: fmt.Sprintf("%s: %s", c.Name, fmt.Sprintf(format, args...))})
	}
	e := c.Expect
	if e.Outcome != "" && e.Outcome != x.Outcome {
		differs(line("outcome"), "it is not %s, but %s", e.Outcome, outcomeOf(x))
	}
	if e.Why != "" && !strings.Contains(x.Why, e.Why) {
		differs(line("why"), "the reason is not %q, but %q", e.Why, x.Why)
	}
	if e.Approvals != 0 && e.Approvals != x.Needs {
		differs(line("approvals"), "it needs not %d approvals, but %d (%s)", e.Approvals, x.Needs, outcomeOf(x))
	}
	for _, who := range e.May {
		if said := standing(x, who.Email); !said.May {
			differs(who.Line, "%s may not approve: %s", who.Email, said.Why)
		}
	}
	for _, who := range e.MayNot {
		if said := standing(x, who.Email); said.May {
			differs(who.Line, "%s may approve, as %s", who.Email, strings.Join(said.Via, " and "))
		}
	}
	for _, p := range x.People {
		named := slices.ContainsFunc(e.May, func(n Named) bool { return strings.EqualFold(n.Email, p.Person) })
		if e.NobodyElse && p.May && !named {
			differs(line("nobody_else"), "%s may approve as well, as %s", p.Person, strings.Join(p.Via, " and "))
		}
	}
	if e.Asks != nil {
		var asks [][]string
		for _, round := range x.Rounds {
			asks = append(asks, round.Asks)
		}
		if !slices.EqualFunc(e.Asks, asks, slices.Equal) {
			differs(line("asks"), "it asks not %s, but %s", rounds(e.Asks), rounds(asks))
		}
	}
	if e.Silence != "" && (x.Silence == nil || x.Silence.Status != e.Silence) {
		got := "it is never decided"
		if x.Silence != nil {
			got = "it is " + x.Silence.Status + " at " + x.Silence.At.Format(time.RFC3339)
		} else if x.Outcome != workflow.OutcomeAsked {
			got = "nobody is asked: it is " + outcomeOf(x)
		}
		differs(line("silence"), "if nobody decides it is not %s: %s", e.Silence, got)
	}
	if e.Longest != 0 {
		switch g := x.Grant; {
		case g == nil:
			differs(line("longest"), "there is no access that could end: it is %s", outcomeOf(x))
		case g.Failed != "":
			differs(line("longest"), "there is no access that could end: %s", g.Failed)
		case g.Latest.IsZero():
			differs(line("longest"), "the access has no end: somebody has to end it by hand")
		case g.Latest.Sub(g.From) > e.Longest:
			differs(line("longest"), "the access may last %s, which is longer than %s", flow.Words(g.Latest.Sub(g.From)), flow.Words(e.Longest))
		}
	}
	return faults
}

// standing finds what is said of somebody.
func standing(x workflow.Explanation, email string) workflow.MayOrNot {
	for _, p := range x.People {
		if strings.EqualFold(p.Person, email) {
			return p
		}
	}
	return workflow.MayOrNot{Person: email, Why: "nobody is asked: it is " + outcomeOf(x)}
}

// outcomeOf writes what came of a request, and why.
func outcomeOf(x workflow.Explanation) string {
	if x.Why == "" {
		return x.Outcome
	}
	return x.Outcome + ": " + x.Why
}

func rounds(asks [][]string) string {
	if len(asks) == 0 {
		return "anybody"
	}
	var words []string
	for _, round := range asks {
		to := strings.Join(round, " and ")
		if to == "" {
			to = "nobody"
		}
		words = append(words, to)
	}
	return strings.Join(words, ", then ")
}
