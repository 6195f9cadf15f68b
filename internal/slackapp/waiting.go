package slackapp

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/symflows/symflows/internal/workflow"
)

// Waiting is the way to Slack for those who would rather wait than be refused,
// as a handler that wants all members of a large group. Where Slack asks to be
// left alone, it waits for so long and asks again, if the deadline of the
// request's context leaves the time; else the refusal is the answer.
type Waiting struct {
	Next  http.RoundTripper
	Clock workflow.Clock
}

// RoundTrip asks until Slack does not ask to wait any more.
func (w Waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		resp, err := w.Next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		pause := time.Duration(max(1, seconds)) * time.Second
		end, ends := r.Context().Deadline()
		if !ends || w.Clock.Now().Add(pause).After(end) || r.Body != nil && r.GetBody == nil {
			return resp, nil
		}
		_, _ = io.Copy(io.Discard, resp.Body) // so that its connection can be used again
		_ = resp.Body.Close()
		select {
		case <-w.Clock.After(pause):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		r = r.Clone(r.Context())
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}
