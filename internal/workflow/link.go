package workflow

import (
	"net/url"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Permalink is where people meet a run: the latest message of those given that asks,
// in a channel, those who decide. "" if there is none: direct messages are nobody
// else's.
//
// Slack opens the channel by that address (docs.slack.dev/interactivity/deep-linking);
// it is not documented that message_ts leads on to the message, and does no harm.
func Permalink(r flow.Run, messages []store.Message) string {
	for _, m := range slices.Backward(messages) {
		asks := strings.HasPrefix(m.Key, string(KindRequest)+":")
		if !asks || m.TS == "" || !strings.HasPrefix(m.Channel, "C") {
			continue
		}
		to := url.Values{"channel": {m.Channel}, "message_ts": {m.TS}}
		if team := r.Requester.SlackTeam; team != "" {
			to.Set("team", team)
		}
		return "https://slack.com/app_redirect?" + to.Encode()
	}
	return ""
}
