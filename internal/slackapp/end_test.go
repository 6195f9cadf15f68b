package slackapp

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// said is what targets have said of sessions, one after the other; less than 0:
// they could not be asked.
func said(f *flow.Flow, at time.Time, each ...time.Duration) flow.Lingering {
	answers := map[string]flow.Lingers{}
	for i, d := range each {
		key := flow.LingerKey(f.Strategy, f.Strategy.Targets[i])
		answers[key] = flow.Lingers{Key: key, Seconds: int64(d / time.Second), At: at.Unix()}
	}
	return flow.Lingering{}.Learn(f.Strategy, answers)
}

// TestSessions: the form says how long sessions may go on, as far as it is known
// of the targets, and nothing else.
func TestSessions(t *testing.T) {
	t.Parallel()
	two := func() *flow.Flow {
		f := accessFlow()
		f.Strategy.Targets = []flow.Target{{Name: "a", Type: "t", Settings: map[string]string{"k": "a"}}, {Name: "b", Type: "t", Settings: map[string]string{"k": "b"}}}
		return f
	}
	for _, test := range []struct {
		says []time.Duration
		want string
	}{
		{nil, ""},
		{[]time.Duration{-time.Second, -time.Second}, ""},
		{[]time.Duration{0, 0}, ""},
		{[]time.Duration{4 * time.Hour, 4 * time.Hour}, "Sessions opened with this access may go on for up to 4 hours after it ends."},
		{[]time.Duration{time.Hour, 12 * time.Hour}, "Sessions opened with this access may go on after it ends: for up to 12 hours, depending on the target."},
		{[]time.Duration{0, 12 * time.Hour}, "Sessions opened with this access may go on after it ends: for up to 12 hours, depending on the target."},
		{[]time.Duration{time.Hour}, "Sessions opened with this access may go on after it ends: at some of the targets for up to 1 hour."},
	} {
		f := two()
		if got := sessionsOf(f, said(f, start, test.says...), start); got != test.want {
			t.Errorf("%v: %q, want %q", test.says, got, test.want)
		}
	}
	if got := sessionsOf(reportFlow(), flow.Lingering{}, start); got != "" {
		t.Errorf("of an approval: %q", got)
	}
}

// TestSessions_Forms: it is in the form however that is opened, and a form is
// opened without it where it can't be read.
func TestSessions_Forms(t *testing.T) {
	t.Parallel()
	const sentence = "may go on for up to 4 hours after it ends"
	f := accessFlow()
	targets := make([]time.Duration, len(f.Strategy.Targets))
	for i := range targets {
		targets[i] = 4 * time.Hour
	}
	w := memoryWorld(t, f, reportFlow())
	kept := store.Lingering{Store: w.store}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(kept.Change(t.Context(), f.Name, func(flow.Lingering) flow.Lingering { return said(f, start, targets...) }))
	shown := func(how string) {
		t.Helper()
		if view := w.opened(); !strings.Contains(textOf(view.Blocks.BlockSet), sentence) {
			t.Errorf("%s: the form shows %s", how, textOf(view.Blocks.BlockSet))
		}
	}
	w.command(alice, "req "+f.Name)
	shown("by its name")
	picker := slack.View{CallbackID: viewFlow, ID: "V1"}
	if got := w.interact(submission(alice, picker, map[string]any{blockFlow: chosen(f.Name)})); !strings.Contains(got, sentence) {
		t.Errorf("chosen from the list: %s", got)
	}
	view := requestModal(f, "run-1", nil)
	with := w.app.withEnd(view, f, w.app.lingering(t.Context(), strings.ToUpper(f.Name)))
	body, err := json.Marshal(with)
	must(err)
	if !strings.Contains(string(body), sentence) || len(with.Blocks.BlockSet) != len(view.Blocks.BlockSet)+1 {
		t.Errorf("the form is %s", body)
	}
	if _, ok := with.Blocks.BlockSet[1].(*slack.ContextBlock); !ok {
		t.Errorf("it is a %T", with.Blocks.BlockSet[1])
	}
	many := view
	for len(many.Blocks.BlockSet) < maxViewBlocks {
		many.Blocks.BlockSet = append(many.Blocks.BlockSet, view.Blocks.BlockSet[0])
	}
	if got := w.app.withEnd(many, f, said(f, start, targets...)); len(got.Blocks.BlockSet) != maxViewBlocks {
		t.Errorf("the form has %d blocks", len(got.Blocks.BlockSet))
	}
}

// TestSessions_Messages: those who decide, and who asked, read what was known when
// it was asked for.
func TestSessions_Messages(t *testing.T) {
	t.Parallel()
	r := flow.Run{ID: "r", Status: flow.Requested, Target: &accessFlow().Strategy.Targets[0], Lingers: 4 * 3600}
	for _, kind := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
		text := written(t, r, kind)
		if !strings.Contains(text, "Sessions opened with this access may go on for up to 4 hours after it ends.") {
			t.Errorf("%s: %s", kind, text)
		}
	}
	r.Lingers = 0
	if text := written(t, r, workflow.KindRequest); strings.Contains(text, "Sessions") {
		t.Errorf("where it is not known: %s", text)
	}
}

func written(t *testing.T, r flow.Run, kind workflow.Kind) string {
	t.Helper()
	body, err := Render(workflow.Message{Kind: kind}, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestCautions: what the end of access does besides is in the form, once each, and in
// the messages to those who decide and who asked.
func TestCautions(t *testing.T) {
	t.Parallel()
	const forks, teams = "When access to a repository ends, forks are deleted.", "When membership ends, teams are left."
	f := accessFlow()
	f.Strategy.Targets = []flow.Target{{Name: "a", Caution: forks}, {Name: "b"}, {Name: "c", Caution: forks}, {Name: "d", Caution: teams}}
	w := memoryWorld(t, f)
	w.command(alice, "req "+f.Name)
	if shown := textOf(w.opened().Blocks.BlockSet); !strings.Contains(shown, forks+"\n"+teams) || strings.Count(shown, forks) != 1 {
		t.Errorf("the form shows %s", shown)
	}
	if got := cautionsOf(reportFlow()); got != "" {
		t.Errorf("of an approval: %q", got)
	}
	for i, want := range []int{1, 0} {
		r := flow.Run{ID: "r", Status: flow.Requested, Target: &f.Strategy.Targets[i]}
		for _, kind := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
			if text := written(t, r, kind); strings.Count(text, forks) != want {
				t.Errorf("%s: the caution is there %d times, want %d: %s", kind, strings.Count(text, forks), want, text)
			}
		}
	}
}
