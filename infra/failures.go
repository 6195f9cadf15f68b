package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/config"
)

// failuresAtOnce is how many failures of five minutes call somebody: a function that fails
// once in passing is called again. What nobody may miss counts for as many at once.
const failuresAtOnce = 4

// What is a failure, as lines of logs.
const (
	// By Lambda: a function that returned an error, was stopped, or crashed
	// (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html).
	functionFailed = `{ ($.type = "platform.report") && ($.record.status != "success") }`
	// By Step Functions.
	workflowFailed = `{ ($.type = "ExecutionFailed") || ($.type = "ExecutionTimedOut") || ($.type = "ExecutionAborted") }`
	// By our own report of it.
	failureReported = `{ $.` + config.FailureKey + ` = "*" }`
	hitchReported   = `{ $.` + config.HitchKey + ` = "*" }`
)

// reports are the functions that report failures.
var reports = []string{"deliver", "drift", "notify", "standing", "transparency"}

// missed are the functions of which each failure counts: somebody waits for an answer,
// or nobody else notices that nothing was looked at, or written.
var missed = map[string]bool{"slack": true, "standing": true, "drift": true, "report": true, edgeFunction: true}

// addFailures has all failures counted by one metric, for an alarm costs by the metrics that
// it looks at, and filters of logs nothing.
func (d *deployment) addFailures() {
	count := func(id, pattern string, logs awslogs.CfnLogGroup, value string) {
		m := d.failures()
		awslogs.NewCfnMetricFilter(d.stack, jsii.String(id), &awslogs.CfnMetricFilterProps{
			LogGroupName: logs.Ref(), FilterPattern: jsii.String(pattern),
			MetricTransformations: []any{&awslogs.CfnMetricFilter_MetricTransformationProperty{
				MetricNamespace: jsii.String(m.namespace), MetricName: jsii.String(m.name), MetricValue: jsii.String(value),
			}},
		})
	}
	calls := strconv.Itoa(failuresAtOnce)
	for _, name := range d.watched() {
		value := "1"
		if missed[name] {
			value = calls
		}
		count(title(name)+"Fails", functionFailed, d.logs[name], value)
		if name != edgeFunction && !strings.HasPrefix(name, pythonFunction) { // those are written in Python
			count(title(name)+"Hitches", hitchReported, d.logs[name], "1")
		}
	}
	for _, name := range reports {
		count(title(name)+"Reports", failureReported, d.logs[name], calls)
	}
	count("WorkflowFails", workflowFailed, d.workflowLogs, calls)
}

// watched are the functions whose failures are counted: all but what fails a deploy.
func (d *deployment) watched() []string {
	names := slices.DeleteFunc(deployed(), func(name string) bool { return name == "publish" })
	if d.edge != nil {
		names = append(names, edgeFunction)
	}
	for _, flow := range d.config.Isolated() {
		names = append(names, isolatedFunction(flow))
	}
	return names
}

// failures is the metric. It has no dimension, as filters take those from lines of logs
// alone, so that its namespace names the deployment.
func (d *deployment) failures() metric {
	return metric{config.MetricNamespace + "/" + d.options.name, "Failures", "Sum", nil}
}
