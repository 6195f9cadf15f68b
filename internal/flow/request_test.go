package flow

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRun_MayDecide(t *testing.T) {
	t.Parallel()
	named := Deciders{People: []Actor{approver, requester}, Admins: []Actor{admin}, Required: 1}
	members := Deciders{Members: true, Admins: []Actor{admin}, Required: 1}
	with := func(d Deciders, change func(*Deciders)) Deciders { change(&d); return d }
	guests := func(d *Deciders) { d.AllowGuests = true }
	self := func(d *Deciders) { d.AllowSelfApproval = true }
	slackOnly := Actor{Kind: KindPerson, SlackID: requester.SlackID, SlackTeam: requester.SlackTeam}
	const yes = Code("")
	for _, c := range []struct {
		name          string
		deciders      Deciders
		who           Actor
		guest         bool
		approve, deny Code
	}{
		{"somebody named", named, approver, false, yes, yes},
		{"somebody not named", named, outsider, false, CodeForbidden, CodeForbidden},
		{"an admin", named, admin, false, yes, yes},
		{"the requester, named", named, requester, false, CodeSelfApproval, yes},
		{"the requester, by Slack's id", named, slackOnly, false, CodeSelfApproval, yes},
		{"the requester, named and allowed", with(named, self), requester, false, yes, yes},
		{"the requester, allowed but not named", with(Deciders{People: []Actor{approver}}, self), requester, false, CodeForbidden, CodeForbidden},
		{"the requester, an admin", Deciders{Admins: []Actor{requester}}, requester, false, CodeSelfApproval, yes},
		{"a guest who is named", named, approver, true, CodeForbidden, CodeForbidden},
		{"a guest who is named, guests allowed", with(named, guests), approver, true, yes, yes},
		{"a guest who is admin", named, admin, true, CodeForbidden, CodeForbidden},
		{"a guest, guests allowed, others named", with(named, guests), outsider, true, CodeForbidden, CodeForbidden},
		{"any member", members, outsider, false, yes, yes},
		{"a guest among members", members, outsider, true, CodeForbidden, CodeForbidden},
		{"a guest among members, guests allowed", with(members, guests), outsider, true, yes, yes},
		{"the requester among members", members, requester, false, CodeSelfApproval, yes},
		{"the requester among members, allowed", with(members, self), requester, false, yes, yes},
		{"a bot is no member", members, bot, false, CodeForbidden, CodeForbidden},
		{"the system is no member", members, System, false, CodeForbidden, CodeForbidden},
		{"a bot that is named", Deciders{People: []Actor{bot}}, bot, false, yes, yes},
		{"nobody named at all", Deciders{}, approver, false, CodeForbidden, CodeForbidden},
		{"somebody without ids", Deciders{People: []Actor{{Kind: KindPerson}}}, Actor{Kind: KindPerson}, false, CodeForbidden, CodeForbidden},
	} {
		r := Run{Requester: requester, Deciders: c.deciders}
		if got := CodeOf(r.MayDecide(c.who, c.guest, ActionApprove)); got != c.approve {
			t.Errorf("%s: approve: %q, want %q", c.name, got, c.approve)
		}
		if got := CodeOf(r.MayDecide(c.who, c.guest, ActionDeny)); got != c.deny {
			t.Errorf("%s: deny: %q, want %q", c.name, got, c.deny)
		}
	}
}

func TestRun_MaySee(t *testing.T) {
	t.Parallel()
	named := Deciders{People: []Actor{approver}, Admins: []Actor{admin}, Required: 1}
	owner := Actor{Kind: KindPerson, ID: "owner"}
	for _, c := range []struct {
		name     string
		deciders Deciders
		who      Actor
		guest    bool
		may      bool
	}{
		{"the requester", named, requester, false, true},
		{"the requester, a guest by now", named, requester, true, true},
		{"the owner of the token that asked", named, owner, false, true},
		{"somebody named", named, approver, false, true},
		{"a guest who is named", named, approver, true, false},
		{"an admin", named, admin, false, true},
		{"somebody else", named, outsider, false, false},
		{"somebody who approved, though not named any more", Deciders{}, admin, false, true},
		{"any member who may decide", Deciders{Members: true}, outsider, false, true},
		{"a guest where members may decide", Deciders{Members: true}, outsider, true, false},
		{"the system", Deciders{Members: true}, System, false, false},
		{"nobody", named, Actor{}, false, false},
	} {
		r := Run{Status: Requested, Requester: requester, Owner: &owner, Deciders: c.deciders}
		if len(c.deciders.People) == 0 && !c.deciders.Members {
			r.Approvals = []CountedApproval{{Actor: admin}}
		}
		if err := r.MaySee(c.who, c.guest); (err == nil) != c.may || err != nil && CodeOf(err) != CodeForbidden {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDeciders_Names(t *testing.T) {
	t.Parallel()
	var many []Actor
	for _, c := range "abcdefghijkl" {
		many = append(many, Actor{Name: string(c)})
	}
	for _, c := range []struct {
		in   Deciders
		want string
	}{
		{Deciders{Members: true, People: many}, "members of the workspace"},
		{Deciders{}, "nobody"},
		{Deciders{People: many[:1]}, "a"},
		{Deciders{People: many[:2], Admins: many[1:3]}, "a, b and c"},
		{Deciders{People: many[:10]}, "a, b, c, d, e, f, g, h, i and j"},
		{Deciders{People: many}, "a, b, c, d, e, f, g, h, i, j and others"},
	} {
		if got := c.in.Names(); got != c.want {
			t.Errorf("Names() = %q, want %q", got, c.want)
		}
	}
}

// TestApply_Refuse: a refused click tells who tried what, and why it was refused.
func TestApply_Refuse(t *testing.T) {
	t.Parallel()
	via := &MessageRef{Key: "request/0", Channel: "C0", TS: "1.2"}
	r := must(situations()["requested"].run, t0, Receive{Action: ActionApprove, Actor: outsider, Channel: ChannelSlack, Message: "fine", Via: via})
	reason := Failure{Code: CodeForbidden, Message: "only approvers can decide"}
	r = must(r, t0.Add(time.Minute), Refuse{SignalID: r.Signals[0].ID, Reason: reason})
	want := Event{
		ID: EventID(runID, 3), Name: EventApprove, Actor: outsider, Channel: ChannelSlack, At: t0, State: StateInProgress,
		Errors: []Failure{reason}, Fields: map[string]any{"decision_message": "fine"}, Via: via, Rev: r.Rev,
	}
	if got := r.Events[len(r.Events)-1]; !reflect.DeepEqual(got, want) || !got.Failed() {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(r.Approvals) != 0 || r.Status != Requested {
		t.Errorf("a refused approval counts: %+v", r)
	}
}

// TestApply_Unreachable: a last tier that can't be reached keeps the request
// open, until the message arrives after all, or not again.
func TestApply_Unreachable(t *testing.T) {
	t.Parallel()
	s := situations()["last tier, unreachable"]
	if e := s.run.Error; e == nil || e.Code != CodeUndeliverable || e.Message != "channel #access does not exist" || !e.RetryAt.IsZero() {
		t.Fatalf("error = %+v", e)
	}
	again := must(s.run, s.now, Retry{Actor: admin})
	if again.Tiers[1].Undeliverable != "" || again.Error != nil {
		t.Errorf("after Retry: %+v, error %+v", again.Tiers[1], again.Error)
	}
	again = forward(again, s.now, ActionUndeliverable)
	if n := len(again.Events); n != len(s.run.Events) || again.Events[n-1].Count != 2 || again.Error == nil {
		t.Errorf("unreachable again: %+v", again.Events[n-1])
	}
	arrived := must(again, s.now, Delivered{Tier: 1})
	if tier := arrived.Tiers[1]; !tier.Delivered || tier.Undeliverable != "" || arrived.Error != nil {
		t.Errorf("after its arrival: %+v, error %+v", tier, arrived.Error)
	}
}

// TestTimeOfTiers: a tier's time runs from when its message arrives, and a
// request that reaches nobody expires after a day, which says why.
func TestTimeOfTiers(t *testing.T) {
	t.Parallel()
	r := situations()["requested"].run
	if got := r.Left(t0); got != 30*time.Minute {
		t.Errorf("looks again after %v, want when its time may be over at the earliest", got)
	}
	late := t0.Add(20 * time.Hour)
	if _, err := Apply(r, news(r, ActionTimeout), late); CodeOf(err) != CodeStale {
		t.Errorf("timed out before anybody was asked: %v", err)
	}
	heard := must(r, late, Delivered{})
	if got := heard.Deadline(); !got.Equal(late.Add(30 * time.Minute)) {
		t.Errorf("the tier's time is over at %v", got)
	}
	passed := forward(heard, late.Add(30*time.Minute), ActionTimeout)
	if passed.Status != Requested || passed.Tier != 1 || !passed.Deadline().Equal(late.Add(30*time.Minute+DeliveryPatience)) {
		t.Errorf("%s, tier %d until %v", passed.Status, passed.Tier, passed.Deadline())
	}
	for name, c := range map[string]struct {
		run  Run
		code Code
		want string
	}{
		"Unreachable":   {passed, CodeUnreachable, "Slack could not be reached"},
		"Undeliverable": {forward(passed, passed.Touched, ActionUndeliverable), CodeUndeliverable, "channel #access does not exist"},
	} {
		over := forward(c.run, c.run.Deadline(), ActionTimeout)
		e, _ := over.Last(EventRequestExpire)
		if over.Status != Expired || len(e.Errors) != 1 || e.Errors[0].Code != c.code || !strings.Contains(e.Errors[0].Message, c.want) {
			t.Errorf("%s: %s, %+v", name, over.Status, e)
		}
	}
	retried := must(forward(passed, passed.Touched, ActionUndeliverable), late.Add(10*time.Hour), Retry{Actor: requester})
	if got := retried.Deadline(); !got.Equal(late.Add(10*time.Hour + DeliveryPatience)) {
		t.Errorf("after Retry it waits until %v", got)
	}
	// Runs that were asked by an earlier release keep the time they have.
	old := r
	old.Tiers = []Tier{{Channel: "#access", TimeoutSeconds: 1800, Deadline: t0.Add(time.Hour)}}
	if got := old.Deadline(); !got.Equal(t0.Add(time.Hour)) {
		t.Errorf("an old run's: %v", got)
	}
}

// TestPausedRequest: a request that Slack keeps from being sent is tried again
// by itself, less and less often, or when somebody presses Retry.
func TestPausedRequest(t *testing.T) {
	t.Parallel()
	r := situations()["submitted"].run
	fail := Fail{Step: EventRequest, SignalID: EventID(runID, 2), Again: true, Reason: FailureOf(Errorf(CodeLookup, "Slack does not answer"))}
	now := t0
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		r = must(r, now, fail)
		if at := r.PausedUntil(); !at.Equal(now.Add(want*time.Second)) || Next(r) != StepRoute || r.Error.Attempts != i+1 {
			t.Fatalf("failure %d: until %v, then %s", i, at.Sub(now), Next(r))
		}
		now = r.PausedUntil()
	}
	if len(r.Events) != 2 || r.Events[1].Count != 8 {
		t.Errorf("events %+v", r.Events)
	}
	fail.Wait = time.Hour
	if r = must(r, now, fail); !r.PausedUntil().Equal(now.Add(time.Hour)) {
		t.Errorf("Slack asked for an hour, and it is tried after %v", r.PausedUntil().Sub(now))
	}
	if retried := must(r, now, Retry{Actor: requester}); !retried.PausedUntil().IsZero() || Next(retried) != StepRoute {
		t.Errorf("after Retry: until %v", retried.PausedUntil())
	}
	sent := must(r, now, Route{SignalID: r.Signals[0].ID, Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{Members: true, Required: 1}})
	if sent.Error != nil || sent.Status != Requested {
		t.Errorf("sent: %s, error %+v", sent.Status, sent.Error)
	}
}
