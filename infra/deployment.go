package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/catalog"
)

// deployment is the stack while it is being made: it holds the resources that more
// than one file uses.
type deployment struct {
	stack   awscdk.Stack
	options options
	config  *catalog.Catalog
	built   string // folder of the functions

	key   *string // ARN; nil: there is none
	table awsdynamodb.CfnTable

	kept []string // ids of what outlives the stack, and is adopted by another one

	slackSecret, slackSigningSecret, logKey awssecretsmanager.CfnSecret

	accessLogs, auditBucket, logBucket, deadLetterBucket                               awss3.CfnBucket
	auditStream, actStream                                                             awskinesisfirehose.CfnDeliveryStream
	logQueue, logDeadLetters, removalDeadLetters, grantLooks, removalQueue, sweepQueue awssqs.CfnQueue

	scheduleGroup awsscheduler.CfnScheduleGroup
	scheduleRole  awsiam.CfnRole

	flowsAsset awss3assets.Asset

	// By the name of the function:
	functions map[string]awslambda.CfnFunction
	logs      map[string]awslogs.CfnLogGroup
	roles     map[string]awsiam.CfnRole
	inline    map[string]int     // characters of a role's own policy, by the role's id
	digests   map[string]*string // of what was built
	// The state machine's log.
	workflowLogs awslogs.CfnLogGroup

	api                  awsapigatewayv2.CfnApi
	stage                awsapigatewayv2.CfnStage
	edge                 awsapigatewayv2.CfnAuthorizer // nil: CloudFront is not before the API
	edgeSecret           awssecretsmanager.CfnSecret
	alarmTopic, keyTopic awssns.CfnTopic // keyTopic is nil if there is no key
	alarms               []awscloudwatch.CfnAlarm

	faults []error // what AWS would refuse in the middle of a deploy
}

// newDeployment makes the stack.
func newDeployment(app awscdk.App, o options, config *catalog.Catalog, built string) *deployment {
	d := &deployment{
		stack: awscdk.NewStack(app, jsii.String(o.name), &awscdk.StackProps{
			Description:        jsii.String("Sym Flows: access that people ask for, that somebody approves, and that ends by itself"),
			Env:                &awscdk.Environment{Region: orNil(o.region)},
			AnalyticsReporting: jsii.Bool(false),
			// Without the stack nothing takes away live access: it can't be deleted
			// by mistake.
			TerminationProtection: jsii.Bool(true),
			// What is uploaded has a folder of its own, so that the right to read it
			// is the same in each deploy.
			Synthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{BucketPrefix: jsii.String(assetPrefix(o))}),
		}),
		options: o, config: config, built: built,
		functions: map[string]awslambda.CfnFunction{}, logs: map[string]awslogs.CfnLogGroup{}, roles: map[string]awsiam.CfnRole{}, inline: map[string]int{}, digests: map[string]*string{},
	}
	d.addKey()
	d.addTable()
	d.addSecrets()
	d.addFlows()
	d.addAudit()
	d.addSchedule()
	d.addLater()
	d.addFunctions()
	d.addWorkflow()
	d.addStream()
	d.addLaterReaders()
	d.addSweep()
	d.addStanding()
	d.addDrift()
	d.addDeliver()
	d.addReport()
	d.addTransparencyRule()
	d.addAPI()
	d.addPublish()
	d.addFailures()
	d.addAlarms()
	d.addDashboard()
	d.addOutputs()
	d.addPlan()
	d.addChecks(app)
	return d
}

// assetPrefix begins the keys of all that is uploaded for a deployment.
func assetPrefix(o options) string { return o.name + "/" }

// arn gives the ARN of something in this account and region, by its name: so a
// resource can be named before it is made, by others that it needs itself.
func (d *deployment) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *awscdk.Aws_PARTITION(), service, *awscdk.Aws_REGION(), *awscdk.Aws_ACCOUNT_ID(), resource)
}

// qualified gives the name of something of this deployment.
func (d *deployment) qualified(name string) string { return d.options.name + "-" + name }

func (d *deployment) functionARN(name string) string {
	return d.arn("lambda", "function:"+d.qualified(name))
}

func (d *deployment) machineARN() string { return d.arn("states", "stateMachine:"+d.options.name) }

// output writes a value into the stack's outputs, for people and commands.
func (d *deployment) output(name, value, description string) {
	awscdk.NewCfnOutput(d.stack, jsii.String(name), &awscdk.CfnOutputProps{Value: jsii.String(value), Description: jsii.String(description)})
}

// addOutputs writes the outputs that commands and guides use.
func (d *deployment) addOutputs() {
	url := d.address()
	d.output("ApiUrl", url, "Address of this deployment; the API is below /api/v1")
	d.output("SlackCommandsUrl", url+"/slack/commands", "Slack app: request URL of the slash command")
	d.output("SlackInteractionsUrl", url+"/slack/interactions", "Slack app: request URL of interactivity and shortcuts")
	d.output("SlackOptionsUrl", url+"/slack/options", "Slack app: options load URL of select menus")
	d.output("SlackEventsUrl", url+"/slack/events", "Slack app: request URL of event subscriptions")
	d.output("SlackCommand", d.options.slackCommand, "Slack app: its slash command")
	d.output("SlackSecretArn", *d.slackSecret.Ref(), "Secret to set: JSON with bot_token and, unless left out, team_id")
	d.output("SlackSigningSecretArn", *d.slackSigningSecret.Ref(), "Secret to set: the Slack app's signing secret")
	d.output("OrgName", d.options.org, "First part of the names of everything; commands beside the deployment go by it")
	d.output("TableName", *d.table.Ref(), "Table with all runs, grants and flows")
	d.output("AuditBucketName", *d.auditBucket.Ref(), "Bucket with the audit records")
	d.output("AccessLogBucketName", *d.accessLogs.Ref(), "Bucket with the logs of accesses to the other buckets")
	d.output("DeadLetterBucketName", *d.deadLetterBucket.Ref(), "Bucket with changes that could not be handled, for redriving")
	d.output("RemovalDeadLettersUrl", *d.removalDeadLetters.Ref(), "Queue with removals that could not be delivered; the sweep makes them good")
	d.output("LogBucketName", *d.logBucket.Ref(), "Bucket with the transparency log of the audit records")
	d.output("TransparencyRoleArn", *d.roles["transparency"].AttrArn(), "Role that writes the transparency log: what a bucket of another account lets write checkpoints")
	d.output("TransparencyFunctionName", *d.functions["transparency"].Ref(), "Function that writes the transparency log, and signs what need not be kept")
	d.output("LogKeyArn", *d.logKey.Ref(), "Secret that the transparency log's key is made from; nobody needs to read it")
	d.output("LogDeadLettersUrl", *d.logDeadLetters.Ref(), "Queue with runs whose audit records could not be logged")
	d.output("RelayFunctionName", *d.functions["relay"].Ref(), "Function to redrive changes of runs to")
	d.output("NotifyFunctionName", *d.functions["notify"].Ref(), "Function to redrive messages to")
	d.output("DeliverFunctionName", *d.functions["deliver"].Ref(), "Function that sends records to log destinations, and says how far they are")
	d.output("ReportFunctionName", *d.functions["report"].Ref(), "Function that reports each month, and makes the report of one again")
	d.output("AccessFunctionName", *d.functions[accessFunction].Ref(), "Function that grants")
	d.output("RemovalFunctionName", *d.functions[removalFunction].Ref(), "Function that takes away")
	d.output("AccessRoleArn", *d.roles[accessFunction].AttrArn(), "Role that grants and takes away: what roles in other accounts trust, for strategies that act there")
	d.output("DriftRoleArn", *d.roles["drift"].AttrArn(), "Role that compares: what roles in other accounts trust as well, so that it can look there")
	d.output("DeliverRoleArn", *d.roles["deliver"].AttrArn(), "Role that sends to log destinations: what roles in other accounts trust, for destinations there")
	d.output("ApprovalRoleArn", *d.roles["approval"].AttrArn(), "Role that decides, and invokes functions that flows name: for policies of those in other accounts")
	d.output("SdkRoleArn", *d.roles[pythonFunction].AttrArn(), "Role of handlers: for policies of what their flows name in other accounts")
	d.output("AlarmTopicArn", *d.alarmTopic.Ref(), "Topic of alarms, to which anything can subscribe")
	d.output("TableArn", *d.table.AttrArn(), "ARN of the table")
	d.output("TableStreamArn", *d.table.AttrStreamArn(), "ARN of the table's stream")
	d.output("AuditBucketArn", *d.auditBucket.AttrArn(), "ARN of the bucket with the audit records")
	d.output("StateMachineArn", d.machineARN(), "Request workflow")
	d.output("DashboardName", d.options.name, "CloudWatch dashboard: is access being removed on time?")
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return jsii.String(s)
}
