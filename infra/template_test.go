package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

// TestEveryResourceIsOurs: nothing is in the template but what these files make.
func TestEveryResourceIsOurs(t *testing.T) {
	t.Parallel()
	made := standard(t)
	types := map[string]int{}
	for id, r := range made.Resources {
		types[r.Type]++
		if r.Metadata["aws:cdk:path"] != "sym-flows/"+id {
			t.Errorf("%s was made by %v", id, r.Metadata["aws:cdk:path"])
		}
	}
	for name := range types {
		if strings.HasPrefix(name, "Custom::") && name != "Custom::Publish" || name == "AWS::CloudFormation::CustomResource" || name == "AWS::CDK::Metadata" {
			t.Errorf("%s is none of ours", name)
		}
	}
	for id, f := range made.ofType("AWS::Lambda::Function") {
		runtime, handler := "provided.al2023", "bootstrap"
		if id == "UnansweredFunction" {
			runtime, handler = "python3.13", "index.handler"
		}
		if id == "SdkFunction" {
			runtime, handler = "python3.13", "main.handler"
			if env := at(f.Properties, "Environment", "Variables"); len(env.(map[string]any)) != 0 {
				t.Errorf("customers' code is told %v", env)
			}
		}
		if f.Properties["Runtime"] != runtime || f.Properties["Handler"] != handler || at(f.Properties, "TracingConfig", "Mode") != "PassThrough" {
			t.Errorf("%s: %v", id, f.Properties)
		}
	}
}

// lasting are the properties by which CloudFormation tells one resource from
// another: a change of one makes a new resource, and what the old one held stays
// behind or is lost.
var lasting = map[string][]string{
	"AWS::DynamoDB::Table":                 {"TableName", "KeySchema"},
	"AWS::S3::Bucket":                      {"BucketName", "ObjectLockEnabled"},
	"AWS::SecretsManager::Secret":          {"Name"},
	"AWS::SQS::Queue":                      {"QueueName", "FifoQueue"},
	"AWS::Scheduler::ScheduleGroup":        {"Name"},
	"AWS::StepFunctions::StateMachine":     {"StateMachineName", "StateMachineType"},
	"AWS::KinesisFirehose::DeliveryStream": {"DeliveryStreamName", "DeliveryStreamType"},
	"AWS::ApiGatewayV2::Api":               {"ProtocolType"},
	"AWS::Lambda::Function":                {"FunctionName"},
	"AWS::Lambda::EventSourceMapping":      {"EventSourceArn", "StartingPosition"},
	"AWS::SNS::Topic":                      {"TopicName"},
}

// TestLasting: what holds something keeps its id and the properties that it is
// known by, so that no deploy replaces it.
func TestLasting(t *testing.T) {
	t.Parallel()
	var lines []string
	for id, r := range standard(t).Resources {
		properties, holds := lasting[r.Type]
		if !holds {
			continue
		}
		line := id + " " + r.Type
		for _, p := range properties {
			if v := r.Properties[p]; v != nil {
				line += fmt.Sprintf(" %s=%s", p, text(v))
			}
		}
		if r.DeletionPolicy != "" {
			line += " deleted:" + r.DeletionPolicy + " replaced:" + r.UpdateReplacePolicy
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	compare(t, "lasting.txt", lines)
}

// stackID is how a stack's id begins: its end is known after the deploy only.
const stackID = `{"Fn::Select":[0,{"Fn::Split":["-",{"Fn::Select":[2,{"Fn::Split":["/",{"Ref":"AWS::StackId"}]}]}]}]}`

// TestKept: data and secrets outlive the stack; logs, too, for they say why a
// deploy has failed, and are in the way of no later one.
func TestKept(t *testing.T) {
	t.Parallel()
	made := standard(t)
	kept := map[string]string{"AWS::DynamoDB::Table": "Retain", "AWS::S3::Bucket": "RetainExceptOnCreate", "AWS::Logs::LogGroup": "Retain", "AWS::SecretsManager::Secret": "RetainExceptOnCreate"}
	for id, r := range made.Resources {
		switch want := kept[r.Type]; {
		case want != "" && (r.DeletionPolicy != want || r.UpdateReplacePolicy != "Retain"):
			t.Errorf("%s is %s on delete, %s on replacement", id, r.DeletionPolicy, r.UpdateReplacePolicy)
		case want == "" && strings.Contains(r.DeletionPolicy, "Retain"):
			t.Errorf("%s, a %s, is left behind", id, r.Type)
		}
		if r.Type == "AWS::Logs::LogGroup" && (r.Properties["RetentionInDays"] != 90.0 || !strings.HasSuffix(text(r.Properties["LogGroupName"]), "-"+stackID)) {
			t.Errorf("%s: %v", id, r.Properties)
		}
	}
	if !strings.Contains(made.manifest, `"terminationProtection": true`) {
		t.Error("the stack can be deleted by mistake")
	}
	for id, f := range made.ofType("AWS::Lambda::Function") {
		logs := strings.Trim(text(at(f.Properties, "LoggingConfig", "LogGroup")), "${}")
		if made.Resources[logs].Type != "AWS::Logs::LogGroup" {
			t.Errorf("%s writes to %q, which Lambda would make and keep forever", id, logs)
		}
	}
}

// TestPermissionsBoundary: every role has the one that the context names, as the
// guide has it.
func TestPermissionsBoundary(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`(?m)^{"context": .*}$`).Find(guide)
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(said, &config); err != nil {
		t.Fatalf("the guide's context: %v: %s", err, said)
	}
	roles := synthesize(t, config.Context).ofType("AWS::IAM::Role")
	if len(roles) < len(functionNames) {
		t.Errorf("only %d roles", len(roles))
	}
	for id, r := range roles {
		if got := text(r.Properties["PermissionsBoundary"]); !strings.HasSuffix(got, ":policy/team-boundary") {
			t.Errorf("the boundary of %s is %q", id, got)
		}
	}
}

// TestAlarms: every alarm calls somebody, and every one of its metrics is of
// something in this template.
func TestAlarms(t *testing.T) {
	t.Parallel()
	made := standard(t)
	alarms := made.ofType("AWS::CloudWatch::Alarm")
	for id, a := range alarms {
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := texts(a.Properties[actions]); !slices.Equal(got, []string{"${AlarmTopic}"}) {
				t.Errorf("%s has %s %q", id, actions, got)
			}
		}
		if len(strings.Fields(text(a.Properties["AlarmDescription"]))) < 5 {
			t.Errorf("%s does not say what is wrong", id)
		}
		missing := "notBreaching"
		if id == "SweepSilentAlarm" || id == "ChecksSilentAlarm" {
			missing = "breaching"
		}
		if a.Properties["TreatMissingData"] != missing {
			t.Errorf("%s takes missing data for %v", id, a.Properties["TreatMissingData"])
		}
		if sum, ok := a.Properties["Metrics"].([]any); ok && len(sum) > 10+1 {
			t.Errorf("%s has %d metrics: CloudWatch takes 10 at most", id, len(sum)-1)
		}
	}
	// Queues of dead letters must be empty, the others must not be full for long, unless
	// the sweep does what they are for a minute later anyway.
	madeGood := []string{"SweepQueue", "GrantLooks"}
	for id := range made.ofType("AWS::SQS::Queue") {
		if slices.Contains(madeGood, id) {
			continue
		}
		watched := false
		for _, a := range alarms {
			of := "${" + id + ".QueueName}"
			sum, _ := a.Properties["Metrics"].([]any)
			for _, m := range sum { // with others, or with what is under way
				watched = watched || text(at(m, "MetricStat", "Metric", "Dimensions", 0, "Value")) == of
			}
			if text(at(a.Properties, "Dimensions", 0, "Value")) == of {
				watched = true
				if strings.HasSuffix(id, "DeadLetters") && (a.Properties["MetricName"] != "ApproximateNumberOfMessagesVisible" || a.Properties["Threshold"] != 0.0) {
					t.Errorf("%s is watched by %v", id, a.Properties)
				}
			}
		}
		if !watched {
			t.Errorf("nothing watches %s", id)
		}
	}
}

// TestFailures: whatever fails is counted, by one metric, and its alarm says where to
// look: the dashboard has the reason.
func TestFailures(t *testing.T) {
	t.Parallel()
	made := standard(t)
	counted := map[string][]string{} // by log
	for id, f := range made.ofType("AWS::Logs::MetricFilter") {
		to := at(f.Properties, "MetricTransformations", 0)
		if at(to, "MetricNamespace") != "SymFlows/sym-flows" || at(to, "MetricName") != "Failures" || at(to, "DefaultValue") != nil {
			t.Errorf("%s counts %v: a value of nothing would cost as much as one of something", id, to)
		}
		logs := text(f.Properties["LogGroupName"])
		counted[logs] = append(counted[logs], fmt.Sprintf("%s %s", at(to, "MetricValue"), f.Properties["FilterPattern"]))
	}
	for id := range made.ofType("AWS::Lambda::Function") {
		name := strings.TrimSuffix(id, "Function")
		value := "1"
		if missed[strings.ToLower(name)] {
			value = "4"
		}
		if name != "Publish" && name != "Unanswered" && !slices.Contains(counted["${"+name+"Logs}"], value+" "+functionFailed) { // they fail the deploy
			t.Errorf("nobody hears that %s fails: %q", name, counted["${"+name+"Logs}"])
		}
		if name != "Publish" && name != "Unanswered" && name != "Sdk" && !slices.Contains(counted["${"+name+"Logs}"], `1 { $.hitch = "*" }`) {
			t.Errorf("nobody hears that %s is throttled: %q", name, counted["${"+name+"Logs}"])
		}
	}
	for _, name := range []string{"Drift", "Notify", "Standing", "Transparency"} {
		if !slices.Contains(counted["${"+name+"Logs}"], `4 { $.failure = "*" }`) {
			t.Errorf("nobody hears what %s reports: %q", name, counted["${"+name+"Logs}"])
		}
	}
	if !slices.Equal(counted["${WorkflowLogs}"], []string{"4 " + workflowFailed}) {
		t.Errorf("nobody hears that executions fail: %q", counted["${WorkflowLogs}"])
	}
	alarm := made.Resources["FailuresAlarm"].Properties
	if alarm["Namespace"] != "SymFlows/sym-flows" || alarm["MetricName"] != "Failures" || alarm["Threshold"] != 3.0 || alarm["Dimensions"] != nil && len(alarm["Dimensions"].([]any)) > 0 {
		t.Errorf("the alarm looks at %v", alarm)
	}
	says := text(alarm["AlarmDescription"])
	all := maps.Clone(config.Failures)
	maps.Copy(all, config.Hitches)
	for failure, text := range all {
		if !strings.Contains(says, failure) || len(strings.Fields(text)) < 10 {
			t.Errorf("the alarm does not tell of %s: %s", failure, says)
		}
	}
	if !strings.Contains(says, "dashboard") || len(says) > 1024 {
		t.Errorf("the alarm says, in %d characters: %s", len(says), says)
	}
	board := text(made.Resources["Dashboard"].Properties["DashboardBody"])
	for logs := range counted {
		if !strings.Contains(board, "SOURCE '"+logs+"'") {
			t.Errorf("the dashboard shows no failures of %s", logs)
		}
	}
}

// TestBuckets: all are private, encrypted, versioned, and refuse what does not
// come by TLS.
func TestBuckets(t *testing.T) {
	t.Parallel()
	made := standard(t)
	buckets := made.ofType("AWS::S3::Bucket")
	if len(buckets) != 4 {
		t.Errorf("%d buckets", len(buckets))
	}
	for id, b := range buckets {
		for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if at(b.Properties, "PublicAccessBlockConfiguration", block) != true {
				t.Errorf("%s lacks %s", id, block)
			}
		}
		if at(b.Properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0) == nil || at(b.Properties, "VersioningConfiguration", "Status") != "Enabled" {
			t.Errorf("%s is not encrypted or not versioned", id)
		}
		refuses := false
		for _, p := range made.ofType("AWS::S3::BucketPolicy") {
			for _, s := range at(p.Properties, "PolicyDocument", "Statement").([]any) {
				refuses = refuses || text(p.Properties["Bucket"]) == "${"+id+"}" && at(s, "Effect") == "Deny" && at(s, "Principal") == "*" && at(s, "Action") == "s3:*" &&
					at(s, "Condition", "Bool", "aws:SecureTransport") == "false" && slices.Equal(texts(at(s, "Resource")), []string{"${" + id + ".Arn}", "${" + id + ".Arn}/*"})
			}
		}
		if !refuses {
			t.Errorf("%s can be used without TLS", id)
		}
	}
	prefix := text(at(made.Resources["AuditStream"].Properties, "ExtendedS3DestinationConfiguration", "Prefix"))
	if prefix != "audit/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/" {
		t.Errorf("audit records go to %s", prefix)
	}
}

// TestStream: the table's stream has two readers, each of which gives up on a
// change in the end, and then keeps it.
func TestStream(t *testing.T) {
	t.Parallel()
	made := standard(t)
	readers := 0
	for id, m := range made.ofType("AWS::Lambda::EventSourceMapping") {
		if got := texts(m.Properties["FunctionResponseTypes"]); !slices.Equal(got, []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: %q", id, got)
		}
		if text(m.Properties["EventSourceArn"]) != "${Table.StreamArn}" {
			continue
		}
		readers++
		retries, age := m.Properties["MaximumRetryAttempts"].(float64), m.Properties["MaximumRecordAgeInSeconds"].(float64)
		if retries < 1 || retries > 10000 || age < 60 || age >= 24*60*60 { // the stream forgets after a day
			t.Errorf("%s tries %v times for %v s", id, retries, age)
		}
		if m.Properties["BisectBatchOnFunctionError"] != true || text(at(m.Properties, "DestinationConfig", "OnFailure", "Destination")) != "${DeadLetterBucket.Arn}" {
			t.Errorf("%s: %v", id, m.Properties)
		}
		// Who acts is called at once, and who shows when there is nothing more to come.
		if window := map[string]any{"RelayStream": 0.0, "NotifyStream": workflow.Settle.Seconds()}[id]; m.Properties["MaximumBatchingWindowInSeconds"] != window {
			t.Errorf("%s gathers changes for %v s, not %v", id, m.Properties["MaximumBatchingWindowInSeconds"], window)
		}
		// What is acted on passes always, and what records acts only when it does.
		want := [][]store.Kind{{store.KindRun}, store.ActKinds()}
		if id == "NotifyStream" {
			want = [][]store.Kind{{store.KindRun, store.KindNotice, store.KindHome}}
		}
		filters, _ := at(m.Properties, "FilterCriteria", "Filters").([]any)
		if len(filters) != len(want) {
			t.Fatalf("%s has %d filters, want %d", id, len(filters), len(want))
		}
		for i := range filters {
			var pattern struct {
				EventName []string `json:"eventName"`
				DynamoDB  struct {
					Keys     map[string]map[string][]map[string]string
					NewImage map[string]map[string][]string
				}
			}
			if err := json.Unmarshal([]byte(at(m.Properties, "FilterCriteria", "Filters", i, "Pattern").(string)), &pattern); err != nil {
				t.Fatal(err)
			}
			key := text(at(made.Resources["Table"].Properties, "KeySchema", 0, "AttributeName"))
			var kinds []store.Kind
			for _, k := range pattern.DynamoDB.Keys[key]["S"] {
				kinds = append(kinds, store.Kind(k["prefix"]))
			}
			if !slices.Equal(kinds, want[i]) || !slices.Equal(pattern.EventName, []string{"INSERT", "MODIFY"}) {
				t.Errorf("%s lets pass %+v", id, pattern)
			}
			if acts := pattern.DynamoDB.NewImage[dynamo.AttrActs]["S"]; (i == 1) != slices.Equal(acts, []string{dynamo.RecordsActs}) {
				t.Errorf("%s lets items pass whose acts are %q", id, acts)
			}
		}
	}
	if readers != 2 {
		t.Errorf("%d readers", readers)
	}
	if hidden, takes := made.Resources["LogQueue"].Properties["VisibilityTimeout"].(float64), made.Resources["TransparencyFunction"].Properties["Timeout"].(float64); hidden <= takes {
		t.Errorf("messages are hidden for %v s, and transparency works for up to %v: another would take them meanwhile", hidden, takes)
	}
}

// TestRoutes: only what Slack and clients call is open, and tokens are for AWS
// credentials.
func TestRoutes(t *testing.T) {
	t.Parallel()
	made := standard(t)
	var lines []string
	for _, r := range made.ofType("AWS::ApiGatewayV2::Route") {
		integration := strings.TrimPrefix(text(r.Properties["Target"]), "integrations/")
		target := text(made.Resources[strings.Trim(integration, "${}")].Properties["IntegrationUri"])
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Properties["RouteKey"], r.Properties["AuthorizationType"], target))
	}
	slices.Sort(lines)
	want := []string{
		"ANY /api/v1/entities/{proxy+} NONE ${ConfigFunction.Arn}",
		"ANY /api/v1/identities AWS_IAM ${TokensFunction.Arn}",
		"ANY /api/v1/signed/entities/{proxy+} AWS_IAM ${ConfigFunction.Arn}",
		"ANY /api/v1/tokens AWS_IAM ${TokensFunction.Arn}",
		"ANY /api/v1/tokens/{id} AWS_IAM ${TokensFunction.Arn}",
		"ANY /api/v1/users AWS_IAM ${TokensFunction.Arn}",
		"ANY /api/v1/{proxy+} NONE ${ApiFunction.Arn}",
		"ANY /mcp NONE ${ApiFunction.Arn}",
		"GET /open/{id} NONE ${SlackFunction.Arn}",
		"POST /slack/commands NONE ${SlackFunction.Arn}",
		"POST /slack/events NONE ${SlackFunction.Arn}",
		"POST /slack/interactions NONE ${SlackFunction.Arn}",
		"POST /slack/options NONE ${SlackFunction.Arn}",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("routes:\n%s", strings.Join(lines, "\n"))
	}
	stage := made.Resources["ApiStage"].Properties
	if at(stage, "DefaultRouteSettings", "ThrottlingRateLimit") != 50.0 || at(stage, "AccessLogSettings", "DestinationArn") == nil {
		t.Errorf("%v", stage)
	}
	if format := text(at(stage, "AccessLogSettings", "Format")); strings.Contains(format, "authorizer") || strings.Contains(format, "header") || strings.Contains(format, "path") {
		t.Errorf("the access log shows what callers sent: %s", format)
	}
}

// TestPublishGoesFirst: the rights of access change only after publish agreed,
// and publish runs with the functions of its own deploy.
func TestPublishGoesFirst(t *testing.T) {
	t.Parallel()
	made := standard(t)
	for _, id := range []string{"AccessTargets", "SdkTargets"} {
		if after := made.Resources[id].DependsOn; !slices.Contains(after, "Publish") {
			t.Errorf("%s follow %q", id, after)
		}
	}
	before := made.Resources["Publish"].DependsOn
	for id := range made.ofType("AWS::Lambda::Function") {
		names := func(other string) bool { // CloudFormation makes id before what names it
			return text(at(made.Resources[other].Properties, "DestinationConfig", "OnFailure", "Destination")) == "${"+id+".Arn}"
		}
		if text(made.Resources["Publish"].Properties["ServiceToken"]) == "${"+id+".Arn}" {
			continue // it names that one itself
		}
		if !slices.Contains(before, id) && !slices.ContainsFunc(before, names) {
			t.Errorf("publish does not wait for %s", id)
		}
	}
	// Nothing of the configuration is in the role itself, which changes earlier.
	if role := text(made.Resources["AccessRole"].Properties["Policies"]); strings.Contains(role, "grant-database") || strings.Contains(role, "/sym/main") {
		t.Error("the role of access has rights that come from the configuration")
	}
	// The properties that publish reads.
	for _, name := range []string{"ServiceToken", "Bucket", "Key", "Org", "Build"} {
		if made.Resources["Publish"].Properties[name] == nil {
			t.Errorf("publish has no %s", name)
		}
	}
	if role := text(made.Resources["SdkRole"].Properties["Policies"]); strings.Contains(role, "report") || strings.Contains(role, "/sym/main") {
		t.Error("the role of handlers has rights that come from the configuration")
	}
	without := synthesize(t, map[string]any{"flows": approvalOnly(t)})
	for _, id := range []string{"AccessTargets", "SdkTargets"} {
		if _, ok := without.Resources[id]; ok {
			t.Errorf("%s are there without a strategy, a function or a secret", id)
		}
	}
}

// TestReferences: everything referred to is there, and nothing waits for itself.
// CloudFormation finds that out at deploy only.
func TestReferences(t *testing.T) {
	t.Parallel()
	made := standard(t)
	needs := map[string][]string{}
	for id, r := range made.Resources {
		found := append(slices.Clone(r.DependsOn), referred(r.Properties)...)
		for _, to := range found {
			if made.Resources[to].Type == "" {
				t.Errorf("%s refers to %s, which there is not", id, to)
			}
		}
		needs[id] = found
	}
	for name, o := range made.Outputs {
		for _, to := range referred(o.Value) {
			if made.Resources[to].Type == "" {
				t.Errorf("output %s refers to %s, which there is not", name, to)
			}
		}
	}
	done := map[string]bool{}
	var visit func(id string, way []string)
	visit = func(id string, way []string) {
		if slices.Contains(way, id) {
			t.Fatalf("a circle: %s", strings.Join(append(way, id), " → "))
		}
		if done[id] {
			return
		}
		for _, to := range needs[id] {
			visit(to, append(slices.Clone(way), id))
		}
		done[id] = true
	}
	for id := range needs {
		visit(id, nil)
	}
}

var inSub = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}`)

// referred lists the resources that a value refers to.
func referred(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			out = append(out, referred(one)...)
		}
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok && !strings.HasPrefix(ref, "AWS::") {
			out = append(out, ref)
		}
		if at, ok := v["Fn::GetAtt"].([]any); ok {
			out = append(out, at[0].(string))
		}
		if s, ok := v["Fn::Sub"].(string); ok {
			for _, m := range inSub.FindAllStringSubmatch(s, -1) {
				out = append(out, m[1])
			}
		}
		for _, one := range v {
			out = append(out, referred(one)...)
		}
	}
	return out
}

// TestDashboard: it is what CloudWatch can read, and shows the alarms.
func TestDashboard(t *testing.T) {
	t.Parallel()
	made := standard(t)
	body := text(made.Resources["Dashboard"].Properties["DashboardBody"])
	var dashboard struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          struct {
				Alarms  []string
				Metrics [][]any
				Query   string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	alarms, overdue := 0, false
	for _, w := range dashboard.Widgets {
		if w.Width < 1 || w.Height < 1 || w.X+w.Width > 24 {
			t.Errorf("a widget has no place: %+v", w)
		}
		alarms += len(w.Properties.Alarms)
		for _, m := range w.Properties.Metrics {
			overdue = overdue || m[1] == "RemovalsOverdue" && m[3] == "sym-flows-sweep"
		}
	}
	if alarms != len(made.ofType("AWS::CloudWatch::Alarm")) || !overdue {
		t.Errorf("%d alarms, overdue removals: %t", alarms, overdue)
	}
}

// TestOutputs are what commands and guides ask for.
func TestOutputs(t *testing.T) {
	t.Parallel()
	var lines []string
	for name, o := range standard(t).Outputs {
		lines = append(lines, name+" "+text(o.Value))
	}
	slices.Sort(lines)
	compare(t, "outputs.txt", lines)
}

// TestRemoval: both ways by which access ends are there, and neither gives up
// in silence.
func TestRemoval(t *testing.T) {
	t.Parallel()
	made := standard(t)
	rule := made.Resources["SweepRule"].Properties
	if rule["ScheduleExpression"] != "rate(1 minute)" || text(at(rule, "Targets", 0, "Arn")) != "${SweepFunction.Arn}" || rule["State"] != nil {
		t.Errorf("the sweep is called by %v", rule)
	}
	silent := made.Resources["SweepSilentAlarm"].Properties
	if at(silent, "Metrics", 0, "Expression") != "FILL(m0, 0) - FILL(m1, 0)" || at(silent, "Metrics", 1, "MetricStat", "Metric", "MetricName") != "Invocations" || at(silent, "Metrics", 2, "MetricStat", "Metric", "MetricName") != "Errors" ||
		at(silent, "Metrics", 1, "MetricStat", "Period") != 60.0 || silent["EvaluationPeriods"] != 3.0 || silent["ComparisonOperator"] != "LessThanThreshold" || silent["TreatMissingData"] != "breaching" {
		t.Errorf("the sweep's silence is heard by %v", silent)
	}
	overdue := made.Resources["RemovalOverdueAlarm"].Properties
	if overdue["MetricName"] != "RemovalsOverdue" || overdue["Threshold"] != 0.0 || overdue["Period"] != 60.0 || overdue["EvaluationPeriods"] != 1.0 {
		t.Errorf("overdue removals are heard by %v", overdue)
	}
	for _, called := range []string{"Removal", "Access"} { // the latter by schedules of earlier releases
		calls := made.Resources[called+"Asynchronous"].Properties
		if text(at(calls, "DestinationConfig", "OnFailure", "Destination")) != "${RemovalDeadLetters.Arn}" || calls["MaximumEventAgeInSeconds"] != 21600.0 || calls["MaximumRetryAttempts"] != 2.0 {
			t.Errorf("calls of %s are tried as %v", called, calls)
		}
	}
	removal, access := made.Resources["RemovalFunction"], made.Resources["AccessFunction"]
	// Removal calls itself to try again: Lambda would stop that after sixteen times.
	if got := removal.Properties["RecursiveLoop"]; got != "Allow" {
		t.Errorf("recursive calls of removal: %v", got)
	}
	for _, same := range []string{"Role", "Code", "Environment", "Handler", "Runtime"} {
		if a, r := text(access.Properties[same]), text(removal.Properties[same]); a != r {
			t.Errorf("%s of removal is %s, and of access %s", same, r, a)
		}
	}
	for _, f := range []string{"AccessFunction", "RelayFunction", "SweepFunction"} {
		if !slices.Contains(made.Resources[f].DependsOn, "RemovalFunction") {
			t.Errorf("%s may be there before what it calls: it depends on %v", f, made.Resources[f].DependsOn)
		}
	}
	for _, f := range []string{"RemovalFunction", "AccessFunction", "RelayFunction", "SweepFunction"} {
		if made.Resources[f].Properties["ReservedConcurrentExecutions"] != nil {
			t.Errorf("%s has a limit of its own", f)
		}
	}
}

// TestAlarmList: each alarm there is, by what it looks at and when it calls.
func TestAlarmList(t *testing.T) {
	t.Parallel()
	var got []string
	for id, r := range standard(t).Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		looks := text(r.Properties["MetricName"])
		if list, ok := r.Properties["Metrics"].([]any); ok {
			var names []string
			for _, m := range list {
				if name := at(m, "MetricStat", "Metric", "MetricName"); name != nil {
					names = append(names, text(name))
				}
			}
			looks = strings.Join(names, " + ") + " by " + text(at(list[0], "Expression"))
		}
		got = append(got, fmt.Sprintf("%s: %s %s %s for %s periods of %s s", id, looks,
			text(r.Properties["ComparisonOperator"]), text(r.Properties["Threshold"]), text(r.Properties["EvaluationPeriods"]), text(at(r.Properties, "Period"))))
	}
	slices.Sort(got)
	compare(t, "alarms.txt", got)
}

// TestFirehose: audit records arrive compressed, by the hour of their arrival, and
// what could not be written apart from them.
func TestFirehose(t *testing.T) {
	t.Parallel()
	to := at(standard(t).Resources["AuditStream"].Properties, "ExtendedS3DestinationConfiguration")
	const byHour = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
	for property, want := range map[string]string{
		"Prefix": "audit/" + byHour, "ErrorOutputPrefix": "audit-errors/!{firehose:error-output-type}/" + byHour,
		"CompressionFormat": "GZIP", "BucketARN": "${AuditBucket.Arn}", "RoleARN": "${AuditStreamRole.Arn}",
	} {
		if got := text(at(to, property)); got != want {
			t.Errorf("%s is %s, want %s", property, got, want)
		}
	}
}
