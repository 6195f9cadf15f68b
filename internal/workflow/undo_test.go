package workflow_test

import (
	"context"
	"slices"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// undoing is the target of a world that writes down what removals are told of the
// grant.
type undoing struct {
	seeingStrategy
	told *[]string
}

func (u undoing) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	*u.told = append(*u.told, string(c.Output))
	return u.seeingStrategy.Revoke(ctx, c)
}

// TestAccess_RemovalKnowsTheGrant: what the target answered to the grant is told to
// each attempt at the removal, whichever of the runs that share it ends last.
func TestAccess_RemovalKnowsTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var told []string
	w.access.Open = func(s flow.Strategy) (strategy.Strategy, error) {
		opened, err := w.target.open(s)
		return undoing{opened.(seeingStrategy), &told}, err
	}
	a, b := w.ask(asker, "a"), w.ask(asker, "b")
	w.click(a, flow.ActionApprove, first)
	w.want(a, flow.Escalated)
	w.pass(grantedFor / 2)
	w.click(b, flow.ActionApprove, first)
	w.want(b, flow.Escalated)
	w.target.fates["revoke"] = []fate{unavailable}
	w.pass(2 * grantedFor)
	w.want(a, flow.Deescalated)
	w.want(b, flow.Deescalated)
	const answer = `{"account":"made for asker@example.com"}`
	if want := []string{answer, answer}; !slices.Equal(told, want) {
		t.Errorf("removals are told %q, want %q", told, want)
	}
}
