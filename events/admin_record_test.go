package events_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestAdminRecord(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/admin_record_*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples (%v)", len(files), err)
	}
	for _, file := range files {
		roundTrip[events.AdminRecord](t, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
}

func ExampleAdminRecord() {
	const line = `{"type": "admin", "event": {"type": "token_create", "timestamp": "2026-03-02T09:00:00Z"},
		"actor": {"kind": "aws", "name": "arn:aws:iam::123456789012:user/lead"}, "about": {"kind": "token", "id": "0123456789ab", "name": "ci"}}`
	var record events.AdminRecord
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record.Actor.Name, record.Event.Type, record.About.Name)
	// Output: arn:aws:iam::123456789012:user/lead token_create ci
}
