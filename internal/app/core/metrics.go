package core

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/config"
)

type metric struct {
	Name, Unit string
}

// Report writes counts of a function as a line of its log. Those of config.Metrics, of
// which there are any, are metrics in CloudWatch's embedded format, so that no right is
// needed to publish them
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// Those of config.Failures and config.Hitches make the line one that an alarm counts, and
// that says what is wrong.
func Report(w io.Writer, function string, at time.Time, counts map[string]int) error {
	line := map[string]any{config.MetricDimension: function}
	var metrics []metric
	said := map[string][]string{} // by the key of the line
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		n := counts[name]
		line[name] = n
		failure, fails := config.Failures[name]
		hitch, passes := config.Hitches[name]
		switch {
		case n == 0:
		case fails:
			said[config.FailureKey] = append(said[config.FailureKey], name+": "+failure)
		case passes:
			said[config.HitchKey] = append(said[config.HitchKey], name+": "+hitch)
		case slices.Contains(config.Metrics, name):
			metrics = append(metrics, metric{name, "Count"})
		}
	}
	for key, texts := range said {
		line[key] = strings.Join(texts, ". ")
	}
	if metrics != nil {
		line["_aws"] = map[string]any{
			"Timestamp": at.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  config.MetricNamespace,
				"Dimensions": [][]string{{config.MetricDimension}},
				"Metrics":    metrics,
			}},
		}
	}
	return json.NewEncoder(w).Encode(line)
}
