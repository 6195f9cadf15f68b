package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// HandOn has a task done by Continue, beside the caller: in AWS by another
// invocation, since nothing is done there after the answer. An error says that it
// will not be done. It may be done more than once.
type HandOn func(ctx context.Context, task []byte) error

// task is what somebody did whose answer takes longer than Slack waits: one of the
// command and the interaction, which were verified before they were handed on.
type task struct {
	Command     *slashCommand   `json:"command,omitempty"`
	Interaction json.RawMessage `json:"interaction,omitempty"`
	Shown       *spot           `json:"shown"`
}

// spot is a view that says "Loading…", and waits for what comes in its place: by
// Slack's id, or by ours where the answer of the app is yet to bring it.
type spot struct {
	View string `json:"view,omitempty"`
	Ours string `json:"ours,omitempty"`
}

// taskKey is the one key of a task's JSON. Nothing that comes over the network has
// it: API Gateway wraps what it takes.
const taskKey = "symflows_task"

// IsTask tells whether the payload of an invocation is a task that was handed on.
func IsTask(payload []byte) bool {
	var t map[string]json.RawMessage
	return json.Unmarshal(payload, &t) == nil && len(t) == 1 && t[taskKey] != nil
}

// later hands a task on. The error is for the caller, who then does it at once.
func (a *App) later(ctx context.Context, t task) error {
	if a.HandOn == nil {
		return errors.New("there is nobody to hand it on to")
	}
	b, err := json.Marshal(map[string]task{taskKey: t})
	if err == nil {
		err = a.HandOn(ctx, b)
	}
	if err != nil {
		a.Log.WarnContext(ctx, "a form could not be handed on, and Slack may report a time-out beside it", "error", err)
	}
	return err
}

// Continue does a task that was handed on. The error is of a task that can't be
// read: what goes wrong in doing it is told in the view that waits for it.
func (a *App) Continue(ctx context.Context, payload []byte) error {
	var in map[string]task
	if err := json.Unmarshal(payload, &in); err != nil {
		return fmt.Errorf("read a task that was handed on: %w", err)
	}
	t := in[taskKey]
	if t.Shown == nil || (t.Command == nil) == (t.Interaction == nil) {
		return errors.New("a task that was handed on says neither command nor interaction, or no view")
	}
	if t.Command != nil {
		t.Command.spot = t.Shown
		if said, ok := a.command(ctx, *t.Command).(private); ok { // it came to no form
			a.replace(ctx, t.Shown, noticeModal(said.plain()))
		}
		return nil
	}
	i, err := readInteraction(t.Interaction)
	if err != nil {
		return err
	}
	i.spot = t.Shown
	if i.Type != slack.InteractionTypeViewSubmission {
		a.interaction(ctx, i)
		return nil
	}
	do := a.picked
	if i.View.CallbackID == viewExplain {
		do = a.explained
	}
	if _, err := guard(ctx, a, func(ctx context.Context) (any, error) { return do(ctx, i) }); err != nil {
		a.replace(ctx, t.Shown, noticeModal(a.sorry(ctx, "form", err)))
	}
	return nil
}

// replace shows something in place of what says "Loading…".
func (a *App) replace(ctx context.Context, at *spot, view slack.ModalViewRequest) {
	ctx, cancel := a.within(context.WithoutCancel(ctx), sorryTime)
	defer cancel()
	w := window{app: a, at: *at}
	if err := w.show(ctx, view); err != nil {
		a.Log.WarnContext(ctx, "a form was not replaced", "error", err)
	}
}

// buttonAgain is the button in place of a form that could not be shown.
const buttonAgain = "again"

// againModal says in place of a form what went wrong, with a button that asks for
// the form once more.
func againModal(text string, m metadata) slack.ModalViewRequest {
	return modal(viewNotice, "Sym Flows", "", m, []slack.Block{
		slack.NewSectionBlock(plain(text, maxText), nil, nil),
		slack.NewActionBlock("", button(buttonAgain, m.Flow, "Try again", "", "")),
	})
}

// again takes the button that asks for a form once more, in the view that it is in.
func (a *App) again(ctx context.Context, in interaction) {
	m := metadataOf(in.View)
	w := window{app: a, trigger: in.TriggerID, at: spot{View: in.View.ID}, task: task{Interaction: in.raw}}.resume(in.spot)
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if in.View.CallbackID != viewNotice || m.Flow == "" {
			return nil, flow.Errorf(flow.CodeStale, "this form was open too long; start again with /sym req")
		}
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err != nil {
			return nil, err
		}
		f, err := a.Flows.Latest(ctx, m.Flow)
		if err != nil {
			return nil, err
		}
		w.lingering = a.lingering(ctx, f.Name)
		_, err = w.prompt(ctx, f, who, in.TriggerID, metadata{Channel: m.Channel, Answer: m.Answer, About: m.About})
		return nil, err
	})
	if err != nil {
		a.replace(ctx, &w.at, noticeModal(a.sorry(ctx, "form", err)))
	}
}
