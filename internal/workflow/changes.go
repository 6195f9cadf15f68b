package workflow

import (
	"cmp"
	"context"

	"github.com/symflows/symflows/internal/flow"
)

// give reads what an approval gives in place of what is asked for; nil if nothing. It
// is held to what a request would be: the form's offer, what fields fill into targets,
// and the configuration in force.
func (s Submit) give(ctx context.Context, r flow.Run, c Click) (*flow.Given, error) {
	if !c.changes() || r.Status != flow.Requested { // applying the click tells who was first
		return nil, nil
	}
	if c.Action != flow.ActionApprove {
		return nil, flow.Errorf(flow.CodeIllegal, "only an approval can change what is asked for")
	}
	f, err := s.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return nil, err
	}
	give, err := f.Give(r, c.Target, c.Duration)
	if err != nil || give == nil {
		return nil, err
	}
	if give.Target != nil && s.Bound != nil {
		if err := s.Bound(*f.Strategy, *give.Target); err != nil {
			return nil, err
		}
	}
	if give.Target != nil {
		if err := stillThere(ctx, s.Entities, f.Strategy, *give.Target, flow.CodeInvalid); err != nil {
			return nil, err
		}
	}
	current, err := s.Flows.Latest(ctx, r.Flow)
	if err != nil {
		return nil, err
	}
	return give, mayStillGive(current, give)
}

// mayStillGive returns an error if the version in force does not let approvers give
// this: what the run's own version let them choose may be gone since.
func mayStillGive(current *flow.Flow, give *flow.Given) error {
	if give == nil {
		return nil
	}
	with := current.Params.ApproveWith
	if give.DurationSeconds > 0 && !with.Duration || give.Target != nil && !with.Target {
		return flow.Errorf(flow.CodeForbidden, "approvers can't change requests of this flow any more: approve it as it was asked for, or deny it")
	}
	if give.Target == nil {
		return nil
	}
	if current.Strategy != nil {
		if t, ok := current.Strategy.Target(current.Org, give.Target.Name); ok && t.Type == give.Target.Type {
			return nil
		}
	}
	return flow.Errorf(flow.CodeForbidden, "%s is not in the configuration any more: choose another target, or approve what was asked for", give.Target.Title())
}

// Outdated says why what a person sees of a request can't be decided any more: it was
// decided, or it reads otherwise now. It returns nil if neither is so.
func (s Submit) Outdated(r flow.Run, seen string) error {
	if r.Status != flow.Requested {
		_, err := flow.Apply(r, flow.Receive{Action: flow.ActionApprove, Actor: flow.System, Channel: flow.ChannelSlack}, s.Now())
		return err
	}
	return sameAsSeen(r, Click{Action: flow.ActionApprove, Seen: cmp.Or(seen, "none")})
}
