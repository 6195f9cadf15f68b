package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// tell sends a notice to the error channels that have not had it. Between
// sending and noting it, it may be sent twice.
func (n Notify) tell(ctx context.Context, name string) error {
	notice, err := n.Notices.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nobody could be reached until it was over
	}
	if err != nil {
		return err
	}
	channels := []string{notice.Channel}
	if notice.Channel == "" {
		if channels, err = n.errorChannels(ctx); err != nil {
			return err
		}
	}
	var failed []error
	for _, channel := range channels {
		if !slices.Contains(notice.Sent, channel) {
			failed = append(failed, n.tellChannel(ctx, name, notice, channel))
		}
	}
	return errors.Join(failed...)
}

func (n Notify) tellChannel(ctx context.Context, name string, notice store.Notice, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, max(showTimeout, n.Patience))
	defer cancel()
	body, err := n.Slack.RenderNotice(notice)
	if err != nil {
		return err
	}
	_, _, err = n.Slack.Post(ctx, Address{Channel: channel}, body)
	if flow.CodeOf(err) == flow.CodeUndeliverable { // the log has it, and says why
		n.Log.ErrorContext(ctx, "notice can't be delivered", "channel", channel, "notice", notice.Text, "error", err)
	} else if err != nil {
		return err
	}
	return n.Notices.Sent(ctx, name, channel)
}

// errorChannels lists the error channels of the published flows, each once.
func (n Notify) errorChannels(ctx context.Context) ([]string, error) {
	list, err := n.Flows.List(ctx)
	if err != nil {
		return nil, err
	}
	var channels []string
	for _, summary := range list {
		f, err := n.Flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow {
			continue // withdrawn meanwhile
		}
		if err != nil {
			return nil, err
		}
		if c := f.Environment.ErrorChannel; c != "" && !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	return channels, nil
}
