package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	ports "github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// Client asks customers' handlers, by invoking the function that runs them.
type Client struct {
	Functions workflow.Functions // required
	// ARN is that of the function which runs handlers; required.
	ARN string
	// Isolated names the flows that have a function of their own: see
	// [IsolatedFunction].
	Isolated []string
	// Read has Describe read sources, and run nothing of them.
	Read  bool
	Runs  store.Runs   // required by Do
	Flows *store.Flows // required by Do
	Users store.Users
	Calls store.Calls
	// Services is where handlers reach us while they run. If it is zero, they
	// can't.
	Services Services
	// Supposed says that runs are only supposed, and kept nowhere: handlers ask as ever, and
	// nothing comes of it.
	Supposed bool
	Log      *slog.Logger // takes what handlers print
	// Patience is the least time that a handler has whose flow does not say how
	// much; zero where machines are fast enough.
	Patience time.Duration
}

// maxFunctionName is Lambda's limit in characters
// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html).
const maxFunctionName = 64

// IsolatedFunction gives the function that runs the handlers of one flow alone,
// beside that which runs those of the others: both by their names, or by ARNs
// without a version. The flow's name is a part of it, or where that is too long
// its beginning and a digest.
func IsolatedFunction(shared, flow string) string {
	at := strings.LastIndexByte(shared, ':') + 1
	name := shared[at:] + "-" + flow
	if len(name) > maxFunctionName {
		digest := sha256.Sum256([]byte(name))
		const kept = maxFunctionName - 1 - 2*4
		name = name[:kept] + "-" + hex.EncodeToString(digest[:4])
	}
	return shared[:at] + name
}

// Services is where handlers find us while they run: at a URL of this machine,
// or as a function.
type Services struct {
	URL      string
	Function string
	// Offers lists the ops that handlers should ask of us rather than of AWS:
	// "secret" and "invoke".
	Offers []string
}

var (
	_ workflow.Handlers     = (*Client)(nil)
	_ workflow.FormHandlers = (*Client)(nil)
)

// Handle implements workflow.Handlers.
func (c *Client) Handle(ctx context.Context, call workflow.HandlerCall, handlers []string) (flow.Result, error) {
	m, err := c.about(ctx, opHandle, call)
	if err != nil {
		return flow.Result{}, err
	}
	m.Handlers = handlers
	got, err := c.invoke(ctx, m, call)
	if err != nil {
		return flow.Result{}, err
	}
	return read(got), nil
}

// Identity implements workflow.Handlers.
func (c *Client) Identity(ctx context.Context, call workflow.HandlerCall, handler, service, externalID string) (string, error) {
	m, err := c.about(ctx, opIdentity, call)
	if err != nil {
		return "", err
	}
	m.Handler, m.Service, m.External = handler, service, externalID
	requester := m.Event.Run.Actors[string(flow.EventRequest)]
	if requester.ID == "" {
		requester = userOf(call.Flow, call.Run.Requester, nil)
	}
	m.User = &requester
	var id *string
	if err := c.one(ctx, m, call, flow.CodeIdentity, &id); err != nil || id == nil {
		return "", err
	}
	return *id, nil
}

// Prefetch implements workflow.FormHandlers.
func (c *Client) Prefetch(ctx context.Context, call workflow.HandlerCall, name string) ([]flow.Option, error) {
	m, err := c.about(ctx, opPrefetch, call)
	if err != nil {
		return nil, err
	}
	m.Field = name
	var options []flow.Option
	return options, c.one(ctx, m, call, flow.CodeHandler, &options)
}

// OnChange implements workflow.FormHandlers. The call belongs to no run, so the
// handler can't reach us.
func (c *Client) OnChange(ctx context.Context, f *flow.Flow, name, username string, form flow.OpenForm) (flow.OpenForm, error) {
	var code *flow.Source
	for _, p := range f.Params.PromptFields {
		if p.Name == name {
			code = p.OnChange
		}
	}
	if code == nil {
		return form, flow.Errorf(flow.CodeHandler, "field %q of flow %q has no on_change", name, f.Name)
	}
	m := c.message(opOnChange, store.NewWriter(), f, code)
	m.Field, m.Username, m.Form = name, username, &form
	var changed flow.OpenForm
	err := c.one(ctx, m, workflow.HandlerCall{Flow: f}, flow.CodeHandler, &changed)
	return changed, err
}

// FlowsShown implements slackapp.FlowFilter.
func (c *Client) FlowsShown(ctx context.Context, filter flow.Source, vars map[string]string, who store.User, flows []*flow.Flow) ([]string, error) {
	m := c.message(opFlows, store.NewWriter(), nil, &filter)
	m.Handler, m.Vars = flow.HandlerFlows, orEmpty(vars)
	for _, f := range flows {
		m.Flows = append(m.Flows, flowOf(f))
	}
	asker := &flow.Flow{}
	if len(flows) > 0 {
		asker = flows[0]
	}
	u := userOf(asker, who.Actor, map[account]person{accountOf(who.Actor): {Role: who.Role}})
	m.User = &u
	var names []string
	return names, c.one(ctx, m, workflow.HandlerCall{Flow: &flow.Flow{Name: filter.Name}}, flow.CodeHandler, &names)
}

// Methods of a custom strategy.
const (
	MethodIdentity   = "fetch_remote_identity"
	MethodEscalate   = "escalate"
	MethodDeescalate = "deescalate"
)

// Do calls a custom strategy's own code, to change a target or to look up who a
// person is there. For the latter the call has no entitlement, and the value is
// a text or null. The code is that of the run's version of the flow.
func (c *Client) Do(ctx context.Context, s flow.Strategy, method string, call ports.Call) (json.RawMessage, error) {
	r, err := c.Runs.Get(ctx, call.RunID)
	if err != nil {
		return nil, err
	}
	f, err := c.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return nil, err
	}
	if f.Strategy == nil || f.Strategy.Implementation == nil {
		return nil, flow.Errorf(flow.CodeStrategy, "version %s of flow %q has no code of strategy %q", f.Version, f.Name, s.Name)
	}
	e := flow.Event{ID: call.Record.ID, Name: flow.EventName(method), Actor: r.Approver(), Channel: flow.ChannelInternal, At: call.Record.Event.Timestamp}
	if asked, byHand := r.EndAsked(); byHand && method == MethodDeescalate {
		e.Actor, e.Channel = asked.Actor, asked.Channel
	}
	if method == MethodIdentity {
		e.ID, e.Name, e.At = r.ID, flow.EventEscalate, r.Touched
	}
	about := workflow.HandlerCall{Flow: f, Run: r, Event: e}
	m, err := c.about(ctx, opStrategy, about)
	if err != nil {
		return nil, err
	}
	m.Source = sourceOf(f.Strategy.Implementation)
	m.Method = method
	if at, ok := ctx.Deadline(); ok { // a strategy has as long as a target has
		m.TimeoutMS = max(m.TimeoutMS, (time.Until(at) - answerTime).Milliseconds())
	}
	own := strategyOf(f.Org, s)
	own.Targets = m.Event.Flow.Strategy.Targets
	m.Strategy = &own
	if method == MethodIdentity {
		requester := m.Event.Run.Actors[string(flow.EventRequest)]
		m.User = &requester
	} else {
		m.TargetID = call.Target.IDIn(f.Org)
		t := targetOf(f.Org, call.Target)
		m.Event.Target = &t
	}
	var value json.RawMessage
	return value, c.one(ctx, m, about, flow.CodeStrategy, &value)
}

// answerTime is what is left of a call for the answer's way back.
const answerTime = 2 * time.Second

// message begins a message about a source.
func (c *Client) message(op, id string, f *flow.Flow, code *flow.Source) *request {
	timeout := max(flow.DefaultHandlerTimeout, c.Patience)
	if f != nil && f.Params.HandlerTimeout > 0 {
		timeout = time.Duration(f.Params.HandlerTimeout)
	}
	return &request{Version: protocolVersion, ID: id, Op: op, TimeoutMS: timeout.Milliseconds(), Source: sourceOf(code)}
}

func sourceOf(s *flow.Source) source { return source{Name: s.Name, Text: s.Text, SHA256: s.SHA256} }

// about begins a message about an event of a run.
func (c *Client) about(ctx context.Context, op string, call workflow.HandlerCall) (*request, error) {
	code := call.Flow.Implementation
	if code == nil {
		code = &flow.Source{Name: call.Flow.Name + ".py"} // a custom strategy alone
	}
	m := c.message(op, call.Event.ID, call.Flow, code)
	known := map[account]person{}
	for _, who := range people(call.Run, call.Event) {
		if who.ID == "" {
			continue
		}
		role, identities, err := c.Users.Known(ctx, who)
		if err != nil {
			return nil, err
		}
		known[accountOf(who)] = person{role, identities}
	}
	m.Event = eventOf(call.Flow, call.Run, call.Event, known)
	return m, nil
}

// one sends a message that one handler answers, and reads its value. The error
// has the given code if the handler fails.
func (c *Client) one(ctx context.Context, m *request, call workflow.HandlerCall, code flow.Code, value any) error {
	got, err := c.invoke(ctx, m, call)
	if err != nil {
		return err
	}
	var failed *flow.Failure
	switch {
	case got.Error != nil:
		failed = got.Error.failure("")
	case len(got.Results) == 0:
		return flow.Errorf(code, "the function that runs handlers gave no answer to %s", m.Op)
	case got.Results[0].State == stateFailed:
		failed = got.Results[0].failure()
	case got.Results[0].State != stateReturned: // it is not defined
		return nil
	}
	if failed != nil {
		err := flow.Errorf(code, "%s", failed.Message)
		if failed.Code == codeTimeout {
			err.Cause = context.DeadlineExceeded
		}
		return err
	}
	if len(got.Results[0].Value) == 0 {
		return nil
	}
	if err := json.Unmarshal(got.Results[0].Value, value); err != nil {
		return flow.Errorf(code, "%s returned what can't be understood: %v", got.Results[0].Handler, err)
	}
	return nil
}

// opInvoke is what handlers ask to have a function invoked.
const opInvoke = "invoke"

// codeTimeout is what a handler comes to whose time is over.
const codeTimeout flow.Code = "SDK:TIMEOUT"

// invoke sends a message with a token by which the handlers can reach us while
// they run. It logs what they print.
func (c *Client) invoke(ctx context.Context, m *request, call workflow.HandlerCall) (response, error) {
	if call.Run.ID != "" && (c.Services.URL != "" || c.Services.Function != "") {
		begun, offers := store.Call{Run: call.Run.ID, Event: call.Event.ID}, c.Services.Offers
		if c.Supposed {
			begun.Supposed, offers = &call.Run, append(slices.Clone(offers), opInvoke) // AWS would do it
		}
		token, err := c.Calls.Begin(ctx, begun)
		if err != nil {
			return response{}, err
		}
		defer func() {
			// A handler that has kept its token can do nothing with it after
			// the call.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(endTimeout, c.Patience))
			defer cancel()
			if err := c.Calls.End(ctx, token); err != nil {
				c.Log.WarnContext(ctx, "the token of a handler's call stays good until its end", "run", call.Run.ID, "error", err)
			}
		}()
		m.Services = &services{URL: c.Services.URL, Function: c.Services.Function, Token: token, Offers: offers}
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return response{}, fmt.Errorf("encode message to handlers: %w", err)
	}
	arn := c.ARN
	// What is deployed counts, not the flow's version: that may be of a time when
	// there was another function for it. Sources have names that no flow can have.
	if i := slices.IndexFunc(c.Isolated, func(name string) bool { return strings.EqualFold(name, call.Flow.Name) }); i >= 0 {
		arn = IsolatedFunction(c.ARN, c.Isolated[i]) // as it is written today: the case of letters tells no flows apart
	}
	answer, err := c.Functions.Invoke(ctx, arn, payload)
	if err != nil {
		return response{}, fmt.Errorf("ask the handlers of flow %q: %w", call.Flow.Name, err)
	}
	var got response
	if err := json.Unmarshal(answer, &got); err != nil {
		return response{}, &flow.Error{Code: flow.CodeHandler, Message: "the function that runs handlers gave an answer that can't be understood", Cause: err}
	}
	c.printed(ctx, call, "import", got.Output)
	for _, r := range got.Results {
		c.printed(ctx, call, r.Handler, r.Output)
	}
	return got, nil
}

// printed writes to the log what customers' code printed, for it to be found by
// the run.
func (c *Client) printed(ctx context.Context, call workflow.HandlerCall, by, output string) {
	if output = strings.TrimRight(output, "\n"); output != "" {
		c.Log.InfoContext(ctx, output, "run", call.Run.ID, "event", call.Event.ID, "flow", call.Flow.Name, "handler", by)
	}
}

// endTimeout bounds the end of a token.
const endTimeout = 5 * time.Second
