package workflow_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// began is when the worlds of these tests begin.
var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func member(name string) store.User {
	email := name + "@example.com"
	return store.User{Role: store.RoleMember, Actor: flow.Actor{
		ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: name,
		SlackID: "U0" + strings.ToUpper(name), SlackTeam: "T024ACME",
	}}
}

// The people of the worlds.
var (
	asker  = member("asker")
	first  = member("first")
	second = member("second")
	third  = member("third")
	admin  = member("admin")
	guest  = func() store.User { u := member("guest"); u.Role = store.RoleGuest; return u }()
	bot    = flow.Actor{ID: flow.UserID("acme", "ci"), Kind: flow.KindBot, Name: "ci"}
)

// world is everything that the use cases work in, on one clock and in one
// goroutine: what happens first is the same in every run of a test. A process
// in it may die; the store, the target and the schedule outlive it.
type world struct {
	t     testing.TB
	clock *clockwork.FakeClock
	flow  *flow.Flow

	memory    *storetest.Memory
	process   *process
	directory *directory
	functions *functions
	handlers  *handlers
	slack     *slackFake
	target    *target
	bound     workflow.CheckBound // of whoever grants; nil: there is nothing to check
	vendor    *vendor             // in place of the target, where there is one
	system    *system             // the same, on the fake of a real one
	schedule  *schedule
	health    *workflow.Health
	log       *strings.Builder

	runs     store.Runs
	flows    *store.Flows
	grants   store.Grants
	submit   workflow.Submit
	approval workflow.Approval
	access   workflow.Access
	drive    workflow.Drive
	sweep    workflow.Sweep
	notify   workflow.Notify
	forms    workflow.Forms
	publish  workflow.Publish

	feed     []store.Change
	seen     int // of the feed, by the relay
	feedErrs []error
	events   []event
	seq      int
	sweeping bool
	restarts int
	at       string         // which target is asked for; "": the first
	lasts    string         // for how long access is asked for; "": 10m
	extra    map[string]any // what a form has beside the flow's fields: [flow.KeyStartAt] and the like
	accounts []string       // that are asked for, where the flow has a list of them
	lookless bool           // calls that are to look again get lost
	broken   string         // items whose keys begin with it can't be read or written; "": none
	executed []string       // executions that were started
	asked    []string       // runs, in the order of their requests

	emergencies, unreviewed, missed int // that were counted
}

// event is something to come.
type event struct {
	at     time.Time
	seq    int
	key    string
	mortal bool // it dies with the process
	do     func()
}

// newWorld makes a world with one published flow, which may be edited before.
func newWorld(t testing.TB, edit ...func(*flow.Flow)) *world {
	t.Helper()
	w := &world{t: t, clock: clockwork.NewFakeClockAt(began), health: &workflow.Health{}, log: &strings.Builder{}, sweeping: true}
	w.memory = &storetest.Memory{Now: w.clock.Now}
	w.process = &process{left: -1}
	w.target = &target{world: w, has: map[string]bool{}, shown: map[string]shown{}, fates: map[string][]fate{}, calls: map[string]int{}}
	w.schedule = &schedule{world: w, on: true}
	w.directory = &directory{users: map[string]store.User{}, groups: map[string][]string{}, fail: map[string]error{}}
	for _, u := range []store.User{asker, first, second, third, admin, guest} {
		w.directory.users[u.SlackID] = u
	}
	w.functions = &functions{answers: map[string][]answer{}}
	w.handlers = &handlers{world: w, says: map[string][]says{}}
	w.slack = &slackFake{world: w, posts: map[string]string{}}
	w.boot()

	f := &flow.Flow{
		Org: "acme", Name: "prod-access", Version: "1.0.3", Label: "Production access",
		Environment: flow.Environment{Name: "main", Admins: []string{admin.Email}, ErrorChannel: "#errors"},
		Strategy: &flow.Strategy{Name: "databases", Type: "fake", Targets: []flow.Target{{
			Name: "orders-db", Type: "fake", Label: "Orders database",
			Settings: map[string]string{"arn": "arn:aws:lambda:us-east-1:123456789012:function:orders-access"},
		}}},
		Params: flow.Params{
			AllowRevoke: true, ScheduleDeescalation: true,
			PromptFields: []flow.PromptField{{Name: "reason", Type: flow.FieldString, Required: true, Visible: true}},
			Approval:     flow.Approval{Notify: []flow.Notify{{Channel: "#access", Timeout: flow.Duration(30 * time.Minute)}}, Required: 1},
		},
	}
	for _, e := range edit {
		e(f)
	}
	if err := w.seed(f); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.flow, err = w.flows.Latest(t.Context(), f.Name); err != nil {
		t.Fatal(err)
	}
	w.feed, w.seen = nil, 0
	return w
}

// published are the items of flows that were published in some world: it costs
// more than all else that most worlds do.
var published sync.Map // the flow's JSON → []store.Item

// seed publishes a flow.
func (w *world) seed(f *flow.Flow) error {
	content, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if known, ok := published.Load(string(content)); ok {
		for _, item := range known.([]store.Item) {
			item.Rev = 0
			if _, err := w.memory.Put(w.t.Context(), item); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := w.flows.Publish(w.t.Context(), flow.Author{}, []*flow.Flow{f}); err != nil {
		return err
	}
	var items []store.Item
	for _, c := range w.feed {
		item, err := w.memory.Get(w.t.Context(), c.Key)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(items, func(i store.Item) bool { return i.Key == item.Key }) {
			items = append(items, item)
		}
	}
	published.Store(string(content), items)
	return nil
}

// boot builds a process: fresh objects on what outlives it.
func (w *world) boot() {
	s := &mortalStore{Memory: w.memory, process: w.process, world: w}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	now := w.clock.Now
	open := w.target.open
	switch {
	case w.vendor != nil:
		open = w.vendor.open
	case w.system != nil:
		open = w.system.open
	}
	w.runs, w.flows, w.grants = store.Runs{Store: s}, &store.Flows{Store: s}, store.Grants{Store: s}
	w.submit = workflow.Submit{Org: "acme", Runs: w.runs, Flows: w.flows, Directory: w.directory, Now: now}
	w.approval = workflow.Approval{Runs: w.runs, Flows: w.flows, Directory: w.directory, Users: store.Users{Store: s}, Lingering: store.Lingering{Store: s}, Functions: w.functions, Handlers: w.handlers, Notices: store.Notices{Store: s, Now: now}, Now: now, FunctionTimeout: time.Minute, Log: log, Emergency: func() { w.emergencies++ }}
	w.access = workflow.Access{
		Runs: w.runs, Grants: w.grants, Sick: store.Sick{Store: s}, Flows: w.flows, Users: store.Users{Store: s},
		Open: open, Rights: rightsOf, TargetType: w.targetType, Handlers: w.handlers, Schedule: w.schedule, Remover: w, Looks: w, Clock: w.clock, Log: log,
		CallTimeout: 30 * time.Second, Bound: w.bound,
	}
	w.drive = workflow.Drive{Runs: w.runs, Runner: w, Remover: w, Now: now}
	w.sweep = workflow.Sweep{Runs: w.runs, Drive: w.drive, Now: now, Log: log}
	w.notify = workflow.Notify{Settle: workflow.Settle, Lists: store.Lists{Store: s, Now: now}, Runs: w.runs, Flows: w.flows, Messages: store.Messages{Store: s}, Notices: store.Notices{Store: s, Now: now}, Slack: w.slack, Health: w.health, Now: now, Log: log}
	w.forms = workflow.Forms{Runs: w.runs, Handlers: w.handlers, Now: now}
	w.publish = workflow.Publish{Runs: w.runs, Flows: w.flows, Entities: store.Entities{Store: s, Org: "sym", Now: now}, Rights: rightsOf}
}

// targetType is that of all of a world's targets.
func (w *world) targetType(_ flow.Strategy, target flow.Target) (known strategy.TargetType) {
	switch {
	case w.vendor != nil:
		known = w.vendor.kind
	case w.system != nil:
		known, _ = w.system.Type.Target(target.Type)
	}
	return known
}

// rightsOf gives those of the worlds' strategies: to invoke functions.
func rightsOf(s flow.Strategy) strategy.Rights {
	var arns []string
	for _, target := range s.Targets {
		arns = append(arns, target.Settings["arn"])
	}
	return strategy.InvokeFunctions(arns...)
}

// restart is what happens after a crash: what was under way is lost.
func (w *world) restart() {
	w.restarts++
	w.process = &process{left: -1}
	w.events = slices.DeleteFunc(w.events, func(e event) bool { return e.mortal })
	w.boot()
	if w.sweeping {
		w.every(time.Minute, w.sweepOnce)
		return
	}
	// Without a watchdog, executions are taken up as the local runner does.
	page, err := w.runs.List(w.t.Context(), store.Query{By: store.ByDue, Until: began.AddDate(1, 0, 0)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range page.Runs {
		w.soon(func() {
			if flow.Next(r) == flow.StepAwait {
				w.walk(r.ID, r.Execution.Attempt, flow.StepAwait, 0)
				return
			}
			_ = w.drive.Run(w.t.Context(), r.ID, true, 0)
		})
	}
}

func (w *world) add(e event) {
	w.seq++
	e.seq = w.seq
	if e.key != "" {
		w.events = slices.DeleteFunc(w.events, func(old event) bool { return old.key == e.key })
	}
	w.events = append(w.events, e)
}

func (w *world) soon(do func()) { w.add(event{at: w.clock.Now(), mortal: true, do: do}) }

func (w *world) every(d time.Duration, do func()) {
	w.add(event{at: w.clock.Now().Add(d), key: "every", mortal: true, do: func() { w.every(d, do); do() }})
}

func (w *world) sweepOnce() {
	swept, _ := w.sweep.Run(w.t.Context()) // it logs what went wrong
	w.unreviewed, w.missed = w.unreviewed+swept.Unreviewed, w.missed+swept.Missed
}

// settle lets everything happen that is to happen now.
func (w *world) settle() {
	w.t.Helper()
	for range 10_000 {
		switch {
		case w.process.dead():
			w.restart()
		case w.seen < len(w.feed):
			c := w.feed[w.seen]
			err := workflow.Relay{Drive: w.drive}.Handle(w.t.Context(), c)
			if w.process.dead() {
				continue // it comes again
			}
			w.seen++
			if err != nil {
				w.feedErrs = append(w.feedErrs, err)
				w.add(event{at: w.clock.Now().Add(time.Second), mortal: false, do: func() { w.feed = append(w.feed, c) }})
			}
		default:
			i := w.next()
			if i < 0 || w.events[i].at.After(w.clock.Now()) {
				return
			}
			e := w.events[i]
			w.events = slices.Delete(w.events, i, i+1)
			e.do()
		}
	}
	w.t.Fatalf("no end of things to do at %s; log:\n%.4000s", w.clock.Now(), w.log)
}

func (w *world) next() int {
	if len(w.events) == 0 {
		return -1
	}
	earliest := slices.MinFunc(w.events, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq))
	})
	return slices.IndexFunc(w.events, func(e event) bool { return e.seq == earliest.seq })
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	until := w.clock.Now().Add(d)
	if w.sweeping && !slices.ContainsFunc(w.events, func(e event) bool { return e.key == "every" }) {
		w.every(time.Minute, w.sweepOnce)
	}
	for {
		w.settle()
		if w.arrive() {
			continue
		}
		i := w.next()
		if i < 0 || w.events[i].at.After(until) {
			break
		}
		w.clock.Advance(w.events[i].at.Sub(w.clock.Now()))
	}
	w.clock.Advance(until.Sub(w.clock.Now()))
	w.settle()
}

// arrive notes that messages have reached those who are asked, as notify does
// within seconds while Slack takes what it is sent. It says whether any has.
func (w *world) arrive() bool {
	if w.slack.post != nil {
		return false
	}
	open, err := w.memory.List(w.t.Context(), store.Query{By: store.ByStatus, Value: string(flow.Requested)})
	if err != nil {
		w.t.Fatal(err)
	}
	runs := store.Runs{Store: &mortalStore{Memory: w.memory, process: &process{left: -1}, world: w}}
	arrived := false
	for _, item := range open.Items {
		_, err := runs.Change(w.t.Context(), strings.TrimPrefix(item.Key, string(store.KindRun)), w.clock.Now, func(r flow.Run) (flow.Input, error) {
			if t := r.Tiers[r.Tier]; t.Delivered || t.Undeliverable != "" {
				return nil, flow.ErrUnchanged
			}
			arrived = true
			return flow.Delivered{Tier: r.Tier}, nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return arrived
}

// Start implements runner.Runner.
func (w *world) Start(_ context.Context, id string, attempt int) error {
	name := fmt.Sprintf("%s-%d", id, attempt)
	if slices.Contains(w.executed, name) {
		return nil
	}
	w.executed = append(w.executed, name)
	w.soon(func() { w.enter(id, attempt) })
	return nil
}

// Resume implements runner.Runner. Tokens are good for once.
func (w *world) Resume(_ context.Context, token string) error {
	i := slices.IndexFunc(w.events, func(e event) bool { return e.key == "await#"+token })
	if i < 0 {
		return runner.ErrGone
	}
	w.events = slices.Delete(w.events, i, i+1)
	name, _, _ := strings.Cut(token, "/")
	at := strings.LastIndex(name, "-")
	var attempt int
	fmt.Sscan(name[at+1:], &attempt)
	w.soon(func() { w.enter(name[:at], attempt) })
	return nil
}

func (w *world) enter(id string, attempt int) {
	r, err := w.runs.Get(w.t.Context(), id)
	if err == nil {
		w.walk(id, attempt, flow.Next(r), 0)
	}
}

// walk goes through the step table as a runner does.
func (w *world) walk(id string, attempt int, step flow.Step, retries int) {
	ctx := w.t.Context()
	tasks := map[flow.Step]func(context.Context, string) (flow.Step, error){
		flow.StepRoute: w.approval.Route, flow.StepDecide: w.approval.Decide, flow.StepForward: w.approval.Forward, flow.StepVouch: w.approval.Vouch,
		flow.StepEscalate: w.access.Escalate, flow.StepExtend: w.access.Extend, flow.StepLater: w.access.Later,
	}
	for range 100 {
		var next flow.Step
		var err error
		switch task, ok := tasks[step]; {
		case ok:
			next, err = task(ctx, id)
		case step == flow.StepAwait:
			token := fmt.Sprintf("%s-%d/%d", id, attempt, w.seq)
			left, waits, failed := w.approval.Await(ctx, id, attempt, token)
			if failed == nil && waits {
				w.add(event{at: w.clock.Now().Add(left), key: "await#" + token, mortal: true, do: func() {
					w.walk(id, attempt, flow.StepForward, 0)
				}})
				return
			}
			if err = failed; err == nil {
				r, failed := w.runs.Get(ctx, id)
				next, err = flow.Next(r), failed
			}
		default:
			return
		}
		if w.process.dead() {
			return
		}
		if err != nil {
			if _, again := errors.AsType[*workflow.Retry](err); again && retries < 5 {
				w.add(event{at: w.clock.Now().Add(2 * time.Second << retries), mortal: true, do: func() { w.walk(id, attempt, step, retries+1) }})
			}
			return
		}
		step, retries = next, 0
	}
	w.t.Fatalf("run %s walks in circles at %s", id, step)
}

// Remove implements workflow.Remover.
func (w *world) Remove(_ context.Context, id string, at time.Time) error {
	call := func() { _ = w.access.OnTime(w.t.Context(), id) } // the sweep repeats it
	if at.After(w.clock.Now()) {
		w.add(event{at: at, do: call})
	} else {
		w.soon(call)
	}
	return nil
}

// Later implements workflow.Looks. What is to come dies with the process.
func (w *world) Later(_ context.Context, id string, _ flow.EventName, at time.Time) error {
	if !w.lookless {
		w.add(event{at: at, mortal: true, do: func() { _ = w.access.Look(w.t.Context(), id) }})
	}
	return nil
}

// process is a process that may die.
type process struct {
	mu    sync.Mutex
	left  int  // writes and calls before it dies; -1: for ever
	after bool // it dies after the fatal one, before its answer arrives
	over  bool
}

var errDead = errors.New("the process is dead")

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// do does something to the world outside, if the process lives to do it.
func (p *process) do(effect func() error) error {
	p.mu.Lock()
	lives, dies := !p.over, !p.over && p.left == 0
	p.over = p.over || dies
	p.left--
	p.mu.Unlock()
	if dies && p.after {
		_ = effect()
	}
	if !lives || dies {
		return errDead
	}
	return effect()
}

// mortalStore is the store as one process sees it; its writes make the feed.
type mortalStore struct {
	*storetest.Memory
	process *process
	world   *world
}

func (s *mortalStore) Get(ctx context.Context, key string) (store.Item, error) {
	if s.process.dead() {
		return store.Item{}, errDead
	}
	if s.world.breaks(key) {
		return store.Item{}, errors.New("the store can't read this")
	}
	return s.Memory.Get(ctx, key)
}

func (s *mortalStore) List(ctx context.Context, q store.Query) (store.Page, error) {
	if s.process.dead() {
		return store.Page{}, errDead
	}
	return s.Memory.List(ctx, q)
}

func (s *mortalStore) Put(ctx context.Context, item store.Item) (rev int64, err error) {
	if hook := s.world.target.hook; hook != nil {
		hook(ctx)
	}
	if s.world.breaks(item.Key) {
		return 0, errors.New("the store can't write this")
	}
	err = s.process.do(func() error {
		var err error
		if rev, err = s.Memory.Put(ctx, item); err == nil {
			s.world.target.mu.Lock()
			defer s.world.target.mu.Unlock()
			s.world.feed = append(s.world.feed, store.Change{Key: item.Key, Rev: rev})
			if v := s.world.vendor; v != nil {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.goOn()
				for key := range v.state {
					v.check(key)
				}
			}
			if w := s.world.system; w != nil {
				w.check()
			}
		}
		return err
	})
	return rev, err
}

func (w *world) breaks(key string) bool { return w.broken != "" && strings.HasPrefix(key, w.broken) }

// fate is what becomes of a call of the target.
type fate string

const (
	ok          fate = ""
	refused     fate = "refused"
	unavailable fate = "unavailable"
	// Until the deadline, which is real time: tests with these run in a bubble.
	hangs       fate = "hangs"        // and never arrives
	arrivesLate fate = "arrives late" // and arrives ten seconds after
	answerLost  fate = "answer lost"
	showsLate   fate = "shows late" // what it did is seen half a minute later
	panics      fate = "panics"
	asksToWait  fate = "asks to wait" // ten minutes
)

// target is an outside system: who has what.
type target struct {
	world *world
	// keys are the entitlements of a request; nil: one, shared by all runs.
	keys  func(identity, runID string) []string
	blind bool // it can't be read back

	mu     sync.Mutex
	has    map[string]bool
	shown  map[string]shown
	fates  map[string][]fate // by "grant", "revoke", "observe", or one of them and " " and a key: of the next calls
	calls  map[string]int
	hook   func(context.Context) // before every write and call
	broken []string              // rules that were broken
}

// shown is what a target shows until it shows what is.
type shown struct {
	was   bool
	until time.Time
}

func (g *target) open(flow.Strategy) (strategy.Strategy, error) {
	if g.blind {
		return blindStrategy{g}, nil
	}
	return seeingStrategy{blindStrategy{g}}, nil
}

type blindStrategy struct{ *target }

type seeingStrategy struct{ blindStrategy }

func (g blindStrategy) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	keys := []string{"db/" + identity}
	if account := target.Settings["account_id"]; account != "" {
		keys = []string{"db/" + account + "/" + identity}
	}
	if g.keys != nil {
		keys = g.keys(identity, runID)
	}
	var out []flow.Entitlement
	for _, k := range keys {
		out = append(out, flow.Entitlement{Key: k})
	}
	return out, nil
}

func (g blindStrategy) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	err := g.call(ctx, "grant", c, true)
	return strategy.Result{Output: []byte(`{"account":"made for ` + c.Identity + `"}`)}, err
}

func (g blindStrategy) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return strategy.Result{}, g.call(ctx, "revoke", c, false)
}

func (g seeingStrategy) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	if err := g.call(ctx, "observe", c, false); err != nil {
		return strategy.Sight{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	has := g.has[c.Entitlement.Key]
	if s := g.shown[c.Entitlement.Key]; g.world.clock.Now().Before(s.until) {
		has = s.was
	}
	if has {
		return strategy.Sight{Presence: flow.Present}, nil
	}
	return strategy.Sight{Presence: flow.Absent}, nil
}

func (g *target) call(ctx context.Context, what string, c strategy.Call, present bool) error {
	if g.hook != nil {
		g.hook(ctx)
	}
	key := c.Entitlement.Key
	g.mu.Lock()
	g.calls[what]++
	f := g.take(what + " " + key)
	if f == ok {
		f = g.take(what)
	}
	g.mu.Unlock()
	set := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if what == "observe" {
			return
		}
		if f == showsLate {
			g.shown[key] = shown{was: g.has[key], until: g.world.clock.Now().Add(30 * time.Second)}
		}
		if what == "revoke" {
			g.check(key)
		}
		g.has[key] = present
	}
	return g.world.process.do(func() error {
		switch f {
		case refused:
			return flow.Errorf(flow.CodeStrategy, "the target says no")
		case unavailable:
			return flow.Errorf(flow.CodeUnavailable, "the target is down")
		case asksToWait:
			return &flow.RateLimited{After: 10 * time.Minute, Cause: flow.Errorf(flow.CodeUnavailable, "the target is busy")}
		case panics:
			panic("a bug of the strategy")
		case arrivesLate:
			g.world.add(event{at: g.world.clock.Now().Add(10 * time.Second), do: set})
			<-ctx.Done()
			return ctx.Err()
		case hangs:
			<-ctx.Done()
			return ctx.Err()
		}
		set()
		if f == answerLost {
			return flow.Errorf(flow.CodeUnavailable, "the answer was lost")
		}
		return nil
	})
}

// take gives the fate of the next call.
func (g *target) take(what string) fate {
	queue := g.fates[what]
	if len(queue) == 0 {
		return ok
	}
	g.fates[what] = queue[1:]
	return queue[0]
}

// check notes if access is removed that a run has been told it has.
func (g *target) check(key string) {
	page, err := g.world.memory.List(context.Background(), store.Query{By: store.ByStatus, Value: string(flow.Escalated)})
	if err != nil {
		g.broken = append(g.broken, err.Error())
	}
	for _, item := range page.Items {
		r, err := store.Runs{Store: g.world.memory}.Get(context.Background(), strings.TrimPrefix(item.Key, string(store.KindRun)))
		if err != nil {
			g.broken = append(g.broken, err.Error())
			continue
		}
		_, asked := r.EndAsked()
		holds := slices.ContainsFunc(r.Access.Entitlements, func(e flow.Part) bool { return e.Key == key })
		if holds && !asked && r.Access.Removal.EventID == "" {
			g.broken = append(g.broken, fmt.Sprintf("%s was removed while run %s holds it", key, r.ID))
		}
	}
}

func (g *target) present() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, k := range slices.Sorted(maps.Keys(g.has)) {
		if g.has[k] {
			out = append(out, k)
		}
	}
	return out
}

// schedule fires until it is deleted or moved, a minute apart. Of the
// processes it knows nothing.
type schedule struct {
	world *world
	on    bool
	sets  []time.Time
	err   error
}

func (s *schedule) Set(_ context.Context, id string, at time.Time) error {
	if s.world.process.dead() {
		return errDead
	}
	if s.err != nil {
		return s.err
	}
	s.sets = append(s.sets, at)
	if s.on {
		s.arm(id, at)
	}
	return nil
}

func (s *schedule) arm(id string, at time.Time) {
	s.world.add(event{at: at, key: "schedule#" + id, do: func() {
		s.arm(id, s.world.clock.Now().Add(time.Minute))
		_ = s.world.access.OnTime(s.world.t.Context(), id) // it fires again
	}})
}

func (s *schedule) Delete(_ context.Context, id string) error {
	if s.world.process.dead() {
		return errDead
	}
	s.world.events = slices.DeleteFunc(s.world.events, func(e event) bool { return e.key == "schedule#"+id })
	return nil
}

func (s *schedule) armed(id string) bool {
	return slices.ContainsFunc(s.world.events, func(e event) bool { return e.key == "schedule#"+id })
}

// directory knows the people of the world.
type directory struct {
	users  map[string]store.User // by Slack id
	groups map[string][]string   // handle → Slack ids
	fail   map[string]error      // by Slack id, e-mail address or handle; "" fails all
	asked  int
}

var errLookup = flow.Errorf(flow.CodeLookup, "Slack does not answer")

func (d *directory) failure(name string) error {
	d.asked++
	if err := d.fail[""]; err != nil {
		return err
	}
	return d.fail[name]
}

func (d *directory) User(_ context.Context, id string) (store.User, error) {
	if err := d.failure(id); err != nil {
		return store.User{}, err
	}
	if u, ok := d.users[id]; ok {
		return u, nil
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "Slack has no such user")
}

func (d *directory) UserByEmail(_ context.Context, email string) (store.User, error) {
	if err := d.failure(email); err != nil {
		return store.User{}, err
	}
	for _, u := range d.users {
		if u.Email == email {
			return u, nil
		}
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "Slack has no such user")
}

func (d *directory) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	return d.UserByEmail(ctx, email)
}

func (d *directory) Group(_ context.Context, handle string) ([]store.User, error) {
	if err := d.failure(handle); err != nil {
		return nil, err
	}
	ids, ok := d.groups[handle]
	if !ok {
		return nil, flow.Errorf(flow.CodeUnknownUser, "the workspace has no user group %q", handle)
	}
	var out []store.User
	for _, id := range ids {
		out = append(out, d.users[id])
	}
	return out, nil
}

// functions answers as told, and keeps what it was asked.
type functions struct {
	answers map[string][]answer // by ARN: of the next calls; then {"ok":true}
	asked   []string            // payloads
	during  func()              // while a call is under way
}

type answer struct {
	body  string
	err   error
	hangs bool
}

func (f *functions) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	f.asked = append(f.asked, arn+" "+string(payload))
	if f.during != nil {
		f.during()
	}
	queue := f.answers[arn]
	if len(queue) == 0 {
		return []byte(`{"ok":true}`), nil
	}
	f.answers[arn] = queue[1:]
	if queue[0].hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return []byte(queue[0].body), queue[0].err
}

// handlers answers as told, and keeps what it was asked.
type handlers struct {
	world *world
	// says has what the next calls are answered, by the first handler of a call
	// or by the name of an identity reducer; then nothing is returned.
	says   map[string][]says
	asked  []string // "event id's number: handlers"
	events []workflow.HandlerCall
	during func() // while a call is under way
}

// says is an answer of handlers.
type says struct {
	answer flow.Answer
	failed *flow.Failure
	text   string
	err    error
}

// raised is a handler that failed.
func raised(handler string) says {
	return says{failed: &flow.Failure{Code: "SDK:HANDLER_ERROR", Message: handler + " (impl.py:3): KeyError: 'team'", Handler: handler}}
}

// returned is a hook that returned an event.
func returned(e flow.EventName, fields map[string]any) says {
	return says{answer: flow.Answer{Hook: &flow.HookAnswer{Event: e, Fields: fields}}}
}

var unreachable = says{err: flow.Errorf(flow.CodeUnavailable, "function \"sdk\" could not be reached")}

// ignores is a hook that wants nothing to happen.
func ignores(message string) says {
	return says{answer: flow.Answer{Hook: &flow.HookAnswer{Event: flow.Ignore, Message: message}}}
}

func (h *handlers) take(name string) says {
	if len(h.says[name]) == 0 {
		return says{}
	}
	next := h.says[name][0]
	h.says[name] = h.says[name][1:]
	return next
}

func (h *handlers) Handle(_ context.Context, c workflow.HandlerCall, names []string) (flow.Result, error) {
	var said says
	err := h.world.process.do(func() error {
		h.events = append(h.events, c)
		h.asked = append(h.asked, fmt.Sprintf("%s: %s", c.Event.ID[len(c.Event.ID)-4:], strings.Join(names, " ")))
		if h.during != nil {
			h.during()
		}
		said = h.take(names[0])
		return said.err
	})
	return flow.Result{Answer: &said.answer, Error: said.failed}, err
}

func (h *handlers) Identity(_ context.Context, c workflow.HandlerCall, handler, service, externalID string) (string, error) {
	h.events = append(h.events, c)
	h.asked = append(h.asked, fmt.Sprintf("%s of %s at %s %s", handler, c.Run.Requester.Name, service, externalID))
	said := h.take(handler)
	return said.text, said.err
}

// defines gives a flow an implementation with these handlers.
func defines(names ...string) func(*flow.Flow) {
	return func(f *flow.Flow) {
		f.Implementation = flow.NewSource("impl.py", "# "+strings.Join(names, " "))
		f.Implementation.Handlers = append([]string{}, names...)
	}
}

// form is a request that every access flow of these tests accepts.
func (w *world) form() map[string]any {
	values := map[string]any{"reason": "incident"}
	maps.Copy(values, w.extra)
	if len(w.accounts) > 0 {
		values["account_id"] = w.accounts
	}
	if !w.flow.ApprovalOnly() {
		values["target_id"] = cmp.Or(w.at, w.flow.Strategy.Targets[0].Name)
		if w.flow.Params.ScheduleDeescalation {
			values["duration"] = cmp.Or(w.lasts, "10m")
		}
	}
	return values
}

// must does something that a crash may interrupt, again after it.
func (w *world) must(what string, do func() error) {
	w.t.Helper()
	err := do()
	for w.process.dead() {
		w.restart()
		err = do()
	}
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// ask submits a request through Slack and lets it be routed. The cause tells
// requests apart.
func (w *world) ask(who store.User, cause string) string {
	w.t.Helper()
	id := flow.RunIDFrom("acme", cause)
	w.asked = append(w.asked, id)
	w.must("prompt", func() error {
		_, err := w.submit.Prompt(w.t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: who})
		return err
	})
	w.must("open", func() error {
		r, err := w.runs.Get(w.t.Context(), id)
		if err == nil {
			_, err = w.forms.Open(w.t.Context(), w.flow, r)
		}
		return err
	})
	w.must("request", func() error {
		_, err := w.submit.Request(w.t.Context(), id, who.Actor, w.form())
		return err
	})
	w.settle()
	return id
}

// stored reads a run as it is stored, whatever becomes of the process.
func (w *world) stored(id string) (flow.Run, error) {
	return store.Runs{Store: w.memory}.Get(w.t.Context(), id)
}

// press clicks a button; nothing follows from it before settle.
func (w *world) press(id string, action flow.Action, who store.User) error {
	_, _, err := w.submit.Click(w.t.Context(), workflow.Click{RunID: id, Action: action, Actor: who, Channel: flow.ChannelSlack})
	return err
}

// click clicks a button that must be accepted, and lets everything follow.
func (w *world) click(id string, action flow.Action, who store.User) {
	w.t.Helper()
	w.must(string(action), func() error {
		err := w.press(id, action, who)
		if w.restarts > 0 && (flow.CodeOf(err) == flow.CodeDecided || flow.CodeOf(err) == flow.CodeInvalidRun) {
			return nil // it was accepted before the crash
		}
		return err
	})
	w.settle()
}

func (w *world) run(id string) flow.Run {
	w.t.Helper()
	r, err := w.stored(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// lookTwice lets a few seconds pass if a removal waits for its second look only.
func (w *world) lookTwice(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		r := w.run(id)
		if look := r.WaitsForTarget(flow.EventDeescalate); look != nil {
			w.pass(min(max(look.LookAt.Sub(w.clock.Now()), 0), 5*time.Second))
		}
	}
}

// want checks a run's status. What is taken away is looked at twice before.
func (w *world) want(id string, s flow.Status) flow.Run {
	w.t.Helper()
	if s == flow.Deescalated {
		w.lookTwice(id)
	}
	r := w.run(id)
	if r.Status != s {
		w.t.Fatalf("run is %s, want %s; error %+v; events %s; log:\n%.4000s", r.Status, s, r.Error, history(r), w.log)
	}
	return r
}

// history writes a run's events on one line.
func history(r flow.Run) string {
	var out []string
	for _, e := range r.Events {
		s := string(e.Name)
		switch {
		case e.State == flow.StateInProgress && len(e.Errors) > 0:
			s += "!" + string(e.Errors[0].Code)
		case e.State != flow.StateCompleted:
			s += "~"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// wantHistory checks which events a run has.
func (w *world) wantHistory(id, want string) {
	w.t.Helper()
	if got := history(w.run(id)); got != want {
		w.t.Errorf("events %q, want %q", got, want)
	}
}

// wantPresent checks who has what at the target, and that no rule was broken.
func (w *world) wantPresent(keys ...string) {
	w.t.Helper()
	got, broken := w.target.present(), w.target.broken
	if w.vendor != nil {
		got, broken = w.vendor.present(), w.vendor.broken
	}
	if !slices.Equal(got, keys) {
		w.t.Errorf("the target shows %v, want %v", got, keys)
	}
	for _, b := range broken {
		w.t.Error(b)
	}
}

// slackFake keeps what it shows.
type slackFake struct {
	world    *world
	posts    map[string]string // by "channel ts": what it shows
	sent     []string          // "to: body"
	edits    int
	post     func(to workflow.Address, body string) error // makes posts fail
	edit     func(channel, ts string) error
	deadline bool // whether calls had one
}

func (s *slackFake) Render(m workflow.Message, r flow.Run) ([]byte, error) {
	body := fmt.Sprintf("%s %s", m.Key(), r.Status)
	if e, ok := r.Event(m.EventID); ok {
		body += fmt.Sprintf(" %s", e.Name)
		for _, f := range e.Errors {
			body += " " + f.Message
		}
	}
	if m.Kind == workflow.KindTrouble || m.Kind == workflow.KindStatus { // which say what has failed
		for _, e := range r.Events {
			if workflow.IsTrouble(e) && !r.Overcome(e) {
				body += " failed: " + e.Errors[0].Message
			}
		}
	}
	if m.Kind == workflow.KindRequest && m.Tier != r.Tier {
		body += ", moved on"
	}
	if m.Quiet {
		body += ", quiet"
	}
	return []byte(body), nil
}

func (s *slackFake) RenderNotice(n store.Notice) ([]byte, error) {
	return []byte("notice " + n.Text), nil
}

func (s *slackFake) Post(ctx context.Context, to workflow.Address, body []byte) (channel, ts string, err error) {
	if s.world.process.dead() {
		return "", "", errDead
	}
	_, s.deadline = ctx.Deadline()
	if s.post != nil {
		if err := s.post(to, string(body)); err != nil {
			return "", "", err
		}
	}
	channel = to.Channel
	if channel == "" {
		channel = "D" + to.Users[0].Name
	}
	ts = fmt.Sprint(len(s.sent) + 1)
	s.posts[channel+" "+ts] = string(body)
	below := ""
	if to.Thread != "" {
		below = " below " + to.Thread
		if to.Aloud {
			below += " aloud"
		}
	}
	s.sent = append(s.sent, channel+below+": "+string(body))
	return channel, ts, nil
}

func (s *slackFake) Edit(_ context.Context, channel, ts string, body []byte) error {
	if s.edit != nil {
		if err := s.edit(channel, ts); err != nil {
			return err
		}
	}
	s.edits++
	s.posts[channel+" "+ts] = string(body)
	return nil
}
