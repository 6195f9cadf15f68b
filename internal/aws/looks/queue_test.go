package looks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/looks"
	"github.com/symflows/symflows/internal/flow"
)

var (
	now   = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	runID = flow.RunIDFrom("acme", "a")
)

func TestLater(t *testing.T) {
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
			q := looks.Queues{API: sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.DisableMessageChecksumValidation = true }), Grants: "https://sqs.example.com/escalate", Removals: "https://sqs.example.com/deescalate", Now: func() time.Time { return now }}
			err := q.Later(t.Context(), runID, test.step, now.Add(test.after))
			if flow.CodeOf(err) != test.code {
				t.Fatalf("error %v, want %q", err, test.code)
			}
			if err != nil {
				return
			}
			if len(kept) != 1 {
				t.Fatalf("%d messages", len(kept))
			}
			if run, err := looks.Run(kept[0]); err != nil || run != runID {
				t.Errorf("read %q, %v", run, err)
			}
		})
	}
}

func TestRun_notOurs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `{}`, `{"run":"x"}`, `[1]`} {
		if run, err := looks.Run(events.SQSMessage{MessageId: "m", Body: body}); flow.CodeOf(err) != flow.CodeInvalid || run != "" {
			t.Errorf("%q: %q, %v", body, run, err)
		}
	}
}
