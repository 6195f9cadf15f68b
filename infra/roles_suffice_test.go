package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/events"
	adminapi "github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditlog"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/later"
	"github.com/symflows/symflows/internal/aws/schedule"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	destinations "github.com/symflows/symflows/internal/destination/clients"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	reportOf "github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
	"github.com/symflows/symflows/internal/strategy/postgres/postgresfake"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

const (
	region      = "us-east-1"
	roleARN     = "arn:aws:iam::" + awstest.Account + ":role/schedules"
	machineARN  = "arn:aws:states:" + region + ":" + awstest.Account + ":stateMachine:sym-flows"
	removalARN  = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-removal"
	sdkARN      = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-sdk"
	servicesARN = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-services"
	formsARN    = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-slack"
	apiARN      = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-api"
	configARN   = "arn:aws:lambda:" + region + ":" + awstest.Account + ":function:sym-flows-config"
	slackARN    = "arn:aws:secretsmanager:" + region + ":" + awstest.Account + ":secret:SlackSecret-a1B2c3"
	signingARN  = "arn:aws:secretsmanager:" + region + ":" + awstest.Account + ":secret:SlackSigningSecret-a1B2c3"
	logKeyARN   = "arn:aws:secretsmanager:" + region + ":" + awstest.Account + ":secret:LogKey-a1B2c3"
	recordsURL  = "https://sqs." + region + ".amazonaws.com/" + awstest.Account + "/records.fifo"
	deadURL     = "https://sqs." + region + ".amazonaws.com/" + awstest.Account + "/dead.fifo"
	laterURL    = "https://sqs." + region + ".amazonaws.com/" + awstest.Account + "/later-"
)

// Another account, in which a role lets us act.
const (
	connectorAccount = "210987654321"
	personARN        = "arn:aws:iam::" + awstest.Account + ":role/alice"
	connectorARN     = "arn:aws:iam::" + connectorAccount + ":role/sym/connector"

	managementAccount = "310987654321" // which has Identity Center
	managementRole    = "arn:aws:iam::" + managementAccount + ":role/sym/"
)

// account is an AWS account in which this stack is deployed: a table, and
// services that take every call, but only from those roles that
// have the right to ask.
type account struct {
	t     *testing.T
	guard *awstest.Guard
	cfg   aws.Config
	table *dynamotest.Server
	owner aws.Config // of whoever owns the account, to see what is in the table
	slack string     // address of Slack's Web API
	clock *clockwork.FakeClock
	vendors

	mu        sync.Mutex
	schedules map[string]bool
}

func newAccount(t *testing.T) *account {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	a := &account{t: t, vendors: newVendors(t, clock.Now), clock: clock, table: dynamotest.Start(t), schedules: map[string]bool{}}
	table, services := a.table, awstest.Service(a.answer)
	// Where a role lets us in, it is up to that account what the role may do.
	elsewhere := awsfake.New()
	elsewhere.STS.AddKey("AccessRole", "secret")
	elsewhere.STS.AddKey("DriftRole", "secret")
	elsewhere.STS.AddKey("DeliverRole", "secret")
	elsewhere.STS.FederateOutbound() // for vendors who take AWS's word on who we are
	a.vendors.tailscale.Trust(elsewhere.STS.Trusted)
	a.vendors.entra.Trust(elsewhere.STS.Trusted)
	elsewhere.STS.FederateOutbound() // for vendors who take AWS's word on who we are
	a.vendors.tailscale.Trust(elsewhere.STS.Trusted)
	elsewhere.STS.AddRole(connectorARN, "1f0c1f0c")
	elsewhere.IAM.AddUser(connectorAccount, "/", "alice@example.com", nil)
	elsewhere.IAM.AddGroup(connectorAccount, "/", "ops")
	elsewhere.STS.AddRole(managementRole+"identity-center", "1f0c1f0c")
	elsewhere.STS.AddRole(managementRole+"account-access", "1f0c1f0c")
	center := elsewhere.IdentityCenter
	center.AddInstance(managementAccount, "arn:aws:sso:::instance/ssoins-1234567890abcdef", "d-1234567890", "arn:aws:account-access:us-east-1:"+managementAccount+":application/app-1234")
	center.AddUser(managementAccount, "a1b2c3d4e5-11111111-2222-3333-4444-555555555555", "alice", "alice@example.com")
	center.AddGroup(managementAccount, "a1b2c3d4e5-aaaaaaaa-2222-3333-4444-555555555555", "On call")
	center.AddRole(managementAccount, "arn:aws:iam::"+connectorAccount+":role/ProdAdmin")
	elsewhere.KMS.AddKey("arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", oktafake.Key())
	elsewhere.EKS.AddPrincipal(personARN)
	elsewhere.EKS.AddCluster(awstest.Account, region, "main", "API")
	elsewhere.RDSData.AddCluster("arn:aws:rds:"+region+":"+awstest.Account+":cluster:orders", postgresfake.New(18))
	elsewhere.RDSData.AddSecret("arn:aws:secretsmanager:"+region+":"+awstest.Account+":secret:/sym/main/postgres-a1B2c3", postgresfake.Login)
	a.guard = &awstest.Guard{
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB"):
				table.ServeHTTP(w, r)
			case regexp.MustCompile("/(sts|eks|kms|rds-data)/aws4_request").MatchString(r.Header.Get("Authorization")):
				elsewhere.ServeHTTP(w, r)
			default:
				services.ServeHTTP(w, r)
			}
		}),
		Refused: func(c awstest.Call, why string) { t.Errorf("refused %+v: %s", c, why) },
	}
	values := map[string]string{
		"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": awstest.Account,
		"Table.Arn":          "arn:aws:dynamodb:" + region + ":" + awstest.Account + ":table/" + dynamotest.TableName,
		"AuditStream.Arn":    "arn:aws:firehose:" + region + ":" + awstest.Account + ":deliverystream/sym-flows",
		"AdminStream.Arn":    "arn:aws:firehose:" + region + ":" + awstest.Account + ":deliverystream/sym-flows-admin",
		"LogQueue.Arn":       "arn:aws:sqs:" + region + ":" + awstest.Account + ":records.fifo",
		"LogDeadLetters.Arn": "arn:aws:sqs:" + region + ":" + awstest.Account + ":dead.fifo", "LogKey": logKeyARN,
		"GrantLooks.Arn":   "arn:aws:sqs:" + region + ":" + awstest.Account + ":later-grants",
		"RemovalQueue.Arn": "arn:aws:sqs:" + region + ":" + awstest.Account + ":later-removals",
		"SweepQueue.Arn":   "arn:aws:sqs:" + region + ":" + awstest.Account + ":later-sweep",
		"SlackSecret":      slackARN, "SlackSigningSecret": signingARN,
	}
	for id, r := range standard(t).Resources { // no call names the others
		for _, name := range []string{id, id + ".Arn", id + ".StreamArn"} {
			if _, known := values[name]; !known {
				values[name] = r.Type
			}
		}
	}
	if err := a.guard.ReadRights(filepath.Join("testdata", "rights.txt"), values); err != nil {
		t.Fatal(err)
	}
	assumed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=ASIA") {
			if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "Firehose") { // a stream that takes all
				services.ServeHTTP(w, r)
				return
			}
			elsewhere.ServeHTTP(w, r)
			return
		}
		a.guard.ServeHTTP(w, r)
	})
	a.cfg, a.owner = awstest.Config(t, assumed), awstest.Config(t, table)
	server := httptest.NewServer(http.HandlerFunc(answerAsSlack))
	t.Cleanup(server.Close)
	a.slack = server.URL
	return a
}

// answer is that of a service which takes what it is asked.
func (a *account) answer(operation string, input []byte) (any, error) {
	switch operation {
	case "StartExecution":
		return map[string]any{"executionArn": "arn", "startDate": 0}, nil
	case "GetSecretValue":
		var in struct{ SecretId string }
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		if value, ok := a.secret(in.SecretId); ok {
			return map[string]any{"SecretString": value}, nil
		}
		return map[string]any{"SecretString": `{"bot_token":"xoxb-test","team_id":"T1"}`}, nil
	case "PutRecordBatch":
		var in struct{ Records []any }
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		return map[string]any{"FailedPutCount": 0, "RequestResponses": slices.Repeat([]any{map[string]any{"RecordId": "1"}}, len(in.Records))}, nil
	case "SendMessage":
		var in struct{ MessageBody string }
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		sum := md5.Sum([]byte(in.MessageBody))
		return map[string]any{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])}, nil
	case "SendMessageBatch":
		var in struct {
			Entries []struct{ ID, MessageBody string }
		}
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		sum := md5.Sum([]byte(in.Entries[0].MessageBody)) // which the client checks
		return map[string]any{"Successful": []any{map[string]any{"Id": in.Entries[0].ID, "MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])}}}, nil
	}
	if strings.Contains(operation, "-sdk/") { // who somebody is, and nothing else, is defined
		result := map[string]any{"state": "absent"}
		if strings.Contains(string(input), `"method":"fetch_remote_identity"`) {
			result = map[string]any{"state": "returned", "value": "alice"}
		}
		return map[string]any{"version": 1, "results": []any{result}}, nil
	}
	if name, ok := strings.CutPrefix(operation, "POST /schedules/"); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.schedules[name] {
			return nil, &awstest.Fault{Status: http.StatusConflict, Code: "ConflictException", Message: "it is there"}
		}
		a.schedules[name] = true
	}
	return map[string]any{}, nil // of a function, too
}

// people are alice, who asks, and bob, who decides.
var people = map[string]string{"U024ALICE": "alice@example.com", "U024BOB": "bob@example.com"}

// left is what the ids of people begin with who were deactivated.
const left = "U0LEFT"

// answerAsSlack knows people, and a user group that has bob.
func answerAsSlack(w http.ResponseWriter, r *http.Request) {
	var body any
	switch user := r.FormValue("user"); r.URL.Path {
	case "/users.lookupByEmail":
		user = "U024ALICE"
		fallthrough
	case "/users.info":
		body = map[string]any{"ok": true, "user": map[string]any{"id": user, "team_id": "T1", "deleted": strings.HasPrefix(user, left), "profile": map[string]any{"email": people[user]}}}
	case "/usergroups.list":
		body = map[string]any{"ok": true, "usergroups": []any{map[string]any{"id": "S1", "handle": "platform"}}}
	case "/usergroups.users.list":
		body = map[string]any{"ok": true, "users": []string{"U024BOB"}}
	case "/chat.postMessage":
		body = map[string]any{"ok": true, "channel": "C1", "ts": "2.0"}
	default:
		body = map[string]any{"ok": false, "error": "unknown_method"}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// as is what a function in the role starts from, with the settings of all.
func (a *account) as(role string) core.Deployed {
	cfg := a.cfg
	cfg.Credentials = credentials.NewStaticCredentialsProvider(role, "secret", "")
	settings := config.Settings{
		Org: "sym", Patience: deadline.LastResort, Slack: config.Slack{APIURL: a.slack},
		AWS: config.AWS{
			Table: dynamotest.TableName, StateMachine: machineARN, ScheduleGroup: "sym-flows", ScheduleRole: roleARN, ScheduleDeadLetters: "queue",
			RemovalFunction: removalARN, AuditStream: "sym-flows", SlackSecret: slackARN, SlackSigningSecret: signingARN,
		},
	}
	return core.Deploy(settings, cfg, a.clock, slog.New(slog.DiscardHandler))
}

// nothingKept is a bucket of reports that keeps none.
type nothingKept struct{}

func (nothingKept) Has(context.Context, string) (bool, error) { return false, nil }

func (nothingKept) Put(_ context.Context, name, _ string, _ []byte) (string, error) { return name, nil }

// handlers asks Python handlers in a role.
func handlers(d core.Deployed) *sdk.Client {
	return d.Handlers(invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, sdkARN, sdk.Services{Function: servicesARN})
}

// must ends the test for an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// homeTab shows nothing.
type homeTab struct{}

func (homeTab) Show(context.Context, store.User) error { return nil }

// messenger takes all messages.
type messenger struct{}

func (messenger) Render(m workflow.Message, r flow.Run) ([]byte, error) {
	return []byte(m.Key() + string(r.Status)), nil
}
func (messenger) RenderNotice(store.Notice) ([]byte, error) { return []byte("notice"), nil }

func (messenger) Post(context.Context, workflow.Address, []byte) (string, string, error) {
	return "C1", "1.0", nil
}
func (messenger) Edit(context.Context, string, string, []byte) error { return nil }

// TestRightsSuffice: runs go from their request to their end, each part done in
// the role of its function, against services that refuse what the reviewed list
// does not allow. And what the list allows is needed: by the functions, or by
// Lambda, which reads streams and queues and writes logs for them.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()

	published, faults := catalog.Load(filepath.Join("testdata", "flows"), "sym", builtin.Types(), func(s flow.Source, isolated string) (flow.Outline, error) {
		return sdk.Here{}.Describe(ctx, s, isolated)
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	publish := a.as("PublishRole")
	for _, f := range published.Flows {
		if f.Implementation != nil {
			must(handlers(publish).Describe(ctx, *f.Implementation, ""))(t)
		}
	}
	publisher := workflow.Publish{Runs: publish.Runs, Flows: publish.Flows, Entities: publish.Entities, Rights: builtin.Rights}
	withdrawn := *published.Flows[0]
	withdrawn.Name = "withdrawn"
	dropped := published.Strategies[0]
	dropped.Name = "dropped" // which is looked for in what is live
	configure := *published.Flows[0]
	configure.Name, configure.Strategy, configure.Implementation = "configure", nil, nil
	configure.Params = flow.Params{
		PromptFields: []flow.PromptField{{Name: workflow.FieldChanges, Type: flow.FieldString, Visible: true}},
		Approval:     flow.Approval{Notify: []flow.Notify{{Channel: "#general"}}, Required: 1},
	}
	more := published.Configuration()
	more.Flows, more.Strategies = append(slices.Clone(more.Flows), &withdrawn, &configure), append(slices.Clone(more.Strategies), dropped)
	must(publisher.Whole(ctx, more))(t)
	for _, role := range []string{"PublishRole", "ConfigRole"} { // a log destination that the other hands over
		must(store.Destinations{Store: a.as(role).Runs.Store}.Cursor(ctx, published.LogDestinations[0]))(t)
	}
	filter := &flow.FlowsFilter{Implementation: flow.NewSource("filter.py", "def get_flows(user, flows, flows_filter_vars): ...")}
	if err := publish.Flows.PublishFilter(ctx, flow.Author{}, filter); err != nil {
		t.Fatal(err)
	}
	if err := publish.Flows.PublishSettings(ctx, flow.Author{}, map[string]string{"name": "sym-flows"}); err != nil {
		t.Fatal(err)
	}

	tokens := a.as("TokensRole")
	value, _, err := tokens.Tokens.Create(ctx, flow.Operator, store.Token{Bot: "ci", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, token, err := tokens.Tokens.Create(ctx, flow.Operator, store.Token{Bot: "old", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	must(tokens.Tokens.SetOwner(ctx, flow.Operator, token.ID, "bob@example.com"))(t)
	if err := tokens.Tokens.Revoke(ctx, flow.Operator, token.ID); err != nil {
		t.Fatal(err)
	}

	// Configuration comes by the API.
	config := a.as("ConfigRole")
	configured, err := config.Entities.Create(ctx, store.EntityChange{By: flow.Operator}, entity.Entity{Kind: entity.KindRuntime, Name: "main", Owner: entity.API, Attributes: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	configured.Attributes = json.RawMessage(`{"label":"Main"}`)
	must(config.Entities.Replace(ctx, store.EntityChange{By: flow.Operator}, configured))(t)
	must(config.Entities.Find(ctx, entity.KindRuntime, "main"))(t)
	must(config.Entities.All(ctx))(t)
	must(handlers(config).Describe(ctx, *flow.NewSource("impl.py", "def get_approvers(event): ..."), ""))(t)
	if _, _, err := config.Tokens.Check(ctx, value); err != nil {
		t.Fatal(err)
	}
	if err := config.Entities.Delete(ctx, store.EntityChange{By: flow.Operator}, entity.API, configured.Kind, configured.ID); err != nil {
		t.Fatal(err)
	}

	helper, _, err := tokens.Tokens.Create(ctx, flow.Operator, store.Token{Bot: "helper", Agent: true, Owner: "alice@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}

	for _, reader := range []string{"ApiRole", "SlackRole", "AccessRole"} { // is a target still there?
		must(a.as(reader).Entities.Get(ctx, configured.Kind, configured.ID))(t)
	}
	// Flows are made of it.
	if err := publish.Flows.PublishFilter(ctx, flow.Author{}, nil); err != nil {
		t.Fatal(err)
	}
	assembled := *published.Flows[0]
	assembled.Name = "assembled"
	half := entity.Entity{ID: configured.ID, Kind: entity.KindFlow, Name: "half", Owner: entity.API}
	assemble := config.Assemble(func(context.Context, []entity.Entity) ([]workflow.Part, error) {
		return []workflow.Part{
			{Entity: entity.Entity{Kind: entity.KindFlow, Name: assembled.Name, Owner: entity.API}, Flow: &assembled},
			{Entity: entity.Entity{Kind: entity.KindFlowsFilter, Owner: entity.API}, Filter: filter},
			{Entity: entity.Entity{Kind: entity.KindLogDestination, Name: "mine", Owner: entity.API}, Destination: &flow.LogDestination{Name: "mine", Type: "http", Environments: []string{"main"}}},
			{Entity: half, Faults: []string{"an environment is missing"}, Missing: []entity.Ref{{Kind: entity.KindEnvironment, ID: configured.ID}}},
		}, nil
	}, builtin.Rights)
	a.clock.Advance(workflow.ReplaceWithin)
	must(assemble.Run(ctx))(t)
	assemble.Parts = func(context.Context, []entity.Entity) ([]workflow.Part, error) { return nil, nil }
	must(assemble.Run(ctx))(t)
	if err := publish.Flows.PublishFilter(ctx, flow.Author{}, filter); err != nil {
		t.Fatal(err)
	}
	for _, waker := range []string{"RelayRole", "SweepRole"} {
		calls := a.as(waker)
		wake := calls.Wake(func(ctx context.Context) error {
			return invoke.Queue{API: lambda.NewFromConfig(calls.AWS), Function: configARN}.Put(ctx, []byte("{}"))
		})
		if err := errors.Join(wake.Due(ctx), wake.Changed(ctx, []store.Change{{Key: store.KindEntity.Key("flow#" + half.ID)}})); err != nil {
			t.Error(err)
		}
	}

	// An administrator says who somebody is where no strategy can find out.
	people := adminapi.People{Users: tokens.Users, Org: "sym", Now: a.clock.Now}
	if err := people.SetIdentity(ctx, events.Identity{Email: "alice@example.com", Service: "aws_eks", UserID: personARN}, flow.Operator); err != nil {
		t.Fatal(err)
	}

	// A program asks for access, twice.
	api := a.as("ApiRole")
	bot, token, err := api.Tokens.Check(ctx, value)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.Tokens.Check(ctx, other); flow.CodeOf(err) != flow.CodeUnauthenticated {
		t.Fatalf("got %v", err)
	}
	agent, ofAgent, err := api.Tokens.Check(ctx, helper)
	if err != nil {
		t.Fatal(err)
	}
	if err := (store.Agents{Runs: api.Runs, Now: a.clock.Now}).Count(ctx, agent, ofAgent.Limits, flow.NewRunID()); err != nil {
		t.Fatal(err)
	}
	must(api.Flows.List(ctx))(t)
	if _, _, err := api.Drifts.Get(ctx); err != nil {
		t.Fatal(err)
	}
	must(api.Messages.Get(ctx, "shown in Slack"))(t)
	submit := api.Submit(api.SlackDirectory(), builtin.CheckBound, handlers(api), nil)
	listing := a.approves(t, submit, value)
	var byAPI []string
	for _, f := range published.Flows {
		if f.Strategy == nil {
			continue
		}
		name, target := f.Name, f.Strategy.Targets[0]
		duration := 600.0
		if name == "tools" {
			duration = 60 // which is too late for a schedule
		}
		r, _, err := submit.RequestByAPI(ctx, workflow.APIRequest{
			Bot: bot, Token: token, FlowSRN: "sym:flow:" + name + ":1.0.1", UserEmail: "alice@example.com",
			Inputs: map[string]any{"target_srn": "sym:access_target:" + target.Type + ":" + target.Name + ":latest", "duration": duration},
		})
		if err != nil {
			t.Fatal(err)
		}
		byAPI = append(byAPI, r.ID)
		must(api.Runs.Get(ctx, r.ID))(t)
		must(api.Users.ByID(ctx, r.Requester.ID))(t)
		for _, q := range []store.Query{{By: store.ByRequester, Value: r.Requester.ID}, {By: store.ByFlow, Value: name}, {By: store.ByStatus, Value: string(r.Status)}} {
			if page := must(api.Runs.List(ctx, q))(t); len(page.Runs) == 0 {
				t.Errorf("nothing by %s", q.By)
			}
		}
	}
	for _, status := range flow.Statuses {
		must(api.Runs.List(ctx, store.Query{By: store.ByStatus, Value: string(status)}))(t)
	}

	if begun := must(api.Runs.Beginning(ctx, byAPI[0][:11], 0))(t); len(begun.Runs) != 1 {
		t.Errorf("a short id finds %d runs", len(begun.Runs))
	}

	// It asks for the options of a form which nobody has opened, and says who asks.
	choosing := must(api.Flows.Latest(ctx, "report"))(t)
	asks := must(api.Runs.Get(ctx, byAPI[0]))(t)
	asks.ID = ""
	must(workflow.Forms{Fields: handlers(api)}.Options(ctx, choosing, asks, "table"))(t)

	// People ask in Slack. Nobody will drive the second and the third.
	slack := a.as("SlackRole")
	workspace, _, err := slack.SignedSlack(ctx)
	if err != nil {
		t.Fatal(err)
	}
	must(slack.Flows.List(ctx))(t)
	must(slack.Flows.Filter(ctx))(t)
	report := must(slack.Flows.Latest(ctx, "report"))(t)
	alice, bob := must(workspace.Directory.Known(ctx, "U024ALICE"))(t), must(workspace.Directory.Known(ctx, "U024BOB"))(t)
	if err := (store.Agents{Runs: slack.Runs, Now: a.clock.Now}).ShutOut(ctx, flow.ByPerson(alice.Actor), agent, alice.Actor); err != nil {
		t.Fatal(err)
	}
	inSlack := slack.Submit(workspace.Directory, builtin.CheckBound, handlers(slack), nil)
	var inForms []string
	for _, trigger := range []string{"driven", "submitted", "clicked"} {
		r := must(inSlack.Prompt(ctx, workflow.Prompt{RunID: flow.RunIDFrom("sym", trigger), Flow: report, Actor: alice}))(t)
		must(slack.Forms(handlers(slack)).Open(ctx, report, r))(t)
		must(inSlack.Request(ctx, r.ID, alice.Actor, map[string]any{"table": "orders"}))(t)
		if err := (store.Forms{Store: slack.Runs.Store, Now: a.clock.Now}).Put(ctx, r.ID, report.OpenForm(nil), 0); err != nil {
			t.Fatal(err)
		}
		must(slack.Forms(nil).Form(ctx, r.ID))(t)
		inForms = append(inForms, r.ID)
	}
	submitted, clicked := inForms[1], inForms[2]
	if own := must(slack.Runs.List(ctx, store.Query{By: store.ByRequester, Value: alice.ID}))(t); len(own.Runs) == 0 {
		t.Error("/sym list finds no runs")
	}
	if begun := must(slack.Runs.Beginning(ctx, submitted[:8], 0))(t); len(begun.Runs) != 1 {
		t.Errorf("/sym show finds %d runs", len(begun.Runs))
	}
	must(slack.Messages.Get(ctx, submitted))(t)
	if err := (invoke.Queue{API: lambda.NewFromConfig(slack.AWS), Function: formsARN}).Put(ctx, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	approve := func(id string) {
		t.Helper()
		if _, _, err := inSlack.Click(ctx, workflow.Click{RunID: id, Action: flow.ActionApprove, Actor: bob, Channel: flow.ChannelSlack}); err != nil {
			t.Fatal(err)
		}
	}

	// Runs are driven, routed and shown; they wait; bob approves. What is known of
	// people is old by then.
	a.clock.Advance(10 * time.Minute)
	relay := a.as("RelayRole")
	relayDrives := workflow.Drive{
		Runs: relay.Runs, Now: a.clock.Now,
		Runner:  stepfn.Runner{API: sfn.NewFromConfig(relay.AWS), StateMachineARN: machineARN},
		Remover: invoke.Remover{API: lambda.NewFromConfig(relay.AWS), FunctionARN: removalARN},
	}
	run := func(id string) flow.Run { return must(relay.Runs.Get(ctx, id))(t) }
	changed := func(id string) store.Change { return store.Change{Key: store.KindRun.Key(id), Rev: run(id).Rev} }
	relayed := func(id string) {
		t.Helper()
		if err := (workflow.Relay{Drive: relayDrives}).Handle(ctx, changed(id)); err != nil {
			t.Fatal(err)
		}
	}
	step := func(tasks stepfn.Tasks, id string, s flow.Step) {
		t.Helper()
		must(tasks.Handle(ctx, stepfn.Input{Step: s, Run: id, Attempt: run(id).Execution.Attempt, Token: "token"}))(t)
	}
	approval := a.as("ApprovalRole")
	decides := must(approval.Approval(core.ApprovalPorts{
		Directory: approval.SlackDirectory(), Functions: invoke.Functions{API: lambda.NewFromConfig(approval.AWS)},
		Handlers: handlers(approval), Bound: builtin.CheckBound, FunctionTimeout: deadline.LastResort,
	}))(t)
	approves := stepfn.Tasks{
		Steps: map[flow.Step]stepfn.Task{flow.StepRoute: decides.Route, flow.StepDecide: decides.Decide, flow.StepForward: decides.Forward},
		Await: decides.Await, Runs: approval.Runs, Now: a.clock.Now,
		Runner: stepfn.Runner{API: sfn.NewFromConfig(approval.AWS), StateMachineARN: machineARN},
	}
	notify := a.as("NotifyRole")
	must(notify.Slack(ctx))(t)
	show := notify.Notify(messenger{}, homeTab{})
	// Home tabs are read when they are opened, and when a change is shown there.
	environment := report.Environment.Name
	opened := func(d core.Deployed, r flow.Run) {
		t.Helper()
		decides := append(slices.Clone(r.Deciders.People), bob.Actor)[0]
		if runs, _, err := d.Waits.For(ctx, decides); err != nil || len(runs) == 0 {
			t.Errorf("nothing waits for %s: %v", decides.Display(), err)
		}
		if days := must(d.Stats.Days(ctx, environment, a.clock.Now(), 1))(t); len(days[0].Of) == 0 {
			t.Error("nothing was counted")
		}
		must(d.Runs.List(ctx, store.Query{By: store.ByRequester, Value: alice.ID}))(t)
		must(d.Homes.Change(ctx, alice.Actor, func(h *store.Home) error {
			h.Who, h.Opened, h.Wanted = alice, a.clock.Now(), a.clock.Now().Add(time.Second)
			return nil
		}))(t)
	}
	for _, fate := range []error{errors.New("failed"), nil, nil} { // the last one has been taken
		if err := slack.Deliveries.Once(ctx, "Ev1", func(context.Context) error { return fate }); !errors.Is(err, fate) {
			t.Error(err)
		}
	}
	for _, id := range append(slices.Clone(byAPI), inForms[0], clicked) {
		relayed(id)
		step(approves, id, flow.StepRoute)
		if err := show.Handle(ctx, changed(id)); err != nil {
			t.Fatal(err)
		}
		opened(slack, run(id))
		opened(notify, run(id))
		step(approves, id, flow.StepAwait)
		approve(id)
		if id == clicked {
			continue
		}
		relayed(id)
		step(approves, id, flow.StepAwait) // which it need not any more
		step(approves, id, flow.StepDecide)
		step(approves, id, flow.StepDecide) // what is to run after it
		// Then it is found by who decided, and by its target if it has one.
		a.clock.Advance(2 * time.Second)
		if err := show.Handle(ctx, changed(id)); err != nil {
			t.Fatal(err)
		}
		found := []string{store.ListOfDecider(bob.ID)}
		if target := must(api.Runs.Get(ctx, id))(t); target.Target != nil {
			found = append(found, store.ListOfTarget(target.TargetID()))
		}
		for _, listed := range found {
			if page := must(api.Runs.List(ctx, store.Query{By: store.ByStatus, Value: listed}))(t); len(page.Runs) == 0 {
				t.Errorf("nothing is listed under %s", listed)
			}
		}
	}

	// Somebody has an emergency.
	hurt := flow.Actor{SlackID: "U1", SlackTeam: "T1"}
	if err := (store.Glass{Store: approval.Runs.Store}).Claim(ctx, hurt, byAPI[0], func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if run := must((store.Glass{Store: slack.Runs.Store}).Broken(ctx, hurt))(t); run != byAPI[0] {
		t.Errorf("the emergency is %q", run)
	}

	// Access is granted. A new configuration looks for what that needs.
	access := a.as("AccessRole")
	functions := lambda.NewFromConfig(access.AWS)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"body": {}, "errors": []}`) }))
	t.Cleanup(target.Close)
	a.vendors.addresses[""] = target.URL
	open := clients.Open(clients.Deps{
		Functions: invoke.Functions{API: functions}, Handlers: handlers(access), Secrets: access.Secrets, Now: a.clock.Now, Egress: egress.Through(a.vendors),
		AWS: func() (aws.Config, error) { return access.AWS, nil },
	})
	queue := func(d core.Deployed, name string) later.Queue {
		return later.Queue{API: sqs.NewFromConfig(d.AWS), URL: laterURL + name, Now: a.clock.Now}
	}
	looks := later.Looks{Grants: queue(access, "grants"), Removals: queue(access, "removals")}
	grants := must(access.Access(core.AccessPorts{
		Open: open, Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound, Handlers: handlers(access),
		Schedule: schedule.EventBridge{
			API: scheduler.NewFromConfig(access.AWS), Group: "sym-flows", FunctionARN: removalARN, RoleARN: roleARN, DeadLetterARN: "queue", Now: a.clock.Now,
		},
		Remover:     invoke.Remover{API: functions, FunctionARN: removalARN},
		Looks:       looks,
		CallTimeout: deadline.LastResort, Ahead: core.Ahead,
	}))(t)
	for _, id := range byAPI {
		step(stepfn.Tasks{Steps: map[flow.Step]stepfn.Task{flow.StepEscalate: grants.Escalate}, Runs: access.Runs, Now: a.clock.Now}, id, flow.StepEscalate)
		if r := run(id); r.Status != flow.Escalated {
			t.Fatalf("run of %s is %s: %+v", r.Flow, r.Status, r.Error)
		}
		if err := show.Handle(ctx, changed(id)); err != nil {
			t.Fatal(err)
		}
		for _, d := range []core.Deployed{slack, notify} {
			if live, _, err := d.Live.Of(ctx, environment, "", 0); err != nil || len(live) == 0 {
				t.Errorf("nobody has access: %v", err)
			}
		}
	}
	must(slack.Lingering.Get(ctx, report.Name))(t)
	if err := access.Limiter.Call(ctx, strategy.Pace{Key: "aws_sso", Calls: [3]int{5, 15, 20}}, strategy.Granting); err != nil {
		t.Fatal(err)
	}
	must(publisher.Whole(ctx, published.Configuration()))(t)
	must(access.Sick.Change(ctx, run(byAPI[0]).Access.At(), func(s flow.Sickness) flow.Sickness { return s.TimedOut("", false, a.clock.Now()) }))(t)
	for _, step := range []flow.EventName{flow.EventEscalate, flow.EventDeescalate} { // as for a target that needs time
		if err := looks.Later(ctx, byAPI[0], step, a.clock.Now()); err != nil {
			t.Errorf("a look for %s can't be asked for: %v", step, err)
		}
	}

	// Those who hold it are looked at, and the end of it may be asked for.
	standing := a.as("StandingRole")
	look := standing.Standing(must(standing.Slack(ctx))(t).Directory)
	must(look.Look(ctx))(t)
	unlisted := run(byAPI[0])
	unlisted.ID, unlisted.Rev, unlisted.Status, unlisted.Access, unlisted.Due = flow.NewRunID(), 0, flow.Denied, nil, time.Time{}
	must(store.Runs{Store: dynamo.New(a.owner, dynamotest.TableName, a.clock.Now)}.Put(ctx, unlisted))(t)
	must(standing.Relist().Some(ctx))(t)
	// What they hold is compared with what targets show.
	drift := a.as("DriftRole")
	linger := drift.Linger(func(flow.Strategy) (strategy.Strategy, error) { return lingers{}, nil }, func(flow.Strategy) bool { return true })
	if asked := must(linger.Ask(ctx))(t); asked == 0 {
		t.Error("no target was asked for how long sessions go on")
	}
	compare := drift.Reconcile(clients.Open(clients.Deps{AWS: func() (aws.Config, error) { return drift.AWS, nil }, Looking: true, Now: a.clock.Now, Limiter: drift.Limiter, Secrets: drift.Secrets, Egress: egress.Through(a.vendors)}), builtin.Observes)
	must(compare.Look(ctx))(t)
	if err := drift.Limiter.Call(ctx, strategy.Pace{Key: "aws_sso", Calls: [3]int{5, 15, 20}}, strategy.Looking); err != nil {
		t.Fatal(err)
	}
	must(drift.Runs.Change(ctx, byAPI[0], a.clock.Now, func(flow.Run) (flow.Input, error) { return flow.Miss{}, nil }))(t)
	must(drift.Runs.Change(ctx, byAPI[0], a.clock.Now, func(flow.Run) (flow.Input, error) { return flow.Find{}, nil }))(t)
	must(drift.Grants.Get(ctx, "a key"))(t)
	if err := drift.Notices.Tell(ctx, "drift", "a difference", ""); err != nil {
		t.Fatal(err)
	}

	must(standing.Runs.Change(ctx, byAPI[0], a.clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Receive{Action: flow.ActionDeescalate, Actor: flow.System, Channel: flow.ChannelInternal}, nil
	}))(t)

	// What happened in a month is reported.
	reporting := a.as("ReportRole")
	reports := reporting.Reports(reportOf.InAWS("outputs.json", "audit", "log"), nothingKept{})
	month := a.clock.Now().UTC()
	month = month.AddDate(0, 0, 1-month.Day()).Truncate(24 * time.Hour)
	if err := notify.Stats.Carry(ctx, flow.NewRunID(), month); err != nil {
		t.Fatal(err)
	}
	if page := must(reports.Keep(ctx, month))(t); page == "" {
		t.Error("nothing was reported")
	}

	// It ends, with what was not driven being driven, and audit records shipped.
	a.clock.Advance(20 * time.Minute)
	sweep := a.as("SweepRole")
	sweeps := sweep.Sweep(workflow.Drive{
		Runs: sweep.Runs, Now: a.clock.Now,
		Runner:  stepfn.Runner{API: sfn.NewFromConfig(sweep.AWS), StateMachineARN: machineARN},
		Remover: invoke.Remover{API: lambda.NewFromConfig(sweep.AWS), FunctionARN: removalARN},
	}, core.Ahead)
	if swept, want := must(sweeps.Run(ctx))(t), len(byAPI)+len([]string{submitted, clicked, listing}); swept.Driven != want || swept.Failed != 0 || swept.Overdue != len(byAPI) {
		t.Errorf("swept %+v, not %d", swept, want)
	}
	if err := queue(sweep, "sweep").Put(ctx, byAPI[0], a.clock.Now()); err != nil { // as for an end that is a while away
		t.Errorf("the sweep can't hand an end over early: %v", err)
	}
	handed := auditqueue.Queue{API: sqs.NewFromConfig(relay.AWS), URL: recordsURL}
	for _, id := range byAPI {
		relayed(id)
		if err := grants.OnTime(ctx, id); err != nil {
			t.Fatal(err)
		}
		a.clock.Advance(5 * time.Second)
		if err := grants.Look(ctx, id); err != nil { // where the target can be read, for the second time
			t.Fatal(err)
		}
		if r := run(id); r.Status != flow.Deescalated {
			t.Errorf("run of %s is %s: %+v", r.Flow, r.Status, r.Error)
		} else if r.Flow == "clusters" { // who else is there, and, after a lost answer, whether the cluster is
			clusters := must(open(r.Access.Strategy))(t)
			must(clusters.(strategy.Lister).Holders(ctx, r.Access.Target))(t)
			must(clusters.Revoke(ctx, strategy.Call{Target: r.Access.Target, Identity: r.Access.Identity}))(t)
		}
		if err := relay.Audit(nil, nil).HandOn(ctx, []store.Change{changed(id)}, handed); err != nil {
			t.Fatal(err)
		}
	}

	a.delivers(t, run(byAPI[0]), published.LogDestinations)
	a.handlersAsk(t, inForms[0])

	// Somebody clicks what they may not decide.
	nobody := flow.Actor{ID: flow.UserID("sym", "nobody@example.com"), SlackID: "U9", SlackTeam: "T1"}
	if err := a.as("SlackRole").Refusals.Note(ctx, run(byAPI[0]), nobody, flow.ActionApprove, flow.Errorf(flow.CodeForbidden, "no")); err != nil {
		t.Fatal(err)
	}

	// What administrators do is told of whatever they do it to.
	var acts []store.Change
	for _, kind := range store.ActKinds() {
		name := ""
		if !kind.Single() {
			name = "x"
		}
		acts = append(acts, store.Change{Key: kind.Key(name), Rev: 1})
	}
	made := tokens.Acts
	if tokenActs := must(made.Of(ctx, store.KindToken.Key(token.Hash), 1))(t); len(tokenActs) != 1 {
		t.Errorf("the token was made %d times", len(tokenActs))
	}
	acts = append(acts, store.Change{Key: store.KindToken.Key(token.Hash), Rev: 1})
	shown := relay.Audit(nil, nil) // by the stream, which relay need not be let read the items for
	shown.Acts.Store = dynamo.Batch(awsevents.DynamoDBEvent{Records: a.table.Records(0)}).Images(shown.Acts.Store)
	if err := shown.HandOn(ctx, acts[len(acts)-1:], handed); err != nil {
		t.Fatal(err)
	}
	a.logs(t, append(acts, changed(byAPI[0])))

	// What belongs to no run is told.
	var next store.User
	roles := []string{"SlackRole", "ApiRole", "ApprovalRole", "ServicesRole"}
	for _, role := range roles { // each sees an address pass to another account
		one := store.User{Actor: flow.Actor{ID: flow.UserID("sym", role), Email: role, SlackID: "U1", SlackTeam: "T1"}, SeenAt: a.clock.Now()}
		must(a.as(role).Users.Remember(ctx, one))(t)
		next = one
		next.SlackID, next.SlackTeam = "U2", "T2"
		if met := must(a.as(role).Users.Remember(ctx, next))(t); !met.Unconfirmed {
			t.Errorf("%s takes another account for the same", role)
		}
	}
	rounds := store.Rounds{Store: dynamo.New(a.owner, dynamotest.TableName, a.clock.Now)}
	round, rev, err := rounds.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	round.Held, round.Gone = a.clock.Now(), map[string][]string{}
	for i := range 11 { // more than are ended at once
		round.Gone[fmt.Sprintf("%s%d", left, i)] = nil
	}
	if err := rounds.Put(ctx, round, rev); err != nil {
		t.Fatal(err)
	}
	if looked := must(look.Look(ctx))(t); looked.Held != len(round.Gone) {
		t.Errorf("looked %+v", looked)
	}
	if _, _, err := access.Users.Known(ctx, next.Actor); err != nil {
		t.Fatal(err)
	}
	page := must(dynamo.New(a.owner, dynamotest.TableName, a.clock.Now).List(ctx, store.Query{By: store.ByKind, Value: string(store.KindNotice)}))(t)
	if len(page.Items) != len(roles)+4 { // of those who are held back, of drift, of the report, and of a flow that can't be made
		t.Fatalf("%d notices", len(page.Items))
	}
	if err := show.Handle(ctx, store.Change{Key: page.Items[0].Key, Rev: page.Items[0].Rev}); err != nil {
		t.Fatal(err)
	}

	// An administrator says who people are.
	inSlackToo := workflow.Accounts{Users: slack.Users, Flows: slack.Flows, Now: a.clock.Now}
	if done := must(inSlackToo.Confirm(ctx, store.Confirmable{All: true}, flow.Operator))(t); len(done) != len(roles) {
		t.Errorf("confirmed %+v", done)
	}
	next.SlackID, next.SlackTeam = "U3", "T3"
	must(slack.Users.Remember(ctx, next))(t)
	if done := must(people.Confirm(ctx, events.ConfirmInput{All: true}, flow.Operator))(t); len(done.Claims) != 1 {
		t.Errorf("confirmed %+v", done)
	}
	if err := people.SetIdentity(ctx, events.Identity{Email: "alice@example.com", Service: "okta", ServiceID: "o", UserID: "u"}, flow.Operator); err != nil {
		t.Fatal(err)
	}

	for _, name := range functionNames {
		for _, unused := range slices.DeleteFunc(a.guard.Unused(title(name)+"Role"), byLambda.MatchString) {
			t.Errorf("no function needs this, or this test lacks the part that does: %s", unused)
		}
	}
}

// approves has changes of the configuration proposed by a token, asked for by submit, and
// dropped. It gives the run that lists them.
func (a *account) approves(t *testing.T, submit workflow.Submit, value string) string {
	t.Helper()
	ctx := t.Context()
	as := func(role string) core.Deployed {
		d := a.as(role)
		d.ConfigApproval = "configure"
		return d
	}
	config, api, sweep := as("ConfigRole"), as("ApiRole"), as("SweepRole")
	_, token, err := config.Tokens.Check(ctx, value)
	if err != nil {
		t.Fatal(err)
	}
	mine := config.Configure(func(context.Context, entity.Entity, []entity.Entity) []entity.Fault { return nil }, nil).By(&token)
	proposed := must(mine.Create(ctx, store.EntityChange{By: flow.Operator}, entity.Entity{Kind: entity.KindRuntime, Name: "proposed", Owner: entity.API, Attributes: json.RawMessage(`{}`)}))(t)
	must(mine.Create(ctx, store.EntityChange{By: flow.Operator}, entity.Entity{Kind: entity.KindEnvironment, Name: "proposed", Owner: entity.API, Attributes: json.RawMessage(`{"runtime_id":"` + proposed.ID + `"}`)}))(t)
	must(mine.List(ctx, entity.KindRuntime))(t)
	must(mine.Proposed(ctx))(t)
	a.clock.Advance(workflow.ProposeQuiet)

	if due := must(sweep.Propose(workflow.Submit{}).Due(ctx))(t); !due {
		t.Error("sweep sees nothing to ask for")
	}
	if err := (invoke.Queue{API: lambda.NewFromConfig(sweep.AWS), Function: apiARN}).Put(ctx, []byte(`{"propose": true}`)); err != nil {
		t.Error(err)
	}
	must(api.Propose(submit).Run(ctx))(t)
	state := must(config.Entities.Proposals().Get(ctx, token.ID))(t)
	if state.Asked == nil || state.Asked.Run == "" {
		t.Fatalf("nobody is asked: %+v", state)
	}
	run := must(config.Runs.Get(ctx, state.Asked.Run))(t)
	must(sweep.Conclude().Due(ctx))(t)
	state.Asked.Run = flow.NewRunID() // as if nobody would decide on it any more
	must(config.Entities.Proposals().Put(ctx, state))(t)
	if due := must(sweep.Conclude().Due(ctx))(t); !due {
		t.Error("sweep sees nothing to conclude")
	}
	if err := config.Conclude().Run(ctx); err != nil {
		t.Fatal(err)
	}
	if e, err := mine.Get(ctx, entity.KindRuntime, proposed.ID); flow.CodeOf(err) != flow.CodeUnknownEntity {
		t.Errorf("what %s lists is proposed yet: %+v, %v", run.ID, e, err)
	}
	return run.ID
}

// logs does what the writer of the transparency log does outside of its bucket, and what
// receipts take.
func (a *account) logs(t *testing.T, changes []store.Change) {
	t.Helper()
	ctx := t.Context()
	writer := a.as("TransparencyRole")
	stream := firehose.NewFromConfig(writer.AWS)
	audit := writer.Audit(
		auditlog.Firehose[events.AuditRecord]{API: stream, Stream: "sym-flows", Clock: a.clock},
		auditlog.Firehose[events.AdminRecord]{API: stream, Stream: "sym-flows-admin", Clock: a.clock},
	)
	if err := audit.Handle(ctx, changes); err != nil {
		t.Fatal(err)
	}
	must(writer.Secrets.Value(ctx, flow.SecretRef{Name: "log-key", Path: logKeyARN}))(t)
	queue := auditqueue.Queue{API: sqs.NewFromConfig(writer.AWS), URL: recordsURL, DeadLetters: deadURL}
	must(queue.Take(ctx))(t)
	if err := queue.SetAside(ctx, auditqueue.Message{}); err != nil {
		t.Fatal(err)
	}
	log := store.Log{Store: writer.Runs.Store}
	_, rev, err := log.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	must(log.SetHead(ctx, store.LogHead{}, rev))(t)
	if err := log.SetPlace(ctx, "id", 1, store.LogPlace{}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"TransparencyRole", "ApiRole"} {
		if _, ok, err := (store.Log{Store: a.as(role).Runs.Store}).Place(ctx, "id", 1); !ok || err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// delivers sends a record of a run to log destinations, but for reading it from the log's
// bucket: they take it only when they have been out of order for a while.
func (a *account) delivers(t *testing.T, r flow.Run, list []flow.LogDestination) {
	t.Helper()
	ctx := t.Context()
	line, err := json.Marshal(record.Of(r, r.Events[0]))
	if err != nil {
		t.Fatal(err)
	}
	deliverer := a.as("DeliverRole")
	open := destinations.Open(destinations.Deps{
		Web: web.Deps{Egress: egress.Through(a.vendors), Secrets: deliverer.Secrets, Now: a.clock.Now},
		AWS: func() (aws.Config, error) { return deliverer.AWS, nil },
	})
	down := true
	d := deliverer.Deliver(transparency.Reader{}, func(to flow.LogDestination) (workflow.Destination, error) {
		if down {
			return nil, flow.Errorf(flow.CodeStrategy, "it is out of order")
		}
		return open(to)
	})
	d.Read = func(_ context.Context, from int64, most int) (records []workflow.Logged, size int64, err error) {
		if from == 0 && most > 0 {
			records = append(records, workflow.Logged{ID: r.Events[0].ID, Line: line})
		}
		return records, 1, nil
	}
	stands := func(lag int64) {
		t.Helper()
		stand := must(d.Run(ctx))(t)
		if len(stand) != len(list) {
			t.Errorf("%d log destinations are looked at, of %d", len(stand), len(list))
		}
		for _, s := range stand {
			if s.Err != nil || s.Lag != lag {
				t.Errorf("log destination %s lacks %d records, not %d: %v", s.To.Name, s.Lag, lag, s.Err)
			}
		}
	}
	stands(1)
	a.clock.Advance(15 * time.Minute)
	stands(1) // which is told
	down = false
	a.clock.Advance(15 * time.Minute)
	stands(0) // which is over
}

// lingers is a strategy of a system in which sessions go on after access.
type lingers struct{ strategy.Strategy }

func (lingers) Lingers(context.Context, flow.Target) (time.Duration, error) { return time.Hour, nil }

// handlersAsk does what handlers of a run may do: by themselves, as Python does
// (functions/handlers_test.go runs that), and by what they ask of services.
func (a *account) handlersAsk(t *testing.T, run string) {
	t.Helper()
	ctx := t.Context()
	python := a.as("SdkRole")
	functions := invoke.Functions{API: lambda.NewFromConfig(python.AWS)}
	for _, arn := range []string{servicesARN, "arn:aws:lambda:us-east-1:123456789012:function:report"} {
		must(functions.Invoke(ctx, arn, []byte("{}")))(t)
	}
	for _, path := range []string{"/sym/main/pagerduty", "/sym/main/tickets"} {
		must(python.Secrets.Value(ctx, flow.SecretRef{Name: "s", Path: "arn:aws:secretsmanager:" + region + ":" + awstest.Account + ":secret:" + path + "-a1B2c3"}))(t)
	}

	asked := a.as("ServicesRole")
	workspace := must(asked.Slack(ctx))(t)
	s := must(asked.Services(core.ServicesPorts{People: workspace.Directory, Slack: slackapp.Services{API: workspace.API, Directory: workspace.Directory}}))(t)
	token := must(a.as("ApprovalRole").Calls.Begin(ctx, store.Call{Run: run}))(t)
	user := flow.UserID("sym", "alice@example.com")
	for _, q := range []services.Request{
		{Op: "store_put", Args: []byte(`{"path":"a","value":1}`)},
		{Op: "store_put", Args: []byte(`{"path":"a","value":1,"shared":true}`)},
		{Op: "store_get", Args: []byte(`{"path":"a"}`)},
		{Op: "event_count", Args: []byte(`{"event":"request","user_id":"` + user + `"}`)},
		{Op: "event_count", Args: []byte(`{"event":"approve","user_id":"` + user + `"}`)},
		{Op: "user_by_email", Args: []byte(`{"email":"alice@example.com"}`)},
		{Op: "save_identity", Args: []byte(`{"email":"alice@example.com","service":"pagerduty","service_id":"acme.pagerduty.com","user_id":"u"}`)},
		{Op: "users_by_identities", Args: []byte(`{"service":"pagerduty","service_id":"acme.pagerduty.com","user_ids":["u"]}`)},
		{Op: "send_message", Args: []byte(`{"to":{"kind":"slack_channel_name","name":"#general"},"text":"hello"}`)},
		{Op: "send_thread_message", Args: []byte(`{"text":"hello"}`)},
	} {
		q.Token = token
		if answer := must(s.Handle(ctx, q))(t); answer.Error != nil {
			t.Errorf("%s: %+v", q.Op, answer.Error)
		}
	}
}

// byLambda are rights that Lambda uses for a function, or which no call shows. The
// tests of package functions have them used, by functions as they are deployed.
// drift gets all that strategies may read, be it for grants only. A secret's ARN
// that ends in six letters brings two rights, one of which is of use.
var byLambda = regexp.MustCompile(`^DriftRole: eks:Describe|-[A-Za-z0-9]{6}-[?]{6}$|: (logs:|xray:|dynamodb:DescribeStream|dynamodb:GetRecords|dynamodb:GetShardIterator|dynamodb:ListStreams|s3:|` +
	`sqs:ReceiveMessage|sqs:DeleteMessage|sqs:GetQueueAttributes|sqs:SendMessage on \$\{RemovalDeadLetters|iam:PassRole|lambda:InvokeFunction on .*-unanswered$)`)
