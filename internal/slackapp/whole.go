package slackapp

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// buttonWhole is the action id of the button that shows what had to be cut. Behind it,
// where there are several, stands a number.
const buttonWhole = "show_all"

// written lists what people wrote: the fields of the form, and what was said since.
func (c *card) written() []row { return append(c.fields(), c.said()...) }

// cut shortens a text to most characters, where not all of the run is to be shown, and
// notes that it did.
func (c *card) cut(s string, most int) string {
	if c.whole {
		return s
	}
	short := fit(s, most)
	c.page.cut = c.page.cut || short != s
	return short
}

// value is a text from outside as the value of a row.
func (c *card) value(s string) *slack.TextBlockObject {
	s = c.cut(visible(s), maxValue)
	return plain(s, len(s)+len(nothing)) // as long as it is
}

// values shows what people wrote.
func (c *card) values() {
	c.page.rows(c.written())
	c.showAll()
}

// showAll says of a message that some of it is cut, if that is so, and has a button
// that shows all. It says so once.
func (c *card) showAll() {
	if !c.page.cut || c.offered {
		return
	}
	c.offered = true
	c.page.context(plain("✂️ Some of this is too long to stand here, and is cut.", maxText))
	c.page.buttons(showAllButton(c.Run, 0))
}

// showAllButton shows all of a run. The number tells those of one view apart.
func showAllButton(r flow.Run, i int) slack.BlockElement {
	id := buttonWhole
	if i > 0 {
		id += "." + strconv.Itoa(i)
	}
	return button(id, r.ID, "Show all", "", "")
}

// wholeText shows a text as it was written, however long it is.
func wholeText(s string) (blocks []slack.Block) {
	if s = visible(s); strings.TrimSpace(s) == "" {
		s = nothing
	}
	for rest := []rune(s); len(rest) > 0; {
		n := min(len(rest), maxText)
		blocks = append(blocks, slack.NewSectionBlock(plain(string(rest[:n]), maxText), nil, nil))
		rest = rest[n:]
	}
	return blocks
}

// wholeModal shows a run without cutting any of it: what the form had, how each target
// stands, and each event with all that was said.
func wholeModal(r flow.Run) slack.ModalViewRequest {
	c := card{Run: r, whole: true}
	var blocks []slack.Block
	show := func(r row) {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn("*"+safe(r.label)+"*", maxField), nil, nil))
		if r.value.Type == slack.MarkdownType { // references, which must not be cut in two
			blocks = append(blocks, slack.NewSectionBlock(mrkdwn(r.value.Text, maxText), nil, nil))
			return
		}
		blocks = append(blocks, wholeText(r.value.Text)...)
	}
	for _, r := range c.fields() {
		show(r)
	}
	if c.Error != nil {
		show(row{"What went wrong", c.value(withoutCode(c.Error.Message))})
	}
	if c.Access.Live() && c.Access.Listed() {
		var targets []string
		for _, p := range c.Access.Entitlements {
			line := p.Title() + ": " + string(p.State())
			if said := p.Said(); said != "" {
				line += " – " + withoutCode(said)
			}
			targets = append(targets, line)
		}
		show(row{"Targets", c.value(strings.Join(targets, "\n"))})
	}
	blocks = append(blocks, section("*What happened*"))
	silent := "" // events about which nothing was said stand together
	flush := func() {
		if silent != "" {
			blocks, silent = append(blocks, section(silent)), ""
		}
	}
	for _, e := range c.Events {
		line := c.deed(e, c.doer(e)) + " · " + moment(e.At)
		if len([]rune(silent))+len([]rune(line)) >= maxText {
			flush()
		}
		silent = strings.TrimPrefix(silent+"\n"+line, "\n")
		if said := c.saidWith(e); len(said) > 0 {
			flush()
			for _, r := range said {
				show(r)
			}
		}
	}
	flush()
	return modal(viewNotice, "The request", "", metadata{}, fitting(blocks))
}

// saidWith lists all that was said with an event.
func (c *card) saidWith(e flow.Event) (out []row) {
	add := func(label, key string) {
		if s, _ := e.Fields[key].(string); s != "" && s != problems(e.Errors) {
			out = append(out, row{label, c.value(s)})
		}
	}
	add("Message", flow.KeyDecisionMessage)
	add("Message", flow.KeyForwardMessage)
	add("Why", flow.KeyExtendReason)
	if e.Channel == flow.ChannelSDK {
		add("Reason of the rule", flow.FieldNameReason)
	}
	if len(e.Errors) > 0 {
		out = append(out, row{"What went wrong", c.value(problems(e.Errors))})
	}
	return append(append(out, c.warnings(e)...), c.results(e)...)
}

// maxViewJSON bounds what the blocks of a view take, in bytes: Slack takes 250,000 of a
// whole view.
const maxViewJSON = 240_000

// fitting leaves out what is more than Slack takes in one view, and says so.
func fitting(blocks []slack.Block) []slack.Block {
	size := 0
	for i, b := range blocks {
		j, _ := json.Marshal(b) // our own blocks can't fail
		size += len(j) + 1
		if size > maxViewJSON || i == maxViewBlocks-1 && len(blocks) > maxViewBlocks {
			return append(blocks[:i:i], section(fmt.Sprintf("_There is more than Slack can show, %s: the audit record has all._", count(len(blocks)-i, "part"))))
		}
	}
	return blocks
}

// showWhole opens all of a run, for those who may see it: the same as /sym show tells
// them, wherever they pressed the button.
func (a *App) showWhole(ctx context.Context, in interaction, run string) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err != nil {
			return nil, err
		}
		r, err := a.Submit.Runs.Get(ctx, run)
		if err != nil {
			return nil, err
		}
		may, err := a.maySee(ctx, who, r)
		if err != nil {
			return nil, err
		}
		if !may || who.Role == store.RoleDeactivated || who.Role == store.RoleBot {
			return nil, flow.Errorf(flow.CodeForbidden, "only the requester, those who may decide the request, and admins can see all of it")
		}
		_, err = a.open(ctx, in.TriggerID, wholeModal(r))
		return nil, err
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+buttonWhole, err))
	}
}
