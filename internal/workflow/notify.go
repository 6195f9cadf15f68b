package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Key names the message among those of its run: the same for every copy and
// every state of it.
func (m Message) Key() string {
	if m.Kind == KindRequest {
		key := string(m.Kind) + ":" + strconv.Itoa(m.Tier)
		if m.Copy > 0 {
			key += "." + strconv.Itoa(m.Copy)
		}
		return key
	}
	if m.EventID != "" {
		return string(m.Kind) + ":" + m.EventID
	}
	return string(m.Kind)
}

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
}

// Address says where a message goes: a channel ("#name" or id), or one to
// seven people, who share a conversation. With both, the message is for the
// eyes of the one person in that channel (an ephemeral one), and a direct
// message where that can't be delivered.
type Address struct {
	Channel string
	Users   []flow.Actor
}

// Kind is one of the messages that a run may be shown by.
type Kind string

// The kinds of messages.
const (
	KindRequest Kind = "request" // to those who decide; edited through every state
	KindStatus  Kind = "status"  // to the requester, with Cancel, Retry or End; edited
	KindOutcome Kind = "outcome" // to the requester, anew for each outcome
	KindRefused Kind = "refused" // to a person who came too late, or is not allowed to
	KindError   Kind = "error"   // to the error channel
)

// Message is one of a run's messages. Its Key is the same for every copy and
// every state of it.
type Message struct {
	Kind    Kind
	Tier    int    // KindRequest: which tier it asks
	Copy    int    // KindRequest: which of the tier's recipients, from 0
	EventID string // KindOutcome, KindRefused, KindError: which event it tells of
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
	f, err := n.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return err
	}
	copies, err := n.copies(ctx, r)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range plan(r, f.Environment.ErrorChannel) {
		if err := n.show(ctx, f, r, p, copies); err != nil {
			failed = append(failed, fmt.Errorf("message %s of run %s: %w", p.message.Key(), id, err))
		}
	}
	return errors.Join(failed...)
}

// planned is a message that a run should be shown by.
type planned struct {
	message Message
	to      Address
}

// plan lists the messages of a run as it is now, in the order of their making.
func plan(r flow.Run, errorChannel string) []planned {
	var out []planned
	for i := range min(r.Tier+1, len(r.Tiers)) {
		for j, to := range r.Tiers[i].Recipients() {
			out = append(out, planned{Message{Kind: KindRequest, Tier: i, Copy: j}, Address(to)})
		}
	}
	requester := Address{Users: []flow.Actor{r.Requester}}
	tellRequester := r.Requester.SlackID != ""
	if tellRequester && r.Status != flow.Prompted && len(r.Tiers) > 0 {
		out = append(out, planned{Message{Kind: KindStatus}, requester})
	}
	for _, e := range r.Events {
		if tellRequester && isOutcome(r, e) {
			out = append(out, planned{Message{Kind: KindOutcome, EventID: e.ID}, requester})
		}
		if isRefusal(e) && e.Actor.SlackID != "" {
			to := Address{Users: []flow.Actor{e.Actor}}
			if e.Via != nil {
				to.Channel = e.Via.Channel
			}
			out = append(out, planned{Message{Kind: KindRefused, EventID: e.ID}, to})
		}
		if errorChannel != "" && isTrouble(e) {
			out = append(out, planned{Message{Kind: KindError, EventID: e.ID}, Address{Channel: errorChannel}})
		}
	}
	return out
}

// isOutcome tells whether the requester is told of the event by a message of
// its own. An approval that is followed by a grant is told with the grant;
// what requesters do themselves needs no telling.
func isOutcome(r flow.Run, e flow.Event) bool {
	if isTrouble(e) {
		return e.Name != flow.EventPrompt
	}
	if e.State != flow.StateCompleted {
		return false
	}
	switch e.Name {
	case flow.EventApprove:
		return r.ApprovalOnly
	case flow.EventDeny, flow.EventEscalate, flow.EventExtend, flow.EventExtendDeny, flow.EventDeescalate:
		return true
	case flow.EventRequestExpire:
		return len(r.Tiers) > 0 || len(e.Errors) > 0 // a form that was never submitted has nobody to tell
	}
	return false
}

// isRefusal tells whether an approval, denial or withdrawal was not accepted.
func isRefusal(e flow.Event) bool {
	if e.Ignored() {
		return e.Name != flow.EventPrompt // that is told in the form's place
	}
	switch e.Name {
	case flow.EventApprove, flow.EventDeny, flow.EventCancel, flow.EventExtendRequest, flow.EventExtend, flow.EventExtendDeny:
		return e.State != flow.StateCompleted && len(e.Errors) > 0 && e.Count == 0 // steps that failed are counted
	}
	return false
}

// isTrouble tells whether the event is a failure that an administrator should
// know of. A click that came too late is not.
func isTrouble(e flow.Event) bool {
	if len(e.Errors) == 0 || e.Ignored() {
		return false
	}
	switch e.Name {
	case flow.EventRequest:
		// A request that Slack keeps from being sent is tried again by itself.
		return e.Errors[0].Code != flow.CodeLookup || e.Last.Sub(e.At) >= hush
	case flow.EventRequestForward, flow.EventEscalate, flow.EventDeescalate:
		return true
	case flow.EventExtend:
		if e.Count > 0 { // a target could not be told
			return true
		}
	}
	return slices.ContainsFunc(e.Errors, func(f flow.Failure) bool {
		switch f.Code {
		case flow.CodeLookupRefused, flow.CodeUnreachable:
			return true
		case flow.CodeUndeliverable:
			return e.Name == flow.EventRequestExpire
		}
		broken := f.Code == flow.CodeHandler || f.Code == flow.CodeUnavailable
		return f.Handler != "" || broken && e.Name != flow.EventDeny
	})
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

// show posts a message that has no copy yet, and edits the copies that show
// something else.
func (n Notify) show(ctx context.Context, f *flow.Flow, r flow.Run, p planned, copies []store.Message) error {
	ctx, cancel := context.WithTimeout(ctx, max(showTimeout, n.Patience))
	defer cancel()
	body, err := n.Slack.Render(p.message, r)
	if err != nil {
		return err
	}
	digest := digest(body)
	key := p.message.Key()
	posted := false
	var failed []error
	for _, m := range copies {
		if m.Key != key {
			continue
		}
		posted = true
		if m.Digest != digest && m.TS != "" && p.message.Kind != KindRefused {
			failed = append(failed, n.edit(ctx, r.ID, m, body, digest))
		}
	}
	asks := p.message.Kind == KindRequest
	if posted {
		if asks && !r.Tiers[p.message.Tier].Delivered {
			failed = append(failed, n.delivered(ctx, r.ID, p.message.Tier))
		}
		return errors.Join(failed...)
	}
	if asks {
		t := r.Tiers[p.message.Tier]
		hopeless := t.Undeliverable != "" || slices.Contains(t.Failed, p.message.Copy)
		if r.Status == flow.Requested && hopeless || p.message.Tier != r.Tier {
			return nil // its turn is over, or it waits for somebody to press Retry
		}
	}
	if p.to.Channel == "" && len(p.to.Users) == 0 {
		return n.undeliverable(ctx, r.ID, p.message, flow.Errorf(flow.CodeUndeliverable, "none of the people to ask is in the workspace: correct the flow's approval.notify"))
	}
	channel, ts, err := n.post(ctx, p.to, body)
	if flow.CodeOf(err) == flow.CodeUndeliverable {
		n.Log.WarnContext(ctx, "message can't be delivered", "run", r.ID, "message", key, "error", err)
		if asks {
			return errors.Join(n.missed(ctx, f, p.to, err), n.undeliverable(ctx, r.ID, p.message, err))
		}
		if p.message.Kind == KindError {
			n.Health.lost(p.to.Channel, err)
			n.Log.ErrorContext(ctx, "the error channel can't be told", "run", r.ID, "channel", p.to.Channel, "error", err)
		}
		channel, ts = "", "" // noted as a copy without a place, so that it is not tried for ever
	} else if err != nil {
		return err
	}
	if err := n.Messages.Save(ctx, r.ID, store.Message{MessageRef: flow.MessageRef{Key: key, Channel: channel, TS: ts}, Digest: digest}); err != nil {
		return err
	}
	if !asks {
		return nil
	}
	return n.delivered(ctx, r.ID, p.message.Tier)
}

// post sends a message, and notes how Slack took it.
func (n Notify) post(ctx context.Context, to Address, body []byte) (channel, ts string, err error) {
	channel, ts, err = n.Slack.Post(ctx, to, body)
	n.Health.heard(to.Channel, err, n.Now())
	return channel, ts, err
}

// edit makes a copy show the message as it is now. One that can't be reached
// any more stays as it is: it is noted as done, so as not to be tried for ever.
func (n Notify) edit(ctx context.Context, runID string, m store.Message, body []byte, digest string) error {
	err := n.Slack.Edit(ctx, m.Channel, m.TS, body)
	n.Health.heard(m.Channel, err, n.Now())
	if flow.CodeOf(err) == flow.CodeUndeliverable {
		n.Log.WarnContext(ctx, "message can't be edited", "run", runID, "message", m.Key, "error", err)
	} else if err != nil {
		return err
	}
	m.Digest = digest
	return n.Messages.Save(ctx, runID, m)
}

// delivered notes that a tier was asked.
func (n Notify) delivered(ctx context.Context, id string, tier int) error {
	_, err := n.Runs.Change(ctx, id, n.Now, func(flow.Run) (flow.Input, error) {
		return flow.Delivered{Tier: tier}, nil
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
