package functions_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/workflow"
)

// kept is a file of a month's report; nil if there is none.
func (a *account) kept(name string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects["/"+auditBucket+"/reports/"+name]
}

// TestReport: on the first of the next month the one that is over is reported beside the
// audit records, and the error channel is told where; what fails is done by the next call,
// and what is done is done once.
func TestReport(t *testing.T) {
	t.Parallel()
	a, _ := productOf(t, flows)
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.shippedFor(run, "prompt", "request", "approve")

	first, err := os.ReadFile("report/testdata/first.json")
	a.must(err)
	var event map[string]any
	a.must(json.Unmarshal(first, &event))
	month := time.Now().UTC()
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	event["time"] = month.AddDate(0, 1, 0).Add(6*time.Hour + 10*time.Minute)
	called, err := json.Marshal(event)
	a.must(err)
	page, figures := workflow.ReportPage(month), workflow.ReportFigures(month)

	a.fail("report", "s3:PutObject arn:aws:s3:::"+auditBucket+"/reports/"+figures, 1, http.StatusForbidden, "AccessDenied")
	if _, failed := a.invoke(functionARN("report"), called); failed == nil || a.kept(figures) != nil {
		t.Fatalf("it kept what can't be written: %+v", failed)
	}
	for range 2 { // the second one finds it there
		if _, failed := a.invoke(functionARN("report"), called); failed != nil {
			t.Fatalf("report failed: %+v", failed)
		}
	}
	if got := string(a.kept(page)); !strings.Contains(got, "Access in "+month.Format("January 2006")) || !strings.Contains(got, "s3://"+logBucket) {
		t.Errorf("the page is %.300s", got)
	}
	var got report.Report
	a.must(json.Unmarshal(a.kept(figures), &got))
	if got.Requests.Total != 1 || !got.Over || got.Requests.Outcomes["approved"] != 1 || !strings.Contains(got.Fetch, "s3://"+auditBucket) {
		t.Errorf("%+v, over: %t, fetched by %s", got.Requests, got.Over, got.Fetch)
	}
	channel := func() string { return a.slack.As("lead").Channel("#sym-errors") }
	where := "reports/" + page + " in the bucket " + auditBucket
	a.must(a.slack.Wait(deadline.Context(t), func() bool { return strings.Contains(channel(), where) }))
	a.mu.Lock()
	puts := 0
	for _, c := range a.calls {
		if c.function == "report" && c.action == "s3:PutObject" {
			puts++
		}
	}
	a.mu.Unlock()
	if puts != 4 { // of the page and the figures, twice
		t.Errorf("%d files were written", puts)
	}

	// Somebody has it made again, and of a month that had nothing.
	answer, failed := a.invoke(functionARN("report"), []byte(`{"month": "`+month.Format("2006-01")+`"}`))
	if failed != nil || !strings.Contains(string(answer), where) {
		t.Errorf("made again: %s, %+v", answer, failed)
	}
	for _, input := range []string{`{}`, `{"month": "2026-13"}`, `{"month": "2020-01"}`, `{"source": "aws.events"}`} {
		if answer, failed := a.invoke(functionARN("report"), []byte(input)); failed == nil {
			t.Errorf("it takes %s: %s", input, answer)
		}
	}
}
