package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// The tests of promises 1 to 6 at once: a whole access run whose process is
// killed (SIGKILL) before or after its n-th write or call of the target, for
// every n, and then started again; and one whose n-th call of the target goes
// wrong. The process is a test binary of this package, told by its environment
// where to die.

const (
	crashData = "SYMFLOWS_TEST_CRASH_DATA" // folder; its presence makes this process the victim
	crashAt   = "SYMFLOWS_TEST_CRASH_AT"   // number of the step before which to die; 0: never
	crashKind = "SYMFLOWS_TEST_CRASH_KIND" // of the target, or of the request
)

func TestMain(m *testing.M) {
	if data := os.Getenv(crashData); data != "" {
		at, _ := strconv.Atoi(os.Getenv(crashAt))
		v := &victim{at: at}
		err := wholeRun(context.Background(), data, os.Getenv(crashKind), os.Stderr, v, &mishap{})
		err = errors.Join(err, os.WriteFile(filepath.Join(data, "steps"), []byte(strconv.Itoa(v.n)), 0o600))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Processes that are to die wait for the disk and for Python half of their time.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(plainDir)
	os.Exit(code)
}

// plainDir has the binary of plainBinary.
var plainDir = filepath.Join(os.TempDir(), "symflows-"+rand.Text())

var buildPlain = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(plainDir, "app.test")
	out, err := exec.Command("go", "test", "-c", "-o", binary, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build %s: %w\n%s", binary, err, out)
	}
	return binary, err
})

// plainBinary builds the tests of this package without the race detector: it
// would make many processes, and many rounds, slow and find nothing new in them.
func plainBinary(t *testing.T) string {
	t.Helper()
	binary, err := buildPlain()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

const crashFlows = `
kind: environment
name: main
lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:grant"]
---
kind: target
name: orders-db
type: aws_lambda_function
settings: {arn: "arn:aws:lambda:us-east-1:123456789012:function:grant"}
---
kind: strategy
name: databases
type: aws_lambda
targets: [orders-db]
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: reason, type: string, required: true}
    - {name: duration, type: duration, required: true, allowed_values: [10m]}
  approval: {notify: [{channel: "#access-prod"}]}
  break_glass: {who: ["user:alice@example.com"], duration: 10m}
  start_at: {max: 1d}
`

// crashHandlers is what the flow has in one mode. Each handler notes that it
// was called, in a file of the world outside.
const crashHandlers = `
from sym.sdk.annotations import hook, reducer
from sym.sdk.request_permission import PermissionLevel, RequestPermission


def note(event, name):
    with open(event.flow.vars["calls"], "a") as f:
        f.write(name + "\n")


def fail_once(event, name):
    with open(event.flow.vars["calls"]) as f:
        if f.read().split().count(name) == 1:
            raise RuntimeError(name + " is not ready")


@reducer
def get_permissions(event):
    return RequestPermission(webapp_view=PermissionLevel.MEMBER, approve_deny=PermissionLevel.MEMBER)
`

// crashHooks are the hooks of the whole run.
var crashHooks = []string{
	"on_request", "after_request", "on_approve", "after_approve",
	"on_escalate", "after_escalate", "on_deescalate", "after_deescalate",
}

// withHandlers gives crashFlows an implementation with every hook; its calls go
// to a file. Those after an event fail the first time, if that is wanted.
func withHandlers(dir, calls string, failing bool) error {
	code := crashHandlers
	for _, h := range crashHooks {
		code += fmt.Sprintf("\n\n@hook\ndef %s(event):\n    note(event, %q)\n", h, h)
		if failing && strings.HasPrefix(h, "after_") {
			code += fmt.Sprintf("    fail_once(event, %q)\n", h)
		}
	}
	flows := strings.Replace(crashFlows, "kind: flow\n", fmt.Sprintf("kind: flow\nimplementation: impl.py\nvars: {calls: %q}\n", calls), 1)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "impl.py"), []byte(code), 0o600),
		os.WriteFile(filepath.Join(dir, "flows.yaml"), []byte(flows), 0o600),
	)
}

var crashStart = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// victim counts what a process does to the world, and kills it in time.
type victim struct {
	mu sync.Mutex
	n  int
	at int
}

func (v *victim) step() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.n++; v.n == v.at {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// mortalStore dies before a write, or after it and before its answer arrives.
type mortalStore struct {
	store.Store
	*victim
}

func (s mortalStore) Put(ctx context.Context, item store.Item) (int64, error) {
	s.step()
	defer s.step()
	return s.Store.Put(ctx, item)
}

// wholeRun takes a run from wherever it stands to its end: it requests if that
// is not done yet, approves if nobody has decided, reviews an emergency that has ended,
// and lets time pass from one timer to the next.
func wholeRun(ctx context.Context, data, kind string, logs io.Writer, v *victim, m *mishap) error {
	clockFile := filepath.Join(data, "clock")
	now := crashStart
	if b, err := os.ReadFile(clockFile); err == nil {
		if err := now.UnmarshalText(b); err != nil {
			return err
		}
	}
	clock := clockwork.NewFakeClockAt(now)
	var bounds deadline.Bounds
	m.hang = bounds.Pass
	opened := openLedger(filepath.Join(data, "ledger.json"), kind, clock.Now, v, m)
	l, err := Open(ctx, Options{
		Listen: "127.0.0.1:0", Data: filepath.Join(data, "state"), Flows: filepath.Join(data, "flows"),
		Settings: testSettings, Clock: clock, Log: slog.New(slog.NewTextHandler(logs, nil)),
		seams: seams{
			store: func(s store.Store) store.Store { return mortalStore{s, v} },
			open: func(strategy.Opener) strategy.Opener {
				return func(flow.Strategy) (strategy.Strategy, error) { return opened, nil }
			},
			describe: func(flow.Source, string) (flow.Outline, error) { // takes longer than all the rest, and is not what dies
				return flow.Outline{Handlers: append([]string{flow.HandlerPermissions}, crashHooks...)}, nil
			},
			callTimeout: time.Second / 2, within: bounds.Within, reserve: new(disk).under,
		},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	err = l.toTheEnd(ctx, kind, clock, func(now time.Time) error {
		b, err := now.MarshalText()
		if err != nil {
			return err
		}
		return os.WriteFile(clockFile, b, 0o600)
	})
	stop()
	return errors.Join(err, <-ran, l.Close())
}

// The kinds of whole runs that are not told by their targets.
const (
	kindEmergency = "emergency" // alice has access without approval, and bob reviews it
	kindLater     = "later"     // it starts later
	kindAfter     = "after"     // what is to run after each event fails once, and alice presses Retry
)

// crashLater is when access starts that starts later.
var crashLater = crashStart.Add(3 * time.Hour)

// request makes the one request of a whole run, or finds that it was made.
func (l *Local) request(ctx context.Context, kind string) (flow.Run, error) {
	const key = "the one request"
	if kind != kindEmergency {
		bot := flow.Actor{ID: flow.UserID("sym", "ci"), Kind: flow.KindBot, Name: "ci"}
		q := apiRequest(bot, key)
		if kind == kindLater {
			q.StartAt = crashLater
		}
		r, _, err := l.Submit.RequestByAPI(ctx, q)
		return r, err
	}
	alice, err := l.Submit.Directory.UserByEmail(ctx, "alice@example.com")
	if err != nil {
		return flow.Run{}, err
	}
	f, err := l.Submit.Flows.Latest(ctx, "prod-access")
	if err != nil {
		return flow.Run{}, err
	}
	id := flow.RunIDFrom("sym", key)
	if r, err := l.Runs.Get(ctx, id); err == nil && (r.Status != flow.Prompted || len(r.Signals) > 0) {
		return r, nil
	}
	if _, err := l.Submit.Prompt(ctx, workflow.Prompt{RunID: id, Flow: f, Actor: alice}); err != nil {
		return flow.Run{}, err
	}
	return l.Submit.Request(ctx, id, alice.Actor, map[string]any{
		"target_id": "orders-db", "duration": "10m", "reason": "the orders are down", flow.KeyBreakGlass: []string{flow.KeyBreakGlass},
	})
}

func (l *Local) toTheEnd(ctx context.Context, kind string, clock *clockwork.FakeClock, save func(time.Time) error) error {
	r, err := l.request(ctx, kind)
	if err != nil {
		return err
	}
	approver, err := l.Submit.Directory.UserByEmail(ctx, "bob@example.com")
	if err != nil {
		return err
	}
	for range 1000 {
		if err := l.Engine.Idle(ctx); err != nil {
			return err
		}
		if r, err = l.Runs.Get(ctx, r.ID); err != nil {
			return err
		}
		switch {
		case len(r.StuckAfter()) > 0:
			alice, err := l.Submit.Directory.UserByEmail(ctx, "alice@example.com")
			if err != nil {
				return err
			}
			if _, err := l.Submit.Retry(ctx, r.ID, alice); err != nil {
				return err
			}
			continue
		case r.AwaitsReview() && len(r.Signals) == 0:
			c := clickOf(r.ID, flow.ActionReview, approver)
			c.Message = "looked at it"
			if _, _, err := l.Submit.Click(ctx, c); err != nil {
				return err
			}
			continue
		case r.Final() && len(r.After) == 0 && len(r.Signals) == 0:
			return nil
		case r.Status == flow.Requested && len(r.Signals) == 0:
			if _, _, err := l.Submit.Click(ctx, clickOf(r.ID, flow.ActionApprove, approver)); err != nil {
				return err
			}
			continue
		}
		next, ok := l.Engine.Next()
		if !ok {
			return fmt.Errorf("nothing will ever happen to run %s, which is %s", r.ID, r.Status)
		}
		if err := save(next); err != nil {
			return err
		}
		clock.Advance(next.Sub(clock.Now()))
	}
	return fmt.Errorf("run %s does not end, it is %s", r.ID, r.Status)
}

func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	binary := plainBinary(t)
	for _, mode := range append(slices.Clone(ledgerModes), ledgerMode{"Handlers", "", true}, ledgerMode{"After", kindAfter, true}, ledgerMode{"Emergency", kindEmergency, false}, ledgerMode{"Later", kindLater, false}) {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			whole := newCorpse(t, mode)
			if !whole.execute(t, binary, 0) {
				t.Fatal("the run does not even end undisturbed")
			}
			whole.check(t)
			steps := whole.steps(t)
			if steps < 40 {
				t.Fatalf("only %d steps: writes and calls are not counted", steps)
			}
			t.Logf("%d steps", steps)
			stride := 1
			if mode.kind != "" && mode.kind != "blind" { // every step of it is one of TestCrash in package workflow
				stride = 3
			}
			for at := 1; at <= steps; at += stride {
				t.Run(strconv.Itoa(at), func(t *testing.T) {
					t.Parallel()
					v := newCorpse(t, mode)
					if v.execute(t, binary, at) {
						return // this order of events had fewer steps
					}
					if !v.execute(t, binary, 0) {
						t.Fatal("killed, and it did not end when it was started again")
					}
					v.check(t)
				})
			}
		})
	}
}

// TestKilledTwiceInARemoval is a process that is killed while it takes access away,
// and so is the next one. Each start takes over what the last one had claimed: the
// access is gone at its end, though no clock moves between the starts, and is not
// seen at two looks.
func TestKilledTwiceInARemoval(t *testing.T) {
	t.Parallel()
	binary := plainBinary(t)
	whole := newCorpse(t, ledgerModes[0])
	if !whole.execute(t, binary, 0) {
		t.Fatal("the run does not even end undisturbed")
	}
	steps := whole.steps(t)
	claimed := make(chan bool, steps)
	t.Run("at", func(t *testing.T) {
		for at := steps * 2 / 3; at <= steps; at++ {
			t.Run(strconv.Itoa(at), func(t *testing.T) {
				t.Parallel()
				v := newCorpse(t, ledgerModes[0])
				if v.execute(t, binary, at) || !v.removing(t) {
					return
				}
				again := 8 // in the midst of what is left
				if v.execute(t, binary, again) {
					return
				}
				claimed <- true
				if !v.execute(t, binary, 0) {
					t.Fatal("killed twice, and it did not end when it was started again")
				}
				v.check(t)
				v.checkOnTime(t)
			})
		}
	})
	if len(claimed) == 0 {
		t.Error("no process was killed twice in a removal")
	}
}

// TestKilledAndMisconfigured is a process that is killed, and started again with a
// fault in its configuration: if access may be there, it is taken away all the
// same, and if not, the start fails.
func TestKilledAndMisconfigured(t *testing.T) {
	t.Parallel()
	binary := plainBinary(t)
	whole := newCorpse(t, ledgerModes[0])
	if !whole.execute(t, binary, 0) {
		t.Fatal("the run does not even end undisturbed")
	}
	steps := whole.steps(t)
	outcomes := make(chan bool, steps)
	t.Run("at", func(t *testing.T) {
		for at := 1; at <= steps; at += 6 {
			t.Run(strconv.Itoa(at), func(t *testing.T) {
				t.Parallel()
				v := newCorpse(t, ledgerModes[0])
				if v.execute(t, binary, at) {
					return
				}
				if err := os.WriteFile(filepath.Join(v.data, "flows", "flows.yaml"), []byte(strings.Replace(crashFlows, "strategy_id", "stratgy_id", 1)), 0o600); err != nil {
					t.Fatal(err)
				}
				live := v.live(t)
				outcomes <- live
				ended, out := v.run(t, binary, 0)
				switch {
				case live && !ended:
					t.Errorf("access stays because of a fault in the configuration:\n%s", out)
				case live:
					v.check(t)
				case ended || !strings.Contains(string(out), "stratgy_id"):
					t.Errorf("nothing was live, and it was started: %v\n%s", ended, out)
				}
			})
		}
	})
	close(outcomes)
	seen := map[bool]int{}
	for live := range outcomes {
		seen[live]++
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("live and not: %v, want some of both", seen)
	}
}

// TestMishapAtEveryCall has one call of the target go wrong: each in turn, in
// each way.
func TestMishapAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, mode := range append(slices.Clone(ledgerModes), ledgerMode{"Emergency", kindEmergency, false}, ledgerMode{"Later", kindLater, false}) {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			calls := mishap{}
			if err := wholeRun(t.Context(), newCorpse(t, mode).data, mode.kind, t.Output(), &victim{}, &calls); err != nil {
				t.Fatal(err)
			}
			if calls.n < 4 {
				t.Fatalf("only %d calls of the target: they are not counted", calls.n)
			}
			for _, how := range []string{fails, hangs, losesAnswer} {
				for at := 1; at <= calls.n; at++ {
					t.Run(how+strconv.Itoa(at), func(t *testing.T) {
						t.Parallel()
						c, m := newCorpse(t, mode), &mishap{at: at, how: how}
						if err := wholeRun(t.Context(), c.data, mode.kind, t.Output(), &victim{}, m); err != nil {
							t.Fatal(err)
						}
						if m.n < calls.n && mode.kind != "slow" { // which is looked at less often the longer it takes
							t.Errorf("%d calls, want at least the %d of a run without a mishap", m.n, calls.n)
						}
						c.check(t)
					})
				}
			}
		})
	}
}

// ledgerMode is a kind of whole run.
type ledgerMode struct {
	name     string
	kind     string // of the target: see openLedger; or of the request: see the kinds of whole runs
	handlers bool   // the flow has an implementation
}

// blind tells whether the target can't be read back.
func (m ledgerMode) blind() bool { return m.kind == "blind" }

var ledgerModes = []ledgerMode{{"Observed", "", false}, {"Blind", "blind", false}, {"Slow", "slow", false}}

// corpse is the folder of a process that may die.
type corpse struct {
	data string
	ledgerMode
}

func newCorpse(t *testing.T, mode ledgerMode) corpse {
	t.Helper()
	data := t.TempDir()
	flows := filepath.Join(data, "flows")
	if err := os.MkdirAll(flows, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(flows, "flows.yaml"), []byte(crashFlows), 0o600); err != nil {
		t.Fatal(err)
	}
	if mode.handlers {
		if err := withHandlers(flows, filepath.Join(data, "calls"), mode.kind == kindAfter); err != nil {
			t.Fatal(err)
		}
	}
	// "old" access was there before us, where that can be seen.
	before := ledgerState{Present: map[string]bool{"old/alice@example.com": !mode.blind()}}
	b, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "ledger.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return corpse{data, mode}
}

// live tells whether the run's access may be there.
func (c corpse) live(t *testing.T) bool {
	t.Helper()
	r, ok := c.theRun(t)
	return ok && r.Access.Live()
}

// removing tells whether the run's access is being taken away.
func (c corpse) removing(t *testing.T) bool {
	t.Helper()
	r, ok := c.theRun(t)
	return ok && r.Access.Live() && r.Access.Removal.Owner != ""
}

// looks is how far apart the two looks are that do not see access any more.
const looks = 5 * time.Second

// checkOnTime: the access was gone at its very end.
func (c corpse) checkOnTime(t *testing.T) {
	t.Helper()
	r, _ := c.theRun(t)
	if late := r.Access.Removed.Sub(r.Access.End); late > looks {
		t.Errorf("seen to be gone %v after its end", late)
	}
}

// theRun reads the run, and returns false if there is none yet.
func (c corpse) theRun(t *testing.T) (flow.Run, bool) {
	t.Helper()
	db, err := sqlite.Open(databaseFile(filepath.Join(c.data, "state")), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := store.Runs{Store: db}.List(t.Context(), store.Query{By: store.ByKind})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Runs) == 0 {
		return flow.Run{}, false
	}
	return page.Runs[0], true
}

// execute runs the process; true: it came to its end, false: it was killed.
func (c corpse) execute(t *testing.T, binary string, at int) bool {
	t.Helper()
	ended, out := c.run(t, binary, at)
	if !ended && out != nil {
		t.Fatalf("it failed:\n%s", out)
	}
	return ended
}

// run runs the process; false: it was killed, or failed with this output.
func (c corpse) run(t *testing.T, binary string, at int) (ended bool, failed []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), crashData+"="+c.data, crashAt+"="+strconv.Itoa(at))
	cmd.Env = append(cmd.Env, crashKind+"="+c.kind)
	out, err := cmd.CombinedOutput()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the process that was to die at %d:\n%s", at, out)
		}
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return false, nil
	}
	if err != nil {
		return false, fmt.Appendf(out, "%v", err)
	}
	return true, nil
}

func (c corpse) steps(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.data, "steps"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// check looks at what is left of the world after the run.
func (c corpse) check(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(databaseFile(filepath.Join(c.data, "state")), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := store.Runs{Store: db}.List(ctx, store.Query{By: store.ByKind})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Runs) != 1 {
		t.Fatalf("%d runs, want 1", len(page.Runs))
	}
	r := page.Runs[0]
	if r.Status != flow.Deescalated || r.Access.Live() || !r.Due.IsZero() {
		t.Errorf("the run is %s, due %v", r.Status, r.Due)
	}

	// Each event once in the store, the decisions and ends among them once in all.
	ids, names := map[string]int{}, map[flow.EventName]int{}
	for _, e := range r.Events {
		ids[e.ID]++
		if e.State == flow.StateCompleted {
			names[e.Name]++
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("event %s is there %d times", id, n)
		}
	}
	once := []flow.EventName{flow.EventRequest, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate}
	if c.kind == kindEmergency {
		once = append(once, flow.EventReview)
		if b := r.BreakGlass; b == nil || b.At.IsZero() || b.Review == nil || b.Review.Message != "looked at it" {
			t.Errorf("the emergency and its review: %+v", b)
		}
	}
	for _, name := range once {
		if names[name] > 1 || names[name] == 0 && name != flow.EventEscalate {
			t.Errorf("%s completed %d times", name, names[name])
		}
	}

	// Each event at least once in the audit folder, and none that did not happen.
	shipped := map[string]bool{}
	for record, err := range auditFiles(filepath.Join(c.data, "state")).Read(ctx, time.Time{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		shipped[record.ID] = true
		if ids[record.ID] == 0 {
			t.Errorf("audit record %s (%s) tells of an event that the run does not have", record.ID, record.Event.Type)
		}
	}
	for id := range ids {
		if !shipped[id] {
			t.Errorf("event %s is missing from the audit folder", id)
		}
	}

	// What the starts themselves did is told, and nothing twice.
	acts, told := map[string]bool{}, map[string]int{}
	for record, err := range adminFiles(filepath.Join(c.data, "state")).Read(ctx, time.Time{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !acts[record.ID] {
			told[record.Event.Type+" "+record.About.Kind+" "+record.About.Name]++
		}
		acts[record.ID] = true
	}
	for _, act := range []string{"publish flow prod-access", "configure settings "} {
		if told[act] != 1 {
			t.Errorf("%s is told %d times: %v", act, told[act], told)
		}
	}

	// The outside system: ours is gone, on time, and what was there is there.
	state, err := (&ledger{file: filepath.Join(c.data, "ledger.json")}).read()
	if err != nil {
		t.Fatal(err)
	}
	if state.Present["orders/alice@example.com"] {
		t.Error("the access is still there")
	}
	if old := state.Present["old/alice@example.com"]; old == c.blind() {
		t.Errorf("access that was there before us: %v", old)
	}
	granted := slices.IndexFunc(state.Changes, func(c change) bool { return c.What == "grant" })
	for _, change := range state.Changes {
		if c.kind == kindLater && change.At.Before(crashLater) {
			t.Errorf("%s at %s, before its start at %s", change.What, change.At, crashLater)
		}
		if !c.blind() && strings.HasPrefix(change.Key, "old/") {
			t.Errorf("%s of access that was there before us", change.What)
		}
		if change.What == "revoke" {
			// The process is back at once; from then on the bound is the promised one.
			if late := change.At.Sub(r.Access.End); late > 90*time.Second || late < 0 {
				t.Errorf("removed %v after its end", late)
			}
		}
	}
	if granted < 0 {
		t.Error("nothing was ever granted")
	}
	if c.handlers {
		c.checkHandlers(t, r)
	}
}

// checkHandlers: every hook was asked, and none had its say twice. The one
// crash may have lost one answer, which was then asked for again.
func (c corpse) checkHandlers(t *testing.T, r flow.Run) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.data, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	times, again := map[string]int{}, 0
	for line := range strings.Lines(string(b)) {
		times[strings.TrimSpace(line)]++
	}
	for _, h := range crashHooks {
		want := 1
		if c.kind == kindAfter && strings.HasPrefix(h, "after_") {
			want = 2 // it failed once
		}
		if times[h] < want {
			t.Errorf("%s was asked %d times, not %d", h, times[h], want)
		}
		again += max(0, times[h]-want)
	}
	if again > 1 {
		t.Errorf("hooks were asked again %d times: %v", again, times)
	}
	if len(r.After) > 0 || len(r.Signals) > 0 {
		t.Errorf("left to do: %+v, %+v", r.After, r.Signals)
	}
	for _, e := range r.Events {
		failed := slices.ContainsFunc(e.Errors, func(f flow.Failure) bool { return f.Handler != "" })
		if failed && (c.kind != kindAfter || !r.Overcome(e)) {
			t.Errorf("event %s: %+v", e.Name, e.Errors)
		}
	}
}
