package app

import (
	"context"
	"net/http"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/loopback"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
)

// slackSide is the way to a workspace, real or simulated.
type slackSide struct {
	directory *slackapp.Directory
	api       *slack.Client
	apiURL    string // of api, if that is not Slack
	mode      config.Mode
	secret    string // that requests over HTTP are signed with
	sim       *slacksim.Sim
	// handlers is what customers' handlers ask, with a patience of its own.
	handlers slackapp.Services
}

// slack connects to the workspace of the settings. It asks Slack for the
// workspace's id at once, so that the start fails with a token that does not
// work, unless there is access to take away.
func (l *Local) slack(ctx context.Context, c core.Core) (*slackSide, error) {
	settings := l.options.Settings.Slack
	mode, err := settings.Mode()
	if err != nil {
		return nil, err
	}
	side := &slackSide{mode: mode}
	client := core.SlackHTTP(c.Patience)
	asking := client
	if mode == config.Simulated {
		if side.sim, settings, err = l.simulate(ctx, c.Flows); err != nil {
			return nil, err
		}
		// Nothing is served yet: the first question is asked in memory.
		asking = slacksim.InProcess(side.sim)
	}
	side.secret, side.apiURL, side.api = settings.SigningSecret, settings.APIURL, core.SlackAPI(settings, client)
	team, err := slackapp.Workspace(ctx, core.SlackAPI(settings, asking))
	if err != nil {
		if team, err = l.withoutSlack(ctx, side.api, err); err != nil {
			return nil, err
		}
	}
	waiting := core.SlackAPI(settings, c.WaitingSlackHTTP())
	side.directory, side.handlers = c.Directory(side.api, team), slackapp.Services{API: waiting, Directory: c.Directory(waiting, team)}
	l.people = side.directory
	for _, d := range []*slackapp.Directory{side.directory, side.handlers.Directory} {
		d.Simulated = mode == config.Simulated
	}
	return side, nil
}

// mount serves what Slack, or the simulation's page, asks for.
func (l *Local) mount(mux *http.ServeMux, side *slackSide, a *slackapp.App) {
	handler := a.Handler(slackapp.FixedSecret(side.secret))
	mux.Handle("/open/", handler) // links of requests, which browsers follow
	switch side.mode {
	case config.SocketMode:
		a.Connected = func() { l.refused.note(theConnection, nil) }
		l.workers = append(l.workers, func(ctx context.Context) error { return l.stayConnected(ctx, a) })
	default:
		mux.Handle("/slack/", handler)
	}
	if side.sim != nil {
		mux.Handle("/", loopback.Ours(side.sim))
		l.Slack = side.sim
	}
}
