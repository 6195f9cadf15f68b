package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/config"
)

// howToRead stands at the top of the dashboard.
const howToRead = `## Is access being removed on time?
**Yes**, while *Removals overdue* is 0 and the sweep reports each minute. An overdue removal is one whose access should be gone since 90 seconds.

If it is not: *What failed* below names the run and the target's error. Each access has two ways to its end, and each is enough: its own **schedule**, and the **sweep**, which looks at everything that is due.`

// addDashboard makes the dashboard that answers one question: is access being
// removed on time? What it depends on comes first, then the rest.
func (d *deployment) addDashboard() {
	arns := []string{}
	for _, a := range d.alarms {
		arns = append(arns, *a.AttrArn())
	}
	rows := [][]any{
		{
			widget("text", 16, 5, map[string]any{"markdown": howToRead}),
			d.graph("Removals overdue", 4, 5, "singleValue", d.swept(config.MetricRemovalsOverdue, "Maximum")),
			d.graph("Sweeps a minute, and failed", 4, 5, "singleValue", d.ran("Invocations", "sweep", "Sum"), d.ran("Errors", "sweep", "Sum")),
		},
		{widget("alarm", 24, 4, map[string]any{"title": "Alarms", "alarms": arns})},
		{
			d.graph("Removals overdue", 12, 6, "timeSeries", d.swept(config.MetricRemovalsOverdue, "Maximum")),
			d.graph("Schedules: removals called out", 12, 6, "timeSeries",
				d.scheduled("InvocationAttemptCount", "Sum"), d.scheduled("TargetErrorCount", "Sum"), d.scheduled("InvocationDroppedCount", "Sum")),
		},
		{
			d.graph("removal: calls and errors", 8, 6, "timeSeries", d.ran("Invocations", removalFunction, "Sum"), d.ran("Errors", removalFunction, "Sum"), d.ran("Throttles", removalFunction, "Sum")),
			d.graph("removal: how long calls waited to be run (ms)", 8, 6, "timeSeries", d.ran("AsyncEventAge", removalFunction, "p99"), d.ran("AsyncEventAge", removalFunction, "Maximum")),
			d.graph("Dead letters, and what waits in the queues of removal and sweep", 8, 6, "timeSeries",
				queued("ApproximateNumberOfMessagesVisible", *d.removalDeadLetters.AttrQueueName()), queued("ApproximateNumberOfMessagesVisible", *d.logDeadLetters.AttrQueueName()),
				queued("ApproximateNumberOfMessagesVisible", *d.removalQueue.AttrQueueName()), queued("ApproximateNumberOfMessagesVisible", *d.sweepQueue.AttrQueueName())),
		},
		{widget("log", 24, 6, map[string]any{
			"title": "What failed", "view": "table", "region": *awscdk.Aws_REGION(),
			"query": "SOURCE '" + *d.logs[removalFunction].Ref() + "' | SOURCE '" + *d.logs[accessFunction].Ref() + "' | SOURCE '" + *d.logs["sweep"].Ref() + "'" +
				" | fields @timestamp, msg, run, error | filter level in [\"WARN\", \"ERROR\"] | sort @timestamp desc | limit 50",
		})},
		{widget("log", 24, 6, map[string]any{
			"title": "Failures", "view": "table", "region": *awscdk.Aws_REGION(),
			"query": d.sources() + " | fields @timestamp, @log, coalesce(failure, hitch, record.errorType, record.status, details.error, type) as what, details.cause" +
				" | filter ispresent(failure) or ispresent(hitch) or (type = \"platform.report\" and record.status != \"success\") or type in [\"ExecutionFailed\", \"ExecutionTimedOut\", \"ExecutionAborted\"]" +
				" | sort @timestamp desc | limit 50",
		})},
		{
			d.graph("Functions that failed", 12, 6, "timeSeries", d.each("Errors")...),
			d.graph("Functions that waited for a place", 12, 6, "timeSeries", d.each("Throttles")...),
		},
		{
			d.graph("How far behind the stream is read (ms)", 8, 6, "timeSeries", d.ran("IteratorAge", "relay", "Maximum"), d.ran("IteratorAge", "notify", "Maximum")),
			d.graph("Request workflow", 8, 6, "timeSeries", d.executed("ExecutionsStarted"), d.executed("ExecutionsSucceeded"), d.executed("ExecutionsFailed")),
			d.graph("Audit: age of what is not yet in the bucket (s), and records that wait for Firehose", 8, 6, "timeSeries",
				append(d.waitingRecords(), d.shipped("DeliveryToS3.DataFreshness", "Maximum")...)...),
		},
		{
			d.graph("slack: how long answers take (ms; Slack waits for 3,000)", 12, 6, "timeSeries", d.ran("Duration", "slack", "p50"), d.ran("Duration", "slack", "p99")),
			d.graph("HTTP API", 12, 6, "timeSeries", d.served("Count", "Sum"), d.served("4xx", "Sum"), d.served("5xx", "Sum")),
		},
	}
	body := map[string]any{"start": "-PT3H", "widgets": place(rows)}
	awscloudwatch.NewCfnDashboard(d.stack, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: jsii.String(d.options.name), DashboardBody: d.stack.ToJsonString(body, nil),
	})
}

// sources are the logs in which there may be failures.
func (d *deployment) sources() string {
	all := []string{"SOURCE '" + *d.workflowLogs.Ref() + "'"}
	for _, name := range d.watched() {
		all = append(all, "SOURCE '"+*d.logs[name].Ref()+"'")
	}
	return strings.Join(all, " | ")
}

// each is a metric of every function.
func (d *deployment) each(name string) []metric {
	var out []metric
	for _, f := range d.watched() {
		out = append(out, d.ran(name, f, "Sum"))
	}
	return out
}

// widget is a part of a dashboard, in CloudWatch's form
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
// The width of a dashboard is 24.
func widget(kind string, width, height int, properties map[string]any) map[string]any {
	return map[string]any{"type": kind, "width": width, "height": height, "properties": properties}
}

func (d *deployment) graph(name string, width, height int, view string, metrics ...metric) map[string]any {
	lines := []any{}
	for _, m := range metrics {
		line := []any{m.namespace, m.name}
		for _, name := range slices.Sorted(maps.Keys(m.dimensions)) {
			line = append(line, name, m.dimensions[name])
		}
		lines = append(lines, append(line, map[string]any{"stat": m.stat}))
	}
	return widget("metric", width, height, map[string]any{
		"title": name, "view": view, "metrics": lines, "period": 60, "region": *awscdk.Aws_REGION(),
	})
}

// place puts rows of widgets below one another.
func place(rows [][]any) []any {
	out := []any{}
	y := 0
	for _, row := range rows {
		x, height := 0, 0
		for _, w := range row {
			w := w.(map[string]any)
			w["x"], w["y"] = x, y
			x += w["width"].(int)
			height = max(height, w["height"].(int))
			out = append(out, w)
		}
		y += height
	}
	return out
}
