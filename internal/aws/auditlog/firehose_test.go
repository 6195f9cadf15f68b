package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

// clock passes the time at once, and notes how much.
type clock struct{ pauses []time.Duration }

func (*clock) Now() time.Time { return time.Time{} }

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.pauses = append(c.pauses, d)
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

// stream is a Firehose stream that keeps to the documented limits.
type stream struct {
	t *testing.T
	// refuse says with which code a record is not taken; "" takes it.
	refuse func(try int, line string) string

	mu    sync.Mutex
	calls [][]string // the lines of each
	taken []string
}

func (s *stream) serve(operation string, input []byte) (any, error) {
	var in struct {
		DeliveryStreamName string
		Records            []struct{ Data []byte }
	}
	if err := json.Unmarshal(input, &in); err != nil || operation != "PutRecordBatch" || in.DeliveryStreamName != "audit" {
		s.t.Errorf("%s to %q: %v", operation, in.DeliveryStreamName, err)
	}
	if len(in.Records) == 0 || len(in.Records) > 500 || len(input) > 4<<20 {
		s.t.Errorf("%d records in %d bytes", len(in.Records), len(input))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	var answers []map[string]string
	failed := 0
	for i, r := range in.Records {
		line := string(r.Data)
		if len(line) > 1000<<10 || !strings.HasSuffix(line, "\n") || strings.Count(line, "\n") != 1 {
			s.t.Errorf("record of %d bytes: %.60q", len(line), line)
		}
		lines = append(lines, line)
		code := ""
		if s.refuse != nil {
			code = s.refuse(len(s.calls)+1, line)
		}
		if code == "" {
			s.taken = append(s.taken, line)
			answers = append(answers, map[string]string{"RecordId": fmt.Sprintf("id-%d-%d", len(s.calls), i)})
			continue
		}
		failed++
		answers = append(answers, map[string]string{"ErrorCode": code, "ErrorMessage": "Slow down."})
	}
	s.calls = append(s.calls, lines)
	return map[string]any{"FailedPutCount": failed, "RequestResponses": answers, "Encrypted": true}, nil
}

func open(t *testing.T, h http.Handler) (Firehose[events.AuditRecord], *clock) {
	t.Helper()
	c := &clock{}
	return Firehose[events.AuditRecord]{API: firehose.NewFromConfig(awstest.Config(t, h)), Stream: "audit", Clock: c}, c
}

func records(n int, output string) []events.AuditRecord {
	var all []events.AuditRecord
	for i := range n {
		all = append(all, events.AuditRecord{ID: fmt.Sprintf("record-%03d", i), Type: "event", Output: json.RawMessage(output)})
	}
	return all
}

func TestFirehoseWrite(t *testing.T) {
	t.Parallel()
	s := &stream{t: t}
	log, _ := open(t, awstest.Service(s.serve))
	sent := records(3, `{"rows":3}`)
	if err := log.Write(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	if len(s.calls) != 1 || len(s.taken) != 3 {
		t.Fatalf("%d calls, %d records", len(s.calls), len(s.taken))
	}
	for i, line := range s.taken {
		var got events.AuditRecord
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.ID != sent[i].ID {
			t.Errorf("line %d: %s (%v)", i, line, err)
		}
	}
	if err := log.Write(t.Context(), nil); err != nil || len(s.calls) != 1 {
		t.Errorf("nothing to send: %v, %d calls", err, len(s.calls))
	}
}

// TestLogWrite_limits: the stream refuses what is over them.
func TestFirehoseWrite_limits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		records []events.AuditRecord
		calls   []int // records in each
	}{
		{"Full", records(500, ""), []int{500}},
		{"OneMore", records(501, ""), []int{500, 1}},
		{"Large", records(7, `"`+strings.Repeat("x", 900<<10)+`"`), []int{3, 3, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &stream{t: t}
			log, _ := open(t, awstest.Service(s.serve))
			if err := log.Write(t.Context(), c.records); err != nil {
				t.Fatal(err)
			}
			var calls []int
			for _, call := range s.calls {
				calls = append(calls, len(call))
			}
			if !slices.Equal(calls, c.calls) {
				t.Errorf("calls of %v records, want %v", calls, c.calls)
			}
		})
	}
	t.Run("TooLarge", func(t *testing.T) {
		t.Parallel()
		s := &stream{t: t}
		log, _ := open(t, awstest.Service(s.serve))
		err := log.Write(t.Context(), append(records(1, ""), records(1, `"`+strings.Repeat("x", 1000<<10)+`"`)...))
		if flow.CodeOf(err) != flow.CodeTooLarge || !strings.Contains(err.Error(), "record-000") || len(s.calls) != 0 {
			t.Errorf("got %v after %d calls", err, len(s.calls))
		}
	})
}

func TestFirehoseWrite_partialFailure(t *testing.T) {
	t.Parallel()
	s := &stream{t: t, refuse: func(try int, line string) string {
		switch {
		case try == 1 && strings.Contains(line, "record-001"):
			return "ServiceUnavailableException"
		case try <= 2 && strings.Contains(line, "record-003"):
			return "InternalFailure"
		}
		return ""
	}}
	log, clock := open(t, awstest.Service(s.serve))
	if err := log.Write(t.Context(), records(5, "")); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, call := range s.calls {
		ids := ""
		for _, line := range call {
			var r events.AuditRecord
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			ids += strings.TrimPrefix(r.ID, "record-00")
		}
		calls = append(calls, ids)
	}
	if !slices.Equal(calls, []string{"01234", "13", "3"}) || len(s.taken) != 5 {
		t.Errorf("sent %v, taken %d", calls, len(s.taken))
	}
	if !slices.Equal(clock.pauses, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}) {
		t.Errorf("paused %v", clock.pauses)
	}
}

func TestFirehoseWrite_givesUp(t *testing.T) {
	t.Parallel()
	s := &stream{t: t, refuse: func(_ int, line string) string {
		if strings.Contains(line, "record-001") {
			return "ServiceUnavailableException"
		}
		return ""
	}}
	log, clock := open(t, awstest.Service(s.serve))
	err := log.Write(t.Context(), records(3, ""))
	if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(err.Error(), "1 audit records in 6 tries: ServiceUnavailableException") {
		t.Errorf("got %v", err)
	}
	if len(s.calls) != 6 || len(s.taken) != 2 || len(clock.pauses) != 5 {
		t.Errorf("%d calls, %d taken, paused %v", len(s.calls), len(s.taken), clock.pauses)
	}
}

// TestLogWrite_noAnswers: what no answer says was taken is sent again.
func TestFirehoseWrite_noAnswers(t *testing.T) {
	t.Parallel()
	calls := 0
	log, _ := open(t, awstest.Service(func(string, []byte) (any, error) {
		if calls++; calls == 1 {
			return map[string]any{"FailedPutCount": 1, "RequestResponses": []any{}}, nil
		}
		return map[string]any{"FailedPutCount": 0, "RequestResponses": []any{map[string]string{"RecordId": "id"}}}, nil
	}))
	if err := log.Write(t.Context(), records(1, "")); err != nil || calls != 2 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}

func TestFirehoseWrite_refused(t *testing.T) {
	t.Parallel()
	for _, fault := range []*awstest.Fault{
		{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailableException", Message: "Slow down."},
		{Status: http.StatusBadRequest, Code: "ResourceNotFoundException", Message: "Firehose audit not found."},
	} {
		log, _ := open(t, awstest.Service(func(string, []byte) (any, error) { return nil, fault }))
		err := log.Write(t.Context(), records(2, ""))
		if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(err.Error(), fault.Code) || strings.Contains(flow.UserMessage(err), fault.Code) {
			t.Errorf("got %v", err)
		}
	}
}

// still is a clock on which no pause ends.
type still struct{ clock }

func (*still) After(time.Duration) <-chan time.Time { return nil }

func TestFirehoseWrite_cancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{t: t, refuse: func(int, string) string { return "InternalFailure" }}
	log, _ := open(t, awstest.Service(s.serve))
	log.Clock = &still{}
	done := make(chan error)
	go func() { done <- log.Write(ctx, records(1, "")) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	workflowtest.AuditLog(t, func(t *testing.T) (workflow.AuditLog, func() []events.AuditRecord) {
		s := &stream{t: t}
		log, _ := open(t, awstest.Service(s.serve))
		return log, func() (all []events.AuditRecord) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, line := range s.taken {
				var r events.AuditRecord
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				all = append(all, r)
			}
			return all
		}
	})
}
