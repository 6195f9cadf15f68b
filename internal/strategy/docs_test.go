package strategy

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// The handlers that the guide shows keep the contract.
func TestGuidesPythonHandler(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```python\n(class Database:.*?)```").FindSubmatch(guide)
	if block == nil {
		t.Fatal("docs/strategies.md has no handler in Python")
	}
	sample := func(name string) map[string]any {
		raw, err := os.ReadFile("../../events/testdata/audit_record_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := json.Unmarshal(raw, &record); err != nil {
			t.Fatal(err)
		}
		return record
	}
	foreign := sample("escalate")
	foreign["run"].(map[string]any)["actors"].(map[string]any)["request"].(map[string]any)["username"] = "mallory@example.net"
	grant, remove := sample("escalate"), sample("deescalate")
	remove["run"] = grant["run"]
	calls := []struct {
		record  map[string]any
		readers int
		refused string // "" for none
	}{
		{grant, 1, ""}, {grant, 1, ""}, {foreign, 1, "no account"}, {sample("approve"), 1, "nothing to do"}, {remove, 0, ""}, {remove, 0, ""},
	}
	var records []any
	for _, c := range calls {
		records = append(records, c.record)
	}
	input, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", string(block[1])+`
import json, sys
for record in json.load(sys.stdin):
    print(json.dumps(handler(record, None)), len(database.readers), sep="\t")
`)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(calls) {
		t.Fatalf("%d answers, want %d:\n%s", len(lines), len(calls), out)
	}
	for i, c := range calls {
		answer, readers, _ := strings.Cut(lines[i], "\t")
		result, err := ReadAnswer("the function", []byte(answer))
		switch {
		case c.refused == "" && (err != nil || len(result.Warnings) > 0):
			t.Errorf("call %d: %v %v", i, err, result.Warnings)
		case c.refused != "" && (flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("call %d: %v, want an error about %q", i, err, c.refused)
		}
		if want := string(rune('0' + c.readers)); readers != want {
			t.Errorf("call %d leaves %s readers, want %s", i, readers, want)
		}
	}
}

// What the guide shows of grant-database is what stands there.
func TestGuidesGoHandler(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../flows/functions/grant-database/main.go")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(guide)
	if block == nil || !strings.Contains(string(source), string(block[1])) {
		t.Error("docs/strategies.md shows another handler than flows/functions/grant-database/main.go has")
	}
}
