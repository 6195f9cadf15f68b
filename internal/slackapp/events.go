package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// events are what the app does of its own accord when something happens in Slack,
// by the type of the event. Others are acknowledged. manifest.go subscribes to these
// and no others.
//
// An error has Slack send the event again. What no repetition mends, is told or
// logged, and no error.
var events = map[string]func(*App, context.Context, event) error{
	"app_home_opened":          (*App).homeOpened,
	"app_mention":              (*App).mentioned,
	"entity_details_requested": (*App).detailsAsked,
	"function_executed":        (*App).stepStarted,
	"link_shared":              (*App).linkShared,
	"message":                  (*App).spokenTo,
}

// event is an event of Slack's Events API.
// https://docs.slack.dev/apis/events-api
type event struct {
	ID     string
	Type   string
	User   string // who caused it; "" if the event does not say
	App    string // id of the app that it was sent to; "" if the event does not say
	At     time.Time
	Inner  json.RawMessage // the event itself: what it has depends on its type
	origin origin
}

// wrapping is what events come in. Where an app is installed for an organisation,
// only authorizations say for which one; see origin in payload.go.
type wrapping struct {
	Type           string          `json:"type"`
	Challenge      string          `json:"challenge"`
	Team           string          `json:"team_id"`
	ContextTeam    string          `json:"context_team_id"`
	Enterprise     string          `json:"context_enterprise_id"`
	ID             string          `json:"event_id"`
	App            string          `json:"api_app_id"`
	Time           int64           `json:"event_time"`
	Event          json.RawMessage `json:"event"`
	Authorizations []struct {
		Team         string `json:"team_id"`
		Enterprise   string `json:"enterprise_id"`
		Organisation bool   `json:"is_enterprise_install"`
	} `json:"authorizations"`
}

// maxEventID bounds the ids of events, which are kept. Slack's have about a dozen
// characters.
const maxEventID = 100

// readEvent parses what an event comes in. ok is false for what is not an event.
func readEvent(body []byte) (e event, challenge string, ok bool, err error) {
	var w wrapping
	if json.Unmarshal(body, &w) != nil {
		return event{}, "", false, errors.New("the event can't be parsed")
	}
	if w.Type != "event_callback" {
		return event{}, w.Challenge, false, nil // Slack's check of the address, or a word about its limits
	}
	var inner struct {
		Type string `json:"type"`
		User ident  `json:"user"`
	}
	if len(w.Event) > 0 && json.Unmarshal(w.Event, &inner) != nil {
		return event{}, "", false, errors.New("the event can't be parsed")
	}
	e = event{ID: w.ID, Type: inner.Type, User: string(inner.User), App: w.App, At: time.Unix(w.Time, 0).UTC(), Inner: w.Event, origin: origin{team: w.Team, enterprise: w.Enterprise}}
	if len(w.Authorizations) > 0 {
		by := w.Authorizations[0]
		e.origin.installed = by.Team
		if by.Organisation {
			e.origin.installed = by.Enterprise
		}
		if e.origin.enterprise == "" {
			e.origin.enterprise = by.Enterprise
		}
	}
	return e, "", true, nil
}

// takeEvent takes an event, over HTTP or by Socket Mode, once for each of its ids.
// The error is an again where Slack is to send it again.
func (a *App) takeEvent(ctx context.Context, body []byte) (any, error) {
	e, challenge, ok, err := readEvent(body)
	if err != nil {
		return nil, err
	}
	if challenge != "" {
		return map[string]string{"challenge": challenge}, nil
	}
	do := events[e.Type]
	if !ok || do == nil || speaking(e.Type) && robotic(e) {
		return nil, nil
	}
	if e.ID == "" || len(e.ID) > maxEventID {
		return nil, errors.New("the event has no id, or one that is too long")
	}
	_, err = guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, e.origin); err != nil {
			return nil, err
		}
		return nil, a.Deliveries.Once(ctx, e.ID, func(ctx context.Context) error { return do(a, ctx, e) })
	})
	switch {
	case err == nil:
	case errors.Is(err, store.ErrUnderWay):
		return nil, again{err}
	case flow.CodeOf(err) == flow.CodeForbidden: // of another workspace: it would be refused each time
		a.Log.WarnContext(ctx, "an event is not for this app", "type", e.Type, "error", err)
	default:
		a.Log.ErrorContext(ctx, "an event could not be taken; Slack sends it again", "type", e.Type, "event", e.ID, "error", err)
		return nil, again{err}
	}
	return nil, nil
}

// again asks Slack to send the same event again.
type again struct{ cause error }

func (e again) Error() string { return "the event could not be taken: send it again" }
func (e again) Unwrap() error { return e.cause }
