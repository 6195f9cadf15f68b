package api

import (
	"testing"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TestPermalink: a run says where people meet it, once they can.
func TestPermalink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.request(access("", "")).RunID
	if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+id, "").Permalink; got != "" {
		t.Errorf("before anybody was asked: %s", got)
	}
	asked := store.Message{MessageRef: flow.MessageRef{Key: "request:0", Channel: "C0ACCESS", TS: "1700000000.000100"}}
	if err := f.api.Messages.Save(t.Context(), id, asked); err != nil {
		t.Fatal(err)
	}
	want := "https://slack.com/app_redirect?channel=C0ACCESS&message_ts=1700000000.000100"
	if team := f.run(id).Requester.SlackTeam; team != "" {
		want += "&team=" + team
	}
	if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+id, "").Permalink; got != want {
		t.Errorf("it leads to %q, want %q", got, want)
	}
}
