package slackapp

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// buttonWhole is the action id of the button that shows what a card had to cut.
const buttonWhole = "show_all"

// unbounded is longer than all that a run holds.
const unbounded = 1 << 20

// written lists what people wrote: the fields of the form, and what was said since.
func (c *card) written() []row { return append(c.fields(), c.said()...) }

// longest is how much of one value is shown, in characters.
func (c *card) longest() int {
	if c.whole {
		return unbounded
	}
	return maxValue
}

// values shows what people wrote. Where it has to be cut, the card says so, and has a
// button that shows all of it.
func (c *card) values() {
	rows := c.written()
	cut := !c.page.rows(rows)
	all := card{Run: c.Run, message: c.message, whole: true}
	for i, r := range all.written() {
		cut = cut || r.value.Text != rows[i].value.Text
	}
	if cut {
		c.page.context(plain("✂️ Some of this is too long to stand here, and is cut.", maxText))
		c.page.buttons(button(buttonWhole, buttonOf(c.Run.ID, c.message), "Show all", "", ""))
	}
}

// wholeModal shows what people wrote for a request, without cutting any of it.
func wholeModal(r flow.Run) slack.ModalViewRequest {
	c := card{Run: r, whole: true}
	var blocks []slack.Block
	for _, row := range c.written() {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn("*"+safe(row.label)+"*", maxField), nil, nil))
		if row.value.Type == slack.MarkdownType { // references, which must not be cut in two
			blocks = append(blocks, slack.NewSectionBlock(mrkdwn(row.value.Text, maxText), nil, nil))
			continue
		}
		rest := []rune(row.value.Text)
		for len(rest) > 0 {
			n := min(len(rest), maxText)
			blocks = append(blocks, slack.NewSectionBlock(plain(string(rest[:n]), maxText), nil, nil))
			rest = rest[n:]
		}
	}
	if len(blocks) > maxViewBlocks {
		blocks = append(blocks[:maxViewBlocks-1:maxViewBlocks-1], section("_There is more than Slack can show: the audit record has all._"))
	}
	return modal(viewNotice, "The request", "", metadata{}, blocks)
}

// showWhole opens what a card had to cut, for those who may see the request.
func (a *App) showWhole(ctx context.Context, in interaction, value string) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		b := readButton(value)
		if _, known := messageOf(b.key); !known || !in.shows(b) {
			return nil, errStray
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err != nil {
			return nil, err
		}
		r, err := a.Submit.Runs.Get(ctx, b.run)
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
