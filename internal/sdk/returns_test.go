package sdk

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// allReturns asks the Python side of each hook which events it may return.
const allReturns = `
import json
from sym.run import values
from sym.run.faults import Fault
from sym.sdk.templates import ApprovalTemplateStep, TemplateEvent, TemplateStep

events = [step.value for step in (*ApprovalTemplateStep, *TemplateStep)] + ["cancel", "extend_expire", "no_such_event"]

def may_return(asked, event):
    try:
        values.hook(f"on_{asked}", TemplateEvent(event))
        return True
    except Fault:
        return False

print(json.dumps({step.value: {event: may_return(step.value, event) for event in events} for step in ApprovalTemplateStep}))
`

// TestReturns holds what hooks may return in Python, where customers test
// theirs, in Go, which has the last word, and in the guide to each other.
func TestReturns(t *testing.T) {
	t.Parallel()
	dir, err := FindPython("")
	must(t, err)
	python := exec.CommandContext(t.Context(), "python3", "-c", allReturns)
	python.Dir, python.Env = dir, append(os.Environ(), "PYTHONPATH="+dir)
	out, err := python.Output()
	must(t, err)
	var inPython map[flow.EventName]map[flow.EventName]bool
	must(t, json.Unmarshal(out, &inPython))
	inGuide := guideReturns(t, filepath.Join(dir, "..", "..", "docs", "sdk.md"))
	unhooked := []flow.EventName{flow.EventCancel, flow.EventExtendExpire} // Sym has no cancel, so its SDK has none; the other is part of the end
	for _, e := range flow.EventNames {
		_, known := inPython[e]
		_, told := inGuide[e]
		if own := slices.Contains(unhooked, e); known == own || told == own {
			t.Errorf("hooks of %s: in Python %t, in the guide %t, want %t", e, known, told, !own)
		}
	}
	if want := len(flow.EventNames) - len(unhooked); len(inPython) != want || len(inGuide) != want {
		t.Errorf("Python has hooks of %d events, the guide of %d, want %d", len(inPython), len(inGuide), want)
	}
	for asked, events := range inPython {
		for event, may := range events {
			if want := (&flow.HookAnswer{Event: event}).Check(asked) == nil; may != want {
				t.Errorf("on_%s returns %s: Python says %t, Go %t", asked, event, may, want)
			}
			if told := event == asked || slices.Contains(inGuide[asked], event); told != may {
				t.Errorf("on_%s returns %s: the guide says %t, Python %t", asked, event, told, may)
			}
		}
	}
}

// guideReturns reads the last column of the guide's table of events.
func guideReturns(t *testing.T, path string) map[flow.EventName][]flow.EventName {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	_, table, _ := strings.Cut(string(text), "its `on_…` hook may return")
	table, _, _ = strings.Cut(table, "\n\n")
	found := map[flow.EventName][]flow.EventName{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		var events []flow.EventName
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			events = append(events, flow.EventName(m[1]))
		}
		found[flow.EventName(row[1])] = events
	}
	return found
}
