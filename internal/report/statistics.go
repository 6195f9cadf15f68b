package report

import "slices"

// Times tells of durations, in seconds. Without any, only Count is told.
type Times struct {
	Count   int   `json:"count"`
	Median  int64 `json:"median_seconds,omitempty"`
	P95     int64 `json:"p95_seconds,omitempty"`
	Longest int64 `json:"longest_seconds,omitempty"`
}

// timesOf tells of durations in seconds, in any order.
func timesOf(seconds []int64) Times {
	if len(seconds) == 0 {
		return Times{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return Times{Count: len(sorted), Median: percentile(sorted, 50), P95: percentile(sorted, 95), Longest: sorted[len(sorted)-1]}
}

// percentile gives the smallest value that so many percent of the values do not
// exceed: one that was measured, and none between two. sorted has at least one.
func percentile(sorted []int64, percent int) int64 {
	return sorted[(len(sorted)*percent+99)/100-1]
}

// buckets counts durations by bounds: those up to the first, up to the second, and so
// on, and those beyond the last.
func buckets(seconds, bounds []int64) []Bucket {
	out := make([]Bucket, len(bounds)+1)
	for i, b := range bounds {
		out[i].UpTo = b
	}
	for _, s := range seconds {
		i, _ := slices.BinarySearch(bounds, s)
		out[i].Count++
	}
	return out
}
