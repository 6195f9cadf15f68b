package entity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
)

// TestCompare: what a change does, in plain words, and whether it may let more happen.
func TestCompare(t *testing.T) {
	t.Parallel()
	of := func(kind entity.Kind, attributes string) entity.Entity {
		return entity.Entity{ID: "0e4c", Kind: kind, Name: "a", Owner: entity.API, Attributes: json.RawMessage(attributes)}
	}
	dead := entity.Entity{Kind: entity.KindFlow, Name: "a", Dead: time.Unix(1, 0)}
	gone := func(kind entity.Kind) entity.Entity {
		return entity.Entity{Kind: kind, Name: "a", Dead: time.Unix(1, 0)}
	}
	long := strings.Repeat("x", 200)
	names := map[string]string{"1": "orders", "2": "bills"}
	for name, test := range map[string]struct {
		before, after entity.Entity
		want          string
		wider         bool
	}{
		"Created":      {entity.Entity{}, of(entity.KindRuntime, `{"label":"Main"}`), "runtime a: created; label: none → Main", true},
		"CreatedAgain": {dead, of(entity.KindFlow, `{}`), "flow a: created", true},
		"Deleted":      {of(entity.KindTarget, `{}`), gone(entity.KindTarget), "target a: deleted", false},
		"Unwatched":    {of(entity.KindLogDestination, `{}`), gone(entity.KindLogDestination), "log destination a: deleted", true},
		"Filter":       {of(entity.KindFlowsFilter, `{}`), gone(entity.KindFlowsFilter), "flows filter a: deleted", true},
		"Same":         {of(entity.KindFlow, `{}`), of(entity.KindFlow, `{}`), "flow a: changed; is in force already", false},
		"Label":        {of(entity.KindFlow, `{"label":"A","params":{"prompt_fields":[{"name":"x","label":"X"}]}}`), of(entity.KindFlow, `{"label":"B","params":{"prompt_fields":[{"name":"x","label":"Y"}]}}`), "flow a: changed; label: A → B; params.prompt_fields[x].label: X → Y", false},
		"Code":         {of(entity.KindFlow, `{"implementation":"a\nb\n"}`), of(entity.KindFlow, `{"implementation":"a\nc\nd\n"}`), "flow a: changed; implementation: the code changes, 2 lines → 3 lines", true},
		"FieldsCode":   {of(entity.KindFlow, `{"params":{"prompt_fields":[{"name":"x"}]}}`), of(entity.KindFlow, `{"params":{"prompt_fields":[{"name":"x","on_change":"pass"}]}}`), "flow a: changed; params.prompt_fields[x].on_change: the code changes, none → 1 line", true},
		"Vars":         {of(entity.KindFlow, `{"vars":{"x":"1"}}`), of(entity.KindFlow, `{"vars":{"x":"2"}}`), "flow a: changed; vars.x: 1 → 2", true},
		"Approvers":    {of(entity.KindFlow, `{"params":{"approval":{"approvers":["group:a"]}}}`), of(entity.KindFlow, `{"params":{"approval":{"approvers":["group:b"]}}}`), "flow a: changed; params.approval.approvers: adds group:b, drops group:a", true},
		"FewerApprovers": {
			of(entity.KindFlow, `{"params":{"approval":{"approvers":["group:a","group:b"]}}}`), of(entity.KindFlow, `{"params":{"approval":{"approvers":["group:b"]}}}`),
			"flow a: changed; params.approval.approvers: drops group:a", true,
		},
		"MoreTargets":  {of(entity.KindStrategy, `{"targets":["1"]}`), of(entity.KindStrategy, `{"targets":["1","2"]}`), "strategy a: changed; targets: adds bills", true},
		"FewerTargets": {of(entity.KindStrategy, `{"targets":["1","2"]}`), of(entity.KindStrategy, `{"targets":["1"]}`), "strategy a: changed; targets: drops bills", false},
		"OtherOrder": {
			of(entity.KindFlow, `{"params":{"prompt_fields":[{"name":"x"},{"name":"y"}]}}`), of(entity.KindFlow, `{"params":{"prompt_fields":[{"name":"y"},{"name":"x"}]}}`),
			"flow a: changed; in another order", true,
		},
		"Setting": {of(entity.KindTarget, `{"settings":{"group_id":"1"}}`), of(entity.KindTarget, `{"settings":{"group_id":"2"}}`), "target a: changed; settings.group_id: 1 → 2", true},
		"End of a long text": {
			of(entity.KindTarget, `{"settings":{"x":"`+long+`1"}}`), of(entity.KindTarget, `{"settings":{"x":"`+long+`2"}}`),
			"target a: changed; settings.x: …" + strings.Repeat("x", 20) + "1 → …" + strings.Repeat("x", 20) + "2", true,
		},
		"Lines": {of(entity.KindTarget, `{}`), of(entity.KindTarget, `{"settings":{"x\n- target y":"1\n- target z: deleted"}}`), "target a: changed; settings.x - target y: none → 1 - target z: deleted", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := entity.Compare(test.before, test.after, func(_ entity.Kind, id string) string { return names[id] })
			if got := strings.Join(append([]string{c.What + ": " + c.Verb}, c.Lines...), "; "); got != test.want || c.Wider != test.wider {
				t.Errorf("%s, wider %t;\nwant %s, wider %t", got, c.Wider, test.want, test.wider)
			}
		})
	}
}
