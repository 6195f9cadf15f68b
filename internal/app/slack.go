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
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// slackSide is the way to a workspace, real or simulated.
type slackSide struct {
	directory *slackapp.Directory
	messenger slackapp.Messenger
	api       *slack.Client
	mode      config.Mode
	secret    string // that requests over HTTP are signed with
	sim       *slacksim.Sim
}

// shortcutID is what our global shortcut is called by the manifest in
// docs/slack.md. The app takes any.
const shortcutID = "request"

// slackTimeout bounds one call of Slack's Web API.
const slackTimeout = 10 * time.Second

// slackConnections is how many stay open: as many as notify uses at once. Of the
// default's two, most calls would be the first on a connection of their own.
const slackConnections = 16

func slackTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = slackConnections
	return t
}

// slack connects to the workspace that the settings lead to. Who the workspace
// is, is asked now: a token that does not work is told at the start.
func (l *Local) slack(ctx context.Context, users store.Users) (*slackSide, error) {
	settings := l.options.Settings.Slack
	mode, err := settings.Mode()
	if err != nil {
		return nil, err
	}
	side := &slackSide{mode: mode, secret: settings.SigningSecret}
	client := &http.Client{Timeout: slackTimeout, Transport: slackTransport()}
	options := []slack.Option{slack.OptionHTTPClient(client)}
	asking := client
	switch mode {
	case config.Simulated:
		if side.sim, settings, err = l.simulate(); err != nil {
			return nil, err
		}
		side.secret = settings.SigningSecret
		// Nothing is served yet: the first question is asked in memory.
		asking = slacksim.InProcess(side.sim)
	case config.SocketMode:
		options = append(options, slack.OptionAppLevelToken(settings.AppToken))
	}
	if settings.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimSuffix(settings.APIURL, "/")+"/"))
	}
	side.api = slack.New(settings.BotToken, options...)
	team, err := slackapp.Workspace(ctx, slack.New(settings.BotToken, append(options, slack.OptionHTTPClient(asking))...))
	if err != nil {
		return nil, err
	}
	o := l.options
	side.directory = &slackapp.Directory{API: side.api, Users: users, Org: o.Settings.Org, Team: team, Now: o.Clock.Now}
	side.messenger = slackapp.Messenger{API: side.api}
	return side, nil
}

// mount serves what Slack, or the simulation's page, asks for.
func (l *Local) mount(mux *http.ServeMux, side *slackSide, submit workflow.Submit) {
	o := l.options
	a := &slackapp.App{
		Submit: submit, Flows: submit.Flows, Directory: side.directory, API: side.api, Now: o.Clock.Now, Log: o.Log,
	}
	switch side.mode {
	case config.SocketMode:
		l.workers = append(l.workers, func(ctx context.Context) error { return a.ServeSocket(ctx) })
	default:
		mux.Handle("/slack/", a.Handler(side.secret))
	}
	if side.sim != nil {
		mux.Handle("/", side.sim)
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
