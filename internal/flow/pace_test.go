package flow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
)

const (
	looking, granting, removing = 0, 1, 2
	slotsOfGrants               = 12
)

var (
	perSecond = [3]int{5, 15, 20}
	paceStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

type bookedCall struct {
	class int
	at    time.Time
}

// inSecond counts the calls of classes up to one in the second that begins with a
// call.
func inSecond(all []bookedCall, from time.Time, upTo int) (n int) {
	for _, c := range all {
		if c.class <= upTo && !c.at.Before(from) && c.at.Before(from.Add(time.Second)) {
			n++
		}
	}
	return n
}

// TestBookings_Pace: whoever comes in whatever order, no second has more calls
// than the limit, nor more of a class and those below it than that class may see.
func TestBookings_Pace(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var b flow.Bookings
		var all []bookedCall
		now := paceStart
		for range 400 {
			now = now.Add(time.Duration(random.IntN(100)) * time.Millisecond * time.Duration(random.IntN(2)))
			class := random.IntN(3)
			at, place := b.Call(now, flow.Wish{Class: class, Limit: perSecond[class], Within: time.Duration(1+random.IntN(20)) * time.Second})
			if place.Number > 0 {
				continue
			}
			if at.Before(now) {
				t.Fatalf("seed %d: at %v, booked for %v", seed, now, at)
			}
			all = append(all, bookedCall{class, at})
			b = stored(t, b)
		}
		for _, c := range all {
			for class, limit := range perSecond {
				if n := inSecond(all, c.at, class); n > limit {
					t.Fatalf("seed %d: %d calls of classes up to %d in the second from %v, of %d", seed, n, class, c.at, limit)
				}
			}
		}
	}
}

// stored is what another process reads.
func stored(t *testing.T, b flow.Bookings) (read flow.Bookings) {
	t.Helper()
	body, err := json.Marshal(b)
	if err == nil {
		err = json.Unmarshal(body, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestBookings_Removals: however many grants and looks have booked, removals find
// a quarter of each second free, and all that those leave.
func TestBookings_Removals(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 2))
		var b flow.Bookings
		for range random.IntN(500) {
			class := random.IntN(2)
			b.Call(paceStart, flow.Wish{Class: class, Limit: perSecond[class], Within: time.Minute})
		}
		for n := range 40 { // five at once, and five more a second later, …
			at, place := b.Call(paceStart, flow.Wish{Class: removing, Limit: perSecond[removing], Within: time.Minute})
			if wait := at.Sub(paceStart); place.Number > 0 || wait > time.Duration(n/5)*time.Second {
				t.Fatalf("seed %d: removal %d waits %v behind %d grants and looks", seed, n+1, wait, len(b.Calls))
			}
		}
	}
}

// TestBookings_Yield: looks are made only where nobody else needs the time.
func TestBookings_Yield(t *testing.T) {
	t.Parallel()
	var b flow.Bookings
	call := func(class int) time.Duration {
		at, _ := b.Call(paceStart, flow.Wish{Class: class, Limit: perSecond[class]})
		return at.Sub(paceStart)
	}
	for n := range 30 {
		if got, want := call(granting), time.Duration(n/15)*time.Second; got != want {
			t.Errorf("grant %d waits %v, want %v", n+1, got, want)
		}
	}
	for n := range 6 {
		if got, want := call(looking), time.Duration(2+n/5)*time.Second; got != want {
			t.Errorf("look %d waits %v, want %v", n+1, got, want)
		}
	}
}

// rush has works of several calls each come at once, in a system that answers at
// once, and plays it to the end. It returns after how long each has made its calls.
func rush(t *testing.T, works, calls int, within time.Duration) (ended []time.Duration, sentAway int) {
	t.Helper()
	type work struct {
		name           string
		next, deadline time.Time
		made           int
	}
	var b flow.Bookings
	waiting := make([]*work, works)
	for i := range waiting {
		waiting[i] = &work{name: fmt.Sprint(i), next: paceStart, deadline: paceStart.Add(within)}
	}
	for now := paceStart; len(waiting) > 0; now = now.Add(10 * time.Millisecond) {
		if now.After(paceStart.Add(time.Hour)) {
			t.Fatalf("%d of %d have not ended after an hour", len(waiting), works)
		}
		var still []*work
		for _, w := range waiting {
			if w.next.After(now) {
				still = append(still, w)
				continue
			}
			at, place := b.Call(now, flow.Wish{Name: w.name, Class: granting, Limit: perSecond[granting], First: w.made == 0, Within: w.deadline.Sub(now)})
			switch {
			case place.Number == 0:
				w.next, w.made = at.Add(time.Millisecond), w.made+1
			case w.made > 0:
				t.Fatalf("%s was let in, and can't make its call %d of %d by its deadline", w.name, w.made+1, calls)
			default:
				sentAway++
				w.next, w.deadline = now.Add(place.After), now.Add(place.After).Add(within)
			}
			if w.made == calls {
				ended = append(ended, w.next.Sub(paceStart))
			} else {
				still = append(still, w)
			}
		}
		waiting = still
	}
	return ended, sentAway
}

// TestBookings_Rush: when very many come at once, those who are let in make all of
// their calls by their deadlines, and the others are told when: nobody's calls are
// spent in vain, so all have ended nearly as soon as the limit allows.
func TestBookings_Rush(t *testing.T) {
	t.Parallel()
	const works, calls = 500, 6
	ended, sentAway := rush(t, works, calls, 30*time.Second)
	least := time.Duration(works*calls/perSecond[granting]) * time.Second
	if last := ended[len(ended)-1]; last > least*3/2 {
		t.Errorf("the last of %d has ended after %v, and the limit allows %v", works, last, least)
	}
	if sentAway > works*6 {
		t.Errorf("%d times somebody came too early", sentAway)
	}
}

// TestBookings_Place: those who were sent away keep their order, are told their
// place, and go before those who come later; removals go before all of them.
func TestBookings_Place(t *testing.T) {
	t.Parallel()
	var b flow.Bookings
	first := func(name string, class int, now time.Time) flow.Line {
		_, place := b.Call(now, flow.Wish{Name: name, Class: class, Limit: perSecond[class], First: true, Within: 8 * time.Second})
		return place
	}
	for n := range 15 {
		if place := first(fmt.Sprint("in", n), granting, paceStart); place.Number > 0 {
			t.Fatalf("%d is sent away: %+v", n, place)
		}
	}
	for b.Calls[len(b.Calls)-1] < paceStart.Add(2*time.Second).UnixMilli() { // those who are in go on
		b.Call(paceStart, flow.Wish{Class: granting, Limit: perSecond[granting]})
	}
	var got []flow.Line
	for _, name := range []string{"a", "b", "a", "c"} {
		place := first(name, granting, paceStart)
		place.Wait, place.After = place.Wait.Round(100*time.Millisecond), place.After.Round(100*time.Millisecond)
		got = append(got, place)
	}
	at := func(number int, seconds float64) flow.Line {
		d := time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond)
		return flow.Line{Number: number, Wait: d, After: d}
	}
	if diff := cmp.Diff([]flow.Line{at(1, 2), at(2, 2.5), at(1, 2), at(3, 3.1)}, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if place := first("removal", removing, paceStart); place.Number > 0 {
		t.Errorf("a removal waits behind grants: %+v", place)
	}
	later := paceStart.Add(5 * time.Second)
	if place := first("new", granting, later); place.Number != 4 {
		t.Errorf("who comes later has place %+v, want the fourth", place)
	}
	if place := first("a", granting, later); place.Number > 0 {
		t.Errorf("who comes back is sent away: %+v", place)
	}
	if place := first("late", granting, later.Add(2*time.Minute)); place.Number > 0 {
		t.Errorf("somebody waits for those who don't come back: %+v", place)
	}
}

// TestBookings_Slots: grants leave some slots to removals, a slot is one
// operation's until that has ended or was forgotten, and who waits has a place.
func TestBookings_Slots(t *testing.T) {
	t.Parallel()
	var b flow.Bookings
	limits := [3]int{4, slotsOfGrants, 15}
	begin := func(name string, class int, now time.Time) int {
		ok, place := b.Begin(now, flow.Wish{Name: name, Class: class, Limit: limits[class]})
		if ok != (place.Number == 0) {
			t.Errorf("%s: %v with place %+v", name, ok, place)
		}
		return place.Number
	}
	for n := range slotsOfGrants {
		if begin(fmt.Sprint(n), granting, paceStart) > 0 {
			t.Fatalf("grant %d has to wait", n+1)
		}
	}
	for _, test := range []struct {
		name        string
		class       int
		after       time.Duration
		end         string
		want        int
		description string
	}{
		{"3", granting, 0, "", 0, "the same slot again"},
		{"12", granting, 0, "", 1, "no slot for another grant"},
		{"13", granting, 0, "", 2, "nor for one after it"},
		{"r1", removing, 0, "", 0, "a removal has the rest"},
		{"14", granting, time.Second, "3", 3, "a slot that has become free is for those who wait"},
		{"12", granting, 2 * time.Second, "r1", 0, "of whom the first takes it"},
		{"13", granting, 2 * time.Second, "", 1, "and the second moves up"},
		{"r2", removing, 2 * time.Second, "", 0, "removals wait for no grant"},
		{"l1", looking, 3 * time.Second, "", 3, "looks wait for all"},
		{"15", granting, flow.SlotLasts + 2*time.Second, "", 0, "in the end, all slots are free, and all who waited are forgotten"},
	} {
		now := paceStart.Add(test.after)
		if test.end != "" {
			b.End(now, test.end)
		}
		if got := begin(test.name, test.class, now); got != test.want {
			t.Errorf("%s: place %d, want %d", test.description, got, test.want)
		}
		b = stored(t, b)
	}
}

// TestBookings_Estimate: how long a slot is waited for comes of how long the last
// operations took.
func TestBookings_Estimate(t *testing.T) {
	t.Parallel()
	var b flow.Bookings
	now := paceStart
	wait := func(name string) time.Duration {
		_, place := b.Begin(now, flow.Wish{Name: name, Class: granting, Limit: 1})
		return place.Wait
	}
	wait("one")
	if got := wait("two"); got != 20*time.Second {
		t.Errorf("before any has ended: %v", got)
	}
	for range 20 {
		now = now.Add(2 * time.Minute)
		b.End(now, "one")
		b.Waiting = nil
		wait("one")
	}
	if got := wait("two"); got < 110*time.Second || got > 2*time.Minute {
		t.Errorf("operations take two minutes, and the next in line is told %v", got)
	}
}

// TestBookings_Small: however many wait, the item stays small.
func TestBookings_Small(t *testing.T) {
	t.Parallel()
	var b flow.Bookings
	for n := range 5000 {
		b.Call(paceStart, flow.Wish{Name: fmt.Sprintf("https://example.com/%0200d", n), Class: granting, Limit: 20, First: true, Within: 30 * time.Second})
	}
	body, err := json.Marshal(b)
	if err != nil || len(body) > 20<<10 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func BenchmarkBookings_Call(b *testing.B) {
	var booked flow.Bookings
	for n := range 100 {
		booked.Call(paceStart, flow.Wish{Class: n % 3, Limit: perSecond[n%3]})
	}
	for b.Loop() {
		again := booked
		again.Call(paceStart, flow.Wish{Class: removing, Limit: 20})
	}
}
