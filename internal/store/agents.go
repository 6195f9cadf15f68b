package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// AgentLimits are what one agent may ask for.
type AgentLimits struct {
	AnHour int `json:"an_hour"` // requests in any hour
	AtOnce int `json:"at_once"` // of them open, or with access that is live, at once
}

// DefaultAgentLimits are those of agents whose token says nothing else.
var DefaultAgentLimits = AgentLimits{AnHour: 10, AtOnce: 3}

// maxAgentLimit bounds both: more is no agent's, and would make its item large.
const maxAgentLimit = 100

// ofAgent completes the token of an agent, or refuses what agents can't have.
func (t Token) ofAgent() (Token, error) {
	switch {
	case !t.Agent && t.Limits != (AgentLimits{}):
		return t, flow.Errorf(flow.CodeInvalid, "limits are for agents: leave them out, or make the token an agent's")
	case !t.Agent:
		return t, nil
	case t.People != nil:
		return t, flow.Errorf(flow.CodeInvalid, "an agent asks for its owner only: leave out for whom")
	case t.Drift:
		return t, flow.Errorf(flow.CodeInvalid, "agents see what they asked for, and nothing of others: leave drift out")
	}
	if t.Limits.AnHour == 0 {
		t.Limits.AnHour = DefaultAgentLimits.AnHour
	}
	if t.Limits.AtOnce == 0 {
		t.Limits.AtOnce = DefaultAgentLimits.AtOnce
	}
	for _, n := range []int{t.Limits.AnHour, t.Limits.AtOnce} {
		if n < 1 || n > maxAgentLimit {
			return t, flow.Errorf(flow.CodeInvalid, "the limits of an agent are from 1 to %d", maxAgentLimit)
		}
	}
	return t, nil
}

// Agents counts what agents ask for: one item each, so that two requests at once are not
// both the last one that is allowed.
type Agents struct {
	Runs Runs             // required
	Now  func() time.Time // required
}

// asked is what is kept of an agent.
type asked struct {
	Lately []agentRun `json:"lately,omitempty"` // of the last hour, or not known to be over
}

type agentRun struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
	// Over says that its access, or its request, was seen to be over.
	Over bool `json:"over,omitempty"`
}

// stored is how long after it was counted a run is there at the latest, if it ever is.
const stored = 5 * time.Minute

// Count counts a request, by the id of the run that it is about to become, before that is
// stored. Counting it again changes nothing. The error has flow.CodeAgentLimit if the
// agent has reached a limit of its token.
func (s Agents) Count(ctx context.Context, agent flow.Actor, limits AgentLimits, run string) error {
	key := KindAgent.Key(agent.ID)
	for range maxConflicts {
		item, err := s.Runs.Store.Get(ctx, key)
		var known asked
		switch {
		case errors.Is(err, ErrNotFound):
			item.Rev = 0
		case err != nil:
			return fmt.Errorf("read what agent %s asked for: %w", agent.Name, err)
		default:
			if err := json.Unmarshal(item.Body, &known); err != nil {
				return fmt.Errorf("decode what agent %s asked for: %w", agent.Name, err)
			}
		}
		if slices.ContainsFunc(known.Lately, func(r agentRun) bool { return r.Run == run }) {
			return nil
		}
		if known, err = s.lately(ctx, known); err != nil {
			return err
		}
		now := s.Now().UTC()
		if err := known.within(agent, limits, now); err != nil {
			return err
		}
		known.Lately = append(known.Lately, agentRun{Run: run, At: now})
		body, err := json.Marshal(known)
		if err != nil {
			return err
		}
		_, err = s.Runs.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return flow.Errorf(flow.CodeAgentLimit, "agent %s asks for several things at once: let it ask again in a moment", agent.Name)
}

// lately looks at the runs that are not known to be over, and forgets those that are, once
// their hour has passed.
func (s Agents) lately(ctx context.Context, known asked) (asked, error) {
	var out asked
	for _, a := range known.Lately {
		if !a.Over {
			r, err := s.Runs.Get(ctx, a.Run)
			switch {
			case flow.CodeOf(err) == flow.CodeUnknownRun:
				a.Over = !s.Now().Before(a.At.Add(stored)) // it never came to be
			case err != nil:
				return known, err
			default:
				a.Over = r.Final() && !r.Access.Live()
			}
		}
		if !a.Over || s.Now().Before(a.At.Add(time.Hour)) {
			out.Lately = append(out.Lately, a)
		}
	}
	return out, nil
}

// within holds an agent to its limits.
func (k asked) within(agent flow.Actor, limits AgentLimits, now time.Time) error {
	hour, open := 0, 0
	var first time.Time
	for _, a := range k.Lately {
		if now.Before(a.At.Add(time.Hour)) {
			if hour++; first.IsZero() {
				first = a.At
			}
		}
		if !a.Over {
			open++
		}
	}
	switch {
	case open >= limits.AtOnce:
		return flow.Errorf(flow.CodeAgentLimit, "agent %s has %d requests open, or access that is live, which is as many as it may have at once: end one first", agent.Name, open)
	case hour >= limits.AnHour:
		return flow.Errorf(flow.CodeAgentLimit, "agent %s has asked %d times in the last hour, which is as often as it may: again after %s", agent.Name, hour, first.Add(time.Hour).Format(time.RFC3339))
	}
	return nil
}
