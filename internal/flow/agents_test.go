package flow

import (
	"strings"
	"testing"
	"time"
)

// helper is an agent of the requester's.
var helper = Actor{ID: AgentID("acme", "helper", requester.Email), Kind: KindAgent, Name: "helper"}

// agentFlow lets agents in for half an hour, and is otherwise as lax as flows can be.
func agentFlow() *Flow {
	f := accessFlow()
	f.Params.Agents = &AgentParams{MaxDuration: Duration(30 * time.Minute), Purpose: PurposeRequired}
	f.Params.Approval = Approval{AllowSelfApproval: true, Required: 1, Notify: []Notify{{Channel: "#access"}}}
	f.Params.Extend = &Extend{Max: 5, For: []Duration{Duration(10 * time.Minute), Duration(time.Hour)}, Approval: ExtendNone}
	f.Params.AllowRevoke = false
	return f
}

// askedByAgent brings a run to requested which an agent asked for.
func askedByAgent(d time.Duration) Run {
	r := must(Run{}, t0, Start{ID: runID, Flow: agentFlow(), Requester: requester, Asker: &helper, Owner: &requester, Source: ChannelAPI, Agent: &Agent{Purpose: "find a lost order"}})
	in := submitted(d)
	in.Actor, in.Channel = helper, ChannelAPI
	r = must(r, t0, in)
	return must(r, t0, Route{
		SignalID: r.Signals[0].ID, Tiers: []Tier{{Channel: "#access", TimeoutSeconds: 1800}},
		Deciders: Deciders{Members: true, People: []Actor{requester, approver, helper}, Admins: []Actor{requester, admin}, AllowSelfApproval: true, Required: 1},
	})
}

// Nobody but somebody else approves what an agent asked for, whoever the flow names and
// whatever it allows.
func TestAgents_Decide(t *testing.T) {
	t.Parallel()
	r := askedByAgent(10 * time.Minute)
	for who, code := range map[Actor]Code{requester: CodeSelfApproval, helper: CodeForbidden, bot: CodeForbidden} {
		if err := r.MayDecide(who, false, ActionApprove); CodeOf(err) != code {
			t.Errorf("%s may approve: %v", who.Display(), err)
		}
		for _, b := range r.ButtonsFor(who, false) {
			if b == ButtonApprove || b == ButtonChange {
				t.Errorf("%s is offered %s", who.Display(), b)
			}
		}
	}
	if err := r.MayDecide(helper, false, ActionDeny); CodeOf(err) != CodeForbidden {
		t.Errorf("the agent may deny: %v", err)
	}
	if err := r.MayDecide(approver, false, ActionApprove); err != nil {
		t.Error(err)
	}
	for _, action := range []Action{ActionApprove, ActionDeny, ActionExtend, ActionExtendDeny, ActionReview} {
		for _, channel := range []Channel{ChannelAPI, ChannelSlack, ChannelSDK, ChannelInternal} {
			if _, err := Apply(r, Receive{Action: action, Actor: helper, Channel: channel}, t0); CodeOf(err) != CodeForbidden {
				t.Errorf("the agent sends %s by %s: %v", action, channel, err)
			}
		}
	}
	if _, err := Apply(must(started(accessFlow()), t0), Receive{Action: ActionRequest, Actor: helper, Channel: ChannelAPI, Submission: &Submission{BreakGlass: true}}, t0); err == nil {
		t.Error("an agent has broken the glass")
	}
}

// The request's actor is the agent; whose request it is, is its owner.
func TestAgents_Actors(t *testing.T) {
	t.Parallel()
	r := askedByAgent(10 * time.Minute)
	e, _ := r.Last(EventRequest)
	if e.Actor != helper || r.Actors()[EventRequest] != requester {
		t.Errorf("asked by %+v, for %+v", e.Actor, r.Actors()[EventRequest])
	}
	if !r.AsksAs(helper) || r.AsksAs(Actor{ID: AgentID("acme", "helper", "other@example.com"), Kind: KindAgent}) || r.AsksAs(Actor{}) || r.AsksAs(Actor{ID: helper.ID, Kind: KindBot}) && r.Asker.Kind != KindAgent {
		t.Error("the run is another agent's")
	}
}

// More time takes an approval of somebody else though the flow asks nobody, and all of it
// stays within what agents may have.
func TestAgents_Extend(t *testing.T) {
	t.Parallel()
	r := must(decide(askedByAgent(20*time.Minute), t0, ActionApprove, approver), t0, intend, Escalate{})
	may, err := r.Extendable(t0)
	if err != nil || len(may) != 1 || may[0] != 10*time.Minute {
		t.Fatalf("it may be extended by %v, %v", may, err)
	}
	for _, who := range []Actor{helper, requester} {
		in := more(10*time.Minute, who)
		in.Owner = &requester
		asked := must(r, t0, in)
		asked = must(asked, t0, AskExtension{SignalID: asked.Signals[0].ID, Ruling: &Ruling{Event: EventExtend}})
		if asked.Extension == nil || asked.Extended != 0 {
			t.Fatalf("%s has more time, without an approval", who.Display())
		}
		for _, no := range []Actor{helper, requester} {
			if err := asked.MayDecideExtension(no, false, ActionExtend); err == nil {
				t.Errorf("%s may grant more time", no.Display())
			}
		}
		if err := asked.MayDecideExtension(approver, false, ActionExtend); err != nil {
			t.Error(err)
		}
	}
	full := must(decide(askedByAgent(30*time.Minute), t0, ActionApprove, approver), t0, intend, Escalate{})
	if _, err := full.Extendable(t0); CodeOf(err) != CodeNotExtendable {
		t.Errorf("what lasts as long as agents may have it can be extended: %v", err)
	}
}

// The owner can always end it, and shut the agent out; others can't.
func TestAgents_Owner(t *testing.T) {
	t.Parallel()
	r := must(decide(askedByAgent(10*time.Minute), t0, ActionApprove, approver), t0, intend, Escalate{})
	for _, b := range []Button{ButtonEnd, ButtonAgent} {
		shown := false
		for _, known := range r.Buttons(SideRequester) {
			shown = shown || known == b
		}
		if !shown || r.May(b, requester, false) != nil {
			t.Errorf("the owner has no %s", b)
		}
	}
	for _, who := range []Actor{approver, outsider, helper, bot} {
		if err := r.May(ButtonAgent, who, false); CodeOf(err) != CodeForbidden {
			t.Errorf("%s may shut the agent out: %v", who.Display(), err)
		}
	}
	plain := requestedOf(accessFlow(), 1, time.Hour)
	if err := plain.May(ButtonAgent, requester, false); CodeOf(err) != CodeForbidden {
		t.Errorf("there is no agent to be shut out: %v", err)
	}
}

func TestCheckAgent(t *testing.T) {
	t.Parallel()
	f := agentFlow()
	for _, c := range []struct {
		name    string
		d       time.Duration
		purpose string
		want    string
	}{
		{"right", 30 * time.Minute, "find a lost order", ""},
		{"no purpose", time.Minute, " \n", "purpose is required"},
		{"a speech", time.Minute, strings.Repeat("é", MaxPurpose+1), "purpose is too long"},
		{"the longest purpose", time.Minute, strings.Repeat("é", MaxPurpose), ""},
		{"too long", 31 * time.Minute, "find a lost order", "flow_inputs.duration is longer than agents may have"},
	} {
		err := f.CheckAgent(Submission{Duration: c.d}, c.purpose)
		said := ""
		if e, ok := err.(*Error); ok {
			for _, field := range e.Fields {
				said += field.Field + " " + field.Message
			}
		}
		if !strings.HasPrefix(said, c.want) || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v %s", c.name, err, said)
		}
	}
	if err := accessFlow().CheckAgent(Submission{}, "x"); CodeOf(err) != CodeWrongSource {
		t.Errorf("a flow that does not speak of agents lets them in: %v", err)
	}
	f.Params.Agents.Purpose = PurposeOptional
	if err := f.CheckAgent(Submission{}, ""); err != nil {
		t.Error(err)
	}
}

func TestValidate_Agents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*Flow)
		want string
	}{
		"right":           {func(*Flow) {}, ""},
		"unset":           {func(f *Flow) { f.Params.Agents = nil }, ""},
		"Slack only":      {func(f *Flow) { f.Params.AllowedSources = &[]Channel{ChannelSlack} }, "params.agents: agents ask by the API"},
		"nowhere":         {func(f *Flow) { f.Params.AllowedSources = &[]Channel{} }, "params.agents: agents ask by the API"},
		"no end":          {func(f *Flow) { f.Params.ScheduleDeescalation = false }, "params.agents: access of this flow has no end"},
		"no duration":     {func(f *Flow) { f.Params.Agents.MaxDuration = 0 }, "params.agents.max_duration: is missing"},
		"longer than all": {func(f *Flow) { f.Params.MaxDuration = Duration(time.Minute) }, "params.agents.max_duration: is longer"},
		"another purpose": {func(f *Flow) { f.Params.Agents.Purpose = "yes" }, "params.agents.purpose: must be"},
		"nothing lasts":   {func(f *Flow) { f.Strategy = nil }, "params.agents.max_duration: nothing lasts"},
	} {
		f := validAccess()
		f.Params.Agents = &AgentParams{MaxDuration: Duration(30 * time.Minute), Purpose: PurposeRequired}
		c.edit(f)
		found := ""
		for _, fault := range f.Validate() {
			if strings.HasPrefix(fault.Path, "params.agents") {
				found += fault.Path + ": " + fault.Message
			}
		}
		if !strings.HasPrefix(found, c.want) || (found == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
}
