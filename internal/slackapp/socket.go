package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// maxAtOnce bounds the envelopes that are worked on at once.
const maxAtOnce = 32

// ServeSocket takes what people do by Socket Mode, for as long as the context
// lasts: Slack sends over a connection that we open, so that no address of
// ours need be public. The API client needs an app-level token
// (slack.OptionAppLevelToken). Connections that are lost are made again. An
// envelope is acknowledged when what it asked for is done and durable. When
// the context ends, what was begun is finished first. The error says why there
// can be no connection: a token that Slack refuses, for example.
func (a *App) ServeSocket(ctx context.Context, opts ...socketmode.Option) error {
	client := socketmode.New(a.API, opts...)
	connection, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	lost := make(chan error, 1)
	go func() { lost <- client.RunContext(connection) }()

	var work sync.WaitGroup
	slots := make(chan struct{}, maxAtOnce)
	for {
		select {
		case <-ctx.Done():
			work.Wait()
			disconnect()
			<-lost
			return nil
		case err := <-lost:
			work.Wait()
			return fmt.Errorf("connect to Slack by Socket Mode: %w", err)
		case event := <-client.Events:
			if event.Request == nil {
				a.connectionEvent(ctx, event)
				continue
			}
			slots <- struct{}{}
			work.Go(func() {
				defer func() { <-slots }()
				a.envelope(connection, client, event)
			})
		}
	}
}

// connectionEvent logs what happens to the connection: of messages that can't
// be read or answered the cause only, because they hold response URLs and what
// people wrote.
func (a *App) connectionEvent(ctx context.Context, event socketmode.Event) {
	var cause error
	switch data := event.Data.(type) {
	case *socketmode.ConnectedEvent:
		a.Log.InfoContext(ctx, "connected to Slack by Socket Mode")
		return
	case *slack.InvalidAuthEvent:
		cause = errors.New("the app-level token is refused by Slack")
	case *slack.ConnectionErrorEvent:
		cause = data.ErrorObj
	case *slack.IncomingEventError:
		cause = data.ErrorObj
	case *socketmode.ErrorBadMessage:
		cause = data.Cause
	case *socketmode.ErrorWriteFailed:
		cause = data.Cause
	default:
		return
	}
	a.Log.WarnContext(ctx, "trouble with Slack's connection", "event", string(event.Type), "error", cause)
}

// envelope does what an envelope asks for, and acknowledges it.
func (a *App) envelope(ctx context.Context, client *socketmode.Client, event socketmode.Event) {
	var answer any
	switch data := event.Data.(type) {
	case slack.SlashCommand:
		answer = a.command(ctx, data)
	case slack.InteractionCallback:
		answer = a.interaction(ctx, data)
	}
	if event.Request.EnvelopeID == "" {
		return // Slack's greeting
	}
	var payload any // an answer that there is not must not become "null" inside an interface
	if answer != nil {
		b, err := json.Marshal(answer)
		if err != nil {
			a.Log.ErrorContext(ctx, "answer to Slack can't be encoded", "error", err)
			return
		}
		payload = json.RawMessage(b)
	}
	if err := client.AckCtx(ctx, event.Request.EnvelopeID, payload); err != nil {
		a.Log.WarnContext(ctx, "envelope was not acknowledged", "error", err)
	}
}
