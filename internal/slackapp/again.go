package slackapp

import (
	"context"
	"slices"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// askAgain opens the form of a new request, filled in with what an earlier one asked
// for. The version of the flow in force holds.
func (a *App) askAgain(ctx context.Context, in interaction, who store.User, id string) (flow.Run, error) {
	r, err := a.Submit.Runs.Get(ctx, id)
	if err != nil {
		return r, err
	}
	if err := r.MayAskAgain(who.Actor); err != nil {
		return flow.Run{}, err // nothing is to be refreshed
	}
	f, err := a.Flows.Latest(ctx, r.Flow)
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		err = flow.Errorf(flow.CodeWithdrawn, "the flow “%s” is not there any more: choose another one with /sym req", r.FlowTitle)
	}
	if err != nil {
		return flow.Run{}, err
	}
	w := window{app: a, trigger: in.TriggerID, task: task{Interaction: in.raw}, lingering: a.lingering(ctx, f.Name), again: &r}.resume(in.spot)
	_, err = w.prompt(ctx, f, who, in.TriggerID, metadata{Channel: r.SourceChannel})
	return flow.Run{}, err
}

// refill makes the form of a run with what an earlier one asked for, as far as that can
// still be chosen. What can't be is left empty, and said.
func (a *App) refill(ctx context.Context, f *flow.Flow, r flow.Run, asked map[string]any) (*openForm, error) {
	form := f.OpenForm(nil)
	if f.DynamicForm() {
		var err error
		if form, err = a.Forms.Show(ctx, f, r); err != nil {
			return nil, err
		}
		var depends []string
		values := map[string]any{}
		for _, p := range f.Fields() {
			if v, ok := asked[p.Name]; ok {
				values[p.Name] = v
				if p.OnChange != nil {
					depends = append(depends, p.Name)
				}
			}
		}
		if len(depends) > 0 {
			if _, changed, err := a.Forms.Change(ctx, r.ID, r.Requester, depends, values); err == nil {
				form = changed
			} else {
				a.sorry(ctx, "form that is filled in again", err) // it is there to be filled in by hand
			}
		}
	}
	form, lost := f.Refill(form, asked)
	o := &openForm{OpenForm: form, note: "This is what was asked for before. Look at it once more, and submit."}
	if len(lost) > 0 {
		o.note = "This is what was asked for before, as far as it can still be chosen. Choose anew: " + enumerate(lost) + "."
	}
	return o, nil
}

// withFor adds to a form the input that says for whom the request is, where the flow
// lets people ask for others. The person with that id in Slack is chosen already.
func withFor(v slack.ModalViewRequest, f *flow.Flow, chosen string) slack.ModalViewRequest {
	blocks := v.Blocks.BlockSet
	at := slices.IndexFunc(blocks, func(b slack.Block) bool { return b.BlockType() == slack.MBTInput })
	if !f.Params.OnBehalf || v.CallbackID != viewRequest || len(blocks) >= maxViewBlocks {
		return v
	}
	if at < 0 {
		at = len(blocks)
	}
	s := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Choose a person", maxPlaceholder), actionValue)
	s.InitialUser = chosen
	b := slack.NewInputBlock(workflow.FieldFor, plain("For", maxLabel), plain("They are told, and the access is theirs. You can't approve what you ask for.", maxLabel), s)
	v.Blocks.BlockSet = slices.Insert(slices.Clone(blocks), at, slack.Block(b))
	return v
}

// forWhom is whom a form is for when it is opened, by their id in Slack: oneself, or
// whom the request before was for.
func forWhom(who store.User, again *flow.Run) string {
	if again != nil && again.OnBehalf() && again.Asker.Is(who.Actor) {
		return again.Requester.SlackID
	}
	return who.SlackID
}
