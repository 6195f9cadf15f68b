package flow

import (
	"strings"
	"time"
	"unicode/utf8"
)

// AgentParams let agents ask, each for the person who owns it.
type AgentParams struct {
	// MaxDuration is how long an agent has access at most, more time included; zero in
	// flows that grant nothing.
	MaxDuration Duration `json:"max_duration,omitempty"`
	// Purpose is [PurposeRequired] or [PurposeOptional].
	Purpose string `json:"purpose"`
}

// Values of AgentParams.Purpose.
const (
	PurposeRequired = "required" // the agent has to say what it asks for that for
	PurposeOptional = "optional"
)

// KeyPurpose is what requests of agents call their purpose.
const KeyPurpose = "purpose"

// MaxPurpose bounds what an agent says it asks for that for, in characters.
const MaxPurpose = 500

// Agent is what a run keeps of the agent that asked; its Asker says which it is, and its
// Owner and Requester are the person for whom it works.
type Agent struct {
	Purpose string `json:"purpose,omitempty"` // in the agent's words
}

// ByAgent tells whether an agent asked. Its owner counts as the requester, and nobody
// approves their own: whatever the flow says of self-approval, and of more time.
func (r *Run) ByAgent() bool { return r.Agent != nil }

// AsksAs tells whether this agent asked. Runs of others are none of its business.
func (r *Run) AsksAs(agent Actor) bool {
	return r.ByAgent() && r.Asker != nil && r.Asker.Kind == KindAgent && r.Asker.ID == agent.ID && agent.ID != ""
}

// noAgent refuses what agents can't do by any way.
func noAgent(who Actor) error {
	if who.Kind == KindAgent {
		return Errorf(CodeForbidden, "agents ask, and never decide: a person has to do this")
	}
	return nil
}

// agents checks what agents may ask for.
func (v *validator) agents() {
	a, at := v.Params.Agents, "params.agents"
	if a == nil {
		return
	}
	if !v.Params.Allows(ChannelAPI) {
		v.fault(at, "agents ask by the API, which allowed_sources leave out: add api there, or remove agents")
	}
	if a.Purpose != PurposeRequired && a.Purpose != PurposeOptional {
		v.fault(at+".purpose", "must be required or optional")
	}
	switch d := time.Duration(a.MaxDuration); {
	case v.ApprovalOnly() && d != 0:
		v.fault(at+".max_duration", "nothing lasts in an approval-only flow: remove it")
	case v.ApprovalOnly():
	case !v.Params.ScheduleDeescalation:
		v.fault(at, "access of this flow has no end (schedule_deescalation is off), and agents have none without: remove one of the two")
	case d <= 0:
		v.fault(at+".max_duration", "is missing: say how long an agent has access at most, such as 30m")
	case v.Params.MaxDuration > 0 && a.MaxDuration > v.Params.MaxDuration:
		v.fault(at+".max_duration", "is longer than the flow's max_duration (%s)", Words(time.Duration(v.Params.MaxDuration)))
	}
}

// CheckAgent says whether an agent may ask for this by the flow.
func (f *Flow) CheckAgent(sub Submission, purpose string) error {
	if f.Params.Agents == nil {
		return Errorf(CodeWrongSource, "flow %q can't be started by agents: it lets none in (params.agents)", f.Name)
	}
	var faults []FieldError
	switch {
	case f.Params.Agents.Purpose == PurposeRequired && strings.TrimSpace(purpose) == "":
		faults = append(faults, FieldError{Field: KeyPurpose, Message: "is required: say in a sentence what this is for; those who decide read it"})
	case utf8.RuneCountInString(purpose) > MaxPurpose:
		faults = append(faults, FieldError{Field: KeyPurpose, Message: "is too long: a sentence will do"})
	}
	if most := f.LongestFor(true); most > 0 && sub.Duration > most {
		faults = append(faults, FieldError{Field: "flow_inputs." + FieldNameDuration, Message: "is longer than agents may have: at most " + Words(most)})
	}
	if len(faults) > 0 {
		return &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: faults}
	}
	return nil
}

// forAgent is how a run is shown and bounded that an agent asks for: it lasts no longer,
// and its owner can always end it.
func (f *Flow) forAgent(form Form) Form {
	form.AllowRevoke = true
	form.MaxDuration = Duration(f.LongestFor(true))
	return form
}

// LongestFor is how long access may be that somebody asks for, or an agent; 0: without a
// bound.
func (f *Flow) LongestFor(agent bool) time.Duration {
	if agent && f.Params.Agents != nil && f.Params.Agents.MaxDuration > 0 {
		return time.Duration(f.Params.Agents.MaxDuration)
	}
	return time.Duration(f.Params.MaxDuration)
}

// longestOf is how long a run's access may be altogether; 0: without a bound.
func (f *Flow) longestOf(r Run) time.Duration {
	if r.ByAgent() {
		return time.Duration(r.Form.MaxDuration) // as it was when the agent asked
	}
	return f.LongestFor(false)
}

// mayShutOut says whether somebody may end the tokens of the agent that asked.
func (r *Run) mayShutOut(who Actor, _ bool) error {
	if r.ByAgent() && (r.Owner != nil && r.Owner.Is(who) || r.isAdmin(who)) {
		return nil
	}
	return Errorf(CodeForbidden, "only the owner of an agent, and admins, can shut it out")
}
