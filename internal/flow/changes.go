package flow

import (
	"maps"
	"slices"
	"time"
)

// ApproveWith says what approvers may change of a request while they approve it.
type ApproveWith struct {
	// Duration lets them give access for a shorter time than was asked for.
	Duration bool `json:"duration,omitempty"`
	// Target lets them give another of the targets that the form offered the
	// requester.
	Target bool `json:"target,omitempty"`
}

// Any tells whether they may change anything.
func (a ApproveWith) Any() bool { return a.Duration || a.Target }

// Given is what is given of a request, where that is something else than was
// asked for: an approver or a hook has changed it. A part that is zero is given as
// it was asked for. What was asked stays in the run as it was.
type Given struct {
	Target          *Target `json:"target,omitempty"` // with its bindings
	DurationSeconds int64   `json:"duration_seconds,omitempty"`
}

// GivenTarget is the target that access is given to, which is the one that was asked
// for unless it was changed. It is nil in approval-only flows.
func (r *Run) GivenTarget() *Target {
	if r.Given != nil && r.Given.Target != nil {
		return r.Given.Target
	}
	return r.Target
}

// GivenDuration is how long access is given; zero if until it is ended by hand.
func (r *Run) GivenDuration() time.Duration {
	if r.Given != nil && r.Given.DurationSeconds > 0 {
		return time.Duration(r.Given.DurationSeconds) * time.Second
	}
	return r.Duration()
}

// GivenFields are the values of the form with the target and the duration that are
// given. What was asked for is in Run.Fields.
func (r *Run) GivenFields() map[string]any {
	if r.Given == nil {
		return r.Fields
	}
	fields := maps.Clone(r.Fields)
	if fields == nil {
		fields = map[string]any{}
	}
	if t := r.Given.Target; t != nil {
		fields[FieldNameTarget] = t.IDIn(r.Org)
	}
	if _, shown := fields[FieldNameDuration]; shown && r.Given.DurationSeconds > 0 {
		fields[FieldNameDuration] = r.Given.DurationSeconds
	}
	return fields
}

// ShorterThanAsked tells whether access is given for a shorter time than was asked.
func (r *Run) ShorterThanAsked() bool {
	return r.DurationSeconds > 0 && r.GivenDuration() < r.Duration()
}

// OtherThanAsked tells whether another target is given than was asked for.
func (r *Run) OtherThanAsked() bool {
	return r.Target != nil && r.GivenTarget().Name != r.Target.Name
}

// At gives the run with what was given of it at one of its events, by its id: what
// somebody changed later is as it was then. For an approval that has not been taken yet,
// that is what the approver gives. Of any other event that the run does not have yet, it
// gives the run as it is.
func (r Run) At(eventID string) Run {
	if i := slices.IndexFunc(r.Events, func(known Event) bool { return known.ID == eventID }); i >= 0 {
		r.Given = givenIn(r.Events[:i+1])
		return r
	}
	for _, s := range r.Signals {
		if s.ID == eventID && s.Give != nil {
			r.give(s.Give.Target, s.Give.DurationSeconds)
		}
	}
	return r
}

// givenIn is what was given at the last of the events.
func givenIn(events []Event) *Given {
	for _, e := range slices.Backward(events) {
		if e.Given != nil {
			return e.Given.orNone()
		}
	}
	return nil
}

// orNone is nil where nothing is changed.
func (g *Given) orNone() *Given {
	if g == nil || g.Target == nil && g.DurationSeconds == 0 {
		return nil
	}
	return g
}

// same tells whether both give the same.
func (g *Given) same(other *Given) bool {
	g, other = g.orNone(), other.orNone()
	if g == nil || other == nil {
		return g == other
	}
	return g.DurationSeconds == other.DurationSeconds && SameValue(g.Target, other.Target)
}

// give notes what is given from now on, as far as the terms change it. A target and
// a duration that were asked for are no change.
func (r *Run) give(target *Target, seconds int64) {
	var g Given
	if r.Given != nil {
		g = *r.Given
	}
	if target != nil {
		chosen := *target
		g.Target = &chosen
		if SameValue(&chosen, r.Target) {
			g.Target = nil
		}
	}
	if seconds > 0 {
		g.DurationSeconds = seconds
		if seconds == r.DurationSeconds {
			g.DurationSeconds = 0
		}
	}
	r.Given = g.orNone()
}

// Offer is what an approver may choose from, as the requester could: the durations
// and the targets that a request may be approved with in place of what it asks for.
type Offer struct {
	Targets   []Target
	Durations []time.Duration // from the shortest
}

// Empty tells whether there is nothing to choose.
func (o Offer) Empty() bool { return len(o.Targets) == 0 && len(o.Durations) == 0 }

// Offer says what the flow lets approvers choose for a request.
func (f *Flow) Offer(r Run) Offer {
	var o Offer
	if f.ApprovalOnly() || r.Target == nil {
		return o
	}
	now := r.GivenTarget().Name
	if p, ok := f.Field(FieldNameTarget); ok && f.Params.ApproveWith.Target && p.Visible {
		for _, t := range f.Strategy.Targets {
			if t.Name != now && (r.Offered == nil || slices.Contains(r.Offered, t.Name)) {
				o.Targets = append(o.Targets, t)
			}
		}
	}
	p, ok := f.Field(FieldNameDuration)
	if most := r.GivenDuration(); ok && f.Params.ApproveWith.Duration && most > 0 {
		for _, allowed := range p.AllowedValues {
			if d, err := ParseDuration(allowed); err == nil && d < most && !slices.Contains(o.Durations, d) {
				o.Durations = append(o.Durations, d)
			}
		}
		slices.Sort(o.Durations)
	}
	return o
}

// Give reads what an approver gives in place of what is asked for: a target by name or
// id, "" for the one that is asked for, and a duration, zero for as long as is asked. It
// returns nil where that changes nothing. The error has CodeInvalid, with the field at
// fault.
func (f *Flow) Give(r Run, target string, d time.Duration) (*Given, error) {
	var g Given
	offer := f.Offer(r)
	if target != "" && !f.ApprovalOnly() {
		t, ok := f.Strategy.Target(f.Org, target)
		switch {
		case ok && t.Name == r.GivenTarget().Name:
		case !ok || !slices.ContainsFunc(offer.Targets, func(o Target) bool { return o.Name == t.Name }):
			return nil, notToGive(FieldNameTarget, "is not among the targets that the requester could choose: choose one of them")
		default:
			bound := t.Bind(r.Fields)
			if err := bound.checkMany(); err != nil {
				return nil, notToGive(FieldNameTarget, UserMessage(err))
			}
			g.Target = &bound
		}
	}
	if most := r.GivenDuration(); d != 0 && d != most {
		switch {
		case most > 0 && d > most:
			return nil, notToGive(FieldNameDuration, "is longer than is asked for: at most "+Words(most))
		case !slices.Contains(offer.Durations, d):
			return nil, notToGive(FieldNameDuration, "is not among the durations that this flow has: choose one of them")
		}
		g.DurationSeconds = int64(d / time.Second)
	}
	return g.orNone(), nil
}

func notToGive(field, message string) error {
	return &Error{Code: CodeInvalid, Message: "this can't be given", Fields: []FieldError{{Field: field, Message: message}}}
}

// approveWith takes over what an approval changes: the shortest duration wins, and
// another target makes approvals of the earlier one void. It returns those, by event id.
func (r *Run) approveWith(by *Given) []string {
	if by == nil {
		return nil
	}
	seconds := by.DurationSeconds
	if most := int64(r.GivenDuration() / time.Second); seconds > most {
		seconds = most
	}
	var void []string
	if by.Target != nil && by.Target.Name != r.GivenTarget().Name {
		for _, a := range r.Approvals {
			void = append(void, a.EventID)
		}
		r.Approvals = nil
	}
	r.give(by.Target, seconds)
	return void
}

// changes checks what approvers may change, and for whom requests may be made.
func (v *validator) changes() {
	with := v.Params.ApproveWith
	if with.Any() && v.ApprovalOnly() {
		v.fault("params.approve_with", "makes no sense in an approval-only flow, which has neither a target nor a duration: remove it")
		return
	}
	if with.Duration && !v.Params.ScheduleDeescalation {
		v.fault("params.approve_with.duration", "has no effect, because access of this flow ends by hand only (schedule_deescalation is off): remove it")
	}
	if p, ok := v.Field(FieldNameTarget); with.Target && ok && !p.Visible {
		v.fault("params.approve_with.target", "has no effect, because the form offers no targets (target_id has visible: false): remove it")
	}
	if v.Params.OnBehalf && slices.ContainsFunc(v.Params.PromptFields, func(p PromptField) bool { return p.OnChange != nil }) {
		v.fault("params.on_behalf", "does not go with on_change: such a form is made for whoever fills it in; remove one of them")
	}
	if v.Params.OnBehalf && !v.Params.Allows(ChannelSlack) {
		v.fault("params.on_behalf", "is for requests in Slack, from which this flow can't be started: add slack to allowed_sources, or remove it. By the API, tokens say for whom they may ask")
	}
}

var changedSince = Errorf(CodeChanged, "this request had changed when your turn came, so that your click did not count: read it once more, and decide then")

// mayGive refuses what an approval can't give, whatever the flow lets approvers choose.
func (r *Run) mayGive(action Action, by *Given) error {
	switch {
	case by == nil:
		return nil
	case action != ActionApprove || r.ApprovalOnly:
		return Errorf(CodeIllegal, "only an approval of access can give something else than is asked for")
	case by.DurationSeconds < 0 || by.DurationSeconds > int64(r.GivenDuration()/time.Second):
		return notToGive(FieldNameDuration, "is longer than is asked for")
	}
	return nil
}

// changedBy applies what an approval gives, and adds to its fields what was asked for
// of that, and which approvals it makes void.
func (r *Run) changedBy(by *Given, fields map[string]any) map[string]any {
	void := r.approveWith(by)
	if by == nil {
		return fields
	}
	fields = maps.Clone(fields)
	if fields == nil {
		fields = map[string]any{}
	}
	asked := map[string]any{}
	if r.OtherThanAsked() {
		asked[FieldNameTarget] = r.Target.IDIn(r.Org)
	}
	if r.ShorterThanAsked() {
		asked[FieldNameDuration] = r.DurationSeconds
	}
	if len(asked) > 0 {
		fields[KeyAsked] = asked
	}
	if len(void) > 0 {
		fields[KeyVoided] = void
	}
	return fields
}
