package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/events"
)

// target is a customer's server behind a strategy of type http. It speaks the
// contract of strategy/contract.go, and goes wrong when it is told to.
type target struct {
	now   func() time.Time
	hangs func() // has the caller's time pass

	mu    sync.Mutex
	mode  string // how it answers; "" is well
	words string // what it says when it refuses
	holds map[string]bool
	calls []string
}

// The ways in which it goes wrong.
const (
	targetFails   = "fail"   // says that it can't just now
	targetRefuses = "refuse" // says no, in the words given
	targetHangs   = "hang"   // never answers
	targetLoses   = "lose"   // does it, and the answer is lost
	targetWell    = "ok"
)

func (t *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var record events.AuditRecord
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fields, _ := record.Fields["target"].(map[string]any)
	access := fmt.Sprintf("%s %v", record.Run.Actors["request"].Username, fields["name"])

	t.mu.Lock()
	mode, words := t.mode, t.words
	t.calls = append(t.calls, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", t.now().UTC().Format(time.RFC3339), record.Event.Type, access, mode)))
	if mode == targetWell || mode == targetLoses {
		t.holds[access] = record.Event.Type == "escalate"
	}
	t.mu.Unlock()

	answer := events.StrategyResponse{Body: json.RawMessage(`{}`), Errors: []string{}}
	switch mode {
	case targetHangs:
		t.hangs()
		<-r.Context().Done()
		return
	case targetLoses:
		panic(http.ErrAbortHandler)
	case targetFails:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case targetRefuses:
		answer.Errors = []string{words}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// access lists who has access to what, a line each.
func (t *target) access() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for _, who := range slices.Sorted(maps.Keys(t.holds)) {
		if t.holds[who] {
			fmt.Fprintln(&out, who)
		}
	}
	return out.String()
}
