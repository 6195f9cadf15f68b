package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPastOf: what those who decide are told of earlier requests.
func TestPastOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	who, other := Actor{ID: "1", SlackID: "U1", SlackTeam: "T1"}, Actor{ID: "2", SlackID: "U2", SlackTeam: "T1"}
	orders, users := &Target{Name: "orders", Type: "x", Label: "Orders"}, &Target{Name: "users", Type: "x", Label: "Users"}
	run := func(id string, by Actor, target *Target, status Status, days int, how ...string) Run {
		at := now.AddDate(0, 0, -days)
		r := Run{ID: id, Requester: by, Flow: "prod", FlowTitle: "Production", Target: target, Status: status, Created: at}
		r.Events = []Event{{Name: EventRequest, State: StateCompleted, At: at}}
		for _, h := range how {
			r.Events = append(r.Events, Event{Name: EventDeescalate, State: StateCompleted, At: at, Fields: map[string]any{KeyDeescalateType: h}})
		}
		return r
	}
	unsent := run("9", who, orders, Prompted, 1)
	unsent.Events = nil
	r := run("0", who, orders, Requested, 0)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	for name, c := range map[string]struct {
		others []Run
		more   bool
		want   Past
	}{
		"First":     {[]Run{r, unsent, run("1", other, orders, Denied, 3)}, false, Past{}},
		"Denied":    {[]Run{r, run("1", who, orders, Denied, 3), run("2", who, orders, Deescalated, 9, Scheduled)}, false, Past{Times: 2, Last: ago(3), CameTo: CameTo(Denied)}},
		"OnTime":    {[]Run{run("1", who, orders, Deescalated, 3, Scheduled)}, false, Past{Times: 1, Last: ago(3), CameTo: CameToOnTime}},
		"ByHand":    {[]Run{run("1", who, orders, Deescalated, 3, Manual)}, false, Past{Times: 1, Last: ago(3), CameTo: CameToByHand}},
		"LongAgo":   {[]Run{run("1", who, orders, Denied, 91)}, false, Past{}},
		"AlsoHas":   {[]Run{run("1", who, users, Escalated, 0)}, false, Past{Live: []string{"Users"}}},
		"Others":    {[]Run{run("1", who, nil, Denied, 3)}, false, Past{}},
		"More":      {[]Run{run("1", who, orders, Denied, 3)}, true, Past{Times: 1, More: true, Last: ago(3), CameTo: CameTo(Denied)}},
		"MoreOlder": {[]Run{run("1", who, orders, Denied, 3), run("2", who, users, Denied, 95)}, true, Past{Times: 1, Last: ago(3), CameTo: CameTo(Denied)}},
	} {
		if diff := cmp.Diff(c.want, PastOf(r, c.others, c.more, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := PastOf(run("0", who, nil, Requested, 0), []Run{run("1", who, nil, Approved, 2)}, false, now); got.Times != 1 || got.CameTo != CameTo(Approved) {
		t.Errorf("of a flow without targets: %+v", got)
	}
}
