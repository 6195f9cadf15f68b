package slackapp

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Buttons of the Home tab that are of no run, or ask something first, by their action
// ids; "home_request.1" is one of several.
const (
	homePick       = "home_pick"       // opens the flow picker
	homeRequest    = "home_request"    // opens the form of a favourite flow
	homeFavourites = "home_favourites" // opens the form that chooses them
	homeDeny       = "home_deny"       // asks why
	homeAccess     = "home_access"     // opens the form that filters live access
	homePage       = "home_page"       // shows another part of that
	homeExplain    = "home_explain"    // opens the form that asks what would come of a request
)

// The views that they open, and their inputs.
const (
	viewDeny        = "deny"
	viewFavourites  = "favourites"
	viewLive        = "live"
	viewExplain     = "explain"
	blockFavourites = "favourites"
	blockPerson     = "person"
	blockTarget     = "target"
)

// homeButtons do what buttons of the Home tab, and of views opened from it, are for.
var homeButtons = map[string]func(*App, context.Context, interaction, store.User) error{
	homePick: func(a *App, ctx context.Context, in interaction, who store.User) error {
		if err := workflow.MayRequest(who); err != nil {
			return err
		}
		return a.pick(ctx, who, in.window(a), metadata{}, nil)
	},
	homeRequest:    (*App).requestFavourite,
	homeFavourites: (*App).askFavourites,
	homeDeny:       (*App).askWhy,
	homeExplain:    (*App).askExplain,
	homeAccess: func(a *App, ctx context.Context, in interaction, who store.User) error {
		v, err := a.liveModal(ctx, who, view{}, 0, "")
		if err == nil {
			_, err = a.open(ctx, in.TriggerID, v)
		}
		return err
	},
	homePage: func(a *App, ctx context.Context, in interaction, who store.User) error {
		after, _ := strconv.Atoi(in.Actions[0].Value)
		return a.updateLive(ctx, in, who, max(0, after), "")
	},
}

// homeClick takes a button of the Home tab.
func (a *App) homeClick(ctx context.Context, in interaction, do func(*App, context.Context, interaction, store.User) error) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err != nil {
			return nil, err
		}
		return nil, do(a, ctx, in, who)
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+in.Actions[0].ActionID, err))
	}
}

// afterHomeClick shows what a button of the Home tab, or of the table of access,
// has come to. What follows from it is shown by the change feed, to those who have
// opened their Home tab lately.
func (a *App) afterHomeClick(ctx context.Context, in interaction, b pressedButton, failed bool) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		who, err := a.Directory.Known(ctx, in.User.ID)
		switch {
		case err != nil:
			return nil, err
		case in.View.CallbackID == viewLive && !failed:
			return nil, a.updateLive(ctx, in, who, 0, b.run)
		case in.View.Type == viewHome && failed: // it shows what is not so any more
			return nil, a.showHome(ctx, who)
		case in.View.Type == viewHome:
			_, err = a.Home.Homes.Change(ctx, who.Actor, func(h *store.Home) error {
				h.Who, h.Opened = who, a.Now().UTC()
				return nil
			})
		}
		return nil, err
	})
	if err != nil {
		a.Log.WarnContext(ctx, "the Home tab was not brought up to date", "error", err)
	}
}

// requestFavourite opens the form of a flow.
func (a *App) requestFavourite(ctx context.Context, in interaction, who store.User) error {
	f, err := a.Flows.Latest(ctx, in.Actions[0].Value)
	if err != nil {
		return err
	}
	w := in.window(a)
	w.lingering = a.lingering(ctx, f.Name)
	_, err = w.prompt(ctx, f, who, in.TriggerID, metadata{})
	return err
}

// askFavourites opens the form that chooses the favourite flows.
func (a *App) askFavourites(ctx context.Context, in interaction, who store.User) error {
	home, err := a.Home.Homes.Of(ctx, who.Actor)
	if err != nil {
		return err
	}
	flows, err := startable(ctx, a.Flows)
	if err != nil {
		return err
	}
	all := flowChoices(flows)
	var preset []choice
	for _, c := range all {
		if slices.ContainsFunc(home.Favourites, func(name string) bool { return strings.EqualFold(name, c.value) }) {
			preset = append(preset, c)
		}
	}
	all = all[:min(len(all), maxOptions)]
	preset = slices.DeleteFunc(preset, func(c choice) bool { return !slices.Contains(all, c) })
	chosen := multiSelector(all, preset, actionValue, maxOptions)
	chosen.MaxSelectedItems = new(int)
	*chosen.MaxSelectedItems = maxHomeFavourites
	input := slack.NewInputBlock(blockFavourites, plain("Favourite flows", maxLabel), plain("Each gets a button in your Home tab. Without any, those that you ask for most have one.", maxLabel), chosen).WithOptional(true)
	_, err = a.open(ctx, in.TriggerID, modal(viewFavourites, "Favourites", "Save", metadata{}, []slack.Block{input}))
	return err
}

// favourites takes the form that chooses them.
func (a *App) favourites(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	chosen, _ := valuesOf(in.View)[blockFavourites].([]string)
	_, err = a.Home.Homes.Change(ctx, who.Actor, func(h *store.Home) error {
		h.Favourites = chosen[:min(len(chosen), maxHomeFavourites)]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return nil, a.showHome(ctx, who)
}

// askWhy opens the form that denies a request with a message.
func (a *App) askWhy(ctx context.Context, in interaction, who store.User) error {
	b := readButton(in.Actions[0].Value)
	if !in.shows(b) {
		return errStray
	}
	r, err := a.Submit.Runs.Get(ctx, b.run)
	if err != nil {
		return err
	}
	if err := a.Submit.MayClick(ctx, r, workflow.Click{Action: flow.ActionDeny, Actor: who, Channel: flow.ChannelSlack}); err != nil {
		return err
	}
	_, err = a.open(ctx, in.TriggerID, denyModal(r, metadata{Run: r.ID, Seen: b.seen}))
	return err
}

// denyModal is the form that denies a request with a message.
func denyModal(r flow.Run, m metadata) slack.ModalViewRequest {
	c := &card{Run: r}
	why := &slack.PlainTextInputBlockElement{
		Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: maxInput, Multiline: true, Placeholder: plain("For the requester, and for the record", maxPlaceholder),
	}
	return modal(viewDeny, "Deny request", "Deny", m, []slack.Block{
		section(c.asks("asks for "+c.wish()) + "."),
		slack.NewInputBlock(blockDecision, plain("Why", maxLabel), nil, why).WithOptional(true),
	})
}

// denied takes the form that denies a request.
func (a *App) denied(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	m := metadataOf(in.View)
	why, _ := valuesOf(in.View)[blockDecision].(string)
	_, _, err = a.Submit.Click(ctx, workflow.Click{
		RunID: m.Run, Action: flow.ActionDeny, Actor: who, Channel: flow.ChannelSlack, Seen: m.Seen, Message: strings.TrimSpace(why),
	})
	return nil, err
}

// liveModal is the form that filters live access: what an earlier one of it was filled
// in with counts. Access of the run without is left out: it is just being ended.
func (a *App) liveModal(ctx context.Context, who store.User, filled view, after int, without string) (slack.ModalViewRequest, error) {
	environments, err := administers(ctx, a.Flows, who)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	if len(environments) == 0 {
		return slack.ModalViewRequest{}, flow.Errorf(flow.CodeForbidden, "only admins see who has access")
	}
	values := valuesOf(filled)
	text := func(block string) string { s, _ := values[block].(string); return s }
	person, target, flowName := text(blockPerson), strings.Fields(strings.ToLower(text(blockTarget))), text(blockFlow)
	list, more, err := a.Home.liveAccess(ctx, environments, func(l store.LiveAccess) bool {
		what := strings.ToLower(l.What)
		return l.Run != without && (person == "" || l.Who.SlackID == person) && (flowName == "" || l.Flow == flowName) &&
			!slices.ContainsFunc(target, func(word string) bool { return !strings.Contains(what, word) })
	}, after)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	flows, err := a.Flows.List(ctx)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	people := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Anybody", maxPlaceholder), actionValue)
	all := flowChoices(slices.DeleteFunc(slices.Clone(flows), func(f store.FlowSummary) bool { return f.ApprovalOnly }))
	blocks := []slack.Block{slack.NewInputBlock(blockPerson, plain("Person", maxLabel), nil, people).WithOptional(true)}
	if len(all) > 0 && len(all) <= maxOptions {
		blocks = append(blocks, slack.NewInputBlock(blockFlow, plain("Flow", maxLabel), nil, selector(all, nil, "Any flow", actionValue, maxOptions)).WithOptional(true))
	}
	words := &slack.PlainTextInputBlockElement{Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: 100, Placeholder: plain("Any target", maxPlaceholder)}
	blocks = append(blocks, slack.NewInputBlock(blockTarget, plain("Target", maxLabel), nil, words).WithOptional(true))
	if len(list) == 0 {
		blocks = append(blocks, section("Nobody has such access."))
	} else {
		blocks = append(blocks, accessTable(list))
	}
	var pages []slack.BlockElement
	if after > 0 {
		pages = append(pages, button(homePage+".0", strconv.Itoa(max(0, after-maxTableRows)), "Earlier ends", "", ""))
	}
	if more {
		pages = append(pages, button(homePage+".1", strconv.Itoa(after+maxTableRows), "Later ends", "", ""))
	}
	if len(pages) > 0 {
		blocks = append(blocks, slack.NewActionBlock("", pages...))
	}
	return modal(viewLive, "Who has what now", "Show", metadata{}, blocks), nil
}

// updateLive shows another part of live access, or the same anew.
func (a *App) updateLive(ctx context.Context, in interaction, who store.User, after int, without string) error {
	if in.View.CallbackID != viewLive {
		return errStray
	}
	v, err := a.liveModal(ctx, who, in.View, after, without)
	if err == nil {
		_, err = a.API.UpdateViewContext(ctx, v, "", "", in.View.ID)
	}
	return err
}

// filtered takes the form that filters live access.
func (a *App) filtered(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	v, err := a.liveModal(ctx, who, in.View, 0, "")
	if err != nil {
		return nil, err
	}
	return slack.NewUpdateViewSubmissionResponse(&v), nil
}

// errStray is the error of a button that is not where we put it.
var errStray = flow.Errorf(flow.CodeForbidden, "this button is not one of the message that it is in, so that it does not count: use the request's own message")

// tellInHome tells somebody who pressed a button of the Home tab what can't be done,
// in a window of its own, for the tab has no place for it.
func (a *App) tellInHome(ctx context.Context, in interaction, text string) error {
	if in.View.Type != viewHome || in.TriggerID == "" {
		return errors.New("it is not the Home tab")
	}
	id, err := a.open(ctx, in.TriggerID, noticeModal(text))
	if err == nil && id == "" {
		err = errors.New("the trigger was used")
	}
	return err
}
