package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/store"
)

// TestMonthlyReport: a month that is over is reported in the data folder, the error
// channel is told, and the commands that it names as evidence work.
func TestMonthlyReport(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	token, err := os.ReadFile(p.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"flow_srn":"sym:flow:acme:latest","user_email":"alice@example.com","flow_inputs":{"target_srn":"sym:access_target:http:orders-db:latest","duration":30}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/events/request", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode >= 300 {
		t.Fatalf("the request is answered with %s, %v", response.Status, err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.settle())
	must(p.stop())
	p.clock.Advance(scriptStart.AddDate(0, 1, 0).Sub(p.clock.Now()))
	must(p.start(func(*Options) error { return nil }))
	must(p.at(p.clock.Since(scriptStart) + time.Hour + time.Minute))

	page, err := os.ReadFile(p.path("data/reports/2026-01.html"))
	must(err)
	if !strings.Contains(string(page), "Access in January 2026") {
		t.Errorf("the page is %.200s", page)
	}
	notices, err := p.local.Runs.Store.List(t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
	must(err)
	told := false
	for _, n := range notices.Items {
		told = told || bytes.Contains(n.Body, []byte("The report of January 2026 is there"))
	}
	if !told {
		t.Errorf("nobody was told: %d notices", len(notices.Items))
	}
	must(p.stop())

	figures, err := os.ReadFile(p.path("data/reports/2026-01.json"))
	must(err)
	var got report.Report
	must(json.Unmarshal(figures, &got))
	if got.Requests.Total != 1 || len(got.Controls) < 10 {
		t.Errorf("%d requests, %d controls", got.Requests.Total, len(got.Controls))
	}
	repository, err := filepath.Abs("../..")
	must(err)
	ran := map[string]bool{}
	for _, c := range got.Controls {
		for _, command := range c.Commands {
			if ran[command] {
				continue
			}
			ran[command] = true
			if line, ours := strings.CutPrefix(command, "go run ./functions/local "); ours {
				if out, err := runAsWritten(t, line, repository, p.path("data")); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
				continue
			}
			// grep ends with 1 where it finds nothing, which is no fault.
			out, err := exec.CommandContext(t.Context(), "sh", "-c", command+`; test $? -le 1`).CombinedOutput()
			if err != nil || strings.Contains(string(out), "gzip:") {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		}
	}
	if len(ran) < 8 {
		t.Errorf("only %d commands were run", len(ran))
	}
}
