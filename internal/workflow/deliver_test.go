package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// receiver is a destination in memory.
type receiver struct {
	limits workflow.DestinationLimits

	mu   sync.Mutex
	got  []workflow.Outgoing
	send func(records []workflow.Outgoing) error // nil: all are taken
}

func (r *receiver) Limits() workflow.DestinationLimits { return r.limits }

func (r *receiver) Send(_ context.Context, records []workflow.Outgoing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.send != nil {
		err = r.send(records)
	}
	partly, some := errors.AsType[*workflow.PartlySent](err)
	for i, record := range records {
		if err == nil || some && partly.Errors[i] == nil {
			r.got = append(r.got, record)
		}
	}
	return err
}

// ids are those of the records that came, each once, in the order in which they came first.
func (r *receiver) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.got {
		if !slices.Contains(ids, g.ID) {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// delivery is a log with destinations.
type delivery struct {
	*testing.T
	workflow.Deliver
	store    *storetest.Memory
	clock    *clockwork.FakeClock
	log      []workflow.Logged
	receiver *receiver
}

func newDelivery(t *testing.T, destinations ...flow.LogDestination) *delivery {
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	d := &delivery{T: t, clock: clock, receiver: &receiver{limits: workflow.DestinationLimits{Records: 10, Bytes: 1 << 20, Lanes: 1}}}
	d.store = &storetest.Memory{Now: clock.Now}
	d.Deliver = workflow.Deliver{
		Destinations: store.Destinations{Store: d.store}, Flows: &store.Flows{Store: d.store}, Notices: store.Notices{Store: d.store, Now: clock.Now},
		Open: func(flow.LogDestination) (workflow.Destination, error) { return d.receiver, nil },
		Now:  clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Within: context.WithTimeout,
		Read: func(_ context.Context, from int64, most int) ([]workflow.Logged, int64, error) {
			size := int64(len(d.log))
			return d.log[min(from, size):min(size, from+int64(most))], size, nil
		},
	}
	for name, environment := range map[string]string{"prod-access": "main", "staging-access": "staging"} {
		f := &flow.Flow{Org: "sym", Name: name, Environment: flow.Environment{Name: environment}}
		if _, err := d.Flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{f}); err != nil {
			t.Fatal(err)
		}
	}
	d.publish(destinations...)
	return d
}

func (d *delivery) publish(destinations ...flow.LogDestination) {
	d.Helper()
	if err := d.Destinations.Publish(d.Context(), flow.Author{}, entity.Files, destinations, int64(len(d.log))); err != nil {
		d.Fatal(err)
	}
}

func lake() flow.LogDestination {
	return flow.LogDestination{Name: "lake", Type: "http", Environments: []string{"main"}}
}

// logs appends the record of an event of a run.
func (d *delivery) logs(flowName, run string, event flow.EventName) {
	d.Helper()
	r := events.AuditRecord{
		ID: fmt.Sprintf("event-%d", len(d.log)), Type: "event", Run: events.AuditRun{SRN: "sym:run:" + flowName + ":1.0.1:" + run, Flow: "sym:flow:" + flowName + ":1.0.1"},
		Event: events.AuditEvent{Type: string(event), Timestamp: d.clock.Now()},
	}
	line, err := json.Marshal(r)
	if err != nil {
		d.Fatal(err)
	}
	d.log = append(d.log, workflow.Logged{Index: int64(len(d.log)), ID: r.ID + ".1", Line: line})
}

// run delivers once, and gives how the one destination stands.
func (d *delivery) run() workflow.Delivered {
	d.Helper()
	stand, err := d.Deliver.Run(d.Context())
	if err != nil || len(stand) != 1 || stand[0].Err != nil {
		d.Fatalf("%+v, %v", stand, err)
	}
	return stand[0]
}

func (d *delivery) cursor() store.Cursor {
	d.Helper()
	c, err := d.Destinations.Cursor(d.Context(), lake())
	if err != nil {
		d.Fatal(err)
	}
	return c
}

// notices are the texts of what administrators are told.
func (d *delivery) notices() (texts []string) {
	d.Helper()
	page, err := d.store.List(d.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
	if err != nil {
		d.Fatal(err)
	}
	for _, item := range page.Items {
		name, _ := store.KindNotice.Name(item.Key)
		n, err := d.Notices.Get(d.Context(), name)
		if err != nil {
			d.Fatal(err)
		}
		texts = append(texts, n.Text)
	}
	return texts
}

// TestDeliver_Wants: a destination gets the records of the flows of its environments
// that its filters let through, from its publish on, and is behind none of the others.
func TestDeliver_Wants(t *testing.T) {
	t.Parallel()
	d := newDelivery(t)
	d.logs("prod-access", "before", flow.EventRequest)
	to := lake()
	to.Events = []flow.EventName{flow.EventApprove, flow.EventDeny}
	d.publish(to)
	d.logs("prod-access", "r1", flow.EventRequest)
	d.logs("prod-access", "r1", flow.EventApprove)
	d.logs("staging-access", "r2", flow.EventApprove)
	if stand := d.run(); stand.Lag != 0 || !slices.Equal(d.receiver.ids(), []string{"event-2.1"}) {
		t.Errorf("%+v: it has %v", stand, d.receiver.ids())
	}
	to.Events, to.Environments, to.Flows = nil, []string{"main", "staging"}, []string{"Staging-Access"}
	d.publish(to)
	d.logs("prod-access", "r1", flow.EventEscalate)
	d.logs("staging-access", "r2", flow.EventDeny)
	d.run()
	if got := d.receiver.ids(); !slices.Equal(got, []string{"event-2.1", "event-5.1"}) {
		t.Errorf("it has %v", got)
	}
}

// TestDeliver_Format: a destination has records in its format, under the same ids.
func TestDeliver_Format(t *testing.T) {
	t.Parallel()
	to := lake()
	to.Format = flow.FormatOCSF
	d := newDelivery(t, to)
	d.logs("prod-access", "r1", flow.EventEscalate)
	act, err := json.Marshal(events.AdminRecord{ID: "act", Type: "admin", Event: events.AdminEvent{Type: "publish", Timestamp: d.clock.Now()}, About: events.AdminSubject{Kind: "settings"}})
	if err != nil {
		t.Fatal(err)
	}
	d.log = append(d.log, workflow.Logged{Index: 1, ID: "act.1", Line: act})
	d.run()
	if len(d.receiver.got) != 2 {
		t.Fatalf("it has %v", d.receiver.got)
	}
	for i, want := range []struct {
		id   string
		typ  int
		run  string
		code string
	}{{"event-0.1", 300501, "r1", "escalate"}, {"act.1", 300403, "act", "publish"}} {
		got := d.receiver.got[i]
		var e struct {
			TypeUID  int `json:"type_uid"`
			Metadata struct {
				EventCode string `json:"event_code"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(got.Body, &e); err != nil || got.ID != want.id || got.Run != want.run || e.TypeUID != want.typ || e.Metadata.EventCode != want.code {
			t.Errorf("%+v, %v: %s", got, err, got.Body)
		}
	}
}

// TestDeliver_Down: a destination that is down for a day is told of, tried with back-off
// that grows, and gets everything in order when it is back. What it asks for, it is given.
func TestDeliver_Down(t *testing.T) {
	t.Parallel()
	d := newDelivery(t, lake())
	tries := 0
	d.receiver.send = func([]workflow.Outgoing) error {
		tries++
		if tries == 1 {
			return &flow.RateLimited{After: 20 * time.Minute, Cause: flow.Errorf(flow.CodeUnavailable, "asks for fewer calls")}
		}
		return flow.Errorf(flow.CodeUnavailable, "is down")
	}
	for i := range 30 {
		d.logs("prod-access", fmt.Sprint(i%7), flow.EventRequest)
	}
	if stand := d.run(); stand.Lag != 30 || !stand.Due.Equal(d.clock.Now().Add(20*time.Minute)) {
		t.Errorf("throttled: %+v", stand)
	}
	d.clock.Advance(19 * time.Minute)
	if d.run(); tries != 1 {
		t.Errorf("it was tried while it had asked to wait")
	}
	for end := d.clock.Now().Add(24 * time.Hour); d.clock.Now().Before(end); d.clock.Advance(time.Minute) {
		d.run()
	}
	if tries < 200 || tries > 400 {
		t.Errorf("it was tried %d times in a day", tries)
	}
	told := d.notices()
	if len(told) != 2 || !strings.Contains(told[1], "The log destination lake has taken no records since 2026-03-02T09:00:00Z: is down. They are kept") {
		t.Errorf("administrators heard %q; want it once each of two days", told)
	}
	d.receiver.send = nil
	d.clock.Advance(5 * time.Minute)
	if stand := d.run(); stand.Lag != 0 || !stand.Failing.IsZero() || len(d.receiver.got) != 30 || !slices.IsSortedFunc(d.receiver.got, func(a, b workflow.Outgoing) int { return int(a.Index - b.Index) }) {
		t.Errorf("back: %+v with %d records", stand, len(d.receiver.got))
	}
	if c := d.cursor(); c.Tries != 0 || c.Error != "" || !c.Due.IsZero() {
		t.Errorf("it is well, and still %+v", c)
	}
}

// TestDeliver_Refused: a record that is refused for good is found within its batch, set
// aside, told of, and sent when somebody asks for it; all others go on.
func TestDeliver_Refused(t *testing.T) {
	t.Parallel()
	d := newDelivery(t, lake())
	d.receiver.send = func(records []workflow.Outgoing) error {
		if slices.ContainsFunc(records, func(r workflow.Outgoing) bool { return r.ID == "event-13.1" }) {
			return flow.Errorf(flow.CodeTooLarge, "it is too large")
		}
		return nil
	}
	for i := range 25 {
		d.logs("prod-access", fmt.Sprint(i%3), flow.EventRequest)
	}
	if stand := d.run(); stand.Refused != 1 || stand.Lag != 0 || len(d.receiver.ids()) != 24 || slices.Contains(d.receiver.ids(), "event-13.1") {
		t.Errorf("%+v: it has %v", stand, d.receiver.ids())
	}
	c := d.cursor()
	if c.Refused != 1 || len(c.Aside) != 1 || c.Aside[0].Index != 13 || c.Aside[0].Error != "it is too large" {
		t.Errorf("%+v", c)
	}
	if told := d.notices(); len(told) != 1 || !strings.Contains(told[0], "has refused 1 of its records for good") || !strings.Contains(told[0], "record 13 of the log (event-13.1): it is too large") {
		t.Errorf("administrators heard %q", told)
	}
	d.run()
	d.receiver.send = nil
	if err := d.Destinations.Replay(t.Context(), flow.Author{By: flow.Operator}, lake(), 13); err != nil {
		t.Fatal(err)
	}
	d.run()
	if got := d.receiver.ids(); got[len(got)-1] != "event-13.1" || len(d.receiver.got) != 24+12 {
		t.Errorf("replayed: it has %v", got)
	}
	for _, from := range []int64{-1, 26} {
		if err := d.Destinations.Replay(t.Context(), flow.Author{}, lake(), from); flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("replayed from %d: %v", from, err)
		}
	}
	acts, err := store.Acts{Store: d.store}.Of(t.Context(), store.KindCursor.Key(lake().Key()), revisions()...)
	if err != nil || len(acts) != 1 || acts[0].Name != flow.ActReplay || acts[0].By != flow.Operator {
		t.Errorf("recorded: %+v, %v", acts, err)
	}
}

func revisions() (revs []int64) {
	for i := range int64(100) {
		revs = append(revs, i)
	}
	return revs
}

// TestDeliver_RefusesAll: a destination that refuses whatever comes is broken itself. When
// it is mended it gets all that it had refused in a row.
func TestDeliver_RefusesAll(t *testing.T) {
	t.Parallel()
	d := newDelivery(t, lake())
	for i := range 8 {
		d.logs("prod-access", fmt.Sprint(i), flow.EventRequest)
	}
	d.run()
	refuse := func([]workflow.Outgoing) error { return flow.Errorf(flow.CodeInvalid, "no such index") }
	d.receiver.send = refuse
	for i := range 30 {
		d.logs("prod-access", fmt.Sprint(i), flow.EventRequest)
	}
	if stand := d.run(); stand.Lag != 30 || stand.Failing.IsZero() {
		t.Errorf("%+v", stand)
	}
	if c := d.cursor(); c.Refused != 0 || len(c.Aside) != 0 || c.Next != 8 || !strings.Contains(c.Error, "refused 10 records in a row") {
		t.Errorf("%+v", c)
	}
	d.receiver.send = nil
	d.clock.Advance(time.Minute)
	d.run()
	if got := d.receiver.ids(); len(got) != 38 {
		t.Errorf("it has %d records", len(got))
	}
}

// TestDeliver_AnyFailure: whatever fails, and wherever we are stopped, every record comes,
// in the order of its run, with the same id if it comes again.
func TestDeliver_AnyFailure(t *testing.T) {
	t.Parallel()
	for seed := range int64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewSource(seed))
			d := newDelivery(t, lake())
			apart := seed%2 == 0
			d.receiver.limits = workflow.DestinationLimits{Records: 1 + random.Intn(20), Bytes: 500 + random.Intn(5000), Lanes: 1 + random.Intn(4), Apart: apart}
			for i := range 300 {
				d.logs("prod-access", fmt.Sprint(i%(1+random.Intn(40))), flow.EventRequest)
			}
			stop := func() {}
			d.receiver.send = func(records []workflow.Outgoing) error {
				switch n := random.Intn(12); {
				case n == 0:
					return flow.Errorf(flow.CodeUnavailable, "is down")
				case n == 1: // it has them, and the answer is lost
					d.receiver.got = append(d.receiver.got, records...)
					return flow.Errorf(flow.CodeUnavailable, "did not answer in time")
				case n == 2 && apart:
					partly := &workflow.PartlySent{Errors: map[int]error{}}
					for i := range records {
						if random.Intn(3) == 0 {
							partly.Errors[i] = flow.Errorf(flow.CodeUnavailable, "asks for fewer")
						}
					}
					return partly
				case n == 3:
					stop()
				}
				return nil
			}
			for range 3000 {
				ctx, cancel := context.WithCancel(t.Context())
				stop = cancel
				stand, err := d.Deliver.Run(ctx)
				cancel()
				if err != nil || stand[0].Err != nil {
					t.Fatal(stand, err)
				}
				if d.clock.Advance(6 * time.Minute); stand[0].Lag == 0 {
					break
				}
			}
			last, bodies := map[string]int64{}, map[string]string{}
			for _, r := range d.receiver.got {
				if body, again := bodies[r.ID]; again {
					if body != string(r.Body) {
						t.Fatalf("%s came again as another", r.ID)
					}
					continue
				}
				bodies[r.ID] = string(r.Body)
				if r.Index < last[r.Run] {
					t.Fatalf("run %s: record %d came after %d", r.Run, r.Index, last[r.Run])
				}
				last[r.Run] = r.Index
			}
			if len(bodies) != 300 {
				t.Errorf("%d records came: %+v", len(bodies), d.cursor())
			}
		})
	}
}
