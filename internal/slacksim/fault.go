package slacksim

import (
	"context"
	"slices"
	"time"
)

// Fault is a way for a method of the Web API to go wrong. Its fields combine:
// what is set happens.
type Fault struct {
	// Before is called before anything else, and delays the call while it runs.
	Before func(context.Context)
	// RetryAfter answers 429 "ratelimited" with this Retry-After, in whole
	// seconds, and does nothing else.
	RetryAfter time.Duration
	// Status answers with this HTTP status and no JSON.
	Status int
	// Error answers with this error code of Slack's.
	Error string
	// DropAnswer does the work and then breaks the connection.
	DropAnswer bool
}

type pendingFault struct {
	method string
	times  int
	Fault
}

// Inject makes the next calls of a method ("chat.postMessage"; "*" is any) go
// wrong, so many times. Faults of one method queue up.
func (s *Sim) Inject(method string, times int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &pendingFault{method: method, times: times, Fault: f})
}

// Heal takes back all faults that have not happened yet.
func (s *Sim) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault counts a call, and gives the fault that it has to suffer.
func (s *Sim) takeFault(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	for i, f := range s.faults {
		if f.method != method && f.method != "*" {
			continue
		}
		if f.times--; f.times <= 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f.Fault
	}
	return Fault{}
}
