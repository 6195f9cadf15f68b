package workflow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
)

// Recovery puts grants back that the table lacks and the audit log tells of, so that
// they end: after the loss of a table, or of its last minutes. What is in the table
// stays as it is; all writes are conditional, and a second time does nothing.
type Recovery struct {
	Runs   store.Runs
	Grants store.Grants
	Flows  *store.Flows
	Acts   store.Acts
	Now    func() time.Time
	By     flow.Principal // who recovers
	// Table names what is recovered, for the records of it.
	Table string
}

// What became of a run that the records tell of.
const (
	RecoveredGrant = "put back"        // its access ends at its end
	RecoveredEnd   = "closed"          // it was open in the table, though its access had ended
	RecoveredNone  = "was there"       // the table has it
	RecoveredOver  = "over"            // its access had ended, or it never had any
	RecoveredAsked = "to be asked"     // an open request that is gone: it has to be made again
	RecoveredDoubt = "to be looked at" // whether it has access can't be told: somebody has to look at the target
)

// Recovered is what became of one run.
type Recovered struct {
	Run    string // id
	Flow   string
	Person string
	Target string
	End    time.Time // of the access; zero: by hand, or it has none
	What   string    // Recovered…
	Why    string    // what somebody has to look at, or warns of; "" for nothing
	Err    error     // it could not be put back
}

// RecoveryCount is how many runs became what: Recovered…, or RecoveryFailed.
type RecoveryCount map[string]int

// RecoveryFailed is what could not be put back.
const RecoveryFailed = "could not be put back"

// Run goes through the records, which begin before the time that the table is of, and
// tells what becomes of each run. The error says that it could not begin, or that the
// records could not be read: then nothing was changed.
func (v Recovery) Run(ctx context.Context, since time.Time, records iter.Seq2[events.AuditRecord, error], tell func(Recovered)) (RecoveryCount, error) {
	act := flow.NewAct(flow.Author{By: v.By, At: v.Now()}, flow.ActRecover, flow.Subject{Kind: "table", Name: v.Table}, map[string]any{"since": since.UTC().Format(time.RFC3339)})
	act.Result = flow.ActBegun
	if err := v.Acts.Put(ctx, act); err != nil {
		return nil, fmt.Errorf("record that recovery begins: %w", err)
	}
	count := RecoveryCount{}
	err := v.all(ctx, records, func(r Recovered) {
		what := r.What
		if r.Err != nil {
			what = RecoveryFailed
		}
		count[what]++
		tell(r)
	})
	act.Result = flow.ActDone
	if err != nil || count[RecoveryFailed] > 0 {
		act.Result = flow.ActFailed
	}
	for what, n := range count {
		act.Fields[strings.ReplaceAll(what, " ", "_")] = n
	}
	return count, errors.Join(err, v.Acts.Put(context.WithoutCancel(ctx), act))
}

func (v Recovery) all(ctx context.Context, records iter.Seq2[events.AuditRecord, error], tell func(Recovered)) error {
	runs := map[string]map[string]events.AuditRecord{}
	for r, err := range records {
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		id, err := flow.RunOf(r.ID)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		if runs[id] == nil {
			runs[id] = map[string]events.AuditRecord{}
		}
		if known, ok := runs[id][r.ID]; !ok || record.Newer(r, known) {
			runs[id][r.ID] = r
		}
	}
	ids := make([]string, 0, len(runs))
	for id := range runs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		list := make([]events.AuditRecord, 0, len(runs[id]))
		for _, r := range runs[id] {
			list = append(list, r)
		}
		tell(v.one(ctx, id, list))
	}
	return nil
}

// one does what there is to do for one run.
func (v Recovery) one(ctx context.Context, id string, records []events.AuditRecord) Recovered {
	out := Recovered{Run: id}
	told, err := record.RunOf(records)
	if err != nil {
		out.Err = err
		return out
	}
	out.Flow, out.Person = told.Flow, told.Requester.Display()
	if told.Access != nil {
		out.Target, out.End = told.Access.Target.Name, told.Access.End
	}
	now, err := v.Runs.Get(ctx, id)
	lacks := flow.CodeOf(err) == flow.CodeUnknownRun
	if err != nil && !lacks {
		out.Err = err
		return out
	}
	over := has(told, flow.EventDeescalate)
	switch granted := has(told, flow.EventEscalate); {
	case !lacks && (now.Status == flow.Escalated || now.Status == flow.Deescalated):
		out.What = RecoveredNone
		return out
	case over && lacks:
		out.What = RecoveredOver
		return out
	case !granted && told.Access == nil:
		return v.untried(out, told, lacks)
	case told.Access == nil:
		out.What, out.Why = RecoveredDoubt, "its records were made by an earlier release, and do not say what was granted"
		return out
	case !over && !touched(told):
		out.What, out.Why = RecoveredDoubt, "granting it had failed when it was recorded last, before the target was asked for anything: it may have succeeded after that"
		return out
	}
	out.What = RecoveredGrant
	if over {
		out.What = RecoveredEnd
	}
	in := flow.Recover{Recorded: told, Over: over}
	if in.Flow, err = v.Flows.Version(ctx, told.Flow, told.FlowVersion); err != nil {
		if flow.CodeOf(err) != flow.CodeUnknownFlow {
			out.Err = err
			return out
		}
		in.Flow = nil
		if told.Access.Strategy.Implementation != nil {
			out.Why = fmt.Sprintf("it is removed by Python of version %s of its flow, which the table lacks: end it by hand at the target", told.FlowVersion)
		}
	}
	if f := in.Flow; f != nil && f.Strategy != nil && f.Strategy.Name == told.Access.Strategy.Name {
		told.Access.Strategy.Settings = f.Strategy.Settings // records leave keys in URLs out
	}
	if out.Err = v.put(ctx, in, now, lacks); out.Err == nil {
		fields := map[string]any{"outcome": out.What}
		if !told.Access.End.IsZero() {
			fields[flow.KeyExpiresAt] = told.Access.End.UTC().Format(time.RFC3339Nano)
		}
		out.Err = v.Acts.Put(ctx, flow.NewAct(flow.Author{By: v.By, At: v.Now()}, flow.ActRecover, flow.Subject{Kind: "run", ID: id, Name: told.Flow}, fields))
	}
	return out
}

// put writes the grants first: a run that is there has them.
func (v Recovery) put(ctx context.Context, in flow.Recover, now flow.Run, lacks bool) error {
	// What can't be put back is found out before anything is written.
	if _, err := flow.Apply(now, in, v.Now()); err != nil {
		return err
	}
	told := in.Recorded
	if !in.Over {
		for _, p := range told.Access.Entitlements {
			_, err := v.Grants.Change(ctx, p.Key, func(g flow.Grant) (flow.Grant, error) {
				return g.Recover(told.Holder(p.Entitlement), p, v.Now())
			})
			if err != nil {
				return fmt.Errorf("put back entitlement %s: %w", p.Key, err)
			}
		}
	}
	if lacks {
		fresh, err := flow.Apply(flow.Run{}, in, v.Now())
		if err != nil {
			return err
		}
		_, err = v.Runs.Put(ctx, fresh)
		return err
	}
	_, err := v.Runs.Change(ctx, in.Recorded.ID, v.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	return err
}

// untried is what becomes of a run whose records tell of no grant.
func (v Recovery) untried(out Recovered, told flow.Run, lacks bool) Recovered {
	_, is := told.Last(flow.EventApprove)
	requested, _ := told.Last(flow.EventRequest)
	starts, _ := requested.Fields[flow.KeyStartAt].(string)
	at, err := time.Parse(time.RFC3339Nano, starts)
	waits := err == nil && at.After(v.Now())
	if told.Target != nil {
		out.Target = told.Target.Name
	}
	switch _, cancelled := told.Last(flow.EventCancel); {
	case is && told.Target != nil && !waits && !cancelled:
		out.What, out.Why = RecoveredDoubt, "it was approved, and no record says what came of granting it"
	case !lacks:
		out.What = RecoveredNone
	case cancelled, is && told.Target == nil, has(told, flow.EventDeny), has(told, flow.EventRequestExpire):
		out.What = RecoveredOver
	default:
		out.What = RecoveredAsked
	}
	return out
}

// has tells whether an event took place.
func has(r flow.Run, name flow.EventName) bool {
	_, ok := r.Last(name)
	return ok
}

// touched tells whether the target may show the access, as far as the records tell:
// what was there before is noted before the target is asked for anything.
func touched(r flow.Run) bool {
	return has(r, flow.EventEscalate) || slices.ContainsFunc(r.Access.Entitlements, func(p flow.Part) bool { return p.Before != "" })
}
