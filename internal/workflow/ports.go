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
