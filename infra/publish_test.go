package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPublishReads: the right to read the configuration is the same in each
// deploy, for IAM tells of a change only after publish has asked.
func TestPublishReads(t *testing.T) {
	t.Parallel()
	one, other := standard(t), synthesize(t, map[string]any{"flows": approvalOnly(t)})
	reads := func(made template) string {
		for _, g := range rightsOf(t, made) {
			if g.who == "PublishRole" && g.action == "s3:GetObject" {
				return g.resource
			}
		}
		t.Fatal("publish reads nothing")
		return ""
	}
	prefix, found := strings.CutSuffix(reads(one), "*")
	if !found || reads(one) != reads(other) {
		t.Errorf("publish reads %s, and %s of another configuration", reads(one), reads(other))
	}
	for _, made := range []template{one, other} {
		p := made.Resources["Publish"].Properties
		if object := "arn:${AWS::Partition}:s3:::" + text(p["Bucket"]) + "/" + text(p["Key"]); !strings.HasPrefix(object, prefix) || !strings.HasSuffix(prefix, "/sym-flows/") {
			t.Errorf("%s is not among %s", object, prefix)
		}
	}
}

// TestUnanswered: whatever keeps publish from answering, CloudFormation is told
// within the time that it waits.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	made := standard(t)
	p := made.Resources["PublishAsynchronous"].Properties
	if text(at(p, "DestinationConfig", "OnFailure", "Destination")) != "${UnansweredFunction.Arn}" || p["MaximumRetryAttempts"] != 1.0 {
		t.Errorf("publish fails with %v", p)
	}
	waits := made.Resources["Publish"].Properties["ServiceTimeout"].(float64)
	timeout := made.Resources["PublishFunction"].Properties["Timeout"].(float64)
	if age := p["MaximumEventAgeInSeconds"].(float64); waits < 2*timeout+60+30 || waits < age+30 {
		t.Errorf("CloudFormation waits for %g s, publish takes %g, and is tried for %g", waits, timeout, age)
	}
	if !slices.Contains(made.Resources["Publish"].DependsOn, "PublishAsynchronous") {
		t.Error("publish is called before its failure can be told")
	}
	if code := at(made.Resources["UnansweredFunction"].Properties, "Code", "ZipFile"); code != unanswered || len(unanswered) > 4096 {
		t.Errorf("its code is %v", code)
	}
}

// TestUnanswered_Answers runs it on what Lambda hands on.
func TestUnanswered_Answers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ asked, failed, want, reason string }{
		"CannotStart": {
			`"Create"`, `"requestContext":{"condition":"RetriesExhausted"},"responsePayload":{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"exec format error"}`,
			"FAILED", "Runtime.InvalidEntrypoint: exec format error",
		},
		"NeverRun":  {`"Update"`, `"requestContext":{"condition":"EventAgeExceeded"}`, "FAILED", "EventAgeExceeded"},
		"NoPayload": {`"Update"`, `"requestContext":{"condition":"RetriesExhausted"},"responsePayload":null`, "FAILED", "RetriesExhausted"},
		"Long":      {`"Update"`, `"responsePayload":{"errorMessage":"` + strings.Repeat("x", 9000) + `"}`, "FAILED", "xxx"},
		"Deleted":   {`"Delete"`, `"requestContext":{"condition":"RetriesExhausted"}`, "SUCCESS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answered := make(chan map[string]string, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				answer := map[string]string{}
				if err != nil || json.Unmarshal(body, &answer) != nil || len(body) > 4096 || r.Method != http.MethodPut || r.URL.RawQuery != "X-Amz-Signature=x" {
					t.Errorf("%s %s: %s", r.Method, r.URL, body)
				}
				if r.Header.Get("Content-Type") != "" { // the address is signed without
					t.Errorf("of type %q", r.Header.Get("Content-Type"))
				}
				answered <- answer
			}))
			defer server.Close()
			event := `{"version":"1.0",` + test.failed + `,"requestPayload":{"RequestType":` + test.asked + `,"ResponseURL":"` + server.URL +
				`/?X-Amz-Signature=x","StackId":"stack","RequestId":"request","LogicalResourceId":"Publish","PhysicalResourceId":"symflows-configuration"}}`
			command := exec.Command("python3", "-c", "import json, sys\n"+unanswered+"\nhandler(json.load(sys.stdin), None)")
			command.Stdin = strings.NewReader(event)
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := <-answered
			if got["Status"] != test.want || !strings.Contains(got["Reason"], test.reason) || got["StackId"] != "stack" ||
				got["RequestId"] != "request" || got["LogicalResourceId"] != "Publish" || got["PhysicalResourceId"] != "symflows-configuration" {
				t.Errorf("answered %v", got)
			}
		})
	}
}
