package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/symflows/symflows/events"

	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// simulate makes a workspace of a few people, whose page is at our own address.
func (l *Local) simulate(ctx context.Context, flows *store.Flows) (*slacksim.Sim, config.Slack, error) {
	if host, _, _ := net.SplitHostPort(l.listener.Addr().String()); !net.ParseIP(host).IsLoopback() {
		return nil, config.Slack{}, fmt.Errorf("the simulated Slack lets anybody be anyone, so it is served to this machine only: listen on 127.0.0.1, not %s, or connect a real Slack", host)
	}
	made := config.Slack{BotToken: "xoxb-" + rand.Text(), SigningSecret: rand.Text(), APIURL: l.URL + "/api", Command: l.options.Settings.Slack.Command}
	there, err := inhabitants(ctx, flows)
	if err != nil {
		return nil, made, err
	}
	if l.guide, err = firstSteps(ctx, flows, there, cmp.Or(made.Command, slackapp.OwnCommand)); err != nil {
		return nil, made, err
	}
	app := slackapp.NewManifest(slackapp.ManifestOptions{Steps: true, URL: l.URL, Links: true, Command: made.Command})
	var commands []string
	for _, c := range app.Features.Commands {
		commands = append(commands, c.Command)
	}
	var shortcuts []slacksim.Shortcut
	for _, s := range app.Features.Shortcuts {
		shortcuts = append(shortcuts, slacksim.Shortcut{Name: s.Name, CallbackID: s.CallbackID, OnMessages: s.Type == slack.MessageShortcut})
	}
	sim, err := slacksim.New(slacksim.Config{
		People: there.People, Groups: there.Groups, Channels: there.Channels,
		SigningSecret: made.SigningSecret, BotToken: made.BotToken, AppURL: l.URL, BaseURL: l.URL,
		Clock: l.options.Clock, Time: simulationTime{l.clock, l}, Logger: l.options.Log,
		Commands: commands, Shortcuts: shortcuts, Scopes: app.OAuth.Scopes.Bot, Events: app.Settings.EventSubscriptions.BotEvents, Domains: app.Features.UnfurlDomains,
		Records: &auditPanel{logs: []*tailed{{tail: tailing(l.Audit, told)}, {tail: tailing(l.Admin, toldOfAct)}}}, Receipt: l.receipt, Access: l.access, End: l.endAccess, Drift: l.drift, Guide: l.guide, Explain: pageExplainer{l, flows, there.People},
	})
	if err != nil {
		return nil, made, err
	}
	file := filepath.Join(l.options.Data, "slack.json")
	if err := sim.Restore(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, made, fmt.Errorf("restore the simulated Slack: %w; delete %s to start with an empty one", err, file)
	}
	l.workers = append(l.workers, func(ctx context.Context) error { return sim.Autosave(ctx, file) })
	return sim, made, nil
}

// simulationTime is business time, as the simulation's page shows and moves it.
type simulationTime struct {
	*movedClock
	local *Local
}

var _ slacksim.Time = simulationTime{}

// Fixed implements slacksim.Time.
func (t simulationTime) Fixed() string { return t.local.clockFixed() }

// Move implements slacksim.Time.
func (t simulationTime) Move(ctx context.Context, by time.Duration) error {
	return t.local.moveClock(ctx, by)
}

// auditPanel feeds the simulation's page with records of several logs, as they arrive.
// What arrived since the last look is in the order of its times, whichever log it is of.
// It holds the newest ones only; the page counts all.
type auditPanel struct {
	logs []*tailed

	mu      sync.Mutex
	dropped int
	newest  []slacksim.Record
}

// tailed is a log that is read on and on.
type tailed struct {
	tail  tail
	place string
}

// tail gives what arrived after a place in a log, and the place after that.
type tail func(ctx context.Context, after string) (records []slacksim.Record, place string, err error)

// tailing reads a log, whose records are told in words, with the records themselves.
func tailing[R any](files *audit.Files[R], told func(R) slacksim.Record) tail {
	return func(ctx context.Context, after string) (out []slacksim.Record, place string, err error) {
		records, place, err := files.Tail(ctx, after)
		for _, r := range records {
			shown := told(r)
			if err == nil {
				shown.Raw, err = json.Marshal(r)
			}
			out = append(out, shown)
		}
		return out, place, err
	}
}

var _ slacksim.Records = (*auditPanel)(nil)

// panelLength is how many records the page can go back to.
const panelLength = 500

// Tail gives the records after the first ones.
func (p *auditPanel) Tail(ctx context.Context, after int) ([]slacksim.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var fresh []slacksim.Record
	places, dropped := make([]string, len(p.logs)), 0
	for i, log := range p.logs {
		var arrived []slacksim.Record
		for places[i] = log.place; ; {
			records, place, err := log.tail(ctx, places[i])
			if err != nil {
				return nil, err // what was read of the others is read again
			}
			if len(records) == 0 {
				break
			}
			arrived, places[i] = append(arrived, records...), place
			over := max(len(arrived)-panelLength, 0)
			arrived = slices.Delete(arrived, 0, over)
			dropped += over
		}
		fresh = append(fresh, arrived...)
	}
	for i, log := range p.logs {
		log.place = places[i]
	}
	slices.SortStableFunc(fresh, func(a, b slacksim.Record) int { return a.At.Compare(b.At) })
	p.newest = append(p.newest, fresh...)
	over := max(len(p.newest)-panelLength, 0)
	p.newest = slices.Delete(p.newest, 0, over)
	p.dropped += over + dropped
	skip := min(max(after-p.dropped, 0), len(p.newest))
	return slices.Clone(p.newest[skip:]), nil
}

// All implements slacksim.Records.
func (p *auditPanel) All(ctx context.Context, do func(slacksim.Record) error) error {
	for _, log := range p.logs {
		for place := ""; ; {
			records, next, err := log.tail(ctx, place)
			if err != nil {
				return err
			}
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				if err := do(r); err != nil {
					return err
				}
			}
			place = next
		}
	}
	return nil
}

// told says what a record is about, in words.
func told(r events.AuditRecord) slacksim.Record {
	asker, ok := r.Run.Actors[string(flow.EventRequest)]
	if !ok {
		asker = r.Actor
	}
	flowName, what := flowOf(r), flowOf(r)
	if target, ok := r.Fields[flow.KeyTarget].(map[string]any); ok {
		what = cmp.Or(written(target["label"]), written(target["name"]))
	}
	who, whose := called(r.Actor), called(asker)+"'s request for "+what
	out := slacksim.Record{ID: r.ID, At: r.Event.Timestamp, Mood: slacksim.MoodPlain, Run: r.Run.SRN[strings.LastIndexByte(r.Run.SRN, ':')+1:], Flow: flowName}
	out.Said = flow.ShortID(out.Run)
	for _, a := range []events.AuditActor{asker, r.Actor} {
		if strings.Contains(a.Username, "@") && !slices.Contains(out.People, a.Username) {
			out.People = append(out.People, a.Username)
		}
	}
	good, bad := slacksim.MoodGood, slacksim.MoodBad
	unfinished := r.State.Status == events.StatusInProgress
	failed := unfinished && len(r.State.Errors) > 0
	switch name := flow.EventName(r.Event.Type); name {
	case flow.EventPrompt:
		out.Line = who + " opened the form of " + flowName
	case flow.EventRequest:
		out.Line, out.Note = called(asker)+" asked for "+what, written(r.Fields[flow.FieldNameReason])
		if failed {
			out.Line = whose + " could not be sent"
			break
		}
		if s, ok := r.Fields[flow.FieldNameDuration].(float64); ok {
			out.Line += " for " + flow.Words(time.Duration(s)*time.Second)
		}
	case flow.EventRequestForward:
		out.Line = whose + " was passed on"
		if failed {
			out.Line = whose + " could not be delivered"
		}
	case flow.EventRequestExpire:
		out.Line, out.Mood = whose+" expired: nobody decided", bad
	case flow.EventExtendRequest:
		of := called(asker) + "'s"
		if r.Actor.Username == asker.Username {
			of = "their"
		}
		out.Line, out.Note = who+" asked for more time for "+of+" access to "+what, written(r.Fields[flow.KeyExtendReason])
		if failed {
			out.Line = who + "'s wish for more time for " + called(asker) + "'s access to " + what + " did not count"
		}
	case flow.EventExtend:
		out.Line, out.Mood = called(asker)+"'s access to "+what+" was extended", good
		if end, err := time.Parse(time.RFC3339, written(r.Fields[flow.KeyExpiresAt])); err == nil {
			out.Until = end
		}
		switch {
		case failed && r.State.Attempts > 0:
			out.Line, out.Mood = what+" could not be told that "+called(asker)+"'s access ends later", bad
		case failed:
			out.Line, out.Mood = who+"'s approval of more time for "+called(asker)+"'s access to "+what+" did not count", bad
		case unfinished:
			out.Line = who + " approved more time for " + called(asker) + "'s access to " + what + ", which needs more approvals"
		}
	case flow.EventExtendDeny:
		out.Line, out.Mood = who+" denied more time for "+called(asker)+"'s access to "+what, bad
	case flow.EventExtendExpire:
		out.Line = "More time for " + called(asker) + "'s access to " + what + " was not decided before its end"
	case flow.EventApprove:
		out.Line, out.Mood = who+" approved "+whose, good
		if broke, _ := r.Fields[flow.KeyBreakGlass].(bool); broke {
			out.Line = who + " took access to " + what + " without approval, in an emergency"
		}
		if unfinished {
			out.Line += ", which needs more approvals"
		}
		if failed {
			out.Line = who + "'s approval of " + whose + " did not count"
		}
	case flow.EventDeny:
		out.Line, out.Mood = who+" denied "+whose, bad
		if failed {
			out.Line = who + "'s denial of " + whose + " did not count"
		}
	case flow.EventReview:
		out.Line = who + " reviewed " + called(asker) + "'s access to " + what
		if failed {
			out.Line = who + "'s review of " + called(asker) + "'s access to " + what + " did not count"
		}
	case flow.EventCancel:
		out.Line = who + " withdrew the request for " + what
		if failed {
			out.Line = who + "'s withdrawal of the request for " + what + " did not count"
		}
	case flow.EventEscalate:
		out.Line, out.Mood = called(asker)+" got access to "+what+inPart(r), good
		if end, err := time.Parse(time.RFC3339, written(r.Fields[flow.KeyExpiresAt])); err == nil {
			out.Until = end
		}
		if failed {
			out.Line = "Granting " + called(asker) + " access to " + what + " failed" + inPart(r)
			if r.State.Errors[0].Code == string(flow.CodeMissing) {
				out.Line = called(asker) + "'s access to " + what + " has gone missing"
			}
		}
	case flow.EventDeescalate:
		out.Line = called(asker) + "'s access to " + what + " ended: its time was up"
		if r.Fields[flow.KeyDeescalateType] == flow.Manual {
			out.Line = who + " ended " + called(asker) + "'s access to " + what
		}
		if failed {
			out.Line = "Taking away " + called(asker) + "'s access to " + what + " failed"
		}
	default:
		out.Line = who + ": " + string(name)
	}
	if message := written(r.Fields[flow.KeyDecisionMessage]); message != "" {
		out.Note, out.Until = message, time.Time{}
	}
	if len(r.State.Errors) > 0 {
		out.Note, out.Until, out.Mood = r.State.Errors[0].Message, time.Time{}, bad
	}
	if r.State.Attempts > 1 {
		out.Line += fmt.Sprintf(" (%d times)", r.State.Attempts)
	}
	return out
}

// inPart says which part of several targets a record tells of as granted, after a
// space; "" where it is one target, or all are.
func inPart(r events.AuditRecord) string {
	list, _ := r.Fields[flow.KeyEntitlements].([]any)
	granted := 0
	for _, one := range list {
		if one, ok := one.(map[string]any); ok && one["state"] == string(flow.PartGranted) {
			granted++
		}
	}
	if granted == len(list) {
		return ""
	}
	return fmt.Sprintf(" (%d of %d are there)", granted, len(list))
}

// called is what people call an actor.
func called(a events.AuditActor) string { return cmp.Or(a.Name, a.Username, "Sym Flows") }

// flowOf returns the name in the flow's SRN.
func flowOf(r events.AuditRecord) string {
	if parts := strings.Split(r.Run.Flow, ":"); len(parts) > 2 {
		return parts[2]
	}
	return r.Run.Flow
}

// written returns a value that is a text, and "" for any other.
func written(value any) string {
	s, _ := value.(string)
	return s
}

// access lists the access that is live, for the simulation's page: that which the
// targets were seen to show, what ends first before the others.
func (l *Local) access(ctx context.Context) ([]slacksim.Access, error) {
	var live []slacksim.Access
	q := store.Query{By: store.ByStatus, Value: string(flow.Escalated), Limit: 200}
	for {
		page, err := l.Submit.Runs.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			live = append(live, accessOf(r)...)
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	slices.SortStableFunc(live, func(a, b slacksim.Access) int {
		if a.Until.IsZero() != b.Until.IsZero() {
			return cmp.Compare(b.Until.Unix(), a.Until.Unix()) // what has no end comes last
		}
		return a.Until.Compare(b.Until)
	})
	return live, nil
}

// accessOf lists what a run gives right now.
func accessOf(r flow.Run) (live []slacksim.Access) {
	if !r.Access.Live() {
		return nil
	}
	_, ending := r.EndAsked()
	one := slacksim.Access{
		Run: r.ID, Who: cmp.Or(r.Requester.Email, r.Requester.Display()), What: r.Access.Target.Title(), Until: r.Access.End,
		Ending: ending || r.Access.Removal.EventID != "", Ends: []string{},
	}
	for _, who := range enders(r) {
		if who.SlackID != "" && r.MayEnd(who) == nil && !slices.Contains(one.Ends, who.SlackID) {
			one.Ends = append(one.Ends, who.SlackID)
		}
	}
	if !r.Access.Listed() {
		if !r.Missing() {
			live = append(live, one)
		}
		return live
	}
	for _, p := range r.Access.Entitlements {
		if p.State() == flow.PartGranted {
			one.What = r.Access.Target.Title() + ": " + p.Title()
			live = append(live, one)
		}
	}
	return live
}

// enders are those who may be let end a run's access: that is decided when they try.
func enders(r flow.Run) []flow.Actor {
	all := append([]flow.Actor{r.Requester, r.Approver()}, r.Deciders.Admins...)
	for _, a := range r.Approvals {
		all = append(all, a.Actor)
	}
	if r.BreakGlass != nil {
		all = append(all, r.Deciders.People...)
	}
	return all
}

// endAccess ends the access of a run as a person of the simulated workspace, which is
// authorised as their click on its message is.
func (l *Local) endAccess(ctx context.Context, slackID, run string) error {
	who, err := l.people.Known(ctx, slackID)
	if err != nil {
		return err
	}
	_, _, err = l.Submit.Click(ctx, workflow.Click{RunID: run, Action: flow.ActionDeescalate, Actor: who, Channel: flow.ChannelSlack})
	return err
}

// drift lists where targets differ from what was granted, for the simulation's
// page.
func (l *Local) drift(ctx context.Context) ([]slacksim.Drift, error) {
	comparison, _, err := l.drifts.Get(ctx)
	var found []slacksim.Drift
	for _, d := range comparison.Last.Found {
		found = append(found, slacksim.Drift{Kind: string(d.Kind), Who: cmp.Or(d.Requester, d.Identity), What: d.Title})
	}
	return found, err
}
