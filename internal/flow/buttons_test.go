package flow

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// pressed is what a button of a run sends.
func pressed(r Run, b Button, who Actor) Input {
	switch b {
	case ButtonChange: // and what is chosen in its form
		return click(ActionApprove, who)
	case ButtonRetry:
		return Retry{Actor: who}
	case ButtonMore:
		may, _ := r.Extendable(r.Touched)
		return more(may[0], who)
	case ButtonExtend, ButtonExtendDeny:
		return Receive{Action: Action(b), Actor: who, Channel: ChannelSlack, Extension: r.asked()}
	case ButtonGiveUp:
		return click(ActionDeescalate, who)
	}
	return click(Action(b), who)
}

// checkButtons: whoever is offered a button may press it, on their side of the run.
func checkButtons(fail func(string, ...any), r Run, now time.Time) {
	shown := map[Button]bool{}
	for _, side := range []Side{SideDeciders, SideRequester} {
		for _, b := range r.Buttons(side) {
			shown[b] = true
		}
	}
	for _, who := range []Actor{requester, approver, second, admin, outsider, bot} {
		for _, b := range r.ButtonsFor(who, false) {
			if !shown[b] {
				fail("%s may press %s, which no side shows", who.Display(), b)
			}
			if err := r.May(b, who, false); err != nil {
				fail("%s is offered %s: %v", who.Display(), b, err)
			}
			if b == ButtonAgain {
				if err := r.MayAskAgain(who); err != nil {
					fail("%s is offered %s: %v", who.Display(), b, err)
				}
				continue // a run of its own
			}
			if _, err := Apply(r, pressed(r, b, who), now); err != nil && !errors.Is(err, ErrUnchanged) && CodeOf(err) != CodeDuplicate {
				fail("%s presses %s: %v", who.Display(), b, err)
			}
		}
	}
}

func TestButtons(t *testing.T) {
	t.Parallel()
	asked := requestedOf(accessFlow(), 1, time.Hour)
	approved := decide(asked, t0, ActionApprove, approver)
	intended := must(approved, t0, intend)
	failure := FailureOf(Errorf(CodeUnavailable, "no answer"))
	retried := must(intended, t0, Fail{Step: EventEscalate, Reason: failure})
	stuck := must(intended, t0, Fail{Step: EventEscalate, Reason: FailureOf(Errorf(CodeStrategy, "no"))})
	live := must(intended, t0, Escalate{})
	hopeless := must(approved, t0, Fail{Step: EventEscalate, Reason: FailureOf(Errorf(CodeIdentity, "no such user"))})
	inLine := must(approved, t0, LookAgain{Step: EventEscalate, Text: "number 3 in line"})
	emergency := must(situations()["emergency"].run, t0, Fail{Step: EventEscalate, Reason: FailureOf(Errorf(CodeIdentity, "no such user"))})
	ending := must(live, t0, click(ActionDeescalate, requester))
	removal := must(ending, t0, Claim{Owner: "worker", Until: t0.Add(time.Minute)}, Fail{Step: EventDeescalate, Reason: failure})
	missing := must(live, t0, Miss{})
	cancelled := decide(asked, t0, ActionCancel, requester)
	with := accessFlow()
	with.Params.ApproveWith.Duration = true
	changeable := requestedOf(with, 1, time.Hour)
	sealed := live
	sealed.Form.AllowRevoke, sealed.Form.Extend = false, nil
	for name, c := range map[string]struct {
		r                                    Run
		deciders, requesters, approver, asks []Button
	}{
		"requested": {
			asked, []Button{ButtonApprove, ButtonDeny}, []Button{ButtonCancel}, []Button{ButtonApprove, ButtonDeny}, []Button{ButtonCancel},
		},
		"approved":         {approved, nil, nil, []Button{}, []Button{}},
		"in line":          {inLine, []Button{ButtonCancel}, []Button{ButtonCancel}, []Button{ButtonCancel}, []Button{ButtonCancel}},
		"never to begin":   {hopeless, []Button{ButtonRetry, ButtonCancel}, []Button{ButtonRetry, ButtonCancel}, []Button{ButtonRetry, ButtonCancel}, []Button{ButtonRetry, ButtonCancel}},
		"stuck emergency":  {emergency, []Button{ButtonRetry, ButtonCancel}, []Button{ButtonRetry, ButtonCancel}, []Button{ButtonCancel}, []Button{ButtonRetry, ButtonCancel}},
		"being granted":    {intended, nil, nil, nil, nil},
		"granting retried": {retried, []Button{ButtonGiveUp}, []Button{ButtonGiveUp}, []Button{ButtonGiveUp}, []Button{ButtonGiveUp}},
		"granting failed":  {stuck, []Button{ButtonRetry, ButtonGiveUp}, []Button{ButtonRetry, ButtonGiveUp}, []Button{ButtonRetry, ButtonGiveUp}, []Button{ButtonRetry, ButtonGiveUp}},
		"live":             {live, []Button{ButtonMore, ButtonEnd}, []Button{ButtonMore, ButtonEnd}, []Button{ButtonMore, ButtonEnd}, []Button{ButtonMore, ButtonEnd}},
		"more asked for": {
			askMore(live, t0, time.Hour, requester), []Button{ButtonExtend, ButtonExtendDeny, ButtonEnd}, []Button{ButtonEnd},
			[]Button{ButtonExtend, ButtonExtendDeny, ButtonEnd}, []Button{ButtonEnd},
		},
		"more asked for by an approver": {
			askMore(live, t0, time.Hour, approver), []Button{ButtonExtend, ButtonExtendDeny, ButtonEnd}, []Button{ButtonEnd},
			[]Button{ButtonExtendDeny, ButtonEnd}, []Button{ButtonEnd},
		},
		"live, not by hand": {sealed, nil, nil, nil, nil},
		"ending":            {ending, nil, nil, nil, nil},
		"not taken away":    {removal, []Button{ButtonRetry}, []Button{ButtonRetry}, []Button{ButtonRetry}, []Button{ButtonRetry}},
		"cancelled":         {cancelled, nil, []Button{ButtonAgain}, nil, []Button{ButtonAgain}},
		"changeable":        {changeable, []Button{ButtonApprove, ButtonChange, ButtonDeny}, []Button{ButtonCancel}, []Button{ButtonApprove, ButtonChange, ButtonDeny}, []Button{ButtonCancel}},
		"missing":           {missing, []Button{ButtonRetry, ButtonMore, ButtonEnd}, []Button{ButtonMore, ButtonEnd}, []Button{ButtonRetry, ButtonMore, ButtonEnd}, []Button{ButtonMore, ButtonEnd}},
	} {
		for who, both := range map[string][2][]Button{
			"deciders": {c.r.Buttons(SideDeciders), c.deciders}, "requester's side": {c.r.Buttons(SideRequester), c.requesters},
			"approver": {c.r.ButtonsFor(approver, false), c.approver}, "requester": {c.r.ButtonsFor(requester, false), c.asks},
			"outsider": {c.r.ButtonsFor(outsider, false), nil},
		} {
			if !slices.Equal(both[0], both[1]) {
				t.Errorf("%s: %s have %v, want %v", name, who, both[0], both[1])
			}
		}
	}
	if err := live.May("explode", admin, false); CodeOf(err) != CodeIllegal {
		t.Errorf("an unknown button: %v", err)
	}
	if live.May(ButtonEnd, approver, true) == nil || asked.May(ButtonApprove, approver, true) == nil {
		t.Error("guests may do what members may")
	}
}
