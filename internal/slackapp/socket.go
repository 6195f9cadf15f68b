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
			request := requestOf(event)
			if request == nil {
				a.connectionEvent(ctx, event)
				continue
			}
			slots <- struct{}{}
			work.Go(func() {
				defer func() { <-slots }()
				a.envelope(connection, client, *request)
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
		if a.Connected != nil {
			a.Connected()
		}
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

// requestOf returns the envelope that an event came in, even if slack-go could
// not read all of it. It returns nil for an event without an envelope.
func requestOf(event socketmode.Event) *socketmode.Request {
	bad, ok := event.Data.(*socketmode.ErrorBadMessage)
	if !ok {
		return event.Request
	}
	var request socketmode.Request
	if json.Unmarshal(bad.Message, &request) != nil || request.EnvelopeID == "" {
		return nil
	}
	return &request
}

// envelope does what an envelope asks for, and acknowledges it.
func (a *App) envelope(ctx context.Context, client *socketmode.Client, request socketmode.Request) {
	answer, err := a.enclosed(ctx, request)
	if _, ok := errors.AsType[again](err); ok {
		return // the log has it, and Slack sends it again
	}
	if err != nil { // an acknowledgement would close the person's form as if all were well
		a.Log.WarnContext(ctx, "an envelope of Slack's can't be read", "type", request.Type, "bytes", len(request.Payload), "error", err)
		return
	}
	if request.EnvelopeID == "" {
		return // Slack's greeting
	}
	var payload any // nil, not an interface with a nil pointer, which would be sent as "null"
	if answer != nil {
		b, err := json.Marshal(answer)
		if err != nil {
			a.Log.ErrorContext(ctx, "answer to Slack can't be encoded", "error", err)
			return
		}
		payload = json.RawMessage(calling(b, a.Command))
	}
	if err := client.AckCtx(ctx, request.EnvelopeID, payload); err != nil {
		a.Log.WarnContext(ctx, "envelope was not acknowledged", "error", err)
	}
}

// enclosed does what an envelope's payload asks for, and gives the answer to it.
func (a *App) enclosed(ctx context.Context, request socketmode.Request) (any, error) {
	switch request.Type {
	case socketmode.RequestTypeSlashCommands:
		var c slashCommand
		if json.Unmarshal(request.Payload, &c) != nil || c.Command == "" || c.UserID == "" {
			return nil, errors.New("this is not a slash command")
		}
		return a.command(ctx, c), nil
	case socketmode.RequestTypeInteractive:
		in, err := readInteraction(request.Payload)
		if err != nil {
			return nil, err
		}
		return a.interaction(ctx, in), nil
	case socketmode.RequestTypeEventsAPI:
		return a.takeEvent(ctx, request.Payload)
	}
	return nil, nil
}
