package slackapp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// viewHome is the callback id of the Home tab.
const viewHome = "home"

// How many of each there are in a Home tab: with two blocks for each entry, and three
// for the part for admins, all keep below Slack's 100.
const (
	maxHomeFavourites = 5
	maxHomeWaiting    = 12
	maxHomeAccess     = 12
	maxHomeOpen       = 8
	maxHomeOver       = 5
)

// view is a Home tab. plainly leaves out tables and charts.
func (d homeData) view(plainly bool) []slack.Block {
	p := &page{}
	d.ask(p)
	d.waits(p)
	d.access(p)
	d.requests(p)
	if d.admin != nil {
		d.admin.blocks(p, d.now, plainly)
	}
	return p.blocks
}

// ask appends the ways to begin a request.
func (d homeData) ask(p *page) {
	if err := workflow.MayRequest(d.who); err != nil {
		p.add(slack.NewSectionBlock(plain(sentence(flow.UserMessage(err)), maxText), nil, nil))
		return
	}
	buttons := []slack.BlockElement{button(homePick, "any", "Request access", slack.StylePrimary, "")}
	for i, f := range d.preferred() {
		buttons = append(buttons, button(homeRequest+"."+strconv.Itoa(i), f.Name, f.Title(), "", ""))
	}
	if len(d.flows) > 1 {
		buttons = append(buttons, button(homeFavourites, "choose", "⭐ Favourites…", "", ""))
	}
	p.add(slack.NewHeaderBlock(plain("Hello, "+d.who.Display(), maxHeader)))
	p.buttons(buttons...)
}

// preferred are the flows that have a button of their own: those that the person has
// chosen, else those that they ask for most.
func (d homeData) preferred() []store.FlowSummary {
	names := d.favourites
	if names == nil {
		often := map[string]int{}
		for _, r := range d.own.all() {
			if often[r.Flow]++; often[r.Flow] == 1 {
				names = append(names, r.Flow)
			}
		}
		slices.SortStableFunc(names, func(a, b string) int { return often[b] - often[a] })
	}
	var out []store.FlowSummary
	for _, name := range names {
		i := slices.IndexFunc(d.flows, func(f store.FlowSummary) bool { return strings.EqualFold(f.Name, name) })
		if i >= 0 && len(out) < maxHomeFavourites { // else it is withdrawn
			out = append(out, d.flows[i])
		}
	}
	return out
}

// waits appends the requests that wait for the person.
func (d homeData) waits(p *page) {
	if len(d.waiting) == 0 {
		return
	}
	p.add(slack.NewHeaderBlock(plain("Waiting for you", maxHeader)))
	for i, r := range d.waiting {
		if i == maxHomeWaiting {
			p.add(section(fmt.Sprintf("_and %d more: decide some, and they are shown_", len(d.waiting)-i)))
			break
		}
		c := &card{message: workflow.Message{Kind: workflow.KindRequest, Tier: r.Tier}, Run: r}
		asks := c.asks("asks for " + c.wish() + c.counted())
		switch {
		case r.AwaitsReview():
			asks = mention(r.Requester) + " had " + c.wish() + ", 🚨 without approval"
		case r.Status != flow.Requested && r.Extension != nil && r.Extension.Actor.Kind != flow.KindAgent:
			asks = mention(r.Extension.Actor) + " asks for more time for " + c.wish()
		case r.Status != flow.Requested:
			asks = c.asks("asks for more time for " + c.wish())
		}
		text := "🟡 " + asks + "\n" + strings.Join([]string{safe(r.FlowTitle), moment(askedAt(r)), "`" + shortID(r) + "`"}, " · ")
		if reason := r.Reason(); reason != "" {
			text += "\n“" + escape(c.cut(reason, maxSaid)) + "”"
		}
		p.add(section(text))
		if r.ByAgent() && r.Agent.Purpose != "" {
			p.context(plain("Purpose, as the agent says: “"+c.cut(r.Agent.Purpose, maxSaid)+"”", maxText))
		}
		var elements []slack.BlockElement
		for _, b := range buttonsOf(r, flow.SideDeciders, d.who, decides) {
			if b == flow.ButtonDeny { // it asks why
				elements = append(elements, button(homeDeny, buttonValue(r, c.message), "Deny…", slack.StyleDanger, ""))
				continue
			}
			elements = append(elements, c.button(b, flow.SideDeciders))
		}
		if c.page.cut {
			elements = append(elements, showAllButton(r, i))
		}
		p.buttons(elements...)
	}
	if d.more && len(d.waiting) <= maxHomeWaiting {
		p.context(plain("There may be more, which are shown once some of these are decided.", maxText))
	}
}

// askedAt is when a request was made.
func askedAt(r flow.Run) time.Time {
	if e, ok := r.Last(flow.EventRequest); ok {
		return e.At
	}
	return r.Created
}

// access appends the person's own access.
func (d homeData) access(p *page) {
	p.add(slack.NewHeaderBlock(plain("My access", maxHeader)))
	if len(d.own.access) == 0 {
		p.add(section("You have no access just now."))
	}
	d.entries(p, d.own.access, maxHomeAccess)
}

// requests appends what the person asks for, and what came of it lately.
func (d homeData) requests(p *page) {
	p.add(slack.NewHeaderBlock(plain("My requests", maxHeader)))
	if len(d.own.open)+len(d.own.over) == 0 {
		text := "Nothing of yours waits for a decision." // what came of it is access
		switch {
		case len(d.own.access) > 0:
		case workflow.MayRequest(d.who) != nil:
			text = "You have asked for nothing yet."
		default:
			text = "You have asked for nothing yet. *Request access* shows what there is; what you ask for stands here, and what came of it."
		}
		p.add(section(text))
	}
	d.entries(p, d.own.open, maxHomeOpen)
	d.entries(p, d.own.over[:min(len(d.own.over), maxHomeOver)], maxHomeOver)
}

// entries appends runs of the person's own, each with the buttons that it has for them.
func (d homeData) entries(p *page, runs []flow.Run, most int) {
	for i, r := range runs {
		if i == most {
			p.add(section(fmt.Sprintf("_and %d more: `/sym list` has all_", len(runs)-i)))
			return
		}
		c := &card{message: workflow.Message{Kind: workflow.KindStatus}, Run: r}
		text := summary(r, time.Time{}, true)
		if end := endOf(r); r.Status == flow.Escalated && !end.IsZero() {
			text = "🔓 *" + safe(c.what()) + "* – ends " + counting(end) + "\n" + strings.TrimPrefix(text[strings.IndexByte(text, '\n')+1:], "🔓 ")
		}
		p.add(section(text))
		var elements []slack.BlockElement
		for _, b := range buttonsOf(r, flow.SideRequester, d.who, nil) {
			elements = append(elements, c.button(b, flow.SideRequester))
		}
		p.buttons(elements...)
	}
}

// counting is a time as Slack counts down to it: "in 40 minutes".
func counting(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{ago}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04:05 UTC"))
}
