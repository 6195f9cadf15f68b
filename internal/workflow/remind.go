package workflow

import (
	"fmt"
	"slices"

	"github.com/symflows/symflows/internal/flow"
)

// reminders are the replies that remind people to act: in the threads of the cards of
// those who decide, and of the requester's. What is overtaken is neither sent nor
// changed.
func reminders(r flow.Run, asked []planned, status string) []planned {
	var out []planned
	for _, m := range r.Reminders {
		switch {
		case m.Of == flow.RemindDeciders && r.Status == flow.Requested && m.Tier == r.Tier:
			for _, card := range asked {
				if told := card.message; told.Tier == r.Tier {
					told.Kind, told.Mark = KindTold, string(m.Of)
					out = append(out, planned{message: told, parent: card.message.Key(), aloud: len(Reminded(r, told)) == 0})
				}
			}
		case m.Of == flow.RemindReviewers && r.AwaitsReview() && !r.Form.NoReminders:
			for _, card := range asked {
				told := card.message
				told.Kind, told.Mark = KindTold, string(m.Of)
				out = append(out, planned{message: told, parent: card.message.Key(), aloud: len(Reminded(r, told)) == 0})
			}
		case m.Of == flow.RemindRequester && status != "" && m.End.Equal(r.Access.End) && r.Held(r.Touched):
			out = append(out, planned{
				message: Message{Kind: KindOutcome, Mark: fmt.Sprintf("%s.%d", m.Of, m.End.Unix())}, to: Address{Users: []flow.Actor{r.Requester}}, parent: status,
			})
		}
	}
	return out
}

// Reminded are those whom a reminder to decide, or to review, mentions: who may do so and
// has not.
func Reminded(r flow.Run, m Message) []flow.Actor {
	action := flow.ActionApprove
	if r.AwaitsReview() {
		action = flow.ActionReview
	}
	return slices.DeleteFunc(called(r, m), func(who flow.Actor) bool {
		return r.May(flow.Button(action), who, false) != nil || slices.ContainsFunc(r.Approvals, func(a flow.CountedApproval) bool { return a.Actor.Same(who) })
	})
}

// AskedForMore are those whom a reply mentions that tells of more time which somebody asks
// for: who may decide that.
func AskedForMore(r flow.Run, m Message, e flow.Event) []flow.Actor {
	if r.Unasked() {
		return nil
	}
	return slices.DeleteFunc(called(r, m), func(who flow.Actor) bool { return e.Actor.Same(who) || r.Asks(who) })
}

// called are those who may decide; where every member may, those to whom the card was sent
// by name. Nobody: it is for a channel of which everybody may.
func called(r flow.Run, m Message) []flow.Actor {
	people := r.Deciders.People
	if r.Deciders.Members {
		people = nil
	}
	if m.Tier >= len(r.Tiers) {
		return slices.Clone(people)
	}
	if to := r.Tiers[m.Tier].Recipients(); len(people) == 0 && m.Copy < len(to) {
		people = to[m.Copy].Users
	}
	return slices.Clone(people)
}
