package workflow

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/report"
	"github.com/symflows/symflows/internal/store"
)

// Reports makes the reports of months: when somebody wants one, and of each month when
// it is over.
type Reports struct {
	Org    string           // required
	Runs   store.Runs       // required
	Flows  *store.Flows     // required
	Stats  store.Stats      // required
	Drifts store.Drifts     // required
	Now    func() time.Time // required
	Place  report.Place     // where readers find what proves them
	// Most is of how many runs a report is made; 0: of any number. What is told of one takes
	// about 2 KB while it is made.
	Most    int
	Notices store.Notices // of Monthly
	Files   ReportFiles   // of Monthly
	Log     *slog.Logger  // of Monthly
}

// ReportFiles is where reports are kept.
type ReportFiles interface {
	// Has tells whether there is a file of this name.
	Has(ctx context.Context, name string) (bool, error)
	// Put writes a file whole, in place of one of the same name, and returns where
	// people find it.
	Put(ctx context.Context, name, contentType string, content []byte) (where string, err error)
}

// Of makes the report of a month, given by its beginning in UTC. It reads the runs that
// were created in the month, and those that reached into it: what it costs grows with
// these. The error has flow.CodeTooLarge where there are more than Most.
func (s Reports) Of(ctx context.Context, month time.Time) (report.Report, error) {
	source := report.Source{Org: s.Org, From: month, Made: s.Now(), Place: s.Place}
	if month.After(source.Made) {
		return report.Report{}, flow.Errorf(flow.CodeInvalid, "%s has not begun: a report is of a month that is over, or of this one so far", month.Format("2006-01"))
	}
	facts := map[string]report.Facts{}
	if err := s.created(ctx, month, facts); err != nil {
		return report.Report{}, err
	}
	if err := s.carried(ctx, month, facts); err != nil {
		return report.Report{}, err
	}
	for _, f := range facts {
		source.Facts = append(source.Facts, f)
	}
	list, err := s.Flows.List(ctx)
	if err != nil {
		return report.Report{}, err
	}
	for _, summary := range list {
		f, err := s.Flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow { // withdrawn meanwhile
			continue
		}
		if err != nil {
			return report.Report{}, err
		}
		source.Flows = append(source.Flows, f)
	}
	comparison, _, err := s.Drifts.Get(ctx)
	if err != nil {
		return report.Report{}, err
	}
	if last := comparison.Last; !last.Ended.IsZero() {
		ended := last.Ended.UTC()
		source.Drift = report.Drift{Compared: &ended, Grants: last.Grants, Targets: last.Targets, Found: map[flow.DriftKind]int{}, List: last.Found, More: last.More, Unseen: last.Unseen}
		for _, kind := range flow.DriftKinds {
			if n := last.Count(kind); n > 0 {
				source.Drift.Found[kind] = n
			}
		}
	}
	return report.Make(source), nil
}

// created takes in the runs that were created in a month, and in the days before it in
// which a form may have been open that was sent in it; and whatever is live, since
// when ever.
func (s Reports) created(ctx context.Context, month time.Time, facts map[string]report.Facts) error {
	from, to := month.Add(-flow.PromptTimeout), month.AddDate(0, 1, 0)
	// In the order of a run's life: one that moves on meanwhile is found where it goes.
	for _, status := range flow.Statuses {
		q := store.Query{By: store.ByStatus, Value: string(status), Before: to, Limit: 200}
		for more := status != flow.Prompted; more; {
			page, err := s.Runs.List(ctx, q)
			if err != nil {
				return err
			}
			more = page.Cursor != ""
			q.Cursor = page.Cursor
			for _, r := range page.Runs {
				if r.Created.Before(from) && status != flow.Escalated {
					more = false
					break
				}
				facts[r.ID] = report.Of(r)
			}
			if err := s.bounded(month, len(facts)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Reports) bounded(month time.Time, runs int) error {
	if s.Most > 0 && runs > s.Most {
		return flow.Errorf(flow.CodeTooLarge, "more than %d runs were there in %s, and this place has no room for a report of them: make it on a larger machine, by the command local report", s.Most, month.Format("2006-01"))
	}
	return nil
}

// carried takes in the runs of before the month to which something happened in it.
func (s Reports) carried(ctx context.Context, month time.Time, facts map[string]report.Facts) error {
	ids, err := s.Stats.Carried(ctx, month)
	if err != nil {
		return err
	}
	if err := s.bounded(month, len(facts)+len(ids)); err != nil {
		return err
	}
	for _, id := range ids {
		if _, known := facts[id]; known {
			continue
		}
		r, err := s.Runs.Get(ctx, id)
		if flow.CodeOf(err) == flow.CodeUnknownRun {
			continue
		}
		if err != nil {
			return err
		}
		facts[id] = report.Of(r)
	}
	return nil
}

// ReportPage is the name of a month's page.
func ReportPage(month time.Time) string { return month.Format("2006-01") + ".html" }

// ReportFigures is the name of a month's figures.
func ReportFigures(month time.Time) string { return month.Format("2006-01") + ".json" }

// reportAfter is how long after its end a month is reported, so that what is under way
// then is over.
const reportAfter = 6 * time.Hour

// Monthly keeps the report of the last month that is over, unless it is there.
func (s Reports) Monthly(ctx context.Context) error {
	month := monthOf(monthOf(s.Now().Add(-reportAfter)).Add(-time.Second))
	there, err := s.Files.Has(ctx, ReportFigures(month))
	if err != nil || there {
		return err
	}
	_, err = s.Keep(ctx, month)
	return err
}

// Keep makes the report of a month, keeps it in place of an earlier one, and tells the
// error channels; the figures come last: where they are, all is done. Nothing is kept
// of a month in which nothing happened. Returns where the page is.
func (s Reports) Keep(ctx context.Context, month time.Time) (where string, err error) {
	r, err := s.Of(ctx, month)
	if err != nil || r.Empty() {
		return "", err
	}
	page, err := r.Page()
	if err != nil {
		return "", fmt.Errorf("write the report of %s: %w", r.Month, err)
	}
	figures, err := r.JSON()
	if err != nil {
		return "", fmt.Errorf("write the report of %s: %w", r.Month, err)
	}
	if where, err = s.Files.Put(ctx, ReportPage(month), "text/html; charset=utf-8", page); err != nil {
		return "", err
	}
	text := fmt.Sprintf("The report of %s is there: %s. %s", month.Format("January 2006"), where, r.Summary())
	if err := s.Notices.Tell(ctx, "report "+r.Month, text, ""); err != nil {
		return "", err
	}
	if _, err := s.Files.Put(ctx, ReportFigures(month), "application/json", figures); err != nil {
		return "", err
	}
	s.Log.InfoContext(ctx, "a report was made", "month", r.Month, "where", where, "requests", r.Requests.Total)
	return where, nil
}
