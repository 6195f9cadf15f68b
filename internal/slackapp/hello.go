package slackapp

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Buttons of the answer to those who speak to the app.
const (
	buttonRequest = "request_access" // opens the list of flows
	buttonHome    = "open_home"      // is a link, of which Slack tells us all the same
)

// spoken is a message that somebody wrote to the app, or in which the app is named.
type spoken struct {
	Channel  string `json:"channel"`
	Kind     string `json:"channel_type"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	Subtype  string `json:"subtype"`
	Bot      string `json:"bot_id"`
}

// robotic tells whether an event is of a message that no person has just written:
// our own, another app's, an edit. They are let go before anything is done about
// them, for each of our messages comes back as one.
func robotic(e event) bool {
	var m spoken
	return json.Unmarshal(e.Inner, &m) != nil || m.Bot != "" || m.Subtype != "" || e.User == ""
}

// askForHelp are the words by which people ask in a thread of their messages with
// the app, where they may talk about something else.
var askForHelp = pattern.Of(`(?i)^\W*(hello|hi|hey|help)\b`)

// spokenTo answers what somebody writes in their messages with the app.
func (a *App) spokenTo(ctx context.Context, e event) error {
	return a.answerSpoken(ctx, e, func(m spoken, said slack.MsgOption) error {
		if m.Kind != "im" || m.ThreadTS != "" && !askForHelp.MatchString(m.Text) {
			return nil
		}
		options := []slack.MsgOption{said}
		if m.ThreadTS != "" {
			options = append(options, slack.MsgOptionTS(m.ThreadTS))
		}
		_, _, err := a.API.PostMessageContext(ctx, m.Channel, options...)
		return err
	})
}

// mentioned answers where the app is named in a channel, for the eyes of whoever
// did so: others talk there.
func (a *App) mentioned(ctx context.Context, e event) error {
	return a.answerSpoken(ctx, e, func(m spoken, said slack.MsgOption) error {
		options := []slack.MsgOption{said}
		if m.ThreadTS != "" {
			options = append(options, slack.MsgOptionTS(m.ThreadTS))
		}
		_, err := a.API.PostEphemeralContext(ctx, m.Channel, e.User, options...)
		return err
	})
}

func (a *App) answerSpoken(ctx context.Context, e event, answer func(spoken, slack.MsgOption) error) error {
	var m spoken
	if json.Unmarshal(e.Inner, &m) != nil || m.Channel == "" {
		return nil
	}
	who, err := a.Directory.Known(ctx, e.User)
	switch {
	case flow.CodeOf(err) == flow.CodeUnknownUser:
		return nil
	case err != nil:
		return err
	case who.Role == store.RoleBot, who.Role == store.RoleDeactivated:
		return nil
	}
	err = delivery(answer(m, a.greeting(who, e)), m.Channel)
	if flow.CodeOf(err) == flow.CodeUndeliverable { // it would be so the next time
		a.Log.WarnContext(ctx, "somebody who spoke to the app could not be answered", "event", e.ID, "error", err)
		return nil
	}
	return err
}

// greeting says what one can do here.
func (a *App) greeting(who store.User, e event) slack.MsgOption {
	p := page{}
	p.add(section("Hello " + mention(who.Actor) + ". I give access, and ask those who may approve it:\n" + help))
	var buttons []slack.BlockElement
	if workflow.MayRequest(who) == nil {
		buttons = append(buttons, button(buttonRequest, "any", "Request access", slack.StylePrimary, ""))
	}
	if home := homeLink(e); home != "" {
		open := slack.NewButtonBlockElement(buttonHome, "", plain("Open App Home", maxOptionText))
		open.URL = home
		buttons = append(buttons, open)
	}
	p.buttons(buttons...)
	return slack.MsgOptionCompose(slack.MsgOptionText("What you can do with /sym", false), slack.MsgOptionBlocks(p.blocks...))
}

// homeLink leads to the Home tab of the app that an event is for; "" if the event
// does not say which one (docs.slack.dev/interactivity/deep-linking).
func homeLink(e event) string {
	team := e.origin.team
	if e.App == "" || team == "" {
		return ""
	}
	return "slack://app?" + url.Values{"team": {team}, "id": {e.App}, "tab": {viewHome}}.Encode()
}

// speaking are the events that somebody causes by what they write.
func speaking(kind string) bool { return kind == "message" || kind == "app_mention" }
