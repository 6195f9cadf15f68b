package workflow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// cardsOnly says of each message whether it may have buttons.
type cardsOnly struct{ *slackFake }

func (cardsOnly) Render(m workflow.Message, r flow.Run) ([]byte, error) {
	buttons := 0
	switch {
	case m.Quiet, m.Kind == workflow.KindRequest && m.Tier != r.Tier:
	case m.Kind == workflow.KindRequest:
		buttons = len(r.Buttons(flow.SideDeciders | flow.SideRequester))
	case m.Kind == workflow.KindStatus:
		buttons = len(r.Buttons(flow.SideRequester))
	case m.Kind == workflow.KindTrouble:
		buttons = len(r.Buttons(flow.SideAdmins))
	}
	return json.Marshal(fmt.Sprintf("%s with %d buttons at %d", m.Key(), buttons, r.Rev))
}

// TestNotify_OneCardWithButtons holds through histories of all kinds: whatever goes
// wrong and whoever is asked, no conversation ever has two messages with buttons of one
// run.
func TestNotify_OneCardWithButtons(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		draw := rand.New(rand.NewPCG(seed, 12))
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.AllowSelfApproval = true
			if draw.IntN(2) == 0 {
				f.Environment.ErrorChannel = "#access"
			}
			f.Params.Approval.Notify = nil
			for range 1 + draw.IntN(3) {
				f.Params.Approval.Notify = append(f.Params.Approval.Notify, []flow.Notify{
					{Channel: "#access", Timeout: flow.Duration(30 * time.Minute)},
					{Users: []string{asker.Email}, Timeout: flow.Duration(30 * time.Minute)},
					{Users: []string{first.Email}, Timeout: flow.Duration(30 * time.Minute)},
				}[draw.IntN(3)])
			}
		})
		w.notify.Slack = cardsOnly{w.slack}
		fates := []fate{unavailable, refused, unavailable}
		draw.Shuffle(len(fates), func(i, j int) { fates[i], fates[j] = fates[j], fates[i] })
		w.target.fates["grant"] = fates[:draw.IntN(4)]
		w.target.fates["revoke"] = fates[:draw.IntN(3)]
		id := w.ask(asker, "a")
		for step := range 14 {
			switch draw.IntN(7) {
			case 0:
				w.pass(31 * time.Minute)
			case 1:
				w.pass(time.Minute)
			case 2:
				w.pass(grantedFor)
			case 3, 4:
				_ = w.press(id, flow.ActionApprove, first)
			case 5:
				_, _ = w.submit.Retry(t.Context(), id, asker)
			case 6:
				_ = w.press(id, flow.ActionDeescalate, asker)
			}
			if draw.IntN(3) > 0 {
				w.settle()
			}
			if err := w.tell(id); err != nil { // it settles
				continue
			}
			with := map[string][]string{}
			for place, shows := range w.slack.posts {
				conversation, _, _ := strings.Cut(place, " ")
				if !strings.Contains(shows, "with 0 buttons") {
					with[conversation] = append(with[conversation], shows)
				}
			}
			for conversation, cards := range with {
				if len(cards) > 1 {
					t.Fatalf("seed %d, step %d: %s has buttons in %q\nall: %q", seed, step, conversation, cards, w.slack.posts)
				}
			}
		}
	}
}
