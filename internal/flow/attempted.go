package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Outcome is what an attempt came to for one entitlement.
type Outcome struct {
	Key string
	// Done is when the target was seen to show the entitlement, or not to show it
	// any more; zero: it was not.
	Done      time.Time
	Output    json.RawMessage
	Warnings  []string
	StillHeld bool     // of a removal: other runs hold it
	Kept      bool     // it was there before us
	GrantedBy []string // what else gives the same access
	// Before and BeforeValue are what the target showed before it was first touched, of
	// granting; "" until that was seen.
	Before      Presence
	BeforeValue string
	// Not is why it is not done: a LookAgain, a PutOff or a Fail of the step.
	Not Input
}

// Attempted records what came of an attempt at granting (EventEscalate) or taking
// away (EventDeescalate), for each entitlement that it was about.
//
// Where there are several, access counts as granted once one is seen and nothing
// is left to try: a part is given up after MaxGrantAttempts, and after GrantWindow
// if others are there. It is gone when all are.
type Attempted struct {
	Step     EventName
	Owner    string // of the claim of a removal
	Outcomes []Outcome
	Sick     bool     // the target is
	Hooks    []string // those that the flow may define
}

func (in Attempted) apply(r *Run, now time.Time) error {
	if !r.Access.Live() {
		if r.Access != nil && in.Step == EventDeescalate {
			return ErrUnchanged
		}
		return stale
	}
	if len(r.Access.Entitlements) == 1 {
		return in.only(r, now)
	}
	switch in.Step {
	case EventEscalate:
		if r.Status != Approved || r.removing() {
			return stale
		}
	case EventDeescalate:
		if r.Access.Removal.Owner != in.Owner || in.Owner == "" {
			return Errorf(CodeBusy, "somebody else is taking this access away")
		}
	default:
		return Errorf(CodeIllegal, "%q is not a step that calls targets", in.Step)
	}
	if in.Sick {
		r.postpone(in.Step, now)
	} else {
		r.Postponed = nil
	}
	for _, o := range in.Outcomes {
		if err := r.note(in.Step, o, now); err != nil {
			return err
		}
	}
	r.noteFailures(in.Step, in.Outcomes, now)
	if in.Step == EventDeescalate {
		return r.settleRemoval(in.Owner, in.Hooks, now)
	}
	return r.settleGrants(in.Hooks, now)
}

// only is the outcome of the only entitlement: the step's.
func (in Attempted) only(r *Run, now time.Time) error {
	if len(in.Outcomes) != 1 {
		return Errorf(CodeIllegal, "%d outcomes of one entitlement", len(in.Outcomes))
	}
	o := in.Outcomes[0]
	r.Access.Entitlements[0].foundBefore(o)
	if !o.Done.IsZero() && in.Step == EventEscalate {
		return Escalate{Output: o.Output, Warnings: o.Warnings, Hooks: in.Hooks}.apply(r, now)
	}
	if !o.Done.IsZero() {
		p := &r.Access.Entitlements[0]
		p.Removed, p.StillHeld, p.Kept = now, o.StillHeld, o.Kept
		done := Deescalate{Owner: in.Owner, GrantedBy: o.GrantedBy, Output: o.Output, Warnings: o.Warnings, Hooks: in.Hooks}
		if o.StillHeld {
			done.StillHeld = []string{p.Key}
		}
		if o.Kept {
			done.Kept = []string{p.Key}
		}
		return done.apply(r, now)
	}
	switch not := o.Not.(type) {
	case LookAgain:
		not.Owner = in.Owner
		return not.apply(r, now)
	case PutOff:
		if in.Step == EventDeescalate { // another run is changing it, for moments
			return Claim{Owner: in.Owner, Until: now.Add(firstLook)}.apply(r, now)
		}
		return not.apply(r, now)
	case Fail:
		not.Sick, not.Hooks = in.Sick, in.Hooks
		return not.apply(r, now)
	}
	return Errorf(CodeIllegal, "%T is not what may come of an entitlement", o.Not)
}

// maxPartText is how much is kept of what there is to say of each of several
// parts.
const maxPartText = 300

// note changes a part by what an attempt came to.
func (r *Run) note(step EventName, o Outcome, now time.Time) error {
	p := r.Access.part(o.Key)
	if p == nil {
		return Errorf(CodeIllegal, "%q is no entitlement of this run", o.Key)
	}
	p.foundBefore(o)
	if p.Began.IsZero() && step == EventEscalate {
		p.Began = now
	}
	if !o.Done.IsZero() {
		p.Waiting, p.Warnings = nil, nil
		p.Warnings = r.Access.few(o.Warnings, func(p Part) []string { return p.Warnings })
		if p.Error != nil && p.Error.Step == step { // why it was not granted stays
			p.Error = nil
		}
		r.Access.keepOutput(p, o.Output)
		if step == EventEscalate {
			p.Seen, p.Lost = o.Done.UTC(), time.Time{}
			return nil
		}
		p.Removed, p.StillHeld, p.Kept, p.GrantedBy = o.Done.UTC(), o.StillHeld, o.Kept, nil
		p.GrantedBy = r.Access.few(o.GrantedBy, func(p Part) []string { return p.GrantedBy })
		return nil
	}
	switch not := o.Not.(type) {
	case LookAgain:
		p.wait(step, not, now)
	case PutOff:
		pause := busyLook
		if not.Until.After(now) {
			pause = min(pause, not.Until.Sub(now))
		}
		if step == EventDeescalate {
			pause = firstLook
		}
		p.wait(step, LookAgain{Step: step, After: pause, Text: "Another request is changing the same access."}, now)
	case Fail:
		f := not.Reason
		f.Step, f.Attempts, f.Message = step, 1, Clip(f.Message, maxPartText)
		if p.Error != nil && p.Error.Step == step {
			f.Attempts = p.Error.Attempts + 1
		}
		if step == EventDeescalate {
			f.RetryAt = now.Add(max(min(not.Wait, MaxRemovalBackOff), backOff(f.Attempts, firstLook, MaxRemovalBackOff)))
		} else if f.Retryable && f.Attempts < MaxGrantAttempts {
			f.RetryAt = now.Add(max(not.Wait, backOff(f.Attempts, 2*time.Second, time.Minute)))
		}
		if until := r.putOffUntil(step); until.After(f.RetryAt) && !f.RetryAt.IsZero() {
			f.RetryAt = until
		}
		p.Waiting, p.Error = nil, &f
	default:
		return Errorf(CodeIllegal, "%T is not what may come of an entitlement", o.Not)
	}
	return nil
}

// foundBefore keeps what the target showed before it was first touched.
func (p *Part) foundBefore(o Outcome) {
	if o.Before != "" {
		p.Before, p.BeforeValue = o.Before, o.BeforeValue
	}
}

func (p *Part) wait(step EventName, in LookAgain, now time.Time) {
	in.Step, in.Text = step, Clip(in.Text, maxPartText)
	w := in.after(p.Waiting, now)
	p.Waiting = &w
}

// few keeps of what a target says as much as there is room for beside what those of
// the other parts said, by of: events show no more of all together.
func (a *Access) few(said []string, of func(Part) []string) []string {
	room := maxWarnings + 1 // one more tells that there were more
	for _, p := range a.Entitlements {
		room -= len(of(p))
	}
	said = clipWarnings(said)
	return said[:min(len(said), max(room, 0))]
}

// keepOutput keeps what a target answered, while all parts' together are within
// MaxOutputBytes; more is replaced by a note that says so.
func (a *Access) keepOutput(p *Part, output json.RawMessage) {
	p.Output = nil
	room := MaxOutputBytes - len(a.Entitlements)*64
	for _, other := range a.Entitlements {
		room -= len(other.Output)
	}
	if p.Output = clipOutput(output); len(p.Output) > room {
		p.Output, _ = EncodeJSON(map[string]any{"truncated": true, "bytes": len(output)}) // numbers can't fail
	}
}

// joined gives what the targets of all parts answered, by the parts' titles, and
// forgets it; earlier is what those had answered that are not asked again. Warnings
// say of which part they are.
func (a *Access) joined(earlier json.RawMessage) (output json.RawMessage, warnings []string) {
	all, before := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_ = json.Unmarshal(earlier, &before) // else there is none, or it was too long to keep
	for _, p := range a.Entitlements {
		if known, ok := before[p.Title()]; ok && !p.Seen.IsZero() {
			all[p.Title()] = known
		}
	}
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if len(p.Output) > 0 {
			all[p.Title()] = p.Output
		}
		for _, w := range p.Warnings {
			warnings = append(warnings, p.Title()+": "+w)
		}
		p.Output, p.Warnings = nil, nil
	}
	if len(all) > 0 {
		output, _ = EncodeJSON(all) // each is JSON
	}
	return output, warnings
}

// noteFailures records which parts an attempt failed for: an event for each code,
// as recordFailure does.
func (r *Run) noteFailures(step EventName, outcomes []Outcome, now time.Time) {
	byCode := map[Code][]*Part{}
	for _, o := range outcomes {
		if _, failed := o.Not.(Fail); failed && o.Done.IsZero() { // one that waits may have failed before, or at the other step
			p := r.Access.part(o.Key)
			byCode[p.Error.Code] = append(byCode[p.Error.Code], p)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		r.noteFailure(step, byCode[code], now)
	}
}

func (r *Run) noteFailure(step EventName, parts []*Part, now time.Time) {
	e, f := r.AccessEvent(step, "", now), failureOfParts(parts)
	before := r.Error
	r.recordFailure(f, e.Actor, e.Channel, now)
	for _, p := range parts {
		p.Error.EventID = r.Error.EventID
	}
	if r.Size <= MaxRunBytes { // else there is room for the end only
		r.amend(r.Error.EventID, func(e *Event) { e.Fields = r.withListing(e.Fields) })
	}
	r.Error = before
}

// withListing adds how the entitlements stand to the fields of an event.
func (r *Run) withListing(fields map[string]any) map[string]any {
	if !r.Access.Listed() {
		return fields
	}
	fields = maps.Clone(fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields[KeyEntitlements] = r.Access.Listing()
	return fields
}

// failureOfParts is one failure for several parts' own, which have one code.
func failureOfParts(parts []*Part) Failure {
	f := *parts[0].Error
	var lines []string
	for _, p := range parts {
		lines = append(lines, p.Title()+": "+p.Error.Message)
		f.Attempts = max(f.Attempts, p.Error.Attempts)
		f.Retryable = f.Retryable || p.Error.Retryable
	}
	f.Message = Clip(strings.Join(lines, "\n"), 2000)
	return f
}

// settleGrants says what follows for the run from how its parts stand: it waits,
// its access is granted, or granting it has failed.
func (r *Run) settleGrants(hooks []string, now time.Time) error {
	a := r.Access
	a.BusyUntil, a.LookAt = time.Time{}, time.Time{}
	var first time.Time
	for _, p := range a.Entitlements {
		if !p.Seen.IsZero() && (first.IsZero() || p.Seen.Before(first)) {
			first = p.Seen
		}
	}
	if !first.IsZero() {
		r.begins(first)
		r.giveUpLate(now)
	}
	var on, over []*Part
	for i := range a.Entitlements {
		switch p := &a.Entitlements[i]; {
		case p.goesOn(EventEscalate):
			on = append(on, p)
		case p.Seen.IsZero():
			over = append(over, p)
		}
	}
	switch {
	case len(on) > 0:
		if r.Error != nil && r.Error.Step == EventEscalate {
			r.Error = nil
		}
		look := a.waitFor(EventEscalate, on, now)
		if !first.IsZero() { // what is late then is given up
			for _, p := range on {
				look.After = min(look.After, max(p.Began.Add(GrantWindow).Sub(now), time.Second))
			}
		}
		postponed := r.Postponed
		if err := look.apply(r, now); err != nil {
			return err
		}
		r.Postponed = postponed
	case !first.IsZero():
		output, warnings := a.joined(a.Output)
		return Escalate{Output: output, Warnings: warnings, Hooks: hooks}.apply(r, now)
	default:
		a.Waiting, r.Postponed = nil, nil
		f := failureOfParts(over[:1])
		f.Message = r.Access.shortage(over, "could be granted")
		f.Retryable, f.RetryAt = false, time.Time{}
		r.Error = &f
	}
	return nil
}

// begins sets when access ends, counted from when it was seen first.
func (r *Run) begins(seen time.Time) {
	a := r.Access
	if !a.Seen.IsZero() { // it ends when it was to end
		return
	}
	a.Seen = seen
	if d := r.GivenDuration(); d > 0 {
		start := a.First.Add(GrantWindow)
		if seen.Before(start) {
			start = seen
		}
		a.End = start.Add(d)
	}
}

// giveUpLate gives up the parts that have been tried for GrantWindow, where others
// are there.
func (r *Run) giveUpLate(now time.Time) {
	var late []*Part
	for i := range r.Access.Entitlements {
		p := &r.Access.Entitlements[i]
		if !p.goesOn(EventEscalate) || p.Began.IsZero() || now.Before(p.Began.Add(GrantWindow)) {
			continue
		}
		f := Failure{Code: CodeNotObserved, Attempts: 1, Message: "It was not there within " + Words(GrantWindow) + "."}
		if p.Error != nil {
			f = *p.Error
		} else if p.Waiting != nil {
			f.Message = Clip(f.Message+" "+p.Waiting.Text, maxPartText)
		}
		f.Step, f.Retryable, f.RetryAt = EventEscalate, false, time.Time{}
		p.Error, p.Waiting = &f, nil
		if p.Error.EventID == "" {
			late = append(late, p)
		}
	}
	if len(late) > 0 {
		r.noteFailure(EventEscalate, late, now)
	}
}

// giveUp gives up all parts that are not granted, for a reason that they share,
// where others are granted: the run has those. It returns false if none is.
func (r *Run) giveUp(reason Failure, hooks []string, now time.Time) (bool, error) {
	if r.Access == nil || len(r.Access.Entitlements) == 1 || r.Access.count(PartGranted) == 0 {
		return false, nil
	}
	var parts []*Part
	for i := range r.Access.Entitlements {
		p := &r.Access.Entitlements[i]
		if !p.goesOn(EventEscalate) {
			continue
		}
		f := reason
		f.Step, f.Retryable, f.RetryAt, f.Message = EventEscalate, false, time.Time{}, Clip(f.Message, maxPartText)
		p.Error, p.Waiting = &f, nil
		parts = append(parts, p)
	}
	if len(parts) > 0 {
		r.noteFailure(EventEscalate, parts, now)
	}
	return true, r.settleGrants(hooks, now)
}

// waitFor is the look by which a step goes on with the first of the parts.
func (a *Access) waitFor(step EventName, parts []*Part, now time.Time) LookAgain {
	look := LookAgain{Step: step}
	var next time.Time
	var told *Part
	accepted := true
	for _, p := range parts {
		if at := p.next(step); next.IsZero() || at.Before(next) {
			next = at
		}
		waits := p.Waiting != nil && p.Waiting.Step == step
		if waits && (told == nil || p.Waiting.Todo && !told.Waiting.Todo) {
			told = p
		}
		if !waits || p.Waiting.Accepted.IsZero() {
			accepted = false
		} else if p.Waiting.Accepted.After(look.Accepted) {
			look.Accepted = p.Waiting.Accepted
		}
	}
	if !accepted {
		look.Accepted = time.Time{}
	}
	look.After = max(next.Sub(now), time.Second)
	done := len(a.Entitlements) - len(parts)
	deed := "granted"
	if step == EventDeescalate {
		deed = "taken away"
	} else {
		done = a.count(PartGranted)
	}
	look.Text = fmt.Sprintf("%d of %d %s so far.", done, len(a.Entitlements), deed)
	if told != nil {
		look.Text += " " + told.Title() + ": " + told.Waiting.Text
		look.Todo, look.InLine = told.Waiting.Todo, !told.Waiting.Told.IsZero()
	}
	return look
}

// settleRemoval says what follows for the run from how its parts stand: it goes on
// taking away, or all is gone.
func (r *Run) settleRemoval(owner string, hooks []string, now time.Time) error {
	a := r.Access
	var left, failed []*Part
	waits := false
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if !p.Removed.IsZero() {
			continue
		}
		left = append(left, p)
		if p.Error != nil && p.Error.Step == EventDeescalate {
			failed = append(failed, p)
		}
		waits = waits || p.Waiting != nil && p.Waiting.Step == EventDeescalate
	}
	if len(left) == 0 {
		done := Deescalate{Owner: owner, Hooks: hooks}
		for _, p := range a.Entitlements {
			if p.StillHeld {
				done.StillHeld = append(done.StillHeld, p.Key)
			}
			if p.Kept {
				done.Kept = append(done.Kept, p.Key)
			}
			for _, by := range p.GrantedBy {
				if !slices.Contains(done.GrantedBy, by) {
					done.GrantedBy = append(done.GrantedBy, by)
				}
			}
		}
		done.Output, done.Warnings = a.joined(nil)
		return done.apply(r, now)
	}
	look := a.waitFor(EventDeescalate, left, now)
	if len(failed) > 0 {
		f := failureOfParts(failed[:1])
		for _, p := range failed {
			f.Attempts = max(f.Attempts, p.Error.Attempts)
		}
		f.Message, f.RetryAt = a.shortage(failed, "could be taken away"), now.Add(look.After)
		r.Error = &f
	} else if r.Error != nil && r.Error.Step == EventDeescalate {
		r.Error = nil
	}
	if !waits {
		a.Removal.Owner, a.Removal.Until, a.Waiting = "", time.Time{}, nil
		return nil
	}
	look.Owner = owner
	postponed := r.Postponed
	err := look.apply(r, now)
	r.Postponed = postponed
	return err
}
