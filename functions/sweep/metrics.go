package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/workflow"
)

type metric struct {
	Name, Unit string
}

// report writes what was swept as metrics in CloudWatch's embedded format, so
// that no right is needed to publish them
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
func report(w io.Writer, function string, swept workflow.Swept, at time.Time) error {
	return json.NewEncoder(w).Encode(map[string]any{
		"_aws": map[string]any{
			"Timestamp": at.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  config.MetricNamespace,
				"Dimensions": [][]string{{config.MetricDimension}},
				"Metrics":    []metric{{config.MetricRemovalsOverdue, "Count"}, {config.MetricRunsDriven, "Count"}, {config.MetricRunsFailed, "Count"}},
			}},
		},
		config.MetricDimension:       function,
		config.MetricRemovalsOverdue: swept.Overdue,
		config.MetricRunsDriven:      swept.Driven,
		config.MetricRunsFailed:      swept.Failed,
	})
}
