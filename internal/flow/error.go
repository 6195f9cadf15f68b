package flow

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code names a kind of error, "Type:NAME". Edges map codes to their own words
// (HTTP statuses, Slack answers) in one table each; a code that is not in the
// table is internal and shows no detail.
type Code string

// The codes of this product. Those of the DeescalateAPI family are Sym's own.
const (
	CodeInternal        Code = "Internal:ERROR"
	CodeInvalid         Code = "Request:INVALID"            // fields, body or parameters are wrong; Fields says which
	CodeTooLarge        Code = "Request:TOO_LARGE"          // over one of the size limits
	CodeUnauthenticated Code = "Auth:UNAUTHENTICATED"       // no, unknown or expired credentials
	CodeTooManyAttempts Code = "Auth:TOO_MANY_ATTEMPTS"     // too many bad credentials lately
	CodeAgentLimit      Code = "Agent:LIMIT"                // the agent asks too often, or has too much open at once
	CodeForbidden       Code = "Auth:FORBIDDEN"             // known, but may not do this
	CodeUnknownFlow     Code = "Flow:NOT_FOUND"             // no such flow or version
	CodeWrongSource     Code = "Flow:SOURCE_NOT_ALLOWED"    // allowed_sources forbids it
	CodeWithdrawn       Code = "Flow:WITHDRAWN"             // the flow is gone from the configuration, and what it asked for with it
	CodeUnknownRun      Code = "Run:NOT_FOUND"              // no such run
	CodeUnknownEvent    Code = "Event:NOT_FOUND"            // no such event
	CodeUnknownUser     Code = "User:NOT_FOUND"             // no such user
	CodeIllegal         Code = "Run:ILLEGAL_MOVE"           // the run's status forbids it
	CodeDecided         Code = "Run:ALREADY_DECIDED"        // somebody else was first
	CodeStale           Code = "Run:STALE"                  // it speaks of a tier that is over
	CodeChanged         Code = "Run:CHANGED"                // it is not any more what the person saw
	CodeFull            Code = "Run:TOO_LARGE"              // the run has grown so large that only removal is accepted
	CodeSelfApproval    Code = "Run:SELF_APPROVAL"          // requesters may not approve their own request
	CodeGlassBroken     Code = "Run:GLASS_BROKEN"           // an earlier emergency of the same person has not ended, or nobody has reviewed it
	CodeDuplicate       Code = "Run:ALREADY_APPROVED"       // one approval per person
	CodeIneligible      Code = "Run:REQUESTER_INELIGIBLE"   // the requester is one who may not ask (any more)
	CodeNoApprover      Code = "Run:NOBODY_CAN_APPROVE"     // fewer possible approvers than required
	CodeIdempotency     Code = "Request:IDEMPOTENCY_KEY"    // same key, other body
	CodeInvalidRun      Code = "DeescalateAPI:INVALID_RUN"  // the run is not escalated
	CodeNotExtendable   Code = "Run:NOT_EXTENDABLE"         // its access can't be extended, or not by that much, or not any more
	CodeNothingFailed   Code = "Run:NOTHING_FAILED"         // no step of the run waits to be tried again
	CodeHandler         Code = "Handler:FAILED"             // a customer's Lambda or handler failed
	CodeIgnored         Code = "Handler:IGNORED"            // a hook wants nothing to happen, and says why
	CodeStrategy        Code = "Strategy:FAILED"            // the target refused; trying again as is won't help
	CodeUnavailable     Code = "Strategy:UNAVAILABLE"       // the target did not answer, or asked to wait: try again
	CodeNotObserved     Code = "Strategy:NOT_OBSERVED"      // the target says done, but reading it back shows otherwise
	CodeMissing         Code = "Grant:MISSING"              // the target does not show what was granted any more
	CodeBusy            Code = "Grant:BUSY"                 // another run is changing this entitlement right now
	CodeIdentity        Code = "Identity:NOT_FOUND"         // the user has no identity at the target
	CodeLookup          Code = "Directory:LOOKUP_FAILED"    // who somebody is could not be found out
	CodeLookupRefused   Code = "Directory:REFUSED"          // Slack won't say who somebody is until something is repaired
	CodeUndeliverable   Code = "Slack:UNDELIVERABLE"        // the message can't reach its destination as things are
	CodeUnreachable     Code = "Slack:UNREACHABLE"          // no message reaches Slack just now: the fault of no destination
	CodeConfigNeeded    Code = "Config:STILL_NEEDED"        // a live grant still needs what the new config drops
	CodeConfigFaulty    Code = "Config:FAULTY"              // the configuration has faults: nothing new is taken until they are mended
	CodeUnknownEntity   Code = "Config:NOT_FOUND"           // no such entity of the configuration, or not any more
	CodeMethod          Code = "Request:METHOD_NOT_ALLOWED" // no such method on this path
	CodeMediaType       Code = "Request:MEDIA_TYPE"         // the body is not announced as JSON
	CodeNotFound        Code = "Request:NOT_FOUND"          // no such path
	CodeDiskFull        Code = "Data:FULL"                  // the disk of the local data directory is full
	CodeTampered        Code = "Log:TAMPERED"               // the transparency log is not what it was when it was signed
	CodeNotLogged       Code = "Log:NOT_YET"                // what was asked for is not in the transparency log, or not yet
	CodeDataDir         Code = "Data:UNUSABLE"              // the local data directory, or its database, cannot be used as it is
)

// Error is an error with a code and a sentence that is fit for users' eyes:
// what is wrong, where, and what to do instead. It never holds a secret.
type Error struct {
	Code    Code         `json:"code"`
	Message string       `json:"message"`
	Fields  []FieldError `json:"fields,omitempty"`
	// Cause is for logs only.
	Cause error `json:"-"`
}

// FieldError says what is wrong with one field of the input.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for i, f := range e.Fields {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, f.Field, f.Message)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, " (%v)", e.Cause)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error with a code. The text is shown to users.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf gives the code of the first [Error] in err's chain, CodeInternal if
// there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// UserMessage gives the sentence that users may see: that of the first
// [Error] in the chain without its cause, and no detail of any other.
func UserMessage(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		shown := *e
		shown.Cause = nil
		return shown.Error()
	}
	return "Something went wrong on our side. It has been logged."
}

// MaxRetryAfter is the most that a vendor's wish to be left alone is taken for.
const MaxRetryAfter = time.Hour

// RateLimited is the error of a vendor that asks to be left alone for a time, or
// of a line of our own before one that is asked no faster than it allows.
type RateLimited struct {
	After time.Duration // from when the vendor answered; from more than zero to MaxRetryAfter
	Cause error         // the vendor's answer, of CodeUnavailable where people are to read it
	Line  Line          // where in it; none where the vendor asks
}

func (e *RateLimited) Error() string {
	return "asked to wait " + e.After.String() + ": " + e.Cause.Error()
}

// Unwrap gives the vendor's answer.
func (e *RateLimited) Unwrap() error { return e.Cause }

// AskedToWait gives how long the vendor behind an error asks to be left alone,
// and zero if it does not ask.
func AskedToWait(err error) time.Duration {
	if limited, ok := errors.AsType[*RateLimited](err); ok {
		return limited.After
	}
	return 0
}

// Retryable tells whether doing the same again later may succeed. Errors
// without a code are taken to be passing faults, and a vendor that
// asks to wait is taken at its word.
func Retryable(err error) bool {
	if _, limited := errors.AsType[*RateLimited](err); limited {
		return true
	}
	switch CodeOf(err) {
	case CodeInternal, CodeUnavailable, CodeBusy, CodeNotObserved, CodeLookup, CodeUnreachable, CodeTooManyAttempts, CodeAgentLimit, CodeConfigFaulty, CodeDiskFull, CodeNotLogged:
		return true
	}
	return false
}

// Clip shortens a text to its first n characters and an ellipsis; one that has
// no more comes back as it is. What comes from outside is clipped before it is
// repeated in a message.
func Clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}

// Busy is the error of an entitlement that another run is changing. Its code is
// CodeBusy.
type Busy struct {
	// Until is when the other run's lease ends: from then on it may be taken over.
	Until time.Time
}

func (e *Busy) Error() string { return busy.Error() }

// Unwrap gives the error with its code.
func (e *Busy) Unwrap() error { return busy }
