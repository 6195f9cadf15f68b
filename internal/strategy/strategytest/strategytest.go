// Package strategytest holds the rules of the port in internal/strategy as
// tests. Every implementation runs them against a fake of its system that
// speaks the system's own protocol.
//
// A client's test calls [Run] with a [Subject]: the implementation, opened on a
// [System]. Beside the rules that hold everywhere, there are [Cases] of what
// systems are documented to do (a pending answer, a stale read, a target that is
// gone, …). For each, the System has a [Mood] or implements a small interface
// (system.go; each case in cases.go says which), or the subject says in
// Subject.Cannot why it can't happen at that system:
//
//	strategytest.Run(t, func(t *testing.T) strategytest.Subject {
//		vendor := newVendor(t) // has SetMood, Changes, Has, Give, Take, Refused, DeleteTarget, DeletePerson
//		return strategytest.Subject{
//			…
//			Cannot: map[strategytest.Case]string{
//				strategytest.Pending:      "IAM answers when it is done",
//				strategytest.PendingFails: "IAM answers when it is done",
//				strategytest.Invitation:   "IAM asks nobody",
//			},
//		}
//	})
//
// A case is never left out silently: one that is neither possible nor declared
// fails. Those of values and of ends ([OneValue], [Demotion], [Expiry]) follow from
// what the type of the first target declares. A strategy with several types of targets
// runs the suite with a subject for each. [Blind] declares what can't happen to a strategy that is no Observer.
package strategytest

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Subject is an implementation and the fake that it works on.
type Subject struct {
	Type   strategy.Type
	Open   strategy.Opener
	System System
	// Strategy is a right configuration with at least two targets.
	Strategy flow.Strategy
	// Identities are two people as the system knows them.
	Identities [2]string
	// Shared says that runs share a grant.
	Shared bool
	// Wait is how long the system asks to be left alone while it is Throttled.
	// Zero says that its protocol has no way to ask, as few have.
	Wait time.Duration
	// Secrets are values that no error may show.
	Secrets []string
	// Cannot has the cases that can't happen at the system, each with why not. A
	// case that is neither there nor possible with this System fails.
	Cannot map[Case]string
}

const (
	runA = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
	runB = "0d9e8f7a-6b5c-4d3e-8f2a-1b0c9d8e0000"
)

// Run holds an implementation to the port's rules, and to the [Cases] of what
// systems do. Each of them gets a subject of its own.
func Run(t *testing.T, open func(*testing.T) Subject) {
	for _, rule := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"Check", testCheck},
		{"Settings", testSettings},
		{"Rights", testRights},
		{"Entitlements", testEntitlements},
		{"GrantAndRevoke", testGrantAndRevoke},
		{"RepeatedGrant", testRepeatedGrant},
		{"RevokeWhatIsAbsent", testRevokeWhatIsAbsent},
		{"FrozenStrategy", testFrozenStrategy},
		{"Errors", testErrors},
		{"LostAnswer", testLostAnswer},
		{"Astray", testAstray},
		{"Deadline", testDeadline},
		{"Cancelled", testCancelled},
		{"Record", testRecord},
		{"RepeatedRevoke", testRepeatedRevoke},
		{"OverlappingRuns", testOverlappingRuns},
		{"Declared", testDeclared},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.test(t, newBench(t, open(t)))
		})
	}
	for _, c := range Cases {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, open(t))
			if why, impossible := b.Cannot[c]; impossible {
				t.Logf("%s can't happen here: %s", c, why)
				b.expectCannot(t, c, why)
				return
			}
			if !b.concerns(c) {
				t.Logf("targets of type %s have nothing of %s", b.declared().Name, c)
				return
			}
			tests[c](t, b)
		})
	}
}

// bench is a subject, opened.
type bench struct {
	Subject
	strategy.Strategy
}

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	return &bench{s, s.Opened(t)}
}

// Opened gives the implementation.
func (s Subject) Opened(t testing.TB) strategy.Strategy {
	t.Helper()
	opened, err := s.Open(s.Frozen())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return opened
}

// Frozen is the strategy as a run freezes it: without its targets.
func (s Subject) Frozen() flow.Strategy {
	frozen := s.Strategy
	frozen.Targets = nil
	return frozen
}

// call is what the workflow asks for, for the i-th target.
func (b *bench) call(t *testing.T, event flow.EventName, run string, i int, identity string) strategy.Call {
	t.Helper()
	target := b.Subject.Strategy.Targets[i]
	entitlements, err := b.Entitlements(target, identity, run)
	if err != nil {
		t.Fatalf("entitlements: %v", err)
	}
	n := 4
	if event == flow.EventDeescalate {
		n = 5
	}
	return strategy.Call{
		RunID: run, Entitlement: entitlements[0], Target: target, Identity: identity,
		Record: record(event, flow.EventID(run, n), run, target, identity),
	}
}

func record(event flow.EventName, id, run string, target flow.Target, identity string) events.AuditRecord {
	who := events.AuditActor{
		User: flow.UserSRN("sym", flow.KindPerson, flow.UserID("sym", identity)), Name: "A Person", Username: identity,
		Identity: events.AuditIdentity{Service: "slack", ExternalID: "T0001", UserID: "U0001"},
	}
	fields := map[string]any{
		flow.FieldNameReason: "on call", flow.FieldNameDuration: float64(600), flow.FieldNameTarget: flow.TargetID("sym", target.Name),
		flow.KeyTarget: map[string]any{
			"name": target.Name, "srn": flow.TargetSRN("sym", target.Type, target.Name, "1.0.3"),
			"type": target.Type, "label": target.Label, "settings": settings(target),
		},
	}
	if event == flow.EventDeescalate {
		fields[flow.KeyDeescalateType] = flow.Scheduled
	}
	return events.AuditRecord{
		ID: id, Type: "event",
		Meta:  events.AuditMeta{SchemaVersion: events.AuditSchemaVersion},
		State: events.AuditState{Status: events.StatusProcessing, Errors: []events.AuditError{}},
		Run: events.AuditRun{
			SRN: flow.RunSRN("sym", "prod-access", "1.0.3", run), Flow: flow.FlowSRN("sym", "prod-access", "1.0.3"),
			Actors: map[string]events.AuditActor{"prompt": who, "request": who, "approve": who},
		},
		Event: events.AuditEvent{
			SRN: "sym:event-spec:approval:1.0.0:" + string(event), Type: string(event), Template: "sym:template:approval:1.0.0",
			Timestamp: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Channel: "internal",
		},
		Actor:  who,
		Fields: fields,
	}
}

func settings(target flow.Target) map[string]any {
	out := map[string]any{}
	for k, v := range target.Settings {
		out[k] = v
	}
	return out
}

// grant gives the entitlement, and follows the work until it is done.
func (b *bench) grant(t *testing.T, c strategy.Call) strategy.Result {
	t.Helper()
	result, err := b.Grant(t.Context(), c)
	if err != nil {
		t.Fatalf("grant: %v", err)
	}
	b.followed(t, c, result.Operation)
	return result
}

// revoke takes it away, and follows the work until it is done.
func (b *bench) revoke(t *testing.T, c strategy.Call) strategy.Result {
	t.Helper()
	result, err := b.Revoke(t.Context(), c)
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	b.followed(t, c, result.Operation)
	return result
}

// followed looks at work under way until it is done, as long as a willing
// system may take.
func (b *bench) followed(t *testing.T, c strategy.Call, op *flow.Operation) {
	t.Helper()
	for looks := 0; op != nil; looks++ {
		if looks == 10 {
			t.Fatalf("the system is willing, and its work %+v goes on after %d looks", *op, looks)
		}
		op = b.follow(t, c, *op)
	}
}

// expect holds the system, and what the strategy observes of it, to a state.
func (b *bench) expect(t *testing.T, c strategy.Call, has bool) {
	t.Helper()
	if got := b.System.Has(c.Target, c.Identity); got != has {
		t.Errorf("%s has access to %s: %t, want %t", c.Identity, c.Target.Name, got, has)
	}
	observer, ok := b.Strategy.(strategy.Observer)
	if !ok {
		return
	}
	want := flow.Absent
	if has {
		want = flow.Present
	}
	if got, err := observer.Observe(t.Context(), c); err != nil || got.Presence != want {
		t.Errorf("observed %q, %v; want %q", got.Presence, err, want)
	}
	if lister, ok := b.Strategy.(strategy.Lister); ok {
		holders, err := lister.Holders(t.Context(), c.Target)
		if err != nil || slices.Contains(holders, c.Identity) != has {
			t.Errorf("listed %q, %v; want %s among them: %t", holders, err, c.Identity, has)
		}
	}
}

func testCheck(t *testing.T, b *bench) {
	if b.Type.Name != b.Subject.Strategy.Type {
		t.Errorf("the strategy's type is %q, want %q", b.Subject.Strategy.Type, b.Type.Name)
	}
	for _, target := range b.Subject.Strategy.Targets {
		if _, ok := b.Type.Target(target.Type); !ok {
			t.Errorf("target %s has type %q, want one of %q", target.Name, target.Type, b.Type.TargetNames())
		}
	}
	if faults := b.Type.Check(b.Subject.Strategy); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	// Both bear a configuration of which nothing could be read.
	empty := flow.Strategy{Type: b.Type.Name, Targets: []flow.Target{{Type: b.Subject.Strategy.Targets[0].Type}}}
	b.Type.Check(empty)
	b.Type.RightsOf(empty)
}

// with gives the settings with one that is changed; "" takes it out.
func with(settings map[string]string, name, value string) map[string]string {
	changed := maps.Clone(settings)
	if changed == nil {
		changed = map[string]string{}
	}
	if changed[name] = value; value == "" {
		delete(changed, name)
	}
	return changed
}

// testSettings: what is declared of settings is complete, and kept to.
func testSettings(t *testing.T, b *bench) {
	const unknown = "colour"
	known := func(where string, settings []strategy.Setting) {
		t.Helper()
		seen := map[string]bool{}
		for _, k := range settings {
			if k.Name == "" || k.About == "" || seen[k.Name] {
				t.Errorf("%s: setting %q is there twice, or without a name or what it is about", where, k.Name)
			}
			seen[k.Name] = true
		}
	}
	expect := func(what string, s flow.Strategy, path string, wrong bool) {
		t.Helper()
		at := func(f flow.Fault) bool { return f.Path == path }
		if faults := b.Type.Check(s); slices.ContainsFunc(faults, at) != wrong {
			t.Errorf("%s: a fault at %s is %t, want %t: %v", what, path, !wrong, wrong, faults)
		}
	}
	known("strategy", b.Type.Settings.Known)
	known("integration", b.Type.Integration.Settings)
	right := b.Subject.Strategy
	changed := right
	changed.Settings = with(right.Settings, unknown, "blue")
	expect("an unknown setting", changed, "settings."+unknown, b.Type.Settings.Others == "")
	for _, k := range b.Type.Settings.Known {
		if k.Required {
			changed := right
			changed.Settings, changed.Secrets = with(right.Settings, k.Name, ""), nil
			expect("without "+k.Name, changed, "settings."+k.Name, true)
		}
	}
	for _, typ := range b.Type.Targets {
		known(typ.Name, typ.Settings.Known)
		i := slices.IndexFunc(right.Targets, func(target flow.Target) bool { return target.Type == typ.Name })
		if i < 0 {
			continue
		}
		at := "targets." + right.Targets[i].Name
		change := func(how func(*flow.Target)) flow.Strategy {
			changed := right
			changed.Targets = slices.Clone(right.Targets)
			how(&changed.Targets[i])
			return changed
		}
		bind := func(name string) flow.Strategy {
			return change(func(t *flow.Target) {
				t.Settings, t.FieldBindings = with(t.Settings, name, ""), []string{name}
			})
		}
		closed := typ.Settings.Others == ""
		expect("an unknown setting", change(func(t *flow.Target) { t.Settings = with(t.Settings, unknown, "blue") }), at+".settings."+unknown, closed)
		expect("a binding of an unknown setting", bind(unknown), at+".field_bindings", closed)
		for _, k := range typ.Settings.Known {
			expect("a binding of "+k.Name, bind(k.Name), at+".field_bindings", !k.Bindable)
			expect("a binding of "+k.Name, bind(k.Name), at+".settings."+k.Name, false)
			if k.Required && k.Bindable {
				target := right.Targets[i]
				target.Settings, target.FieldBindings = with(target.Settings, k.Name, ""), []string{k.Name}
				if err := b.Type.CheckBound(target); flow.CodeOf(err) != flow.CodeInvalid {
					t.Errorf("a request without %s: %v", k.Name, err)
				}
				target.Settings = right.Targets[i].Settings
				if err := b.Type.CheckBound(target); err != nil {
					t.Errorf("a request with %s as it is right: %v", k.Name, err)
				}
			}
			if k.Required {
				expect("without "+k.Name, change(func(t *flow.Target) { t.Settings = with(t.Settings, k.Name, "") }), at+".settings."+k.Name, true)
			}
		}
	}
}

// testRights: rights name what they are for, and come in one order.
func testRights(t *testing.T, b *bench) {
	s := b.Subject.Strategy
	rights := b.Type.RightsOf(s)
	if again := b.Type.RightsOf(s); !reflect.DeepEqual(rights, again) {
		t.Errorf("not stable: %+v, then %+v", rights, again)
	}
	for _, a := range rights.Allow {
		if len(a.Actions) == 0 || len(a.Resources) == 0 {
			t.Errorf("%+v allows nothing", a)
		}
		for _, action := range a.Actions {
			if service, name, ok := strings.Cut(action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(action, "*?") {
				t.Errorf("%q is not one action", action)
			}
		}
		for _, on := range a.Resources {
			if on != "*" && (strings.Count(on, ":") < 5 || !strings.HasPrefix(on, "arn:")) { // infra has a list of actions that must have a star
				t.Errorf("%q is not an ARN", on)
			}
		}
	}
	for _, role := range rights.Assume {
		if strings.Count(role.ARN, ":") < 5 || strings.ContainsAny(role.ARN, "*?") {
			t.Errorf("%q is not the ARN of one role", role.ARN)
		}
	}
	configured := slices.Collect(maps.Values(s.Secrets))
	if s.Integration != nil {
		configured = slices.AppendSeq(configured, maps.Values(s.Integration.Secrets))
	}
	for _, ref := range rights.Secrets {
		if !slices.Contains(configured, ref) {
			t.Errorf("secret %q is not of the configuration", ref.Name)
		}
	}
	// A run takes the rights of its own target with it, to be asked for at its end.
	for _, target := range s.Targets {
		one := s
		one.Targets = []flow.Target{target}
		for _, name := range b.Type.RightsOf(one).Names() {
			if !slices.Contains(rights.Names(), name) {
				t.Errorf("for %s alone it needs %s, which it does not need for all", target.Name, name)
			}
		}
	}
}

func testEntitlements(t *testing.T, b *bench) {
	keys := func(target int, identity, run string) []string {
		t.Helper()
		entitlements, err := b.Entitlements(b.Subject.Strategy.Targets[target], identity, run)
		if err != nil {
			t.Fatal(err)
		}
		if len(entitlements) == 0 {
			t.Fatal("a target means nothing: no entitlements")
		}
		var out []string
		for _, e := range entitlements {
			out = append(out, e.Key)
		}
		return out
	}
	first := keys(0, b.Identities[0], runA)
	if diff := cmp.Diff(first, keys(0, b.Identities[0], runA)); diff != "" {
		t.Errorf("keys are not stable: %s", diff)
	}
	disjoint := func(what string, others []string) {
		t.Helper()
		for _, k := range first {
			for _, o := range others {
				if k == o {
					t.Errorf("another %s has the same key %s", what, k)
				}
			}
		}
	}
	disjoint("target", keys(1, b.Identities[0], runA))
	disjoint("identity", keys(0, b.Identities[1], runA))
	other := keys(0, b.Identities[0], runB)
	if b.Shared {
		if diff := cmp.Diff(first, other); diff != "" {
			t.Errorf("runs do not share the grant: %s", diff)
		}
	} else {
		disjoint("run", other)
	}
}

func testGrantAndRevoke(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.expect(t, up, false)
	b.grant(t, up)
	b.expect(t, up, true)
	b.expect(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[1]), false)
	b.expect(t, b.call(t, flow.EventEscalate, runA, 1, b.Identities[0]), false)
	b.revoke(t, down)
	b.expect(t, down, false)
	changes := b.System.Changes()
	if len(changes) != 2 || changes[0].Event != "escalate" || changes[1].Event != "deescalate" {
		t.Errorf("the system saw %v, want escalate and deescalate, once each", changes)
	}
	for _, c := range changes {
		if c.Identity != b.Identities[0] {
			t.Errorf("%s was for %q, want %q", c.Event, c.Identity, b.Identities[0])
		}
	}
}

func testRepeatedGrant(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.grant(t, up)
	b.grant(t, up)
	b.expect(t, up, true)
	// One removal undoes both.
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.revoke(t, down)
	b.expect(t, down, false)
}

func testRevokeWhatIsAbsent(t *testing.T, b *bench) {
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.revoke(t, down)
	b.expect(t, down, false)
}

// A removal works on what the run froze, by a process that did not grant.
func testFrozenStrategy(t *testing.T, b *bench) {
	b.grant(t, b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
	text, err := json.Marshal(b.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	var frozen flow.Strategy
	if err := json.Unmarshal(text, &frozen); err != nil {
		t.Fatal(err)
	}
	reopened, err := b.Open(frozen)
	if err != nil {
		t.Fatalf("open the frozen strategy: %v", err)
	}
	later := &bench{b.Subject, reopened}
	down := later.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	later.revoke(t, down)
	b.expect(t, down, false)
}

func testErrors(t *testing.T, b *bench) {
	for _, test := range []struct {
		name string
		mood Mood
		code flow.Code
		wait time.Duration
	}{
		{"Refusing", Refusing, flow.CodeStrategy, 0},
		{"Throttled", Throttled, flow.CodeUnavailable, b.Wait},
		{"Broken", Broken, flow.CodeUnavailable, 0},
		{"Forgetful", Forgetful, flow.CodeUnavailable, 0}, // last: it may have begun work
	} {
		b.System.SetMood(test.mood)
		expect := func(what string, err error) {
			t.Helper()
			b.expectError(t, test.name+": "+what, err, test.code)
			if got := flow.AskedToWait(err); got != test.wait {
				t.Errorf("%s: %s: asks to wait %s, want %s", test.name, what, got, test.wait)
			}
		}
		_, err := b.Grant(t.Context(), b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
		expect("grant", err)
		if worker, ok := b.System.(Worker); ok {
			worker.Finish("")
		}
		_, err = b.Revoke(t.Context(), b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0]))
		expect("revoke", err)
	}
}

func (b *bench) expectError(t *testing.T, what string, err error, code flow.Code) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: succeeded, want an error of %s", what, code)
		return
	}
	if flow.CodeOf(err) != code {
		t.Errorf("%s: got %s (%v), want %s", what, flow.CodeOf(err), err, code)
	}
	if got, want := flow.Retryable(err), code == flow.CodeUnavailable; got != want {
		t.Errorf("%s: retryable %t, want %t", what, got, want)
	}
	for _, secret := range b.Secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows a secret: %v", what, err)
		}
	}
}

// Nothing counts as removed, or as not there, because the system can't be asked.
func testAstray(t *testing.T, b *bench) {
	strayer, ok := b.System.(Strayer)
	if !ok {
		return
	}
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	down.Output = b.grant(t, up).Output
	for what, astray := range map[string]Astray{"another server answers": AnotherServer, "the account that signs in is gone": NoAccount} {
		strayer.SetAstray(astray)
		_, err := b.Revoke(t.Context(), down)
		if astray == NoAccount && strayer.Strayed() == 0 { // nobody signs in
			b.grant(t, up)
			continue
		}
		if err == nil {
			t.Errorf("%s: the access counts as removed", what)
		}
		if observer, ok := b.Strategy.(strategy.Observer); ok {
			if seen, err := observer.Observe(t.Context(), down); err == nil {
				t.Errorf("%s: the access counts as %s", what, seen.Presence)
			}
		}
		if lister, ok := b.Strategy.(strategy.Lister); ok {
			if holders, err := lister.Holders(t.Context(), down.Target); err == nil {
				t.Errorf("%s: those who have access count as %v", what, holders)
			}
		}
		strayer.SetAstray(Found)
	}
	b.revoke(t, down)
	b.expect(t, down, false)
}

// Repeating what was done but not acknowledged ends where one call does. Work of
// which nobody knows is found first.
func testLostAnswer(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.System.SetMood(Forgetful)
	_, err := b.Grant(t.Context(), up)
	b.expectError(t, "grant", err, flow.CodeUnavailable)
	b.System.SetMood(Willing)
	b.expectUnknown(t, up, flow.OperationGrant)
	b.grant(t, up)
	b.expect(t, up, true)

	down := b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0])
	b.System.SetMood(Forgetful)
	_, err = b.Revoke(t.Context(), down)
	b.expectError(t, "revoke", err, flow.CodeUnavailable)
	b.System.SetMood(Willing)
	b.expectUnknown(t, down, flow.OperationRevoke)
	b.revoke(t, down)
	b.expect(t, down, false)
}

func testDeadline(t *testing.T, b *bench) {
	b.System.SetMood(Mute)
	ctx := deadline.Soon(t)
	_, err := b.Grant(ctx, b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
	b.expectError(t, "grant", err, flow.CodeUnavailable)
	_, err = b.Revoke(ctx, b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0]))
	b.expectError(t, "revoke", err, flow.CodeUnavailable)
}

// A call that has no time left does not begin.
func testCancelled(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Grant(ctx, b.call(t, flow.EventEscalate, runA, 0, b.Identities[0]))
	b.expectError(t, "grant", err, flow.CodeUnavailable)
	if changes := b.System.Changes(); len(changes) > 0 {
		t.Errorf("the system was called without any time left: %v", changes)
	}
}

// Systems that get the audit record get all of it, in its public shape, and
// the same one each time.
func testRecord(t *testing.T, b *bench) {
	up := b.call(t, flow.EventEscalate, runA, 0, b.Identities[0])
	b.grant(t, up)
	b.grant(t, up)
	b.revoke(t, b.call(t, flow.EventDeescalate, runA, 0, b.Identities[0]))
	changes := b.System.Changes()
	if len(changes) > 0 && changes[0].Record == nil {
		return // a protocol of its own, in which what is there already may need no change
	}
	if len(changes) != 3 {
		t.Fatalf("the system saw %d changes, want 3", len(changes))
	}
	for i, c := range changes {
		expectShape(t, c.Record)
		var got events.AuditRecord
		d := json.NewDecoder(bytes.NewReader(c.Record))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		if i == 0 {
			if diff := cmp.Diff(up.Record, got); diff != "" {
				t.Errorf("-given +sent:\n%s", diff)
			}
		}
	}
	if !bytes.Equal(changes[0].Record, changes[1].Record) {
		t.Error("the repeated grant came with another record")
	}
}

func expectShape(t *testing.T, record []byte) {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(events.AuditRecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit_record.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("audit_record.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
	if err != nil {
		t.Fatalf("the system got no JSON: %v", err)
	}
	if err := compiled.Validate(v); err != nil {
		t.Errorf("the system got a record of another shape: %v", err)
	}
}
