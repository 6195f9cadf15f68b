package slackapp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Explain says what would come of a request, and does none of it. An error with
// flow.CodeLookup says that Slack did not say who people are.
type Explain func(context.Context, workflow.Question) (workflow.Explanation, error)

// Inputs of the form that asks for an explanation.
const (
	blockDuration = "duration"
	blockAt       = "at"
)

// maxExplained bounds whom an explanation lists.
const maxExplained = 40

// askExplain opens the form in which an admin says which request is to be explained.
func (a *App) askExplain(ctx context.Context, in interaction, who store.User) error {
	flows, err := a.administered(ctx, who)
	if err == nil {
		_, err = a.open(ctx, in.TriggerID, explainModal(flows))
	}
	return err
}

// administered lists the flows whose environment names somebody as an admin. The error
// has flow.CodeForbidden if there are none.
func (a *App) administered(ctx context.Context, who store.User) ([]store.FlowSummary, error) {
	list, err := a.Flows.List(ctx)
	if err != nil {
		return nil, err
	}
	var own []store.FlowSummary
	for _, summary := range list {
		f, err := a.Flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow {
			continue // withdrawn meanwhile
		}
		if err != nil {
			return nil, err
		}
		if f.Environment.Administers(who.Actor) {
			own = append(own, summary)
		}
	}
	if len(own) == 0 {
		return nil, flow.Errorf(flow.CodeForbidden, "only admins of a flow are told what would come of its requests")
	}
	return own, nil
}

func explainModal(flows []store.FlowSummary) slack.ModalViewRequest {
	all := flowChoices(flows)
	input := func(block, label, hint string, e slack.BlockElement) *slack.InputBlock {
		b := slack.NewInputBlock(block, plain(label, maxLabel), nil, e)
		if hint != "" {
			b.Hint = plain(hint, maxLabel)
		}
		return b
	}
	words := func(placeholder string) *slack.PlainTextInputBlockElement {
		return &slack.PlainTextInputBlockElement{Type: slack.METPlainTextInput, ActionID: actionValue, MaxLength: 100, Placeholder: plain(placeholder, maxPlaceholder)}
	}
	return modal(viewExplain, "Explain a request", "Explain", metadata{}, []slack.Block{
		section("What would come of a request, by the rules in force. Nothing is asked for, and nobody hears of it."),
		input(blockFlow, "Flow", "", selector(all[:min(len(all), maxOptions)], nil, "Choose", actionValue, maxOptions)),
		input(blockPerson, "Who asks", "", slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Choose", maxPlaceholder), actionValue)),
		input(blockTarget, "Target", "By its name. Left out, it is the first.", words("orders-db")).WithOptional(true),
		input(blockDuration, "For how long", "Left out, it is what the form allows first.", words("1h")).WithOptional(true),
		input(blockAt, "When", "Left out, it is now.", slack.NewDateTimePickerBlockElement(actionValue)).WithOptional(true),
	})
}

// explained takes the form, and shows the explanation in its place.
func (a *App) explained(ctx context.Context, in interaction) (any, error) {
	values := valuesOf(in.View)
	text := func(block string) string { s, _ := values[block].(string); return strings.TrimSpace(s) }
	who, err := a.Directory.Known(ctx, in.User.ID)
	if err != nil {
		return nil, err
	}
	flows, err := a.administered(ctx, who)
	if err != nil {
		return nil, err
	}
	name := text(blockFlow)
	if !slices.ContainsFunc(flows, func(f store.FlowSummary) bool { return strings.EqualFold(f.Name, name) }) {
		return nil, flow.Errorf(flow.CodeForbidden, "only admins of a flow are told what would come of its requests")
	}
	f, err := a.Flows.Latest(ctx, name)
	if err != nil {
		return nil, err
	}
	q := workflow.Question{Flow: name, Values: map[string]any{}, Fill: true, At: a.Now(), People: []store.User{who}}
	if at := text(blockAt); at != "" {
		seconds, err := time.ParseDuration(at + "s")
		if err != nil {
			return nil, invalidInput(blockAt, "is no time")
		}
		q.At = time.Unix(int64(seconds/time.Second), 0)
	}
	if target := text(blockTarget); target != "" {
		q.Values[flow.FieldNameTarget] = target
	}
	if d := text(blockDuration); d != "" {
		q.Values[flow.FieldNameDuration] = d
	}
	w := window{app: a, at: spot{View: in.View.ID}, task: task{Interaction: in.raw}, answers: true}.resume(in.spot)
	view, err := w.load(ctx, "Explain a request", metadata{}, func(ctx context.Context) (slack.ModalViewRequest, error) {
		if q.As, err = a.Directory.User(ctx, text(blockPerson)); err != nil {
			return slack.ModalViewRequest{}, err
		}
		x, err := a.Explain(ctx, q)
		return explanationModal(f, q.As, x), err
	})
	if err != nil {
		return nil, err
	}
	return slack.NewUpdateViewSubmissionResponse(&view), nil
}

func invalidInput(field, message string) error {
	return &flow.Error{Code: flow.CodeInvalid, Message: "some fields are not right", Fields: []flow.FieldError{{Field: field, Message: message}}}
}

// rightsOf lists what access means at its target, below what it is called.
func rightsOf(entitlements []workflow.WouldEntitle) string {
	var lines strings.Builder
	for i, e := range entitlements {
		if i == maxRights {
			fmt.Fprintf(&lines, "\nand %d more", len(entitlements)-i)
			break
		}
		lines.WriteString("\n• " + safe(fit(e.Words(), 250)))
	}
	return lines.String()
}

// maxRights bounds how many things an explanation names that access means.
const maxRights = 8

// explanationModal shows an explanation.
func explanationModal(f *flow.Flow, as store.User, x workflow.Explanation) slack.ModalViewRequest {
	p := &page{}
	p.add(section(mention(as.Actor) + " asks for *" + safe(f.Title()) + "*, " + moment(x.At)))
	why := ""
	if x.Why != "" {
		why = ": " + safe(fit(x.Why, 500))
	}
	switch x.Outcome {
	case workflow.OutcomeAsked:
		p.add(section("🙋 *People decide*: it needs " + count(x.Needs, "approval") + " of " + safe(x.Approvers)))
	case workflow.OutcomeApproved:
		p.add(section("✅ *Approved* without anybody's decision" + why))
	case workflow.OutcomeDenied:
		p.add(section("⛔ *Denied* without anybody's decision" + why))
	case workflow.OutcomeFailed:
		p.add(section("⚠️ *It fails*, and waits for a repair" + why))
	default:
		p.add(section("⛔ *It can't be asked for*" + why))
	}
	if len(x.Uninvoked) > 0 {
		p.add(section("⚙️ Was not invoked for this, and is taken to have agreed: " + safe(fit(enumerate(x.Uninvoked), 500))))
	}
	if len(x.Rounds) > 0 {
		lines := []string{"*Who is asked*"}
		for i, round := range x.Rounds {
			to := enumerate(round.Asks)
			if to == "" {
				to = "nobody who is known"
			}
			lines = append(lines, fmt.Sprintf("%d. %s, until %s", i+1, safe(fit(to, 300)), moment(round.Until)))
		}
		if x.Silence != nil {
			lines = append(lines, "If nobody decides: *"+x.Silence.Status+"*, "+moment(x.Silence.At))
		}
		p.add(section(strings.Join(lines, "\n")))
	}
	if len(x.People) > 0 {
		lines := []string{"*Who may approve*"}
		for _, who := range x.People[:min(len(x.People), maxExplained)] {
			if who.May {
				lines = append(lines, "• "+safe(who.Person)+" may approve ("+safe(enumerate(who.Via))+")")
			} else {
				lines = append(lines, "• "+safe(who.Person)+" may not: "+safe(fit(who.Why, 150)))
			}
		}
		if more := len(x.People) - maxExplained; more > 0 {
			lines = append(lines, fmt.Sprintf("and %d more", more))
		}
		for len(lines) > 0 { // a section holds so many
			n := min(len(lines), 10)
			p.add(section(strings.Join(lines[:n], "\n")))
			lines = lines[n:]
		}
	}
	if g := x.Grant; g != nil && g.Failed == "" {
		ends := "until somebody ends it"
		if !g.Ends.IsZero() {
			ends = "approved at once, until " + moment(g.Ends)
			if g.Latest.After(g.Ends) {
				ends += "; with all extensions, until " + moment(g.Latest)
			}
		}
		p.add(section("*Once approved*\n🔑 *" + safe(fit(g.Target, 100)) + "* as " + safe(g.Identity) + ", " + ends + rightsOf(g.Entitlements)))
	} else if g != nil {
		p.add(section("*Once approved*\n⚠️ Nothing would be granted: " + safe(fit(g.Failed, 500))))
	}
	return modal(viewNotice, "Explain a request", "", metadata{}, p.blocks)
}
