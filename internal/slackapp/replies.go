package slackapp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// reply tells of an event in the words of those who read it. It has no buttons to act
// with: those are the card's, in whose thread it stands.
func (c *card) reply(e flow.Event) string {
	switch c.message.Kind {
	case workflow.KindOutcome:
		return c.outcome(e)
	case workflow.KindRefused:
		return c.refused(e)
	case workflow.KindError:
		return c.failed(e)
	}
	return c.news(e)
}

// over says, of a failure, that it is: what failed worked at last. It returns "" where
// that is not so.
func (c *card) over(e flow.Event) string {
	if !c.Overcome(e) {
		return ""
	}
	switch tries := c.Tries(e.Name); {
	case missed(e):
		return "It was granted again since."
	case !e.Failed():
		return "It was run again, and worked."
	case e.Name == flow.EventEscalate || e.Name == flow.EventDeescalate:
		return "It worked at the " + ordinal(tries+1) + " attempt."
	}
	return "That is over."
}

// ordinal writes a number as that of one in a row.
func ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}

// news tells those who decide what has happened since.
func (c *card) news(e flow.Event) string {
	text, again := "", ""
	switch {
	case missed(e) && c.several():
		text = "⚠️ *Some of the access is gone*: somebody has taken it away at " + c.target() + "."
	case missed(e):
		text = "⚠️ *The access is gone*: somebody has taken it away at " + c.target() + "."
	case e.Failed() && e.Name == flow.EventEscalate:
		text = "⚠️ *Granting access failed*."
		if c.Status == flow.Approved && !c.Stuck() {
			again = "It is tried again by itself."
		}
	case e.Failed() && e.Name == flow.EventDeescalate:
		text, again = "⚠️ *Taking the access away failed*.", "It is tried again until it works."
	case e.Failed() && e.Name == flow.EventRequestForward:
		text = "⚠️ The request *could not be passed on*."
	case e.Failed() && e.Name == flow.EventRequestExpire:
		text = "⚠️ The request *should have expired*, but a handler of the flow failed. It is still open."
	case e.Failed() && e.Name == flow.EventExtend:
		text = "⚠️ The target *could not be told* that the access ends later, and may end it at the time that it was told before."
	case e.Failed() && aboutMore(e.Name):
		text = "⚠️ An attempt to extend the access *failed*."
	case e.Failed():
		text = "⚠️ An attempt to decide the request *failed*."
	case e.Name == flow.EventExtendRequest:
		text = "⏱️ " + c.toDecide(e) + mention(e.Actor) + " *asks for " + moreTime(e) + "*."
	case e.Name == flow.EventExtend:
		text = "⏱️ *The access was extended* " + byWhom(e) + endsNow(e) + "."
	case e.Name == flow.EventExtendDeny:
		text = "⛔ *More time was denied* " + byWhom(e) + "."
	case e.Name == flow.EventExtendExpire:
		text = "⌛ *More time* was not decided before the end."
	case e.Name == flow.EventReview:
		text = "👀 " + mention(e.Actor) + " *has reviewed* what was done without approval."
	case e.Name == flow.EventEscalate:
		text = "🔓 *Access was granted*."
	case c.givenUp(e):
		text = "🔒 " + mention(e.Actor) + " *gave it up*: access was not granted."
	case e.Name == flow.EventDeescalate:
		text = "🔒 *Access has ended*: " + c.howEnded(e) + "."
	default:
		text = "⚠️ *What was to run after it failed*."
	}
	if over := c.over(e); over != "" {
		if trouble, ok := strings.CutPrefix(text, "⚠️ "); ok {
			text = "✅ " + trouble
		}
		again = over
	}
	c.page.add(section(strings.Join(append([]string{strings.TrimSpace(text + " " + again)}, leftovers(e)...), "\n")))
	var rows []row
	if len(e.Errors) > 0 {
		rows = append(rows, row{"What went wrong", c.value(problems(e.Errors))})
	}
	if message, _ := e.Fields[flow.KeyDecisionMessage].(string); message != "" {
		rows = append(rows, row{"Message", c.value(message)})
	}
	if reason, _ := e.Fields[flow.KeyExtendReason].(string); reason != "" {
		rows = append(rows, row{"Why", c.value(reason)})
	}
	c.page.rows(append(rows, c.warnings(e)...))
	return c.notification(text)
}

// outcome tells the requester that something has happened.
func (c *card) outcome(e flow.Event) string {
	what := "*" + safe(c.what()) + "*"
	text, more := "", []string(nil)
	var rows, answers []row
	if message, _ := e.Fields[flow.KeyDecisionMessage].(string); message != "" {
		rows = append(rows, row{"Message", c.value(message)})
	}
	if reason, _ := e.Fields[flow.KeyExtendReason].(string); reason != "" {
		rows = append(rows, row{"Why", c.value(reason)})
	}
	if reason, _ := e.Fields[flow.FieldNameReason].(string); reason != "" && e.Channel == flow.ChannelSDK {
		rows = append(rows, row{"Reason of the rule", c.value(reason)})
	}
	said := !e.Failed() && c.Overcome(e) || e.Fields[flow.KeyDecisionMessage] == problems(e.Errors) || e.Name == flow.EventEscalate && c.failedParts()
	if len(e.Errors) > 0 && !said {
		rows = append(rows, row{"What went wrong", c.value(problems(e.Errors))})
	}
	switch {
	case missed(e) && c.several():
		text = "⚠️ Some of your access to " + what + " *is not there any more*: somebody has taken it away at the target."
	case missed(e):
		text = "⚠️ Your access to " + what + " *is not there any more*: somebody has taken it away at the target."
	case e.Failed() && e.Name == flow.EventEscalate && c.several() && !(c.Status == flow.Approved && c.Stuck()):
		text = "⚠️ Your request for " + what + " was approved, but *granting some of it failed*."
	case e.Failed() && e.Name == flow.EventEscalate:
		text = "⚠️ Your request for " + what + " was approved, but *granting access failed*."
	case e.Failed() && e.Name == flow.EventDeescalate:
		text = "⚠️ *Taking your access* to " + what + " *away failed*. It is tried again until it works."
	case e.Failed() && e.Name == flow.EventRequestForward && c.byHandler(e):
		text = "⚠️ Your request for " + what + " should have been passed on to the next to decide, but *a handler of the flow failed*. It is still open."
	case e.Failed() && e.Name == flow.EventRequestForward:
		text = "⚠️ Your request for " + what + " *could not be delivered*, so that nobody can decide it yet."
	case e.Failed() && e.Name == flow.EventRequest && e.Errors[0].Code == flow.CodeLookup:
		text = "⏳ Your request for " + what + " *has not been sent yet*. It is tried again by itself, for a day."
	case e.Failed() && e.Name == flow.EventRequest && e.Errors[0].Code == flow.CodeLookupRefused:
		text = "⚠️ Your request for " + what + " *could not be sent*. Press Retry once it is repaired."
	case e.Failed() && e.Name == flow.EventRequest:
		text = "⚠️ Your request for " + what + " *could not be sent*: a handler of the flow failed."
	case e.Failed() && e.Name == flow.EventRequestExpire:
		text = "⚠️ Your request for " + what + " *should have expired*, but a handler of the flow failed. It is still open."
	case e.Failed() && e.Name == flow.EventExtend:
		text = "⚠️ Your access to " + what + " was extended, but the target *could not be told* when it ends now, and may end it at the time that it was told before."
	case e.Failed() && aboutMore(e.Name):
		text = "⚠️ An attempt to extend your access to " + what + " *failed*."
	case e.Failed():
		text = "⚠️ An attempt to decide your request for " + what + " *failed*."
		if c.Status == flow.Requested {
			text += " It is still open."
		}
	case e.Name == flow.EventRequest:
		text = "📨 Your request for " + what + " has been sent."
	case e.Name == flow.EventRequestForward:
		text = "⏭️ Your request for " + what + " has been passed on to the next to decide."
	case e.Name == flow.EventApprove && e.State != flow.StateCompleted:
		text = "☑️ " + mention(e.Actor) + " approved your request for " + what + ". It needs more approvals."
	case e.Name == flow.EventApprove && len(e.Errors) > 0 && !c.Overcome(e):
		text = "⚠️ " + mention(e.Actor) + " *approved* your request for " + what + ", but what was to run then *failed*."
	case e.Name == flow.EventApprove && e.Channel == flow.ChannelSDK && len(e.Errors) == 0:
		text = "✅ A rule of the flow *approved* your request for " + what + "."
		answers = c.results(e)
	case e.Name == flow.EventApprove && c.broke():
		text = "🚨 You *took access* to " + what + " *without approval*, in an emergency. Everybody who could have approved it is told."
	case e.Name == flow.EventApprove:
		text = "✅ " + mention(e.Actor) + " *approved* your request for " + what + "."
		if e.At.Before(c.StartAt) {
			text += " *Access starts* " + moment(c.StartAt) + "."
		}
		answers = c.results(e)
	case e.Name == flow.EventDeny && e.Channel == flow.ChannelSDK:
		text = "⛔ A rule of the flow *denied* your request for " + what + "."
	case e.Name == flow.EventDeny && e.Actor.Kind == flow.KindSystem:
		text = "⛔ Your request for " + what + " *" + closed(e) + "*, and was closed."
	case e.Name == flow.EventDeny:
		text = "⛔ " + mention(e.Actor) + " *denied* your request for " + what + "."
	case e.Name == flow.EventRequestExpire && len(e.Errors) > 0:
		text = "⌛ Your request for " + what + " *expired*: it could not be delivered, so that nobody has seen it. You may ask again."
	case e.Name == flow.EventRequestExpire:
		text = "⌛ Your request for " + what + " *expired*: nobody decided in time. You may ask again."
	case e.Name == flow.EventReview:
		text = "👀 " + mention(e.Actor) + " *reviewed* your access to " + what + ", which you had without approval."
	case e.Name == flow.EventCancel && c.wasApproved() && !e.Actor.Is(c.Requester):
		text = "↩️ " + mention(e.Actor) + " *cancelled* your access to " + what + ", before it began."
	case e.Name == flow.EventCancel:
		text = "↩️ Your request for " + what + " was withdrawn."
	case e.Name == flow.EventEscalate:
		text = "🔓 Your request for " + what + " was approved by " + c.approvers() + ". "
		if c.broke() {
			text = "🚨 You took access to " + what + " without approval, in an emergency. "
		}
		text += "*You have access* "
		if some := c.live(); some != "" {
			text += "to " + some + ", "
		}
		text += until(expiry(e))
		rows = append(rows, c.warnings(e)...)
	case e.Name == flow.EventExtendRequest:
		text = "⏱️ " + mention(e.Actor) + " asked for " + moreTime(e) + " of access to " + what + "."
	case e.Name == flow.EventExtend && e.State == flow.StateInProgress:
		text = "☑️ " + mention(e.Actor) + " approved more time for your access to " + what + ". It needs more approvals."
	case e.Name == flow.EventExtend:
		text = "⏱️ *Your access* to " + what + " *was extended* " + byWhom(e) + endsNow(e) + "."
	case e.Name == flow.EventExtendDeny && e.Channel == flow.ChannelSDK:
		text = "⛔ A rule of the flow *denied* more time for your access to " + what + ". It ends when it was to end."
	case e.Name == flow.EventExtendDeny:
		text = "⛔ " + mention(e.Actor) + " *denied* more time for your access to " + what + ". It ends when it was to end."
	case e.Name == flow.EventExtendExpire:
		text = "⌛ More time for your access to " + what + " was asked for, and nobody decided before its end."
	case c.givenUp(e):
		text = "🔒 Your access to " + what + " was not granted: " + c.gaveUp(e) + "."
	case e.Name == flow.EventDeescalate:
		text = "🔒 *Your access* to " + what + " *is over*: " + c.howEnded(e) + "."
		more = leftovers(e)
		rows = append(rows, c.warnings(e)...)
	default:
		text = "Your request for " + what + ": " + safe(string(e.Name)) + "."
	}
	c.page.add(section(strings.Join(append([]string{text}, more...), "\n")))
	c.page.rows(rows)
	if e.Name == flow.EventEscalate {
		c.targets()
	}
	if len(answers) > 0 {
		c.page.add(section("*Result*"))
		c.page.rows(answers)
	}
	return c.notification(text)
}

// notification is a sentence of ours for where mentions are not shown.
func (c *card) notification(s string) string {
	for _, e := range c.Events {
		s = strings.ReplaceAll(s, mention(e.Actor), safe(e.Actor.Display()))
	}
	if i := strings.Index(s, "<!date^"); i >= 0 { // the fallback of the date stands after the bar
		if from, to := strings.IndexByte(s[i:], '|'), strings.IndexByte(s[i:], '>'); from > 0 && to > from {
			s = s[:i] + s[i+from+1:i+to] + s[i+to+1:]
		}
	}
	return plainly(s)
}

// results shows what customers' functions answered: requesters of a flow that
// runs something want to see what came of it. An object is a table, in the
// order in which the function wrote it. Where there are two functions, the
// labels say whose answer it is.
func (c *card) results(e flow.Event) []row {
	functions := members(e.Output)
	var out []row
	for _, f := range functions {
		rows := members(f.value)
		if rows == nil && string(f.value) != "null" {
			rows = []member{{"answer", f.value}}
		}
		for _, r := range rows {
			label := r.name
			if len(functions) > 1 {
				label = f.name + ": " + label
			}
			out = append(out, row{label, c.value(legible(r.value))})
		}
	}
	return out
}

// member is a name and its value in a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads a JSON object in its own order. It returns nil for other JSON.
func members(object json.RawMessage) []member {
	dec := json.NewDecoder(bytes.NewReader(object))
	if brace, err := dec.Token(); err != nil || brace != json.Delim('{') {
		return nil
	}
	out := []member{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil
		}
		m := member{name: fmt.Sprint(name)}
		if err := dec.Decode(&m.value); err != nil {
			return nil
		}
		out = append(out, m)
	}
	return out
}

// legible writes text as it is, and any other JSON as JSON.
func legible(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && string(value) != "null" {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return string(value)
	}
	return b.String()
}

func (c *card) warnings(e flow.Event) []row {
	if w := texts(e.Fields[flow.KeyWarnings]); len(w) > 0 {
		return []row{{"Warnings", c.value(strings.Join(w, "\n"))}}
	}
	return nil
}

// refused tells a person that their click did not count, and why.
func (c *card) refused(e flow.Event) string {
	deed := map[flow.EventName]string{
		flow.EventRequest: "Your request", flow.EventApprove: "Your approval", flow.EventDeny: "Your denial", flow.EventCancel: "Your withdrawal",
		flow.EventExtendRequest: "Your wish for more time", flow.EventExtend: "Your approval", flow.EventExtendDeny: "Your denial",
		flow.EventReview: "Your review",
	}[e.Name]
	if deed == "" {
		deed = "Your click"
	}
	text := "✋ *" + deed + " did not count*: the request of " + c.whose() + " for " + c.wish() + "."
	if e.Name == flow.EventApprove && len(e.Errors) == 0 {
		return c.voided(e)
	}
	c.page.add(section(text))
	if len(e.Errors) > 0 {
		c.page.add(slack.NewSectionBlock(c.value(sentence(problems(e.Errors))), nil, nil))
	}
	return deed + " did not count: " + escape(sentence(fit(problems(e.Errors), maxInline)))
}

// byHandler tells whether an event's error is a handler's fault.
func (c *card) byHandler(e flow.Event) bool {
	return slices.ContainsFunc(e.Errors, func(f flow.Failure) bool { return f.Handler != "" })
}

// missed tells whether the event is that access has gone missing at its target.
func missed(e flow.Event) bool {
	return e.Failed() && e.Errors[0].Code == flow.CodeMissing
}

// step names what failed, for the error channel.
func (c *card) step(e flow.Event) string {
	step := map[flow.EventName]string{
		flow.EventEscalate: "Granting access failed", flow.EventDeescalate: "Taking access away failed",
		flow.EventExtend:        "A target can't be told that access ends later",
		flow.EventExtendRequest: "Extending access failed", flow.EventExtendDeny: "Extending access failed", flow.EventExtendExpire: "Extending access failed",
		flow.EventRequestForward: "A request can't be delivered", flow.EventApprove: "A function at an approval failed",
	}[e.Name]
	if c.byHandler(e) && (!e.Failed() || e.Name == flow.EventRequestForward || step == "" || e.Name == flow.EventApprove) {
		step = "A handler failed"
	}
	if missed(e) {
		step = "Access has gone missing"
	}
	return cmp.Or(step, "A request ran into an error")
}

// details are what an administrator wants to know of a failure.
func (c *card) details(e flow.Event) []row {
	rows := []row{{"Step", plain(string(e.Name), maxValue)}, {"Since", mrkdwn(moment(e.At), maxValue)}}
	for _, f := range e.Errors {
		rows = append(rows, row{"Error", c.value(f.Message)}, row{"Code", plain(string(f.Code), maxValue)})
	}
	return rows
}

// failed tells the error channel of one more failure of a run.
func (c *card) failed(e flow.Event) string {
	step := c.step(e)
	text := "⚠️ *" + step + "*"
	if over := c.over(e); over != "" {
		text = "✅ *" + step + "*. " + over
	}
	c.page.add(section(text))
	c.page.rows(c.details(e))
	return step + ": " + safe(c.what()) + " for " + safe(c.Requester.Display())
}

// trouble is the card in the error channel: what failed last, and how it stands.
func (c *card) trouble() string {
	var last flow.Event
	open := false
	for _, e := range c.Events {
		if over := c.Overcome(e) || c.Final() && !slices.Contains(c.StuckAfter(), e.ID); workflow.IsTrouble(e) && (!over || !open) {
			last, open = e, !over
		}
	}
	step := c.step(last)
	title := "⚠️ " + step
	if !open {
		title = "✅ Over: " + strings.ToLower(step[:1]) + step[1:]
	}
	c.page.add(slack.NewHeaderBlock(plain(title, maxHeader)))
	rows := []row{
		{"Flow", plain(c.FlowTitle, maxValue)},
		{"Requester", plain(c.Requester.Display(), maxValue)},
	}
	if c.Owner != nil {
		rows = append(rows, row{"Token", plain("of "+cmp.Or(c.Owner.Email, c.Owner.Display()), maxValue)})
	}
	if given := c.GivenTarget(); given != nil {
		rows = append(rows, row{"Target", plain(given.Title(), maxValue)})
	}
	c.page.rows(append(rows, c.details(last)...))
	c.page.add(section("*Now*\n" + c.state()))
	c.targets()
	c.buttons(flow.SideAdmins)
	return step + ": " + safe(c.what()) + " for " + safe(c.Requester.Display())
}
