package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

var reportMonth = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// reads counts the items that are read.
type reads struct {
	store.Store
	items atomic.Int64
}

func (r *reads) Get(ctx context.Context, key string) (store.Item, error) {
	r.items.Add(1)
	return r.Store.Get(ctx, key)
}

func (r *reads) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := r.Store.List(ctx, q)
	r.items.Add(int64(len(page.Items)) + 1)
	return page, err
}

// reported is a store with what makes reports of it, and what follows from runs.
type reported struct {
	*testing.T
	reads   *reads
	reports Reports
	home    Home
	seq     int
}

func newReported(t *testing.T) *reported {
	now := func() time.Time { return reportMonth.AddDate(0, 1, 0).Add(7 * time.Hour) }
	r := &reported{T: t, reads: &reads{Store: &storetest.Memory{Now: now}}}
	r.home = Home{
		Waits: store.Waits{Store: r.reads, Now: now}, Live: store.Live{Store: r.reads, Now: now}, Stats: store.Stats{Store: r.reads},
		Now: now, Log: slog.New(slog.DiscardHandler),
	}
	r.reports = Reports{
		Org: "acme", Runs: store.Runs{Store: r.reads}, Flows: &store.Flows{Store: r.reads}, Stats: r.home.Stats, Drifts: store.Drifts{Store: r.reads},
		Notices: store.Notices{Store: r.reads, Now: now}, Now: now, Log: slog.New(slog.DiscardHandler),
	}
	return r
}

// add stores a run that was asked for at a time and became of it what events say, one
// after another, each so long after the one before.
func (r *reported) add(asked time.Time, status flow.Status, pauses time.Duration, events ...flow.EventName) flow.Run {
	r.Helper()
	r.seq++
	run := flow.Run{
		ID: fmt.Sprintf("%08x-0000-4000-8000-%08x0000", r.seq*0x01234567, r.seq), Org: "acme", Flow: "prod-access", FlowTitle: "Production access", Status: status, Created: asked,
		Requester: flow.Actor{ID: "a", Kind: flow.KindPerson, Email: "alice@example.com"}, Target: &flow.Target{Name: "orders-db"},
	}
	who := flow.Actor{ID: "b", Kind: flow.KindPerson, Email: "bob@example.com"}
	at := asked
	for _, name := range append([]flow.EventName{flow.EventRequest}, events...) {
		e := flow.Event{ID: flow.EventID(run.ID, len(run.Events)+1), Name: name, Actor: who, At: at, State: flow.StateCompleted}
		switch name {
		case flow.EventRequest:
			e.Actor = run.Requester
		case flow.EventRequestExpire:
			e.Actor = flow.System
		case flow.EventEscalate:
			run.Access = &flow.Access{Seen: at, End: at.Add(pauses - time.Second)}
		case flow.EventDeescalate:
			run.Access.Removed = at
			e.Fields = map[string]any{flow.KeyDeescalateType: flow.Scheduled}
		}
		run.Events = append(run.Events, e)
		at = at.Add(pauses)
	}
	run, err := r.reports.Runs.Put(r.Context(), run)
	if err != nil {
		r.Fatal(err)
	}
	if err := r.home.follow(r.Context(), &flow.Flow{Environment: flow.Environment{Name: "main"}}, run); err != nil {
		r.Fatal(err)
	}
	return run
}

// TestReports_AsCharts: the report counts requests as App Home's charts do, whatever
// became of them and whenever.
func TestReports_AsCharts(t *testing.T) {
	t.Parallel()
	r := newReported(t)
	random := rand.New(rand.NewPCG(3, 4))
	ends := []struct {
		status flow.Status
		events []flow.EventName
	}{
		{flow.Requested, nil}, {flow.Approved, []flow.EventName{flow.EventApprove}}, {flow.Denied, []flow.EventName{flow.EventDeny}},
		{flow.Expired, []flow.EventName{flow.EventRequestExpire}}, {flow.Cancelled, []flow.EventName{flow.EventCancel}},
		{flow.Deescalated, []flow.EventName{flow.EventApprove, flow.EventEscalate, flow.EventDeescalate}},
	}
	for range 300 {
		end := ends[random.IntN(len(ends))]
		r.add(reportMonth.AddDate(0, 0, -3).Add(time.Duration(random.Int64N(int64(36*24*time.Hour)))), end.status, time.Duration(1+random.Int64N(int64(time.Hour))), end.events...)
	}
	got, err := r.reports.Of(t.Context(), reportMonth)
	if err != nil {
		t.Fatal(err)
	}
	days, err := r.home.Stats.Days(t.Context(), "main", reportMonth.AddDate(0, 0, 29), 30)
	if err != nil {
		t.Fatal(err)
	}
	for i, day := range days {
		told := got.Days[i]
		if told.Date != day.Date.Format(time.DateOnly) || told.Decisions.Count != len(day.Took) || told.Decisions.Median != int64(day.Median()/time.Second) {
			t.Errorf("%s: %+v, and the chart has %d decisions of %s", told.Date, told.Decisions, len(day.Took), day.Median())
		}
		for _, o := range flow.Outcomes {
			if told.Outcomes[o] != day.Of[o] {
				t.Errorf("%s: %d are %s, and %d in the chart", told.Date, told.Outcomes[o], o, day.Of[o])
			}
		}
	}
}

// TestReports_Reach: what happened in a month is told of it, though it was asked for
// long before, and so is what was asked for by a form of the month before.
func TestReports_Reach(t *testing.T) {
	t.Parallel()
	r := newReported(t)
	month := 30 * 24 * time.Hour
	r.add(reportMonth.AddDate(0, 0, -40), flow.Deescalated, 15*24*time.Hour, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate) // removed on 6 November
	r.add(reportMonth.AddDate(0, -3, 0), flow.Escalated, month, flow.EventApprove, flow.EventEscalate)                                    // on 30 September, and live
	form := r.add(reportMonth.Add(time.Hour), flow.Denied, time.Hour, flow.EventDeny)
	form.Created = reportMonth.Add(-time.Hour)
	if _, err := r.reports.Runs.Put(t.Context(), form); err != nil {
		t.Fatal(err)
	}
	got, err := r.reports.Of(t.Context(), reportMonth)
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests.Total != 1 || got.Removals.Total != 1 || got.Access.Given != 0 || got.Access.LiveAtEnd != 1 {
		t.Errorf("%d requests, %d removals, %d given, %d live", got.Requests.Total, got.Removals.Total, got.Access.Given, got.Access.LiveAtEnd)
	}
	if _, err := r.reports.Of(t.Context(), reportMonth.AddDate(0, 2, 0)); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("a month that has not begun: %v", err)
	}
}

// TestReports_Cost: a report reads what the month has, however much is stored.
func TestReports_Cost(t *testing.T) {
	t.Parallel()
	r := newReported(t)
	for i := range 50 {
		r.add(reportMonth.Add(time.Duration(i)*time.Hour), flow.Deescalated, time.Minute, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate)
	}
	cost := func() int {
		r.reads.items.Store(0)
		if _, err := r.reports.Of(t.Context(), reportMonth); err != nil {
			t.Fatal(err)
		}
		return int(r.reads.items.Load())
	}
	before := cost()
	for i := range 1000 {
		r.add(reportMonth.AddDate(0, -2, 0).Add(time.Duration(i)*time.Minute), flow.Deescalated, time.Minute, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate)
		r.add(reportMonth.AddDate(0, 1, 0).Add(time.Duration(i)*time.Minute), flow.Denied, time.Minute, flow.EventDeny)
	}
	// Of each listing one page more is looked into, to find that it is older.
	if after := cost(); after > before+len(flow.Statuses)*200 {
		t.Errorf("%d items were read, and %d after 2,000 runs of other months", before, after)
	}
}

// kept is a folder of reports that fails when it is told to.
type kept struct {
	files map[string]string
	puts  int
	fail  int // the put of this number
}

func (k *kept) Has(_ context.Context, name string) (bool, error) {
	_, ok := k.files[name]
	return ok, nil
}

func (k *kept) Put(_ context.Context, name, _ string, content []byte) (string, error) {
	if k.puts++; k.puts == k.fail {
		return "", errors.New("no room")
	}
	k.files[name] = string(content)
	return "reports/" + name, nil
}

// TestReports_Monthly: each month that is over is reported once, and told once,
// whatever failed before; one in which nothing happened is not.
func TestReports_Monthly(t *testing.T) {
	t.Parallel()
	for _, fail := range []int{0, 1, 2} {
		r := newReported(t)
		files := &kept{files: map[string]string{}, fail: fail}
		r.reports.Files = files
		if err := r.reports.Monthly(t.Context()); err != nil || len(files.files) != 0 {
			t.Errorf("of nothing: %d files, %v", len(files.files), err)
		}
		r.add(reportMonth.Add(time.Hour), flow.Denied, time.Hour, flow.EventDeny)
		err := r.reports.Monthly(t.Context())
		if (err != nil) != (fail > 0) {
			t.Errorf("put %d fails: %v", fail, err)
		}
		for range 2 {
			if err := r.reports.Monthly(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if page := files.files["2026-11.html"]; !strings.Contains(page, "Access in November 2026") || !strings.Contains(files.files["2026-11.json"], `"denied": 1`) {
			t.Errorf("put %d fails: the files are %q", fail, files.files)
		}
		page, err := r.reads.List(t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
		if err != nil || len(page.Items) != 1 || !strings.Contains(string(page.Items[0].Body), "reports/2026-11.html") {
			t.Errorf("put %d fails: %d notices, %v", fail, len(page.Items), err)
		}
		r.reports.Now = func() time.Time { return reportMonth.AddDate(0, 1, 0).Add(time.Hour) }
		delete(files.files, "2026-11.json")
		if err := r.reports.Monthly(t.Context()); err != nil || files.files["2026-11.json"] != "" {
			t.Errorf("a month that is hardly over was reported, %v", err)
		}
	}
}

// TestReports_Most: a report of more runs than there is room for is refused, and not made
// of some.
func TestReports_Most(t *testing.T) {
	t.Parallel()
	r := newReported(t)
	for i := range 3 {
		r.add(reportMonth.AddDate(0, 0, i), flow.Denied, time.Minute, flow.EventDeny)
	}
	r.add(reportMonth.AddDate(0, 0, -20), flow.Deescalated, 10*24*time.Hour, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate) // reaches into it
	for most, fits := range map[int]bool{0: true, 4: true, 3: false, 2: false} {
		r.reports.Most = most
		got, err := r.reports.Of(t.Context(), reportMonth)
		if fits != (err == nil) || !fits && flow.CodeOf(err) != flow.CodeTooLarge || fits && got.Requests.Total != 3 {
			t.Errorf("of %d at most: %d requests, %v", most, got.Requests.Total, err)
		}
	}
}
