package workflow

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Directory says who people are. Errors have flow.CodeUnknownUser where there
// is no such person or group, and flow.CodeLookup where the question could not
// be answered: the caller must then refuse, not assume.
type Directory interface {
	// User finds a person by the id that Slack has for them, as they are now.
	User(ctx context.Context, slackID string) (store.User, error)
	// UserByEmail finds a person by e-mail address, as they are now.
	UserByEmail(ctx context.Context, email string) (store.User, error)
	// KnownByEmail likewise, as they were some minutes ago at most: for naming people.
	// What they may do is asked of User.
	KnownByEmail(ctx context.Context, email string) (store.User, error)
	// Group lists the members of a Slack user group by its handle or id.
	Group(ctx context.Context, handle string) ([]store.User, error)
}

// Functions invokes Lambda functions, in AWS or on this machine.
type Functions interface {
	// Invoke calls a function and returns its answer. The error has
	// flow.CodeHandler, with what the function said, if it failed, and
	// flow.CodeUnavailable if it could not be asked: then in a flow.RateLimited
	// if Lambda says how long to wait.
	Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error)
}

// HandlerCall is a question to the handlers of a flow, on behalf of a run.
type HandlerCall struct {
	Flow *flow.Flow
	Run  flow.Run
	// Event is the one that the question is about: under way for handlers that
	// are asked before it, recorded for those that are told after it. Its id is
	// the idempotency key of the call.
	Event flow.Event
}

// Handlers runs customers' Python handlers. An error means that they could not
// be asked; with flow.CodeUnavailable, asking again may help. A handler's own
// failure is part of the result.
type Handlers interface {
	// Handle asks the named handlers, in this order and in one call. It leaves
	// out those that the flow does not define.
	Handle(ctx context.Context, c HandlerCall, handlers []string) (flow.Result, error)
	// Identity asks flow.HandlerIdentity or flow.HandlerIdentityLookup who the
	// requester is at a service; it returns "" if the handler does not know.
	// The error has flow.CodeIdentity if the handler fails.
	Identity(ctx context.Context, c HandlerCall, handler, service, externalID string) (string, error)
}

// CheckBound finds what is wrong with the settings of a strategy's target that a
// request filled in by its fields (field_bindings): requesters choose those, so
// that the configuration's checks have not seen them. It returns nil if they are
// right. The error has flow.CodeInvalid, and names the fields.
type CheckBound func(flow.Strategy, flow.Target) error

// submitted returns the submission if it may be asked for.
func (check CheckBound) submitted(f *flow.Flow, sub flow.Submission, err error) (flow.Submission, error) {
	if err == nil && sub.Target != nil && check != nil {
		err = check(*f.Strategy, *sub.Target)
	}
	if err != nil {
		return flow.Submission{}, err
	}
	return sub, nil
}

// Remover has [Access.OnTime] called for a run whose access is to be taken away, or
// started, and does not wait for it.
type Remover interface {
	// Remove asks for a call at a time that is over, or at most a few minutes away.
	// It may come a second or two late, twice, or be lost: the sweep makes up for it.
	// An error means that there will be none, and may be tried again.
	Remove(ctx context.Context, runID string, at time.Time) error
}

// Clock is time, so that tests can move it.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}
