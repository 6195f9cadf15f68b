package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
)

// A receipt is checked with a public key, and with nothing else of ours.
func TestCheckReceipt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	folder := &audit.Folder{Dir: filepath.Join(dir, "audit-log")}
	keys, _, err := folder.Keys(t.Context(), filepath.Join(dir, "key"), "audit.example.com/acme")
	if err != nil {
		t.Fatal(err)
	}
	log := store.Log{Store: &storetest.Memory{Now: now}}
	w := transparency.Writer{Log: log, Files: folder, Keys: keys, Now: now, Next: &audit.Files[events.AuditRecord]{Dir: filepath.Join(dir, "audit"), Now: now}}
	record := events.AuditRecord{
		ID: "0d6e5a3c-0000-5000-8000-000000000001", Type: "event", Meta: events.AuditMeta{SchemaVersion: events.AuditSchemaVersion, Revision: 3},
		State: events.AuditState{Status: events.StatusCompleted}, Event: events.AuditEvent{Type: "approve", Timestamp: now()},
		Actor: events.AuditActor{Username: "bob@example.com"},
	}
	if err := w.Write(t.Context(), []events.AuditRecord{record}); err != nil {
		t.Fatal(err)
	}
	receipt, err := transparency.Prover{Log: log, Files: folder, Public: []string{keys[0].Public()}}.Prove(t.Context(), record.ID, 3)
	if err != nil {
		t.Fatal(err)
	}
	given := events.RunReceipts{RunID: "run", Keys: []string{"another"}, Receipts: []events.RunReceipt{{
		EventID: record.ID, EventType: "approve", Revision: 3, Record: string(receipt.Leaf), Proof: string(receipt.Proof),
	}}}
	check := func(given events.RunReceipts, args ...string) (string, error) {
		text, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "receipt.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = auditCommand(t.Context(), append([]string{"receipt", file}, args...), &out)
		return out.String(), err
	}
	const want = "2026-03-02T09:00:00Z approve by bob@example.com, completed: record 0 of audit.example.com/acme, signed on 2026-03-02T09:00:00Z\n"
	for _, key := range []string{keys[0].Public(), filepath.Join(folder.Dir, transparency.PublicKeyName)} {
		if out, err := check(given, "-key", key); err != nil || out != want {
			t.Errorf("%s, %v", out, err)
		}
	}
	if _, err := check(given); err == nil || !strings.Contains(err.Error(), "-key is missing") {
		t.Errorf("got %v", err)
	}
	if _, err := check(events.RunReceipts{}, "-key", keys[0].Public()); err == nil || !strings.Contains(err.Error(), "has no receipts") {
		t.Errorf("got %v", err)
	}
	given.Receipts[0].Record = strings.Replace(given.Receipts[0].Record, "bob@", "eve@", 1)
	if _, err := check(given, "-key", keys[0].Public()); flow.CodeOf(err) != flow.CodeTampered {
		t.Errorf("got %v", err)
	}
}

// TestCheckpointsElsewhere: checkpoints are sent to a folder or a channel, and what was kept
// there is held against the log.
func TestCheckpointsElsewhere(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	elsewhere := t.TempDir()
	again := func(to string) {
		t.Helper()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(p.path("data")); err != nil {
			t.Fatal(err)
		}
		if err := p.start(func(o *Options) error { o.Checkpoints = to; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	again("#sym-errors")
	if err := p.local.Slack.As("lead").Await(deadline.Context(t), "Checkpoint of the audit log"); err != nil {
		t.Fatal(err)
	}
	told := p.local.Slack.As("lead").Channel("#sym-errors")
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.WriteFile(copied, []byte(told), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	verify := func(args ...string) error {
		out.Reset()
		return auditCommand(t.Context(), append([]string{"verify", p.path("data")}, args...), &out)
	}
	if err := verify("-checkpoint", copied); err != nil {
		t.Errorf("%v:\n%s\n%s", err, told, &out)
	}
	again(elsewhere)
	if err := verify("-checkpoint", elsewhere); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
	if err := verify("-checkpoint", copied); err == nil || !strings.Contains(out.String(), "the checkpoint that was kept elsewhere") {
		t.Errorf("another log fits the checkpoint that was kept: %v\n%s", err, &out)
	}
	if err := verify("-checkpoint", t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no checkpoints") {
		t.Errorf("an empty folder: %v", err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	err := p.start(func(o *Options) error { o.Checkpoints = p.path("nowhere"); return nil })
	if err == nil || !strings.Contains(err.Error(), "name a folder that is there") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestPruneCommand: what happened before a day goes from the log, which stays as it was
// signed.
func TestPruneCommand(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	data := p.path("data")
	db, _, closed, err := openAlone(t.Context(), data, "")
	if err != nil {
		t.Fatal(err)
	}
	folder := &audit.Folder{Dir: logDir(data)}
	keys, _, err := folder.Keys(t.Context(), logKeyFile(data), "localhost/sym/audit-log")
	if err != nil {
		t.Fatal(err)
	}
	w := transparency.Writer{Log: store.Log{Store: db}, Files: folder, Keys: keys, Now: time.Now, Next: &audit.Files[events.AuditRecord]{Dir: filepath.Join(data, "audit"), Now: time.Now}}
	var records []events.AuditRecord
	for n := range 600 {
		at := time.Date(2025, 10, 1, 0, n, 0, 0, time.UTC)
		if n >= 520 {
			at = time.Date(2026, 2, 1, 0, n, 0, 0, time.UTC)
		}
		r := events.AuditRecord{ID: fmt.Sprint("record-", n), Type: "event", Event: events.AuditEvent{Type: "approve", Timestamp: at}}
		if n == 300 {
			r.Output = json.RawMessage(`"` + strings.Repeat("long", 20_000) + `"`)
		}
		records = append(records, r)
	}
	if err := errors.Join(w.Write(t.Context(), records), closed()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	run := func(args ...string) string {
		t.Helper()
		out.Reset()
		if err := auditCommand(t.Context(), args, &out); err != nil {
			t.Fatalf("%v:\n%s", err, &out)
		}
		return out.String()
	}
	if got := run("prune", data); !strings.Contains(got, "from 0 on; 0 files") {
		t.Errorf("nothing is signed yet: %s", got)
	}
	if got := run("prune", data, "-before", "2026-01-02"); !strings.Contains(got, "from 512 on; 3 files were removed") {
		t.Error(got)
	}
	if got := run("verify", data); !strings.Contains(got, "pruned: the records before 512") || !strings.Contains(got, "all is as it was signed") {
		t.Error(got)
	}
	for _, bad := range [][]string{{"prune", t.TempDir()}, {"prune", data, "-before", "yesterday"}, {"prune", "s3://bucket", "-before", "2025-10-02"}} {
		if err := auditCommand(t.Context(), bad, &out); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
