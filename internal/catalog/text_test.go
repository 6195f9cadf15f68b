package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/symflows/symflows/internal/catalog"
)

// TestTextsOfJSON_Forms: what programs write as JSON is taken, also where a parser
// of YAML would not take it.
func TestTextsOfJSON_Forms(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`[{"name": "reason", "type": "string", "label": "Why \ud83d\ude00"}]`, // as Python writes it
		"\t[{\"name\": \"reason\", \"type\": \"string\", \"label\": \"Why 😀\"}]",
		"[{\"name\"\n: \"reason\",\"type\":\"string\",\"label\":\"Why \\ud83d\\uDE00\"}]\n",
		`[{"name":"reason","type":"string","label":"\u0057hy 😀","required":true}]`,
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{"a.yaml": {Data: []byte(strings.Replace(`{kind: environment, name: main}
---
kind: flow
name: ask
environment_id: main
params: {prompt_fields_json: TEXT, approval: {approvers: ["group:leads"], notify: [{channel: "#x"}]}}
`, "TEXT", string(quoted), 1))}}
		c, report := catalog.LoadFS(files, "sym", types)
		if err := report.Err(); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := c.Flows[0].Params.PromptFields[0]; got.Name != "reason" || got.Label != "Why 😀" || !got.Required {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}
