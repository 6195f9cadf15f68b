package main

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everything sets every option that adds something.
var everything = map[string]any{
	"alarmEmail": "ops@example.com", "auditRetention": "400", "objectLock": "compliance:365", "checkpoints": "s3://elsewhere/sym", "region": "us-east-1", "kmsKey": "create", "secretKeys": secretKey,
	"reservedConcurrency": "removal:100,access:50,slack:20", "slackCommand": "/access", "configApproval": "configure", "logLevel": "warn", "tracing": "all",
	"subnets": "subnet-0a1b2c3d,subnet-4e5f6a7b", "securityGroups": "sg-0a1b2c3d",
	"domain": "sym.example.com", "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
	"webAcl":       "arn:aws:wafv2:us-east-1:123456789012:global/webacl/sym/1234abcd-12ab-34cd-56ef-1234567890ab",
	"originDomain": "origin.sym.example.com", "originCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/5678abcd-12ab-34cd-56ef-1234567890ab",
}

// whole is the template with every option. It is made once, and not to be changed.
var whole = sync.OnceValues(func() (template, error) { return synthesizeOnce(everything) })

func wholeTemplate(t *testing.T) template {
	t.Helper()
	made, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestEverything: with every option the template keeps to good practice, and roles to
// the rules.
func TestEverything(t *testing.T) {
	t.Parallel()
	made := wholeTemplate(t)
	for _, f := range made.findings() {
		t.Error(f)
	}
	for _, f := range ruleFaults(rightsOf(t, made)) {
		t.Error(f)
	}
	for place, want := range map[string]string{
		"SlackFunction ReservedConcurrentExecutions":           "20",
		"SlackFunction TracingConfig Mode":                     "Active",
		"SdkFunction TracingConfig Mode":                       "PassThrough",
		"SlackFunction Environment Variables SYM_LOG_LEVEL":    "warn",
		"SdkFunction Environment Variables SYM_LOG_LEVEL":      "null",
		"AccessFunction VpcConfig SubnetIds":                   `["subnet-0a1b2c3d","subnet-4e5f6a7b"]`,
		"RemovalFunction VpcConfig SecurityGroupIds":           `["sg-0a1b2c3d"]`,
		"SlackFunction VpcConfig":                              "null",
		"HttpApi DisableExecuteApiEndpoint":                    "true",
		"Domain DomainName":                                    "origin.sym.example.com",
		"Domain DomainNameConfigurations 0 SecurityPolicy":     "TLS_1_2",
		"Distribution DistributionConfig Aliases":              `["sym.example.com"]`,
		"Distribution DistributionConfig Origins 0 DomainName": "origin.sym.example.com",
	} {
		path := strings.Fields(place)
		var v any = made.Resources[path[0]].Properties
		for _, step := range path[1:] {
			if step == "0" {
				v = at(v, 0)
				continue
			}
			v = at(v, step)
		}
		if got := text(v); got != want {
			t.Errorf("%s is %s, not %s", place, got, want)
		}
	}
	for name, want := range map[string]string{
		"ApiUrl": "https://sym.example.com", "SlackCommandsUrl": "https://sym.example.com/slack/commands",
		"DomainTarget": "${Distribution.DomainName}", "OriginTarget": "${Domain.RegionalDomainName}",
	} {
		if got := text(made.Outputs[name].Value); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
}

// TestEdge: requests that have not come by way of CloudFront are refused, but for
// those that IAM lets in; and what is signed reaches the functions as it was sent.
func TestEdge(t *testing.T) {
	t.Parallel()
	made := wholeTemplate(t)
	for _, r := range routes {
		got := text(made.Resources[r.id+"Route"].Properties["AuthorizationType"])
		if want := map[bool]string{true: "AWS_IAM", false: "CUSTOM"}[r.iam]; got != want {
			t.Errorf("%s has the authorisation %s, not %s", r.key, got, want)
		}
		if before := text(standard(t).Resources[r.id+"Route"].Properties["AuthorizationType"]); !r.iam && before != "NONE" {
			t.Errorf("%s without CloudFront: %s", r.key, before)
		}
	}
	behavior := at(made.Resources["Distribution"].Properties, "DistributionConfig", "DefaultCacheBehavior")
	if got := text(at(behavior, "CachePolicyId")) + " " + text(at(behavior, "OriginRequestPolicyId")); got != cachingDisabled+" "+allViewerExceptHostHeader {
		t.Errorf("requests are kept or changed: %s", got)
	}
	header := at(made.Resources["Distribution"].Properties, "DistributionConfig", "Origins", 0, "OriginCustomHeaders", 0)
	if got := text(at(header, "HeaderName")) + ": " + text(at(header, "HeaderValue")); got != "x-sym-edge: {{resolve:secretsmanager:${EdgeSecret}:SecretString}}" {
		t.Errorf("CloudFront says %s", got)
	}
	if got := texts(made.Resources["EdgeAuthorizer"].Properties["IdentitySource"]); !slices.Equal(got, []string{"$request.header.x-sym-edge"}) {
		t.Errorf("it is asked about %q", got)
	}
	// What it says of requests, as Python runs it.
	const program = `
import json, sys, types
asked = []
class Client:
    def get_secret_value(self, SecretId):
        asked.append(SecretId)
        return {"SecretString": "right"}
sys.modules["boto3"] = types.SimpleNamespace(client=lambda name: Client())
import edge
events = [{"headers": {"x-sym-edge": "right"}}, {"headers": {"x-sym-edge": "wrong"}}, {"headers": {"x-sym-edge": ""}}, {"headers": {"x-sym-edge": "r\u00efght"}}, {"headers": {}}, {}]
print(json.dumps({"answers": [edge.handler(e, None)["isAuthorized"] for e in events], "asked": asked}))
`
	command := exec.CommandContext(t.Context(), "python3", "-B", "-c", program) // which finds edge.py here
	command.Env = append(command.Environ(), "EDGE_SECRET=arn")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Answers []bool
		Asked   []string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true, false, false, false, false, false}, got.Answers); diff != "" || len(got.Asked) != 1 || got.Asked[0] != "arn" {
		t.Errorf("it lets pass (-want +got), and asked for %q:\n%s", got.Asked, diff)
	}
}

// deletes matches actions by which a table, records, keys or secrets are gone, can be
// made to go, or be read by nobody.
var deletes = regexp.MustCompile(`^(dynamodb:(Delete(Table|Backup|ResourcePolicy)|Update(Table|ContinuousBackups|TimeToLive)|RestoreTable.*|PutResourcePolicy)` +
	`|s3:(Delete.*|Put(Bucket|Lifecycle|Encryption|Object(Retention|LegalHold|Acl)|Account).*|BypassGovernanceRetention)` +
	`|kms:(ScheduleKeyDeletion|DisableKey.*|Delete.*|PutKeyPolicy|CreateGrant|RevokeGrant|RetireGrant|UpdateAlias|CreateAlias)` +
	`|secretsmanager:(Delete|Update|Put|Restore|Rotate).*|logs:(DeleteLog(Group|Stream)|PutRetentionPolicy|DisassociateKmsKey)|firehose:(Delete|Update|Stop).*|cloudformation:.*|iam:(Delete|Put|Attach|Create|Update).*|sqs:(DeleteQueue|PurgeQueue|SetQueueAttributes))$`)

// mayDelete are the kinds of items that are deleted: tokens, and what is over.
var mayDelete = []string{"call#*", "event#*", "token#*", "flow#*"}

// TestNothingIsDeleted: no role of the stack may delete the table, records, keys or
// secrets, nor items that say who has access, whatever options are set.
func TestNothingIsDeleted(t *testing.T) {
	t.Parallel()
	fault := func(g grantedRight) string {
		switch {
		// A notice of a log destination that takes records again is over, and told anew if it
		// comes again.
		case g.who == "DeliverRole" && g.action == "dynamodb:DeleteItem" && g.condition == "dynamodb:LeadingKeys ForAllValues:StringLike notice#*":
		// Partial files of the transparency log are in later ones.
		case g.who == "TransparencyRole" && g.resource == "${LogBucket.Arn}/tile/*.p/*" && (g.action == "s3:DeleteObject" || g.action == "s3:PutObjectRetention"):
		case deletes.MatchString(g.action), strings.Contains(g.action, "*"):
			return "it deletes"
		case g.action == "dynamodb:DeleteItem":
			keys, _ := strings.CutPrefix(g.condition, "dynamodb:LeadingKeys ForAllValues:StringLike ")
			for _, kind := range strings.Split(keys, " | ") {
				if !slices.Contains(mayDelete, kind) {
					return "it deletes items of " + kind
				}
			}
		}
		return ""
	}
	all := rightsOf(t, wholeTemplate(t))
	if len(all) < 200 {
		t.Fatalf("only %d rights", len(all))
	}
	for _, g := range all {
		if f := fault(g); f != "" {
			t.Errorf("%s: %s", f, g)
		}
	}
	for _, action := range []string{"dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:BypassGovernanceRetention",
		"kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:*", "secretsmanager:DeleteSecret", "logs:DeleteLogGroup", "iam:PutRolePolicy"} {
		if fault(grantedRight{action: action}) == "" {
			t.Errorf("%s is not found", action)
		}
	}
	if fault(grantedRight{action: "dynamodb:DeleteItem", condition: "dynamodb:LeadingKeys ForAllValues:StringLike call#* | grant#*"}) == "" {
		t.Error("the deletion of a grant is not found")
	}
}

// TestDomain: a domain alone is the API's, and leaves its own address on.
func TestDomain(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"domain": "sym.example.com", "certificate": everything["certificate"], "tracing": "off"})
	if got := text(made.Outputs["SlackEventsUrl"].Value) + " " + text(made.Outputs["DomainTarget"].Value); got != "https://sym.example.com/slack/events ${Domain.RegionalDomainName}" {
		t.Errorf("it is reached at %s", got)
	}
	if got := text(made.Resources["DomainMapping"].Properties["Stage"]); got != "${ApiStage}" {
		t.Errorf("it leads to %s", got)
	}
	if made.Resources["HttpApi"].Properties["DisableExecuteApiEndpoint"] != nil || len(made.ofType("AWS::CloudFront::Distribution")) > 0 {
		t.Error("nobody has asked for more than a domain")
	}
	if got := text(at(made.Resources["Workflow"].Properties, "TracingConfiguration", "Enabled")); got != "false" {
		t.Errorf("executions are traced: %s", got)
	}
	for _, f := range made.findings() {
		t.Error(f)
	}
}
