package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/awstest"
)

// cloud is an account as CloudFormation, KMS, Lambda and STS tell of it, by their
// protocols.
type cloud struct {
	outputs     map[string]string // of the stack; nil: there is none
	metadata    string            // of its template
	keys        map[string]string // states, by ARN
	policy      string            // of each key
	unreserved  int
	denied      string // an operation that is refused
	lookupRoles []string
	imports     *imports
	tables      *tables
	endpoints   string // of the VPC, with spaces between them
	route       string // of everything that is not in the VPC: kind and id
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		service, operation, _ := strings.Cut(target, ".")
		if strings.HasPrefix(service, "DynamoDB") {
			c.tables.serve(w, operation, body)
			return
		}
		var in struct{ KeyId string }
		if err := json.Unmarshal(body, &in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		state, ok := c.keys[in.KeyId]
		switch {
		case c.denied == operation:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"no"}`)
		case !ok:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":"NotFoundException","message":"Key '%s' does not exist"}`, in.KeyId)
		case operation == "DescribeKey":
			spec := "SYMMETRIC_DEFAULT"
			if strings.HasPrefix(state, "RSA") {
				state, spec = "Enabled", state
			}
			json.NewEncoder(w).Encode(map[string]any{"KeyMetadata": map[string]any{"KeyId": path.Base(in.KeyId), "Arn": in.KeyId, "KeyState": state, "KeySpec": spec}})
		case operation == "GetKeyPolicy":
			json.NewEncoder(w).Encode(map[string]any{"Policy": c.policy, "PolicyName": "default"})
		}
		return
	}
	if strings.HasSuffix(r.URL.Path, "/account-settings/") || strings.HasSuffix(r.URL.Path, "/account-settings") {
		fmt.Fprintf(w, `{"AccountLimit":{"ConcurrentExecutions":1000,"UnreservedConcurrentExecutions":%d}}`, c.unreserved)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	action := form.Get("Action")
	fault := func(code, message string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
	}
	answer := func(inner string) {
		fmt.Fprintf(w, "<%sResponse><%sResult>%s</%sResult></%sResponse>", action, action, inner, action, action)
	}
	switch {
	case action == c.denied:
		fault("AccessDenied", "not authorized to perform "+action)
	case c.imports != nil && c.imports.serve(form, answer):
	case action == "GetCallerIdentity":
		answer("<Account>" + awstest.Account + "</Account>")
	case action == "AssumeRole":
		c.lookupRoles = append(c.lookupRoles, form.Get("RoleArn"))
		answer("<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration></Credentials>")
	case action == "DescribeSubnets":
		var items strings.Builder
		for _, id := range []string{form.Get("SubnetId.1"), form.Get("SubnetId.2")} {
			vpc := "vpc-1"
			if id == "subnet-ff" {
				vpc = "vpc-2"
			}
			fmt.Fprintf(&items, "<item><subnetId>%s</subnetId><vpcId>%s</vpcId></item>", id, vpc)
		}
		fmt.Fprintf(w, "<DescribeSubnetsResponse><subnetSet>%s</subnetSet></DescribeSubnetsResponse>", items.String())
	case action == "DescribeVpcEndpoints" && form.Get("Filter.1.Value.1") == "vpc-1":
		var items strings.Builder
		for _, service := range strings.Fields(c.endpoints) {
			fmt.Fprintf(&items, "<item><serviceName>com.amazonaws.us-east-1.%s</serviceName><state>available</state></item>", service)
		}
		fmt.Fprintf(w, "<DescribeVpcEndpointsResponse><vpcEndpointSet>%s</vpcEndpointSet></DescribeVpcEndpointsResponse>", items.String())
	case action == "DescribeRouteTables" && form.Get("Filter.1.Name") == "vpc-id":
		kind, id, _ := strings.Cut(c.route, " ")
		fmt.Fprintf(w, "<DescribeRouteTablesResponse><routeTableSet><item><routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId></item><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><%[1]s>%[2]s</%[1]s></item></routeSet></item></routeTableSet></DescribeRouteTablesResponse>", kind, id)
	case c.outputs == nil:
		fault("ValidationError", "Stack with id "+form.Get("StackName")+" does not exist")
	case action == "DescribeStacks":
		var members strings.Builder
		for key, value := range c.outputs {
			fmt.Fprintf(&members, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", key, value)
		}
		answer("<Stacks><member><StackName>" + form.Get("StackName") + "</StackName><StackStatus>UPDATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>" + members.String() + "</Outputs></member></Stacks>")
	case action == "GetTemplateSummary":
		var text strings.Builder
		if err := xml.EscapeText(&text, []byte(c.metadata)); err != nil {
			panic(err) // a builder takes all
		}
		answer("<Metadata>" + text.String() + "</Metadata>")
	}
}

// run does a command for what was synthesized.
func (c *cloud) run(t *testing.T, made template, args ...string) (string, error) {
	t.Helper()
	cfg := awstest.Config(t, c)
	var out strings.Builder
	err := command(t.Context(), append(args, "-app", made.dir), func(context.Context) (aws.Config, error) { return cfg, nil }, &out)
	return out.String(), err
}

// metadataOf is what CloudFormation keeps of a deployed template.
func metadataOf(made template) string {
	b, err := json.Marshal(made.Metadata)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(b)
}

// inCloud is the account after a deploy.
func (made template) inCloud() *cloud {
	outputs := map[string]string{
		"AccessRoleArn":  "arn:aws:iam::" + awstest.Account + ":role/sym-flows-us-east-1-access",
		"DriftRoleArn":   "arn:aws:iam::" + awstest.Account + ":role/sym-flows-us-east-1-drift",
		"DeliverRoleArn": "arn:aws:iam::" + awstest.Account + ":role/sym-flows-us-east-1-deliver",
	}
	return &cloud{outputs: outputs, metadata: metadataOf(made), unreserved: 1000}
}

// TestPreflight: nothing stands in the way of a first deploy, nor of the same once
// more. It is read by the role that is for that, if it may be assumed.
func TestPreflight(t *testing.T) {
	t.Parallel()
	made := standard(t)
	for name, c := range map[string]*cloud{
		"first": {}, "again": made.inCloud(), "without the CDK's role": {denied: "AssumeRole"},
	} {
		if out, err := c.run(t, made, "preflight"); err != nil || out != "" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if want := "arn:aws:iam::" + awstest.Account + ":role/cdk-hnb659fds-lookup-role-" + awstest.Account + "-us-east-1"; c.denied == "" && (len(c.lookupRoles) == 0 || c.lookupRoles[0] != want) {
			t.Errorf("%s: it assumed %q, not %s", name, c.lookupRoles, want)
		}
	}
	if _, err := (&cloud{denied: "DescribeStacks"}).run(t, made, "preflight"); err == nil || !strings.Contains(err.Error(), "look at the stack sym-flows") {
		t.Errorf("what can't be looked at: %v", err)
	}
	if _, err := (&cloud{}).run(t, made, "deploy"); err == nil || !strings.Contains(err.Error(), "adopt, connectors, key-policy, preflight, restore") {
		t.Errorf("no command: %v", err)
	}
	if _, err := (&cloud{}).run(t, template{dir: t.TempDir()}, "preflight"); err == nil || !strings.Contains(err.Error(), "run make synth first") {
		t.Errorf("nothing was synthesized: %v", err)
	}
}

// TestPreflight_Options: what was set once stays set, or a deploy is refused until
// somebody says that it is to go.
func TestPreflight_Options(t *testing.T) {
	t.Parallel()
	set := map[string]any{"alarmEmail": "ops@example.com", "logRetention": "30", "flows": approvalOnly(t)}
	before := synthesize(t, set)
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(set)
		maps.Copy(all, more)
		return all
	}
	left := maps.Clone(set)
	delete(left, "alarmEmail")
	delete(left, "logRetention")
	for name, c := range map[string]struct {
		now  map[string]any
		want []string // "": it goes on
	}{
		"the same":   {set, nil},
		"changed":    {with(map[string]any{"logRetention": "60", "rateLimit": "9"}), nil},
		"taken back": {with(map[string]any{"alarmEmail": "default", "logRetention": "default"}), nil},
		"left out":   {left, []string{"  alarmEmail: ops@example.com\n  logRetention: 30\n", `CONTEXT="-c alarmEmail=ops@example.com -c logRetention=30"`, "-c alarmEmail=default"}},
		"org":        {with(map[string]any{"org": "acme"}), []string{"It has the org sym, and this deploy acme"}},
	} {
		_, err := before.inCloud().run(t, synthesize(t, c.now), "preflight")
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in:\n%v", name, want, err)
			}
		}
	}
	back := synthesize(t, with(map[string]any{"alarmEmail": "default"}))
	if _, mailed := back.Resources["AlarmEmail"]; mailed {
		t.Error("the option was taken back, and mails are sent")
	}
	if _, err := back.inCloud().run(t, synthesize(t, map[string]any{"flows": set["flows"], "logRetention": "30"}), "preflight"); err != nil {
		t.Errorf("what was taken back is asked for: %v", err)
	}
	older := before.inCloud()
	older.metadata = ""
	if out, err := older.run(t, standard(t), "preflight"); err != nil || !strings.Contains(out, "did not keep its options") {
		t.Errorf("of an older release: %q, %v", out, err)
	}
}

// TestPreflight_Roles: before roles get other names, those who trust them are told,
// with policies that name both.
func TestPreflight_Roles(t *testing.T) {
	t.Parallel()
	made := standard(t)
	c := made.inCloud()
	const was = "arn:aws:iam::" + awstest.Account + ":role/sym-flows-AccessRole-1A2B3C"
	is := c.outputs["AccessRoleArn"]
	c.outputs["AccessRoleArn"] = was
	_, err := c.run(t, made, "preflight")
	if err == nil {
		t.Fatal("the deploy would leave policies behind that trust nobody")
	}
	for _, want := range []string{"access: " + was + " is now " + is, "make deploy RENAMED=1", "arn:aws:iam::210987654321:role/sym/connector:\n{"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	_, rest, _ := strings.Cut(err.Error(), "arn:aws:iam::210987654321:role/sym/connector:\n")
	var policy any
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&policy); err != nil {
		t.Fatal(err)
	}
	statement := at(policy, "Statement", 0)
	if got := texts(at(statement, "Condition", "ArnEquals", "aws:PrincipalArn")); strings.Join(got, " ") != is+" "+was+" "+c.outputs["DriftRoleArn"]+" "+c.outputs["DeliverRoleArn"] {
		t.Errorf("it trusts %q", got)
	}
	if got := text(at(statement, "Condition", "StringEquals", "sts:ExternalId")); got != "1f0c1f0c" {
		t.Errorf("by the external id %s", got)
	}
	if got := text(at(statement, "Principal", "AWS")); got != "arn:aws:iam::"+awstest.Account+":root" {
		t.Errorf("of %s", got)
	}
	if _, err := c.run(t, made, "preflight", "-renamed"); err != nil {
		t.Errorf("it was agreed to: %v", err)
	}
	out, err := c.run(t, made, "connectors")
	if err != nil || strings.Count(out, was) != strings.Count(out, "sts:AssumeRole") || !strings.Contains(out, "AccessRoleArn="+is+" ") {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = (&cloud{}).run(t, synthesize(t, map[string]any{"flows": approvalOnly(t)}), "connectors")
	if err != nil || !strings.Contains(out, is) {
		t.Errorf("of a configuration without any: %v:\n%s", err, out)
	}
}

// TestPreflight_Key: a key that can't be used, or does not let us, is found before
// the deploy; and what is printed for its policy is enough.
func TestPreflight_Key(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"kmsKey": givenKey, "secretKeys": secretKey})
	printed, err := (&cloud{}).run(t, made, "key-policy")
	if err != nil {
		t.Fatal(err)
	}
	_, statements, _ := strings.Cut(printed, "\n")
	const root = `{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + awstest.Account + `:root"},"Action":"kms:*","Resource":"*"}`
	policy := func(statements string) string { return `{"Version":"2012-10-17","Statement":[` + statements + `]}` }
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(statements), &all); err != nil {
		t.Fatal(err)
	}
	const service = `{"Effect":"Allow","Principal":{"Service":["logs.us-east-1.amazonaws.com","cloudwatch.amazonaws.com","logging.s3.amazonaws.com"]},"Action":["kms:Decrypt","kms:DescribeKey","kms:Enc*","kms:GenerateDataKey*","kms:ReEncrypt*"],"Resource":"*"}`
	enabled := map[string]string{givenKey: "Enabled", secretKey: "Enabled"}
	for name, c := range map[string]struct {
		keys         map[string]string
		policy, want string
	}{
		"as printed":  {enabled, policy(strings.Trim(statements, "[] \n")), ""},
		"more":        {enabled, policy(root + "," + service), ""},
		"the default": {enabled, policy(root), "Logs"},
		"other roles": {enabled, policy(strings.ReplaceAll(strings.Trim(statements, "[] \n"), "role/sym-flows-", "role/sym-test-")), "Roles"},
		"other logs":  {enabled, policy(root + "," + strings.ReplaceAll(service, "logs.us-east-1", "logs.eu-west-1")), "Logs"},
		"less":        {enabled, policy(root + "," + strings.ReplaceAll(service, `"kms:Decrypt",`, "")), "Alarms"},
		"a denial":    {enabled, policy(root + "," + strings.ReplaceAll(service, "Allow", "Deny")), "Alarms"},
		"disabled":    {map[string]string{givenKey: "Disabled", secretKey: "Enabled"}, policy(root), givenKey + " is not enabled but Disabled"},
		"to go":       {map[string]string{givenKey: "PendingDeletion", secretKey: "Enabled"}, policy(root), "not enabled but PendingDeletion"},
		"signs":       {map[string]string{givenKey: "RSA_2048", secretKey: "Enabled"}, policy(root), "is RSA_2048: name one that encrypts"},
		"unknown":     {map[string]string{secretKey: "Enabled"}, policy(root), "can't be looked at"},
		"of secrets":  {map[string]string{givenKey: "Enabled", secretKey: "Disabled"}, policy(root + "," + service), secretKey + " is not enabled"},
	} {
		_, err := (&cloud{keys: c.keys, policy: c.policy}).run(t, made, "preflight")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q is not in: %v", name, c.want, err)
		}
	}
	if len(all) != 5 {
		t.Errorf("%d statements", len(all))
	}
	for _, intrinsic := range []string{"Fn::", "Ref", "${"} {
		if strings.Contains(printed, intrinsic) {
			t.Errorf("nobody can paste %s:\n%s", intrinsic, printed)
		}
	}
	elsewhere := synthesize(t, map[string]any{"kmsKey": strings.Replace(givenKey, "us-east-1", "eu-west-1", 1)})
	if _, err := (&cloud{}).run(t, elsewhere, "preflight"); err == nil || !strings.Contains(err.Error(), "is in eu-west-1, and the deployment in us-east-1") {
		t.Errorf("of another region: %v", err)
	}
	theirs := synthesize(t, map[string]any{"kmsKey": strings.Replace(givenKey, awstest.Account, "210987654321", 1)})
	c := &cloud{keys: map[string]string{strings.Replace(givenKey, awstest.Account, "210987654321", 1): "Enabled"}}
	if out, err := c.run(t, theirs, "preflight"); err != nil || !strings.Contains(out, "make key-policy") {
		t.Errorf("of another account: %q, %v", out, err)
	}
	created, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	c = created.inCloud()
	c.outputs["KeyArn"], c.keys = givenKey, map[string]string{givenKey: "Disabled", secretKey: "Enabled"}
	if _, err := c.run(t, created, "preflight"); err == nil || !strings.Contains(err.Error(), "not enabled but Disabled") {
		t.Errorf("its own is disabled: %v", err)
	}
	for _, none := range []template{created, standard(t)} {
		if _, err := (&cloud{}).run(t, none, "key-policy"); err == nil {
			t.Error("a policy is printed for a key that nobody has given")
		}
	}
}

// TestPreflight_Concurrency: what Lambda would refuse to reserve is refused before.
func TestPreflight_Concurrency(t *testing.T) {
	t.Parallel()
	reserve := func(text string) template { return synthesize(t, map[string]any{"reservedConcurrency": text}) }
	before, now := reserve("removal:100"), reserve("removal:100,access:50")
	for name, c := range map[string]struct {
		cloud *cloud
		want  string
	}{
		"enough":          {&cloud{unreserved: 250}, ""},
		"too little":      {&cloud{unreserved: 249}, "so there are 149 to reserve"},
		"a new account":   {&cloud{unreserved: 10}, "so there are 0 to reserve"},
		"ours counts":     {&cloud{unreserved: 150, outputs: map[string]string{}, metadata: metadataOf(before)}, ""},
		"ours isn't more": {&cloud{unreserved: 149, outputs: map[string]string{}, metadata: metadataOf(before)}, "so there are 149 to reserve"},
	} {
		_, err := c.cloud.run(t, now, "preflight")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q is not in: %v", name, c.want, err)
		}
	}
}

// TestPreflight_Network: services that access can't reach from its VPC are named.
func TestPreflight_Network(t *testing.T) {
	t.Parallel()
	made := synthesize(t, map[string]any{"subnets": "subnet-0a,subnet-0b", "securityGroups": "sg-0a", "flows": approvalOnly(t)})
	const all = "dynamodb lambda scheduler sqs"
	for name, c := range map[string]struct {
		endpoints, route string
		told, want       string
	}{
		"endpoints":     {all, "gatewayId igw-1", "", ""},
		"a NAT gateway": {"dynamodb", "natGatewayId nat-1", "no endpoint for lambda, scheduler, sqs", ""},
		"neither":       {"dynamodb sqs", "gatewayId igw-1", "", "access does not reach lambda, scheduler: make endpoints"},
	} {
		out, err := (&cloud{endpoints: c.endpoints, route: c.route}).run(t, made, "preflight")
		if !strings.Contains(out, c.told) || c.told == "" && out != "" {
			t.Errorf("%s: it says %q", name, out)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q is not in: %v", name, c.want, err)
		}
	}
	if _, err := (&cloud{denied: "DescribeVpcEndpoints"}).run(t, made, "preflight"); err == nil || !strings.Contains(err.Error(), "endpoints of the VPC can't be looked at") {
		t.Errorf("what may not be looked at: %v", err)
	}
	two := synthesize(t, map[string]any{"subnets": "subnet-0a,subnet-ff", "securityGroups": "sg-0a", "flows": approvalOnly(t)})
	if _, err := (&cloud{}).run(t, two, "preflight"); err == nil || !strings.Contains(err.Error(), "not of one VPC") {
		t.Errorf("of two VPCs: %v", err)
	}
}
