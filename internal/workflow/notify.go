package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Notify reads the change feed and shows runs in Slack: it posts messages that
// are missing, and edits those that show an older state.
type Notify struct {
	Runs     store.Runs
	Flows    *store.Flows
	Messages store.Messages
	Notices  store.Notices
	Slack    Messenger
	Health   *Health // required: how Slack takes what is sent
	Now      func() time.Time
	Log      *slog.Logger
	Patience time.Duration // the least bound of what shows one message
	Lists    store.Lists   // what runs can be found by besides, which follows from them
	// Settle is how long a change waits to be shown that another one is about to follow.
	// It is 0 where whoever hands changes on gathers them for that long.
	Settle time.Duration
	// Home keeps what Home tabs show, and shows it. If it is nil, there are none.
	Home *Home
}

// Messenger shows runs in Slack.
type Messenger interface {
	// Render writes the message as the run is now. It is a pure function of its
	// arguments; the result is what Post and Edit take.
	Render(m Message, r flow.Run) ([]byte, error)
	// RenderNotice writes a notice likewise.
	RenderNotice(n store.Notice) ([]byte, error)
	// Post sends a message and says where it stands. The error has
	// flow.CodeUndeliverable, with a hint of how to repair it, where trying
	// again won't help, flow.CodeUnreachable where nothing reaches Slack just
	// now, and is a flow.RateLimited where Slack asks to wait.
	Post(ctx context.Context, to Address, body []byte) (channel, ts string, err error)
	// Edit replaces a message, and returns nil if it is gone. Errors are as
	// Post's.
	Edit(ctx context.Context, channel, ts string, body []byte) error
}

// Handle takes one change. An error asks for the same change again; a
// flow.RateLimited says when.
func (n Notify) Handle(ctx context.Context, c store.Change) error {
	if name, ok := store.KindNotice.Name(c.Key); ok {
		return n.tell(ctx, name)
	}
	if name, ok := store.KindHome.Name(c.Key); ok && n.Home != nil {
		return n.Home.woken(ctx, name)
	}
	id, ok := runOf(c)
	if !ok {
		return nil
	}
	r, err := n.Runs.Get(ctx, id)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil
	}
	if err != nil {
		return err
	}
	if wait := r.Touched.Add(n.Settle).Sub(n.Now()); r.Passing() && wait > 0 {
		return &flow.RateLimited{After: min(wait, n.Settle), Cause: flow.Errorf(flow.CodeBusy, "the run is about to change once more")}
	}
	f, err := n.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return err
	}
	copies, err := n.copies(ctx, r)
	if err != nil {
		return err
	}
	r.Past = n.past(ctx, r)
	x := &showing{Notify: n, flow: f, run: r, plan: plan(r, f.Environment.ErrorChannel), copies: copies}
	x.quieten()
	var failed []error
	if n.Home != nil {
		failed = append(failed, n.Home.follow(ctx, f, r))
	}
	for _, p := range x.plan {
		if err := x.show(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("message %s of run %s: %w", p.message.Key(), id, err))
		}
	}
	failed = append(failed, x.note(ctx))
	failed = append(failed, list(ctx, n.Lists, r))
	if n.Home != nil {
		n.Home.changed(ctx, r)
	}
	return errors.Join(failed...)
}

// Settle is how long changes are gathered before they are shown, where another one is
// about to follow: what is overtaken need not be sent.
const Settle = 2 * time.Second

// pastRuns is how many runs of a requester are looked at for what those who decide are
// told of them.
const pastRuns = 50

// past looks up what those who are about to be asked first are told of the requester.
// It returns what the run has, where they were asked, and nil where it can't be found
// out: nobody waits for that.
func (n Notify) past(ctx context.Context, r flow.Run) *flow.Past {
	if r.Past != nil || len(r.Tiers) == 0 || r.Tier > 0 || r.Tiers[0].Delivered {
		return r.Past
	}
	page, err := n.Runs.Shared().List(ctx, store.Query{By: store.ByRequester, Value: r.Requester.ID, Limit: pastRuns})
	if err != nil {
		n.Log.WarnContext(ctx, "those who decide are not told of earlier requests", "run", r.ID, "error", err)
		return nil
	}
	past := flow.PastOf(r, page.Runs, page.Cursor != "", n.Now())
	return &past
}

// copies lists the messages that show the run. It adds those that somebody
// clicked and that were never noted, because the process ended between posting
// and noting them.
func (n Notify) copies(ctx context.Context, r flow.Run) ([]store.Message, error) {
	known, err := n.Messages.Get(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	adopt := func(via *flow.MessageRef) error {
		if via == nil || slices.ContainsFunc(known, func(m store.Message) bool { return m.Channel == via.Channel && m.TS == via.TS }) {
			return nil
		}
		m := store.Message{MessageRef: *via}
		known = append(known, m)
		return n.Messages.Save(ctx, r.ID, m)
	}
	for _, e := range r.Events {
		err = errors.Join(err, adopt(e.Via))
	}
	for _, s := range r.Signals {
		err = errors.Join(err, adopt(s.Via))
	}
	return known, err
}

// showTimeout bounds what it takes to show one message: a Slack that hangs must
// not keep the messages of other runs from being shown.
const showTimeout = 30 * time.Second

// showing is a run while its messages are brought up to date.
type showing struct {
	Notify
	flow   *flow.Flow
	run    flow.Run
	plan   []planned
	copies []store.Message
	edited []store.Message // what they show now, which is not noted yet
}

// show posts a message that has no copy yet, and edits the copies that show
// something else.
func (x *showing) show(ctx context.Context, p planned) error {
	ctx, cancel := context.WithTimeout(ctx, max(showTimeout, x.Patience))
	defer cancel()
	key := p.message.Key()
	posted := false
	var failed []error
	for _, m := range x.copies {
		if m.Key != key {
			continue
		}
		posted = true
		if m.TS == "" || p.message.Kind == KindRefused || p.past {
			continue
		}
		message := p.message
		message.Quiet = x.quiet(p, m.Channel, m.TS)
		body, err := x.Slack.Render(message, x.run)
		if err != nil {
			return err
		}
		if d := digest(body); m.Digest != d {
			err := x.edit(ctx, m, body)
			if err == nil {
				m.Digest = d
				x.edited = append(x.edited, m)
			}
			failed = append(failed, err)
		}
	}
	asks := p.message.Kind == KindRequest
	if posted {
		if asks && !x.run.Tiers[p.message.Tier].Delivered {
			failed = append(failed, x.delivered(ctx, p.message.Tier))
		}
		return errors.Join(failed...)
	}
	return x.begin(ctx, p)
}

// begin posts a message that has no copy yet.
func (x *showing) begin(ctx context.Context, p planned) error {
	asks := p.message.Kind == KindRequest
	if asks {
		t := x.run.Tiers[p.message.Tier]
		hopeless := t.Undeliverable != "" || slices.Contains(t.Failed, p.message.Copy)
		if x.run.Status == flow.Requested && hopeless || p.message.Tier != x.run.Tier {
			return nil // its turn is over, or it waits for somebody to press Retry
		}
	}
	to, ok := x.address(p)
	if !ok || p.overtaken || p.past {
		return nil
	}
	if to.Channel == "" && len(to.Users) == 0 && to.Step == "" {
		return x.undeliverable(ctx, x.run.ID, p.message, flow.Errorf(flow.CodeUndeliverable, "none of the people to ask is in the workspace: correct the flow's approval.notify"))
	}
	message := p.message
	message.Quiet = x.quiet(p, "", "")
	body, err := x.Slack.Render(message, x.run)
	if err != nil {
		return err
	}
	key := p.message.Key()
	channel, ts, err := x.post(ctx, to, body)
	if flow.CodeOf(err) == flow.CodeUndeliverable {
		x.Log.WarnContext(ctx, "message can't be delivered", "run", x.run.ID, "message", key, "error", err)
		if asks {
			return errors.Join(x.missed(ctx, x.flow, to, err), x.undeliverable(ctx, x.run.ID, p.message, err))
		}
		if p.message.Kind == KindStep {
			text := "A workflow in Slack waits for a request of the flow " + x.flow.Name + ", and can't be told what has come of it: " + flow.UserMessage(err) + "."
			if err := x.Notices.Tell(ctx, "steps of workflows", text, x.flow.Environment.ErrorChannel); err != nil {
				return err
			}
		}
		if p.message.Kind == KindTrouble || p.message.Kind == KindError {
			x.Health.lost(to.Channel, err)
			x.Log.ErrorContext(ctx, "the error channel can't be told", "run", x.run.ID, "channel", to.Channel, "error", err)
		}
		channel, ts = "", "" // noted as a copy without a place, so that it is not tried for ever
	} else if err != nil {
		return err
	}
	noted := []store.Message{{MessageRef: flow.MessageRef{Key: key, Channel: channel, TS: ts}, Digest: digest(body)}}
	for _, reply := range x.plan { // what a card said when it was posted needs no telling below it
		if reply.parent == key && !slices.ContainsFunc(x.copies, func(m store.Message) bool { return m.Key == reply.message.Key() }) {
			noted = append(noted, store.Message{MessageRef: flow.MessageRef{Key: reply.message.Key()}})
		}
	}
	if err := x.Messages.Save(ctx, x.run.ID, noted...); err != nil {
		return err
	}
	x.copies = append(x.copies, noted...)
	if !asks {
		return nil
	}
	return x.delivered(ctx, p.message.Tier)
}

// address says where a message goes that has no copy yet: a reply below its parent. It
// returns false if that could not be posted.
func (x *showing) address(p planned) (Address, bool) {
	if p.parent == "" {
		return p.to, true
	}
	for _, m := range x.copies {
		if m.Key == p.parent && m.TS != "" {
			return Address{Channel: m.Channel, Thread: m.TS, Aloud: p.aloud}, true
		}
	}
	return Address{}, false
}

// quieten finds the one message with buttons that each conversation may have.
func (x *showing) quieten() {
	for i := range x.plan {
		p := &x.plan[i]
		p.place = p.to.conversation()
		for _, m := range x.copies {
			if m.Key == p.message.Key() && m.TS != "" {
				p.place = m.Channel
			}
		}
	}
	for i := range x.plan { // a channel that one message names, and another has by its id
		for _, q := range x.plan {
			if same := x.plan[i].to.conversation(); same != "" && same == q.to.conversation() && q.place != same {
				x.plan[i].place = q.place
			}
		}
	}
}

// quiet tells whether another message of the conversation has the run's buttons: a
// card before it in the plan, or an earlier copy of the same. Channel and ts are those
// of a copy, "" if there is none yet.
func (x *showing) quiet(p planned, channel, ts string) bool {
	if !p.message.Kind.card() || !p.live {
		return false
	}
	place := channel
	if place == "" {
		place = p.place
	}
	for _, q := range x.plan {
		if q.message == p.message {
			break
		}
		if q.live && q.place == place {
			return true
		}
	}
	for _, m := range x.copies {
		if m.Key != p.message.Key() || m.Channel != channel || m.TS == "" {
			continue
		}
		return m.TS != ts
	}
	return false
}

// post sends a message, and notes how Slack took it.
func (n Notify) post(ctx context.Context, to Address, body []byte) (channel, ts string, err error) {
	channel, ts, err = n.Slack.Post(ctx, to, body)
	n.Health.heard(to.Channel, err, n.Now())
	return channel, ts, err
}

// edit makes a copy show the message as it is now. One that can't be reached
// any more stays as it is: it counts as done, so as not to be tried for ever.
func (x *showing) edit(ctx context.Context, m store.Message, body []byte) error {
	err := x.Slack.Edit(ctx, m.Channel, m.TS, body)
	x.Health.heard(m.Channel, err, x.Now())
	if flow.CodeOf(err) == flow.CodeUndeliverable {
		x.Log.WarnContext(ctx, "message can't be edited", "run", x.run.ID, "message", m.Key, "error", err)
		return nil
	}
	return err
}

// note notes what copies show now, all of them in one write: what is not noted is shown
// once more, to the same end.
func (x *showing) note(ctx context.Context) error {
	if len(x.edited) == 0 {
		return nil
	}
	return x.Messages.Save(ctx, x.run.ID, x.edited...)
}

// delivered notes that a tier was asked, and what it was told of the requester.
func (x *showing) delivered(ctx context.Context, tier int) error {
	_, err := x.Runs.Change(ctx, x.run.ID, x.Now, func(flow.Run) (flow.Input, error) {
		return flow.Delivered{Tier: tier, Past: x.run.Past}, nil
	})
	return err
}

// undeliverable notes that a copy can't be delivered: when no other copy of its
// tier can be either, the next tier has its turn.
func (n Notify) undeliverable(ctx context.Context, id string, m Message, cause error) error {
	_, err := n.Runs.Change(ctx, id, n.Now, func(flow.Run) (flow.Input, error) {
		return flow.Receive{
			Action: flow.ActionUndeliverable, Actor: flow.System, Channel: flow.ChannelInternal,
			Tier: m.Tier, Copy: m.Copy, Message: flow.UserMessage(cause),
		}, nil
	})
	if flow.CodeOf(err) == flow.CodeStale {
		return nil
	}
	return err
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}
