package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is another: go test ./internal/report -update, and look at what has changed", file)
	}
}

// TestMonth holds the report of a month as one might be, as JSON and as a page.
func TestMonth(t *testing.T) {
	t.Parallel()
	r := report.Make(source())
	figures, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "month.json", figures)
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "month.html", page)
}

// TestNothing: a month without anything, before its end, is a page too, and its lists
// are lists.
func TestNothing(t *testing.T) {
	t.Parallel()
	r := report.Make(report.Source{Org: "acme", From: november, Made: november.Add(time.Hour), Place: report.Here(".local")})
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The month is not over", "Nothing stands out", "Nobody had access without approval"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	figures, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(figures), "null") {
		t.Errorf("something is null:\n%s", figures)
	}
	var again report.Report
	if err := json.Unmarshal(figures, &again); err != nil || len(again.Days) != 30 {
		t.Errorf("%d days, %v", len(again.Days), err)
	}
}

// TestHostile: what people write is text on the page, wherever it stands.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>' {{.}} </title></svg>`
	s := source()
	s.Org = evil
	for i := range s.Facts {
		f := &s.Facts[i]
		f.Requester, f.Target, f.Reason, f.FlowTitle, f.Reviewer, f.Failing = evil, evil, evil, evil, evil, evil
		for j := range f.Decisions {
			f.Decisions[j].Who = evil
		}
	}
	for _, f := range s.Flows {
		f.Label, f.Name, f.Version, f.Environment.Name = evil, evil, evil, evil
		f.Params.Approval.Approvers, f.Environment.Admins = []string{evil}, []string{evil}
	}
	s.Drift.List = []flow.Drift{{Kind: evil, Identity: evil, Title: evil, Requester: evil}}
	s.Drift.Unseen = map[string]string{evil: evil}
	s.Place = report.Place{State: evil, Folder: evil, Bucket: evil, Log: evil}
	page, err := report.Make(s).Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "'\"><"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if opened, closed := strings.Count(string(page), "<svg"), strings.Count(string(page), "</svg>"); opened != closed {
		t.Errorf("%d pictures begin and %d end", opened, closed)
	}
	if !strings.Contains(string(page), "&lt;script&gt;alert(1)") {
		t.Error("the page does not show what was written")
	}
}

// TestSelfContained: the page loads nothing from elsewhere, and runs nothing.
func TestSelfContained(t *testing.T) {
	t.Parallel()
	page, err := report.Make(source()).Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"src=", "<link", "@import", "url(", "<script", "http:", "https:"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

// TestPercentiles holds medians and such to a plain computation: the smallest value
// that enough of the values do not exceed, found by trying each.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	plain := func(values []int64, percent int) int64 {
		best, found := int64(0), false
		for _, v := range values {
			below := 0
			for _, other := range values {
				if other <= v {
					below++
				}
			}
			if below*100 >= percent*len(values) && (!found || v < best) {
				best, found = v, true
			}
		}
		return best
	}
	same := func(times []uint16) bool {
		s := report.Source{Org: "acme", From: november, Made: november.AddDate(0, 1, 0)}
		var values []int64
		for i, n := range times[:min(len(times), 200)] {
			took := time.Duration(n%1000+1) * time.Second
			values = append(values, int64(took/time.Second))
			s.Facts = append(s.Facts, report.Facts{Run: fmt.Sprint(i), Flow: "f", Asked: november.Add(time.Hour), Outcome: flow.OutcomeDenied, Took: took})
		}
		got := report.Make(s).Decisions
		if len(values) == 0 {
			return got == report.Times{}
		}
		want := report.Times{Count: len(values), Median: plain(values, 50), P95: plain(values, 95), Longest: slices.Max(values)}
		if got != want {
			t.Logf("of %v: %+v, not %+v", values, got, want)
		}
		return got == want
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

// TestAddsUp: whatever happened, each request is counted once on its day, in its flow
// and under its outcome, and each bucket's counts add up to what they are of.
func TestAddsUp(t *testing.T) {
	t.Parallel()
	r := report.Make(source())
	days, flows, outcomes := 0, 0, 0
	for _, d := range r.Days {
		for _, n := range d.Outcomes {
			days += n
		}
	}
	for _, f := range r.Flows {
		flows += f.Total
	}
	for _, n := range r.Requests.Outcomes {
		outcomes += n
	}
	if days != r.Requests.Total || flows != r.Requests.Total || outcomes != r.Requests.Total || r.Requests.Total != 241 {
		t.Errorf("%d requests, %d by day, %d by flow, %d by outcome", r.Requests.Total, days, flows, outcomes)
	}
	took, late := 0, 0
	for _, b := range r.Took {
		took += b.Count
	}
	for _, b := range r.Removals.ByLate {
		late += b.Count
	}
	if took != r.Decisions.Count || late != r.Removals.Late.Count || r.Removals.Scheduled+r.Removals.Manual != r.Removals.Total {
		t.Errorf("%d of %d decisions, %d of %d removals", took, r.Decisions.Count, late, r.Removals.Late.Count)
	}
}

// TestEdges: a request belongs to the month in which it was made, access to that in
// which it was given, and a removal to that in which it was observed.
func TestEdges(t *testing.T) {
	t.Parallel()
	december := november.AddDate(0, 1, 0)
	across := report.Facts{
		Run: "a", Flow: "f", Requester: "alice@example.com", Asked: november.Add(-time.Second), Outcome: flow.OutcomeApproved,
		Given: november, End: december.Add(-time.Second), Removed: december, Scheduled: true,
	}
	s := report.Source{Org: "acme", From: november, Made: december.AddDate(0, 2, 0), Facts: []report.Facts{across}}
	r := report.Make(s)
	if r.Requests.Total != 0 || r.Access.Given != 1 || r.Removals.Total != 0 || r.Access.LiveAtEnd != 1 {
		t.Errorf("November: %d requests, %d accesses, %d removals, %d live", r.Requests.Total, r.Access.Given, r.Removals.Total, r.Access.LiveAtEnd)
	}
	s.From = november.AddDate(0, -1, 0)
	if r = report.Make(s); r.Requests.Total != 1 || r.Access.Given != 0 || r.Access.LiveAtEnd != 0 {
		t.Errorf("October: %d requests, %d accesses, %d live", r.Requests.Total, r.Access.Given, r.Access.LiveAtEnd)
	}
	s.From = december
	if r = report.Make(s); r.Removals.Total != 1 || r.Removals.Late.Longest != 1 || r.Access.LiveAtEnd != 0 {
		t.Errorf("December: %d removals, the last %d s late, %d live", r.Removals.Total, r.Removals.Late.Longest, r.Access.LiveAtEnd)
	}
}

// TestUnapproved: access that was given without an approval on record stands out.
func TestUnapproved(t *testing.T) {
	t.Parallel()
	s := report.Source{Org: "acme", From: november, Made: november.AddDate(0, 1, 0), Facts: []report.Facts{
		{Run: "a", Flow: "f", Asked: november, Outcome: flow.OutcomeDenied, Given: november.Add(time.Hour)},
	}}
	r := report.Make(s)
	page, err := r.Page()
	if r.Access.Unapproved != 1 || err != nil || !strings.Contains(string(page), "no approval on record") {
		t.Errorf("%d without approval, %v", r.Access.Unapproved, err)
	}
}

// TestHere_Quoted: a shell takes the folder as one word in each command, whatever its name.
func TestHere_Quoted(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{".local", "my data", "it's", "$(touch x)", "-data", "a;b", "café"} {
		s := source()
		s.Place = report.Here(folder)
		for _, c := range report.Make(s).Controls {
			for _, command := range c.Commands {
				words, err := exec.CommandContext(t.Context(), "sh", "-c", `go() { printf '%s\n' "$@"; }; zcat() { printf '%s\n' "$@"; }; grep() { cat; }; `+command).Output()
				named := slices.ContainsFunc(strings.Split(string(words), "\n"), func(word string) bool {
					return word == folder || word == "./"+folder || strings.HasPrefix(strings.TrimPrefix(word, "./"), folder+"/")
				})
				if err != nil || !named && command != "go run ./functions/local check" {
					t.Errorf("%s: %s is %q to a shell, %v", folder, command, words, err)
				}
			}
		}
	}
}

// TestInAWS: the report says how the records of its month are fetched, and how the log is
// verified where it is.
func TestInAWS(t *testing.T) {
	t.Parallel()
	s := source()
	s.Place = report.InAWS("cdk.out/outputs.json", "acme-audit", "acme-log")
	r := report.Make(s)
	if !strings.HasPrefix(r.Fetch, "aws s3 sync s3://acme-audit records ") || !strings.Contains(r.Fetch, "'audit/year=2026/month=11/*'") || !strings.Contains(r.Fetch, "'admin/year=2026/month=11/*'") {
		t.Errorf("fetched by %s", r.Fetch)
	}
	all := ""
	for _, c := range r.Controls {
		all += strings.Join(c.Commands, "\n") + "\n"
	}
	for _, want := range []string{"audit verify s3://acme-log -lines s3://acme-audit\n", "zcat records/audit/year=2026/month=11/", "report -outputs cdk.out/outputs.json -month 2026-11"} {
		if !strings.Contains(all, want) {
			t.Errorf("no command has %q: %s", want, all)
		}
	}
}

// TestAgents: what an agent asked for counts as its owner's, and as a program's request.
func TestAgents(t *testing.T) {
	t.Parallel()
	owner := flow.Actor{ID: "u1", Kind: flow.KindPerson, Name: "Bob", Email: "bob@example.com"}
	agent := flow.Actor{ID: flow.AgentID("sym", "helper", owner.Email), Kind: flow.KindAgent, Name: "helper"}
	at := november.Add(time.Hour)
	f := report.Of(flow.Run{
		ID: "00000000-0000-4000-8000-000000010000", Flow: "prod-access", Requester: owner, Asker: &agent, Owner: &owner, Source: flow.ChannelAPI,
		Agent: &flow.Agent{Purpose: "Find out why order 42 is stuck"}, Target: &flow.Target{Name: "orders-db", Label: "Orders database"},
		Events: []flow.Event{{Name: flow.EventRequest, Actor: agent, At: at, State: flow.StateCompleted}, {Name: flow.EventApprove, Actor: flow.Actor{Kind: flow.KindPerson, Email: "lead@example.com"}, At: at, State: flow.StateCompleted}, {Name: flow.EventEscalate, Actor: flow.System, At: at, State: flow.StateCompleted}},
		Access: &flow.Access{End: at.Add(time.Hour)},
	})
	if f.Requester != owner.Email || f.Submitter != "helper" || !f.Bot {
		t.Errorf("it counts as asked for by %s, sent by %s: %+v", f.Requester, f.Submitter, f)
	}
	r := report.Make(report.Source{Org: "sym", From: november, Made: november.AddDate(0, 1, 0), Facts: []report.Facts{f}})
	if r.Requests.Total != 1 || r.Requests.ByProgram != 1 || r.Requests.ForOthers != 0 {
		t.Errorf("the requests are %+v", r.Requests)
	}
	if len(r.Longest) != 1 || r.Longest[0].Who != owner.Email || r.Longest[0].Target != "Orders database" {
		t.Errorf("the access is of %+v", r.Longest)
	}
}
