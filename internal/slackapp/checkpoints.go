package slackapp

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/transparency"
)

// Checkpoints posts the checkpoints of the transparency log in a channel, where whoever can
// write the log can't change them unseen.
type Checkpoints struct {
	API     *slack.Client
	Channel string // id, or name with #
}

var _ transparency.Keeper = Checkpoints{}

// Keep implements [transparency.Keeper]. The checkpoint stands between lines of three
// backquotes, from where it can be copied into a file.
func (c Checkpoints) Keep(ctx context.Context, name string, text []byte) error {
	hour := strings.TrimPrefix(name, "checkpoints/")
	_, _, err := c.API.PostMessageContext(ctx, c.Channel, slack.MsgOptionText(fmt.Sprintf("Checkpoint of the audit log, %s (UTC):\n```\n%s```", hour, text), true),
		slack.MsgOptionDisableLinkUnfurl())
	return delivery(err, c.Channel)
}
