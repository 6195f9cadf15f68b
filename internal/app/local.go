package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/loopback"
	"github.com/symflows/symflows/internal/mcp"
	"github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/runner/local"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// Options are what a local deployment is started with.
type Options struct {
	Listen      string
	Data        string // folder of the state
	Flows       string // folder of the configuration
	SDK         string // folder of the Python side; "" is the repository's
	RealLambdas bool
	// Owner is the e-mail address of whoever answers for the API's token in Data;
	// "" makes none, but for the simulated Slack's.
	Owner string
	// Checkpoints is where the checkpoints of the transparency log are sent: a folder, or a
	// channel of Slack (#audit-log); "" sends none.
	Checkpoints string
	Settings    config.Settings
	Clock       workflow.Clock
	Log         *slog.Logger
	Out         io.Writer // where Serve says what to do next

	seams seams
}

// told are the settings that administrative records tell: those that say what the
// deployment may do.
func (o Options) told() map[string]string {
	mode, _ := o.Settings.Slack.Mode() // a fault ends the start elsewhere
	told := map[string]string{"org": o.Settings.Org, "slack": string(mode), "real_lambdas": strconv.FormatBool(o.RealLambdas)}
	if o.Settings.ConfigApproval != "" {
		told["config_approval"] = o.Settings.ConfigApproval
	}
	return told
}

// seams let tests of this package put something between the parts.
type seams struct {
	store       func(store.Store) store.Store
	open        func(strategy.Opener) strategy.Opener
	describe    catalog.Describe
	schedule    func(workflow.Schedule) workflow.Schedule
	http        http.RoundTripper                                                          // to the servers of strategies
	callTimeout time.Duration                                                              // of targets, which leases go by
	within      func(context.Context, time.Duration) (context.Context, context.CancelFunc) // bounds those calls
	noSweep     bool
	reserve     func(*sqlite.Reserve) // which is 64 MiB large otherwise
}

// egress is how what is configured is connected to.
func (o Options) egress() egress.Ways {
	if o.seams.http != nil {
		return egress.Through(o.seams.http)
	}
	return egress.New(egress.Machine, nil)
}

// Local is a whole deployment in one process.
type Local struct {
	Engine *local.Engine
	Submit workflow.Submit
	drifts store.Drifts
	Runs   store.Runs
	flows  *store.Flows
	Tokens store.Tokens
	Audit  *audit.Files[events.AuditRecord]
	Admin  *audit.Files[events.AdminRecord]
	// Receipts prove that records are in the transparency log.
	Receipts *transparency.Prover
	URL      string
	// Slack is the simulated workspace; nil where it is a real one.
	Slack *slacksim.Sim

	clock       *movedClock
	fixedClock  atomic.Pointer[string] // why it is not to be moved: see clockFixed
	moving      sync.Mutex             // held while it is moved
	people      *slackapp.Directory
	explainer   core.Explainer
	guide       []string // of the simulated Slack, in mrkdwn
	slackHealth *workflow.Health
	reserve     *sqlite.Reserve

	logged following // by log destinations

	options  Options
	isolated []string // flows whose handlers have a function of their own
	faults   error    // of a configuration that is not in force; set before anything is served
	refused  refusals
	server   *http.Server
	listener net.Listener
	workers  []func(context.Context) error // run beside the engine
	closers  []func() error
}

// Serve opens a local deployment and runs it until the context ends.
func Serve(ctx context.Context, o Options) error {
	l, err := Open(ctx, o)
	if err != nil {
		return err
	}
	l.welcome(o.Out)
	return errors.Join(l.Run(ctx), l.Close())
}

func databaseFile(data string) string { return filepath.Join(data, "sym.db") }

// consumers of the change feed.
const (
	relayConsumer  = "relay"
	notifyConsumer = "notify"
	auditConsumer  = "audit"
)

// Open builds a local deployment, publishes its flows and takes up what an
// earlier process left. It listens already, and works once Run is called. A
// configuration with faults is an error only if no access is left to take away.
func Open(ctx context.Context, o Options) (l *Local, err error) {
	l = &Local{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	look := describe(ctx, o.Flows, o.Settings.Org, sdk.Here{Dir: o.SDK})
	if o.seams.describe != nil {
		look = o.seams.describe
	}
	configured, report := catalog.Load(o.Flows, o.Settings.Org, builtin.Types(), look)
	if err := report.Err(); err != nil {
		if _, missing := os.Stat(databaseFile(o.Data)); missing != nil {
			return l, err // nothing was ever granted
		}
	}
	for _, w := range report.Warnings {
		o.Log.Warn("configuration: " + w.String())
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return l, err
	}
	unlock, err := sqlite.Lock(o.Data)
	if err != nil {
		return l, err
	}
	l.closers = append(l.closers, unlock)
	l.reserve = &sqlite.Reserve{Path: filepath.Join(o.Data, "reserve"), Size: sqlite.ReserveSize}
	if o.seams.reserve != nil {
		o.seams.reserve(l.reserve)
	}
	if l.clock, err = openClock(o.Clock, o.Data); err != nil {
		return l, err
	}
	db, err := l.reserve.Open(databaseFile(o.Data), o.Clock.Now, relayConsumer, notifyConsumer, auditConsumer)
	if err != nil {
		return l, err
	}
	l.closers = append(l.closers, db.Close)
	if l.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return l, err
	}
	l.closers = append(l.closers, l.listener.Close)
	l.URL = urlOf(l.listener.Addr())

	return l, l.build(ctx, db, configured, report.Err())
}

// load reads the configuration, and looks at the Python in it.
func load(ctx context.Context, dir, org string, python sdk.Here) (*catalog.Catalog, catalog.Report) {
	return catalog.Load(dir, org, builtin.Types(), describe(ctx, dir, org, python))
}

// describe is what the catalog in a folder is loaded with.
func describe(ctx context.Context, dir, org string, python sdk.Here) catalog.Describe {
	python.Plain = catalog.Isolates(catalog.Folder(dir), org, builtin.Types())
	return func(s flow.Source, isolated string) (flow.Outline, error) { return python.Describe(ctx, s, isolated) }
}

// urlOf is where a browser on this machine finds a listening address.
func urlOf(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// links is the address that links to runs have; "" if there is none that others reach.
func (l *Local) links(slack *slackSide) string {
	if slack.mode == config.Simulated { // which is on this machine, as we are
		return l.URL
	}
	return l.options.Settings.URL
}

// build wires everything that needs the store.
func (l *Local) build(ctx context.Context, db *sqlite.Store, configured *catalog.Catalog, faults error) error {
	o := l.options
	now := l.clock.Now
	engine := &local.Engine{Clock: l.clock, Log: o.Log}
	watched := &local.Watched{Store: db}
	if o.seams.store != nil {
		watched.Store = o.seams.store(db)
	}
	c := core.New(o.Settings, watched, core.Clocks{Business: l.clock, Wall: core.Wall{Clock: o.Clock}}, o.Log)
	c.Runs.Decoded = new(store.Decoded)
	runs, flows := c.Runs, c.Flows
	l.Engine, l.Tokens, l.Runs, l.flows = engine, c.Tokens, runs, flows
	l.watchDisk(c.Notices)
	l.Audit = &audit.Files[events.AuditRecord]{Dir: filepath.Join(o.Data, "audit"), Now: o.Clock.Now, MakeRoom: l.reserve.MakeRoom}
	l.Admin = &audit.Files[events.AdminRecord]{Dir: filepath.Join(o.Data, "admin"), Now: o.Clock.Now, MakeRoom: l.reserve.MakeRoom}

	logging, err := l.openLog(ctx, db)
	if err != nil {
		return err
	}

	functions, secrets, err := l.configure(ctx, c, configured, faults)
	if err != nil {
		return err
	}
	if err := l.deliver(ctx, c, db, secrets); err != nil {
		return err
	}
	l.drifts = c.Drifts
	if err := l.settleClock(ctx); err != nil {
		return err
	}
	slack, err := l.slack(ctx, c)
	if err != nil {
		return err
	}
	if err := l.startBeat(logging, slack.api); err != nil {
		return err
	}
	handlers, err := l.serveHandlers(c, functions, core.ServicesPorts{
		People: slack.handlers.Directory, Slack: slack.handlers, Secrets: secrets, Functions: functions,
	})
	if err != nil {
		return err
	}
	deps := clients.Deps{
		Functions: functions, Handlers: handlers, Secrets: secrets, Egress: o.egress(), Now: o.Clock.Now, Limiter: c.Limiter,
		// The credentials of this machine, or AWS_ENDPOINT_URL's emulator.
		AWS: func() (aws.Config, error) { return awsconfig.LoadDefaultConfig(ctx) },
	}
	open := clients.Open(deps)
	deps.Looking = true
	looking := clients.Open(deps)
	if o.seams.open != nil {
		open, looking = o.seams.open(open), o.seams.open(looking)
	}
	times := db.Times()
	var access *workflow.Access // made below: the remover and the schedule that it needs call it in turn
	looked := runs.Shared()
	targetOf := func(ctx context.Context, id string) string {
		r, err := looked.Get(ctx, id)
		if err != nil || r.Access == nil {
			return "" // its removal will say what is wrong
		}
		return r.Access.At()
	}
	remover := &local.Remover{
		Engine: engine, Target: targetOf, OnTime: func(ctx context.Context, id string) error { return access.OnTime(ctx, id) },
	}
	looks := local.Looks{Engine: engine, Target: targetOf, Look: func(ctx context.Context, id string) error { return access.Look(ctx, id) }}
	schedule := &local.Schedule{Times: times, Remover: remover}
	var scheduled workflow.Schedule = schedule
	if o.seams.schedule != nil {
		scheduled = o.seams.schedule(schedule)
	}
	access, err = c.Access(core.AccessPorts{
		Open: open, Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound, Handlers: handlers, Schedule: scheduled, Remover: remover, Looks: looks,
		CallTimeout: cmp.Or(o.seams.callTimeout, 30*time.Second), Within: o.seams.within,
	})
	if err != nil {
		return err
	}
	approval, err := c.Approval(core.ApprovalPorts{
		Directory: slack.directory, Functions: functions, Handlers: handlers, Bound: builtin.CheckBound, FunctionTimeout: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	runner := &local.Runner{
		Engine: engine, Await: approval.Await,
		Lane: func(ctx context.Context, id string, step flow.Step) string {
			r, err := looked.Get(ctx, id)
			switch {
			case err != nil:
				return "" // the step will say what is wrong
			case step == flow.StepEscalate && r.Access != nil:
				return "granting at " + r.Access.At()
			case step == flow.StepEscalate && r.GivenTarget() != nil:
				return "granting of " + r.Flow + " at " + r.GivenTarget().Name
			}
			return "of flow " + r.Flow // whose handlers and functions it may call
		},
		Enter: func(ctx context.Context, id string) (flow.Step, error) {
			r, err := looked.Get(ctx, id)
			return flow.Next(r), err
		},
		Tasks: map[flow.Step]local.Task{
			flow.StepRoute: approval.Route, flow.StepDecide: approval.Decide, flow.StepForward: approval.Forward, flow.StepVouch: approval.Vouch,
			flow.StepEscalate: access.Escalate, flow.StepExtend: access.Extend, flow.StepLater: access.Later,
		},
	}
	drive := workflow.Drive{Runs: runs, Runner: runner, Remover: remover, Now: now}
	sweep := c.Sweep(drive, 0)
	notify := c.Notify(slackapp.Messenger{API: slack.api}, c.HomeTab(slack.api))
	notify.Settle = workflow.Settle
	l.slackHealth = notify.Health
	shipping := c.Audit(
		simulatedLog[events.AuditRecord]{logging, l.clock, func(r *events.AuditRecord) *events.AuditMeta { return &r.Meta }},
		simulatedLog[events.AdminRecord]{logging.Admin(), l.clock, func(r *events.AdminRecord) *events.AuditMeta { return &r.Meta }},
	)
	l.Submit = c.Submit(slack.directory, builtin.CheckBound, handlers, l.closed)
	assembler, relay := l.assembler(c), workflow.Relay{Drive: drive}
	proposals := &proposer{engine: engine, propose: c.Propose(l.Submit), conclude: c.Conclude()}
	watched.Readers = []*local.Reader{
		{Name: relayConsumer, Engine: engine, Feed: db, Later: times, Handle: local.Each(func(ctx context.Context, change store.Change) error {
			assembler.changed(change)
			return errors.Join(relay.Handle(ctx, change), proposals.changed(ctx, change))
		})},
		{Name: notifyConsumer, Engine: engine, Feed: db, Later: times, Handle: local.Each(notify.Handle)},
		// What it writes are files, of which each takes long, however little is in it.
		{Name: auditConsumer, Engine: engine, Feed: db, Later: times, Handle: local.Batch(shipping.Handle), Batch: 1000},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", l.healthz)
	events := &api.API{
		Submit: l.Submit, Runs: runs, Flows: flows, Tokens: l.Tokens, Drifts: c.Drifts, Messages: c.Messages, Receipts: l.Receipts, Org: o.Settings.Org, Now: now, Log: o.Log,
		Attempts: &api.Attempts{PerMinute: badTokensPerMinute, Now: o.Clock.Now},
	}
	served := events.Handler()
	mux.Handle("/api/v1/", served)
	mux.Handle(api.Base+api.EntitiesPath, (&api.ConfigAPI{
		Configure: c.Configure(catalog.Checker{Org: c.Org, Types: builtin.Types(), Describe: reading(handlers)}.Check, nil),
		Tokens:    l.Tokens, Now: now, Log: o.Log, Attempts: &api.Attempts{PerMinute: badTokensPerMinute, Now: o.Clock.Now},
	}).Handler())
	mux.Handle(mcp.Path, mcp.Handler{API: served, Admit: events.AdmitAgent, Now: time.Now, Sleep: client.Sleep, Longest: mcp.Longest}.Handler())
	l.explainer, err = c.Explainer(core.ExplainPorts{
		Directory: slack.directory, Handlers: handlers, Entitlements: builtin.Entitlements, Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound,
	})
	if err != nil {
		return err
	}
	var shown *slackapp.App
	handOn := func(_ context.Context, task []byte) error {
		engine.Go("form "+flow.NewRunID(), func(ctx context.Context) {
			if err := shown.Continue(ctx, task); err != nil {
				o.Log.ErrorContext(ctx, "a form was not shown", "error", err)
			}
		})
		return nil
	}
	shown, err = c.SlackApp(core.SlackPorts{API: slack.api, APIURL: slack.apiURL, URL: l.links(slack), HandOn: handOn, Directory: slack.directory, Handlers: handlers, Bound: builtin.CheckBound, Explain: l.explainer.Request, Closed: l.closed})
	if err != nil {
		return err
	}
	l.mount(mux, slack, shown)
	l.server = loopback.NewServer(mux, c.Patience, o.Log)

	// The rest takes up what an earlier process left.
	if err := schedule.Load(ctx); err != nil {
		return err
	}
	for _, r := range watched.Readers {
		if err := r.Load(ctx); err != nil {
			return err
		}
	}
	if err := runner.Recover(ctx, runs, drive, access.TakeOver); err != nil {
		return err
	}
	assembler.start() // of what an earlier process left
	proposals.start()
	standing, relist := c.Standing(slack.directory), c.Relist()
	engine.Every("standing", core.LookEvery, func(ctx context.Context) error {
		relist.Look(ctx)
		_, err := standing.Look(ctx)
		return err
	})
	linger, compare := c.Linger(looking, builtin.Observes), c.Reconcile(looking, builtin.Observes)
	look := func(ctx context.Context) {
		if _, err := linger.Ask(ctx); err != nil {
			o.Log.ErrorContext(ctx, "targets were not asked for how long sessions go on, the next look does", "error", err)
		}
	}
	engine.Go("linger", look)
	// Commands beside this process, drift -now and user confirm among them, write
	// to the database and wake nobody here.
	engine.Every("writes of others", time.Minute, func(context.Context) error {
		for _, r := range watched.Readers {
			r.Kick()
		}
		return nil
	})
	engine.Every("drift", core.LookEvery, func(ctx context.Context) error {
		engine.Go("linger", look)
		_, err := compare.Look(ctx)
		return err
	})
	engine.Every("erasures", time.Minute, c.Erasures.Work)
	reports := c.Reports(report.Here(o.Data), reportFolder(o.Data))
	engine.Every("the report of a month", time.Hour, reports.Monthly)
	if !o.seams.noSweep {
		local.Sweeper{Engine: engine, Sweep: sweep}.Start()
	}
	return l.apiToken(ctx)
}

// reading looks at Python without running it.
func reading(handlers *sdk.Client) func(context.Context, flow.Source, string) (flow.Outline, error) {
	reader := *handlers
	reader.Read = true
	return reader.Describe
}

// badTokensPerMinute is more than somebody mistypes, and too few to tire the
// store.
const badTokensPerMinute = 60

// simulatedOwner is one of the simulation's people who approves nothing by
// README's first steps.
const simulatedOwner = "carol@example.com"

// apiToken writes a new token to -data/token, unless the file holds a valid
// one. In a real workspace nobody but -owner says who answers for it.
func (l *Local) apiToken(ctx context.Context) error {
	owner := l.options.Owner
	if owner == "" && l.Slack != nil {
		owner = simulatedOwner
	}
	const bot, valid = "local", 365 * 24 * time.Hour
	file := l.tokenFile()
	value, err := os.ReadFile(file)
	if err == nil {
		var t store.Token
		if _, t, err = l.Tokens.Check(ctx, string(value)); err == nil {
			if t.Owner == "" && owner != "" {
				_, err = l.Tokens.SetOwner(ctx, flow.Itself, t.ID, owner)
			}
			return err
		}
		if flow.CodeOf(err) != flow.CodeUnauthenticated {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if owner == "" {
		l.options.Log.WarnContext(ctx, "no token of the API was made: start with -owner and the e-mail address of whoever answers for it", "file", file)
		return nil
	}
	created, _, err := l.Tokens.Create(ctx, flow.Itself, store.Token{Bot: bot, Owner: owner, Label: "made for " + file}, valid)
	if err != nil {
		return err
	}
	// Writing to an existing file would keep its permissions.
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(created), 0o600)
}

func (l *Local) tokenFile() string { return filepath.Join(l.options.Data, "token") }

// garbage is by how many percent memory may grow before garbage is collected. What
// lives is little, and at Go's 100 a busy server spends a sixth of its time collecting.
const garbage = 400

// Run serves until the context ends, then lets work under way finish.
func (l *Local) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	answered := make(chan struct{})
	failed := make(chan error, 1+len(l.workers))
	ended := make(chan struct{}, 1+len(l.workers))
	begin := func(work func() error) {
		go func() {
			if err := work(); err != nil && ctx.Err() == nil {
				failed <- err
				stop()
			}
			ended <- struct{}{}
		}()
	}
	begin(func() error {
		if err := l.server.Serve(l.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	for _, w := range l.workers {
		begin(func() error { return w(ctx) })
	}
	context.AfterFunc(ctx, func() {
		if l.Slack != nil {
			l.Slack.Close() // pages that listen would keep the server from shutting down
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(10*time.Second, l.options.Settings.Patience))
		defer cancel()
		if err := l.server.Shutdown(grace); err != nil {
			l.server.Close()
		}
		close(answered)
	})
	l.Engine.Run(ctx)
	for range 1 + len(l.workers) {
		<-ended
	}
	<-answered // Serve ends when Shutdown begins: requests may still be in flight
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// Close gives back what Open took.
func (l *Local) Close() error {
	var failed []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		if err := l.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			failed = append(failed, err)
		}
	}
	l.closers = nil
	return errors.Join(failed...)
}
