package slackapp

import (
	"context"
	"errors"
	"slices"
	"strings"

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
	"• `/sym show orders` – what happened with a request, step by step; an id such as `1a2b3c4d` does too\n" +
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
			return a.list(ctx, c.UserID)
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
			w := window{app: a, trigger: c.TriggerID, lingering: lingering}
			_, err := w.prompt(ctx, f, who, c.TriggerID, c.ChannelID)
			return err
		}
	}
	return a.pick(ctx, who, c.TriggerID, c.ChannelID, found)
}

// misfit says of the flows that a person is shown which one was probably meant, or
// "", and why they are asked to choose.
type misfit func([]store.FlowSummary) (chosen, note string)

// window is where a form is shown: a view that is open, or one that the trigger
// opens.
type window struct {
	app     *App
	trigger string
	view    string // id of the view, once there is one
	// lingering is what the targets of the flow have said.
	lingering flow.Lingering
}

// show opens the window, or changes what is in it.
func (w *window) show(ctx context.Context, view slack.ModalViewRequest) error {
	if w.view != "" {
		_, err := w.app.API.UpdateViewContext(ctx, view, "", "", w.view)
		return err
	}
	var err error
	w.view, err = w.app.open(ctx, w.trigger, view)
	return err
}

// prompt shows the form of a flow. Where handlers are asked about it,
// "Loading…" is seen first, because the trigger does not wait for them; errors
// after that are shown in the same window. The answer may then come too late
// for Slack, but in AWS nothing can be done once it is given.
func (w *window) prompt(ctx context.Context, f *flow.Flow, who store.User, cause, channel string) (slack.ModalViewRequest, error) {
	make := func(ctx context.Context) (slack.ModalViewRequest, error) {
		view, err := w.app.prompt(ctx, f, who, cause, channel)
		return w.app.withEnd(view, f, w.lingering), err
	}
	if !asksFirst(f) {
		view, err := make(ctx)
		if err == nil && w.view == "" { // else the answer shows it
			err = w.show(ctx, view)
		}
		return view, err
	}
	return w.load(ctx, f.Title(), make)
}

// load shows "Loading…" until a view is made, and then that, or what went
// wrong. A replay shows nothing: the request that used the trigger first does.
func (w *window) load(ctx context.Context, title string, make func(context.Context) (slack.ModalViewRequest, error)) (slack.ModalViewRequest, error) {
	if err := w.show(ctx, loadingModal(title)); err != nil || w.view == "" {
		return slack.ModalViewRequest{}, err
	}
	ctx, cancel := w.app.within(context.WithoutCancel(ctx), formTime)
	defer cancel()
	view, err := make(ctx)
	if err != nil {
		view = noticeModal(w.app.sorry(ctx, "form", err))
	}
	ctx, cancel = w.app.within(context.WithoutCancel(ctx), sorryTime)
	defer cancel()
	err = w.show(ctx, view)
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok && refused.Err == "not_found" {
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
func (a *App) prompt(ctx context.Context, f *flow.Flow, who store.User, trigger, channel string) (slack.ModalViewRequest, error) {
	if trigger == "" {
		return slack.ModalViewRequest{}, errors.New("slack sent no trigger id")
	}
	r, err := a.Submit.Prompt(ctx, workflow.Prompt{
		RunID: flow.RunIDFrom(a.Submit.Org, "slack", a.Directory.Team, trigger),
		Flow:  f, Actor: who, SourceChannel: channel,
	})
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	if r, err = a.Forms.Open(ctx, f, r); err != nil {
		if reason, ok := r.Dismissed(); ok { // shown to the person whatever its code
			err = &flow.Error{Code: flow.CodeIgnored, Message: reason.Message, Cause: err}
		}
		return slack.ModalViewRequest{}, err
	}
	if !f.DynamicForm() {
		return requestModal(f, r.ID, nil), nil
	}
	form, err := a.Forms.Show(ctx, f, r)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	return requestModal(f, r.ID, &openForm{OpenForm: form}), nil
}

// pick opens the flow picker. found is nil if no flow was named.
func (a *App) pick(ctx context.Context, who store.User, trigger, channel string, found misfit) error {
	w := window{app: a, trigger: trigger}
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
		return flowModal(flows, chosen, channel, note), err
	}
	if filter != nil {
		_, err := w.load(ctx, "New request", view)
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
	environments, err := a.administers(ctx, who)
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
func (a *App) administers(ctx context.Context, who store.User) ([]string, error) {
	flows, err := a.Flows.List(ctx)
	if err != nil || who.Email == "" {
		return nil, err
	}
	var names []string
	for _, summary := range flows {
		f, err := a.Flows.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, err
		}
		if f.Environment.Administers(who.Actor) && !slices.Contains(names, f.Environment.Name) {
			names = append(names, f.Environment.Name)
		}
	}
	return names, nil
}
