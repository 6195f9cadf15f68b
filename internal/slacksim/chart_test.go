package slacksim

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTablesAndCharts: what Slack documents is taken, one thing more is refused.
func TestTablesAndCharts(t *testing.T) {
	t.Parallel()
	row := func(cells ...string) string { return "[" + strings.Join(cells, ",") + "]" }
	cell := func(s string) string { return `{"type":"raw_text","text":"` + s + `"}` }
	button := `{"type":"action_cell","element":{"type":"button","action_id":"end.1","value":"v","text":{"type":"plain_text","text":"End"}},"fallback":{"type":"raw_text","text":"–"}}`
	table := func(rows ...string) string {
		return `[{"type":"data_table","caption":"Access","page_size":10,"rows":[` + strings.Join(rows, ",") + `]}]`
	}
	chart := func(kind, rest string) string {
		return `{"type":"data_visualization","title":"Requests","chart":{"type":"` + kind + `",` + rest + `}}`
	}
	bar := chart("bar", `"series":[{"name":"Approved","data":[{"label":"Mon","value":1.5},{"label":"Tue","value":0}]}],"axis_config":{"categories":["Mon","Tue"]}`)
	head := row(cell("Who"), cell(""))
	for name, c := range map[string]struct{ blocks, fault string }{
		"Table":             {table(head, row(cell("Alice"), button)), ""},
		"TableNumbers":      {table(head, row(cell("Alice"), `{"type":"raw_number","value":1.5,"text":"1½"}`)), ""},
		"TableHeaderOnly":   {table(head), "no less than 2 items"},
		"TableLong":         {table(append([]string{head}, many(101, row(cell("a"), cell("b")))...)...), "no more than 101 items"},
		"TableUneven":       {table(head, row(cell("Alice"))), "same number of values"},
		"TableHeaderButton": {table(row(cell("Who"), button), row(cell("Alice"), cell(""))), "header must be raw_text"},
		"TableWide":         {table(row(many(21, cell("a"))...), row(many(21, cell("a"))...)), "no more than 20 items"},
		"TableFull":         {table(head, row(cell(strings.Repeat("x", 9_997)), cell(""))), ""},
		"TableTooFull":      {table(head, row(cell(strings.Repeat("x", 9_998)), cell(""))), "less than 10001 characters"},
		"TableSameButton":   {table(head, row(cell("Alice"), button), row(cell("Bob"), button)), "`action_id` value `end.1` already exists"},
		"TableUnknownCell":  {table(head, row(cell("Alice"), `{"type":"emoji"}`)), "unsupported type"},
		"TableNoCaption":    {strings.Replace(table(head, head), `"caption":"Access",`, "", 1), "missing required field: caption"},
		"Bar":               {"[" + bar + "]", ""},
		"TwoCharts":         {"[" + bar + "," + bar + "]", ""},
		"ThreeCharts":       {"[" + bar + "," + bar + "," + bar + "]", "no more than 2 data_visualization"},
		"Pie":               {"[" + chart("pie", `"segments":[{"label":"Approved","value":2}]`) + "]", ""},
		"PieOfNothing":      {"[" + chart("pie", `"segments":[{"label":"Approved","value":0}]`) + "]", "greater than 0"},
		"MissingPoint":      {"[" + strings.Replace(bar, `,{"label":"Tue","value":0}`, "", 1) + "]", "one point for each category"},
		"OtherCategory":     {"[" + strings.Replace(bar, `"label":"Tue"`, `"label":"Wed"`, 1) + "]", "not one of the categories"},
		"LongLabel":         {"[" + strings.ReplaceAll(bar, "Mon", strings.Repeat("M", 21)) + "]", "less than 21 characters"},
		"LongTitle":         {"[" + strings.Replace(bar, "Requests", strings.Repeat("r", 51), 1) + "]", "less than 51 characters"},
		"NoAxis":            {"[" + strings.Replace(bar, `,"axis_config":{"categories":["Mon","Tue"]}`, "", 1) + "]", "must have `series` and `axis_config`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var blocks []any
			if err := json.Unmarshal([]byte(c.blocks), &blocks); err != nil {
				t.Fatal(err)
			}
			for _, on := range []surface{inMessage, inView} {
				var found checker
				found.checkBlocks("/blocks", blocks, on)
				if got := strings.Join(found.faults, "\n"); (got != "") != (c.fault != "") || !strings.Contains(got, c.fault) {
					t.Errorf("%s: found %q, want %q", on, got, c.fault)
				}
			}
		})
	}
}

func many(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}
