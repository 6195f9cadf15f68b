package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

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
	mode      config.Mode
	secret    string // that requests over HTTP are signed with
	sim       *slacksim.Sim
}

// shortcutID is what our global shortcut is called by the manifest in
// docs/slack.md. The app takes any.
const shortcutID = "request"

// slack connects to the workspace that the settings lead to. Who the workspace
// is, is asked now: a token that does not work is told at the start.
func (l *Local) slack(ctx context.Context, c core.Core) (*slackSide, error) {
	settings := l.options.Settings.Slack
	mode, err := settings.Mode()
	if err != nil {
		return nil, err
	}
	side := &slackSide{mode: mode}
	client := core.SlackHTTP()
	asking := client
	if mode == config.Simulated {
		if side.sim, settings, err = l.simulate(); err != nil {
			return nil, err
		}
		// Nothing is served yet: the first question is asked in memory.
		asking = slacksim.InProcess(side.sim)
	}
	side.secret, side.api = settings.SigningSecret, core.SlackAPI(settings, client)
	team, err := slackapp.Workspace(ctx, core.SlackAPI(settings, asking))
	if err != nil {
		return nil, err
	}
	side.directory = c.Directory(side.api, team)
	return side, nil
}

// mount serves what Slack, or the simulation's page, asks for.
func (l *Local) mount(mux *http.ServeMux, side *slackSide, a *slackapp.App) {
	switch side.mode {
	case config.SocketMode:
		l.workers = append(l.workers, func(ctx context.Context) error { return a.ServeSocket(ctx) })
	default:
		mux.Handle("/slack/", a.Handler(slackapp.FixedSecret(side.secret)))
	}
	if side.sim != nil {
		mux.Handle("/", loopback.Ours(side.sim))
		l.Slack = side.sim
	}
}

// simulate makes a workspace of a few people, whose page is at our own address.
func (l *Local) simulate() (*slacksim.Sim, config.Slack, error) {
	if host, _, _ := net.SplitHostPort(l.listener.Addr().String()); !net.ParseIP(host).IsLoopback() {
		return nil, config.Slack{}, fmt.Errorf("the simulated Slack lets anybody be anyone, so it is served to this machine only: listen on 127.0.0.1, not %s, or connect a real Slack", host)
	}
	made := config.Slack{BotToken: "xoxb-" + rand.Text(), SigningSecret: rand.Text(), APIURL: l.URL + "/api"}
	sim, err := slacksim.New(slacksim.Config{
		SigningSecret: made.SigningSecret, BotToken: made.BotToken, AppURL: l.URL, BaseURL: l.URL,
		Clock: l.options.Clock, Logger: l.options.Log,
		Shortcuts: []slacksim.Shortcut{{Name: "Request access", CallbackID: shortcutID}},
		Records:   &auditPanel{files: l.Audit}, Access: l.access,
	})
	if err != nil {
		return nil, made, err
	}
	file := filepath.Join(l.options.Data, "slack.json")
	if err := sim.Restore(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, made, fmt.Errorf("restore the simulated Slack: %w; delete %s to start with an empty one", err, file)
	}
	l.workers = append(l.workers, func(ctx context.Context) error { return sim.Autosave(ctx, file) })
	return sim, made, nil
}
