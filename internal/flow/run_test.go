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

// TestActor_Is: an address that passed to another account makes nobody the one
// who had it, but is enough to keep both from counting twice.
func TestActor_Is(t *testing.T) {
	t.Parallel()
	former := Actor{ID: "1", SlackID: "U1", SlackTeam: "T1"}
	next := Actor{ID: "1", SlackID: "U2", SlackTeam: "T1"}
	moved := Actor{ID: "1", SlackID: "W1", SlackTeam: "E1"}
	claims := Actor{ID: "1", SlackID: "W2", SlackTeam: "E1", Unconfirmed: true}
	for _, c := range []struct {
		name string
		a, b Actor
		want bool
	}{
		{"themselves", former, former, true},
		{"another account with the address", former, next, false},
		{"another address of the account", former, Actor{ID: "2", SlackID: "U1", SlackTeam: "T1"}, true},
		{"our id only", former, Actor{ID: "1"}, true},
		{"the workspace moved", former, moved, true},
		{"the workspace moved, and somebody claims the address", former, claims, false},
		{"who claims an address", claims, claims, true},
		{"nobody", Actor{}, Actor{}, false},
	} {
		if got := c.a.Is(c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := c.b.Is(c.a); got != c.want {
			t.Errorf("%s, the other way round: %v", c.name, got)
		}
	}
	// Whose is whose, by what depends on it.
	r := Run{Requester: former, Deciders: Deciders{Members: true, Required: 2}, Approvals: []CountedApproval{{EventID: "e", Actor: former}}}
	next.Kind = KindPerson
	if err := r.MayDecide(next, false, ActionApprove); CodeOf(err) != CodeSelfApproval {
		t.Errorf("the requester's address approves: %v", err)
	}
	if err := r.MayCancel(next, false); CodeOf(err) != CodeForbidden {
		t.Errorf("another account cancels: %v", err)
	}
	if !r.approvedBy(next) {
		t.Error("one address counts twice")
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
		ID: runID, Flow: accessFlow(), Requester: requester, Asker: &bot, Source: ChannelAPI, SourceChannel: "C0OPS",
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
	r.Form.NoReminders, r.Form.MaxDuration = true, Duration(8*time.Hour)
	r.Extended, r.ExtendedSeconds = 1, 1800
	r.Repeats = RunIDFrom("acme", "before")
	r.Extension = &Extension{
		EventID: r.nextID(), Actor: approver, Owner: &second, Channel: ChannelAPI, At: now, Seconds: 3600, Reason: "not done yet",
		Approvals: []CountedApproval{{EventID: approved, Actor: second, At: now}},
	}
	r.ExtendKeys = []ExtendKey{{Key: "00112233", EventID: r.Extension.EventID, Seconds: 3600, Reason: "0011223344556677"}}
	r.Access.Untold = &Untold{Attempts: 1, LookAt: now, Stuck: true}
	r.Reminders = []Reminder{{Of: RemindDeciders, At: now, Tier: 1}, {Of: RemindRequester, At: now, End: now}}
	r.Signals = append(r.Signals, Signal{
		ID: r.nextID(), Action: ActionExtendRequest, Actor: requester, Channel: ChannelSlack, At: now, Seconds: 1800, Owner: &second, Extension: r.Extension.EventID,
	})
	r.Error = failure
	r.After = []AfterCall{{EventID: approved, Event: EventApprove, Failed: true, Stuck: true, Invoked: true}}
	r.Signals = append(r.Signals, Signal{ID: r.nextID(), Action: ActionUndeliverable, Actor: System, Channel: ChannelInternal, At: now, Tier: 1, Message: "no such user", Result: &Result{Output: json.RawMessage(`{}`)}})
	r.Tiers[1].Undeliverable = "no such user"
	r.Access.Removal.Owner, r.Access.Removal.Until = "worker", now.Add(time.Minute)
	r.Turn = &Waiting{Step: EventEscalate, Since: now, Looks: 1, LookAt: now, Text: "Number 3 in line.", Told: now}
	r.Access.Target.Each = accounts.Each
	r.Access.Entitlements = append(r.Access.Entitlements, Part{
		Entitlement: intendSeveral.Entitlements[0], Began: now, Seen: now, Lost: now, StillHeld: true, Kept: true, GrantedBy: []string{"group Admins"},
		Waiting: &Waiting{Step: EventDeescalate, Since: now, Looks: 1, LookAt: now, Text: "It works on it."},
		Error:   failure, Output: json.RawMessage(`{"ok":true}`), Warnings: []string{"slow"},
	})
	r.Execution.Token = "token"
	return r
}
