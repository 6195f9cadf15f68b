package workflow

import (
	"context"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Directory says who people are. Errors have flow.CodeUnknownUser where there
// is no such person or group, and flow.CodeLookup where the question could not
// be answered: whoever asked must then refuse, not assume.
type Directory interface {
	// User finds a person by the id that Slack has for them, as they are now.
	User(ctx context.Context, slackID string) (store.User, error)
	// UserByEmail finds a person by e-mail address.
	UserByEmail(ctx context.Context, email string) (store.User, error)
	// Group lists the members of a Slack user group by its handle or id.
	Group(ctx context.Context, handle string) ([]store.User, error)
}

// Address says where a message goes: a channel ("#name" or id), or one to
// seven people, who share a conversation. With both, the message is for the
// eyes of the one person in that channel (an ephemeral one), and a direct
// message where that can't be delivered.
type Address struct {
	Channel string
	Users   []flow.Actor
}

// Kind is one of the messages that a run may be shown by.
type Kind string

// The kinds of messages.
const (
	KindRequest Kind = "request" // to those who decide; edited through every state
	KindStatus  Kind = "status"  // to the requester, with Cancel, Retry or End; edited
	KindOutcome Kind = "outcome" // to the requester, anew for each outcome
	KindRefused Kind = "refused" // to whoever came too late, or may not
	KindError   Kind = "error"   // to the error channel
)

// Message is one of a run's messages. Its Key is the same for every copy and
// every state of it.
type Message struct {
	Kind    Kind
	Tier    int    // KindRequest: which tier it asks
	Copy    int    // KindRequest: which of the tier's recipients, from 0
	EventID string // KindOutcome, KindRefused, KindError: which event it tells of
}

// Messenger shows runs in Slack.
type Messenger interface {
	// Render writes the message as the run is now. It is a pure function of its
	// arguments; the result is what Post and Edit take.
	Render(m Message, r flow.Run) ([]byte, error)
	// Post sends a message and says where it stands. The error has
	// flow.CodeUndeliverable, with a hint of how to repair it, where trying
	// again won't help; a RateLimited says when it will.
	Post(ctx context.Context, to Address, body []byte) (channel, ts string, err error)
	// Edit replaces a message. A message that is gone is no error.
	Edit(ctx context.Context, channel, ts string, body []byte) error
}

// RateLimited is the error of a vendor that asks to wait.
type RateLimited struct {
	After time.Duration
	Cause error
}

func (e *RateLimited) Error() string {
	return "asked to wait " + e.After.String() + ": " + e.Cause.Error()
}

// Unwrap gives the vendor's answer.
func (e *RateLimited) Unwrap() error { return e.Cause }

// AuditLog keeps audit records for good.
type AuditLog interface {
	// Write stores the records, all or none as far as it can. They may be
	// written twice.
	Write(ctx context.Context, records []events.AuditRecord) error
}

// AuditQueue keeps what the audit log has not taken until it is shipped.
type AuditQueue interface {
	// Put queues each run by itself. An error means that some may not be queued.
	Put(ctx context.Context, runs []Unshipped) error
}

// Functions invokes Lambda functions, in AWS or on this machine.
type Functions interface {
	// Invoke calls a function and returns its answer. The error has
	// flow.CodeHandler, with what the function said, if it failed, and
	// flow.CodeUnavailable if it could not be asked.
	Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error)
}

// HandlerCall is a question to the handlers of a flow, on behalf of a run.
type HandlerCall struct {
	Flow *flow.Flow
	Run  flow.Run
	// Event is the one that the question is about: under way for what is asked
	// before it, recorded for what is told after it. Its id is the idempotency
	// key of the call.
	Event flow.Event
}

// Handlers runs customers' Python handlers. Errors mean that they could not be
// asked: with flow.CodeUnavailable, asking again may help. What handlers do
// wrong comes back as a value.
type Handlers interface {
	// Handle asks the named handlers, in this order and in one call. Those that
	// the flow does not define have no say.
	Handle(ctx context.Context, c HandlerCall, handlers []string) (flow.Result, error)
	// Identity asks flow.HandlerIdentity or flow.HandlerIdentityLookup who the
	// requester is at a service; "" where the handler does not know. What the
	// handler does wrong is an error of flow.CodeIdentity.
	Identity(ctx context.Context, c HandlerCall, handler, service, externalID string) (string, error)
}

// FormHandlers runs the handlers of forms: options that are fetched, and
// fields that depend on others. What they do wrong is an error of
// flow.CodeHandler, fit for the eyes of whoever fills in the form.
type FormHandlers interface {
	// Prefetch gives the options of a field: at most 1,000, of 55 characters.
	Prefetch(ctx context.Context, c HandlerCall, field string) ([]flow.Option, error)
	// OnChange gives the form as it is to be after a field's value has changed.
	OnChange(ctx context.Context, f *flow.Flow, field, username string, form flow.OpenForm) (flow.OpenForm, error)
}

// FlowFilter runs the handler that says which flows a person is shown, by their
// names. It spares people what is of no use to them; it protects nothing.
type FlowFilter interface {
	FlowsShown(ctx context.Context, filter flow.Source, vars map[string]string, who store.User, flows []*flow.Flow) ([]string, error)
}

// DeescalateInput is what schedules and removers invoke the function with that
// calls [Access.Deescalate]: an id and nothing else, so that no deploy outdates
// what is scheduled.
type DeescalateInput struct {
	Run string `json:"run"`
}

// Schedule fires once at a time, by calling [Access.Deescalate] with the id.
type Schedule interface {
	// Set makes or moves the schedule of a run.
	Set(ctx context.Context, runID string, at time.Time) error
	// Delete removes it. None is no error.
	Delete(ctx context.Context, runID string) error
}

// Remover asks for a run's access to be taken away, and does not wait for it.
type Remover interface {
	Remove(ctx context.Context, runID string) error
}

// Clock is time, so that tests can move it.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}
