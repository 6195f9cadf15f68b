package main

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/app/core"
)

// addSchedule makes the group in which access keeps one schedule for each
// grant, the role by which schedules call removal, and the queue for what could not
// be delivered.
func (d *deployment) addSchedule() {
	d.removalDeadLetters = d.queue("RemovalDeadLetters", 0, nil)
	suppress(d.removalDeadLetters, "AwsSolutions-SQS3", "It is itself the queue of dead letters: those of Scheduler, of asynchronous calls of removal, and of the queues of what is to be done later")
	d.scheduleGroup = awsscheduler.NewCfnScheduleGroup(d.stack, jsii.String("ScheduleGroup"), &awsscheduler.CfnScheduleGroupProps{Name: jsii.String(d.options.name)})
	// It has no name of ours, with which it would be another role than that of earlier
	// releases: schedules of live access name it.
	d.scheduleRole = d.role("ScheduleRole", nil, "scheduler.amazonaws.com", only(d.arn("scheduler", "schedule-group/"+d.options.name)), []right{
		// Schedules that releases before this one have made call access.
		{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN(removalFunction), d.functionARN(accessFunction)}},
		{actions: []string{"sqs:SendMessage"}, resources: []string{*d.removalDeadLetters.AttrArn()}},
	})
}

// laterTries is how often a message of a queue of what is to be done later is shown to
// a function that fails before it could record anything. The sweep sees to the run
// meanwhile.
const laterTries = 3

// addLater makes the queues that call functions again for runs, each message after a
// delay of its own: access for grants whose targets need time, removal for what it was
// called for too early and for targets that need time, and sweep for what it hands
// over early. The last two are of the two paths by which access ends, and have nothing
// in common.
func (d *deployment) addLater() {
	// Lambda wants six times what the function may take
	// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
	d.grantLooks = d.queue("GrantLooks", 6*timeoutOf(accessFunction), &redrive{to: d.removalDeadLetters, after: laterTries})
	d.removalQueue = d.queue("RemovalQueue", 6*timeoutOf(removalFunction), &redrive{to: d.removalDeadLetters, after: laterTries})
	d.sweepQueue = d.queue("SweepQueue", 6*timeoutOf("sweep"), nil)
	d.sweepQueue.SetMessageRetentionPeriod(jsii.Number((10 * time.Minute).Seconds()))
	suppress(d.sweepQueue, "AwsSolutions-SQS3", "What fails is not repeated by the queue but by the next sweep, which asks for it anew; old messages are of no use")
}

// laterReaders are the functions that are called with the messages of a queue, and
// with how many of them at once. A look may take all of a function's time; the others
// only hand a run on.
var laterReaders = []struct {
	function, id string
	batch        int
	queue        func(*deployment) awssqs.CfnQueue
}{
	{accessFunction, "AccessLookReader", 1, func(d *deployment) awssqs.CfnQueue { return d.grantLooks }},
	{removalFunction, "RemovalQueueReader", 10, func(d *deployment) awssqs.CfnQueue { return d.removalQueue }},
	{"sweep", "SweepQueueReader", 10, func(d *deployment) awssqs.CfnQueue { return d.sweepQueue }},
}

// addLaterReaders has the functions called.
func (d *deployment) addLaterReaders() {
	for _, r := range laterReaders {
		awslambda.NewCfnEventSourceMapping(d.stack, jsii.String(r.id), &awslambda.CfnEventSourceMappingProps{
			FunctionName:          d.functions[r.function].Ref(),
			EventSourceArn:        r.queue(d).AttrArn(),
			BatchSize:             jsii.Number(r.batch),
			FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		})
	}
}

// addSweep calls the sweep each minute. One that fails is not repeated: the next
// is due by then.
func (d *deployment) addSweep() {
	d.addRule("sweep", "drives whatever is due, each minute", time.Minute)
}

// addStanding calls standing as often as on one machine.
func (d *deployment) addStanding() {
	d.addRule("standing", "looks at whether holders of access are still there", core.LookEvery)
}

// addDrift calls drift as often; most looks have nothing to do.
func (d *deployment) addDrift() {
	d.addRule("drift", "compares what was granted with what targets show", core.LookEvery)
}

// addTransparencyRule has what is queued written to the transparency log, each minute.
func (d *deployment) addTransparencyRule() {
	d.addRule("transparency", "writes what was recorded to the transparency log, each minute", time.Minute)
}

// addDeliver has the log sent to destinations, where the configuration has any, or may have
// by API: otherwise nothing is called, and nothing costs.
func (d *deployment) addDeliver() {
	if len(d.config.LogDestinations) > 0 || d.options.grants != "" {
		d.addRule("deliver", "sends the records of the log to log destinations, each minute", time.Minute)
	}
}

// addReport has the month that is over reported on the first of the next one, once what was
// under way at its end is over, and looked at whether it was on the six days after it.
func (d *deployment) addReport() {
	d.addRuleAt("report", "reports the month that is over", "cron(10 6 1-7 * ? *)")
}

// addRule calls a function again and again. A call that fails is not repeated.
func (d *deployment) addRule(function, what string, every time.Duration) {
	rate := fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))
	if every == time.Minute {
		rate = "rate(1 minute)"
	}
	d.addRuleAt(function, what, rate)
}

// addRuleAt calls a function at the times that an expression of EventBridge gives. A call
// that fails is not repeated: the next one does what is left.
func (d *deployment) addRuleAt(function, what, times string) {
	rule := awsevents.NewCfnRule(d.stack, jsii.String(title(function)+"Rule"), &awsevents.CfnRuleProps{
		Description:        jsii.String("Sym Flows: " + what),
		ScheduleExpression: jsii.String(times),
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String(function), Arn: d.functions[function].AttrArn(),
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(60), MaximumRetryAttempts: jsii.Number(0)},
		}},
	})
	awslambda.NewCfnPermission(d.stack, jsii.String(title(function)+"RulePermission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: d.functions[function].Ref(),
		Principal: jsii.String("events.amazonaws.com"), SourceArn: rule.AttrArn(),
	})
	d.asynchronous(function, 60, 0, nil)
}
