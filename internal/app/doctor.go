package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/slackapp"
)

// doctor asks the real Slack, with the tokens of the environment, whether all is
// there that the deployment and its flows need. Faults, and what could not be
// found out, are an error.
func doctor(ctx context.Context, args []string, settings config.Settings, out, logs io.Writer) error {
	set := flags("local doctor", out)
	dir := set.String("flows", "flows", flowsUsage)
	python := sdk.Here{}
	set.StringVar(&python.Dir, "sdk", "", sdkUsage)
	set.BoolVar(&python.Read, "static", false, "read Python and run none of it")
	url := set.String("url", "", "URL that Slack reaches the deployment at, to ask whether it takes what is signed with SLACK_SIGNING_SECRET")
	links := set.Bool("links", false, "with the rights for previews of links to requests, as slack-manifest -links has them")
	asJSON := set.Bool("json", false, "print the findings as JSON")
	wait := set.Duration("wait", 5*time.Minute, "for how long to ask, and to wait where Slack asks to")
	if err := parse(set, args); err != nil {
		return err
	}
	mode, err := settings.Slack.Mode()
	if err != nil {
		return err
	}
	if mode == config.Simulated {
		return errors.New("there is no token: set SLACK_BOT_TOKEN, and SLACK_APP_TOKEN for Socket Mode or SLACK_SIGNING_SECRET for HTTP, as for the deployment (docs/slack.md)")
	}
	loaded, report := load(ctx, *dir, settings.Org, python)
	if err := report.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	say := func(text string) { fmt.Fprintln(logs, text+"…") }
	d := &slackapp.Doctor{
		BotToken: settings.Slack.BotToken, AppToken: settings.Slack.AppToken, SigningSecret: settings.Slack.SigningSecret,
		Links: *links, Say: say, Now: core.WallClock{}.Now,
	}
	client := core.SlackHTTP(settings.Patience)
	client.Timeout = *wait // each call waits where Slack asks to
	client.Transport = slackapp.Waiting{Next: client.Transport, Clock: core.WallClock{}}
	d.API = core.SlackAPI(settings.Slack, client, slack.OptionOnResponseHeaders(d.Headers))
	if *url != "" && settings.Slack.SigningSecret != "" {
		d.Probe = func(ctx context.Context) error {
			return slackapp.Probe(ctx, core.SlackHTTP(settings.Patience), *url, settings.Slack.SigningSecret, core.WallClock{}.Now())
		}
	}
	say("asking Slack about the app and what the flows name")
	return diagnosis(d.Examine(ctx, loaded.Flows), *asJSON, out)
}

// diagnosis prints findings, a line each, or as one JSON document.
func diagnosis(findings []slackapp.Finding, asJSON bool, out io.Writer) error {
	bad := 0
	for _, f := range findings {
		if f.Level != slackapp.LevelWarning {
			bad++
		}
		if asJSON {
			continue
		}
		line := string(f.Level) + ": "
		if f.Where != "" {
			line += f.Where + ": "
		}
		line += f.What
		if f.Do != "" {
			line += "; " + f.Do
		}
		fmt.Fprintln(out, line)
	}
	switch {
	case asJSON:
		if findings == nil {
			findings = []slackapp.Finding{}
		}
		if err := json.NewEncoder(out).Encode(map[string]any{"findings": findings}); err != nil {
			return err
		}
	case bad == 0:
		fmt.Fprintln(out, "Slack has all that the flows need")
	}
	if bad > 0 {
		return fmt.Errorf("%d findings keep this from working, or could not be looked into", bad)
	}
	return nil
}
