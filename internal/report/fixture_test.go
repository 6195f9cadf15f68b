package report_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/report"
)

var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// facts are those of a month as one might be, the same each time.
func facts() (list []report.Facts) {
	r := rand.New(rand.NewPCG(1, 2))
	people := []string{"alice@example.com", "carol@example.com", "dave@example.com", "erin@example.com", "frank@example.com", "grace@example.com", "heidi@example.com"}
	approvers := []string{"bob@example.com", "lead@example.com", "oncall@example.com"}
	flows := []struct{ name, title, target string }{
		{"prod-access", "Production access", "Orders database"}, {"prod-access", "Production access", "Billing database"},
		{"aws-admin", "AWS administration", "Production account"}, {"github-write", "Write to a repository", "payments"}, {"run-report", "Run a report", ""},
	}
	reasons := []string{"orders are stuck in the queue", "customer 4711 was billed twice", "rotate the certificate", "look at slow queries", "fix what the last deploy broke"}
	for i := range 240 {
		what := flows[min(r.IntN(7), 4)]
		f := report.Facts{
			Run: fmt.Sprintf("%08x-0000-4000-8000-%08x0000", r.Uint32(), i), Flow: what.name, FlowTitle: what.title, Target: what.target,
			Requester: people[min(r.IntN(12), 6)], Reason: reasons[r.IntN(len(reasons))],
		}
		day := time.Duration(r.IntN(30)) * 24 * time.Hour
		if weekday := november.Add(day).Weekday(); (weekday == time.Saturday || weekday == time.Sunday) && r.IntN(4) > 0 {
			day = time.Duration(2+r.IntN(5)) * 24 * time.Hour
		}
		f.Asked = november.Add(day + time.Duration(7*3600+r.IntN(11*3600))*time.Second)
		took := time.Duration(20+int(r.ExpFloat64()*900)) * time.Second
		decided := report.Decision{Who: approvers[min(r.IntN(5), 2)], At: f.Asked.Add(took), Took: took}
		switch n := r.IntN(20); {
		case n < 14:
			f.Outcome, f.Took, decided.Approved = flow.OutcomeApproved, took, true
			f.Decisions = []report.Decision{decided}
		case n < 16:
			f.Outcome, f.Took = flow.OutcomeDenied, took
			f.Decisions = []report.Decision{decided}
		case n == 16:
			f.Outcome = flow.OutcomeExpired
		case n == 17:
			f.Outcome = flow.OutcomeCancelled
		default:
			f.Outcome, f.ByRule = flow.OutcomeApproved, true
			f.Bot = n == 19
		}
		if f.Outcome == flow.OutcomeApproved && f.Target != "" {
			f.Given = f.Asked.Add(took + 3*time.Second)
			f.End = f.Given.Add([]time.Duration{10 * time.Minute, time.Hour, 4 * time.Hour}[r.IntN(3)])
			f.Scheduled = r.IntN(5) > 0
			f.Removed = f.End.Add(time.Duration(r.IntN(8000)) * time.Millisecond)
			if !f.Scheduled {
				f.Removed = f.Given.Add(f.End.Sub(f.Given) / 3)
			}
		}
		switch i {
		case 30, 170:
			f.Outcome, f.Took, f.Decisions, f.ByRule, f.Emergency, f.Skipped = flow.OutcomeApproved, 0, nil, false, true, 2
			f.Given = f.Asked.Add(4 * time.Second)
			f.End = f.Given.Add(time.Hour)
			f.Removed, f.Scheduled, f.Target = f.End.Add(time.Second), true, "Production account"
			f.Flow, f.FlowTitle = "aws-admin", "AWS administration"
			if i == 30 {
				f.Reviewer = "lead@example.com"
			}
		case 60:
			f.Outcome, f.Took, f.ByRule = flow.OutcomeApproved, time.Minute, false
			f.Decisions = []report.Decision{{Who: f.Requester, Approved: true, At: f.Asked.Add(time.Minute), Took: time.Minute, Self: true}}
		case 90:
			f.Flow, f.FlowTitle, f.Target, f.Outcome = "prod-access", "Production access", "Orders database", flow.OutcomeApproved
			f.Given = f.Asked.Add(time.Minute)
			f.End = f.Given.Add(time.Hour)
			f.Removed, f.Scheduled = f.End.Add(7*time.Minute+20*time.Second), true
		case 200:
			f.Flow, f.FlowTitle, f.Target, f.Outcome = "github-write", "Write to a repository", "payments", flow.OutcomeApproved
			f.Asked = november.AddDate(0, 0, 27)
			f.Given, f.End, f.Removed, f.Failing = f.Asked.Add(time.Minute), f.Asked.Add(time.Hour), time.Time{}, "Strategy:UNAVAILABLE"
		}
		list = append(list, f)
	}
	// Of October, what ended in November; and of November, what did not.
	list = append(list,
		report.Facts{Run: "0c10be70-0000-4000-8000-0000000b0000", Flow: "aws-admin", FlowTitle: "AWS administration", Requester: "alice@example.com", Target: "Production account", Reason: "migration of the accounts",
			Asked: november.AddDate(0, 0, -10), Outcome: flow.OutcomeApproved, Took: time.Minute, Given: november.AddDate(0, 0, -9), End: november.AddDate(0, 0, 2), Removed: november.AddDate(0, 0, 2).Add(2 * time.Second), Scheduled: true},
		report.Facts{Run: "0c10be70-0000-4000-8000-0000000c0000", Flow: "aws-admin", FlowTitle: "AWS administration", Requester: "erin@example.com", Target: "Production account", Reason: "migration of the accounts", Extended: 1,
			Asked: november.AddDate(0, 0, 25), Outcome: flow.OutcomeApproved, Took: time.Hour, Decisions: []report.Decision{{Who: "bob@example.com", Approved: true, At: november.AddDate(0, 0, 25).Add(time.Hour), Took: time.Hour}},
			Given: november.AddDate(0, 0, 25).Add(2 * time.Hour), End: november.AddDate(0, 1, 3)},
	)
	return list
}

func flowsInForce() []*flow.Flow {
	environment := flow.Environment{Name: "main", Admins: []string{"lead@example.com"}}
	return []*flow.Flow{
		{Name: "prod-access", Label: "Production access", Version: "1.0.7", Environment: environment,
			Strategy: &flow.Strategy{Targets: []flow.Target{{Name: "orders-db", Label: "Orders database"}, {Name: "billing-db", Label: "Billing database"}}},
			Params:   flow.Params{MaxDuration: flow.Duration(4 * time.Hour), Approval: flow.Approval{Approvers: []string{"group:platform", "user:bob@example.com"}, Required: 1}}},
		{Name: "aws-admin", Label: "AWS administration", Version: "1.0.2", Environment: environment,
			Strategy: &flow.Strategy{Targets: []flow.Target{{Name: "production", Label: "Production account"}}},
			Params: flow.Params{Approval: flow.Approval{Approvers: []string{"group:platform"}, Required: 2},
				BreakGlass: &flow.BreakGlassParams{Who: []string{"group:oncall"}, Duration: flow.Duration(time.Hour)}}},
		{Name: "github-write", Label: "Write to a repository", Version: "1.0.1", Environment: environment,
			Strategy: &flow.Strategy{Targets: []flow.Target{{Name: "payments"}}}, Params: flow.Params{Approval: flow.Approval{Required: 1}}},
		{Name: "run-report", Label: "Run a report", Version: "1.0.3", Environment: environment, Params: flow.Params{Approval: flow.Approval{Required: 1, AllowSelfApproval: true}}},
	}
}

func source() report.Source {
	compared := november.AddDate(0, 1, 0).Add(5 * time.Hour)
	return report.Source{
		Org: "acme", From: november, Made: november.AddDate(0, 1, 0).Add(6 * time.Hour), Facts: facts(), Flows: flowsInForce(), Place: report.Here(".local"),
		Drift: report.Drift{
			Compared: &compared, Grants: 12, Targets: 4, Found: map[flow.DriftKind]int{flow.DriftUnknown: 1},
			List: []flow.Drift{{Kind: flow.DriftUnknown, Target: "payments", Title: "payments", Identity: "old-contractor", Since: november.AddDate(0, 0, 19).Add(9 * time.Hour)}},
		},
	}
}
