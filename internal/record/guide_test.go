package record_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// row is the right-hand side of a row of the guide's table of a record.
func row(t *testing.T, field string) string {
	t.Helper()
	guide, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(guide)) {
		if text, ok := strings.CutPrefix(line, "| `"+field+"` | "); ok {
			return text
		}
	}
	t.Fatalf("docs/audit.md has no row for %s", field)
	return ""
}

func quoted(text string) []string {
	var words []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	return words
}

// TestGuide holds the guide to what records have: each event, and each key of
// their fields.
func TestGuide(t *testing.T) {
	t.Parallel()
	if got := quoted(row(t, "event.type")); !slices.Equal(got, names()) {
		t.Errorf("docs/audit.md lists the events %v, want %v", got, names())
	}
	told := quoted(row(t, "fields"))
	for _, key := range flow.EventKeys {
		if key != flow.KeyTargetSRN && !slices.Contains(told, key) { // only requests have that one
			t.Errorf("docs/audit.md does not tell of fields.%s", key)
		}
	}
}

// TestSchemaEvents holds the public schema to the events there are.
func TestSchemaEvents(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs struct {
			Name struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(events.AuditRecordSchema), &schema); err != nil {
		t.Fatal(err)
	}
	if got := schema.Defs.Name.Enum; !slices.Equal(got, names()) {
		t.Errorf("the schema knows the events %v, want %v", got, names())
	}
}

func names() []string {
	var out []string
	for _, e := range flow.EventNames {
		out = append(out, string(e))
	}
	return out
}
