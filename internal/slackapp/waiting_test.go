package slackapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// impatient is a clock whose waits are over at once.
type impatient struct {
	now    time.Time
	waited func(time.Duration)
}

func (c impatient) Now() time.Time { return c.now }

func (c impatient) After(d time.Duration) <-chan time.Time {
	c.waited(d)
	over := make(chan time.Time, 1)
	over <- c.now.Add(d)
	return over
}

// TestWaiting: a handler that asks for all members of a large group has them, even
// if Slack asks to wait on the way, as often as it likes; nobody is asked for
// twice. What would take longer than the handler has, or has no bound, is refused.
func TestWaiting(t *testing.T) {
	t.Parallel()
	const size = 60
	// Slack refuses a method until it was left alone, or for ever.
	world := func(now time.Time, refused string) (*Directory, *fakeSlack, *[]time.Duration) {
		d, s, _ := newDirectory(t)
		var ids []string
		for i := range size {
			id := fmt.Sprintf("U0MEMBER%03d", i)
			ids = append(ids, id)
			s.people[id] = map[string]any{"team_id": team, "profile": map[string]any{"display_name": "Name of " + id}}
		}
		s.groups = []map[string]any{{"id": "S1", "handle": "everybody", "users": ids}}
		var pauses []time.Duration
		s.failing(refused, "429")
		clock := impatient{now, func(pause time.Duration) {
			pauses = append(pauses, pause)
			s.failing(refused, "")
		}}
		d.API = slack.New("xoxb-test", slack.OptionAPIURL(s.URL+"/"), slack.OptionHTTPClient(&http.Client{Transport: Waiting{http.DefaultTransport, clock}}))
		return d, s, &pauses
	}
	ctx := deadline.Context(t)
	end, _ := ctx.Deadline()
	for _, method := range []string{"usergroups.list", "usergroups.users.list", "users.info"} {
		d, s, pauses := world(end.Add(-8*time.Second), method)
		members, err := (Services{API: d.API, Directory: d}).GroupMembers(ctx, "everybody")
		if err != nil || len(members) != size || members[size-1].Name == "" || !slices.Equal(*pauses, []time.Duration{7 * time.Second}) {
			t.Errorf("%s: %d members, waited %v, %v", method, len(members), *pauses, err)
		}
		if n := len(s.of("users.info")); n > size+1 {
			t.Errorf("%s: asked for %d people", method, n)
		}
	}
	for name, ctx := range map[string]context.Context{"too long": ctx, "no bound": t.Context()} {
		d, _, pauses := world(end.Add(-6*time.Second), "users.info")
		_, err := (Services{API: d.API, Directory: d}).GroupMembers(ctx, "everybody")
		if limited, ok := errors.AsType[*flow.RateLimited](err); !ok || limited.After != 7*time.Second || len(*pauses) != 0 {
			t.Errorf("%s: waited %v, %v", name, *pauses, err)
		}
	}
}
