package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsUnset(t *testing.T) {
	t.Parallel()
	got, err := parseOptions(map[string]any{"@aws-cdk/core:checkSecretUsage": true, "aws:cdk:enable-path-metadata": true})
	want := options{
		name: "sym-flows", org: "sym", flows: "flows", architecture: architecture{"arm64", "arm64"},
		logRetention: 90, rateLimit: 50, burstLimit: 100, slackCommand: "/sym", logLevel: "info", tracing: "workflow", objectLock: objectLock{"GOVERNANCE", 365},
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOptions: what each option does to the template.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		context map[string]any
		want    map[string]string // by resource and property
	}{
		{
			name:    "Name",
			context: map[string]any{"name": "sym-test"},
			want: map[string]string{
				"SlackFunction FunctionName":                           "sym-test-slack",
				"SweepLogs LogGroupName":                               "/aws/lambda/sym-test-sweep-" + stackID,
				"ScheduleGroup Name":                                   "sym-test",
				"Workflow StateMachineName":                            "sym-test",
				"Dashboard DashboardName":                              "sym-test",
				"AuditStream DeliveryStreamName":                       "sym-test",
				"RemovalOverdueAlarm AlarmName":                        "sym-test-RemovalOverdue",
				"RemovalOverdueAlarm Dimensions":                       `[{"Name":"FunctionName","Value":"sym-test-sweep"}]`,
				"SlackFunction Environment Variables SYM_ORG":          "sym",
				"Table TableName":                                      "null", // its name is CloudFormation's
				"AlarmEmail Endpoint":                                  "null",
				"RemovalFunction ReservedConcurrentExecutions":         "null",
				"SlackFunction Environment Variables AWS_ENDPOINT_URL": "null",
				"AuditBucket ObjectLockEnabled":                        "true",
				"AuditBucket BucketName":                               "null",
			},
		},
		{
			name: "All",
			context: map[string]any{
				"org": "acme", "architecture": "x86_64", "endpointUrl": "http://host.docker.internal:4566", "alarmEmail": "ops@example.com",
				"logRetention": "30", "auditRetention": "400", "objectLock": "compliance:365", "rateLimit": "7", "burstLimit": 9.0, "region": "eu-central-1",
				"reservedConcurrency": "removal:100,access:50", "slackCommand": "/access",
			},
			want: map[string]string{
				"SlackFunction Architectures":                            `["x86_64"]`,
				"SlackFunction Environment Variables SYM_ORG":            "acme",
				"SlackFunction Environment Variables AWS_ENDPOINT_URL":   "http://host.docker.internal:4566",
				"PublishFunction Environment Variables AWS_ENDPOINT_URL": "http://host.docker.internal:4566",
				"Publish Org":               "acme",
				"AlarmEmail Endpoint":       "ops@example.com",
				"AlarmEmail Protocol":       "email",
				"SlackLogs RetentionInDays": "30",
				"AuditBucket LifecycleConfiguration Rules 1 ExpirationInDays": "400",
				"AuditBucket ObjectLockConfiguration Rule DefaultRetention":   `{"Days":365,"Mode":"COMPLIANCE"}`,
				"ApiStage DefaultRouteSettings ThrottlingRateLimit":           "7",
				"ApiStage DefaultRouteSettings ThrottlingBurstLimit":          "9",
				"DeadLetterBucket ObjectLockConfiguration":                    "null",
				"SlackFunction FunctionName":                                  "sym-flows-slack",
				"RemovalFunction ReservedConcurrentExecutions":                "100",
				"AccessFunction ReservedConcurrentExecutions":                 "50",
				"SlackFunction ReservedConcurrentExecutions":                  "null",
				"SlackFunction Environment Variables SLACK_COMMAND":           "/access",
				"NotifyFunction Environment Variables SLACK_COMMAND":          "/access",
				"SweepFunction Environment Variables SLACK_COMMAND":           "null",
				"AuditBucket LifecycleConfiguration Rules 0 ExpirationInDays": "null",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			made := synthesize(t, test.context)
			for place, want := range test.want {
				path := strings.Fields(place)
				var v any = made.Resources[path[0]].Properties
				for _, p := range path[1:] {
					if n, err := strconv.Atoi(p); err == nil {
						v = at(v, n)
					} else {
						v = at(v, p)
					}
				}
				if got := text(v); got != want {
					t.Errorf("%s is %s, not %s", place, got, want)
				}
			}
			if region := test.context["region"]; region != nil && !strings.Contains(made.manifest, fmt.Sprintf("aws://unknown-account/%s", region)) {
				t.Errorf("not in region %s", region)
			}
		})
	}
}

// TestOptionsOfEveryFunction: what is set for functions reaches all of them.
func TestOptionsOfEveryFunction(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"endpointUrl": "https://emulator.example.com", "architecture": "x86_64"})
	for id, f := range made.ofType("AWS::Lambda::Function") {
		if id == "UnansweredFunction" { // is told where to go
			continue
		}
		if at(f.Properties, "Environment", "Variables", "AWS_ENDPOINT_URL") != "https://emulator.example.com" || text(f.Properties["Architectures"]) != `["x86_64"]` {
			t.Errorf("%s: %v", id, f.Properties)
		}
	}
}

func TestOptionsFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key   string
		value any
		want  string
	}{
		{"name", "Sym Flows", `context name: "Sym Flows" is not right: write up to 40 small letters`},
		{"name", strings.Repeat("a", 41), "up to 40"},
		{"name", "", "up to 40"},
		{"org", "a:b", "write a name such as sym"},
		{"region", "Frankfurt", "eu-central-1"},
		{"flows", "", "path of a folder"},
		{"architecture", "amd64", "write arm64 or x86_64"},
		{"alarmEmail", "ops", "ops@example.com"},
		{"alarmEmail", true, `"true" is not right`},
		{"endpointUrl", "localhost:4566", "http://host.docker.internal:4566"},
		{"endpointUrl", "http://user:pass@host", "write an address"},
		{"logRetention", 42.0, "write one of 1, 3, 5, 7, 14, 30, 60, 90"},
		{"logRetention", "forever", "write one of"},
		{"auditRetention", "0", "from 1 to 36500, or leave it out"},
		{"auditRetention", "-5", "from 1 to 36500"},
		{"objectLock", "365", "governance:DAYS or compliance:DAYS"},
		{"checkpoints", "s3://", "write s3://bucket/prefix, or a channel of Slack"},
		{"checkpoints", "s3://bucket/*", "write s3://bucket/prefix"},
		{"checkpoints", "audit-log", "a channel of Slack such as #audit-log"},
		{"objectLock", "compliance:0", "governance:DAYS or compliance:DAYS"},
		{"rateLimit", 0.0, "1 or more"},
		{"rateLimit", 1.5, `"1.5" is not right`},
		{"burstLimit", "none", "1 or more"},
		{"withoutRequests", "yes", "write true or false"},
		{"functionPatterns", "grant-*", "write ARNs such as"},
		{"grants", "host:*", "write ARNs of roles and functions"},
		{"grants", "arn:aws:lambda:us-east-1:123456789012:function:sym-*", "takes in our own functions"},
		{"grants", "arn:aws:lambda:us-east-1:123456789012:function:sym-flows-tokens", "takes in our own functions"},
		{"grants", "handlers:arn:aws:lambda:us-east-1:123456789012:function:sym-*", "takes in our own functions"},
		{"grants", "arn:aws:lambda:us-east-1:123456789012:function:grant-a,handlers:arn:aws:lambda:us-east-1:123456789012:function:grant-*", "none of which may be one that grants"},
		{"configApproval", "no name", "write the name of a flow"},
		{"logLevel", "error", "write debug, info or warn"},
		{"tracing", "true", "write workflow, all or off"},
		{"subnets", "vpc-0a1b2c3d", "write ids of subnets"},
		{"subnets", "subnet-0a1b2c3d", "by subnets and securityGroups together"},
		{"securityGroups", "sg-0a1b2c3d,", "write ids of security groups"},
		{"domain", "https://sym.example.com", "write a domain"},
		{"domain", "sym.example.com", "a domain needs a certificate"},
		{"certificate", "arn:aws:iam::123456789012:server-certificate/sym", "write the ARN of a certificate"},
		{"webAcl", "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/sym/1234", "write the ARN of a web ACL of WAF for CloudFront"},
		{"webAcl", text(everything["webAcl"]), "give domain with certificate for the one"},
		{"originDomain", "origin.example.com", "this is for CloudFront with a firewall"},
		{"slackCommand", "access", "write a command such as /access"},
		{"slackCommand", "/Access", "write a command such as /access"},
		{"kmsKey", "alias/mine", "write create, or the ARN of a key"},
		{"kmsKey", "arn:aws:kms:us-east-1:123456789012:alias/mine", "write create, or the ARN of a key"},
		{"kmsKey", "true", "write create, or the ARN of a key"},
		{"secretKeys", "create", "write ARNs of keys"},
		{"secretKeys", secretKey + ",", "write ARNs of keys"},
		{"reservedConcurrency", "100", "write numbers for removal, access and slack, or some of them, such as removal:100,access:50"},
		{"reservedConcurrency", "removal", "write numbers for"},
		{"reservedConcurrency", "removal:many", "write numbers for"},
		{"reservedConcurrency", "api:100", "write numbers for"},
		{"reservedConcurrency", "slack:9", "slack needs 10 at least"},
		{"reservedConcurrency", "removal:100,", "write numbers for"},
		{"reservedConcurrency", "removal:100,removal:200", "removal is in it twice"},
		{"reservedConcurrency", "removal:100,access:0", "access needs 10 at least"},
		{"reservedConcurrency", "removal:9", "removal needs 10 at least"},
		{"reservedConcurrency", "removal:-1", "removal needs 10 at least"},
		{"functionPatterns", "arn:aws:lambda:*:123456789012:function:grant-*", "write ARNs such as"},
		{"functionPatterns", "arn:aws:lambda:us-east-1:123456789012:function:grant", "write ARNs such as"},
		{"functionPatterns", "arn:aws:lambda:us-east-1:123456789012:function:*", "takes in our own functions, sym-flows-*"},
		{"functionPatterns", "arn:aws:lambda:us-east-1:123456789012:function:sym-*", "takes in our own functions"},
		{"functionPatterns", "arn:aws:lambda:us-east-1:123456789012:function:sym-flows-a*", "takes in our own functions"},
		{"alarmMail", "ops@example.com", "there is no such option: write one of alarmEmail, architecture"},
	} {
		t.Run(fmt.Sprint(test.key, "=", test.value), func(t *testing.T) {
			t.Parallel()
			_, err := parseOptions(map[string]any{test.key: test.value})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "context "+test.key+": ") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("DefaultLock", func(t *testing.T) {
		t.Parallel()
		_, err := parseOptions(map[string]any{"auditRetention": 30.0})
		if want := "objectLock: 365 days is longer than auditRetention, 30 days: make it shorter, such as governance:30, or none"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		for _, lock := range []string{"none", "governance:30"} {
			if _, err := parseOptions(map[string]any{"auditRetention": 30.0, "objectLock": lock}); err != nil {
				t.Errorf("%s: %v", lock, err)
			}
		}
	})
	t.Run("Together", func(t *testing.T) {
		t.Parallel()
		_, err := parseOptions(map[string]any{"auditRetention": 30.0, "objectLock": "governance:365", "rateLimit": "x", "region": "eu-central-1", "kmsKey": givenKey})
		for _, want := range []string{
			"the key is in us-east-1, and the deployment in eu-central-1", "objectLock: 365 days is longer than auditRetention, 30 days", "rateLimit"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	})
}

// TestOptionsAreReadFromContext: a fault fails synth before anything is built.
func TestOptionsAreReadFromContext(t *testing.T) {
	t.Parallel()
	_, err := synthesizeInto(t.TempDir(), map[string]any{"architecture": "sparc"}, func(options) (string, error) {
		t.Error("the functions were built")
		return "", nil
	})
	if err == nil || !strings.Contains(err.Error(), "context architecture") {
		t.Errorf("got %v", err)
	}
}

// TestEnvironments: functions have the settings that their work needs, and no
// value of a secret.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	all := []string{"GOGC", "GOMEMLIMIT", "SYM_LOG_FORMAT", "SYM_ORG", "SYM_TABLE"}
	want := map[string][]string{
		"AccessFunction":       {"SYM_GRANT_LOOKS", "SYM_REMOVAL_FUNCTION", "SYM_REMOVAL_QUEUE", "SYM_SCHEDULE_DEAD_LETTERS", "SYM_SCHEDULE_GROUP", "SYM_SCHEDULE_ROLE", "SYM_SDK_FUNCTION", "SYM_SERVICES_FUNCTION"},
		"ApiFunction":          {"SYM_LOG_BUCKET", "SYM_SDK_FUNCTION", "SYM_SLACK_SECRET"},
		"ApprovalFunction":     {"SYM_SDK_FUNCTION", "SYM_SERVICES_FUNCTION", "SYM_SLACK_SECRET", "SYM_STATE_MACHINE"},
		"DeliverFunction":      {"SYM_LOG_BUCKET"},
		"DriftFunction":        {},
		"NotifyFunction":       {"SYM_SLACK_SECRET"},
		"PublishFunction":      {"SYM_SDK_FUNCTION"},
		"ConfigFunction":       {"SYM_SDK_FUNCTION"},
		"RelayFunction":        {"SYM_CONFIG_FUNCTION", "SYM_LOG_QUEUE", "SYM_REMOVAL_FUNCTION", "SYM_STATE_MACHINE"},
		"ReportFunction":       {"SYM_AUDIT_BUCKET", "SYM_LOG_BUCKET"},
		"SdkFunction":          {},
		"RemovalFunction":      {"SYM_GRANT_LOOKS", "SYM_REMOVAL_FUNCTION", "SYM_REMOVAL_QUEUE", "SYM_SCHEDULE_DEAD_LETTERS", "SYM_SCHEDULE_GROUP", "SYM_SCHEDULE_ROLE", "SYM_SDK_FUNCTION", "SYM_SERVICES_FUNCTION"},
		"ServicesFunction":     {"SYM_SLACK_SECRET"},
		"SlackFunction":        {"SYM_SDK_FUNCTION", "SYM_SERVICES_FUNCTION", "SYM_SLACK_FUNCTION", "SYM_SLACK_SECRET", "SYM_SLACK_SIGNING_SECRET", "SYM_URL"},
		"StandingFunction":     {"SYM_SLACK_SECRET"},
		"SweepFunction":        {"SYM_API_FUNCTION", "SYM_CONFIG_FUNCTION", "SYM_REMOVAL_FUNCTION", "SYM_STATE_MACHINE", "SYM_SWEEP_QUEUE"},
		"TokensFunction":       {},
		"TransparencyFunction": {"SYM_ADMIN_STREAM", "SYM_AUDIT_STREAM", "SYM_LOG_BUCKET", "SYM_LOG_DEAD_LETTERS", "SYM_LOG_KEY", "SYM_LOG_LOCK", "SYM_LOG_ORIGIN", "SYM_LOG_QUEUE"},
		"UnansweredFunction":   {},
	}
	got := map[string][]string{}
	for id, f := range standard(t).ofType("AWS::Lambda::Function") {
		variables, _ := at(f.Properties, "Environment", "Variables").(map[string]any)
		got[id] = []string{}
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			if !slices.Contains(all, name) {
				got[id] = append(got[id], name)
			} else if text(variables[name]) == "" {
				t.Errorf("%s: %s is empty", id, name)
			}
			if value := text(variables[name]); strings.HasSuffix(name, "_SECRET") && !strings.HasPrefix(value, "${Slack") || strings.Contains(value, "resolve:") {
				t.Errorf("%s: %s is %q: it has to be the name of a secret", id, name, value)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for id, s := range standard(t).ofType("AWS::SecretsManager::Secret") {
		if made := s.Properties["GenerateSecretString"] != nil; s.Properties["SecretString"] != nil || made != (id == "LogKey") { // which AWS makes
			t.Errorf("%s has a value in the template", id)
		}
	}
}

// The guide has a row for each option, and for nothing else.
func TestOptions_Guide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Options\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range strings.Split(section, "\n") {
		if !strings.HasPrefix(row, "| `") {
			continue
		}
		names := strings.Split(row, "|")[1]
		for i, word := range strings.Split(names, "`") {
			if i%2 == 1 {
				told = append(told, word)
			}
		}
	}
	_, err = parseOptions(map[string]any{"nonsense": "x"})
	_, list, _ := strings.Cut(fmt.Sprint(err), "write one of ")
	known := strings.Split(list, ", ")
	slices.Sort(told)
	if diff := cmp.Diff(known, told); diff != "" {
		t.Errorf("-options +docs/deploy.md:\n%s", diff)
	}
}

// TestCheckpoints: sending checkpoints elsewhere takes the right to write them there, or to
// post in Slack, and no other.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	rights := func(made template) (all []string) {
		for _, g := range rightsOf(t, made) {
			all = append(all, g.String())
		}
		return all
	}
	before := rights(standard(t))
	for to, want := range map[string]string{
		"s3://elsewhere/sym/": "TransparencyRole: s3:PutObject on arn:${AWS::Partition}:s3:::elsewhere/sym/checkpoints/*",
		"#audit-log":          "TransparencyRole: secretsmanager:GetSecretValue on ${SlackSecret}",
	} {
		made := synthesize(t, map[string]any{"checkpoints": to})
		added := slices.DeleteFunc(rights(made), func(line string) bool { return slices.Contains(before, line) })
		if !slices.Equal(added, []string{want}) {
			t.Errorf("%s adds %q", to, added)
		}
		if got := text(at(made.Resources["TransparencyFunction"].Properties, "Environment", "Variables", "SYM_LOG_CHECKPOINTS")); got != to {
			t.Errorf("transparency is told of %q", got)
		}
	}
}
