package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// severalAccounts is a world whose flow asks for accounts by a list.
func severalAccounts(t *testing.T, accounts ...string) *world {
	t.Helper()
	return severalOf(t, accounts)
}

func severalOf(t *testing.T, accounts []string, edit ...func(*flow.Flow)) *world {
	t.Helper()
	w := bound(t, append(edit, func(f *flow.Flow) { f.Params.PromptFields[1].Type = flow.FieldStringList })...)
	w.accounts = accounts
	return w
}

// The accounts of these tests, and what the target has of each.
var (
	ones, twos, threes = strings.Repeat("1", 12), strings.Repeat("2", 12), strings.Repeat("3", 12)
	one, two, three    = "db/" + ones + "/" + asker.Email, "db/" + twos + "/" + asker.Email, "db/" + threes + "/" + asker.Email
)

func parts(r flow.Run) []flow.Part {
	if r.Access == nil {
		return nil
	}
	return r.Access.Entitlements
}

// stand checks how the parts of a run stand.
func (w *world) stand(id, want string) {
	w.t.Helper()
	var got []string
	for _, p := range parts(w.run(id)) {
		got = append(got, string(p.State()))
	}
	if s := strings.Join(got, " "); s != want {
		w.t.Errorf("the parts are %q, want %q; log:\n%s", s, want, w.log)
	}
}

// TestSeveralTargets: one approval grants all that a list asks for, each checked by
// the vendor's forms, and its end takes all away.
func TestSeveralTargets(t *testing.T) {
	t.Parallel()
	w := severalAccounts(t, ones, twos, threes)
	var accounts []string
	w.access.Bound = func(s flow.Strategy, target flow.Target) error {
		for _, one := range target.All() {
			accounts = append(accounts, one.Settings["account_id"])
		}
		return nil
	}
	id := w.approved("a")
	r := w.want(id, flow.Escalated)
	w.stand(id, "granted granted granted")
	w.wantPresent(one, two, three)
	if fmt.Sprint(accounts) != fmt.Sprint(w.accounts) {
		t.Errorf("checked %v", accounts)
	}
	if r.Target.Settings["account_id"] != "" || fmt.Sprint(r.Fields["account_id"]) != fmt.Sprint(w.accounts) {
		t.Errorf("the run shows %+v, fields %v", r.Target, r.Fields)
	}
	w.pass(r.Access.End.Sub(w.clock.Now()) + time.Minute)
	w.want(id, flow.Deescalated)
	w.stand(id, "removed removed removed")
	w.wantPresent()
	w.wantHistory(id, "prompt request approve escalate deescalate")
}

// TestSeveralTargets_Refused: what is wrong with one value, or with how many there
// are, is told beside the field.
func TestSeveralTargets_Refused(t *testing.T) {
	t.Parallel()
	w := severalAccounts(t, ones)
	w.feed = nil
	for _, c := range []struct {
		list any
		want string
	}{
		{[]any{ones, "prod"}, `"prod" must be the 12 digits`},
		{many(51), "more than 50 targets at once"},
	} {
		_, _, err := w.submit.RequestByAPI(t.Context(), api(input("account_id", c.list)))
		if flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if len(w.feed) > 0 {
		t.Error("a refused request left a trace")
	}
	if _, _, err := w.submit.RequestByAPI(t.Context(), api(input("account_id", many(50)))); err != nil {
		t.Error(err)
	}
}

func many(n int) []any {
	var list []any
	for i := range n {
		list = append(list, fmt.Sprintf("%012d", i))
	}
	return list
}

// TestSeveralTargets_Apart: one that fails, hangs, or that the vendor works on keeps
// none of the others; the run has what is there once nothing is left to try.
func TestSeveralTargets_Apart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fates []fate
		after time.Duration // until the run is granted
		stand string
	}{
		"Refused": {[]fate{refused}, 0, "granted failed granted"},
		"Down":    {[]fate{unavailable, unavailable, unavailable, unavailable, unavailable, unavailable}, 3 * time.Minute, "granted failed granted"},
		"Passing": {[]fate{unavailable, unavailable}, 3 * time.Minute, "granted granted granted"},
		"Hangs":   {[]fate{hangs}, 3 * time.Minute, "granted granted granted"},
		"Panics":  {[]fate{panics}, 3 * time.Minute, "granted granted granted"},
	} {
		bubble(t, name, func(t *testing.T) {
			w := severalAccounts(t, ones, twos, threes)
			w.target.fates["grant "+two] = c.fates
			id := w.approved("a")
			r := w.run(id)
			if there := strings.Join(w.target.present(), " "); !strings.Contains(there, one) || !strings.Contains(there, three) {
				t.Errorf("the target has %q at once", there)
			}
			if end := r.Access.First.Add(grantedFor + time.Minute); r.Access.End.After(end) {
				t.Errorf("it ends at %v, though others are there since %v", r.Access.End, r.Access.Seen)
			}
			end := r.Access.End
			w.pass(c.after)
			r = w.want(id, flow.Escalated)
			w.stand(id, c.stand)
			if short := strings.Contains(c.stand, "failed"); r.Short() != short || short != (r.Error != nil) {
				t.Errorf("short %t, error %+v", r.Short(), r.Error)
			}
			if !r.Access.End.Equal(end) || !w.schedule.armed(id) {
				t.Errorf("it ends at %v, not at %v; scheduled %t", r.Access.End, end, w.schedule.armed(id))
			}
			clear(w.target.fates)
			if r.Short() {
				grants := w.target.calls["grant"]
				if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
					t.Fatal(err)
				}
				w.settle()
				w.want(id, flow.Escalated)
				w.stand(id, "granted granted granted")
				if w.target.calls["grant"] != grants+1 {
					t.Errorf("%d grants by Retry, want that of the one that is missing", w.target.calls["grant"]-grants)
				}
			}
			w.pass(end.Sub(w.clock.Now()) + time.Minute)
			w.want(id, flow.Deescalated)
			w.wantPresent()
		})
	}
}

// TestSeveralTargets_Pending: what the vendor works on is followed each by itself,
// and what nobody accepts is given up after a while, where others are there.
func TestSeveralTargets_Pending(t *testing.T) {
	t.Parallel()
	w := severalAccounts(t, ones, twos, threes)
	v := w.sell(20*time.Second, 0)
	v.fates["grant"] = []fate{fails}
	id := w.approved("a")
	r := w.want(id, flow.Approved)
	if look := r.WaitsForTarget(flow.EventEscalate); look == nil || !strings.HasPrefix(look.Text, "0 of 3 granted so far.") || r.Execution.Active {
		t.Fatalf("waits for %+v, execution %+v", look, r.Execution)
	}
	w.pass(3 * time.Minute)
	w.want(id, flow.Escalated)
	w.stand(id, "granted granted granted")
	w.wantCalls(map[string]int{"grant": 4})
	w.click(id, flow.ActionDeescalate, asker)
	w.pass(3 * time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()

	w = severalAccounts(t, ones, twos)
	v = w.sell(0, 0)
	v.give(one, flow.Present)
	v.invites, w.lasts = true, "1h"
	id = w.approved("b")
	r = w.want(id, flow.Approved)
	if look := r.WaitsForTarget(flow.EventEscalate); look == nil || !look.Todo || !strings.Contains(look.Text, "Accept the invitation") || r.Access.Seen.IsZero() {
		t.Fatalf("waits for %+v", look)
	}
	w.pass(flow.GrantWindow)
	r = w.want(id, flow.Escalated)
	w.stand(id, "granted failed")
	if !strings.Contains(r.Error.Message, "Accept the invitation") || !r.Access.End.Equal(r.Access.Seen.Add(time.Hour)) {
		t.Errorf("error %+v, seen %v, end %v", r.Error, r.Access.Seen, r.Access.End)
	}
	v.give(two, flow.Present) // accepted too late, and taken away with the rest all the same
	w.pass(time.Hour)
	w.want(id, flow.Deescalated)
	w.wantPresent(one)
}

// TestSeveralTargets_Removal: one that can't be taken away keeps none of the others,
// and the run stays open until it is.
func TestSeveralTargets_Removal(t *testing.T) {
	t.Parallel()
	w := severalAccounts(t, ones, twos, threes)
	w.target.has[three] = true
	id := w.approved("a")
	w.want(id, flow.Escalated)
	w.target.fates["revoke "+two] = []fate{unavailable, unavailable, unavailable}
	w.click(id, flow.ActionDeescalate, asker)
	w.pass(7 * time.Second)
	r := w.run(id)
	if r.Status != flow.Escalated || r.Error == nil || !strings.Contains(r.Error.Message, twos) {
		t.Errorf("%s, error %+v", r.Status, r.Error)
	}
	w.stand(id, "removed granted kept")
	w.wantPresent(two, three)
	w.pass(2 * time.Minute)
	w.want(id, flow.Deescalated)
	w.stand(id, "removed removed kept")
	w.wantPresent(three)
	if e, _ := w.last(id, flow.Deescalated, flow.EventDeescalate); fmt.Sprint(e.Fields[flow.KeyKept]) != "["+three+"]" {
		t.Errorf("ended with %v", e.Fields)
	}
}

// TestSeveralTargets_Missing: what somebody takes away at the target is told of by
// itself, closes nothing, and is granted again alone.
func TestSeveralTargets_Missing(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		w := severalOf(t, []string{ones, twos, threes}, forever)
		id := w.approved("a")
		end := w.want(id, flow.Escalated).Access.End
		w.target.has[two] = false
		c, _ := w.reconcile(lists)
		report := w.compared(c)
		if drifts(report) == "" || report.Grants != 3 {
			t.Errorf("lists %t: %+v", lists, report)
		}
		r := w.want(id, flow.Escalated)
		w.stand(id, "granted missing granted")
		if !r.Missing() || !strings.Contains(r.Error.Message, twos) {
			t.Errorf("error %+v", r.Error)
		}
		grants := w.target.calls["grant"]
		if _, err := w.submit.Retry(t.Context(), id, first); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.stand(id, "granted granted granted")
		if r := w.want(id, flow.Escalated); !r.Access.End.Equal(end) || r.Error != nil || w.target.calls["grant"] != grants+1 {
			t.Errorf("end %v, error %+v, %d grants", r.Access.End, r.Error, w.target.calls["grant"]-grants)
		}
	}
}

// TestSeveralTargets_Shared: two runs that ask for some of the same count each by
// itself.
func TestSeveralTargets_Shared(t *testing.T) {
	t.Parallel()
	w := severalAccounts(t, ones, twos)
	a := w.approved("a")
	w.accounts = []string{twos, threes}
	b := w.approved("b")
	w.wantPresent(one, two, three)
	w.click(a, flow.ActionDeescalate, asker)
	w.want(a, flow.Deescalated)
	w.stand(a, "removed kept")
	w.wantPresent(two, three)
	w.click(b, flow.ActionDeescalate, asker)
	w.want(b, flow.Deescalated)
	w.wantPresent()
}

// TestSeveralTargets_MissingShared: what is missing is noted on the run that had it,
// and not on a later one to which it was never granted.
func TestSeveralTargets_MissingShared(t *testing.T) {
	t.Parallel()
	w := severalOf(t, []string{ones, twos}, forever)
	a := w.approved("a")
	w.want(a, flow.Escalated)
	w.pass(time.Minute)
	w.accounts = []string{twos, threes}
	w.target.fates["observe "+two] = []fate{refused}
	b := w.approved("b")
	w.want(b, flow.Escalated)
	w.stand(b, "failed granted")
	w.target.has[two] = false
	c, _ := w.reconcile(true)
	report := w.compared(c)
	w.stand(a, "granted missing")
	w.stand(b, "failed granted")
	if len(report.Found) != 1 || report.Found[0].Run != a {
		t.Errorf("found %+v, want %s", report.Found, a)
	}
}
