package workflow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// reminded lists the reminders that were sent, by where they went.
func (w *world) reminded() []string {
	var out []string
	for _, s := range w.slack.sent {
		to, body, _ := strings.Cut(s, ": ")
		to, _, _ = strings.Cut(to, " below ") // each is a reply
		key, _, _ := strings.Cut(body, " ")
		for _, of := range []flow.ReminderOf{flow.RemindDeciders, flow.RemindRequester, flow.RemindReviewers} {
			if _, mark, _ := strings.Cut(key, ":"); strings.Contains(":"+mark, ":"+string(of)) {
				out = append(out, to+" "+string(of))
			}
		}
	}
	return out
}

// TestRemind_aloud: a reminder that mentions nobody, because every member may decide, is
// shown in the channel as well; one that mentions people is a reply to them.
func TestRemind_aloud(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*flow.Flow)
		want bool
	}{
		"every member": {func(f *flow.Flow) { f.Params.Approval.Approvers = nil }, true},
		"named":        {func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:" + first.Email} }, false},
		"sent to somebody": {func(f *flow.Flow) {
			f.Params.Approval.Approvers = nil
			f.Params.Approval.Notify = []flow.Notify{{Users: []string{first.Email}, Timeout: flow.Duration(time.Hour)}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.edit)
			id := w.ask(asker, "a")
			w.must("tell", func() error { return w.tell(id) })
			w.pass(w.run(id).Tiers[0].Deadline.Sub(w.clock.Now())/2 + time.Minute)
			w.must("tell", func() error { return w.tell(id) })
			if len(w.reminded()) != 1 {
				t.Fatalf("reminded %v", w.reminded())
			}
			if aloud := slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.Contains(s, " aloud: ") }); aloud != c.want {
				t.Errorf("aloud: %t; %q", aloud, w.slack.sent)
			}
		})
	}
}

// TestMore_aloud: that more time is asked for is shown in the channel as well, where every
// member may decide that and so nobody is mentioned.
func TestMore_aloud(t *testing.T) {
	t.Parallel()
	for approval, want := range map[string]bool{flow.ExtendSame: true, flow.ExtendNone: false} {
		w := newWorld(t, extends(approval), func(f *flow.Flow) { f.Params.Approval.Approvers = nil })
		w.lasts = "1h"
		id := w.ask(asker, "a")
		w.must("tell", func() error { return w.tell(id) })
		w.click(id, flow.ActionApprove, first)
		w.must("tell", func() error { return w.tell(id) })
		must(t, w.wish(id, asker))
		w.settle()
		w.must("tell", func() error { return w.tell(id) })
		if aloud := slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.Contains(s, " aloud: ") }); aloud != want {
			t.Errorf("%s: aloud %t; %q", approval, aloud, w.slack.sent)
		}
	}
}

// TestRemind: those who are asked are reminded halfway through their time, and the
// requester before access ends, once each, and once more for an end that moved; it
// starts no execution, and takes nothing away.
func TestRemind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, extends(flow.ExtendNone))
	w.lasts = "1h"
	id := w.ask(asker, "a")
	tell := func() { w.must("tell", func() error { return w.tell(id) }) }
	tell()
	half := w.run(id).Tiers[0].Deadline.Sub(w.clock.Now()) / 2
	executions := len(w.executed)
	for range 3 {
		w.pass(half/2 - time.Minute)
		tell()
	}
	if got, want := w.reminded(), []string{"#access decide"}; !slices.Equal(got, want) {
		t.Errorf("called %v, want %v", got, want)
	}
	if len(w.executed) != executions {
		t.Errorf("a reminder started executions: %v", w.executed)
	}
	w.click(id, flow.ActionApprove, first)
	end := w.want(id, flow.Escalated).Access.End
	w.pass(end.Add(-5 * time.Minute).Sub(w.clock.Now()))
	tell()
	tell()
	want := []string{"#access decide", "D" + asker.Name + " end"}
	if got := w.reminded(); !slices.Equal(got, want) {
		t.Errorf("called %v, want %v", got, want)
	}
	must(t, w.wish(id, asker))
	w.settle()
	end = w.run(id).Access.End
	w.pass(end.Add(-7 * time.Minute).Sub(w.clock.Now()))
	tell()
	if got := w.reminded(); len(got) != 3 || got[2] != want[1] {
		t.Errorf("after the extension called %v", got)
	}
	w.wantPresent(askerHas)
	w.pass(end.Add(time.Minute).Sub(w.clock.Now()))
	w.want(id, flow.Deescalated)
}

// TestRemind_none: neither where the flow says so, nor for what is short.
func TestRemind_none(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lasts string
		edit  func(*flow.Flow)
	}{
		"off":   {"1h", func(f *flow.Flow) { f.Params.NoReminders = true }},
		"short": {"10m", func(f *flow.Flow) { f.Params.Approval.Notify[0].Timeout = flow.Duration(14 * time.Minute) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.edit)
			w.lasts = c.lasts
			id := w.ask(asker, "a")
			w.must("tell", func() error { return w.tell(id) })
			w.pass(13 * time.Minute)
			w.must("tell", func() error { return w.tell(id) })
			w.click(id, flow.ActionApprove, first)
			w.pass(w.want(id, flow.Escalated).Access.End.Add(-10 * time.Second).Sub(w.clock.Now()))
			w.must("tell", func() error { return w.tell(id) })
			if got := w.reminded(); len(got) > 0 || len(w.run(id).Reminders) > 0 {
				t.Errorf("called %v, reminders %v", got, w.run(id).Reminders)
			}
		})
	}
}
