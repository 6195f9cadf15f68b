package workflow_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// api is a request by a program that every access flow of these tests accepts.
func api(edit ...func(*workflow.APIRequest)) workflow.APIRequest {
	q := workflow.APIRequest{
		Bot: bot, Token: store.Token{ID: "t1", Owner: "third@example.com"}, FlowSRN: "acme:flow:prod-access:latest",
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
		"TokenForFlow":    {q: func(q *workflow.APIRequest) { q.Token.Flows = []string{"other", "Prod-Access"} }, requester: "ci"},
		"TokenForOthers":  {q: func(q *workflow.APIRequest) { q.Token.Flows = []string{"other"} }, want: flow.CodeForbidden},
		"TokenForNone":    {q: func(q *workflow.APIRequest) { q.Token.Flows = []string{} }, want: flow.CodeForbidden},
		"TokenForPerson":  {q: func(q *workflow.APIRequest) { q.Token.People, q.UserEmail = []string{"Asker@example.com"}, asker.Email }, requester: "asker"},
		"TokenForAnother": {q: func(q *workflow.APIRequest) { q.Token.People, q.UserID = []string{"first@example.com"}, asker.SlackID }, want: flow.CodeForbidden},
		"TokenForNobody":  {q: func(q *workflow.APIRequest) { q.Token.People, q.UserEmail = []string{}, asker.Email }, want: flow.CodeForbidden},
		"TokenForItself":  {q: func(q *workflow.APIRequest) { q.Token.People = []string{} }, requester: "ci"},
		"ForABotOfSlack":  {q: func(q *workflow.APIRequest) { q.UserEmail = asker.Email }, world: robots(asker), want: flow.CodeForbidden},
		"BotOfSlackByID":  {q: func(q *workflow.APIRequest) { q.UserID = asker.SlackID }, world: robots(asker), want: flow.CodeForbidden},
		"BotByOurUserID":  {q: func(q *workflow.APIRequest) { q.UserID = asker.ID }, world: func(w *world) { remember(asker)(w); robots(asker)(w) }, want: flow.CodeForbidden},
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
			if r.Requester.Name != c.requester || (r.Asker != nil) != (c.requester != "ci") || len(w.feed) != 1 {
				t.Errorf("requester %+v, submitter %+v, %d writes", r.Requester, r.Asker, len(w.feed))
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
	return func(w *world) {
		_, err := store.Users{Store: w.runs.Store}.Remember(w.t.Context(), u)
		must(w.t, err)
	}
}

// passes gives somebody's address to another account, which an administrator may
// have confirmed.
func passes(u store.User, confirmed bool) func(*world) {
	return func(w *world) {
		remember(u)(w)
		delete(w.directory.users, u.SlackID)
		next := u
		next.SlackID = "U0NEXT"
		users := store.Users{Store: w.runs.Store}
		next, err := users.Remember(w.t.Context(), next)
		must(w.t, err)
		if confirmed {
			_, err := users.Confirm(w.t.Context(), store.Confirmable{Person: next.ID}, flow.Author{By: flow.Principal{Name: "me"}, At: w.clock.Now()})
			must(w.t, err)
			next.Unconfirmed = false
		}
		w.directory.users[next.SlackID] = next
		page, err := w.memory.List(w.t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
		must(w.t, err)
		for _, item := range page.Items { // of the claim itself
			must(w.t, w.memory.Delete(w.t.Context(), item.Key, item.Rev))
		}
	}
}

// robots makes a person a bot of the workspace.
func robots(u store.User) func(*world) {
	return func(w *world) { w.directory.users[u.SlackID] = withRole(u, store.RoleBot) }
}

func largeJSON() json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("x", flow.MaxContextBytes) + `"`)
}

// TestSubmit_Owner: whoever owns the token that asked approves nothing that was
// asked for with it, whomever for.
func TestSubmit_Owner(t *testing.T) {
	t.Parallel()
	for name, email := range map[string]string{"Itself": "", "APerson": asker.Email} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r, _, err := w.submit.RequestByAPI(t.Context(), api(func(q *workflow.APIRequest) { q.UserEmail = email }))
			must(t, err)
			w.settle()
			if r.Owner == nil || !r.Owner.Same(third.Actor) {
				t.Fatalf("owner %+v", r.Owner)
			}
			if err := w.press(r.ID, flow.ActionApprove, third); flow.CodeOf(err) != flow.CodeSelfApproval {
				t.Errorf("error %v", err)
			}
			w.click(r.ID, flow.ActionApprove, first)
			w.want(r.ID, flow.Escalated)
			w.click(r.ID, flow.ActionDeescalate, third)
			w.want(r.ID, flow.Deescalated)
		})
	}
	t.Run("OnlyApprover", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Approvers, f.Environment.Admins = []string{"user:" + third.Email}, nil
		})
		r, _, err := w.submit.RequestByAPI(t.Context(), api())
		must(t, err)
		w.settle()
		w.want(r.ID, flow.Denied)
	})
	t.Run("Allowed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Params.Approval.AllowSelfApproval = true })
		r, _, err := w.submit.RequestByAPI(t.Context(), api())
		must(t, err)
		w.settle()
		w.click(r.ID, flow.ActionApprove, third)
		w.want(r.ID, flow.Escalated)
	})
}

// TestSubmit_NoOwner: what a token may do when its owner is gone, can't be looked
// up, or was never named, and who is told.
func TestSubmit_NoOwner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world func(*world)
		owner string
		want  flow.Code
		told  string
	}{
		"Deactivated": {func(w *world) { w.leave(third) }, third.Email, flow.CodeForbidden, "is no active member"},
		"Unknown":     {nil, "nobody@example.com", flow.CodeForbidden, "is no active member"},
		"Guest":       {nil, guest.Email, flow.CodeForbidden, "is no active member"},
		"Bot":         {robots(third), third.Email, flow.CodeForbidden, "is no active member"},
		"LookupFails": {func(w *world) { w.directory.fail[third.Email] = errLookup }, third.Email, flow.CodeLookup, ""},
		"Never":       {nil, "", "", "has no owner"},
		"Claimed":     {passes(third, false), third.Email, flow.CodeForbidden, "belongs to another Slack account than before"},
		"Confirmed":   {passes(third, true), third.Email, flow.CodeForbidden, "belongs to another Slack account than before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.world != nil {
				c.world(w)
			}
			for range 2 {
				r, _, err := w.submit.RequestByAPI(t.Context(), api(func(q *workflow.APIRequest) { q.Token.Owner = c.owner }))
				if flow.CodeOf(err) != c.want || r.Owner != nil {
					t.Errorf("owner %+v, error %v, want %q", r.Owner, err, c.want)
				}
			}
			page, err := w.memory.List(t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
			must(t, err)
			if len(page.Items) != min(len(c.told), 1) || c.told != "" && !strings.Contains(string(page.Items[0].Body), c.told) {
				t.Errorf("%d notices: %+v", len(page.Items), page.Items)
			}
		})
	}
}

// TestSubmit_OwnerNamedAgain: whoever has the address now may be named for a
// token's owner.
func TestSubmit_OwnerNamedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	passes(third, true)(w)
	tokens := store.Tokens{Store: w.memory, Org: "acme", Now: w.clock.Now}
	_, made, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: third.Email}, time.Hour)
	must(t, err)
	r, _, err := w.submit.RequestByAPI(t.Context(), api(func(q *workflow.APIRequest) { q.Token = made }))
	if err != nil || r.Owner == nil || r.Owner.SlackID != "U0NEXT" {
		t.Errorf("owner %+v, %v", r.Owner, err)
	}
}

// TestSubmit_LimitedToAnAddress: what a token may do for an address is not for
// an account that claims it.
func TestSubmit_LimitedToAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	passes(asker, false)(w)
	_, _, err := w.submit.RequestByAPI(t.Context(), api(func(q *workflow.APIRequest) {
		q.UserID, q.Token.People = "U0NEXT", []string{asker.Email}
	}))
	if flow.CodeOf(err) != flow.CodeForbidden || !strings.Contains(err.Error(), "this token can't ask for") {
		t.Errorf("got %v", err)
	}
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
	other, _, err := w.submit.RequestByAPI(t.Context(), api(key("k"), func(q *workflow.APIRequest) { q.Token.ID = "t2" }))
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
	_, err = w.flows.Publish(t.Context(), flow.Author{}, nil)
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
