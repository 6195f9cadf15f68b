package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// agentBody asks for access as agents do.
const agentBody = `{"flow_srn":"sym:flow:agent-access:latest","purpose":"find order 42","flow_inputs":{
	"target_srn":"sym:access_target:aws_lambda_function:orders-db:latest","duration":600}}`

// withAgents adds a flow that lets agents in, with everything else that is lax, and has
// requests carry the token of an agent of Alice's.
func withAgents(f *fixture) {
	f.t.Helper()
	known := flows()
	open := *known[0]
	open.Name, open.Label = "agent-access", "Access for agents"
	open.Params.PromptFields = []flow.PromptField{{Name: "duration", Type: flow.FieldDuration, Required: true, Visible: true, AllowedValues: []string{"10m", "1h"}}}
	open.Params.BreakGlass = nil
	open.Params.Approval.AllowSelfApproval = true
	open.Params.Extend = &flow.Extend{Max: 3, For: []flow.Duration{flow.Duration(10 * time.Minute)}, Approval: flow.ExtendNone}
	open.Params.Agents = &flow.AgentParams{MaxDuration: flow.Duration(30 * time.Minute), Purpose: flow.PurposeRequired}
	f.publish(append(known, &open))
	f.carryAgent("helper", "alice@example.com")
}

// carryAgent has the requests that follow carry the token of an agent.
func (f *fixture) carryAgent(name, owner string) {
	f.t.Helper()
	value, _, err := f.api.Tokens.Create(f.t.Context(), flow.Operator, store.Token{Bot: name, Agent: true, Owner: owner}, time.Hour)
	if err != nil {
		f.t.Fatal(err)
	}
	f.token = value
}

// wantRefused sends what must be refused, and says how.
func (f *fixture) wantRefused(what, method, path, body string, status int, code flow.Code) {
	f.t.Helper()
	resp := f.send(method, Base+path, body, nil)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var answer events.APIError
	if err := json.Unmarshal(b, &answer); err != nil || resp.StatusCode != status || answer.Code != string(code) {
		f.t.Errorf("%s: %d %s, want %d %s", what, resp.StatusCode, b, status, code)
	}
}

// An agent asks as itself for its owner.
func TestAgent_Asks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	withAgents(f)
	out := f.request(agentBody)
	r := f.run(out.RunID)
	if !r.ByAgent() || r.Requester.Email != "alice@example.com" || r.Asker.Kind != flow.KindAgent || r.Asker.Name != "helper" || r.Owner.Email != "alice@example.com" || r.Agent.Purpose != "find order 42" {
		t.Errorf("the run is %+v", r)
	}
	if sent := r.Signals[0].Actor; sent.Kind != flow.KindAgent {
		t.Errorf("the request is by %+v", sent)
	}
	status := ok[events.RunStatus](f, "GET", Base+"/runs/"+out.RunID, "")
	if status.Purpose != "find order 42" || status.Submitter.Kind != flow.KindAgent || status.Requester.Username != "alice@example.com" {
		t.Errorf("shown as %+v", status)
	}
	if list := ok[events.RunList](f, "GET", Base+"/runs?limit=5", ""); len(list.Runs) != 1 || list.Runs[0].RunID != out.RunID {
		t.Errorf("listed: %+v", list)
	}
	known := ok[events.FlowList](f, "GET", Base+"/flows", "")
	if len(known.Flows) != 1 || known.Flows[0].Name != "agent-access" {
		t.Errorf("it sees the flows %+v", known.Flows)
	}
	detail := ok[events.FlowDetail](f, "GET", Base+"/flows/agent-access", "")
	if detail.Agents == nil || detail.Agents.MaxDuration != 1800 || strings.Contains(string(detail.FlowInputs), "3600") || !strings.Contains(string(detail.FlowInputs), `"maximum":1800`) {
		t.Errorf("it may ask for %s, %+v", detail.FlowInputs, detail.Agents)
	}
	again := f.send("POST", Base+"/runs/"+out.RunID+"/cancel", "", nil)
	if again.StatusCode != http.StatusOK {
		t.Errorf("it can't withdraw what it asked for: %d", again.StatusCode)
	}
}

// An agent that asks in somebody's name, with its owner's among them, by any field.
func TestAgent_InOthersNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	withAgents(f)
	with := func(extra string) string { return strings.Replace(agentBody, `"purpose"`, extra+`,"purpose"`, 1) }
	for _, extra := range []string{
		`"user_email":"alice@example.com"`, `"user_email":"bob@example.com"`, `"user_id":"U024ALICE"`, `"user_id":"` + bob.ID + `"`,
		`"requester":"alice@example.com"`, `"asker":{"kind":"normal"}`, `"submitter":"alice"`, `"token_owner":"bob@example.com"`, `"owner":"bob@example.com"`,
		`"actor":{"kind":"normal","email":"alice@example.com"}`, `"agent":null`, `"Agent":{"purpose":"x"}`, `"bot":"ci"`, `"break_glass":true`, `"BreakGlass":{"at":"2026-03-02T09:00:00Z"}`,
		`"approve":true`, `"approved_by":"bob@example.com"`, `"status":"approved"`, `"decision":"approve"`, `"approvals":[{"actor":"bob"}]`, `"signals":[{"action":"approve"}]`,
		`"allow_self_approval":true`, `"Token":{"Agent":false}`, `"Purpose":"x"`,
	} {
		f.wantRefused(extra, "POST", "/events/request", with(extra), 400, flow.CodeInvalid)
	}
	for _, name := range []string{"user_email", "decision_message", "approve", "target_id", "break_glass", ".for"} {
		f.wantRefused("the input "+name, "POST", "/events/request", strings.Replace(agentBody, `"duration"`, `"`+name+`":"alice@example.com","duration"`, 1), 400, flow.CodeInvalid)
	}
	f.wantRefused("no purpose", "POST", "/events/request", strings.Replace(agentBody, `"purpose":"find order 42",`, "", 1), 400, flow.CodeInvalid)
	f.wantRefused("a blank purpose", "POST", "/events/request", strings.Replace(agentBody, `find order 42`, `  `, 1), 400, flow.CodeInvalid)
	f.wantRefused("too long", "POST", "/events/request", strings.Replace(agentBody, `600`, `3600`, 1), 400, flow.CodeInvalid)
	f.wantRefused("a flow without agents", "POST", "/events/request", strings.Replace(accessBody, `"user_email":"alice@example.com",`, `"purpose":"x",`, 1), 403, flow.CodeWrongSource)
	f.wantRefused("a flow of Slack's", "POST", "/events/request", `{"flow_srn":"sym:flow:by-hand:latest","purpose":"x"}`, 403, flow.CodeWrongSource)
	if n := len(f.runsOf(t)); n != 0 {
		t.Errorf("%d runs came of what was refused", n)
	}
	f.carry(store.Token{})
	f.wantRefused("a bot with a purpose", "POST", "/events/request", strings.Replace(reportBody, `{`, `{"purpose":"x",`, 1), 400, flow.CodeInvalid)
}

func (f *fixture) runsOf(t *testing.T) []flow.Run {
	t.Helper()
	page, err := f.api.Runs.List(t.Context(), store.Query{By: store.ByKind, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return page.Runs
}

// To an agent there are no runs but those that it asked for: not its owner's, not those of
// other agents, by any path.
func TestAgent_OthersRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	others := map[string]string{"its owner's": f.escalated(), "its owner's, open": f.open()}
	withAgents(f)
	own := f.request(agentBody).RunID
	others["another agent's of the same owner"], others["one of the same name, of another owner"] = func() string {
		f.carryAgent("second", "alice@example.com")
		return f.request(agentBody).RunID
	}(), func() string {
		f.carryAgent("helper", "bob@example.com")
		return f.request(agentBody).RunID
	}()
	f.carryAgent("helper", "alice@example.com") // another token of the first
	if status := ok[events.RunStatus](f, "GET", Base+"/runs/"+own, ""); status.RunID != own {
		t.Errorf("by another token of its own it sees %+v", status)
	}
	for whose, id := range others {
		event := f.run(id)
		eventID := flow.EventID(event.ID, 1)
		f.wantRefused("reads "+whose, "GET", "/runs/"+id, "", 404, flow.CodeUnknownRun)
		f.wantRefused("reads by the short id "+whose, "GET", "/runs/"+flow.ShortID(id), "", 404, flow.CodeUnknownRun)
		f.wantRefused("reads the receipt of "+whose, "GET", "/runs/"+id+"/receipt", "", 404, flow.CodeUnknownRun)
		f.wantRefused("reads an event of "+whose, "GET", "/events/"+eventID, "", 404, flow.CodeUnknownEvent)
		f.wantRefused("ends "+whose, "POST", "/events/deescalate", `{"run_id":"`+id+`"}`, 404, flow.CodeUnknownRun)
		f.wantRefused("retries "+whose, "POST", "/events/retry", `{"run_id":"`+id+`"}`, 404, flow.CodeUnknownRun)
		f.wantRefused("cancels "+whose, "POST", "/runs/"+id+"/cancel", "", 404, flow.CodeUnknownRun)
		f.wantRefused("extends "+whose, "POST", "/runs/"+id+"/extend", `{"duration":600}`, 404, flow.CodeUnknownRun)
		f.wantRefused("repeats "+whose, "POST", "/runs/"+id+"/again", `{}`, 404, flow.CodeUnknownRun)
	}
	for _, filter := range []string{"", "status=requested", "status=escalated", "flow=prod-access", "flow=agent-access", "target=orders-db", "text=deploy"} {
		list := ok[events.RunList](f, "GET", Base+"/runs?"+filter, "")
		for _, r := range list.Runs {
			if r.RunID != own {
				t.Errorf("it is listed %s by %q", r.RunID, filter)
			}
		}
	}
	resp := f.send("GET", Base+"/runs?format=csv", "", nil)
	sheet, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode, err)
	}
	for whose, id := range others {
		if strings.Contains(string(sheet), id) {
			t.Errorf("the sheet has %s", whose)
		}
	}
	for _, filter := range []string{"requester=alice@example.com", "requester=bob@example.com", "approver=bob@example.com"} {
		f.wantRefused("asks about others by "+filter, "GET", "/runs?"+filter, "", 403, flow.CodeForbidden)
	}
	f.wantRefused("sees drift", "GET", "/drift", "", 403, flow.CodeForbidden)
	for _, name := range []string{"prod-access", "run-report", "by-hand"} {
		f.wantRefused("sees "+name, "GET", "/flows/"+name, "", 404, flow.CodeUnknownFlow)
	}
}

// There is no path by which anything is decided, and none of those that there are decides
// anything, whatever is in the body.
func TestAgent_Decides(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	withAgents(f)
	id := f.request(agentBody).RunID
	f.route(id)
	for _, path := range []string{"/events/approve", "/events/deny", "/events/extend", "/events/extend_deny", "/events/review", "/runs/" + id + "/approve", "/runs/" + id + "/deny", "/runs/" + id + "/review", "/runs/" + id + "/decide", "/tokens", "/tokens/x", "/users", "/identities", "/approve", "/flows/agent-access/approve"} {
		resp := f.send("POST", Base+path, `{"run_id":"`+id+`"}`, nil)
		if resp.StatusCode != 404 && resp.StatusCode != 405 {
			t.Errorf("POST %s is answered %d", path, resp.StatusCode)
		}
	}
	for _, extra := range []string{`"action":"approve"`, `"Action":"approve"`, `"actor":"bob@example.com"`, `"approve":true`, `"user_email":"bob@example.com"`, `"channel":"slack"`} {
		for path, body := range map[string]string{"/events/deescalate": `{"run_id":"` + id + `",` + extra + `}`, "/events/retry": `{"run_id":"` + id + `",` + extra + `}`, "/runs/" + id + "/cancel": `{` + extra + `}`, "/runs/" + id + "/extend": `{"duration":600,` + extra + `}`} {
			f.wantRefused(extra+" to "+path, "POST", path, body, 400, flow.CodeInvalid)
		}
	}
	if r := f.run(id); r.Status != flow.Requested || len(r.Approvals) != 0 {
		t.Errorf("the run is %s, with %d approvals", r.Status, len(r.Approvals))
	}
	if err := func() error { r := f.run(id); return r.MayDecide(alice.Actor, false, flow.ActionApprove) }(); flow.CodeOf(err) != flow.CodeSelfApproval {
		t.Errorf("the owner may approve: %v", err)
	}
}

// Floods are held back, and repetitions are one request.
func TestAgent_Floods(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	withAgents(f)
	repeated := ""
	for range 20 { // a replay
		resp := f.send("POST", Base+"/events/request", agentBody, header("Idempotency-Key", "once"))
		var out events.RequestOutput
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 || repeated != "" && out.RunID != repeated {
			t.Fatalf("%d, run %s, then %s, %v", resp.StatusCode, repeated, out.RunID, err)
		}
		repeated = out.RunID
	}
	for range store.DefaultAgentLimits.AtOnce - 1 {
		f.request(agentBody)
	}
	for n := range 5 {
		f.wantRefused(fmt.Sprintf("request %d too many", n), "POST", "/events/request", agentBody, 429, flow.CodeAgentLimit)
	}
	f.carryAgent("helper", "alice@example.com") // another token is no other agent
	f.wantRefused("by another token", "POST", "/events/request", agentBody, 429, flow.CodeAgentLimit)
	f.wantRefused("by asking again", "POST", "/runs/"+f.withdrawn(repeated)+"/again", strings.Repeat(" ", 3)+`{"purpose":"`+strings.Repeat("x", 501)+`"}`, 400, flow.CodeInvalid)
	if n := len(f.runsOf(t)); n != store.DefaultAgentLimits.AtOnce {
		t.Errorf("there are %d runs", n)
	}
	// To ask again is to ask: the one that was withdrawn leaves room for one.
	again := "/runs/" + repeated + "/again"
	if once := f.send("POST", Base+again, `{"purpose":"find order 42"}`, nil); once.StatusCode != http.StatusOK {
		t.Errorf("asking again is answered %d", once.StatusCode)
	}
	f.wantRefused("asking again too often", "POST", again, `{"purpose":"find order 42"}`, 429, flow.CodeAgentLimit)
}

// The token says nothing more once it is revoked, nor once its owner has left.
func TestAgent_Over(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	withAgents(f)
	id := f.request(agentBody).RunID
	who := store.User{Actor: bob.Actor, Role: store.RoleMember}
	if _, err := f.api.Submit.ShutOut(t.Context(), id, who); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("somebody else shuts the agent out: %v", err)
	}
	left := alice
	left.Role = store.RoleDeactivated
	if _, err := f.api.Submit.ShutOut(t.Context(), id, left); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("an owner who left shuts the agent out: %v", err)
	}
	if _, err := f.api.Submit.ShutOut(t.Context(), id, alice); err != nil {
		t.Fatal(err)
	}
	f.wantRefused("asks with the revoked token", "POST", "/events/request", agentBody, 401, flow.CodeUnauthenticated)
	f.wantRefused("reads with the revoked token", "GET", "/runs/"+id, "", 401, flow.CodeUnauthenticated)
	f.carryAgent("orphan", "gone@example.com")
	f.wantRefused("an agent whose owner has left", "POST", "/events/request", agentBody, 403, flow.CodeForbidden)
	f.carryAgent("guests", "guest@example.com")
	f.wantRefused("an agent of a guest", "POST", "/events/request", agentBody, 403, flow.CodeForbidden)
}
