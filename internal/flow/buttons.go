package flow

// Button is something that people may do with a run while it is as it is. It is
// named like the action that it sends, where it sends one.
type Button string

// The buttons.
const (
	ButtonApprove Button = Button(ActionApprove)
	ButtonChange  Button = "approve_with" // opens a form, which sends ActionApprove
	ButtonDeny    Button = Button(ActionDeny)
	ButtonCancel  Button = Button(ActionCancel)
	ButtonEnd     Button = Button(ActionDeescalate)
	ButtonReview  Button = Button(ActionReview) // of what was done in an emergency
	ButtonGiveUp  Button = "give_up"            // ActionDeescalate of access that is not there yet
	ButtonRetry   Button = "retry"
	ButtonAgain   Button = "ask_again" // opens the form of a new request

	ButtonAgent Button = "shut_out" // ends the tokens of the agent that asked

	ButtonMore       Button = Button(ActionExtendRequest) // asks for more time
	ButtonExtend     Button = Button(ActionExtend)        // grants it
	ButtonExtendDeny Button = Button(ActionExtendDeny)
)

// Side is from where people look at a run: what is written for one person, or for
// many, has the buttons of their side.
type Side int

// The sides.
const (
	SideDeciders  Side = 1 << iota // who may decide the request, and stand by what they approved
	SideRequester                  // whose request it is
	SideAdmins                     // who look after what has failed
)

// buttons says of each button, in the order in which they are shown, on which sides
// it stands, when, and who may press it. It is the only place that does: messages,
// lists and the authorisation of what is pressed all ask it.
var buttons = []struct {
	button Button
	sides  Side
	open   func(r *Run) bool
	may    func(r *Run, who Actor, guest bool) error
}{
	{ButtonApprove, SideDeciders, (*Run).asks, func(r *Run, who Actor, guest bool) error { return r.MayDecide(who, guest, ActionApprove) }},
	{ButtonChange, SideDeciders, (*Run).changeable, func(r *Run, who Actor, guest bool) error { return r.MayDecide(who, guest, ActionApprove) }},
	{ButtonDeny, SideDeciders, (*Run).asks, func(r *Run, who Actor, guest bool) error { return r.MayDecide(who, guest, ActionDeny) }},
	{ButtonCancel, SideRequester, (*Run).asks, (*Run).MayCancel},
	{ButtonRetry, SideDeciders | SideRequester | SideAdmins, (*Run).retriable, (*Run).mayRetry},
	{ButtonCancel, SideRequester, (*Run).sent, (*Run).MayCancel},
	{ButtonCancel, SideDeciders | SideRequester, (*Run).cancellable, (*Run).MayCancel},
	{ButtonExtend, SideDeciders, (*Run).asksForMore, func(r *Run, who Actor, guest bool) error { return r.MayDecideExtension(who, guest, ActionExtend) }},
	{ButtonExtendDeny, SideDeciders, (*Run).asksForMore, func(r *Run, who Actor, guest bool) error { return r.MayDecideExtension(who, guest, ActionExtendDeny) }},
	{ButtonMore, SideDeciders | SideRequester, (*Run).extendable, (*Run).mayExtend},
	{ButtonEnd, SideDeciders | SideRequester | SideAdmins, (*Run).endable, (*Run).mayEnd},
	{ButtonGiveUp, SideDeciders | SideRequester | SideAdmins, (*Run).givable, (*Run).mayEnd},
	{ButtonReview, SideDeciders, (*Run).AwaitsReview, (*Run).MayReview},
	{ButtonAgent, SideRequester, (*Run).ByAgent, (*Run).mayShutOut},
	{ButtonAgain, SideRequester, func(r *Run) bool { return r.Repeatable() == nil }, func(r *Run, who Actor, _ bool) error { return r.MayAskAgain(who) }},
}

// Buttons lists what people of a side may do with the run now.
func (r *Run) Buttons(side Side) []Button {
	var out []Button
	for _, b := range buttons {
		alone := side == SideRequester && b.button == ButtonRetry && r.Missing() // it takes another person
		if b.sides&side != 0 && b.open(r) && !alone {
			out = append(out, b.button)
		}
	}
	return out
}

// ButtonsFor lists what this person may do with the run now; guest says whether the
// workspace knows them as a guest.
func (r *Run) ButtonsFor(who Actor, guest bool) []Button {
	var out []Button
	for _, b := range buttons {
		if b.open(r) && b.may(r, who, guest) == nil {
			out = append(out, b.button)
		}
	}
	return out
}

// May returns nil if this person may press a button of the run, and an error that
// says why not otherwise. Whether the run is there for it is said by what the button
// sends.
func (r *Run) May(b Button, who Actor, guest bool) error {
	for _, known := range buttons {
		if known.button == b {
			return known.may(r, who, guest)
		}
	}
	return Errorf(CodeIllegal, "%q is no button of ours", b)
}

// asks tells whether the run waits for a decision.
func (r *Run) asks() bool { return r.Status == Requested }

// changeable tells whether approvers may change what is asked for.
func (r *Run) changeable() bool { return r.asks() && r.Form.Changes }

// Stuck tells whether a failure waits for a person.
func (r *Run) Stuck() bool {
	next := Next(*r)
	return r.Error != nil && r.Error.Step != EventDeescalate && next != StepVouch && next != StepEscalate && next != StepExtend
}

// retriable tells whether there is something to try again: what is missing of access is
// granted again only while that lasts.
func (r *Run) retriable() bool {
	over := r.Short() && !r.Held(r.Touched)
	return r.Stuck() && !r.removing() && !over || r.Error != nil && r.Error.Step == EventDeescalate || len(r.StuckAfter()) > 0
}

// asksForMore tells whether there is more time to be decided.
func (r *Run) asksForMore() bool { return r.Deciding(r.Touched) != nil }

// extendable tells whether more time could be asked for when the run last changed.
func (r *Run) extendable() bool {
	_, err := r.Extendable(r.Touched)
	return err == nil
}

// endable tells whether there is access that people may end by hand.
func (r *Run) endable() bool {
	_, asked := r.EndAsked()
	return r.Form.AllowRevoke && !asked && (r.Status == Escalated && r.Access.Lingering.IsZero() || r.Status == Approved && r.partly())
}

// partly tells whether some of several targets are there, though others are not yet.
func (r *Run) partly() bool {
	return r.Access.Live() && len(r.Access.Entitlements) > 1 && !r.Access.Seen.IsZero()
}

// givable tells whether there is a grant that does not come about, and that people
// may give up: it is tried again, it waits, or it has failed for good.
func (r *Run) givable() bool {
	return r.Form.AllowRevoke && r.Status == Approved && r.Access.Live() && !r.removing() && !r.partly() && r.held()
}

// cancellable tells whether people may call access off that is approved and does not
// begin: it starts later, or something is in its way before anything is intended.
func (r *Run) cancellable() bool { return r.NotBegun() && (r.AwaitsStart() || r.held()) }

// held tells whether the grant is tried again, waits, or has failed for good.
func (r *Run) held() bool {
	return r.Error != nil || r.WaitsForTarget(EventEscalate) != nil || r.PutOff(EventEscalate)
}

func (r *Run) mayEnd(who Actor, guest bool) error {
	if guest && !r.Deciders.AllowGuests {
		return Errorf(CodeForbidden, "guests of the workspace can't end access of this flow")
	}
	return r.MayEnd(who)
}

func (r *Run) mayExtend(who Actor, guest bool) error {
	if guest && !r.Deciders.AllowGuests {
		return Errorf(CodeForbidden, "guests of the workspace can't ask for more time")
	}
	return r.MayExtend(who)
}

func (r *Run) mayRetry(who Actor, _ bool) error {
	if r.MayEnd(who) != nil {
		return Errorf(CodeForbidden, "only the requester, the approver and admins can retry this")
	}
	return r.mayGrantAgain(who)
}

// mayGrantAgain returns nil if this person may undo that somebody has taken access
// away at its target, or there is nothing of the kind to undo. Whoever did that may
// have had a reason, so that requesters can't undo it alone.
func (r *Run) mayGrantAgain(who Actor) error {
	if r.Missing() && (r.MayEnd(who) != nil || r.owns(who) && !r.isAdmin(who)) {
		return Errorf(CodeForbidden, "only the approver and admins can have this access granted again")
	}
	return nil
}
