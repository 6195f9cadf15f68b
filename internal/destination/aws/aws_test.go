package awsdestination_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awstest"
	awsdestination "github.com/symflows/symflows/internal/destination/aws"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func deps(cfg aws.Config) awsdestination.Deps {
	return awsdestination.Deps{Accounts: func() (*account.Accounts, error) {
		return &account.Accounts{AWS: cfg, Now: func() time.Time { return now }}, nil
	}}
}

func outgoing(n int) (records []workflow.Outgoing) {
	for i := range n {
		records = append(records, workflow.Outgoing{Index: int64(i), ID: fmt.Sprintf("event-%d.1", i), Run: fmt.Sprintf("run-%d", i), At: now, Body: fmt.Appendf(nil, `{"id":"event-%d"}`, i)})
	}
	return records
}

// service is one of those that answer for each record.
type service struct {
	operation string
	open      func(awsdestination.Deps, flow.LogDestination) (workflow.Destination, error)
	settings  map[string]string
	// read gives the records of a call; answer makes its answer, by the code of each
	// that is refused, "" for those that are taken.
	read   func(t *testing.T, input []byte) []string
	answer func(codes []string) any
	most   int // records of a call
}

func services() map[string]service {
	each := func(codes []string, taken string, list, failed string) any {
		var answers []map[string]string
		n := 0
		for i, code := range codes {
			if code == "" {
				answers = append(answers, map[string]string{taken: fmt.Sprint("id-", i)})
				continue
			}
			n++
			answers = append(answers, map[string]string{"ErrorCode": code, "ErrorMessage": "detail"})
		}
		return map[string]any{list: answers, failed: n}
	}
	return map[string]service{
		"Firehose": {
			"PutRecordBatch", awsdestination.Deps.Firehose, map[string]string{"stream_name": "audit"},
			func(t *testing.T, input []byte) (lines []string) {
				var in struct {
					DeliveryStreamName string
					Records            []struct{ Data []byte }
				}
				if err := json.Unmarshal(input, &in); err != nil || in.DeliveryStreamName != "audit" || len(input) > 4<<20 {
					t.Errorf("%d bytes: %v", len(input), err)
				}
				for _, r := range in.Records {
					line, whole := strings.CutSuffix(string(r.Data), "\n")
					if !whole {
						t.Errorf("no line: %q", r.Data)
					}
					lines = append(lines, line)
				}
				return lines
			},
			func(codes []string) any { return each(codes, "RecordId", "RequestResponses", "FailedPutCount") }, 500,
		},
		"Kinesis": {
			"PutRecords", awsdestination.Deps.KinesisStream, map[string]string{"stream_name": "audit"},
			func(t *testing.T, input []byte) (lines []string) {
				var in struct {
					StreamName string
					Records    []struct {
						Data         []byte
						PartitionKey string
					}
				}
				if err := json.Unmarshal(input, &in); err != nil || in.StreamName != "audit" || len(input) > 5<<20 {
					t.Errorf("%d bytes: %v", len(input), err)
				}
				for _, r := range in.Records {
					if !strings.HasPrefix(r.PartitionKey, "run-") {
						t.Errorf("partitioned by %q", r.PartitionKey)
					}
					lines = append(lines, string(r.Data))
				}
				return lines
			},
			func(codes []string) any {
				out := each(codes, "SequenceNumber", "Records", "FailedRecordCount").(map[string]any)
				for _, r := range out["Records"].([]map[string]string) {
					if r["SequenceNumber"] != "" {
						r["ShardId"] = "shardId-000000000000"
					}
				}
				return out
			}, 500,
		},
		"EventBridge": {
			"PutEvents", awsdestination.Deps.EventBridge, map[string]string{"event_bus": "security"},
			func(t *testing.T, input []byte) (lines []string) {
				var in struct {
					Entries []struct {
						EventBusName, Source, DetailType, Detail string
						Resources                                []string
						Time                                     float64
					}
				}
				if err := json.Unmarshal(input, &in); err != nil || len(input) > 256<<10+2000 {
					t.Errorf("%d bytes: %v", len(input), err)
				}
				for _, e := range in.Entries {
					if e.EventBusName != "security" || e.Source != "sym.audit" || e.DetailType != "Sym Audit Record" || len(e.Resources) != 1 || int64(e.Time) != now.Unix() {
						t.Errorf("%+v", e)
					}
					lines = append(lines, e.Detail)
				}
				return lines
			},
			func(codes []string) any { return each(codes, "EventId", "Entries", "FailedEntryCount") }, 10,
		},
	}
}

// TestSend: of a call some records may be taken and others not. What was not is told, and
// means what the service says; no record is repeated that was taken.
func TestSend(t *testing.T) {
	t.Parallel()
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var codes []string
			var fault error
			cfg := awstest.Config(t, awstest.Service(func(operation string, input []byte) (any, error) {
				if operation != s.operation {
					t.Errorf("called %s", operation)
				}
				if got = s.read(t, input); fault != nil {
					return nil, fault
				}
				return s.answer(codes), nil
			}))
			d, err := s.open(deps(cfg), flow.LogDestination{Name: "to", Settings: s.settings})
			if err != nil {
				t.Fatal(err)
			}
			codes = make([]string, 3)
			if err := d.Send(t.Context(), outgoing(3)); err != nil || !slices.Equal(got, []string{`{"id":"event-0"}`, `{"id":"event-1"}`, `{"id":"event-2"}`}) {
				t.Errorf("sent %q: %v", got, err)
			}
			codes = []string{"", "ProvisionedThroughputExceededException", "InternalFailure"}
			partly, ok := d.Send(t.Context(), outgoing(3)).(*workflow.PartlySent)
			if !ok || len(partly.Errors) != 2 || flow.CodeOf(partly.Errors[1]) != flow.CodeUnavailable || flow.CodeOf(partly.Errors[2]) != flow.CodeUnavailable {
				t.Errorf("in part: %+v", partly)
			}
			codes = []string{""}
			if err := d.Send(t.Context(), outgoing(3)); flow.CodeOf(err) != flow.CodeUnavailable {
				t.Errorf("an answer for one of three: %v", err)
			}
			for _, test := range []struct {
				status int
				code   string
				want   flow.Code
			}{
				{400, "ThrottlingException", flow.CodeUnavailable}, {500, "InternalFailure", flow.CodeUnavailable}, {503, "ServiceUnavailableException", flow.CodeUnavailable},
				{400, "ResourceNotFoundException", flow.CodeStrategy}, {400, "AccessDeniedException", flow.CodeStrategy}, {400, "ExpiredTokenException", flow.CodeUnavailable},
				{400, "KMSAccessDeniedException", flow.CodeStrategy}, {400, "SomethingNew", flow.CodeUnavailable},
			} {
				fault = &awstest.Fault{Status: test.status, Code: test.code, Message: "detail"}
				if err := d.Send(t.Context(), outgoing(1)); flow.CodeOf(err) != test.want || strings.Contains(flow.UserMessage(err), "detail") {
					t.Errorf("%s: %v of %s, want %s", test.code, err, flow.CodeOf(err), test.want)
				}
			}
			if l := d.Limits(); l.Records != s.most || !l.Apart || l.Lanes != 1 {
				t.Errorf("limits %+v", l)
			}
			// The largest call that there may be is within what the service takes.
			l, large := d.Limits(), outgoing(1)
			large[0].Body = fmt.Appendf(nil, "%q", strings.Repeat("x", 60_000))
			var records []workflow.Outgoing
			for size := 0; len(records) < l.Records; records = append(records, large[0]) {
				if size += len(large[0].Body) + l.Overhead; size > l.Bytes {
					break
				}
			}
			fault, codes = nil, make([]string, len(records))
			if err := d.Send(t.Context(), records); err != nil || len(got) != len(records) || len(records) < 4 {
				t.Errorf("%d records of 60 KB: %v", len(records), err)
			}
		})
	}
}

// TestEventBridge_Refuses: an entry that is malformed is so for good, one whose source is
// not allowed until that is.
func TestEventBridge_Refuses(t *testing.T) {
	t.Parallel()
	s := services()["EventBridge"]
	cfg := awstest.Config(t, awstest.Service(func(string, []byte) (any, error) {
		return s.answer([]string{"MalformedDetail", "NotAuthorizedForSourceException", ""}), nil
	}))
	d, err := s.open(deps(cfg), flow.LogDestination{Name: "to", Settings: s.settings})
	if err != nil {
		t.Fatal(err)
	}
	partly, ok := d.Send(t.Context(), outgoing(3)).(*workflow.PartlySent)
	if !ok || flow.CodeOf(partly.Errors[0]) != flow.CodeInvalid || flow.CodeOf(partly.Errors[1]) != flow.CodeStrategy || partly.Errors[2] != nil {
		t.Errorf("%+v", partly)
	}
}

// TestS3: a call is a file, of lines, whose name says which records it has.
func TestS3(t *testing.T) {
	t.Parallel()
	var path string
	var lines []byte
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != http.StatusOK {
			w.WriteHeader(status)
			io.WriteString(w, `<Error><Code>NoSuchBucket</Code><Message>detail</Message></Error>`)
			return
		}
		path = r.URL.Path
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		if lines, err = io.ReadAll(z); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	cfg := awstest.Config(t, server.Config.Handler)
	d, err := deps(cfg).S3(flow.LogDestination{Name: "to", Settings: map[string]string{"bucket": "acme-logs", "prefix": "sym/"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Send(t.Context(), outgoing(3)[1:]); err != nil {
		t.Fatal(err)
	}
	if path != "/acme-logs/sym/year=2026/month=03/day=02/hour=09/000000000001-000000000002.jsonl.gz" || string(lines) != "{\"id\":\"event-1\"}\n{\"id\":\"event-2\"}\n" {
		t.Errorf("%s: %q", path, lines)
	}
	status = http.StatusNotFound
	if err := d.Send(t.Context(), outgoing(1)); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), `there is no bucket "acme-logs"`) {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
