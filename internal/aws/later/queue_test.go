package later_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/later"
	"github.com/symflows/symflows/internal/flow"
)

var (
	now   = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	runID = flow.RunIDFrom("acme", "a")
)

func TestLooks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		step  flow.EventName
		after time.Duration
		delay int
		fault *awstest.Fault
		code  flow.Code
	}{
		{name: "Soon", step: flow.EventEscalate, after: 5 * time.Second, delay: 5},
		{name: "NeverTooEarly", step: flow.EventDeescalate, after: 5*time.Second + time.Millisecond, delay: 6},
		{name: "Over", step: flow.EventDeescalate, after: -time.Minute, delay: 0},
		{name: "TooFarAway", step: flow.EventEscalate, after: time.Hour, delay: 900},
		{name: "Refused", step: flow.EventDeescalate, after: time.Second, delay: 1, fault: &awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}, code: flow.CodeUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var kept []events.SQSMessage
			cfg := awstest.Config(t, awstest.Service(func(operation string, input []byte) (any, error) {
				var in struct {
					QueueUrl, MessageBody string
					DelaySeconds          int
				}
				if err := json.Unmarshal(input, &in); err != nil || operation != "SendMessage" || in.QueueUrl != "https://sqs.example.com/"+string(test.step) || in.DelaySeconds != test.delay {
					t.Errorf("%s %s, want a delay of %d: %v", operation, input, test.delay, err)
				}
				if test.fault != nil {
					return nil, test.fault
				}
				kept = append(kept, events.SQSMessage{MessageId: fmt.Sprint(len(kept)), Body: in.MessageBody})
				return map[string]any{"MessageId": "m", "MD5OfMessageBody": ""}, nil
			}))
			queue := func(name string) later.Queue {
				return later.Queue{
					API: sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.DisableMessageChecksumValidation = true }),
					URL: "https://sqs.example.com/" + name, Now: func() time.Time { return now },
				}
			}
			err := later.Looks{Grants: queue("escalate"), Removals: queue("deescalate")}.Later(t.Context(), runID, test.step, now.Add(test.after))
			if flow.CodeOf(err) != test.code {
				t.Fatalf("error %v, want %q", err, test.code)
			}
			if err != nil {
				return
			}
			if name := "arn:aws:sqs:us-east-1:123456789012:" + string(test.step); !queue(string(test.step)).Showed(events.SQSMessage{EventSourceARN: name}) || queue("x"+string(test.step)).Showed(events.SQSMessage{EventSourceARN: name}) {
				t.Error("queues are taken for one another")
			}
			var runs []string
			answer := later.Each(t.Context(), kept, func(_ context.Context, run string) error { runs = append(runs, run); return nil }, nil)
			if !slices.Equal(runs, []string{runID}) || len(answer.BatchItemFailures) != 0 {
				t.Errorf("read %v, and answered %+v", runs, answer)
			}
		})
	}
}

// TestEach: what fails for one run, and what is not ours, is named, and keeps nothing
// from being done for the others.
func TestEach(t *testing.T) {
	t.Parallel()
	fails, other := flow.RunIDFrom("acme", "b"), flow.RunIDFrom("acme", "c")
	var messages []events.SQSMessage
	for i, body := range []string{`{"run":"` + runID + `"}`, `{"run":"` + fails + `"}`, ``, `{}`, `{"run":"x"}`, `[1]`, `{"run":"` + other + `"}`} {
		messages = append(messages, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	var mu sync.Mutex
	var done []string
	told := map[string]flow.Code{}
	answer := later.Each(t.Context(), messages, func(_ context.Context, run string) error {
		if run == fails {
			return &flow.Error{Code: flow.CodeUnavailable, Message: "no", Cause: errors.New("no")}
		}
		mu.Lock()
		defer mu.Unlock()
		done = append(done, run)
		return nil
	}, func(m events.SQSMessage, err error) { told[m.MessageId] = flow.CodeOf(err) })
	slices.Sort(done)
	want := []string{runID, other}
	slices.Sort(want)
	if !slices.Equal(done, want) {
		t.Errorf("done for %v", done)
	}
	var again []string
	for _, f := range answer.BatchItemFailures {
		again = append(again, f.ItemIdentifier)
	}
	if !slices.Equal(again, []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("to be shown again: %v", again)
	}
	if len(told) != 5 || told["1"] != flow.CodeUnavailable || told["2"] != flow.CodeInvalid || told["5"] != flow.CodeInvalid {
		t.Errorf("told of %v", told)
	}
}
