package flow

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestActor_Same(t *testing.T) {
	t.Parallel()
	a := Actor{ID: "1", SlackID: "U1", SlackTeam: "T1"}
	for _, c := range []struct {
		name string
		a, b Actor
		want bool
	}{
		{"themselves", a, a, true},
		{"our id only", a, Actor{ID: "1"}, true},
		{"Slack's id only", a, Actor{SlackID: "U1", SlackTeam: "T1"}, true},
		{"another address, same person in Slack", a, Actor{ID: "2", SlackID: "U1", SlackTeam: "T1"}, true},
		{"same id in another workspace", a, Actor{ID: "2", SlackID: "U1", SlackTeam: "T2"}, false},
		{"somebody else", a, Actor{ID: "2", SlackID: "U2", SlackTeam: "T1"}, false},
		{"nobody", Actor{}, Actor{}, false},
		{"the system", System, System, false},
		{"no ids in common", Actor{ID: "1"}, Actor{SlackID: "U1", SlackTeam: "T1"}, false},
	} {
		if got := c.a.Same(c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := c.b.Same(c.a); got != c.want {
			t.Errorf("%s, the other way round: %v", c.name, got)
		}
	}
}

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

// TestRun_MayEnd: the requester, who approved (in part, too) and admins.
func TestRun_MayEnd(t *testing.T) {
	t.Parallel()
	r := decide(requestedOf(accessFlow(), 2, time.Hour), t0, ActionApprove, second)
	r = decide(r, t0, ActionApprove, approver)
	r = must(r, t0, intend, Escalate{})
	for _, c := range []struct {
		who         Actor
		end, cancel bool
	}{
		{requester, true, true}, {approver, true, false}, {second, true, false}, {admin, true, false},
		{outsider, false, false}, {bot, false, false}, {System, false, false}, {Actor{}, false, false},
	} {
		if err := r.MayEnd(c.who); (err == nil) != c.end || err != nil && CodeOf(err) != CodeForbidden {
			t.Errorf("MayEnd(%s) = %v", c.who.Display(), err)
		}
		if err := r.MayCancel(c.who); (err == nil) != c.cancel || err != nil && CodeOf(err) != CodeForbidden {
			t.Errorf("MayCancel(%s) = %v", c.who.Display(), err)
		}
	}
	undecided := situations()["requested"].run
	if err := undecided.MayEnd(approver); CodeOf(err) != CodeForbidden {
		t.Errorf("somebody who has approved nothing may end: %v", err)
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

func TestRun_Final(t *testing.T) {
	t.Parallel()
	want := map[Status]bool{Denied: true, Expired: true, Cancelled: true, Deescalated: true}
	for _, s := range constants(t, "run.go", "Status") {
		access, only := Run{Status: Status(s)}, Run{Status: Status(s), ApprovalOnly: true}
		if got := access.Final(); got != want[Status(s)] {
			t.Errorf("%s: final = %v", s, got)
		}
		if got := only.Final(); got != (want[Status(s)] || s == string(Approved)) {
			t.Errorf("%s, approval-only: final = %v", s, got)
		}
	}
}

func TestRun_Decision(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]EventName{
		"requested": "", "partly approved": "", "last tier": "", "approved": EventApprove, "escalated": EventApprove, "deescalated": EventApprove,
		"denied": EventDeny, "cancelled": EventCancel, "expired": EventRequestExpire,
	} {
		r := situations()[name].run
		if e, ok := r.Decision(); e.Name != want || ok != (want != "") {
			t.Errorf("%s: decided by %q, %v", name, e.Name, ok)
		}
	}
	refused := must(situations()["requested"].run, t0, click(ActionApprove, outsider))
	refused = must(refused, t0, Refuse{SignalID: refused.Signals[0].ID, Reason: Failure{Code: CodeForbidden}})
	if e, ok := refused.Decision(); ok {
		t.Errorf("a refused approval decided: %+v", e)
	}
	if got := refused.Approver(); got != System {
		t.Errorf("Approver() = %v before anybody approved", got)
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestRun_golden: runs that were stored with today's format stay readable. The
// file changes only when the format gets something new; what it has may never
// be renamed or change its meaning.
func TestRun_golden(t *testing.T) {
	t.Parallel()
	const file = "testdata/run.json"
	r := wholeRun()
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(body, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(golden)), string(body)); diff != "" {
		t.Errorf("a run is stored differently (-golden +now):\n%s", diff)
	}
	var back Run
	d := json.NewDecoder(bytes.NewReader(golden))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatalf("a stored run can't be read: %v", err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(body), string(again)); diff != "" {
		t.Errorf("reading and writing loses something (-before +after):\n%s", diff)
	}
	for _, key := range []string{"status", "events", "access", "entitlements", "approvals", "deciders", "tiers", "error", "signals", "after", "execution", "due"} {
		if !strings.Contains(string(golden), `"`+key+`"`) {
			t.Errorf("the golden run has no %q: it should have everything that a run can have", key)
		}
	}
}

// wholeRun is an access run with all that a run can have: by a bot, forwarded,
// approved by two, failed and retried, granted, and ended by hand after failing to.
func wholeRun() Run {
	now := t0
	tick := func(r Run, inputs ...Input) Run {
		now = now.Add(time.Minute)
		return must(r, now, inputs...)
	}
	r := tick(Run{}, Start{
		ID: runID, Flow: accessFlow(), Requester: requester, Submitter: &bot, Source: ChannelAPI, SourceChannel: "C0OPS",
		Context: json.RawMessage(`{"ticket":"OPS-1"}`), RequestDigest: "00112233", Prompted: true,
	})
	r = tick(r, submitted(time.Hour), Dispatch{})
	r = tick(r, Route{
		SignalID: r.Signals[0].ID,
		Tiers:    []Tier{{Channel: "#access", TimeoutSeconds: 60}, {Users: []Actor{admin}, TimeoutSeconds: 3600}},
		Deciders: Deciders{People: []Actor{approver, second}, Admins: []Actor{admin}, Required: 2},
	}, Delivered{Tier: 0}, Wait{Attempt: 1, Token: "token"})
	r = tick(r, news(r, ActionTimeout))
	r = tick(r, Forward{SignalID: r.Signals[0].ID})
	via := &MessageRef{Key: "request/1", Channel: "D0ADM", TS: "1772442300.000100"}
	r = tick(r, Receive{Action: ActionApprove, Actor: approver, Channel: ChannelSlack, Message: "go ahead", Via: via})
	r = tick(r, Keep{EventID: r.Signals[0].ID, Result: Result{Output: json.RawMessage(`{"checked":true}`)}}, Decide{SignalID: r.Signals[0].ID})
	r = tick(r, click(ActionApprove, second))
	approved := r.Signals[0].ID
	r = tick(r, Decide{SignalID: approved, Hooks: []string{"after_approve"}})
	r = tick(r, After{EventID: approved, Result: Result{Error: &Failure{Code: CodeHandler, Message: "after_approve: it timed out", Step: EventApprove, Retryable: true}}})
	r = tick(r, intend, failing(EventEscalate, CodeUnavailable, "the target did not answer"))
	r = tick(r, Retry{Actor: requester})
	r = tick(r, Escalate{Output: json.RawMessage(`{"user":"tmp"}`), Warnings: []string{"the grant is slow"}})
	r = tick(r, click(ActionDeescalate, requester), Claim{Owner: "worker", Until: now.Add(2 * time.Minute)})
	r = tick(r, failing(EventDeescalate, CodeUnavailable, "the target did not answer"))
	r = tick(r, failing(EventDeescalate, CodeUnavailable, "the target did not answer"), Claim{Owner: "worker", Until: now.Add(4 * time.Minute)})
	failure := r.Error
	r = tick(r, Deescalate{Owner: "worker", StillHeld: []string{"http:orders:requester@example.com"}})
	// What no run has at its end, but a stored one may have.
	r.Error = failure
	r.After = []AfterCall{{EventID: approved, Event: EventApprove}}
	r.Signals = append(r.Signals, Signal{ID: r.nextID(), Action: ActionUndeliverable, Actor: System, Channel: ChannelInternal, At: now, Tier: 1, Message: "no such user", Result: &Result{Output: json.RawMessage(`{}`)}})
	r.Tiers[1].Undeliverable = "no such user"
	r.Access.Removal.Owner, r.Access.Removal.Until = "worker", now.Add(time.Minute)
	r.Execution.Token = "token"
	return r
}
