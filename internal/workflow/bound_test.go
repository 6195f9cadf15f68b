package workflow_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// accounts is a strategy whose targets leave the account to the requester.
var accounts = strategy.Type{Name: "fake", Targets: []strategy.TargetType{{Name: "fake", Settings: strategy.Settings{
	Known: []strategy.Setting{{Name: "account_id", About: "the account", Required: true, Bindable: true, Check: func(value string) error {
		if regexp.MustCompile("^[0-9]{12}$").MatchString(value) {
			return nil
		}
		return flow.Errorf(flow.CodeInvalid, "must be the 12 digits of an account")
	}}},
}}}}

// bound has the flow's form ask for the account, and every part check it.
func bound(t *testing.T, edit ...func(*flow.Flow)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*flow.Flow){func(f *flow.Flow) {
		target := &f.Strategy.Targets[0]
		target.FieldBindings = []string{"account_id"}
		f.Params.PromptFields = []flow.PromptField{
			{Name: "reason", Type: flow.FieldString, Visible: true},
			{Name: "account_id", Type: flow.FieldString, Required: true, Visible: true},
		}
	}}, edit...)...)
	check := func(_ flow.Strategy, target flow.Target) error { return accounts.CheckBound(target) }
	w.submit.Bound, w.approval.Bound, w.access.Bound = check, check, check
	return w
}

func (w *world) formFor(account string) map[string]any {
	values := w.form()
	values["account_id"] = account
	return values
}

// wantRefused checks that an error names a field, and what is wrong with it.
func wantRefused(t *testing.T, err error, field string) {
	t.Helper()
	e, ok := errors.AsType[*flow.Error](err)
	if !ok || e.Code != flow.CodeInvalid || fieldsOf(e) != field || !strings.Contains(e.Error(), "12 digits") {
		t.Errorf("got %v, want a fault of %s", err, field)
	}
}

// TestBound_Form: what the vendor would not take for an id is told of beside its
// field.
func TestBound_Form(t *testing.T) {
	t.Parallel()
	w := bound(t)
	r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: asker})
	must(t, err)
	_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.formFor("prod"))
	wantRefused(t, err, "account_id")
	w.wantHistory(r.ID, "prompt")
	_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.formFor("123456789012"))
	must(t, err)
	w.settle()
	w.click(r.ID, flow.ActionApprove, first)
	if got := w.want(r.ID, flow.Escalated).Access.Target.Settings["account_id"]; got != "123456789012" {
		t.Errorf("granted for %q", got)
	}
}

// offers is a handler that gives the options of a field.
type offers []flow.Option

func (o offers) Prefetch(context.Context, workflow.HandlerCall, string) ([]flow.Option, error) {
	return o, nil
}

func (offers) OnChange(_ context.Context, _ *flow.Flow, _, _ string, form flow.OpenForm) (flow.OpenForm, error) {
	return form, nil
}

// TestBound_Options: options of handlers are no better than what people type.
func TestBound_Options(t *testing.T) {
	t.Parallel()
	w := bound(t, func(f *flow.Flow) {
		f.Params.PromptFields[1].Prefetch = true
		f.Implementation = &flow.Source{}
	})
	list := offers{{Value: "prod", Label: "Production"}, {Value: "123456789012", Label: "Test"}}
	w.submit.Fields, w.forms.Fields = list, list
	r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: asker})
	must(t, err)
	r, err = w.forms.Open(t.Context(), w.flow, r)
	must(t, err)
	_, err = w.forms.Show(t.Context(), w.flow, r)
	must(t, err)
	_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.formFor("prod"))
	wantRefused(t, err, "account_id")
	_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.formFor("123456789012"))
	must(t, err)
	_, _, err = w.submit.RequestByAPI(t.Context(), api(input("account_id", "prod")))
	wantRefused(t, err, "flow_inputs.account_id")
}

func TestBound_API(t *testing.T) {
	t.Parallel()
	w := bound(t)
	w.feed = nil
	_, _, err := w.submit.RequestByAPI(t.Context(), api(input("account_id", "prod")))
	wantRefused(t, err, "flow_inputs.account_id")
	if len(w.feed) > 0 {
		t.Error("a refused request left a trace")
	}
	_, _, err = w.submit.RequestByAPI(t.Context(), api(input("account_id", "123456789012")))
	must(t, err)
}

// TestBound_Hook: a hook fills fields in as people do.
func TestBound_Hook(t *testing.T) {
	t.Parallel()
	for account, status := range map[string]flow.Status{"prod": flow.Prompted, "210987654321": flow.Requested} {
		w := bound(t, defines("on_request"))
		w.handlers.says["on_request"] = []says{returned(flow.EventRequest, map[string]any{"account_id": account})}
		r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: asker})
		must(t, err)
		_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.formFor("123456789012"))
		must(t, err)
		w.settle()
		r = w.want(r.ID, status)
		switch {
		case status == flow.Requested && r.Target.Settings["account_id"] != account:
			t.Errorf("asked for %v", r.Target.Settings)
		case status == flow.Prompted && (r.Error == nil || r.Error.Handler != "on_request" || !strings.Contains(r.Error.Message, "12 digits")):
			t.Errorf("error %+v", r.Error)
		}
	}
}

// TestBound_Grant: nothing is granted by a value that nobody has checked, such as
// one of before there was the check.
func TestBound_Grant(t *testing.T) {
	t.Parallel()
	w := bound(t)
	w.submit.Bound = nil
	r, _, err := w.submit.RequestByAPI(t.Context(), api(input("account_id", "prod")))
	must(t, err)
	w.settle()
	w.click(r.ID, flow.ActionApprove, first)
	r = w.want(r.ID, flow.Approved)
	if r.Error == nil || r.Error.Code != flow.CodeInvalid || r.Error.Retryable || r.Access != nil || w.target.calls["grant"] > 0 {
		t.Errorf("error %+v after %d grants, access %+v", r.Error, w.target.calls["grant"], r.Access)
	}
}
