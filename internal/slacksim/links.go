package slacksim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// entityTypes are the kinds of Work Objects
// (docs.slack.dev/messaging/work-objects-overview).
var entityTypes = []string{"slack#/entities/task", "slack#/entities/file", "slack#/entities/item", "slack#/entities/incident", "slack#/entities/content_item"}

// addresses are what people post that Slack takes for links.
var addresses = regexp.MustCompile(`https?://[^\s<>|]+`)

// linksIn lists the links of a message for which the app has registered their domain.
func (s *Sim) linksIn(words string) (links []string) {
	for _, address := range addresses.FindAllString(words, -1) {
		u, err := url.Parse(address)
		if err == nil && slices.Contains(s.config.Domains, u.Hostname()) && !slices.Contains(links, address) {
			links = append(links, address)
		}
	}
	return links
}

// shared tells the app that somebody has posted links of its domains.
func (s *Sim) shared(by Profile, c *conversation, m *Message, links []string) {
	var list []any
	for _, address := range links {
		u, err := url.Parse(address)
		if err == nil {
			list = append(list, object{"url": address, "domain": u.Hostname()})
		}
	}
	s.happens(by, object{
		"type": "link_shared", "user": m.User, "channel": c.ID, "message_ts": m.TS, "links": list,
		"source": "conversations_history", "unfurl_id": c.ID + "." + m.TS, "is_bot_user_member": c.App,
	})
}

// unfurl shows Work Objects below the message with their links. Other previews than
// those are not known here.
func (s *Sim) unfurl(args arguments) (object, *apiError) {
	c := s.workspace.conversation(args.text("channel"))
	if c == nil {
		return refuse("cannot_find_channel")
	}
	m := c.message(args.text("ts"))
	switch {
	case m == nil:
		return refuse("cannot_find_message")
	case args.has("unfurls") && len(args.json("unfurls")) > 2:
		return nil, &apiError{code: "invalid_unfurls_format", messages: []string{"[ERROR] the simulation knows no unfurls but Work Objects"}}
	case !args.has("metadata"):
		return refuse("missing_unfurls")
	}
	var metadata struct{ Entities []object }
	if json.Unmarshal(args.json("metadata"), &metadata) != nil || len(metadata.Entities) == 0 {
		return refuse("invalid_metadata")
	}
	posted := s.linksIn(m.Text)
	for i, e := range metadata.Entities {
		if err := checkEntity(e); err != nil {
			return nil, err
		}
		if !slices.Contains(posted, text(e, "app_unfurl_url")) {
			return nil, &apiError{code: "cannot_unfurl_url", messages: []string{fmt.Sprintf("[ERROR] it is no link of the message [json-pointer:/entities/%d/app_unfurl_url]", i)}}
		}
	}
	m.Entities = metadata.Entities
	s.change()
	return object{}, nil
}

// checkEntity refuses Work Objects that Slack would.
func checkEntity(e object) *apiError {
	wrong := func(format string, args ...any) *apiError {
		return &apiError{code: "invalid_metadata", messages: []string{"[ERROR] " + fmt.Sprintf(format, args...)}}
	}
	payload := child(e, "entity_payload")
	title := child(child(payload, "attributes"), "title")
	switch {
	case !slices.Contains(entityTypes, text(e, "entity_type")):
		return wrong("%q is no entity type", text(e, "entity_type"))
	case text(child(e, "external_ref"), "id") == "":
		return wrong("missing required field: external_ref")
	case text(e, "url") == "":
		return wrong("missing required field: url")
	case strings.TrimSpace(text(title, "text")) == "":
		return wrong("missing required field: entity_payload/attributes/title")
	}
	for _, f := range objects(payload, "custom_fields") {
		known := false
		switch kind := text(f, "type"); kind {
		case "string":
			known = text(f, "value") != ""
		case "slack#/types/timestamp":
			_, known = number(f, "value")
		case "slack#/types/user":
			known = text(child(f, "user"), "user_id") != ""
		}
		if text(f, "key") == "" || text(f, "label") == "" || !known {
			return wrong("the field %q has no label, or no value of its type", text(f, "key"))
		}
	}
	return nil
}

// Opened is what somebody is shown who opens a Work Object.
type Opened struct {
	Title  string
	Fields map[string]string // by their labels
	Status string            // why they are shown nothing else; "" if they are

	id string
}

// OpenObject has a person open the first Work Object below a message where they are,
// and gives what the app shows them.
func (p Person) OpenObject(ts string) (Opened, error) {
	s := p.sim
	s.mu.Lock()
	c, err := p.conversation()
	var m *Message
	if err == nil {
		m = c.message(ts)
	}
	if err != nil || m == nil || len(m.Entities) == 0 {
		s.mu.Unlock()
		return Opened{}, fmt.Errorf("there is no Work Object below %s: %v", ts, err)
	}
	e := m.Entities[0]
	trigger := s.newTrigger(p.ID(), "")
	s.opened[trigger] = &Opened{id: text(child(e, "external_ref"), "id")}
	s.mu.Unlock()
	d := s.happens(p.profile, object{
		"type": "entity_details_requested", "user": p.ID(), "external_ref": e["external_ref"], "entity_url": text(e, "url"),
		"app_unfurl_url": text(e, "app_unfurl_url"), "trigger_id": trigger, "channel": c.ID, "message_ts": ts, "user_locale": "en-US",
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.opened[trigger], d.failure()
}

// presentDetails takes what the app shows somebody who opened a Work Object.
func (s *Sim) presentDetails(args arguments) (object, *apiError) {
	id := args.text("trigger_id")
	shown := s.opened[id]
	t, err := s.trigger(id)
	if err != nil || shown == nil {
		return refuse("invalid_trigger_id")
	}
	if args.has("error") {
		var refusal object
		if json.Unmarshal(args.json("error"), &refusal) != nil || text(refusal, "status") == "" {
			return refuse("invalid_arguments")
		}
		t.used, shown.Status = true, text(refusal, "status")
		return object{}, nil
	}
	var e object
	if json.Unmarshal(args.json("metadata"), &e) != nil {
		return refuse("invalid_metadata")
	}
	if err := checkEntity(e); err != nil {
		return nil, err
	}
	if text(child(e, "external_ref"), "id") != shown.id {
		return refuse("entity_metadata_does_not_match_trigger")
	}
	t.used = true
	payload := child(e, "entity_payload")
	shown.Title, shown.Fields = text(child(child(payload, "attributes"), "title"), "text"), map[string]string{}
	for _, f := range objects(payload, "custom_fields") {
		value := text(f, "value")
		if n, ok := number(f, "value"); ok {
			value = fmt.Sprint(n)
		}
		if user := child(f, "user"); user != nil {
			value = text(user, "user_id")
		}
		shown.Fields[text(f, "label")] = value
	}
	return object{}, nil
}
