package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// pathEvents is where the app takes events.
const pathEvents = "/slack/events"

// retries is how long Slack waits before it sends an event again that the app has
// not acknowledged (docs.slack.dev/apis/events-api#retries).
var retries = []time.Duration{time.Second, time.Minute, 5 * time.Minute}

// happens tells the app of an event that a person caused, if the app subscribes to
// events of its type, and gives the answer to the first delivery. Others follow by
// themselves until the app acknowledges one. by is the person's workspace.
func (s *Sim) happens(by Profile, event object) Delivery {
	subscribed := text(event, "type")
	if kind := text(event, "channel_type"); subscribed == "message" {
		subscribed += "." + kind
	}
	if !slices.Contains(s.config.Events, subscribed) {
		return Delivery{Path: pathEvents, Status: http.StatusOK}
	}
	now := s.config.Clock.Now()
	event["event_ts"] = formatTS(now.UnixMicro())
	authorization := object{"enterprise_id": nil, "team_id": team(by.Workspace), "user_id": botUser, "is_bot": true, "is_enterprise_install": s.forOrganisation()}
	wrapped := object{
		"token": "deprecated", "team_id": team(by.Workspace), "context_team_id": team(by.Workspace), "context_enterprise_id": nil,
		"api_app_id": appID, "event": event, "type": "event_callback", "event_id": "Ev" + s.token(6), "event_time": now.Unix(),
		"event_context": s.token(8), "is_ext_shared_channel": false, "authorizations": []any{authorization},
	}
	if s.forOrganisation() {
		wrapped["context_enterprise_id"], authorization["enterprise_id"], authorization["team_id"] = organisationID, organisationID, nil
	}
	// Events are made of strings, lists and objects, which always marshal.
	body, _ := json.Marshal(wrapped)
	d := s.DeliverEvent(string(body), nil)
	if d.failure() != nil {
		go s.repeat(string(body), d)
	}
	return d
}

// DeliverEvent signs and sends the body of an event, as Slack's own are, and gives
// the answer. It is for events that nobody in the workspace caused.
func (s *Sim) DeliverEvent(body string, more http.Header) Delivery {
	header := s.signed(body, "application/json")
	for name, values := range more {
		header[name] = values
	}
	return s.post(Delivery{Path: pathEvents, Header: header, Body: body})
}

// repeat sends an event again until the app takes it, three times at most.
func (s *Sim) repeat(body string, last Delivery) {
	for i, pause := range retries {
		reason := "http_error"
		if last.Err != nil {
			reason = "http_timeout"
		}
		select {
		case <-s.closing:
			return
		case <-s.config.Clock.After(pause):
		}
		last = s.DeliverEvent(body, http.Header{"X-Slack-Retry-Num": {strconv.Itoa(i + 1)}, "X-Slack-Retry-Reason": {reason}})
		if last.failure() == nil {
			return
		}
	}
}

// Home opens the app's Home tab, and gives what the person sees there when the app
// has answered.
func (p Person) Home() (string, error) {
	s := p.sim
	if p.profile.SingleChannel {
		return "", fmt.Errorf("guests of a single channel have no Home tab of an app")
	}
	s.mu.Lock()
	dm, _ := s.workspace.direct([]string{p.ID()})
	event := object{"type": "app_home_opened", "user": p.ID(), "channel": dm.ID, "tab": "home"}
	if v := s.homes[p.ID()]; v != nil {
		event["view"] = v.wire()
	}
	s.change()
	s.mu.Unlock()
	if err := s.happens(p.profile, event).failure(); err != nil {
		return p.HomeText(), fmt.Errorf("the app failed with the error %q", err)
	}
	return p.HomeText(), nil
}

// HomeText gives what the person's Home tab shows now: "" before the app has
// published one.
func (p Person) HomeText() string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if v := p.sim.homes[p.ID()]; v != nil {
		return p.sim.renderView(v)
	}
	return ""
}

// PressHome presses a button in the person's Home tab, by its text or action id;
// of several of the same text it is the first. Confirmations are confirmed.
func (p Person) PressHome(label string) error {
	at, err := p.home()
	if err != nil {
		return err
	}
	block, e, err := p.findIn(at, isButton(label))
	if err != nil {
		return fmt.Errorf("press %q: %w", label, err)
	}
	return p.press(at, text(block, "block_id"), text(e, "action_id"))
}

func (p Person) home() (where, error) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if v := p.sim.homes[p.ID()]; v != nil {
		return where{ViewID: v.id}, nil
	}
	return where{}, fmt.Errorf("%s's Home tab is empty", p.profile.Name)
}

// publishView answers views.publish.
func (s *Sim) publishView(args arguments) (object, *apiError) {
	who, ok := s.person(args.text("user_id"))
	v := s.homes[args.text("user_id")]
	switch {
	case !args.has("user_id") || !args.has("view"):
		return nil, &apiError{code: "invalid_arguments", messages: []string{"[ERROR] missing required field: user_id or view"}}
	case !ok || who.id() != args.text("user_id"):
		return refuse("user_not_found")
	case v != nil && args.has("hash") && args.text("hash") != v.hash:
		return refuse("hash_conflict")
	}
	def, err := s.readView("home", args.json("view"), v)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = s.newView(who.id(), def, nil)
		s.homes[who.id()] = v
	} else {
		s.fill(v, def)
	}
	s.change()
	return object{"view": v.wire()}, nil
}
