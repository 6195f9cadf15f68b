package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// trial asks what a flow's handlers would do, and changes nothing: the run is
// made up, in a store of its own, and messages or invocations that handlers ask
// us for are printed instead of done. Calls that handlers make to other systems
// themselves are real.
type trial struct {
	flow      string
	event     string
	as        string
	requester string
	fields    string
	context   string
	invoke    bool
	out       io.Writer
}

const tryUsage = `try asks the handlers of a flow what they would do, and does none of it:

  local try -flow prod-access -as alice@example.com -fields '{"reason": "…", "target_id": "orders-db", "duration": "10m"}'
  local try -flow prod-access -event approve -as bob@example.com -requester alice@example.com

`

func try(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local try", out)
	t := trial{out: out}
	set.StringVar(&t.flow, "flow", "", "name of the flow (required)")
	set.StringVar(&t.event, "event", "request", "the event that happens: request, approve, deny, escalate or deescalate")
	set.StringVar(&t.as, "as", "", "e-mail address of whoever does it (required)")
	set.StringVar(&t.requester, "requester", "", "e-mail address of whoever asked (default: the same)")
	set.StringVar(&t.fields, "fields", "{}", "what the form said, as JSON")
	set.StringVar(&t.context, "context", "", "context of a program's request, as JSON")
	set.BoolVar(&t.invoke, "invoke", false, "invoke the functions that handlers ask for, instead of telling so")
	o := Options{Settings: settings, Clock: core.WallClock{}}
	set.StringVar(&o.Flows, "flows", "flows", flowsUsage)
	set.StringVar(&o.SDK, "sdk", "", sdkUsage)
	set.Usage = func() {
		fmt.Fprint(out, tryUsage)
		set.PrintDefaults()
	}
	if err := parse(set, args); err != nil {
		return err
	}
	if t.flow == "" || t.as == "" {
		return errors.New("-flow and -as are required: name a flow, and who does something in it, such as -as alice@example.com")
	}
	configured, report := load(ctx, o.Flows, settings.Org, sdk.Here{Dir: o.SDK})
	if err := report.Err(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "symflows-try-")
	if err != nil {
		return err
	}
	o.Data = dir
	defer os.RemoveAll(dir)
	return t.run(ctx, o, configured)
}

// run makes up a run, asks the handlers, and prints what they answer.
func (t trial) run(ctx context.Context, o Options, configured *catalog.Catalog) (err error) {
	db, err := sqlite.Open(filepath.Join(o.Data, "try.db"), o.Clock.Now)
	if err != nil {
		return err
	}
	l := &Local{options: o, closers: []func() error{db.Close}}
	defer func() { err = errors.Join(err, l.Close()) }()
	l.options.Log = slog.New(slog.DiscardHandler)
	c := core.New(o.Settings, db, core.OneClock(o.Clock), slog.New(printed{t.out}))
	f, r, e, err := t.makeUp(ctx, c, configured)
	if err != nil {
		return err
	}
	handlers := f.Handlers(flow.HookBefore(e.Name))
	if e.Name == flow.EventRequest {
		handlers = f.Handlers(flow.HookBefore(e.Name), flow.HandlerPermissions, flow.HandlerNotifications, flow.HandlerApprovers)
	}
	after := f.Handlers(flow.HookAfter(e.Name))
	if len(handlers)+len(after) == 0 {
		fmt.Fprintf(t.out, "flow %s has no handler for %s: it takes its course\n", f.Name, e.Name)
		return nil
	}
	functions, secrets, err := l.functions(ctx, configured, t.invoke)
	if err != nil {
		return err
	}
	ports := core.ServicesPorts{People: strangers{c.Org}, Slack: saidSlack{t.out}, Secrets: secrets, Functions: functions}
	if !t.invoke {
		ports.Functions = saidFunctions{t.out}
	}
	client, err := l.serveHandlers(c, functions, ports)
	if err != nil {
		return err
	}
	call := workflow.HandlerCall{Flow: f, Run: r, Event: e}
	happens := true
	if len(handlers) > 0 {
		result, err := client.Handle(ctx, call, handlers)
		if err != nil {
			return err
		}
		if result.Error != nil {
			fmt.Fprintf(t.out, "%s\n", result.Error.Message)
			fmt.Fprintf(t.out, "so: %s fails, with %s\n", e.Name, result.Error.Code)
			return nil
		}
		happens = t.tell(f, r, e, *result.Answer)
	} else {
		fmt.Fprintf(t.out, "so: %s takes its course\n", e.Name)
	}
	if !happens || len(after) == 0 {
		return nil
	}
	result, err := client.Handle(ctx, call, after)
	if err == nil && result.Error != nil {
		fmt.Fprintf(t.out, "%s\n", result.Error.Message)
		fmt.Fprintf(t.out, "so: %s has failed, which is reported and changes nothing\n", after[0])
	}
	return err
}

// makeUp returns a run for which the event is about to happen.
func (t trial) makeUp(ctx context.Context, c core.Core, configured *catalog.Catalog) (*flow.Flow, flow.Run, flow.Event, error) {
	fail := func(err error) (*flow.Flow, flow.Run, flow.Event, error) {
		return nil, flow.Run{}, flow.Event{}, err
	}
	i := slices.IndexFunc(configured.Flows, func(f *flow.Flow) bool { return strings.EqualFold(f.Name, t.flow) })
	if i < 0 {
		return fail(fmt.Errorf("there is no flow %q", t.flow))
	}
	if _, err := c.Flows.Publish(ctx, flow.Author{}, configured.Flows); err != nil {
		return fail(err)
	}
	f, err := c.Flows.Latest(ctx, t.flow)
	if err != nil {
		return fail(err)
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(t.fields), &values); err != nil {
		return fail(fmt.Errorf("-fields is no JSON object: %w", err))
	}
	sub, err := f.Submit(values)
	if err == nil && sub.Target != nil {
		err = builtin.CheckBound(*f.Strategy, *sub.Target)
	}
	if err != nil {
		return fail(fmt.Errorf("-fields: %w", err))
	}
	if t.context != "" && !json.Valid([]byte(t.context)) {
		return fail(errors.New("-context is no JSON"))
	}
	people := strangers{c.Org}
	requester, err := people.UserByEmail(ctx, cmp.Or(t.requester, t.as))
	if err != nil {
		return fail(err)
	}
	actor, err := people.UserByEmail(ctx, t.as)
	if err != nil {
		return fail(err)
	}
	id := flow.NewRunID()
	inputs := []flow.Input{
		flow.Start{ID: id, Flow: f, Requester: requester.Actor, Source: flow.ChannelSlack, Context: json.RawMessage(t.context)},
		flow.Receive{Action: flow.ActionRequest, Actor: requester.Actor, Channel: flow.ChannelSlack, Submission: &sub},
		flow.Route{SignalID: flow.EventID(id, 1), Tiers: []flow.Tier{{}}, Deciders: flow.Deciders{Members: true, Required: 1}},
		flow.Receive{Action: flow.ActionApprove, Actor: actor.Actor, Channel: flow.ChannelSlack},
		flow.Decide{SignalID: flow.EventID(id, 2)},
	}
	if !f.ApprovalOnly() {
		inputs = append(inputs,
			flow.Intend{Strategy: *f.Strategy, Target: *sub.Target, Identity: requester.Email, Entitlements: []flow.Entitlement{{Key: "tried"}}},
			flow.Escalate{})
	}
	name := flow.EventName(t.event)
	n := inputsBefore[name]
	if n == 0 || n > len(inputs) || f.ApprovalOnly() && n == 5 {
		return fail(fmt.Errorf("-event %s can't be tried: there are %s, the last three in access flows only", t.event, "request, approve, deny, escalate, extend_request, deescalate"))
	}
	r := flow.Run{}
	for _, in := range inputs[:n] {
		if r, err = flow.Apply(r, in, c.Clock.Now()); err != nil {
			return fail(err)
		}
	}
	if r, err = c.Runs.Put(ctx, r); err != nil {
		return fail(err)
	}
	return f, r, flow.Event{ID: id, Name: name, Actor: actor.Actor, Channel: flow.ChannelSlack, At: c.Clock.Now()}, nil
}

// inputsBefore is how many inputs a run has taken when an event is about to
// happen to it. Zero says that the event can't be tried.
var inputsBefore = map[flow.EventName]int{
	flow.EventPrompt: 0, flow.EventRequest: 2, flow.EventRequestForward: 0, flow.EventRequestExpire: 0,
	flow.EventApprove: 3, flow.EventDeny: 3, flow.EventCancel: 0, flow.EventEscalate: 5, flow.EventDeescalate: 7,
	flow.EventExtendRequest: 7, flow.EventExtend: 0, flow.EventExtendDeny: 0, flow.EventExtendExpire: 0, flow.EventReview: 0,
}

// tell prints what the answer would lead to, and returns whether the event
// would happen.
func (t trial) tell(f *flow.Flow, r flow.Run, e flow.Event, a flow.Answer) bool {
	line := func(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }
	if p := a.Permissions; p != nil {
		who := "these users: " + strings.Join(p.ApproveDeny.Users, ", ")
		if p.ApproveDeny.Level != "" {
			who = string(p.ApproveDeny.Level)
		}
		line("who may decide: %s; their own requests: %t", who, p.AllowSelfApproval)
	}
	notifications := a.Notifications
	if a.Approvers != nil {
		for _, d := range a.Approvers.Destinations {
			notifications = append(notifications, flow.Notification{Destinations: []flow.Destination{d}, Timeout: d.Timeout})
		}
	}
	for i, n := range notifications {
		var to []string
		for _, d := range n.Destinations {
			to = append(to, destination(d))
		}
		patience := flow.DefaultRequestTimeout
		if n.Timeout != nil {
			patience = time.Duration(*n.Timeout) * time.Second
		}
		line("%d. asks %s, for %s", i+1, strings.Join(to, " and "), flow.Words(patience))
	}
	hook := flow.HookBefore(e.Name)
	err := a.Hook.Check(e.Name)
	if err == nil {
		_, _, err = f.Terms(r, e.Name, a.Hook)
	}
	switch {
	case err != nil:
		line("so: %s fails: %s", e.Name, flow.UserMessage(err))
	case a.Hook.Ignores():
		line("so: nothing happens, and %s is told: %s", t.as, a.Hook.Reason(e.Name).Message)
	case a.Hook.Replaces(e.Name):
		line("so: instead of %s there is %s, by the rule of %s%s", e.Name, a.Hook.Event, hook, fieldsOf(a.Hook.Fields))
	case a.Hook != nil:
		line("so: %s happens, changed by %s%s", e.Name, hook, fieldsOf(a.Hook.Fields))
	default:
		line("so: %s takes its course", e.Name)
	}
	return err == nil && !a.Hook.Ignores() && !a.Hook.Replaces(e.Name)
}

func fieldsOf(fields map[string]any) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text += fmt.Sprintf(", %s %q", name, fmt.Sprint(fields[name]))
	}
	return text
}

// destination names a destination for people.
func destination(d flow.Destination) string {
	return cmp.Or(d.Name, d.Email, d.ID, strings.Join(d.Users, ", "))
}

// printed writes what handlers print.
type printed struct{ out io.Writer }

func (printed) Enabled(context.Context, slog.Level) bool { return true }
func (t printed) Handle(_ context.Context, r slog.Record) error {
	handler := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "handler" {
			handler = a.Value.String()
		}
		return true
	})
	if handler == "" {
		return nil
	}
	for text := range strings.Lines(r.Message) {
		if _, err := fmt.Fprintf(t.out, "%s prints: %s\n", handler, strings.TrimRight(text, "\n")); err != nil {
			return err
		}
	}
	return nil
}
func (t printed) WithAttrs([]slog.Attr) slog.Handler { return t }
func (t printed) WithGroup(string) slog.Handler      { return t }

// strangers is a directory in which every e-mail address is that of a member.
// It does not ask Slack.
type strangers struct{ org string }

func (s strangers) UserByEmail(_ context.Context, email string) (store.User, error) {
	if err := flow.CheckEmail(email); err != nil {
		return store.User{}, err
	}
	name, _, _ := strings.Cut(email, "@")
	return store.User{Role: store.RoleMember, Actor: flow.Actor{
		ID: flow.UserID(s.org, email), Kind: flow.KindPerson, Email: strings.ToLower(email), Name: name,
		SlackID: "U0" + strings.ToUpper(name), SlackTeam: "T0TRIED",
	}}, nil
}

func (s strangers) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	return s.UserByEmail(ctx, email)
}

func (strangers) User(_ context.Context, slackID string) (store.User, error) {
	return store.User{Role: store.RoleMember, Actor: flow.Actor{Kind: flow.KindPerson, ID: slackID, SlackID: slackID, Name: slackID}}, nil
}

func (strangers) Group(context.Context, string) ([]store.User, error) { return nil, nil }

// saidSlack prints messages instead of sending them, and answers no questions
// about people.
type saidSlack struct{ out io.Writer }

var errNotTried = flow.Errorf(flow.CodeLookup, "Slack is not asked while handlers are tried")

func (s saidSlack) Send(_ context.Context, to workflow.Address, text string, thread *flow.MessageRef) error {
	where := to.Channel
	for _, u := range to.Users {
		where = strings.TrimPrefix(where+", "+cmp.Or(u.Email, u.SlackID), ", ")
	}
	_, err := fmt.Fprintf(s.out, "would send to %s: %s\n", where, text)
	return err
}

func (saidSlack) UserInfo(context.Context, string) (json.RawMessage, error) { return nil, errNotTried }
func (saidSlack) Users(context.Context, bool) ([]json.RawMessage, error)    { return nil, errNotTried }
func (saidSlack) GroupMembers(context.Context, string) ([]store.User, error) {
	return nil, errNotTried
}
func (saidSlack) ChannelMembers(context.Context, string) ([]store.User, error) {
	return nil, errNotTried
}

// saidFunctions prints invocations instead of making them.
type saidFunctions struct{ out io.Writer }

func (s saidFunctions) Invoke(_ context.Context, arn string, payload []byte) ([]byte, error) {
	_, err := fmt.Fprintf(s.out, "would invoke %s with %s (-invoke does it; without, the answer is None)\n", arn, payload)
	return []byte("null"), err
}
