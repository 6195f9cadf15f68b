package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/policy"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

const explainUsage = `explain says what would come of a request, and does none of it:

  local explain -flow prod-access -as alice@example.com -target orders-db -fields '{"reason": "…", "duration": "10m"}'
  local explain -flow prod-access -as alice@example.com … -at 2026-12-24T03:00:00Z -json

or why a run is where it is, and what would come of it:

  local explain -run 12345678-…

People are those of -directory; without it those of the workspace whose tokens are in
the environment; and without tokens those of the simulated one.

`

// explanation is the command of that name.
type explanation struct {
	options   Options
	flow, run string
	as        string
	target    string
	fields    string
	by        string
	agent     string
	purpose   string
	at        string
	directory string
	about     []string
	asJSON    bool
	out       io.Writer
}

func explain(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local explain", out)
	x := explanation{out: out, options: Options{Settings: settings, Clock: core.WallClock{}}}
	set.StringVar(&x.flow, "flow", "", "name of the flow of -flows that is asked for")
	set.StringVar(&x.as, "as", "", "e-mail address of who asks")
	set.StringVar(&x.target, "target", "", "name of the target, which may be in -fields as well")
	set.StringVar(&x.fields, "fields", "{}", "what the form says, as JSON")
	set.StringVar(&x.by, "by", "", "how it is asked for: slack or api (default slack, where the flow allows that)")
	set.StringVar(&x.agent, "agent", "", "name of an agent of -as that asks for them")
	set.StringVar(&x.purpose, "purpose", "", "what the agent says it is for")
	set.StringVar(&x.at, "at", "", "when, such as 2026-12-24T03:00:00Z (default now)")
	set.StringVar(&x.run, "run", "", "instead of -flow: id of a run of -data")
	set.StringVar(&x.directory, "directory", "", "file that says who people are, and who is in which group (docs/policy.md)")
	set.Func("about", "e-mail address of somebody else of whom it is to be said whether they could approve; may be repeated", func(email string) error {
		x.about = append(x.about, email)
		return flow.CheckEmail(email)
	})
	set.BoolVar(&x.asJSON, "json", false, "print all that is known, with the audit records, as JSON")
	set.StringVar(&x.options.Data, "data", ".local", dataUsage+", whose runs and identities count if it is there")
	set.StringVar(&x.options.Flows, "flows", "flows", flowsUsage)
	set.StringVar(&x.options.SDK, "sdk", "", sdkUsage)
	set.Usage = func() {
		fmt.Fprint(out, explainUsage)
		set.PrintDefaults()
	}
	if err := parse(set, args); err != nil {
		return err
	}
	switch {
	case x.run == "" && (x.flow == "" || x.as == ""):
		return errors.New("say what to explain: -flow and -as, such as -flow prod-access -as alice@example.com, or -run with the id of a run")
	case x.run != "" && (x.flow != "" || x.as != "" || x.agent != ""):
		return errors.New("-run is of a run that there is: leave -flow, -as and -agent out")
	case x.agent == "" && x.purpose != "":
		return errors.New("-purpose is what an agent says: name it with -agent")
	}
	return x.do(ctx)
}

func (x explanation) do(ctx context.Context) error {
	now := x.options.Clock.Now()
	if x.at != "" {
		at, err := time.Parse(time.RFC3339, x.at)
		if err != nil {
			return fmt.Errorf("-at %q is no time: write one such as 2026-12-24T03:00:00Z", x.at)
		}
		now = at
	}
	values := map[string]any{}
	if err := json.Unmarshal([]byte(x.fields), &values); err != nil {
		return fmt.Errorf("-fields is no JSON object: %w", err)
	}
	if x.target != "" {
		values[flow.FieldNameTarget] = x.target
	}
	var below store.Store
	if _, err := os.Stat(databaseFile(x.options.Data)); err == nil {
		db, err := sqlite.Beside(databaseFile(x.options.Data), x.options.Clock.Now)
		if err != nil {
			return err
		}
		defer db.Close()
		below = db
	} else if x.run != "" {
		return fmt.Errorf("there is no state in %s, so that there is no run %s: say by -data where it is", x.options.Data, x.run)
	}
	configured, report := load(ctx, x.options.Flows, x.options.Settings.Org, sdk.Here{Dir: x.options.SDK})
	if err := report.Err(); err != nil {
		return err
	}
	if x.run == "" && !slices.ContainsFunc(configured.Flows, func(f *flow.Flow) bool { return strings.EqualFold(f.Name, x.flow) }) {
		var names []string
		for _, f := range configured.Flows {
			names = append(names, f.Name)
		}
		return fmt.Errorf("there is no flow %q%s: there are %s", x.flow, flow.DidYouMean(x.flow, names), strings.Join(names, ", "))
	}
	e, err := newExplainer(ctx, x.options, configured, below, x.run == "")
	if err != nil {
		return err
	}
	defer e.Close()
	people, err := e.whoever(ctx, x)
	if err != nil {
		return err
	}
	var said workflow.Explanation
	if x.run != "" {
		said, err = e.Of(ctx, x.run, now, people)
	} else {
		var as store.User
		if as, err = e.directory.UserByEmail(ctx, x.as); err != nil {
			return err
		}
		said, err = e.Request(ctx, workflow.Question{Flow: x.flow, As: as, By: flow.Channel(x.by), Agent: x.agent, Purpose: x.purpose, Values: values, At: now, People: people})
	}
	if err != nil {
		return err
	}
	if x.asJSON {
		encoder := json.NewEncoder(x.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(said)
	}
	tellExplanation(x.out, said)
	return nil
}

// whoever has the directory asked that the command names, and gives those of whom it
// is to be said whether they could approve.
func (e *explainer) whoever(ctx context.Context, x explanation) ([]store.User, error) {
	people, err := e.workspace(ctx, x)
	for _, email := range x.about {
		if err != nil {
			return nil, err
		}
		var u store.User
		u, err = e.directory.UserByEmail(ctx, email)
		people = append(people, u)
	}
	return people, err
}

// workspace says who people are: by a file, by a real workspace, or by the simulated
// one.
func (e *explainer) workspace(ctx context.Context, x explanation) ([]store.User, error) {
	if x.directory != "" {
		given, err := directoryFile(x.directory, e.core.Org)
		if err != nil {
			return nil, err
		}
		e.directory.Directory = given
		return given.People(), nil
	}
	slack := x.options.Settings.Slack
	mode, err := slack.Mode()
	if err != nil {
		return nil, err
	}
	if mode != config.Simulated {
		api := core.SlackAPI(slack, core.SlackHTTP(e.core.Patience))
		team, err := slackapp.Workspace(ctx, api)
		e.directory.Directory = e.core.Directory(api, team)
		return nil, err
	}
	in, err := inhabitants(ctx, e.core.Flows)
	if err != nil {
		return nil, err
	}
	if x.as != "" {
		in.Person(x.as)
	}
	return e.simulated(ctx, in)
}

// simulated has the directory of a simulated workspace asked, and gives everybody in it.
func (e *explainer) simulated(ctx context.Context, in slacksim.Inhabitants) ([]store.User, error) {
	const nowhere = "http://127.0.0.1" // it is asked in memory
	made := config.Slack{BotToken: "xoxb-" + rand.Text(), SigningSecret: rand.Text(), APIURL: nowhere + "/api"}
	sim, err := slacksim.New(slacksim.Config{
		People: in.People, Groups: in.Groups, Channels: in.Channels,
		SigningSecret: made.SigningSecret, BotToken: made.BotToken, AppURL: nowhere, BaseURL: nowhere, Clock: core.WallClock{},
	})
	if err != nil {
		return nil, err
	}
	e.local.closers = append(e.local.closers, func() error { sim.Close(); return nil })
	api := core.SlackAPI(made, slacksim.InProcess(sim))
	team, err := slackapp.Workspace(ctx, api)
	if err != nil {
		return nil, err
	}
	d := e.core.Directory(api, team)
	d.Simulated = true
	e.directory.Directory = d
	var people []store.User
	for _, p := range in.People {
		u, err := d.UserByEmail(ctx, p.Email)
		if err != nil {
			return nil, err
		}
		people = append(people, u)
	}
	return people, nil
}

// directoryFile reads a directory from a file.
func directoryFile(name, org string) (*policy.Directory, error) {
	given, faults := policy.ReadDirectory(os.DirFS(filepath.Dir(name)), filepath.Base(name), org)
	var all []error
	for _, f := range faults {
		f.File = name
		all = append(all, errors.New(f.String()))
	}
	return given, errors.Join(all...)
}

// explainer explains requests of a configuration, with handlers that run and nothing else
// that does anything.
type explainer struct {
	core.Explainer
	core      core.Core
	directory *exchanged
	local     *Local
	dir       string
}

// exchanged is a directory that can be exchanged for another one.
type exchanged struct{ workflow.Directory }

// newExplainer makes one on a table, nil for an empty one, to which it writes nothing. It
// supposes that the configuration is published, unless what is published already is to be
// explained.
func newExplainer(ctx context.Context, o Options, configured *catalog.Catalog, below store.Store, publish bool) (_ *explainer, err error) {
	e := &explainer{directory: &exchanged{policy.NewDirectory(o.Settings.Org)}}
	if e.dir, err = os.MkdirTemp("", "symflows-explain-"); err != nil {
		return nil, err
	}
	o.Data, o.Log = e.dir, slog.New(slog.DiscardHandler)
	e.local = &Local{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	e.core = core.New(o.Settings, &store.Draft{Below: below}, core.OneClock(o.Clock), o.Log)
	c := e.core
	if publish {
		if _, err := c.Flows.Publish(ctx, flow.Author{}, configured.Flows); err != nil {
			return nil, err
		}
	}
	functions, secrets, err := e.local.functions(ctx, configured, false)
	if err != nil {
		return nil, err
	}
	handlers, err := e.local.serveHandlers(c, functions, core.ServicesPorts{
		People: e.directory, Slack: saidSlack{io.Discard}, Secrets: secrets, Functions: saidFunctions{io.Discard},
	})
	if err != nil {
		return nil, err
	}
	e.Explainer, err = c.Explainer(core.ExplainPorts{
		Directory: e.directory, Handlers: handlers, Entitlements: builtin.Entitlements, Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound,
	})
	return e, err
}

// Close ends what runs handlers.
func (e *explainer) Close() error {
	return errors.Join(e.local.Close(), os.RemoveAll(e.dir))
}

// tellExplanation writes an explanation for people to read.
func tellExplanation(out io.Writer, x workflow.Explanation) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
	if x.Run != "" {
		line("run %s of %s (version %s), for %s, is %s", x.Run, x.Flow, x.Version, x.Requester, x.Status)
		if x.Waits != "" {
			line("it waits for %s", x.Waits)
		}
	} else {
		asks := x.Requester
		if x.Agent != "" {
			asks = "agent " + x.Agent + " of " + x.Requester
		}
		line("%s asks for %s (version %s) at %s", asks, x.Flow, x.Version, at(x.At))
	}
	why := ""
	if x.Why != "" {
		why = ": " + x.Why
	}
	switch x.Outcome {
	case workflow.OutcomeAsked:
	case workflow.OutcomeApproved:
		line("it is approved%s", why)
	case workflow.OutcomeFailed:
		line("it fails, and waits for a repair%s", why)
	default:
		line("it is %s%s", x.Outcome, why)
	}
	for i, round := range x.Rounds {
		line("%d. asks %s from %s until %s", i+1, cmp.Or(strings.Join(round.Asks, " and "), "nobody who is known"), at(round.From), at(round.Until))
	}
	switch {
	case x.Silence != nil && x.Silence.Why != "":
		line("if nobody decides: %s at %s (%s)", x.Silence.Status, at(x.Silence.At), x.Silence.Why)
	case x.Silence != nil:
		line("if nobody decides: %s at %s", x.Silence.Status, at(x.Silence.At))
	case len(x.Rounds) > 0:
		line("if nobody decides: the last round begins anew")
	}
	if x.Needs > 0 {
		line("it needs %s of %s", approvals(x.Needs), x.Approvers)
	}
	for _, p := range x.People {
		if p.May {
			line("  %s may approve (%s)", p.Person, strings.Join(p.Via, ", "))
		} else {
			line("  %s may not: %s", p.Person, p.Why)
		}
	}
	if g := x.Grant; g != nil && g.Failed != "" {
		line("once approved, nothing is granted: %s", g.Failed)
	} else if g != nil {
		line("once approved: %s at %s (%s), as %s", g.Target, g.Strategy, g.Type, g.Identity)
		for _, each := range g.Entitlements {
			line("  right: %s", each.Words())
		}
		switch {
		case g.Ends.IsZero():
			line("  it ends by hand only")
		case g.Latest.After(g.Ends):
			line("  approved at once, it ends at %s; extended as far as that goes, at %s", at(g.Ends), at(g.Latest))
		default:
			line("  approved at once, it ends at %s", at(g.Ends))
		}
	}
	if len(x.Uninvoked) > 0 {
		line("not invoked, and taken to have agreed: %s", strings.Join(x.Uninvoked, ", "))
	}
	if len(x.Records) > 0 {
		line("the record says:")
	}
	for _, r := range x.Records {
		state := ""
		if r.State.Status != string(flow.StateCompleted) {
			state = " (" + r.State.Status + ")"
		}
		for _, e := range r.State.Errors {
			state += ": " + e.Message
		}
		line("  %s %s by %s%s", at(r.Event.Timestamp), r.Event.Type, cmp.Or(r.Actor.Username, r.Actor.Name), state)
	}
}

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}
