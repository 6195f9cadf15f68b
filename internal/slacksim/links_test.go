package slacksim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack/slackevents"
)

// TestLinks: a link of the app's domain is told to it, which shows a Work Object below
// the message, and its details to whoever opens it; what Slack would refuse is refused.
func TestLinks(t *testing.T) {
	t.Parallel()
	a, got := eventApp(t, func(c *Config) {
		c.Events, c.Domains, c.Scopes = []string{"link_shared", "entity_details_requested"}, []string{"access.example.com"}, []string{"links:read", "links:write"}
	})
	p := a.sim.As("alice").In("#general")
	for _, line := range []string{"see https://access.example.org/open/1", "none at all"} {
		if err := p.Say(line); err != nil || len(got) > 0 {
			t.Fatalf("%s: told of it: %v", line, err)
		}
	}
	const link = "https://access.example.com/open/1?from=here"
	if err := p.Say("see " + link); err != nil {
		t.Fatal(err)
	}
	e, err := slackevents.ParseEvent(json.RawMessage((<-got).Body), slackevents.OptionNoVerifyToken())
	if err != nil {
		t.Fatal(err)
	}
	shared, ok := e.InnerEvent.Data.(*slackevents.LinkSharedEvent)
	if !ok || len(shared.Links) != 1 || shared.Links[0].URL != link || shared.Links[0].Domain != "access.example.com" || shared.User != p.ID() {
		t.Fatalf("%+v", e.InnerEvent)
	}
	entity := func(change string) string {
		from, to, _ := strings.Cut(change, "=>")
		return strings.Replace(`{"app_unfurl_url":"`+link+`","url":"https://access.example.com/open/1","external_ref":{"id":"1"},"entity_type":"slack#/entities/item",
			"entity_payload":{"attributes":{"title":{"text":"Request 1"}},"custom_fields":[{"key":"who","label":"Who","type":"slack#/types/user","user":{"user_id":"U0ALICE"}},
			{"key":"why","label":"Why","type":"string","value":"because"},{"key":"when","label":"When","type":"slack#/types/timestamp","value":1772442120}]}}`, from, to, 1)
	}
	unfurl := func(entities string) string {
		return fmt.Sprint(a.call("chat.unfurl", `{"channel":"`+shared.Channel+`","ts":"`+shared.MessageTimeStamp+`","metadata":{"entities":[`+entities+`]}}`)["error"])
	}
	for change, want := range map[string]string{
		link + "=>" + link + "2":       "cannot_unfurl_url",
		"entities/item=>entities/poem": "invalid_metadata",
		`"Request 1"=>" "`:             "invalid_metadata",
		`"id":"1"=>"id":""`:            "invalid_metadata",
		`"label":"Why"=>"label":""`:    "invalid_metadata",
		`types/user=>types/poet`:       "invalid_metadata",
		`1772442120=>"yesterday"`:      "invalid_metadata",
	} {
		if got := unfurl(entity(change)); got != want {
			t.Errorf("%s: %s, want %s", change, got, want)
		}
	}
	if got := unfurl(""); got != "invalid_metadata" {
		t.Errorf("nothing: %s", got)
	}
	if got := unfurl(entity("")); got != "<nil>" {
		t.Fatalf("refused: %s", got)
	}

	if opened, err := p.OpenObject(shared.MessageTimeStamp); err != nil || opened.Title != "" {
		t.Fatalf("%+v, %v", opened, err) // the app answered nothing
	}
	e, err = slackevents.ParseEvent(json.RawMessage((<-got).Body), slackevents.OptionNoVerifyToken())
	if err != nil {
		t.Fatal(err)
	}
	asked, ok := e.InnerEvent.Data.(*slackevents.EntityDetailsRequestedEvent)
	if !ok || asked.ExternalRef.ID != "1" || asked.User != p.ID() {
		t.Fatalf("%+v", e.InnerEvent)
	}
	present := func(trigger, entity string) string {
		return fmt.Sprint(a.call("entity.presentDetails", `{"trigger_id":"`+trigger+`","metadata":`+entity+`}`)["error"])
	}
	for _, c := range []struct{ trigger, entity, want string }{
		{"1.2.3", entity(""), "invalid_trigger_id"},
		{asked.TriggerID, entity(`"id":"1"=>"id":"2"`), "entity_metadata_does_not_match_trigger"},
		{asked.TriggerID, entity("entities/item=>entities/poem"), "invalid_metadata"},
		{asked.TriggerID, entity(""), "<nil>"},
		{asked.TriggerID, entity(""), "invalid_trigger_id"}, // it is good once
	} {
		if got := present(c.trigger, c.entity); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
