package strategy

import (
	"context"
	"encoding/json"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// Opener makes a strategy ready to work. The argument is a run's frozen
// strategy, not today's configuration. It connects to nothing yet.
type Opener func(flow.Strategy) (Strategy, error)

// Strategy grants and removes access in one system. Grant and Revoke must be
// idempotent: both are repeated when an answer was lost, with the same
// Call.Record.ID. Errors are [flow.Error]s: CodeStrategy where trying again is
// of no use, CodeUnavailable where it is; an error without a code counts as
// passing. Where the system says how long to wait, the CodeUnavailable is the
// cause of a [flow.RateLimited]: it is then left alone for that long. The
// context's deadline bounds every call.
type Strategy interface {
	// Entitlements says what a target means for an identity: one or more keys,
	// by which grants are counted across runs. A system that can't share a
	// grant between runs puts runID into the key.
	Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error)
	// Grant gives the entitlement.
	Grant(context.Context, Call) (Result, error)
	// Revoke takes it away, and succeeds if it is not there.
	Revoke(context.Context, Call) (Result, error)
}

// Observer is a strategy that can read the target back. Those that can't
// prove their work by a success answer.
type Observer interface {
	Observe(context.Context, Call) (Sight, error)
}

// Sight is what a target showed of an entitlement.
type Sight struct {
	// Presence is that of the entitlement itself, not of access by other ways.
	Presence flow.Presence
	// Value is the one that the person has, where the system keeps one for each
	// person and thing: see [TargetType.Values]. "" if none.
	Value string
	// Until is when the system ends the entitlement by itself; zero: it doesn't.
	Until time.Time
	// Others say by what else the person has the same access, for people: "group
	// Admins of the identity store". The access stays while they do.
	Others []string
	// Todo is what the person has to do before they have the access, for
	// flow.Invited: "Accept the invitation of github.com/acme in your mail."
	Todo string
}

// Seen is the sight of a system in which people have an entitlement or not.
func Seen(there bool) Sight {
	if there {
		return Sight{Presence: flow.Present}
	}
	return Sight{Presence: flow.Absent}
}

// Follower is a strategy whose system goes on working after it has answered:
// Grant and Revoke may return a Result with an Operation.
type Follower interface {
	// Follow looks at the work that is under way for the entitlement. It returns
	// the operation while it goes on, and nil once none does. An operation that
	// failed is an error, with the system's reason. known is the operation that
	// Grant or Revoke returned; its zero value says that the answer may have been
	// lost: then Follow looks for one among those that the system lists.
	Follow(ctx context.Context, c Call, known flow.Operation) (*flow.Operation, error)
}

// Lingerer is a strategy of a system in which sessions go on after access was
// taken away.
type Lingerer interface {
	// Lingers says for how long at most, as the target is set now.
	Lingers(ctx context.Context, target flow.Target) (time.Duration, error)
}

// Lister is a strategy that lists all who have a target's access, so that what
// was granted is compared with what is there by one list for each target, not
// by a look for each grant.
type Lister interface {
	// Holders lists the identities that the target shows, whoever granted it to
	// them, each as [Strategy.Entitlements] takes it.
	Holders(ctx context.Context, target flow.Target) ([]string, error)
}

// Discoverer is a strategy that lists the targets that its system has.
type Discoverer interface {
	// Discover returns them in a stable order. Names are made of what never
	// changes at the system (ids), labels of what people read there.
	Discover(context.Context) ([]flow.Target, error)
}

// Identifier is a strategy with an identity of its own for people. For the
// others it is the e-mail address. The error has flow.CodeIdentity if there is
// no such user.
type Identifier interface {
	Identity(context.Context, flow.Actor) (string, error)
}

// Finder is a strategy whose own code says who people are, on behalf of a run.
// What it finds is kept for the next time; "" means that it does not know them.
type Finder interface {
	FindIdentity(ctx context.Context, runID string, who flow.Actor) (string, error)
}

// Secrets gives the values of secrets. Strategies ask for a value at each use
// and keep none, so that a secret can be rotated; an implementation may remember
// it for a few minutes. The error has flow.CodeUnavailable, and says what to do
// if people can do something; it never shows a value. Both implementations,
// aws/secrets and lambdahost, run strategytest.Secrets. Methods are safe for
// concurrent use.
type Secrets interface {
	Value(ctx context.Context, ref flow.SecretRef) (string, error)
}

// Forgetter is implemented by Secrets that remember values.
type Forgetter interface {
	// Forget has the secret be read anew when it is asked for next: a system does not
	// accept what it was.
	Forget(ref flow.SecretRef)
}

// Call is one thing to do at a target.
type Call struct {
	RunID       string
	Entitlement flow.Entitlement
	Target      flow.Target // frozen, with its bindings
	Identity    string
	// Record is the step's audit record while the step is under way
	// (state.status "processing"). Its id is the idempotency key.
	Record events.AuditRecord
	// Value is the one that the person is to have from now on, where the system
	// keeps one for each person and thing: Grant sets it, be it more or less than
	// what they have. It is the highest of what was there before and of what all
	// runs want, so that it is not always the target's. "" in all other systems.
	Value string
	// Before is the value that was there before the first grant; "" if none.
	Before string
	// Until is when the system is to end the entitlement by itself, if the target's
	// type Expires: Grant sets that, be it earlier or later than what is set. Zero:
	// never, so that an end which is set is taken away.
	Until time.Time
	// Output is what Grant answered, for Revoke; nil where that was lost.
	Output json.RawMessage
	// Class says for whom the target is asked.
	Class Class
}

// Result is what a target answered.
type Result struct {
	// Output is kept with the step: get_step_output reads it.
	Output json.RawMessage
	// Warnings are shown beside the success.
	Warnings []string
	// Operation is the work that the target has accepted and not finished: see
	// [Follower]. nil: it is done.
	Operation *flow.Operation
}

// Gone is the result of a removal where there is nothing to remove from: what has no
// longer, like "Okta has no group 00g1".
func Gone(what string) Result {
	return Result{Warnings: []string{what + " any more: the access counts as removed"}}
}
