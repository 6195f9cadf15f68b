package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/config"
)

// metric is a series of CloudWatch.
type metric struct {
	namespace, name, stat string
	dimensions            map[string]string
}

// alarm says when to call a person: when the sum of the metrics is above a bound
// (or below 1, for metrics whose silence is the alarm) for some periods in a row.
type alarm struct {
	id          string
	description string // what is wrong, and where to look
	metrics     []metric
	above       float64
	of          string // what is looked at, as an expression of CloudWatch's; "": the sum of the metrics
	silence     bool
	withoutKey  bool // goes off when the key is out of order, so that a topic without it is told as well
	period      time.Duration
	periods     int
}

// addAlarms makes the alarms, and the topic that tells of them.
func (d *deployment) addAlarms() {
	d.addAlarmTopic()
	d.addKeyAlarm()
	for _, a := range d.alarmList() {
		d.alarms = append(d.alarms, d.addAlarm(a))
	}
}

// alarmList has the alarms, the most important first: access that does not end.
func (d *deployment) alarmList() []alarm {
	const minute = time.Minute
	return []alarm{
		{
			id: "RemovalOverdue", description: "Access should be gone since 90 s and is not. It is tried again for ever; the log of removal says what fails",
			metrics: []metric{d.swept(config.MetricRemovalsOverdue, "Maximum")}, period: minute, periods: 1,
		},
		{
			id: "SweepSilent", description: "Nobody looks after what is due: no sweep has succeeded for three minutes. See the log of sweep, and whether its rule is enabled",
			metrics: []metric{d.ran("Invocations", "sweep", "Sum"), d.ran("Errors", "sweep", "Sum")}, of: "FILL(m0, 0) - FILL(m1, 0)",
			silence: true, withoutKey: true, period: minute, periods: 3,
		},
		{
			id: "ChecksSilent", description: "Nobody looks at whether those who hold access are still in the workspace, or compares what was granted with what targets show: standing or drift was not called for half an hour. See whether their rules are enabled",
			metrics: []metric{d.ran("Invocations", "standing", "Sum"), d.ran("Invocations", "drift", "Sum")}, of: "MIN(FILL(METRICS(), 0))",
			silence: true, period: 30 * minute, periods: 1,
		},
		{
			// What is wrong is a reason of one metric, not a metric each: see addFailures.
			id: "Failures", description: "Something has failed that somebody has to see to. The table Failures of the dashboard says what: " +
				"a function that fails again and again, or that people wait for, whose log says why; an execution of the request workflow that failed, which the sweep starts anew and the machine's log explains; " +
				"or " + strings.Join(slices.Sorted(maps.Keys(config.Failures)), ", ") + ", or, four times, " + strings.Join(slices.Sorted(maps.Keys(config.Hitches)), ", ") + ", each with what it means and where to look",
			metrics: []metric{d.failures()}, above: failuresAtOnce - 1, period: 5 * minute, periods: 1,
		},
		{
			id: "RemovalDeadLetters", description: "A removal, or a look at a target that needs time, could not be delivered. The sweep makes it good; the message in the queue says what was wrong",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.removalDeadLetters.AttrQueueName())}, period: minute, periods: 1,
		},
		{
			id: "RemovalsDelayed", description: "One of the two paths by which access ends does not work: removal does not take the messages of its queue. The sweep makes it good. See whether the event source mapping of removal is enabled, and its log",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.removalQueue.AttrQueueName())}, above: 100, period: 5 * minute, periods: 3,
		},
		{
			id: "RemovalsThrottled", description: "Removals waited for a place: the account's concurrency, or what is reserved for removal, is used up. They are called again, and by the sweep: have it raised. The dashboard shows which other functions wait",
			metrics: []metric{d.ran("Throttles", removalFunction, "Sum")}, period: 5 * minute, periods: 1,
		},
		{
			id: "RelayDelayed", description: "Changes reach workflows late: relay is behind the table's stream. See its log, and whether it is throttled",
			metrics: []metric{d.ran("IteratorAge", "relay", "Maximum")}, above: milliseconds(minute), period: minute, periods: 3,
		},
		{
			id: "NotifyDelayed", description: "Messages reach Slack late: notify is behind the table's stream. Slack may be throttling or down; see the function's log",
			metrics: []metric{d.ran("IteratorAge", "notify", "Maximum")}, above: milliseconds(5 * minute), period: minute, periods: 5,
		},
		{
			id: "SlackUnreachable", description: "Slack takes no messages for a quarter of an hour: it is down, or refuses the bot token. They are kept, and requests stand still, for a day. The log of notify says what Slack answers",
			metrics: []metric{d.counted(config.MetricSlackUnreachable, "notify")}, period: 5 * minute, periods: 3,
		},
		{
			id: "ChangesGivenUp", description: "Changes could not be handled, and wait in the bucket of dead letters: repair the cause and redrive them",
			metrics: []metric{{"AWS/S3", "PutRequests", "Sum", map[string]string{"BucketName": *d.deadLetterBucket.Ref(), "FilterId": wholeBucket}}}, period: 5 * minute, periods: 1,
		},
		{
			// The oldest message of a FIFO queue stays the oldest however often it is received
			// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
			id: "AuditDelayed", description: "Audit records have been waiting for a quarter of an hour to be logged. See the log of transparency, and whether its rule is enabled",
			metrics: []metric{{"AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", map[string]string{"QueueName": *d.logQueue.AttrQueueName()}}}, above: seconds(15 * minute), period: 5 * minute, periods: 1,
		},
		{
			id: "AuditDeadLetters", description: "Audit records can't be logged: the log of transparency says what is wrong with them. Repair the cause and redrive the queue",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.logDeadLetters.AttrQueueName())}, period: minute, periods: 1,
		},
		{
			id: "AuditUndelivered", description: "Firehose can't write audit records to the bucket. It tries for a day; its log says why",
			metrics: d.shipped("DeliveryToS3.DataFreshness", "Maximum"), above: seconds(15 * minute), period: 5 * minute, periods: 2,
		},
		{
			id: "HttpErrors", description: "Requests were answered by 5xx. The access log says which; the dashboard shows whether slack or api fails, or is throttled",
			metrics: []metric{d.served("5xx", "Sum")}, period: 5 * minute, periods: 1,
		},
	}
}

// waitingRecords counts messages with audit records, including those that are
// being logged.
func (d *deployment) waitingRecords() []metric {
	queue := *d.logQueue.AttrQueueName()
	return []metric{queued("ApproximateNumberOfMessagesVisible", queue), queued("ApproximateNumberOfMessagesNotVisible", queue)}
}

func seconds(d time.Duration) float64      { return d.Seconds() }
func milliseconds(d time.Duration) float64 { return float64(d.Milliseconds()) }

// swept gives one of the sweep's own metrics.
func (d *deployment) swept(name, stat string) metric {
	return metric{config.MetricNamespace, name, stat, map[string]string{config.MetricDimension: d.qualified("sweep")}}
}

// counted gives a metric of our own that a function counts.
func (d *deployment) counted(name, function string) metric {
	return metric{config.MetricNamespace, name, "Sum", map[string]string{config.MetricDimension: d.qualified(function)}}
}

// ran gives a metric of a function.
func (d *deployment) ran(name, function, stat string) metric {
	return metric{"AWS/Lambda", name, stat, map[string]string{"FunctionName": *d.functions[function].FunctionName()}}
}

// scheduled gives a metric of the schedules.
func (d *deployment) scheduled(name, stat string) metric {
	return metric{"AWS/Scheduler", name, stat, map[string]string{"ScheduleGroup": d.options.name}}
}

// executed gives a metric of the request workflow.
func (d *deployment) executed(name string) metric {
	return metric{"AWS/States", name, "Sum", map[string]string{"StateMachineArn": d.machineARN()}}
}

// served gives a metric of the HTTP API.
func (d *deployment) served(name, stat string) metric {
	return metric{"AWS/ApiGateway", name, stat, map[string]string{"ApiId": *d.api.Ref()}}
}

// shipped gives a metric of Firehose, of each stream.
func (d *deployment) shipped(name, stat string) (out []metric) {
	for _, stream := range []string{d.options.name, d.adminStream()} {
		out = append(out, metric{"AWS/Firehose", name, stat, map[string]string{"DeliveryStreamName": stream}})
	}
	return out
}

// queued gives a metric of a queue.
func queued(name, queue string) metric {
	return metric{"AWS/SQS", name, "Maximum", map[string]string{"QueueName": queue}}
}

func (d *deployment) addAlarm(a alarm) awscloudwatch.CfnAlarm {
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName:          jsii.String(d.qualified(a.id)),
		AlarmDescription:   jsii.String(a.description),
		ComparisonOperator: jsii.String("GreaterThanThreshold"),
		Threshold:          jsii.Number(a.above),
		EvaluationPeriods:  jsii.Number(a.periods),
		TreatMissingData:   jsii.String("notBreaching"),
		AlarmActions:       &[]any{d.alarmTopic.Ref()},
		OkActions:          &[]any{d.alarmTopic.Ref()},
	}
	if a.silence {
		props.ComparisonOperator, props.Threshold = jsii.String("LessThanThreshold"), jsii.Number(1)
		props.TreatMissingData = jsii.String("breaching")
	}
	if a.withoutKey && d.keyTopic != nil {
		props.AlarmActions = &[]any{d.alarmTopic.Ref(), d.keyTopic.Ref()}
		props.OkActions = props.AlarmActions
	}
	if len(a.metrics) == 1 {
		m := a.metrics[0]
		props.Namespace, props.MetricName, props.Statistic = jsii.String(m.namespace), jsii.String(m.name), jsii.String(m.stat)
		props.Period, props.Dimensions = jsii.Number(a.period.Seconds()), dimensions(m)
	} else {
		props.Metrics = queries(a)
	}
	return awscloudwatch.NewCfnAlarm(d.stack, jsii.String(a.id+"Alarm"), props)
}

// queries has the metrics of an alarm, as m0 and so on, and what is looked at. A metric
// without a value counts as 0.
func queries(a alarm) []any {
	queries := []any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("total"), Expression: jsii.String(cmp.Or(a.of, "SUM(FILL(METRICS(), 0))")), ReturnData: jsii.Bool(true),
	}}
	for i, m := range a.metrics {
		queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: jsii.String(fmt.Sprintf("m%d", i)), ReturnData: jsii.Bool(false),
			MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Stat: jsii.String(m.stat), Period: jsii.Number(a.period.Seconds()),
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{Namespace: jsii.String(m.namespace), MetricName: jsii.String(m.name), Dimensions: dimensions(m)},
			},
		})
	}
	return queries
}

func dimensions(m metric) []any {
	var out []any
	for _, name := range slices.Sorted(maps.Keys(m.dimensions)) {
		out = append(out, &awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(name), Value: jsii.String(m.dimensions[name])})
	}
	return out
}

// addAlarmTopic makes the topic of alarms, to which anything can subscribe.
func (d *deployment) addAlarmTopic() {
	d.alarmTopic = d.topic("AlarmTopic", d.key)
	d.topicPolicy("AlarmTopicPolicy", d.alarmTopic)
}
