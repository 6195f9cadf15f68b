package workflow

import (
	"fmt"

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
					out = append(out, planned{message: told, parent: card.message.Key()})
				}
			}
		case m.Of == flow.RemindReviewers && r.AwaitsReview() && !r.Form.NoReminders:
			for _, card := range asked {
				told := card.message
				told.Kind, told.Mark = KindTold, string(m.Of)
				out = append(out, planned{message: told, parent: card.message.Key()})
			}
		case m.Of == flow.RemindRequester && status != "" && m.End.Equal(r.Access.End) && r.Held(r.Touched):
			out = append(out, planned{
				message: Message{Kind: KindOutcome, Mark: fmt.Sprintf("%s.%d", m.Of, m.End.Unix())}, to: Address{Users: []flow.Actor{r.Requester}}, parent: status,
			})
		}
	}
	return out
}
