package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Home shows people what is theirs in the app's Home tab: home_view.go says how that
// looks, home_admin.go has the part for admins, and home_clicks.go takes its buttons.
type Home struct {
	API   *slack.Client
	Runs  store.Runs
	Flows *store.Flows
	Homes store.Homes
	Waits store.Waits
	Live  store.Live
	Stats store.Stats
	Now   func() time.Time
	Log   *slog.Logger
}

var _ workflow.HomeTab = Home{}

// What is read for one Home tab.
const (
	maxHomeRuns  = 200 // of a person's own
	maxHomeWaits = 40  // that may wait for them
	statDays     = 14
)

// homeData is what a Home tab shows.
type homeData struct {
	who        store.User
	now        time.Time
	own        own
	waiting    []flow.Run // for this person, the newest first
	more       bool       // others may wait for them too
	flows      []store.FlowSummary
	favourites []string
	admin      *adminData // nil for others
}

// Show publishes somebody's Home tab as it is now. Errors are as
// [workflow.Messenger]'s. A part that Slack does not take is replaced by one of
// plain text: there are clients, and workspaces, that don't know tables and charts yet.
func (h Home) Show(ctx context.Context, who store.User) error {
	data, err := h.read(ctx, who)
	if err != nil {
		return err
	}
	err = h.publish(ctx, who, data.view(false))
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok && data.admin != nil && (refused.Err == "invalid_blocks" || refused.Err == "invalid_arguments") {
		h.Log.WarnContext(ctx, "Slack took no tables and charts in the Home tab; it is shown without", "error", err, "details", refused.ResponseMetadata.Messages)
		err = h.publish(ctx, who, data.view(true))
	}
	return delivery(err, "the Home tab")
}

func (h Home) publish(ctx context.Context, who store.User, blocks []slack.Block) error {
	_, err := h.API.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: who.SlackID, View: slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, CallbackID: viewHome, Blocks: slack.Blocks{BlockSet: blocks},
	}})
	return err
}

// read reads what a Home tab shows, all of it at the same time.
func (h Home) read(ctx context.Context, who store.User) (homeData, error) {
	d := homeData{who: who, now: h.Now()}
	var all sync.WaitGroup
	failed := make([]error, 4)
	all.Go(func() { d.own, failed[0] = ownOf(ctx, h.Runs, who, maxHomeRuns) })
	all.Go(func() { d.waiting, d.more, failed[1] = h.waitingFor(ctx, who) })
	all.Go(func() {
		var home store.Home
		home, failed[2] = h.Homes.Of(ctx, who.Actor)
		d.favourites = home.Favourites
	})
	all.Go(func() {
		var environments []string
		if d.flows, failed[3] = startable(ctx, h.Flows); failed[3] != nil {
			return
		}
		if environments, failed[3] = administers(ctx, h.Flows, who); failed[3] == nil && len(environments) > 0 {
			d.admin, failed[3] = h.adminOf(ctx, environments)
		}
	})
	all.Wait()
	return d, errors.Join(failed...)
}

// waitingFor reads the requests that a person is asked to decide, or to review, and may. What waits
// was noted when it began to: the runs say whether it still does.
func (h Home) waitingFor(ctx context.Context, who store.User) ([]flow.Run, bool, error) {
	ids, more, err := h.Waits.For(ctx, who.Actor)
	if err != nil {
		return nil, false, err
	}
	if len(ids) > maxHomeWaits {
		ids, more = ids[:maxHomeWaits], true
	}
	runs, failed := make([]flow.Run, len(ids)), make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { runs[i], failed[i] = h.Runs.Get(ctx, id) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, false, err
	}
	runs = slices.DeleteFunc(runs, func(r flow.Run) bool { return len(buttonsOf(r, flow.SideDeciders, who, decides)) == 0 })
	slices.SortStableFunc(runs, func(a, b flow.Run) int { return b.Created.Compare(a.Created) })
	return runs, more, nil
}

// decides tells whether a button decides what somebody asks for, or reviews what they
// took, where others only undo or repeat.
func decides(b flow.Button) bool {
	switch b {
	case flow.ButtonApprove, flow.ButtonChange, flow.ButtonDeny, flow.ButtonExtend, flow.ButtonExtendDeny, flow.ButtonReview:
		return true
	}
	return false
}

// buttonsOf lists the buttons of a side that this person may press, of those that are
// wanted; nil: all.
func buttonsOf(r flow.Run, side flow.Side, who store.User, wanted func(flow.Button) bool) []flow.Button {
	may := r.ButtonsFor(who.Actor, who.Guest())
	return slices.DeleteFunc(r.Buttons(side), func(b flow.Button) bool {
		return !slices.Contains(may, b) || wanted != nil && !wanted(b)
	})
}

// homeOpened shows somebody who opens the app's Home tab what is theirs there.
func (a *App) homeOpened(ctx context.Context, e event) error {
	var opened struct {
		Tab string `json:"tab"`
	}
	if json.Unmarshal(e.Inner, &opened) != nil || opened.Tab != "" && opened.Tab != viewHome {
		return nil // their messages with the app
	}
	who, err := a.Directory.Known(ctx, e.User)
	if flow.CodeOf(err) == flow.CodeUnknownUser || who.Role == store.RoleBot || who.Role == store.RoleDeactivated {
		return nil
	}
	if err != nil {
		return err
	}
	return a.showHome(ctx, who)
}

// showHome publishes somebody's Home tab because they look at it. Should a change
// have been shown meanwhile, that may have been the newer one: it is shown again.
func (a *App) showHome(ctx context.Context, who store.User) error {
	var before time.Time
	_, err := a.Home.Homes.Change(ctx, who.Actor, func(h *store.Home) error {
		before = h.Changed
		h.Who, h.Opened, h.Wanted, h.Woken = who, a.Now().UTC(), time.Time{}, false
		return nil
	})
	for range 3 {
		if err == nil {
			err = a.Home.Show(ctx, who)
		}
		if err != nil {
			return err
		}
		now, err := a.Home.Homes.Of(ctx, who.Actor)
		if err != nil || now.Changed.Equal(before) {
			return err
		}
		before = now.Changed
	}
	return nil
}
