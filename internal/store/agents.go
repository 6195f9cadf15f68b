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
	case t.Config:
		return t, flow.Errorf(flow.CodeInvalid, "agents don't change what they may ask for: leave config out")
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
	// ShutOut is who ended all tokens that it had then, and ShutOuts how often somebody
	// did; nil and 0: nobody did.
	ShutOut  *flow.Author `json:"shut_out,omitempty"`
	ShutOuts int          `json:"shut_outs,omitempty"`

	acted
}

// getAgent reads what is kept of an agent, and its revision: 0 if nothing is.
func getAgent(ctx context.Context, store Store, agent flow.Actor) (known asked, rev int64, err error) {
	item, err := store.Get(ctx, KindAgent.Key(agent.ID))
	if errors.Is(err, ErrNotFound) {
		return known, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &known)
	}
	if err != nil {
		return known, 0, fmt.Errorf("read what agent %s asked for: %w", agent.Name, err)
	}
	return known, item.Rev, nil
}

// change changes what is kept of an agent, anew for each lost race. An edit whose error is
// [flow.ErrUnchanged] changes nothing.
func (s Agents) change(ctx context.Context, agent flow.Actor, edit func(known asked, rev int64) (asked, error)) error {
	for range maxConflicts {
		known, rev, err := getAgent(ctx, s.Runs.Store, agent)
		if err != nil {
			return err
		}
		if known, err = edit(known, rev); errors.Is(err, flow.ErrUnchanged) {
			return nil
		} else if err != nil {
			return err
		}
		body, err := json.Marshal(known)
		if err != nil {
			return err
		}
		item := Item{Key: KindAgent.Key(agent.ID), Rev: rev, Writer: NewWriter(), Body: body, Acts: known.recordedIn(rev + 1)}
		if _, err = s.Runs.Store.Put(ctx, item); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return flow.Errorf(flow.CodeAgentLimit, "agent %s asks for several things at once: let it ask again in a moment", agent.Name)
}

// ShutOut ends all tokens that an agent has, in the name of by. A token that is made for it
// later lets it in again.
func (s Agents) ShutOut(ctx context.Context, by flow.Principal, agent, owner flow.Actor) error {
	return s.change(ctx, agent, func(known asked, rev int64) (asked, error) {
		act := flow.NewAct(flow.Author{By: by, At: s.Now().UTC()}, flow.ActTokenRevoke, flow.Subject{Kind: "agent", ID: agent.ID, Name: agent.Name}, map[string]any{"owner": owner.Email})
		known.ShutOuts++
		known.ShutOut, known.Acts = &act.Author, known.Acts.With(act, rev+1)
		return known, nil
	})
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
	return s.change(ctx, agent, func(known asked, _ int64) (asked, error) {
		if slices.ContainsFunc(known.Lately, func(r agentRun) bool { return r.Run == run }) {
			return known, flow.ErrUnchanged
		}
		var err error
		if known.Lately, err = s.lately(ctx, known.Lately); err != nil {
			return known, err
		}
		now := s.Now().UTC()
		if err := known.within(agent, limits, now); err != nil {
			return known, err
		}
		known.Lately = append(known.Lately, agentRun{Run: run, At: now})
		return known, nil
	})
}

// lately looks at the runs that are not known to be over, and forgets those that are, once
// their hour has passed.
func (s Agents) lately(ctx context.Context, known []agentRun) (out []agentRun, err error) {
	for _, a := range known {
		if !a.Over {
			r, err := s.Runs.Get(ctx, a.Run)
			switch {
			case flow.CodeOf(err) == flow.CodeUnknownRun:
				a.Over = !s.Now().Before(a.At.Add(stored)) // it never came to be
			case err != nil:
				return nil, err
			default:
				a.Over = r.Final() && !r.Access.Live()
			}
		}
		if !a.Over || s.Now().Before(a.At.Add(time.Hour)) {
			out = append(out, a)
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
