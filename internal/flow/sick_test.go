package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSickness tells what becomes of a target in a row of moves, each a minute
// after the last: who has a place, and what is refused.
func TestSickness(t *testing.T) {
	t.Parallel()
	const sick = "timeout grant, timeout grant, timeout grant"
	full := sick + ", removal a, removal b, removal c, removal d, removal e"
	for _, tc := range []struct {
		name, moves string
		want        string // places; "sick" while it is, "removals first" while they wait; what was refused last
	}{
		{"never called", "", ""},
		{"healthy", "removal a, grant b", ""},
		{"two time-outs", "timeout grant, timeout grant, removal a", ""},
		{"a success between them", "timeout grant, timeout grant, answer a, timeout grant", ""},
		{"another end between them", "timeout grant, timeout grant, leave a, timeout grant", "sick"},
		{"three in a row", sick, "sick"},
		{"of removals", "timeout removal, timeout removal, timeout removal", "sick removals first"},
		{"a place", sick + ", removal a", "a sick"},
		{"for grants too", sick + ", grant a", "a sick"},
		{"kept by who has it", sick + ", removal a, removal a", "a sick"},
		{"five places", full, "a b c d e sick"},
		{"and no more", full + ", grant f", "a b c d e sick !f"},
		{"a removal that waits", full + ", removal f", "a b c d e sick removals first !f"},
		{"keeps its place where all are taken", full + ", removal c", "a b d e c sick"},
		{"given back", full + ", leave b, removal f", "a c d e f sick"},
		{"by one that has none", full + ", leave f", "a b c d e sick"},
		{"given back after another time-out", full + ", timeout b, grant f", "a c d e sick removals first !f"},
		{"removals go first", full + ", removal f, leave a, grant g", "b c d e sick removals first !g"},
		{"the removal that waited", full + ", removal f, leave a, removal f", "b c d e f sick removals first"},
		{"grants again, once none is left", full + ", removal f, leave a, hour, grant g", "g sick"},
		{"time is over", full + ", hour, removal f", "f sick"},
		{"a success clears it", full + ", removal f, answer a", "b c d e"},
		{"and lets all in", full + ", removal f, answer a, grant g", "b c d e"},
		{"places outlive it", full + ", answer a, " + sick + ", removal f, removal g", "b c d e f sick removals first !g"},
		{"a success of one without a place", full + ", answer z", "a b c d e"},
		{"a process was killed", full + ", orphan a, removal f", "b c d e f sick"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Sickness
			now, refused := t0, ""
			for move := range strings.SplitSeq(tc.moves, ", ") {
				what, who, _ := strings.Cut(move, " ")
				before := fmt.Sprint(s)
				next := s
				refused = ""
				switch what {
				case "removal", "grant":
					place := Place{Owner: who, Run: "run of " + who, Until: now.Add(30 * time.Minute)}
					var ok bool
					if next, ok = s.Take(place, what == "removal", now); !ok {
						refused = who
					}
				case "leave":
					next = s.Leave(who)
				case "timeout":
					next = s.TimedOut(who, who != "grant", now)
				case "answer":
					next = s.Answered(who)
				case "orphan":
					next = s.Orphan("run of " + who)
				case "hour":
					now = now.Add(time.Hour)
				}
				if got := fmt.Sprint(s); got != before {
					t.Errorf("%s changed what it was given: %s, was %s", move, got, before)
				}
				s = next
				now = now.Add(time.Minute)
			}
			var got []string
			for _, p := range s.Places {
				got = append(got, p.Owner)
			}
			if s.Sick() {
				got = append(got, "sick")
			}
			if now.Before(s.RemovalsUntil) {
				got = append(got, "removals first")
			}
			if refused != "" {
				got = append(got, "!"+refused)
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestSickness_ManyWaitAndWriteSeldom: thousands that are put off leave the item
// as it is, but for one write now and then.
func TestSickness_ManyWaitAndWriteSeldom(t *testing.T) {
	t.Parallel()
	var s Sickness
	for range SickAfter {
		s = s.TimedOut("", false, t0)
	}
	now := t0
	for n := range SickPlaces {
		s, _ = s.Take(Place{Owner: fmt.Sprint(n), Until: t0.Add(24 * time.Hour)}, true, now)
	}
	writes := 0
	for n := range 10_000 {
		next, ok := s.Take(Place{Owner: fmt.Sprint("late", n), Until: now.Add(time.Minute)}, true, now)
		if ok {
			t.Fatal("a sixth place")
		}
		if fmt.Sprint(next) != fmt.Sprint(s) {
			writes++
		}
		s = next
		now = now.Add(6 * time.Millisecond) // a minute in all
	}
	if writes != 1 {
		t.Errorf("%d writes in a minute, want 1", writes)
	}
}

// TestSickness_properties: whatever happens, no more than five have a place at
// once, and no grant takes one while a removal that was refused may come again.
func TestSickness_properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s Sickness
		now := t0
		var waits time.Time // until when a refused removal may come again
		for range rapid.IntRange(0, 80).Draw(t, "moves") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second, 2 * time.Minute}).Draw(t, "pass"))
			owner := fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "owner"))
			switch rapid.IntRange(0, 6).Draw(t, "move") {
			case 0, 1, 2:
				removal := rapid.Bool().Draw(t, "removal")
				was := s.Sick()
				next, ok := s.Take(Place{Owner: owner, Until: now.Add(65 * time.Second)}, removal, now)
				if was && ok && !removal && now.Before(waits) {
					t.Fatal("a grant went before a removal")
				}
				if !was && !ok {
					t.Fatal("refused by a healthy target")
				}
				if !ok && removal {
					waits = now.Add(MaxRemovalBackOff)
				}
				s = next
			case 3:
				s = s.Leave(owner)
			case 4, 5:
				s = s.TimedOut(owner, rapid.Bool().Draw(t, "of a removal"), now)
			case 6:
				s, waits = s.Answered(owner), time.Time{}
			}
			if len(s.Places) > SickPlaces {
				t.Fatalf("%d places are taken", len(s.Places))
			}
		}
	})
}

// TestPostpone_Fair: at a target that stays sick, each of many removals is tried
// now and then, however many they are; and the first that find it well again find
// it soon.
func TestPostpone_Fair(t *testing.T) {
	t.Parallel()
	const waiting, calls = 100, 30 * time.Second // that many attempts take more places than there are
	var s Sickness
	for range SickAfter {
		s = s.TimedOut("", true, t0)
	}
	runs, ends, tried := make([]Run, waiting), make([]time.Time, waiting), make([]int, waiting)
	for n := range runs {
		runs[n] = must(situations()["escalated, over"].run, t0)
		runs[n].ID = RunIDFrom("acme", "fair", fmt.Sprint(n))
	}
	for now := t0.Add(time.Hour); now.Before(t0.Add(4 * time.Hour)); now = now.Add(5 * time.Second) {
		for n, r := range runs {
			owner := fmt.Sprint(n)
			if at := ends[n]; !at.IsZero() {
				if now.Before(at) {
					continue
				}
				ends[n] = time.Time{}
				s = s.TimedOut(owner, true, now)
				runs[n] = must(r, now, sickFailure(EventDeescalate))
				continue
			}
			if at, _ := r.EndDue(); now.Before(at) {
				continue
			}
			var ok bool
			if s, ok = s.Take(Place{Owner: owner, Until: now.Add(time.Minute)}, true, now); !ok {
				runs[n] = must(r, now, sickRemoval)
				if at, _ := runs[n].EndDue(); at.Sub(now) > MaxRemovalBackOff {
					t.Fatalf("put off for %s", at.Sub(now))
				}
				continue
			}
			tried[n]++
			ends[n] = now.Add(calls)
			runs[n] = must(r, now, Claim{Owner: owner, Until: now.Add(45 * time.Second)})
		}
	}
	for n, times := range tried { // 600 an hour are 18 for each
		if times < 4 {
			t.Errorf("removal %d was tried %d times in three hours", n, times)
		}
	}
}
