package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// right is a statement of a policy: it allows the actions on the resources.
type right struct {
	actions   []string
	resources []string
	condition map[string]any
}

// rights gives what each function may do, besides writing its log. They are listed
// in testdata/rights.txt, which is reviewed: a right that is not in it fails a test.
func (d *deployment) rights() map[string][]right {
	machine, removal := d.machineARN(), d.functionARN(removalFunction)
	drive := []right{
		{actions: []string{"states:StartExecution", "states:SendTaskSuccess"}, resources: []string{machine}},
		{actions: []string{"lambda:InvokeFunction"}, resources: []string{removal}},
	}
	// A function that asks handlers makes a token for each call, and ends it.
	ask := []right{
		{actions: []string{"lambda:InvokeFunction"}, resources: d.handlerFunctions()},
		d.items("GetItem PutItem DeleteItem", store.KindCall),
	}
	return map[string][]right{
		"slack": join(ask, []right{
			d.items("GetItem PutItem", store.KindRun, store.KindUser, store.KindMoved, store.KindSlackUser, store.KindForm),
			d.items("GetItem", store.KindIdentity), // handlers are told who people are
			d.items("GetItem", store.KindFlow, store.KindFlowVersion, store.KindFlowList, store.KindFlowsFilter, store.KindLinger, store.KindGlass, store.KindEntity),
			d.items("GetItem", store.KindMessages), // to link to them
			d.items("GetItem PutItem", store.KindRefusal),
			d.items("GetItem PutItem", store.KindAgent), // owners shut theirs out
			d.items("PutItem", store.KindNotice),
			// What takes longer than Slack waits is done by another invocation of its own.
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN("slack")}},
			d.items("GetItem PutItem DeleteItem", store.KindDelivery),
			// For an admin's button that confirms all accounts which wait for it, and for
			// /sym list and /sym show, which find runs by whose they are and by the
			// beginning of their ids.
			d.items("BatchGetItem", store.KindUser, store.KindRun),
			d.entries(store.ByKind, string(store.KindUser), string(store.KindRun)),
			d.entries(store.ByRequester, "*"),
			// For Home tabs, when they are opened.
			d.items("GetItem PutItem", store.KindHome),
			d.items("BatchGetItem", store.KindWait, store.KindLive, store.KindStat),
			d.entries(store.ByStatus, keysOf(store.KindWait), keysOf(store.KindLive)),
			d.entries(store.ByKind, string(store.KindStat)),
			readSecrets(*d.slackSecret.Ref(), *d.slackSigningSecret.Ref()),
		}),
		"api": join(d.readLog(), []right{
			// For the options of forms, which belong to no run and so have no token.
			{actions: []string{"lambda:InvokeFunction"}, resources: d.handlerFunctions()},
			d.items("GetItem PutItem", store.KindRun, store.KindUser, store.KindMoved, store.KindSlackUser, store.KindAgent),
			d.items("GetItem", store.KindFlow, store.KindFlowVersion, store.KindFlowList, store.KindToken, store.KindDrift, store.KindMessages, store.KindEntity),
			d.items("GetItem", store.KindIdentity), // handlers are told who people are
			d.items("PutItem", store.KindNotice),
			d.items("GetItem", store.KindLeaf), // for receipts
			d.items("BatchGetItem", store.KindRun, store.KindListed),
			// Requesters and flows are of any name; only runs are in these indexes.
			d.entries(store.ByKind, string(store.KindRun), string(store.KindProposals)), // runs by short ids
			d.entries(store.ByRequester, "*"),
			d.entries(store.ByFlow, "*"),
			d.entries(store.ByStatus, append(words(flow.Statuses), keysOf(store.KindListed), keysOf(store.KindProposed))...),
			// It asks for approval of changes by the configuration API, where they need it: it
			// reads what was proposed, and keeps what its run lists. It can change neither the
			// configuration nor a proposal.
			d.items("PutItem BatchGetItem", store.KindProposals),
			d.items("GetItem BatchGetItem", store.KindProposed),
			d.items("GetItem PutItem", store.KindAsked),
			readSecrets(*d.slackSecret.Ref()),
		}),
		"tokens": {
			d.items("GetItem PutItem BatchGetItem", store.KindToken),
			d.items("GetItem", store.KindAgent), // whether it was shut out
			d.entries(store.ByKind, string(store.KindToken)),
			// To say who people are, and to confirm accounts.
			d.items("GetItem PutItem", store.KindUser, store.KindMoved, store.KindIdentity),
			d.items("BatchGetItem", store.KindUser),
			d.entries(store.ByKind, string(store.KindUser)),
		},
		// It keeps the configuration that it is sent, and looks at its Python.
		"config": {
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN(pythonFunction)}},
			d.items("GetItem", store.KindToken),
			d.items("GetItem PutItem BatchGetItem", store.KindEntity),
			d.items("GetItem PutItem", store.KindEntityName),
			d.entries(store.ByKind, string(store.KindEntity), string(store.KindFlowDigests), string(store.KindProposals)),
			// It makes flows of that.
			d.items("GetItem PutItem", store.KindFlow, store.KindFlowList, store.KindFlowsFilter, store.KindStrategies, store.KindDestination, store.KindAssembled),
			d.items("PutItem", store.KindFlowVersion, store.KindNotice),
			d.items("GetItem PutItem", store.KindCursor), // where files hand a log destination over
			d.items("GetItem PutItem BatchGetItem", store.KindFlowDigests),
			d.items("GetItem", store.KindLogHead),
			// Where changes need approval, it keeps them as proposals, and puts in force what
			// was listed once the run that lists it is approved.
			d.items("GetItem PutItem BatchGetItem", store.KindProposed, store.KindProposals),
			d.items("GetItem", store.KindAsked, store.KindRun),
			d.entries(store.ByStatus, keysOf(store.KindProposed)),
		},
		// The functions that flows name are in ApprovalTargets.
		"approval": join(ask, []right{
			trace,
			d.items("GetItem PutItem", store.KindRun, store.KindUser, store.KindMoved, store.KindSlackUser, store.KindGlass),
			d.items("GetItem", store.KindFlow, store.KindFlowVersion, store.KindIdentity, store.KindLinger),
			d.items("PutItem", store.KindNotice),
			{actions: []string{"states:SendTaskSuccess"}, resources: []string{machine}},
			readSecrets(*d.slackSecret.Ref()),
		}),
		// It is removal's, too. What its strategies need is in AccessTargets; see addPublish.
		accessFunction: join(ask, []right{
			trace,
			d.items("GetItem PutItem", store.KindRun, store.KindGrant, store.KindSick, store.KindLimit, store.KindIdentity), // strategies find identities, which are kept
			d.items("GetItem", store.KindUser, store.KindSlackUser),
			d.items("GetItem", store.KindFlow, store.KindFlowVersion, store.KindStrategies, store.KindEntity),
			{
				actions:   []string{"scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"},
				resources: []string{d.arn("scheduler", "schedule/"+d.options.name+"/*")},
			},
			{
				actions: []string{"iam:PassRole"}, resources: []string{*d.scheduleRole.AttrArn()},
				condition: map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "scheduler.amazonaws.com"}},
			},
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{removal}},
			{actions: []string{"sqs:SendMessage"}, resources: []string{*d.removalDeadLetters.AttrArn()}},
			writeLogs(d.logs[removalFunction]),
			{
				actions:   []string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
				resources: []string{*d.grantLooks.AttrArn(), *d.removalQueue.AttrArn()},
			},
		}),
		// Customers' code runs in this role: what its flows name is in SdkTargets,
		// everything else is asked of services.
		pythonFunction: d.runHandlers(),
		"services": {
			d.items("GetItem", store.KindCall, store.KindRun, store.KindFlowVersion, store.KindMessages),
			d.items("GetItem PutItem", store.KindUser, store.KindIdentity, store.KindMoved, store.KindSlackUser, store.KindValue, store.KindFlowValue),
			d.items("PutItem", store.KindNotice),
			// To count the runs of a person or flow, and to find people by their identities.
			d.items("BatchGetItem", store.KindRun, store.KindUser, store.KindIdentity),
			d.entries(store.ByRequester, "*"),
			d.entries(store.ByFlow, "*"),
			d.entries(store.ByKind, string(store.KindUser), string(store.KindIdentity)),
			readSecrets(*d.slackSecret.Ref()),
		},
		"relay": join(drive, d.readStream(), []right{
			d.items("GetItem PutItem", store.KindRun),
			d.items("GetItem", store.KindAssembled),
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN("config")}},
			{actions: []string{"sqs:SendMessage"}, resources: []string{*d.logQueue.AttrArn()}},
		}),
		"transparency": join(d.writeLog(), d.sendCheckpoints(), []right{
			d.items("GetItem PutItem", store.KindLogHead, store.KindLeaf),
			d.items("GetItem", append(store.ActKinds(), store.KindRun)...),
			{actions: []string{"firehose:PutRecordBatch"}, resources: []string{*d.auditStream.AttrArn(), *d.actStream.AttrArn()}},
			{actions: []string{"sqs:ReceiveMessage", "sqs:DeleteMessage"}, resources: []string{*d.logQueue.AttrArn()}},
			{actions: []string{"sqs:SendMessage"}, resources: []string{*d.logDeadLetters.AttrArn()}},
			readSecrets(*d.logKey.Ref()),
		}),
		// What its destinations need is in DeliverTargets.
		"deliver": join(d.readLog(), []right{
			d.items("GetItem", store.KindDestination, store.KindFlowVersion),
			d.items("GetItem PutItem", store.KindCursor),
			d.items("GetItem PutItem DeleteItem", store.KindNotice),
		}),
		"notify": join(d.readStream(), []right{
			d.items("GetItem PutItem", store.KindRun, store.KindMessages, store.KindNotice),
			d.items("GetItem", store.KindFlow, store.KindFlowVersion, store.KindFlowList), // for the error channels
			// For Home tabs: what they show follows from runs, and changes of it are shown.
			d.items("GetItem PutItem", store.KindHome, store.KindWait, store.KindLive, store.KindStat),
			d.items("GetItem PutItem", store.KindListed), // to find runs by
			d.items("BatchGetItem", store.KindRun, store.KindWait, store.KindLive, store.KindStat),
			d.entries(store.ByStatus, keysOf(store.KindWait), keysOf(store.KindLive)),
			d.entries(store.ByRequester, "*"),
			d.entries(store.ByKind, string(store.KindStat)),
			readSecrets(*d.slackSecret.Ref()),
		}),
		"sweep": join(drive, []right{
			d.items("GetItem PutItem BatchGetItem", store.KindRun, store.KindHome), // it wakes notify for Home tabs
			d.entries(store.ByDue, "due"),
			d.items("GetItem", store.KindAssembled),
			// It sees whether somebody is to be asked for approval of changes of the
			// configuration, or has decided, and calls who does that.
			d.items("BatchGetItem", store.KindProposals, store.KindProposed),
			d.entries(store.ByKind, string(store.KindProposals)),
			d.entries(store.ByStatus, keysOf(store.KindProposed)),
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN("config"), d.functionARN("api")}},
			{
				actions:   []string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
				resources: []string{*d.sweepQueue.AttrArn()},
			},
		}),
		// It asks for ends and reviews by signals, which are part of the run's item.
		"standing": {
			d.items("GetItem PutItem BatchGetItem", store.KindRun),
			d.items("GetItem PutItem", store.KindRound),
			d.items("GetItem", store.KindFlowList),
			d.items("PutItem", store.KindNotice),
			d.entries(store.ByStatus, string(flow.Requested), string(flow.Approved), string(flow.Escalated)),
			// It lists runs of before there were listings.
			d.items("GetItem PutItem", store.KindRelisted, store.KindListed),
			d.entries(store.ByKind, string(store.KindRun)),
			readSecrets(*d.slackSecret.Ref()),
		},
		// It hands what lingers to the removal by a change of the run.
		"drift": {
			d.items("GetItem PutItem BatchGetItem", store.KindRun),
			d.items("GetItem", store.KindGrant, store.KindFlowList, store.KindFlowVersion),
			d.items("GetItem PutItem", store.KindDrift, store.KindLinger, store.KindLimit),
			d.items("PutItem", store.KindNotice),
			d.entries(store.ByStatus, string(flow.Escalated)),
		},
		// It reads what happened in a month, and tells where it has written that down.
		"report": {
			d.items("GetItem BatchGetItem", store.KindRun),
			d.items("BatchGetItem", store.KindStat),
			d.items("GetItem", store.KindFlow, store.KindFlowList, store.KindDrift),
			d.items("PutItem", store.KindNotice),
			d.entries(store.ByStatus, words(slices.DeleteFunc(slices.Clone(flow.Statuses), func(s flow.Status) bool { return s == flow.Prompted }))...),
			d.entries(store.ByKind, string(store.KindStat)),
			{actions: []string{"s3:GetObject", "s3:PutObject"}, resources: []string{*d.auditBucket.AttrArn() + "/reports/*"}},
			{actions: []string{"s3:ListBucket"}, resources: []string{*d.auditBucket.AttrArn()}}, // to be told what is not there
		},
		"publish": {
			{actions: []string{"lambda:InvokeFunction"}, resources: d.handlerFunctions()}, // which look at Python, too
			d.items("GetItem BatchGetItem", store.KindRun),
			d.items("GetItem PutItem", store.KindFlow, store.KindFlowList, store.KindFlowsFilter, store.KindSettings),
			d.items("GetItem PutItem", store.KindStrategies, store.KindDropped, store.KindEntityName),
			d.items("GetItem PutItem BatchGetItem", store.KindEntity),
			d.entries(store.ByKind, string(store.KindEntity)),
			d.items("PutItem", store.KindFlowVersion),
			d.items("GetItem PutItem", store.KindDestination),
			d.items("GetItem PutItem", store.KindCursor), // where the API hands a log destination over
			d.items("GetItem", store.KindLogHead),        // where a new one begins
			d.items("GetItem PutItem BatchGetItem", store.KindFlowDigests),
			d.entries(store.ByStatus, string(flow.Approved), string(flow.Escalated)),
			d.entries(store.ByKind, string(store.KindFlowDigests)),
			{
				actions:   []string{"s3:GetObject"},
				resources: []string{d.uploads() + assetPrefix(d.options) + "*"},
			},
			{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN(unansweredFunction)}},
		},
	}
}

// runHandlers is what a function that runs handlers may do, whatever they need.
func (d *deployment) runHandlers() []right {
	return []right{{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN("services")}}}
}

// handlerFunctions are the ARNs of those that run handlers.
func (d *deployment) handlerFunctions() []string {
	shared := d.functionARN(pythonFunction)
	arns := []string{shared}
	for _, flow := range d.config.Isolated() {
		arns = append(arns, sdk.IsolatedFunction(shared, flow))
	}
	return arns
}

// configuredRights are those that follow from the configuration: what access may
// do to targets, which functions approval may call, and what handlers may use of what their flows name.
func (d *deployment) configuredRights() map[string][]right {
	bounds := d.options.bounds()
	all := map[string][]right{
		accessFunction: join(d.strategyRights(d.config.StrategyRights()), d.boundRights(bounds)),
		"deliver":      join(d.strategyRights(d.config.DestinationRights()), d.boundRights(entity.Bounds{Roles: bounds.Roles, Secrets: bounds.Secrets})),
		"drift":        join(d.strategyRights(d.config.LookingRights()), d.boundRights(entity.Bounds{Roles: bounds.Roles, Secrets: bounds.Secrets})),
		"approval":     join(d.strategyRights(strategy.InvokeFunctions(d.config.FlowARNs()...)), d.boundRights(entity.Bounds{Functions: bounds.HandlerFunctions})),
		pythonFunction: join(d.handlerRights(""), d.boundRights(entity.Bounds{Functions: bounds.HandlerFunctions, Secrets: bounds.HandlerSecrets})),
	}
	for _, flow := range d.config.Isolated() {
		all[isolatedFunction(flow)] = d.handlerRights(flow)
	}
	return all
}

// boundRights are those that configuration which comes by API may use: roles to assume,
// functions to invoke, secrets to read.
func (d *deployment) boundRights(b entity.Bounds) (rights []right) {
	if len(b.Roles) > 0 {
		rights = append(rights, right{actions: []string{"sts:AssumeRole"}, resources: b.Roles})
	}
	if len(b.Functions) > 0 {
		rights = append(rights, right{actions: []string{"lambda:InvokeFunction"}, resources: b.Functions})
	}
	var secrets []string
	for _, path := range b.Secrets {
		if strings.HasSuffix(path, "*") {
			secrets = append(secrets, d.arn("secretsmanager", "secret:"+path))
		} else {
			secrets = append(secrets, d.secretARNs(path)...)
		}
	}
	if len(secrets) > 0 {
		rights = append(append(rights, readSecrets(secrets...)), d.secretKeyRights(secrets)...)
	}
	return rights
}

// handlerRights are those of an isolated flow's handlers, or for "" of the others.
func (d *deployment) handlerRights(isolated string) []right {
	return join(
		d.strategyRights(strategy.InvokeFunctions(d.config.HandlerARNs(isolated)...)),
		d.strategyRights(strategy.Rights{Secrets: d.config.HandlerSecrets(isolated)}),
	)
}

// strategyRights writes the rights of strategies as statements.
func (d *deployment) strategyRights(r strategy.Rights) []right {
	here := strings.NewReplacer(
		strategy.Partition, *awscdk.Aws_PARTITION(), strategy.Region, *awscdk.Aws_REGION(), strategy.Account, *awscdk.Aws_ACCOUNT_ID(),
	)
	var out []right
	for _, a := range r.Allow {
		allowed := right{actions: a.Actions}
		for _, on := range a.Resources {
			allowed.resources = append(allowed.resources, here.Replace(on))
		}
		if a.When != nil {
			allowed.condition = when(a.When, here)
		}
		out = append(out, allowed)
	}
	for _, role := range r.Assume {
		assumed := right{actions: []string{"sts:AssumeRole"}, resources: []string{here.Replace(role.ARN)}}
		if role.ExternalID != "" {
			assumed.condition = map[string]any{"StringEquals": map[string]any{"sts:ExternalId": role.ExternalID}}
		}
		out = append(out, assumed)
	}
	var secrets []string
	for _, ref := range r.Secrets {
		secrets = append(secrets, d.secretARNs(ref.Path)...)
	}
	slices.Sort(secrets)
	if secrets = slices.Compact(secrets); len(secrets) > 0 { // keys of one secret are one
		out = append(append(out, readSecrets(secrets...)), d.secretKeyRights(secrets)...)
	}
	return out
}

// when writes what condition keys must be equal to. Where a call may have several
// values of a key, each must be one of these, and there must be one.
func when(equal map[string][]string, here *strings.Replacer) map[string]any {
	condition := map[string]any{}
	say := func(operator, key string, value any) {
		keys, ok := condition[operator].(map[string]any)
		if !ok {
			keys = map[string]any{}
			condition[operator] = keys
		}
		keys[key] = value
	}
	for key, values := range equal {
		var list []any
		for _, v := range values {
			list = append(list, here.Replace(v))
		}
		if strategy.Multivalued(key) {
			say("ForAllValues:StringEquals", key, list)
			say("Null", key, "false")
			continue
		}
		say("StringEquals", key, list)
	}
	return condition
}

// items allows actions on the items of some kinds. It is safe that the condition
// also holds for calls without keys: actions that need no keys, like Scan, are
// never allowed.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (d *deployment) items(actions string, kinds ...store.Kind) right {
	var keys []string
	for _, k := range kinds {
		keys = append(keys, keysOf(k))
	}
	return right{actions: onTable(actions), resources: []string{*d.table.AttrArn()}, condition: leadingKeys(keys)}
}

// keysOf gives the IAM pattern that only the keys of a kind match.
func keysOf(k store.Kind) string {
	if k.Single() {
		return string(k)
	}
	return string(k) + "*"
}

// entries allows queries of an index for some of its partitions.
func (d *deployment) entries(index store.By, partitions ...string) right {
	return right{actions: onTable("Query"), resources: []string{indexARN(d.table, index)}, condition: leadingKeys(partitions)}
}

func indexARN(table awsdynamodb.CfnTable, index store.By) string {
	return *table.AttrArn() + "/index/" + string(index)
}

func onTable(actions string) []string {
	var out []string
	for _, a := range strings.Fields(actions) {
		out = append(out, "dynamodb:"+a)
	}
	return out
}

func leadingKeys(patterns []string) map[string]any {
	return map[string]any{"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": patterns}}
}

// readStream allows reading the table's stream, and keeping what could not be
// handled.
func (d *deployment) readStream() []right {
	return []right{
		{
			actions:   []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
			resources: []string{*d.table.AttrStreamArn()},
		},
		{actions: []string{"s3:ListBucket"}, resources: []string{*d.deadLetterBucket.AttrArn()}},
		{actions: []string{"s3:PutObject"}, resources: []string{*d.deadLetterBucket.AttrArn() + "/*"}},
	}
}

func readSecrets(arns ...string) right {
	return right{actions: []string{"secretsmanager:GetSecretValue"}, resources: arns}
}

// secretARNs are the patterns of the ARNs that a secret's path, which may be its
// ARN, can stand for.
func (d *deployment) secretARNs(path string) []string {
	if !strings.HasPrefix(path, "arn:") {
		path = d.arn("secretsmanager", "secret:"+path)
		return []string{path + "-??????"} // it is a name, which may itself end like that
	}
	return flow.SecretARNs(path)
}

// Actions that IAM can't limit to resources.
var (
	// https://docs.aws.amazon.com/xray/latest/devguide/security_iam_service-with-iam.html
	trace = right{actions: []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, resources: []string{"*"}}
	// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
	sample = right{actions: []string{"xray:GetSamplingRules", "xray:GetSamplingTargets"}, resources: []string{"*"}}
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
	attach = right{actions: []string{
		"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
	}, resources: []string{"*"}}
	// https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
	deliverLogs = right{actions: []string{
		"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
		"logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
	}, resources: []string{"*"}}
)

// How many characters the parts of a role's name have: IAM takes 64, and a region's
// name has 15 at most.
const (
	maxRoleDeployment = 27
	maxRolePart       = 20
)

// rolePrefix begins the names of all roles of the deployment that have one. Names of
// roles are those of the whole account, so the region is a part of them.
func (d *deployment) rolePrefix() string {
	return shorten(d.options.name, maxRoleDeployment) + "-" + *awscdk.Aws_REGION() + "-"
}

// roleName is <name>-<region>-<part>: known before the role is there, so that policies
// in other accounts can name it. What is too long is its beginning and a digest.
func (d *deployment) roleName(part string) *string {
	return jsii.String(d.rolePrefix() + shorten(part, maxRolePart))
}

// roleARN is the ARN of the role of a function.
func (d *deployment) roleARN(function string) string {
	return "arn:" + *awscdk.Aws_PARTITION() + ":iam::" + *awscdk.Aws_ACCOUNT_ID() + ":role/" + *d.roleName(function)
}

// shorten gives a name of at most so many characters.
func shorten(name string, most int) string {
	if len(name) <= most {
		return name
	}
	digest := sha256.Sum256([]byte(name))
	return name[:most-1-2*4] + "-" + hex.EncodeToString(digest[:4])
}

// role makes a role that a service assumes for us. The condition keeps the service
// from assuming it for other customers. With no name it gets one of CloudFormation.
func (d *deployment) role(id string, name *string, service string, condition map[string]any, rights []right) awsiam.CfnRole {
	trust := map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": service}, "Action": "sts:AssumeRole"}
	if condition != nil {
		trust["Condition"] = condition
	}
	rights = append(rights, d.keyRights(rights)...)
	d.inline[id] = length(policy(rights))
	if d.inline[id] > maxInline {
		d.faults = append(d.faults, fmt.Errorf("the policy of %s may have %d characters, and IAM takes %d", id, d.inline[id], maxInline))
	}
	role := awsiam.NewCfnRole(d.stack, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:                 name,
		Description:              jsii.String("Sym Flows: " + id),
		AssumeRolePolicyDocument: document(trust),
		Policies:                 []any{&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String("rights"), PolicyDocument: policy(rights)}},
	})
	suppressWildcards(role)
	return role
}

// only gives the condition that a service assumes a role for one resource of ours
// only. It is for services that name the resource when they assume a role.
func only(source string) map[string]any {
	return map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": *awscdk.Aws_ACCOUNT_ID()},
		"ArnLike":      map[string]any{"aws:SourceArn": source},
	}
}

func policy(rights []right) map[string]any {
	var statements []any
	for _, r := range rights {
		s := map[string]any{"Effect": "Allow", "Action": r.actions, "Resource": r.resources}
		if r.condition != nil {
			s["Condition"] = r.condition
		}
		statements = append(statements, s)
	}
	return document(statements...)
}

func document(statements ...any) map[string]any {
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

func join(parts ...[]right) []right {
	var out []right
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func words(statuses []flow.Status) []string {
	var out []string
	for _, s := range statuses {
		out = append(out, string(s))
	}
	return out
}

// title gives what the ids of a function's parts begin with: its name in upper case.
// Ids lose all but letters and digits on their way into the template, so that a
// name with others is told apart by a digest.
func title(name string) string {
	id := strings.ToUpper(name[:1]) + name[1:]
	if strings.ContainsAny(name, "-_") {
		digest := sha256.Sum256([]byte(name))
		id += "-" + hex.EncodeToString(digest[:4]) + "-"
	}
	return id
}
