package slackapp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// page is a message being written. It keeps Slack's limits: what does not fit
// any more is left out, and the message says so.
type page struct {
	blocks []slack.Block
	texts  [][]byte // the blocks as JSON
	size   int      // of the blocks as JSON, in characters
	cut    bool     // something was left out, or shortened
}

// reserve is what page keeps free of the limits for what must not be left
// out: it is what the blocks after the rows take at most.
const (
	reserveSize   = 5000
	reserveBlocks = 10
)

// add appends a block.
func (p *page) add(b slack.Block) {
	text, _ := flow.EncodeJSON(b) // our own blocks can't fail
	p.blocks, p.texts = append(p.blocks, b), append(p.texts, text)
	p.size += utf8.RuneCount(text) + 1
	for _, c := range text { // which are sent as \u0026 and the like
		if c == '&' || c == '<' || c == '>' {
			p.size += len(`\u0026`) - 1
		}
	}
}

// message is the page as Post and Edit take it, with the text that notifications show.
func (p *page) message(text string) ([]byte, error) {
	encoded, err := flow.EncodeJSON(fit(text, maxText))
	return slices.Concat([]byte(`{"text":`), encoded, []byte(`,"blocks":[`), bytes.Join(p.texts, []byte(",")), []byte("]}\n")), err
}

// row is a label and a value of a table.
type row struct {
	label string
	value *slack.TextBlockObject
}

// Limits of one value, and of what stands beside its label and not below.
const (
	maxValue  = 1500
	maxBeside = 200
)

// rows appends a table. Slack shows a section's fields in two columns, so that
// labels stand on the left and values on the right; long values get a section
// of their own.
func (p *page) rows(rows []row) {
	var beside []*slack.TextBlockObject
	flush := func() {
		if len(beside) > 0 {
			p.add(slack.NewSectionBlock(nil, beside, nil))
			beside = nil
		}
	}
	// 120 characters of JSON are around each text, and 60 around each section.
	room := maxBlocksJSON - reserveSize - p.size
	blocks := maxMessageBlocks - reserveBlocks - len(p.blocks)
	for i, r := range rows {
		label := mrkdwn("*"+safe(r.label)+"*", maxField)
		takes := cost(label.Text) + cost(r.value.Text) + 300
		if takes > room || blocks < 3 {
			flush()
			p.add(section(fmt.Sprintf("_%s more_", count(len(rows)-i, "value"))))
			p.cut = true
			return
		}
		room -= takes
		if cost(r.value.Text) <= maxBeside && !strings.Contains(r.value.Text, "\n") {
			beside = append(beside, label, r.value)
			if len(beside) == 2 {
				blocks--
			}
			if len(beside) == maxFields {
				flush()
			}
			continue
		}
		flush()
		p.add(slack.NewSectionBlock(label, nil, nil))
		p.add(slack.NewSectionBlock(r.value, nil, nil))
		blocks -= 2
	}
	flush()
}

// context appends small print.
func (p *page) context(elements ...slack.MixedElement) {
	p.add(slack.NewContextBlock("", elements...))
}

// buttons appends buttons, if there are any.
func (p *page) buttons(elements ...slack.BlockElement) {
	if len(elements) > 0 {
		p.add(slack.NewActionBlock("", elements...))
	}
}

// button makes a button. Style is "", primary or danger; ask, if it is not
// "", has Slack ask before it counts.
func button(action, value, label string, style slack.Style, ask string) slack.BlockElement {
	b := slack.NewButtonBlockElement(action, value, plain(label, maxOptionText))
	b.Style = style
	if ask != "" {
		b.Confirm = slack.NewConfirmationBlockObject(plain("Are you sure?", 100), plain(ask, 300), plain(label, 30), plain("No", 30))
	}
	return b
}

// mention names a person so that Slack shows who it is, whatever name they have
// chosen, and says of an agent that it is one. It notifies them only in a new message that
// they receive.
func mention(a flow.Actor) string {
	if slackIDPattern.MatchString(a.SlackID) {
		return "<@" + a.SlackID + ">"
	}
	if a.Kind == flow.KindAgent {
		return "agent " + safe(a.Display())
	}
	return safe(a.Display())
}

// mentions lists people for a sentence.
func mentions(people []flow.Actor) string {
	var names []string
	for _, a := range people {
		names = append(names, mention(a))
	}
	return enumerate(names)
}

// enumerate writes "a, b and c", of ten at most.
func enumerate(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], count(more, "other"))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// moment writes a time in the reader's own zone; clients that can't show it in
// UTC (docs.slack.dev/messaging/formatting-message-text#date-formatting).
func moment(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty}, {time_secs}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04:05 UTC"))
}
