package core

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/workflow"
)

// slackTimeout bounds one call of Slack's Web API.
const slackTimeout = 10 * time.Second

// slackConnections is how many connections stay open: as many as notify uses at
// once. With the default of two, most calls would open a connection of their
// own.
const slackConnections = 16

// SlackHTTP builds the HTTP client for Slack's Web API. Calls are bounded by
// slackTimeout, or by patience if that is longer.
func SlackHTTP(patience time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = slackConnections
	return &http.Client{Timeout: max(slackTimeout, patience), Transport: t}
}

// WaitingSlackHTTP is SlackHTTP for what customers' handlers ask: it waits where
// Slack asks to, within the time that the handler has.
func (c Core) WaitingSlackHTTP() *http.Client {
	client := SlackHTTP(c.Patience)
	client.Timeout = max(flow.MaxHandlerTimeout, c.Patience)
	client.Transport = slackapp.Waiting{Next: client.Transport, Clock: c.Wall}
	return client
}

// SlackAPI builds the client of the workspace that the settings lead to.
func SlackAPI(s config.Slack, client *http.Client, more ...slack.Option) *slack.Client {
	if s.Command != "" {
		way := *client
		way.Transport = slackapp.Named{Next: cmp.Or(client.Transport, http.DefaultTransport), Command: s.Command}
		client = &way
	}
	options := append([]slack.Option{slack.OptionHTTPClient(client)}, more...)
	if s.AppToken != "" {
		options = append(options, slack.OptionAppLevelToken(s.AppToken))
	}
	if s.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimSuffix(s.APIURL, "/")+"/"))
	}
	return slack.New(s.BotToken, options...)
}

// Directory builds what knows the people of a workspace.
func (c Core) Directory(api *slack.Client, team string) *slackapp.Directory {
	return &slackapp.Directory{API: api, Users: c.Users, Org: c.Org, Team: team, Now: c.Clock.Now}
}

// HomeTab builds what shows people what is theirs, in the app's Home tab.
func (c Core) HomeTab(api *slack.Client) slackapp.Home {
	return slackapp.Home{API: api, Runs: c.Runs, Flows: c.Flows, Homes: c.Homes, Waits: c.Waits, Live: c.Live, Stats: c.Stats, Now: c.Clock.Now, Log: c.Log}
}

// SlackApp builds what takes the requests of a workspace. The error names the
// ports that are missing.
func (c Core) SlackApp(p SlackPorts) (*slackapp.App, error) {
	return &slackapp.App{
		Submit: c.Submit(p.Directory, p.Bound, p.Handlers, p.Closed), Forms: c.Forms(p.Handlers), Filter: p.Handlers, Flows: c.Flows, Lingering: c.Lingering, Messages: c.Messages, Home: c.HomeTab(p.API), Deliveries: c.Deliveries,
		Accounts:  workflow.Accounts{Users: c.Users, Flows: c.Flows, Now: c.Clock.Now},
		Explain:   p.Explain,
		Directory: p.Directory, API: p.API, APIURL: p.APIURL, URL: p.URL, HandOn: p.HandOn, Command: c.Command, Now: c.Clock.Now, Wall: c.Wall.Now, Log: c.Log, Patience: c.Patience,
	}, complete("the Slack app", p)
}
