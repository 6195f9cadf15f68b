package slackapp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// idBegun is how much of a run's id has to be typed, so that few begin like that.
var idBegun = pattern.Of(`^[0-9a-f]{4}[0-9a-f-]{0,32}$`)

// show answers /sym show: what happened in a run. Runs that a person may not see
// are as if they were not there.
func (a *App) show(ctx context.Context, slackID, typed string) (any, error) {
	who, err := a.Directory.Known(ctx, slackID)
	if err != nil {
		return nil, err
	}
	if who.Role == store.RoleDeactivated || who.Role == store.RoleBot {
		return nil, flow.Errorf(flow.CodeForbidden, "only people of this workspace can see requests")
	}
	typed = strings.Trim(strings.TrimSpace(typed), "`<>")
	if id := a.runOfLink(typed); id != "" {
		typed = id
	}
	if !strings.Contains(typed, " ") {
		typed = typed[strings.LastIndexByte(typed, ':')+1:] // of a resource name, the id is last
	}
	found, more, err := a.byID(ctx, who, strings.ToLower(typed))
	if err != nil {
		return nil, err
	}
	note := ""
	if len(found) == 0 {
		o, err := ownOf(ctx, a.Submit.Runs, who, maxOwn)
		if err != nil {
			return nil, err
		}
		all := o.all()
		at, sure := meant(typed, namesOf(all))
		for _, i := range at {
			found = append(found, all[i])
		}
		switch {
		case len(all) == 0 && typed == "":
			return ephemeral("You have asked for nothing yet. `/sym req` does."), nil
		case len(found) == 0:
			found = all
			if typed != "" {
				note = "You have no request “" + fit(typed, maxInline) + "”, and there is none with such an id that you may see."
			}
		case len(found) == 1 && !sure:
			note = "Taken for “" + fit(typed, maxInline) + "”:"
		}
		if len(found) == 1 && len(at) == 1 || len(all) == 1 && typed == "" {
			return timeline(found[0], note, a.linksTo(ctx, who, found[0]), a.Now()), nil
		}
	} else if len(found) == 1 && !more {
		return timeline(found[0], "", a.linksTo(ctx, who, found[0]), a.Now()), nil
	}
	p := page{}
	if note != "" {
		p.add(slack.NewSectionBlock(plain(note, maxText), nil, nil))
	}
	p.add(section("Which one? Type `/sym show` and its id:"))
	for i, r := range found {
		if i == maxWhich {
			p.add(section(fmt.Sprintf("_and %d more: type more of the id_", len(found)-i)))
			break
		}
		p.add(section(summary(r, a.Now(), r.Requester.Is(who.Actor))))
	}
	return ephemeral("Which request do you mean?", p.blocks...), nil
}

// maxWhich is how many runs somebody has to choose from.
const maxWhich = 10

// byID finds the runs of an id, or whose ids begin so, that a person may see. more:
// there are others, which were not looked at.
func (a *App) byID(ctx context.Context, who store.User, id string) (found []flow.Run, more bool, err error) {
	var runs []flow.Run
	if run, notAnID := flow.RunOf(id); notAnID == nil { // an event's id names its run too
		r, err := a.Submit.Runs.Get(ctx, run)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownRun {
			return nil, false, err
		}
		if err == nil {
			runs = append(runs, r)
		}
	} else {
		var begins []string // a short id may be the beginning of another's id as well
		if prefix, ok := flow.OfShortID(id); ok {
			begins = append(begins, prefix)
		}
		if idBegun.MatchString(id) {
			begins = append(begins, id)
		}
		for _, begin := range begins {
			page, err := a.Submit.Runs.Beginning(ctx, begin, 100)
			if err != nil {
				return nil, false, err
			}
			for _, r := range page.Runs {
				if !slices.ContainsFunc(runs, func(known flow.Run) bool { return known.ID == r.ID }) {
					runs = append(runs, r)
				}
			}
			more = more || page.Cursor != ""
		}
	}
	for _, r := range runs {
		may, err := a.maySee(ctx, who, r)
		if err != nil {
			return nil, false, err
		}
		if may {
			found = append(found, r)
		}
	}
	return found, more && len(found) > 0, nil
}

// maySee tells whether a person may see a run. Who is an admin is in the run once
// it was sent, and in its flow before that.
func (a *App) maySee(ctx context.Context, who store.User, r flow.Run) (bool, error) {
	if r.MaySee(who.Actor, who.Guest()) == nil {
		return true, nil
	}
	if r.Status != flow.Prompted {
		return false, nil
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	return err == nil && f.Environment.Administers(who.Actor), err
}

// timeline shows a run: what was asked for, where it stands, and each event with who
// did it, when, and how long after the one before.
func timeline(r flow.Run, note string, to links, now time.Time) private {
	c := card{message: workflow.Message{Kind: workflow.KindStatus}, Run: r}
	if note != "" {
		c.page.add(slack.NewSectionBlock(plain(note, maxText), nil, nil))
	}
	c.page.add(slack.NewHeaderBlock(plain(c.FlowTitle, maxHeader)))
	if _, sent := r.Last(flow.EventRequest); sent || r.Status != flow.Prompted {
		c.page.add(section(c.asks("asked for "+c.wish()) + "."))
		c.purpose()
	}
	if reason := r.Reason(); reason != "" {
		c.page.add(slack.NewSectionBlock(c.value("“"+reason+"”"), nil, nil))
	}
	c.page.rows(c.fields(flow.FieldNameReason))
	state := c.state()
	if l := left(r, now); l != "" && r.Access.Live() {
		state += " *" + l + "*"
	}
	c.page.add(section(state))
	c.targets()
	c.page.add(section("*What happened*"))
	var lines []string
	for i, e := range r.Events {
		line := c.told(e) + "\n" + moment(e.At)
		if i > 0 {
			if d := e.At.Sub(r.Events[i-1].At); d >= time.Second {
				line += " · after " + about(d)
			}
		}
		lines = append(lines, line)
	}
	c.page.lines(lines, "event")
	c.showAll()
	if took := c.took(); took != "" {
		c.page.context(plain(took, maxText))
	}
	var lead []string
	if to.message != "" {
		lead = append(lead, "<"+to.message+"|Go to its message>")
	}
	if to.run != "" {
		lead = append(lead, "<"+to.run+"|Link for others>")
	}
	if len(lead) > 0 {
		c.page.context(mrkdwn(strings.Join(lead, " · "), maxText))
	}
	c.page.context(plain(requestLine+shortID(r), maxText), plain("In the records: "+r.ID, maxText))
	return ephemeral("The request of "+r.Requester.Display()+" for "+c.what()+": "+c.word(), c.page.blocks...)
}

// links lead to a run: to its message, for one person, and to the run, for all who may
// see it. Each is "" if there is none.
type links struct{ message, run string }

func (a *App) linksTo(ctx context.Context, who store.User, r flow.Run) links {
	return links{a.linkTo(ctx, who, r), a.addressOf(r.ID)}
}

// linkTo gives a link to the message of a run that a person can open: of their own
// request, that in their direct messages; of others', that in the channel that is
// asked now. It returns "" if there is none, or Slack can't be asked.
func (a *App) linkTo(ctx context.Context, who store.User, r flow.Run) string {
	if r.Requester.Is(who.Actor) {
		return a.linkToOne(ctx, r, func(m workflow.Message, _ string) bool { return m.Kind == workflow.KindStatus })
	}
	return a.linkToOne(ctx, r, asksChannel)
}

// asksChannel tells whether a message asks those who decide, in a channel.
func asksChannel(m workflow.Message, channel string) bool {
	return m.Kind == workflow.KindRequest && strings.HasPrefix(channel, "C")
}

// linkToOne gives a link to the latest message of a run that is wanted, as linkTo does.
func (a *App) linkToOne(ctx context.Context, r flow.Run, wanted func(m workflow.Message, channel string) bool) string {
	known, err := a.Messages.Get(ctx, r.ID)
	if err != nil {
		a.Log.WarnContext(ctx, "a run is shown without a link to its message", "run", r.ID, "error", err)
		return ""
	}
	for _, m := range slices.Backward(known) {
		if shows, _ := messageOf(m.Key); m.TS == "" || !wanted(shows, m.Channel) {
			continue
		}
		link, err := a.API.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: m.Channel, Ts: m.TS})
		if err == nil && linkPattern.MatchString(link) {
			return link
		}
		a.Log.WarnContext(ctx, "a run is shown without a link to its message", "run", r.ID, "error", err)
		return ""
	}
	return ""
}

// linkPattern is what may stand in a link of ours.
var linkPattern = pattern.Of(`^https?://[A-Za-z0-9.:-]+/[A-Za-z0-9/._?=&-]*$`)

// lines appends texts, each as a section. If they are too many, those in the middle
// are left out: how it began and how it stands is asked for most.
func (p *page) lines(lines []string, noun string) {
	const around = 60 // characters of JSON around each text
	room, blocks := maxBlocksJSON-reserveSize/2-p.size, maxMessageBlocks-reserveBlocks-len(p.blocks)
	size := 0
	for _, l := range lines {
		size += cost(l) + around
	}
	first := min(len(lines), 3)
	last := first
	for size > room && last < len(lines)-1 || len(lines)-last+first > blocks {
		size -= cost(lines[last]) + around
		last++
	}
	for i, l := range lines {
		switch {
		case i == first && i < last:
			p.add(section(fmt.Sprintf("_%s in between_", count(last-first, noun))))
			p.cut = true
		case i < first || i >= last:
			p.add(section(l))
		}
	}
}

// told says what happened, and who did it.
func (c *card) told(e flow.Event) string {
	text := c.deed(e, c.doer(e))
	if e.Channel == flow.ChannelAPI {
		text += ", by the API"
	}
	if e.Count > 1 {
		text += fmt.Sprintf(", %s until %s", count(e.Count, "time"), moment(e.Last))
	}
	var said []string
	if message, _ := e.Fields[flow.KeyDecisionMessage].(string); message != "" && message != problems(e.Errors) {
		said = append(said, message)
	}
	if message, _ := e.Fields[flow.KeyForwardMessage].(string); message != "" {
		said = append(said, message)
	}
	if len(e.Errors) > 0 {
		said = append(said, problems(e.Errors))
	}
	for _, s := range said {
		text += "\n“" + escape(c.cut(s, maxSaid)) + "”"
	}
	return text
}

// doer names who did something.
func (c *card) doer(e flow.Event) string {
	switch {
	case e.Channel == flow.ChannelSDK:
		return "a rule of the flow"
	case e.Actor.Kind == flow.KindSystem:
		return "the system"
	}
	return mention(e.Actor)
}

// maxSaid is how much of what was said with an event is shown in a timeline.
const maxSaid = 300

// deed is the sentence for an event, without what was said.
func (c *card) deed(e flow.Event, who string) string {
	if e.Failed() || e.Ignored() {
		return c.failure(e, who)
	}
	switch e.Name {
	case flow.EventPrompt:
		return "✏️ " + who + " *opened the form*"
	case flow.EventRequest:
		if c.Asker != nil {
			return "📨 " + mention(*c.Asker) + " *asked* for " + mention(c.Requester)
		}
		return "📨 " + who + " *asked*"
	case flow.EventRequestForward:
		if e.Fields[flow.KeyForwardReason] == string(flow.ActionUndeliverable) {
			return "⏭️ *Passed on*: those asked could not be reached"
		}
		return "⏭️ *Passed on*: nobody decided in time"
	case flow.EventRequestExpire:
		return "⌛ *Expired*: nobody decided in time"
	case flow.EventApprove:
		if e.State == flow.StateInProgress {
			return "☑️ " + who + " *approved*; it needed more approvals"
		}
		if e.Fields[flow.KeyBreakGlass] == true {
			return "🚨 " + who + " *took it without approval*, in an emergency"
		}
		return "✅ " + who + " *approved*"
	case flow.EventDeny:
		if who == "the system" {
			return "⛔ *Closed*: it " + closed(e)
		}
		return "⛔ " + who + " *denied*"
	case flow.EventReview:
		return "👀 " + who + " *reviewed it*"
	case flow.EventCancel:
		return "↩️ " + who + " *withdrew it*"
	case flow.EventEscalate:
		if e.Fields[flow.KeyAgain] == true {
			return "🔓 *Access was granted again*"
		}
		return "🔓 *Access began*"
	case flow.EventExtendRequest:
		return "⏱️ " + who + " *asked for " + moreTime(e) + "*"
	case flow.EventExtend:
		if e.State == flow.StateInProgress {
			return "☑️ " + who + " *approved more time*; it needed more approvals"
		}
		return "⏱️ *Access was extended* " + byWhom(e)
	case flow.EventExtendDeny:
		return "⛔ " + who + " *denied more time*"
	case flow.EventExtendExpire:
		return "⌛ *More time* was not decided before the end"
	case flow.EventDeescalate:
		return "🔒 *Access ended*: " + c.howEnded(e)
	}
	return "▫️ " + safe(string(e.Name))
}

// failure is the sentence for an event that did not take place.
func (c *card) failure(e flow.Event, who string) string {
	switch {
	case missed(e):
		return "⚠️ *Access was gone*: somebody had taken it away at the target"
	case e.Name == flow.EventEscalate:
		return "⚠️ *Granting access failed*"
	case e.Name == flow.EventExtend && e.Count > 0:
		return "⚠️ *The target could not be told* that access ends later"
	case e.Name == flow.EventDeescalate:
		return "⚠️ *Taking access away failed*"
	case e.Name == flow.EventRequestForward:
		return "⚠️ *Could not be passed on*"
	case e.Name == flow.EventRequestExpire:
		return "⚠️ *Should have expired*, but was kept open"
	case e.Name == flow.EventPrompt:
		return "✋ " + who + " *may not ask* with this form"
	}
	what := map[flow.EventName]string{
		flow.EventRequest: "request", flow.EventApprove: "approval", flow.EventDeny: "denial", flow.EventCancel: "withdrawal", flow.EventReview: "review",
		flow.EventExtendRequest: "wish for more time", flow.EventExtend: "approval", flow.EventExtendDeny: "denial",
	}[e.Name]
	return "✋ The " + what + " of " + who + " *did not count*"
}

// took says how long the parts of a request took. It returns "" if none is over.
func (c *card) took() string {
	var parts []string
	asked, _ := c.Last(flow.EventRequest)
	decided, isDecided := c.Decision()
	began, granted := c.Last(flow.EventEscalate)
	ended, over := c.Last(flow.EventDeescalate)
	if isDecided && !asked.At.IsZero() {
		parts = append(parts, "decided "+within(decided.At.Sub(asked.At)))
	}
	if granted && isDecided {
		parts = append(parts, "granted "+within(began.At.Sub(decided.At)))
	}
	if granted && over {
		parts = append(parts, "access for "+about(ended.At.Sub(began.At)))
	}
	return sentence(strings.Join(parts, ", "))
}

// within says how long something took.
func within(d time.Duration) string {
	if d < time.Second {
		return "at once"
	}
	return "in " + about(d)
}
