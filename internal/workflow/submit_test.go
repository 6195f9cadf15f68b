package workflow_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func withRole(u store.User, r store.Role) store.User {
	u.Role = r
	return u
}

func only(channels ...flow.Channel) func(*flow.Flow) {
	return func(f *flow.Flow) {
		channels = append([]flow.Channel{}, channels...)
		f.Params.AllowedSources = &channels
	}
}

func TestSubmit_Prompt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*flow.Flow)
		who  store.User
		want flow.Code
	}{
		"Member":       {who: asker},
		"Guest":        {who: guest, want: flow.CodeForbidden},
		"Deactivated":  {who: withRole(asker, store.RoleDeactivated), want: flow.CodeForbidden},
		"SlackAllowed": {edit: only(flow.ChannelSlack), who: asker},
		"APIOnly":      {edit: only(flow.ChannelAPI), who: asker, want: flow.CodeWrongSource},
		"NoSource":     {edit: only(), who: asker, want: flow.CodeWrongSource},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.edit != nil {
				w = newWorld(t, c.edit)
			}
			id := flow.RunIDFrom("acme", "trigger")
			p := workflow.Prompt{RunID: id, Flow: w.flow, Actor: c.who, SourceChannel: "C1"}
			r, err := w.submit.Prompt(t.Context(), p)
			if flow.CodeOf(err) != c.want {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			if c.want != "" {
				if len(w.feed) > 0 {
					t.Error("a refused prompt left a trace")
				}
				return
			}
			if r.Status != flow.Prompted || r.SourceChannel != "C1" || r.FlowVersion != w.flow.Version {
				t.Errorf("run %+v", r)
			}
			again, err := w.submit.Prompt(t.Context(), p)
			if err != nil || again.Rev != r.Rev || len(w.feed) != 1 {
				t.Errorf("the same prompt again: %+v, %v", again, err)
			}
		})
	}
}

func TestSubmit_Request(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := flow.RunIDFrom("acme", "a")
	_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker})
	must(t, err)
	if _, err := w.submit.Request(t.Context(), id, first.Actor, w.form()); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("somebody else's form: %v", err)
	}
	_, err = w.submit.Request(t.Context(), id, asker.Actor, map[string]any{"target_id": "nothing", "duration": "99h", "more": 1})
	if e, ok := errors.AsType[*flow.Error](err); !ok || e.Code != flow.CodeInvalid || fieldsOf(e) != "duration more reason target_id" {
		t.Errorf("wrong values: %v", err)
	}
	w.wantHistory(id, "prompt")
	r, err := w.submit.Request(t.Context(), id, asker.Actor, w.form())
	must(t, err)
	other := w.form()
	other["reason"] = "another one"
	again, err := w.submit.Request(t.Context(), id, asker.Actor, other)
	if err != nil || again.Rev != r.Rev || again.Reason() != "incident" {
		t.Errorf("submitted twice: %+v, %v", again, err)
	}
	w.settle()
	if _, err := w.submit.Request(t.Context(), id, asker.Actor, w.form()); err != nil {
		t.Errorf("submitted after it was routed: %v", err)
	}
	w.wantHistory(id, "prompt request")
	if _, err := w.submit.Request(t.Context(), flow.RunIDFrom("acme", "none"), asker.Actor, w.form()); flow.CodeOf(err) != flow.CodeUnknownRun {
		t.Errorf("no such run: %v", err)
	}
}

func fieldsOf(e *flow.Error) string {
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Field)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestSubmit_FormOfAnOldVersion: the values are checked against what was shown.
func TestSubmit_FormOfAnOldVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := flow.RunIDFrom("acme", "a")
	_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker})
	must(t, err)
	next := *w.flow
	next.Params.PromptFields = append(slices.Clone(next.Params.PromptFields), flow.PromptField{Name: "ticket", Type: flow.FieldString, Required: true, Visible: true})
	_, err = w.flows.Publish(t.Context(), []*flow.Flow{&next})
	must(t, err)
	_, err = w.submit.Request(t.Context(), id, asker.Actor, w.form())
	must(t, err)
	w.settle()
	w.want(id, flow.Requested)
}

// api is a request by a program that every access flow of these tests accepts.
func api(edit ...func(*workflow.APIRequest)) workflow.APIRequest {
	q := workflow.APIRequest{
		Bot: bot, TokenID: "t1", FlowSRN: "acme:flow:prod-access:latest",
		Inputs: map[string]any{"reason": "deploy", "target_srn": "acme:access_target:fake:orders-db:latest", "duration": 600},
	}
	for _, e := range edit {
		e(&q)
	}
	return q
}

func input(name string, v any) func(*workflow.APIRequest) {
	return func(q *workflow.APIRequest) {
		if v == nil {
			delete(q.Inputs, name)
			return
		}
		q.Inputs[name] = v
	}
}

func flowSRN(srn string) func(*workflow.APIRequest) {
	return func(q *workflow.APIRequest) { q.FlowSRN = srn }
}

func TestSubmit_API(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit      func(*flow.Flow)
		world     func(*world)
		q         func(*workflow.APIRequest)
		want      flow.Code
		fields    string
		requester string // name
	}{
		"Well":            {requester: "ci"},
		"Version":         {q: flowSRN("acme:flow:prod-access:1.0.1"), requester: "ci"},
		"OrgInCapitals":   {q: flowSRN("ACME:flow:prod-access:latest"), requester: "ci"},
		"OldVersion":      {q: flowSRN("acme:flow:prod-access:1.0.0"), want: flow.CodeUnknownFlow},
		"UnknownFlow":     {q: flowSRN("acme:flow:nothing:latest"), want: flow.CodeUnknownFlow},
		"ForeignFlow":     {q: flowSRN("evil:flow:prod-access:latest"), want: flow.CodeInvalid, fields: "flow_srn"},
		"NoSRN":           {q: flowSRN("prod-access"), want: flow.CodeInvalid, fields: "flow_srn"},
		"OtherModel":      {q: flowSRN("acme:environment:prod-access:latest"), want: flow.CodeInvalid, fields: "flow_srn"},
		"SlackOnly":       {edit: only(flow.ChannelSlack), want: flow.CodeWrongSource},
		"APIOnly":         {edit: only(flow.ChannelAPI), requester: "ci"},
		"NoTarget":        {q: input("target_srn", nil), want: flow.CodeInvalid, fields: "flow_inputs.target_srn"},
		"NoDuration":      {q: input("duration", nil), want: flow.CodeInvalid, fields: "flow_inputs.duration"},
		"WrongDuration":   {q: input("duration", 601), want: flow.CodeInvalid, fields: "flow_inputs.duration"},
		"ForeignTarget":   {q: input("target_srn", "evil:access_target:fake:orders-db:latest"), want: flow.CodeInvalid, fields: "flow_inputs.target_srn"},
		"UnknownTarget":   {q: input("target_srn", "acme:access_target:fake:nothing:latest"), want: flow.CodeInvalid, fields: "flow_inputs.target_srn"},
		"TargetOfAType":   {q: input("target_srn", "acme:access_target:okta_group:orders-db:latest"), want: flow.CodeInvalid, fields: "flow_inputs.target_srn"},
		"TargetNoText":    {q: input("target_srn", 7), want: flow.CodeInvalid, fields: "flow_inputs.target_srn"},
		"TargetID":        {q: input("target_id", "orders-db"), want: flow.CodeInvalid, fields: "flow_inputs.target_id"},
		"UnknownInput":    {q: input("more", 1), want: flow.CodeInvalid, fields: "flow_inputs.more"},
		"ForAPerson":      {q: func(q *workflow.APIRequest) { q.UserEmail = asker.Email }, requester: "asker"},
		"ByUserID":        {q: func(q *workflow.APIRequest) { q.UserID = asker.SlackID }, requester: "asker"},
		"ByOurUserID":     {q: func(q *workflow.APIRequest) { q.UserID = strings.ToUpper(asker.ID) }, world: remember(asker), requester: "asker"},
		"UnknownOurID":    {q: func(q *workflow.APIRequest) { q.UserID = asker.ID }, want: flow.CodeInvalid, fields: "user_id"},
		"UnknownPerson":   {q: func(q *workflow.APIRequest) { q.UserEmail = "nobody@example.com" }, want: flow.CodeInvalid, fields: "user_email"},
		"UnknownUserID":   {q: func(q *workflow.APIRequest) { q.UserID = "U0NOBODY" }, want: flow.CodeInvalid, fields: "user_id"},
		"Both":            {q: func(q *workflow.APIRequest) { q.UserEmail, q.UserID = asker.Email, asker.SlackID }, want: flow.CodeInvalid, fields: "user_id"},
		"ForAGuest":       {q: func(q *workflow.APIRequest) { q.UserEmail = guest.Email }, want: flow.CodeForbidden},
		"ForSomebodyGone": {q: func(q *workflow.APIRequest) { q.UserEmail = asker.Email }, world: func(w *world) { w.leave(asker) }, want: flow.CodeForbidden},
		"GoneByOurUserID": {q: func(q *workflow.APIRequest) { q.UserID = asker.ID }, world: func(w *world) { remember(asker)(w); w.leave(asker) }, want: flow.CodeForbidden},
		"LookupFails":     {q: func(q *workflow.APIRequest) { q.UserEmail = asker.Email }, world: func(w *world) { w.directory.fail[""] = errLookup }, want: flow.CodeLookup},
		"Context":         {q: func(q *workflow.APIRequest) { q.Context = json.RawMessage(`{"a":1}`) }, requester: "ci"},
		"LargeContext":    {q: func(q *workflow.APIRequest) { q.Context = largeJSON() }, want: flow.CodeTooLarge, fields: "context"},
		"LargeFields":     {q: input("reason", strings.Repeat("x", flow.MaxFieldsBytes)), want: flow.CodeTooLarge},
		"ApprovalOnly": {
			edit: func(f *flow.Flow) { f.Strategy = nil },
			want: flow.CodeInvalid, fields: "flow_inputs.duration flow_inputs.target_srn",
		},
		"ApprovalOnlyWell": {
			edit: func(f *flow.Flow) { f.Strategy = nil },
			q:    func(q *workflow.APIRequest) { q.Inputs = map[string]any{"reason": "deploy"} }, requester: "ci",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.edit != nil {
				w = newWorld(t, c.edit)
			}
			if c.world != nil {
				c.world(w)
			}
			w.feed = nil
			q := api()
			if c.q != nil {
				c.q(&q)
			}
			r, event, err := w.submit.RequestByAPI(t.Context(), q)
			if flow.CodeOf(err) != c.want {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if e, ok := errors.AsType[*flow.Error](err); ok && fieldsOf(e) != c.fields {
				t.Errorf("fields %q, want %q", fieldsOf(e), c.fields)
			}
			if err != nil {
				if len(w.feed) > 0 {
					t.Error("a refused request left a trace")
				}
				return
			}
			if r.Requester.Name != c.requester || (r.Submitter != nil) != (c.requester != "ci") || len(w.feed) != 1 {
				t.Errorf("requester %+v, submitter %+v, %d writes", r.Requester, r.Submitter, len(w.feed))
			}
			w.settle()
			r = w.want(r.ID, flow.Requested)
			if e, ok := r.Event(event); !ok || e.Name != flow.EventRequest || e.Channel != flow.ChannelAPI {
				t.Errorf("event %q: %+v", event, e)
			}
		})
	}
}

func remember(u store.User) func(*world) {
	return func(w *world) { must(w.t, store.Users{Store: w.runs.Store}.Remember(w.t.Context(), u)) }
}

func largeJSON() json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("x", flow.MaxContextBytes) + `"`)
}

// TestSubmit_SelfApprovalByProxy: who asks through a bot may not approve.
func TestSubmit_SelfApprovalByProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, _, err := w.submit.RequestByAPI(t.Context(), api(func(q *workflow.APIRequest) { q.UserEmail = asker.Email }))
	must(t, err)
	w.settle()
	if err := w.press(r.ID, flow.ActionApprove, asker); flow.CodeOf(err) != flow.CodeSelfApproval {
		t.Errorf("error %v", err)
	}
}

func TestSubmit_Idempotency(t *testing.T) {
	t.Parallel()
	key := func(k string) func(*workflow.APIRequest) {
		return func(q *workflow.APIRequest) { q.IdempotencyKey = k }
	}
	w := newWorld(t)
	r, event, err := w.submit.RequestByAPI(t.Context(), api(key("k")))
	must(t, err)
	w.settle()
	again, same, err := w.submit.RequestByAPI(t.Context(), api(key("k")))
	if err != nil || again.ID != r.ID || same != event {
		t.Errorf("repeated: run %s, event %s, %v", again.ID, same, err)
	}
	if _, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"), input("reason", "other"))); flow.CodeOf(err) != flow.CodeIdempotency {
		t.Errorf("the same key, another body: %v", err)
	}
	if _, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"), flowSRN("acme:flow:nothing:latest"))); flow.CodeOf(err) != flow.CodeIdempotency {
		t.Errorf("the same key, another flow: %v", err)
	}
	other, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"), func(q *workflow.APIRequest) { q.TokenID = "t2" }))
	if err != nil || other.ID == r.ID {
		t.Errorf("another token's key: %s, %v", other.ID, err)
	}
	seen := map[string]bool{}
	for range 3 {
		r, _, err := w.submit.RequestByAPI(t.Context(), api())
		must(t, err)
		seen[r.ID] = true
	}
	if len(seen) != 3 {
		t.Error("requests without a key are taken for one")
	}
	// What was accepted stays accepted, though the flow is gone by now.
	_, err = w.flows.Publish(t.Context(), nil)
	must(t, err)
	if again, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"))); err != nil || again.ID != r.ID {
		t.Errorf("repeated after the flow was withdrawn: %s, %v", again.ID, err)
	}
	if _, _, err := w.submit.RequestByAPI(t.Context(), api(key("new"))); flow.CodeOf(err) != flow.CodeUnknownFlow {
		t.Errorf("a new one after the flow was withdrawn: %v", err)
	}
	w.process.kill()
	if _, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"))); flow.CodeOf(err) != flow.CodeInternal {
		t.Errorf("a store that fails is taken for a new request: %v", err)
	}
}

// TestSubmit_Click: who may press which button, by status.
func TestSubmit_Click(t *testing.T) {
	t.Parallel()
	stranger := member("stranger")
	closed := func(f *flow.Flow) {
		f.Params.Approval.Approvers = []string{"user:first@example.com", "user:second@example.com", "user:asker@example.com"}
	}
	requested := func(w *world) string { return w.ask(asker, "a") }
	granted := func(w *world) string {
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		return id
	}
	over := func(w *world) string {
		id := granted(w)
		w.click(id, flow.ActionDeescalate, asker)
		return id
	}
	type edit = func(*flow.Flow)
	for name, c := range map[string]struct {
		edit  edit
		bring func(*world) string
		click workflow.Click
		want  flow.Code
	}{
		"Approve":                 {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: first}, ""},
		"Approve, by admin":       {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: admin}, ""},
		"Approve, by stranger":    {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: stranger}, flow.CodeForbidden},
		"Approve, by member":      {nil, requested, workflow.Click{Action: flow.ActionApprove, Actor: stranger}, ""},
		"Approve, by guest":       {nil, requested, workflow.Click{Action: flow.ActionApprove, Actor: guest}, flow.CodeForbidden},
		"Approve, by guest let":   {func(f *flow.Flow) { f.Params.AllowGuestInteraction = true }, requested, workflow.Click{Action: flow.ActionApprove, Actor: guest}, ""},
		"Approve, own":            {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: asker}, flow.CodeSelfApproval},
		"Approve, own, let":       {func(f *flow.Flow) { closed(f); f.Params.Approval.AllowSelfApproval = true }, requested, workflow.Click{Action: flow.ActionApprove, Actor: asker}, ""},
		"Approve, gone":           {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: withRole(first, store.RoleDeactivated)}, flow.CodeForbidden},
		"Approve, by bot":         {nil, requested, workflow.Click{Action: flow.ActionApprove, Actor: store.User{Actor: bot, Role: store.RoleBot}}, flow.CodeForbidden},
		"Approve, too late":       {closed, granted, workflow.Click{Action: flow.ActionApprove, Actor: second}, flow.CodeDecided},
		"Approve, long message":   {nil, requested, workflow.Click{Action: flow.ActionApprove, Actor: first, Message: strings.Repeat("ä", 3001)}, flow.CodeTooLarge},
		"Approve, message":        {nil, requested, workflow.Click{Action: flow.ActionApprove, Actor: first, Message: strings.Repeat("ä", 3000)}, ""},
		"Deny":                    {closed, requested, workflow.Click{Action: flow.ActionDeny, Actor: first}, ""},
		"Deny, own":               {closed, requested, workflow.Click{Action: flow.ActionDeny, Actor: asker}, ""},
		"Deny, by stranger":       {closed, requested, workflow.Click{Action: flow.ActionDeny, Actor: stranger}, flow.CodeForbidden},
		"Cancel":                  {nil, requested, workflow.Click{Action: flow.ActionCancel, Actor: asker}, ""},
		"Cancel, by approver":     {nil, requested, workflow.Click{Action: flow.ActionCancel, Actor: first}, flow.CodeForbidden},
		"Cancel, too late":        {nil, granted, workflow.Click{Action: flow.ActionCancel, Actor: asker}, flow.CodeDecided},
		"End":                     {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: asker}, ""},
		"End, by approver":        {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: first}, ""},
		"End, by admin":           {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: admin}, ""},
		"End, by member":          {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: second}, flow.CodeForbidden},
		"End, by requester, gone": {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: withRole(asker, store.RoleDeactivated)}, flow.CodeForbidden},
		"End, as guest":           {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: withRole(asker, store.RoleGuest)}, flow.CodeForbidden},
		"End, not revocable":      {func(f *flow.Flow) { f.Params.AllowRevoke = false }, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: asker}, flow.CodeForbidden},
		"End, by API":             {func(f *flow.Flow) { f.Params.AllowRevoke = false }, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: store.User{Actor: bot}, Channel: flow.ChannelAPI}, ""},
		"End, too early":          {nil, requested, workflow.Click{Action: flow.ActionDeescalate, Actor: asker}, flow.CodeInvalidRun},
		"End, too early, by API":  {nil, requested, workflow.Click{Action: flow.ActionDeescalate, Actor: store.User{Actor: bot}, Channel: flow.ChannelAPI}, flow.CodeInvalidRun},
		"End, too late":           {nil, over, workflow.Click{Action: flow.ActionDeescalate, Actor: asker}, flow.CodeInvalidRun},
		"End, too late, by API":   {nil, over, workflow.Click{Action: flow.ActionDeescalate, Actor: store.User{Actor: bot}, Channel: flow.ChannelAPI}, flow.CodeInvalidRun},
		"Time-out":                {nil, requested, workflow.Click{Action: flow.ActionTimeout, Actor: admin}, flow.CodeIllegal},
		"Undeliverable":           {nil, requested, workflow.Click{Action: flow.ActionUndeliverable, Actor: admin}, flow.CodeIllegal},
		"Request":                 {nil, requested, workflow.Click{Action: flow.ActionRequest, Actor: asker}, flow.CodeIllegal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.edit != nil {
				w = newWorld(t, c.edit)
			}
			w.directory.users[stranger.SlackID] = stranger
			c.click.RunID = c.bring(w)
			if c.click.Channel == "" {
				c.click.Channel = flow.ChannelSlack
			}
			before := w.run(c.click.RunID)
			r, event, err := w.submit.Click(t.Context(), c.click)
			if flow.CodeOf(err) != c.want {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if err != nil {
				if w.run(c.click.RunID).Rev != before.Rev {
					t.Error("a refused click left a trace")
				}
				return
			}
			if len(r.Signals) != 1 || r.Signals[0].ID != event || r.Signals[0].Message != c.click.Message {
				t.Errorf("event %q, signals %+v", event, r.Signals)
			}
			again, same, err := w.submit.Click(t.Context(), c.click)
			if err != nil || same != event || again.Rev != r.Rev {
				t.Errorf("a double click: event %q, revision %d, %v", same, again.Rev, err)
			}
			w.settle()
			if e, ok := r.Event(event); ok && e.Failed() {
				t.Errorf("accepted, and then refused: %+v", e)
			}
			r = w.run(r.ID)
			if e, ok := r.Event(event); !ok || e.Failed() {
				t.Errorf("event %+v of %s", e, history(r))
			}
		})
	}
}

// TestSubmit_EndTwice: asked for by two people, or while the schedule is at
// it, it is one end with one id.
func TestSubmit_EndTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	_, one, err := w.submit.Click(t.Context(), workflow.Click{RunID: id, Action: flow.ActionDeescalate, Actor: asker, Channel: flow.ChannelSlack})
	must(t, err)
	_, two, err := w.submit.Click(t.Context(), workflow.Click{RunID: id, Action: flow.ActionDeescalate, Actor: first, Channel: flow.ChannelSlack})
	if err != nil || one != two {
		t.Errorf("ids %q and %q, %v", one, two, err)
	}

	w = newWorld(t)
	id = w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.target.fates["revoke"] = []fate{unavailable}
	w.pass(grantedFor)
	_, during, err := w.submit.Click(t.Context(), workflow.Click{RunID: id, Action: flow.ActionDeescalate, Actor: asker, Channel: flow.ChannelSlack})
	must(t, err)
	w.pass(time.Minute)
	r := w.want(id, flow.Deescalated)
	if e, ok := r.Event(during); !ok || e.Name != flow.EventDeescalate {
		t.Errorf("id %q is that of %+v, events %s", during, e, history(r))
	}
}
