package diff_test

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/diff"
)

func show(t *testing.T, all []diff.FlowChanges) (text, markdown string) {
	t.Helper()
	var a, b strings.Builder
	if err := diff.Text(&a, all); err != nil {
		t.Fatal(err)
	}
	if err := diff.Markdown(&b, all); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}

// TestShow: what configurations say stays text, in a terminal and in Markdown.
func TestShow(t *testing.T) {
	t.Parallel()
	text, markdown := show(t, []diff.FlowChanges{{Flow: "prod-access", Against: "1.0.3", Changes: []diff.Change{
		{Way: diff.Wider, Text: "x is @acme/security <img src=https://evil.example.com> [a](b)\x1b[2J\n- **no**"},
		{Way: diff.Unclear, Text: "code"},
	}}})
	if want := "prod-access (against 1.0.3)\n  wider: x is @acme/security <img src=https://evil.example.com> [a](b) [2J - **no**\n  unclear: code\n" +
		"1 thing gets wider; what 1 thing lets happen can't be told from the configuration: read the code and settings that are named.\n"; text != want {
		t.Errorf("%q\nwant\n%q", text, want)
	}
	if want := "- ⬆️ **wider**: x is @<!-- -->acme/security \\<img src=https://<!-- -->evil.example.com\\> \\[a\\]\\(b\\) \\[2J - \\*\\*no\\*\\*\n- ❓ **unclear**: code\n"; !strings.HasSuffix(markdown, want) {
		t.Errorf("%q\nwant at its end\n%q", markdown, want)
	}
	for _, tc := range []struct {
		all  []diff.FlowChanges
		want string
	}{
		{nil, "Nothing changes in what flows let happen.\n"},
		{[]diff.FlowChanges{{Flow: "a", Changes: []diff.Change{{Way: diff.Narrower, Text: "b"}}}}, "a\n  narrower: b\nNothing gets wider.\n"},
		{[]diff.FlowChanges{{Flow: "a", Changes: []diff.Change{{Way: diff.Wider, Text: "b"}, {Way: diff.Wider, Text: "c"}}}}, "a\n  wider: b\n  wider: c\n2 things get wider.\n"},
	} {
		if text, _ := show(t, tc.all); text != tc.want {
			t.Errorf("%q, want %q", text, tc.want)
		}
	}
}
