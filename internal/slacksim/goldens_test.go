package slacksim

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldens are the app's messages and views as its tests hold them: lists of messages, answers to
// commands, and views.
const goldens = "../slackapp/testdata/*.json"

// TestGoldens: Slack takes every message and view that the app is known to write, by
// the rules by which what it really posts is refused here.
func TestGoldens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(goldens)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind, faults := refused(t, raw)
		if seen[kind]++; faults != "" {
			t.Errorf("%s, a %s: %s", filepath.Base(file), kind, faults)
		}
	}
	for _, kind := range []string{"message", "modal", "home"} {
		if seen[kind] == 0 {
			t.Errorf("no golden is a %s", kind)
		}
	}
}

// TestGoldens_Refused: a golden that breaks a rule is found, each in its own way.
func TestGoldens_Refused(t *testing.T) {
	t.Parallel()
	block := func(properties string) string {
		return `{"type":"section","text":{"type":"mrkdwn","text":"fine"}` + properties + `}`
	}
	many := func(n int, one string) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	message := func(blocks string) string {
		return `[{"text":"fine","blocks":[]},{"text":"x","blocks":` + blocks + `}]`
	}
	for name, c := range map[string]struct{ golden, want string }{
		"UnknownBlock":    {message(`[{"type":"poem"}]`), "unsupported type: poem"},
		"UnknownElement":  {message(`[{"type":"actions","elements":[{"type":"lever","action_id":"a"}]}]`), "unsupported type: lever"},
		"UnknownProperty": {message("[" + block(`,"colour":"red"`) + "]"), "invalid additional property: colour"},
		"LongText":        {message(`[{"type":"section","text":{"type":"mrkdwn","text":"` + strings.Repeat("x", 3001) + `"}}]`), "must be less than 3001"},
		"EmptyText":       {message(`[{"type":"section","text":{"type":"mrkdwn","text":""}}]`), "must be more than 0"},
		"ManyBlocks":      {message(many(51, block(""))), "no more than 50"},
		"BigMessage":      {message(many(5, strings.Replace(block(""), "fine", strings.Repeat("x", 2900), 1))), "msg_blocks_too_long"},
		"ModalOnly":       {message(`[{"type":"alert","text":{"type":"plain_text","text":"x"}}]`), "unsupported type: alert"},
		"Answer":          {`{"response_type":"ephemeral","text":"","blocks":[]}`, "no_text"},
		"View":            {`{"type":"modal","title":{"type":"plain_text","text":"` + strings.Repeat("x", 25) + `"},"blocks":[` + block("") + `]}`, "must be less than 25"},
		"ManyInView":      {`{"type":"home","blocks":` + many(101, block("")) + `}`, "no more than 100"},
		"BigView":         {`{"type":"home","blocks":` + many(90, strings.Replace(block(""), "fine", strings.Repeat("x", 2900), 1)) + `}`, "view_too_large"},
	} {
		if _, faults := refused(t, []byte(c.golden)); !strings.Contains(faults, c.want) {
			t.Errorf("%s: %q, want %q", name, faults, c.want)
		}
	}
}

// refused tells what a golden is, and why Slack refuses it: "" if it does not.
func refused(t *testing.T, golden []byte) (kind, faults string) {
	t.Helper()
	var compact bytes.Buffer // as it is posted
	if err := json.Compact(&compact, golden); err != nil {
		t.Fatal(err)
	}
	raw := compact.Bytes()
	said := func(err *apiError) string {
		if err == nil {
			return ""
		}
		return strings.Join(append([]string{err.code}, err.messages...), "\n")
	}
	var messages []json.RawMessage
	if json.Unmarshal(raw, &messages) == nil {
		for _, m := range messages {
			_, fault := refused(t, m)
			faults = strings.TrimPrefix(faults+"\n"+fault, "\n")
		}
		return "message", strings.TrimSpace(faults)
	}
	var args arguments
	if err := json.Unmarshal(raw, &args); err != nil {
		t.Fatal(err)
	}
	if kind = args.text("type"); kind != "" {
		_, err := (&Sim{}).readView(kind, raw, nil)
		return kind, said(err)
	}
	known := []string{"blocks", "response_type", "text"}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if !slices.Contains(known, name) {
			t.Errorf("a message has no %q", name)
		}
	}
	_, err := readContent(args, maxPostedText)
	return "message", said(err)
}
