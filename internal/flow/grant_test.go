package flow

import (
	"go/ast"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// grantMoves is what each move does to a grant in each state: the state after
// it, the holders, whose lease it is, and what the caller has to do; or the
// error's code. "it" is another run that holds the grant in all states but
// absent and removing, "me" the run that moves.
const grantMoves = `
# move                | state    | lease  | outcome

Acquire               | absent   | free   | creating; me; mine, anew; create
Acquire               | absent   | mine   | creating; me; mine, anew; create
Acquire               | absent   | theirs | ! Grant:BUSY
Acquire               | absent   | dead   | creating; me; mine, anew; create
Acquire               | creating | free   | creating; it me; mine, anew; create
Acquire               | creating | mine   | creating; it me; mine, anew; create
Acquire               | creating | theirs | ! Grant:BUSY
Acquire               | creating | dead   | creating; it me; mine, anew; create
Acquire               | present  | free   | present; it me; free; none
Acquire               | present  | mine   | present; it me; mine; none
Acquire               | present  | theirs | present; it me; theirs; none
Acquire               | present  | dead   | present; it me; dead; none
Acquire               | removing | free   | creating; me; mine, anew; create
Acquire               | removing | mine   | creating; me; mine, anew; create
Acquire               | removing | theirs | ! Grant:BUSY
Acquire               | removing | dead   | creating; me; mine, anew; create

Acquire, alone        | absent   | free   | creating; me; mine, anew; create
Acquire, alone        | absent   | mine   | creating; me; mine, anew; create
Acquire, alone        | absent   | theirs | ! Grant:BUSY
Acquire, alone        | absent   | dead   | creating; me; mine, anew; create
Acquire, alone        | creating | free   | creating; me; mine, anew; create
Acquire, alone        | creating | mine   | creating; me; mine, anew; create
Acquire, alone        | creating | theirs | ! Grant:BUSY
Acquire, alone        | creating | dead   | creating; me; mine, anew; create
Acquire, alone        | present  | free   | present; me; free; none
Acquire, alone        | present  | mine   | present; me; mine; none
Acquire, alone        | present  | theirs | present; me; theirs; none
Acquire, alone        | present  | dead   | present; me; dead; none
Acquire, alone        | removing | free   | creating; me; mine, anew; create
Acquire, alone        | removing | mine   | creating; me; mine, anew; create
Acquire, alone        | removing | theirs | ! Grant:BUSY
Acquire, alone        | removing | dead   | creating; me; mine, anew; create

Acquire, again        | absent   | free   | creating; me; mine, anew; create
Acquire, again        | absent   | mine   | creating; me; mine, anew; create
Acquire, again        | absent   | theirs | ! Grant:BUSY
Acquire, again        | absent   | dead   | creating; me; mine, anew; create
Acquire, again        | creating | free   | creating; me it; mine, anew; create
Acquire, again        | creating | mine   | creating; me it; mine, anew; create
Acquire, again        | creating | theirs | ! Grant:BUSY
Acquire, again        | creating | dead   | creating; me it; mine, anew; create
Acquire, again        | present  | free   | present; me it; free; none
Acquire, again        | present  | mine   | present; me it; mine; none
Acquire, again        | present  | theirs | present; me it; theirs; none
Acquire, again        | present  | dead   | present; me it; dead; none
Acquire, again        | removing | free   | creating; me; mine, anew; create
Acquire, again        | removing | mine   | creating; me; mine, anew; create
Acquire, again        | removing | theirs | ! Grant:BUSY
Acquire, again        | removing | dead   | creating; me; mine, anew; create

Saw                   | absent   | free   | ! Grant:BUSY
Saw                   | absent   | mine   | ! Grant:BUSY
Saw                   | absent   | theirs | ! Grant:BUSY
Saw                   | absent   | dead   | ! Grant:BUSY
Saw                   | creating | free   | ! Grant:BUSY
Saw                   | creating | mine   | creating; me; mine
Saw                   | creating | theirs | ! Grant:BUSY
Saw                   | creating | dead   | ! Grant:BUSY
Saw                   | present  | free   | ! Grant:BUSY
Saw                   | present  | mine   | ! Grant:BUSY
Saw                   | present  | theirs | ! Grant:BUSY
Saw                   | present  | dead   | ! Grant:BUSY
Saw                   | removing | free   | ! Grant:BUSY
Saw                   | removing | mine   | ! Grant:BUSY
Saw                   | removing | theirs | ! Grant:BUSY
Saw                   | removing | dead   | ! Grant:BUSY

Created               | absent   | free   | ! Grant:BUSY
Created               | absent   | mine   | ! Grant:BUSY
Created               | absent   | theirs | ! Grant:BUSY
Created               | absent   | dead   | ! Grant:BUSY
Created               | creating | free   | ! Grant:BUSY
Created               | creating | mine   | present; me; free
Created               | creating | theirs | ! Grant:BUSY
Created               | creating | dead   | ! Grant:BUSY
Created               | present  | free   | ! Grant:BUSY
Created               | present  | mine   | ! Grant:BUSY
Created               | present  | theirs | ! Grant:BUSY
Created               | present  | dead   | ! Grant:BUSY
Created               | removing | free   | ! Grant:BUSY
Created               | removing | mine   | ! Grant:BUSY
Created               | removing | theirs | ! Grant:BUSY
Created               | removing | dead   | ! Grant:BUSY

Lost                  | absent   | free   | ! Grant:BUSY
Lost                  | absent   | mine   | ! Grant:BUSY
Lost                  | absent   | theirs | ! Grant:BUSY
Lost                  | absent   | dead   | ! Grant:BUSY
Lost                  | creating | free   | ! Grant:BUSY
Lost                  | creating | mine   | ! Grant:BUSY
Lost                  | creating | theirs | ! Grant:BUSY
Lost                  | creating | dead   | ! Grant:BUSY
Lost                  | present  | free   | creating; me it; mine, anew
Lost                  | present  | mine   | creating; me it; mine, anew
Lost                  | present  | theirs | creating; me it; mine, anew
Lost                  | present  | dead   | creating; me it; mine, anew
Lost                  | removing | free   | ! Grant:BUSY
Lost                  | removing | mine   | ! Grant:BUSY
Lost                  | removing | theirs | ! Grant:BUSY
Lost                  | removing | dead   | ! Grant:BUSY

Begin                 | absent   | free   | ! Grant:BUSY
Begin                 | absent   | mine   | ! Grant:BUSY
Begin                 | absent   | theirs | ! Grant:BUSY
Begin                 | absent   | dead   | ! Grant:BUSY
Begin                 | creating | free   | ! Grant:BUSY
Begin                 | creating | mine   | creating; me; mine
Begin                 | creating | theirs | ! Grant:BUSY
Begin                 | creating | dead   | ! Grant:BUSY
Begin                 | present  | free   | ! Grant:BUSY
Begin                 | present  | mine   | ! Grant:BUSY
Begin                 | present  | theirs | ! Grant:BUSY
Begin                 | present  | dead   | ! Grant:BUSY
Begin                 | removing | free   | ! Grant:BUSY
Begin                 | removing | mine   | removing; -; mine
Begin                 | removing | theirs | ! Grant:BUSY
Begin                 | removing | dead   | ! Grant:BUSY

Pause                 | absent   | free   | ! Grant:BUSY
Pause                 | absent   | mine   | ! Grant:BUSY
Pause                 | absent   | theirs | ! Grant:BUSY
Pause                 | absent   | dead   | ! Grant:BUSY
Pause                 | creating | free   | ! Grant:BUSY
Pause                 | creating | mine   | creating; me; free
Pause                 | creating | theirs | ! Grant:BUSY
Pause                 | creating | dead   | ! Grant:BUSY
Pause                 | present  | free   | ! Grant:BUSY
Pause                 | present  | mine   | ! Grant:BUSY
Pause                 | present  | theirs | ! Grant:BUSY
Pause                 | present  | dead   | ! Grant:BUSY
Pause                 | removing | free   | ! Grant:BUSY
Pause                 | removing | mine   | removing; -; free
Pause                 | removing | theirs | ! Grant:BUSY
Pause                 | removing | dead   | ! Grant:BUSY

Yield                 | absent   | free   | ! Grant:BUSY
Yield                 | absent   | mine   | absent; -; free
Yield                 | absent   | theirs | ! Grant:BUSY
Yield                 | absent   | dead   | ! Grant:BUSY
Yield                 | creating | free   | ! Grant:BUSY
Yield                 | creating | mine   | creating; me; free
Yield                 | creating | theirs | ! Grant:BUSY
Yield                 | creating | dead   | ! Grant:BUSY
Yield                 | present  | free   | ! Grant:BUSY
Yield                 | present  | mine   | present; me; free
Yield                 | present  | theirs | ! Grant:BUSY
Yield                 | present  | dead   | ! Grant:BUSY
Yield                 | removing | free   | ! Grant:BUSY
Yield                 | removing | mine   | removing; -; free
Yield                 | removing | theirs | ! Grant:BUSY
Yield                 | removing | dead   | ! Grant:BUSY

Release               | absent   | free   | absent; -; free; none
Release               | absent   | mine   | absent; -; mine; none
Release               | absent   | theirs | absent; -; theirs; none
Release               | absent   | dead   | absent; -; dead; none
Release               | creating | free   | creating; it; free; none
Release               | creating | mine   | creating; it; free; none
Release               | creating | theirs | ! Grant:BUSY
Release               | creating | dead   | creating; it; free; none
Release               | present  | free   | present; it; free; none
Release               | present  | mine   | present; it; mine; none
Release               | present  | theirs | present; it; theirs; none
Release               | present  | dead   | present; it; dead; none
Release               | removing | free   | removing; -; mine, anew; remove
Release               | removing | mine   | removing; -; mine, anew; remove
Release               | removing | theirs | ! Grant:BUSY
Release               | removing | dead   | removing; -; mine, anew; remove

Release, the last     | absent   | free   | absent; -; free; none
Release, the last     | absent   | mine   | absent; -; mine; none
Release, the last     | absent   | theirs | absent; -; theirs; none
Release, the last     | absent   | dead   | absent; -; dead; none
Release, the last     | creating | free   | removing; -; mine, anew; remove
Release, the last     | creating | mine   | removing; -; mine, anew; remove
Release, the last     | creating | theirs | ! Grant:BUSY
Release, the last     | creating | dead   | removing; -; mine, anew; remove
Release, the last     | present  | free   | removing; -; mine, anew; remove
Release, the last     | present  | mine   | removing; -; mine, anew; remove
Release, the last     | present  | theirs | ! Grant:BUSY
Release, the last     | present  | dead   | removing; -; mine, anew; remove
Release, the last     | removing | free   | removing; -; mine, anew; remove
Release, the last     | removing | mine   | removing; -; mine, anew; remove
Release, the last     | removing | theirs | ! Grant:BUSY
Release, the last     | removing | dead   | removing; -; mine, anew; remove

Release, never joined | absent   | free   | absent; -; free; none
Release, never joined | absent   | mine   | absent; -; mine; none
Release, never joined | absent   | theirs | absent; -; theirs; none
Release, never joined | absent   | dead   | absent; -; dead; none
Release, never joined | creating | free   | creating; it; free; none
Release, never joined | creating | mine   | creating; it; free; none
Release, never joined | creating | theirs | ! Grant:BUSY
Release, never joined | creating | dead   | creating; it; free; none
Release, never joined | present  | free   | present; it; free; none
Release, never joined | present  | mine   | present; it; mine; none
Release, never joined | present  | theirs | present; it; theirs; none
Release, never joined | present  | dead   | present; it; dead; none
Release, never joined | removing | free   | removing; -; mine, anew; remove
Release, never joined | removing | mine   | removing; -; mine, anew; remove
Release, never joined | removing | theirs | ! Grant:BUSY
Release, never joined | removing | dead   | removing; -; mine, anew; remove

Orphan                | absent   | free   | absent; -; free
Orphan                | absent   | mine   | absent; -; mine
Orphan                | absent   | theirs | absent; -; theirs
Orphan                | absent   | dead   | absent; -; dead
Orphan                | creating | free   | creating; me; free
Orphan                | creating | mine   | creating; me; mine
Orphan                | creating | theirs | creating; me; theirs
Orphan                | creating | dead   | creating; me; dead
Orphan                | present  | free   | present; me; free
Orphan                | present  | mine   | present; me; mine
Orphan                | present  | theirs | present; me; theirs
Orphan                | present  | dead   | present; me; dead
Orphan                | removing | free   | removing; -; free
Orphan                | removing | mine   | removing; -; free
Orphan                | removing | theirs | removing; -; free
Orphan                | removing | dead   | removing; -; dead

Gone                  | absent   | free   | ! Grant:BUSY
Gone                  | absent   | mine   | ! Grant:BUSY
Gone                  | absent   | theirs | ! Grant:BUSY
Gone                  | absent   | dead   | ! Grant:BUSY
Gone                  | creating | free   | ! Grant:BUSY
Gone                  | creating | mine   | ! Grant:BUSY
Gone                  | creating | theirs | ! Grant:BUSY
Gone                  | creating | dead   | ! Grant:BUSY
Gone                  | present  | free   | ! Grant:BUSY
Gone                  | present  | mine   | ! Grant:BUSY
Gone                  | present  | theirs | ! Grant:BUSY
Gone                  | present  | dead   | ! Grant:BUSY
Gone                  | removing | free   | ! Grant:BUSY
Gone                  | removing | mine   | absent; -; free
Gone                  | removing | theirs | ! Grant:BUSY
Gone                  | removing | dead   | ! Grant:BUSY
`

// leases a grant may have when a move comes.
var leases = map[string]Lease{
	"free":   {},
	"mine":   {Owner: "mine", Until: t0.Add(time.Minute)},
	"theirs": {Owner: "theirs", Until: t0.Add(time.Minute)},
	"dead":   {Owner: "theirs", Until: t0},
}

var myLease = Lease{Owner: "mine", Until: t0.Add(2 * time.Minute)}

var grantInputs = map[string]struct {
	holders []string
	move    func(Grant) (Grant, Do, error)
}{
	"Acquire":               {[]string{"it"}, func(g Grant) (Grant, Do, error) { return g.Acquire(Holder{Run: "me"}, nil, myLease, t0) }},
	"Acquire, alone":        {nil, func(g Grant) (Grant, Do, error) { return g.Acquire(Holder{Run: "me"}, nil, myLease, t0) }},
	"Acquire, again":        {[]string{"me", "it"}, func(g Grant) (Grant, Do, error) { return g.Acquire(Holder{Run: "me"}, nil, myLease, t0) }},
	"Saw":                   {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Saw("mine", Absent, "") })},
	"Created":               {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Created("mine", t0) })},
	"Lost":                  {[]string{"me", "it"}, without(func(g Grant) (Grant, error) { return g.Lost(myLease) })},
	"Begin":                 {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Begin("mine", Work{Accepted: t0}) })},
	"Pause":                 {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Pause("mine", Work{Accepted: t0}) })},
	"Yield":                 {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Yield("mine") })},
	"Release":               {[]string{"me", "it"}, func(g Grant) (Grant, Do, error) { return g.Release("me", myLease, t0) }},
	"Release, the last":     {[]string{"me"}, func(g Grant) (Grant, Do, error) { return g.Release("me", myLease, t0) }},
	"Release, never joined": {[]string{"it"}, func(g Grant) (Grant, Do, error) { return g.Release("me", myLease, t0) }},
	"Orphan":                {[]string{"me"}, without(func(g Grant) (Grant, error) { return g.Orphan(t0), nil })},
	"Gone":                  {nil, without(func(g Grant) (Grant, error) { return g.Gone("mine", t0) })},
}

func without(move func(Grant) (Grant, error)) func(Grant) (Grant, Do, error) {
	return func(g Grant) (Grant, Do, error) {
		g, err := move(g)
		return g, "", err
	}
}

// holding are runs that need an entitlement as such.
func holding(runs ...string) []Holder {
	var out []Holder
	for _, run := range runs {
		out = append(out, Holder{Run: run})
	}
	return out
}

func runsOf(holders []Holder) []string {
	var out []string
	for _, h := range holders {
		out = append(out, h.Run)
	}
	return out
}

func grantOutcome(g Grant, do Do, err error) string {
	if err != nil {
		return "! " + string(CodeOf(err))
	}
	state, lease := string(g.State), "free"
	if state == "" {
		state = "absent"
	}
	switch g.Lease {
	case Lease{}:
	case myLease:
		lease = "mine, anew"
	default:
		for name, l := range leases {
			if l == g.Lease {
				lease = name
			}
		}
	}
	return strings.TrimSuffix(strings.Join([]string{state, orDash(runsOf(g.Holders)), lease, string(do)}, "; "), "; ")
}

func TestGrant(t *testing.T) {
	t.Parallel()
	states := map[string]GrantState{}
	for _, name := range constants(t, "grant.go", "GrantState") {
		states[name] = GrantState(name)
	}
	states["absent"] = GrantAbsent
	delete(states, "")
	seen := map[string]bool{}
	for _, cells := range rows(grantMoves) {
		move, state, lease, want := cells[0], cells[1], cells[2], cells[3]
		seen[move+"|"+state+"|"+lease] = true
		in, ok := grantInputs[move]
		if !ok {
			t.Errorf("row %q: no such move", cells)
			continue
		}
		g := Grant{Key: "k", Rev: 7, State: states[state], Lease: leases[lease], Before: Present}
		if g.State != GrantAbsent && g.State != GrantRemoving {
			g.Holders = holding(in.holders...)
		}
		before := g
		before.Holders = slices.Clone(g.Holders)
		got, do, err := in.move(g)
		if out := grantOutcome(got, do, err); out != want {
			t.Errorf("%s in %s, lease %s: %s\nwant %s", move, state, lease, out, want)
		}
		if !reflect.DeepEqual(g, before) {
			t.Errorf("%s in %s changed its argument: %+v", move, state, g)
		}
		if err == nil && (got.Key != "k" || got.Rev != 7) {
			t.Errorf("%s in %s: key %q, rev %d", move, state, got.Key, got.Rev)
		}
	}
	for move := range grantInputs {
		for state := range states {
			for lease := range leases {
				if !seen[move+"|"+state+"|"+lease] {
					t.Errorf("no row for %s in %s, lease %s", move, state, lease)
				}
			}
		}
	}
	for _, d := range parse(t, "grant.go").Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || !f.Name.IsExported() || f.Name.Name == "HeldByOthers" || f.Name.Name == "IsZero" || f.Name.Name == "Known" {
			continue
		}
		if _, ok := grantInputs[f.Name.Name]; !ok {
			t.Errorf("no rows for the move %s", f.Name.Name)
		}
	}
}

// TestGrant_Stray: what a killed process was removing is removed again at once, and
// granted again only when its call can't arrive any more.
func TestGrant_Stray(t *testing.T) {
	t.Parallel()
	g := Grant{State: GrantRemoving, Lease: leases["theirs"], Before: Absent}.Orphan(t0)
	g, do, err := g.Release("it", leases["mine"], t0)
	if do != DoRemove || err != nil {
		t.Fatalf("release: %v, %v", do, err)
	}
	if _, _, err := g.Acquire(Holder{Run: "me"}, nil, leases["mine"], t0); CodeOf(err) != CodeBusy {
		t.Errorf("granted while it is removed: %v", err)
	}
	if g, err = g.Gone("mine", t0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Acquire(Holder{Run: "me"}, nil, leases["mine"], t0); CodeOf(err) != CodeBusy {
		t.Errorf("granted while the killed process's call may arrive: %v", err)
	}
	if _, do, err := g.Acquire(Holder{Run: "me"}, nil, leases["mine"], leases["theirs"].Until); do != DoCreate || err != nil {
		t.Errorf("after that: %v, %v", do, err)
	}
}

// TestGrant_Saw: what was there before us is what the first sight showed; but
// once absence was seen, whatever is there is ours.
func TestGrant_Saw(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, seen, want Presence }{
		{"", Absent, Absent},
		{"", Present, Present},
		{Absent, Present, Absent},
		{Absent, Absent, Absent},
		{Present, Present, Present},
		{Present, Absent, Absent},
	} {
		g, err := Grant{State: GrantCreating, Lease: leases["mine"], Before: c.before}.Saw("mine", c.seen, "")
		if err != nil || g.Before != c.want {
			t.Errorf("before %q, seen %q: %q, %v, want %q", c.before, c.seen, g.Before, err, c.want)
		}
	}
	acquired, _, err := Grant{State: GrantRemoving, Lease: leases["dead"], Before: Absent}.Acquire(Holder{Run: "me"}, nil, myLease, t0)
	if err != nil || acquired.Before != Absent {
		t.Errorf("taking over a removal forgets what was there before: %+v, %v", acquired, err)
	}
	gone, err := Grant{State: GrantRemoving, Lease: leases["mine"], Before: Absent}.Gone("mine", t0)
	if err != nil || gone.Before != "" {
		t.Errorf("after the end the next sight counts: %+v, %v", gone, err)
	}
}

// TestGrant_Work: what the target works on is known to whoever has the next lease,
// and so is that nobody knows it. Whoever turns round asks for nothing else.
func TestGrant_Work(t *testing.T) {
	t.Parallel()
	unknown, former := Work{Operation: &Operation{}}, Work{Operation: &Operation{}, Former: true}
	create := Work{Operation: &Operation{ID: "op-1", Kind: OperationGrant, Started: t0}, Output: []byte(`{}`)}
	accepted := Work{Accepted: t0, Warnings: []string{"it is gone"}}
	missed := Work{Accepted: t0, Missed: t0.Add(time.Second)}
	acquire := func(g Grant) (Grant, Do, error) { return g.Acquire(Holder{Run: "me"}, nil, myLease, t0) }
	release := func(g Grant) (Grant, Do, error) { return g.Release("me", myLease, t0) }
	for _, c := range []struct {
		name  string
		state GrantState
		move  func(Grant) (Grant, Do, error)
		work  Work
		want  Work
	}{
		{"the first time", GrantAbsent, acquire, Work{}, Work{}},
		{"the first time, what there was is over", GrantPresent, release, Work{}, Work{}},
		{"a lost answer of a grant", GrantCreating, acquire, Work{}, unknown},
		{"a lost answer of a removal", GrantRemoving, release, Work{}, unknown},
		{"the grant goes on", GrantCreating, acquire, create, create},
		{"the grant was accepted", GrantCreating, acquire, accepted, accepted},
		{"the removal was accepted", GrantRemoving, release, missed, missed},
		{"a removal finds a grant under way", GrantCreating, release, create, Work{Operation: create.Operation, Former: true}},
		{"a removal finds a lost answer", GrantCreating, release, Work{}, former},
		{"a removal finds an accepted grant", GrantCreating, release, accepted, Work{}},
		{"a grant finds a removal", GrantRemoving, acquire, missed, Work{}},
		{"a grant finds a lost answer", GrantRemoving, acquire, Work{}, former},
	} {
		grant := Grant{State: c.state, Before: Absent, Work: c.work}
		if c.state == GrantCreating {
			grant.Holders = holding("me")
		}
		g, _, err := c.move(grant)
		if err != nil || !reflect.DeepEqual(g.Work, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, g.Work, err, c.want)
		}
	}
	begun, err := Grant{State: GrantRemoving, Lease: leases["mine"], Work: create}.Begin("mine", Work{Accepted: t0})
	if want := (Work{Accepted: t0, Operation: &Operation{}}); err != nil || !reflect.DeepEqual(begun.Work, want) || begun.Work.Known() {
		t.Errorf("begun: %+v, %v", begun.Work, err)
	}
	paused, err := Grant{State: GrantCreating, Lease: leases["mine"]}.Pause("mine", create)
	if err != nil || !reflect.DeepEqual(paused.Work, create) {
		t.Errorf("paused: %+v, %v", paused.Work, err)
	}
	paused.Lease = leases["mine"]
	if created, err := paused.Created("mine", t0); err != nil || !created.Work.IsZero() {
		t.Errorf("created: %+v, %v", created.Work, err)
	}
	paused.State = GrantRemoving
	if gone, err := paused.Gone("mine", t0); err != nil || !gone.Work.IsZero() {
		t.Errorf("gone: %+v, %v", gone.Work, err)
	}
}

// TestGrant_Left: who was taken off does not come back, whether they had
// joined or not, but is not remembered for ever.
func TestGrant_Left(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]Grant{
		"absent":               {},
		"present":              {State: GrantPresent, Holders: holding("me")},
		"present, with others": {State: GrantPresent, Holders: holding("me", "it")},
		"never joined":         {State: GrantPresent, Holders: holding("it")},
	} {
		left, do, err := g.Release("me", myLease, t0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if do == DoRemove {
			if left, err = left.Gone("mine", t0); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if _, _, err := left.Acquire(Holder{Run: "me"}, nil, myLease, t0); CodeOf(err) != CodeStale {
			t.Errorf("%s: coming back: %v", name, err)
		}
		if _, _, err := left.Acquire(Holder{Run: "another"}, nil, myLease, t0); err != nil {
			t.Errorf("%s: another: %v", name, err)
		}
	}
	var g Grant
	for n := range 100 {
		g, _, _ = g.Release("run", myLease, t0)
		g, _, _ = g.Release(string(rune('a'+n)), myLease, t0.Add(time.Duration(n)*time.Minute))
	}
	if len(g.Left) > 62 {
		t.Errorf("%d departures are remembered", len(g.Left))
	}
	for range 3 {
		g, _, _ = g.Release("again", myLease, t0)
	}
	if n := len(slices.DeleteFunc(slices.Clone(g.Left), func(d Departure) bool { return d.Run != "again" })); n != 1 {
		t.Errorf("one run has %d departures", n)
	}
	busy, _, err := Grant{State: GrantCreating, Holders: holding("it"), Lease: leases["theirs"]}.Release("me", myLease, t0)
	if CodeOf(err) != CodeBusy {
		t.Fatalf("a release while another creates: %+v, %v", busy, err)
	}
}

func TestGrant_Held(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		holders []string
		want    bool
	}{{nil, false}, {[]string{"me"}, false}, {[]string{"it"}, true}, {[]string{"me", "it"}, true}} {
		if got := (Grant{Holders: holding(c.holders...)}).HeldByOthers("me"); got != c.want {
			t.Errorf("held by %v: %v", c.holders, got)
		}
	}
}
