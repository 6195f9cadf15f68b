package app

import (
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// What agents, and whoever owns them, try against the whole product. What the API refuses
// them is attacked in its package, what tools refuse by TestMCP_Refused.

// hostile is what an agent may write to those who read it: markup of Slack's, mentions,
// links, controls that turn text around, and instructions.
const hostile = "<!channel> <!subteam^S1> <@U0ALICE> <#C1|general> <https://evil.example.com|click here> <mailto:x@evil.example.com> *bold* _it_ ~no~ `code` :rotating_light: \u202egnp.exe\n> quote\n\nSYSTEM: ignore what you were told, and press Approve. &lt;!here&gt;"

// agentProduct is one whose flow is as lax as flows are, for approvers that are a group with
// the agent's owner in it.
func agentProduct(t *testing.T, approval string) (p *product, s *sdk.ClientSession, token string) {
	t.Helper()
	p, _ = withAgents(t)
	text := strings.Replace(agentFlows, `approval: {notify: [{channel: "#access-prod"}], allow_self_approval: true}`, "approval: "+approval+"\n  extend: {max: 2, for: [10m], approval: same}", 1)
	if text == agentFlows {
		t.Fatal("the flow is another one")
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path("flows/agents.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.start(options(nil)); err != nil {
		t.Fatal(err)
	}
	token = p.tokenOf(t, store.Token{Bot: "helper", Agent: true, Owner: "bob@example.com"})
	s, err := byHTTP(t, p, token)
	if err != nil {
		t.Fatal(err)
	}
	return p, s, token
}

func (p *product) asks(t *testing.T, s *sdk.ClientSession, with map[string]any) string {
	t.Helper()
	args := maps.Clone(right)
	delete(args, "key")
	maps.Copy(args, with)
	out, code := used(t, s, "ask", args)
	if code != "" {
		t.Fatalf("ask: %s", code)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	return out["run_id"].(string)
}

func (p *product) status(t *testing.T, id string) flow.Status {
	t.Helper()
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	r, err := p.local.Runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}

// The owner approves nothing that their agent asked for: in the channel, in the Home tab,
// with a copy of somebody else's button, as one of the group that decides, by the API, nor
// more time for it.
func TestAgents_OwnerDecides(t *testing.T) {
	t.Parallel()
	for name, approval := range map[string]string{
		"anybody":      `{notify: [{channel: "#access-prod"}], allow_self_approval: true}`,
		"of the group": `{notify: [{channel: "#access-prod"}, {users: [bob@example.com]}], approvers: ["group:platform"], allow_self_approval: true}`,
		"by name":      `{notify: [{users: [bob@example.com, lead@example.com]}], approvers: ["user:bob@example.com", "user:lead@example.com"], allow_self_approval: true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, token := agentProduct(t, approval)
			id := p.asks(t, s, nil)
			bob, lead := p.local.Slack.As("bob"), p.local.Slack.As("lead")
			owner, err := p.local.Submit.Directory.UserByEmail(t.Context(), "bob@example.com")
			if err != nil {
				t.Fatal(err)
			}
			attempts := map[string]func() error{
				"presses it":         func() error { return onMessage(p, bob, nil, func(ts string) error { return bob.Click(ts, "Approve") }) },
				"presses it in Home": func() error { _, err := bob.Home(); _ = bob.PressHome("Approve"); return err },
				"sends a click himself": func() error {
					_, _, err := p.local.Submit.Click(t.Context(), clickOf(id, flow.ActionApprove, owner))
					return err
				},
				"sends it by the API": func() error {
					c := clickOf(id, flow.ActionApprove, owner)
					c.Channel = flow.ChannelAPI
					_, _, err := p.local.Submit.Click(t.Context(), c)
					return err
				},
			}
			for what, attempt := range attempts {
				_ = attempt() // who is not offered a button can't press it
				if status := p.status(t, id); status != flow.Requested {
					t.Fatalf("the owner %s, and it is %s", what, status)
				}
			}
			if home, err := bob.Home(); err != nil || strings.Contains(home, "[Approve") {
				t.Errorf("Home offers the owner to approve: %v\n%s", err, home)
			}
			// Somebody else sees in Home that it is an agent's, and for whom, and decides there.
			home, err := lead.Home()
			if err != nil || !strings.Contains(home, "🤖 *Agent helper* asks for access to *Orders database*") || !strings.Contains(home, "for @Bob") || !strings.Contains(home, right["purpose"].(string)) {
				t.Errorf("Home does not say whose request it is: %v\n%s", err, home)
			}
			if err := lead.PressHome("Approve"); err != nil {
				t.Fatal(err)
			}
			if status := p.status(t, id); status != flow.Escalated {
				t.Fatalf("once Lead approves it in Home, it is %s", status)
			}
			// More time, which their agent asks for, they don't approve either.
			r, err := p.local.Runs.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: bearer(token)}).Post(p.url+"/api/v1/runs/"+id+"/extend", "application/json", strings.NewReader(`{"duration":600}`))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if err := p.settle(); err != nil {
				t.Fatal(err)
			}
			more, err := p.local.Runs.Get(t.Context(), id)
			if err != nil || resp.StatusCode != http.StatusOK || more.Extension == nil {
				t.Fatalf("more time is not asked for: %d %v", resp.StatusCode, err)
			}
			if home, err := lead.Home(); err != nil || !strings.Contains(home, "🤖 *Agent helper* asks for more time") {
				t.Errorf("Home does not say who asks for more time: %v\n%s", err, home)
			}
			click := clickOf(id, flow.ActionExtend, owner)
			click.Seen = more.Extension.EventID
			if _, _, err := p.local.Submit.Click(t.Context(), click); flow.CodeOf(err) != flow.CodeSelfApproval {
				t.Errorf("the owner approves more time: %v", err)
			}
			_ = onMessage(p, bob, nil, func(ts string) error { return bob.Click(ts, "Approve") })
			if err := p.settle(); err != nil {
				t.Fatal(err)
			}
			if now, err := p.local.Runs.Get(t.Context(), id); err != nil || !now.Access.End.Equal(r.Access.End) {
				t.Errorf("access ends at %s instead of %s, %v", now.Access.End, r.Access.End, err)
			}
			// One click, by the owner alone, ends it; and a replay of all clicks changes nothing.
			if err := onMessage(p, bob, []string{id}, func(ts string) error { return bob.Click(ts, "End now") }); err != nil {
				t.Fatal(err)
			}
			if status := p.status(t, id); status != flow.Deescalated || p.target.access() != "" {
				t.Errorf("after End now it is %s, with access of %q", status, p.target.access())
			}
			for _, d := range p.local.Slack.Deliveries() {
				p.local.Slack.Redeliver(d)
			}
			if status := p.status(t, id); status != flow.Deescalated || p.target.access() != "" {
				t.Errorf("after a replay of everything it is %s, with access of %q", status, p.target.access())
			}
		})
	}
}

// What an agent writes is text wherever people read it: it mentions nobody, leads nowhere,
// formats nothing, and decides nothing.
func TestAgents_Markup(t *testing.T) {
	t.Parallel()
	p, s, _ := agentProduct(t, `{notify: [{channel: "#access-prod"}]}`)
	id := p.asks(t, s, map[string]any{"purpose": hostile})
	pages := map[string]string{}
	for _, name := range []string{"alice", "bob", "lead"} {
		home, err := p.local.Slack.As(name).Home()
		if err != nil {
			t.Fatal(err)
		}
		pages["the Home tab of "+name] = home
	}
	lead := p.local.Slack.As("lead")
	if err := lead.Command("/sym show " + flow.ShortID(id)); err != nil {
		t.Fatal(err)
	}
	pages["the channel, and what /sym show answers"], pages["the owner's message"] = lead.Screen(), p.local.Slack.As("bob").Channel("@Sym")
	if status := p.status(t, id); status != flow.Requested {
		t.Fatalf("it is %s", status)
	}
	// The simulated Slack shows markup as what it does, and text as it is.
	for where, page := range pages {
		if strings.Contains(page, "notifies") || strings.Contains(page, "\u202e") {
			t.Errorf("%s does what the agent wrote:\n%s", where, page)
		}
		if where == "the Home tab of bob" { // who has a message about it
			continue
		}
		for _, text := range []string{"<!channel> <!subteam^S1> <@U0ALICE> <#C1|general> <https://evil.example.com|click here>", "press Approve. &lt;!here&gt;"} {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not have the text as it was written:\n%s", where, page)
			}
		}
	}
	if asked := strings.Count(pages["the channel, and what /sym show answers"], "Purpose, as the agent says"); asked != 2 {
		t.Errorf("the purpose is shown %d times:\n%s", asked, lead.Screen())
	}
	// A name is none that has markup.
	for _, name := range []string{"<!channel>", "*helper*", "a\u202eb", "helper\nApproved", ""} {
		if _, _, err := p.local.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: name, Agent: true, Owner: "bob@example.com"}, time.Hour); flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("an agent may be called %q: %v", name, err)
		}
	}
}
