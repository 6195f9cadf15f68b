package slackapp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// verbs are the words that may follow /sym.
var verbs = []string{"req", "request", "list", "end", "show", "whoami", "help"}

const help = "• `/sym req` – choose what to ask for; `/sym req prod-access` opens that form at once\n" +
	"• `/sym list` – what you have now, how long it still lasts, and what you have asked for\n" +
	"• `/sym end` – give access back early; `/sym end orders` if you know which\n" +
	"• `/sym show orders` – what happened with a request, step by step; an id such as `38NK-RKAY` does too\n" +
	"• `/sym whoami` – how you are known here, and what you may do\n" +
	"The beginning of a name is enough, and a slip of the finger does not matter."

// command answers /sym.
func (a *App) command(ctx context.Context, c slashCommand) any {
	answer, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, c.origin()); err != nil {
			return nil, err
		}
		words := strings.Fields(c.Text)
		if len(words) == 0 {
			return nil, a.request(ctx, c, nil)
		}
		verb, args := strings.ToLower(words[0]), words[1:]
		sure := slices.Contains(verbs, verb)
		if !sure {
			verb = flow.Closest(verb, verbs)
		}
		switch verb {
		case "req", "request":
			return nil, a.request(ctx, c, args)
		case "list":
			return a.list(ctx, c)
		case "end":
			return a.end(ctx, c, strings.Join(args, " "), sure)
		case "show":
			return a.show(ctx, c.UserID, strings.Join(args, " "))
		case "whoami":
			return a.whoami(ctx, c.UserID)
		case "help":
			return ephemeral("What you can do with /sym", section(help)), nil
		}
		return a.unknown(ctx, c, words)
	})
	if err != nil {
		return ephemeral(a.sorry(ctx, c.Command, err))
	}
	return answer
}

// unknown answers a command that there is not: with the one that asks for a flow,
// if it names one.
func (a *App) unknown(ctx context.Context, c slashCommand, words []string) (any, error) {
	text := "There is no command `/sym " + safe(words[0]) + "`."
	who, err := a.Directory.Known(ctx, c.UserID)
	if err == nil && workflow.MayRequest(who) == nil {
		flows, err := a.listed(ctx, who)
		if err != nil {
			return nil, err
		}
		if named, _ := nearestFlows(flows, strings.Join(words, " ")); len(named) > 0 {
			text += " Did you mean `/sym req " + safe(named[0].Name) + "`?"
		}
	}
	return ephemeral("This command is not known", section(text+"\n"+help)), nil
}

// nearestFlows finds the flows that somebody means by a name or label.
func nearestFlows(flows []store.FlowSummary, typed string) (found []store.FlowSummary, sure bool) {
	var names [][]string
	for _, f := range flows {
		names = append(names, []string{f.Name, f.Title()})
	}
	at, sure := meant(typed, names)
	for _, i := range at {
		found = append(found, flows[i])
	}
	return found, sure
}

// request opens the form of the flow that is named, or else the flow picker.
func (a *App) request(ctx context.Context, c slashCommand, args []string) error {
	// The person, the flow and what its targets have said are read at the same time,
	// because somebody waits for the form.
	var f *flow.Flow
	var lingering flow.Lingering
	var unread error
	var reading []func()
	if len(args) > 0 {
		reading = append(reading,
			func() { f, unread = a.Flows.Latest(ctx, args[0]) },
			func() { lingering = a.lingering(ctx, args[0]) })
	}
	read := beside(reading...)
	defer read()
	who, err := a.Directory.Known(ctx, c.UserID)
	read()
	if err != nil {
		return err
	}
	if err := workflow.MayRequest(who); err != nil {
		return err
	}
	var found misfit
	if len(args) > 0 {
		switch {
		case flow.CodeOf(unread) == flow.CodeUnknownFlow:
			found = func(flows []store.FlowSummary) (string, string) {
				typed := strings.Join(args, " ")
				near, sure := nearestFlows(flows, typed)
				if len(near) == 0 { // the environment may stand behind it
					near, sure = nearestFlows(flows, args[0])
				}
				switch {
				case len(near) == 0:
					return "", "There is no flow “" + typed + "”. Choose one:"
				case sure:
					return near[0].Name, ""
				}
				return near[0].Name, "There is no flow “" + typed + "”. Is it this one that you mean?"
			}
		case unread != nil:
			return unread
		case len(args) > 1 && !strings.EqualFold(args[1], f.Environment.Name):
			found = func([]store.FlowSummary) (string, string) {
				return f.Name, "Flow “" + f.Name + "” has no environment “" + args[1] + "”; its environment is “" + f.Environment.Name + "”. Choose a flow:"
			}
		default:
			w := c.window(a)
			w.lingering = lingering
			_, err := w.prompt(ctx, f, who, c.TriggerID, c.came())
			return err
		}
	}
	return a.pick(ctx, who, c.window(a), c.came(), found)
}

// window is where the forms of a command are shown.
func (c slashCommand) window(a *App) window {
	w := window{app: a, trigger: c.TriggerID, task: task{Command: &c}}
	return w.resume(c.spot)
}

// came is what a form keeps of the command that it was asked for by.
func (c slashCommand) came() metadata {
	return metadata{Channel: c.ChannelID, Answer: c.ResponseURL}
}

// misfit says of the flows that a person is shown which one was probably meant, or
// "", and why they are asked to choose.
type misfit func([]store.FlowSummary) (chosen, note string)

// window is where a form is shown: a view that is open, or one that the trigger
// opens.
type window struct {
	app     *App
	trigger string
	at      spot // the view, once there is one
	// task is what is handed on where it takes longer than Slack waits; resumed
	// tells that this has happened, and answers that the view is that of the form
	// which was submitted, so that the answer brings what comes in its place.
	task    task
	resumed bool
	answers bool
	// lingering is what the targets of the flow have said.
	lingering flow.Lingering
	// again is the run that is asked for once more; nil for a request of its own.
	again *flow.Run
}

// resume has the window be that of a task that was handed on, if it was.
func (w window) resume(at *spot) window {
	if at != nil {
		w.at, w.resumed, w.answers = *at, true, false
	}
	return w
}

// show opens the window, or changes what is in it.
func (w *window) show(ctx context.Context, view slack.ModalViewRequest) error {
	switch {
	case w.at.View != "":
		_, err := w.app.API.UpdateViewContext(ctx, view, "", "", w.at.View)
		return err
	case w.at.Ours != "":
		return w.showOurs(ctx, view)
	}
	var err error
	w.at.View, err = w.app.open(ctx, w.trigger, view)
	return err
}

// showOurs changes a view that the app's answer to a form brings: before Slack has
// that answer, it knows of no such view.
func (w *window) showOurs(ctx context.Context, view slack.ModalViewRequest) error {
	for {
		opened, err := w.app.API.UpdateViewContext(ctx, view, w.at.Ours, "", "")
		if err == nil {
			w.at.View = opened.ID
			return nil
		}
		if !notThere(err) {
			return err
		}
		select {
		case <-time.After(answerPause):
		case <-ctx.Done():
			return err
		}
	}
}

// answerPause is how long after Slack knew of no view it is asked again.
const answerPause = 100 * time.Millisecond

// notThere tells whether Slack says that there is no such view, as once it was
// closed.
func notThere(err error) bool {
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	return ok && refused.Err == "not_found"
}

// prompt shows the form of a flow. Where handlers are asked about it, "Loading…" is
// seen first, because the trigger does not wait for them.
func (w *window) prompt(ctx context.Context, f *flow.Flow, who store.User, cause string, came metadata) (slack.ModalViewRequest, error) {
	make := func(ctx context.Context) (slack.ModalViewRequest, error) {
		view, err := w.app.prompt(ctx, f, who, cause, came, w.again)
		if err != nil {
			return view, err
		}
		return w.app.whole(ctx, view, f, who, w.lingering, forWhom(who, w.again)), nil
	}
	if !asksFirst(f) && (w.again == nil || !f.DynamicForm()) {
		view, err := make(ctx)
		if err == nil && !w.answers {
			err = w.show(ctx, view)
		}
		return view, err
	}
	came.Flow = f.Name
	return w.load(ctx, f.Title(), came, make)
}

// load shows "Loading…" and hands on what makes the view, so that Slack has its
// answer at once; where that can't be handed on, it makes the view at once, whose
// answer may come too late for Slack. What goes wrong is shown in the same window,
// with a button to try again. A replay shows nothing: the request that used the
// trigger first does.
func (w *window) load(ctx context.Context, title string, came metadata, make func(context.Context) (slack.ModalViewRequest, error)) (slack.ModalViewRequest, error) {
	if !w.resumed {
		loading := loadingModal(title)
		if w.answers {
			ours := w.task
			loading.ExternalID = "loading-" + flow.NewRunID()
			ours.Shown = &spot{Ours: loading.ExternalID}
			if w.app.HandOn != nil && w.app.later(ctx, ours) == nil {
				return loading, nil
			}
			loading.ExternalID = ""
		}
		if err := w.show(ctx, loading); err != nil || w.at.View == "" {
			return slack.ModalViewRequest{}, err
		}
		if !w.answers && w.app.HandOn != nil {
			w.task.Shown = &spot{View: w.at.View}
			if w.app.later(ctx, w.task) == nil {
				return loading, nil
			}
		}
	}
	ctx, cancel := w.app.within(context.WithoutCancel(ctx), formTime)
	defer cancel()
	view, err := make(ctx)
	if err != nil {
		view = w.app.sorryModal(ctx, err, came)
	}
	ctx, cancel = w.app.within(context.WithoutCancel(ctx), sorryTime)
	defer cancel()
	if err = w.show(ctx, view); notThere(err) {
		err = nil // it was closed meanwhile
	}
	return view, err
}

// asksFirst tells whether handlers are asked before the form is shown.
func asksFirst(f *flow.Flow) bool {
	return len(f.Handlers(flow.HookBefore(flow.EventPrompt))) > 0 ||
		slices.ContainsFunc(f.Params.PromptFields, func(p flow.PromptField) bool { return p.Prefetch })
}

// prompt starts the run whose form is about to be seen, and makes the form.
// The run's id follows from the trigger, so that a replay is the same run.
func (a *App) prompt(ctx context.Context, f *flow.Flow, who store.User, trigger string, came metadata, again *flow.Run) (slack.ModalViewRequest, error) {
	if trigger == "" {
		return slack.ModalViewRequest{}, errors.New("slack sent no trigger id")
	}
	r, err := a.Submit.Prompt(ctx, workflow.Prompt{
		RunID: flow.RunIDFrom(a.Submit.Org, "slack", a.Directory.Team, trigger),
		Flow:  f, Actor: who, SourceChannel: came.Channel, Again: again,
	})
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	if r, err = a.Forms.Open(ctx, f, r); err != nil {
		if reason, ok := r.Dismissed(); ok && reason.Code != flow.CodeHandler { // the person's to read, whatever its code
			err = &flow.Error{Code: flow.CodeIgnored, Message: reason.Message, Cause: err}
		}
		return slack.ModalViewRequest{}, err
	}
	var open *openForm
	switch {
	case again != nil:
		if open, err = a.refill(ctx, f, r, again.Fields); err != nil {
			return slack.ModalViewRequest{}, err
		}
	case f.DynamicForm():
		form, err := a.Forms.Show(ctx, f, r)
		if err != nil {
			return slack.ModalViewRequest{}, err
		}
		open = &openForm{OpenForm: form}
	}
	return filledModal(f, r.ID, open, came), nil
}

// pick opens the flow picker. found is nil if no flow was named.
func (a *App) pick(ctx context.Context, who store.User, w window, came metadata, found misfit) error {
	filter, err := a.filter(ctx)
	if err != nil {
		return err
	}
	view := func(ctx context.Context) (slack.ModalViewRequest, error) {
		flows, err := a.listed(ctx, who)
		if err == nil && len(flows) == 0 && filter != nil {
			err = flow.Errorf(flow.CodeUnknownFlow, "there is no flow for you; /sym req and a flow's name opens any that you know of")
		} else if err == nil && len(flows) == 0 {
			err = flow.Errorf(flow.CodeUnknownFlow, "there is no flow yet that can be started from Slack: an administrator has to publish one")
		}
		chosen, note := "", ""
		if found != nil {
			chosen, note = found(flows)
		}
		return pickModal(flows, chosen, note, came), err
	}
	if filter != nil {
		_, err := w.load(ctx, "New request", metadata{}, view)
		return err
	}
	made, err := view(ctx)
	if err != nil {
		return err
	}
	return w.show(ctx, made)
}

// open shows a form, and returns the id of its view. It returns "" if Slack
// says that the trigger was used before, as by a replay.
func (a *App) open(ctx context.Context, trigger string, view slack.ModalViewRequest) (id string, err error) {
	opened, err := a.API.OpenViewContext(ctx, trigger, view)
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch refused.Err {
		case "exchanged_trigger_id":
			return "", nil
		case "expired_trigger_id", "trigger_expired", "trigger_exchanged":
			return "", &flow.Error{Code: flow.CodeStale, Message: "Slack gave us three seconds to open the form, which was not enough this time: please try again", Cause: err}
		}
	}
	if err != nil {
		return "", err
	}
	return opened.ID, nil
}

// whoami tells people how they are known: the answer to most questions of the
// form "why may I not".
func (a *App) whoami(ctx context.Context, slackID string) (any, error) {
	who, err := a.Directory.Known(ctx, slackID)
	if err != nil {
		return nil, err
	}
	role := string(who.Role)
	environments, err := administers(ctx, a.Flows, who)
	if err != nil {
		return nil, err
	}
	if len(environments) > 0 {
		role = "admin of " + strings.Join(environments, ", ")
	}
	email := who.Email
	if email == "" {
		email = "unknown: Slack shows none to this app"
	}
	may := "You may start requests, and decide those of others where the flow lets you."
	switch {
	case workflow.MayRequest(who) != nil:
		may = sentence(flow.UserMessage(workflow.MayRequest(who)))
	case len(environments) > 0:
		may = "You may start requests, and decide and end those of others in your environments."
	}
	p := page{}
	p.add(section("You are " + mention(who.Actor) + "."))
	p.rows([]row{
		{"Role", plain(role, maxField)}, {"E-mail", plain(email, maxField)},
		{"User id", plain(who.ID, maxField)}, {"Slack id", plain(who.SlackTeam+" / "+who.SlackID, maxField)},
	})
	p.add(section(may))
	return ephemeral("You are "+who.Display()+", "+role, p.blocks...), nil
}

// administers lists the environments whose configuration names the person as
// an admin.
func administers(ctx context.Context, published *store.Flows, who store.User) ([]string, error) {
	flows, err := published.List(ctx)
	if err != nil || who.Email == "" {
		return nil, err
	}
	var names []string
	for _, summary := range flows {
		f, err := published.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, err
		}
		if f.Environment.Administers(who.Actor) && !slices.Contains(names, f.Environment.Name) {
			names = append(names, f.Environment.Name)
		}
	}
	return names, nil
}
