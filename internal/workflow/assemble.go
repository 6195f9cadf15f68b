package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Assemble makes flows of what the configuration API has stored. Between two requests of
// those who configure, that is incomplete: each flow is published as soon as all that it
// needs is whole, and until then its last version stays in force.
type Assemble struct {
	Entities  store.Entities
	Flows     *store.Flows
	Runs      store.Runs
	Assembled store.Assembled
	Notices   store.Notices
	// Approval is the name of the flow that approves changes; "": they need no approval.
	Approval string
	// Parts reads entities by the rules that files are held to, and gives what came of
	// each flow, flows filter, strategy, environment and log destination.
	Parts func(context.Context, []entity.Entity) ([]Part, error)
	// Rights says what a strategy, with its targets, needs in AWS.
	Rights func(flow.Strategy) strategy.Rights
	Now    func() time.Time
	Log    *slog.Logger
}

// Part is what came of an entity, with all that it needs. One that is whole has one of
// the pointers, by its kind.
type Part struct {
	Entity entity.Entity
	// Faults are of the entity, and of all that it needs; none: it is whole.
	Faults []string
	// Missing are the references among these that lead nowhere.
	Missing []entity.Ref

	Flow        *flow.Flow
	Filter      *flow.FlowsFilter
	Strategy    *flow.Strategy
	Environment *flow.Environment
	Destination *flow.LogDestination
}

// How long nothing must have changed before flows are made of it, and how long a change
// waits for that at most. Terraform sends ten requests at once, for as long as an apply
// takes.
const (
	AssembleQuiet    = 2 * time.Second
	AssembleAtLatest = 10 * time.Second
)

// ReplaceWithin is how long a flow stays in force after something that it needs was deleted:
// whoever replaces that deletes it first. So long its faults are nobody's news either.
const ReplaceWithin = 15 * time.Minute

// maxFaults is how many faults of an entity are listed.
const maxFaults = 20

// assembler is in whose name flows are published that follow from requests of others.
var assembler = flow.Itself

// Run makes what is to be made, and returns when to call it again though nothing changes:
// zero if there is no such time. Call it after each change of an entity, and once a minute
// or so; one call at a time. Nothing is written where nothing changed.
func (a Assemble) Run(ctx context.Context) (next time.Time, err error) {
	all, err := a.Entities.All(ctx)
	if err != nil {
		return time.Time{}, err
	}
	state, err := a.Assembled.Get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if nobodyConfigures(all, state) {
		return time.Time{}, nil
	}
	now := a.Now()
	first, last := unheeded(all, state.Upto)
	if !state.Since.IsZero() {
		first = state.Since // an entity may have changed again since
	}
	if wait := min(last.Add(AssembleQuiet).Sub(now), first.Add(AssembleAtLatest).Sub(now)); !last.IsZero() && wait > 0 {
		if state.Since.IsZero() {
			state.Since = first
			err = a.Assembled.Set(ctx, state)
		}
		return now.Add(wait), err
	}
	if a.Approval != "" { // what is approved together comes into force together
		if half, err := a.Entities.Proposals().Applying(ctx); err != nil || half {
			return now.Add(AssembleQuiet), err
		}
	}
	state.Since = time.Time{}
	return a.assemble(ctx, all, state, now)
}

// Settle runs until nothing is to be waited for but what is minutes away, where nobody else
// calls again. After is the clock's.
func (a Assemble) Settle(ctx context.Context, after func(time.Duration) <-chan time.Time) error {
	for looks := 0; ; {
		next, err := a.Run(ctx)
		if err != nil {
			return err
		}
		pause := max(0, next.Sub(a.Now()))
		if next.IsZero() || pause > AssembleAtLatest {
			// Once more, for what came meanwhile, or is not listed yet.
			if looks++; looks == 2 {
				return nil
			}
			pause = AssembleQuiet
		}
		select {
		case <-after(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wake has [Assemble.Settle] called where functions don't wait.
type Wake struct {
	Assembled store.Assembled
	// Call has it called, and does not wait for that.
	Call func(context.Context) error
	Now  func() time.Time
}

// settling is how long one call of Settle may take before nobody trusts in it any more.
const settling = AssembleAtLatest + 30*time.Second

// Changed takes changes of the feed. Where a call waits for quiet already, it heeds them.
func (w Wake) Changed(ctx context.Context, changes []store.Change) error {
	if !slices.ContainsFunc(changes, func(c store.Change) bool { _, _, ok := store.EntityOf(c.Key); return ok }) {
		return nil
	}
	state, err := w.Assembled.Get(ctx)
	if err != nil || !state.Since.IsZero() && w.Now().Before(state.Since.Add(settling)) {
		return err
	}
	return w.Call(ctx)
}

// Due has what is due looked at: flows that are to go, and what a lost call has left.
func (w Wake) Due(ctx context.Context) error {
	state, err := w.Assembled.Get(ctx)
	due := !state.Due.IsZero() && !w.Now().Before(state.Due)
	lost := !state.Since.IsZero() && !w.Now().Before(state.Since.Add(settling))
	if err != nil || !due && !lost {
		return err
	}
	return w.Call(ctx)
}

// nobodyConfigures tells whether nobody has ever configured by the API: files have entities,
// too, of which no flows are to be made.
func nobodyConfigures(all []entity.Entity, state store.Assembly) bool {
	return state.Upto.IsZero() && !slices.ContainsFunc(all, func(e entity.Entity) bool { return e.Owner == entity.API })
}

// unheeded gives the times of the first and the last change since a time, as far as
// entities show it; zero if there was none.
func unheeded(all []entity.Entity, upto time.Time) (first, last time.Time) {
	for _, e := range all {
		if !e.Changed.After(upto) {
			continue
		}
		if first.IsZero() || e.Changed.Before(first) {
			first = e.Changed
		}
		if e.Changed.After(last) {
			last = e.Changed
		}
	}
	return first, last
}

func (a Assemble) assemble(ctx context.Context, all []entity.Entity, state store.Assembly, now time.Time) (next time.Time, err error) {
	parts, err := a.Parts(ctx, all)
	if err != nil {
		return next, err
	}
	dead := map[string]time.Time{}
	for _, e := range all {
		if !e.Alive() {
			dead[strings.ToLower(e.ID)] = e.Dead
		}
		if e.Changed.After(state.Upto) {
			state.Upto = e.Changed
		}
	}
	due := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if err := a.takeOver(ctx, all, state.Upto); err != nil {
		return next, err
	}
	var flows []*flow.Flow
	var keep, have []string
	var filter *flow.FlowsFilter
	keepFilter := false
	for _, e := range all { // what was handed to files, and is not published by them yet
		if e.Alive() && e.Owner == entity.Files {
			switch e.Kind {
			case entity.KindFlow:
				keep = append(keep, e.Name)
			case entity.KindFlowsFilter:
				keepFilter = true
			}
		}
	}
	var destinations []flow.LogDestination
	broken := map[string]store.Broken{}
	inName := newest(parts)
	for _, p := range parts {
		e := p.Entity
		if e.Owner != entity.API || e.Kind != entity.KindFlow || slices.ContainsFunc(inName, func(n Part) bool { return n.Entity.ID == e.ID }) {
			continue
		}
		// Of a request whose answer was lost, perhaps: nobody knows of it, and it would be
		// in force again once the other is deleted.
		b := store.Broken{ID: e.ID, Kind: string(e.Kind), Name: e.Name, Since: now, Faults: []string{fmt.Sprintf("flow %q: a later one has its name, so that the one with the id %s takes no requests: delete that, or the other", e.Name, e.ID)}}
		if before, ok := state.Broken[e.ID]; ok {
			b.Since, b.Told = before.Since, before.Told
		}
		if b.Told.IsZero() {
			due(b.Since.Add(ReplaceWithin))
		}
		broken[e.ID] = b
	}
	for _, p := range inName {
		e := p.Entity
		switch {
		case p.Strategy != nil:
			have = append(have, needs(*p.Strategy, a.Rights)...)
		case p.Flow != nil:
			flows = append(flows, p.Flow)
			keep = slices.DeleteFunc(keep, func(name string) bool { return strings.EqualFold(name, p.Flow.Name) })
		case p.Filter != nil:
			filter = p.Filter
		case p.Destination != nil:
			if len(p.Destination.Environments) > 0 {
				destinations = append(destinations, *p.Destination)
			}
		}
		if len(p.Faults) == 0 {
			continue
		}
		b := store.Broken{ID: e.ID, Kind: string(e.Kind), Name: e.Name, Faults: p.Faults[:min(len(p.Faults), maxFaults)], Since: now}
		if before, ok := state.Broken[e.ID]; ok {
			b.Since, b.Told, b.Ended = before.Since, before.Told, before.Ended
		}
		end := goneAt(p, dead)
		switch {
		case e.Kind == entity.KindFlowsFilter:
			keepFilter = true
		case e.Kind != entity.KindFlow:
		case end.IsZero() || now.Before(end):
			keep = append(keep, e.Name)
			if !end.IsZero() {
				due(end)
			}
		default:
			b.Ended = true
		}
		if b.Told.IsZero() && !b.Ended {
			due(b.Since.Add(ReplaceWithin))
		}
		broken[e.ID] = b
	}
	// What flows have that stay in force as they are may be gone from the entities.
	list, err := a.Flows.List(ctx)
	if err != nil {
		return next, err
	}
	inForce := map[string]bool{}
	for _, f := range list {
		if f.Owner != entity.API {
			continue
		}
		inForce[strings.ToLower(f.Name)] = true
		if !slices.ContainsFunc(keep, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			continue
		}
		kept, err := a.Flows.Latest(ctx, f.Name)
		if err != nil {
			return next, err
		}
		if kept.Strategy != nil {
			have = append(have, needs(*kept.Strategy, a.Rights)...)
		}
	}
	by := flow.Author{By: assembler, At: now}
	slices.Sort(have)
	if err := a.Flows.SetStrategies(ctx, entity.API, slices.Compact(have)); err != nil {
		return next, err
	}
	for {
		_, err := a.Flows.PublishOwned(ctx, by, entity.API, flows, keep...)
		if err == nil {
			break
		}
		// One that can't be written is broken like any other, and in nobody's way.
		unfit, ok := errors.AsType[*store.FlowError](err)
		if code := flow.CodeOf(err); !ok || code != flow.CodeTooLarge && code != flow.CodeInvalid {
			return next, err
		}
		b := store.Broken{ID: "flow " + unfit.Flow, Kind: string(entity.KindFlow), Name: unfit.Flow, Faults: []string{flow.UserMessage(unfit)}, Since: now}
		if before, ok := state.Broken[b.ID]; ok {
			b.Since, b.Told = before.Since, before.Told
		}
		if b.Told.IsZero() {
			due(b.Since.Add(ReplaceWithin))
		}
		broken[b.ID] = b
		keep = append(keep, unfit.Flow)
		flows = slices.DeleteFunc(flows, func(f *flow.Flow) bool { return strings.EqualFold(f.Name, unfit.Flow) })
	}
	if !keepFilter {
		if err := a.Flows.PublishOwnedFilter(ctx, by, entity.API, filter); err != nil {
			return next, err
		}
	}
	if err := publishDestinations(ctx, a.Runs.Store, by, entity.API, destinations); err != nil {
		return next, err
	}
	for _, id := range slices.Sorted(maps.Keys(broken)) {
		b := broken[id]
		if b, err = a.tell(ctx, b, state.Broken[id], inForce[strings.ToLower(b.Name)], now); err != nil {
			return next, err
		}
		broken[id] = b
	}
	state.Broken, state.Due = broken, next
	return next, a.Assembled.Set(ctx, state)
}

// takeOver makes the API the owner of what is in force of what files have handed to it,
// though nothing else may be whole.
func (a Assemble) takeOver(ctx context.Context, all []entity.Entity, upto time.Time) error {
	list, err := a.Flows.List(ctx)
	if err != nil {
		return err
	}
	files := map[string]bool{} // what they have
	for _, e := range all {
		if e.Alive() && e.Owner == entity.Files {
			files[entityName(e)] = true
		}
	}
	for _, e := range all {
		if e.Owner != entity.API || files[entityName(e)] || !e.Alive() && !e.Changed.After(upto) {
			continue
		}
		theirs := slices.ContainsFunc(list, func(f store.FlowSummary) bool { return f.Owner != entity.API && strings.EqualFold(f.Name, e.Name) })
		if e.Kind != entity.KindFlowsFilter && (e.Kind != entity.KindFlow || !theirs) {
			continue
		}
		// Listings may be late, and tell of what has gone back to files since.
		now, err := a.Entities.Get(ctx, e.Kind, e.ID)
		if err != nil {
			return err
		}
		if now.Owner != entity.API {
			continue
		}
		if e.Kind == entity.KindFlowsFilter {
			err = a.Flows.HandOverFilter(ctx, entity.API)
		} else {
			err = a.Flows.HandOver(ctx, entity.API, e.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tell has the error channel told of what has been broken for a while, and of a flow that
// takes no requests any more.
func (a Assemble) tell(ctx context.Context, b, before store.Broken, inForce bool, now time.Time) (store.Broken, error) {
	what := strings.ReplaceAll(b.Kind, "_", " ") + " " + b.Name
	switch {
	case b.Ended && !before.Ended:
		text := fmt.Sprintf("The flow %s takes no requests any more: something that it needs was deleted from the configuration %d minutes ago, and nothing has taken its place. %s. Access that was granted ends as planned.", b.Name, ReplaceWithin/time.Minute, first(b.Faults))
		if !inForce {
			text = fmt.Sprintf("The flow %s can't be put in force. %s.", b.Name, first(b.Faults))
		}
		b.Told = now
		return b, a.Notices.Tell(ctx, "the configuration, "+what+", ended", text, "")
	case b.Told.IsZero() && !now.Before(b.Since.Add(ReplaceWithin)):
		b.Told = now
		stands := "what was in force before stays so"
		if b.Kind == string(entity.KindLogDestination) {
			stands = "is sent no records until they are mended"
		}
		return b, a.Notices.Tell(ctx, "the configuration, "+what, fmt.Sprintf("The %s, which was configured by the API, has faults, and %s. %s. The command local check -url lists all faults.", what, stands, first(b.Faults)), "")
	}
	return b, nil
}

// first is the first of some faults as a sentence, and how many there are besides.
func first(faults []string) string {
	text := strings.TrimSuffix(faults[0], ".")
	if more := len(faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// goneAt says until when a flow stays in force that needs something which was deleted; zero
// if nothing was. Targets don't count, which are refused at once each, nor what says
// where records and errors go.
func goneAt(p Part, dead map[string]time.Time) (end time.Time) {
	for _, ref := range p.Missing {
		switch ref.Kind {
		case entity.KindTarget, entity.KindLogDestination, entity.KindErrorLogger, entity.KindRuntime, entity.KindFlow:
			continue
		}
		at := dead[strings.ToLower(ref.ID)].Add(ReplaceWithin) // long ago, if nobody remembers
		if end.IsZero() || at.Before(end) {
			end = at
		}
	}
	return end
}

// newest leaves out what has the name of something that took it later, and what files own.
func newest(parts []Part) []Part {
	named := map[string]entity.Entity{}
	for _, p := range parts {
		e := p.Entity
		key := entityName(e)
		if other, ok := named[key]; e.Owner == entity.API && (!ok || e.Named.After(other.Named)) {
			named[key] = e
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p Part) bool {
		// Strategies of one name are different ones, of which a flow names one; so are log
		// destinations, whose names are derived.
		alone := p.Entity.Kind != entity.KindStrategy && p.Entity.Kind != entity.KindLogDestination
		return p.Entity.Owner != entity.API || alone && named[entityName(p.Entity)].ID != p.Entity.ID
	})
}

func entityName(e entity.Entity) string { return string(e.Kind) + " " + strings.ToLower(e.Name) }

// stillThere returns an error, of a code, if a target was deleted, of a strategy that the
// configuration API owns: flows in force may still offer it.
func stillThere(ctx context.Context, entities store.Entities, s *flow.Strategy, t flow.Target, code flow.Code) error {
	if s == nil || !s.ByAPI {
		return nil
	}
	e, err := entities.Get(ctx, entity.KindTarget, t.IDIn(entities.Org))
	if flow.CodeOf(err) == flow.CodeUnknownEntity || err == nil && !e.Alive() {
		return flow.Errorf(code, "target %q was deleted from the configuration: make a new request, for another target", t.Title())
	}
	return err
}
