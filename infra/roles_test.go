package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// grantedRight is one action that somebody may do on one resource.
type grantedRight struct {
	who, action, resource, condition string
}

func (g grantedRight) String() string {
	s := fmt.Sprintf("%s: %s on %s", g.who, g.action, g.resource)
	if g.condition != "" {
		s += " if " + g.condition
	}
	return s
}

// rightsOf lists what the template's roles may do. Rights that would escape the
// list fail the test: there must be no policy of another kind.
func rightsOf(t *testing.T, made template) []grantedRight {
	t.Helper()
	var all []grantedRight
	for id, r := range made.Resources {
		switch r.Type {
		case "AWS::IAM::Role":
			for name := range r.Properties {
				if !slices.Contains([]string{"AssumeRolePolicyDocument", "Policies", "Description", "RoleName"}, name) {
					t.Errorf("%s has %s: this test does not know what that allows", id, name)
				}
			}
			for _, p := range r.Properties["Policies"].([]any) {
				all = append(all, statements(t, id, at(p, "PolicyDocument"))...)
			}
		case "AWS::IAM::ManagedPolicy":
			for _, who := range r.Properties["Roles"].([]any) {
				all = append(all, statements(t, strings.Trim(text(who), "${}"), r.Properties["PolicyDocument"])...)
			}
		case "AWS::IAM::RolePolicy":
			all = append(all, statements(t, strings.Trim(text(r.Properties["RoleName"]), "${}"), r.Properties["PolicyDocument"])...)
		default:
			if strings.HasPrefix(r.Type, "AWS::IAM::") {
				t.Errorf("%s is a %s: this test does not know what that allows", id, r.Type)
			}
		}
	}
	return all
}

func statements(t *testing.T, who string, document any) []grantedRight {
	t.Helper()
	var out []grantedRight
	for _, s := range at(document, "Statement").([]any) {
		for name := range s.(map[string]any) {
			if !slices.Contains([]string{"Effect", "Action", "Resource", "Condition"}, name) {
				t.Errorf("%s has a statement with %s: this test does not know what that allows", who, name)
			}
		}
		if at(s, "Effect") != "Allow" {
			t.Errorf("%s has a statement that does not allow", who)
		}
		for _, action := range texts(at(s, "Action")) {
			for _, resource := range texts(at(s, "Resource")) {
				out = append(out, grantedRight{who, action, resource, conditions(at(s, "Condition"))})
			}
		}
	}
	return out
}

// conditions writes a condition in words.
func conditions(v any) string {
	operators, _ := v.(map[string]any)
	var out []string
	for _, operator := range slices.Sorted(maps.Keys(operators)) {
		keys := operators[operator].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			out = append(out, fmt.Sprintf("%s %s %s", key, operator, strings.Join(texts(keys[key]), " | ")))
		}
	}
	return strings.Join(out, " and ")
}

// TestRoleNames: the roles of functions are named <name>-<region>-<function>, which
// is known beforehand, and never longer than IAM takes. Those of two deployments are
// never the same.
func TestRoleNames(t *testing.T) {
	t.Parallel()
	const long = "a-platform-for-access-in-production-now1"
	for name, made := range map[string]template{"sym-flows": standard(t), long: synthesize(t, map[string]any{"name": long})} {
		for id, r := range made.ofType("AWS::IAM::Role") {
			if id == "ScheduleRole" { // schedules of earlier releases name it
				if r.Properties["RoleName"] != nil {
					t.Errorf("%s has another name than before", id)
				}
				continue
			}
			full := strings.ReplaceAll(text(r.Properties["RoleName"]), "${AWS::Region}", "ap-southeast-99")
			if len(full) > 64 {
				t.Errorf("IAM takes no name of %d characters: %s", len(full), full)
			}
			begin := "sym-flows-ap-southeast-99-"
			if name == long {
				begin = "a-platform-for-acc-de7fc679-ap-southeast-99-"
			}
			if !strings.HasPrefix(full, begin) {
				t.Errorf("%s is called %s, which does not begin with %s", id, full, begin)
			}
		}
	}
	roles := standard(t).ofType("AWS::IAM::Role")
	for id, want := range map[string]string{"AccessRole": "sym-flows-${AWS::Region}-access", "DriftRole": "sym-flows-${AWS::Region}-drift", "AuditStreamRole": "sym-flows-${AWS::Region}-audit-stream"} {
		if got := text(roles[id].Properties["RoleName"]); got != want {
			t.Errorf("%s is called %s, not %s", id, got, want)
		}
	}
	for name, want := range map[string]string{"sdk": "sdk", "sdk-a-flow-with-a-long-name": "sdk-a-flow--c82edd53"} {
		if got := shorten(name, maxRolePart); got != want || len(got) > maxRolePart {
			t.Errorf("%s is shortened to %s, not %s", name, got, want)
		}
	}
}

// TestRights holds all rights against the list that was reviewed: those of roles,
// who takes roles on, and who may call functions or use buckets, queues and
// topics by their own policies.
func TestRights(t *testing.T) {
	t.Parallel()
	made := standard(t)
	var roles, trusts, others []string
	for _, g := range rightsOf(t, made) {
		roles = append(roles, g.String())
	}
	for id, r := range made.Resources {
		switch r.Type {
		case "AWS::IAM::Role":
			for _, s := range at(r.Properties, "AssumeRolePolicyDocument", "Statement").([]any) {
				trusts = append(trusts, trust(id, s))
			}
		case "AWS::Lambda::Permission":
			line := fmt.Sprintf("%s may %s %s", text(r.Properties["Principal"]), text(r.Properties["Action"]), text(r.Properties["FunctionName"]))
			others = append(others, line+" if the source is "+text(r.Properties["SourceArn"]))
		case "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy":
			for _, s := range at(r.Properties, "PolicyDocument", "Statement").([]any) {
				others = append(others, shared(s))
			}
		}
	}
	slices.Sort(roles)
	slices.Sort(trusts)
	slices.Sort(others)
	lines := append([]string{"# What each role may do"}, roles...)
	lines = append(append(lines, "", "# Who takes them on"), trusts...)
	lines = append(append(lines, "", "# What others may do here"), others...)
	compare(t, "rights.txt", lines)
}

func trust(id string, s any) string {
	line := fmt.Sprintf("%s is taken on by %s", id, text(at(s, "Principal", "Service")))
	if c := conditions(at(s, "Condition")); c != "" {
		line += " if " + c
	}
	return line
}

func shared(s any) string {
	who := text(at(s, "Principal"))
	if service := at(s, "Principal", "Service"); service != nil {
		who = text(service)
	}
	may := map[any]string{"Allow": "may", "Deny": "may never"}[at(s, "Effect")]
	return fmt.Sprintf("%s %s %s on %s if %s", who, may, strings.Join(texts(at(s, "Action")), " | "),
		strings.Join(texts(at(s, "Resource")), " | "), conditions(at(s, "Condition")))
}

// noResource are the actions that IAM can't limit to resources. With any other,
// a star is a mistake.
var noResource = []string{
	"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
	"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
	"logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
	identityToken,
	// Lambda makes what connects functions with a VPC, by ids that nobody knows before.
	"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
}

// identityToken is limited by who a token is for.
const identityToken = "sts:GetWebIdentityToken"

// looks matches actions that change nothing. kms:Sign is how vendors are signed in
// to; what may be done there is up to the scopes that are asked for. Databases can
// be looked at by statements only: see docs/security.md.
var looks = regexp.MustCompile(`:(Get|List|Describe|Is|ExecuteStatement$)|^kms:Sign$`)

// TestRightsKeepTheRules: these hold whatever the reviewed list says.
func TestRightsKeepTheRules(t *testing.T) {
	t.Parallel()
	made := standard(t)
	all := rightsOf(t, made)
	for _, fault := range ruleFaults(all) {
		t.Error(fault)
	}
	// What the rules look for is there.
	for _, want := range []grantedRight{
		{"AccessRole", "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:grant-database", ""},
		{"AccessRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/signing-??????", ""},
		{"ApprovalRole", "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:report", ""},
		{"SdkRole", "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:report", ""},
		{"SdkRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/pagerduty-??????", ""},
		{"SdkRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/tickets-??????", ""},
		{"SdkRole", "lambda:InvokeFunction", ours + "services", ""},
	} {
		if !slices.Contains(all, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

// ours begins the ARNs of our own functions.
const ours = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:sym-flows-"

// ruleFaults says which rights break the rules.
func ruleFaults(all []grantedRight) []string {
	var faults []string
	for _, g := range all {
		broken := func(rule string) { faults = append(faults, fmt.Sprintf("%s: %s", rule, g)) }
		_, action, _ := strings.Cut(g.action, ":")
		table := strings.HasPrefix(g.action, "dynamodb:") && !strings.Contains(g.resource, "${Table.StreamArn}")
		switch {
		case strings.Contains(g.action, "*"):
			broken("no action has a star")
		case g.resource == "*" && !slices.Contains(noResource, g.action):
			broken("no resource is a star, where IAM can limit it")
		case table && (action == "Scan" || action == "UpdateItem" || strings.HasPrefix(action, "PartiQL") || strings.HasPrefix(action, "Transact") || strings.HasPrefix(action, "BatchWrite")):
			broken("nobody needs this on the table")
		case table && !strings.HasPrefix(g.condition, "dynamodb:LeadingKeys ForAllValues:StringLike "):
			broken("rights on the table are limited by leading key")
		}
		if strings.HasSuffix(g.resource, "*") && (strings.HasPrefix(g.action, "lambda:") || strings.HasPrefix(g.action, "sts:") && g.action != identityToken) || g.action == "iam:PassRole" && g.condition == "" {
			broken("functions and roles are named one by one")
		}
		if g.action == identityToken && !strings.HasPrefix(g.condition, "sts:IdentityTokenAudience ForAllValues:StringEquals ") {
			broken("we say who we are to named systems only")
		}
		own := strings.HasPrefix(g.resource, ours)
		if g.who == "SdkRole" { // customers' code
			secret := g.action == "secretsmanager:GetSecretValue" && strings.Contains(g.resource, ":secret:")
			invoke := g.action == "lambda:InvokeFunction" && (!own || strings.HasSuffix(g.resource, "-services"))
			decrypt := g.action == "kms:Decrypt" && viaOnly(g, "secretsmanager") && strings.Contains(g.condition, " and kms:EncryptionContext:SecretARN StringLike ")
			if !secret && !invoke && !decrypt && !(strings.HasPrefix(g.action, "logs:") && strings.HasPrefix(g.resource, "${SdkLogs")) {
				broken("handlers read what their flows name, invoke what their environment allows, and ask services for all else")
			}
			if strings.HasSuffix(g.resource, ":grant-database") || strings.Contains(g.resource, "/sym/main/signing") {
				broken("only access reaches targets")
			}
			continue
		}
		if g.action == "lambda:InvokeFunction" {
			switch {
			case strings.HasSuffix(g.resource, "-services"):
				broken("only handlers ask services")
			case strings.HasSuffix(g.resource, "-sdk") && !slices.Contains([]string{"AccessRole", "ApiRole", "ApprovalRole", "ConfigRole", "PublishRole", "SlackRole"}, g.who):
				broken("nobody else asks handlers")
			}
		}
		target := strings.HasPrefix(g.resource, "arn:aws:lambda:") && g.action == "lambda:InvokeFunction"
		secret := g.action == "secretsmanager:GetSecretValue" && !strings.HasPrefix(g.resource, "${Slack") && (g.resource != "${EdgeSecret}" || g.who != "EdgeRole") && (g.resource != "${LogKey}" || g.who != "TransparencyRole")
		if g.who == "AccessRole" {
			continue
		}
		signing := strings.Contains(g.resource, ":secret:/sym/main/signing")
		switch {
		case target && strings.HasSuffix(g.resource, ":grant-database"):
			broken("only access invokes what strategies invoke")
		case target && g.who != "ApprovalRole":
			broken("only approval invokes what flows invoke")
		case secret && (g.who != "DriftRole" || signing) && g.who != "DeliverRole":
			broken("only access reads the secrets of integrations, and drift those that it signs in with")
		case secret && strings.Contains(g.resource, ":secret:/sym/main/siem") != (g.who == "DeliverRole"):
			broken("only deliver reads the secrets of log destinations, and no others")
		case action == "PutItem" && strings.Contains(g.condition, string(store.KindCursor)) && g.who != "DeliverRole" && g.who != "PublishRole" && g.who != "ConfigRole":
			broken("only deliver says how far log destinations are, and publish and config where they begin")
		case g.who == "ServicesRole" && strings.Contains(g.condition, "run#") && action == "PutItem", g.who == "ServicesRole" && own:
			broken("services change no run, and call nobody")
		case strings.Contains(g.condition, "kv#") && g.who != "ServicesRole":
			broken("only services keep what handlers keep")
		case strings.Contains(g.condition, "grant#") && !(g.who == "DriftRole" && action == "GetItem"), strings.Contains(g.condition, "sick#"):
			broken("only access touches grants, which only drift reads beside it, and knows which targets are sick")
		case strings.Contains(g.condition, string(store.KindLimit)) && g.who != "DriftRole":
			broken("only access and drift ask targets, and keep their pace")
		case table && strings.Contains(g.condition, "LeadingKeys") && (strings.HasSuffix(g.condition, " *") && !strings.Contains(g.resource, "/index/")):
			broken("only kinds of items are allowed")
		case g.who == "DriftRole" && !table && !viaOnly(g, "dynamodb", "secretsmanager") && !slices.Contains([]string{"logs:CreateLogStream", "logs:PutLogEvents", "sts:AssumeRole", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}, g.action) && !looks.MatchString(g.action):
			broken("drift only looks")
		case g.who != "DriftRole" && (strings.HasPrefix(g.action, "scheduler:") || strings.HasPrefix(g.action, "iam:")):
			broken("only access schedules")
		case g.who != "DriftRole" && strings.HasPrefix(g.action, "sts:") && (g.who != "DeliverRole" || g.action != "sts:AssumeRole"):
			broken("only access, drift and deliver assume roles, and deliver says to nobody who we are")
		case g.resource == "${SlackSigningSecret}" && g.who != "SlackRole":
			broken("only slack reads the signing secret")
		case strings.Contains(g.condition, "token#") && g.who != "TokensRole" && (!slices.Contains([]string{"ApiRole", "ConfigRole", "RelayRole", "TransparencyRole"}, g.who) || action != "GetItem"):
			broken("only tokens handles tokens, api and config look one up, and relay and transparency read what was done to it")
		case action == "PutItem" && (strings.Contains(g.condition, " "+string(store.KindEntity)) || strings.Contains(g.condition, " "+string(store.KindEntityName))) && g.who != "ConfigRole" && g.who != "PublishRole":
			broken("only config keeps what the configuration API is sent, and publish what files say")
		case strings.HasPrefix(g.resource, "${LogBucket.Arn}") && g.who != "TransparencyRole" && action != "GetObject" && action != "ListBucket",
			action == "PutItem" && (strings.Contains(g.condition, string(store.KindLogHead)) || strings.Contains(g.condition, string(store.KindLeaf))) && g.who != "TransparencyRole":
			broken("only transparency writes the transparency log")
		case strings.HasPrefix(g.resource, "${LogBucket.Arn}") && action == "DeleteObject" && g.resource != "${LogBucket.Arn}/tile/*.p/*":
			broken("nobody removes more than partial files of the transparency log")
		case action == "PutItem" && strings.Contains(g.condition, string(store.KindIdentity)) && !slices.Contains([]string{"ServicesRole", "TokensRole"}, g.who):
			broken("only access, services and administrators say who people are elsewhere")
		}
	}
	return faults
}

// viaOnly says whether a right is to use a key by these services only, for what the
// role may ask of them.
func viaOnly(g grantedRight, services ...string) bool {
	list, limited := strings.CutPrefix(g.condition, "kms:ViaService StringEquals ")
	list, _, _ = strings.Cut(list, " and ")
	return limited && strings.HasPrefix(g.action, "kms:") && !slices.ContainsFunc(strings.Split(list, " | "), func(host string) bool {
		service, _, _ := strings.Cut(host, ".")
		return !slices.Contains(services, service)
	})
}

// TestRulesFind: the rules see what they are for.
func TestRulesFind(t *testing.T) {
	t.Parallel()
	const (
		keys   = "dynamodb:LeadingKeys ForAllValues:StringLike "
		target = "arn:aws:lambda:us-east-1:123456789012:function:grant-database"
	)
	for _, g := range []grantedRight{
		{"AccessRole", "dynamodb:*", "${Table.Arn}", keys + "run#*"},
		{"AccessRole", "secretsmanager:GetSecretValue", "*", ""},
		{"AccessRole", "dynamodb:Scan", "${Table.Arn}", keys + "run#*"},
		{"AccessRole", "dynamodb:GetItem", "${Table.Arn}", ""},
		{"AccessRole", "iam:PassRole", "${ScheduleRole.Arn}", ""},
		{"AccessRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/sym/*", ""},
		{"ApprovalRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/sym/directory", ""},
		{"AccessRole", identityToken, "*", ""},
		{"SlackRole", "dynamodb:GetItem", "${Table.Arn}", keys + "run#* | grant#*"},
		{"SlackRole", "dynamodb:GetItem", "${Table.Arn}", keys + "*"},
		{"ApiRole", "lambda:InvokeFunction", target, ""},
		{"ApprovalRole", "lambda:InvokeFunction", target, ""},
		{"ApiRole", "s3:PutObject", "${LogBucket.Arn}/*", ""},
		{"RelayRole", "dynamodb:PutItem", "${Table.Arn}", keys + "leaf#*"},
		{"RelayRole", "secretsmanager:GetSecretValue", "${LogKey}", ""},
		{"DeliverRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/pagerduty-??????", ""},
		{"DriftRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/siem-??????", ""},
		{"DeliverRole", identityToken, "*", ""},
		{"DeliverRole", "dynamodb:PutItem", "${Table.Arn}", keys + "log#head"},
		{"NotifyRole", "dynamodb:PutItem", "${Table.Arn}", keys + "cursor#*"},
		{"TransparencyRole", "s3:DeleteObject", "${LogBucket.Arn}/*", ""},
		{"RelayRole", "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:report", ""},
		{"SweepRole", "lambda:InvokeFunction", "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*", ""},
		{"NotifyRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/signing-??????", ""},
		{"ApprovalRole", "scheduler:CreateSchedule", "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/sym-flows/*", ""},
		{"ApiRole", "secretsmanager:GetSecretValue", "${SlackSigningSecret}", ""},
		{"ApiRole", "dynamodb:PutItem", "${Table.Arn}", keys + "token#*"},
		{"SdkRole", "dynamodb:GetItem", "${Table.Arn}", keys + "kv#*"},
		{"SdkRole", "secretsmanager:GetSecretValue", "${SlackSecret}", ""},
		{"SdkRole", "secretsmanager:GetSecretValue", "${SlackSigningSecret}", ""},
		{"SdkRole", "secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/signing-??????", ""},
		{"SdkRole", "scheduler:CreateSchedule", "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/sym-flows/*", ""},
		{"SdkRole", "lambda:InvokeFunction", target, ""},
		{"SdkRole", "lambda:InvokeFunction", ours + "access", ""},
		{"SdkRole", "states:SendTaskSuccess", "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:sym-flows", ""},
		{"SdkRole", "xray:PutTraceSegments", "*", ""},
		{"ServicesRole", "dynamodb:PutItem", "${Table.Arn}", keys + "run#*"},
		{"ServicesRole", "lambda:InvokeFunction", ours + "access", ""},
		{"ServicesRole", "secretsmanager:GetSecretValue", "${SlackSigningSecret}", ""},
		{"SdkRole", "kms:Decrypt", "${Key.Arn}", "kms:ViaService StringEquals dynamodb.us-east-1.amazonaws.com"},
		{"SdkRole", "kms:Decrypt", "${Key.Arn}", "kms:ViaService StringEquals secretsmanager.us-east-1.amazonaws.com"},
		{"DriftRole", "kms:Decrypt", "${Key.Arn}", ""},
		{"DriftRole", "kms:Decrypt", "${Key.Arn}", "kms:ViaService StringEquals secretsmanager.us-east-1.amazonaws.com | s3.us-east-1.amazonaws.com"},
		{"NotifyRole", "lambda:InvokeFunction", ours + "sdk", ""},
		{"ApprovalRole", "lambda:InvokeFunction", ours + "services", ""},
		{"ApprovalRole", "dynamodb:GetItem", "${Table.Arn}", keys + "kv#*"},
	} {
		if len(ruleFaults([]grantedRight{g})) == 0 {
			t.Errorf("no rule is against: %s", g)
		}
	}
}

// TestConfigRole: whoever takes configuration from outside can write configuration, have
// sdk look at Python, and read runs by their keys; whatever the deployment lets it grant
// by, it can't grant, start a run, read a secret or say who people are.
func TestConfigRole(t *testing.T) {
	t.Parallel()
	configuration := []string{"entity#", "entityname#", "flow#", "flowversion#", "flowdigests#", "flows#", "destinations#", "cursor#", "propos"}
	begins := func(kind string, with ...string) bool {
		return slices.ContainsFunc(with, func(prefix string) bool { return strings.HasPrefix(kind, prefix) })
	}
	rights := rightsOf(t, synthesize(t, map[string]any{"flows": manyFlows(t, 1), "grants": "arn:aws:iam::*:role/sym/*,arn:aws:lambda:us-east-1:123456789012:function:grant-db,secret:/sym/okta"}))
	seen := 0
	for _, g := range rights {
		if g.who != "ConfigRole" {
			continue
		}
		seen++
		kinds, onItems := strings.CutPrefix(g.condition, "dynamodb:LeadingKeys ForAllValues:StringLike ")
		allowed := g.action == "lambda:InvokeFunction" && strings.HasSuffix(g.resource, ":function:sym-flows-sdk") ||
			(g.action == "logs:CreateLogStream" || g.action == "logs:PutLogEvents") && g.resource == "${ConfigLogs.Arn}"
		if onItems {
			allowed = !strings.Contains(kinds, " and ")
			for kind := range strings.SplitSeq(kinds, " | ") {
				switch g.action {
				case "dynamodb:PutItem":
					allowed = allowed && begins(kind, append(configuration, "notice#")...)
				case "dynamodb:GetItem", "dynamodb:BatchGetItem":
					// Besides: whose token it is, where a log destination begins, and runs.
					allowed = allowed && begins(kind, append(configuration, "token#", "log#head", "run#", "asked#")...)
				case "dynamodb:Query":
					allowed = allowed && begins(kind, configuration...)
				default:
					allowed = false
				}
			}
		}
		if !allowed {
			t.Errorf("more than configuration takes: %s", g)
		}
	}
	if seen == 0 {
		t.Error("it has no rights")
	}
}

// TestKindsAreGranted: each kind of items may be read by some role, and roles
// have rights on the kinds of the store only. A kind that is granted to no role
// is of no use in AWS: its function fails at the first item.
func TestKindsAreGranted(t *testing.T) {
	t.Parallel()
	granted := map[string]bool{}
	for _, g := range rightsOf(t, standard(t)) {
		keys, limited := strings.CutPrefix(g.condition, "dynamodb:LeadingKeys ForAllValues:StringLike ")
		if limited && g.resource == "${Table.Arn}" {
			for _, pattern := range strings.Split(keys, " | ") {
				granted[pattern] = granted[pattern] || g.action == "dynamodb:GetItem"
			}
		}
	}
	for _, k := range store.Kinds() {
		pattern := keysOf(k)
		if k == store.KindErasure { // people are erased by the command of an operator, and no function can
			if granted[pattern] {
				t.Errorf("a role has a right on %s", pattern)
			}
			continue
		}
		if !granted[pattern] {
			t.Errorf("no role may read %s", pattern)
		}
		delete(granted, pattern)
	}
	for pattern := range granted {
		t.Errorf("a role has a right on %s, which is no kind of package store", pattern)
	}
}

// strategyRows are the rights that each strategy brings access, as testdata/flows
// configures it.
var strategyRows = map[string][]string{
	"aptible":            {"secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/aptible-??????"},
	"aws_account_access": {"sts:AssumeRole on arn:aws:iam::310987654321:role/sym/account-access if sts:ExternalId StringEquals 1f0c1f0c"},

	"aws_eks": {
		"eks:AssociateAccessPolicy on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/* if eks:policyArn StringEquals arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
		"eks:CreateAccessEntry on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:cluster/main",
		"eks:DeleteAccessEntry on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/*",
		"eks:DescribeAccessEntry on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/*",
		"eks:DescribeCluster on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:cluster/main",
		"eks:DisassociateAccessPolicy on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/*",
		"eks:ListAccessEntries on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:cluster/main",
		"eks:ListAssociatedAccessPolicies on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/*",
		"eks:TagResource on arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:access-entry/main/*",
	},
	"aws_iam":      {"sts:AssumeRole on arn:aws:iam::210987654321:role/sym/connector if sts:ExternalId StringEquals 1f0c1f0c"},
	"aws_lambda":   {"lambda:InvokeFunction on arn:aws:lambda:us-east-1:123456789012:function:grant-database"},
	"aws_sso":      {"sts:AssumeRole on arn:aws:iam::310987654321:role/sym/identity-center if sts:ExternalId StringEquals 1f0c1f0c"},
	"boundary":     {"secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/boundary-??????"},
	"custom":       {}, // its code runs in the role of handlers
	"entra_group":  {"sts:GetWebIdentityToken on * if sts:IdentityTokenAudience ForAllValues:StringEquals api://AzureADTokenExchange and sts:IdentityTokenAudience Null false"},
	"gcp_iam":      {}, // as google_group
	"google_group": {}, // AWS signs who we are, which takes no right
	"github":       {"secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/github-??????"},
	"http":         {"secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/signing-??????"},
	"onelogin":     {"secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:/sym/main/onelogin-??????"},
	"okta":         {"kms:Sign on arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab if kms:SigningAlgorithm StringEquals RSASSA_PKCS1_V1_5_SHA_256"},
	"tailscale":    {"sts:GetWebIdentityToken on * if sts:IdentityTokenAudience ForAllValues:StringEquals api.tailscale.com/kidentity1CNTRL and sts:IdentityTokenAudience Null false"},
	"postgres": {
		"rds-data:ExecuteStatement on arn:aws:rds:us-east-1:123456789012:cluster:orders",
		"secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/main/postgres-a1B2c3",
		"secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/main/postgres-a1B2c3-??????",
	},
}

// TestStrategyRights: access has the rights that its strategies need and no
// others, and each strategy of this build is in the configuration that shows it.
func TestStrategyRights(t *testing.T) {
	t.Parallel()
	configured, report := catalog.Load(filepath.Join("testdata", "flows"), "sym", builtin.Types())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for name := range builtin.Types() {
		if !slices.ContainsFunc(configured.Strategies, func(s flow.Strategy) bool { return s.Type == name }) {
			t.Errorf("testdata/flows has no strategy of type %s", name)
		}
		row, ok := strategyRows[name]
		if !ok {
			t.Errorf("strategyRows has no row for %s: say which rights it needs, if only none", name)
		}
		want = append(want, row...)
	}
	for _, r := range standard(t).ofType("AWS::IAM::RolePolicy") {
		if strings.Trim(text(r.Properties["RoleName"]), "${}") != "AccessRole" {
			continue
		}
		for _, g := range statements(t, "access", r.Properties["PolicyDocument"]) {
			got = append(got, strings.TrimPrefix(g.String(), "access: "))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("access got %q for its strategies, want %q", got, want)
	}
}

// TestStrategyRights_Statements: every kind of right that a strategy can declare
// becomes statements of a policy.
func TestStrategyRights_Statements(t *testing.T) {
	t.Parallel()
	jsiiTurn.Lock()
	defer jsiiTurn.Unlock()
	const role = "arn:aws:iam::210987654321:role/sym/directory"
	got := (&deployment{}).strategyRights(strategy.Rights{
		Allow: []strategy.Allow{{Actions: []string{"iam:AddUserToGroup"}, Resources: []string{"arn:{partition}:iam::{account}:group/ops", "arn:{partition}:eks:{region}:{account}:cluster/main"}}, {
			Actions: []string{"eks:AssociateAccessPolicy"}, Resources: []string{"arn:{partition}:eks:{region}:{account}:access-entry/main/*"}, When: map[string][]string{"eks:policyArn": {"arn:{partition}:eks::aws:p"}},
		}, strategy.IdentityTokens("api://a", "api://b").Allow[0]},
		Assume:  []strategy.Role{{ARN: role, ExternalID: "1f0c"}, {ARN: role + "-open"}},
		Secrets: []flow.SecretRef{{Path: "arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta", JSONKey: "a"}, {Path: "arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta", JSONKey: "b"}},
	})
	partition, region, account := *awscdk.Aws_PARTITION(), *awscdk.Aws_REGION(), *awscdk.Aws_ACCOUNT_ID()
	want := []right{
		{actions: []string{"iam:AddUserToGroup"}, resources: []string{
			fmt.Sprintf("arn:%s:iam::%s:group/ops", partition, account), fmt.Sprintf("arn:%s:eks:%s:%s:cluster/main", partition, region, account),
		}},
		{
			actions:   []string{"eks:AssociateAccessPolicy"},
			resources: []string{fmt.Sprintf("arn:%s:eks:%s:%s:access-entry/main/*", partition, region, account)},
			condition: map[string]any{"StringEquals": map[string]any{"eks:policyArn": []any{fmt.Sprintf("arn:%s:eks::aws:p", partition)}}},
		},
		{actions: []string{"sts:GetWebIdentityToken"}, resources: []string{"*"}, condition: map[string]any{
			"ForAllValues:StringEquals": map[string]any{"sts:IdentityTokenAudience": []any{"api://a", "api://b"}},
			"Null":                      map[string]any{"sts:IdentityTokenAudience": "false"},
		}},
		{actions: []string{"sts:AssumeRole"}, resources: []string{role}, condition: map[string]any{"StringEquals": map[string]any{"sts:ExternalId": "1f0c"}}},
		{actions: []string{"sts:AssumeRole"}, resources: []string{role + "-open"}},
		{actions: []string{"secretsmanager:GetSecretValue"}, resources: []string{"arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta-??????"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(right{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSecretARN: a right is for one secret, however the configuration names it.
func TestSecretARN(t *testing.T) {
	t.Parallel()
	d := &deployment{}
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta"
	for path, want := range map[string][]string{
		arn + "-a1B2c3": {arn + "-a1B2c3", arn + "-a1B2c3-??????"}, // a name may end so
		arn:             {arn + "-??????"},
	} {
		if got := d.secretARNs(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
	jsiiTurn.Lock()
	defer jsiiTurn.Unlock()
	if got := d.secretARNs("client-secret"); len(got) != 1 || !strings.HasSuffix(got[0], ":secret:client-secret-??????") {
		t.Errorf("of a name: %q", got)
	}
}
