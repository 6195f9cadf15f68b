package workflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Health is how Slack takes what this process sends it. What Slack can't carry
// has to be told elsewhere: by metrics, the health check and the log.
type Health struct {
	mu       sync.Mutex
	down     error // since then, and why; nil while Slack takes what it is sent
	since    time.Time
	deaf     map[string]error // error channels that could not be told, and why
	failures Failures
}

// Failures counts what could not be sent.
type Failures struct {
	Unreachable int // messages that Slack did not take, whatever their destination
	Lost        int // messages to error channels that can't be delivered
}

// heard notes how Slack took a message to a channel.
func (h *Health) heard(channel string, err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, limited := errors.AsType[*flow.RateLimited](err); limited {
		return
	}
	if err != nil && flow.CodeOf(err) != flow.CodeUndeliverable {
		h.failures.Unreachable++
		if h.down == nil {
			h.down, h.since = err, now
		}
		return
	}
	h.down = nil
	if err == nil {
		delete(h.deaf, channel)
	}
}

// lost notes that an error channel can't be told.
func (h *Health) lost(channel string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures.Lost++
	if h.deaf == nil {
		h.deaf = map[string]error{}
	}
	h.deaf[channel] = err
}

// Err says what is wrong, for operators: nil if nothing is.
func (h *Health) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	if h.down != nil {
		wrong = append(wrong, fmt.Sprintf("Slack has taken no message since %s: %s", h.since.UTC().Format(time.RFC3339), flow.UserMessage(h.down)))
	}
	for _, channel := range slices.Sorted(maps.Keys(h.deaf)) {
		wrong = append(wrong, fmt.Sprintf("the error channel %s can't be told: %s", channel, flow.UserMessage(h.deaf[channel])))
	}
	if len(wrong) == 0 {
		return nil
	}
	return flow.Errorf(flow.CodeUnreachable, "%s", strings.Join(wrong, "; "))
}

// Take gives what has failed since it was called last.
func (h *Health) Take() Failures {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.failures
	h.failures = Failures{}
	return f
}
