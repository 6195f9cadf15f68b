package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/audit"
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
	for _, key := range []string{keys[0].Public(), filepath.Join(folder.Dir, audit.PublicKeyName)} {
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
