package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

// record is what the function is invoked with for a run.
func record(t *testing.T, event, run, username string) events.AuditRecord {
	t.Helper()
	var r events.AuditRecord
	err := json.Unmarshal(fmt.Appendf(nil, `{
		"id": "event-of-%[2]s", "type": "event",
		"run": {"srn": "sym:run:prod-access:1.0.0:%[2]s", "actors": {
			"request": {"username": %[3]q}, "approve": {"username": "lead@example.com"}}},
		"event": {"type": %[1]q, "timestamp": "2026-03-01T12:00:00Z"},
		"actor": {"username": "lead@example.com"},
		"fields": {"duration": 600, "target": {"name": "orders-db"}}}`, event, run, username), &r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func invoke(t *testing.T, f function, r events.AuditRecord) events.StrategyResponse {
	t.Helper()
	answer, err := f.handle(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// content is the file without what is left of its changes.
func content(t *testing.T, f accessFile) string {
	t.Helper()
	text, err := os.ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(string(f)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("the directory has %v, want the file and its lock", files)
	}
	return string(text)
}

func TestGrantAndRevoke(t *testing.T) {
	t.Parallel()
	f := function{accessFile(filepath.Join(t.TempDir(), "access.jsonl"))}
	const (
		first  = `{"run_id":"run-1","username":"alice@example.com","target":"orders-db","until":"2026-03-01T12:10:00Z"}` + "\n"
		second = `{"run_id":"run-2","username":"alice@example.com","target":"orders-db","until":"2026-03-01T12:10:00Z"}` + "\n"
	)
	for _, step := range []struct{ event, run, want string }{
		{"escalate", "run-1", first},
		{"escalate", "run-1", first}, // repeated
		{"escalate", "run-2", first + second},
		{"deescalate", "run-1", second},
		{"deescalate", "run-1", second}, // repeated
		{"deescalate", "run-3", second}, // never granted
		{"deescalate", "run-2", ""},
	} {
		answer := invoke(t, f, record(t, step.event, step.run, "alice@example.com"))
		if string(answer.Body) != `{"target":"orders-db","username":"alice@example.com"}` || answer.Errors == nil || len(answer.Errors) > 0 {
			t.Errorf("%s %s: answered %s, %q", step.event, step.run, answer.Body, answer.Errors)
		}
		if got := content(t, f.access); got != step.want {
			t.Errorf("%s %s: the file has\n%swant\n%s", step.event, step.run, got, step.want)
		}
	}
}

func TestWithoutDuration(t *testing.T) {
	t.Parallel()
	f := function{accessFile(filepath.Join(t.TempDir(), "access.jsonl"))}
	r := record(t, "escalate", "run-1", "alice@example.com")
	delete(r.Fields, "duration")
	invoke(t, f, r)
	if got, want := content(t, f.access), `{"run_id":"run-1","username":"alice@example.com","target":"orders-db"}`+"\n"; got != want {
		t.Errorf("the file has %s, want %s", got, want)
	}
}

func TestUnusableRecords(t *testing.T) {
	t.Parallel()
	f := function{accessFile(filepath.Join(t.TempDir(), "access.jsonl"))}
	noTarget := record(t, "escalate", "run-1", "alice@example.com")
	delete(noTarget.Fields, "target")
	for want, r := range map[string]events.AuditRecord{
		`not "approve"`: record(t, "approve", "run-1", "alice@example.com"),
		"who is to get": record(t, "escalate", "run-1", ""),
		"which access":  noTarget,
	} {
		answer := invoke(t, f, r)
		if len(answer.Errors) != 1 || !strings.Contains(answer.Errors[0], want) {
			t.Errorf("answered with errors %q, want one about %q", answer.Errors, want)
		}
	}
	if _, err := os.Stat(string(f.access)); err == nil {
		t.Error("the file was written")
	}
}

func TestFileFails(t *testing.T) {
	t.Parallel()
	spoilt := accessFile(filepath.Join(t.TempDir(), "access.jsonl"))
	if err := os.WriteFile(string(spoilt), []byte("{}\nnot JSON\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (function{spoilt}).handle(t.Context(), record(t, "escalate", "run-1", "alice@example.com")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a spoilt file: got %v, want an error about line 2", err)
	}
	nowhere := accessFile(filepath.Join(t.TempDir(), "missing", "access.jsonl"))
	if _, err := (function{nowhere}).handle(t.Context(), record(t, "escalate", "run-1", "alice@example.com")); err == nil {
		t.Error("a directory that is not there: no error")
	}
}

// Copies of the function that run at once lose nothing.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	f := function{accessFile(filepath.Join(t.TempDir(), "access.jsonl"))}
	const n = 20
	var copies sync.WaitGroup
	for i := range n {
		r := record(t, "escalate", fmt.Sprintf("run-%d", i), "alice@example.com")
		copies.Go(func() {
			if _, err := f.handle(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	copies.Wait()
	if got := strings.Count(content(t, f.access), "\n"); got != n {
		t.Errorf("%d lines, want %d", got, n)
	}
}

func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	f := function{accessFile(filepath.Join(t.TempDir(), "access.jsonl"))}
	ctx, cancel := context.WithDeadline(t.Context(), time.Time{})
	defer cancel()
	if _, err := f.handle(ctx, record(t, "escalate", "run-1", "alice@example.com")); err == nil {
		t.Error("no error")
	}
}
