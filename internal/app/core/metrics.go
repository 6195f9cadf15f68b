package core

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/config"
)

type metric struct {
	Name, Unit string
}

// Report writes counts of a function as metrics in CloudWatch's embedded format,
// so that no right is needed to publish them
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
func Report(w io.Writer, function string, at time.Time, counts map[string]int) error {
	line := map[string]any{config.MetricDimension: function}
	var metrics []metric
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		line[name] = counts[name]
		metrics = append(metrics, metric{name, "Count"})
	}
	line["_aws"] = map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  config.MetricNamespace,
			"Dimensions": [][]string{{config.MetricDimension}},
			"Metrics":    metrics,
		}},
	}
	return json.NewEncoder(w).Encode(line)
}
