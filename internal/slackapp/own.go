package slackapp

import (
	"cmp"
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

// own are the runs of one person.
type own struct {
	access []flow.Run // that is live, or about to be; what ends first comes first
	open   []flow.Run // requests that wait, the newest first
	over   []flow.Run // the newest first
	cut    bool       // there are older ones, which were not read
}

// maxOwn is how many of a person's runs are read: Slack waits for the answer.
const maxOwn = 600

// ownOf reads the runs that a person has asked for, or somebody for them: so many of
// the newest.
func ownOf(ctx context.Context, runs store.Runs, who store.User, most int) (own, error) {
	var o own
	q := store.Query{By: store.ByRequester, Value: who.ID, Limit: 200}
	for read := 0; ; {
		page, err := runs.List(ctx, q)
		if err != nil {
			return own{}, err
		}
		for _, r := range page.Runs {
			switch {
			case !r.Requester.Is(who.Actor): // another account had the address
			case r.Status == flow.Prompted && len(r.Signals) == 0 && r.Error == nil: // nothing was sent
			case r.Status == flow.Escalated || r.Status == flow.Approved && !r.ApprovalOnly || r.Access.Live():
				o.access = append(o.access, r)
			case r.Final():
				o.over = append(o.over, r)
			default:
				o.open = append(o.open, r)
			}
		}
		q.Cursor, read = page.Cursor, read+len(page.Runs)
		if o.cut = q.Cursor != "" && read >= most; o.cut || q.Cursor == "" {
			break
		}
	}
	slices.SortStableFunc(o.access, func(x, y flow.Run) int {
		a, b := endOf(x), endOf(y)
		if a.IsZero() != b.IsZero() {
			return cmp.Compare(b.Unix(), a.Unix()) // those without an end come last
		}
		return a.Compare(b)
	})
	return o, nil
}

// all lists the runs: those that matter now come first.
func (o own) all() []flow.Run { return slices.Concat(o.access, o.open, o.over) }

// endOf is when access ends by itself; zero if it does not, or is not there yet.
func endOf(r flow.Run) time.Time {
	if r.Access == nil {
		return time.Time{}
	}
	return r.Access.End
}

// left says how long access still lasts. It returns "" if that is over, or has no end.
func left(r flow.Run, now time.Time) string {
	d := endOf(r).Sub(now)
	if endOf(r).IsZero() || d <= 0 {
		return ""
	}
	return about(d) + " left"
}

// about writes a duration as exactly as people want to know it.
func about(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d >= 24*time.Hour:
		d = d.Truncate(time.Hour)
	case d >= 5*time.Minute:
		d = d.Truncate(time.Minute)
	}
	return flow.Words(d)
}

// namesOf are the names by which a person may mean each run.
func namesOf(runs []flow.Run) [][]string {
	var all [][]string
	for _, r := range runs {
		names := []string{r.ID, shortID(r), r.Flow, r.FlowTitle}
		if given := r.GivenTarget(); given != nil {
			names = append(names, given.Name, given.Title())
		}
		all = append(all, names)
	}
	return all
}

// shortID is how people call a run.
func shortID(r flow.Run) string { return flow.ShortID(r.ID) }

// list answers /sym list: what the person has, and what they have asked for.
func (a *App) list(ctx context.Context, c slashCommand) (any, error) {
	who, err := a.Directory.Known(ctx, c.UserID)
	if err != nil {
		return nil, err
	}
	o, err := ownOf(ctx, a.Submit.Runs, who, maxOwn)
	if err != nil {
		return nil, err
	}
	said := o.message(a.Now())
	if teamPattern.MatchString(c.TeamID) && appPattern.MatchString(c.AppID) { // both stand in a link
		said.Blocks = append(said.Blocks, slack.NewContextBlock("", mrkdwn("All of it is in <slack://app?team="+c.TeamID+"&id="+c.AppID+"&tab=home|the Home tab> of this app.", maxText)))
	}
	return said, nil
}

// Slack's ids of workspaces and of apps.
var (
	teamPattern = pattern.Of(`^[TE][A-Z0-9]{2,20}$`)
	appPattern  = pattern.Of(`^A[A-Z0-9]{2,20}$`)
)

// message shows a person's access and open requests.
func (o own) message(now time.Time) private {
	p := page{}
	if len(o.access)+len(o.open) == 0 {
		p.add(section("You have no access now, and no open request. Ask with `/sym req`."))
	}
	p.runs("*Your access*", o.access, now, true)
	p.runs("*Your open requests*", o.open, now, true)
	hint := "What happened before: `/sym show` and a name or id"
	if all := o.all(); len(all) > 0 {
		hint = "What happened so far: `/sym show " + shortID(all[0]) + "`"
	}
	if len(o.access) > 0 {
		hint = "Done early? `/sym end` · " + hint
	}
	hints := []slack.MixedElement{mrkdwn(hint, maxText)}
	if o.cut {
		hints = append(hints, plain(fmt.Sprintf("Only your newest %d requests are looked at.", maxOwn), maxText))
	}
	p.context(hints...)
	return ephemeral(fmt.Sprintf("You have access to %s now, and %s", count(len(o.access), "thing"), count(len(o.open), "open request")), p.blocks...)
}

// runs appends a list of runs, a line or two each. What does not fit is counted.
func (p *page) runs(title string, runs []flow.Run, now time.Time, own bool) {
	if len(runs) == 0 {
		return
	}
	p.add(section(title))
	for i, r := range runs {
		b := slack.NewSectionBlock(mrkdwn(summary(r, now, own), maxText), nil, nil)
		var more []slack.BlockElement // beside End, where there is more than that to do
		if own && endable(r, r.Requester) {
			b.Accessory = slack.NewAccessory(button(buttonEnd, r.ID, "End…", "", ""))
		}
		if _, err := r.Extendable(now); own && err == nil {
			more = append(more, button(buttonMore, r.ID, "Extend…", "", ""))
		}
		if p.size+cost(b.Text.Text)+600 > maxBlocksJSON-reserveSize/2 || len(p.blocks) > maxMessageBlocks-reserveBlocks {
			p.add(section(fmt.Sprintf("_and %d more: name one of them to see it_", len(runs)-i)))
			return
		}
		p.add(b)
		p.buttons(more...)
	}
}

// summary says in two lines what a run is about, and where it stands.
func summary(r flow.Run, now time.Time, own bool) string {
	c := card{message: workflow.Message{Kind: workflow.KindStatus}, Run: r}
	what := "*" + safe(c.what()) + "*"
	if c.several() {
		what += " (" + count(c.many(), "target") + ")"
	}
	if !own {
		what += " for " + mention(r.Requester)
	}
	var state []string
	switch {
	case c.AwaitsReview():
		state = append(state, "🚨 emergency, not reviewed yet")
	case c.broke():
		state = append(state, "🚨 emergency")
	}
	if r.OnBehalf() || r.ByAgent() {
		state = append(state, "asked by "+mention(*r.Asker))
	}
	if r.Status == flow.Requested && !r.StartAt.IsZero() {
		state = append(state, "🗓️ to start "+moment(r.StartAt))
	}
	switch _, ending := r.EndAsked(); {
	case r.Status == flow.Escalated && c.word() == "access is live" && !ending && r.Access.Removal.EventID == "":
		what = "🔓 " + what
		if l := left(r, now); l != "" {
			what += " – *" + l + "*"
		}
		state = append(state, strings.TrimSuffix(sentence(c.until()), "."))
	case r.Status == flow.Requested && r.Error == nil:
		what = "🟡 " + what
		if d := r.GivenDuration(); d > 0 {
			what += " for " + flow.Words(d)
		}
		what += " – waiting for a decision" + c.counted()
		if r.Tier < len(r.Tiers) {
			state = append(state, "Asked: "+asked(r.Tiers[r.Tier]))
			if ends := r.Tiers[r.Tier].Ends(); !ends.IsZero() && r.Tier+1 == len(r.Tiers) {
				state = append(state, "expires "+moment(ends))
			}
		}
	case r.Final():
		what = "▫️ " + what
		state = append(state, strings.TrimSuffix(sentence(c.word()), ".")+", "+moment(r.Touched))
	default: // something is under way, or the matter
		lines := strings.Split(c.state(), "\n")
		what += "\n" + lines[len(lines)-1]
	}
	if c.what() != r.FlowTitle {
		state = append(state, safe(r.FlowTitle))
	}
	state = append(state, "`"+shortID(r)+"`")
	return what + "\n" + strings.Join(state, " · ")
}

// end answers /sym end. What is named for certain is ended at once; else a form asks
// which is meant, with the nearest chosen already. sure: the command itself was not
// guessed.
func (a *App) end(ctx context.Context, c slashCommand, typed string, sure bool) (any, error) {
	who, err := a.Directory.Known(ctx, c.UserID)
	if err != nil {
		return nil, err
	}
	o, err := ownOf(ctx, a.Submit.Runs, who, maxOwn)
	if err != nil {
		return nil, err
	}
	found, named := meant(typed, namesOf(o.access))
	if named && sure {
		r, err := a.endNow(ctx, o.access[found[0]].ID, who)
		if err != nil {
			return nil, err
		}
		return ephemeral(endingNow(r)), nil
	}
	note, chosen := "", ""
	if len(found) > 0 {
		chosen = o.access[found[0]].ID
	}
	switch {
	case typed == "":
	case len(found) == 0:
		note = "You have no access called “" + fit(typed, maxInline) + "”. You have:"
	case len(found) > 1:
		note = "“" + fit(typed, maxInline) + "” may be each of these: choose one."
		o.access = pickRuns(o.access, found)
	default:
		note = "Is it this one that you mean by “" + fit(typed, maxInline) + "”?"
	}
	return nil, a.askWhich(ctx, c.TriggerID, o.access, chosen, note)
}

func pickRuns(all []flow.Run, at []int) []flow.Run {
	var out []flow.Run
	for _, i := range at {
		out = append(out, all[i])
	}
	return out
}

// askWhich opens the form that asks which access is to end.
func (a *App) askWhich(ctx context.Context, trigger string, access []flow.Run, chosen, note string) error {
	var none string
	switch access = slices.DeleteFunc(slices.Clone(access), func(r flow.Run) bool {
		if _, asked := r.EndAsked(); asked || !r.Access.Live() {
			return true
		}
		if !r.Form.AllowRevoke {
			none = "its flow has no ending by hand (allow_revoke is off): it ends when its time is up"
		}
		return !endable(r, r.Requester)
	}); {
	case len(access) == 0 && none != "":
		return flow.Errorf(flow.CodeForbidden, "you have access, but %s", none)
	case len(access) == 0:
		return flow.Errorf(flow.CodeInvalidRun, "you have no access that could be ended")
	}
	_, err := a.open(ctx, trigger, endModal(access, chosen, note, a.Now()))
	return err
}

// endModal is the form that asks which access is to end. The note, if there is one,
// says why it is shown.
func endModal(access []flow.Run, chosen, note string, now time.Time) slack.ModalViewRequest {
	var blocks []slack.Block
	if note != "" {
		blocks = append(blocks, slack.NewSectionBlock(plain(note, maxText), nil, nil))
	}
	var all, preset []choice
	labels := map[string]int{}
	for _, r := range access {
		labels[endLabel(r, now)]++
	}
	for _, r := range access {
		c := choice{value: r.ID, label: endLabel(r, now)}
		if labels[c.label] > 1 { // else nobody could tell which is which
			c.label += " · " + shortID(r)
		}
		if r.ID == chosen || len(access) == 1 {
			preset = []choice{c}
		}
		if len(all) < maxOptions || r.ID == chosen {
			all = append(all[:min(len(all), maxOptions-1)], c)
		}
	}
	blocks = append(blocks, slack.NewInputBlock(blockAccess, plain("Access", maxLabel), nil, selector(all, preset, "Choose what ends", actionValue, maxOptions)))
	text := "It is taken away at once. To get it back you have to ask again."
	if len(access) > maxOptions {
		text += fmt.Sprintf(" %d of %d are listed: name another behind /sym end.", len(all), len(access))
	}
	blocks = append(blocks, slack.NewContextBlock("", plain(text, maxText)))
	return modal(viewEnd, "End access", "End now", metadata{}, blocks)
}

// endLabel names access in a list.
func endLabel(r flow.Run, now time.Time) string {
	c := card{Run: r}
	lasts := left(r, now)
	if lasts == "" {
		lasts = "until you end it"
	}
	return fit(c.what(), 40) + " · " + lasts
}

// endNow asks for the end of access. Who may do that is checked as of any button.
func (a *App) endNow(ctx context.Context, id string, who store.User) (flow.Run, error) {
	r, _, err := a.Submit.Click(ctx, workflow.Click{RunID: id, Action: flow.ActionDeescalate, Actor: who, Channel: flow.ChannelSlack})
	return r, err
}

// endingNow says that access is about to be gone.
func endingNow(r flow.Run) string {
	c := card{Run: r}
	return "Your access to “" + fit(c.what(), maxInline) + "” is being taken away. You are told by direct message when it is gone."
}

// ended takes the form that asks which access is to end.
func (a *App) ended(ctx context.Context, in interaction) (any, error) {
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	id, _ := valuesOf(in.View)[blockAccess].(string)
	r, err := a.endNow(ctx, id, who)
	if err != nil {
		return nil, err
	}
	view := noticeModal(endingNow(r))
	return slack.NewUpdateViewSubmissionResponse(&view), nil
}

// askEnd takes the button of an entry in a list. It ends nothing by itself, wherever
// it was shown: it opens the form.
func (a *App) askEnd(ctx context.Context, in interaction, id string) {
	_, err := guard(ctx, a, func(ctx context.Context) (any, error) {
		if err := a.ours(ctx, in.origin()); err != nil {
			return nil, err
		}
		who, err := a.Directory.Known(ctx, in.User.ID)
		if err != nil {
			return nil, err
		}
		r, err := a.Submit.Runs.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if !r.Requester.Is(who.Actor) {
			return nil, flow.Errorf(flow.CodeForbidden, "this is not your access")
		}
		return nil, a.askWhich(ctx, in.TriggerID, []flow.Run{r}, id, "")
	})
	if err != nil {
		a.tell(ctx, in, a.sorry(ctx, "button "+buttonEnd, err))
	}
}
