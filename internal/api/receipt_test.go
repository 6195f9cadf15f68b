package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

// logFiles are the files of a transparency log, in memory.
type logFiles struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (l *logFiles) Read(_ context.Context, name string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if data, ok := l.files[name]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (l *logFiles) Write(_ context.Context, name string, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[name] = data
	return nil
}

func (l *logFiles) Checkpoint(context.Context) ([]byte, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.files[transparency.CheckpointName]
	return text, string(text), nil
}

func (l *logFiles) SetCheckpoint(ctx context.Context, text []byte, _ string) error {
	return l.Write(ctx, transparency.CheckpointName, text)
}

func (*logFiles) WriteLines(context.Context, [][]byte) error { return nil }

// logged puts the events of a run into a transparency log, but for the last few.
func (f *fixture) logged(id string, but int) (key transparency.Key) {
	f.t.Helper()
	key, err := transparency.NewKey(rand.Reader, "audit.example.com/acme")
	if err != nil {
		f.t.Fatal(err)
	}
	files := &logFiles{files: map[string][]byte{}}
	log := store.Log{Store: f.store}
	f.api.Receipts = &transparency.Prover{Log: log, Files: files, Public: []string{key.Public()}}
	run := f.run(id)
	var records []events.AuditRecord
	for _, e := range run.Events[:len(run.Events)-but] {
		records = append(records, record.Of(run, e))
	}
	w := transparency.Writer{Log: log, Files: files, Next: files, Keys: []transparency.Key{key}, Now: func() time.Time { return f.clock() }}
	if err := w.Write(f.t.Context(), records); err != nil {
		f.t.Fatal(err)
	}
	return key
}

// Whoever has the public key checks an approval without us.
func TestReceipt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.escalated()
	key := f.logged(id, 1) // the last event is on its way
	got := ok[events.RunReceipts](f, "GET", Base+"/runs/"+id+"/receipt", "")
	run := f.run(id)
	if got.RunID != id || len(got.Keys) != 1 || got.Keys[0] != key.Public() || len(got.Receipts) != len(run.Events)-1 {
		t.Fatalf("%+v", got)
	}
	approved := false
	for i, r := range got.Receipts {
		var logged events.AuditRecord
		if err := json.Unmarshal([]byte(r.Record), &logged); err != nil {
			t.Fatal(err)
		}
		if r.EventID != run.Events[i].ID || logged.ID != r.EventID || logged.Meta.Revision != r.Revision || logged.Event.Type != r.EventType || r.Index != int64(i) {
			t.Errorf("receipt %d: %+v", i, r)
		}
		if err := stranger.CheckReceipt([]byte(r.Record), r.Proof, key.Public()); err != nil {
			t.Errorf("receipt %d: %v", i, err)
		}
		if err := stranger.CheckReceipt([]byte(strings.Replace(r.Record, "Bob", "Eve", 1)), r.Proof, key.Public()); err == nil && strings.Contains(r.Record, "Bob") {
			t.Error("a record that was altered has a receipt")
		}
		approved = approved || r.EventType == "approve" && logged.Actor.Username == bob.Email
	}
	if !approved {
		t.Error("the approval has no receipt")
	}
}
