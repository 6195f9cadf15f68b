package slackapp

import (
	"encoding/json"
	"os"
	"testing"
)

// What people wrote means nothing in Slack's markup, in our messages as in those
// that handlers send: tests of both hold to the same table.
func TestEscape(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../functions/sdk/tests/escaped.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		if got := escape(c[0]); got != c[1] {
			t.Errorf("%q becomes %q, not %q", c[0], got, c[1])
		}
	}
}
