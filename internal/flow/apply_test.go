package flow

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// situation is a run, and the moment at which something happens to it.
type situation struct {
	run Run
	now time.Time
}

// situations are the runs that the tables of this package speak of. Those
// named like a status are the plain ones.
func situations() map[string]situation {
	const hour = time.Hour
	soon := t0.Add(10 * time.Minute)
	prompted := started(accessFlow())
	requested := requestedOf(accessFlow(), 1, hour)
	partly := decide(requestedOf(accessFlow(), 2, hour), t0, ActionApprove, approver)
	heard := must(requested, t0, Delivered{Tier: 0})
	unheard := forward(heard, t0.Add(30*time.Minute), ActionTimeout)
	lastTier := must(unheard, t0.Add(30*time.Minute), Delivered{Tier: 1})
	approved := decide(requested, t0, ActionApprove, approver)
	granting := must(approved, t0, intend)
	escalated := must(granting, t0, Escalate{})
	forever := must(decide(requestedOf(accessFlow(), 1, 0), t0, ActionApprove, approver), t0, intend, Escalate{})
	asked := must(escalated, t0, click(ActionDeescalate, requester))
	claim := Claim{Owner: "worker", Until: t0.Add(20 * time.Minute)}
	claimed := must(asked, t0, claim)
	broken := breakingGlass(hour)
	startsLater := decide(requestedFor(t0.Add(hour), hour), t0, ActionApprove, approver)
	return map[string]situation{
		"prompted":    {prompted, soon},
		"requested":   {requested, soon},
		"approved":    {approved, soon},
		"denied":      {decide(requested, t0, ActionDeny, approver), soon},
		"expired":     {must(must(prompted, t0.Add(PromptTimeout), news(prompted, ActionTimeout)), t0.Add(PromptTimeout), Forward{SignalID: EventID(runID, 2)}), t0.Add(PromptTimeout)},
		"cancelled":   {decide(requested, t0, ActionCancel, requester), soon},
		"escalated":   {escalated, soon},
		"deescalated": {must(claimed, t0, Deescalate{Owner: "worker"}), soon},

		// Forms that a hook is asked about.
		"prompted, unasked":   {startedWith("on_prompt", "after_prompt"), soon},
		"prompted, asked":     {must(startedWith("on_prompt", "after_prompt"), t0, Keep{EventID: EventID(runID, 1)}), soon},
		"prompted, dismissed": {must(startedWith("on_prompt", "after_prompt"), t0, Dismiss{Reason: Failure{Code: CodeIgnored, Message: "ask your lead"}}), soon},

		// Forms that are late.
		"prompted, over":             {prompted, t0.Add(PromptTimeout)},
		"prompted, expires":          {must(prompted, t0.Add(PromptTimeout), news(prompted, ActionTimeout)), t0.Add(PromptTimeout)},
		"submitted":                  {must(prompted, t0, submitted(hour)), soon},
		"submitted, being withdrawn": {must(prompted, t0, submitted(hour), click(ActionCancel, requester)), soon},
		"submitted, over":            {must(prompted, t0, submitted(hour)), t0.Add(PromptTimeout)},

		// Requests.
		"asking":                 {must(requested, t0, click(ActionApprove, approver)), soon},
		"partly approved":        {partly, soon},
		"waiting":                {must(must(requested, t0, click(ActionDeny, outsider)), t0, Dispatch{}, Refuse{SignalID: EventID(runID, 3), Reason: Failure{Code: CodeForbidden}}, Wait{Attempt: 1, Token: "token"}), soon},
		"requested, over":        {heard, t0.Add(30 * time.Minute)},
		"requested, unheard":     {requested, t0.Add(DeliveryPatience)},
		"last tier":              {lastTier, t0.Add(40 * time.Minute)},
		"last tier, over":        {lastTier, t0.Add(90 * time.Minute)},
		"last tier, unreachable": {forward(unheard, t0.Add(35*time.Minute), ActionUndeliverable), t0.Add(40 * time.Minute)},
		"delivered":              {heard, soon},

		// Grants that are not there yet.
		"approval-only":             {decide(requestedOf(approvalFlow(), 1, 0), t0, ActionApprove, approver), soon},
		"approved, in doubt":        {must(approved, t0, Doubt{}), soon},
		"approved, failed":          {must(approved, t0, failing(EventEscalate, CodeUnavailable, "the target did not answer")), soon},
		"approved, failed for good": {must(approved, t0, failing(EventEscalate, CodeIdentity, "no such user")), soon},
		"approved, being cancelled": {must(approved, t0, click(ActionCancel, approver)), soon},
		"granting":                  {granting, soon},
		"granting, waiting":         {must(granting, soon, LookAgain{Step: EventEscalate, Text: "it works on it"}), soon},
		"granting, over":            {granting, t0.Add(hour + GrantWindow)},
		"granting, asked":           {must(granting, t0, click(ActionDeescalate, requester)), soon},
		"granting, claimed":         {must(must(granting, t0, click(ActionDeescalate, requester)), t0, claim), soon},

		// Several targets on one run.
		"several":          {must(approved, t0, intendSeveral), t0},
		"several, some":    {must(approved, t0, intendSeveral, tried(EventEscalate, done("a", t0), waits("b"), fails("c", CodeStrategy))), t0.Add(5 * time.Second)},
		"several, late":    {must(approved, t0, intendSeveral, tried(EventEscalate, done("a", t0), waits("b"), fails("c", CodeStrategy))), t0.Add(GrantWindow)},
		"several, failed":  {must(approved, t0, intendSeveral, tried(EventEscalate, fails("a", CodeStrategy), fails("b", CodeStrategy), fails("c", CodeStrategy))), soon},
		"several, short":   {must(approved, t0, intendSeveral, tried(EventEscalate, done("a", t0), done("b", t0), fails("c", CodeStrategy))), soon},
		"several, missing": {must(approved, t0, intendSeveral, tried(EventEscalate, done("a", t0), done("b", t0), done("c", t0)), Miss{Key: "b"}), soon},
		"several, claimed": {must(must(approved, t0, intendSeveral, tried(EventEscalate, done("a", t0), done("b", t0), done("c", t0))), t0, click(ActionDeescalate, requester), claim), soon},

		// Access that ends.
		"escalated, over":  {escalated, t0.Add(hour)},
		"forever":          {forever, t0.Add(1000 * hour)},
		"asked":            {asked, soon},
		"claimed":          {claimed, soon},
		"claimed, over":    {must(escalated, t0.Add(hour), Claim{Owner: "worker", Until: t0.Add(hour + time.Minute)}), t0.Add(hour + 30*time.Second)},
		"claimed, waiting": {must(claimed, soon, LookAgain{Step: EventDeescalate, Owner: "worker", Text: "it works on it"}), soon},
		"claim is dead":    {claimed, t0.Add(20 * time.Minute)},

		// More time.
		"more, asked":         {must(escalated, t0, more(30*time.Minute, requester)), soon},
		"more, pending":       {askMore(escalated, t0, 30*time.Minute, requester), soon},
		"more, too late":      {askMore(escalated, t0, 30*time.Minute, requester), t0.Add(hour)},
		"more, while ending":  {must(askMore(escalated, t0, 30*time.Minute, requester), t0, click(ActionDeescalate, requester)), soon},
		"more, claimed":       {must(askMore(escalated, t0, 30*time.Minute, requester), t0, click(ActionDeescalate, requester), claim), soon},
		"extended":            {decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), soon},
		"extended, told":      {must(decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), t0, Told{End: t0.Add(hour + 30*time.Minute)}), soon},
		"extended, not told":  {must(decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), soon, failing(EventExtend, CodeUnavailable, "no answer")), soon},
		"extended, for good":  {must(decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), soon, failing(EventExtend, CodeStrategy, "it refuses")), soon},
		"extended, old end":   {decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), t0.Add(hour)},
		"extended, new end":   {decideMore(askMore(escalated, t0, 30*time.Minute, requester), t0, ActionExtend, approver), t0.Add(hour + 30*time.Minute)},
		"reminded, requested": {reminded(requested), t0.Add(15 * time.Minute)},
		"reminded, ends":      {reminded(escalated), t0.Add(54 * time.Minute)},

		// Handlers that failed.
		"prompted, held":       {must(must(prompted, t0, submitted(hour)), t0, Fail{Step: EventRequest, SignalID: EventID(runID, 2), Reason: handlerFailed}), soon},
		"prompted, held, over": {must(must(prompted, t0, submitted(hour)), t0, Fail{Step: EventRequest, SignalID: EventID(runID, 2), Reason: handlerFailed}), t0.Add(PromptTimeout)},
		"requested, held":      {must(must(heard, t0.Add(30*time.Minute), news(requested, ActionTimeout)), t0.Add(30*time.Minute), Fail{Step: EventRequestForward, SignalID: EventID(runID, 3), Reason: handlerFailed}), t0.Add(40 * time.Minute)},
		"coming":               {must(must(requested, t0, click(ActionApprove, approver)), t0, Decide{SignalID: EventID(runID, 3), Hooks: []string{"on_escalate"}}), soon},
		"claimed, by an admin": {must(must(escalated, t0, click(ActionDeescalate, admin)), t0, claim), soon},

		// What targets showed meanwhile.
		"missing":        {must(escalated, t0, Miss{}), soon},
		"granting again": {must(escalated, t0, Miss{}, Retry{Actor: approver}), soon},
		"lingering":      {must(must(claimed, t0, Deescalate{Owner: "worker"}), soon, Linger{}), soon},

		// At a sick target.
		"approved, sick":           {must(approved, t0, sickGrant), soon},
		"approved, sick for long":  {must(approved, t0, sickGrant), t0.Add(SickPatience)},
		"granting, sick":           {must(granting, t0, sickGrant, sickGrant, sickGrant, sickGrant), soon},
		"granting, sick and over":  {must(granting, t0, sickGrant), t0.Add(hour + GrantWindow)},
		"escalated, over, sick":    {must(escalated, t0.Add(hour), sickRemoval), t0.Add(hour + time.Minute)},
		"escalated, over, waits":   {must(escalated, t0.Add(hour), sickRemoval), t0.Add(hour + time.Second)},
		"removal failed at sick":   {must(claimed, t0, sickFailure(EventDeescalate)), t0.Add(time.Second)},
		"approved, failed at sick": {must(approved, t0, sickFailure(EventEscalate)), t0.Add(time.Second)},
		"spared after it was sick": {must(escalated, t0, click(ActionDeescalate, requester), sickRemoval, claim, Spare{Owner: "worker", Reason: Failure{Message: "not yet"}}), soon},

		// Emergencies, and access that starts later.
		"emergency, submitted":    {must(prompted, t0, emergency(time.Hour)), soon},
		"emergency":               {broken, soon},
		"emergency, over":         {ended(broken), soon},
		"emergency, reviewed":     {reviewed(ended(broken)), soon},
		"later":                   {startsLater, soon},
		"later, scheduled":        {must(startsLater, t0, Later{}), soon},
		"later, due":              {must(startsLater, t0, Later{}), t0.Add(hour)},
		"later, being called off": {must(startsLater, t0, Later{}, click(ActionCancel, approver)), t0.Add(hour)},
		"later, started":          {must(must(startsLater, t0, Later{}), t0.Add(hour), Begin{}), t0.Add(hour)},

		"removal failed":      {must(claimed, t0, failing(EventDeescalate, CodeUnavailable, "the target did not answer")), t0.Add(time.Second)},
		"removal failed, due": {must(claimed, t0, failing(EventDeescalate, CodeUnavailable, "the target did not answer")), soon},
	}
}

// pending puts a signal on the run, as if it had come in before.
func pending(r *Run, a Action, who Actor) string {
	id := r.nextID()
	r.Signals = append(r.Signals, Signal{ID: id, Action: a, Actor: who, Channel: ChannelSlack, At: t0, Tier: r.Tier})
	return id
}

// pendingMore is pending of a signal about more time.
func pendingMore(r *Run, a Action) string {
	who := approver
	if a == ActionExtendRequest {
		who = requester
	}
	id := pending(r, a, who)
	s := &r.Signals[len(r.Signals)-1]
	s.Seconds, s.Extension = 1800, r.asked()
	return id
}

// asked is the event by which more time was asked for; "" if it was not.
func (r *Run) asked() string {
	if r.Extension == nil {
		return ""
	}
	return r.Extension.EventID
}

func (r *Run) ends() time.Time {
	if r.Access == nil {
		return time.Time{}
	}
	return r.Access.End
}

// recorded is what records tell of a run with access that lasts an hour.
func recorded() Run {
	r := must(decide(requestedOf(accessFlow(), 1, time.Hour), t0, ActionApprove, approver), t0, intend, Escalate{})
	r.Status = ""
	return r
}

// reminded is a run whose flow reminds people.
func reminded(r Run) Run {
	r.Form.NoReminders = false
	return must(r, t0, Delivered{Tier: 0})
}

// inputs are what may happen to a run. Those that take a signal bring it along.
var inputs = map[string]func(r *Run, now time.Time) Input{
	"start": func(*Run, time.Time) Input {
		return Start{ID: runID, Flow: accessFlow(), Requester: requester, Source: ChannelSlack}
	},
	"receive request":       func(*Run, time.Time) Input { return submitted(time.Hour) },
	"receive approve":       func(*Run, time.Time) Input { return click(ActionApprove, approver) },
	"receive deny":          func(*Run, time.Time) Input { return click(ActionDeny, approver) },
	"receive cancel":        func(*Run, time.Time) Input { return click(ActionCancel, requester) },
	"receive deescalate":    func(*Run, time.Time) Input { return click(ActionDeescalate, requester) },
	"receive timeout":       func(r *Run, _ time.Time) Input { return news(*r, ActionTimeout) },
	"receive undeliverable": func(r *Run, _ time.Time) Input { return news(*r, ActionUndeliverable) },
	"receive late timeout":  func(*Run, time.Time) Input { return Receive{Action: ActionTimeout, Actor: System} },
	"receive early timeout": func(*Run, time.Time) Input { return Receive{Action: ActionTimeout, Actor: System, Tier: 1} },
	"receive old undeliverable": func(*Run, time.Time) Input {
		return Receive{Action: ActionUndeliverable, Actor: System, Message: "gone"}
	},
	"receive early undeliverable": func(*Run, time.Time) Input {
		return Receive{Action: ActionUndeliverable, Actor: System, Tier: 1, Message: "gone"}
	},
	"receive nonsense": func(*Run, time.Time) Input { return click("escalate", approver) },
	"receive recheck": func(*Run, time.Time) Input {
		return Receive{Action: ActionRecheck, Actor: System, Channel: ChannelInternal, Version: "1.0.4"}
	},
	"reject an approval": func(r *Run, _ time.Time) Input {
		return Reject{SignalID: pending(r, ActionApprove, approver), Reason: Failure{Code: CodeWithdrawn, Message: "gone"}, Hooks: []string{"after_deny"}}
	},
	"reject by recheck": func(r *Run, _ time.Time) Input {
		return Reject{SignalID: pending(r, ActionRecheck, System), Reason: Failure{Code: CodeWithdrawn, Message: "gone"}}
	},
	"refuse recheck": func(r *Run, _ time.Time) Input {
		return Refuse{SignalID: pending(r, ActionRecheck, System)}
	},
	"receive review":                  func(*Run, time.Time) Input { return click(ActionReview, approver) },
	"receive cancel by approver":      func(*Run, time.Time) Input { return click(ActionCancel, approver) },
	"receive request in an emergency": func(*Run, time.Time) Input { return emergency(time.Hour) },
	"receive request in an emergency by api": func(*Run, time.Time) Input {
		in := emergency(time.Hour)
		in.Channel = ChannelAPI
		return in
	},
	"receive request in an emergency for another": func(r *Run, _ time.Time) Input {
		r.Asker = &bot
		return emergency(time.Hour)
	},
	"route, broken": func(r *Run, _ time.Time) Input { return brokenRoute(r.Signals[0].ID) },
	"route, broken for ever": func(r *Run, _ time.Time) Input {
		in := brokenRoute(r.Signals[0].ID)
		in.Longest = 0
		return in
	},
	"route, broken and denied": func(r *Run, _ time.Time) Input {
		in := brokenRoute(r.Signals[0].ID)
		in.Ruling = &Ruling{Event: EventDeny}
		return in
	},
	"route, broken and approved": func(r *Run, _ time.Time) Input {
		in := brokenRoute(r.Signals[0].ID)
		in.Ruling = &Ruling{Event: EventApprove}
		return in
	},
	"reviewed":                  func(r *Run, _ time.Time) Input { return Reviewed{SignalID: pending(r, ActionReview, approver)} },
	"reviewed by the requester": func(r *Run, _ time.Time) Input { return Reviewed{SignalID: pending(r, ActionReview, requester)} },
	"reviewed by an approval":   func(r *Run, _ time.Time) Input { return Reviewed{SignalID: pending(r, ActionApprove, approver)} },
	"later":                     func(*Run, time.Time) Input { return Later{} },
	"begin":                     func(*Run, time.Time) Input { return Begin{} },
	"doubt":                     func(*Run, time.Time) Input { return Doubt{} },
	"vouch":                     func(_ *Run, now time.Time) Input { return Vouch{At: now} },
	"withhold": func(*Run, time.Time) Input {
		return Withhold{Reason: Failure{Code: CodeIneligible, Message: "deactivated"}, Hooks: []string{"after_deny"}}
	},
	"permit": func(r *Run, _ time.Time) Input {
		return Permit{SignalID: pending(r, ActionApprove, approver), Version: "1.0.4"}
	},
	"permit again": func(r *Run, _ time.Time) Input {
		id := pending(r, ActionApprove, approver)
		r.Signals[len(r.Signals)-1].Permits = map[string]Answer{"1.0.4": {}}
		return Permit{SignalID: id, Version: "1.0.4"}
	},
	"permit what is over": func(*Run, time.Time) Input { return Permit{SignalID: EventID(runID, 4711), Version: "1.0.4"} },
	"keep": func(r *Run, _ time.Time) Input {
		return Keep{EventID: pending(r, ActionApprove, approver), Result: Result{Output: []byte(`{"ok":true}`)}}
	},
	"route": func(r *Run, _ time.Time) Input {
		return Route{SignalID: pending(r, ActionRequest, requester), Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{Members: true, Required: 1}}
	},
	"route to nobody": func(r *Run, _ time.Time) Input {
		return Route{SignalID: pending(r, ActionRequest, requester), Deciders: Deciders{Members: true, Required: 1}}
	},
	"route an approval": func(r *Run, _ time.Time) Input {
		return Route{SignalID: pending(r, ActionApprove, approver), Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{Members: true, Required: 1}}
	},
	"reject": func(r *Run, _ time.Time) Input {
		return Reject{SignalID: pending(r, ActionRequest, requester), Reason: Failure{Code: CodeNoApprover, Message: "nobody could approve"}}
	},
	"lapse": func(r *Run, _ time.Time) Input {
		return Lapse{SignalID: pending(r, ActionRequest, requester), Reason: Failure{Code: CodeLookup, Message: "Slack does not answer"}}
	},
	"refuse": func(r *Run, _ time.Time) Input {
		return Refuse{SignalID: pending(r, ActionApprove, approver), Reason: Failure{Code: CodeForbidden, Message: "no"}}
	},
	"refuse timeout": func(r *Run, _ time.Time) Input {
		return Refuse{SignalID: pending(r, ActionTimeout, System), Reason: Failure{Code: CodeStale}}
	},
	"refuse the end": func(r *Run, _ time.Time) Input {
		end, _ := r.EndAsked()
		return Refuse{SignalID: end.ID, Reason: Failure{Code: CodeForbidden}, Ignored: true}
	},
	"ignore": func(r *Run, _ time.Time) Input {
		return Refuse{SignalID: pending(r, ActionApprove, approver), Reason: Failure{Message: "ask in #ops first"}, Ignored: true}
	},
	"decide approve": func(r *Run, now time.Time) Input {
		return Decide{SignalID: pending(r, ActionApprove, second), Vouched: now}
	},
	"decide approve, then run": func(r *Run, _ time.Time) Input {
		return Decide{SignalID: pending(r, ActionApprove, second), Hooks: []string{"after_approve"}}
	},
	"decide approve again": func(r *Run, _ time.Time) Input { return Decide{SignalID: pending(r, ActionApprove, approver)} },
	"decide approve, dropping the first": func(r *Run, _ time.Time) Input {
		return Decide{SignalID: pending(r, ActionApprove, second), Dropped: []string{r.Approvals[0].EventID}}
	},
	"decide deny":              func(r *Run, _ time.Time) Input { return Decide{SignalID: pending(r, ActionDeny, approver)} },
	"decide cancel":            func(r *Run, _ time.Time) Input { return Decide{SignalID: pending(r, ActionCancel, requester)} },
	"decide the cancellation":  func(r *Run, _ time.Time) Input { s, _ := r.cancelling(); return Decide{SignalID: s.ID} },
	"decide timeout":           func(r *Run, _ time.Time) Input { return Decide{SignalID: pending(r, ActionTimeout, System)} },
	"decide what nobody asked": func(*Run, time.Time) Input { return Decide{SignalID: EventID(runID, 4711)} },
	"decide the second of two": func(r *Run, _ time.Time) Input {
		pending(r, ActionDeny, approver)
		return Decide{SignalID: pending(r, ActionApprove, second)}
	},
	"after": func(r *Run, _ time.Time) Input {
		e := r.Events[len(r.Events)-1]
		r.After = append(r.After, AfterCall{EventID: e.ID, Event: e.Name})
		return After{EventID: e.ID, Result: Result{Output: []byte(`{"ok":true}`)}}
	},
	"after, silent": func(r *Run, _ time.Time) Input {
		e := r.Events[len(r.Events)-1]
		r.After = append(r.After, AfterCall{EventID: e.ID, Event: e.Name})
		return After{EventID: e.ID}
	},
	"after nothing":         func(*Run, time.Time) Input { return After{EventID: EventID(runID, 1)} },
	"forward timeout":       func(r *Run, _ time.Time) Input { return Forward{SignalID: pending(r, ActionTimeout, System)} },
	"forward undeliverable": func(r *Run, _ time.Time) Input { return Forward{SignalID: pending(r, ActionUndeliverable, System)} },
	"forward approve":       func(r *Run, _ time.Time) Input { return Forward{SignalID: pending(r, ActionApprove, approver)} },
	"forward old timeout": func(r *Run, _ time.Time) Input {
		id := pending(r, ActionTimeout, System)
		r.Signals[len(r.Signals)-1].Tier = 0
		return Forward{SignalID: id}
	},
	"delivered":                        func(r *Run, _ time.Time) Input { return Delivered{Tier: r.Tier} },
	"delivered next":                   func(r *Run, _ time.Time) Input { return Delivered{Tier: r.Tier + 1} },
	"intend":                           func(*Run, time.Time) Input { return intend },
	"intend nothing":                   func(*Run, time.Time) Input { return Intend{Strategy: intend.Strategy, Target: intend.Target} },
	"putoff":                           func(_ *Run, now time.Time) Input { return PutOff{Until: now.Add(20 * time.Second)} },
	"putoff for long":                  func(_ *Run, now time.Time) Input { return PutOff{Until: now.Add(5 * time.Minute)} },
	"postpone":                         func(*Run, time.Time) Input { return sickGrant },
	"postpone the end":                 func(*Run, time.Time) Input { return sickRemoval },
	"postpone approve":                 func(*Run, time.Time) Input { return Postpone{Step: EventApprove} },
	"fail deescalate at a sick target": func(*Run, time.Time) Input { return sickFailure(EventDeescalate) },
	"fail escalate at a sick target":   func(*Run, time.Time) Input { return sickFailure(EventEscalate) },
	"escalate":                         func(*Run, time.Time) Input { return Escalate{Output: []byte(`{"user":"tmp"}`)} },
	"claim":                            func(_ *Run, now time.Time) Input { return Claim{Owner: "worker", Until: now.Add(time.Minute)} },
	"lookagain":                        func(*Run, time.Time) Input { return LookAgain{Step: EventEscalate, Text: "it works on it"} },
	"lookagain in five minutes": func(*Run, time.Time) Input {
		return LookAgain{Step: EventEscalate, Text: "accept the invitation", Todo: true, After: 5 * time.Minute}
	},
	"lookagain at the end": func(_ *Run, now time.Time) Input {
		return LookAgain{Step: EventDeescalate, Owner: "worker", Text: "it works on it", Accepted: now}
	},
	"lookagain by another": func(*Run, time.Time) Input { return LookAgain{Step: EventDeescalate, Owner: "another"} },
	"attempted":            func(_ *Run, now time.Time) Input { return tried(EventEscalate, done("", now)) },
	"attempted, all": func(_ *Run, now time.Time) Input {
		return tried(EventEscalate, done("a", now), done("b", now), done("c", now))
	},
	"attempted, one": func(_ *Run, now time.Time) Input { return tried(EventEscalate, done("b", now)) },
	"attempted, none": func(*Run, time.Time) Input {
		return tried(EventEscalate, fails("a", CodeUnavailable), waits("b"), waits("c"))
	},
	"attempted, failed": func(*Run, time.Time) Input { return tried(EventEscalate, fails("b", CodeStrategy)) },
	"attempted, busy": func(_ *Run, now time.Time) Input {
		return tried(EventEscalate, Outcome{Key: "b", Not: PutOff{Until: now.Add(20 * time.Second)}})
	},
	"attempted at the end": func(_ *Run, now time.Time) Input {
		return tried(EventDeescalate, done("a", now), done("b", now), done("c", now))
	},
	"attempted at the end, one": func(_ *Run, now time.Time) Input {
		return tried(EventDeescalate, done("a", now), waits("b"), fails("c", CodeUnavailable))
	},
	"attempted at the end by another": func(*Run, time.Time) Input { return Attempted{Step: EventDeescalate, Owner: "another"} },
	"attempted at nothing":            func(*Run, time.Time) Input { return Attempted{Step: EventApprove} },
	"attempted of another": func(_ *Run, now time.Time) Input {
		return tried(EventEscalate, done("d", now))
	},
	"miss b":               func(*Run, time.Time) Input { return Miss{Key: "b"} },
	"miss c":               func(*Run, time.Time) Input { return Miss{Key: "c"} },
	"find b":               func(*Run, time.Time) Input { return Find{Key: "b"} },
	"lookagain at nothing": func(*Run, time.Time) Input { return LookAgain{Step: EventApprove} },
	"claim by another": func(_ *Run, now time.Time) Input {
		return Claim{Owner: "another", Until: now.Add(time.Minute)}
	},
	"deescalate":            func(*Run, time.Time) Input { return Deescalate{Owner: "worker"} },
	"deescalate by another": func(*Run, time.Time) Input { return Deescalate{Owner: "another"} },
	"deescalate by nobody":  func(*Run, time.Time) Input { return Deescalate{} },
	"fail escalate": func(*Run, time.Time) Input {
		return failing(EventEscalate, CodeUnavailable, "the target did not answer")
	},
	"fail escalate for good": func(*Run, time.Time) Input {
		return failing(EventEscalate, CodeStrategy, "the target refused")
	},
	"fail deescalate":          func(*Run, time.Time) Input { return failing(EventDeescalate, CodeUnavailable, "still no answer") },
	"fail deescalate for good": func(*Run, time.Time) Input { return failing(EventDeescalate, CodeStrategy, "the target refused") },
	"fail request": func(r *Run, _ time.Time) Input {
		return Fail{Step: EventRequest, SignalID: pending(r, ActionRequest, requester), Reason: handlerFailed}
	},
	"fail request_forward": func(r *Run, _ time.Time) Input {
		return Fail{Step: EventRequestForward, SignalID: pending(r, ActionTimeout, System), Reason: handlerFailed}
	},
	"fail request_expire": func(r *Run, _ time.Time) Input {
		return Fail{Step: EventRequestExpire, SignalID: pending(r, ActionTimeout, System), Reason: handlerFailed}
	},
	"route, approved": func(r *Run, _ time.Time) Input {
		return Route{
			SignalID: pending(r, ActionRequest, requester), Tiers: []Tier{{Channel: "#access"}}, Deciders: Deciders{Required: 1},
			Ruling: &Ruling{Event: EventApprove}, Hooks: []string{"after_request", "after_approve", "on_escalate"},
		}
	},
	"route, denied": func(r *Run, _ time.Time) Input {
		return Route{SignalID: pending(r, ActionRequest, requester), Ruling: &Ruling{Event: EventDeny}}
	},
	"decide approve, denied": func(r *Run, _ time.Time) Input {
		return Decide{SignalID: pending(r, ActionApprove, second), Ruling: &Ruling{Event: EventDeny}, Hooks: []string{"after_approve", "after_deny"}}
	},
	"forward timeout, approved": func(r *Run, _ time.Time) Input {
		return Forward{SignalID: pending(r, ActionTimeout, System), Ruling: &Ruling{Event: EventApprove}}
	},
	"forward timeout, expired": func(r *Run, _ time.Time) Input {
		return Forward{SignalID: pending(r, ActionTimeout, System), Ruling: &Ruling{Event: EventRequestExpire}}
	},
	"ignore timeout": func(r *Run, _ time.Time) Input {
		return Refuse{SignalID: pending(r, ActionTimeout, System), Reason: Failure{Message: "wait"}, Ignored: true}
	},
	"keep for the grant": func(r *Run, _ time.Time) Input {
		if r.Coming == nil {
			return Keep{}
		}
		return Keep{EventID: r.Coming.EventID}
	},
	"keep for the end": func(r *Run, _ time.Time) Input {
		if r.Access == nil {
			return Keep{}
		}
		return Keep{EventID: r.Access.Removal.EventID}
	},
	"dismiss": func(*Run, time.Time) Input {
		return Dismiss{Reason: Failure{Code: CodeIgnored, Message: "ask your lead"}}
	},
	"spare":                  func(*Run, time.Time) Input { return Spare{Owner: "worker", Reason: Failure{Message: "not yet"}} },
	"spare by another":       func(*Run, time.Time) Input { return Spare{Owner: "another", Reason: Failure{Message: "not yet"}} },
	"fail approve":           func(*Run, time.Time) Input { return failing(EventApprove, CodeHandler, "no") },
	"retry":                  func(*Run, time.Time) Input { return Retry{Actor: requester} },
	"retry by approver":      func(*Run, time.Time) Input { return Retry{Actor: approver} },
	"receive extend_request": func(*Run, time.Time) Input { return more(30*time.Minute, requester) },
	"receive extend_request of another length": func(*Run, time.Time) Input {
		return more(31*time.Minute, requester)
	},
	"receive extend": func(r *Run, _ time.Time) Input {
		return Receive{Action: ActionExtend, Actor: approver, Channel: ChannelSlack, Extension: r.asked()}
	},
	"receive extend_deny": func(r *Run, _ time.Time) Input {
		return Receive{Action: ActionExtendDeny, Actor: approver, Channel: ChannelSlack, Extension: r.asked()}
	},
	"receive extend of another": func(*Run, time.Time) Input {
		return Receive{Action: ActionExtend, Actor: approver, Channel: ChannelSlack, Extension: EventID(runID, 1)}
	},
	"askextension": func(r *Run, _ time.Time) Input { return AskExtension{SignalID: pendingMore(r, ActionExtendRequest)} },
	"askextension, allowed": func(r *Run, _ time.Time) Input {
		return AskExtension{SignalID: pendingMore(r, ActionExtendRequest), Ruling: &Ruling{Event: EventExtend}, Hooks: []string{"after_extend_request", "after_extend"}}
	},
	"askextension, denied": func(r *Run, _ time.Time) Input {
		return AskExtension{SignalID: pendingMore(r, ActionExtendRequest), Ruling: &Ruling{Event: EventExtendDeny}}
	},
	"askextension, approved": func(r *Run, _ time.Time) Input {
		return AskExtension{SignalID: pendingMore(r, ActionExtendRequest), Ruling: &Ruling{Event: EventApprove}}
	},
	"askextension by nobody": func(r *Run, _ time.Time) Input {
		r.Form.Extend = &Extend{Max: 2, For: []Duration{Duration(30 * time.Minute)}, Approval: ExtendNone}
		return AskExtension{SignalID: pendingMore(r, ActionExtendRequest)}
	},
	"decideextension": func(r *Run, _ time.Time) Input { return DecideExtension{SignalID: pendingMore(r, ActionExtend)} },
	"decideextension by two": func(r *Run, _ time.Time) Input {
		return DecideExtension{SignalID: pendingMore(r, ActionExtend), Required: 2}
	},
	"decideextension, denied": func(r *Run, _ time.Time) Input {
		return DecideExtension{SignalID: pendingMore(r, ActionExtendDeny), Hooks: []string{"after_extend_deny"}}
	},
	"decideextension, denied by a rule": func(r *Run, _ time.Time) Input {
		return DecideExtension{SignalID: pendingMore(r, ActionExtend), Ruling: &Ruling{Event: EventExtendDeny}}
	},
	"decideextension of nothing": func(r *Run, _ time.Time) Input { return DecideExtension{SignalID: pending(r, ActionApprove, approver)} },
	"told":                       func(r *Run, _ time.Time) Input { return Told{End: r.ends()} },
	"told the old end":           func(*Run, time.Time) Input { return Told{End: t0} },
	"told, pending":              func(r *Run, _ time.Time) Input { return Told{End: r.ends(), Pause: 20 * time.Second} },
	"fail extend":                func(*Run, time.Time) Input { return failing(EventExtend, CodeUnavailable, "no answer") },
	"fail extend for good":       func(*Run, time.Time) Input { return failing(EventExtend, CodeStrategy, "it refuses") },
	"remind":                     func(*Run, time.Time) Input { return Remind{} },
	"miss":                       func(*Run, time.Time) Input { return Miss{} },
	"find":                       func(*Run, time.Time) Input { return Find{} },
	"recover":                    func(*Run, time.Time) Input { return Recover{Recorded: recorded(), Flow: accessFlow()} },
	"recover what is over":       func(*Run, time.Time) Input { return Recover{Recorded: recorded(), Over: true} },
	"recover another": func(*Run, time.Time) Input {
		r := recorded()
		r.ID = RunIDFrom("acme", "another")
		return Recover{Recorded: r}
	},
	"recover nothing": func(*Run, time.Time) Input { r := recorded(); r.Access = nil; return Recover{Recorded: r} },
	"linger":          func(*Run, time.Time) Input { return Linger{} },
	"dispatch":        func(*Run, time.Time) Input { return Dispatch{} },
	"wait":            func(r *Run, _ time.Time) Input { return Wait{Attempt: r.Execution.Attempt, Token: "token"} },
	"wait, outdated":  func(r *Run, _ time.Time) Input { return Wait{Attempt: r.Execution.Attempt - 1, Token: "token"} },
}

// What is put off at a sick target, and what fails there.
var (
	sickGrant   = Postpone{Step: EventEscalate}
	sickRemoval = Postpone{Step: EventDeescalate}
)

func sickFailure(step EventName) Fail {
	f := failing(step, CodeUnavailable, "the target did not answer")
	f.Sick = true
	return f
}

// handlerFailed is what comes of a handler that raises.
var handlerFailed = Failure{Code: "SDK:HANDLER_ERROR", Message: "on_request: KeyError", Handler: "on_request"}

// outcome writes what came of an input in the columns of the table.
func outcome(before Run, in Input, now time.Time) string {
	r, err := Apply(before, in, now)
	if errors.Is(err, ErrUnchanged) {
		return "unchanged"
	}
	if err != nil {
		return "! " + string(CodeOf(err))
	}
	var events, signals []string
	for i, e := range r.Events {
		name := string(e.Name)
		if e.State != StateCompleted {
			name += "/" + string(e.State)
		}
		switch {
		case i >= len(before.Events):
			events = append(events, name)
		case !reflect.DeepEqual(e, before.Events[i]):
			events = append(events, "~"+name)
		}
	}
	for _, s := range r.Signals {
		signals = append(signals, string(s.Action))
	}
	return strings.Join([]string{string(r.Status), orDash(events), orDash(signals), relative(r.Due, now), execution(r.Execution)}, " | ")
}

func orDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

// relative writes a time as seen from now.
func relative(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case t.Equal(now):
		return "now"
	case t.Before(now):
		return t.Sub(now).String()
	}
	return "+" + t.Sub(now).String()
}

func execution(x Execution) string {
	switch {
	case x.Token != "":
		return fmt.Sprintf("%d waits", x.Attempt)
	case x.Active:
		return fmt.Sprintf("%d runs", x.Attempt)
	}
	return "-"
}

// rows cuts a table into its rows, columns trimmed.
func rows(table string) [][]string {
	var out [][]string
	for line := range strings.Lines(table) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, cells)
	}
	return out
}

func TestApply(t *testing.T) {
	t.Parallel()
	all, seen := situations(), map[string]bool{}
	for _, cells := range rows(moves) {
		name, input, want := cells[0], cells[1], strings.Join(cells[2:], " | ")
		key := name + " | " + input
		if seen[key] {
			t.Errorf("two rows for %q", key)
		}
		seen[key] = true
		s, ok := all[name]
		make, known := inputs[input]
		if !ok || !known {
			t.Errorf("row %q speaks of a situation or an input that does not exist", key)
			continue
		}
		r := stored(t, s.run)
		in := make(&r, s.now)
		r.Due = nextLook(&r)
		image := stored(t, r)
		if got := outcome(r, in, s.now); got != want {
			t.Errorf("%s\n got %s\nwant %s", key, got, want)
		}
		if !reflect.DeepEqual(stored(t, r), image) {
			t.Errorf("%s: the run that was given has changed", key)
		}
	}
	for name := range all {
		if !slices.ContainsFunc(rows(moves), func(cells []string) bool { return cells[0] == name }) {
			t.Errorf("no row for situation %q", name)
		}
	}
	// Every status (the situation of its name) has a row for every input, and
	// for every action of Receive.
	for _, status := range constants(t, "run.go", "Status") {
		for _, input := range inputTypes(t) {
			has := func(input string) bool {
				return slices.ContainsFunc(rows(moves), func(cells []string) bool {
					return cells[0] == status && (cells[1] == input || strings.HasPrefix(cells[1], input+" "))
				})
			}
			if !has(input) {
				t.Errorf("no row for status %q and input %q", status, input)
			}
			if input != "receive" {
				continue
			}
			for _, action := range constants(t, "run.go", "Action") {
				if !has("receive " + action) {
					t.Errorf("no row for status %q and action %q", status, action)
				}
			}
		}
	}
}

// inputTypes lists the types of this package that may be applied to a run, in
// lower case.
func inputTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, d := range parse(t, file).Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "apply" && f.Recv != nil {
				if input, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
					names = append(names, strings.ToLower(input.Name))
				}
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d inputs were found: %v", len(names), names)
	}
	return names
}

// constants lists the values of a string type's constants.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	var values []string
	for _, d := range parse(t, file).Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				values = append(values, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", file, typ)
	}
	return values
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestListed holds the lists of statuses, events and actions to the constants.
func TestListed(t *testing.T) {
	t.Parallel()
	listed(t, "run.go", Statuses)
	listed(t, "run.go", Actions)
	listed(t, "event.go", EventNames)
	var keys []string
	for _, d := range parse(t, "event.go").Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				if v := s.(*ast.ValueSpec); strings.HasPrefix(v.Names[0].Name, "Key") {
					keys = append(keys, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
				}
			}
		}
	}
	if !slices.Equal(EventKeys, keys) {
		t.Errorf("EventKeys is %v, want %v", EventKeys, keys)
	}
}

func listed[T ~string](t *testing.T, file string, list []T) {
	t.Helper()
	var got []string
	for _, v := range list {
		got = append(got, string(v))
	}
	typ := reflect.TypeFor[T]().Name()
	if want := constants(t, file, typ); !slices.Equal(got, want) {
		t.Errorf("the list of each %s is %v, want %v", typ, got, want)
	}
}

// moves is the lifecycle: what each input does to a run, in which situation. A
// move that is legal has the status after it, the events recorded (with the
// state of those that are not completed; ~ marks one that was there before),
// the signals left, when the run is due, and its execution. The others have
// the error's code, or "unchanged".
const moves = `
# situation               | input                       | status | events | signals | due | execution

# prompted
prompted                  | start                       | ! Run:ILLEGAL_MOVE
prompted                  | receive request             | prompted | - | request | +1m0s | -
prompted                  | receive approve             | ! Run:ILLEGAL_MOVE
prompted                  | receive deny                | ! Run:ILLEGAL_MOVE
prompted                  | receive cancel              | ! Run:ILLEGAL_MOVE
prompted                  | receive timeout             | ! Run:STALE
prompted                  | receive undeliverable       | ! Run:STALE
prompted                  | receive deescalate          | ! DeescalateAPI:INVALID_RUN
prompted                  | keep                        | prompted | - | approve | +1m0s | -
prompted                  | route                       | requested | request | - | +24h0m0s | -
prompted                  | reject                      | denied | request deny | - | - | -
prompted                  | lapse                       | expired | request request_expire | - | - | -
prompted                  | refuse                      | prompted | approve/in_progress | - | +167h50m0s | -
prompted                  | decide approve              | ! Run:ILLEGAL_MOVE
prompted                  | decide deny                 | ! Run:ILLEGAL_MOVE
prompted                  | decide cancel               | ! Run:ILLEGAL_MOVE
prompted                  | after                       | prompted | ~prompt | - | +167h50m0s | -
prompted                  | forward timeout             | expired | request_expire | - | - | -
prompted                  | forward undeliverable       | ! Run:STALE
prompted                  | delivered                   | unchanged
prompted                  | intend                      | ! Run:ILLEGAL_MOVE
prompted                  | escalate                    | ! Run:ILLEGAL_MOVE
prompted                  | putoff                      | ! Run:STALE
prompted                  | postpone                    | ! Run:STALE
prompted                  | lookagain                   | ! Run:STALE
prompted                  | attempted                   | ! Run:STALE
prompted                  | claim                       | ! DeescalateAPI:INVALID_RUN
prompted                  | deescalate                  | ! DeescalateAPI:INVALID_RUN
prompted                  | fail escalate               | ! Run:STALE
prompted                  | fail deescalate             | ! Run:STALE
prompted                  | miss                        | ! Run:STALE
prompted                  | find                        | unchanged
prompted                  | recover                     | escalated | request approve escalate | - | +50m0s | -
prompted                  | recover what is over        | deescalated | request approve escalate | - | - | -
prompted                  | recover another             | ! Run:ILLEGAL_MOVE
prompted                  | linger                      | ! DeescalateAPI:INVALID_RUN
prompted                  | retry                       | unchanged
prompted                  | dispatch                    | unchanged
prompted                  | wait                        | ! Run:STALE

# requested
requested                 | start                       | ! Run:ILLEGAL_MOVE
requested                 | receive request             | unchanged
requested                 | receive approve             | requested | - | approve | +1m0s | -
requested                 | receive deny                | requested | - | deny | +1m0s | -
requested                 | receive cancel              | requested | - | cancel | +1m0s | -
requested                 | receive timeout             | ! Run:STALE
requested                 | receive undeliverable       | requested | - | undeliverable | +1m0s | -
requested                 | receive deescalate          | ! DeescalateAPI:INVALID_RUN
requested                 | keep                        | requested | - | approve | +1m0s | -
requested                 | route                       | ! Run:ILLEGAL_MOVE
requested                 | reject                      | ! Run:ILLEGAL_MOVE
requested                 | lapse                       | ! Run:ILLEGAL_MOVE
requested                 | refuse                      | requested | approve/in_progress | - | +23h50m0s | -
requested                 | decide approve              | approved | approve | - | +1m0s | -
requested                 | decide deny                 | denied | deny | - | - | -
requested                 | decide cancel               | cancelled | cancel | - | - | -
requested                 | after                       | requested | ~request | - | +23h50m0s | -
requested                 | forward timeout             | expired | request_expire | - | - | -
requested                 | forward undeliverable       | requested | request_forward | - | +24h0m0s | -
requested                 | delivered                   | requested | - | - | +30m0s | -
requested                 | intend                      | ! Run:ILLEGAL_MOVE
requested                 | escalate                    | ! Run:ILLEGAL_MOVE
requested                 | putoff                      | ! Run:STALE
requested                 | postpone                    | ! Run:STALE
requested                 | lookagain                   | ! Run:STALE
requested                 | attempted                   | ! Run:STALE
requested                 | claim                       | ! DeescalateAPI:INVALID_RUN
requested                 | deescalate                  | ! DeescalateAPI:INVALID_RUN
requested                 | fail escalate               | ! Run:STALE
requested                 | fail deescalate             | ! Run:STALE
requested                 | miss                        | ! Run:STALE
requested                 | find                        | unchanged
requested                 | recover                     | escalated | approve escalate | - | +50m0s | -
requested                 | recover what is over        | deescalated | approve escalate | - | - | -
requested                 | recover another             | ! Run:ILLEGAL_MOVE
requested                 | linger                      | ! DeescalateAPI:INVALID_RUN
requested                 | retry                       | unchanged
requested                 | dispatch                    | requested | - | - | +23h50m0s | 1 runs
requested                 | wait                        | requested | - | - | +23h50m0s | 0 waits

# approved
approved                  | start                       | ! Run:ILLEGAL_MOVE
approved                  | receive request             | unchanged
approved                  | receive approve             | ! Run:ALREADY_DECIDED
approved                  | receive deny                | ! Run:ALREADY_DECIDED
approved                  | receive cancel              | approved | - | cancel | +1m0s | -
approved                  | receive timeout             | ! Run:STALE
approved                  | receive undeliverable       | ! Run:STALE
approved                  | receive deescalate          | ! DeescalateAPI:INVALID_RUN
approved                  | keep                        | approved | - | approve | +1m0s | -
approved                  | route                       | ! Run:ILLEGAL_MOVE
approved                 | reject                       | ! Run:ALREADY_DECIDED
approved                  | lapse                       | ! Run:ILLEGAL_MOVE
approved                  | refuse                      | approved | approve/in_progress | - | +1m0s | -
approved                  | decide approve              | ! Run:ALREADY_DECIDED
approved                  | decide deny                 | ! Run:ALREADY_DECIDED
approved                  | decide cancel               | cancelled | cancel | - | - | -
approved                  | after                       | approved | ~approve | - | +1m0s | -
approved                  | forward timeout             | ! Run:STALE
approved                  | forward undeliverable       | ! Run:STALE
approved                  | delivered                   | approved | - | - | +1m0s | -
approved                  | intend                      | approved | - | - | +1m0s | -
approved                  | escalate                    | ! Run:ILLEGAL_MOVE
approved                  | putoff                      | ! Run:STALE
approved                  | postpone                    | approved | - | - | +49.95s | -
approved                  | lookagain                   | approved | - | - | +1m5s | -
approved                  | attempted                   | ! Run:STALE
approved                  | claim                       | ! DeescalateAPI:INVALID_RUN
approved                  | deescalate                  | ! DeescalateAPI:INVALID_RUN
approved                  | fail escalate               | approved | escalate/in_progress | - | +2s | -
approved                  | fail deescalate             | ! Run:STALE
approved                  | miss                        | ! Run:STALE
approved                  | find                        | unchanged
approved                  | recover                     | escalated | escalate | - | +50m0s | -
approved                  | recover what is over        | deescalated | escalate | - | - | -
approved                  | recover another             | ! Run:ILLEGAL_MOVE
approved                  | recover nothing             | ! Run:ILLEGAL_MOVE
approval-only             | recover                     | ! Run:ILLEGAL_MOVE
granting                  | recover                     | escalated | escalate | - | +50m0s | -
approved, failed          | recover                     | escalated | - | - | +50m0s | -
approved                  | linger                      | ! DeescalateAPI:INVALID_RUN
approved                  | retry                       | unchanged
approved                  | dispatch                    | approved | - | - | +6m0s | 1 runs
approved                  | wait                        | ! Run:STALE

# denied
denied                    | start                       | ! Run:ILLEGAL_MOVE
denied                    | receive request             | unchanged
denied                    | receive approve             | ! Run:ALREADY_DECIDED
denied                    | receive deny                | ! Run:ALREADY_DECIDED
denied                    | receive cancel              | ! Run:ALREADY_DECIDED
denied                    | receive timeout             | ! Run:STALE
denied                    | receive undeliverable       | ! Run:STALE
denied                    | receive deescalate          | ! DeescalateAPI:INVALID_RUN
denied                    | keep                        | denied | - | approve | +1m0s | -
denied                    | route                       | ! Run:ILLEGAL_MOVE
denied                   | reject                       | ! Run:ALREADY_DECIDED
denied                    | lapse                       | ! Run:ILLEGAL_MOVE
denied                    | refuse                      | denied | approve/in_progress | - | - | -
denied                    | decide approve              | ! Run:ALREADY_DECIDED
denied                    | decide deny                 | ! Run:ALREADY_DECIDED
denied                    | decide cancel               | ! Run:ALREADY_DECIDED
denied                    | after                       | denied | ~deny | - | - | -
denied                    | forward timeout             | ! Run:STALE
denied                    | forward undeliverable       | ! Run:STALE
denied                    | delivered                   | denied | - | - | - | -
denied                    | intend                      | ! Run:ILLEGAL_MOVE
denied                    | escalate                    | ! Run:ILLEGAL_MOVE
denied                    | putoff                      | ! Run:STALE
denied                    | postpone                    | ! Run:STALE
denied                    | lookagain                   | ! Run:STALE
denied                    | attempted                   | ! Run:STALE
denied                    | claim                       | ! DeescalateAPI:INVALID_RUN
denied                    | deescalate                  | ! DeescalateAPI:INVALID_RUN
denied                    | fail escalate               | ! Run:STALE
denied                    | fail deescalate             | ! Run:STALE
denied                    | miss                        | ! Run:STALE
denied                    | find                        | unchanged
denied                    | recover                     | ! Run:ILLEGAL_MOVE
denied                    | recover what is over        | ! Run:ILLEGAL_MOVE
denied                    | recover another             | ! Run:ILLEGAL_MOVE
denied                    | linger                      | ! DeescalateAPI:INVALID_RUN
denied                    | retry                       | unchanged
denied                    | dispatch                    | unchanged
denied                    | wait                        | ! Run:STALE

# expired
expired                   | start                       | ! Run:ILLEGAL_MOVE
expired                   | receive request             | unchanged
expired                   | receive approve             | ! Run:ALREADY_DECIDED
expired                   | receive deny                | ! Run:ALREADY_DECIDED
expired                   | receive cancel              | ! Run:ALREADY_DECIDED
expired                   | receive timeout             | ! Run:STALE
expired                   | receive undeliverable       | ! Run:STALE
expired                   | receive deescalate          | ! DeescalateAPI:INVALID_RUN
expired                   | keep                        | expired | - | approve | +1m0s | -
expired                   | route                       | ! Run:ILLEGAL_MOVE
expired                  | reject                       | ! Run:ALREADY_DECIDED
expired                   | lapse                       | ! Run:ILLEGAL_MOVE
expired                   | refuse                      | expired | approve/in_progress | - | - | -
expired                   | decide approve              | ! Run:ALREADY_DECIDED
expired                   | decide deny                 | ! Run:ALREADY_DECIDED
expired                   | decide cancel               | ! Run:ALREADY_DECIDED
expired                   | after                       | expired | ~request_expire | - | - | -
expired                   | forward timeout             | ! Run:STALE
expired                   | forward undeliverable       | ! Run:STALE
expired                   | delivered                   | unchanged
expired                   | intend                      | ! Run:ILLEGAL_MOVE
expired                   | escalate                    | ! Run:ILLEGAL_MOVE
expired                   | putoff                      | ! Run:STALE
expired                   | postpone                    | ! Run:STALE
expired                   | lookagain                   | ! Run:STALE
expired                   | attempted                   | ! Run:STALE
expired                   | claim                       | ! DeescalateAPI:INVALID_RUN
expired                   | deescalate                  | ! DeescalateAPI:INVALID_RUN
expired                   | fail escalate               | ! Run:STALE
expired                   | fail deescalate             | ! Run:STALE
expired                   | miss                        | ! Run:STALE
expired                   | find                        | unchanged
expired                   | recover                     | ! Run:ILLEGAL_MOVE
expired                   | recover what is over        | ! Run:ILLEGAL_MOVE
expired                   | recover another             | ! Run:ILLEGAL_MOVE
expired                   | linger                      | ! DeescalateAPI:INVALID_RUN
expired                   | retry                       | unchanged
expired                   | dispatch                    | unchanged
expired                   | wait                        | ! Run:STALE

# cancelled
cancelled                 | start                       | ! Run:ILLEGAL_MOVE
cancelled                 | receive request             | unchanged
cancelled                 | receive approve             | ! Run:ALREADY_DECIDED
cancelled                 | receive deny                | ! Run:ALREADY_DECIDED
cancelled                 | receive cancel              | ! Run:ALREADY_DECIDED
cancelled                 | receive timeout             | ! Run:STALE
cancelled                 | receive undeliverable       | ! Run:STALE
cancelled                 | receive deescalate          | ! DeescalateAPI:INVALID_RUN
cancelled                 | keep                        | cancelled | - | approve | +1m0s | -
cancelled                 | route                       | ! Run:ILLEGAL_MOVE
cancelled                | reject                       | ! Run:ALREADY_DECIDED
cancelled                 | lapse                       | ! Run:ILLEGAL_MOVE
cancelled                 | refuse                      | cancelled | approve/in_progress | - | - | -
cancelled                 | decide approve              | ! Run:ALREADY_DECIDED
cancelled                 | decide deny                 | ! Run:ALREADY_DECIDED
cancelled                 | decide cancel               | ! Run:ALREADY_DECIDED
cancelled                 | after                       | cancelled | ~cancel | - | - | -
cancelled                 | forward timeout             | ! Run:STALE
cancelled                 | forward undeliverable       | ! Run:STALE
cancelled                 | delivered                   | cancelled | - | - | - | -
cancelled                 | intend                      | ! Run:ILLEGAL_MOVE
cancelled                 | escalate                    | ! Run:ILLEGAL_MOVE
cancelled                 | putoff                      | ! Run:STALE
cancelled                 | postpone                    | ! Run:STALE
cancelled                 | lookagain                   | ! Run:STALE
cancelled                 | attempted                   | ! Run:STALE
cancelled                 | claim                       | ! DeescalateAPI:INVALID_RUN
cancelled                 | deescalate                  | ! DeescalateAPI:INVALID_RUN
cancelled                 | fail escalate               | ! Run:STALE
cancelled                 | fail deescalate             | ! Run:STALE
cancelled                 | miss                        | ! Run:STALE
cancelled                 | find                        | unchanged
cancelled                 | recover                     | ! Run:ILLEGAL_MOVE
cancelled                 | recover what is over        | ! Run:ILLEGAL_MOVE
cancelled                 | recover another             | ! Run:ILLEGAL_MOVE
cancelled                 | linger                      | ! DeescalateAPI:INVALID_RUN
cancelled                 | retry                       | unchanged
cancelled                 | dispatch                    | unchanged
cancelled                 | wait                        | ! Run:STALE

# escalated
escalated                 | start                       | ! Run:ILLEGAL_MOVE
escalated                 | receive request             | unchanged
escalated                 | receive approve             | ! Run:ALREADY_DECIDED
escalated                 | receive deny                | ! Run:ALREADY_DECIDED
escalated                 | receive cancel              | ! Run:ALREADY_DECIDED
escalated                 | receive timeout             | ! Run:STALE
escalated                 | receive undeliverable       | ! Run:STALE
escalated                 | receive deescalate          | escalated | - | deescalate | now | -
escalated                 | keep                        | escalated | - | approve | +1m0s | -
escalated                 | route                       | ! Run:ILLEGAL_MOVE
escalated                | reject                       | ! Run:ALREADY_DECIDED
escalated                 | lapse                       | ! Run:ILLEGAL_MOVE
escalated                 | refuse                      | escalated | approve/in_progress | - | +50m0s | -
escalated                 | decide approve              | ! Run:ALREADY_DECIDED
escalated                 | decide deny                 | ! Run:ALREADY_DECIDED
escalated                 | decide cancel               | ! Run:ALREADY_DECIDED
escalated                 | after                       | escalated | ~escalate | - | +50m0s | -
escalated                 | forward timeout             | ! Run:STALE
escalated                 | forward undeliverable       | ! Run:STALE
escalated                 | delivered                   | escalated | - | - | +50m0s | -
escalated                 | intend                      | ! Run:ILLEGAL_MOVE
escalated                 | escalate                    | unchanged
escalated                 | putoff                      | ! Run:STALE
escalated                 | postpone                    | ! Run:STALE
escalated                 | lookagain                   | ! Run:STALE
escalated                 | attempted                   | unchanged
escalated                 | claim                       | ! Run:ILLEGAL_MOVE
escalated                 | deescalate                  | ! Grant:BUSY
escalated                 | fail escalate               | ! Run:STALE
escalated                 | fail deescalate             | ! Run:STALE
escalated                 | miss                        | escalated | escalate/in_progress | - | +50m0s | -
escalated                 | find                        | unchanged
escalated                 | recover                     | unchanged
escalated                 | recover what is over        | unchanged
escalated                 | recover another             | unchanged
escalated                 | linger                      | unchanged
escalated                 | retry                       | unchanged
escalated                 | dispatch                    | unchanged
escalated                 | wait                        | ! Run:STALE

# deescalated
deescalated               | start                       | ! Run:ILLEGAL_MOVE
deescalated               | receive request             | unchanged
deescalated               | receive approve             | ! Run:ALREADY_DECIDED
deescalated               | receive deny                | ! Run:ALREADY_DECIDED
deescalated               | receive cancel              | ! Run:ALREADY_DECIDED
deescalated               | receive timeout             | ! Run:STALE
deescalated               | receive undeliverable       | ! Run:STALE
deescalated               | receive deescalate          | ! DeescalateAPI:INVALID_RUN
deescalated               | keep                        | deescalated | - | approve | +1m0s | -
deescalated               | route                       | ! Run:ILLEGAL_MOVE
deescalated              | reject                       | ! Run:ALREADY_DECIDED
deescalated               | lapse                       | ! Run:ILLEGAL_MOVE
deescalated               | refuse                      | deescalated | approve/in_progress | - | - | -
deescalated               | decide approve              | ! Run:ALREADY_DECIDED
deescalated               | decide deny                 | ! Run:ALREADY_DECIDED
deescalated               | decide cancel               | ! Run:ALREADY_DECIDED
deescalated               | after                       | deescalated | ~deescalate | - | - | -
deescalated               | forward timeout             | ! Run:STALE
deescalated               | forward undeliverable       | ! Run:STALE
deescalated               | delivered                   | deescalated | - | - | - | -
deescalated               | intend                      | ! Run:ILLEGAL_MOVE
deescalated               | escalate                    | ! Run:ILLEGAL_MOVE
deescalated               | putoff                      | ! Run:STALE
deescalated               | postpone                    | ! Run:STALE
deescalated               | lookagain                   | ! Run:STALE
deescalated               | attempted                   | ! Run:STALE
deescalated               | claim                       | unchanged
deescalated               | deescalate                  | unchanged
deescalated               | fail escalate               | ! Run:STALE
deescalated               | fail deescalate             | ! Run:STALE
deescalated               | miss                        | ! Run:STALE
deescalated               | find                        | unchanged
deescalated               | recover                     | unchanged
deescalated               | recover what is over        | unchanged
deescalated               | recover another             | unchanged
deescalated               | linger                      | escalated | - | - | now | -
deescalated               | retry                       | unchanged
deescalated               | dispatch                    | unchanged
deescalated               | wait                        | ! Run:STALE

# What no status allows.
requested                 | receive nonsense            | ! Run:ILLEGAL_MOVE
requested                 | decide what nobody asked    | ! Run:STALE
requested                 | decide the second of two    | ! Run:ILLEGAL_MOVE
requested                 | decide timeout              | ! Run:ILLEGAL_MOVE
requested                 | forward approve             | ! Run:ILLEGAL_MOVE
requested                 | after nothing               | unchanged
requested                 | fail approve                | ! Run:ILLEGAL_MOVE
prompted                  | route to nobody             | ! Run:ILLEGAL_MOVE
prompted                  | route an approval           | ! Run:ILLEGAL_MOVE

# A form that is never submitted, or too late.
prompted, over            | receive timeout             | prompted | - | timeout | +1m0s | -
prompted, over            | receive request             | prompted | - | request | +1m0s | -
prompted, expires         | receive request             | ! Run:STALE
prompted, expires         | receive timeout             | unchanged
submitted                 | receive request             | unchanged
submitted                 | receive timeout             | unchanged
submitted, over           | receive timeout             | unchanged

# Clicks queue behind one another; one of a kind from each person.
asking                    | receive approve             | unchanged
asking                    | receive deny                | requested | - | approve deny | +1m0s | -
asking                    | receive timeout             | ! Run:STALE
asking                    | decide deny                 | ! Run:ILLEGAL_MOVE
requested                 | ignore                      | requested | approve/intercepted | - | +23h50m0s | -
requested                 | refuse timeout              | requested | - | - | +23h50m0s | -
requested                 | decide approve, then run    | approved | approve | - | +1m0s | -
waiting                   | receive approve             | requested | - | approve | +3m0s | 1 waits
waiting                   | decide approve              | approved | approve | - | +6m0s | 1 runs
waiting                   | decide deny                 | denied | deny | - | - | -
waiting                   | wait                        | unchanged
waiting                   | wait, outdated              | ! Run:STALE
waiting                   | dispatch                    | requested | - | - | +23h50m0s | 2 runs

# Approvals are by distinct people, and survive a forward.
partly approved           | receive approve             | ! Run:ALREADY_APPROVED
partly approved           | receive deny                | requested | - | deny | +1m0s | -
partly approved           | decide approve              | approved | approve | - | +1m0s | -
partly approved           | decide approve again        | ! Run:ALREADY_APPROVED
partly approved           | decide approve, dropping the first | requested | approve/in_progress | - | +23h50m0s | -
partly approved           | decide deny                 | denied | deny | - | - | -
partly approved           | forward timeout             | expired | request_expire | - | - | -

# Tiers.
requested                 | receive early timeout       | ! Run:STALE
requested                 | receive early undeliverable | ! Run:STALE
requested                 | delivered next              | unchanged
requested, over           | receive timeout             | requested | - | timeout | +1m0s | -
requested, over           | receive approve             | requested | - | approve | +1m0s | -
requested, unheard        | receive timeout             | requested | - | timeout | +1m0s | -
requested, unheard        | forward timeout             | expired | request_expire | - | - | -
requested, unheard        | delivered                   | requested | - | - | +30m0s | -
last tier                 | receive late timeout        | ! Run:STALE
last tier                 | receive old undeliverable   | unchanged
last tier                 | receive undeliverable       | unchanged
last tier                 | forward old timeout         | ! Run:STALE
last tier                 | forward undeliverable       | ! Run:STALE
last tier, over           | receive timeout             | requested | - | timeout | +1m0s | -
last tier, over           | receive late timeout        | ! Run:STALE
last tier, over           | forward timeout             | expired | request_expire | - | - | -
last tier, unreachable    | receive undeliverable       | unchanged
last tier, unreachable    | forward undeliverable       | requested | ~request_forward/in_progress | - | +23h50m0s | -
last tier, unreachable    | forward timeout             | expired | request_expire | - | - | -
last tier, unreachable    | delivered                   | requested | - | - | +1h0m0s | -
last tier, unreachable    | retry                       | requested | ~request_forward/in_progress | - | +24h0m0s | -
last tier, unreachable    | decide approve              | approved | approve | - | +1m0s | -
delivered                 | delivered                   | unchanged
delivered                 | receive undeliverable       | unchanged
delivered                 | forward undeliverable       | ! Run:STALE
delivered                 | forward timeout             | requested | request_forward | - | +24h0m0s | -

# Approval-only: approved is the end.
approval-only             | intend                      | ! Run:ILLEGAL_MOVE
approval-only             | escalate                    | ! Run:ILLEGAL_MOVE
approval-only             | fail escalate               | ! Run:STALE
approval-only             | receive deescalate          | ! DeescalateAPI:INVALID_RUN
approval-only             | claim                       | ! DeescalateAPI:INVALID_RUN
approval-only             | dispatch                    | unchanged
approval-only             | after                       | approved | ~approve | - | - | -
approval-only             | after, silent               | approved | - | - | - | -
approval-only             | decide deny                 | ! Run:ALREADY_DECIDED

# Granting: intent first, then the observation; failures are tried again.
approved                  | intend nothing              | ! Strategy:FAILED
approved                  | fail escalate for good      | approved | escalate/in_progress | - | - | -
approved, failed          | intend                      | approved | - | - | +1m0s | -
approved, failed          | fail escalate               | approved | ~escalate/in_progress | - | +4s | -
approved, failed          | fail escalate for good      | approved | escalate/in_progress | - | - | -
approved, failed          | retry                       | approved | ~escalate/in_progress | - | +1m0s | -
approved, failed for good | retry                       | approved | ~escalate/in_progress | - | +1m0s | -
approved, failed for good | dispatch                    | unchanged
granting                  | intend                      | unchanged
granting                  | escalate                    | escalated | escalate | - | +1h0m0s | -
granting                  | putoff                      | approved | - | - | +20s | -
granting                  | putoff for long             | approved | - | - | +1m15s | -
granting                  | lookagain                   | approved | - | - | +1m5s | -
granting                  | lookagain at the end        | ! Run:STALE
granting                  | lookagain in five minutes   | approved | - | - | +6m0s | -
granting                  | lookagain at nothing        | ! Run:ILLEGAL_MOVE

# several targets on one run
several                   | attempted                   | ! Run:ILLEGAL_MOVE
several                   | attempted, all              | escalated | escalate | - | +1h0m0s | -
several                   | attempted, none             | approved | escalate/in_progress | - | +1m2s | -
several                   | attempted, busy             | approved | - | - | +1m1s | -
several                   | attempted at the end        | ! Grant:BUSY
several                   | attempted at nothing        | ! Run:ILLEGAL_MOVE
several                   | attempted of another        | ! Run:ILLEGAL_MOVE
several                   | escalate                    | ! Run:ILLEGAL_MOVE
several                   | receive deescalate          | approved | - | deescalate | now | -
several, some             | attempted, one              | escalated | escalate | - | +59m55s | -
several, some             | attempted, failed           | escalated | ~escalate/in_progress escalate | - | +59m55s | -
several, some             | attempted, busy             | approved | - | - | +1m20s | -
several, some             | fail escalate for good      | escalated | ~escalate/in_progress escalate | - | +59m55s | -
several, some             | fail escalate               | approved | escalate/in_progress | - | +2s | -
several, some             | postpone                    | approved | - | - | +1m0s | -
several, some             | receive deescalate          | approved | - | deescalate | now | -
several, some             | miss b                      | ! Run:STALE
several, some             | retry                       | unchanged
several, late             | attempted, one              | escalated | escalate | - | +45m0s | -
several, late             | attempted, busy             | escalated | escalate/in_progress escalate | - | +45m0s | -
several, failed           | attempted, all              | escalated | escalate | - | +1h0m0s | -
several, failed           | retry                       | approved | ~escalate/in_progress | - | +1m0s | -
several, short            | retry                       | approved | ~escalate/in_progress | - | +1m0s | -
several, short            | retry by approver           | approved | ~escalate/in_progress | - | +1m0s | -
several, short            | miss b                      | escalated | escalate/in_progress | - | +50m0s | -
several, short            | miss c                      | ! Run:STALE
several, short            | find b                      | unchanged
several, short            | attempted, one              | ! Run:STALE
several, short            | receive deescalate          | escalated | - | deescalate | now | -
several, missing          | retry                       | ! Auth:FORBIDDEN
several, missing          | retry by approver           | approved | ~escalate/in_progress | - | +1m0s | -
several, missing          | miss b                      | unchanged
several, missing          | miss c                      | escalated | ~escalate/in_progress | - | +50m0s | -
several, missing          | find b                      | escalated | - | - | +50m0s | -
several, claimed          | attempted at the end        | deescalated | deescalate | - | - | -
several, claimed          | attempted at the end, one   | escalated | deescalate/in_progress | deescalate | +20s | -
several, claimed          | attempted at the end by another | ! Grant:BUSY
several, claimed          | attempted, one              | ! Run:STALE

# granting, waiting
granting, waiting         | lookagain                   | approved | - | - | +1m10s | -
granting, waiting         | putoff                      | approved | - | - | +20s | -
granting, waiting         | escalate                    | escalated | escalate | - | +1h0m0s | -
granting, waiting         | fail escalate               | approved | escalate/in_progress | - | +2s | -
granting, waiting         | dispatch                    | approved | - | - | +1m5s | 1 runs
granting, waiting         | claim                       | ! Run:ILLEGAL_MOVE
granting, waiting         | receive deescalate          | approved | - | deescalate | now | -

# claimed, waiting
claimed, waiting          | lookagain at the end        | ! Grant:BUSY
claimed, waiting          | claim                       | escalated | - | deescalate | +1m0s | -
claimed, waiting          | claim by another            | escalated | - | deescalate | +1m0s | -
claimed, waiting          | deescalate                  | ! Grant:BUSY
claimed, waiting          | fail deescalate             | escalated | deescalate/in_progress | deescalate | +5s | -
claimed, waiting          | lookagain                   | ! Run:STALE
claimed                   | lookagain at the end        | escalated | - | deescalate | +20s | -
claimed                   | lookagain by another        | ! Grant:BUSY

granting                  | fail escalate               | approved | escalate/in_progress | - | +2s | -
granting                  | receive deescalate          | approved | - | deescalate | now | -
granting                  | claim                       | ! Run:ILLEGAL_MOVE
granting                  | deescalate                  | ! Grant:BUSY
granting, over            | claim                       | approved | - | - | +1m0s | -
granting, over            | escalate                    | escalated | escalate | - | now | -
granting, asked           | escalate                    | escalated | escalate | deescalate | -10m0s | -
granting, asked           | putoff                      | ! Run:STALE
granting, asked           | fail escalate               | ! Run:STALE
granting, asked           | fail deescalate             | approved | deescalate/in_progress | deescalate | +5s | -
granting, asked           | receive deescalate          | unchanged
granting, asked           | claim                       | approved | - | deescalate | +1m0s | -
granting, asked           | dispatch                    | unchanged
granting, claimed         | escalate                    | escalated | escalate | deescalate | +10m0s | -
granting, claimed         | putoff                      | ! Run:STALE
granting, claimed         | deescalate                  | deescalated | deescalate | - | - | -
granting, claimed         | fail deescalate             | approved | deescalate/in_progress | deescalate | +5s | -

# A sick target: what was put off waits, a grant no longer than it has patience.
approved                  | postpone approve            | ! Run:ILLEGAL_MOVE
approved                  | postpone the end            | unchanged
approved, sick            | postpone                    | approved | - | - | +1m48.48s | -
approved, sick            | intend                      | approved | - | - | +1m0s | -
approved, sick            | fail escalate               | approved | escalate/in_progress | - | +2s | -
approved, sick            | fail escalate at a sick target | approved | escalate/in_progress | - | +1m48.48s | -
approved, sick for long   | postpone                    | approved | escalate/in_progress | - | - | -
granting, sick            | postpone                    | approved | - | - | +2m51.15s | -
granting, sick            | escalate                    | escalated | escalate | - | +1h0m0s | -
granting, sick            | receive deescalate          | approved | - | deescalate | now | -
granting, sick            | dispatch                    | approved | - | - | +6m0s | 1 runs
granting, sick and over   | claim                       | approved | - | - | +1m0s | -
granting, asked           | postpone                    | ! Run:STALE
granting, asked           | postpone the end            | approved | - | deescalate | +49.95s | -
escalated                 | postpone the end            | unchanged
escalated, over           | postpone the end            | escalated | - | - | +49.95s | -
escalated, over           | postpone                    | ! Run:STALE
escalated, over, sick     | postpone the end            | escalated | - | - | +1m48.48s | -
escalated, over, waits    | postpone the end            | escalated | - | - | +1m48.48s | -
escalated, over, sick     | claim                       | escalated | - | - | +1m0s | -
escalated, over, waits    | claim                       | escalated | - | - | +1m0s | -
asked                     | postpone the end            | escalated | - | deescalate | +49.95s | -
claimed                   | postpone the end            | unchanged
claimed                   | fail deescalate at a sick target | escalated | deescalate/in_progress | deescalate | +49.95s | -
removal failed at sick    | postpone the end            | escalated | - | deescalate | +1m48.48s | -
removal failed at sick    | fail deescalate             | escalated | ~deescalate/in_progress | deescalate | +10s | -
removal failed at sick    | retry                       | escalated | ~deescalate/in_progress | deescalate | now | -
removal failed at sick    | claim by another            | escalated | - | deescalate | +1m0s | -
approved, failed at sick  | postpone                    | approved | - | - | +1m48.48s | -
approved, failed at sick  | retry                       | approved | ~escalate/in_progress | - | +1m0s | -
spared after it was sick  | claim                       | ! Run:ILLEGAL_MOVE
spared after it was sick  | postpone the end            | unchanged
deescalated               | postpone the end            | unchanged

# Access that ends: at its time, or because somebody asked.
escalated, over           | claim                       | escalated | - | - | +1m0s | -
escalated, over           | fail deescalate             | ! Run:STALE
escalated, over           | receive deescalate          | escalated | - | deescalate | now | -
forever                   | claim                       | ! Run:ILLEGAL_MOVE
forever                   | receive deescalate          | escalated | - | deescalate | now | -
forever                   | escalate                    | unchanged
asked                     | receive deescalate          | unchanged
asked                     | refuse the end              | escalated | deescalate/intercepted | - | +50m0s | -
asked                     | claim                       | escalated | - | deescalate | +1m0s | -
asked                     | deescalate                  | ! Grant:BUSY
asked                     | fail deescalate             | escalated | deescalate/in_progress | deescalate | +5s | -
asked                     | decide deny                 | ! Run:ALREADY_DECIDED
claimed                   | receive deescalate          | unchanged
claimed                   | refuse the end              | ! Run:ILLEGAL_MOVE
claimed                   | claim                       | escalated | - | deescalate | +1m0s | -
claimed                   | claim by another            | ! Grant:BUSY
claimed                   | deescalate                  | deescalated | deescalate | - | - | -
claimed                   | deescalate by another       | ! Grant:BUSY
claimed                   | deescalate by nobody        | ! Grant:BUSY
claimed                   | fail deescalate             | escalated | deescalate/in_progress | deescalate | +5s | -
claimed                   | fail deescalate for good    | escalated | deescalate/in_progress | deescalate | +5s | -
claimed, over             | receive deescalate          | unchanged
claimed, over             | deescalate                  | deescalated | deescalate | - | - | -
claim is dead             | claim by another            | escalated | - | deescalate | +1m0s | -
claim is dead             | deescalate                  | deescalated | deescalate | - | - | -
missing                   | miss                        | unchanged
missing                   | find                        | escalated | - | - | +50m0s | -
missing                   | linger                      | unchanged
missing                   | retry                       | ! Auth:FORBIDDEN
missing                   | retry by approver           | approved | ~escalate/in_progress | - | +1m0s | -
missing                   | escalate                    | unchanged
missing                   | claim                       | ! Run:ILLEGAL_MOVE
missing                   | receive deescalate          | escalated | - | deescalate | now | -
missing                   | fail escalate               | ! Run:STALE
granting again            | miss                        | ! Run:STALE
granting again            | find                        | unchanged
granting again            | linger                      | unchanged
granting again            | retry                       | unchanged
granting again            | retry by approver           | unchanged
granting again            | escalate                    | escalated | escalate | - | +50m0s | -
granting again            | claim                       | ! Run:ILLEGAL_MOVE
granting again            | receive deescalate          | approved | - | deescalate | now | -
granting again            | fail escalate               | approved | escalate/in_progress | - | +2s | -
lingering                 | miss                        | ! Run:STALE
lingering                 | find                        | unchanged
lingering                 | linger                      | unchanged
lingering                 | retry                       | unchanged
lingering                 | retry by approver           | unchanged
lingering                 | escalate                    | unchanged
lingering                 | claim                       | escalated | - | - | +1m0s | -
lingering                 | receive deescalate          | escalated | - | deescalate | now | -
lingering                 | fail escalate               | ! Run:STALE

removal failed            | fail deescalate             | escalated | ~deescalate/in_progress | deescalate | +10s | -
removal failed            | fail deescalate for good    | escalated | deescalate/in_progress | deescalate | +10s | -
removal failed            | retry                       | escalated | ~deescalate/in_progress | deescalate | now | -
removal failed, due       | retry                       | unchanged
removal failed            | claim by another            | escalated | - | deescalate | +1m0s | -
removal failed            | deescalate                  | ! Grant:BUSY

# what hooks put in the place of events, and handlers that fail
prompted                  | spare                       | ! DeescalateAPI:INVALID_RUN
prompted                  | fail request                | prompted | request/in_progress | request | +167h50m0s | -
prompted                  | fail request_forward        | ! Run:STALE
prompted                  | fail request_expire         | ! Run:STALE
prompted                  | route, approved             | approved | request/intercepted approve | - | +1m0s | -
prompted                  | route, denied               | denied | request/intercepted deny | - | - | -
prompted                  | forward timeout, approved   | expired | request_expire | - | - | -
prompted                  | ignore timeout              | prompted | - | - | +167h50m0s | -
prompted                  | keep for the grant          | ! Run:STALE
prompted                  | keep for the end            | ! Run:STALE
requested                 | spare                       | ! DeescalateAPI:INVALID_RUN
requested                 | fail request                | ! Run:STALE
requested                 | fail request_forward        | ! Run:STALE
requested                 | fail request_expire         | requested | request_expire/in_progress | timeout | - | -
requested                 | route, approved             | ! Run:ILLEGAL_MOVE
requested                 | decide approve, denied      | denied | approve/intercepted deny | - | +1m0s | -
requested                 | forward timeout, approved   | approved | request_expire/intercepted approve | - | +1m0s | -
requested                 | forward timeout, expired    | ! Run:ILLEGAL_MOVE
requested                 | ignore timeout              | requested | request_expire/intercepted | - | +24h0m0s | -
requested                 | keep for the end            | ! Run:STALE
approved                  | spare                       | ! DeescalateAPI:INVALID_RUN
approved                  | fail request                | ! Run:STALE
approved                  | route, approved             | ! Run:ILLEGAL_MOVE
approved                  | decide approve, denied      | ! Run:ALREADY_DECIDED
approved                  | forward timeout, approved   | ! Run:STALE
approved                  | ignore timeout              | approved | - | - | +1m0s | -
approved                  | keep for the grant          | ! Run:STALE
denied                    | spare                       | ! DeescalateAPI:INVALID_RUN
denied                    | fail request                | ! Run:STALE
denied                    | route, approved             | ! Run:ILLEGAL_MOVE
denied                    | decide approve, denied      | ! Run:ALREADY_DECIDED
denied                    | forward timeout, approved   | ! Run:STALE
denied                    | ignore timeout              | denied | - | - | - | -
expired                   | spare                       | ! DeescalateAPI:INVALID_RUN
expired                   | fail request_expire         | ! Run:STALE
expired                   | decide approve, denied      | ! Run:ALREADY_DECIDED
expired                   | forward timeout, approved   | ! Run:STALE
cancelled                 | spare                       | ! DeescalateAPI:INVALID_RUN
cancelled                 | decide approve, denied      | ! Run:ALREADY_DECIDED
escalated                 | spare                       | ! Grant:BUSY
escalated                 | fail request                | ! Run:STALE
escalated                 | decide approve, denied      | ! Run:ALREADY_DECIDED
escalated                 | keep for the end            | ! Run:STALE
deescalated               | spare                       | unchanged
deescalated               | decide approve, denied      | ! Run:ALREADY_DECIDED
deescalated               | keep for the end            | ! Run:STALE
prompted, held            | receive request             | unchanged
prompted, held            | receive approve             | ! Run:ILLEGAL_MOVE
prompted, held            | receive timeout             | ! Run:STALE
prompted, held            | retry                       | prompted | ~request/in_progress | request | +1m0s | -
prompted, held            | dispatch                    | unchanged
prompted, held, over      | receive timeout             | prompted | - | request timeout | +1m0s | -
prompted, held, over      | forward timeout             | expired | request_expire | - | - | -
prompted, held, over      | retry                       | prompted | ~request/in_progress | request | +1m0s | -
requested, held           | receive approve             | requested | - | timeout approve | +1m0s | -
requested, held           | receive timeout             | unchanged
requested, held           | receive cancel              | requested | - | timeout cancel | +1m0s | -
requested, held           | decide approve              | approved | approve | timeout | +1m0s | -
requested, held           | decide deny                 | denied | deny | timeout | +1m0s | -
requested, held           | retry                       | requested | ~request_forward/in_progress | timeout | +1m0s | -
requested, held           | dispatch                    | requested | - | timeout | - | 1 runs
requested, held           | wait                        | requested | - | timeout | - | 0 waits
coming                    | keep for the grant          | approved | - | - | +1m0s | -
coming                    | intend                      | approved | - | - | +1m0s | -
coming                    | fail escalate for good      | approved | escalate/in_progress | - | - | -
coming                    | receive deescalate          | ! DeescalateAPI:INVALID_RUN
partly approved           | decide approve, denied      | denied | approve/intercepted deny | - | +1m0s | -
last tier, over           | fail request_expire         | requested | request_expire/in_progress | timeout | - | -
last tier, over           | fail request_forward        | ! Run:STALE
last tier, over           | forward timeout, approved   | approved | request_expire/intercepted approve | - | +1m0s | -
last tier, over           | ignore timeout              | requested | request_expire/intercepted | - | +1h0m0s | -
asked                     | spare                       | ! Grant:BUSY
claimed                   | spare                       | escalated | deescalate/intercepted | - | +50m0s | -
claimed                   | spare by another            | ! Grant:BUSY
claimed                   | keep for the end            | escalated | - | deescalate | +10m0s | -
claimed, by an admin      | spare                       | ! Run:ILLEGAL_MOVE
claimed, by an admin      | deescalate                  | deescalated | deescalate | - | - | -
claimed, over             | spare                       | ! Run:ILLEGAL_MOVE
claimed, over             | keep for the end            | escalated | - | - | +30s | -
granting, claimed         | spare                       | approved | deescalate/intercepted | - | +1m0s | -
removal failed            | spare                       | ! Grant:BUSY

# forms that a hook is asked about
prompted                  | dismiss                     | prompted | ~prompt/intercepted | - | +167h50m0s | -
submitted                 | dismiss                     | ! Run:ILLEGAL_MOVE
requested                 | dismiss                     | ! Run:ILLEGAL_MOVE
approved                  | dismiss                     | ! Run:ILLEGAL_MOVE
denied                    | dismiss                     | ! Run:ILLEGAL_MOVE
expired                   | dismiss                     | ! Run:ILLEGAL_MOVE
cancelled                 | dismiss                     | ! Run:ILLEGAL_MOVE
escalated                 | dismiss                     | ! Run:ILLEGAL_MOVE
deescalated               | dismiss                     | ! Run:ILLEGAL_MOVE
prompted, unasked         | receive request             | ! Run:ILLEGAL_MOVE
prompted, unasked         | dismiss                     | prompted | ~prompt/intercepted | - | +167h50m0s | -
prompted, unasked         | dispatch                    | unchanged
prompted, unasked         | keep for the grant          | prompted | - | - | +1m0s | -
prompted, asked           | receive request             | prompted | - | request | +1m0s | -
prompted, asked           | dismiss                     | prompted | ~prompt/intercepted | - | +167h50m0s | -
prompted, asked           | dispatch                    | prompted | - | - | +3m0s | 1 runs
prompted, dismissed       | receive request             | ! Auth:FORBIDDEN
prompted, dismissed       | dismiss                     | unchanged
prompted, dismissed       | dispatch                    | unchanged

# Whether the requester may still be granted.
prompted                 | receive recheck               | ! Run:STALE
prompted                 | doubt                        | ! Run:STALE
prompted                 | vouch                        | ! Run:STALE
prompted                 | withhold                     | ! Run:STALE
prompted                 | permit                       | prompted | - | approve | +1m0s | -
prompted                 | permit again                 | unchanged
prompted                 | permit what is over          | ! Run:STALE
prompted                 | reject an approval           | ! Run:ILLEGAL_MOVE
prompted                 | reject by recheck             | ! Run:ILLEGAL_MOVE
prompted                 | refuse recheck                | prompted | - | - | +167h50m0s | -
requested                | receive recheck               | requested | - | recheck | +1m0s | -
requested                | doubt                        | ! Run:STALE
requested                | vouch                        | ! Run:STALE
requested                | withhold                     | ! Run:STALE
requested                | permit                       | requested | - | approve | +1m0s | -
requested                | permit again                 | unchanged
requested                | permit what is over          | ! Run:STALE
requested                | reject an approval           | denied | approve/in_progress deny | - | +1m0s | -
requested                | reject by recheck             | denied | deny | - | - | -
requested                 | refuse recheck               | requested | - | - | +23h50m0s | -
approved                 | receive recheck               | ! Run:STALE
approved                 | doubt                        | approved | - | - | +1m0s | -
approved                 | vouch                        | approved | - | - | +1m0s | -
approved                 | withhold                     | denied | escalate/in_progress deny | - | +1m0s | -
approved                 | permit                       | approved | - | approve | +1m0s | -
approved                 | permit again                 | unchanged
approved                 | permit what is over          | ! Run:STALE
approved                 | reject an approval           | ! Run:ALREADY_DECIDED
approved                 | reject by recheck             | ! Run:ALREADY_DECIDED
approved                 | refuse recheck                | approved | - | - | +1m0s | -
denied                   | receive recheck               | ! Run:STALE
denied                   | doubt                        | ! Run:STALE
denied                   | vouch                        | ! Run:STALE
denied                   | withhold                     | ! Run:STALE
denied                   | permit                       | denied | - | approve | +1m0s | -
denied                   | permit again                 | unchanged
denied                   | permit what is over          | ! Run:STALE
denied                   | reject an approval           | ! Run:ALREADY_DECIDED
denied                   | reject by recheck             | ! Run:ALREADY_DECIDED
denied                   | refuse recheck                | denied | - | - | - | -
expired                  | receive recheck               | ! Run:STALE
expired                  | doubt                        | ! Run:STALE
expired                  | vouch                        | ! Run:STALE
expired                  | withhold                     | ! Run:STALE
expired                  | permit                       | expired | - | approve | +1m0s | -
expired                  | permit again                 | unchanged
expired                  | permit what is over          | ! Run:STALE
expired                  | reject an approval           | ! Run:ALREADY_DECIDED
expired                  | reject by recheck             | ! Run:ALREADY_DECIDED
expired                  | refuse recheck                | expired | - | - | - | -
cancelled                | receive recheck               | ! Run:STALE
cancelled                | doubt                        | ! Run:STALE
cancelled                | vouch                        | ! Run:STALE
cancelled                | withhold                     | ! Run:STALE
cancelled                | permit                       | cancelled | - | approve | +1m0s | -
cancelled                | permit again                 | unchanged
cancelled                | permit what is over          | ! Run:STALE
cancelled                | reject an approval           | ! Run:ALREADY_DECIDED
cancelled                | reject by recheck             | ! Run:ALREADY_DECIDED
cancelled                | refuse recheck                | cancelled | - | - | - | -
escalated                | receive recheck               | ! Run:STALE
escalated                | doubt                        | ! Run:STALE
escalated                | vouch                        | ! Run:STALE
escalated                | withhold                     | ! Run:STALE
escalated                | permit                       | escalated | - | approve | +1m0s | -
escalated                | permit again                 | unchanged
escalated                | permit what is over          | ! Run:STALE
escalated                | reject an approval           | ! Run:ALREADY_DECIDED
escalated                | reject by recheck             | ! Run:ALREADY_DECIDED
escalated                | refuse recheck                | escalated | - | - | +50m0s | -
deescalated              | receive recheck               | ! Run:STALE
deescalated              | doubt                        | ! Run:STALE
deescalated              | vouch                        | ! Run:STALE
deescalated              | withhold                     | ! Run:STALE
deescalated              | permit                       | deescalated | - | approve | +1m0s | -
deescalated              | permit again                 | unchanged
deescalated              | permit what is over          | ! Run:STALE
deescalated              | reject an approval           | ! Run:ALREADY_DECIDED
deescalated              | reject by recheck             | ! Run:ALREADY_DECIDED
deescalated              | refuse recheck                | deescalated | - | - | - | -
granting                 | doubt                        | approved | - | - | +1m0s | -
granting                 | vouch                        | approved | - | - | +1m0s | -
granting                 | withhold                     | approved | escalate/in_progress | deescalate | now | -
granting, asked          | doubt                        | ! Run:STALE
granting, asked          | vouch                        | ! Run:STALE
granting, asked          | withhold                     | ! Run:STALE
approved, in doubt       | doubt                        | unchanged
approved, in doubt       | vouch                        | approved | - | - | +1m0s | -
approved, in doubt       | withhold                     | denied | escalate/in_progress deny | - | +1m0s | -
approved, failed         | doubt                        | approved | - | - | +1m0s | -
approved, failed         | vouch                        | approved | - | - | +1m0s | -
approved, failed         | withhold                     | denied | escalate/in_progress deny | - | +1m0s | -
approval-only            | doubt                        | ! Run:STALE
approval-only            | vouch                        | ! Run:STALE
approval-only            | withhold                     | ! Run:STALE
coming                   | doubt                        | approved | - | - | +1m0s | -
coming                   | vouch                        | approved | - | - | +1m0s | -
coming                   | withhold                     | denied | escalate/in_progress deny | - | +1m0s | -
approved, in doubt       | fail escalate for good       | approved | escalate/in_progress | - | - | -
approved, in doubt       | retry                        | unchanged

# More time, and reminders.
prompted                  | receive extend_request      | ! Run:NOT_EXTENDABLE
prompted                  | receive extend              | ! Run:STALE
prompted                  | receive extend_deny         | ! Run:STALE
prompted                  | askextension                | ! Run:NOT_EXTENDABLE
prompted                  | decideextension             | ! Run:STALE
prompted                  | told                        | ! Run:STALE
prompted                  | fail extend                 | ! Run:STALE
prompted                  | remind                      | unchanged
requested                 | receive extend_request      | ! Run:NOT_EXTENDABLE
requested                 | receive extend              | ! Run:STALE
requested                 | receive extend_deny         | ! Run:STALE
requested                 | askextension                | ! Run:NOT_EXTENDABLE
requested                 | decideextension             | ! Run:STALE
requested                 | told                        | ! Run:STALE
requested                 | fail extend                 | ! Run:STALE
requested                 | remind                      | unchanged
approved                  | receive extend_request      | ! Run:NOT_EXTENDABLE
approved                  | receive extend              | ! Run:STALE
approved                  | receive extend_deny         | ! Run:STALE
approved                  | askextension                | ! Run:NOT_EXTENDABLE
approved                  | decideextension             | ! Run:STALE
approved                  | told                        | ! Run:STALE
approved                  | fail extend                 | ! Run:STALE
approved                  | remind                      | unchanged
denied                    | receive extend_request      | ! Run:NOT_EXTENDABLE
denied                    | receive extend              | ! Run:STALE
denied                    | receive extend_deny         | ! Run:STALE
denied                    | askextension                | ! Run:NOT_EXTENDABLE
denied                    | decideextension             | ! Run:STALE
denied                    | told                        | ! Run:STALE
denied                    | fail extend                 | ! Run:STALE
denied                    | remind                      | unchanged
expired                   | receive extend_request      | ! Run:NOT_EXTENDABLE
expired                   | receive extend              | ! Run:STALE
expired                   | receive extend_deny         | ! Run:STALE
expired                   | askextension                | ! Run:NOT_EXTENDABLE
expired                   | decideextension             | ! Run:STALE
expired                   | told                        | ! Run:STALE
expired                   | fail extend                 | ! Run:STALE
expired                   | remind                      | unchanged
cancelled                 | receive extend_request      | ! Run:NOT_EXTENDABLE
cancelled                 | receive extend              | ! Run:STALE
cancelled                 | receive extend_deny         | ! Run:STALE
cancelled                 | askextension                | ! Run:NOT_EXTENDABLE
cancelled                 | decideextension             | ! Run:STALE
cancelled                 | told                        | ! Run:STALE
cancelled                 | fail extend                 | ! Run:STALE
cancelled                 | remind                      | unchanged
escalated                 | receive extend_request      | escalated | - | extend_request | +1m0s | -
escalated                 | receive extend              | ! Run:STALE
escalated                 | receive extend_deny         | ! Run:STALE
escalated                 | askextension                | escalated | extend_request | - | +50m0s | -
escalated                 | decideextension             | ! Run:STALE
escalated                 | told                        | ! Run:STALE
escalated                 | fail extend                 | ! Run:STALE
escalated                 | remind                      | unchanged
deescalated               | receive extend_request      | ! Run:NOT_EXTENDABLE
deescalated               | receive extend              | ! Run:STALE
deescalated               | receive extend_deny         | ! Run:STALE
deescalated               | askextension                | ! Run:NOT_EXTENDABLE
deescalated               | decideextension             | ! Run:STALE
deescalated               | told                        | ! Run:STALE
deescalated               | fail extend                 | ! Run:STALE
deescalated               | remind                      | unchanged
escalated                 | receive extend_request of another length | ! Run:NOT_EXTENDABLE
escalated                 | receive extend of another   | ! Run:STALE
escalated                 | askextension, allowed       | escalated | extend_request/intercepted extend | - | +1m0s | -
escalated                 | askextension, denied        | escalated | extend_request/intercepted extend_deny | - | +50m0s | -
escalated                 | askextension, approved      | ! Run:ILLEGAL_MOVE
escalated                 | askextension by nobody      | escalated | extend_request extend | - | +1m0s | -
escalated                 | decideextension of nothing  | ! Run:ILLEGAL_MOVE
granting                  | receive extend_request      | ! Run:NOT_EXTENDABLE
forever                   | receive extend_request      | ! Run:NOT_EXTENDABLE
escalated, over           | receive extend_request      | ! Run:NOT_EXTENDABLE
escalated, over           | askextension                | ! Run:NOT_EXTENDABLE
missing                   | receive extend_request      | escalated | - | extend_request | +1m0s | -
lingering                 | receive extend_request      | ! Run:NOT_EXTENDABLE
asked                     | receive extend_request      | ! Run:NOT_EXTENDABLE
claimed                   | receive extend_request      | ! Run:NOT_EXTENDABLE
claimed                   | askextension                | ! Run:NOT_EXTENDABLE
more, asked               | receive extend_request      | unchanged
more, pending             | receive extend_request      | unchanged
more, pending             | receive extend              | escalated | - | extend | +1m0s | -
more, pending             | receive extend_deny         | escalated | - | extend_deny | +1m0s | -
more, pending             | receive extend of another   | ! Run:STALE
more, pending             | decideextension             | escalated | extend | - | +1m0s | -
more, pending             | decideextension by two      | escalated | extend/in_progress | - | +50m0s | -
more, pending             | decideextension, denied     | escalated | extend_deny | - | +1m0s | -
more, pending             | decideextension, denied by a rule | escalated | extend/intercepted extend_deny | - | +50m0s | -
more, pending             | askextension                | ! Run:NOT_EXTENDABLE
more, pending             | receive deescalate          | escalated | - | deescalate | now | -
more, pending             | remind                      | unchanged
more, pending             | claim                       | ! Run:ILLEGAL_MOVE
more, too late            | receive extend              | ! Run:STALE
more, too late            | receive extend_deny         | ! Run:STALE
more, too late            | decideextension             | ! Run:STALE
more, too late            | claim                       | escalated | - | - | +1m0s | -
more, while ending        | receive extend              | ! Run:STALE
more, while ending        | decideextension             | ! Run:STALE
more, while ending        | claim                       | escalated | - | deescalate | +1m0s | -
more, claimed             | receive extend              | ! Run:STALE
more, claimed             | decideextension             | ! Run:STALE
more, claimed             | decideextension, denied     | ! Run:STALE
more, claimed             | deescalate                  | deescalated | extend_expire deescalate | - | - | -
more, claimed             | spare                       | escalated | deescalate/intercepted | - | +50m0s | -
extended                  | receive extend_request      | escalated | - | extend_request | +1m0s | -
extended                  | receive extend              | ! Run:ALREADY_DECIDED
extended                  | told                        | escalated | - | - | +1h20m0s | -
extended                  | told the old end            | unchanged
extended                  | told, pending               | escalated | - | - | +20s | -
extended                  | fail extend                 | escalated | extend/in_progress | - | +5s | -
extended                  | fail extend for good        | escalated | extend/in_progress | - | +1h20m0s | -
extended                  | dispatch                    | escalated | - | - | +6m0s | 1 runs
extended                  | receive deescalate          | escalated | - | deescalate | now | -
extended                  | retry                       | unchanged
extended, told            | receive extend_request      | escalated | - | extend_request | +1m0s | -
extended, told            | told                        | ! Run:STALE
extended, told            | fail extend                 | ! Run:STALE
extended, told            | dispatch                    | unchanged
extended, not told        | told                        | escalated | - | - | +1h20m0s | -
extended, not told        | fail extend                 | escalated | ~extend/in_progress | - | +10s | -
extended, not told        | retry                       | escalated | ~extend/in_progress | - | +1m0s | -
extended, not told        | dispatch                    | escalated | - | - | +5s | 1 runs
extended, not told        | receive deescalate          | escalated | - | deescalate | now | -
extended, for good        | told                        | escalated | - | - | +1h20m0s | -
extended, for good        | retry                       | escalated | ~extend/in_progress | - | +1m0s | -
extended, for good        | dispatch                    | unchanged
extended, old end         | claim                       | ! Run:ILLEGAL_MOVE
extended, old end         | receive extend_request      | escalated | - | extend_request | +1m0s | -
extended, old end         | told                        | escalated | - | - | +30m0s | -
extended, new end         | claim                       | escalated | - | - | +1m0s | -
extended, new end         | receive extend_request      | ! Run:NOT_EXTENDABLE
extended, new end         | told                        | escalated | - | - | now | -
reminded, requested       | remind                      | requested | - | - | +15m0s | -
reminded, requested       | receive approve             | requested | - | approve | +1m0s | -
reminded, ends            | remind                      | escalated | - | - | +6m0s | -
reminded, ends            | receive extend_request      | escalated | - | extend_request | now | -
more, pending             | receive extend_request of another length | ! Run:NOT_EXTENDABLE

# emergencies, and access that starts later
prompted                  | receive review              | ! Run:ILLEGAL_MOVE
prompted                  | reviewed                    | ! Run:ILLEGAL_MOVE
prompted                  | later                       | ! Run:STALE
prompted                  | begin                       | ! Run:STALE
requested                 | receive review              | ! Run:ILLEGAL_MOVE
requested                 | reviewed                    | ! Run:ILLEGAL_MOVE
requested                 | later                       | ! Run:STALE
requested                 | begin                       | ! Run:STALE
approved                  | receive review              | ! Run:ILLEGAL_MOVE
approved                  | reviewed                    | ! Run:ILLEGAL_MOVE
approved                  | later                       | ! Run:STALE
approved                  | begin                       | ! Run:STALE
denied                    | receive review              | ! Run:ILLEGAL_MOVE
denied                    | reviewed                    | ! Run:ILLEGAL_MOVE
denied                    | later                       | ! Run:STALE
denied                    | begin                       | ! Run:STALE
expired                   | receive review              | ! Run:ILLEGAL_MOVE
expired                   | reviewed                    | ! Run:ILLEGAL_MOVE
expired                   | later                       | ! Run:STALE
expired                   | begin                       | ! Run:STALE
submitted                 | receive cancel              | prompted | - | request cancel | +1m0s | -
submitted                 | receive cancel by approver  | prompted | - | request cancel | +1m0s | -
submitted, being withdrawn | route                      | ! Run:ILLEGAL_MOVE
submitted, being withdrawn | decide cancel              | ! Run:ILLEGAL_MOVE
submitted, being withdrawn | decide the cancellation    | cancelled | request cancel | - | - | -
prompted, held            | receive cancel              | prompted | - | request cancel | +1m0s | -
prompted, held            | decide cancel               | cancelled | request cancel | - | - | -
cancelled                 | receive review              | ! Run:ILLEGAL_MOVE
cancelled                 | reviewed                    | ! Run:ILLEGAL_MOVE
cancelled                 | later                       | ! Run:STALE
cancelled                 | begin                       | ! Run:STALE
escalated                 | receive review              | ! Run:ILLEGAL_MOVE
escalated                 | reviewed                    | ! Run:ILLEGAL_MOVE
escalated                 | later                       | ! Run:STALE
escalated                 | begin                       | ! Run:STALE
deescalated               | receive review              | ! Run:ILLEGAL_MOVE
deescalated               | reviewed                    | ! Run:ILLEGAL_MOVE
deescalated               | later                       | ! Run:STALE
deescalated               | begin                       | ! Run:STALE
prompted                  | receive request in an emergency | prompted | - | request | +1m0s | -
prompted                  | receive request in an emergency by api | ! Auth:FORBIDDEN
prompted                  | receive request in an emergency for another | ! Auth:FORBIDDEN
emergency                 | intend                      | approved | - | - | +1m0s | -
emergency                 | receive approve             | ! Run:ALREADY_DECIDED
emergency                 | receive cancel              | approved | - | cancel | +1m0s | -
emergency                 | decide cancel               | cancelled | cancel | - | - | -
approved, failed for good | receive cancel by approver  | approved | - | cancel | +1m0s | -
approved, failed for good | decide cancel               | cancelled | cancel | - | - | -
approved, in doubt        | receive cancel              | approved | - | cancel | +1m0s | -
approved, sick            | decide cancel               | cancelled | cancel | - | - | -
approved, being cancelled | intend                      | ! Run:STALE
approved, being cancelled | fail escalate               | approved | escalate/in_progress | cancel | +1m0s | -
approved, being cancelled | receive cancel by approver  | unchanged
granting                  | receive cancel              | ! Run:ALREADY_DECIDED
granting                  | decide cancel               | ! Run:ALREADY_DECIDED
approval-only             | receive cancel              | ! Run:ALREADY_DECIDED
emergency                 | receive review              | ! Run:ILLEGAL_MOVE
emergency                 | reviewed                    | ! Run:ILLEGAL_MOVE
emergency, over           | receive review              | deescalated | - | review | +1m0s | -
emergency, over           | reviewed                    | deescalated | review | - | - | -
emergency, over           | reviewed by the requester   | ! Run:SELF_APPROVAL
emergency, over           | reviewed by an approval     | ! Run:ILLEGAL_MOVE
emergency, reviewed       | receive review              | ! Run:ALREADY_DECIDED
emergency, reviewed       | reviewed                    | ! Run:ALREADY_DECIDED
later                     | later                       | approved | - | - | +50m0s | -
later                     | begin                       | ! Run:ILLEGAL_MOVE
later                     | intend                      | ! Run:STALE
later                     | receive cancel              | approved | - | cancel | +1m0s | -
later                     | receive cancel by approver  | approved | - | cancel | +1m0s | -
later                     | decide cancel               | cancelled | cancel | - | - | -
later                     | receive deescalate          | ! DeescalateAPI:INVALID_RUN
later                     | receive deny                | ! Run:ALREADY_DECIDED
later, scheduled          | later                       | unchanged
later, scheduled          | begin                       | ! Run:ILLEGAL_MOVE
later, scheduled          | decide cancel               | cancelled | cancel | - | - | -
later, due                | begin                       | approved | - | - | +1m0s | -
later, due                | receive cancel              | approved | - | cancel | now | -
later, being called off   | begin                       | ! Run:STALE
later, started            | begin                       | unchanged
later, started            | later                       | ! Run:STALE
later, started            | receive cancel              | approved | - | cancel | +1m0s | -
later, started            | vouch                       | approved | - | - | +1m0s | -
later, started            | withhold                    | denied | escalate/in_progress deny | - | +1m0s | -
emergency, submitted      | route, broken               | approved | request approve | - | +1m0s | -
emergency, submitted      | route, broken for ever      | ! Run:ILLEGAL_MOVE
emergency, submitted      | route, broken and denied    | denied | request/intercepted deny | - | - | -
emergency, submitted      | route, broken and approved  | approved | request approve | - | +1m0s | -
`

// TestApply_Large: above MaxRunBytes only removal is accepted, and what clocks say.
func TestApply_Large(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		situation string
		in        Receive
		want      Code
	}{
		{"requested", click(ActionApprove, approver), CodeFull},
		{"requested", click(ActionCancel, requester), CodeFull},
		{"requested, over", Receive{Action: ActionTimeout, Actor: System}, ""},
		{"escalated", click(ActionDeescalate, requester), ""},
	} {
		s := situations()[c.situation]
		s.run.Size = MaxRunBytes
		if _, err := Apply(s.run, c.in, s.now); err != nil {
			t.Errorf("%s, %s at the limit: %v", c.situation, c.in.Action, err)
		}
		s.run.Size++
		if _, err := Apply(s.run, c.in, s.now); CodeOf(err) != c.want {
			t.Errorf("%s, %s above the limit: %v, want %q", c.situation, c.in.Action, err, c.want)
		}
	}
}

// TestApply_Receive_one: one pending signal per person and action, whichever
// of their ids they come with.
func TestApply_Receive_one(t *testing.T) {
	t.Parallel()
	r := must(situations()["requested"].run, t0, click(ActionApprove, approver))
	for _, who := range []Actor{
		approver, {ID: approver.ID, Kind: KindPerson}, {SlackID: approver.SlackID, SlackTeam: approver.SlackTeam, Kind: KindPerson},
	} {
		again := click(ActionApprove, who)
		again.Tier = 1
		if _, err := Apply(r, again, t0); !errors.Is(err, ErrUnchanged) {
			t.Errorf("again by %+v: %v", who, err)
		}
	}
	if r = must(r, t0, click(ActionApprove, second)); len(r.Signals) != 2 {
		t.Errorf("signals = %+v", r.Signals)
	}
}

// TestApply_Receive_tiers: a time-out that comes too late to be taken does not
// hide that of the next tier.
func TestApply_Receive_tiers(t *testing.T) {
	t.Parallel()
	s := situations()["requested, unheard"]
	r := must(s.run, s.now, news(s.run, ActionUndeliverable), news(s.run, ActionTimeout))
	r = must(r, s.now, Forward{SignalID: r.Signals[0].ID})
	r = must(r, s.now.Add(DeliveryPatience), news(r, ActionTimeout))
	if len(r.Signals) != 2 || r.Signals[0].Tier != 0 || r.Signals[1].Tier != 1 {
		t.Errorf("signals = %+v", r.Signals)
	}
}

// TestApply_messages: what people read when they come too late.
func TestApply_messages(t *testing.T) {
	t.Parallel()
	all := situations()
	for _, c := range []struct {
		situation string
		in        Input
		want      string
	}{
		{"denied", click(ActionApprove, second), "this request was already denied by approver@example.com"},
		{"approved", click(ActionDeny, second), "this request was already approved by approver@example.com"},
		{"deescalated", click(ActionApprove, second), "this request was already approved by approver@example.com"},
		{"cancelled", click(ActionApprove, second), "this request was already cancelled by requester@example.com"},
		{"prompted", click(ActionApprove, second), "this request is not open for a decision: it is prompted"},
		{"partly approved", click(ActionApprove, approver), "you have approved this request already; it needs 2 different people"},
		{"deescalated", click(ActionDeescalate, requester), "this access has ended already"},
		{"denied", click(ActionDeescalate, requester), "there is no access to end: the run is denied"},
		{"prompted, expires", submitted(time.Hour), "this form was open for too long: start a new request"},
	} {
		_, err := Apply(all[c.situation].run, c.in, all[c.situation].now)
		if got := UserMessage(err); got != c.want {
			t.Errorf("%s: %q, want %q", c.situation, got, c.want)
		}
	}
}
