package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// Ahead is how early access may be called if schedules are precise to a minute only:
// it has itself called again at the exact end. The sweep looks as far ahead, for the
// rule that calls it each minute is as precise: two sweeps are up to two minutes apart.
const Ahead = 2 * time.Minute

// SweepAtOnce is how many runs the sweep drives at the same time. Each is a read and a
// call, which take long in AWS: one after the other, 10,000 ends of one minute would
// take several.
const SweepAtOnce = 32

// LookEvery is how often standing looks, and LookAtOnce how many people it then
// asks Slack about: ten a minute of the hundred and more that Slack allows
// (docs.slack.dev/reference/methods/users.info, Tier 4), so that those whom
// somebody waits for have the rest.
const (
	LookEvery  = 5 * time.Minute
	LookAtOnce = 50
)

// CompareEvery is how often what was granted is compared with what targets show,
// and CompareFor how long one look at them lasts at most: the next one goes on.
const (
	CompareEvery = time.Hour
	CompareFor   = 4 * time.Minute
)

// LingerAtOnce is how many targets are asked at once for how long sessions go on
// there. Most looks have none to ask.
const LingerAtOnce = 50

// Core is a store as the use cases see it, and what else all of them need.
type Core struct {
	Org      string
	Command  string         // what people type in Slack, if that is not /sym
	Clock    workflow.Clock // business time
	Wall     Wall
	Log      *slog.Logger
	Runs     store.Runs
	Acts     store.Acts // what administrators did
	Refusals *store.Refusals
	Grants   store.Grants
	Sick     store.Sick
	Flows    *store.Flows
	// Entities are what the configuration is made of, but for what a deployment's files say
	// alone; Assembled is how far flows were made of them.
	Entities  store.Entities // pieces of configuration
	Assembled store.Assembled
	// ConfigApproval is the name of the flow that approves changes of entities by the API;
	// "": they need no approval.
	Proposals      store.Proposals
	ConfigApproval string
	// Destinations are where records are sent to, and how far each has been.
	Destinations store.Destinations
	Users        store.Users
	Messages     store.Messages
	Tokens       store.Tokens
	Calls        store.Calls  // tokens of handlers' calls
	Values       store.Values // what handlers keep
	Notices      store.Notices
	Rounds       store.Rounds
	Limiter      *workflow.Limiter // of the calls of targets
	Drifts       store.Drifts
	// Lingering is for how long sessions go on at targets.
	Lingering store.Lingering
	Homes     store.Homes // people's Home tabs, and what follows from runs for them
	Waits     store.Waits
	Live      store.Live
	Stats     store.Stats
	Lists     store.Lists // what runs can be found by besides their indexes
	// Erasures are of people who are taken out of what is closed.
	Erasures store.Erasures
	// Deliveries are the events of Slack's that were taken.
	Deliveries store.Deliveries
	// Patience is the least time for which any answer is waited for, as in
	// config.Settings.
	Patience time.Duration
}

// New builds on a store.
func New(settings config.Settings, s store.Store, clocks Clocks, log *slog.Logger) Core {
	clock, wall := clocks.Business, clocks.Wall
	c := Core{
		Org: settings.Org, Command: settings.Slack.Command, Clock: clock, Wall: wall, Log: log, Patience: settings.Patience,
		Runs: store.Runs{Store: s}, Acts: store.Acts{Store: s, Now: wall.Now}, Refusals: &store.Refusals{Store: s, Now: clock.Now}, Grants: store.Grants{Store: s}, Sick: store.Sick{Store: s}, Flows: &store.Flows{Store: s}, Destinations: store.Destinations{Store: s},
		Users: store.Users{Store: s}, Messages: store.Messages{Store: s},
		Tokens: store.Tokens{Store: s, Org: settings.Org, Now: wall.Now},
		Calls:  store.Calls{Store: s, Now: wall.Now}, Values: store.Values{Store: s},
		Notices: store.Notices{Store: s, Now: clock.Now}, Rounds: store.Rounds{Store: s}, Drifts: store.Drifts{Store: s}, Lingering: store.Lingering{Store: s},
		Homes: store.Homes{Store: s}, Waits: store.Waits{Store: s, Now: clock.Now}, Live: store.Live{Store: s, Now: clock.Now}, Stats: store.Stats{Store: s},
		Lists:          store.Lists{Store: s, Now: clock.Now},
		Entities:       store.Entities{Store: s, Org: settings.Org, Now: clock.Now},
		Assembled:      store.Assembled{Store: s},
		ConfigApproval: settings.ConfigApproval,
		Erasures:       store.Erasures{Store: s, Org: settings.Org, Now: wall.Now},
		Deliveries:     store.Deliveries{Store: s, Now: wall.Now},
	}
	c.Limiter = &workflow.Limiter{Limits: store.Limits{Store: s}, Clock: wall, Log: log, Within: c.within}
	return c
}

// Submit builds the way in; bound checks what requests fill into targets, fields
// gives the options that API requests are held to, and closed says why no new
// requests are taken just now. The last two may be nil; see workflow.Submit.
func (c Core) Submit(d workflow.Directory, bound workflow.CheckBound, fields workflow.FormHandlers, closed func() error) workflow.Submit {
	return workflow.Submit{Org: c.Org, Runs: c.Runs, Flows: c.Flows, Directory: d, Bound: bound, Entities: c.Entities, Fields: fields, Closed: closed, Refused: c.refused, Now: c.Clock.Now}
}

// refused records a decision that was refused. It is refused all the same if that
// fails.
func (c Core) refused(ctx context.Context, r flow.Run, click workflow.Click, why error) {
	c.Log.InfoContext(ctx, "a decision was refused", "run", r.ID, "action", click.Action, "user", click.Actor.ID, "error", why)
	if err := c.Refusals.Note(ctx, r, click.Actor.Actor, click.Action, why); err != nil {
		c.Log.ErrorContext(ctx, "a decision that was refused could not be recorded", "run", r.ID, "error", err)
	}
}

// Approval builds the tasks that collect a decision. The error names the ports
// that are missing.
func (c Core) Approval(p ApprovalPorts) (workflow.Approval, error) {
	return workflow.Approval{
		Runs: c.Runs, Flows: c.Flows, Users: c.Users, Lingering: c.Lingering, Notices: c.Notices, Now: c.Clock.Now,
		Directory: p.Directory, Functions: p.Functions, Handlers: p.Handlers, Bound: p.Bound, FunctionTimeout: max(p.FunctionTimeout, c.Patience),
		Log: c.Log,
	}, complete("approval", p)
}

// Access builds what grants and takes away. The error names the ports that are
// missing.
func (c Core) Access(p AccessPorts) (*workflow.Access, error) {
	within := p.Within
	if within == nil {
		within = c.within
	}
	return &workflow.Access{
		Runs: c.Runs, Grants: c.Grants, Sick: c.Sick, Flows: c.Flows, Users: c.identities(), Clock: c.Clock, Log: c.Log,
		Open: p.Open, Rights: p.Rights, TargetType: p.TargetType, Bound: p.Bound, Entities: c.Entities, Handlers: p.Handlers, Schedule: p.Schedule, Remover: p.Remover, Looks: p.Looks,
		CallTimeout: p.CallTimeout, Within: within, Ahead: p.Ahead,
	}, complete("access", p)
}

func (c Core) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(d, c.Patience))
}

// Handlers builds the client that asks customers' Python handlers. They run in
// the function arn, those of isolated flows in functions of their own, invoked
// through f, and reach us at s meanwhile.
func (c Core) Handlers(f workflow.Functions, arn string, s sdk.Services, isolated ...string) *sdk.Client {
	return &sdk.Client{
		Functions: f, ARN: arn, Isolated: isolated, Runs: c.Runs, Flows: c.Flows, Users: c.Users, Calls: c.Calls, Services: s, Log: c.Log, Patience: c.Patience,
	}
}

// Forms builds what asks the handlers of forms.
func (c Core) Forms(h *sdk.Client) workflow.Forms {
	return workflow.Forms{Runs: c.Runs, Flows: c.Flows, Handlers: h, Fields: h, Now: c.Clock.Now}
}

// Services builds what answers handlers while they run. The error names the
// ports that are missing.
func (c Core) Services(p ServicesPorts) (*services.Services, error) {
	return &services.Services{
		Org: c.Org, Calls: c.Calls, Runs: c.Runs, Flows: c.Flows, Users: c.identities(), Values: c.Values, Messages: c.Messages,
		People: p.People, Slack: p.Slack, Secrets: p.Secrets, Functions: p.Functions, Now: c.Clock.Now, Log: c.Log,
	}, complete("services", p)
}

// identities are the people for whoever may write who they are elsewhere.
func (c Core) identities() store.Users {
	users := c.Users
	users.Keeper = true
	return users
}

// Notify builds what shows runs in Slack, in messages and in Home tabs.
func (c Core) Notify(m workflow.Messenger, tab workflow.HomeTab) workflow.Notify {
	home := &workflow.Home{Homes: c.Homes, Waits: c.Waits, Live: c.Live, Stats: c.Stats, Tab: tab, Now: c.Clock.Now, Log: c.Log, Patience: c.Patience}
	return workflow.Notify{Home: home, Lists: c.Lists, Runs: c.Runs, Flows: c.Flows, Messages: c.Messages, Notices: c.Notices, Slack: m, Health: &workflow.Health{}, Now: c.Clock.Now, Log: c.Log, Patience: c.Patience}
}

// Audit builds what ships records.
func (c Core) Audit(runs workflow.AuditLog, admin workflow.AdminLog) workflow.Audit {
	return workflow.Audit{Runs: c.Runs, Acts: c.Acts, Log: runs, Admin: admin}
}

// Deliver builds what sends the records of the log to the log destinations.
func (c Core) Deliver(log transparency.Reader, open workflow.OpenDestination) workflow.Deliver {
	return workflow.Deliver{
		Destinations: c.Destinations, Flows: c.Flows, Notices: c.Notices, Open: open, Now: c.Wall.Now, Log: c.Log, Within: c.within,
		Read: func(ctx context.Context, from int64, max int) (list []workflow.Logged, size int64, err error) {
			entries, size, err := log.Read(ctx, from, max)
			for _, e := range entries {
				list = append(list, workflow.Logged{Index: e.Index, ID: fmt.Sprintf("%s.%d", e.ID, e.Rev), Line: transparency.Line(e.Text, e.Index)})
			}
			return list, size, err
		},
	}
}

// Sweep builds what drives whatever is due; ahead is how far it looks.
func (c Core) Sweep(d workflow.Drive, ahead time.Duration) workflow.Sweep {
	return workflow.Sweep{Runs: c.Runs, Drive: d, Now: c.Clock.Now, Ahead: ahead, AtOnce: SweepAtOnce, Log: c.Log}
}

// Assemble builds what makes flows of entities: parts reads them, and rights says what
// strategies need in AWS.
func (c Core) Assemble(parts func(context.Context, []entity.Entity) ([]workflow.Part, error), rights func(flow.Strategy) strategy.Rights) workflow.Assemble {
	return workflow.Assemble{
		Entities: c.Entities, Flows: c.Flows, Runs: c.Runs, Assembled: c.Assembled, Approval: c.ConfigApproval, Notices: c.Notices, Parts: parts, Rights: rights, Now: c.Clock.Now, Log: c.Log,
	}
}

// Configure builds what takes the configuration from its API: check finds what is wrong
// with an entity, and bounds are what may be granted, nil for anything.
func (c Core) Configure(check func(ctx context.Context, e entity.Entity, around []entity.Entity) []entity.Fault, bounds *entity.Bounds) workflow.Configure {
	return workflow.Configure{Entities: c.Entities, Check: check, Bounds: bounds, Approval: c.ConfigApproval}
}

// Propose builds what asks for approval of what the API proposes.
func (c Core) Propose(s workflow.Submit) workflow.Propose {
	return workflow.Propose{
		Flow: c.ConfigApproval, Entities: c.Entities, Tokens: c.Tokens, Submit: s, Notices: c.Notices, Now: c.Clock.Now, Log: c.Log,
	}
}

// Conclude builds what does what was decided of that.
func (c Core) Conclude() workflow.Conclude {
	return workflow.Conclude{Flow: c.ConfigApproval, Entities: c.Entities, Tokens: c.Tokens, Runs: c.Runs, Now: c.Clock.Now, Log: c.Log}
}

// Wake builds what has flows made of entities, by a function that does not wait.
func (c Core) Wake(call func(context.Context) error) workflow.Wake {
	return workflow.Wake{Assembled: c.Assembled, Call: call, Now: c.Clock.Now}
}

// Standing builds what looks now and then at who holds access, and at requests of
// flows that have changed.
func (c Core) Standing(r workflow.Roll) workflow.Standing {
	return workflow.Standing{Runs: c.Runs, Flows: c.Flows, Rounds: c.Rounds, Roll: r, Notices: c.Notices, Now: c.Clock.Now, Log: c.Log, AtOnce: LookAtOnce}
}

// Relist builds what puts runs of before there were listings into them.
func (c Core) Relist() workflow.Relist {
	return workflow.Relist{Runs: c.Runs, Lists: c.Lists, Now: c.Clock.Now, Log: c.Log}
}

// Reconcile builds what compares now and then what was granted with what targets
// show, by strategies that may look at least; observes tells which can.
func (c Core) Reconcile(open strategy.Opener, observes func(flow.Strategy) bool) workflow.Reconcile {
	return workflow.Reconcile{
		Runs: c.Runs, Grants: c.Grants, Flows: c.Flows, Drifts: c.Drifts, Open: open, Observes: observes, Notices: c.Notices, Now: c.Clock.Now, Log: c.Log,
		Every: CompareEvery, Budget: CompareFor,
	}
}

// Reports builds what makes the reports of months: place is where readers find what
// proves them, and files where those of each month are kept; nil to keep none.
func (c Core) Reports(place report.Place, files workflow.ReportFiles) workflow.Reports {
	return workflow.Reports{
		Org: c.Org, Runs: c.Runs, Flows: c.Flows, Stats: c.Stats, Drifts: c.Drifts, Now: c.Clock.Now, Place: place,
		Notices: c.Notices, Files: files, Log: c.Log,
	}
}

// Linger builds what asks targets for how long sessions go on there, by strategies
// that may look at least; observes tells which can.
func (c Core) Linger(open strategy.Opener, observes func(flow.Strategy) bool) workflow.Linger {
	return workflow.Linger{Flows: c.Flows, Lingering: c.Lingering, Open: open, Observes: observes, Now: c.Clock.Now, Log: c.Log, AtOnce: LingerAtOnce}
}

// Wall is the time of this machine, which nobody moves. What others check goes by it
// (signatures, tokens), and what they make us wait for: how long a call may take, and
// how fast a vendor may be asked. It is a type of its own, so that business time can't
// be given in its place.
type Wall struct{ workflow.Clock }

// Clocks are the two times of a deployment. Business time is what people and flows go
// by: when a request was made, when access ends. It is the machine's, but where a
// simulation has moved it ahead.
type Clocks struct {
	Business workflow.Clock
	Wall     Wall
}

// OneClock is a deployment whose business time is the machine's.
func OneClock(c workflow.Clock) Clocks { return Clocks{Business: c, Wall: Wall{c}} }

// WallClock is the time of this machine.
type WallClock struct{}

// Now is the time.
func (WallClock) Now() time.Time { return time.Now() }

// After waits.
func (WallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Logger writes logs as the settings say.
func Logger(settings config.Settings, w io.Writer) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn}
	options := &slog.HandlerOptions{Level: levels[settings.LogLevel]} // info is the zero value
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
