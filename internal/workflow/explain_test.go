package workflow_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// rules are handlers that always answer the same, so that what is explained and what
// happens hear the same of them.
type rules map[string]says

// Handle implements workflow.Handlers.
func (h rules) Handle(_ context.Context, _ workflow.HandlerCall, names []string) (flow.Result, error) {
	var answer flow.Answer
	for _, name := range names {
		said := h[name]
		if said.failed != nil || said.err != nil {
			return flow.Result{Error: said.failed}, said.err
		}
		if said.answer.Hook != nil {
			answer.Hook = said.answer.Hook
		}
		if said.answer.Permissions != nil {
			answer.Permissions = said.answer.Permissions
		}
		if said.answer.Notifications != nil {
			answer.Notifications = said.answer.Notifications
		}
		if said.answer.Approvers != nil {
			answer.Approvers = said.answer.Approvers
		}
	}
	return flow.Result{Answer: &answer}, nil
}

// Identity implements workflow.Handlers.
func (rules) Identity(context.Context, workflow.HandlerCall, string, string, string) (string, error) {
	return "", nil
}

// follow has the world go by rules.
func (w *world) follow(h rules) {
	w.approval.Handlers, w.access.Handlers, w.forms.Handlers = h, h, h
}

// explain gives an Explain on what the world has, at which nothing happens by it.
func (w *world) explain(h rules) workflow.Explain {
	e := workflow.Explain{Draft: &store.Draft{Below: w.memory}, Clock: new(workflow.Supposed)}
	runs, now := store.Runs{Store: e.Draft}, e.Clock.Now
	flows := &store.Flows{Store: e.Draft}
	e.Submit, e.Approval, e.Forms = w.submit, w.approval, w.forms
	e.Submit.Runs, e.Submit.Flows, e.Submit.Now = runs, flows, now
	e.Approval.Runs, e.Approval.Flows, e.Approval.Now, e.Approval.Users = runs, flows, now, store.Users{Store: e.Draft}
	e.Approval.Lingering, e.Approval.Notices = store.Lingering{Store: e.Draft}, store.Notices{Store: e.Draft, Now: now}
	e.Approval.Handlers, e.Approval.Emergency = h, nil
	e.Forms.Runs, e.Forms.Handlers, e.Forms.Now = runs, h, now
	access := w.access
	access.Runs, access.Flows, access.Grants, access.Sick, access.Users = runs, flows, store.Grants{Store: e.Draft}, store.Sick{Store: e.Draft}, store.Users{Store: e.Draft}
	access.Open, access.Schedule, access.Remover, access.Looks = workflow.Untouched(w.entitlements), workflow.Unscheduled{}, workflow.Unscheduled{}, workflow.Unscheduled{}
	access.Clock, access.Handlers = e.Clock, h
	e.Access = &access
	return e
}

// entitlements is what the world's target says, without opening it.
func (w *world) entitlements(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	opened, err := w.target.open(s)
	if err != nil {
		return nil, err
	}
	return opened.Entitlements(target, identity, runID)
}

// scenario is a flow, with its handlers, and a request of it.
type scenario struct {
	edit  func(*flow.Flow)
	rules rules
	as    store.User
	by    flow.Channel
	agent string // of whoever asks, that asks for them; "": they do
	lasts string
	extra map[string]any
	after time.Duration // from when the world began
	ahead time.Duration // that access is to start later
}

// gone has left the workspace.
var gone = func() store.User { u := member("gone"); u.Role = store.RoleDeactivated; return u }()

var everybody = []store.User{asker, first, second, third, admin, guest, gone}

// aScenario draws one.
func aScenario(t *rapid.T) scenario {
	several := func(from []string, name string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(string) bool { return !rapid.Bool().Draw(t, name) })
	}
	s := scenario{rules: rules{}, extra: map[string]any{}, after: time.Duration(rapid.IntRange(0, 90*24*60).Draw(t, "minutes later")) * time.Minute}
	s.as = rapid.SampledFrom(everybody).Draw(t, "as")
	s.lasts = rapid.SampledFrom([]string{"10m", "1h", "3d"}).Draw(t, "lasts")
	approval := flow.Approval{
		Approvers:         several([]string{"group:platform", "group:gone", "user:" + first.Email, "user:" + asker.Email, "user:" + guest.Email, "user:" + gone.Email, "user:nobody@example.com"}, "approver"),
		AllowSelfApproval: rapid.Bool().Draw(t, "self-approval"),
		Required:          rapid.IntRange(1, 3).Draw(t, "required"),
	}
	for range rapid.IntRange(1, 3).Draw(t, "rounds") {
		tier := flow.Notify{Channel: "#access", Timeout: flow.Duration(rapid.IntRange(0, 120).Draw(t, "timeout")) * flow.Duration(time.Minute)}
		if rapid.Bool().Draw(t, "people") {
			tier = flow.Notify{Users: []string{second.Email, gone.Email, "nobody@example.com"}, Timeout: tier.Timeout}
		}
		approval.Notify = append(approval.Notify, tier)
	}
	admins := several([]string{admin.Email, third.Email}, "admin")
	guests := rapid.Bool().Draw(t, "guests")
	schedule := rapid.IntRange(0, 3).Draw(t, "ends by itself") > 0
	limit := rapid.SampledFrom([]time.Duration{0, 2 * time.Hour}).Draw(t, "max_duration")
	var extend *flow.Extend
	if schedule && rapid.IntRange(0, 3).Draw(t, "extend") > 0 {
		extend = &flow.Extend{Max: rapid.IntRange(1, 2).Draw(t, "times"), For: []flow.Duration{flow.Duration(30 * time.Minute), flow.Duration(time.Hour)}, Approval: flow.ExtendNone}
	}
	glass := rapid.IntRange(0, 3).Draw(t, "emergency")
	var sources *[]flow.Channel
	if rapid.IntRange(0, 9).Draw(t, "sources") == 0 {
		sources = &[]flow.Channel{}
	}
	approvalOnly := rapid.IntRange(0, 4).Draw(t, "approval only") == 0
	s.by = rapid.SampledFrom([]flow.Channel{"", "", flow.ChannelAPI}).Draw(t, "by")
	var agents *flow.AgentParams
	if rapid.IntRange(0, 3).Draw(t, "lets agents in") == 0 {
		agents = &flow.AgentParams{Purpose: rapid.SampledFrom([]string{flow.PurposeRequired, flow.PurposeOptional}).Draw(t, "purpose")}
		if schedule && !approvalOnly {
			agents.MaxDuration = flow.Duration(rapid.SampledFrom([]time.Duration{time.Hour, 30 * 24 * time.Hour}).Draw(t, "agents' max_duration"))
		}
	}
	if s.by == "" && rapid.IntRange(0, 3).Draw(t, "agent") == 0 {
		s.agent = "night-shift"
	}
	var later *flow.StartAtParams
	if rapid.IntRange(0, 3).Draw(t, "start_at") == 0 {
		later = &flow.StartAtParams{Max: flow.Duration(7 * 24 * time.Hour)}
		s.ahead = rapid.SampledFrom([]time.Duration{0, 10 * time.Minute, 48 * time.Hour, 30 * 24 * time.Hour}).Draw(t, "ahead")
	}
	var defined []string
	define := func(name string, answers ...says) {
		if i := rapid.IntRange(-4*len(answers), len(answers)-1).Draw(t, name); i >= 0 {
			defined = append(defined, name)
			s.rules[name] = answers[i]
		}
	}
	define("on_prompt", ignores("not today"))
	define("on_request", says{}, ignores("not now"), raised("on_request"), returned(flow.EventApprove, nil), returned(flow.EventDeny, map[string]any{"reason": "no"}))
	define("on_approve", says{}, ignores("not you"), raised("on_approve"), returned(flow.EventDeny, nil))
	define("on_request_expire", returned(flow.EventApprove, nil), returned(flow.EventDeny, nil))
	define("get_approvers",
		says{answer: flow.Answer{Approvers: &flow.Approvers{Destinations: []flow.Destination{{Kind: flow.DestinationUser, Email: second.Email}}}}},
		says{answer: flow.Answer{Approvers: &flow.Approvers{ContinueOnTimeout: true, Destinations: []flow.Destination{{Kind: flow.DestinationUser, Email: third.Email}, {Kind: flow.DestinationChannelName, Name: "#access"}}}}},
	)
	define("get_permissions",
		says{answer: flow.Answer{Permissions: &flow.Permissions{ApproveDeny: flow.Permission{Level: flow.LevelAdmin}}}},
		says{answer: flow.Answer{Permissions: &flow.Permissions{ApproveDeny: flow.Permission{Level: flow.LevelAllUsers}, AllowSelfApproval: true}}},
	)
	if glass == 1 && !approvalOnly && s.by == "" && s.agent == "" {
		s.extra, s.ahead = maps.Clone(inEmergency), 0
	}
	s.edit = func(f *flow.Flow) {
		f.Params.Approval, f.Environment.Admins, f.Params.AllowGuestInteraction = approval, admins, guests
		f.Params.Agents, f.Params.StartAt = agents, later
		f.Params.ScheduleDeescalation, f.Params.MaxDuration, f.Params.Extend, f.Params.AllowedSources = schedule, flow.Duration(limit), extend, sources
		if glass > 0 {
			breaksGlass(f)
			f.Params.BreakGlass.Who = []string{"user:" + asker.Email, "user:" + second.Email}
		}
		if approvalOnly {
			f.Strategy, f.Params.BreakGlass, f.Params.Extend, f.Params.MaxDuration, f.Params.ScheduleDeescalation, f.Params.StartAt = nil, nil, nil, 0, false, nil
		}
		if len(defined) > 0 {
			defines(defined...)(f)
		}
	}
	return s
}

// world makes one in which the scenario is about to happen.
func (s scenario) world(t *testing.T) *world {
	w := newWorld(t, s.edit)
	w.target.blind = true // it has no second look, which would take seconds
	w.sweeping = false    // all comes in time without it
	w.directory.users[gone.SlackID] = gone
	w.directory.groups["platform"] = []string{first.SlackID, gone.SlackID, second.SlackID, asker.SlackID}
	w.follow(s.rules)
	w.lasts, w.extra = s.lasts, s.extra
	w.clock.Advance(s.after)
	if s.ahead > 0 {
		w.extra = maps.Clone(s.extra)
		maps.Copy(w.extra, startingAt(w.clock.Now().Add(s.ahead)))
	}
	return w
}

// purpose is what the scenario's agent says.
const purpose = "look at a stuck order"

// question is the scenario's request, as it is asked about.
func (s scenario) question(w *world) workflow.Question {
	q := workflow.Question{Flow: w.flow.Name, As: s.as, By: s.by, Values: w.form(), Agent: s.agent, At: w.clock.Now(), People: everybody}
	if s.agent != "" {
		q.Purpose = purpose
	}
	return q
}

// call makes the request as programs do.
func (s scenario) call(w *world) (string, error) {
	inputs := w.form()
	delete(inputs, flow.KeyStartAt)
	if name, ok := inputs["target_id"].(string); ok {
		delete(inputs, "target_id")
		inputs[flow.KeyTargetSRN] = flow.TargetSRN("acme", w.flow.Strategy.Targets[0].Type, name, flow.Latest)
	}
	q := workflow.APIRequest{
		Token: store.Token{ID: "t1", Bot: "ci"}, FlowSRN: flow.FlowSRN("acme", w.flow.Name, flow.Latest), IdempotencyKey: "k", Inputs: inputs, UserEmail: s.as.Email,
	}
	if s.agent != "" {
		q.Token = store.Token{ID: "t2", Agent: true, Bot: s.agent, Owner: s.as.Email, Limits: store.DefaultAgentLimits}
		q.UserEmail, q.Purpose = "", purpose
	}
	if s.ahead > 0 {
		q.StartAt = w.clock.Now().Add(s.ahead)
	}
	q.Bot = q.Token.Actor("acme")
	r, _, err := w.submit.RequestByAPI(w.t.Context(), q)
	w.settle()
	return r.ID, err
}

// happen makes the request. It returns the error if it can't be made.
func (s scenario) happen(w *world) (string, error) {
	if s.agent != "" || s.by == flow.ChannelAPI {
		return s.call(w)
	}
	ctx, id := w.t.Context(), flow.RunIDFrom("acme", "scenario")
	r, err := w.submit.Prompt(ctx, workflow.Prompt{RunID: id, Flow: w.flow, Actor: s.as})
	if err == nil {
		_, err = w.forms.Open(ctx, w.flow, r)
	}
	if err == nil {
		_, err = w.submit.Request(ctx, id, s.as.Actor, w.form())
	}
	w.settle()
	return id, err
}

// outcome says what came of the request, by what is on the run.
func outcome(r flow.Run, err error) string {
	ignored := slices.ContainsFunc(r.Events, func(e flow.Event) bool { return e.Name == flow.EventRequest && e.Ignored() })
	switch {
	case err != nil:
		return workflow.OutcomeRefused
	case r.Status == flow.Requested:
		return workflow.OutcomeAsked
	case r.Status == flow.Prompted && ignored:
		return workflow.OutcomeIgnored
	case r.Status == flow.Prompted:
		return workflow.OutcomeFailed
	case r.Status == flow.Denied:
		return workflow.OutcomeDenied
	}
	return workflow.OutcomeApproved
}

// TestExplainAgrees: what is explained is what then happens, whatever the flow, its
// handlers, the people and the time; and explaining it changes nothing.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		s := aScenario(rt)
		w := s.world(t)
		before := w.memory.Snapshot()
		x, err := w.explain(s.rules).Request(t.Context(), s.question(w))
		if err != nil {
			rt.Fatalf("explain: %v", err)
		}
		if !sameItems(t, before, w) || len(w.target.calls) > 0 || len(w.functions.asked) > 0 {
			rt.Fatalf("explaining has changed something")
		}
		id, err := s.happen(w)
		r, _ := w.stored(id)
		if got := outcome(r, err); got != x.Outcome {
			rt.Fatalf("explained as %s (%s), and it is %s: %v, %s", x.Outcome, x.Why, got, err, history(r))
		}
		seen[x.Outcome]++
		for way, is := range map[string]bool{"agent": s.agent != "" && err == nil, "api": s.by != "" && err == nil, "later": s.ahead > 0 && err == nil, "gone": s.as.Is(gone.Actor)} {
			if is {
				seen[way]++
			}
		}
		if err != nil && flow.UserMessage(err) != x.Why {
			rt.Errorf("explained that it is refused because %q; it is because %q", x.Why, err)
		}
		if x.Outcome != workflow.OutcomeAsked {
			agreesOnEnd(rt, w, id, x)
			return
		}
		agreesOnSilence(rt, w, id, x)
		var able []store.User
		for _, u := range everybody {
			i := slices.IndexFunc(x.People, func(p workflow.MayOrNot) bool { return p.Person == u.Email })
			if i < 0 {
				rt.Fatalf("nothing is said of %s", u.Email)
			}
			other := s.world(t)
			id, _ := s.happen(other)
			err := other.press(id, flow.ActionApprove, u)
			other.settle()
			now, _ := other.stored(id)
			counted := slices.ContainsFunc(now.Approvals, func(a flow.CountedApproval) bool { return a.Actor.Is(u.Actor) })
			if counted != x.People[i].May {
				rt.Errorf("explained of %s: %+v; their approval counts: %t (%v, %s)", u.Email, x.People[i], counted, err, history(now))
			}
			if counted {
				able = append(able, u)
			}
			if counted == (len(x.People[i].Via) == 0) || counted == (x.People[i].Why != "") {
				rt.Errorf("%s: %+v gives no reason, or one too many", u.Email, x.People[i])
			}
		}
		if r.Deciders.Members && len(able) < x.Needs {
			return // who else there is, only a workspace knows
		}
		other := s.world(t)
		id, _ = s.happen(other)
		for _, u := range able[:min(len(able), x.Needs)] {
			if err := other.press(id, flow.ActionApprove, u); err != nil {
				rt.Fatalf("%s approves: %v", u.Email, err)
			}
			other.settle()
		}
		agreesOnEnd(rt, other, id, x)
	})
	for _, way := range []string{"agent", "api", "later", "gone"} {
		if seen[way] == 0 {
			t.Errorf("none was %s", way)
		}
	}
	for _, o := range []string{workflow.OutcomeRefused, workflow.OutcomeIgnored, workflow.OutcomeFailed, workflow.OutcomeAsked, workflow.OutcomeApproved, workflow.OutcomeDenied} {
		if seen[o] == 0 {
			t.Errorf("no request was %s: the scenarios leave something out; they had %v", o, seen)
		}
	}
}

// sameItems tells whether the table is as it was.
func sameItems(t *testing.T, before store.Store, w *world) bool {
	list := func(s store.Store) string {
		var all []string
		for _, kind := range []store.Kind{store.KindRun, store.KindGrant, store.KindFlow, store.KindNotice} {
			page, err := s.List(t.Context(), store.Query{By: store.ByKind, Value: string(kind)})
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				all = append(all, fmt.Sprint(item.Key, item.Rev))
			}
		}
		return strings.Join(all, " ")
	}
	return list(before) == list(w.memory)
}

// agreesOnSilence lets time pass with nobody deciding.
func agreesOnSilence(rt *rapid.T, w *world, id string, x workflow.Explanation) {
	for i, round := range x.Rounds {
		w.pass(round.From.Sub(w.clock.Now()) + time.Second)
		r, _ := w.stored(id)
		if r.Status != flow.Requested || r.Tier != i || !r.Deadline().Equal(round.Until) || len(r.Tiers[i].Users) == 0 && r.Tiers[i].Channel == "" && len(round.Asks) > 0 {
			rt.Errorf("round %d was explained as %+v; it is %+v (%s)", i, round, r.Tiers[min(i, len(r.Tiers)-1)], history(r))
		}
	}
	if x.Silence == nil {
		return
	}
	w.pass(x.Silence.At.Sub(w.clock.Now()) - time.Second)
	if r, _ := w.stored(id); r.Status != flow.Requested {
		rt.Errorf("it was explained as %s at %s, and is %s before", x.Silence.Status, x.Silence.At, r.Status)
	}
	w.pass(time.Minute + time.Second)
	r, _ := w.stored(id)
	if e, _ := r.Decision(); string(statusOf(e)) != x.Silence.Status || e.At.Sub(x.Silence.At) > time.Minute {
		rt.Errorf("it was explained as %+v, and is %s by %+v", x.Silence, r.Status, e)
	}
}

// statusOf is what a request is by the event that decided it.
func statusOf(e flow.Event) flow.Status {
	return map[flow.EventName]flow.Status{
		flow.EventApprove: flow.Approved, flow.EventDeny: flow.Denied, flow.EventRequestExpire: flow.Expired,
	}[e.Name]
}

// agreesOnEnd compares what is granted, until when, and what the records say.
func agreesOnEnd(rt *rapid.T, w *world, id string, x workflow.Explanation) {
	r, err := w.stored(id)
	if err == nil && r.AwaitsStart() {
		w.pass(r.StartAt.Sub(w.clock.Now()))
		r, _ = w.stored(id)
	}
	granted := r.Access != nil && !r.Access.Seen.IsZero()
	if would := x.Grant != nil && x.Grant.Failed == ""; would != granted {
		rt.Fatalf("explained %+v; the run has %+v (%s)", x.Grant, r.Access, history(r))
	}
	if granted {
		g := x.Grant
		if !r.Access.End.Equal(g.Ends) || !r.Access.Seen.Equal(g.From) || r.Access.Identity != g.Identity || r.Access.Target.Name != g.Target ||
			len(g.Entitlements) != len(r.Access.Entitlements) || g.Entitlements[0].Key != r.Access.Entitlements[0].Key {
			rt.Errorf("explained %+v; it is %+v", g, r.Access)
		}
		agreesOnExtensions(rt, w, id, x)
		if r, _ = w.stored(id); !g.Ends.IsZero() && r.Status != flow.Deescalated {
			rt.Errorf("at %s it is %s", w.clock.Now(), r.Status)
		}
	}
	var got []string
	for _, e := range r.Events {
		if !strings.HasPrefix(string(e.Name), "extend") { // nobody extends what is explained
			got = append(got, string(e.Name)+" "+string(e.State))
		}
	}
	var want []string
	for _, record := range x.Records {
		want = append(want, record.Event.Type+" "+record.State.Status)
	}
	if !slices.Equal(got, want) {
		rt.Errorf("the records were explained as %q, and are %q", want, got)
	}
}

// agreesOnExtensions has the access extended as far as that goes, and then end.
func agreesOnExtensions(rt *rapid.T, w *world, id string, x workflow.Explanation) {
	r, _ := w.stored(id)
	for !x.Grant.Ends.IsZero() && r.Unasked() {
		by, err := r.Extendable(w.clock.Now())
		if err != nil {
			break
		}
		who, err := w.directory.User(w.t.Context(), r.Requester.SlackID)
		if err == nil {
			_, _, err = w.submit.Extend(w.t.Context(), workflow.MoreTime{RunID: id, By: by[len(by)-1], Actor: who, Channel: flow.ChannelSlack})
		}
		if err != nil {
			break // a guest may not
		}
		w.settle()
		r, _ = w.stored(id)
	}
	if _, err := r.Extendable(w.clock.Now()); err != nil && r.Unasked() && !r.Access.End.Equal(x.Grant.Latest) {
		rt.Errorf("explained that it ends at %s at the latest; extended as far as it goes it ends at %s", x.Grant.Latest, r.Access.End)
	}
	if !r.Access.End.IsZero() {
		w.pass(r.Access.End.Sub(w.clock.Now()) + time.Minute)
	}
}
