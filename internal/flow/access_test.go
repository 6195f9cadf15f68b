package flow

import (
	"reflect"
	"testing"
	"time"

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

// TestRun_MayEnd: the requester, who approved (in part, too) and admins; of an
// emergency, those who could have approved it.
func TestRun_MayEnd(t *testing.T) {
	t.Parallel()
	r := decide(requestedOf(accessFlow(), 2, time.Hour), t0, ActionApprove, second)
	r = decide(r, t0, ActionApprove, approver)
	r = must(r, t0, intend, Escalate{})
	for _, c := range []struct {
		who         Actor
		end, cancel bool
	}{
		{requester, true, true}, {approver, true, false}, {second, true, false}, {admin, true, false},
		{outsider, false, false}, {bot, false, false}, {System, false, false}, {Actor{}, false, false},
	} {
		if err := r.MayEnd(c.who); (err == nil) != c.end || err != nil && CodeOf(err) != CodeForbidden {
			t.Errorf("MayEnd(%s) = %v", c.who.Display(), err)
		}
		if err := r.MayCancel(c.who, false); (err == nil) != c.cancel || err != nil && CodeOf(err) != CodeForbidden {
			t.Errorf("MayCancel(%s) = %v", c.who.Display(), err)
		}
	}
	for _, name := range []string{"approved", "emergency"} { // nothing has begun
		r := situations()[name].run
		for who, may := range map[*Actor]bool{&requester: true, &approver: true, &admin: true, &outsider: false, &System: false} {
			if err := r.MayCancel(*who, false); (err == nil) != may || err != nil && CodeOf(err) != CodeForbidden {
				t.Errorf("%s: MayCancel(%s) = %v", name, who.Display(), err)
			}
		}
		if r.MayCancel(approver, true) == nil {
			t.Errorf("%s: a guest may cancel it", name)
		}
	}
	emergency := must(situations()["emergency"].run, t0, intend, Escalate{}) // nobody has approved it: whoever could have may stop it
	for who, may := range map[*Actor]bool{&requester: true, &approver: true, &admin: true, &outsider: false, &bot: false, &System: false} {
		if err := emergency.MayEnd(*who); (err == nil) != may {
			t.Errorf("of an emergency: MayEnd(%s) = %v", who.Display(), err)
		}
	}
	undecided := situations()["requested"].run
	if err := undecided.MayEnd(approver); CodeOf(err) != CodeForbidden {
		t.Errorf("somebody who has approved nothing may end: %v", err)
	}
}

// TestApply_Intend: the facts are frozen before the target is touched, and the
// event that will tell of the grant has its id by then.
func TestApply_Intend(t *testing.T) {
	t.Parallel()
	r := must(situations()["approved"].run, t0, intend)
	a := r.Access
	if a.Strategy.Targets != nil || a.Strategy.Settings["url"] != "https://grants.example.com/sym" || a.Target.Name != "orders-db" || a.Identity != "requester@example.com" {
		t.Errorf("frozen facts = %+v", a)
	}
	if len(intend.Strategy.Targets) == 0 {
		t.Error("Intend emptied the targets of the flow's own strategy")
	}
	events := len(r.Events)
	r = must(r, t0, failing(EventEscalate, CodeUnavailable, "no answer"), Escalate{Output: []byte(`{"user":"tmp"}`)})
	if got := r.Events[len(r.Events)-1]; got.ID != a.EventID || string(got.Output) != `{"user":"tmp"}` || len(r.Events) != events+2 {
		t.Errorf("escalate event = %+v, want id %s", got, a.EventID)
	}
}

// TestApply_End: the end is min(access seen, first attempt + 15 min) + duration.
func TestApply_End(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		duration time.Duration
		seen     time.Duration // after the first attempt
		want     time.Duration // after the first attempt; 0: no end
	}{
		{"at once", time.Hour, 0, time.Hour},
		{"a slow grant", time.Hour, 4 * time.Minute, time.Hour + 4*time.Minute},
		{"the last moment", time.Hour, GrantWindow, time.Hour + GrantWindow},
		{"a very slow grant", time.Hour, GrantWindow + time.Second, time.Hour + GrantWindow},
		{"seen after its end", 30 * time.Second, time.Hour, 30*time.Second + GrantWindow},
		{"without duration", 0, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := must(decide(requestedOf(accessFlow(), 1, c.duration), t0, ActionApprove, approver), t0, intend)
			if latest := r.Access.End; c.duration > 0 && !latest.Equal(t0.Add(GrantWindow+c.duration)) {
				t.Errorf("intended end = %v, want 15 minutes and the duration after the first attempt", latest)
			}
			r = must(r, t0.Add(c.seen), Escalate{})
			want, expires := time.Time{}, any(nil)
			if c.want > 0 {
				want = t0.Add(c.want)
				expires = want.Format(time.RFC3339Nano)
			}
			if !r.Access.End.Equal(want) {
				t.Errorf("end = %v, want %v", r.Access.End, want)
			}
			if got := r.Events[len(r.Events)-1].Fields["expires_at"]; got != expires {
				t.Errorf("expires_at = %v, want %v", got, expires)
			}
			if !r.Access.First.Equal(t0) || !r.Access.Seen.Equal(t0.Add(c.seen)) {
				t.Errorf("first, seen = %v, %v", r.Access.First, r.Access.Seen)
			}
		})
	}
}

// TestApply_Escalate_keepsRemoval: a grant that is seen late does not hide that
// taking it away fails.
func TestApply_Escalate_keepsRemoval(t *testing.T) {
	t.Parallel()
	r := must(situations()["granting, claimed"].run, t0, failing(EventDeescalate, CodeUnavailable, "no answer"))
	retry := r.Error.RetryAt
	r = must(r, t0, Escalate{})
	if r.Error == nil || r.Error.Step != EventDeescalate || !r.Due.Equal(retry) {
		t.Errorf("error %+v, due %v, want the removal's", r.Error, r.Due)
	}
}

// TestApply_Deescalate: how access ended is told by the event.
func TestApply_Deescalate(t *testing.T) {
	t.Parallel()
	over := situations()["escalated, over"]
	claim := Claim{Owner: "w", Until: over.now.Add(time.Minute)}
	out := Deescalate{
		Owner: "w", StillHeld: []string{"a"}, Kept: []string{"b"}, Output: []byte(`{"gone":true}`), Warnings: []string{"slow"},
	}
	r := must(over.run, over.now, claim)
	reserved := r.Access.Removal.EventID
	r = must(r, over.now, out)
	e, _ := r.Last(EventDeescalate)
	want := map[string]any{"deescalate_type": Scheduled, "still_held": []string{"a"}, "kept": []string{"b"}, "warnings": []string{"slow"}}
	if e.ID != reserved || e.Channel != ChannelInternal || string(e.Output) != `{"gone":true}` || !reflect.DeepEqual(e.Fields, want) {
		t.Errorf("scheduled: %+v", e)
	}
	if r.Access.Live() || !r.Access.Removed.Equal(over.now) || r.Access.Removal.Owner != "" || r.Error != nil {
		t.Errorf("after the end: access %+v, error %v", r.Access, r.Error)
	}

	end := Receive{Action: ActionDeescalate, Actor: admin, Channel: ChannelAPI, Message: "done early"}
	r = must(situations()["escalated"].run, t0, end)
	asked := r.Signals[0].ID
	r = must(r, t0, claim)
	if r.Access.Removal.EventID != asked {
		t.Errorf("the reserved event is %s, want that of the signal, %s: the API has told it", r.Access.Removal.EventID, asked)
	}
	r = must(r, t0, Deescalate{Owner: "w"})
	e, _ = r.Last(EventDeescalate)
	want = map[string]any{"deescalate_type": Manual, "decision_message": "done early"}
	if e.ID != asked || !e.Actor.Same(admin) || e.Channel != ChannelAPI || !reflect.DeepEqual(e.Fields, want) || len(r.Signals) != 0 {
		t.Errorf("by hand: %+v", e)
	}
}
