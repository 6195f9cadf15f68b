package schedule

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/google/go-cmp/cmp"

	"github.com/jonboulle/clockwork"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

const runID = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"

var now = time.Date(2026, 3, 2, 9, 0, 30, 0, time.UTC)

// fake is EventBridge Scheduler with one group, "ends".
type fake struct {
	t *testing.T
	// before is called before each operation ("POST", "PUT", "DELETE"): what it
	// returns is answered.
	before func(method string) error

	mu        sync.Mutex
	calls     []string
	schedules map[string]map[string]any
}

func (f *fake) serve(operation string, input []byte) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method, path, _ := strings.Cut(operation, " ")
	f.calls = append(f.calls, method)
	if f.before != nil {
		if err := f.before(method); err != nil {
			return nil, err
		}
	}
	path, query, _ := strings.Cut(path, "?")
	name, ok := strings.CutPrefix(path, "/schedules/")
	if !ok {
		f.t.Errorf("no such operation: %s", operation)
	}
	var body map[string]any
	if method == "DELETE" {
		if !strings.Contains(query, "groupName=ends") {
			f.t.Errorf("deletes from another group: %s", operation)
		}
	} else if err := json.Unmarshal(input, &body); err != nil {
		f.t.Errorf("%s: %v", input, err)
	}
	_, there := f.schedules[name]
	switch {
	case method == "POST" && there:
		return nil, &awstest.Fault{Status: http.StatusConflict, Code: "ConflictException", Message: "Schedule " + name + " already exists."}
	case method != "POST" && !there:
		return nil, &awstest.Fault{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: "Schedule " + name + " does not exist."}
	case method == "DELETE":
		delete(f.schedules, name)
		return struct{}{}, nil
	}
	delete(body, "ClientToken") // random
	f.schedules[name] = body
	return map[string]string{"ScheduleArn": "arn:aws:scheduler:us-east-1:123456789012:schedule/ends/" + name}, nil
}

func open(t *testing.T) (EventBridge, *fake) {
	t.Helper()
	f := &fake{t: t, schedules: map[string]map[string]any{}}
	return EventBridge{
		API: scheduler.NewFromConfig(awstest.Config(t, awstest.Service(f.serve))), Group: "ends",
		FunctionARN:   "arn:aws:lambda:us-east-1:123456789012:function:access",
		RoleARN:       "arn:aws:iam::123456789012:role/schedule",
		DeadLetterARN: "arn:aws:sqs:us-east-1:123456789012:ends",
		Now:           func() time.Time { return now },
	}, f
}

func (f *fake) at(t *testing.T) string {
	t.Helper()
	at, _ := f.schedules[runID]["ScheduleExpression"].(string)
	return at
}

func TestEventBridgeSet(t *testing.T) {
	t.Parallel()
	s, f := open(t)
	if err := s.Set(t.Context(), runID, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"GroupName": "ends", "ScheduleExpression": "at(2026-03-02T10:00:00)", "ScheduleExpressionTimezone": "UTC",
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "ActionAfterCompletion": "DELETE",
		"Target": map[string]any{
			"Arn": s.FunctionARN, "RoleArn": s.RoleARN, "Input": `{"run":"` + runID + `"}`,
			"DeadLetterConfig": map[string]any{"Arn": s.DeadLetterARN},
			"RetryPolicy":      map[string]any{"MaximumEventAgeInSeconds": 86400.0, "MaximumRetryAttempts": 185.0},
		},
	}
	if diff := cmp.Diff(want, f.schedules[runID]); diff != "" {
		t.Errorf("made:\n%s", diff)
	}
	if err := s.Set(t.Context(), runID, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want["ScheduleExpression"] = "at(2026-03-02T11:00:00)"
	if diff := cmp.Diff(want, f.schedules[runID]); diff != "" || len(f.schedules) != 1 {
		t.Errorf("moved:\n%s", diff)
	}
}

// TestEventBridgeSet_times: never after the end's minute, unless that is over.
func TestEventBridgeSet_times(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now, end string // times of the day
		want     string
	}{
		{"09:00:30", "10:00:00", "10:00"},
		{"09:00:30", "10:00:01", "10:00"},
		{"09:00:30", "10:00:59.999", "10:00"},
		{"09:00:30", "09:01:00", "09:01"},
		{"09:00:30", "09:00:59", "09:01"}, // its minute has begun
		{"09:00:30", "09:00:00", "09:01"},
		{"09:00:30", "07:00:00", "09:01"},
		{"09:00:44.999", "09:01:10", "09:01"},
		{"09:00:45", "09:01:10", "09:02"}, // would have begun when the call arrives
		{"09:00:00", "09:00:00", "09:01"},
	} {
		parse := func(text string) time.Time {
			at, err := time.Parse("2006-01-02 15:04:05", "2026-03-02 "+text)
			if err != nil {
				t.Fatal(err)
			}
			return at.In(time.FixedZone("elsewhere", 5*60*60+45*60))
		}
		s, f := open(t)
		s.Now = func() time.Time { return parse(c.now) }
		if err := s.Set(t.Context(), runID, parse(c.end)); err != nil {
			t.Fatal(err)
		}
		if got, want := f.at(t), "at(2026-03-02T"+c.want+":00)"; got != want {
			t.Errorf("at %s, for an end at %s: %s, want %s", c.now, c.end, got, want)
		}
	}
}

// TestEventBridgeSet_races: the schedule comes and goes between calls.
func TestEventBridgeSet_races(t *testing.T) {
	t.Parallel()
	conflict := &awstest.Fault{Status: http.StatusConflict, Code: "ConflictException", Message: "being changed"}
	for _, c := range []struct {
		name   string
		before func(f *fake, call int) error
		calls  string
		fails  string
	}{
		{"FiresBeforeItIsMoved", func(f *fake, call int) error {
			switch call {
			case 1:
				f.schedules[runID] = map[string]any{}
			case 2:
				delete(f.schedules, runID)
			}
			return nil
		}, "POST PUT POST", ""},
		{"BeingChanged", func(f *fake, call int) error {
			f.schedules[runID] = map[string]any{}
			if call == 2 {
				return conflict
			}
			return nil
		}, "POST PUT POST PUT", ""},
		{"NeverStands", func(f *fake, call int) error {
			if call%2 == 0 {
				delete(f.schedules, runID)
			} else {
				f.schedules[runID] = map[string]any{}
			}
			return nil
		}, "POST PUT POST PUT POST PUT", "ResourceNotFoundException"},
		{"Throttled", func(*fake, int) error {
			return &awstest.Fault{Status: http.StatusTooManyRequests, Code: "ThrottlingException", Message: "Rate exceeded"}
		}, "POST", "ThrottlingException"},
		{"NoGroup", func(*fake, int) error {
			return &awstest.Fault{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: "Schedule group ends does not exist."}
		}, "POST", "ResourceNotFoundException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, f := open(t)
			f.before = func(string) error { return c.before(f, len(f.calls)) }
			err := s.Set(t.Context(), runID, now.Add(time.Hour))
			if (err != nil) != (c.fails != "") || err != nil && (!strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), runID)) {
				t.Errorf("got %v", err)
			}
			if got := strings.Join(f.calls, " "); got != c.calls {
				t.Errorf("called %s, want %s", got, c.calls)
			}
			if err == nil && f.at(t) != "at(2026-03-02T10:00:00)" {
				t.Errorf("stands at %s", f.at(t))
			}
		})
	}
}

func TestEventBridgeDelete(t *testing.T) {
	t.Parallel()
	s, f := open(t)
	f.schedules[runID] = map[string]any{}
	for range 2 { // the second time it is gone
		if err := s.Delete(t.Context(), runID); err != nil || len(f.schedules) != 0 {
			t.Errorf("got %v, left %v", err, f.schedules)
		}
	}
	f.before = func(string) error {
		return &awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalServerException", Message: "Unexpected error"}
	}
	if err := s.Delete(t.Context(), runID); err == nil || !strings.Contains(err.Error(), runID) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(f.calls, []string{"DELETE", "DELETE", "DELETE"}) {
		t.Errorf("called %v", f.calls)
	}
}

// fire has Scheduler invoke what is due by now, and delete it.
func (f *fake) fire(now time.Time) (runs []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, s := range f.schedules {
		at, err := time.Parse("at(2006-01-02T15:04:05)", s["ScheduleExpression"].(string))
		if err != nil {
			f.t.Error(err)
		}
		if at.After(now) {
			continue
		}
		var in workflow.DeescalateInput
		if err := json.Unmarshal([]byte(s["Target"].(map[string]any)["Input"].(string)), &in); err != nil {
			f.t.Error(err)
		}
		runs = append(runs, in.Run)
		delete(f.schedules, name)
	}
	return runs
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	workflowtest.Schedule(t, func(t *testing.T, clock *clockwork.FakeClock) (workflow.Schedule, func() []string) {
		s, f := open(t)
		s.Now = clock.Now
		var fired []string
		return s, func() []string {
			fired = append(fired, f.fire(clock.Now())...)
			return slices.Clone(fired)
		}
	})
}
