package auditqueue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// service is SQS: it keeps messages, and refuses those of the runs it is told.
type service struct {
	t       *testing.T
	fault   *awstest.Fault
	refused []string
	kept    []events.SQSMessage
	calls   int
}

func (s *service) serve(operation string, input []byte) (any, error) {
	var in struct {
		QueueUrl string
		Entries  []struct{ Id, MessageBody string }
	}
	if err := json.Unmarshal(input, &in); err != nil || operation != "SendMessageBatch" || in.QueueUrl != "https://sqs.example.com/audit" {
		s.t.Errorf("%s %s: %v", operation, input, err)
	}
	s.calls++
	if s.fault != nil {
		return nil, s.fault
	}
	if len(in.Entries) == 0 || len(in.Entries) > 10 {
		return nil, &awstest.Fault{Status: http.StatusBadRequest, Code: "TooManyEntriesInBatchRequest", Message: "Maximum number of entries per request are 10."}
	}
	type entry map[string]any
	ok, failed := []entry{}, []entry{}
	seen := map[string]bool{}
	for _, e := range in.Entries {
		if seen[e.Id] {
			return nil, &awstest.Fault{Status: http.StatusBadRequest, Code: "BatchEntryIdsNotDistinct", Message: "Id " + e.Id + " repeated."}
		}
		seen[e.Id] = true
		if slices.ContainsFunc(s.refused, func(run string) bool { return strings.Contains(e.MessageBody, `"`+run+`"`) }) {
			failed = append(failed, entry{"Id": e.Id, "Code": "InternalError", "SenderFault": false, "Message": "We encountered an internal error."})
			continue
		}
		s.kept = append(s.kept, events.SQSMessage{MessageId: fmt.Sprint(len(s.kept)), Body: e.MessageBody})
		ok = append(ok, entry{"Id": e.Id, "MessageId": "m", "MD5OfMessageBody": ""})
	}
	return map[string]any{"Successful": ok, "Failed": failed}, nil
}

func TestQueue(t *testing.T) {
	t.Parallel()
	var runs []workflow.Unshipped
	for i := range 23 {
		runs = append(runs, workflow.Unshipped{Run: fmt.Sprintf("run-%d", i), Revs: []int64{int64(i), 7}})
	}
	for name, test := range map[string]struct {
		fault       *awstest.Fault
		refused     []string
		kept, calls int
		wrong       string
	}{
		"Kept":      {nil, nil, 23, 3, ""},
		"Some":      {nil, []string{"run-3", "run-22"}, 21, 3, "2 runs and items could not be queued: InternalError; InternalError"},
		"Throttled": {&awstest.Fault{Status: http.StatusBadRequest, Code: "RequestThrottled", Message: "slow down"}, nil, 0, 3, "23 runs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &service{t: t, fault: test.fault, refused: test.refused}
			cfg := awstest.Config(t, awstest.Service(s.serve))
			queue := auditqueue.Queue{URL: "https://sqs.example.com/audit", API: sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.DisableMessageChecksumValidation = true })}
			err := queue.Put(t.Context(), runs)
			if (err != nil) != (test.wrong != "") || err != nil && (!strings.Contains(err.Error(), test.wrong) || flow.CodeOf(err) != flow.CodeUnavailable) {
				t.Errorf("%v, want %q", err, test.wrong)
			}
			if len(s.kept) != test.kept || s.calls != test.calls {
				t.Errorf("%d kept in %d calls, want %d in %d", len(s.kept), s.calls, test.kept, test.calls)
			}
			for _, m := range s.kept { // what was put comes back
				got, err := auditqueue.Unshipped(m)
				if err != nil || !slices.ContainsFunc(runs, func(u workflow.Unshipped) bool { return cmp.Equal(u, got) }) {
					t.Errorf("%s: %+v, %v", m.Body, got, err)
				}
			}
		})
	}
}

func TestUnshipped_NotOurs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "no JSON", "{}", `{"revs":[1]}`, `[]`} {
		if _, err := auditqueue.Unshipped(events.SQSMessage{Body: body}); flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("%q: %v", body, err)
		}
	}
}
