package api

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// shelf fills the store: eight runs, a minute apart. Of each four, the first
// is Alice's in prod-access, the others the bot's in run-report; even ones
// were denied.
func shelf(f *fixture) (ids []string) {
	for n := range 8 {
		body := reportBody
		if n%4 == 0 {
			body = accessBody
		}
		id := f.request(body).RunID
		if n%2 == 0 {
			f.route(id)
			f.receive(id, flow.ActionDeny, bob.Actor)
			f.decide(id)
		}
		ids = append(ids, id)
		f.pass(time.Minute)
	}
	return ids
}

func TestRunsFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := shelf(f)
	for _, tc := range []struct {
		query string
		want  []int // newest first
	}{
		{"status=denied", []int{6, 4, 2, 0}},
		{"status=escalated", nil},
		{"flow=prod-access", []int{4, 0}},
		{"flow=Prod-Access", []int{4, 0}},
		{"flow=sym:flow:prod-access:latest", []int{4, 0}},
		{"flow=nothing", nil},
		{"requester=alice@example.com", []int{4, 0}},
		{"requester=" + alice.ID, []int{4, 0}},
		{"requester=ci", []int{7, 6, 5, 3, 2, 1}},
		{"requester=nobody@example.com", nil},
		{"requester=ci&status=prompted", []int{7, 5, 3, 1}},
		{"flow=run-report&status=denied", []int{6, 2}},
		{"requester=alice@example.com&flow=run-report", nil},
		{"requester=ci&flow=run-report&status=denied&limit=1", []int{6}},
		{"status=denied&limit=100", []int{6, 4, 2, 0}},
	} {
		t.Run(tc.query, func(t *testing.T) {
			var got []int
			for _, run := range ok[events.RunList](f, "GET", Base+"/runs?"+tc.query, "").Runs {
				got = append(got, slices.Index(ids, run.RunID))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A run goes by its short id, as people say it; what two are called asks for more.
func TestRunByShortID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := shelf(f)
	short := flow.ShortID(ids[3])
	for _, called := range []string{short, strings.ToLower(strings.ReplaceAll(short, "-", "")), ids[3]} {
		if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+called, ""); got.RunID != ids[3] {
			t.Errorf("%s: run %s", called, got.RunID)
		}
	}
	said := func(called string) string {
		resp := f.send("GET", Base+"/runs/"+called, "", nil)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: answer %d, %v", called, resp.StatusCode, err)
		}
		return string(b)
	}
	if got := said("0000-0000"); !strings.Contains(got, "there is no run") {
		t.Error(got)
	}
	runs := store.Runs{Store: f.store}
	r, err := runs.Get(t.Context(), ids[3])
	if err != nil {
		t.Fatal(err)
	}
	twin := ids[3][:11] + "00-4000-8000-000000000000"
	r.ID, r.Rev = twin, 0
	if _, err := runs.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := said(short); !strings.Contains(got, twin) || !strings.Contains(got, ids[3]) {
		t.Error(got)
	}
}

// Pages, taken one after the other, give every run once, whatever is filtered
// out in between.
func TestRunsPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	shelf(f)
	for _, filter := range []string{"status=denied", "requester=ci&status=prompted", "flow=run-report&status=denied"} {
		whole := ok[events.RunList](f, "GET", Base+"/runs?"+filter, "")
		if whole.Cursor != "" || len(whole.Runs) < 2 {
			t.Fatalf("%s: %d runs, cursor %q", filter, len(whole.Runs), whole.Cursor)
		}
		for limit := 1; limit <= 5; limit++ {
			var paged []events.RunStatus
			cursor := ""
			for pages := 0; ; pages++ {
				if pages > 10 {
					t.Fatalf("%s by %d: no end", filter, limit)
				}
				page := ok[events.RunList](f, "GET", fmt.Sprintf("%s/runs?%s&limit=%d%s", Base, filter, limit, cursor), "")
				if len(page.Runs) > limit {
					t.Errorf("%s by %d: a page of %d", filter, limit, len(page.Runs))
				}
				paged = append(paged, page.Runs...)
				if page.Cursor == "" {
					break
				}
				cursor = "&cursor=" + url.QueryEscape(page.Cursor)
			}
			if diff := cmp.Diff(whole.Runs, paged); diff != "" {
				t.Errorf("%s by %d: -whole +paged\n%s", filter, limit, diff)
			}
		}
	}
}

// A cursor of one listing is no place in another.
func TestRunsForeignCursor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	shelf(f)
	cursor := ok[events.RunList](f, "GET", Base+"/runs?status=denied&limit=1", "").Cursor
	if resp := f.send("GET", Base+"/runs?status=prompted&cursor="+url.QueryEscape(cursor), "", nil); resp.StatusCode != 400 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// counting counts the items that listings read.
type counting struct {
	store.Store
	items, lists atomic.Int64
}

func (s *counting) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := s.Store.List(ctx, q)
	s.items.Add(int64(len(page.Items)))
	s.lists.Add(1)
	return page, err
}

// A listing costs what it returns, and one that finds nothing gives up in time
// and says where to go on.
func TestRunsCost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 30 {
		f.request(reportBody)
		f.pass(time.Second)
	}
	s := &counting{Store: f.store}
	f.serve(s)
	if page := ok[events.RunList](f, "GET", Base+"/runs?flow=run-report&limit=5", ""); len(page.Runs) != 5 || s.items.Load() != 5 {
		t.Errorf("%d runs cost %d items", len(page.Runs), s.items.Load())
	}
	s.items.Store(0)
	s.lists.Store(0)
	page := ok[events.RunList](f, "GET", Base+"/runs?flow=run-report&status=denied&limit=1", "")
	if len(page.Runs) != 0 || page.Cursor == "" || s.lists.Load() != maxReads {
		t.Errorf("%d runs, cursor %q after %d pages of the index", len(page.Runs), page.Cursor, s.lists.Load())
	}
}

// Filters that no index of runs has: by who decided, target, time and text.
func TestRunsFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := shelf(f)
	f.list(ids...)
	day := f.clock().Format(time.DateOnly)
	tomorrow := f.clock().Add(24 * time.Hour).Format(time.DateOnly)
	at := func(n int) string { return url.QueryEscape(f.run(ids[n]).Created.UTC().Format(time.RFC3339)) }
	target := f.run(ids[0]).Target.Name
	for _, tc := range []struct {
		query string
		want  []int // newest first
	}{
		{"approver=bob@example.com", []int{6, 4, 2, 0}},
		{"approver=" + bob.ID + "&flow=prod-access", []int{4, 0}},
		{"approver=alice@example.com", nil},
		{"target=" + target, []int{4, 0}},
		{"target=" + flow.TargetID(org, target), []int{4, 0}},
		{"target=" + org + ":access_target:custom:" + target + ":latest", []int{4, 0}},
		{"target=nowhere", nil},
		{"target=" + target + "&approver=bob@example.com", []int{4, 0}},
		{"target=" + target + "&approver=alice@example.com", nil},
		{"flow=run-report&from=" + at(3), []int{7, 6, 5, 3}},
		{"flow=run-report&to=" + at(3), []int{2, 1}},
		{"flow=run-report&from=" + at(2) + "&to=" + at(6), []int{5, 3, 2}},
		{"approver=bob@example.com&from=" + at(2) + "&to=" + at(6), []int{4, 2}},
		{"approver=bob@example.com&from=" + at(2) + "&limit=1", []int{6}},
		{"flow=prod-access&from=" + day + "&to=" + tomorrow, []int{4, 0}},
		{"flow=prod-access&to=" + day, nil},
		{"flow=prod-access&from=" + tomorrow, nil},
		{"flow=prod-access&text=" + url.QueryEscape(strings.ToUpper("Deploy build")), []int{4, 0}},
		{"flow=prod-access&text=unheard", nil},
	} {
		t.Run(tc.query, func(t *testing.T) {
			page := ok[events.RunList](f, "GET", Base+"/runs?"+tc.query, "")
			var got []int
			for _, run := range page.Runs {
				got = append(got, slices.Index(ids, run.RunID))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if len(tc.want) == 0 && page.Cursor != "" {
				t.Errorf("nothing is found, and there is more at %q", page.Cursor)
			}
		})
	}
	for query, fault := range map[string]string{
		"from=2026-11-01&to=2026-12-01":                 "give at least one",
		"text=lunch":                                    "give at least one",
		"flow=run-report&from=yesterday":                "must be a day",
		"flow=run-report&from=2026-11-02&to=2026-11-01": "must be later than from",
		"flow=run-report&format=xml":                    "must be json or csv",
	} {
		resp := f.send("GET", Base+"/runs?"+query, "", nil)
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), fault) {
			t.Errorf("%s: answer %d, %s", query, resp.StatusCode, body)
		}
	}
}

// list lists runs by what no index of theirs has.
func (f *fixture) list(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		r := f.run(id)
		var deciders []string
		for _, who := range r.DecidedBy() {
			deciders = append(deciders, who.ID)
		}
		if err := (store.Lists{Store: f.store, Now: f.clock}).Follow(f.t.Context(), r, r.TargetID(), deciders); err != nil {
			f.t.Fatal(err)
		}
	}
}

// Who is found by an approver or a target costs what is returned, however many other
// runs there are.
func TestRunsFoundCost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.list(shelf(f)...)
	for range 30 {
		f.request(reportBody)
	}
	s := &counting{Store: f.store}
	f.serve(s)
	for _, query := range []string{"approver=bob@example.com", "target=orders-db"} {
		s.items.Store(0)
		if page := ok[events.RunList](f, "GET", Base+"/runs?limit=2&"+query, ""); len(page.Runs) != 2 || s.items.Load() != 2 {
			t.Errorf("%s: %d runs cost %d items", query, len(page.Runs), s.items.Load())
		}
	}
}

// A sheet has a line for each run, and nothing in it is a formula.
func TestRunsSheet(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sly := f.request(strings.Replace(accessBody, "Deploy build 1234", "=1+1, \\\"quoted\\\"", 1)).RunID
	f.pass(time.Minute)
	f.list(shelf(f)...)
	sheet := func(query string) ([][]string, http.Header) {
		t.Helper()
		resp := f.send("GET", Base+"/runs?"+query, "", nil)
		defer resp.Body.Close()
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/csv; charset=utf-8" {
			t.Fatalf("%s: answer %d, %s", query, resp.StatusCode, kind)
		}
		lines, err := csv.NewReader(resp.Body).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return lines, resp.Header
	}
	lines, header := sheet("flow=prod-access&format=csv")
	want := [][]string{{
		"run_id", "flow", "requester", "submitter", "target", "reason", "duration_seconds", "status", "break_glass",
		"decided_by", "created_at", "decided_at", "granted_at", "ended_at",
	}}
	for _, run := range ok[events.RunList](f, "GET", Base+"/runs?flow=prod-access", "").Runs {
		r := f.run(run.RunID)
		line := []string{r.ID, "prod-access", "alice@example.com", "ci", "orders-db", "Deploy build 1234", "600", "denied", "false", "bob@example.com", written(r.Created), written(r.Created), "", ""}
		if r.ID == sly {
			line[5], line[7], line[9], line[11] = `'=1+1, "quoted"`, "prompted", "", ""
		}
		want = append(want, line)
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if header.Get("Link") != "" {
		t.Errorf("there is no other page, and a link to it: %s", header.Get("Link"))
	}
	var paged []string
	query := "approver=bob@example.com&limit=3&format=csv"
	for range 3 {
		lines, header := sheet(query)
		for _, line := range lines[1:] {
			paged = append(paged, line[0])
		}
		link, more := strings.CutSuffix(header.Get("Link"), `>; rel="next"`)
		if !more {
			break
		}
		_, query, _ = strings.Cut(link, "?")
	}
	if len(paged) != 4 || len(slices.Compact(paged)) != 4 {
		t.Errorf("the pages have %v", paged)
	}
}
