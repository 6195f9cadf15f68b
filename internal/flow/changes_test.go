package flow

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	billingDB = Target{Name: "billing-db", Type: "http", Label: "Billing database"}
	usersDB   = Target{Name: "users-db", Type: "http", Label: "Users database", Settings: map[string]string{"schema": "public"}, FieldBindings: []string{"schema"}}
)

// changeableFlow lets approvers change everything.
func changeableFlow() *Flow {
	f := accessFlow()
	f.Strategy.Targets = []Target{ordersDB, billingDB, usersDB}
	f.Params.ApproveWith = ApproveWith{Duration: true, Target: true}
	f.Params.PromptFields = []PromptField{
		{Name: "schema", Type: FieldString, Visible: true},
		{Name: FieldNameDuration, Type: FieldDuration, Required: true, Visible: true, AllowedValues: []string{"10m", "30m", "1h", "8h"}},
	}
	return f
}

// give appends an approval with changes and takes it.
func give(r Run, who Actor, g Given) Run {
	in := click(ActionApprove, who)
	in.Give = &g
	r = must(r, t0, in)
	return must(r, t0, Decide{SignalID: r.Signals[len(r.Signals)-1].ID, Vouched: t0, Lingers: 7})
}

func TestFlow_Offer(t *testing.T) {
	t.Parallel()
	f := changeableFlow()
	r := requestedOf(f, 1, time.Hour)
	names := func(o Offer) (out []string) {
		for _, t := range o.Targets {
			out = append(out, t.Name)
		}
		return out
	}
	if o := f.Offer(r); !slices.Equal(names(o), []string{"billing-db", "users-db"}) || !slices.Equal(o.Durations, []time.Duration{10 * time.Minute, 30 * time.Minute}) {
		t.Errorf("got %v, %v", names(o), o.Durations)
	}
	r.Offered = []string{"orders-db", "users-db"}
	if o := f.Offer(r); !slices.Equal(names(o), []string{"users-db"}) {
		t.Errorf("a form that offered two gives approvers %v", names(o))
	}
	f.Params.ApproveWith = ApproveWith{}
	if o := f.Offer(r); !o.Empty() {
		t.Errorf("approvers who may change nothing are offered %+v", o)
	}
}

func TestFlow_Give(t *testing.T) {
	t.Parallel()
	f := changeableFlow()
	r := requestedOf(f, 1, time.Hour)
	r.Fields["schema"] = "audit"
	r.Offered = []string{"orders-db", "users-db"}
	for name, c := range map[string]struct {
		target string
		d      time.Duration
		fault  string
	}{
		"as asked":            {"orders-db", time.Hour, ""},
		"shorter":             {"", 30 * time.Minute, ""},
		"by id":               {TargetID("acme", "users-db"), 0, ""},
		"longer":              {"", 8 * time.Hour, "duration is longer than is asked for: at most 1 hour"},
		"not of the form":     {"", 5 * time.Minute, "duration is not among"},
		"negative":            {"", -time.Minute, "duration is not among"},
		"target not offered":  {"billing-db", 0, "target_id is not among the targets that the requester could choose"},
		"target there is not": {"payroll-db", 0, "target_id is not among"},
	} {
		got, err := f.Give(r, c.target, c.d)
		if c.fault == "" && (err != nil || (got == nil) != (name == "as asked")) || c.fault != "" && (err == nil || !strings.Contains(err.Error(), strings.SplitN(c.fault, " ", 2)[1])) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := f.Give(r, "users-db", 0); err != nil || got.Target.Settings["schema"] != "audit" {
		t.Errorf("the fields that were asked for fill in %+v, %v", got, err)
	}
}

// TestApply_Given: what was asked for stays, whatever is given, and everything that
// comes after goes by what is given.
func TestApply_Given(t *testing.T) {
	t.Parallel()
	asked := requestedOf(changeableFlow(), 1, time.Hour)
	r := give(asked, approver, Given{Target: &billingDB, DurationSeconds: 600})
	if r.Target.Name != "orders-db" || r.Duration() != time.Hour || r.GivenTarget().Name != "billing-db" || r.GivenDuration() != 10*time.Minute || r.Lingers != 7 {
		t.Fatalf("asked %s for %v, given %+v, sessions linger %d", r.Target.Name, r.Duration(), r.Given, r.Lingers)
	}
	request, _ := r.Last(EventRequest)
	if was := r.At(request.ID); was.Given != nil {
		t.Errorf("at the request, %+v was given", was.Given)
	}
	approval, _ := r.Last(EventApprove)
	want := map[string]any{FieldNameTarget: TargetID("acme", "orders-db"), FieldNameDuration: int64(3600)}
	if then := r.At(approval.ID); !SameValue(approval.Fields[KeyAsked], want) || then.GivenTarget().Name != "billing-db" {
		t.Errorf("the approval has %v, given %+v", approval.Fields, approval.Given)
	}
	in := intend
	in.Target = billingDB
	r = must(r, t0, in, Escalate{})
	if end := t0.Add(10 * time.Minute); !r.Access.End.Equal(end) {
		t.Errorf("it ends at %v, want %v", r.Access.End, end)
	}
	if _, err := Apply(asked, Receive{Action: ActionApprove, Actor: approver, Channel: ChannelSlack, Give: &Given{DurationSeconds: 7200}}, t0); CodeOf(err) != CodeInvalid {
		t.Errorf("longer than asked: %v", err)
	}
	if _, err := Apply(asked, Receive{Action: ActionDeny, Actor: approver, Channel: ChannelSlack, Give: &Given{DurationSeconds: 60}}, t0); CodeOf(err) != CodeIllegal {
		t.Errorf("a denial that gives something: %v", err)
	}
}

// TestRun_Unasked: where the flow asks nobody for more time, somebody is asked all the
// same once an approver has given less than was asked; what a hook has shortened, a hook
// and the flow may lengthen.
func TestRun_Unasked(t *testing.T) {
	t.Parallel()
	f := changeableFlow()
	f.Params.Extend = &Extend{Max: 3, For: []Duration{Duration(30 * time.Minute)}, Approval: ExtendNone}
	asked := requestedOf(f, 2, time.Hour)
	short := 10 * time.Minute
	byHook := must(asked, t0, click(ActionApprove, approver))
	byHook = must(byHook, t0, Decide{SignalID: byHook.Signals[0].ID, Vouched: t0}, click(ActionApprove, second))
	byHook = must(byHook, t0, Decide{SignalID: byHook.Signals[0].ID, Vouched: t0, Terms: &Terms{Duration: &short}})
	for name, c := range map[string]struct {
		run     Run
		ruling  *Ruling
		unasked bool
	}{
		"as asked":            {give(give(asked, approver, Given{}), second, Given{}), nil, true},
		"shorter":             {give(give(asked, approver, Given{}), second, Given{DurationSeconds: 600}), nil, false},
		"shorter, at first":   {give(give(asked, approver, Given{DurationSeconds: 600}), second, Given{}), nil, false},
		"another target":      {give(give(give(asked, approver, Given{}), second, Given{Target: &billingDB}), approver, Given{Target: &billingDB}), nil, true},
		"shorter, by a hook":  {byHook, nil, true},
		"shorter, and a rule": {give(give(asked, approver, Given{}), second, Given{DurationSeconds: 600}), &Ruling{Event: EventExtend}, true},
	} {
		in := intend
		in.Target = *c.run.GivenTarget()
		r := must(stored(t, must(c.run, t0, in, Escalate{})), t0, Receive{Action: ActionExtendRequest, Actor: requester, Channel: ChannelSlack, By: 30 * time.Minute})
		end := r.Access.End
		r = must(r, t0, AskExtension{SignalID: r.Signals[0].ID, Ruling: c.ruling})
		if moved := r.Access.End.After(end); moved != c.unasked || moved == (r.Extension != nil) {
			t.Errorf("%s: it ends at %s, and before at %s; to be decided: %+v", name, r.Access.End, end, r.Extension)
		}
	}
}

// TestApply_GivenBySeveral: the shortest duration wins, another target makes earlier
// approvals void, and nobody decides what they have not read.
func TestApply_GivenBySeveral(t *testing.T) {
	t.Parallel()
	asked := requestedOf(changeableFlow(), 2, time.Hour)
	r := give(asked, approver, Given{DurationSeconds: 1800})
	if r.Status != Requested || len(r.Approvals) != 1 || r.GivenDuration() != 30*time.Minute {
		t.Fatalf("%s with %d approvals, given for %v", r.Status, len(r.Approvals), r.GivenDuration())
	}
	if before, _ := asked.AskedFor(); func() string { now, _ := r.AskedFor(); return now }() == before {
		t.Error("buttons carry the same digest, though the request reads otherwise now")
	}
	shorter := give(r, second, Given{DurationSeconds: 600})
	if shorter.Status != Approved || shorter.GivenDuration() != 10*time.Minute {
		t.Errorf("%s, given for %v", shorter.Status, shorter.GivenDuration())
	}
	if plain := decide(r, t0, ActionApprove, second); plain.Status != Approved || plain.GivenDuration() != 30*time.Minute {
		t.Errorf("%s, given for %v", plain.Status, plain.GivenDuration())
	}

	other := give(r, second, Given{Target: &billingDB})
	last := other.Events[len(other.Events)-1]
	if other.Status != Requested || len(other.Approvals) != 1 || !other.Approvals[0].Actor.Is(second) || !slices.Equal(last.Fields[KeyVoided].([]string), []string{r.Approvals[0].EventID}) {
		t.Fatalf("%s, approvals %+v, event %+v", other.Status, other.Approvals, last.Fields)
	}
	anew := decide(other, t0, ActionApprove, approver)
	if anew.Status != Approved || anew.GivenTarget().Name != "billing-db" || anew.GivenDuration() != 30*time.Minute {
		t.Errorf("%s, given %+v", anew.Status, anew.Given)
	}

	// Both clicked at the same time: the second had read something else.
	race := click(ActionApprove, approver)
	race.Give = &Given{Target: &billingDB}
	late := must(asked, t0, race, click(ActionApprove, second))
	late = must(late, t0, Decide{SignalID: late.Signals[0].ID})
	if _, err := Apply(late, Decide{SignalID: late.Signals[0].ID}, t0); CodeOf(err) != CodeChanged {
		t.Errorf("a click on what it was before: %v", err)
	}
}

// TestRun_Barred: whoever asks for a colleague never approves that, and the colleague
// only where the flow allows self-approval.
func TestRun_Barred(t *testing.T) {
	t.Parallel()
	for _, self := range []bool{false, true} {
		in := submitted(time.Hour)
		in.For = &second
		r := must(started(accessFlow()), t0, in)
		if !r.Requester.Is(second) || r.Asker == nil || !r.Asker.Is(requester) || !r.Signals[0].Actor.Is(second) {
			t.Fatalf("it is %s's, asked for by %v", r.Requester.Display(), r.Asker)
		}
		r = must(r, t0, Route{SignalID: r.Signals[0].ID, Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{
			Members: true, Admins: []Actor{requester}, People: []Actor{requester, second}, Required: 1, AllowSelfApproval: self,
		}})
		if err := r.MayDecide(requester, false, ActionApprove); CodeOf(err) != CodeSelfApproval {
			t.Errorf("self-approval %t: whoever asked may approve: %v", self, err)
		}
		if err := r.MayDecide(second, false, ActionApprove); (err == nil) != self {
			t.Errorf("self-approval %t: the colleague: %v", self, err)
		}
		for _, who := range []Actor{requester, second} {
			if r.MayCancel(who, false) != nil || r.MayEnd(who) != nil || r.MayDecide(who, false, ActionDeny) != nil {
				t.Errorf("%s can't take it back", who.Display())
			}
		}
		if r.MayCancel(outsider, false) == nil {
			t.Error("anybody may cancel")
		}
		over := decide(r, t0, ActionCancel, requester)
		if over.MayAskAgain(requester) != nil || over.MayAskAgain(second) != nil || over.MayAskAgain(approver) == nil || r.MayAskAgain(second) == nil {
			t.Error("asking again is for both of them, once it is over")
		}
	}
}

func TestFlow_Refill(t *testing.T) {
	t.Parallel()
	f := changeableFlow()
	asked := map[string]any{FieldNameTarget: TargetID("acme", "users-db"), FieldNameDuration: float64(1800), "schema": "audit"}
	form, lost := f.Refill(f.OpenForm(nil), asked)
	values := map[string]any{}
	for _, field := range form.Fields {
		values[field.Name] = field.Value
	}
	if !SameValue(values, asked) || len(lost) > 0 {
		t.Errorf("filled in %v, lost %v", values, lost)
	}
	f.Strategy.Targets = []Target{ordersDB}
	f.Params.PromptFields[1].AllowedValues = []string{"1h"}
	form, lost = f.Refill(f.OpenForm(nil), asked)
	if form.Fields[0].Value != nil || form.Fields[2].Value != nil || !slices.Equal(lost, []string{"Target", "Duration"}) {
		t.Errorf("filled in %+v, lost %v", form.Fields, lost)
	}
}

func TestFlow_changes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Flow)
		want   string
	}{
		"approval-only": {func(f *Flow) { f.Strategy = nil; f.Params.ApproveWith.Target = true }, "params.approve_with"},
		"by hand":       {func(f *Flow) { f.Params.ScheduleDeescalation = false; f.Params.ApproveWith.Duration = true }, "params.approve_with.duration"},
		"hidden": {func(f *Flow) {
			f.Params.PromptFields = []PromptField{{Name: FieldNameTarget, Type: FieldString, Default: "orders-db"}}
			f.Params.ApproveWith.Target = true
		}, "params.approve_with.target"},
		"not from Slack": {func(f *Flow) { f.Params.AllowedSources = &[]Channel{ChannelAPI}; f.Params.OnBehalf = true }, "params.on_behalf"},
		"on_change": {func(f *Flow) {
			f.Params.PromptFields = []PromptField{{Name: "x", Type: FieldString, Visible: true, OnChange: &Source{}}}
			f.Params.OnBehalf = true
		}, "params.on_behalf"},
	} {
		f := accessFlow()
		c.change(f)
		v := validator{Flow: f}
		v.changes()
		if len(v.faults) != 1 || v.faults[0].Path != c.want {
			t.Errorf("%s: %v", name, v.faults)
		}
	}
}
