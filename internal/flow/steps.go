package flow

import (
	"slices"
	"time"
)

// Step is a step of the request workflow.
type Step string

// The steps. Removal is not among them: it has paths of its own.
const (
	StepRoute    Step = "route"    // find out who decides, and ask them
	StepAwait    Step = "await"    // wait for a signal or the tier's deadline
	StepDecide   Step = "decide"   // take the oldest decision
	StepForward  Step = "forward"  // ask the next tier, or give up
	StepLater    Step = "later"    // have access that starts later started in time
	StepVouch    Step = "vouch"    // ask whether the requester may still be granted
	StepEscalate Step = "escalate" // grant
	StepExtend   Step = "extend"   // tell the schedule and the target that access ends later
	StepDone     Step = "done"     // nothing left for the workflow to do
)

// StepSpec is a row of the step table: what a runner, whichever it is, has to
// know about a step. After each task the runner goes to the step that the task
// returned; a step it does not know ends the execution, and the sweep starts
// a fresh one. So does an error that is not to be tried again (any more), of which
// people are told; that of an execution whose place another has taken
// ([CodeStale]) ends it quietly. A task that is called for a run which stands at another step
// does nothing but return that step: so an execution may enter anywhere.
type StepSpec struct {
	Name Step
	// Function is the Lambda function whose rights the step needs.
	Function string
	// WaitsForSignal says that the task only hands in the execution's token;
	// the step ends when the token comes back, most likely for OnSignal, or
	// when the time that is left is over, and then goes to OnTimeout.
	WaitsForSignal bool
	OnSignal       Step
	OnTimeout      Step
	// Usually is the step that nearly always follows, where there is one: a runner that
	// pays for each state goes there without a question. Where a task returns another,
	// that step's own task, or [ErrorElsewhere] after the last step, leads there.
	Usually Step
	// Timeout bounds one attempt of the task.
	Timeout time.Duration
	Retry   []RetrySpec
}

// RetrySpec says which errors of a task are tried again, and when.
type RetrySpec struct {
	Errors      []string // names of error types
	Interval    time.Duration
	BackoffRate float64
	MaxAttempts int // retries, the first attempt not counted
}

// ErrorElsewhere is the name under which a task that is usually the last reports that
// another step is to follow.
const ErrorElsewhere = "Elsewhere"

// ErrorRetry is the name under which tasks report that trying again may help.
const ErrorRetry = "Retry"

// passing are the faults that pass: our own, and those that Lambda and Step
// Functions document as transient:
// https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html.
var passing = RetrySpec{
	Errors: []string{
		ErrorRetry,
		"Lambda.TooManyRequestsException", "Lambda.ServiceException",
		"Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.ClientExecutionTimeoutException",
		"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout",
	},
	Interval: 2 * time.Second, BackoffRate: 2, MaxAttempts: 5,
}

// Steps is the request workflow. Step Functions' definition is rendered from
// it, and the local runner walks it.
var Steps = []StepSpec{
	{Name: StepRoute, Function: "approval", Usually: StepAwait, Timeout: 2 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepAwait, Function: "approval", WaitsForSignal: true, OnSignal: StepDecide, OnTimeout: StepForward, Retry: []RetrySpec{passing}},
	{Name: StepDecide, Function: "approval", Timeout: 2 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepForward, Function: "approval", Timeout: 2 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepVouch, Function: "approval", Timeout: 2 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepLater, Function: "access", Timeout: 5 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepEscalate, Function: "access", Usually: StepDone, Timeout: 5 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepExtend, Function: "access", Timeout: 5 * time.Minute, Retry: []RetrySpec{passing}},
	{Name: StepDone},
}

// Spec finds a step's row.
func Spec(s Step) (StepSpec, bool) {
	for _, spec := range Steps {
		if spec.Name == s {
			return spec, true
		}
	}
	return StepSpec{}, false
}

// MaxGrantAttempts is how often granting is tried by itself; then a person
// has to press Retry.
const MaxGrantAttempts = 5

// MaxRemovalBackOff is the longest pause between two attempts at taking access
// away.
const MaxRemovalBackOff = 5 * time.Minute

// RemovalPromise is how long after its end access may still be there, while the
// target answers.
const RemovalPromise = 90 * time.Second

// Next says which step the run needs. It is the only place that does: an
// execution enters by it, and asks it after each task.
func Next(r Run) Step {
	if s, ok := r.Head(); ok {
		switch s.Action {
		case ActionRequest:
			return StepRoute
		case ActionTimeout, ActionUndeliverable:
			return StepForward
		}
		return StepDecide
	}
	if _, ok := r.AfterDue(); ok {
		return StepDecide
	}
	switch {
	case r.Status == Requested:
		return StepAwait
	case r.AwaitsStart():
		if r.Scheduled {
			return StepDone // until it begins
		}
		return StepLater
	case r.Status == Approved && !r.ApprovalOnly && !r.removing():
		if r.Error != nil && (!r.Error.Retryable || r.Error.Attempts >= MaxGrantAttempts) {
			return StepDone
		}
		if (r.InDirectory() || !r.Started.IsZero()) && r.Standing.At.IsZero() {
			return StepVouch
		}
		return StepEscalate
	case r.telling() && !r.Access.Untold.Stuck:
		return StepExtend
	}
	return StepDone
}

// Passing tells whether the run is in the middle of a step that works as it should, and
// that is about to end by another write, as a rule within seconds.
func (r *Run) Passing() bool {
	if r.Error != nil || r.Postponed != nil || r.Status == Prompted {
		return false
	}
	if r.Access.Live() && r.removing() {
		return r.WaitsForTarget(EventDeescalate) == nil
	}
	switch Next(*r) {
	case StepDecide, StepForward, StepVouch:
		return true
	case StepEscalate:
		return r.WaitsForTarget(EventEscalate) == nil && (r.Access == nil || r.Access.BusyUntil.IsZero())
	}
	return false
}

// AfterDue is the next of what is to run after an event. What follows a
// request waits for its message, what follows a form for the hook before it, and what
// has failed for somebody to press Retry.
func (r *Run) AfterDue() (AfterCall, bool) {
	for _, a := range r.After {
		asking := a.Event == EventRequest && r.Status == Requested && r.Tier == 0 && len(r.Tiers) > 0
		if a.Stuck || a.Event == EventPrompt && r.awaitsHook() {
			continue
		}
		if !asking || r.Tiers[0].Delivered || r.Tiers[0].Undeliverable != "" {
			return a, true
		}
	}
	return AfterCall{}, false
}

// AwaitsRetry tells whether a signal could not be taken, and waits for Retry.
func (r *Run) AwaitsRetry(signalID string) bool {
	return signalID != "" && r.Error != nil && r.Error.SignalID == signalID
}

// EventOf tells which event a waiting signal will be when it is taken.
func (r *Run) EventOf(s Signal) EventName {
	switch s.Action {
	case ActionUndeliverable:
		return EventRequestForward
	case ActionTimeout:
		if r.Status == Requested && r.Tier < len(r.Tiers) && !r.lastTier(s.Action) {
			return EventRequestForward
		}
		return EventRequestExpire
	}
	return EventName(s.Action)
}

// lastTier tells whether nobody else is asked after the current tier.
func (r *Run) lastTier(why Action) bool {
	t := r.Tiers[r.Tier]
	return r.Tier+1 >= len(r.Tiers) || why == ActionTimeout && (t.EndsOnTimeout || t.unheard()) || why == ActionUndeliverable && t.EndsOnFailure
}

// Head is the oldest signal that the workflow has to take. Removals are not
// the workflow's, and what waits for Retry holds up nothing. Whoever withdraws a request
// that nobody was asked about yet does not wait for that.
func (r *Run) Head() (Signal, bool) {
	if s, cancels := r.cancelling(); cancels && r.Status == Prompted {
		return s, true
	}
	for _, s := range r.Signals {
		if s.Action != ActionDeescalate && !r.AwaitsRetry(s.ID) {
			return s, true
		}
	}
	return Signal{}, false
}

// EndAsked is the signal by which somebody asked to take access away now.
func (r *Run) EndAsked() (Signal, bool) {
	for _, s := range r.Signals {
		if s.Action == ActionDeescalate {
			return s, true
		}
	}
	return Signal{}, false
}

// removing tells whether taking away has begun or was asked for.
func (r *Run) removing() bool {
	_, asked := r.EndAsked()
	return asked || r.Access != nil && r.Access.Removal.EventID != ""
}

// endsAt is when access is to end: at its end, when it was seen to linger, or when
// somebody asked for it before that. It returns zero if nothing ends it.
func (r *Run) endsAt() time.Time {
	at := r.Access.End
	if seen := r.Access.Lingering; !seen.IsZero() {
		at = seen
	}
	if s, asked := r.EndAsked(); asked && (at.IsZero() || s.At.Before(at)) {
		at = s.At
	}
	return at
}

// Overdue tells whether access is there that was to be gone for longer than
// RemovalPromise, or AcceptedPromise where the target has accepted the removal and
// works on it.
func (r *Run) Overdue(now time.Time) bool {
	if !r.Access.Live() {
		return false
	}
	at := r.endsAt()
	if w := r.WaitsForTarget(EventDeescalate); w != nil && !w.Accepted.IsZero() {
		return now.After(w.Accepted.Add(AcceptedPromise))
	}
	return !at.IsZero() && now.After(at.Add(RemovalPromise))
}

// EndDue is the time from which access has to be taken away: now if somebody
// asked, else the access's end, pushed back while a claim or a back-off lasts, or
// a call is to look at the target again, or the target is sick.
// False says that nothing ends it.
func (r *Run) EndDue() (time.Time, bool) {
	if !r.Access.Live() {
		return time.Time{}, false
	}
	at := r.endsAt()
	if at.IsZero() {
		return at, false
	}
	if r.Error != nil && r.Error.Step == EventDeescalate && r.Error.RetryAt.After(at) {
		at = r.Error.RetryAt
	}
	if r.Access.Removal.Until.After(at) {
		at = r.Access.Removal.Until
	}
	if until := r.putOffUntil(EventDeescalate); until.After(at) {
		at = until
	}
	if missed := r.missedLook(EventDeescalate); missed.After(at) {
		at = missed
	}
	return at, true
}

// Deadline is when the waiting that the run is in is over: that of the tier
// being asked, or of the wait for its message to arrive, or of a form never submitted. Zero: it waits for nothing, or for
// somebody to press Retry.
func (r *Run) Deadline() time.Time {
	stuck := slices.ContainsFunc(r.Signals, func(s Signal) bool { return s.Action == ActionTimeout && r.AwaitsRetry(s.ID) })
	switch {
	case stuck:
		return time.Time{}
	case r.Status == Prompted:
		return r.Created.Add(PromptTimeout)
	case r.Status == Requested && r.Tier < len(r.Tiers):
		if t := r.Tiers[r.Tier]; t.unheard() {
			return t.Asked.Add(DeliveryPatience)
		}
		return r.Tiers[r.Tier].Deadline
	}
	return time.Time{}
}

// Left is how long the waiting that the run is in may last from now on.
func (r *Run) Left(now time.Time) time.Duration {
	at := r.Deadline()
	if at.IsZero() { // a handler failed when time was over: until somebody decides, or presses Retry
		return DefaultRequestTimeout
	}
	left := max(at.Sub(now), 0)
	if r.Status == Requested && r.Tiers[r.Tier].unheard() {
		// The tier's time begins when its message arrives, which ends no waiting:
		// look again as soon as it may be over.
		left = min(left, max(r.Tiers[r.Tier].timeout(), time.Minute))
	}
	return left
}

// PausedUntil is when the step that failed, or was put off, is tried again by
// itself, or one that waits for its target is looked at although nobody has; zero
// if nothing keeps the run from going on.
func (r *Run) PausedUntil() time.Time {
	var at time.Time
	step := Next(*r)
	if r.Error != nil && (step == StepEscalate || step == StepRoute && r.Error.Step == EventRequest) {
		at = r.Error.RetryAt
	}
	if step == StepExtend {
		at = r.Access.Untold.LookAt
	}
	if until := r.putOffUntil(EventEscalate); step == StepEscalate && until.After(at) {
		at = until
	}
	if missed := r.missedLook(EventEscalate); step == StepEscalate && missed.After(at) {
		at = missed
	}
	return at
}

// nextLook is when the sweep has to look at the run at the latest, even if all
// else fails: when it is to move on, or a reminder's time comes.
func nextLook(r *Run) time.Time {
	at := r.WorkDue()
	if remind := r.ReminderDue(r.Touched); !remind.IsZero() && (at.IsZero() || remind.Before(at)) {
		return remind
	}
	return at
}

// WorkDue is when the run has to move on at the latest: the earliest of the times
// that it waits for. Zero: it waits for nothing.
func (r *Run) WorkDue() time.Time {
	var at time.Time
	earliest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	switch step := Next(*r); {
	case step == StepAwait, step == StepDone:
		earliest(r.Deadline())
	case r.PausedUntil().After(r.Touched):
		earliest(r.PausedUntil())
	case step == StepEscalate && r.Access.Live() && r.Access.LookAt.After(r.Touched):
		earliest(r.Access.LookAt)
	default:
		overdue := r.Touched.Add(WatchdogAfter)
		if r.Execution.Active { // it is at the step, and may be for that long
			spec, _ := Spec(step)
			overdue = overdue.Add(spec.Timeout)
		}
		earliest(overdue)
	}
	if acts, ok := r.ActsAt(); ok {
		earliest(acts)
	}
	return at
}
