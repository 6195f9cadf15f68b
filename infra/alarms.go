package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/store/dynamo"
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
	failing := func(function, description string, above float64) alarm {
		return alarm{id: title(function) + "Errors", description: description, metrics: []metric{d.ran("Errors", function, "Sum")}, above: above, period: 5 * minute, periods: 1}
	}
	list := []alarm{
		{
			id: "RemovalOverdue", description: "Access should be gone since 90 s and is not. It is tried again for ever; the log of removal says what fails",
			metrics: []metric{d.swept(config.MetricRemovalsOverdue, "Maximum")}, period: minute, periods: 1,
		},
		{
			id: "SweepSilent", description: "Nobody looks after what is due: the sweep has not reported for three minutes. See its log",
			metrics: []metric{d.swept(config.MetricRunsDriven, "SampleCount")}, silence: true, withoutKey: true, period: minute, periods: 3,
		},
		{
			id: "HoldersHeld", description: "Many who hold access were deactivated in Slack at once, so that none of it is ended: the error channel has their ids. If it is right, invoke standing with {\"confirm\": true}",
			metrics: []metric{d.looked(config.MetricHoldersHeld, "Maximum")}, period: 5 * minute, periods: 1,
		},
		{
			id: "StandingSilent", description: "Nobody looks at whether those who hold access are still in the workspace: standing has not reported for half an hour. See its log",
			metrics: []metric{d.looked(config.MetricHoldersAsked, "SampleCount")}, silence: true, period: 30 * minute, periods: 1,
		},
		{
			id: "AccessLingers", description: "A target shows access that was to be gone, and that no request holds. It is being taken away; GET /drift, or the error channel, says whose and where",
			metrics: []metric{d.compared(config.MetricDriftLingering, "Maximum")}, period: 5 * minute, periods: 1,
		},
		{
			id: "DriftSilent", description: "Nobody compares what was granted with what targets show: drift has not reported for half an hour. See its log",
			metrics: []metric{d.compared(config.MetricDriftLingering, "SampleCount")}, silence: true, period: 30 * minute, periods: 1,
		},
		{
			id: "RemovalDeadLetters", description: "A removal could not be delivered. The sweep makes it good; the message in the queue says what was wrong",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.removalDeadLetters.AttrQueueName())}, period: minute, periods: 1,
		},
		{
			id: "RemovalsDropped", description: "A removal was given up on by Scheduler or Lambda, and could not even be put into the queue of dead letters. The sweep makes it good",
			metrics: []metric{
				d.scheduled("InvocationDroppedCount", "Sum"), d.scheduled("InvocationsFailedToBeSentToDeadLetterCount", "Sum"),
				d.ran("AsyncEventsDropped", removalFunction, "Sum"), d.ran("DestinationDeliveryFailures", removalFunction, "Sum"),
				d.ran("AsyncEventsDropped", accessFunction, "Sum"), d.ran("DestinationDeliveryFailures", accessFunction, "Sum"), // by schedules of earlier releases
			}, period: 5 * minute, periods: 1,
		},
		{
			id: "GrantLooksDelayed", description: "Runs whose grant waits for its target are not looked at: access does not take the messages of its queue. The sweep has them go on, later. See the log of access",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.grantLooks.AttrQueueName())}, above: 100, period: 5 * minute, periods: 3,
		},
		{
			id: "RemovalsDelayed", description: "One of the two paths by which access ends does not work: removal, or sweep, does not take the messages of its queue. The other one makes it good, to the minute. See whether their event source mappings are enabled, and their logs",
			metrics: []metric{
				queued("ApproximateNumberOfMessagesVisible", *d.removalQueue.AttrQueueName()),
				queued("ApproximateNumberOfMessagesVisible", *d.sweepQueue.AttrQueueName()),
			}, above: 100, period: 5 * minute, periods: 3,
		},
		{
			id: "RelayDelayed", description: "Changes reach workflows late: relay is behind the table's stream. See its log",
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
			id: "ErrorChannelLost", description: "An error channel can't be told of a failure: it was renamed or archived, or the bot is not in it. The log of notify has the channel, and what it was to be told",
			metrics: []metric{d.counted(config.MetricErrorChannelLost, "notify")}, period: 5 * minute, periods: 1,
		},
		{
			id: "ChangesGivenUp", description: "Changes could not be handled, and wait in the bucket of dead letters: repair the cause and redrive them",
			metrics: []metric{
				d.read("OnFailureDestinationDeliveredEventCount", "relay"), d.read("DroppedEventCount", "relay"),
				d.read("OnFailureDestinationDeliveredEventCount", "notify"), d.read("DroppedEventCount", "notify"),
			}, period: 5 * minute, periods: 1,
		},
		{
			// Not by the age of the oldest: SQS leaves messages out of it that were received three times
			// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
			id: "AuditDelayed", description: "Audit records have been waiting for a quarter of an hour for Firehose to take them. See the log of relay",
			metrics: d.waitingRecords(), period: 5 * minute, periods: 3,
		},
		{
			id: "AuditDeadLetters", description: "Audit records could not be shipped: repair the cause and redrive the queue",
			metrics: []metric{queued("ApproximateNumberOfMessagesVisible", *d.auditDeadLetters.AttrQueueName())}, period: minute, periods: 1,
		},
		{
			id: "AuditUndelivered", description: "Firehose can't write audit records to the bucket. It tries for a day; its log says why",
			metrics: d.shipped("DeliveryToS3.DataFreshness", "Maximum"), above: seconds(15 * minute), period: 5 * minute, periods: 2,
		},
		{
			id: "WorkflowFailed", description: "An execution of the request workflow failed. The sweep starts another one; the machine's log says why",
			metrics: []metric{
				d.executed("ExecutionsFailed"), d.executed("ExecutionsTimedOut"), d.executed("ExecutionsAborted"),
			}, period: 5 * minute, periods: 1,
		},
		failing("standing", "Whether those who hold access are still in the workspace could not be looked at. The next look, within five minutes, goes on. See the log of standing", 0),
		failing("drift", "What was granted could not be compared with what targets show. The next look, within five minutes, goes on. See the log of drift", 0),
		failing("slack", "Slack's requests were not answered as they should be: people see that their click or command failed. See the log of slack", 0),
		{
			id: "HttpErrors", description: "Requests were answered by 5xx. The access log says which",
			metrics: []metric{d.served("5xx", "Sum")}, period: 5 * minute, periods: 1,
		},
		{
			id: "RemovalsThrottled", description: "Removals waited for a place: the account's concurrency, or what is reserved for removal, is used up. They are called again, and by the sweep: have it raised",
			metrics: []metric{d.ran("Throttles", removalFunction, "Sum")}, period: 5 * minute, periods: 1,
		},
		{
			id: "FunctionsThrottled", description: "Functions were not run because the account's concurrency is used up: have it raised",
			metrics: d.throttled(), period: 5 * minute, periods: 1,
		},
		{
			id: "TableThrottled", description: "DynamoDB throttled the table or an index",
			metrics: d.tableThrottled(), period: 5 * minute, periods: 1,
		},
		{
			id: "WorkflowThrottled", description: "Step Functions throttled the request workflow",
			metrics: []metric{d.executed("ExecutionThrottled")}, period: 5 * minute, periods: 1,
		},
	}
	for _, name := range deployed() {
		if name != "slack" && name != "publish" && name != "standing" && name != "drift" { // which are above, or fail the deploy
			list = append(list, failing(name, fmt.Sprintf("The function %s fails again and again. See its log", name), 3))
		}
	}
	if d.edge != nil {
		list = append(list, failing(edgeFunction, "Requests that came by way of CloudFront were refused: whether they did could not be found out. See the log of edge", 0))
	}
	for _, flow := range d.config.Isolated() {
		list = append(list, failing(isolatedFunction(flow), fmt.Sprintf("The function that runs the handlers of flow %s alone fails again and again. See its log", flow), 3))
	}
	return list
}

// waitingRecords counts messages with audit records, including those that relay is
// reading.
func (d *deployment) waitingRecords() []metric {
	queue := *d.auditQueue.AttrQueueName()
	return []metric{queued("ApproximateNumberOfMessagesVisible", queue), queued("ApproximateNumberOfMessagesNotVisible", queue)}
}

func seconds(d time.Duration) float64      { return d.Seconds() }
func milliseconds(d time.Duration) float64 { return float64(d.Milliseconds()) }

func (d *deployment) throttled() []metric {
	var out []metric
	for _, name := range functionNames { // an alarm takes ten metrics; removal has one of its own
		if name != "publish" && name != "standing" && name != "drift" { // the one fails the deploy, the others' silence alarms
			out = append(out, d.ran("Throttles", name, "Sum"))
		}
	}
	return out
}

// tableThrottled counts throttled calls of the table and of its indexes: an index
// that can't follow holds up the table.
func (d *deployment) tableThrottled() []metric {
	out := []metric{d.stored("ReadThrottleEvents", ""), d.stored("WriteThrottleEvents", "")}
	for _, index := range dynamo.Schema().Indexes {
		out = append(out, d.stored("WriteThrottleEvents", index.Name))
	}
	return out
}

// swept gives one of the sweep's own metrics.
func (d *deployment) swept(name, stat string) metric {
	return metric{config.MetricNamespace, name, stat, map[string]string{config.MetricDimension: d.qualified("sweep")}}
}

// looked is one of standing's own metrics.
func (d *deployment) looked(name, stat string) metric {
	return metric{config.MetricNamespace, name, stat, map[string]string{config.MetricDimension: d.qualified("standing")}}
}

// counted gives a metric of our own that a function counts.
func (d *deployment) counted(name, function string) metric {
	return metric{config.MetricNamespace, name, "Sum", map[string]string{config.MetricDimension: d.qualified(function)}}
}

// ran gives a metric of a function.
func (d *deployment) ran(name, function, stat string) metric {
	return metric{"AWS/Lambda", name, stat, map[string]string{"FunctionName": *d.functions[function].FunctionName()}}
}

// read gives a metric of a reader of the stream.
func (d *deployment) read(name, function string) metric {
	return metric{"AWS/Lambda", name, "Sum", map[string]string{"EventSourceMappingUUID": *d.readers[function].Ref()}}
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

// stored gives a metric of the table, or of one of its indexes.
func (d *deployment) stored(name, index string) metric {
	m := metric{"AWS/DynamoDB", name, "Sum", map[string]string{"TableName": *d.table.Ref()}}
	if index != "" {
		m.dimensions["GlobalSecondaryIndexName"] = index
	}
	return m
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
		props.Metrics = sum(a)
	}
	return awscloudwatch.NewCfnAlarm(d.stack, jsii.String(a.id+"Alarm"), props)
}

// sum adds up the metrics of an alarm. A metric without a value counts as 0.
func sum(a alarm) []any {
	queries := []any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("total"), Expression: jsii.String("SUM(FILL(METRICS(), 0))"), ReturnData: jsii.Bool(true),
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

// compared is one of drift's own metrics.
func (d *deployment) compared(name, stat string) metric {
	return metric{config.MetricNamespace, name, stat, map[string]string{config.MetricDimension: d.qualified("drift")}}
}
