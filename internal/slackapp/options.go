package slackapp

import (
	"context"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// options answers a picker that somebody types into.
func (a *App) options(ctx context.Context, in interaction) any {
	found, err := guard(ctx, a, func(ctx context.Context) ([]choice, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		if in.View.CallbackID == viewFlow {
			who, err := a.Directory.Known(ctx, in.User.ID)
			if err != nil {
				return nil, err
			}
			flows, err := a.listed(ctx, who)
			return search(flowChoices(flows), in.Value), err
		}
		m := metadataOf(in.View)
		f, err := a.Flows.Version(ctx, m.Flow, m.Version)
		if err != nil {
			return nil, err
		}
		if !f.DynamicForm() {
			return searchField(f, in.BlockID, in.Value), nil
		}
		form, err := a.Forms.Form(ctx, m.Run)
		return searchOpen(f, form, in.BlockID, in.Value), err
	})
	if err != nil {
		a.sorry(ctx, "search", err) // nothing but options can be answered here
	}
	shown := []*slack.OptionBlockObject{}
	size := len(`{"options":[]}`)
	for _, c := range found[:min(len(found), maxOptions)] {
		if size += cost(c.value) + 3*cost(c.label) + 100; size > maxSocketAnswer {
			break
		}
		shown = append(shown, c.option())
	}
	return map[string]any{"options": shown}
}

// searchField finds choices of a field by what was typed.
func searchField(f *flow.Flow, field, typed string) []choice {
	for _, p := range f.Fields() {
		switch {
		case p.Name != field || !p.Visible:
		case p.Name == flow.FieldNameTarget && !f.ApprovalOnly():
			// Not by choices: ids are made for the targets that are shown only.
			var out []choice
			typed = strings.ToLower(strings.TrimSpace(typed))
			for _, t := range f.Strategy.Targets {
				if len(out) < maxOptions && (contains(t.Label, typed) || contains(t.Name, typed)) {
					out = append(out, targetChoice(f, t))
				}
			}
			return out
		default:
			return search(choices(f, p), typed)
		}
	}
	return nil
}

// searchOpen finds options of a field by their labels, as the form has them now:
// no handler is asked while somebody types.
func searchOpen(f *flow.Flow, form flow.OpenForm, field, typed string) []choice {
	var out []choice
	typed = strings.ToLower(strings.TrimSpace(typed))
	for i, p := range f.Fields() {
		if i >= len(form.Fields) || p.Name != field || !form.Fields[i].Visible {
			continue
		}
		for _, c := range optionChoices(p, form.Fields[i]) {
			if len(out) < maxOptions && contains(c.label, typed) {
				out = append(out, c)
			}
		}
	}
	return out
}

// search finds the choices that have what was typed in their label or name, in
// upper or lower case.
func search(all []choice, typed string) []choice {
	typed = strings.ToLower(strings.TrimSpace(typed))
	var out []choice
	for _, c := range all {
		if len(out) < maxOptions && (contains(c.label, typed) || contains(c.name, typed) || contains(c.value, typed)) {
			out = append(out, c)
		}
	}
	return out
}

func contains(s, typed string) bool { return strings.Contains(strings.ToLower(s), typed) }
