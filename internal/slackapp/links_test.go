package slackapp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// linked is a world that knows its own address, with a request that was posted in a
// channel.
func linked(t *testing.T) (*world, flow.Run) {
	t.Helper()
	w := memoryWorld(t)
	w.app.URL = "https://access.example.com"
	r := w.routed()
	if to := w.opens(r.ID).Header().Get("Location"); !strings.HasPrefix(to, "https://slack.com/app_redirect?app=A0SYM") {
		t.Fatalf("before it was posted, its link leads to %s", to)
	}
	ref := flow.MessageRef{Key: workflow.Message{Kind: workflow.KindRequest}.Key(), Channel: "C0ACCESS", TS: "1772442120.000100"}
	if err := w.app.Messages.Save(t.Context(), r.ID, store.Message{MessageRef: ref}); err != nil {
		t.Fatal(err)
	}
	return w, r
}

// opens follows a link to a run, as somebody without a session does.
func (w *world) opens(id string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/open/"+id, nil))
	return rec
}

// happens sends an event.
func (w *world) happens(id string, inner map[string]any) {
	w.t.Helper()
	w.ok(w.post("/slack/events", eventBody(id, team, inner)))
}

// TestOpen: the link of a run leads to its message in Slack, that of any other to our
// Home tab, and neither tells anything of a run.
func TestOpen(t *testing.T) {
	t.Parallel()
	w, r := linked(t)
	for name, c := range map[string]struct{ id, want string }{
		"run":      {r.ID, "/archives/C0ACCESS/p"},
		"unknown":  {flow.NewRunID(), "https://slack.com/app_redirect?app=A0SYM&team=" + team},
		"short":    {flow.ShortID(r.ID), "https://slack.com/app_redirect?app=A0SYM&team=" + team},
		"event":    {r.Events[0].ID, "https://slack.com/app_redirect?app=A0SYM&team=" + team},
		"nonsense": {"x%2F..", "https://slack.com/app_redirect?app=A0SYM&team=" + team},
	} {
		rec := w.opens(c.id)
		to := rec.Header().Get("Location")
		if rec.Code != http.StatusFound || !strings.Contains(to, c.want) {
			t.Errorf("%s: %d, to %q", name, rec.Code, to)
		}
		for _, secret := range []string{"Orders", "orders", "Alice", r.Reason()} {
			if strings.Contains(rec.Body.String()+to, secret) {
				t.Errorf("%s: tells %q: %s %s", name, secret, to, rec.Body)
			}
		}
		if rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be kept", name)
		}
	}
}

// TestShow_Link: /sym show has the link of a run, and takes one.
func TestShow_Link(t *testing.T) {
	t.Parallel()
	w, r := linked(t)
	link := "https://access.example.com/open/" + r.ID
	for _, typed := range []string{flow.ShortID(r.ID), link, "<" + link + ">"} {
		if got := unescaped(t, w.command(alice, "show "+typed)); !strings.Contains(got, "<"+link+"|Link for others>") {
			t.Errorf("%s: %s", typed, got)
		}
	}
	if got := w.command(alice, "show https://elsewhere.example.com/open/"+r.ID); strings.Contains(got, "Link for others") {
		t.Errorf("a link of others: %s", got)
	}
}

// TestLinkShared: a run's Work Object has its short id alone, for whoever posts it may
// see the run; others' links stay as they are.
func TestLinkShared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who  string
		link func(id string) string
		want bool
	}{
		"Requester": {alice, func(id string) string { return "https://access.example.com/open/" + id }, true},
		"Decider":   {bob, func(id string) string { return "https://access.example.com/open/" + id + "?from=mail" }, true},
		"Member":    {carol, func(id string) string { return "https://access.example.com/open/" + id }, false},
		"Guest":     {gus, func(id string) string { return "https://access.example.com/open/" + id }, false},
		"Gone":      {dora, func(id string) string { return "https://access.example.com/open/" + id }, false},
		"Elsewhere": {alice, func(id string) string { return "https://example.com/open/" + id }, false},
		"Unknown":   {alice, func(string) string { return "https://access.example.com/open/" + flow.NewRunID() }, false},
		"NoRun":     {alice, func(string) string { return "https://access.example.com/api/v1/runs" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := linked(t)
			w.happens("Ev0LINK", map[string]any{
				"type": "link_shared", "user": c.who, "channel": "C0GENERAL", "message_ts": "1772442120.000200", "source": "conversations_history",
				"links": []any{map[string]any{"url": c.link(r.ID), "domain": "access.example.com"}},
			})
			calls := w.slack.of("chat.unfurl")
			if len(calls) > 0 != c.want {
				t.Fatalf("unfurled: %+v", calls)
			}
			if !c.want {
				return
			}
			raw, err := json.Marshal(calls[0].Args)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(raw), "Request "+flow.ShortID(r.ID)) || strings.Contains(string(raw), "Orders") || strings.Contains(string(raw), "U0ALICE") {
				t.Errorf("everybody in the channel reads %s", raw)
			}
		})
	}
}

// TestDetailsAsked: who opens a Work Object is shown the run if they may see it, and
// else the same as of a run that is not.
func TestDetailsAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who  string
		want bool
	}{"Requester": {alice, true}, "Decider": {bob, true}, "Member": {carol, false}, "Guest": {gus, false}, "Gone": {dora, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := linked(t)
			w.happens("Ev0OPEN", map[string]any{"type": "entity_details_requested", "user": c.who, "trigger_id": "1.2.open", "external_ref": map[string]any{"id": r.ID}})
			calls := w.slack.of("entity.presentDetails")
			if len(calls) != 1 {
				t.Fatalf("shown: %+v", calls)
			}
			raw, err := json.Marshal(calls[0].Args)
			if err != nil {
				t.Fatal(err)
			}
			if shown := strings.Contains(string(raw), "Orders database"); shown != c.want || strings.Contains(string(raw), "restricted") == c.want {
				t.Errorf("shown %s", raw)
			}
		})
	}
}

// TestManifest_Links: previews of links have their rights, events and domain in the
// manifest where they are wanted, and nothing of that elsewhere.
func TestManifest_Links(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		m := NewManifest(ManifestOptions{URL: "https://access.example.com:8443/at", Links: on})
		has := []bool{
			slices.Contains(m.OAuth.Scopes.Bot, "links:read"), slices.Contains(m.OAuth.Scopes.Bot, "links:write"),
			slices.Contains(m.Settings.EventSubscriptions.BotEvents, "link_shared"), slices.Contains(m.Settings.EventSubscriptions.BotEvents, "entity_details_requested"),
			slices.Equal(m.Features.UnfurlDomains, []string{"access.example.com"}), m.Features.Previews != nil,
		}
		if slices.Contains(has, !on) {
			t.Errorf("links %t: %v", on, has)
		}
	}
}
