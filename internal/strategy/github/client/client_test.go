package client_test

import (
	"slices"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

func TestStrategy(t *testing.T) {
	t.Parallel()
	t.Run("Repo", func(t *testing.T) {
		t.Parallel()
		strategytest.Run(t, func(t *testing.T) strategytest.Subject { return githubfake.Subject(t) })
	})
	t.Run("Token", func(t *testing.T) {
		t.Parallel()
		strategytest.Run(t, func(t *testing.T) strategytest.Subject {
			s := githubfake.Subject(t)
			s.Strategy = githubfake.ByToken(s.Strategy)
			s.Cannot[strategytest.ExpiredToken] = "a personal token is the one there is"
			return s
		})
	})
	t.Run("Team", func(t *testing.T) {
		t.Parallel()
		strategytest.Run(t, func(t *testing.T) strategytest.Subject {
			s := first(githubfake.Subject(t), github.Team)
			s.Cannot[strategytest.Invitation] = "a team's target lets in who is in the organization, and those are not asked"
			return s
		})
	})
	t.Run("Org", func(t *testing.T) {
		t.Parallel()
		strategytest.Run(t, func(t *testing.T) strategytest.Subject {
			g := githubfake.New(t)
			g.Manage()
			g.RemoveMember("alice")
			g.RemoveMember("bob")
			s := first(g.Subject(), github.Org)
			s.Cannot[strategytest.TargetGone] = "with an organization goes the app's installation, and nobody is let in to look"
			return s
		})
	})
}

// first has a target of the type be the first.
func first(s strategytest.Subject, kind string) strategytest.Subject {
	i := slices.IndexFunc(s.Strategy.Targets, func(target flow.Target) bool { return target.Type == kind })
	s.Strategy.Targets = slices.Clone(s.Strategy.Targets)
	s.Strategy.Targets[0], s.Strategy.Targets[i] = s.Strategy.Targets[i], s.Strategy.Targets[0]
	return s
}
