package slackapp

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/workflow"
)

// Render writes one of a run's messages as the run is now: a JSON object of
// the text (for notifications and readers that can't show blocks) and the
// blocks. It depends on its arguments only. What people wrote is in it as
// plain text, which can't mention anybody or link anywhere. The error is about
// messages that the run does not have.
func Render(m workflow.Message, r flow.Run) ([]byte, error) {
	if m.Kind == workflow.KindStep {
		return stepOutputs(r)
	}
	c := card{message: m, Run: r}
	var text string
	switch m.Kind {
	case workflow.KindRequest:
		text = c.request()
	case workflow.KindStatus, workflow.KindAsker:
		text = c.status()
	case workflow.KindTrouble:
		if !slices.ContainsFunc(r.Events, workflow.IsTrouble) {
			return nil, fmt.Errorf("nothing has failed in run %s", r.ID)
		}
		text = c.trouble()
	case workflow.KindTold, workflow.KindOutcome, workflow.KindRefused, workflow.KindError:
		if m.Mark != "" {
			var err error
			if text, err = c.reminder(m.Mark); err != nil {
				return nil, fmt.Errorf("run %s: %w", r.ID, err)
			}
			break
		}
		e, ok := r.Event(m.EventID)
		if !ok {
			return nil, fmt.Errorf("run %s has no event %s", r.ID, m.EventID)
		}
		text = c.reply(e)
	default:
		return nil, fmt.Errorf("%q is no kind of message", m.Kind)
	}
	c.showAll()
	c.page.context(plain(requestLine+shortID(r), maxText))
	return c.page.message(text)
}

// requestLine begins the line by which a message says which run it shows.
const requestLine = "Request "

// card is a message of a run while it is written.
type card struct {
	flow.Run
	message workflow.Message
	page    page
	whole   bool // nothing that people wrote is cut
	offered bool // it says already that some of it is cut
}

// what names the thing that is asked for, or given in its place.
func (c *card) what() string {
	if given := c.GivenTarget(); given != nil {
		return given.Title()
	}
	return c.FlowTitle
}

// wish names the thing that is asked for, and for how long.
func (c *card) wish() string {
	s := "*" + safe(c.what()) + "*"
	if c.Target != nil {
		s = "*" + safe(c.Target.Title()) + "*"
	}
	if c.several() {
		s += " (" + count(c.many(), "target") + ")"
	}
	switch {
	case c.ApprovalOnly:
		return "approval of " + s
	case c.DurationSeconds > 0:
		return "access to " + s + " for *" + flow.Words(c.Duration()) + "*"
	}
	return "access to " + s + " until it is ended"
}

// below is the wish below a header that names the flow.
func (c *card) below() string {
	if c.ApprovalOnly && c.Target == nil {
		return "approval"
	}
	return c.wish()
}

// plainly turns formatted text of ours into the text of a notification.
func plainly(s string) string { return strings.ReplaceAll(s, "*", "") }

// request is the message to those who decide.
func (c *card) request() string {
	c.page.add(slack.NewHeaderBlock(plain(c.FlowTitle, maxHeader)))
	asked := c.asks("asks for "+c.below()) + "."
	switch {
	case c.ByAgent(), c.OnBehalf():
	case c.Asker != nil && c.Owner != nil:
		asked += " Sent by " + mention(*c.Asker) + " (" + c.token() + ")."
	case c.Asker != nil:
		asked += " Sent by " + mention(*c.Asker) + "."
	case c.Owner != nil:
		asked += " Sent with the " + c.token() + "."
	}
	if c.broke() {
		asked = "🚨 *Emergency*: " + asked
	}
	c.page.add(section(asked + c.changes() + c.begins()))
	c.purpose()
	c.values()
	c.context()
	c.end()
	text := c.whoAsks() + " asks for " + plainly(c.wish()) + ": " + c.word()
	if c.broke() {
		text = "🚨 Emergency: " + text
	}
	if passed := c.passed(); passed != "" {
		c.page.add(section(passed))
		return text
	}
	c.page.add(section(c.state()))
	c.targets()
	c.answered()
	if c.Status == flow.Requested {
		c.deciders()
		if c.Form.IncludeDecision {
			in := &slack.PlainTextInputBlockElement{
				Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: maxInput, Multiline: true,
				Placeholder: plain("For the requester, and for the record", maxPlaceholder),
			}
			c.page.add(slack.NewInputBlock(blockDecision, plain("Decision message", maxLabel), nil, in).WithOptional(true))
		}
	}
	if c.message.Tier == c.Tier { // earlier ones are asked no more
		c.buttons(c.side())
	}
	return text
}

// context is what those who decide should know beside what was asked: what the target
// is, and the past of the requester.
func (c *card) context() {
	var lines []string
	if t := c.GivenTarget(); t != nil {
		var is []string
		for _, s := range t.Told {
			if value := t.Settings[s.Setting]; value != "" && !slices.Contains(t.FieldBindings, s.Setting) { // else a field has it
				is = append(is, safe(s.Label)+" "+safe(lastPart(value)))
			}
		}
		if len(is) > 0 {
			lines = append(lines, "*"+safe(t.Title())+"*: "+strings.Join(is, ", "))
		}
	}
	if c.Past != nil && !c.broke() {
		lines = append(lines, c.before())
	}
	if c.Past != nil && len(c.Past.Live) > 0 {
		var has []string
		for _, title := range c.Past.Live {
			has = append(has, safe(title))
		}
		lines = append(lines, "Had access then also to "+enumerate(has)+".")
	}
	if len(lines) > 0 {
		c.page.context(mrkdwn(strings.Join(lines, "\n"), maxText))
	}
}

// lastPart is what people read of an ARN: what it names.
func lastPart(value string) string {
	if strings.HasPrefix(value, "arn:") {
		return value[strings.LastIndexAny(value, "/:")+1:]
	}
	return value
}

// before says how often the requester asked for the same before.
func (c *card) before() string {
	p := c.Past
	if p.Times == 0 && p.More {
		return "Not asked for among their latest requests."
	}
	if p.Times == 0 {
		return fmt.Sprintf("First request for this in %d days.", flow.PastDays)
	}
	often := count(p.Times, "earlier request")
	if p.More {
		often = "At least " + often
	}
	word := map[flow.CameTo]string{
		flow.CameToOnTime: "access ended on time", flow.CameToByHand: "access was ended by hand",
		flow.CameTo(flow.Requested): "not decided yet", flow.CameTo(flow.Escalated): "access was live",
		flow.CameTo(flow.Expired): "nobody decided", flow.CameTo(flow.Cancelled): "withdrawn",
	}[p.CameTo]
	return fmt.Sprintf("%s for this in %d days, the last %s: %s.", often, flow.PastDays, moment(p.Last), cmp.Or(word, string(p.CameTo)))
}

// answered shows what came of what ran with the approval.
func (c *card) answered() {
	e, ok := c.Last(flow.EventApprove)
	if rows := c.results(e); ok && len(rows) > 0 {
		c.page.add(section("*Result*"))
		c.page.rows(rows)
	}
}

// side is who a card to those who decide is for: the requester may be the only one
// who is asked.
func (c *card) side() flow.Side {
	if c.message.Tier < len(c.Tiers) {
		to := c.Tiers[c.message.Tier].Recipients()
		if i := c.message.Copy; i < len(to) && len(to[i].Users) == 1 && to[i].Users[0].Is(c.Requester) {
			return flow.SideDeciders | flow.SideRequester
		}
	}
	return flow.SideDeciders
}

// end says what is to be known of the end of access: what else happens then, and for
// how long sessions may go on, as was known when it was asked for.
func (c *card) end() {
	if given := c.GivenTarget(); given != nil && given.Caution != "" {
		c.page.add(slack.NewContextBlock("", plain(given.Caution, maxText)))
	}
	if c.Lingers > 0 {
		c.page.add(slack.NewContextBlock("", plain(sessionsFor(time.Duration(c.Lingers)*time.Second), maxText)))
	}
}

// token says whose token asked. It mentions nobody: owners need not be told of
// all that is asked for with their tokens.
func (c *card) token() string { return "token of " + safe(cmp.Or(c.Owner.Email, c.Owner.Display())) }

// status is the message to the requester that shows where the request stands.
func (c *card) status() string {
	c.page.add(slack.NewHeaderBlock(plain(c.FlowTitle, maxHeader)))
	c.page.add(section(c.yours() + c.changes() + c.begins()))
	c.purpose()
	c.values()
	c.end()
	c.page.add(section(c.state()))
	c.targets()
	if c.Status == flow.Requested {
		c.deciders()
	}
	c.buttons(flow.SideRequester)
	return "Your request for " + plainly(c.wish()) + ": " + c.word()
}

// agent is the name of the agent that asked.
func (c *card) agent() string { return safe(c.Asker.Display()) }

// asks begins a sentence with who asks, and ends it with for whom, where that is somebody
// else: nobody is to decide on what an agent asks for and take it for a person's request.
func (c *card) asks(what string) string {
	switch {
	case c.ByAgent():
		return "🤖 *Agent " + c.agent() + "* " + what + ", for " + mention(c.Requester)
	case c.OnBehalf():
		return mention(*c.Asker) + " " + what + ", for " + mention(c.Requester)
	}
	return mention(c.Requester) + " " + what
}

// whose names who asked in the middle of a sentence.
func (c *card) whose() string {
	if c.ByAgent() {
		return mention(*c.Asker) + ", for " + mention(c.Requester) + ","
	}
	return mention(c.Requester)
}

// whoAsks is who sent the request, in a notification.
func (c *card) whoAsks() string {
	if c.ByAgent() {
		return "Agent " + c.agent() + ", for " + safe(c.Requester.Display()) + ","
	}
	return safe(c.Requester.Display())
}

// purpose shows what an agent says it asks for that for. It is text, whatever is in it.
func (c *card) purpose() {
	if c.ByAgent() && c.Agent.Purpose != "" {
		c.page.rows([]row{{"Purpose, as the agent says", plain(c.Agent.Purpose, maxValue)}})
	}
}

// fields lists what the form had, the target and the duration excepted, which
// the sentence before has, and those left out. The reason comes first.
func (c *card) fields(leftOut ...string) []row {
	var out []row
	add := func(f flow.FormField) {
		value, ok := c.Fields[f.Name]
		if !ok || slices.Contains(leftOut, f.Name) || !c.ApprovalOnly && (f.Name == flow.FieldNameTarget || f.Name == flow.FieldNameDuration) {
			return
		}
		r := row{label: f.Title, value: c.shown(f, value)}
		if f.Name == flow.FieldNameReason {
			out = slices.Insert(out, 0, r)
			return
		}
		out = append(out, r)
	}
	for _, f := range c.Form.Fields {
		add(f)
	}
	identity := c.Identity
	if c.Access != nil && !strings.EqualFold(c.Access.Identity, c.Requester.Email) {
		identity = c.Access.Identity
	}
	if identity != "" { // whoever decides should know whose access it will be
		out = append(out, row{label: "Identity", value: plain(identity, maxValue)})
	}
	return out
}

// shown writes a field's value. People who were chosen from Slack's list are
// mentioned: their ids say nothing to a reader. What was chosen from options is named
// as the form named it. All else is plain text.
func (c *card) shown(f flow.FormField, value any) *slack.TextBlockObject {
	switch f.Type {
	case flow.FieldSlackUser, flow.FieldSlackUserList:
		var people []flow.Actor
		for _, id := range texts(value) {
			people = append(people, flow.Actor{SlackID: id})
		}
		if len(people) > 0 {
			return mrkdwn(mentions(people), maxValue)
		}
	case flow.FieldBool:
		if value == true {
			return plain("Yes", maxValue)
		}
		return plain("No", maxValue)
	case flow.FieldDuration:
		if s, err := strconv.ParseInt(strings.Join(texts(value), ""), 10, 64); err == nil && s < int64(10*365*24*time.Hour/time.Second) {
			return plain(flow.Words(time.Duration(s)*time.Second), maxValue)
		}
	}
	var names []string
	for _, v := range texts(value) {
		names = append(names, cmp.Or(f.Labels[v], v))
	}
	return c.value(strings.Join(names, ", "))
}

// texts writes a value, or each of a list, as text. Values come normalised, or
// as JSON has them once they were stored.
func texts(value any) []string {
	switch value := value.(type) {
	case nil:
		return nil
	case string:
		return []string{value}
	case []string:
		return value
	case float64:
		return []string{strconv.FormatFloat(value, 'f', -1, 64)}
	case []any:
		var out []string
		for _, one := range value {
			out = append(out, texts(one)...)
		}
		return out
	case []int64:
		var out []string
		for _, one := range value {
			out = append(out, strconv.FormatInt(one, 10))
		}
		return out
	}
	return []string{fmt.Sprint(value)}
}

// said lists the decision messages of the run, and its errors.
func (c *card) said() []row {
	var out []row
	for _, e := range c.Events {
		if e.Failed() || e.Ignored() {
			continue
		}
		if message, _ := e.Fields[flow.KeyDecisionMessage].(string); message != "" {
			label := "Message of " + e.Actor.Display()
			if e.Actor.Kind == flow.KindSystem {
				label = "Decision"
			}
			out = append(out, row{label, c.value(message)})
		}
		if reason, _ := e.Fields[flow.FieldNameReason].(string); reason != "" && e.Channel == flow.ChannelSDK {
			out = append(out, row{"Reason of the rule", c.value(reason)})
		}
		if e.Name == flow.EventApprove && e.State == flow.StateCompleted && len(e.Errors) > 0 && !c.Overcome(e) {
			out = append(out, row{"What went wrong", c.value(problems(e.Errors))})
		}
	}
	if c.Error != nil && !c.Missing() && !c.failedParts() { // which the state says
		out = append(out, row{"What went wrong", c.value(withoutCode(c.Error.Message))})
	}
	return out
}

// What errors of handlers tell those who wrote them: the line, and the class of the
// exception. The error channel has both, and so have the records.
var (
	handlerLine    = pattern.Of(`^([\w:]+) \([^()]+:\d+\): `)
	fileLine       = pattern.Of(`^[^()\s]+\.py(:\d+)?: `)
	exceptionClass = pattern.Of(`^[A-Za-z_][\w.]*(Error|Exception|Warning|Exit|Interrupt): `)
)

// withoutCode is an error as people in conversations read it: which handler it was, and
// what it said, but nothing of its code.
func withoutCode(message string) string {
	m := handlerLine.FindStringSubmatch(message)
	if file := fileLine.FindString(message); file != "" { // what the file does when it is loaded
		m = []string{file, "the flow's own code"}
	}
	if m == nil {
		return message
	}
	return m[1] + ": " + exceptionClass.ReplaceAllString(message[len(m[0]):], "")
}

func problems(errs []flow.Failure) string {
	var out []string
	for _, e := range errs {
		out = append(out, withoutCode(e.Message))
	}
	return strings.Join(out, "\n")
}

// passed says in a tier's message that others are asked now. It returns ""
// while the tier is being asked.
func (c *card) passed() string {
	if c.message.Kind != workflow.KindRequest || c.Status != flow.Requested || c.message.Tier == c.Tier || c.Tier >= len(c.Tiers) {
		return ""
	}
	return "⏭️ *Passed on* – now asked: " + asked(c.Tiers[c.Tier]) + "."
}

// asked names the people whom a tier asks, without mentions: people who are not
// asked yet should not be notified.
func asked(t flow.Tier) string {
	var names []string
	for _, to := range t.Recipients() {
		switch {
		case channelIDPattern.MatchString(to.Channel):
			names = append(names, "<#"+to.Channel+">")
		case to.Channel != "":
			names = append(names, safe(to.Channel))
		}
		for _, a := range to.Users {
			names = append(names, safe(a.Display()))
		}
	}
	if len(names) == 0 {
		return "nobody that Slack knows"
	}
	return enumerate(names)
}

// state says where the run stands: who did what when, and what comes next.
func (c *card) state() string {
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	decision, _ := c.Decision()
	switch c.Status {
	case flow.Prompted:
		if c.Error != nil && !c.Error.RetryAt.IsZero() {
			line("⏳ *Not sent yet*: %s. It is tried again by itself.", escape(c.cut(strings.TrimSuffix(withoutCode(c.Error.Message), "."), maxInline)))
			break
		}
		if c.Error != nil {
			line("⚠️ *Could not be sent*. Press Retry once the flow is repaired, or ask again.")
			break
		}
		line("✏️ *Not sent yet*")
	case flow.Requested:
		line("🟡 *Waiting for a decision*%s", c.counted())
		c.whatNext(line)
	case flow.Approved:
		line("%s, %s", c.approval(), moment(decision.At))
		if !c.ApprovalOnly {
			c.granting(line)
		}
	case flow.Denied:
		if decision.Channel == flow.ChannelSDK {
			line("⛔ *Denied* by a rule of the flow, %s", moment(decision.At))
		} else if decision.Actor.Kind == flow.KindSystem {
			line("⛔ It *%s*, and was closed, %s", closed(decision), moment(decision.At))
		} else {
			line("⛔ *Denied* by %s, %s", mention(decision.Actor), moment(decision.At))
		}
	case flow.Expired:
		if len(decision.Errors) > 0 {
			line("⌛ *Expired* – it could not be delivered, %s", moment(decision.At))
			break
		}
		line("⌛ *Expired* – nobody decided in time, %s", moment(decision.At))
	case flow.Cancelled:
		line("↩️ *Withdrawn* by %s, %s", mention(decision.Actor), moment(decision.At))
	case flow.Escalated:
		line("%s, %s", c.approval(), moment(decision.At))
		switch {
		case c.ending(line):
		case c.Missing() && c.several():
			line("⚠️ *Some of the access is not there any more*: somebody has taken it away at %s. The approver and admins can have it granted again, to end as before.", c.target())
			line("🔓 *%s live* %s", c.live(), c.until())
		case c.Missing():
			line("⚠️ *The access is not there any more*: somebody has taken it away at %s. The approver and admins can have it granted again, to end as before.", c.target())
		case !c.Access.Lingering.IsZero():
			line("⏳ *The access is still there*, though it was to be gone. It is being taken away.")
		case c.Short():
			line("🔓 *Access is live* to %s, %s Retry grants the others.", c.live(), c.until())
		default:
			line("🔓 *Access is live* %s", c.until())
		}
		if x := c.Deciding(c.Touched); x != nil {
			line("⏱️ %s", c.wished(*x))
		}
	case flow.Deescalated:
		line("%s, %s", c.approval(), moment(decision.At))
		if e, ok := c.Last(flow.EventDeescalate); ok && c.givenUp(e) {
			line("🔒 *Not granted* – %s, %s", c.gaveUp(e), moment(e.At))
			lines = append(lines, leftovers(e)...)
		} else if ok {
			line("🔒 *Access has ended* – %s, %s", c.howEnded(e), moment(e.At))
			lines = append(lines, leftovers(e)...)
		}
		if review := c.review(); review != "" {
			lines = append(lines, review)
		}
	}
	if len(c.StuckAfter()) > 0 {
		line("⚠️ *What was to run after it failed*. Retry runs it again.")
	}
	return strings.Join(lines, "\n")
}

// closed says what is the matter with a request that the system denied. Why,
// stands beside it.
func closed(e flow.Event) string {
	for _, f := range e.Errors {
		switch f.Code {
		case flow.CodeIneligible, flow.CodeWithdrawn:
			return "can't be granted any more"
		}
	}
	return "can't be approved by anybody"
}

// counted tells how many approvals there are of several.
func (c *card) counted() string {
	if c.Deciders.Required < 2 {
		return ""
	}
	s := fmt.Sprintf(" – %d of %d approvals", len(c.Approvals), c.Deciders.Required)
	if len(c.Approvals) > 0 {
		s += ": " + c.approvers()
	}
	return s
}

// approval says who approved.
func (c *card) approval() string {
	if c.broke() {
		return "🚨 " + mention(c.Requester) + " *took it without approval*, in an emergency: " + count(c.BreakGlass.Skipped, "approval") + " skipped"
	}
	return "✅ *Approved* by " + c.approvers()
}

func (c *card) approvers() string {
	if e, ok := c.Last(flow.EventApprove); ok && e.Channel == flow.ChannelSDK {
		return "a rule of the flow"
	}
	if len(c.Approvals) == 0 {
		return mention(c.Approver())
	}
	var people []flow.Actor
	for _, a := range c.Approvals {
		people = append(people, a.Actor)
	}
	return mentions(people)
}

// whatNext says what an open request waits for.
func (c *card) whatNext(line func(string, ...any)) {
	c.processed(line)
	if c.Tier >= len(c.Tiers) {
		return
	}
	now := c.Tiers[c.Tier]
	if c.Error != nil && c.Error.SignalID != "" {
		line("⚠️ *A handler of the flow failed* (%s). The request stays open; press Retry once the handler can work.", safe(c.Error.Handler))
		return
	}
	if c.Error != nil {
		line("⚠️ *Nobody has been told of it*: %s could not be reached. Repair that and press Retry.", asked(now))
	} else if c.message.Kind == workflow.KindStatus {
		line("Asked: %s.", asked(now))
	}
	switch {
	case now.Ends().IsZero():
	case c.Tier+1 < len(c.Tiers):
		line("If nobody decides, %s will be asked %s.", asked(c.Tiers[c.Tier+1]), moment(now.Ends()))
	default:
		line("If nobody decides, it expires %s.", moment(now.Ends()))
	}
}

// processed names the decisions that have come and are still to be taken.
func (c *card) processed(line func(string, ...any)) {
	for _, s := range c.Signals {
		switch s.Action {
		case flow.ActionApprove, flow.ActionDeny, flow.ActionCancel:
			line("⏳ %s by %s is being processed.", map[flow.Action]string{
				flow.ActionApprove: "The approval", flow.ActionDeny: "The denial", flow.ActionCancel: "The withdrawal",
			}[s.Action], mention(s.Actor))
		}
	}
}

// granting says how far the grant after the approval is.
func (c *card) granting(line func(string, ...any)) {
	c.processed(line)
	switch {
	case c.ending(line):
	case c.AwaitsStart():
		line("🗓️ *Access starts* %s.", moment(c.StartAt))
	case c.PutOff(flow.EventEscalate) && c.Error == nil:
		line("⏳ *%s does not answer*, since %s. Access is granted when it does: that is looked at every few minutes, for a quarter of an hour.", c.target(), moment(c.Postponed.Since))
	case c.PutOff(flow.EventEscalate):
		line("⚠️ *Granting access failed* (%s), and %s does not answer. It is tried again within minutes.", c.attempts(), c.target())
	case c.WaitsForTarget(flow.EventEscalate) != nil && c.WaitsForTarget(flow.EventEscalate).Todo:
		line("👉 *Something is left to do for %s*: %s Access begins after that; it is looked at every few minutes.", mention(c.Requester), escape(sentence(c.WaitsForTarget(flow.EventEscalate).Text)))
	case c.WaitsForTarget(flow.EventEscalate) != nil && c.several() && c.Access != nil: // each says what it waits for
		line("⏳ Access is being granted, to %s so far.", cmp.Or(c.live(), "all"))
	case c.WaitsForTarget(flow.EventEscalate) != nil:
		line("⏳ Access is being granted. %s", escape(c.WaitsForTarget(flow.EventEscalate).Text))
	case c.Error == nil && c.Access.Live() && !c.Access.BusyUntil.IsZero():
		line("⏳ Another request is changing the same access. This one waits for it, until %s at the latest.", moment(c.Access.BusyUntil))
	case c.Error == nil:
		line("⏳ Access is being granted.")
	case c.Stuck():
		line("⚠️ *Granting access failed* (%s). Press Retry once it is repaired.", c.attempts())
	default:
		line("⚠️ *Granting access failed* (%s). It is tried again %s.", c.attempts(), moment(c.Error.RetryAt))
	}
}

// ending says how far the removal is. It returns false if it has not begun.
func (c *card) ending(line func(string, ...any)) bool {
	asker, asked := c.EndAsked()
	sick := c.PutOff(flow.EventDeescalate)
	failed := c.Error != nil && c.Error.Step == flow.EventDeescalate
	switch {
	case sick && failed:
		line("⚠️ *Taking the access away failed* (%s), and %s does not answer. It is tried again every few minutes, and until it works.", c.attempts(), c.target())
	case sick && asked:
		line("⏳ *Ended* by %s, but %s does not answer, since %s. The access is taken away when it does: that is looked at every few minutes.", mention(asker.Actor), c.target(), moment(c.Postponed.Since))
	case sick:
		line("⏳ *Time is over*, but %s does not answer, since %s. The access is taken away when it does: that is looked at every few minutes.", c.target(), moment(c.Postponed.Since))
	case failed:
		line("⚠️ *Taking the access away failed* (%s). It is tried again %s, and until it works.", c.attempts(), moment(c.Error.RetryAt))
	case asked:
		line("⏳ *Ended* by %s; access is being taken away.%s", mention(asker.Actor), c.waiting())
	case c.Access != nil && c.Access.Removal.EventID != "":
		line("⏳ *Time is over*; access is being taken away.%s", c.waiting())
	default:
		return false
	}
	return true
}

// waiting says what the removal waits for, after a space; "" if it does not wait.
func (c *card) waiting() string {
	if w := c.WaitsForTarget(flow.EventDeescalate); w != nil {
		return " " + escape(w.Text)
	}
	return ""
}

// target names what access is to, or was asked for.
func (c *card) target() string {
	if c.Access != nil {
		return safe(c.Access.Target.Title())
	}
	return safe(c.GivenTarget().Title())
}

// attempts counts how often the failed step was tried.
func (c *card) attempts() string {
	return count(max(c.Tries(c.Error.Step), c.Error.Attempts, 1), "attempt")
}

// until says how long live access lasts.
func (c *card) until() string {
	if c.Access == nil {
		return until(time.Time{})
	}
	return until(c.Access.End)
}

func until(end time.Time) string {
	if end.IsZero() {
		return "until somebody ends it."
	}
	return "until " + moment(end) + "."
}

// howEnded says why access ended.
func (c *card) howEnded(e flow.Event) string {
	switch {
	case e.Fields[flow.KeyDeescalateType] != flow.Manual:
		return "its time was up"
	case e.Actor.Is(c.Requester) && c.message.Kind == workflow.KindOutcome:
		return "you ended it"
	}
	return mention(e.Actor) + " ended it"
}

// givenUp tells whether the event is the end of access that was never granted.
func (c *card) givenUp(e flow.Event) bool {
	_, granted := c.Last(flow.EventEscalate)
	return e.Name == flow.EventDeescalate && e.State == flow.StateCompleted && !granted && e.Fields[flow.KeyDeescalateType] == flow.Manual
}

// wasApproved tells whether the request was approved before it came to its end.
func (c *card) wasApproved() bool {
	_, approved := c.Last(flow.EventApprove)
	return approved
}

// gaveUp says who did not wait for access any longer.
func (c *card) gaveUp(e flow.Event) string {
	if e.Actor.Is(c.Requester) && c.message.Kind == workflow.KindOutcome {
		return "you gave it up"
	}
	return mention(e.Actor) + " gave it up"
}

// leftovers says what remains of access that has ended.
func leftovers(e flow.Event) []string {
	var lines []string
	if len(texts(e.Fields[flow.KeyStillHeld])) > 0 {
		lines = append(lines, "ℹ️ The same access is still there by another request, and ends with that.")
	}
	if len(texts(e.Fields[flow.KeyKept])) > 0 {
		lines = append(lines, "ℹ️ The same access was there before this request, and was left as it was.")
	}
	if by := texts(e.Fields[flow.KeyStillGrantedBy]); len(by) > 0 {
		lines = append(lines, "⚠️ *The access is still there* by something else: "+safe(strings.Join(by, ", "))+".")
	}
	return lines
}

// word is the state in a few words, for notifications.
func (c *card) word() string {
	switch {
	case c.passed() != "":
		return "passed on"
	case c.Stuck() && c.Status == flow.Approved:
		return "granting access failed"
	case c.Error != nil && c.Error.Step == flow.EventDeescalate:
		return "taking the access away failed"
	case c.Missing() && c.several():
		return "some of the access is not there any more"
	case c.Missing():
		return "the access is not there any more"
	case c.Short():
		return "access is live to " + c.live()
	case c.Access != nil && !c.Access.Lingering.IsZero():
		return "the access is still there"
	}
	switch c.Status {
	case flow.Approved:
		if c.AwaitsStart() {
			return "approved, and starts later"
		}
	case flow.Requested:
		return "waiting for a decision"
	case flow.Escalated:
		return "access is live"
	case flow.Deescalated:
		return "access has ended"
	case flow.Cancelled:
		return "withdrawn"
	case flow.Prompted:
		return "not sent yet"
	}
	return string(c.Status)
}

// deciders names those who may approve, without mentions, so that people who
// were not asked are not notified.
func (c *card) deciders() {
	d := c.Deciders
	var names string
	switch {
	case d.Members:
		names = "any member of the workspace"
		if d.Required > 1 {
			names = fmt.Sprintf("any %d members of the workspace", d.Required)
		}
		if !d.AllowSelfApproval {
			names += " but the requester"
			if c.Owner != nil && !c.ByAgent() {
				names += " and the token's owner"
			}
		}
	default:
		if !d.AllowSelfApproval {
			d.People = slices.DeleteFunc(slices.Clone(d.People), c.Asks)
			d.Admins = slices.DeleteFunc(slices.Clone(d.Admins), c.Asks)
		}
		names = d.Names()
		switch all := c.eligible(d); {
		case d.Required == 2 && all == 2:
			names = "both " + names + " have to"
		case d.Required > 1 && d.Required == all:
			names = "all of " + names + " have to"
		case d.Required > 1:
			names = fmt.Sprintf("%d of %s", d.Required, names)
		}
	}
	c.page.context(mrkdwn("*Who can approve*", maxText), plain(names, 1000))
}

// broke tells whether the access was taken in an emergency, without approval.
func (c *card) broke() bool { return c.BreakGlass != nil && !c.BreakGlass.At.IsZero() }

// begins says when access is to start that was asked for later, in a line of its own;
// "" if it starts once it is approved.
func (c *card) begins() string {
	if c.StartAt.IsZero() {
		return ""
	}
	return "\n🗓️ To start " + moment(c.StartAt) + "."
}

// eligible counts those who are named as deciders, each once.
func (c *card) eligible(d flow.Deciders) int {
	var people []flow.Actor
	for _, a := range slices.Concat(d.People, d.Admins) {
		if !slices.ContainsFunc(people, a.Same) {
			people = append(people, a)
		}
	}
	return len(people)
}
