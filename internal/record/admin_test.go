package record_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

// acts are what the samples of events/testdata tell of, one of each act.
func acts() []flow.Act {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	aws := flow.Principal{Kind: flow.PrincipalAWS, Name: "arn:aws:sts::123456789012:assumed-role/platform/lead"}
	deploy := flow.Principal{Kind: flow.PrincipalDeploy, Name: "arn:aws:cloudformation:us-east-1:123456789012:stack/sym-flows/1f0c"}
	person := flow.Subject{Kind: "person", ID: alice.ID, Name: alice.Email}
	token := flow.Subject{Kind: "token", ID: "0123456789ab", Name: "ci"}
	run := flow.RunIDFrom("acme", "sample")
	bot := flow.Principal{Kind: flow.PrincipalBot, Name: "terraform, for carol@example.com", ID: "0123456789ab"}
	target := flow.Subject{Kind: "target", ID: flow.TargetID("acme", "orders-db"), Name: "orders-db"}
	sample := func(by flow.Principal, name flow.ActName, about flow.Subject, fields map[string]any) flow.Act {
		a := flow.NewAct(flow.Author{By: by, At: at}, name, about, fields)
		a.ID = flow.RunIDFrom("acme", string(name))
		return a
	}
	refused := sample(flow.ByPerson(bob), flow.ActRefuse, flow.Subject{Kind: "run", ID: run, Name: "prod-access"}, map[string]any{
		"action": "approve", "error": map[string]any{"message": "only @lead can decide this request", "code": "Auth:FORBIDDEN"},
	})
	refused.Result, refused.Count, refused.Last = flow.ActRefused, 3, at.Add(2*time.Hour)
	redriven := sample(aws, flow.ActRedrive, flow.Subject{Kind: "bucket", Name: "sym-flows-deadletterbucket-1f0c"}, map[string]any{"handled": 3, "left": 1})
	redriven.Result = flow.ActFailed
	return []flow.Act{
		sample(aws, flow.ActTokenCreate, token, map[string]any{"owner": "carol@example.com", "label": "pipeline", "expires_at": "2026-05-31T09:00:00Z", "flows": []string{"deploy"}}),
		sample(aws, flow.ActTokenSetOwner, token, map[string]any{"owner": "bob@example.com", "former_owner": "carol@example.com"}),
		sample(aws, flow.ActTokenRevoke, token, map[string]any{"owner": "bob@example.com"}),
		sample(aws, flow.ActIdentitySet, person, map[string]any{"service": "okta", "service_id": "acme.okta.com", "user_id": "00u2", "former_user_id": "00u1"}),
		sample(aws, flow.ActIdentityDelete, person, map[string]any{"service": "okta", "service_id": "acme.okta.com", "former_user_id": "00u2"}),
		sample(flow.ByPerson(bob), flow.ActAccountConfirm, person, map[string]any{"account": "U025ALICE in T025ACME", "former_account": "U024ALICE in T024ACME"}),
		sample(flow.ByPerson(bob), flow.ActMoveConfirm, flow.Subject{Kind: "workspace"}, map[string]any{"moves": []map[string]any{{"from": "T024ACME", "to": "T025ACME"}}}),
		sample(flow.Operator, flow.ActEndConfirm, flow.Subject{Kind: "workspace"}, map[string]any{"people": 12}),
		sample(deploy, flow.ActPublish, flow.Subject{Kind: "flow", Name: "prod-access"}, map[string]any{"version": "1.0.4", "former_version": "1.0.3"}),
		sample(deploy, flow.ActWithdraw, flow.Subject{Kind: "flow", Name: "staging-access"}, map[string]any{"former_version": "1.0.1"}),
		sample(deploy, flow.ActConfigure, flow.Subject{Kind: "settings"}, map[string]any{
			"settings": map[string]any{"logRetention": "30"}, "former_settings": map[string]any{"logRetention": "90"},
		}),
		sample(bot, flow.ActEntityCreate, target, map[string]any{"owner": "api", "type": "okta_group", "request_id": "5b2a4f0e-93c5-4b6e-9a3e-6f2f3c1d0b7a", "digest": strings.Repeat("0a", 32)}),
		sample(bot, flow.ActEntityUpdate, target, map[string]any{
			"owner": "api", "type": "okta_group", "request_id": "8f1f7a52-0c1b-4d4e-8f57-2b0c9d6e4a11", "digest": strings.Repeat("0b", 32), "former_digest": strings.Repeat("0a", 32), "former_name": "orders",
		}),
		sample(aws, flow.ActEntityDelete, target, map[string]any{"owner": "api", "type": "okta_group", "former_digest": strings.Repeat("0b", 32)}),
		sample(bot, flow.ActEntityPropose, target, map[string]any{
			"owner": "api", "type": "okta_group", "change": "update", "request_id": "0f0e9a52-0c1b-4d4e-8f57-2b0c9d6e4a11", "digest": strings.Repeat("0c", 32), "former_digest": strings.Repeat("0b", 32),
		}),
		sample(bot, flow.ActProposalsAsk, flow.Subject{Kind: "run", ID: run, Name: "configure"}, map[string]any{
			"token": "5f0c1d2e3a4b", "owner": "carol@example.com", "digest": strings.Repeat("0d", 32), "count": 3, "wider": 1,
		}),
		sample(bot, flow.ActEntityDrop, target, map[string]any{
			"reason": "the run that lists it is denied", "run_id": run, "request_id": "0f0e9a52-0c1b-4d4e-8f57-2b0c9d6e4a11", "digest": strings.Repeat("0c", 32),
		}),
		sample(bot, flow.ActEntityOffer, target, map[string]any{"owner": "api", "type": "okta_group", "until": "2026-04-01T09:00:00Z", "digest": strings.Repeat("0b", 32), "former_digest": strings.Repeat("0b", 32)}),
		sample(deploy, flow.ActEntityHandOver, target, map[string]any{"owner": "files", "former_owner": "api", "type": "okta_group", "digest": strings.Repeat("0b", 32), "former_digest": strings.Repeat("0b", 32)}),
		redriven,
		sample(flow.Operator, flow.ActReplay, flow.Subject{Kind: "log_destination", Name: "lake"}, map[string]any{"from": 0, "former_next": 1204}),
		sample(aws, flow.ActRecover, flow.Subject{Kind: "run", ID: run, Name: "prod-access"}, map[string]any{"expires_at": "2026-03-02T10:00:00Z"}),
		sample(flow.Operator, flow.ActErase, flow.Subject{Kind: "person", Name: "erased-k3vq7a2xbn4m"}, map[string]any{"changed": 12}),
		refused,
	}
}

func adminSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(events.AdminRecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("admin_record.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("admin_record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestOfAct: there is a sample of each act, as it is recorded, which the schema takes.
func TestOfAct(t *testing.T) {
	t.Parallel()
	schema, all := adminSchema(t), acts()
	for _, name := range flow.ActNames {
		if !slices.ContainsFunc(all, func(a flow.Act) bool { return a.Name == name }) {
			t.Errorf("no sample of %s", name)
		}
	}
	for _, act := range all {
		b, err := json.MarshalIndent(record.OfAct(act), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s\n%v", b, err)
		}
		file := filepath.Join("..", "..", "events", "testdata", "admin_record_"+string(act.Name)+".json")
		if *update {
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(b)); diff != "" {
			t.Errorf("-sample +recorded (go test -update rewrites it):\n%s", diff)
		}
	}
}

// TestOfAct_Schema: the schema knows the acts that there are, and refuses others.
func TestOfAct_Schema(t *testing.T) {
	t.Parallel()
	schema := adminSchema(t)
	for what, spoil := range map[string]func(*events.AdminRecord){
		"an unknown act":       func(r *events.AdminRecord) { r.Event.Type = "token_delete" },
		"an id that is none":   func(r *events.AdminRecord) { r.ID = "17" },
		"an unknown result":    func(r *events.AdminRecord) { r.State.Status = "done" },
		"an unknown principal": func(r *events.AdminRecord) { r.Actor.Kind = "robot" },
		"an unknown subject":   func(r *events.AdminRecord) { r.About.Kind = "thing" },
		"nobody":               func(r *events.AdminRecord) { r.Actor.Name = "" },
		"a count of no time":   func(r *events.AdminRecord) { r.State.Count = 2 },
		"another type":         func(r *events.AdminRecord) { r.Type = "event" },
	} {
		r := record.OfAct(acts()[0])
		spoil(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("the schema allows %s", what)
		}
	}
	var known struct {
		Properties struct {
			Event struct {
				Properties struct{ Type struct{ Enum []flow.ActName } }
			}
		}
	}
	if err := json.Unmarshal([]byte(events.AdminRecordSchema), &known); err != nil {
		t.Fatal(err)
	}
	if got := known.Properties.Event.Properties.Type.Enum; !slices.Equal(got, flow.ActNames) {
		t.Errorf("the schema knows %v, want %v", got, flow.ActNames)
	}
}
