// Package functions_test runs the sample functions as make run does: by
// local.yaml, as processes of their own.
package functions_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
)

const (
	grantARN  = "arn:aws:lambda:us-east-1:123456789012:function:grant-database"
	reportARN = "arn:aws:lambda:us-east-1:123456789012:function:report"
)

func open(t *testing.T, data string) *lambdahost.Host {
	t.Helper()
	config, err := lambdahost.Load(filepath.Join("..", "local.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := lambdahost.Open(t.Context(), lambdahost.Options{Config: config, Data: data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

func TestGrantDatabase(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	host := open(t, data)
	for _, step := range []struct{ event, want string }{
		{"escalate", `{"run_id":"5f0c","username":"alice@example.com","target":"orders-db","until":"2026-03-01T12:10:00Z"}` + "\n"},
		{"deescalate", ""},
	} {
		answer, err := host.Invoke(t.Context(), grantARN, []byte(`{
			"run": {"srn": "sym:run:prod-access:1.0.0:5f0c", "actors": {"request": {"username": "alice@example.com"}}},
			"event": {"type": "`+step.event+`", "timestamp": "2026-03-01T12:00:00Z"},
			"fields": {"duration": 600, "target": {"name": "orders-db"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"body":{"target":"orders-db","username":"alice@example.com"},"errors":[]}`; string(answer) != want {
			t.Errorf("%s: answered %s, want %s", step.event, answer, want)
		}
		text, err := os.ReadFile(filepath.Join(data, "access.jsonl"))
		if err != nil || string(text) != step.want {
			t.Errorf("%s: the file has %s, %v; want %s", step.event, text, err, step.want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	host := open(t, t.TempDir())
	answer, err := host.Invoke(t.Context(), reportARN, []byte(`{"table":"orders","requester":"alice@example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Table, Report string
		Rows          int
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	if got.Table != "orders" || got.Rows != 7 {
		t.Errorf("got %+v, want 7 rows of orders", got)
	}
	for _, want := range []string{"orders: 7 rows\n", "total amount: 729.05\n", "order A-1001, customer Baker Street Books, amount 129.50\n", "and 2 more"} {
		if !strings.Contains(got.Report, want) {
			t.Errorf("the report lacks %q:\n%s", want, got.Report)
		}
	}
	for _, table := range []string{"", "../report", "salaries"} {
		payload, err := json.Marshal(map[string]string{"table": table})
		if err != nil {
			t.Fatal(err)
		}
		_, err = host.Invoke(t.Context(), reportARN, payload)
		if flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(err.Error(), "choose one of customers, orders") {
			t.Errorf("table %q: got %v, want an error that lists the tables", table, err)
		}
	}
}
