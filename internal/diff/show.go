package diff

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/symflows/symflows/internal/pattern"
)

// Text writes changes for a terminal.
func Text(out io.Writer, all []FlowChanges) error {
	var b strings.Builder
	for _, f := range all {
		b.WriteString(heading(f) + "\n")
		for _, c := range f.Changes {
			fmt.Fprintf(&b, "  %s: %s\n", c.Way, oneLine(c.Text))
		}
	}
	b.WriteString(verdict(all) + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// Markdown writes changes for a pull request. What configurations say is inert in it:
// it makes no links, no mentions and no other marks.
func Markdown(out io.Writer, all []FlowChanges) error {
	marks := map[Way]string{Wider: "⬆️ **wider**", Unclear: "❓ **unclear**", Narrower: "⬇️ narrower", Other: "other"}
	var b strings.Builder
	b.WriteString("## What this lets happen\n\n" + verdict(all) + "\n")
	for _, f := range all {
		fmt.Fprintf(&b, "\n### %s\n\n", inert(heading(f)))
		for _, c := range f.Changes {
			fmt.Fprintf(&b, "- %s: %s\n", marks[c.Way], inert(c.Text))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func heading(f FlowChanges) string {
	if f.Against != "" {
		return f.Flow + " (against " + f.Against + ")"
	}
	return f.Flow
}

// verdict sums up.
func verdict(all []FlowChanges) string {
	wider, unclear := 0, 0
	for _, f := range all {
		for _, c := range f.Changes {
			switch c.Way {
			case Wider:
				wider++
			case Unclear:
				unclear++
			}
		}
	}
	switch {
	case len(all) == 0:
		return "Nothing changes in what flows let happen."
	case wider == 0 && unclear == 0:
		return "Nothing gets wider."
	case unclear == 0:
		return fmt.Sprintf("%s wider.", gets(wider))
	case wider == 0:
		return fmt.Sprintf("%s can't be told from the configuration: read the code and settings that are named.", things(unclear))
	}
	return fmt.Sprintf("%s wider; %s can't be told from the configuration: read the code and settings that are named.", gets(wider), things(unclear))
}

func gets(n int) string {
	if n == 1 {
		return "1 thing gets"
	}
	return fmt.Sprintf("%d things get", n)
}

func things(n int) string {
	if n == 1 {
		return "what 1 thing lets happen"
	}
	return fmt.Sprintf("what %d things let happen", n)
}

// oneLine has nothing in it that moves a terminal's cursor.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

var (
	marks    = pattern.Of("[\\\\`*_{}\\[\\]<>()#|~!&]")
	mentions = pattern.Of(`@|://|www\.`)
)

// inert is a text that Markdown shows as it is. A comment in the middle of what would be
// a mention or a link keeps it from being one.
func inert(text string) string {
	text = marks.ReplaceAllString(oneLine(text), `\$0`)
	return mentions.ReplaceAllString(text, "$0<!-- -->")
}
