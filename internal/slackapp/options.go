package slackapp

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// offered is what a search has found.
type offered struct {
	choices []choice // the best first, as many as Slack takes
	total   int      // that there are
}

// options answers a picker that somebody types into.
func (a *App) options(ctx context.Context, in interaction) any {
	found, err := guard(ctx, a, func(ctx context.Context) (offered, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return offered{}, err
		}
		if in.View.CallbackID == viewFlow {
			who, err := a.Directory.Known(ctx, in.User.ID)
			if err != nil {
				return offered{}, err
			}
			flows, err := a.listed(ctx, who)
			return search(flowChoices(flows), in.Value), err
		}
		m := metadataOf(in.View)
		if in.View.CallbackID == viewChange {
			return a.searchOffer(ctx, in, m)
		}
		f, err := a.Flows.Version(ctx, m.Flow, m.Version)
		if err != nil {
			return offered{}, err
		}
		if !f.DynamicForm() {
			return a.searchField(f, in.BlockID, in.Value), nil
		}
		form, err := a.Forms.Form(ctx, m.Run)
		return searchOpen(f, form, in.BlockID, in.Value), err
	})
	if err != nil {
		a.sorry(ctx, "search", err) // nothing but options can be answered here
	}
	return found.answer()
}

// answer lists what was found. Where that is not all of it, its heading says how to
// get at the rest, which can't be chosen by mistake.
func (o offered) answer() any {
	shown := []*slack.OptionBlockObject{}
	size := len(`{"option_groups":[{"label":{"type":"plain_text","text":""},"options":[]}]}`) + maxOptionText
	for _, c := range o.choices {
		if size += cost(c.value) + 3*cost(c.label) + cost(c.about) + 100; size > maxSocketAnswer {
			break
		}
		shown = append(shown, c.option())
	}
	if len(shown) < o.total {
		heading := plain(fmt.Sprintf("The best %d of %d – type more to find others", len(shown), o.total), maxOptionText)
		return slack.OptionGroupsResponse{OptionGroups: []*slack.OptionGroupBlockObject{slack.NewOptionGroupBlockElement(heading, shown...)}}
	}
	return map[string]any{"options": shown}
}

// searchField finds choices of a field by what was typed.
func (a *App) searchField(f *flow.Flow, field, typed string) offered {
	for _, p := range f.Fields() {
		switch {
		case p.Name != field || !p.Visible:
		case p.Name == flow.FieldNameTarget && !f.ApprovalOnly():
			// Not by choices: ids are made for the targets that are shown only.
			at := best(a.targets.of(f), typed)
			o := offered{total: len(at)}
			for _, i := range at[:min(len(at), maxOptions)] {
				o.choices = append(o.choices, targetChoice(f, f.Strategy.Targets[i]))
			}
			return o
		default:
			return search(choices(f, p), typed)
		}
	}
	return offered{}
}

// searchOpen finds options of a field as the form has them now: no handler is asked
// while somebody types.
func searchOpen(f *flow.Flow, form flow.OpenForm, field, typed string) offered {
	for i, p := range f.Fields() {
		if i < len(form.Fields) && p.Name == field && form.Fields[i].Visible {
			return search(optionChoices(p, form.Fields[i]), typed)
		}
	}
	return offered{}
}

// search finds choices by what is shown of them, and by their names.
func search(all []choice, typed string) offered {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = fold(c.label + " " + c.name)
	}
	at := best(names, typed)
	o := offered{total: len(at)}
	for _, i := range at[:min(len(at), maxOptions)] {
		o.choices = append(o.choices, all[i])
	}
	return o
}
