package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stands writes how the parts of a run stand.
func stands(r Run) string {
	var out []string
	for _, p := range r.Access.Entitlements {
		out = append(out, p.Key+" "+string(p.State()))
	}
	return strings.Join(out, ", ")
}

func severalTargets() Run { return situations()["several"].run }

// TestTarget_All: a list asks for a target by each of its values, two lists for one
// by each combination, and single values are the same in all.
func TestTarget_All(t *testing.T) {
	t.Parallel()
	target := Target{Name: "a", Settings: map[string]string{"host": "h", "role": "reader"}, FieldBindings: []string{"account", "role", "region"}}
	bound := target.Bind(map[string]any{"account": []any{"1", 2.0, "1"}, "region": "eu", "role": []string{"owner", "reader"}})
	var got []string
	for _, one := range bound.All() {
		got = append(got, fmt.Sprintf("%s %s %s %s", one.Settings["account"], one.Settings["role"], one.Settings["region"], one.Settings["host"]))
		if len(one.Each) > 0 {
			t.Errorf("one of them stands for %d", len(one.Each))
		}
	}
	want := []string{"1 owner eu h", "1 reader eu h", "2 owner eu h", "2 reader eu h"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if target.Settings["role"] != "reader" || len(target.Each) > 0 {
		t.Errorf("the target that is bound has changed: %+v", target)
	}
	if one := target.Bind(map[string]any{"account": "1"}).All(); len(one) != 1 || one[0].Settings["account"] != "1" || one[0].Settings["role"] != "reader" {
		t.Errorf("single values: %+v", one)
	}
}

// TestFlow_SubmitMany: so many targets on one request, and no more.
func TestFlow_SubmitMany(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"account", "role"}}}
	f.Params.PromptFields = []PromptField{{Name: "account", Type: FieldIntList, Visible: true, Required: true}, {Name: "role", Type: FieldStringList, Visible: true}}
	ask := func(accounts int, roles ...string) (Submission, error) {
		var list []any
		for i := range accounts {
			list = append(list, i+1)
		}
		return f.Submit(map[string]any{"target_id": "a", "duration": "1h", "account": list, "role": roles})
	}
	for _, c := range []struct{ accounts, roles, want int }{{1, 0, 1}, {50, 0, 50}, {25, 2, 50}, {51, 0, 0}, {26, 2, 0}, {1000, 7, 0}} {
		sub, err := ask(c.accounts, []string{"a", "b", "c", "d", "e", "f", "g"}[:c.roles]...)
		if c.want > 0 && (err != nil || len(sub.Target.All()) != c.want) {
			t.Errorf("%d × %d: %v, %v", c.accounts, c.roles, sub.Target, err)
		}
		if c.want > 0 {
			continue
		}
		e, ok := err.(*Error)
		if !ok || e.Code != CodeInvalid || len(e.Fields) != 1+min(c.roles, 1) || !strings.Contains(e.Error(), "more than 50 targets at once") {
			t.Errorf("%d × %d: %v", c.accounts, c.roles, err)
		}
	}
}

// TestAttempted_Shows: access is live once one is seen and nothing is left to try;
// the record has each, and what failed is the run's error.
func TestAttempted_Shows(t *testing.T) {
	t.Parallel()
	r := must(severalTargets(), t0, tried(EventEscalate, done("a", t0.Add(-time.Second)), waits("b"), fails("c", CodeStrategy)))
	if r.Status != Approved || stands(r) != "a granted, b waiting, c failed" || r.Error != nil || Next(r) != StepEscalate {
		t.Fatalf("%s, %s, error %+v", r.Status, stands(r), r.Error)
	}
	if end := t0.Add(-time.Second).Add(time.Hour); !r.Access.End.Equal(end) {
		t.Errorf("it ends %v, not an hour after the first was seen", r.Access.End)
	}
	if w := r.WaitsForTarget(EventEscalate); w == nil || w.Text != "1 of 3 granted so far. 222222222222: It works on it." || !w.LookAt.Equal(t0.Add(5*time.Second)) {
		t.Errorf("waits for %+v", w)
	}
	last := r.Events[len(r.Events)-1]
	if last.State != StateInProgress || last.Errors[0].Message != "333333333333: no such account" || last.Fields[KeyEntitlements] == nil {
		t.Errorf("recorded %+v", last)
	}
	r = must(r, t0.Add(time.Minute), tried(EventEscalate, Outcome{Key: "b", Done: t0.Add(time.Minute), Output: json.RawMessage(`{"user":"b"}`), Warnings: []string{"slow"}}))
	e, _ := r.Last(EventEscalate)
	want := []any{
		map[string]any{"settings": map[string]any{"account_id": "111111111111"}, "state": "granted"},
		map[string]any{"settings": map[string]any{"account_id": "222222222222"}, "state": "granted"},
		map[string]any{"settings": map[string]any{"account_id": "333333333333"}, "state": "failed", "error": "no such account"},
	}
	if diff := cmp.Diff(want, e.Fields[KeyEntitlements]); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if string(e.Output) != `{"222222222222":{"user":"b"}}` || fmt.Sprint(e.Fields[KeyWarnings]) != "[222222222222: slow]" {
		t.Errorf("output %s, warnings %v", e.Output, e.Fields[KeyWarnings])
	}
	if r.Error == nil || r.Error.Message != "2 of 3 could be granted. Not 333333333333: no such account" || r.Error.EventID != last.ID || !r.Short() || r.Missing() {
		t.Errorf("error %+v", r.Error)
	}
	if end := t0.Add(-time.Second).Add(time.Hour); !r.Access.End.Equal(end) {
		t.Errorf("it ends %v", r.Access.End)
	}
}

// TestAttempted_Apart: each part has attempts and pauses of its own, and is tried
// when its time has come.
func TestAttempted_Apart(t *testing.T) {
	t.Parallel()
	r, now := severalTargets(), t0
	var counts []string
	for range MaxGrantAttempts {
		var in Attempted
		in.Step = EventEscalate
		ready := ""
		for _, e := range r.Access.Ready(EventEscalate, now) {
			ready += e.Key
			o := fails(e.Key, CodeUnavailable)
			if e.Key == "a" {
				o = Outcome{Key: "a", Not: LookAgain{Text: "Accept the invitation.", Todo: true, After: 5 * time.Minute}}
			}
			in.Outcomes = append(in.Outcomes, o)
		}
		counts = append(counts, ready)
		r = must(r, now, in)
		now = r.WaitsForTarget(EventEscalate).LookAt
	}
	if !slices.Equal(counts, []string{"abc", "bc", "bc", "bc", "bc"}) {
		t.Errorf("tried %v", counts)
	}
	if stands(r) != "a waiting, b failed, c failed" || r.Error != nil || !r.WaitsForTarget(EventEscalate).Todo {
		t.Errorf("%s, error %+v", stands(r), r.Error)
	}
	if n := len(r.Events); r.Events[n-1].Count != MaxGrantAttempts || r.Events[n-2].Name == EventEscalate {
		t.Errorf("failures are recorded as %+v", r.Events[n-2:])
	}
	// Nobody waits for the invitation any longer than the window, once others are there.
	r = must(r, now, tried(EventEscalate, fails("a", CodeStrategy)))
	if r.Status != Approved || Next(r) != StepDone || r.Error == nil || !strings.HasPrefix(r.Error.Message, "None of 3 could be granted: 111111111111: ") {
		t.Errorf("%s, next %s, error %+v", r.Status, Next(r), r.Error)
	}
	r = must(r, now, Retry{Actor: requester})
	if len(r.Access.Ready(EventEscalate, now)) != 3 || Next(r) != StepEscalate {
		t.Errorf("retried: %s", stands(r))
	}
}

// TestAttempted_Late: what is not there within a quarter of an hour is given up,
// where others are; Retry takes up what is missing, and the end stays.
func TestAttempted_Late(t *testing.T) {
	t.Parallel()
	r := must(severalTargets(), t0, tried(EventEscalate, waits("a"), waits("b"), Outcome{Key: "c", Done: t0, Output: json.RawMessage(`{"user":"c"}`)}))
	for r.Status == Approved {
		at := r.WaitsForTarget(EventEscalate).LookAt
		if at.After(t0.Add(GrantWindow)) {
			t.Fatalf("looked at %v", at)
		}
		var in []Outcome
		for _, e := range r.Access.Ready(EventEscalate, at) {
			in = append(in, Outcome{Key: e.Key, Not: LookAgain{Text: "Accept the invitation.", Todo: true, After: 4 * time.Minute}})
		}
		r = must(r, at, tried(EventEscalate, in...))
	}
	if stands(r) != "a failed, b failed, c granted" || !r.Touched.Equal(t0.Add(GrantWindow)) {
		t.Errorf("%s at %v", stands(r), r.Touched)
	}
	if !strings.Contains(r.Error.Message, "111111111111: It was not there within 15 minutes. Accept the invitation.") {
		t.Errorf("error %q", r.Error.Message)
	}
	end := r.Access.End
	r = must(r, t0.Add(20*time.Minute), Retry{Actor: requester})
	if r.Status != Approved || stands(r) != "a waiting, b waiting, c granted" {
		t.Fatalf("%s, %s", r.Status, stands(r))
	}
	r = must(r, t0.Add(20*time.Minute), tried(EventEscalate, Outcome{Key: "a", Done: t0, Output: json.RawMessage(`{"user":"a"}`)}, fails("b", CodeStrategy)))
	if out := string(r.Access.Output); out != `{"111111111111":{"user":"a"},"333333333333":{"user":"c"}}` {
		t.Errorf("what the targets answered: %s", out)
	}
	e, _ := r.Last(EventEscalate)
	if r.Status != Escalated || e.Fields[KeyAgain] != true || !r.Access.End.Equal(end) || stands(r) != "a granted, b failed, c granted" {
		t.Errorf("%s, %s, end %v, %v", r.Status, stands(r), r.Access.End, e.Fields)
	}
}

// TestMiss_Several: the loss of one closes nothing, and only that one is granted
// again.
func TestMiss_Several(t *testing.T) {
	t.Parallel()
	r := must(severalTargets(), t0, tried(EventEscalate, done("a", t0), done("b", t0), fails("c", CodeStrategy)))
	r = must(r, t0, Miss{Key: "b"})
	if r.Status != Escalated || !r.Missing() || stands(r) != "a granted, b missing, c failed" || !strings.Contains(r.Error.Message, "1 of 3") || !strings.Contains(r.Error.Message, "222222222222") {
		t.Fatalf("%s, %s, %+v", r.Status, stands(r), r.Error)
	}
	found := must(r, t0, Find{Key: "b"})
	if found.Missing() || !found.Short() || stands(found) != "a granted, b granted, c failed" {
		t.Errorf("found: %s, %+v", stands(found), found.Error)
	}
	if _, err := Apply(r, Retry{Actor: requester}, t0); CodeOf(err) != CodeForbidden {
		t.Errorf("the requester has it granted again: %v", err)
	}
	r = must(r, t0, Retry{Actor: approver})
	var again []string
	for _, e := range r.Access.Ready(EventEscalate, t0) {
		again = append(again, e.Key)
	}
	if !slices.Equal(again, []string{"b", "c"}) {
		t.Errorf("granted again: %v", again)
	}
}

// TestAttempted_Removal: each is taken away as it goes, and the run closes when all
// are gone; what stays of some is told of in the end.
func TestAttempted_Removal(t *testing.T) {
	t.Parallel()
	r := situations()["several, claimed"].run
	claim := func(now time.Time) { r = must(r, now, Claim{Owner: "worker", Until: now.Add(time.Minute)}) }
	r = must(r, t0, tried(EventDeescalate,
		Outcome{Key: "a", Done: t0, Kept: true, GrantedBy: []string{"group Admins"}},
		Outcome{Key: "b", Not: LookAgain{After: 5 * time.Second, Text: "It is looked at once more.", Accepted: t0}},
		fails("c", CodeUnavailable)))
	if r.Status != Escalated || stands(r) != "a kept, b granted, c granted" || r.Error == nil || r.Error.Message != "2 of 3 could be taken away. Not 333333333333: no such account" {
		t.Fatalf("%s, %+v", stands(r), r.Error)
	}
	if w := r.WaitsForTarget(EventDeescalate); w == nil || !w.LookAt.Equal(t0.Add(5*time.Second)) || !w.Accepted.IsZero() || !strings.Contains(w.Text, "222222222222: It is looked at") {
		t.Errorf("waits for %+v", w)
	}
	now := t0.Add(5 * time.Second)
	claim(now)
	if ready := r.Access.Ready(EventDeescalate, now); len(ready) != 2 {
		t.Errorf("goes on with %v", ready)
	}
	r = must(r, now, tried(EventDeescalate, done("b", now), fails("c", CodeUnavailable)))
	if r.WaitsForTarget(EventDeescalate) != nil || r.Error.Attempts != 2 || !r.Error.RetryAt.Equal(now.Add(10*time.Second)) {
		t.Errorf("waits %+v, error %+v", r.Access.Waiting, r.Error)
	}
	if at, _ := r.EndDue(); !at.Equal(now.Add(10 * time.Second)) {
		t.Errorf("taken up again at %v", at)
	}
	now = now.Add(10 * time.Second)
	claim(now)
	r = must(r, now, tried(EventDeescalate, Outcome{Key: "c", Done: now, StillHeld: true}))
	e, _ := r.Last(EventDeescalate)
	if r.Status != Deescalated || stands(r) != "a kept, b removed, c kept" || r.Error != nil || fmt.Sprint(e.Fields[KeyKept], e.Fields[KeyStillHeld], e.Fields[KeyStillGrantedBy]) != "[a] [c] [group Admins]" {
		t.Errorf("%s, %s, %v", r.Status, stands(r), e.Fields)
	}
}

// TestAttempted_Small: fifty targets with all that may be said of them stay a small
// item.
func TestAttempted_Small(t *testing.T) {
	t.Parallel()
	in := intendSeveral
	in.Entitlements = nil
	for i := range MaxTargets {
		in.Entitlements = append(in.Entitlements, Entitlement{Key: strings.Repeat("k", 200) + fmt.Sprint(i), Settings: map[string]string{"account_id": fmt.Sprintf("%012d", i)}})
	}
	r := must(situations()["approved"].run, t0, in)
	var outcomes []Outcome
	for i, e := range in.Entitlements {
		if i == 0 {
			outcomes = append(outcomes, Outcome{Key: e.Key, Done: t0, Output: json.RawMessage(`"` + strings.Repeat("o", MaxOutputBytes-2) + `"`), Warnings: slices.Repeat([]string{strings.Repeat("w", 1000)}, 100)})
			continue
		}
		outcomes = append(outcomes, Outcome{Key: e.Key, Not: failing(EventEscalate, CodeStrategy, strings.Repeat("é", 5000))})
	}
	r = must(r, t0, tried(EventEscalate, outcomes...))
	if body, _ := json.Marshal(r); r.Status != Escalated || len(body) > MaxRunBytes/2 {
		t.Errorf("%s, %d bytes", r.Status, len(body))
	}
}

// TestAttempted_RemovalWaits: a part that was not granted, and whose removal waits, is
// no failure of the removal; and it waits longer from look to look, as all do.
func TestAttempted_RemovalWaits(t *testing.T) {
	t.Parallel()
	r := must(severalTargets(), t0, tried(EventEscalate, done("a", t0), fails("b", CodeStrategy), fails("c", CodeStrategy)))
	now := r.Access.End
	before := r.Events
	var pauses []time.Duration
	for range 3 {
		r = must(r, now, Claim{Owner: "worker", Until: now.Add(time.Minute)})
		var in []Outcome
		for _, e := range r.Access.Ready(EventDeescalate, now) {
			in = append(in, Outcome{Key: e.Key, Not: LookAgain{Step: EventDeescalate, Text: "It works on it.", Accepted: now}})
		}
		if len(in) != 3 {
			t.Fatalf("%d are looked at", len(in))
		}
		r = must(r, now, tried(EventDeescalate, in...))
		pauses = append(pauses, r.WaitsForTarget(EventDeescalate).LookAt.Sub(now))
		now = r.WaitsForTarget(EventDeescalate).LookAt
	}
	if diff := cmp.Diff(before, r.Events); diff != "" {
		t.Errorf("recorded (-before +after):\n%s", diff)
	}
	if want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("waits %v, want %v", pauses, want)
	}
	for _, p := range r.Access.Entitlements {
		if p.Waiting == nil || p.Waiting.Looks != 3 {
			t.Errorf("%s waits %+v", p.Key, p.Waiting)
		}
	}
}

// TestRetry_Removing: nothing is granted any more once the removal has begun, and
// nobody is told that it were.
func TestRetry_Removing(t *testing.T) {
	t.Parallel()
	r := must(severalTargets(), t0, tried(EventEscalate, fails("a", CodeStrategy), fails("b", CodeStrategy), fails("c", CodeStrategy)))
	now := r.Access.End
	r = must(r, now, Claim{Owner: "worker", Until: now.Add(time.Minute)})
	r = must(r, now, tried(EventDeescalate, done("a", now), done("b", now), Outcome{Key: "c", Not: LookAgain{Step: EventDeescalate, Text: "It works on it."}}))
	if _, err := Apply(r, Retry{Actor: requester}, now); CodeOf(err) != CodeStale {
		t.Errorf("Retry gives %v", err)
	}
}

// TestAttempted_Full: whatever targets say, and however often people have it granted
// again, a run of fifty targets can be stored, until all is taken away.
func TestAttempted_Full(t *testing.T) {
	t.Parallel()
	const most = 400 << 10 // DynamoDB's
	in := intendSeveral
	in.Target.Each, in.Entitlements = nil, nil
	for i := range MaxTargets {
		settings := map[string]string{"account_id": fmt.Sprintf("%012d", i), "role": strings.Repeat("r", 118)}
		in.Target.Each = append(in.Target.Each, settings)
		in.Entitlements = append(in.Entitlements, Entitlement{Key: strings.Repeat("k", 200) + fmt.Sprint(i), Settings: settings})
	}
	if err := in.Target.checkMany(); err != nil {
		t.Fatal(err)
	}
	r := situations()["approved"].run
	r.Fields = map[string]any{"role": strings.Repeat("f", MaxFieldsBytes)}
	r.Context, _ = json.Marshal(strings.Repeat("c", MaxContextBytes))
	r.Target, r.DurationSeconds = &in.Target, 30*24*60*60
	now := t0
	apply := func(in Input) error {
		next, err := Apply(r, in, now)
		if err != nil {
			return err
		}
		body, err := json.Marshal(next)
		if err != nil || len(body) > most {
			t.Fatalf("%T makes it %d bytes, %v", in, len(body), err)
		}
		r, r.Size = next, len(body)
		return nil
	}
	if err := apply(in); err != nil {
		t.Fatal(err)
	}
	codes := []Code{CodeStrategy, CodeNotObserved, CodeUnavailable, CodeIdentity, CodeConfigNeeded}
	said := slices.Repeat([]string{strings.Repeat("é", 1000)}, 100)
	attempt := func(step EventName, code Code, fails int) {
		t.Helper()
		var outcomes []Outcome
		for i, e := range r.Access.Ready(step, now) {
			o := Outcome{Key: e.Key, Output: json.RawMessage(`"` + strings.Repeat("o", MaxOutputBytes-2) + `"`), Warnings: said, GrantedBy: said}
			switch {
			case i == 0 && fails > 0:
				o.Not = LookAgain{Step: step, Text: said[0]}
			case fails > 0 && i <= fails:
				o.Not = failing(step, code, said[0])
			default:
				o.Done = now
			}
			outcomes = append(outcomes, o)
		}
		if err := apply(tried(step, outcomes...)); err != nil {
			t.Fatal(err)
		}
	}
	attempt(EventEscalate, CodeStrategy, 48)
	again := 0
	for i := range 100 {
		for r.Status == Approved {
			now = now.Add(GrantWindow)
			attempt(EventEscalate, codes[i%len(codes)], 48)
		}
		if err := apply(Retry{Actor: requester}); err != nil {
			if CodeOf(err) != CodeFull {
				t.Fatal(err)
			}
			break
		}
		again++
	}
	if again < 1 || again == 100 {
		t.Errorf("granted again %d times", again)
	}
	now = r.Access.End.Add(time.Hour)
	for i := 0; r.Status != Deescalated && i < 50; i++ {
		if err := apply(Claim{Owner: "worker", Until: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		attempt(EventDeescalate, codes[i%len(codes)], max(0, 48-2*i))
		now = now.Add(time.Hour)
	}
	if r.Status != Deescalated {
		t.Errorf("%s: %s; %+v", r.Status, stands(r), r.Error)
	}
}
