package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// TestConfig: the configuration API through API Gateway, by a token that may configure
// and by AWS credentials; each change is in the log of administrative acts.
func TestConfig(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	var refused map[string]any
	var token events.CreatedToken
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "terraform", Owner: "carol@example.com", Expires: "1d", Config: true}, a.signed, http.StatusOK, &token)
	mine := bearer(token.Value)
	null := json.RawMessage("null")

	a.ask("GET", "/api/v1/entities/runtimes", null, bearer(a.token("ci").Value), http.StatusForbidden, &refused)
	a.ask("GET", "/api/v1/entities/runtimes", null, bearer("no-such-token"), http.StatusUnauthorized, &refused)
	a.ask("GET", "/api/v1/signed/entities/runtimes", null, mine, http.StatusForbidden, &refused)

	var environment, flow, found map[string]any
	a.ask("POST", "/api/v1/entities/environments", map[string]any{"slug": "by-api", "integrations": map[string]any{}}, mine, http.StatusOK, &environment)
	approval := map[string]any{
		"slug": "by-api", "environment_id": environment["id"], "vars": map[string]any{}, "params": map[string]any{},
		"implementation": base64.StdEncoding.EncodeToString([]byte("from sym.sdk.annotations import reducer\n\n\n@reducer\ndef get_approvers(event):\n    return []\n")),
	}
	a.ask("POST", "/api/v1/entities/flows", approval, mine, http.StatusOK, &flow)
	path := "/api/v1/entities/flows/" + flow["id"].(string)
	a.ask("GET", path, null, mine, http.StatusOK, &found)
	if found["implementation"] != approval["implementation"] || found["slug"] != "by-api" {
		t.Errorf("read %v", found)
	}
	// What is outside of what the deployment lets it grant by is refused.
	a.ask("POST", "/api/v1/entities/integrations", map[string]any{
		"slug": "root", "type": "permission_context", "external_id": "123456789012",
		"settings": map[string]any{"cloud": "aws", "region": "us-east-1", "account_id": "123456789012", "external_id": "1478f2ad", "role_arn": "arn:aws:iam::123456789012:role/admin"},
	}, mine, http.StatusBadRequest, &refused)
	if errors, _ := refused["errors"].([]any); len(errors) != 1 || !strings.Contains(errors[0].(map[string]any)["message"].(string), "-c grants=") {
		t.Errorf("refused with %v", refused)
	}
	// Python is looked at by the function that runs it.
	approval["implementation"] = "ZGVmIGdldF9hcHByb3ZlcnMoZTo="
	a.ask("PATCH", path, approval, mine, http.StatusBadRequest, &refused)
	if errors, _ := refused["errors"].([]any); len(errors) != 1 || errors[0].(map[string]any)["field"] != "implementation" {
		t.Errorf("refused with %v", refused)
	}
	var list []map[string]any
	a.ask("GET", "/api/v1/signed/entities/flows?slug=BY-API", null, a.signed, http.StatusOK, &list)
	if len(list) != 1 || list[0]["id"] != flow["id"] {
		t.Errorf("found %v", list)
	}
	a.ask("GET", "/api/v1/entities/flows", null, mine, http.StatusOK, &list)
	for path, authorise := range map[string]func(*http.Request, []byte){"/api/v1/entities/broken": mine, "/api/v1/signed/entities/broken": a.signed} {
		var broken events.BrokenList
		if a.ask("GET", path, null, authorise, http.StatusOK, &broken); broken.Broken == nil {
			t.Errorf("%s answers no list", path)
		}
		var all events.EntityList
		if a.ask("GET", strings.Replace(path, "broken", "all?after=", 1), null, authorise, http.StatusOK, &all); len(all.Entities) == 0 || all.Org == "" || all.Entities[0].Owner == "" {
			t.Errorf("beside %s, all is %+v", path, all)
		}
	}
	// What files have changes hands only if the API may name what it grants by.
	var all events.EntityList
	a.ask("GET", "/api/v1/entities/all", null, mine, http.StatusOK, &all)
	var offer events.OfferInput
	for _, e := range all.Entities {
		if e.Owner == "files" {
			offer.Entities = append(offer.Entities, events.OfferedEntity{Kind: e.Kind, ID: e.ID, Digest: e.Digest})
		}
	}
	a.ask("POST", "/api/v1/signed/entities/offer", offer, a.signed, http.StatusBadRequest, &refused)
	if errors, _ := refused["errors"].([]any); len(errors) == 0 || !strings.Contains(errors[0].(map[string]any)["message"].(string), "-c grants=") {
		t.Errorf("refused with %v", refused)
	}
	a.ask("DELETE", path, null, mine, http.StatusNoContent, nil)
	a.ask("GET", path, null, mine, http.StatusNotFound, &refused)
	a.ask("DELETE", "/api/v1/signed/entities/environments/"+environment["id"].(string), null, a.signed, http.StatusNoContent, nil)

	var acts []events.AdminRecord
	a.await("the records of the changes", func() bool {
		acts = nil
		for _, r := range a.acts {
			if strings.HasPrefix(r.Event.Type, "entity_") && r.About.Name == "by-api" {
				acts = append(acts, r)
			}
		}
		return len(acts) >= 4
	})
	who := map[string]string{}
	for _, r := range acts {
		who[r.Event.Type+" "+r.About.Kind] = r.Actor.Kind + " " + r.Actor.Name
	}
	for act, want := range map[string]string{
		"entity_create flow": "bot terraform, for carol@example.com", "entity_create environment": "bot terraform, for carol@example.com",
		"entity_delete flow": "bot terraform, for carol@example.com", "entity_delete environment": "aws arn:aws:iam::" + accountID + ":user/admin",
	} {
		if who[act] != want {
			t.Errorf("%s was recorded as of %q, want %q", act, who[act], want)
		}
	}
}

// TestConfig_Approval: where changes need approval, they are proposals of the token until a
// run that lists them is approved; what is denied is dropped. The owner of the token can't
// approve.
func TestConfig_Approval(t *testing.T) {
	t.Parallel()
	a := openApproving(t, "configure")
	approved := maps.Clone(flows)
	approved["configure.yaml"] = `
kind: flow
name: configure
environment_id: main
params:
  prompt_fields: [{name: changes, type: string, label: Changes}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#general", timeout: 30m}]
`
	if answer := a.deploy(approved); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}
	var token, other events.CreatedToken
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "terraform", Owner: "lead@example.com", Expires: "1d", Config: true}, a.signed, http.StatusOK, &token)
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "other", Owner: "bob@example.com", Expires: "1d", Config: true}, a.signed, http.StatusOK, &other)
	mine, theirs := bearer(token.Value), bearer(other.Value)
	null := json.RawMessage("null")
	var refused, created, found map[string]any
	target := map[string]any{"type": "aws_lambda_function", "slug": "orders", "label": "Orders", "settings": map[string]any{"arn": grantARN}}
	a.ask("POST", "/api/v1/signed/entities/access-targets", target, a.signed, http.StatusForbidden, &refused)
	a.ask("POST", "/api/v1/entities/access-targets", target, mine, http.StatusOK, &created)
	path := "/api/v1/entities/access-targets/" + created["id"].(string)
	var runtime, environment map[string]any
	a.ask("POST", "/api/v1/entities/runtimes", map[string]any{"slug": "proposed"}, mine, http.StatusOK, &runtime)
	a.ask("POST", "/api/v1/entities/environments", map[string]any{"slug": "proposed", "runtime_id": runtime["id"], "integrations": map[string]any{}}, mine, http.StatusOK, &environment)
	a.ask("GET", path, null, mine, http.StatusOK, &found)
	a.ask("GET", path, null, theirs, http.StatusNotFound, &refused)

	table := dynamo.New(a.table.Config(), dynamotest.TableName, time.Now)
	// ask lets a minute pass for what was proposed, and gives the run that lists it.
	ask := func() (run string) {
		t.Helper()
		page, err := table.List(t.Context(), store.Query{By: store.ByStatus, Value: store.KindProposed.Key(token.ID)})
		a.must(err)
		for _, item := range page.Items {
			item.Index.Created, item.Writer = item.Index.Created.Add(-2*time.Minute), store.NewWriter()
			_, err := table.Put(t.Context(), item)
			a.must(err)
		}
		before := a.runs()
		a.sweep()
		a.await("the run", func() bool {
			for id := range a.runsLocked() {
				if !before[id] {
					run = id
				}
			}
			return run != ""
		})
		a.must(a.slack.Wait(deadline.Context(t), func() bool { return strings.Contains(a.slack.As("lead").Channel("#general"), flow.ShortID(run)) }))
		return run
	}
	run := ask()
	var list events.ProposalList
	a.ask("GET", "/api/v1/signed/entities/proposals", null, a.signed, http.StatusOK, &list)
	if len(list.Proposals) != 1 || len(list.Proposals[0].Changes) != 3 || list.Proposals[0].Owner != "lead@example.com" {
		t.Errorf("what waits for approval is %+v", list)
	}
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.await("it to be in force", func() bool { return inForce(t, table, created["id"].(string)) })

	// What was proposed is dropped if it is denied.
	a.ask("DELETE", path, null, mine, http.StatusNoContent, nil)
	a.ask("GET", path, null, mine, http.StatusNotFound, &refused)
	denied := ask()
	if denied == run {
		t.Error("one run lists both")
	}
	a.must(a.slack.As("bob").Click("", "Deny"))
	a.await("the proposal to be dropped", func() bool {
		page, err := table.List(t.Context(), store.Query{By: store.ByStatus, Value: store.KindProposed.Key(token.ID)})
		return err == nil && len(page.Items) == 0
	})
	a.ask("GET", path, null, mine, http.StatusOK, &found)

	a.await("the records", func() bool {
		seen := map[string]bool{}
		for _, r := range a.acts {
			seen[r.Event.Type] = true
		}
		return seen["entity_propose"] && seen["proposals_ask"] && seen["entity_create"] && seen["entity_drop"]
	})
}

// inForce tells whether a target is.
func inForce(t *testing.T, table store.Store, id string) bool {
	e, err := store.Entities{Store: table, Org: "sym"}.Get(t.Context(), entity.KindTarget, id)
	return err == nil && e.Alive()
}

// TestConfig_Run: a whole run through a flow that the API alone has made. Access that is
// live is taken away though all that it was made of is deleted meanwhile.
func TestConfig_Run(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	create := func(collection string, body map[string]any) string {
		t.Helper()
		var created map[string]any
		a.ask("POST", "/api/v1/signed/entities/"+collection, body, a.signed, http.StatusOK, &created)
		id, _ := created["id"].(string)
		return id
	}
	workspace := create("integrations", map[string]any{"slug": "workspace", "type": "slack", "external_id": "T0LOCAL", "settings": map[string]any{}})
	errors := create("error-loggers", map[string]any{"integration_id": workspace, "destination": "#sym-errors"})
	environment := create("environments", map[string]any{"slug": "by-api", "integrations": map[string]any{"slack_id": workspace}, "error_logger_id": errors})
	target := create("access-targets", map[string]any{"type": "aws_lambda_function", "slug": "orders", "label": "Orders database", "settings": map[string]any{"arn": grantARN}})
	context := create("integrations", map[string]any{"slug": "account", "type": "permission_context", "external_id": accountID, "settings": map[string]any{}})
	strategy := create("access-strategies", map[string]any{"type": "aws_lambda", "slug": "by-api", "integration_id": context, "targets": []string{target}, "settings": map[string]any{}})
	made := create("flows", map[string]any{"slug": "by-api", "environment_id": environment, "implementation": "", "vars": map[string]any{}, "params": map[string]any{
		"strategy_id": strategy,
		"prompt_fields": []any{
			map[string]any{"name": "reason", "type": "string", "label": "Why"},
			map[string]any{"name": "duration", "type": "duration", "allowed_values": []string{"1s", "1h"}},
		},
		"approval": map[string]any{"approvers": []string{"group:platform"}, "notify": []any{map[string]any{"channel": "#access-prod"}}},
	}})
	published := store.Flows{Store: dynamo.New(a.table.Config(), dynamotest.TableName, time.Now)}
	// comes waits until the flow can be asked for, or can't any more.
	comes := func(want bool) {
		t.Helper()
		for calls := -1; ; { // the first may see a part of it
			a.await("config to have been called to make flows", func() bool {
				before := calls
				calls = 0
				for _, i := range a.invocations {
					if i.function == "config" && i.failed == nil && bytes.Contains(i.payload, []byte(`"assemble"`)) {
						calls++
					}
				}
				return calls > before
			})
			_, err := published.Latest(t.Context(), "by-api")
			if err != nil && flow.CodeOf(err) != flow.CodeUnknownFlow {
				t.Fatal(err)
			}
			if want == (err == nil) {
				return
			}
		}
	}
	comes(true)
	run := a.request("alice", "by-api", "#access-prod", accessFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.ended(g, run)
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	if answer := a.deploy(flows); answer.Status != "SUCCESS" { // which says nothing of that flow
		t.Fatalf("publish answered %+v", answer)
	}
	live := a.request("alice", "by-api", "#access-prod", map[string]string{"Target": "Orders database", "Why": "to fix an order", "duration": "1 hour"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, live)
	for _, gone := range []string{"flows/" + made, "access-strategies/" + strategy, "access-targets/" + target, "integrations/" + context, "environments/" + environment} {
		a.ask("DELETE", "/api/v1/signed/entities/"+gone, nil, a.signed, http.StatusNoContent, nil)
	}
	comes(false)
	a.must(a.slack.As("bob").Click("", "Revoke"))
	a.ended(g, live)
}
