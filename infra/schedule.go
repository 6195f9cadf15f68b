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
// grant, the role by which schedules call removal, and the queue for removals
// that could not be delivered.
func (d *deployment) addSchedule() {
	d.removalDeadLetters = d.queue("RemovalDeadLetters", 0, nil)
	suppress(d.removalDeadLetters, "AwsSolutions-SQS3", "It is itself the queue of dead letters: those of Scheduler and of asynchronous calls of removal")
	d.scheduleGroup = awsscheduler.NewCfnScheduleGroup(d.stack, jsii.String("ScheduleGroup"), &awsscheduler.CfnScheduleGroupProps{Name: jsii.String(d.options.name)})
	// It has no name of ours, with which it would be another role than that of earlier
	// releases: schedules of live access name it.
	d.scheduleRole = d.role("ScheduleRole", nil, "scheduler.amazonaws.com", only(d.arn("scheduler", "schedule-group/"+d.options.name)), []right{
		// Schedules that releases before this one have made call access.
		{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN(removalFunction), d.functionARN(accessFunction)}},
		{actions: []string{"sqs:SendMessage"}, resources: []string{*d.removalDeadLetters.AttrArn()}},
	})
}

// lookTries is how often a look at a target is tried that fails before it could
// record anything. The sweep sees to the run meanwhile.
const lookTries = 3

// addLooks makes the queues that call functions again for runs whose targets need
// time, each after a delay of its own: access for grants, and removal for removals.
func (d *deployment) addLooks() {
	d.lookDeadLetters = d.queue("LookDeadLetters", 0, nil)
	suppress(d.lookDeadLetters, "AwsSolutions-SQS3", "It is itself the queue of dead letters")
	// Lambda wants six times what the function may take
	// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
	d.grantLooks = d.queue("GrantLooks", 6*timeoutOf(accessFunction), &redrive{to: d.lookDeadLetters, after: lookTries})
	d.removalLooks = d.queue("RemovalLooks", 6*timeoutOf(removalFunction), &redrive{to: d.lookDeadLetters, after: lookTries})
}

// addLookReaders has the functions called with each message: one at a time, for each
// may take all of a function's time.
func (d *deployment) addLookReaders() {
	for function, queue := range map[string]awssqs.CfnQueue{accessFunction: d.grantLooks, removalFunction: d.removalLooks} {
		awslambda.NewCfnEventSourceMapping(d.stack, jsii.String(title(function)+"LookReader"), &awslambda.CfnEventSourceMappingProps{
			FunctionName:          d.functions[function].Ref(),
			EventSourceArn:        queue.AttrArn(),
			BatchSize:             jsii.Number(1),
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

// addRule calls a function again and again. A call that fails is not repeated.
func (d *deployment) addRule(function, what string, every time.Duration) {
	rate := fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))
	if every == time.Minute {
		rate = "rate(1 minute)"
	}
	rule := awsevents.NewCfnRule(d.stack, jsii.String(title(function)+"Rule"), &awsevents.CfnRuleProps{
		Description:        jsii.String("Sym Flows: " + what),
		ScheduleExpression: jsii.String(rate),
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
