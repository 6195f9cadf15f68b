package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAccessEvent holds who is said to have granted or ended access, and how
// it ended.
func TestAccessEvent(t *testing.T) {
	t.Parallel()
	granted := situations()["escalated"].run
	asked := must(granted, t0, Receive{Action: ActionDeescalate, Actor: admin, Channel: ChannelAPI, Message: "done"})
	scheduled, manual := map[string]any{KeyDeescalateType: Scheduled}, map[string]any{KeyDeescalateType: Manual}
	for _, c := range []struct {
		name string
		run  Run
		of   EventName
		want Event
	}{
		{"granted", granted, EventEscalate, Event{Actor: approver, Channel: ChannelInternal}},
		{"granted, though its end is asked for", asked, EventEscalate, Event{Actor: approver, Channel: ChannelInternal}},
		{"over", granted, EventDeescalate, Event{Actor: approver, Channel: ChannelInternal, Fields: scheduled}},
		{"ended by hand", asked, EventDeescalate, Event{Actor: admin, Channel: ChannelAPI, Fields: manual}},
	} {
		c.want.ID, c.want.Name, c.want.At = "event-1", c.of, t0
		if diff := cmp.Diff(c.want, c.run.AccessEvent(c.of, "event-1", t0)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
}
