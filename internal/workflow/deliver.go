package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/ocsf"
	"github.com/symflows/symflows/internal/store"
)

// Deliver sends the records of the transparency log to the log destinations of the
// configuration. Each destination is a cursor over the log, and waits for no other:
// records are sent to it in the order of their run, and again until they are taken, or
// refused for good. A destination that is down is tried again with back-off, and catches
// up.
type Deliver struct {
	Destinations store.Destinations
	Flows        *store.Flows
	Notices      store.Notices
	// Read gives records of the log from an index on, at least one if there is any, and
	// how many the log has.
	Read   func(ctx context.Context, from int64, max int) (list []Logged, size int64, err error)
	Open   OpenDestination
	Now    func() time.Time
	Log    *slog.Logger
	Within func(context.Context, time.Duration) (context.Context, context.CancelFunc) // bounds one call
}

// Logged is a record of the log.
type Logged struct {
	Index int64
	ID    string // of this state of it: the same whenever it is sent
	Line  []byte // JSON, as readers of records have it
}

// OpenDestination opens a destination. It connects to nothing yet.
type OpenDestination func(flow.LogDestination) (Destination, error)

// Destination takes records. Methods are used by many at once.
type Destination interface {
	// Limits says how many records it takes, and how.
	Limits() DestinationLimits
	// Send sends records, which are within the limits unless it is one alone. nil: it
	// has all of them. An error with flow.CodeInvalid or flow.CodeTooLarge says that it
	// won't take them as they are, however often it is asked; any other that it takes
	// nothing just now, or until somebody has repaired something (flow.CodeStrategy).
	// A [PartlySent] says so of some of the records only.
	Send(ctx context.Context, records []Outgoing) error
}

// DestinationLimits is how much a destination takes, and how.
type DestinationLimits struct {
	Records int // in one call
	Bytes   int // in one call, of what the records take (Outgoing.Body and Overhead each)
	// Overhead is what a record takes besides its body.
	Overhead int
	// Lanes is how many calls may be under way at once. Records of one run are in one lane.
	Lanes int
	// Apart says that a call may take a record and refuse one before it, so that it must not
	// have two of one run.
	Apart bool
}

// PartlySent is the error of a call that was successful in part.
type PartlySent struct {
	Errors map[int]error // by the position of the records that were not taken
}

func (e *PartlySent) Error() string {
	for i, err := range e.Errors {
		return fmt.Sprintf("%d records were not taken: of %d: %v", len(e.Errors), i, err)
	}
	return "no record was not taken"
}

// Outgoing is a record on its way to a destination.
type Outgoing struct {
	Index int64
	ID    string // of this state of the record: receivers know repeated ones by it
	Run   string // of an administrative act its own id
	Event string
	At    time.Time
	Who   string // who did it: e-mail address or name
	Body  []byte // JSON, in the format of the destination
}

// Delivered is how a destination stands after it was sent to.
type Delivered struct {
	To      flow.LogDestination
	Lag     int64     // records of the log that it has not been sent, nor has been spared
	Due     time.Time // when it is to be tried again; zero: when there is something
	Failing time.Time // since when it takes nothing; zero: it does
	Refused int       // records that were set aside now
	Err     error     // why it could not be looked at: nothing is known then
}

// Down tells whether it has taken nothing for so long that people hear of it.
func (s Delivered) Down(now time.Time) bool {
	return !s.Failing.IsZero() && now.Sub(s.Failing) >= destinationPatience
}

const (
	// window is how many records are read, and sent before that is written down.
	window = 256
	// sendTimeout is for one call.
	sendTimeout = 20 * time.Second
	// saveTimeout is for writing down how far it has come, when there is no time left.
	saveTimeout = 5 * time.Second
	// maxRefused is how many records in a row are taken to be at fault themselves. From
	// then on it is the destination.
	maxRefused = 10
	// destinationPatience is for how long a destination may be out of order until people hear.
	destinationPatience = 10 * time.Minute
	maxDeliveryBackOff  = 5 * time.Minute
)

// Run sends to all destinations what they have not had yet, as long as there is something
// and the context lasts, and says how each of them stands.
func (d Deliver) Run(ctx context.Context) ([]Delivered, error) {
	list, err := d.Destinations.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Delivered, len(list))
	var all sync.WaitGroup
	for i, to := range list {
		all.Go(func() { out[i] = d.To(ctx, to) })
	}
	all.Wait()
	return out, nil
}

// To sends to one destination what it has not had yet, and says how it stands.
func (d Deliver) To(ctx context.Context, to flow.LogDestination) (out Delivered) {
	out.To = to
	c, err := d.Destinations.Cursor(ctx, to)
	for err == nil && ctx.Err() == nil {
		var more bool
		more, err = d.step(ctx, to, &c, &out)
		if errors.Is(err, store.ErrConflict) { // it is to be sent again what it had
			c, err = d.Destinations.Cursor(ctx, to)
			continue
		}
		if !more {
			break
		}
	}
	out.Due, out.Failing = c.Due, c.Failing
	if err != nil && ctx.Err() == nil {
		out.Err = err
		d.Log.ErrorContext(ctx, "a log destination could not be sent to, it is tried again", "destination", to.Name, "error", err)
	}
	return out
}

// step sends one window. It tells whether there may be more.
func (d Deliver) step(ctx context.Context, to flow.LogDestination, c *store.Cursor, out *Delivered) (more bool, err error) {
	waits := c.Due.After(d.Now())
	most := window
	if waits {
		most = 0
	}
	list, size, err := d.Read(ctx, c.Next, most)
	if err != nil {
		return false, err
	}
	out.Lag = max(0, size-c.Next)
	if waits {
		return false, d.tellFailing(ctx, to, c)
	}
	if len(list) == 0 {
		return false, d.tellRefused(ctx, to, c)
	}
	records, err := d.outgoing(ctx, to, list)
	if err != nil {
		return false, err
	}
	results := make([]error, len(records))
	destination, failed := d.Open(to)
	if failed == nil && len(records) > 0 {
		failed = d.send(ctx, destination, records, results)
	} else {
		for i := range results {
			results[i] = failed
		}
	}
	next := *c
	well, failed := d.settle(&next, records, results, failed)
	switch {
	case failed == nil:
		next.Next = list[len(list)-1].Index + 1
		if len(records) > 0 {
			next.Well()
		}
	case ctx.Err() != nil:
		// Time is over: that says nothing of the destination.
	default:
		if well { // it has taken some since
			next.Well()
		}
		if next.Failing.IsZero() {
			next.Failing = d.Now().UTC()
		}
		next.Tries++
		next.Error = flow.Clip(flow.UserMessage(failed), 300)
		next.Due = d.Now().Add(max(flow.AskedToWait(failed), backOff(next.Tries))).UTC()
		d.Log.WarnContext(ctx, "a log destination takes nothing", "destination", to.Name, "from", next.Next, "tries", next.Tries, "error", failed)
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	saved, err := d.Destinations.SetCursor(saving, to, next)
	if err != nil {
		return false, err
	}
	before := *c
	*c = saved
	out.Lag = max(0, size-c.Next)
	if failed != nil {
		return false, d.tellFailing(saving, to, c)
	}
	if before.Tries > 0 && c.Tries == 0 {
		if err := d.Notices.Over(saving, aboutDestination(to), ""); err != nil {
			return false, err
		}
	}
	out.Refused += int(max(0, c.Refused-before.Refused))
	if c.InRow == 0 {
		return true, d.tellRefused(saving, to, c)
	}
	return true, nil
}

// settle notes in a cursor what became of records: those up to the first that has to be
// sent again are done. It tells whether any was taken, and why not all are done.
func (d Deliver) settle(c *store.Cursor, records []Outgoing, results []error, failed error) (well bool, why error) {
	for i, r := range records {
		switch {
		case results[i] == nil:
			well, c.InRow = true, 0
			c.At = d.Now().UTC()
		case refusesRecord(results[i]):
			c.SetAside(store.Aside{Index: r.Index, ID: r.ID, At: d.Now().UTC(), Error: flow.Clip(flow.UserMessage(results[i]), 300)})
			if c.InRow >= maxRefused {
				// It is not the records: they are sent again when it is repaired.
				from := c.Aside[len(c.Aside)-c.InRow].Index
				c.Aside, c.Refused, c.InRow = c.Aside[:len(c.Aside)-c.InRow], c.Refused-int64(c.InRow), 0
				c.Told, c.Next = min(c.Told, c.Refused), from
				return well, &flow.Error{Code: flow.CodeStrategy, Message: fmt.Sprintf("it has refused %d records in a row, the last one so: %s", maxRefused, flow.UserMessage(results[i])), Cause: results[i]}
			}
		default:
			c.Next = r.Index
			return well, results[i]
		}
	}
	return well, failed
}

// refusesRecord tells whether an error is of the records, and not of the destination.
func refusesRecord(err error) bool {
	code := flow.CodeOf(err)
	return code == flow.CodeInvalid || code == flow.CodeTooLarge
}

func backOff(tries int) time.Duration {
	return min(5*time.Second<<min(tries-1, 10), maxDeliveryBackOff)
}

// outgoing are those of the records that a destination wants, in its format.
func (d Deliver) outgoing(ctx context.Context, to flow.LogDestination, list []Logged) (records []Outgoing, err error) {
	for _, l := range list {
		var kind struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(l.Line, &kind); err != nil {
			return nil, fmt.Errorf("read record %d of the log: %w", l.Index, err)
		}
		out := Outgoing{Index: l.Index, ID: l.ID, Body: l.Line}
		switch kind.Type {
		case "event":
			var r events.AuditRecord
			if err := json.Unmarshal(l.Line, &r); err != nil {
				return nil, fmt.Errorf("read record %d of the log: %w", l.Index, err)
			}
			wanted, err := d.wants(ctx, to, r)
			if err != nil {
				return nil, err
			}
			if !wanted {
				continue
			}
			out.Run, out.Event, out.At, out.Who = runOfSRN(r.Run.SRN), r.Event.Type, r.Event.Timestamp, r.Actor.Username
			if out.Who == "" {
				out.Who = r.Actor.Name
			}
			if to.Format == flow.FormatOCSF {
				if out.Body, err = json.Marshal(ocsf.OfRecord(r)); err != nil {
					return nil, err
				}
			}
		case "admin": // of no flow, and no event of a run
			if len(to.Flows) > 0 || len(to.Events) > 0 {
				continue
			}
			var r events.AdminRecord
			if err := json.Unmarshal(l.Line, &r); err != nil {
				return nil, fmt.Errorf("read record %d of the log: %w", l.Index, err)
			}
			out.Run, out.Event, out.At, out.Who = r.ID, r.Event.Type, r.Event.Timestamp, r.Actor.Name
			if to.Format == flow.FormatOCSF {
				if out.Body, err = json.Marshal(ocsf.OfAct(r)); err != nil {
					return nil, err
				}
			}
		default:
			continue // of a later release
		}
		records = append(records, out)
	}
	return records, nil
}

// wants tells whether a destination gets a record. Which environment the flow is in, the
// version says that the run started with.
func (d Deliver) wants(ctx context.Context, to flow.LogDestination, r events.AuditRecord) (bool, error) {
	srn, err := flow.ParseSRN(r.Run.Flow)
	if err != nil {
		return false, err
	}
	f, err := d.Flows.Version(ctx, srn.Slug, srn.Version)
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		d.Log.WarnContext(ctx, "a record is of a flow that is not known, and goes to no log destination", "record", r.ID, "flow", r.Run.Flow)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return to.Wants(f.Environment.Name, f.Name, flow.EventName(r.Event.Type)), nil
}

// runOfSRN is the run's id, which its name ends with.
func runOfSRN(srn string) string { return srn[strings.LastIndexByte(srn, ':')+1:] }

// errUnsent stands for a record that was not sent, because one before it could not be.
var errUnsent = errors.New("it was not sent")

// send sends records, and notes of each what became of it. The error is the first one
// for which some are to be sent again.
func (d Deliver) send(ctx context.Context, to Destination, records []Outgoing, results []error) error {
	limits := to.Limits()
	lanes := make([][]int, max(1, limits.Lanes))
	for i, r := range records {
		h := fnv.New32a()
		h.Write([]byte(r.Run))
		n := h.Sum32() % uint32(len(lanes))
		lanes[n] = append(lanes[n], i)
		results[i] = errUnsent
	}
	failed := make([]error, len(lanes))
	var all sync.WaitGroup
	for n, lane := range lanes {
		all.Go(func() {
			for len(lane) > 0 && failed[n] == nil {
				batch := limits.first(records, lane)
				lane = lane[len(batch):]
				failed[n] = d.sendBatch(ctx, to, records, batch, results)
			}
		})
	}
	all.Wait()
	var first error
	for _, err := range failed {
		if first == nil || flow.AskedToWait(err) > flow.AskedToWait(first) {
			first = err
		}
	}
	for i := range results { // who reads them reads the cause
		if errors.Is(results[i], errUnsent) && first != nil {
			results[i] = first
		}
	}
	return first
}

// first is the beginning of a lane that goes into one call.
func (l DestinationLimits) first(records []Outgoing, lane []int) []int {
	bytes, runs := 0, map[string]bool{}
	for n, i := range lane {
		bytes += len(records[i].Body) + l.Overhead
		if n > 0 && (n >= l.Records || bytes > l.Bytes || l.Apart && runs[records[i].Run]) {
			return lane[:n]
		}
		runs[records[i].Run] = true
	}
	return lane
}

// sendBatch sends some records, again as long as that makes fewer of them: those that are
// refused are found by halves. The error is one for which some are to be sent again.
func (d Deliver) sendBatch(ctx context.Context, to Destination, records []Outgoing, batch []int, results []error) error {
	for {
		var out []Outgoing
		for _, i := range batch {
			out = append(out, records[i])
		}
		within, cancel := d.Within(ctx, sendTimeout)
		err := to.Send(within, out)
		cancel()
		partly, some := errors.AsType[*PartlySent](err)
		switch {
		case err == nil:
			for _, i := range batch {
				results[i] = nil
			}
			return nil
		case !some && refusesRecord(err) && len(batch) > 1:
			half := len(batch) / 2
			if err := d.sendBatch(ctx, to, records, batch[:half], results); err != nil {
				return err
			}
			batch = batch[half:]
		case !some && refusesRecord(err):
			results[batch[0]] = err
			return nil
		case !some:
			return err
		default:
			var again []int
			var why error
			for n, i := range batch {
				switch err := partly.Errors[n]; {
				case err == nil:
					results[i] = nil
				case refusesRecord(err):
					results[i] = err
				default:
					again, why = append(again, i), err
				}
			}
			if len(again) == 0 {
				return nil
			}
			if len(again) == len(batch) {
				return why
			}
			batch = again
		}
	}
}

func aboutDestination(to flow.LogDestination) string { return "log destination " + to.Key() }

// tellFailing has the error channel told of a destination that has taken nothing for a
// while, or won't without being repaired.
func (d Deliver) tellFailing(ctx context.Context, to flow.LogDestination, c *store.Cursor) error {
	if c.Failing.IsZero() || c.Tries == 0 || d.Now().Sub(c.Failing) < destinationPatience {
		return nil
	}
	text := fmt.Sprintf("The log destination %s has taken no records since %s: %s. They are kept and sent when it takes them again; removals don't wait for it. Repair it, or remove it from log_destination_ids.",
		to.Name, c.Failing.Format(time.RFC3339), strings.TrimSuffix(c.Error, "."))
	return d.Notices.Tell(ctx, aboutDestination(to), text, "")
}

// tellRefused has the error channel told of records that a destination won't take.
func (d Deliver) tellRefused(ctx context.Context, to flow.LogDestination, c *store.Cursor) error {
	if c.Refused <= c.Told || len(c.Aside) == 0 {
		return nil
	}
	last := c.Aside[len(c.Aside)-1]
	text := fmt.Sprintf("The log destination %s has refused %d of its records for good, and gets the others. The last one that was set aside is record %d of the log (%s): %s. The command local destinations lists them; once it takes them, replay has them sent again.",
		to.Name, c.Refused-c.Told, last.Index, last.ID, strings.TrimSuffix(last.Error, "."))
	if err := d.Notices.Tell(ctx, fmt.Sprintf("%s, record %s", aboutDestination(to), last.ID), text, ""); err != nil {
		return err
	}
	next := *c
	next.Told = c.Refused
	saved, err := d.Destinations.SetCursor(ctx, to, next)
	if err == nil {
		*c = saved
	}
	return err
}
