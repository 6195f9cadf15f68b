package vendorhttp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// StandardLimit is for vendors that keep to HTTP: 429, and 503 with a Retry-After,
// ask to wait.
func StandardLimit(a Answer) (after time.Duration, limited bool) {
	after = RetryAfter(a)
	return after, a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable && after > 0
}

// RetryAfter reads the header of that name (RFC 9110 §10.2.3), seconds or a date.
// It returns 0 if there is none that makes sense.
func RetryAfter(a Answer) time.Duration {
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(min(seconds, int(flow.MaxRetryAfter/time.Second)))*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return until(a, at)
	}
	return 0
}

// ResetAt reads a header that says in Unix seconds when calls are taken again, as
// X-RateLimit-Reset does with some. It returns 0 if there is none that makes sense.
func ResetAt(a Answer, header string) time.Duration {
	seconds, err := strconv.ParseInt(a.Header.Get(header), 10, 64)
	if err != nil {
		return 0
	}
	return until(a, time.Unix(seconds, 0))
}

// ResetIn reads a header that says in how many seconds calls are taken again. It
// returns 0 if there is none that makes sense.
func ResetIn(a Answer, header string) time.Duration {
	seconds, err := strconv.ParseFloat(a.Header.Get(header), 64)
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, flow.MaxRetryAfter.Seconds()) * float64(time.Second))
}

// until is how long it is to a time by the vendor's clock, which its Date header
// has, and by ours if there is none.
func until(a Answer, at time.Time) time.Duration {
	now := a.Now
	if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), flow.MaxRetryAfter))
}
