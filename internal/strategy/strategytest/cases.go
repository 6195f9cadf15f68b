package strategytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Case is something that systems are documented to do. A subject either is ready
// for it (its System implements what the case needs), or says in Subject.Cannot
// why it can't happen there.
type Case string

// The cases: the mood or interface that each needs of the System, and what is
// expected of the strategy.
const (
	// AlreadyThere (Outsider): it is seen before the first change, and granting
	// it again succeeds.
	AlreadyThere Case = "AlreadyThere"
	// NotThere (Outsider): somebody else has taken it away; removing succeeds.
	NotThere Case = "NotThere"
	// Pending (Worker, Slow): Grant and Revoke answer with an operation, which
	// Follow finds by what they returned as by nothing; a second call of the step
	// meanwhile begins nothing new. A strategy that is a Follower can't do without.
	Pending Case = "Pending"
	// PendingFails (Worker, Slow): the work ends without effect; Follow gives the
	// system's reason, and granting again works.
	PendingFails Case = "PendingFails"
	// ConcurrentEdit (Refuser, Conflicted): the strategy tries again by itself, or
	// says CodeUnavailable; what others changed stays.
	ConcurrentEdit Case = "ConcurrentEdit"
	// StaleRead (Stale): what was done isn't seen yet, which is no error; doing it
	// again isn't either.
	StaleRead Case = "StaleRead"
	// ExpiredToken (Refuser, Expired): the strategy gets another one, and succeeds.
	ExpiredToken Case = "ExpiredToken"
	// TargetGone (Deleter): access to it is absent, removing succeeds and says so
	// in a warning, granting is refused for good.
	TargetGone Case = "TargetGone"
	// PersonGone (Deleter): the same of the person.
	PersonGone Case = "PersonGone"
	// OtherAuthority (Byway): Sight.Others tells of the other way as long as it is
	// there, and it never counts as ours.
	OtherAuthority Case = "OtherAuthority"
	// ThrottledWithoutTime (Untimed): CodeUnavailable, and no time. Where
	// Subject.Wait is zero, Throttled is that already.
	ThrottledWithoutTime Case = "ThrottledWithoutTime"
	// Invitation (Inviter, Inviting): flow.Invited until it is accepted, with what
	// the person has to do in Sight.Todo; removing takes an invitation back.
	Invitation Case = "Invitation"

	// The cases that follow are held by what the target's type declares: there is
	// nothing to declare in Cannot.

	// OneValue (Valuer), for a type with Values: entitlements differ by person and
	// thing only, and say which value is asked for. Grant sets Call.Value, up and
	// down, by one call each, and the entitlement's where that is empty; Sight.Value
	// shows it. Revoke takes it away altogether.
	OneValue Case = "OneValue"
	// Demotion (Valuer), for a type with Values: what was there before is seen, with
	// its value, stays as it is where somebody else gave it in vain, and is there
	// again after a run wanted more.
	Demotion Case = "Demotion"
	// Expiry (Expirer), for a type that Expires: Grant sets Call.Until, moves it, later
	// and earlier, and clears it; Sight.Until shows it; and what was there before us
	// has none after a Grant without one.
	Expiry Case = "Expiry"
)

// Cases lists them all.
var Cases = []Case{
	AlreadyThere, NotThere, Pending, PendingFails, ConcurrentEdit, StaleRead, ExpiredToken, TargetGone, PersonGone,
	OtherAuthority, ThrottledWithoutTime, Invitation, OneValue, Demotion, Expiry,
}

var tests = map[Case]func(*testing.T, *bench){
	AlreadyThere: testAlreadyThere, NotThere: testNotThere, Pending: testPending, PendingFails: testPendingFails,
	ConcurrentEdit: testConcurrentEdit, StaleRead: testStaleRead, ExpiredToken: testExpiredToken, TargetGone: testTargetGone,
	PersonGone: testPersonGone, OtherAuthority: testOtherAuthority, ThrottledWithoutTime: testUntimed, Invitation: testInvitation,
	OneValue: testOneValue, Demotion: testDemotion, Expiry: testExpiry,
}

// declared gives the type of the target of which cases are told.
func (b *bench) declared() strategy.TargetType {
	known, _ := b.Type.Target(b.Subject.Strategy.Targets[0].Type)
	return known
}

// concerns tells whether a case can be one of the target's type.
func (b *bench) concerns(c Case) bool {
	switch c {
	case OneValue, Demotion:
		return len(b.declared().Values) > 0
	case Expiry:
		return b.declared().Expires
	}
	return true
}

// Blind declares for a strategy that can't read its target back that nothing of
// what systems do reaches it: customers' code answers for that. Where it is
// throttled, only Subject.Wait says how.
func Blind() map[Case]string {
	cannot := map[Case]string{}
	for _, c := range Cases {
		if c != ThrottledWithoutTime {
			cannot[c] = "the target can't be read back: customers' code does the work, and its answer is all there is"
		}
	}
	return cannot
}

// testDeclared: what is declared impossible is known, has a reason, and is not
// what the strategy says that it does.
func testDeclared(t *testing.T, b *bench) {
	for c, why := range b.Cannot {
		if !slices.Contains(Cases, c) {
			t.Errorf("Cannot names %q, which is no case", c)
		}
		b.expectCannot(t, c, why)
	}
}

func (b *bench) expectCannot(t *testing.T, c Case, why string) {
	t.Helper()
	if why == "" {
		t.Errorf("Cannot has %s, and does not say why", c)
	}
	if _, follows := b.Strategy.(strategy.Follower); follows && (c == Pending || c == PendingFails) {
		t.Errorf("the strategy is a Follower, so that %s can happen", c)
	}
	if kind := b.declared(); (c == OneValue || c == Demotion) && len(kind.Values) > 0 || c == Expiry && kind.Expires {
		t.Errorf("targets of type %s declare it, so that %s can happen", kind.Name, c)
	}
	if _, observes := b.Strategy.(strategy.Observer); observes && (c == AlreadyThere || c == NotThere) {
		t.Errorf("the strategy is an Observer, so that %s can happen", c)
	}
}

// can gives what a case needs of the system.
func can[T any](t *testing.T, b *bench) T {
	t.Helper()
	able, ok := b.System.(T)
	if !ok {
		t.Fatalf("%T is no %T, which this case needs: have it be one, or say in Subject.Cannot why the case can't happen", b.System, (*T)(nil))
	}
	return able
}

func (b *bench) observe(t *testing.T, c strategy.Call) strategy.Sight {
	t.Helper()
	observer, ok := b.Strategy.(strategy.Observer)
	if !ok {
		t.Fatalf("%T is no Observer, which this case needs: see Blind", b.Strategy)
	}
	seen, err := observer.Observe(t.Context(), c)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return seen
}

func (b *bench) expectSeen(t *testing.T, c strategy.Call, want flow.Presence) strategy.Sight {
	t.Helper()
	seen := b.observe(t, c)
	if seen.Presence != want {
		t.Errorf("observed %q, want %q", seen.Presence, want)
	}
	return seen
}

func (b *bench) follow(t *testing.T, c strategy.Call, known flow.Operation) *flow.Operation {
	t.Helper()
	follower, ok := b.Strategy.(strategy.Follower)
	if !ok {
		t.Fatalf("%T answers with an operation, and is no Follower", b.Strategy)
	}
	op, err := follower.Follow(t.Context(), c, known)
	if err != nil {
		t.Fatalf("follow %+v: %v", known, err)
	}
	return op
}

// expectUnknown finds the work whose answer was lost, and ends it.
func (b *bench) expectUnknown(t *testing.T, c strategy.Call, kind string) {
	t.Helper()
	if _, follows := b.Strategy.(strategy.Follower); !follows {
		return
	}
	found := b.follow(t, c, flow.Operation{})
	expectOperation(t, found, kind)
	can[Worker](t, b).Finish("")
	b.followed(t, c, found)
}

func expectOperation(t *testing.T, op *flow.Operation, kind string) {
	t.Helper()
	if op == nil {
		t.Fatalf("no operation is under way, want one of kind %s", kind)
	}
	if op.ID == "" || op.Kind != kind || op.Started.IsZero() {
		t.Errorf("the operation is %+v, want an id, kind %s and when it started", *op, kind)
	}
}

func testAlreadyThere(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	can[Outsider](t, b).Give(up.Target, up.Identity)
	b.expect(t, up, true)
	b.expect(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[1]), false)
	b.grant(t, up)
	b.expect(t, up, true)
}

func testNotThere(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.grant(t, up)
	can[Outsider](t, b).Take(up.Target, up.Identity)
	b.expect(t, up, false)
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.revoke(t, down)
	b.expect(t, down, false)
}

func testPending(t *testing.T, b *bench) {
	worker := can[Worker](t, b)
	for _, step := range []struct {
		kind  string
		event flow.EventName
		do    func(strategy.Call) (strategy.Result, error)
		has   bool
	}{
		{flow.OperationGrant, flow.EventEscalate, func(c strategy.Call) (strategy.Result, error) { return b.Grant(t.Context(), c) }, true},
		{flow.OperationRevoke, flow.EventDeescalate, func(c strategy.Call) (strategy.Result, error) { return b.Revoke(t.Context(), c) }, false},
	} {
		b.System.SetMood(Slow)
		c := b.call(t, step.event, runA, 0, b.Identities[0])
		result, err := step.do(c)
		if err != nil {
			t.Fatalf("%s: %v", step.kind, err)
		}
		expectOperation(t, result.Operation, step.kind)
		for _, known := range []flow.Operation{*result.Operation, {}} {
			found := b.follow(t, c, known)
			expectOperation(t, found, step.kind)
			if found.ID != result.Operation.ID {
				t.Errorf("%s: follow %q found %q, want %q", step.kind, known.ID, found.ID, result.Operation.ID)
			}
		}
		if b.System.Has(c.Target, c.Identity) == step.has {
			t.Errorf("%s: the work is done before it is", step.kind)
		}
		// A second call of the same step while the work goes on.
		again, err := step.do(c)
		if err != nil && !flow.Retryable(err) {
			t.Errorf("%s again: %v, want nothing that keeps it from being tried later", step.kind, err)
		}
		if err == nil && again.Operation == nil {
			t.Errorf("%s again: it is said to be done", step.kind)
		}
		worker.Finish("")
		if found := b.follow(t, c, *result.Operation); found != nil {
			t.Errorf("%s: %+v is under way after its end", step.kind, *found)
		}
		b.System.SetMood(Willing)
		if found := b.follow(t, c, flow.Operation{}); found != nil {
			t.Errorf("%s: follow found %+v, and nothing is under way", step.kind, *found)
		}
		b.expect(t, c, step.has)
	}
}

func testPendingFails(t *testing.T, b *bench) {
	const reason = "the role could not be made: LimitExceeded"
	worker, follower := can[Worker](t, b), b.Strategy.(strategy.Follower)
	fails := func(c strategy.Call, result strategy.Result, err error, kind string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		expectOperation(t, result.Operation, kind)
		worker.Finish(reason)
		b.System.SetMood(Willing)
		op, err := follower.Follow(t.Context(), c, *result.Operation)
		if op != nil || !strings.Contains(flow.UserMessage(err), reason) {
			t.Errorf("%s: follow gave %+v, %v; want an error that says %q", kind, op, err, reason)
		}
		if found := b.follow(t, c, flow.Operation{}); found != nil {
			t.Errorf("%s: %+v is under way after it failed", kind, *found)
		}
	}
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.System.SetMood(Slow)
	result, err := b.Grant(t.Context(), up)
	fails(up, result, err, flow.OperationGrant)
	b.expect(t, up, false)
	b.grant(t, up)
	b.expect(t, up, true)
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.System.SetMood(Slow)
	result, err = b.Revoke(t.Context(), down)
	fails(down, result, err, flow.OperationRevoke)
	b.expect(t, down, true)
	b.revoke(t, down)
	b.expect(t, down, false)
}

func testConcurrentEdit(t *testing.T, b *bench) {
	refuser := can[Refuser](t, b)
	other := b.call(t, flow.EventEscalate, runB, 0, b.Identities[1])
	b.grant(t, other)
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	for i, c := range []strategy.Call{up, down} {
		b.System.SetMood(Conflicted)
		do, again := b.Grant, b.grant
		if i == 1 {
			do, again = b.Revoke, b.revoke
		}
		result, err := do(t.Context(), c)
		if refuser.Refused() <= i {
			t.Fatalf("%s: the system has refused nothing: what was asked is no change of it", c.Record.Event.Type)
		}
		if err != nil {
			b.expectError(t, c.Record.Event.Type, err, flow.CodeUnavailable)
			b.System.SetMood(Willing)
			again(t, c)
		} else {
			b.followed(t, c, result.Operation)
		}
		b.expect(t, c, i == 0)
		b.expect(t, other, true)
	}
}

func testStaleRead(t *testing.T, b *bench) {
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.System.SetMood(Stale)
	b.grant(t, up)
	b.expectSeen(t, up, flow.Absent)
	b.grant(t, up)
	b.System.SetMood(Willing)
	b.expect(t, up, true)
	b.System.SetMood(Stale)
	b.revoke(t, down)
	b.expectSeen(t, down, flow.Present)
	b.revoke(t, down)
	b.System.SetMood(Willing)
	b.expect(t, down, false)
}

func testExpiredToken(t *testing.T, b *bench) {
	refuser := can[Refuser](t, b)
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.grant(t, up) // it has a token now
	for i, do := range []func(){
		func() { b.observe(t, up) },
		func() { b.revoke(t, down) },
		func() { b.grant(t, up) },
	} {
		b.System.SetMood(Expired)
		do()
		if refuser.Refused() <= i {
			t.Errorf("%d: the system has refused no token", i)
		}
		b.System.SetMood(Willing)
	}
	b.expect(t, up, true)
}

func testTargetGone(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.grant(t, up)
	can[Deleter](t, b).DeleteTarget(up.Target)
	b.expectGone(t, up)
	b.expect(t, b.call(t, flow.EventEscalate, runA, 1, b.Identities[0]), false)
}

func testPersonGone(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.grant(t, up)
	can[Deleter](t, b).DeletePerson(up.Identity)
	b.expectGone(t, up)
	b.grant(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[1]))
}

// expectGone: what is deleted while it is live counts as removed, and says so.
func (b *bench) expectGone(t *testing.T, up strategy.Call) {
	t.Helper()
	b.expectSeen(t, up, flow.Absent)
	down := b.call(t, flow.EventDeescalate, runA, 0, up.Identity)
	result := b.revoke(t, down)
	if len(result.Warnings) == 0 {
		t.Error("the removal of what is gone does not say so: it has no warning")
	}
	b.expectSeen(t, down, flow.Absent)
	_, err := b.Grant(t.Context(), up)
	if code := flow.CodeOf(err); code != flow.CodeStrategy && code != flow.CodeIdentity {
		t.Errorf("granting what is gone: got %s (%v), want %s or %s", code, err, flow.CodeStrategy, flow.CodeIdentity)
	}
}

func testOtherAuthority(t *testing.T, b *bench) {
	byway := can[Byway](t, b)
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	if others := b.expectSeen(t, up, flow.Absent).Others; len(others) > 0 {
		t.Errorf("others who give the access: %q, and there are none", others)
	}
	byway.GiveByway(up.Target, up.Identity)
	expect := func(c strategy.Call, want flow.Presence) {
		t.Helper()
		if seen := b.expectSeen(t, c, want); len(seen.Others) != 1 || seen.Others[0] == "" {
			t.Errorf("others who give the access: %q, want the one", seen.Others)
		}
	}
	expect(up, flow.Absent)
	b.grant(t, up)
	expect(up, flow.Present)
	b.revoke(t, down)
	expect(down, flow.Absent)
}

func testUntimed(t *testing.T, b *bench) {
	mood := Untimed
	if b.Wait == 0 {
		mood = Throttled
	}
	b.System.SetMood(mood)
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	expect := func(what string, err error) {
		t.Helper()
		b.expectError(t, what, err, flow.CodeUnavailable)
		if got := flow.AskedToWait(err); got != 0 {
			t.Errorf("%s: asks to wait %s, and the system did not", what, got)
		}
	}
	_, err := b.Grant(t.Context(), up)
	expect("grant", err)
	_, err = b.Revoke(t.Context(), down)
	expect("revoke", err)
	if observer, ok := b.Strategy.(strategy.Observer); ok {
		_, err = observer.Observe(t.Context(), up)
		expect("observe", err)
	}
}

func testInvitation(t *testing.T, b *bench) {
	inviter := can[Inviter](t, b)
	for run, accepts := range map[string]bool{runA: true, runB: false} {
		t.Run(fmt.Sprintf("Accepted=%t", accepts), func(t *testing.T) {
			up, down := b.call(t, flow.EventEscalate, run, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, run, 0, b.Identities[0])
			b.System.SetMood(Inviting)
			b.grant(t, up)
			if seen := b.expectSeen(t, up, flow.Invited); seen.Todo == "" {
				t.Error("nothing says what the person has to do")
			}
			b.grant(t, up) // a second invitation is none
			if accepts {
				inviter.Accept(up.Target, up.Identity)
				b.expect(t, up, true)
			}
			b.revoke(t, down)
			b.expect(t, down, false)
		})
	}
}

func testRepeatedRevoke(t *testing.T, b *bench) {
	b.grant(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.revoke(t, down)
	b.revoke(t, down)
	b.expect(t, down, false)
}

// Two runs of one person at one target: what they share is given and taken once,
// what they don't is not taken by the other's end.
func testOverlappingRuns(t *testing.T, b *bench) {
	b.grant(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
	up := b.call(t, flow.EventEscalate, runB, 0, b.Identities[0])
	b.grant(t, up)
	b.expect(t, up, true)
	b.revoke(t, b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0]))
	b.expect(t, up, !b.Shared)
	b.revoke(t, b.call(t, flow.EventDeescalate, runB, 0, b.Identities[0]))
	b.expect(t, up, false)
}

// expectValue holds the system, and what the strategy observes of it, to a value.
func (b *bench) expectValue(t *testing.T, what string, c strategy.Call, want string) {
	t.Helper()
	if got := can[Valuer](t, b).Value(c.Target, c.Identity); got != want {
		t.Errorf("%s: %s has %q, want %q", what, c.Identity, got, want)
	}
	if want == "" {
		b.expectSeen(t, c, flow.Absent)
	} else if seen := b.expectSeen(t, c, flow.Present); seen.Value != want {
		t.Errorf("%s: observed value %q, want %q", what, seen.Value, want)
	}
}

// AskingFor gives a target that asks for a value of its type as one that asks for
// another, of the same thing.
func AskingFor(target flow.Target, asked, value string) flow.Target {
	target.Settings = maps.Clone(target.Settings)
	for name, set := range target.Settings {
		if set == asked {
			target.Settings[name] = value
		}
	}
	return target
}

func testOneValue(t *testing.T, b *bench) {
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	values, asked := b.declared().Values, up.Entitlement.Value
	if len(values) < 2 || !slices.Contains(values, asked) {
		t.Fatalf("the target asks for %q of %q: want one of at least two", asked, values)
	}
	for _, value := range values {
		target := AskingFor(up.Target, asked, value)
		entitlements, err := b.Entitlements(target, up.Identity, runA)
		if err != nil || len(entitlements) != 1 || entitlements[0].Key != up.Entitlement.Key || entitlements[0].Value != value {
			t.Errorf("asking for %q gives %+v, %v; want the key %s and that value", value, entitlements, err, up.Entitlement.Key)
		}
	}
	b.expectValue(t, "at first", up, "")
	least, most := values[0], values[len(values)-1]
	for _, value := range append(slices.Clone(values), least, most, asked) {
		c := up
		c.Value = value
		b.grant(t, c)
		b.expectValue(t, "set to "+value, c, value)
	}
	c := down // a removal that leaves something
	c.Value, c.Class = least, strategy.Removing
	b.grant(t, c)
	b.expectValue(t, "set to what remains", c, least)
	b.grant(t, up)
	b.expectValue(t, "without a value in the call", up, asked)
	b.revoke(t, down)
	b.expectValue(t, "after the removal", down, "")
}

func testDemotion(t *testing.T, b *bench) {
	values := b.declared().Values
	least, most := values[0], values[len(values)-1]
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	other := b.call(t, flow.EventEscalate, runB, 0, b.Identities[1])
	valuer := can[Valuer](t, b)
	valuer.GiveValue(up.Target, up.Identity, least)
	valuer.GiveValue(other.Target, other.Identity, most)
	b.expectValue(t, "before", up, least)
	b.expectValue(t, "before, another", other, most)
	up.Value, up.Before = most, least
	b.grant(t, up)
	b.expectValue(t, "raised", up, most)
	down.Value, down.Before, down.Class = least, least, strategy.Removing
	b.grant(t, down)
	b.expectValue(t, "restored", down, least)
	b.grant(t, down) // whose answer was lost
	b.expectValue(t, "restored again", down, least)
	b.expectValue(t, "after, another", other, most)
	other.Value, other.Before = most, most // what was there before is more than is asked for
	b.grant(t, other)
	b.expectValue(t, "not demoted", other, most)
}

// aboutSame is by how much ends may differ: systems round, and take durations.
const aboutSame = 30 * time.Second

func testExpiry(t *testing.T, b *bench) {
	system := can[Expirer](t, b)
	up, down := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	expect := func(what string, c strategy.Call) {
		t.Helper()
		same := func(got time.Time) bool {
			return got.IsZero() == c.Until.IsZero() && (got.IsZero() || got.Sub(c.Until).Abs() <= aboutSame)
		}
		if got := system.Until(c.Target, c.Identity); !same(got) {
			t.Errorf("%s: the system ends it at %v, want %v", what, got, c.Until)
		}
		if seen := b.expectSeen(t, c, flow.Present); !same(seen.Until) {
			t.Errorf("%s: observed until %v, want %v", what, seen.Until, c.Until)
		}
	}
	now := system.Now().UTC().Truncate(time.Second)
	for _, step := range []struct {
		what  string
		until time.Time
	}{
		{"set", now.Add(2 * time.Hour)},
		{"set again", now.Add(2 * time.Hour)},
		{"later", now.Add(3 * time.Hour)},
		{"earlier", now.Add(time.Hour)},
		{"cleared", time.Time{}},
		{"set after it was cleared", now.Add(time.Hour)},
	} {
		up.Until = step.until
		b.grant(t, up)
		expect(step.what, up)
	}
	b.revoke(t, down)
	b.expect(t, down, false)

	other := b.call(t, flow.EventEscalate, runB, 0, b.Identities[1])
	can[Outsider](t, b).Give(other.Target, other.Identity)
	expect("before", other)
	b.grant(t, other)
	expect("what was there before", other)
}
