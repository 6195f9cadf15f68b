package flow

import (
	"encoding/json"
	"testing"
	"time"
)

// t0 is when the runs of these tests start.
var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// The people of these tests, by what they are in most runs.
var (
	requester = person("requester@example.com", "U0REQ")
	approver  = person("approver@example.com", "U0APP")
	second    = person("second@example.com", "U0SEC")
	admin     = person("admin@example.com", "U0ADM")
	outsider  = person("outsider@example.com", "U0OUT")
	bot       = Actor{ID: UserID("acme", "deploy-bot"), Kind: KindBot, Name: "deploy-bot"}
)

func person(email, slackID string) Actor {
	return Actor{ID: UserID("acme", email), Kind: KindPerson, Email: email, SlackID: slackID, SlackTeam: "T0"}
}

const runID = "6f1c1f9e-58a4-4c0a-9a3e-0c5d8d1a0000"

func accessFlow() *Flow {
	return &Flow{
		Org: "acme", Name: "prod-access", Version: "1.0.3", Label: "Production access",
		Strategy: &Strategy{
			Name: "databases", Type: "http", Settings: map[string]string{"url": "https://grants.example.com/sym"},
			Targets: []Target{ordersDB},
		},
		Params: Params{AllowRevoke: true, ScheduleDeescalation: true, NoReminders: true,
			Extend: &Extend{Max: 2, For: []Duration{Duration(time.Hour), Duration(30 * time.Minute)}, Approval: ExtendSame},
		},
	}
}

func approvalFlow() *Flow {
	f := accessFlow()
	f.Name, f.Label, f.Strategy, f.Params.Extend = "deploy", "Deploy", nil, nil
	return f
}

var ordersDB = Target{Name: "orders-db", Type: "http", Label: "Orders database", Settings: map[string]string{"identifier": "orders"}}

// must applies inputs that are known to be legal, one after the other.
func must(r Run, now time.Time, inputs ...Input) Run {
	for _, in := range inputs {
		var err error
		if r, err = Apply(r, in, now); err != nil {
			panic(err)
		}
		r.Rev++
	}
	return r
}

func started(f *Flow) Run {
	return must(Run{}, t0, Start{ID: runID, Flow: f, Requester: requester, Source: ChannelSlack, Prompted: true})
}

// startedWith is started of a flow that has these hooks.
func startedWith(hooks ...string) Run {
	f := accessFlow()
	f.Implementation = described(hooks...)
	return started(f)
}

// submitted is the form as the requester sends it.
func submitted(d time.Duration) Receive {
	return Receive{
		Action: ActionRequest, Actor: requester, Channel: ChannelSlack,
		Submission: &Submission{Fields: map[string]any{FieldNameReason: "incident 4711"}, Target: &ordersDB, Duration: d},
	}
}

// requestedOf brings a run to requested: two tiers of 30 minutes and one hour.
func requestedOf(f *Flow, required int, d time.Duration) Run {
	r := must(started(f), t0, submitted(d))
	return must(r, t0, Route{
		SignalID: r.Signals[0].ID,
		Tiers:    []Tier{{Channel: "#access", TimeoutSeconds: 1800}, {Users: []Actor{admin}, TimeoutSeconds: 3600}},
		Deciders: Deciders{People: []Actor{approver, second}, Admins: []Actor{admin}, Required: required},
	})
}

// emergency is the form of somebody who breaks the glass.
func emergency(d time.Duration) Receive {
	in := submitted(d)
	in.Submission.BreakGlass = true
	return in
}

// brokenRoute routes it: it takes two approvals otherwise, and lasts half an hour.
func brokenRoute(signal string) Route {
	return Route{
		SignalID: signal, Tiers: []Tier{{Channel: "#access", Others: []Recipient{{Users: []Actor{admin}}}}}, Longest: 30 * time.Minute,
		Deciders: Deciders{People: []Actor{approver, second}, Admins: []Actor{admin}, Required: 2},
	}
}

// breakingGlass brings a run to approved, by nobody but its requester.
func breakingGlass(d time.Duration) Run {
	r := must(started(accessFlow()), t0, emergency(d))
	return must(r, t0, brokenRoute(r.Signals[0].ID))
}

// ended grants the access of an approved run, and has it end.
func ended(r Run) Run {
	return must(r, t0, intend, Escalate{}, click(ActionDeescalate, requester), Claim{Owner: "worker", Until: t0.Add(time.Minute)}, Deescalate{Owner: "worker"})
}

// reviewed has an approver review what was done.
func reviewed(r Run) Run {
	r = must(r, t0, click(ActionReview, approver))
	return must(r, t0, Reviewed{SignalID: r.Signals[0].ID})
}

// requestedFor brings a run to requested whose access is to start at a time.
func requestedFor(at time.Time, d time.Duration) Run {
	in := submitted(d)
	in.Submission.StartAt = at
	r := must(started(accessFlow()), t0, in)
	return must(r, t0, route(r.Signals[0].ID, 1))
}

// click is a person's button.
func click(a Action, who Actor) Receive { return Receive{Action: a, Actor: who, Channel: ChannelSlack} }

// news is what a clock or a messenger says of the current tier.
func news(r Run, a Action) Receive {
	return Receive{Action: a, Actor: System, Channel: ChannelInternal, Tier: r.Tier}
}

// decide appends a click and takes it.
func decide(r Run, now time.Time, a Action, who Actor) Run {
	r = must(r, now, click(a, who))
	return must(r, now, Decide{SignalID: r.Signals[len(r.Signals)-1].ID, Vouched: now})
}

// forward appends news of the current tier and takes it.
func forward(r Run, now time.Time, a Action) Run {
	in := news(r, a)
	in.Message = "channel #access does not exist"
	r = must(r, now, in)
	return must(r, now, Forward{SignalID: r.Signals[len(r.Signals)-1].ID})
}

// askMore asks for more time, and takes that.
func askMore(r Run, now time.Time, by time.Duration, who Actor) Run {
	r = must(r, now, more(by, who))
	return must(r, now, AskExtension{SignalID: r.Signals[len(r.Signals)-1].ID})
}

// more is how somebody asks for more time.
func more(by time.Duration, who Actor) Receive {
	return Receive{Action: ActionExtendRequest, Actor: who, Channel: ChannelSlack, By: by, Message: "not done yet"}
}

// decideMore decides what was asked for, and takes that.
func decideMore(r Run, now time.Time, a Action, who Actor) Run {
	r = must(r, now, Receive{Action: a, Actor: who, Channel: ChannelSlack, Extension: r.Extension.EventID})
	return must(r, now, DecideExtension{SignalID: r.Signals[len(r.Signals)-1].ID})
}

var intend = Intend{
	Strategy: *accessFlow().Strategy, Target: ordersDB, Identity: "requester@example.com",
	Entitlements: []Entitlement{{Key: "http:orders:requester@example.com"}},
}

// accounts is a target by lists: several accounts on one approval.
var accounts = Target{
	Name: "accounts", Type: "http", Label: "Accounts", FieldBindings: []string{"account_id"},
	Each: []map[string]string{{"account_id": "111111111111"}, {"account_id": "222222222222"}, {"account_id": "333333333333"}},
}

// intendSeveral begins the grant of accounts.
var intendSeveral = Intend{
	Strategy: *accessFlow().Strategy, Target: accounts, Identity: "requester@example.com",
	Entitlements: []Entitlement{
		{Key: "a", Settings: accounts.Each[0]}, {Key: "b", Settings: accounts.Each[1]}, {Key: "c", Settings: accounts.Each[2]},
	},
}

// tried is an attempt at a step for several entitlements; what is not among the
// outcomes of the keys is not about it.
func tried(step EventName, outcomes ...Outcome) Attempted {
	return Attempted{Step: step, Owner: "worker", Outcomes: outcomes}
}

// What may come of an entitlement.
func done(key string, at time.Time) Outcome { return Outcome{Key: key, Done: at} }
func waits(key string) Outcome {
	return Outcome{Key: key, Not: LookAgain{Step: EventEscalate, Text: "It works on it."}}
}
func fails(key string, code Code) Outcome {
	return Outcome{Key: key, Not: failing(EventEscalate, code, "no such account")}
}

func failing(step EventName, code Code, message string) Fail {
	return Fail{Step: step, Reason: FailureOf(Errorf(code, "%s", message))}
}

// stored is the run as it comes back from storage.
func stored(tb testing.TB, r Run) Run {
	tb.Helper()
	return storedFrom(r, func(err error) { tb.Helper(); tb.Fatal(err) })
}

func storedFrom(r Run, fatal func(error)) Run {
	body, err := json.Marshal(r)
	if err != nil {
		fatal(err)
	}
	var out Run
	if err := json.Unmarshal(body, &out); err != nil {
		fatal(err)
	}
	out.Rev, out.Size = r.Rev, len(body)
	return out
}

func granting(t *testing.T) Run {
	t.Helper()
	return situations()["granting"].run
}
