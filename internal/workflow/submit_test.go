package workflow_test

import (
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

// TestSubmit_Closed: nothing new is taken, by no way in, and nothing is recorded.
// What is under way goes on.
func TestSubmit_Closed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "open"), Flow: w.flow, Actor: asker})
	if err != nil {
		t.Fatal(err)
	}
	asked := w.ask(asker, "asked before")
	before := len(w.feed)
	w.submit.Closed = func() error { return flow.Errorf(flow.CodeConfigFaulty, "closed") }
	for way, try := range map[string]func() error{
		"Prompt": func() error {
			_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "trigger"), Flow: w.flow, Actor: asker})
			return err
		},
		"Request": func() error {
			_, err := w.submit.Request(t.Context(), open.ID, asker.Actor, nil)
			return err
		},
		"RequestByAPI": func() error {
			_, _, err := w.submit.RequestByAPI(t.Context(), api())
			return err
		},
	} {
		if err := try(); flow.CodeOf(err) != flow.CodeConfigFaulty {
			t.Errorf("%s: %v", way, err)
		}
	}
	if len(w.feed) != before {
		t.Error("what was refused left a trace")
	}
	if _, _, err := w.submit.Click(t.Context(), workflow.Click{RunID: asked, Action: flow.ActionCancel, Actor: asker, Channel: flow.ChannelSlack}); err != nil {
		t.Errorf("an open request can't be withdrawn: %v", err)
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
	_, err = w.flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{&next})
	must(t, err)
	_, err = w.submit.Request(t.Context(), id, asker.Actor, w.form())
	must(t, err)
	w.settle()
	w.want(id, flow.Requested)
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
		w.want(id, flow.Deescalated)
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
		"Approve, by bot named":   {closed, requested, workflow.Click{Action: flow.ActionApprove, Actor: withRole(first, store.RoleBot)}, flow.CodeForbidden},
		"Deny, by bot":            {closed, requested, workflow.Click{Action: flow.ActionDeny, Actor: withRole(first, store.RoleBot)}, flow.CodeForbidden},
		"End, by bot":             {nil, granted, workflow.Click{Action: flow.ActionDeescalate, Actor: withRole(asker, store.RoleBot)}, flow.CodeForbidden},
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
			w.lookTwice(r.ID)
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
