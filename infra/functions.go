package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/slackapp"
)

// functionNames are the folders of functions/ that run in AWS.
var functionNames = []string{"access", "api", "approval", "config", "deliver", "drift", "notify", "publish", "relay", "report", "sdk", "services", "slack", "standing", "sweep", "tokens", "transparency"}

// removalFunction takes access away. It runs the code of access in the role of
// access, but in places of its own: grants that hang keep no removal waiting. The
// role is one, so that what removal may do to targets never lags behind.
const (
	removalFunction = "removal"
	accessFunction  = "access"
)

// deployed are the names of all functions but those of isolated flows.
func deployed() []string { return append(slices.Clone(functionNames), removalFunction) }

// folderOf gives the folder of functions/ that a function runs.
func folderOf(function string) string {
	if function == removalFunction {
		return accessFunction
	}
	return function
}

// pythonFunction runs customers' handlers, and is the only one that is not Go.
const (
	pythonFunction = "sdk"
	pythonRuntime  = "python3.13"
)

// isolatedFunction is what the function that runs the handlers of one flow alone
// is called here.
func isolatedFunction(flow string) string { return pythonFunction + "-" + flow }

// maxIsolated is how many characters the names of isolated flows may have all
// together: they are in the environment of functions, which has 4 KB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const maxIsolated = 2000

// size is what a function may take. Lambda gives processor time by memory:
// functions that people wait for have more of it.
type size struct {
	memory  int // MB
	timeout time.Duration
}

// sizes are by function. A time-out ends before the caller gives up, so that Lambda
// says what happened.
var sizes = map[string]size{
	"slack":        {512, 29 * time.Second}, // Slack waits for 3 s, but a form that shows it loads goes on; API Gateway waits for 30
	"api":          {512, 20 * time.Second},
	"tokens":       {256, 20 * time.Second},
	"config":       {512, 25 * time.Second},  // looks at Python, too
	"approval":     {256, 110 * time.Second}, // the step table allows 2 min
	"access":       {256, 4 * time.Minute},   // calls handlers and targets; the step table allows 5 min
	"removal":      {256, 4 * time.Minute},   // calls targets
	"relay":        {256, time.Minute},
	"notify":       {256, 2 * time.Minute},    // waits as long as Slack asks it to
	"sweep":        {256, 5 * time.Minute},    // the next one does not wait for it
	"sdk":          {1024, 100 * time.Second}, // approval asks up to four handlers in one call, each for up to 30 s, and ends after 110 s
	"deliver":      {256, 55 * time.Second},   // the next one comes after a minute
	"drift":        {512, 5 * time.Minute},    // a look ends after core.CompareFor
	"standing":     {256, 2 * time.Minute},    // asks Slack about 50 people, one after the other
	"services":     {256, 25 * time.Second},   // handlers wait for 30 s
	"publish":      {512, 4 * time.Minute},
	"report":       {1024, 15 * time.Minute}, // has what is told of each of a month's runs, which docs/report.md has the bound of
	"transparency": {256, 2 * time.Minute},   // it takes nothing more in the last part of it, and the next one goes on
}

func timeoutOf(function string) time.Duration { return sizes[function].timeout }

// settings are the environment variables of each function, by its name.
func (d *deployment) settings() map[string]config.AWS {
	table, slack := *d.table.Ref(), *d.slackSecret.Ref()
	machine, removal := d.machineARN(), d.functionARN(removalFunction)
	handlers, services := d.functionARN("sdk"), d.functionARN("services")
	isolated := strings.Join(d.config.Isolated(), ",")
	access := config.AWS{
		Table: table, RemovalFunction: removal, ScheduleGroup: *d.scheduleGroup.Ref(),
		ScheduleRole: *d.scheduleRole.AttrArn(), ScheduleDeadLetters: *d.removalDeadLetters.AttrArn(),
		GrantLooks: *d.grantLooks.Ref(), RemovalQueue: *d.removalQueue.Ref(),
		SDKFunction: handlers, IsolatedFlows: isolated, ServicesFunction: services,
	}
	return map[string]config.AWS{
		"slack":        {Table: table, SlackSecret: slack, SlackSigningSecret: *d.slackSigningSecret.Ref(), SDKFunction: handlers, IsolatedFlows: isolated, ServicesFunction: services, SlackFunction: d.functionARN("slack")},
		"api":          {Table: table, SlackSecret: slack, LogBucket: *d.logBucket.Ref(), SDKFunction: handlers, IsolatedFlows: isolated},
		"tokens":       {Table: table},
		"config":       {Table: table, SDKFunction: handlers, Grants: d.options.grants},
		"approval":     {Table: table, SlackSecret: slack, StateMachine: machine, SDKFunction: handlers, IsolatedFlows: isolated, ServicesFunction: services},
		accessFunction: access, removalFunction: access,
		"relay": {
			Table: table, StateMachine: machine, RemovalFunction: removal,
			LogQueue: *d.logQueue.Ref(), ConfigFunction: d.functionARN("config"),
		},
		"transparency": {
			Table: table, LogQueue: *d.logQueue.Ref(), LogDeadLetters: *d.logDeadLetters.Ref(), LogBucket: *d.logBucket.Ref(), LogLock: d.logLock(),
			LogKey: *d.logKey.Ref(), LogOrigin: d.logOrigin(), LogCheckpoints: d.options.checkpoints, SlackSecret: d.checkpointsSlack(), AuditStream: *d.auditStream.Ref(), AdminStream: *d.actStream.Ref(),
		},
		"notify":   {Table: table, SlackSecret: slack},
		"sweep":    {Table: table, StateMachine: machine, RemovalFunction: removal, SweepQueue: *d.sweepQueue.Ref(), ConfigFunction: d.functionARN("config"), APIFunction: d.functionARN("api")},
		"publish":  {Table: table, SDKFunction: handlers},
		"services": {Table: table, SlackSecret: slack},
		"standing": {Table: table, SlackSecret: slack},
		"deliver":  {Table: table, LogBucket: *d.logBucket.Ref()},
		"drift":    {Table: table},
		"report":   {Table: table, AuditBucket: *d.auditBucket.Ref(), LogBucket: *d.logBucket.Ref()},
	}
}

// addFunctions makes the functions, each with a log of its own, and a role, which
// removal has from access.
func (d *deployment) addFunctions() {
	for _, name := range deployed() { // which rights name
		d.addLogs(name, d.qualified(name))
	}
	rights, settings := d.rights(), d.settings()
	for _, name := range deployed() {
		d.functions[name] = d.addFunction(name, folderOf(name), d.qualified(name), rights[name], settings[name])
	}
	for _, caller := range []string{accessFunction, "relay", "sweep"} { // what a release calls is there before the release
		d.functions[caller].AddDependency(d.functions[removalFunction])
	}
	isolated := d.config.Isolated()
	if n := len(strings.Join(isolated, ",")); n > maxIsolated {
		d.faults = append(d.faults, fmt.Errorf("the names of all isolated flows have %d characters, and a deployment has room for %d: shorten them, or divide the flows between deployments (-c name=…)", n, maxIsolated))
	}
	for _, flow := range isolated {
		name, qualified := isolatedFunction(flow), sdk.IsolatedFunction(d.qualified(pythonFunction), flow)
		d.addLogs(name, qualified)
		d.functions[name] = d.addFunction(name, pythonFunction, qualified, d.runHandlers(), config.AWS{})
	}
	// What Scheduler, relay and the sweep call is tried for six hours, and then
	// kept where an alarm sees it. The sweep calls anew each minute. Schedules that
	// an earlier release has made call access.
	for _, name := range []string{removalFunction, accessFunction} {
		d.asynchronous(name, 6*60*60, 2, d.removalDeadLetters.AttrArn())
	}
	// A form that comes after a minute finds nobody waiting for it.
	d.asynchronous("slack", 60, 0, nil)
}

// addLogs makes the log of a function.
func (d *deployment) addLogs(name, qualified string) {
	d.logs[name] = d.logGroup(title(name)+"Logs", "/aws/lambda/"+qualified)
}

// approvesConfig are the functions that see to it that people approve changes by the
// configuration API: who keeps them, who asks, and who has these two called.
var approvesConfig = []string{"config", "api", "relay", "sweep"}

// addFunction makes a function of the code in a folder of functions/. Name is
// what it is called here, and qualified in the account.
func (d *deployment) addFunction(name, folder, qualified string, rights []right, settings config.AWS) awslambda.CfnFunction {
	logs := d.logs[name]
	d.roles[name] = d.roleOf(name, rights)
	asset := awss3assets.NewAsset(d.stack, jsii.String(title(name)+"Code"), &awss3assets.AssetProps{Path: jsii.String(code(d.built, folder))})
	d.digests[name] = asset.AssetHash()
	runtime, handler := "provided.al2023", "bootstrap"
	s := config.Settings{Org: d.options.org, LogFormat: "json", AWS: settings}
	if (name == "slack" || name == "notify") && d.options.slackCommand != slackapp.OwnCommand { // which name it to people
		s.Slack.Command = d.options.slackCommand
	}
	if slices.Contains(approvesConfig, name) {
		s.ConfigApproval = d.options.configApproval
	}
	if d.options.logLevel != "info" {
		s.LogLevel = d.options.logLevel
	}
	env := s.Env()
	if folder == pythonFunction { // customers' code sees no setting of ours
		runtime, handler, env = pythonRuntime, "main.handler", map[string]string{}
	} else {
		// Garbage is collected when memory runs short, which few processes live to see:
		// at Go's default a start collects several times before its first answer.
		env["GOGC"], env["GOMEMLIMIT"] = "off", fmt.Sprintf("%dMiB", sizes[folder].memory*3/4)
	}
	if d.options.endpointURL != "" {
		env["AWS_ENDPOINT_URL"] = d.options.endpointURL
	}
	f := awslambda.NewCfnFunction(d.stack, jsii.String(title(name)+"Function"), &awslambda.CfnFunctionProps{
		FunctionName:  jsii.String(qualified),
		Description:   jsii.String("Sym Flows: functions/" + folder),
		Runtime:       jsii.String(runtime),
		Architectures: jsii.Strings(d.options.architecture.lambda),
		Handler:       jsii.String(handler),
		Code:          &awslambda.CfnFunction_CodeProperty{S3Bucket: asset.S3BucketName(), S3Key: asset.S3ObjectKey()},
		Role:          d.roles[name].AttrArn(),
		MemorySize:    jsii.Number(sizes[folder].memory),
		Timeout:       jsii.Number(sizes[folder].timeout.Seconds()),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: env},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref(), LogFormat: jsii.String("JSON")},
		// Functions show in the traces of executions, and begin none of their own:
		// thirty traces a run would cost a third of all that a run costs (docs/cost.md).
		TracingConfig: &awslambda.CfnFunction_TracingConfigProperty{Mode: jsii.String("PassThrough")},
	})
	if d.traces(folder) {
		f.SetTracingConfig(&awslambda.CfnFunction_TracingConfigProperty{Mode: jsii.String("Active")})
	}
	if folder == accessFunction && d.options.network.subnets != "" {
		subnets, groups := d.options.network.lists()
		f.SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{SubnetIds: jsii.Strings(subnets...), SecurityGroupIds: jsii.Strings(groups...)})
	}
	if folder == pythonFunction {
		suppress(f, "AwsSolutions-L1", "What handlers may import is pinned for this version of Python, which Lambda supports until 2029; a newer one is for a release of ours, with its tests")
	}
	if n := d.options.reservedConcurrency.of(name); n > 0 {
		f.SetReservedConcurrentExecutions(jsii.Number(n))
	}
	if name == removalFunction {
		// A removal that has to wait or to be repeated has removal call itself: each
		// call is a new try, and Lambda must not take the row of them for a mistake.
		// https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
		f.SetRecursiveLoop(jsii.String("Allow"))
	}
	return f
}

// traces says whether the functions of a folder begin traces. Handlers don't: their
// role has no rights but those of the configuration.
func (d *deployment) traces(folder string) bool {
	return d.options.tracing == traceAll && folder != pythonFunction
}

// roleOf gives the role of a function, made for it unless it has that of another.
func (d *deployment) roleOf(function string, rights []right) awsiam.CfnRole {
	if shared, ok := d.roles[folderOf(function)]; ok {
		return shared
	}
	rights = append(rights, writeLogs(d.logs[function]))
	if d.traces(folderOf(function)) && !slices.ContainsFunc(rights, func(r right) bool { return slices.Equal(r.actions, trace.actions) }) {
		rights = append(rights, trace)
	}
	if function == accessFunction && d.options.network.subnets != "" {
		rights = append(rights, attach)
	}
	return d.role(title(function)+"Role", d.roleName(function), "lambda.amazonaws.com", nil, rights)
}

// asynchronous says how long (in seconds) and how often Lambda tries asynchronous
// calls, and where it puts those that failed each time.
func (d *deployment) asynchronous(function string, age, retries int, failed *string) awslambda.CfnEventInvokeConfig {
	props := &awslambda.CfnEventInvokeConfigProps{
		FunctionName: d.functions[function].Ref(), Qualifier: jsii.String("$LATEST"),
		MaximumEventAgeInSeconds: jsii.Number(age), MaximumRetryAttempts: jsii.Number(retries),
	}
	if failed != nil {
		props.DestinationConfig = &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: failed},
		}
	}
	return awslambda.NewCfnEventInvokeConfig(d.stack, jsii.String(title(function)+"Asynchronous"), props)
}

func writeLogs(to awslogs.CfnLogGroup) right {
	return right{actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, resources: []string{*to.AttrArn()}}
}

// logGroup makes a log group that outlives the stack: a first deploy that fails
// deletes all that it has made, and the reason would be gone with it. Its entries
// end with their retention. Its name ends with the beginning of the stack's id, so
// that a later stack can have one of its own.
func (d *deployment) logGroup(id, name string) awslogs.CfnLogGroup {
	unique := awscdk.Fn_Select(jsii.Number(0), awscdk.Fn_Split(jsii.String("-"),
		awscdk.Fn_Select(jsii.Number(2), awscdk.Fn_Split(jsii.String("/"), awscdk.Aws_STACK_ID(), nil)), nil))
	g := awslogs.NewCfnLogGroup(d.stack, jsii.String(id), &awslogs.CfnLogGroupProps{
		LogGroupName: jsii.String(name + "-" + *unique), RetentionInDays: jsii.Number(d.options.logRetention), KmsKeyId: d.key,
	})
	g.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return g
}
