package flow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// lingeringStrategy has three targets, of which fields of a request fill in one.
func lingeringStrategy() *flow.Strategy {
	return &flow.Strategy{
		Name: "prod", Type: "aws_sso", Settings: map[string]string{"instance_arn": "i-1"},
		Targets: []flow.Target{
			{Name: "a", Type: "t", Settings: map[string]string{"account_id": "1"}},
			{Name: "b", Type: "t", Settings: map[string]string{"account_id": "2"}},
			{Name: "c", Type: "t", FieldBindings: []string{"account_id"}},
		},
	}
}

func answered(s *flow.Strategy, t flow.Target, d time.Duration, at time.Time) map[string]flow.Lingers {
	key := flow.LingerKey(s, t)
	return map[string]flow.Lingers{key: {Key: key, Seconds: int64(d / time.Second), At: at.Unix()}}
}

// TestLingering: what a target has said is known for some days, is asked for anew
// each day, and says nothing of other targets, nor of the same with other settings.
func TestLingering(t *testing.T) {
	t.Parallel()
	s := lingeringStrategy()
	now := paceStart
	var l flow.Lingering
	want := func(what string, at time.Time, target flow.Target, known time.Duration, ok bool, due string) {
		t.Helper()
		if d, there := l.For(s, target, at); d != known || there != ok {
			t.Errorf("%s: %v, %v; want %v, %v", what, d, there, known, ok)
		}
		names := ""
		for _, t := range l.Due(s, at) {
			names += t.Name
		}
		if names != due {
			t.Errorf("%s: %q are to be asked, want %q", what, names, due)
		}
	}
	a, b := s.Targets[0], s.Targets[1]
	want("nothing asked", now, a, 0, false, "ab")
	l = l.Learn(s, answered(s, a, 4*time.Hour, now))
	want("asked", now, a, 4*time.Hour, true, "b")
	want("the other", now, b, 0, false, "b")
	l = l.Learn(s, answered(s, b, -time.Second, now))
	want("can't be asked", now, b, 0, false, "")
	want("after an hour", now.Add(time.Hour), b, 0, false, "b")
	want("after a day", now.Add(24*time.Hour), a, 4*time.Hour, true, "ab")
	l = l.Learn(s, answered(s, a, -time.Second, now.Add(24*time.Hour)))
	want("can't be asked any more", now.Add(24*time.Hour), a, 4*time.Hour, true, "ab")
	want("for days", now.Add(72*time.Hour), a, 0, false, "ab")
	l = l.Learn(s, answered(s, a, 0, now))
	want("sessions end with access", now, a, 0, true, "")

	changed := a
	changed.Settings = map[string]string{"account_id": "3"}
	want("with other settings", now, changed, 0, false, "")
	elsewhere := *s
	elsewhere.Settings = map[string]string{"instance_arn": "i-2"}
	if _, ok := l.For(&elsewhere, a, now); ok {
		t.Error("another instance's target is known")
	}
	s.Targets = s.Targets[1:]
	if l = l.Learn(s, nil); len(l.Targets) != 1 {
		t.Errorf("of a target that is gone, something is kept: %+v", l)
	}
}

// TestLingering_Longest: what is said of a flow as a whole.
func TestLingering_Longest(t *testing.T) {
	t.Parallel()
	s := lingeringStrategy()
	s.Targets = s.Targets[:2]
	var l flow.Lingering
	for _, test := range []struct {
		learn     map[string]flow.Lingers
		want      time.Duration
		same, all bool
	}{
		{nil, 0, true, false},
		{answered(s, s.Targets[1], time.Hour, paceStart), time.Hour, false, false},
		{answered(s, s.Targets[0], 2*time.Hour, paceStart), 2 * time.Hour, false, true},
		{answered(s, s.Targets[1], 2*time.Hour, paceStart), 2 * time.Hour, true, true},
	} {
		l = l.Learn(s, test.learn)
		if d, same, all := l.Longest(s, paceStart); d != test.want || same != test.same || all != test.all {
			t.Errorf("%v, %v, %v, want %+v", d, same, all, test)
		}
	}
}

// TestLingering_Many: of a flow with very many targets, the item stays small.
func TestLingering_Many(t *testing.T) {
	t.Parallel()
	s := &flow.Strategy{Type: "aws_sso"}
	answers := map[string]flow.Lingers{}
	for n := range 3000 {
		target := flow.Target{Name: fmt.Sprint(n), Type: "t", Settings: map[string]string{"account_id": fmt.Sprint(n)}}
		s.Targets = append(s.Targets, target)
		for k, a := range answered(s, target, time.Hour, paceStart) {
			answers[k] = a
		}
	}
	var l flow.Lingering
	if due := len(l.Due(s, paceStart)); due != flow.MaxLingering {
		t.Errorf("%d are to be asked", due)
	}
	if l = l.Learn(s, answers); len(l.Targets) != flow.MaxLingering {
		t.Errorf("%d are kept", len(l.Targets))
	}
}
