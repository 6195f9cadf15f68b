package slackapp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Wherever somebody reads of a request that an agent made, it says that an agent did, and for
// whom; and of nothing that a person asked for.
func TestAgents_Named(t *testing.T) {
	t.Parallel()
	r := request(t).r
	byPerson := r
	helper := flow.Actor{ID: flow.AgentID("sym", "helper", r.Requester.Email), Kind: flow.KindAgent, Name: "helper"}
	owner := r.Requester
	r.Asker, r.Owner, r.Agent, r.Source = &helper, &owner, &flow.Agent{Purpose: "find order 42 <!channel> *now*"}, flow.ChannelAPI
	f := accessFlow()
	view := func(v any) string {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
	}
	refused := flow.Event{Name: flow.EventApprove, Errors: []flow.Failure{{Code: flow.CodeSelfApproval, Message: "no"}}}
	for where, shown := range map[string]func(flow.Run) string{
		"the form that denies": func(r flow.Run) string { return view(denyModal(r, metadata{})) },
		"the form of changes":  func(r flow.Run) string { return view(changeModal(f, r, flow.Offer{}, metadata{})) },
		"what /sym show shows": func(r flow.Run) string { return view(timeline(r, "", links{}, start).Blocks) },
		"lists of others":      func(r flow.Run) string { return summary(r, start, false) },
		"lists of one's own":   func(r flow.Run) string { return summary(r, start, true) + mention(r.Requester) },
		"what a link shows":    func(r flow.Run) string { return view(detailsOf(r)) + mention(r.Requester) },
		"a reminder": func(r flow.Run) string {
			c := card{message: workflow.Message{Kind: workflow.KindRequest}, Run: r}
			if _, err := c.reminder(string(flow.RemindDeciders)); err != nil {
				t.Fatal(err)
			}
			return view(c.page.blocks)
		},
		"what did not count": func(r flow.Run) string {
			c := card{message: workflow.Message{Kind: workflow.KindRefused}, Run: r}
			c.refused(refused)
			return view(c.page.blocks)
		},
		"the Home tab": func(r flow.Run) string {
			var p page
			homeData{waiting: []flow.Run{r}, who: store.User{Actor: person(bob, "Bob"), Role: store.RoleMember}}.waits(&p)
			return view(p.blocks)
		},
	} {
		got := shown(r)
		if !strings.Contains(strings.ToLower(got), "agent") || !strings.Contains(got, "helper") || !strings.Contains(got, mention(owner)) {
			t.Errorf("%s does not say that an agent asks, and for whom: %s", where, got)
		}
		if strings.Contains(got, "helper") && strings.Contains(got, `"mrkdwn","text":"find order 42`) {
			t.Errorf("%s formats what the agent wrote: %s", where, got)
		}
		if got := shown(byPerson); strings.Contains(strings.ToLower(got), "agent") {
			t.Errorf("%s says of a person's request that it is an agent's: %s", where, got)
		}
	}
}
