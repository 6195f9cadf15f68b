package slackapp

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/workflow"
)

// interaction answers forms, buttons, shortcuts and pickers. Kinds that we
// have no use for, closed forms among them, are acknowledged.
func (a *App) interaction(ctx context.Context, in interaction) any {
	switch in.Type {
	case slack.InteractionTypeBlockSuggestion:
		return a.options(ctx, in)
	case slack.InteractionTypeViewSubmission:
		return a.submission(ctx, in)
	case slack.InteractionTypeBlockActions:
		a.click(ctx, in)
	case slack.InteractionTypeShortcut, slack.InteractionTypeMessageAction:
		a.shortcut(ctx, in)
	}
	return nil
}

// shortcut opens the flow picker.
func (a *App) shortcut(ctx context.Context, in interaction) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err == nil {
			err = workflow.MayRequest(who)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.pick(ctx, who, in.window(a), a.came(ctx, in), nil)
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "shortcut", err))
	}
}

// window is where the forms of an interaction are shown.
func (in interaction) window(a *App) window {
	w := window{app: a, trigger: in.TriggerID, task: task{Interaction: in.raw}}
	return w.resume(in.spot)
}

// came is what a form keeps of the shortcut that it was asked for by. Of a message
// it keeps where it is, and not what it says: that others are shown only what the
// person sees in the form.
func (a *App) came(ctx context.Context, in interaction) metadata {
	m := metadata{Channel: string(in.Channel), Answer: in.ResponseURL}
	if in.Type != slack.InteractionTypeMessageAction || !channelIDPattern.MatchString(m.Channel) || !timestampPattern.MatchString(string(in.MessageTS)) {
		return m
	}
	link, err := a.API.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: m.Channel, Ts: string(in.MessageTS)})
	if err != nil && domainPattern.MatchString(string(in.Team.Domain)) { // the app is not in that conversation
		link = "https://" + string(in.Team.Domain) + ".slack.com/archives/" + m.Channel + "/p" + strings.Replace(string(in.MessageTS), ".", "", 1)
	}
	m.About = link
	return m
}

var (
	timestampPattern = pattern.Of(`^\d{1,12}\.\d{6}$`)
	domainPattern    = pattern.Of(`^[a-z0-9][a-z0-9-]{0,60}$`)
)

// submission takes a form. A nil answer closes it.
func (a *App) submission(ctx context.Context, in interaction) any {
	answer, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		switch in.View.CallbackID {
		case viewFlow:
			return a.picked(ctx, in)
		case viewRequest:
			return a.requested(ctx, in)
		case viewEnd:
			return a.ended(ctx, in)
		case viewMore:
			return a.wished(ctx, in)
		case viewChange:
			return a.changed(ctx, in)
		case viewDeny:
			return a.denied(ctx, in)
		case viewReview:
			return a.reviewed(ctx, in)
		case viewFavourites:
			return a.favourites(ctx, in)
		case viewLive:
			return a.filtered(ctx, in)
		case viewExplain:
			return a.explained(ctx, in)
		}
		return nil, nil
	})
	if err == nil {
		return answer
	}
	return faults(in.View, err, a.sorry(ctx, "form", err))
}

// requested takes the form of a flow.
func (a *App) requested(ctx context.Context, in interaction) (any, error) {
	who := flow.Actor{SlackID: in.User.ID, SlackTeam: a.Directory.Team}
	m, values := metadataOf(in.View), valuesOf(in.View)
	r, err := a.Submit.Request(ctx, m.Run, who, values)
	late, ok := errors.AsType[*workflow.Unsettled](err)
	if !ok {
		if err == nil {
			a.sent(ctx, in, m, r)
		}
		return nil, err
	}
	filled, changed, err := a.Forms.Change(ctx, m.Run, who, late.Fields, values)
	if err != nil {
		a.formFailed(ctx, m, flow.OnChange(late.Fields[0]), err)
		return nil, err
	}
	if flow.SameValue(filled, changed) { // it changes nothing
		if r, err = a.Submit.Request(ctx, m.Run, who, values); err == nil {
			a.sent(ctx, in, m, r)
		}
		return nil, err
	}
	view, err := a.changedModal(ctx, in.User.ID, in.View, filled, changed, "The form has changed with what you entered. Look at it once more, and submit.")
	if err != nil {
		return nil, err
	}
	return slack.NewUpdateViewSubmissionResponse(&view), nil
}

// sent says where the form was asked for that the request is on its way, and to
// whom, for the person's eyes only. It is by the response URL of what they typed
// there, which needs no right to write in that channel.
func (a *App) sent(ctx context.Context, in interaction, m metadata, r flow.Run) {
	if !a.answerable(m.Answer) {
		return
	}
	f, err := a.Flows.Version(ctx, m.Flow, m.Version)
	if err == nil {
		text := "📨 *Sent*: your request for *" + safe(f.Title()) + "*. " + whoIsAsked(f)
		if r.BreakGlass != nil {
			text = "🚨 *Emergency*: your access by *" + safe(f.Title()) + "* is granted now, without approval. Those who could have approved it, the error channel and the admins are told, with your reason."
		}
		said := ephemeral("Sent", section(text+" `/sym list` shows how it stands."))
		_, _, err = a.API.PostMessageContext(ctx, m.Channel, slack.MsgOptionText(said.Text, false), slack.MsgOptionBlocks(said.Blocks...),
			slack.MsgOptionResponseURL(m.Answer, slack.ResponseTypeEphemeral))
	}
	if err != nil {
		a.Log.WarnContext(ctx, "that a request was sent was not said where it was asked for", "run", m.Run, "error", err)
	}
}

// change asks the handler of a field what the form is to become, and shows it.
func (a *App) change(ctx context.Context, in interaction, field string) {
	if in.View.CallbackID != viewRequest || a.ours(ctx, in.origin()) != nil {
		return
	}
	if at := (&spot{View: in.View.ID}); in.spot == nil && a.HandOn != nil && a.later(ctx, task{Interaction: in.raw, Shown: at}) == nil {
		return
	}
	ctx, cancel := a.within(context.WithoutCancel(ctx), formTime)
	defer cancel()
	who := flow.Actor{SlackID: in.User.ID, SlackTeam: a.Directory.Team}
	filled, changed, err := a.Forms.Change(ctx, metadataOf(in.View).Run, who, []string{field}, valuesOf(in.View))
	note := ""
	if err != nil {
		note = a.sorry(ctx, "change of a form", err)
		a.formFailed(ctx, metadataOf(in.View), flow.OnChange(field), err)
	}
	view := noticeModal(note)
	if len(changed.Fields) > 0 {
		if view, err = a.changedModal(ctx, in.User.ID, in.View, filled, changed, note); err != nil {
			view = noticeModal(a.sorry(ctx, "change of a form", err))
		}
	}
	ctx, cancel = a.within(context.WithoutCancel(ctx), sorryTime)
	defer cancel()
	// It does not give the view's hash: the latest change is to be seen,
	// whichever one the person's client knew of.
	if _, err := a.API.UpdateViewContext(ctx, view, "", "", in.View.ID); err != nil {
		a.Log.WarnContext(ctx, "changed form was not shown", "error", err) // closed meanwhile, as a rule
	}
}

// changedModal is a view's form as it is to be for a person, by their id in Slack,
// from what was filled in.
func (a *App) changedModal(ctx context.Context, user string, v view, filled, changed flow.OpenForm, note string) (slack.ModalViewRequest, error) {
	m := metadataOf(v)
	f, err := a.Flows.Version(ctx, m.Flow, m.Version)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	who, err := a.Directory.Known(ctx, user)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	o := &openForm{OpenForm: changed, actions: actionIDs(v), note: note}
	for i, field := range changed.Fields {
		if id, ok := o.actions[field.Name]; ok && !flow.SameValue(filled.Fields[i].Value, field.Value) {
			o.actions[field.Name] = renewed(id)
		}
	}
	whom, _ := valuesOf(v)[workflow.FieldFor].(string)
	form := filledModal(f, m.Run, o, metadata{Channel: m.Channel, Answer: m.Answer})
	return a.whole(ctx, form, f, who, a.lingering(ctx, f.Name), cmp.Or(whom, user)), nil
}

// picked goes on from the flow picker to the form of the flow.
func (a *App) picked(ctx context.Context, in interaction) (any, error) {
	chosen, _ := valuesOf(in.View)[blockFlow].(string)
	var lingering flow.Lingering
	read := beside(func() { lingering = a.lingering(ctx, chosen) })
	defer read()
	who, err := a.Directory.Known(ctx, in.User.ID)
	read()
	if err != nil {
		return nil, err
	}
	f, err := a.Flows.Latest(ctx, chosen)
	if err != nil {
		return nil, err
	}
	trigger := in.TriggerID
	if trigger == "" {
		trigger = in.View.ID
	}
	w := window{app: a, at: spot{View: in.View.ID}, task: task{Interaction: in.raw}, answers: true, lingering: lingering}.resume(in.spot)
	view, err := w.prompt(ctx, f, who, trigger, metadataOf(in.View))
	if err != nil {
		return nil, err
	}
	return slack.NewUpdateViewSubmissionResponse(&view), nil
}

// faults shows what is wrong with a form: beside each input at fault, and
// beside the first input if a fault belongs to none. Slack shows errors beside
// inputs only, so a form without inputs is replaced by a notice.
func faults(v view, err error, text string) any {
	inputs := inputsOf(v)
	if len(inputs) == 0 || flow.CodeOf(err) == flow.CodeStale || flow.CodeOf(err) == flow.CodeUnknownRun {
		notice := noticeModal(text)
		return slack.NewUpdateViewSubmissionResponse(&notice)
	}
	shown := map[string]string{}
	var rest []string
	if e, ok := errors.AsType[*flow.Error](err); ok && e.Code == flow.CodeInvalid {
		for _, f := range e.Fields {
			if slices.Contains(inputs, f.Field) {
				shown[f.Field] = fit(sentence(f.Message), maxText)
			} else {
				rest = append(rest, "“"+f.Field+"” "+f.Message)
			}
		}
	}
	if len(shown) == 0 && len(rest) == 0 {
		rest = []string{text}
	}
	if len(rest) > 0 {
		first := inputs[0]
		shown[first] = fit(strings.TrimSpace(shown[first]+" "+sentence(strings.Join(rest, "; "))), maxText)
	}
	return slack.NewErrorsViewSubmissionResponse(shown)
}

// click takes a button. It tells the person who pressed it what can't be done.
func (a *App) click(ctx context.Context, in interaction) {
	if len(in.Actions) == 0 {
		return
	}
	button := in.Actions[0]
	action, _, _ := strings.Cut(button.ActionID, ".") // of several that do the same, each has a number
	switch {
	case action == string(flow.ButtonMore), action == buttonMore:
		a.askMore(ctx, in, button)
		return
	case homeButtons[action] != nil:
		a.homeClick(ctx, in, homeButtons[action])
		return
	case ofRuns(action):
	case action == buttonWhole:
		a.showWhole(ctx, in, readButton(button.Value).run) // of earlier messages, the value says more
		return
	case action == buttonAgain:
		a.again(ctx, in)
		return
	case action == buttonEnd:
		a.askEnd(ctx, in, button.Value)
		return
	case action == buttonRequest:
		a.shortcut(ctx, in)
		return
	case action == buttonHome:
		return
	case action == buttonConfirm:
		a.confirm(ctx, in, button.Value)
		return
	default: // an input that reports each change
		a.change(ctx, in, button.BlockID)
		return
	}
	b := readButton(button.Value)
	r, err := guard(ctx, a, func(ctx context.Context) (flow.Run, error) { return a.press(ctx, in, action, b) })
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+action, err))
	}
	if in.View.ID != "" {
		a.afterHomeClick(ctx, in, b, err != nil)
		return
	}
	if err == nil {
		return
	}
	if r.Final() || flow.CodeOf(err) == flow.CodeChanged {
		a.refresh(ctx, in, r, b.key)
	}
}

func (a *App) press(ctx context.Context, in interaction, action string, b pressedButton) (flow.Run, error) {
	if err := a.ours(ctx, in.origin()); err != nil {
		return flow.Run{}, err
	}
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return flow.Run{}, err
	}
	if _, known := messageOf(b.key); !known || !in.shows(b) {
		return flow.Run{}, errStray
	}
	c := workflow.Click{RunID: b.run, Action: flow.Action(action), Actor: who, Channel: flow.ChannelSlack, Seen: b.seen}
	switch flow.Button(action) {
	case flow.ButtonChange:
		return a.askChanges(ctx, in, who, b)
	case flow.ButtonReview:
		return a.askReview(ctx, in, who, b)
	case flow.ButtonAgain:
		return a.askAgain(ctx, in, who, b.run)
	case flow.ButtonRetry:
		return a.Submit.Retry(ctx, b.run, who)
	case flow.ButtonAgent:
		r, err := a.Submit.ShutOut(ctx, b.run, who)
		if err == nil {
			a.tell(ctx, in, "The agent "+safe(r.Asker.Name)+" is shut out: its tokens have ended. Access that it has goes on until you end it.")
		}
		return r, err
	case flow.ButtonGiveUp:
		c.Action = flow.ActionDeescalate
	}
	c.Via = in.via(b)
	c.Message = strings.TrimSpace(in.State.Values[blockDecision][actionValue].Value)
	r, _, err := a.Submit.Click(ctx, c)
	return r, err
}

// via is the message whose button was pressed; nil for those that only one person sees.
func (in interaction) via(b pressedButton) *flow.MessageRef {
	if in.Container.MessageTS == "" || in.Container.IsEphemeral {
		return nil
	}
	return &flow.MessageRef{Key: b.key, Channel: in.Container.ChannelID, TS: in.Container.MessageTS}
}

// refresh brings a message up to date that shows what is not so any more,
// because that copy was never noted, or could not be edited in time. Should the
// run move on meanwhile, it edits once more, so as not to undo a later edit.
func (a *App) refresh(ctx context.Context, in interaction, r flow.Run, key string) {
	m, ok := messageOf(key)
	if !ok || r.ID == "" || in.Container.MessageTS == "" || in.Container.IsEphemeral {
		return
	}
	ctx, cancel := a.within(ctx, sorryTime)
	defer cancel()
	err := func() error {
		for {
			body, err := Render(m, r)
			if err == nil {
				err = Messenger{a.API}.Edit(ctx, in.Container.ChannelID, in.Container.MessageTS, body)
			}
			if err != nil || r.Final() {
				return err
			}
			shown := r.Rev
			if r, err = a.Submit.Runs.Get(ctx, r.ID); err != nil || r.Rev == shown {
				return err
			}
		}
	}()
	if err != nil {
		a.Log.WarnContext(ctx, "old message was not edited", "run", r.ID, "message", key, "error", err)
	}
}

// tell answers the person who acted, for their eyes only: in the place where
// they acted if Slack allows it, else by a direct message.
func (a *App) tell(ctx context.Context, in interaction, text string) {
	ctx, cancel := a.within(ctx, sorryTime)
	defer cancel()
	if a.tellInHome(ctx, in, text) == nil {
		return
	}
	said := ephemeral(text)
	message := slack.MsgOptionCompose(
		slack.MsgOptionText(said.Text, false), slack.MsgOptionBlocks(said.Blocks...),
	)
	err := errors.New("slack gave no response URL of its own")
	if a.answerable(in.ResponseURL) {
		_, _, err = a.API.PostMessageContext(ctx, in.Container.ChannelID, message, slack.MsgOptionResponseURL(in.ResponseURL, slack.ResponseTypeEphemeral))
	}
	if err == nil {
		return
	}
	where, err := Messenger{a.API}.open(ctx, []flow.Actor{{SlackID: in.User.ID}})
	if err == nil {
		_, _, err = a.API.PostMessageContext(ctx, where, message)
	}
	if err != nil {
		a.Log.WarnContext(ctx, "answer did not arrive", "user", in.User.ID, "error", err)
	}
}

// answerable tells whether an answer may be posted to a response URL. Its words
// are for the person who acted, and so go to hosts of Slack only, whatever a payload
// says; of GovSlack too.
func (a *App) answerable(responseURL string) bool {
	to, err := url.Parse(responseURL)
	if err != nil || to.User != nil {
		return false
	}
	if a.APIURL != "" {
		simulation, err := url.Parse(a.APIURL)
		return err == nil && to.Scheme == simulation.Scheme && to.Host == simulation.Host
	}
	return to.Scheme == "https" && (to.Host == "hooks.slack.com" || to.Host == "hooks.slack-gov.com")
}

// messageOf finds the message that a key names: the inverse of Message.Key.
func messageOf(key string) (workflow.Message, bool) {
	kind, rest, _ := strings.Cut(key, ":")
	m := workflow.Message{Kind: workflow.Kind(kind)}
	switch m.Kind {
	case workflow.KindRequest:
		tier, nth, _ := strings.Cut(rest, ".")
		m.Tier, _ = strconv.Atoi(tier) // other text gives a message with another key
		m.Copy, _ = strconv.Atoi(nth)
	// Of before there were threads are those of outcomes and errors.
	case workflow.KindStatus, workflow.KindAsker, workflow.KindTrouble, workflow.KindOutcome, workflow.KindRefused, workflow.KindError:
		m.EventID = rest
	default:
		return m, false
	}
	return m, m.Key() == key
}
