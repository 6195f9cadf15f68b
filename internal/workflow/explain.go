package workflow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
)

// Explain says what would come of a request, by letting it happen where nothing
// happens: the use cases that decide in runs decide here, on a draft of the table and
// a clock that stands still. Nobody is asked, no target is called, and nothing is
// kept: after each question the draft is as it was before. Questions are asked one
// after the other.
type Explain struct {
	Draft *store.Draft
	Clock *Supposed
	// These are on the draft and the clock. Access opens strategies by Untouched, and
	// nothing calls it.
	Submit   Submit
	Forms    Forms
	Approval Approval
	Access   *Access
	// Uninvoked is what invokes functions there; nil: nothing notes which.
	Uninvoked *Uninvoked
}

// Question is a request that nobody has made.
type Question struct {
	Flow string     // name of a flow that is published, in the draft or below it
	As   store.User // who asks
	// By is the way by which it is asked for: "" is Slack, or where the flow does not
	// allow that, the API.
	By     flow.Channel
	Values map[string]any // of the form; see [Submit.Request]
	// Agent is the name of an agent of As, which asks for them by the API, and says Purpose;
	// "": they ask themselves.
	Agent, Purpose string
	// Fill fills in what has to be and is not, with what would do.
	Fill bool
	At   time.Time
	// People are those of whom it is said whether they could approve, besides whom the
	// flow names.
	People []store.User
}

// What comes of a request.
const (
	OutcomeRefused  = "refused"  // it can't be made
	OutcomeIgnored  = "ignored"  // a handler lets nothing happen
	OutcomeFailed   = "failed"   // a handler fails, and the request waits for a repair
	OutcomeAsked    = "asked"    // people are asked
	OutcomeApproved = "approved" // without anybody's decision: by a rule, or in an emergency
	OutcomeDenied   = "denied"   // without anybody's decision
)

// Explanation is what would come of a request, or of a run.
type Explanation struct {
	Flow      string `json:"flow"`
	Version   string `json:"version"`
	Requester string `json:"requester"` // e-mail address
	// Agent is the name of the agent that asks for the requester; "": none does.
	Agent  string    `json:"agent,omitempty"`
	At     time.Time `json:"at"`
	Run    string    `json:"run,omitempty"`    // id of a run that there is
	Status string    `json:"status,omitempty"` // of that run
	// Outcome is one of the constants; Why says why, where that is not by what people do.
	// Code is that of the error behind it.
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
	Code    string `json:"code,omitempty"`
	// Waits says what a run that there is waits for; "" if for nothing.
	Waits string `json:"waits,omitempty"`
	// Uninvoked are the functions that the flow would have invoked: it is as if they had
	// agreed.
	Uninvoked []string `json:"uninvoked,omitempty"`
	// Rounds are those who are asked, in order, if nobody decides; Silence is how that
	// ends.
	Rounds  []Round  `json:"rounds,omitempty"`
	Silence *Silence `json:"silence,omitempty"`
	// Needs is how many people have to approve; Approvers names who may in words.
	Needs     int        `json:"needs,omitempty"`
	Approvers string     `json:"approvers,omitempty"`
	People    []MayOrNot `json:"people,omitempty"`
	// Grant is what is given once it is approved; nil where nothing is.
	Grant *WouldGrant `json:"grant,omitempty"`
	// Records are those of the run, if it is approved at once and nobody ends the access
	// before its time; with no approval, up to where it comes.
	Records []events.AuditRecord `json:"records,omitempty"`
}

// Round is one round of asking.
type Round struct {
	Asks  []string  `json:"asks"` // channels, and e-mail addresses
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Silence is what comes of a request that nobody decides.
type Silence struct {
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	Why    string    `json:"why,omitempty"`
}

// MayOrNot says of a person whether their approval would count.
type MayOrNot struct {
	Person string   `json:"person"` // e-mail address, or what people read
	May    bool     `json:"may"`
	Via    []string `json:"via,omitempty"` // by what they may decide: "admin", "group:platform", …
	Why    string   `json:"why,omitempty"` // why not
}

// WouldGrant is access that would be given.
type WouldGrant struct {
	Strategy     string         `json:"strategy"`
	Type         string         `json:"type"`
	Target       string         `json:"target"` // name
	Identity     string         `json:"identity"`
	Entitlements []WouldEntitle `json:"entitlements"`
	From         time.Time      `json:"from"`
	Ends         time.Time      `json:"ends,omitzero"` // zero: only by hand
	// Latest is when it ends at the latest, by all the extensions that the flow allows.
	Latest time.Time `json:"latest,omitzero"`
	Failed string    `json:"failed,omitempty"` // why nothing could be granted
}

// WouldEntitle is one thing that access means at its target.
type WouldEntitle struct {
	Key      string            `json:"key"`
	Value    string            `json:"value,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // of the target, with what the request fills in
}

// Words name it as people read it.
func (e WouldEntitle) Words() string {
	words := e.Key
	if e.Value != "" {
		words += " = " + e.Value
	}
	for _, name := range slices.Sorted(maps.Keys(e.Settings)) {
		words += fmt.Sprintf(", %s %s", name, e.Settings[name])
	}
	return words
}

// Request says what would come of a request. An error means that this could not be
// found out; that a request is refused is none.
func (e Explain) Request(ctx context.Context, q Question) (Explanation, error) {
	e.Clock.Set(q.At)
	defer e.Draft.Back(e.Draft.Mark())
	f, err := e.Submit.Flows.Latest(ctx, q.Flow)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Flow: f.Name, Version: f.Version, Requester: nameOf(q.As.Actor), Agent: q.Agent, At: e.Clock.Now()}
	r, err := e.ask(ctx, f, q)
	if refusal(err) {
		x.Outcome, x.Why, x.Code = OutcomeRefused, flow.UserMessage(err), string(flow.CodeOf(err))
		if r.ID == "" {
			return x, nil
		}
		r, err = e.Submit.Runs.Get(ctx, r.ID)
		x.Records = recordsOf(r)
		return x, err
	}
	if err != nil {
		return x, err
	}
	if r, err = e.drive(ctx, r.ID); err != nil {
		return x, err
	}
	if x, err = e.follow(ctx, x, f, r, q.People); err == nil && x.Grant != nil {
		for i, each := range x.Grant.Entitlements { // no run will have the id that this one has here
			x.Grant.Entitlements[i].Key = strings.TrimSuffix(each.Key, "/"+r.ID)
		}
	}
	return x, err
}

// Of says how a run stands that there is, and what would come of it. People are as in
// a Question.
func (e Explain) Of(ctx context.Context, runID string, now time.Time, people []store.User) (Explanation, error) {
	e.Clock.Set(now)
	defer e.Draft.Back(e.Draft.Mark())
	r, err := e.Submit.Runs.Get(ctx, runID)
	if err != nil {
		return Explanation{}, err
	}
	f, err := e.Submit.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{
		Flow: r.Flow, Version: r.FlowVersion, Requester: nameOf(r.Requester), At: e.Clock.Now(), Run: r.ID, Status: string(r.Status),
		Waits: r.WaitsFor(e.Clock.Now()),
	}
	if r.ByAgent() {
		x.Agent = r.Asker.Name
	}
	return e.follow(ctx, x, f, r, people)
}

// ask makes the request.
func (e Explain) ask(ctx context.Context, f *flow.Flow, q Question) (flow.Run, error) {
	by := q.By
	switch {
	case q.Agent != "" && by == flow.ChannelSlack:
		return flow.Run{}, flow.Errorf(flow.CodeWrongSource, "agents ask by the API, and not in Slack")
	case q.Agent != "":
		by = flow.ChannelAPI
	case by == "":
		if by = flow.ChannelSlack; !f.Params.Allows(by) && f.Params.Allows(flow.ChannelAPI) {
			by = flow.ChannelAPI
		}
	}
	if by == flow.ChannelAPI {
		extra, values, err := extrasOf(q.Values)
		if err == nil {
			values, err = e.filled(ctx, f, flow.Run{Requester: q.As.Actor, Source: by}, q, values)
		}
		if err != nil {
			return flow.Run{}, err
		}
		if extra.breakGlass {
			return flow.Run{}, flow.Errorf(flow.CodeWrongSource, "emergencies are for people in Slack: nothing is asked for so by the API")
		}
		if name, ok := values[flow.FieldNameTarget].(string); ok && !f.ApprovalOnly() {
			if t, ok := f.Strategy.Target(e.Submit.Org, name); ok {
				delete(values, flow.FieldNameTarget)
				values[flow.KeyTargetSRN] = flow.TargetSRN(e.Submit.Org, t.Type, t.Name, flow.Latest)
			}
		}
		call := APIRequest{
			Token: store.Token{ID: "explain", Bot: "explain"}, IdempotencyKey: "explain",
			FlowSRN: flow.FlowSRN(e.Submit.Org, f.Name, flow.Latest), Inputs: values, UserEmail: q.As.Email, StartAt: extra.startAt,
		}
		if q.Agent != "" {
			if call.Token, err = e.agent(ctx, q); err != nil {
				return flow.Run{}, err
			}
			call.UserEmail, call.Purpose = "", q.Purpose
		}
		call.Bot = call.Token.Actor(e.Submit.Org)
		r, _, err := e.Submit.RequestByAPI(ctx, call)
		return r, err
	}
	r, err := e.Submit.Prompt(ctx, Prompt{RunID: flow.RunIDFrom(e.Submit.Org, "explain"), Flow: f, Actor: q.As})
	if err != nil {
		return flow.Run{}, err
	}
	if _, err = e.Forms.Open(ctx, f, r); err == nil && f.DynamicForm() {
		_, err = e.Forms.Show(ctx, f, r)
	}
	values := q.Values
	if err == nil {
		values, err = e.filled(ctx, f, r, q, values)
	}
	if err == nil {
		_, err = e.Submit.Request(ctx, r.ID, q.As.Actor, values)
	}
	return r, err
}

// agent is a token as an agent of whoever asks has it.
func (e Explain) agent(ctx context.Context, q Question) (store.Token, error) {
	t := store.Token{ID: "explain", Agent: true, Bot: q.Agent, Owner: q.As.Email, Limits: store.DefaultAgentLimits}
	err := flow.CheckName(t.Bot)
	if err != nil {
		return t, flow.Errorf(flow.CodeInvalid, "the agent's name %s", flow.UserMessage(err))
	}
	t.Succession, err = store.Users{Store: e.Draft}.Succession(ctx, q.As.Actor)
	return t, err
}

// drive carries out the steps that a run needs now, as an execution would.
func (e Explain) drive(ctx context.Context, id string) (flow.Run, error) {
	tasks := map[flow.Step]func(context.Context, string) (flow.Step, error){
		flow.StepRoute: e.Approval.Route, flow.StepDecide: e.Approval.Decide, flow.StepForward: e.Approval.Forward, flow.StepVouch: e.Approval.Vouch,
		flow.StepEscalate: e.Access.Escalate, flow.StepExtend: e.Access.Extend, flow.StepLater: e.Access.Later,
	}
	for range 100 { // far more than there are
		r, err := e.Submit.Runs.Get(ctx, id)
		if err != nil {
			return r, err
		}
		task := tasks[flow.Next(r)]
		if task == nil {
			return r, nil
		}
		if _, err := task(ctx, id); err != nil {
			return r, err
		}
		after, err := e.Submit.Runs.Get(ctx, id)
		if err != nil || after.Rev == r.Rev && flow.Next(after) == flow.Next(r) {
			return after, err // it waits for something that does not come here
		}
	}
	return flow.Run{}, fmt.Errorf("run %s does not come to a rest", id)
}

// back undoes what a branch has tried.
func (e Explain) back(to store.Mark, at time.Time) {
	e.Draft.Back(to)
	e.Clock.Set(at)
}

// follow finds out what becomes of the run from where it is.
func (e Explain) follow(ctx context.Context, x Explanation, f *flow.Flow, r flow.Run, people []store.User) (Explanation, error) {
	x.Outcome, x.Why, x.Code = outcomeOf(r)
	mark, now := e.Draft.Mark(), e.Clock.Now()
	var err error
	if r.Status == flow.Requested {
		x.Needs, x.Approvers = r.Deciders.Required, r.Deciders.Names()
		if x.Rounds, x.Silence, err = e.silence(ctx, r.ID); err != nil {
			return x, err
		}
		e.back(mark, now)
		var may []store.User
		if x.People, may, err = e.people(ctx, f, r, people); err != nil {
			return x, err
		}
		e.back(mark, now)
		if r, err = e.approve(ctx, r, may); err != nil {
			return x, err
		}
	}
	if r, x.Grant, err = e.access(ctx, f, r); err != nil {
		return x, err
	}
	x.Records = recordsOf(r)
	x.Uninvoked = e.Uninvoked.all()
	e.back(mark, now)
	return x, nil
}

func recordsOf(r flow.Run) (records []events.AuditRecord) {
	for _, event := range r.Events {
		records = append(records, record.Of(r, event))
	}
	return records
}

// outcomeOf says what came of a request, as far as it is decided without people.
func outcomeOf(r flow.Run) (outcome, why, code string) {
	said := func(e flow.Event) (why, code string) {
		for _, failure := range e.Errors {
			return failure.Message, string(failure.Code)
		}
		why, _ = e.Fields[flow.KeyDecisionMessage].(string)
		if why == "" {
			why, _ = e.Fields[flow.FieldNameReason].(string)
		}
		return why, ""
	}
	switch r.Status {
	case flow.Requested:
		return OutcomeAsked, "", ""
	case flow.Prompted:
		if r.Error != nil {
			return OutcomeFailed, r.Error.Message, string(r.Error.Code)
		}
		if i := slices.IndexFunc(r.Events, flow.Event.Ignored); i >= 0 {
			why, code = said(r.Events[i])
		}
		return OutcomeIgnored, why, code
	case flow.Denied, flow.Expired, flow.Cancelled:
		outcome = OutcomeDenied
	default:
		outcome = OutcomeApproved
	}
	if e, ok := r.Decision(); ok {
		why, code = said(e)
		if e.Actor.Hook != "" {
			why = strings.TrimRight(e.Actor.Hook+": "+why, ": ")
		}
	}
	return outcome, why, code
}

// silence lets time pass with nobody deciding.
func (e Explain) silence(ctx context.Context, id string) ([]Round, *Silence, error) {
	var rounds []Round
	for {
		r, err := e.Submit.Runs.Change(ctx, id, e.Clock.Now, func(r flow.Run) (flow.Input, error) { return flow.Delivered{Tier: r.Tier}, nil })
		if err != nil {
			return nil, nil, err
		}
		tier := r.Tiers[r.Tier]
		round := Round{From: tier.Asked, Until: r.Deadline()}
		for _, to := range tier.Recipients() {
			if to.Channel != "" {
				round.Asks = append(round.Asks, to.Channel)
			}
			for _, who := range to.Users {
				round.Asks = append(round.Asks, nameOf(who))
			}
		}
		rounds = append(rounds, round)
		e.Clock.Set(round.Until)
		if _, err := e.Approval.Forward(ctx, id); err != nil {
			return nil, nil, err
		}
		after, err := e.Submit.Runs.Get(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if after.Status != flow.Requested {
			_, why, _ := outcomeOf(after)
			return rounds, &Silence{Status: string(after.Status), At: e.Clock.Now(), Why: why}, nil
		}
		if after.Tier == r.Tier { // a handler ignores it, or fails: the round begins anew
			return rounds, nil, nil
		}
	}
}

// people says of everybody whom the flow names, and of those who are asked about,
// whether their approval would count. It returns those whose would, with a member
// whom nobody names where any may approve.
func (e Explain) people(ctx context.Context, f *flow.Flow, r flow.Run, about []store.User) ([]MayOrNot, []store.User, error) {
	var all []store.User
	see := func(u store.User) {
		if !slices.ContainsFunc(all, func(known store.User) bool { return known.Is(u.Actor) }) {
			all = append(all, u)
		}
	}
	named := slices.Concat([]flow.Actor{r.Requester}, r.Deciders.People, r.Deciders.Admins)
	if r.Asker != nil && r.Asker.Kind == flow.KindPerson {
		named = append(named, *r.Asker)
	}
	if r.Owner != nil {
		named = append(named, *r.Owner)
	}
	for _, t := range r.Tiers {
		for _, to := range t.Recipients() {
			named = append(named, to.Users...)
		}
	}
	for _, who := range named {
		if who.Kind != flow.KindPerson {
			continue
		}
		u := store.User{Actor: who, Role: store.RoleMember}
		if who.SlackID != "" {
			found, err := e.Approval.Directory.User(ctx, who.SlackID)
			if flow.CodeOf(err) == flow.CodeUnknownUser {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			u = found
		}
		see(u)
	}
	for _, u := range about {
		see(u)
	}
	var said []MayOrNot
	var may []store.User
	for _, u := range all {
		one, err := e.mayApprove(ctx, f, r, u)
		if err != nil {
			return nil, nil, err
		}
		if one.May {
			may = append(may, u)
		}
		said = append(said, one)
	}
	for i := 1; r.Deciders.Members && len(may) < r.Deciders.Required; i++ {
		name := fmt.Sprintf("some member %d", i)
		may = append(may, store.User{Role: store.RoleMember, Actor: flow.Actor{ID: flow.UserID(e.Submit.Org, name), Kind: flow.KindPerson, Name: name}})
	}
	return said, may, nil
}

// mayApprove has somebody approve the request, and looks whether it counts.
func (e Explain) mayApprove(ctx context.Context, f *flow.Flow, r flow.Run, u store.User) (MayOrNot, error) {
	mark, now := e.Draft.Mark(), e.Clock.Now()
	defer e.back(mark, now)
	one := MayOrNot{Person: nameOf(u.Actor)}
	after, event, err := e.Submit.Click(ctx, Click{RunID: r.ID, Action: flow.ActionApprove, Actor: u, Channel: flow.ChannelSlack})
	if err == nil {
		if _, err = e.Approval.Decide(ctx, r.ID); err == nil {
			after, err = e.Submit.Runs.Get(ctx, r.ID)
		}
	}
	if refusal(err) {
		one.Why = flow.UserMessage(err)
		return one, nil
	}
	if err != nil {
		return one, err
	}
	if slices.ContainsFunc(after.Approvals, func(a flow.CountedApproval) bool { return a.EventID == event }) {
		one.May = true
		one.Via, err = e.via(ctx, f, r, u.Actor)
		return one, err
	}
	if i := slices.IndexFunc(after.Events, func(e flow.Event) bool { return e.ID == event }); i >= 0 && len(after.Events[i].Errors) > 0 {
		one.Why = after.Events[i].Errors[0].Message
	} else {
		_, one.Why, _ = outcomeOf(after)
	}
	one.Why = cmp.Or(one.Why, "it would not count")
	return one, nil
}

// via names by what somebody may decide a request.
func (e Explain) via(ctx context.Context, f *flow.Flow, r flow.Run, who flow.Actor) ([]string, error) {
	d := r.Deciders
	var via []string
	if slices.ContainsFunc(d.Admins, who.Is) {
		via = append(via, "admin")
	}
	if d.Members {
		via = append(via, "member")
	}
	switch {
	case !slices.ContainsFunc(d.People, who.Is):
	case d.ByHandler:
		via = append(via, "handler")
	default:
		for _, name := range f.Params.Approval.Approvers {
			found, err := e.Approval.people().named(ctx, name)
			if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
				return nil, err
			}
			if slices.ContainsFunc(found, func(u store.User) bool { return u.Is(who) }) {
				via = append(via, name)
			}
		}
	}
	return via, nil
}

// approve has the request approved by as many as it takes, one after the other.
func (e Explain) approve(ctx context.Context, r flow.Run, by []store.User) (flow.Run, error) {
	for _, u := range by {
		if r.Status != flow.Requested {
			break
		}
		_, _, err := e.Submit.Click(ctx, Click{RunID: r.ID, Action: flow.ActionApprove, Actor: u, Channel: flow.ChannelSlack})
		if refusal(err) {
			continue
		}
		if err == nil {
			_, err = e.Approval.Decide(ctx, r.ID)
		}
		if err == nil {
			r, err = e.Submit.Runs.Get(ctx, r.ID)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// access has what was approved granted, and ended by its time.
func (e Explain) access(ctx context.Context, f *flow.Flow, r flow.Run) (flow.Run, *WouldGrant, error) {
	if f.ApprovalOnly() || r.Status != flow.Approved && r.Status != flow.Escalated {
		return r, nil, nil
	}
	var err error
	if r.AwaitsStart() {
		e.Clock.Set(r.StartAt)
		if err = e.Access.OnTime(ctx, r.ID); err != nil {
			return r, nil, err
		}
	}
	if r, err = e.drive(ctx, r.ID); err != nil && !refusal(err) {
		if r, err = e.failed(ctx, r, err); err != nil {
			return r, nil, err
		}
	}
	would := WouldGrant{Strategy: f.Strategy.Name, Type: f.Strategy.Type}
	if t := r.GivenTarget(); t != nil {
		would.Target = t.Name
	}
	if r.Access == nil || r.Access.Seen.IsZero() {
		would.Failed = "it waits: " + r.WaitsFor(e.Clock.Now())
		if r.Error != nil {
			would.Failed = r.Error.Message
		}
		return r, &would, nil
	}
	would.Target, would.Identity = r.Access.Target.Name, r.Access.Identity
	for _, p := range r.Access.Entitlements {
		would.Entitlements = append(would.Entitlements, WouldEntitle{Key: p.Key, Value: p.Value, Settings: r.Access.TargetOf(p.Entitlement).Settings})
	}
	would.From, would.Ends = r.Access.Seen, r.Access.End
	would.Latest = latest(r, e.Clock.Now())
	if r.Access.End.IsZero() {
		return r, &would, nil
	}
	e.Clock.Set(r.Access.End)
	if err = e.Access.OnTime(ctx, r.ID); err == nil {
		r, err = e.drive(ctx, r.ID)
	}
	return r, &would, err
}

// filled gives the values of a request in which all that has to be filled in is, if the
// question wants that.
func (e Explain) filled(ctx context.Context, f *flow.Flow, r flow.Run, q Question, values map[string]any) (map[string]any, error) {
	all := maps.Clone(values)
	if all == nil {
		all = map[string]any{}
	}
	if !q.Fill {
		return all, nil
	}
	longest := f.LongestFor(q.Agent != "")
	for _, p := range f.Fields() {
		if _, there := all[p.Name]; there || !f.Needs(p) || p.Default != "" {
			continue
		}
		if p.Prefetch {
			options, err := e.Forms.Options(ctx, f, r, p.Name)
			if err != nil {
				return nil, err
			}
			for _, o := range options {
				p.AllowedValues = append(p.AllowedValues, o.Value)
			}
		}
		fits := func(duration string) bool {
			d, err := flow.ParseDuration(duration)
			return p.Name == flow.FieldNameDuration && err == nil && (longest == 0 || d <= longest)
		}
		switch i := slices.IndexFunc(p.AllowedValues, fits); {
		case p.Name == flow.FieldNameTarget && f.Strategy != nil && len(f.Strategy.Targets) > 0:
			all[p.Name] = f.Strategy.Targets[0].Name
		case i > 0:
			all[p.Name] = p.AllowedValues[i]
		case len(p.AllowedValues) > 0 && p.Type.List():
			all[p.Name] = p.AllowedValues[:1]
		case len(p.AllowedValues) > 0:
			all[p.Name] = p.AllowedValues[0]
		case p.Type == flow.FieldDuration:
			all[p.Name] = "1m"
		case p.Type == flow.FieldInt:
			all[p.Name] = "1"
		case p.Type == flow.FieldIntList:
			all[p.Name] = []string{"1"}
		case p.Type == flow.FieldBool:
			all[p.Name] = true
		case p.Type == flow.FieldString || p.Type == flow.FieldStringList || p.Type == "":
			all[p.Name] = "explained"
		}
	}
	return all, nil
}

// failed gives the run of which a step ended with an error that is on the run.
func (e Explain) failed(ctx context.Context, r flow.Run, cause error) (flow.Run, error) {
	after, err := e.Submit.Runs.Get(ctx, r.ID)
	if err == nil && after.Error == nil {
		err = cause
	}
	return after, err
}

// latest is when access ends if it is extended as often and by as much as the flow
// allows; zero where nothing ends it.
func latest(r flow.Run, now time.Time) time.Time {
	if r.Access.End.IsZero() {
		return time.Time{}
	}
	for {
		by, err := r.Extendable(now)
		if err != nil {
			return r.Access.End
		}
		longest := by[len(by)-1]
		access := *r.Access
		access.End = access.End.Add(longest)
		r.Access, r.Extended, r.ExtendedSeconds = &access, r.Extended+1, r.ExtendedSeconds+int64(longest/time.Second)
	}
}

// nameOf is what an explanation calls somebody.
func nameOf(who flow.Actor) string { return cmp.Or(who.Email, who.Display()) }
