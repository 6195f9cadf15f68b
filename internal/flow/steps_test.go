package flow

import (
	"slices"
	"testing"
	"time"
)

// next says which step a run needs: a column for each status (and for what a
// status alone does not tell), a row for what is pending.
const next = `
# pending        | prompted | requested | approved | denied  | expired | cancelled | escalated | deescalated | approval-only | granting, asked
-                | done     | await     | escalate | done    | done    | done      | done      | done        | done          | done
request          | route    | route     | route    | route   | route   | route     | route     | route       | route         | route
approve          | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
deny             | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
cancel           | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
timeout          | forward  | forward   | forward  | forward | forward | forward   | forward   | forward     | forward       | forward
undeliverable    | forward  | forward   | forward  | forward | forward | forward   | forward   | forward     | forward       | forward
extend_request   | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
extend           | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
extend_deny      | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
untold           | done     | await     | escalate | done    | done    | done      | extend    | done        | done          | done
deescalate       | done     | await     | done     | done    | done    | done      | done      | done        | done          | done
recheck          | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
review           | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
later            | done     | await     | later    | done    | done    | done      | done      | done        | done          | done
later, scheduled | done     | await     | done     | done    | done    | done      | done      | done        | done          | done
in doubt         | done     | await     | vouch    | done    | done    | done      | done      | done        | done          | done
after            | decide   | decide    | decide   | decide  | decide  | decide    | decide    | decide      | decide        | decide
error: again     | done     | await     | escalate | done    | done    | done      | done      | done        | done          | done
error: exhausted | done     | await     | done     | done    | done    | done      | done      | done        | done          | done
error: for good  | done     | await     | done     | done    | done    | done      | done      | done        | done          | done
`

func TestNext(t *testing.T) {
	t.Parallel()
	put := map[string]func(*Run){
		"-":        func(*Run) {},
		"after":    func(r *Run) { r.After = []AfterCall{{EventID: EventID(runID, 1), Event: EventApprove}} },
		"in doubt": func(r *Run) { r.Standing = Standing{} },
		"untold": func(r *Run) {
			if r.Access != nil {
				access := *r.Access
				access.Untold, r.Access = &Untold{}, &access
			}
		},
		"later":            func(r *Run) { r.StartAt = t0.Add(time.Hour) },
		"later, scheduled": func(r *Run) { r.StartAt, r.Scheduled = t0.Add(time.Hour), true },
		"error: again": func(r *Run) {
			r.Error = &Failure{Step: EventEscalate, Retryable: true, Attempts: MaxGrantAttempts - 1}
		},
		"error: exhausted": func(r *Run) { r.Error = &Failure{Step: EventEscalate, Retryable: true, Attempts: MaxGrantAttempts} },
		"error: for good":  func(r *Run) { r.Error = &Failure{Step: EventEscalate, Attempts: 1} },
	}
	for _, a := range constants(t, "run.go", "Action") {
		put[a] = func(r *Run) { pending(r, Action(a), requester) }
	}
	all, table := situations(), rows(next)
	columns := []string{"prompted", "requested", "approved", "denied", "expired", "cancelled", "escalated", "deescalated", "approval-only", "granting, asked"}
	for _, status := range constants(t, "run.go", "Status") {
		if !slices.Contains(columns, status) {
			t.Errorf("no column for status %q", status)
		}
	}
	for what := range put {
		if !slices.ContainsFunc(table, func(cells []string) bool { return cells[0] == what }) {
			t.Errorf("no row for %q", what)
		}
	}
	for _, cells := range table {
		if len(cells) != len(columns)+1 {
			t.Fatalf("row %v has %d columns, want %d", cells, len(cells)-1, len(columns))
		}
		for i, name := range columns {
			r := all[name].run
			r.Signals = slices.Clone(r.Signals)
			put[cells[0]](&r)
			if got := Next(r); got != Step(cells[i+1]) {
				t.Errorf("%s, pending %s: next = %s, want %s", name, cells[0], got, cells[i+1])
			}
		}
	}
}

// TestNext_order: the oldest signal is first, and removals don't stand in the way.
func TestNext_order(t *testing.T) {
	t.Parallel()
	r := situations()["requested"].run
	pending(&r, ActionDeescalate, requester)
	first := pending(&r, ActionTimeout, System)
	pending(&r, ActionApprove, approver)
	if head, ok := r.Head(); !ok || head.ID != first || Next(r) != StepForward {
		t.Errorf("head = %v, next = %s", head, Next(r))
	}
	if end, ok := r.EndAsked(); !ok || end.Action != ActionDeescalate {
		t.Errorf("EndAsked() = %v, %v", end, ok)
	}
}

// TestDeadline: what waiting runs wait for.
func TestDeadline(t *testing.T) {
	t.Parallel()
	all := situations()
	for name, want := range map[string]time.Duration{ // after t0; 0: nothing
		"prompted":               PromptTimeout,
		"submitted":              PromptTimeout,
		"requested":              DeliveryPatience,
		"delivered":              30 * time.Minute,
		"partly approved":        DeliveryPatience,
		"last tier":              90 * time.Minute,
		"last tier, unreachable": 30*time.Minute + DeliveryPatience,
		"approved":               0, "denied": 0, "expired": 0, "cancelled": 0, "escalated": 0, "deescalated": 0, "approval-only": 0,
	} {
		at := time.Time{}
		if want > 0 {
			at = t0.Add(want)
		}
		r := all[name].run
		if got := r.Deadline(); !got.Equal(at) {
			t.Errorf("%s: %v, want %v", name, got, at)
		}
	}
	r := must(started(accessFlow()), t0, submitted(time.Hour))
	r = must(r, t0, Route{SignalID: r.Signals[0].ID, Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{Members: true, Required: 1}}, Delivered{})
	if got := r.Deadline(); !got.Equal(t0.Add(30 * 24 * time.Hour)) {
		t.Errorf("a tier without timeout: %v, want 30 days", got)
	}
}

// TestEndDue: from when on access has to be taken away.
func TestEndDue(t *testing.T) {
	t.Parallel()
	const never = -1
	hour := time.Hour
	for _, c := range []struct {
		name   string
		end    time.Duration // all after t0; never: zero
		asked  time.Duration
		retry  time.Duration
		step   EventName // that failed
		claim  time.Duration
		want   time.Duration
		wanted bool
	}{
		{"at its end", hour, never, never, "", never, hour, true},
		{"by hand only", never, never, never, "", never, 0, false},
		{"asked", hour, time.Minute, never, "", never, time.Minute, true},
		{"asked, without end", never, time.Minute, never, "", never, time.Minute, true},
		{"asked after its end", hour, 2 * hour, never, "", never, hour, true},
		{"claimed", hour, never, never, "", 61 * time.Minute, 61 * time.Minute, true},
		{"claimed before", hour, never, never, "", 59 * time.Minute, hour, true},
		{"backing off", hour, never, 65 * time.Minute, EventDeescalate, never, 65 * time.Minute, true},
		{"backing off, asked", hour, time.Minute, 2 * time.Minute, EventDeescalate, never, 2 * time.Minute, true},
		{"backing off, claimed", hour, never, 65 * time.Minute, EventDeescalate, 70 * time.Minute, 70 * time.Minute, true},
		{"a grant's back-off does not count", hour, never, 65 * time.Minute, EventEscalate, never, hour, true},
		{"without end, a claim changes nothing", never, never, never, "", hour, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := func(d time.Duration) time.Time {
				if d == never {
					return time.Time{}
				}
				return t0.Add(d)
			}
			r := Run{Status: Escalated, Access: &Access{End: at(c.end)}}
			if c.asked != never {
				r.Signals = []Signal{{Action: ActionDeescalate, At: at(c.asked)}}
			}
			if c.step != "" {
				r.Error = &Failure{Step: c.step, RetryAt: at(c.retry)}
			}
			if c.claim != never {
				r.Access.Removal = Removal{EventID: "e", Owner: "w", Until: at(c.claim)}
			}
			got, ok := r.EndDue()
			if ok != c.wanted || ok && !got.Equal(at(c.want)) {
				t.Errorf("EndDue() = %v, %v, want %v, %v", got, ok, at(c.want), c.wanted)
			}
			r.Access.Removed = t0
			if got, ok := r.EndDue(); ok {
				t.Errorf("what was removed is due at %v", got)
			}
		})
	}
	if at, ok := (&Run{}).EndDue(); ok {
		t.Errorf("a run without access is due at %v", at)
	}
}

// TestDue: the earliest of all that a run waits for.
func TestDue(t *testing.T) {
	t.Parallel()
	all := situations()
	granting := all["granting"].run
	driven := must(all["approved"].run, t0, Dispatch{})
	failed := must(driven, t0.Add(time.Minute), failing(EventEscalate, CodeUnavailable, "no answer"))
	hopeless := must(granting, t0, failing(EventEscalate, CodeStrategy, "refused"))
	if !hopeless.Error.RetryAt.IsZero() {
		t.Errorf("what is of no use is tried again at %v", hopeless.Error.RetryAt)
	}
	late := must(all["escalated"].run, t0)
	pending(&late, ActionApprove, second)
	partly := must(all["partly approved"].run, t0, click(ActionApprove, second))
	paused := must(all["submitted"].run, t0, Fail{Step: EventRequest, SignalID: EventID(runID, 2), Again: true, Reason: FailureOf(Errorf(CodeLookup, "Slack does not answer"))})
	for _, c := range []struct {
		name string
		run  Run
		want time.Duration // after t0; 0: never
	}{
		{"a form", all["prompted"].run, PromptTimeout},
		{"a signal, nobody at it", all["submitted"].run, WatchdogAfter},
		{"a signal, while a deadline runs", partly, WatchdogAfter},
		{"a request that nobody has yet", all["requested"].run, DeliveryPatience},
		{"a request", all["delivered"].run, 30 * time.Minute},
		{"a request that could not be sent", paused, 5 * time.Second},
		{"granting, nobody at it", all["approved"].run, WatchdogAfter},
		{"granting, under way", driven, WatchdogAfter + 5*time.Minute},
		{"granting, failed", failed, time.Minute + 2*time.Second},
		{"granting, the attempt after", must(failed, t0.Add(2*time.Minute), Dispatch{}), 2*time.Minute + WatchdogAfter + 5*time.Minute},
		{"granting, for good: what may be there has to go", hopeless, time.Hour + GrantWindow},
		{"access", all["escalated"].run, time.Hour},
		{"access, a late click", late, WatchdogAfter},
		{"access without end", all["forever"].run, 0},
		{"denied", all["denied"].run, 0},
		{"ended", all["deescalated"].run, 0},
		{"granting failed before anything was touched", must(all["approved"].run, t0, failing(EventEscalate, CodeIdentity, "nobody")), 0},
	} {
		want := time.Time{}
		if c.want > 0 {
			want = t0.Add(c.want)
		}
		if got := nextLook(&c.run); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempts          int
		first, most, want time.Duration
	}{
		{0, 2 * time.Second, time.Minute, 2 * time.Second},
		{1, 2 * time.Second, time.Minute, 2 * time.Second},
		{2, 2 * time.Second, time.Minute, 4 * time.Second},
		{5, 2 * time.Second, time.Minute, 32 * time.Second},
		{6, 2 * time.Second, time.Minute, time.Minute},
		{7, 2 * time.Second, time.Minute, time.Minute},
		{1 << 40, 5 * time.Second, 5 * time.Minute, 5 * time.Minute},
		{3, time.Hour, time.Minute, time.Minute},
	} {
		if got := backOff(c.attempts, c.first, c.most); got != c.want {
			t.Errorf("backOff(%d, %v, %v) = %v, want %v", c.attempts, c.first, c.most, got, c.want)
		}
	}
}

// TestSteps: the table is sound. Every step but the last has a function and a
// timeout, leads to steps of the table, and retries our own error type.
func TestSteps(t *testing.T) {
	t.Parallel()
	names := constants(t, "steps.go", "Step")
	if len(names) != len(Steps) {
		t.Errorf("%d steps, %d rows", len(names), len(Steps))
	}
	for _, name := range names {
		spec, ok := Spec(Step(name))
		if !ok {
			t.Errorf("no row for step %q", name)
			continue
		}
		if spec.Name == StepDone {
			continue
		}
		if spec.Function == "" || spec.WaitsForSignal == (spec.Timeout > 0) {
			t.Errorf("row %+v", spec)
		}
		if _, ok := Spec(spec.OnTimeout); spec.WaitsForSignal != ok {
			t.Errorf("step %q goes to %q when its time is over", name, spec.OnTimeout)
		}
		if _, ok := Spec(spec.Usually); spec.Usually != "" && (!ok || spec.WaitsForSignal) {
			t.Errorf("step %q is usually followed by %q", name, spec.Usually)
		}
		if len(spec.Retry) != 1 || !slices.Contains(spec.Retry[0].Errors, ErrorRetry) {
			t.Errorf("step %q retries %+v", name, spec.Retry)
		}
	}
	if spec, ok := Spec("no such step"); ok {
		t.Errorf("found %+v", spec)
	}
}
