package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

// TestSettledBroken: right after an apply the list is asked for again, until it heeds all
// that was applied, but not for ever.
func TestSettledBroken(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for name, test := range map[string]struct {
		pending int   // answers that don't heed everything
		stop    error // of the sleep
		asked   int
		fails   bool
	}{
		"Settled":     {pending: 0, asked: 1},
		"AfterApply":  {pending: 3, asked: 4},
		"Never":       {pending: 1000, asked: looksAtBroken, fails: true},
		"Interrupted": {pending: 3, stop: lost, asked: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			list, err := settledBroken(t.Context(), func(context.Context) (events.BrokenList, error) {
				asked++
				return events.BrokenList{Broken: []events.BrokenEntity{{Name: "access"}}, Pending: asked <= test.pending}, nil
			}, func(context.Context, time.Duration) error { return test.stop })
			if asked != test.asked || (err != nil) != test.fails || err == nil && (list.Pending || len(list.Broken) != 1) {
				t.Errorf("asked %d times: %+v, %v", asked, list, err)
			}
		})
	}
}

// TestTellProposals: what waits for approval is told with who answers for it, and why nobody
// is asked.
func TestTellProposals(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	tellProposals(&out, events.ProposalList{Approval: "configure", Proposals: []events.TokenProposals{
		{Token: "5f0c", Bot: "terraform", Owner: "carol@example.com", RunID: "0d6e", Changes: []events.ProposedChange{
			{Kind: "log_destination", Name: "lake", Change: "deleted", Wider: true}, {Kind: "target", Name: "orders", Change: "changed", Lines: []string{"label: A → B"}},
		}},
		{Token: "6a1d", Bot: "ci", Owner: "bob@example.com", Trouble: "there is no flow configure"},
		{Token: "7b2e", Bot: "ci", Owner: "bob@example.com"},
	}})
	const want = `proposed by the token 5f0c (terraform, for carol@example.com), 2 changes: asked for by the run 0d6e
  log destination lake: deleted [wider]
  target orders: changed
    label: A → B
proposed by the token 6a1d (ci, for bob@example.com), 0 changes: there is no flow configure
proposed by the token 7b2e (ci, for bob@example.com), 0 changes: nobody has been asked yet
`
	if out.String() != want {
		t.Errorf("told\n%s\nwant\n%s", out.String(), want)
	}
}
