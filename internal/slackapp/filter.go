package slackapp

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// FlowFilter runs the handler that says which flows a person is shown, by their
// names. It hides flows that are of no use to a person. It is no protection:
// who may start a flow is checked elsewhere.
type FlowFilter interface {
	FlowsShown(ctx context.Context, filter flow.Source, vars map[string]string, who store.User, flows []*flow.Flow) ([]string, error)
}

// lists remembers which flows people are shown, so that customers' code is not
// asked on each key stroke in the picker. Each process remembers for itself.
type lists struct {
	mu    sync.Mutex
	known map[string]list // by whose, and of which filter
}

type list struct {
	names []string
	until time.Time
}

const (
	listTime = time.Minute
	maxLists = 1000
)

func (l *lists) get(key string, now time.Time) ([]string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.known[key]
	return found.names, ok && now.Before(found.until)
}

func (l *lists) keep(key string, names []string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLists {
		l.known = map[string]list{}
	}
	l.known[key] = list{names, now.Add(listTime)}
}

// startable lists the flows that Slack may start.
func startable(ctx context.Context, published *store.Flows) ([]store.FlowSummary, error) {
	flows, err := published.List(ctx)
	return slices.DeleteFunc(flows, func(f store.FlowSummary) bool {
		return !f.Allows(flow.ChannelSlack) || len(f.Name) > maxOptionValue
	}), err
}

// filter returns the code that says which flows people are shown, or nil if
// there is none.
func (a *App) filter(ctx context.Context) (*flow.FlowsFilter, error) {
	if a.Filter == nil {
		return nil, nil
	}
	return a.Flows.Filter(ctx)
}

// listed lists the flows that a person is shown. If the filter fails, it lists
// all flows, which is harmless, and tells the error channels.
func (a *App) listed(ctx context.Context, who store.User) ([]store.FlowSummary, error) {
	all, err := startable(ctx, a.Flows)
	if err != nil {
		return nil, err
	}
	filter, err := a.filter(ctx)
	if err != nil || filter == nil || len(all) == 0 {
		return all, err
	}
	key := who.SlackID + " " + filter.Implementation.SHA256
	var flows []*flow.Flow
	for _, summary := range all {
		f, err := a.Flows.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, err
		}
		key += " " + summary.Name + ":" + summary.Version
		flows = append(flows, f)
	}
	names, ok := a.lists.get(key, a.Now())
	if !ok {
		asking, cancel := a.within(ctx, filterTime)
		defer cancel()
		names, err = a.Filter.FlowsShown(asking, *filter.Implementation, filter.Vars, who, flows)
		if err != nil {
			a.filterFailed(ctx, flows, err)
			for _, f := range flows {
				names = append(names, f.Name)
			}
		}
		a.lists.keep(key, names, a.Now()) // failures too, so that they are reported once a minute only
	}
	return slices.DeleteFunc(all, func(f store.FlowSummary) bool { return !slices.Contains(names, f.Name) }), nil
}

// filterTime is for the filter: after that, all flows are shown.
const filterTime = 12 * time.Second

// filterFailed tells the log and the error channels.
func (a *App) filterFailed(ctx context.Context, flows []*flow.Flow, cause error) {
	a.Log.ErrorContext(ctx, "the filter of flows failed, and all flows are shown", "error", cause)
	a.toErrorChannels(ctx, flows, "The filter of flows failed, so that people are shown all flows. "+sentence(flow.UserMessage(cause)))
}

// formFailed tells the log, and the error channel of the flow at most once a minute,
// what is wrong with the code that a form needs: whoever fills it in is told only
// what it means for them.
func (a *App) formFailed(ctx context.Context, m metadata, handler string, cause error) {
	if code := flow.CodeOf(cause); code != flow.CodeHandler && code != flow.CodeUnavailable {
		return
	}
	a.Log.ErrorContext(ctx, "a handler of a form failed", "flow", m.Flow, "run", m.Run, "handler", handler, "error", cause)
	key := m.Flow + " " + handler
	if _, lately := a.told.get(key, a.Now()); lately {
		return
	}
	a.told.keep(key, nil, a.Now())
	f, err := a.Flows.Version(ctx, m.Flow, m.Version)
	if err != nil {
		a.Log.WarnContext(ctx, "error channel was not told", "flow", m.Flow, "error", err)
		return
	}
	a.toErrorChannels(ctx, []*flow.Flow{f}, "The form of flow “"+f.Title()+"” could not be filled in, because "+handler+" failed: "+flow.UserMessage(cause))
}

// toErrorChannels says something in the error channels of flows, once in each.
func (a *App) toErrorChannels(ctx context.Context, flows []*flow.Flow, text string) {
	said := ephemeral(text)
	body, _ := json.Marshal(map[string]any{"text": said.Text, "blocks": said.Blocks}) // texts can't fail
	ctx, cancel := a.within(context.WithoutCancel(ctx), sorryTime)
	defer cancel()
	var told []string
	for _, f := range flows {
		channel := f.Environment.ErrorChannel
		if channel == "" || slices.Contains(told, channel) {
			continue
		}
		told = append(told, channel)
		_, _, err := Messenger{a.API}.Post(ctx, workflow.Address{Channel: channel}, body)
		if err != nil {
			a.Log.WarnContext(ctx, "error channel was not told", "channel", channel, "error", err)
		}
	}
}
