package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner/local"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// TestSickTarget is a campaign: thousands of removals of one dead target end at the
// same moment as a few of a healthy one. Where time stands still while anything
// is going on, an outage of minutes takes seconds, and nothing is late because the
// machine is slow.
//
// The healthy target's removals keep the promise (or, with ten executions in all,
// nearly), the dead one is called by no more than five at a time once it is known
// to be sick, and when it is well again everything is taken away, though processes
// died in between.
func TestSickTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []campaign{
		{name: "one machine", dead: 2_500, crash: 50 * time.Second},
		{name: "one machine, known to be sick", dead: 200, known: true},
		{name: "AWS, limit of 1,000", dead: 1_200, limit: 1_000},
		// Ten executions for everything can't keep the promise at such a moment; see docs/deploy.md.
		{name: "AWS, limit of 10", dead: 300, limit: 10, crash: 70 * time.Second, late: 3 * time.Minute},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, c.run)
		})
	}
}

// campaign is how the two targets stand, and what runs the removals.
type campaign struct {
	name  string
	dead  int           // removals at the dead target
	limit int           // of executions at once in AWS; 0: it is one machine
	crash time.Duration // after the end of access, all processes die; 0: none does
	known bool          // the target is known to be sick before
	late  time.Duration // how late the healthy target's removals may be, if that is not flow.RemovalPromise
	lost  path          // in AWS, one of the two by which access ends does nothing
}

// path is one of the two by which access ends.
type path string

const (
	bySchedule path = "schedule"
	bySweep    path = "sweep"
)

const (
	healthyRemovals = 20
	accessLasts     = 10 * time.Minute
	outage          = 150 * time.Second // from the end of access on
	answersIn       = 200 * time.Millisecond
	ownWork         = 50 * time.Millisecond // of an execution in AWS
	asks            = 20 * time.Millisecond // for one, or puts a message into a queue
	reads           = 5 * time.Millisecond  // or writes: one call of DynamoDB
	coldStart       = time.Second           // of one that finds no other to go on in
)

func (c campaign) run(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	w := newSickWorld(ctx, t)
	p := w.boot(c)
	healthy, dead := w.grant(ctx, p, "orders-db", healthyRemovals), w.grant(ctx, p, deadTarget, c.dead)
	w.dead = make(chan struct{})
	if c.known {
		for range flow.SickAfter {
			w.note(t, func(s flow.Sickness) flow.Sickness { return s.TimedOut("", false, time.Now()) })
		}
	}
	p.start(ctx)
	ends := w.began.Add(accessLasts)
	pass(time.Until(ends))
	if c.crash > 0 {
		pass(c.crash)
		p.kill()
		p = w.boot(c)
		p.start(ctx)
	}
	pass(time.Until(ends.Add(outage)))
	for _, id := range dead {
		if r := w.run(id); r.Status != flow.Escalated {
			t.Fatalf("access at a dead target was %s", r.Status)
		}
	}
	close(w.dead)
	pass(flow.MaxRemovalBackOff + time.Minute)
	stop()
	synctest.Wait()

	late := time.Duration(0)
	for _, id := range healthy {
		if w.run(id).Status != flow.Deescalated {
			t.Fatal("a removal of the healthy target is lost")
		}
		late = max(late, w.gone[id].Sub(ends))
	}
	if late > cmp.Or(c.late, flow.RemovalPromise) {
		t.Errorf("access at the healthy target was there for %s after its end", late)
	}
	lost := 0
	for _, id := range dead {
		if r := w.run(id); r.Status != flow.Deescalated || w.gone[id].IsZero() {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d removals of %d are lost", lost, c.dead)
	}
	if n := w.most[true]; n > flow.SickPlaces || n == 0 {
		t.Errorf("%d calls of the sick target at once, want at most %d", n, flow.SickPlaces)
	}
	if w.strangers > 0 {
		t.Errorf("%d calls of the sick target began without a place", w.strangers)
	}
	if c.known && w.most[false] > 0 {
		t.Errorf("%d calls at once of a target that is known to be sick had no place", w.most[false])
	}
	t.Logf("%s: the last of %d removals of the healthy target was %s late; %d calls of the dead one at once before it was known to be sick, then %d",
		c.name, healthyRemovals, late.Round(100*time.Millisecond), w.most[false], w.most[true])
}

// sickWorld is what outlives the processes of a campaign.
type sickWorld struct {
	*testing.T
	ctx   context.Context // ends with the campaign
	store *storetest.Memory
	flow  *flow.Flow
	began time.Time // when access was granted

	mu    sync.Mutex
	times map[string]time.Time // of the schedule
	gone  map[string]time.Time // when access was taken away, by run
	dead  chan struct{}        // until it is closed, the dead target answers nobody
	sick  time.Time            // since when it is known

	// Calls that hang, by whether they have a place: now, and the most at once.
	under, most map[bool]int
	strangers   int // calls that began without a place after it was known
}

// newSickWorld makes one in which nothing hangs yet.
func newSickWorld(ctx context.Context, t *testing.T) *sickWorld {
	w := &sickWorld{
		T: t, ctx: ctx, flow: sickFlow(), store: &storetest.Memory{Now: time.Now}, times: map[string]time.Time{}, gone: map[string]time.Time{},
		dead: make(chan struct{}), under: map[bool]int{}, most: map[bool]int{},
	}
	close(w.dead)
	return w
}

func sickFlow() *flow.Flow {
	target := func(name string) flow.Target { return flow.Target{Name: name, Type: "fake", Label: name} }
	return &flow.Flow{
		Org: "sym", Name: "prod-access", Version: "1.0.1", Label: "Production access",
		Strategy: &flow.Strategy{Name: "databases", Type: "fake", Targets: []flow.Target{target("orders-db"), target(deadTarget)}},
		Params:   flow.Params{AllowRevoke: true, ScheduleDeescalation: true},
	}
}

// bubble is the clock of a campaign, whose time passes by itself.
var bubble core.WallClock

func pass(d time.Duration) { <-bubble.After(d) }

// deadTarget is the target that answers nobody for a while.
const deadTarget = "dead-db"

const deadAt = "fake/databases/" + deadTarget

func (w *sickWorld) run(id string) flow.Run {
	r, err := store.Runs{Store: w.store}.Get(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *sickWorld) note(t *testing.T, move func(flow.Sickness) flow.Sickness) flow.Sickness {
	s, err := store.Sick{Store: w.store}.Change(context.Background(), deadAt, move)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// process is what dies in a crash: its writes and calls come to nothing from then
// on.
type process struct {
	world *sickWorld
	over  chan struct{} // closed when it dies
	stop  context.CancelFunc
	reads time.Duration // what a call of the store takes

	access *workflow.Access
	begin  func(context.Context) // makes it work
}

var errKilled = errors.New("killed")

func (p *process) killed() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	close(p.over)
	p.stop()
}

func (p *process) start(ctx context.Context) {
	ctx, p.stop = context.WithCancel(ctx)
	p.begin(ctx)
}

// mortal is the store as a process sees it.
type mortal struct {
	*storetest.Memory
	process *process
}

func (m mortal) Get(ctx context.Context, key string) (store.Item, error) {
	pass(m.process.reads)
	if m.process.killed() {
		return store.Item{}, errKilled
	}
	return m.Memory.Get(ctx, key)
}

func (m mortal) Put(ctx context.Context, item store.Item) (int64, error) {
	pass(m.process.reads)
	if m.process.killed() {
		return 0, errKilled
	}
	return m.Memory.Put(ctx, item)
}

func (m mortal) List(ctx context.Context, q store.Query) (store.Page, error) {
	pass(m.process.reads)
	if m.process.killed() {
		return store.Page{}, errKilled
	}
	return m.Memory.List(ctx, q)
}

// boot builds a process, on what outlives it.
func (w *sickWorld) boot(c campaign) *process {
	p := &process{world: w, over: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	kernel := core.New(config.Settings{Org: "sym"}, mortal{w.store, p}, core.OneClock(bubble), log)
	p.access = &workflow.Access{
		Runs: kernel.Runs, Grants: kernel.Grants, Sick: kernel.Sick, Flows: kernel.Flows, Users: kernel.Users, Clock: kernel.Clock, Log: log,
		Open:   func(flow.Strategy) (strategy.Strategy, error) { return calls{p}, nil },
		Rights: func(flow.Strategy) strategy.Rights { return strategy.Rights{} }, CallTimeout: 30 * time.Second,
		TargetType: func(flow.Strategy, flow.Target) strategy.TargetType { return strategy.TargetType{} },
	}
	drive := workflow.Drive{Runs: kernel.Runs, Now: time.Now}
	if c.limit == 0 {
		p.onThisMachine(kernel, drive, log)
	} else {
		p.inAWS(kernel, drive, c)
	}
	return p
}

// onThisMachine has the process work as a local deployment.
func (p *process) onThisMachine(kernel core.Core, drive workflow.Drive, log *slog.Logger) {
	engine := &local.Engine{Clock: kernel.Clock, Log: log}
	remover := &local.Remover{Engine: engine, OnTime: p.access.OnTime, Target: func(ctx context.Context, id string) string {
		r, err := kernel.Runs.Get(ctx, id)
		if err != nil {
			return ""
		}
		return r.Access.At()
	}}
	schedule := &local.Schedule{Times: p.world, Remover: remover}
	p.access.Schedule, p.access.Remover, drive.Remover = schedule, remover, remover
	runner := &local.Runner{Engine: engine}
	sweep := kernel.Sweep(drive, 0)
	p.begin = func(ctx context.Context) {
		if err := schedule.Load(ctx); err != nil {
			p.world.Error(err)
		}
		if err := runner.Recover(ctx, kernel.Runs, drive, p.access.TakeOver); err != nil {
			p.world.Error(err)
		}
		local.Sweeper{Engine: engine, Sweep: sweep}.Start()
		go engine.Run(ctx)
	}
}

// inAWS has the process work as functions of an account with a limit of
// executions. Asynchronous calls that find no place are kept by Lambda, and tried
// again, after one second, two, four, up to five minutes
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
func (p *process) inAWS(kernel core.Core, drive workflow.Drive, c campaign) {
	l := &functionsInAWS{process: p, lost: c.lost, places: make(chan struct{}, c.limit), timers: map[string]context.CancelFunc{}}
	removals, swept := l.queue(), l.queue()
	p.access.Schedule, p.access.Remover, drive.Remover = l, removals, swept
	p.access.Ahead = core.Ahead
	sweep := kernel.Sweep(drive, core.Ahead)
	p.begin = func(ctx context.Context) {
		l.ctx, p.reads = ctx, reads
		all, _ := p.world.All(ctx)
		for id, at := range all {
			l.arm(id, at)
		}
		go removals.read()
		go swept.read()
		if c.lost == bySweep {
			return
		}
		go func() {
			for ctx.Err() == nil {
				_, _ = sweep.Run(ctx)
				select {
				case <-bubble.After(time.Minute):
				case <-ctx.Done():
				}
			}
		}()
	}
}

// functionsInAWS run removals, and is their scheduler.
type functionsInAWS struct {
	process *process
	lost    path
	places  chan struct{}
	ctx     context.Context

	mu     sync.Mutex
	timers map[string]context.CancelFunc
	warm   int // environments that removals have started in
	busy   int // those of them that one is under way in
}

// queueInAWS holds back what is asked for later, and its reader then asks for it.
type queueInAWS struct {
	*functionsInAWS
	shown chan string // has room for all
}

func (l *functionsInAWS) queue() queueInAWS { return queueInAWS{l, make(chan string, 1<<16)} }

func (q queueInAWS) Remove(_ context.Context, id string, at time.Time) error {
	if q.ctx == nil {
		return nil // nothing is due before it works
	}
	pass(asks)
	wait := time.Until(at)
	if wait <= 0 {
		go q.call(id)
		return nil
	}
	go func() {
		select {
		case <-bubble.After(wait):
			q.shown <- id
		case <-q.ctx.Done():
		}
	}()
	return nil
}

// What Lambda reads queues by
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html), and how many
// messages infra has it take at once.
const (
	readersAtFirst = 5
	readersMore    = 300 // each minute in which messages wait
	readersMost    = 1250
	messages       = 10
)

// read has a function called with the messages that are shown. Places for it are
// those of the account.
func (q queueInAWS) read() {
	for n, more := 0, readersAtFirst; ; more = readersMore {
		for range min(more, readersMost-n) {
			n++
			go q.reader()
		}
		for waiting := false; !waiting; waiting = len(q.shown) > 0 {
			select {
			case <-bubble.After(time.Minute):
			case <-q.ctx.Done():
				return
			}
		}
	}
}

func (q queueInAWS) reader() {
	for {
		var batch []string
		select {
		case id := <-q.shown:
			batch = append(batch, id)
		case <-q.ctx.Done():
			return
		}
		for more := true; more && len(batch) < messages; {
			select {
			case id := <-q.shown:
				batch = append(batch, id)
			default:
				more = false
			}
		}
		select {
		case q.places <- struct{}{}:
		case <-q.ctx.Done():
			return
		}
		pass(ownWork + asks)
		for _, id := range batch {
			go q.call(id)
		}
		<-q.places
	}
}

// call has a run's access removed by an execution, as soon as there is a place.
func (l *functionsInAWS) call(id string) {
	for pause := time.Second; l.ctx.Err() == nil; pause = min(2*pause, 5*time.Minute) {
		select {
		case l.places <- struct{}{}:
			l.start()
			_ = l.process.access.OnTime(l.ctx, id) // the sweep repeats it
			pass(ownWork)
			l.mu.Lock()
			l.busy--
			l.mu.Unlock()
			<-l.places
			return
		default:
		}
		select {
		case <-bubble.After(pause/2 + rand.N(pause)): // not all at the same moment
		case <-l.ctx.Done():
		}
	}
}

// start waits until an execution of removal has an environment.
func (l *functionsInAWS) start() {
	l.mu.Lock()
	l.busy++
	cold := l.busy > l.warm
	if cold {
		l.warm++
	}
	l.mu.Unlock()
	if cold {
		pass(coldStart)
	}
}

// Set is as precise as Scheduler: it fires at some moment of the minute.
func (l *functionsInAWS) Set(ctx context.Context, id string, at time.Time) error {
	if err := l.process.world.Set(ctx, id, at); err != nil {
		return err
	}
	l.arm(id, at)
	return nil
}

func (l *functionsInAWS) arm(id string, at time.Time) {
	if l.lost == bySchedule {
		return
	}
	minute := at.Truncate(time.Minute)
	if soonest := time.Now().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute); minute.Before(soonest) {
		minute = soonest
	}
	within := time.Duration(id[0]) * time.Minute / 256
	l.mu.Lock()
	defer l.mu.Unlock()
	if stop := l.timers[id]; stop != nil {
		stop()
	}
	ctx, stop := context.WithCancel(l.process.world.ctx)
	l.timers[id] = stop
	go func() {
		select {
		case <-bubble.After(time.Until(minute.Add(within))):
			l.call(id)
		case <-ctx.Done():
		}
	}()
}

func (l *functionsInAWS) Delete(ctx context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stop := l.timers[id]; stop != nil {
		stop()
	}
	return l.process.world.Delete(ctx, id)
}

// The world keeps the times of schedules, which outlive processes.

func (w *sickWorld) Set(_ context.Context, id string, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times[id] = at
	return nil
}

func (w *sickWorld) Delete(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.times, id)
	return nil
}

func (w *sickWorld) All(context.Context) (map[string]time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]time.Time{}
	for id, at := range w.times {
		all[id] = at
	}
	return all, nil
}

// calls are those that a process makes of targets.
type calls struct{ process *process }

func (c calls) Entitlements(target flow.Target, _, runID string) ([]flow.Entitlement, error) {
	return []flow.Entitlement{{Key: target.Name + "/" + runID}}, nil
}

func (c calls) Grant(context.Context, strategy.Call) (strategy.Result, error) {
	return strategy.Result{}, nil
}

func (c calls) Revoke(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	w := c.process.world
	if call.Target.Name == deadTarget {
		if err := c.process.hang(ctx, call.RunID); err != nil {
			return strategy.Result{}, err
		}
	}
	select {
	case <-bubble.After(answersIn):
	case <-ctx.Done():
		return strategy.Result{}, ctx.Err()
	case <-c.process.over:
		return strategy.Result{}, errKilled
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone[call.RunID].IsZero() {
		w.gone[call.RunID] = time.Now()
	}
	return strategy.Result{}, nil
}

// hang waits until the target answers, or nobody waits any more.
func (p *process) hang(ctx context.Context, run string) error {
	w := p.world
	select {
	case <-w.dead:
		return nil
	default:
	}
	s := w.note(w.T, func(s flow.Sickness) flow.Sickness { return s })
	placed := false
	for _, p := range s.Places {
		placed = placed || p.Run == run
	}
	w.mu.Lock()
	if s.Sick() && w.sick.IsZero() {
		w.sick = time.Now()
	}
	if s.Sick() && !placed && time.Now().After(w.sick) {
		w.strangers++
	}
	w.under[placed]++
	w.most[placed] = max(w.most[placed], w.under[placed])
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.under[placed]--
		w.mu.Unlock()
	}()
	select {
	case <-w.dead:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.over:
		return errKilled
	}
}

// grant makes requests that were approved, and has the process grant them.
func (w *sickWorld) grant(ctx context.Context, p *process, target string, n int) (ids []string) {
	must := func(err error) {
		if err != nil {
			w.Fatal(err)
		}
	}
	if w.began.IsZero() {
		_, err := (&store.Flows{Store: w.store}).Publish(ctx, flow.Author{}, []*flow.Flow{w.flow})
		must(err)
		published, err := (&store.Flows{Store: w.store}).Latest(ctx, w.flow.Name)
		must(err)
		w.flow, w.began = published, time.Now()
	}
	at := w.flow.Strategy.Targets[0]
	if target == deadTarget {
		at = w.flow.Strategy.Targets[1]
	}
	asks, decides := flow.Actor{ID: flow.UserID("sym", "alice@example.com"), Kind: flow.KindPerson, Email: "alice@example.com"}, flow.Actor{ID: flow.UserID("sym", "bob@example.com"), Kind: flow.KindPerson, Email: "bob@example.com"}
	for i := range n {
		id := flow.RunIDFrom("sym", target, fmt.Sprint(i))
		r, err := flow.Apply(flow.Run{}, flow.Start{ID: id, Flow: w.flow, Requester: asks, Source: flow.ChannelSlack, Prompted: true}, time.Now())
		must(err)
		move := func(in flow.Input) {
			r, err = flow.Apply(r, in, time.Now())
			must(err)
		}
		move(flow.Receive{Action: flow.ActionRequest, Actor: asks, Channel: flow.ChannelSlack, Submission: &flow.Submission{Target: &at, Duration: accessLasts}})
		move(flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access"}}, Deciders: flow.Deciders{Members: true, Required: 1}})
		move(flow.Receive{Action: flow.ActionApprove, Actor: decides, Channel: flow.ChannelSlack})
		move(flow.Decide{SignalID: r.Signals[0].ID})
		_, err = store.Runs{Store: w.store}.Put(ctx, r)
		must(err)
		if next, err := p.access.Escalate(ctx, id); err != nil || next != flow.StepDone {
			w.Fatalf("granting leads to %s, %v", next, err)
		}
		ids = append(ids, id)
	}
	return ids
}
