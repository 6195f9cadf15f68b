package policy

import (
	"cmp"
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
	c.checkAccess(x, differs)
	return faults
}

// checkAccess compares the access that is expected with what would be given.
func (c Case) checkAccess(x workflow.Explanation, differs func(line int, format string, args ...any)) {
	e := c.Expect
	none := ""
	switch g := x.Grant; {
	case g == nil:
		none = "it is " + outcomeOf(x)
	case g.Failed != "":
		none = g.Failed
	}
	if none != "" {
		for _, key := range []string{"longest", "lasts", "ends_at"} {
			if line := e.lines[key]; line != 0 {
				differs(line, "there is no access that could end: %s", none)
			}
		}
		if line := e.lines["grants"]; line != 0 {
			differs(line, "nothing is granted: %s", none)
		}
		return
	}
	g := x.Grant
	end := func(key string, expected bool, format string, args ...any) {
		switch line := e.lines[key]; {
		case line == 0:
		case g.Ends.IsZero():
			differs(line, "the access has no end: somebody has to end it by hand")
		case !expected:
			differs(line, format, args...)
		}
	}
	longest, lasts := g.Latest.Sub(g.From), g.Ends.Sub(g.From)
	end("longest", longest <= e.Longest, "the access may last %s, which is longer than %s", flow.Words(longest), flow.Words(e.Longest))
	end("lasts", lasts == e.Lasts, "the access lasts not %s, but %s", flow.Words(e.Lasts), flow.Words(lasts))
	end("ends_at", g.Ends.Equal(e.EndsAt), "the access ends not at %s, but at %s", e.EndsAt.Format(time.RFC3339), g.Ends.UTC().Format(time.RFC3339))
	if want := e.Grants.Target; want != "" && want != g.Target {
		differs(e.lines["grants.target"], "the target is not %s, but %s", want, g.Target)
	}
	if want := e.Grants.Identity; want != "" && want != g.Identity {
		differs(e.lines["grants.identity"], "the identity is not %s, but %s", want, g.Identity)
	}
	if e.Grants.Rights == nil {
		return
	}
	var rights []string
	for _, each := range g.Entitlements {
		words := each.Words()
		rights = append(rights, words)
		if !slices.ContainsFunc(e.Grants.Rights, func(r Right) bool { return strings.Contains(words, r.Part) }) {
			differs(e.lines["grants.rights"], "there is another right as well: %s", words)
		}
	}
	for _, want := range e.Grants.Rights {
		if !slices.ContainsFunc(rights, func(words string) bool { return strings.Contains(words, want.Part) }) {
			differs(want.Line, "no right has %q: there is %s", want.Part, cmp.Or(strings.Join(rights, "; "), "none"))
		}
	}
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
