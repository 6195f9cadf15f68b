package workflow

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// byAgent gives the person for whom an agent asks, which is its owner, and what the run
// keeps of the agent.
func (s Submit) byAgent(ctx context.Context, q APIRequest) (flow.Actor, *flow.Agent, error) {
	for field, given := range map[string]string{"user_email": q.UserEmail, "user_id": q.UserID} {
		if given != "" {
			return flow.Actor{}, nil, invalid(field, "must be left out: an agent asks for its owner, and in nobody else's name")
		}
	}
	owner, err := s.owner(ctx, q.Token)
	if err != nil {
		return flow.Actor{}, nil, err
	}
	if owner == nil {
		return flow.Actor{}, nil, flow.Errorf(flow.CodeForbidden, "this agent has no owner, so that nothing can be asked for by it")
	}
	return *owner, &flow.Agent{Purpose: q.Purpose}, nil
}

// ForAgent refuses runs that an agent has not asked for, as if there were none.
func ForAgent(agent flow.Actor, r flow.Run) error {
	if r.AsksAs(agent) {
		return nil
	}
	return flow.Errorf(flow.CodeUnknownRun, "there is no such run among those that this agent asked for")
}

// ShutOut ends the tokens of the agent that asked for a run, for its owner or an admin: it
// can't ask any more. What it has asked for goes on.
func (s Submit) ShutOut(ctx context.Context, runID string, who store.User) (flow.Run, error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return r, err
	}
	may := r.May(flow.ButtonAgent, who.Actor, who.Guest())
	if may == nil && (who.Role == store.RoleDeactivated || who.Role == store.RoleBot) {
		may = flow.Errorf(flow.CodeForbidden, "only the owner of an agent, and admins, can shut it out")
	}
	if may != nil {
		return r, may
	}
	return r, store.Agents{Runs: s.Runs, Now: s.Now}.ShutOut(ctx, flow.ByPerson(who.Actor), *r.Asker, *r.Owner)
}
