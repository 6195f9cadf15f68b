package workflow_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible/aptiblefake"
	"github.com/symflows/symflows/internal/strategy/boundary/boundaryfake"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/entragroup/entragroupfake"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
	"github.com/symflows/symflows/internal/strategy/postgres/postgresfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale/tailscalefake"
)

// strategies are those that read their targets back, each on a fake of its system
// that behaves as the system is documented to. [TestStrategies] lets them grant in a
// world whose processes die and whose systems fail.
var strategies = map[string]func(testing.TB) strategytest.Subject{
	"aptible":            aptiblefake.Subject,
	"aws_account_access": awsfake.AccountAccessSubject,
	"aws_eks":            func(t testing.TB) strategytest.Subject { return awsfake.EKSSubject(t, true) },
	"aws_iam":            func(t testing.TB) strategytest.Subject { return awsfake.IAMSubject(t, true) },
	"aws_sso groups":     awsfake.StoreGroupSubject,
	"aws_sso permission sets": func(t testing.TB) strategytest.Subject {
		return awsfake.PermissionSetSubject(t, true)
	},
	"boundary":    boundaryfake.Subject,
	"gcp_iam":     googlefake.ProjectSubject,
	"github_org":  githubOf(github.Org),
	"github_repo": githubOf(github.Repo),
	"github_team": githubOf(github.Team),
	"google_group by Cloud Identity": func(t testing.TB) strategytest.Subject {
		return googlefake.GroupSubject(t, googlegroup.CloudIdentity)
	},
	"google_group by Directory": func(t testing.TB) strategytest.Subject {
		return googlefake.GroupSubject(t, googlegroup.Directory)
	},
	"okta":              oktafake.Subject,
	"onelogin":          oneloginfake.Subject,
	"postgres 14":       func(t testing.TB) strategytest.Subject { return postgresfake.Subject(t, 14) },
	"postgres 17":       func(t testing.TB) strategytest.Subject { return postgresfake.Subject(t, 17) },
	"tailscale_group":   tailscalefake.Subject,
	"tailscale_posture": tailscalefake.PostureSubject,
	"entra_group":       entragroupfake.Subject,
	"entra_pim_group":   entragroupfake.PIMSubject,
}

// githubOf gives GitHub's strategy with a target of a type as the first, and two
// people who are in no organization.
func githubOf(kind string) func(testing.TB) strategytest.Subject {
	return func(t testing.TB) strategytest.Subject {
		g := githubfake.New(t)
		if kind == github.Org {
			g.Manage()
			g.RemoveMember("alice")
			g.RemoveMember("bob")
		}
		s := g.Subject()
		all := s.Strategy.Targets
		i := slices.IndexFunc(all, func(target flow.Target) bool { return target.Type == kind })
		s.Strategy.Targets = append([]flow.Target{all[i]}, slices.Delete(slices.Clone(all), i, i+1)...)
		return s
	}
}

// How much of each strategy is tried in one run of the tests. The rest is tried
// by other runs: what is drawn comes of a number that a failure names.
const (
	stories = 6 // of them the first half are the same each time
	crashes = 8
)

// system is a strategy's own client on a fake, whose calls are steps of the world's
// process.
type system struct {
	world *world
	strategytest.Subject
	things []flow.Target // what a person may have
	before []has         // of each, before the first request

	mu     sync.Mutex
	moods  []strategytest.Mood // of the next calls
	taken  bool                // others take access away, so that who holds it may lack it
	broken []string            // rules that were broken
}

// has is what a person has of a thing.
type has struct {
	there bool
	value string
}

// newSystem makes a world whose target is the system's, with a target for each
// value where there are several.
func newSystem(t *testing.T, open func(testing.TB) strategytest.Subject, edit ...func(*flow.Flow)) *system {
	t.Helper()
	s := &system{Subject: open(t)}
	targets := slices.Clone(s.Strategy.Targets[:2])
	s.things = slices.Clone(targets)
	if kind, _ := s.Type.Target(targets[0].Type); len(kind.Values) > 0 {
		opened, err := s.Open(s.Frozen())
		must(t, err)
		asked, err := opened.Entitlements(targets[0], s.Identities[0], "")
		must(t, err)
		s.things, targets = targets[:1], nil
		for _, value := range kind.Values {
			target := strategytest.AskingFor(s.things[0], asked[0].Value, value)
			target.Name = value
			targets = append(targets, target)
		}
	}
	for i := range s.things {
		s.before = append(s.before, s.now(i))
	}
	w := newWorld(t, append([]func(*flow.Flow){func(f *flow.Flow) {
		f.Strategy = &flow.Strategy{Name: s.Strategy.Name, Type: s.Strategy.Type, Targets: targets}
	}}, edit...)...)
	s.world, w.system, w.lasts = w, s, "1h"
	if ending, ok := s.System.(interface {
		strategytest.Expirer
		strategytest.Timed
	}); ok {
		ending.GoBy(w.clock.Now)
	}
	w.boot()
	return s
}

func (s *system) values() []string {
	kind, _ := s.Type.Target(s.things[0].Type)
	return kind.Values
}

func (s *system) rank(value string) int { return slices.Index(s.values(), value) }

// open gives the client, by what it can do.
func (s *system) open(flow.Strategy) (strategy.Strategy, error) {
	opened, err := s.Open(s.Frozen())
	if err != nil {
		return nil, err
	}
	mortal := mortalStrategy{opened, s}
	if _, follows := opened.(strategy.Follower); follows {
		return mortalFollower{mortal}, nil
	}
	return mortal, nil
}

// mortalStrategy is a strategy that its process may die in.
type mortalStrategy struct {
	strategy.Strategy
	system *system
}

type mortalFollower struct{ mortalStrategy }

// Identity implements strategy.Identifier: everybody is the first of the system's
// people.
func (m mortalStrategy) Identity(context.Context, flow.Actor) (string, error) {
	return m.system.Identities[0], nil
}

func (m mortalStrategy) Grant(ctx context.Context, c strategy.Call) (result strategy.Result, err error) {
	return step(m.system, func() (strategy.Result, error) { return m.Strategy.Grant(ctx, c) })
}

func (m mortalStrategy) Revoke(ctx context.Context, c strategy.Call) (result strategy.Result, err error) {
	return step(m.system, func() (strategy.Result, error) { return m.Strategy.Revoke(ctx, c) })
}

func (m mortalStrategy) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	return step(m.system, func() (strategy.Sight, error) { return m.Strategy.(strategy.Observer).Observe(ctx, c) })
}

func (m mortalFollower) Follow(ctx context.Context, c strategy.Call, known flow.Operation) (*flow.Operation, error) {
	return step(m.system, func() (*flow.Operation, error) { return m.Strategy.(strategy.Follower).Follow(ctx, c, known) })
}

// step makes one call, in the mood that is due, if the process lives.
func step[T any](s *system, call func() (T, error)) (answer T, err error) {
	err = s.world.process.do(func() (err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.moods) > 0 {
			s.System.SetMood(s.moods[0])
			s.moods = s.moods[1:]
			defer s.System.SetMood(strategytest.Willing)
		}
		answer, err = call()
		s.checkNow()
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return answer, nil
}

func (s *system) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkNow()
}

// checkNow notes if somebody lacks what they were told they have, or would lose it
// too early.
func (s *system) checkNow() {
	if s.taken {
		return
	}
	for _, r := range s.held() {
		target, identity := r.Access.Target, r.Access.Identity
		why := ""
		if !s.System.Has(target, identity) {
			why = "is not there"
		} else if valuer, ok := s.System.(strategytest.Valuer); ok && s.rank(valuer.Value(target, identity)) < s.rank(r.Access.Entitlements[0].Value) {
			why = "is only " + valuer.Value(target, identity)
		} else if expirer, ok := s.System.(strategytest.Expirer); ok {
			if until := expirer.Until(target, identity); !until.IsZero() && until.Before(r.Access.End) {
				why = fmt.Sprintf("ends at %s, before %s", until, r.Access.End)
			}
		}
		if why != "" {
			s.broken = append(s.broken, fmt.Sprintf("%s of %s %s at %s, while run %s holds it", target.Name, identity, why, s.world.clock.Now().Sub(began), r.ID))
		}
	}
}

// held lists the runs whose access is granted and not over.
func (s *system) held() []flow.Run {
	var out []flow.Run
	for _, id := range s.world.asked {
		r, err := s.world.stored(id)
		if err == nil && r.Held(s.world.clock.Now()) {
			out = append(out, r)
		}
	}
	return out
}

// finish has the system end what it works on.
func (s *system) finish(reason string) {
	if worker, ok := s.System.(strategytest.Worker); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		worker.Finish(reason)
	}
}

// pass lets time go by, in which the system ends what it works on.
func (s *system) pass(d time.Duration) {
	s.world.t.Helper()
	s.finish("")
	s.world.pass(d / 2)
	s.finish("")
	s.world.pass(d / 2)
}

// now is what the person has of a thing.
func (s *system) now(thing int) has {
	target, who := s.things[thing], s.Identities[0]
	now := has{there: s.System.Has(target, who)}
	if valuer, ok := s.System.(strategytest.Valuer); ok && len(s.values()) > 0 {
		now.value = valuer.Value(target, who)
	}
	return now
}

// give has somebody else give the person a thing, with a value where there are some.
func (s *system) give(thing int, value string) {
	if value != "" {
		s.System.(strategytest.Valuer).GiveValue(s.things[thing], s.Identities[0], value)
	} else {
		s.System.(strategytest.Outsider).Give(s.things[thing], s.Identities[0])
	}
	s.before[thing] = s.now(thing)
}

// expect holds the system to what was there before and what live runs hold. It
// says nothing while one is neither live nor over.
func (s *system) expect(t *testing.T, when string) {
	t.Helper()
	want := slices.Clone(s.before)
	for _, id := range s.world.asked {
		r, err := s.world.stored(id)
		switch {
		case err != nil || r.Access == nil:
		case r.Held(s.world.clock.Now()):
			thing := slices.IndexFunc(s.things, func(t flow.Target) bool { return t.Name == r.Access.Target.Name })
			if len(s.values()) > 0 {
				thing = 0
			}
			now := &want[thing]
			if now.there = true; s.rank(r.Access.Entitlements[0].Value) > s.rank(now.value) {
				now.value = r.Access.Entitlements[0].Value
			}
		case r.Access.Live():
			return
		}
	}
	for i, want := range want {
		if got := s.now(i); got != want {
			t.Errorf("%s: the person has %+v of %s, want %+v", when, got, s.things[i].Name, want)
		}
	}
	for _, b := range s.broken {
		t.Error(b)
	}
}

// TestStrategies lets every strategy that reads its targets back grant and remove on
// the fake of its system, while processes die, answers get lost and others ask for the
// same: what was there before and what live runs hold is there, never less meanwhile,
// and never more once there is rest. Drift tells apart what others did.
func TestStrategies(t *testing.T) {
	t.Parallel()
	for name, open := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("Stories", func(t *testing.T) {
				t.Parallel()
				for i := range stories {
					seed := uint64(i)
					if i >= stories/2 {
						seed = rand.Uint64()
					}
					if tellStory(t, open, seed); t.Failed() {
						t.Fatalf("in the story of seed %d", seed)
					}
				}
			})
			t.Run("Crashes", func(t *testing.T) {
				t.Parallel()
				steps := dieAt(t, open, -1, false)
				t.Logf("%d places to die at", steps)
				if steps < 10 {
					t.Fatalf("only %d places to die at", steps)
				}
				for i := range crashes {
					at := (i*steps + rand.IntN(steps)) / crashes // one of each part
					if dieAt(t, open, at, i%2 == 0); t.Failed() {
						t.Fatalf("died at step %d of %d, after it: %t", at, steps, i%2 == 0)
					}
				}
			})
			t.Run("Drift", func(t *testing.T) {
				t.Parallel()
				driftOf(t, open)
			})
		})
	}
}

// TestStrategies_All: every type of target that is read back has a row.
func TestStrategies_All(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, open := range strategies {
		rows[open(t).Strategy.Targets[0].Type] = true
	}
	for _, known := range builtin.Types() {
		for _, target := range known.Targets {
			if known.Observes && !rows[target.Name] {
				t.Errorf("targets of type %s of strategy %s have no row in strategies", target.Name, known.Name)
			}
		}
	}
}

// tellStory lets runs come and go while the system and the process fail, as seed says.
func tellStory(t *testing.T, open func(testing.TB) strategytest.Subject, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	s := newSystem(t, open)
	w := s.world
	moods := []strategytest.Mood{strategytest.Throttled, strategytest.Broken, strategytest.Forgetful}
	for mood, c := range map[strategytest.Mood]strategytest.Case{strategytest.Conflicted: strategytest.ConcurrentEdit, strategytest.Expired: strategytest.ExpiredToken} {
		if _, impossible := s.Cannot[c]; !impossible {
			moods = append(moods, mood)
		}
	}
	slices.Sort(moods)
	if r.IntN(3) == 0 {
		value := ""
		if values := s.values(); len(values) > 0 {
			value = values[r.IntN(len(values))]
		}
		s.give(0, value)
	}
	for i := range 6 + r.IntN(10) {
		step := r.IntN(9)
		if i == 0 {
			step = 0
		}
		switch step {
		case 0, 1, 8:
			if len(w.asked) < 4 {
				w.lasts = []string{"10m", "1h"}[r.IntN(2)]
				w.at = w.flow.Strategy.Targets[r.IntN(len(w.flow.Strategy.Targets))].Name
				w.ask(asker, fmt.Sprint("run", i))
			}
			for _, id := range w.asked { // which may be too early, after a crash, or done
				_ = w.press(id, flow.ActionApprove, first)
			}
			w.settle()
		case 2, 3:
			if len(w.asked) > 0 {
				_ = w.press(w.asked[r.IntN(len(w.asked))], flow.ActionDeescalate, asker) // which may be too early, or too late
				w.settle()
			}
		case 4, 5:
			s.pass(time.Duration(r.IntN(90)) * time.Second)
		case 6:
			w.process.left, w.process.after = r.IntN(12), r.IntN(2) == 0
		case 7:
			s.moods = append(s.moods, moods[r.IntN(len(moods))])
		}
	}
	w.process.left, s.moods = -1, nil
	s.pass(16 * time.Minute) // the slowest lost step takes seven to be found
	s.expect(t, "at rest")
	s.pass(flow.GrantWindow + time.Hour + 10*time.Minute)
	s.expect(t, "in the end")
	t.Logf("seed %d: %d runs, %d restarts, %d changes", seed, len(w.asked), w.restarts, len(s.System.Changes()))
	for _, id := range w.asked {
		if r := w.run(id); r.Access != nil && (r.Access.Live() || !r.Due.IsZero()) {
			t.Errorf("there is no rest: run %s is %s, error %+v, waits for %+v, due %s", id, r.Status, r.Error, r.Access.Waiting, r.Due)
		}
	}
}

// dieAt tells how two runs share an entitlement, of which the second needs more where
// there is more, with a crash at a step, and returns how many there were.
func dieAt(t *testing.T, open func(testing.TB) strategytest.Subject, at int, after bool) int {
	t.Helper()
	s := newSystem(t, open)
	w := s.world
	if len(s.values()) > 1 {
		s.give(0, s.values()[0])
	}
	process := w.process
	process.left, process.after = at, after
	const foundOut = 14 * time.Minute // enough for the slowest lost step, twice
	granted := func(cause string, target int) string {
		w.at = w.flow.Strategy.Targets[target].Name
		id := w.ask(asker, cause)
		s.pass(foundOut)
		w.click(id, flow.ActionApprove, first)
		s.pass(foundOut)
		w.want(id, flow.Escalated)
		s.expect(t, "granted to "+cause)
		return id
	}
	more := max(len(s.values())-1, 0)
	a := granted("a", max(more-1, 0))
	b := granted("b", more)
	w.click(b, flow.ActionDeescalate, asker)
	s.pass(foundOut)
	w.want(b, flow.Deescalated)
	s.expect(t, "the second has left")
	s.pass(w.run(a).Access.End.Add(10 * time.Minute).Sub(w.clock.Now()))
	w.want(a, flow.Deescalated)
	s.expect(t, "in the end")
	if r := w.run(a); !r.Due.IsZero() || w.schedule.armed(a) {
		t.Errorf("there is no rest after the end: due %s, schedule %t", r.Due, w.schedule.armed(a))
	}
	if t.Failed() {
		t.Logf("log:\n%.3000s", w.log)
	}
	return -1 - process.left
}

// driftOf compares what was granted with what the system shows, and with what others
// make of that.
func driftOf(t *testing.T, open func(testing.TB) strategytest.Subject) {
	t.Helper()
	s := newSystem(t, open, forever)
	w := s.world
	outsider, ok := s.System.(strategytest.Outsider)
	if !ok {
		t.Fatalf("%T is no Outsider", s.System)
	}
	c, _ := w.reconcile(true)
	c.Open = func(flow.Strategy) (strategy.Strategy, error) { return s.Subject.Open(s.Frozen()) }
	c.Observes = func(flow.Strategy) bool { return true }
	expect := func(when string, want ...flow.DriftKind) {
		t.Helper()
		report := w.compared(c)
		var kinds []flow.DriftKind
		for _, d := range report.Found {
			kinds = append(kinds, d.Kind)
		}
		if !slices.Equal(kinds, want) || len(report.Unseen) > 0 {
			t.Errorf("%s: found %v, want %v; could not look: %v", when, kinds, want, report.Unseen)
		}
	}
	most := w.flow.Strategy.Targets[max(len(s.values())-1, 0)]
	w.at = most.Name
	id := w.approved("a")
	s.pass(5 * time.Minute)
	w.want(id, flow.Escalated)
	expect("granted")
	s.taken = true
	outsider.Take(most, s.Identities[0])
	expect("taken by others", flow.DriftMissing)
	if r := w.run(id); !r.Missing() {
		t.Error("the run does not say that its access is missing")
	}
	if values := s.values(); len(values) > 1 {
		s.System.(strategytest.Valuer).GiveValue(most, s.Identities[0], values[0])
		expect("less was given back", flow.DriftMissing)
	}
	outsider.Give(most, s.Identities[0])
	expect("given back")
	if r := w.run(id); r.Missing() {
		t.Error("the run says that its access is missing, which is there again")
	}
	w.ends(id)
	expect("taken away")
	outsider.Give(most, s.Identities[0])
	if opened, err := s.Subject.Open(s.Frozen()); err != nil {
		t.Error(err)
	} else if _, lists := opened.(strategy.Lister); lists {
		expect("given by others after that", flow.DriftBack)
	}
}
