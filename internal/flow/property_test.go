package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// legal are the changes of status that there are, and the event that each
// leaves behind.
var legal = map[Status]map[Status]EventName{
	"":        {Prompted: ""},
	Prompted:  {Requested: EventRequest, Approved: EventApprove, Denied: EventDeny, Cancelled: EventCancel, Expired: EventRequestExpire},
	Requested: {Approved: EventApprove, Denied: EventDeny, Cancelled: EventCancel, Expired: EventRequestExpire},
	Approved:  {Escalated: EventEscalate, Deescalated: EventDeescalate, Denied: EventDeny, Cancelled: EventCancel},
	Escalated: {Deescalated: EventDeescalate, Approved: ""}, // what is missing at the target is granted again
	// What lingers at the target is removed again.
	Deescalated: {Escalated: ""},
}

// world is a run in storage, the clock, and all that was ever sent to the run:
// it may come again, late, or never.
type world struct {
	run  Run
	now  time.Time
	sent []Input
}

// TestApply_properties sends anything to a run, in any order, doubled, lost and
// late, and checks after each change what must hold always. Then it lets the
// workflow do its work, which must bring every run to rest.
func TestApply_properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := begin(t)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.now = w.now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 20 * time.Minute, time.Hour, 8 * 24 * time.Hour}).Draw(t, "pass"))
			if at := w.run.Due; rapid.IntRange(0, 9).Draw(t, "due") == 0 && at.After(w.now) {
				w.now = at
			}
			w.send(t, w.draw(t))
		}
		w.rest(t)
	})
}

// TestExtension_properties is TestApply_properties of access that is there, with what
// moves its end, and what ends it.
func TestExtension_properties(t *testing.T) {
	t.Parallel()
	extended := false
	rapid.Check(t, func(t *rapid.T) {
		f := accessFlow()
		f.Params.NoReminders = rapid.Bool().Draw(t, "no reminders")
		f.Params.Extend.Approval = rapid.SampledFrom([]string{ExtendSame, ExtendSame, ExtendNone}).Draw(t, "approval")
		f.Params.MaxDuration = rapid.SampledFrom([]Duration{0, Duration(2 * time.Hour)}).Draw(t, "max_duration")
		r := must(decide(requestedOf(f, 1, time.Hour), t0, ActionApprove, approver), t0, intend, Escalate{})
		r.Deciders.Required = rapid.IntRange(1, 2).Draw(t, "required")
		w := &world{run: r, now: t0}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.now = w.now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Minute, 10 * time.Minute}).Draw(t, "pass"))
			if at := w.run.Due; rapid.IntRange(0, 19).Draw(t, "due") == 0 && at.After(w.now) {
				w.now = at
			}
			w.send(t, w.drawMore(t))
		}
		extended = extended || w.run.Extended > 0
		w.rest(t)
	})
	if !extended {
		t.Error("no access was extended")
	}
}

// drawMore is draw of what may happen to access that is there.
func (w *world) drawMore(t *rapid.T) Input {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		if len(w.sent) > 0 {
			return rapid.SampledFrom(w.sent).Draw(t, "again")
		}
	case 1, 2, 3, 4:
		if in := w.work("worker0"); in != nil {
			return in
		}
	}
	who := rapid.SampledFrom([]Actor{requester, approver, second, admin}).Draw(t, "who")
	id := EventID(runID, rapid.IntRange(1, w.run.Seq+1).Draw(t, "id"))
	if len(w.run.Signals) > 0 {
		id = rapid.SampledFrom(w.run.Signals).Draw(t, "signal").ID
	}
	failure := FailureOf(Errorf(rapid.SampledFrom([]Code{CodeUnavailable, CodeStrategy}).Draw(t, "code"), "no"))
	keyed := more(30*time.Minute, who)
	keyed.Key = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
	return rapid.SampledFrom([]Input{
		keyed, more(rapid.SampledFrom([]time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}).Draw(t, "more"), who),
		w.decides(t, ActionExtend, who), w.decides(t, ActionExtend, who), w.decides(t, ActionExtendDeny, who),
		AskExtension{SignalID: id, Ruling: w.moreRuling(t), Hooks: w.hooks(t)},
		DecideExtension{SignalID: id, Ruling: w.moreRuling(t), Hooks: w.hooks(t), Required: rapid.IntRange(0, 2).Draw(t, "of them")},
		Refuse{SignalID: id, Reason: failure, Ignored: rapid.Bool().Draw(t, "ignored")},
		Told{End: w.run.ends(), Pause: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "pause")}, Told{End: w.now},
		Fail{Step: EventExtend, Reason: failure}, Fail{Step: EventDeescalate, Reason: failure}, Remind{}, Retry{Actor: who},
		rapid.SampledFrom([]Input{click(ActionDeescalate, who), Claim{Owner: "worker0", Until: w.now.Add(time.Minute)}, Spare{Owner: "worker0", Reason: failure}, Miss{}, Find{}, Linger{}, Dispatch{}}).Draw(t, "end"),
	}).Draw(t, "input")
}

// begin starts a run, of any kind.
func begin(t *rapid.T) *world {
	f := rapid.SampledFrom([]*Flow{accessFlow(), accessFlow(), accessFlow(), approvalFlow()}).Draw(t, "flow")
	w := &world{now: t0}
	w.send(t, Start{
		ID: runID, Flow: f, Requester: requester, Source: ChannelSlack,
		Prompted: rapid.Bool().Draw(t, "prompted"),
	})
	if w.run.ID == "" {
		t.Fatal("the run did not start")
	}
	return w
}

// draw makes up an input: mostly what the workflow would do next or a person
// could, sometimes something sent before, sometimes nonsense.
func (w *world) draw(t *rapid.T) Input {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		if len(w.sent) > 0 {
			return rapid.SampledFrom(w.sent).Draw(t, "again")
		}
	case 1, 2, 3:
		if in := w.work(fmt.Sprint("worker", rapid.IntRange(0, 1).Draw(t, "worker"))); in != nil {
			return in
		}
	}
	people := []Actor{requester, approver, second, admin, {ID: approver.ID, Kind: KindPerson}, bot}
	who := rapid.SampledFrom(people).Draw(t, "who")
	tier := rapid.IntRange(0, 2).Draw(t, "tier")
	id := EventID(runID, rapid.IntRange(1, w.run.Seq+1).Draw(t, "id"))
	if len(w.run.Signals) > 0 && rapid.Bool().Draw(t, "a signal") {
		id = rapid.SampledFrom(w.run.Signals).Draw(t, "signal").ID
	}
	owner := rapid.SampledFrom([]string{"", "worker0", "worker1"}).Draw(t, "owner")
	code := rapid.SampledFrom([]Code{CodeUnavailable, CodeStrategy, CodeInternal}).Draw(t, "code")
	failure := FailureOf(Errorf(code, "request %d", rapid.IntRange(0, 1000).Draw(t, "request")))
	result := Result{Output: []byte(rapid.SampledFrom([]string{``, `{"ok":true}`, `no JSON`}).Draw(t, "output"))}
	return rapid.SampledFrom([]Input{
		submitted(rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Hour}).Draw(t, "duration")),
		click(ActionApprove, who), click(ActionApprove, who), w.changing(t, who), w.behalf(t), click(ActionDeny, who), click(ActionCancel, requester), click(ActionDeescalate, who),
		Receive{Action: ActionRecheck, Actor: System, Channel: ChannelInternal, Version: "1.0.4"},
		emergency(rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Hour}).Draw(t, "in an emergency")),
		w.later(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 13 * 24 * time.Hour}).Draw(t, "ahead")),
		brokenRoute(id), Reviewed{SignalID: id, Hooks: w.hooks(t)}, Later{}, Begin{}, click(ActionReview, who), click(ActionCancel, who),
		Receive{Action: ActionTimeout, Actor: System, Channel: ChannelInternal, Tier: tier},
		Receive{Action: ActionUndeliverable, Actor: System, Channel: ChannelInternal, Tier: tier, Message: "no such channel"},
		Keep{EventID: id, Result: result},
		route(id, rapid.IntRange(1, 3).Draw(t, "required")),
		Reject{SignalID: id, Reason: failure},
		Refuse{SignalID: id, Reason: failure, Ignored: rapid.Bool().Draw(t, "ignored")},
		Decide{SignalID: id, Hooks: w.hooks(t), Dropped: w.dropped(t), Ruling: w.ruling(t), Required: rapid.IntRange(0, 2).Draw(t, "in force"), Vouched: w.vouched(t)},
		After{EventID: id, Result: result}, After{EventID: id, Result: Result{Output: result.Output, Error: &failure}},
		Forward{SignalID: id, Ruling: w.ruling(t), Hooks: w.hooks(t)},
		Delivered{Tier: tier},
		Spare{Owner: owner, Reason: failure}, Dismiss{Reason: failure},
		w.failing(t, id, failure), ruled(t, w, id),
		Doubt{}, Vouch{At: w.now}, Withhold{Reason: failure, Hooks: w.hooks(t)}, Permit{SignalID: id, Version: "1.0.4", Answer: Answer{}},
		intend, intendSeveral, Escalate{Output: result.Output}, w.attempted(t, owner, failure),
		Claim{Owner: owner + "!", Until: w.now.Add(time.Minute)},
		Deescalate{Owner: owner, Output: result.Output},
		Fail{Step: rapid.SampledFrom([]EventName{EventEscalate, EventDeescalate, EventApprove}).Draw(t, "step"), Reason: failure, Sick: rapid.Bool().Draw(t, "sick"), Wait: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "wait")},
		Postpone{Step: rapid.SampledFrom([]EventName{EventEscalate, EventDeescalate, EventApprove}).Draw(t, "put off")},
		LookAgain{
			Step: rapid.SampledFrom([]EventName{EventEscalate, EventDeescalate, EventApprove}).Draw(t, "waiting"), Owner: owner, Text: "it works on it",
			After: rapid.SampledFrom([]time.Duration{0, 5 * time.Minute}).Draw(t, "look"), Accepted: w.vouched(t),
		},
		more(30*time.Minute, who), more(rapid.SampledFrom([]time.Duration{time.Hour, 2 * time.Hour}).Draw(t, "more"), who),
		w.decides(t, ActionExtend, who), w.decides(t, ActionExtendDeny, who),
		AskExtension{SignalID: id, Ruling: w.moreRuling(t), Hooks: w.hooks(t)},
		DecideExtension{SignalID: id, Ruling: w.moreRuling(t), Hooks: w.hooks(t), Required: rapid.IntRange(0, 2).Draw(t, "of them")},
		Told{End: w.run.ends(), Pause: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "pause")}, Told{End: w.now},
		Fail{Step: EventExtend, Reason: failure}, Remind{},
		Retry{Actor: who}, Miss{}, Find{}, Miss{Key: "b"}, Find{Key: "b"}, Linger{}, Dispatch{}, Wait{Attempt: w.run.Execution.Attempt, Token: "token"},
	}).Draw(t, "input")
}

// changing is an approval that gives something else than is asked for: shorter or
// longer, at another target or the same.
func (w *world) changing(t *rapid.T, who Actor) Input {
	in := click(ActionApprove, who)
	in.Give = &Given{DurationSeconds: rapid.SampledFrom([]int64{0, 10, 60, 1800, 7200}).Draw(t, "seconds")}
	if name := rapid.SampledFrom([]string{"", "orders-db", "billing-db", "users-db"}).Draw(t, "target"); name != "" {
		in.Give.Target = &Target{Name: name, Type: "http"}
	}
	return in
}

// behalf is a form for a colleague, one of those who may decide among them.
func (w *world) behalf(t *rapid.T) Input {
	in := submitted(time.Hour)
	whom := rapid.SampledFrom([]Actor{requester, approver, outsider}).Draw(t, "whom")
	in.For = &whom
	return in
}

// later asks for access that starts later.
func (w *world) later(ahead time.Duration) Receive {
	in := submitted(time.Hour)
	in.Submission.StartAt = w.now.Add(ahead)
	return in
}

// attempted is what may come of an attempt, for some of the run's entitlements.
func (w *world) attempted(t *rapid.T, owner string, failure Failure) Input {
	in := Attempted{
		Step:  rapid.SampledFrom([]EventName{EventEscalate, EventEscalate, EventDeescalate, EventApprove}).Draw(t, "attempted"),
		Owner: owner, Sick: rapid.IntRange(0, 5).Draw(t, "sick") == 0, Hooks: w.hooks(t),
	}
	keys := []string{"a", "b", "c"}
	if a := w.run.Access; a != nil {
		keys = nil
		for _, e := range a.Ready(in.Step, w.now) {
			keys = append(keys, e.Key)
		}
	}
	for _, key := range keys {
		o := Outcome{Key: key, Output: []byte(`{"ok":true}`)}
		switch rapid.IntRange(0, 4).Draw(t, "outcome") {
		case 0:
			o.Not = LookAgain{Step: in.Step, Text: "it works on it", InLine: rapid.Bool().Draw(t, "in line"), Accepted: w.vouched(t)}
		case 1:
			o.Not = PutOff{Until: w.now.Add(20 * time.Second)}
		case 2:
			o.Not = Fail{Step: in.Step, Reason: failure, Wait: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "wait")}
		case 3:
			continue // not tried
		default:
			o.Done = w.now
		}
		in.Outcomes = append(in.Outcomes, o)
	}
	return in
}

// hooks are those that a flow may define.
func (w *world) hooks(t *rapid.T) []string {
	if !rapid.Bool().Draw(t, "has hooks") {
		return nil
	}
	return []string{"on_escalate", "after_request", "after_approve", "after_deny", "after_request_expire", "after_escalate", "after_extend_request", "after_extend", "after_extend_deny", "after_deescalate"}
}

// ruling is what a hook puts in an event's place, now and then.
func (w *world) ruling(t *rapid.T) *Ruling {
	if rapid.IntRange(0, 4).Draw(t, "ruled") > 0 {
		return nil
	}
	return &Ruling{Event: rapid.SampledFrom([]EventName{EventApprove, EventDeny}).Draw(t, "ruling"), Fields: map[string]any{"reason": "a rule"}}
}

// moreRuling is what a hook puts behind an event about more time, now and then.
func (w *world) moreRuling(t *rapid.T) *Ruling {
	if rapid.IntRange(0, 4).Draw(t, "ruled on more") > 0 {
		return nil
	}
	return &Ruling{Event: rapid.SampledFrom([]EventName{EventExtend, EventExtendDeny, EventApprove}).Draw(t, "ruling on more")}
}

// decides is somebody's decision on the extension that is asked for, or on another.
func (w *world) decides(t *rapid.T, a Action, who Actor) Input {
	of := w.run.asked()
	if rapid.IntRange(0, 4).Draw(t, "another extension") == 0 {
		of = EventID(runID, rapid.IntRange(1, w.run.Seq+1).Draw(t, "extension"))
	}
	return Receive{Action: a, Actor: who, Channel: ChannelSlack, Extension: of}
}

// failing is a handler that fails before a step which takes a signal.
func (w *world) failing(t *rapid.T, id string, failure Failure) Input {
	step := rapid.SampledFrom([]EventName{EventRequest, EventRequestForward, EventRequestExpire}).Draw(t, "failing")
	return Fail{Step: step, SignalID: id, Reason: failure}
}

func ruled(t *rapid.T, w *world, id string) Input {
	in := route(id, 1)
	in.Ruling, in.Hooks = w.ruling(t), w.hooks(t)
	return in
}

func route(signal string, required int) Route {
	return Route{
		SignalID: signal,
		Tiers:    []Tier{{Channel: "#access", TimeoutSeconds: 1800}, {Users: []Actor{admin}}},
		Deciders: Deciders{People: []Actor{approver, second}, Admins: []Actor{admin}, Required: required},
	}
}

// vouched is when the directory was asked, if it was.
func (w *world) vouched(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "vouched") {
		return w.now
	}
	return time.Time{}
}

func (w *world) dropped(t *rapid.T) []string {
	var ids []string
	for _, a := range w.run.Approvals {
		if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
			ids = append(ids, a.EventID)
		}
	}
	return ids
}

// work is what a worker that looks at the run now would do; nil: nothing.
func (w *world) work(owner string) Input {
	r := w.run
	if at, ok := r.EndDue(); ok && !w.now.Before(at) {
		return Claim{Owner: owner, Until: w.now.Add(time.Minute)}
	}
	if r.Access.Live() && r.Access.Removal.Owner == owner {
		return w.allDone(EventDeescalate, owner)
	}
	if _, first := r.Head(); r.AwaitsStart() && !first && !w.now.Before(r.StartAt) {
		return Begin{}
	}
	if at := r.Deadline(); !at.IsZero() && !w.now.Before(at) {
		if _, busy := r.Head(); !busy {
			return news(r, ActionTimeout)
		}
	}
	if at := r.ReminderDue(w.now); !at.IsZero() && !w.now.Before(at) {
		return Remind{}
	}
	head, _ := r.Head()
	var in Input
	switch Next(r) {
	case StepRoute:
		if r.BreakGlass != nil {
			return brokenRoute(head.ID)
		}
		return route(head.ID, 1) // nothing else can be done with it
	case StepLater:
		return Later{}
	case StepDecide:
		if head.ID == "" {
			call, _ := r.AfterDue()
			return After{EventID: call.EventID}
		}
		in = Decide{SignalID: head.ID}
		switch head.Action {
		case ActionRecheck:
			return Refuse{SignalID: head.ID}
		case ActionExtendRequest:
			in = AskExtension{SignalID: head.ID}
		case ActionExtend, ActionExtendDeny:
			in = DecideExtension{SignalID: head.ID}
		case ActionReview:
			in = Reviewed{SignalID: head.ID}
		}
	case StepForward:
		in = Forward{SignalID: head.ID}
	case StepVouch:
		return Vouch{At: w.now}
	case StepEscalate:
		if r.Access == nil {
			return intend
		}
		return w.allDone(EventEscalate, owner)
	case StepExtend:
		return Told{End: r.Access.End}
	default:
		return nil
	}
	if _, err := Apply(r, in, w.now); err != nil {
		return Refuse{SignalID: head.ID, Reason: FailureOf(err)}
	}
	return in
}

// allDone is an attempt at a step that succeeds.
func (w *world) allDone(step EventName, owner string) Input {
	in := Attempted{Step: step, Owner: owner}
	for _, e := range w.run.Access.Ready(step, w.now) {
		in.Outcomes = append(in.Outcomes, done(e.Key, w.now))
	}
	return in
}

// send applies an input, checks what came of it, and stores the run, unless
// the write is lost to a race that is.
func (w *world) send(t *rapid.T, in Input) {
	w.sent = append(w.sent, in)
	before := w.run
	image := encode(t, before)
	after, err := Apply(before, in, w.now)
	if !bytes.Equal(image, encode(t, before)) {
		t.Fatalf("%T changed the run that it was given", in)
	}
	if err != nil {
		if _, known := errors.AsType[*Error](err); !known && !errors.Is(err, ErrUnchanged) {
			t.Fatalf("%T: %v is neither an Error nor ErrUnchanged", in, err)
		}
		if !reflect.DeepEqual(after, Run{}) {
			t.Fatalf("%T: a refused input gives a run", in)
		}
		return
	}
	check(t, before, after, in, w.now)
	if before.ID != "" && rapid.IntRange(0, 9).Draw(t, "lost race") == 0 {
		return
	}
	after.Rev++
	w.run = storedFrom(after, func(err error) { t.Fatalf("%T: %v", in, err) })
	if !bytes.Equal(encode(t, after), encode(t, w.run)) {
		t.Fatalf("%T: storing the run changed it", in)
	}
}

func encode(t *rapid.T, r Run) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check says what holds of every change.
func check(t *rapid.T, before, after Run, in Input, now time.Time) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%T %+v: %s\nbefore %s\nafter  %s", in, in, fmt.Sprintf(format, args...), encode(t, before), encode(t, after))
	}
	if !after.Touched.Equal(now) {
		fail("touched at %v, now is %v", after.Touched, now)
	}

	checkButtons(fail, after, now)

	// History only grows. What an event says of its beginning never changes,
	// and whatever changes carries the number of the coming write.
	if len(after.Events) < len(before.Events) {
		fail("history is shorter than before")
	}
	recorded := map[EventName]bool{}
	for i, e := range after.Events {
		if i >= len(before.Events) {
			recorded[e.Name] = true
			if e.Rev != before.Rev+1 {
				fail("new event %s has rev %d, want %d", e.ID, e.Rev, before.Rev+1)
			}
			continue
		}
		b := before.Events[i]
		if e.ID != b.ID || e.Name != b.Name || !reflect.DeepEqual(e.Actor, b.Actor) || e.Channel != b.Channel || !e.At.Equal(b.At) || e.State != b.State && !(e.Name == EventPrompt && len(e.Errors) > 0) {
			fail("event %s was rewritten", b.ID)
		}
		e.Rev, b.Rev = 0, 0
		if changed := !reflect.DeepEqual(e, b); changed != (after.Events[i].Rev == before.Rev+1) {
			fail("event %s: changed %v, rev %d of %d", e.ID, changed, after.Events[i].Rev, before.Rev+1)
		}
	}

	// What was asked for stays once it is asked; what is given is never longer, unless
	// a hook has it so, and each event says what was given then.
	if asked := before.Status == Requested; asked && !(SameValue(before.Target, after.Target) && before.DurationSeconds == after.DurationSeconds && SameValue(before.Fields, after.Fields)) {
		fail("what was asked for has changed")
	}
	if d := after.Duration(); d > 0 && after.GivenDuration() > d {
		fail("given for longer than asked")
	}
	for i, e := range before.Events {
		if was, is := before.At(e.ID), after.At(e.ID); !was.Given.same(is.Given) || !e.Given.same(after.Events[i].Given) {
			fail("event %s says that something else was given", e.ID)
		}
	}
	if n := len(after.Events); n > 0 && len(after.Events) > len(before.Events) && !after.Given.same(givenIn(after.Events)) {
		fail("no event says what is given")
	}
	for _, a := range after.Approvals {
		if after.Asker != nil && after.Asker.Same(a.Actor) && !slices.ContainsFunc(before.Approvals, func(b CountedApproval) bool { return b.EventID == a.EventID }) && after.MayDecide(a.Actor, false, ActionApprove) == nil {
			fail("whoever asked may approve")
		}
	}

	// Statuses change as the diagram says, and never without their event.
	if before.Status != after.Status {
		event, ok := legal[before.Status][after.Status]
		if !ok {
			fail("%q became %q", before.Status, after.Status)
		}
		if event != "" && !recorded[event] {
			fail("%q became %q without an event %q", before.Status, after.Status, event)
		}
	}
	if _, lingers := in.(Linger); before.Final() && after.Status != before.Status && !lingers {
		fail("a final status was left")
	}
	if _, again := in.(Retry); before.Status == Escalated && after.Status == Approved && !(again && before.Missing()) {
		fail("what is not missing is granted again")
	}

	// Events have ids of their own, of this run, with their number.
	ids, decisions, failures := map[string]bool{}, 0, map[string]bool{}
	for i, e := range after.Events {
		n, err := strconv.ParseInt(e.ID[len(e.ID)-4:], 16, 64)
		if err != nil || n < 1 || int(n) > after.Seq || !strings.HasPrefix(e.ID, runID[:len(runID)-4]) || len(e.ID) != len(runID) {
			fail("event id %q with %d numbers given", e.ID, after.Seq)
		}
		if run, err := RunOf(e.ID); err != nil || run != runID {
			fail("event %s belongs to %q, %v", e.ID, run, err)
		}
		if ids[e.ID] {
			fail("two events have id %s", e.ID)
		}
		ids[e.ID] = true
		if e.Count > 0 {
			key := string(e.Name) + string(e.Errors[0].Code)
			if failures[key] {
				fail("two events for failures of one kind: %s", key)
			}
			failures[key] = true
		}
		if e.State != StateCompleted {
			continue
		}
		switch e.Name {
		case EventApprove, EventDeny, EventCancel, EventRequestExpire:
			withheld := decisions == 1 && e.Name == EventDeny && e.Actor.Kind == KindSystem && after.Status == Denied && after.Access == nil
			calledOff := decisions == 1 && e.Name == EventCancel && after.Access == nil
			if decisions++; decisions > 1 && !withheld && !calledOff {
				fail("a second decision: %s", e.ID)
			}
		case EventEscalate:
			if i >= len(before.Events) && (before.Access == nil || before.Access.EventID != e.ID || before.GivenDuration() > 0 && before.Access.End.IsZero()) {
				fail("escalated without intent")
			}
		}
	}
	for i, s := range after.Signals {
		if ids[s.ID] {
			fail("signal %s has the id of an event", s.ID)
		}
		for _, other := range after.Signals[:i] {
			if s.Action == other.Action && s.Actor.Is(other.Actor) {
				fail("two signals %s of one person", s.Action)
			}
		}
	}
	for i, a := range after.Approvals {
		for _, b := range after.Approvals[:i] {
			if a.Actor.Same(b.Actor) {
				fail("%s counts twice", a.Actor.Display())
			}
		}
	}
	decision, _ := after.Decision()
	byRule := decision.Channel == ChannelSDK
	byGlass := after.BreakGlass != nil && !after.BreakGlass.At.IsZero()
	if after.Status == Approved && before.Status != Approved && before.Status != Escalated && !byRule && !byGlass && len(after.Approvals) < after.Deciders.Required {
		fail("approved by %d of %d", len(after.Approvals), after.Deciders.Required)
	}

	// The facts of a grant are frozen, and its end is bounded and never put off.
	if a := after.Access; a != nil {
		if b := before.Access; b != nil {
			facts := func(a Access) Access {
				a.Seen, a.End, a.Output, a.Removal, a.Removed, a.Lingering = time.Time{}, time.Time{}, nil, Removal{}, time.Time{}, time.Time{}
				a.BusyUntil, a.LookAt, a.Waiting, a.Untold = time.Time{}, time.Time{}, nil, nil
				a.Entitlements = slices.Clone(a.Entitlements)
				for i, p := range a.Entitlements { // how they stand is none
					a.Entitlements[i] = Part{Entitlement: p.Entitlement}
				}
				if before.Short() { // a grant again has an event of its own
					a.EventID = ""
				}
				return a
			}
			if !reflect.DeepEqual(facts(*a), facts(*b)) {
				fail("the facts of the grant changed")
			}
			if a.End.IsZero() != b.End.IsZero() || a.End.After(b.End) && !recorded[EventExtend] {
				fail("the end moved from %v to %v", b.End, a.End)
			}
		}
		if latest := a.First.Add(GrantWindow + after.GivenDuration() + time.Duration(after.ExtendedSeconds)*time.Second); a.End.After(latest) || a.End.IsZero() != (after.GivenDuration() == 0) {
			fail("the end is %v, at the latest it would be %v", a.End, latest)
		}
	}

	checkExtension(fail, before, after, now)
	checkBreakGlass(fail, before, after)
	checkStart(fail, before, after, now)
	checkParts(fail, before, after, now)
	checkDue(fail, after, now)
	checkRemovable(fail, after, now)
	checkEnds(fail, after, now)
	if x := after.Execution; x.Token != "" && !x.Active || Next(after) == StepDone && x.Active {
		fail("execution %+v, next step %s", x, Next(after))
	}
}

// checkBreakGlass: access without approval is short, says what it skipped, and is
// reviewed by another person, once.
func checkBreakGlass(fail func(string, ...any), before, after Run) {
	b := after.BreakGlass
	if b == nil {
		if before.BreakGlass != nil {
			fail("an emergency was forgotten")
		}
		return
	}
	if a := after.Access; a != nil && (b.At.IsZero() || a.End.IsZero() || a.End.After(a.First.Add(GrantWindow+time.Duration(b.LongestSeconds)*time.Second))) {
		fail("granted without approval until %v", a.End)
	}
	if after.Status == Approved {
		e, ok := after.Last(EventApprove)
		if !ok || e.Fields[KeyBreakGlass] != true || fmt.Sprint(e.Fields[KeyApprovalsSkipped]) != strconv.Itoa(b.Skipped) || b.Skipped < 1 || !e.Actor.Is(after.Requester) {
			fail("approved without saying how")
		}
	}
	if after.MayDecide(after.Requester, false, ActionApprove) == nil || after.MayReview(after.Requester, false) == nil {
		fail("the requester may approve or review it")
	}
	if b.Review == nil {
		return
	}
	if after.Asks(b.Review.Actor) || !b.At.Before(b.Review.At) && b.Review.At.Before(b.At) {
		fail("reviewed by its requester, or before it was")
	}
	if old := before.BreakGlass.Review; old != nil && !reflect.DeepEqual(old, b.Review) {
		fail("reviewed twice")
	}
}

// checkStart: nothing is begun before its start, and never once it was called off.
func checkStart(fail func(string, ...any), before, after Run, now time.Time) {
	if after.StartAt.IsZero() {
		return
	}
	if after.Access != nil && (after.Started.IsZero() || after.Access.First.Before(after.StartAt)) {
		fail("granted before its start")
	}
	if !before.Started.IsZero() && !before.Started.Equal(after.Started) {
		fail("started twice")
	}
	if !after.Started.IsZero() && after.Started.Before(after.StartAt) {
		fail("started early")
	}
	if after.AwaitsStart() && after.Scheduled {
		if _, busy := after.Head(); !busy && len(after.After) == 0 && !after.Due.Equal(after.StartAt) {
			fail("starts at %v, and is due %v", after.StartAt, after.Due)
		}
	}
}

// checkDue: a run is due if, and only if, it needs anything.
func checkDue(fail func(string, ...any), r Run, now time.Time) {
	end, ends := r.EndDue()
	step := Next(r)
	_, waiting := r.Head()
	_, after := r.AfterDue()
	needs := !r.ReminderDue(now).IsZero() || r.AwaitsStart() || waiting || after || ends || step != StepDone || r.Status == Prompted
	if step == StepAwait && r.Deadline().IsZero() { // until somebody presses Retry
		needs = ends
	}
	if needs == r.Due.IsZero() {
		fail("due %v, but needs anything: %v", r.Due, needs)
	}
	if r.Final() && len(r.Signals) == 0 && len(r.After) == 0 && r.ReminderDue(now).IsZero() && !r.Due.IsZero() {
		fail("final, and due %v", r.Due)
	}
	if ends && r.Due.After(end) {
		fail("due %v, after the end of its access %v", r.Due, end)
	}
	if at := r.WorkDue(); r.Due.After(at) && !at.IsZero() {
		fail("due %v, and is to move on at %v", r.Due, at)
	}
	if remind := r.ReminderDue(now); !remind.IsZero() && r.Due.After(remind) {
		fail("due %v, after the reminder at %v", r.Due, remind)
	}
	if at := r.Deadline(); r.Form.NoReminders && !at.IsZero() && !waiting && !after && !ends && !r.Due.Equal(at) {
		fail("waits until %v, but is due %v", at, r.Due)
	}
	if step != StepDone && step != StepAwait && r.Due.After(now.Add(time.Hour)) {
		fail("step %s is due only at %v", step, r.Due)
	}
}

// checkRemovable: a live grant always has a way to end.
func checkRemovable(fail func(string, ...any), r Run, now time.Time) {
	if !r.Access.Live() {
		return
	}
	if _, ends := r.EndDue(); !ends {
		asked, err := Apply(r, click(ActionDeescalate, requester), now)
		if err != nil {
			fail("live access without an end can't be ended: %v", err)
		}
		r = asked
	}
	at, ends := r.EndDue()
	if !ends {
		fail("live access has no end, even by hand")
	}
	if at.Before(now) {
		at = now
	}
	claimed, err := Apply(r, Claim{Owner: "checker", Until: at.Add(time.Minute)}, at)
	if err != nil {
		fail("live access can't be claimed when it is due: %v", err)
	}
	gone, err := Apply(claimed, Deescalate{Owner: "checker"}, at)
	if err != nil || gone.Status != Deescalated || gone.Access.Live() {
		fail("live access can't be taken away when it is due: %v", err)
	}
}

// checkEnds: every run ends by itself, or its requester can end it, whatever has failed.
// An emergency that keeps its requester from the next can be ended, or reviewed.
func checkEnds(fail func(string, ...any), r Run, now time.Time) {
	if r.AwaitsReview() {
		if _, err := Apply(r, click(ActionReview, approver), now); err != nil && !errors.Is(err, ErrUnchanged) {
			fail("nobody can review it: %v", err)
		}
		return
	}
	if _, ends := r.EndDue(); r.Final() || ends || !r.Deadline().IsZero() {
		return
	}
	for _, a := range []Action{ActionCancel, ActionDeescalate} {
		if _, err := Apply(r, click(a, requester), now); err == nil || errors.Is(err, ErrUnchanged) {
			return
		}
	}
	fail("it is %s, and nobody can end it", r.Status)
}

// checkExtension: the end moves by what was decided, as often and as far as the flow
// allows, and never once the access is being taken away.
func checkExtension(fail func(string, ...any), before, after Run, now time.Time) {
	rule, by := after.Form.Extend, time.Duration(after.ExtendedSeconds-before.ExtendedSeconds)*time.Second
	if by == 0 {
		if after.Extended != before.Extended {
			fail("extended %d times, by nothing", after.Extended)
		}
		if x := after.Extension; x != nil && len(x.Approvals) >= max(after.Deciders.Required, 1) {
			fail("%d approvals of %d, and no decision", len(x.Approvals), after.Deciders.Required)
		}
		if before.Extension == nil && after.Extension != nil && rule.Approval == ExtendNone {
			fail("somebody is asked")
		}
		return
	}
	e, told := after.Last(EventExtend)
	switch {
	case before.removing() || before.Status != Escalated && before.Status != Approved || !before.Access.Live() || !now.Before(before.Access.End):
		fail("what is ending was extended")
	case !slices.Contains(rule.For, Duration(by)) || after.Extended != before.Extended+1 || after.Extended > rule.Max:
		fail("extended by %s, %d times", by, after.Extended)
	case after.Form.MaxDuration > 0 && after.GivenDuration()+time.Duration(after.ExtendedSeconds)*time.Second > time.Duration(after.Form.MaxDuration):
		fail("extended beyond what the flow allows")
	case !after.Access.End.Equal(before.Access.End.Add(by)) || after.Access.Untold == nil:
		fail("the end moved from %v to %v", before.Access.End, after.Access.End)
	case !told || e.Fields[KeyExpiresAt] != after.Access.End.Format(time.RFC3339Nano) || len(after.Events) == len(before.Events):
		fail("extended without a record of it: %+v", e)
	case after.Extension != nil:
		fail("decided, and still to be decided")
	}
	if byRule := e.Channel == ChannelSDK; rule.Approval == ExtendSame && !byRule && e.Actor.Kind != KindSystem {
		if before.Extension == nil || len(before.Extension.Approvals)+1 < after.Deciders.Required {
			fail("extended by %d of %d", 1, after.Deciders.Required)
		}
	}
}

// checkParts: of several targets each stands by itself. A run has access once one is
// seen, and not before nothing else is tried; it has none when all are gone.
func checkParts(fail func(string, ...any), before, after Run, now time.Time) {
	a := after.Access
	if a == nil || len(a.Entitlements) < 2 {
		return
	}
	for i, p := range a.Entitlements {
		if after.Status == Deescalated && p.Removed.IsZero() {
			fail("closed, and %s was not removed", p.Key)
		}
		if after.Status == Escalated && p.goesOn(EventEscalate) && p.Lost.IsZero() && !after.removing() && a.Lingering.IsZero() {
			fail("granted, and %s is still to be", p.Key)
		}
		if b := before.Access; b != nil && !b.Entitlements[i].Seen.IsZero() && p.Seen.IsZero() && before.Status != Escalated {
			fail("%s was seen, and is not any more", p.Key)
		}
	}
	if after.Status == Escalated && before.Status == Approved {
		if a.count(PartGranted) == 0 {
			fail("granted, and nothing was seen")
		}
		if short := a.count(PartFailed) > 0; short != (after.Error != nil) {
			fail("parts failed: %t, error %+v", short, after.Error)
		}
	}
	if after.Status == Approved && !after.removing() && after.Error == nil && Next(after) == StepDone {
		fail("nothing is done about what is not granted")
	}
	if !a.Seen.IsZero() && after.GivenDuration() > 0 && before.Access != nil && before.Access.Seen.IsZero() && a.End.After(now.Add(after.GivenDuration())) {
		fail("it ends at %v, and was seen before %v", a.End, now)
	}
}

// rest lets the workflow work until nothing is due.
func (w *world) rest(t *rapid.T) {
	for range 200 {
		in := w.work("last worker")
		switch {
		case in != nil:
			w.send(t, in)
		case w.run.Due.IsZero():
			if w.run.Error != nil && w.run.Error.SignalID != "" {
				w.send(t, Retry{Actor: requester})
				continue
			}
			if s := w.run.Status; !w.run.Final() && s != Escalated && !(s == Approved && w.run.Error != nil) {
				t.Fatalf("nothing is due, but the run is %s: %s", s, encode(t, w.run))
			}
			return
		default:
			w.now = latest(w.now.Add(time.Second), w.run.Due)
		}
	}
	t.Fatalf("the run does not come to rest: %s", encode(t, w.run))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// grantWorld is one entitlement, its target, and the workers of several runs.
type grantWorld struct {
	now     time.Time
	grant   Grant
	present bool // at the target
	before  bool // it was there before us, and nobody else has removed it
	taken   bool // somebody else removed it, and we did not notice yet
	runs    []*grantRun
	workers []*grantWorker
	leases  int
}

type grantRun struct {
	id      string
	ending  bool
	granted bool // seen to succeed
	closed  bool // seen to be gone, or held by others
}

// grantWorker does one attempt at granting or removing, a step at a time. It
// may stop for ever between any two.
type grantWorker struct {
	run   *grantRun
	lease Lease
	mine  Grant // as read with the last write
	seen  Presence
	step  func(*grantWorker, *rapid.T)
	done  bool
}

const leaseLasts = time.Minute

// TestGrant_properties lets workers of several runs share an entitlement, with
// crashes at every step, and checks that nobody takes away what is not theirs,
// and that in the end everything of ours is gone.
func TestGrant_properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &grantWorld{now: t0, grant: Grant{Key: "k"}}
		w.before = rapid.Bool().Draw(t, "present before us")
		w.present = w.before
		for n := range rapid.IntRange(1, 3).Draw(t, "runs") {
			w.runs = append(w.runs, &grantRun{id: fmt.Sprint("run", n)})
		}
		t.Repeat(map[string]func(*rapid.T){
			"attempt to grant": func(t *rapid.T) {
				if r := rapid.SampledFrom(w.runs).Draw(t, "run"); !r.ending {
					w.start(r, w.acquire)
				}
			},
			"attempt to remove": func(t *rapid.T) {
				r := rapid.SampledFrom(w.runs).Draw(t, "run")
				r.ending = true
				w.start(r, w.release)
			},
			"a step":  func(t *rapid.T) { w.step(t) },
			"a step ": func(t *rapid.T) { w.step(t) },
			"a step, and another": func(t *rapid.T) {
				for range 8 {
					w.step(t)
				}
			},
			"crash": func(t *rapid.T) {
				if len(w.workers) > 0 {
					rapid.SampledFrom(w.workers).Draw(t, "worker").done = true
				}
			},
			"time passes": func(t *rapid.T) {
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Second, leaseLasts / 2, leaseLasts}).Draw(t, "pass"))
			},
			"somebody else removes it": func(*rapid.T) {
				looking := slices.ContainsFunc(w.workers, (*grantWorker).leased)
				if w.present && !looking {
					w.before, w.present, w.taken = false, false, true
				}
			},
			"": w.check,
		})
		w.end(t)
	})
}

func (w *grantWorld) start(r *grantRun, first func(*grantWorker, *rapid.T)) {
	w.leases++
	w.workers = append(w.workers, &grantWorker{run: r, lease: Lease{Owner: fmt.Sprint("lease", w.leases)}, step: first})
}

// step lets one of the workers do its next step.
func (w *grantWorld) step(t *rapid.T) {
	w.workers = slices.DeleteFunc(w.workers, func(x *grantWorker) bool { return x.done })
	if len(w.workers) == 0 {
		return
	}
	x := rapid.SampledFrom(w.workers).Draw(t, "worker")
	x.step(x, t)
}

// alive tells whether the worker may still call the target: its time is bounded
// by its lease.
func (w *grantWorld) alive(x *grantWorker) bool {
	if !w.now.Before(x.lease.Until) {
		x.done = true
	}
	return !x.done
}

// write stores what a move gave; a refused one ends the worker.
func (w *grantWorld) write(x *grantWorker, g Grant, err error) bool {
	if err != nil {
		x.done = true
		return false
	}
	w.grant, x.mine = g, g
	return true
}

func (w *grantWorld) acquire(x *grantWorker, _ *rapid.T) {
	x.lease.Until = w.now.Add(leaseLasts)
	g, do, err := w.grant.Acquire(Holder{Run: x.run.id}, nil, x.lease, w.now)
	if !w.write(x, g, err) {
		return
	}
	x.step = w.observe
	if do == DoNone {
		x.step = w.join
	}
}

func (w *grantWorld) join(x *grantWorker, _ *rapid.T) {
	if w.present {
		x.run.granted, x.done = true, true
		return
	}
	x.step = func(x *grantWorker, _ *rapid.T) {
		if !w.alive(x) {
			return
		}
		g, err := w.grant.Lost(x.lease)
		if w.write(x, g, err) {
			x.seen, x.step = Absent, w.saw
		}
	}
}

func (w *grantWorld) observe(x *grantWorker, _ *rapid.T) {
	if !w.alive(x) {
		return
	}
	x.seen, x.step = Absent, w.saw
	if w.present {
		x.seen = Present
	}
}

func (w *grantWorld) saw(x *grantWorker, _ *rapid.T) {
	g, err := w.grant.Saw(x.lease.Owner, x.seen, "")
	if w.write(x, g, err) {
		x.step = w.create
	}
}

func (w *grantWorld) create(x *grantWorker, t *rapid.T) {
	if !w.alive(x) {
		return
	}
	if x.mine.Before == Absent {
		w.call(x, t)
		w.present, w.taken = true, false
	}
	x.step = w.created
}

func (w *grantWorld) created(x *grantWorker, t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "not observed") == 0 {
		g, err := w.grant.Yield(x.lease.Owner)
		w.write(x, g, err)
		x.done = true
		return
	}
	g, err := w.grant.Created(x.lease.Owner, w.now)
	if w.write(x, g, err) {
		x.run.granted, x.done = true, true
	}
}

func (w *grantWorld) release(x *grantWorker, _ *rapid.T) {
	x.lease.Until = w.now.Add(leaseLasts)
	g, do, err := w.grant.Release(x.run.id, x.lease, w.now)
	if !w.write(x, g, err) {
		return
	}
	if do == DoNone {
		x.run.closed, x.done = true, true
		return
	}
	x.step = w.remove
}

func (w *grantWorld) remove(x *grantWorker, t *rapid.T) {
	if !w.alive(x) {
		return
	}
	if x.mine.Before == Absent {
		w.call(x, t)
		if w.before {
			t.Fatal("removed what was there before us")
		}
		if len(w.grant.Holders) > 0 {
			t.Fatalf("removed what %v hold", w.grant.Holders)
		}
		for _, r := range w.runs {
			if r.granted && !r.ending {
				t.Fatalf("%s removed what %s has been granted", x.run.id, r.id)
			}
		}
		w.present = false
	}
	x.step = w.gone
}

func (w *grantWorld) gone(x *grantWorker, t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "not observed") == 0 {
		g, err := w.grant.Yield(x.lease.Owner)
		w.write(x, g, err)
		x.done = true
		return
	}
	g, err := w.grant.Gone(x.lease.Owner, w.now)
	if w.write(x, g, err) {
		x.run.closed, x.done = true, true
	}
}

// call is made for every change at the target.
func (w *grantWorld) call(x *grantWorker, t *rapid.T) {
	if w.grant.Lease.Owner != x.lease.Owner {
		t.Fatalf("%s called the target, but the lease is %q's", x.lease.Owner, w.grant.Lease.Owner)
	}
	if w.grant.Before == "" {
		t.Fatal("the target was changed before it was known what was there")
	}
	for _, other := range w.workers {
		if other != x && other.leased() && w.now.Before(other.lease.Until) {
			t.Fatalf("%s and %s have live leases at once", x.lease.Owner, other.lease.Owner)
		}
	}
}

// leased tells whether the worker was given the lease and is still at it.
func (x *grantWorker) leased() bool { return !x.done && x.mine.Lease.Owner == x.lease.Owner }

// check says what holds at every moment.
func (w *grantWorld) check(t *rapid.T) {
	holders := runsOf(w.grant.Holders)
	slices.Sort(holders)
	if len(slices.Compact(holders)) != len(w.grant.Holders) {
		t.Fatalf("holders repeat: %v", w.grant.Holders)
	}
	switch w.grant.State {
	case GrantAbsent:
		if w.present != w.before {
			t.Fatalf("absent, but the target has it: %v, before us: %v", w.present, w.before)
		}
	case GrantRemoving:
		if len(w.grant.Holders) > 0 {
			t.Fatalf("removing what %v hold", w.grant.Holders)
		}
	case GrantPresent:
		if !w.present && !w.taken || len(w.grant.Holders) == 0 {
			t.Fatalf("present, held by %v, but the target has it: %v", w.grant.Holders, w.present)
		}
	}
	for _, r := range w.runs {
		if r.granted && !r.ending && (!w.present && !w.taken || !slices.Contains(runsOf(w.grant.Holders), r.id)) {
			t.Fatalf("%s was granted: present %v, holders %v", r.id, w.present, w.grant.Holders)
		}
	}
}

// end ends all runs: whatever has happened, everything of ours goes away, and
// attempts that come late bring nothing back.
func (w *grantWorld) end(t *rapid.T) {
	late := slices.DeleteFunc(slices.Clone(w.workers), func(x *grantWorker) bool { return x.done || !x.lease.Until.IsZero() })
	w.workers = nil
	for round := 0; ; round++ {
		open := slices.DeleteFunc(slices.Clone(w.runs), func(r *grantRun) bool { return r.closed })
		if len(open) == 0 {
			break
		}
		if round > 100 {
			t.Fatalf("can't be removed: %+v", w.grant)
		}
		w.now = w.now.Add(leaseLasts)
		r := open[round%len(open)]
		r.ending = true
		w.start(r, w.release)
		for len(w.workers) > 0 {
			w.step(t)
		}
	}
	w.workers = late
	for n := 0; len(w.workers) > 0 && n < 100; n++ {
		w.step(t)
		w.check(t)
	}
	if w.present != w.before || w.grant.State != GrantAbsent || len(w.grant.Holders) > 0 {
		t.Fatalf("in the end the target has it: %v, before us: %v, grant %+v", w.present, w.before, w.grant)
	}
}
