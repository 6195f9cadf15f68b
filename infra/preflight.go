package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// commands look at what was synthesized, and at the account. Adopt and restore change
// it, after a disaster; the others change nothing.
var commands = map[string]func(context.Context, *deploy, io.Writer) error{
	"preflight":  preflight,
	"key-policy": printKeyPolicy,
	"connectors": printConnectors,
	"adopt":      adopt,
	"restore":    restore,
}

// command does one of commands.
func command(ctx context.Context, args []string, load func(context.Context) (aws.Config, error), out io.Writer) error {
	do, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("there is no command %s: there are %s", args[0], strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	set := flag.NewFlagSet(args[0], flag.ContinueOnError)
	set.SetOutput(out)
	dir := set.String("app", "cdk.out", "folder that cdk synth has written")
	agreed := set.Bool("renamed", false, "go on although roles get other names: whoever trusts them was told")
	dropped := set.Bool("dropped", false, "go on although what outlives stacks is left behind")
	outputs := set.String("outputs", "", "what make deploy has written of the deployment, and was kept (default outputs.json in -app)")
	to := set.String("to", "", "restore: the time to which the table is restored (RFC 3339), or latest")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	cfg, err := load(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	d, err := openDeploy(ctx, *dir, cfg)
	if err != nil {
		return err
	}
	d.renamed, d.dropped, d.restoreTo = *agreed, *dropped, *to
	if d.outputs = *outputs; d.outputs == "" {
		d.outputs = filepath.Join(*dir, "outputs.json")
	}
	return do(ctx, d, out)
}

// deploy is one that is about to be made: what it makes, and what is there before it.
type deploy struct {
	id, region, stack string
	planned           plan
	deployed          *deployedStack // nil: the first deploy
	renamed, dropped  bool           // it was agreed to
	written           written        // the template
	outputs           string         // file of the kept outputs
	restoreTo         string

	aws       aws.Config
	now       func() time.Time
	pause     time.Duration // between two looks at what takes time
	kms       *kms.Client
	lambda    *lambda.Client
	formation *cloudformation.Client
}

// deployedStack is what CloudFormation says of the stack.
type deployedStack struct {
	outputs map[string]string
	plan    *plan // nil: a release before there were plans has deployed it
}

// openDeploy reads what was synthesized and what is deployed: by the role that the
// CDK looks things up with if the credentials may assume it, as those of pipelines
// can often do nothing else, or by the credentials themselves.
func openDeploy(ctx context.Context, dir string, cfg aws.Config) (*deploy, error) {
	s, err := readSynthesized(dir)
	if err != nil {
		return nil, err
	}
	if s.region != "" {
		cfg.Region = s.region
	}
	if cfg.Region == "" {
		return nil, errors.New("no region is set: give one by AWS_REGION, or by the option region")
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask whose AWS credentials these are: %w", err)
	}
	d := &deploy{id: aws.ToString(who.Account), region: cfg.Region, stack: s.stack, written: s.written}
	values := map[string]string{"AWS::Partition": "aws", "AWS::AccountId": d.id, "AWS::Region": d.region}
	if d.planned, err = readPlan(s.metadata, values); err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	if s.lookupRole != "" {
		role := aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), substitute(s.lookupRole, values)))
		if _, err := role.Retrieve(ctx); err == nil {
			cfg.Credentials = role
		}
	}
	d.aws, d.now, d.pause = cfg, time.Now, lookEvery
	d.kms, d.lambda, d.formation = kms.NewFromConfig(cfg), lambda.NewFromConfig(cfg), cloudformation.NewFromConfig(cfg)
	d.deployed, err = readDeployed(ctx, d.formation, d.stack, values)
	return d, err
}

// synthesized is what the CDK has written into a folder.
type synthesized struct {
	stack, region, lookupRole string
	metadata                  any
	written                   written
}

// lookEvery is how often CloudFormation and DynamoDB are asked how far they are, at
// first. Tests don't wait for it.
var lookEvery = 5 * time.Second

func readSynthesized(dir string) (s synthesized, err error) {
	var manifest struct {
		Artifacts map[string]struct {
			Type, Environment string
			Properties        struct {
				TemplateFile, StackName string
				LookupRole              struct{ ARN string }
			}
		}
	}
	read := func(name string, v any) error {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no %s: run make synth first", filepath.Join(dir, name))
		}
		if err == nil {
			err = json.Unmarshal(b, v)
		}
		return err
	}
	if err := read("manifest.json", &manifest); err != nil {
		return s, err
	}
	for id, a := range manifest.Artifacts {
		if a.Type != "aws:cloudformation:stack" {
			continue
		}
		var template struct {
			written
			Metadata map[string]any
		}
		if err := read(a.Properties.TemplateFile, &template); err != nil {
			return s, err
		}
		s = synthesized{stack: id, written: template.written, lookupRole: a.Properties.LookupRole.ARN, metadata: template.Metadata[metadataKey]}
		if a.Properties.StackName != "" {
			s.stack = a.Properties.StackName
		}
		if _, region, ok := strings.Cut(strings.TrimPrefix(a.Environment, "aws://"), "/"); ok && region != "unknown-region" {
			s.region = region
		}
	}
	if s.metadata == nil {
		return s, fmt.Errorf("%s has no template of this repository: run make synth first", dir)
	}
	return s, nil
}

func readDeployed(ctx context.Context, api *cloudformation.Client, stack string, values map[string]string) (*deployedStack, error) {
	found, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if refused, ok := errors.AsType[smithy.APIError](err); ok && refused.ErrorCode() == "ValidationError" && strings.Contains(refused.ErrorMessage(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the stack %s: %w", stack, err)
	}
	there := &deployedStack{outputs: map[string]string{}}
	for _, s := range found.Stacks {
		for _, o := range s.Outputs {
			there.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	summary, err := api.GetTemplateSummary(ctx, &cloudformation.GetTemplateSummaryInput{StackName: &stack})
	if err != nil {
		return nil, fmt.Errorf("look at the template of the stack %s: %w", stack, err)
	}
	metadata := map[string]any{}
	if text := aws.ToString(summary.Metadata); text != "" {
		if err := json.Unmarshal([]byte(text), &metadata); err != nil {
			return nil, fmt.Errorf("read the metadata of the stack %s: %w", stack, err)
		}
	}
	if metadata[metadataKey] != nil {
		p, err := readPlan(metadata[metadataKey], values)
		if err != nil {
			return nil, fmt.Errorf("read the metadata of the stack %s: %w", stack, err)
		}
		there.plan = &p
	}
	return there, nil
}

// readPlan reads a plan as it stands in a template: with what is known at deploy only.
func readPlan(metadata any, values map[string]string) (p plan, err error) {
	b, err := json.Marshal(resolve(metadata, values))
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	return p, err
}

// resolve evaluates the functions of CloudFormation that a plan is written with. What
// a stack makes is named by its id in braces.
func resolve(v any, values map[string]string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = resolve(v[i], values)
		}
		return out
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok && len(v) == 1 {
			if known, ok := values[ref]; ok {
				return known
			}
			return "${" + ref + "}"
		}
		if join, ok := v["Fn::Join"].([]any); ok && len(v) == 1 {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, fmt.Sprint(resolve(part, values)))
			}
			return strings.Join(parts, join[0].(string))
		}
		out := map[string]any{}
		for k, one := range v {
			out[k] = resolve(one, values)
		}
		return out
	}
	return v
}

func substitute(text string, values map[string]string) string {
	for name, value := range values {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

// preflight finds what would go wrong with a deploy, or be a surprise after it: all of
// it at once.
func preflight(ctx context.Context, d *deploy, out io.Writer) error {
	faults := slices.Concat(d.checkOptions(out), d.checkKept(), d.checkRoles(), d.checkKeys(ctx, out), d.checkConcurrency(ctx), d.checkNetwork(ctx, out))
	if len(faults) > 0 {
		return fmt.Errorf("the deploy of %s was not begun:\n\n%s", d.stack, strings.Join(faults, "\n"))
	}
	return nil
}

// checkOptions finds options that were set for the deployment and are left out now:
// given once on a command line, they would be gone at the next deploy.
func (d *deploy) checkOptions(out io.Writer) []string {
	if d.deployed == nil {
		return nil
	}
	if d.deployed.plan == nil {
		fmt.Fprintln(out, "The release that has deployed this did not keep its options: make sure that all are given that it was deployed with.")
		return nil
	}
	var faults []string
	before, now := d.deployed.plan.Options, d.planned.Options
	var dropped, again []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, given := now[key]; !given && before[key] != takenBack {
			dropped = append(dropped, "  "+key+": "+before[key])
			again = append(again, "-c "+key+"="+quoted(before[key]))
		}
	}
	if dropped != nil {
		faults = append(faults, fmt.Sprintf("It has options that this deploy leaves out:\n%s\nGive them again (CONTEXT=\"%s\"), write them into cdk.json under \"context\", or take them back by the value %s (-c %s=%s).\n",
			strings.Join(dropped, "\n"), strings.Join(again, " "), takenBack, strings.TrimSpace(strings.Split(dropped[0], ":")[0]), takenBack))
	}
	if was, is := cmpOr(before["org"], "sym"), cmpOr(now["org"], "sym"); was != is {
		faults = append(faults, fmt.Sprintf("It has the org %s, and this deploy %s: SRNs in tokens, records and programs begin with it, so a deployment keeps the one that it began with (-c org=%s).\n", was, is, was))
	}
	return faults
}

// cmpOr gives an option, or its default.
func cmpOr(given, unset string) string {
	if given == "" || given == takenBack {
		return unset
	}
	return given
}

// quoted writes a value as a shell takes it within double quotes.
func quoted(value string) string {
	if strings.ContainsAny(value, " '*?&;|<>()") {
		return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return value
}

// checkRoles finds roles that get another ARN: what trusts them by it, in other
// accounts, would let them in no more.
func (d *deploy) checkRoles() []string {
	renamed := d.renamedRoles()
	if len(renamed) == 0 || d.renamed {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "It gets roles with other names:\n")
	for _, function := range slices.Sorted(maps.Keys(renamed)) {
		fmt.Fprintf(&text, "  %s: %s is now %s\n", function, renamed[function], d.planned.Roles[function])
	}
	text.WriteString("What trusts the old ones has to trust the new ones, too, before the deploy. These policies have both:\n\n")
	d.writeTrust(&text, renamed)
	text.WriteString("\nSo do policies of functions and secrets in other accounts, and what Google's pools, Entra's and Tailscale's federated credentials are set up with. When that is done: make deploy RENAMED=1. Choose a quiet minute: the new roles get their rights on targets as the last step, and what ends in between is taken away a minute or two late. Afterwards the old ones can be taken out.\n")
	return []string{text.String()}
}

// renamedRoles gives the ARNs before of roles that have others now, by function.
func (d *deploy) renamedRoles() map[string]string {
	renamed := map[string]string{}
	if d.deployed == nil {
		return renamed
	}
	for function, arn := range d.planned.Roles {
		if was := d.deployed.outputs[title(function)+"RoleArn"]; was != "" && was != arn {
			renamed[function] = was
		}
	}
	return renamed
}

// writeTrust writes the trust policy of each role that the configuration assumes, or
// that of one yet to be made. Before are roles that are to be trusted as well.
func (d *deploy) writeTrust(out io.Writer, before map[string]string) {
	all := d.planned.Trusting
	if len(all) == 0 {
		all = []trusting{{ARN: "A role that the configuration is to assume", ExternalID: "the external_id of its integration", By: []string{accessFunction, "drift"}}}
	}
	for _, t := range all {
		var roles []any
		for _, function := range t.By {
			roles = append(roles, d.planned.Roles[function])
			if was := before[function]; was != "" {
				roles = append(roles, was)
			}
		}
		condition := map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": roles}}
		if t.ExternalID != "" {
			condition["StringEquals"] = map[string]any{"sts:ExternalId": t.ExternalID}
		}
		fmt.Fprintf(out, "%s:\n", t.ARN)
		writeJSON(out, document(map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition,
			// Not the roles themselves: IAM takes only those that are there, and forgets them
			// when they are made anew.
			"Principal": map[string]any{"AWS": "arn:aws:iam::" + d.id + ":root"},
		}))
	}
}

// printConnectors prints what roles in other accounts have to trust.
func printConnectors(_ context.Context, d *deploy, out io.Writer) error {
	d.writeTrust(out, d.renamedRoles())
	fmt.Fprintf(out, "\nTo make one by infra/connectors/connector.yaml:\n  AccessRoleArn=%s DriftRoleArn=%s\n", d.planned.Roles[accessFunction], d.planned.Roles["drift"])
	return nil
}

func writeJSON(out io.Writer, v any) {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // policies are of maps and texts
	}
}

// printKeyPolicy prints what the policy of the given key has to say.
func printKeyPolicy(_ context.Context, d *deploy, out io.Writer) error {
	switch d.planned.Options["kmsKey"] {
	case "", takenBack:
		return errors.New("no key is given: -c kmsKey=ARN")
	case createKey:
		return errors.New("the stack makes the key, with its policy: nothing is to be added")
	}
	fmt.Fprintf(out, "Add these statements to the policy of %s:\n", d.planned.Options["kmsKey"])
	writeJSON(out, d.planned.KeyPolicy)
	return nil
}

// checkKeys finds keys that can't be used, or don't let us.
func (d *deploy) checkKeys(ctx context.Context, out io.Writer) (faults []string) {
	key := d.planned.Options["kmsKey"]
	if key == createKey && d.deployed != nil {
		key = d.deployed.outputs["KeyArn"] // "" if it is made by this deploy
	}
	if key != "" && key != takenBack && key != createKey {
		if fault := d.checkKey(ctx, key); fault != "" {
			faults = append(faults, fault)
		} else if missing, fault := d.missing(ctx, key, out); fault != "" {
			faults = append(faults, fault)
		} else if len(missing) > 0 {
			var text strings.Builder
			writeJSON(&text, missing)
			faults = append(faults, fmt.Sprintf("The policy of the key %s lacks this (make key-policy prints all that it needs):\n%s", key, text.String()))
		}
	}
	if keys := d.planned.Options["secretKeys"]; keys != takenBack {
		for _, key := range (options{secretKeys: keys}).keys() {
			if fault := d.checkKey(ctx, key); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	return faults
}

// checkKey says what is wrong with a key: of this region and account unless it is
// another one's secrets' key.
func (d *deploy) checkKey(ctx context.Context, key string) string {
	region := strings.Split(key, ":")[3]
	if key == d.planned.Options["kmsKey"] && region != d.region {
		return fmt.Sprintf("The key %s is in %s, and the deployment in %s: name a key of that region.\n", key, region, d.region)
	}
	found, err := d.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key}, func(o *kms.Options) { o.Region = region })
	if err != nil {
		return fmt.Sprintf("The key %s can't be looked at: %v\n", key, err)
	}
	switch m := found.KeyMetadata; {
	case m.KeyState != kmstypes.KeyStateEnabled:
		return fmt.Sprintf("The key %s is not enabled but %s: enable it, or name another one.\n", key, m.KeyState)
	case m.KeySpec != kmstypes.KeySpecSymmetricDefault:
		return fmt.Sprintf("The key %s is %s: name one that encrypts (SYMMETRIC_DEFAULT).\n", key, m.KeySpec)
	}
	return ""
}

// missing gives the statements that the policy of a given key lacks.
func (d *deploy) missing(ctx context.Context, key string, out io.Writer) (missing []any, fault string) {
	if len(d.planned.KeyPolicy) == 0 {
		return nil, "" // it is the stack's own
	}
	if owner := strings.Split(key, ":")[4]; owner != d.id {
		fmt.Fprintf(out, "The key %s is of account %s, and its policy can't be read from here: make sure that it has what make key-policy prints.\n", key, owner)
		return nil, ""
	}
	got, err := d.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &key})
	if err != nil {
		return nil, fmt.Sprintf("The policy of the key %s can't be read: %v\n", key, err)
	}
	var policy struct{ Statement any }
	if err := json.Unmarshal([]byte(aws.ToString(got.Policy)), &policy); err != nil {
		return nil, fmt.Sprintf("The policy of the key %s can't be read: %v\n", key, err)
	}
	have := listed(policy.Statement)
	for _, need := range d.planned.KeyPolicy {
		if !slices.ContainsFunc(have, func(s any) bool { return covers(s, need) }) {
			missing = append(missing, need)
		}
	}
	return missing, ""
}

// covers says whether a statement of a key's policy allows all that one that is needed
// allows: to the same or more, and under the same or fewer conditions. What others
// deny is not looked at.
func covers(have, need any) bool {
	h, n := have.(map[string]any), need.(map[string]any)
	if h["Effect"] != "Allow" {
		return false
	}
	for _, action := range listed(n["Action"]) {
		if !slices.ContainsFunc(listed(h["Action"]), func(pattern any) bool { return allows(fmt.Sprint(pattern), fmt.Sprint(action)) }) {
			return false
		}
	}
	if h["Principal"] != "*" {
		all, _ := h["Principal"].(map[string]any)
		for kind, who := range n["Principal"].(map[string]any) {
			for _, one := range listed(who) {
				account := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(one), "arn:aws:iam::"), ":root")
				if given := listed(all[kind]); !slices.Contains(given, one) && !slices.Contains(given, any(account)) && !slices.Contains(given, any("*")) {
					return false
				}
			}
		}
	}
	needed, _ := n["Condition"].(map[string]any)
	conditions, _ := h["Condition"].(map[string]any)
	for operator, keys := range conditions {
		for key, values := range keys.(map[string]any) {
			asked, _ := needed[operator].(map[string]any)
			if asked[key] == nil {
				return false
			}
			for _, v := range listed(asked[key]) {
				if !slices.Contains(listed(values), v) {
					return false
				}
			}
		}
	}
	return true
}

// allows says whether an action, which may end in a star itself, is one of a pattern.
func allows(pattern, action string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(strings.ToLower(action), strings.ToLower(begin))
	}
	return strings.EqualFold(pattern, action)
}

// listed gives what a policy may write as one or as a list.
func listed(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// leftToOthers is how many executions Lambda wants nobody to reserve
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
const leftToOthers = 100

// checkConcurrency finds reservations that Lambda would refuse in the middle of the
// deploy.
func (d *deploy) checkConcurrency(ctx context.Context) []string {
	if d.planned.Reserved == 0 {
		return nil
	}
	settings, err := d.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return []string{fmt.Sprintf("The account's limit of concurrency can't be read: %v\n", err)}
	}
	left := int(aws.ToInt32(settings.AccountLimit.UnreservedConcurrentExecutions))
	if d.deployed != nil && d.deployed.plan != nil {
		left += d.deployed.plan.Reserved
	}
	if left-d.planned.Reserved < leftToOthers {
		return []string{fmt.Sprintf("It would reserve %d executions, and of the %d that the account has in %s, %d are not reserved by others: Lambda keeps %d for functions without a reservation, so there are %d to reserve. Have the limit raised (Service Quotas, Lambda, Concurrent executions), or reserve less.\n",
			d.planned.Reserved, settings.AccountLimit.ConcurrentExecutions, d.region, left, leftToOthers, max(0, left-leftToOthers))}
	}
	return nil
}
