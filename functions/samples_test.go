package functions_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"github.com/symflows/symflows/internal/flow"
)

// The samples beside each function (functions/<name>/testdata) are payloads as
// AWS documents them:
//
//	slack, api, tokens        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//	approval, access          what the state machine sends; see stepfn.Input
//	access/removal            what schedules and asynchronous calls send; see workflow.DeescalateInput
//	relay, notify/stream      https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
//	relay/queue               https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
//	sweep, standing/look      https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
//	standing/confirm          what an admin invokes it with
//	publish                   https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
//
// They are what is on its way while a deploy goes on: a sample is never changed,
// for what an earlier version has sent arrives at today's functions. New samples
// may come beside them.
//
// In a test, these stand for what differs each time:
const (
	sampleRun   = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"
	sampleToken = "symflows_SAMPLE"
	sampleURL   = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/sample"
)

// sample reads one, for a run. With later, it has fields that no version knows.
func (a *account) sample(path, run, token string, later bool) []byte {
	a.t.Helper()
	function, name, _ := strings.Cut(path, "/")
	text, err := os.ReadFile(filepath.Join(function, "testdata", name+".json"))
	a.must(err)
	text = []byte(strings.NewReplacer(sampleRun, run, sampleToken, token, sampleURL, a.url+"/cloudformation/sample").Replace(string(text)))
	var event map[string]any
	a.must(json.Unmarshal(text, &event))
	if function == "slack" {
		a.sign(event, run)
	}
	if later {
		extend(event)
	}
	text, err = json.Marshal(event)
	a.must(err)
	return text
}

// sign signs the body of a sample as Slack would now.
func (a *account) sign(event map[string]any, run string) {
	body, err := base64.StdEncoding.DecodeString(event["body"].(string))
	a.must(err)
	body = bytes.ReplaceAll(body, []byte(url.QueryEscape(sampleRun)), []byte(url.QueryEscape(run)))
	stamp := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(marker("signing secret")))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	headers := event["headers"].(map[string]any)
	headers["x-slack-request-timestamp"] = stamp
	headers["x-slack-signature"] = "v0=" + hex.EncodeToString(mac.Sum(nil))
	event["body"] = base64.StdEncoding.EncodeToString(body)
}

// extend adds a field to an object and to the objects in its lists.
func extend(event map[string]any) {
	for _, value := range event {
		list, _ := value.([]any)
		for _, element := range list {
			if object, ok := element.(map[string]any); ok {
				extend(object)
			}
		}
	}
	event["of_a_later_version"] = map[string]any{"x": []int{1}}
}

// samples are all of them, in an order that the run of the test survives, with
// what is in the answers.
var samples = []struct {
	path string
	want []string
}{
	{"slack/command", []string{`"statusCode":200`, `alice@example.com`}},
	{"api/request", []string{`"statusCode":200`, `run_id`}},
	{"api/run", []string{`"statusCode":200`, `\"status\":\"requested\"`}},
	{"api/runs", []string{`"statusCode":200`, sampleRun}},
	{"tokens/list", []string{`"statusCode":200`, `\"bot\":\"samples\"`}},
	{"tokens/unauthorized", []string{`"statusCode":401`}},
	{"approval/route", []string{`{"next":"await","timeout":`}},
	{"approval/decide", []string{`{"next":"await","timeout":`}},
	{"approval/forward", []string{`{"next":"await","timeout":`}},
	{"approval/vouch", []string{`{"next":"await","timeout":`}},
	{"access/escalate", []string{`the run needs await`}}, // by the error that leads there
	{"access/removal", []string{`null`}},
	{"relay/stream", []string{`{"batchItemFailures":[]}`}},
	{"relay/queue", []string{`{"batchItemFailures":null}`}},
	{"notify/stream", []string{`{"batchItemFailures":[]}`}},
	{"sweep/minute", []string{`null`}},
	{"standing/look", []string{`"held":0`, `"rechecked":0`}},
	{"standing/confirm", []string{`"confirmed":0`}},
	{"publish/create", []string{`""`}},
	{"publish/update", []string{`""`}},
	{"publish/delete", []string{`""`}},
	{"approval/await", []string{`{"next":""}`}},
	{"access/look", []string{`{"batchItemFailures":null}`}},
	{"slack/interaction", []string{`"statusCode":200`}},
}

// TestSamples: each function takes what AWS sends it, and what an earlier version
// of us has sent, with fields that it does not know or without.
func TestSamples(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	token := a.token("samples").Value
	for _, later := range []bool{false, true} {
		run := a.request("alice", "prod-access", "#access-prod", longFields)
		a.await("the wait", func() bool { return slices.Contains(a.executionsOf(run)[0].entered, "await") })
		a.shippedFor(run, "prompt", "request")
		a.mu.Lock()
		resumed := a.count("relay", "states:SendTaskSuccess")
		a.mu.Unlock()
		for _, s := range samples {
			function, _, _ := strings.Cut(s.path, "/")
			answered := make(chan cloudFormationResponse, 1)
			a.mu.Lock()
			a.deployments["/cloudformation/sample"] = answered
			a.mu.Unlock()
			answer, failed := a.invoke(functionARN(function), a.sample(s.path, run, token, later))
			if failed != nil && failed.Type == flow.ErrorElsewhere {
				answer = []byte(failed.Message)
			} else if failed != nil {
				t.Errorf("%s, later: %t: failed: %+v", s.path, later, failed)
			}
			for _, want := range s.want {
				if want = strings.ReplaceAll(want, sampleRun, run); !strings.Contains(string(answer), want) {
					t.Errorf("%s, later: %t: answered %s, want %s in it", s.path, later, answer, want)
				}
			}
			if function == "publish" {
				if response := <-answered; response.Status != "SUCCESS" {
					t.Errorf("%s, later: %t: answered %+v", s.path, later, response)
				}
			}
		}
		// The last one has denied the request. Its execution can't be told, for the
		// token is the sample's; so it is the sweep that has another one go on.
		a.await("the execution to be dropped", func() bool { return a.count("relay", "states:SendTaskSuccess") > resumed })
	}
}

// TestInputsAreIDs: what is on its way between functions is ids and no more, so
// that no deploy outdates it.
func TestInputsAreIDs(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.ended(g, run)
	a.await("the removal to return", func() bool {
		return slices.ContainsFunc(a.invocations, func(i invocation) bool { return string(i.payload) == `{"run":"`+run+`"}` })
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, i := range a.invocations {
		if !slices.Contains([]string{"approval", "access", "removal"}, i.function) {
			continue
		}
		var in struct {
			Step    flow.Step `json:"step"`
			Run     string    `json:"run"`
			Attempt int       `json:"attempt"`
			Token   string    `json:"token"`
		}
		payload := i.payload
		var queue awsevents.SQSEvent
		if json.Unmarshal(payload, &queue) == nil && len(queue.Records) > 0 {
			payload = []byte(queue.Records[0].Body)
		}
		if err := strictly(payload, &in); err != nil || in.Run != run {
			t.Errorf("%s was called with %s: %v", i.function, payload, err)
		}
		all = append(all, i.function+" "+string(in.Step))
	}
	slices.Sort(all)
	if want := []string{"access escalate", "approval await", "approval decide", "approval route", "removal "}; !slices.Equal(slices.Compact(all), want) {
		t.Errorf("called %v, want %v", all, want)
	}
	for name, e := range a.executions {
		var in struct {
			Run     string `json:"run"`
			Attempt int    `json:"attempt"`
		}
		if err := strictly([]byte(e.input), &in); err != nil || fmt.Sprintf("%s-%d", in.Run, in.Attempt) != name {
			t.Errorf("execution %s has the input %s: %v", name, e.input, err)
		}
	}
}
