package workflow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Address says where a message goes: a channel ("#name" or id), or one to
// seven people, who share a conversation. With both, the message is for the
// eyes of the one person in that channel (an ephemeral one), and a direct
// message where that can't be delivered.
type Address struct {
	Channel string
	Users   []flow.Actor
	// Thread is the time stamp of the message of the channel to which this one
	// replies; "" for one that stands by itself.
	Thread string
	// Aloud says that the reply is shown in the channel as well: it mentions nobody who
	// would hear of it else.
	Aloud bool
	// Step is, instead of all that, a step of a workflow that ends with the message.
	Step string
}

// conversation names where a message goes, for comparing.
func (a Address) conversation() string {
	if a.Channel != "" {
		return strings.ToLower(a.Channel)
	}
	var ids []string
	for _, u := range a.Users {
		ids = append(ids, cmp.Or(u.SlackID, u.ID))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// Kind is one of the messages that a run may be shown by. Cards show it as it is, are
// edited through every state, and are the only ones with buttons. Replies tell in the
// thread of a card what has happened, and are edited only to say what became of that.
type Kind string

// The kinds of messages.
const (
	KindRequest Kind = "request" // card to those who decide
	KindStatus  Kind = "status"  // card to the requester
	KindTrouble Kind = "trouble" // card to the error channel, once something has failed

	KindTold    Kind = "told"    // reply to those who decide
	KindOutcome Kind = "outcome" // reply to the requester
	KindError   Kind = "error"   // reply in the error channel

	KindRefused Kind = "refused" // to a person who came too late, or is not allowed to
	KindStep    Kind = "step"    // to the step of a workflow that asked: what has come of it
)

// card tells whether the message shows the run as it is, with buttons.
func (k Kind) card() bool { return k == KindRequest || k == KindStatus || k == KindTrouble }

// Message is one of a run's messages. Its Key is the same for every copy and
// every state of it.
type Message struct {
	Kind Kind
	Tier int // KindRequest, and KindTold of its card: which tier it asks
	Copy int // likewise: which of the tier's recipients, from 0
	// EventID is the event that a reply, or KindRefused, tells of. Mark is what it
	// tells of where that is no event.
	EventID string
	Mark    string
	// Quiet says that another message of the conversation has the buttons. It is no
	// part of the key.
	Quiet bool
}

// Key names the message among those of its run: the same for every copy and
// every state of it.
func (m Message) Key() string {
	about := cmp.Or(m.EventID, m.Mark)
	switch m.Kind {
	case KindRequest:
		return string(m.Kind) + ":" + m.recipient()
	case KindTold:
		return string(m.Kind) + ":" + m.recipient() + ":" + about
	}
	if about != "" {
		return string(m.Kind) + ":" + about
	}
	return string(m.Kind)
}

// recipient names one of a tier's recipients.
func (m Message) recipient() string {
	if m.Copy > 0 {
		return strconv.Itoa(m.Tier) + "." + strconv.Itoa(m.Copy)
	}
	return strconv.Itoa(m.Tier)
}

// planned is a message that a run should be shown by.
type planned struct {
	message Message
	to      Address
	// parent is the key of the card in whose thread it is told; "" for a card, and for
	// what stands by itself.
	parent string
	aloud  bool // Address.Aloud of it
	// overtaken: it is over what it tells of, so that it is not worth being sent.
	overtaken bool
	// past: a later reply says that it is over what this one tells of, so that it is
	// neither sent nor changed any more.
	past bool
	// live: it is a card that may have buttons now. place is its conversation, as far
	// as that is known.
	live  bool
	place string
}

// plan lists the messages of a run as it is now: its cards, those that have the
// buttons first, and then what is told below them, in the order of the events.
func plan(r flow.Run, errorChannel string) []planned {
	requester := Address{Users: []flow.Actor{r.Requester}}
	var cards, out []planned
	for i := min(r.Tier, len(r.Tiers)-1); i >= 0; i-- { // the tier that is asked has the buttons
		for j, to := range r.Tiers[i].Recipients() {
			cards = append(cards, planned{message: Message{Kind: KindRequest, Tier: i, Copy: j}, to: Address{Channel: to.Channel, Users: to.Users}, live: i == r.Tier})
		}
	}
	asking := len(cards)
	tellRequester, status, trouble := r.Requester.SlackID != "", "", ""
	if tellRequester && shownToRequester(r) {
		cards = append(cards, planned{message: Message{Kind: KindStatus}, to: requester, live: true})
		status = cards[asking].message.Key()
	}
	cards, void := alsoTold(r, cards)
	if errorChannel != "" && slices.ContainsFunc(r.Events, IsTrouble) {
		to := Address{Channel: errorChannel}
		if i := slices.IndexFunc(cards, func(p planned) bool { return p.to.conversation() == to.conversation() }); i >= 0 {
			trouble = cards[i].message.Key() // which is there already
		} else {
			goesOn := slices.ContainsFunc(r.Events, func(e flow.Event) bool { return IsTrouble(e) && !r.Overcome(e) })
			cards = append(cards, planned{message: Message{Kind: KindTrouble}, to: to, live: true, overtaken: !goesOn})
			trouble = cards[len(cards)-1].message.Key()
		}
	}
	for _, e := range r.Events {
		over := r.Overcome(e)
		for _, card := range cards[:asking] {
			m := card.message
			if told := IsTrouble(e) && card.message.Key() == trouble; isTold(e) && m.Tier == r.Tier && !told {
				m.Kind, m.EventID = KindTold, e.ID
				aloud := e.Name == flow.EventExtendRequest && !IsTrouble(e) && !r.Unasked() && len(AskedForMore(r, m, e)) == 0
				out = append(out, planned{message: m, parent: card.message.Key(), aloud: aloud, overtaken: over})
			}
		}
		if tellRequester && isOutcome(r, e) {
			past := e.Name == flow.EventEscalate && !IsTrouble(e) && r.Status == flow.Deescalated
			out = append(out, planned{message: Message{Kind: KindOutcome, EventID: e.ID}, to: requester, parent: status, overtaken: over, past: past})
		}
		if isRefusal(e) && e.Actor.SlackID != "" {
			to := Address{Users: []flow.Actor{e.Actor}}
			if e.Via != nil {
				to.Channel = e.Via.Channel
			}
			out = append(out, planned{message: Message{Kind: KindRefused, EventID: e.ID}, to: to})
		}
		if trouble != "" && IsTrouble(e) {
			out = append(out, planned{message: Message{Kind: KindError, EventID: e.ID}, parent: trouble, overtaken: over})
		}
	}
	if _, known := r.StepOutcome(); known && r.Step != "" {
		out = append(out, planned{message: Message{Kind: KindStep}, to: Address{Step: r.Step}})
	}
	return slices.Concat(cards, out, reminders(r, cards[:asking], status), void)
}

// shownToRequester tells whether the requester has a card: once the request was sent,
// or could not be.
func shownToRequester(r flow.Run) bool {
	if r.Status != flow.Prompted && len(r.Tiers) > 0 {
		return true
	}
	return slices.ContainsFunc(r.Events, func(e flow.Event) bool { return e.Name == flow.EventRequest && IsTrouble(e) })
}

// isTold tells whether those who decide are told of the event in the thread of their
// card: of what goes wrong after the decision, and of an end that was not to be
// expected; of more time, and of the review of an emergency. The card itself says all
// else.
func isTold(e flow.Event) bool {
	switch e.Name {
	case flow.EventExtendRequest, flow.EventExtend, flow.EventExtendDeny, flow.EventExtendExpire, flow.EventReview:
		return IsTrouble(e) || e.State == flow.StateCompleted
	case flow.EventEscalate, flow.EventDeescalate:
	default:
		return IsTrouble(e) && e.Name != flow.EventPrompt && e.Name != flow.EventRequest
	}
	if IsTrouble(e) {
		return true
	}
	left := e.Fields[flow.KeyStillHeld] != nil || e.Fields[flow.KeyKept] != nil || e.Fields[flow.KeyStillGrantedBy] != nil || e.Fields[flow.KeyWarnings] != nil
	byHand := e.Name == flow.EventDeescalate && e.Fields[flow.KeyDeescalateType] == flow.Manual
	return e.State == flow.StateCompleted && (left || byHand)
}

// isOutcome tells whether the requester is told of the event by a message of
// its own. An approval that is followed by a grant is told with the grant;
// what requesters do themselves needs no telling.
func isOutcome(r flow.Run, e flow.Event) bool {
	if IsTrouble(e) {
		return e.Name != flow.EventPrompt
	}
	if e.State != flow.StateCompleted {
		return false
	}
	switch e.Name {
	case flow.EventApprove:
		return r.ApprovalOnly || e.At.Before(r.StartAt)
	case flow.EventDeny, flow.EventEscalate, flow.EventExtend, flow.EventExtendDeny, flow.EventDeescalate, flow.EventReview:
		return true
	case flow.EventCancel: // of access that was approved and had not begun, by somebody else
		_, approved := r.Last(flow.EventApprove)
		return approved && !e.Actor.Is(r.Requester)
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
	case flow.EventApprove, flow.EventDeny, flow.EventCancel, flow.EventExtendRequest, flow.EventExtend, flow.EventExtendDeny, flow.EventReview:
		return e.State != flow.StateCompleted && len(e.Errors) > 0 && e.Count == 0 // steps that failed are counted
	}
	return false
}

// IsTrouble tells whether the event is a failure that an administrator should
// know of. A click that came too late is not.
func IsTrouble(e flow.Event) bool {
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
