package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	_ "embed"

	"github.com/symflows/symflows/internal/flow"
)

//go:embed page.html
var source string

// page writes a report for people. The template escapes what people wrote, and what is
// drawn escapes it itself. It is parsed when the first report is written: most processes
// write none.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"short": short, "count": countOf, "times": times, "join": func(list []string) string { return strings.Join(list, ", ") },
		"day": func(at any) string {
			if p, ok := at.(*time.Time); ok {
				at = *p
			}
			return at.(time.Time).UTC().Format("2 Jan, 15:04")
		},
		"run": func(id string) string { return flow.ShortID(id) },
		"percent": func(part, whole int) string {
			if whole == 0 {
				return "–"
			}
			return fmt.Sprintf("%.4g %%", float64(1000*part/whole)/10)
		},
	}).Parse(source))
})

// Point is something that somebody has to look at.
type Point struct{ Count, Text, Anchor string }

// shown is what the template is given.
type shown struct {
	Report
	Title                string
	Last                 time.Time // day of the month
	Series               any
	ByDay, ByFlow        template.HTML
	TookChart, LateChart template.HTML
	Points               []Point
	Approved             int
}

// Page shows the report as one HTML page, which needs nothing else.
func (r Report) Page() ([]byte, error) {
	var out bytes.Buffer
	err := page().Execute(&out, shown{
		Report: r, Title: r.From.Format("January 2006"), Last: r.To.AddDate(0, 0, -1), Series: series,
		ByDay: r.byDay(), ByFlow: r.byFlow(),
		TookChart: byTime("took", "Time to decision", "decision", r.Took, 0),
		LateChart: byTime("late", "Removal after the end", "scheduled removal", r.Removals.ByLate, r.Removals.Promise),
		Points:    r.points(), Approved: r.Requests.Outcomes[flow.OutcomeApproved],
	})
	return out.Bytes(), err
}

// JSON gives the same figures for programs.
func (r Report) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(r)
	return out.Bytes(), err
}

// points are what an auditor will ask about.
func (r Report) points() []Point {
	var list []Point
	add := func(n int, one, several, anchor string) {
		if n == 1 {
			list = append(list, Point{"1", one, anchor})
		} else if n > 1 {
			list = append(list, Point{fmt.Sprint(n), several, anchor})
		}
	}
	add(r.Access.Unapproved, "access was given that has no approval on record", "accesses were given that have no approval on record", "access")
	add(len(r.Removals.Failing)+r.Removals.More, "removal is due and does not succeed", "removals are due and do not succeed", "removals")
	add(r.Removals.Late.Count-r.Removals.InTime, fmt.Sprintf("removal came more than %d seconds after its end", promise), fmt.Sprintf("removals came more than %d seconds after their end", promise), "removals")
	add(r.Emergencies.Unreviewed, "emergency was not reviewed", "emergencies were not reviewed", "emergencies")
	add(r.Self.Count, "request was approved by whoever made it", "requests were approved by whoever made them", "self")
	add(len(r.Drift.List)+r.Drift.More, "target shows something else than was granted", "differences between what was granted and what targets show", "drift")
	add(len(r.Drift.Unseen), "target could not be compared with what was granted", "targets could not be compared with what was granted", "drift")
	return list
}

// short writes a duration of seconds in at most two units: "45 s", "3 min 20 s",
// "2 d 4 h".
func short(seconds int64) string {
	if seconds <= 0 {
		return "0 s"
	}
	units := []struct {
		name   string
		length int64
	}{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}
	for i, u := range units {
		n := seconds / u.length
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, u.name)
		if i+1 < len(units) {
			if rest := seconds % u.length / units[i+1].length; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return ""
}

// Summary says in a few sentences of plain text what the month came to.
func (r Report) Summary() string {
	text := fmt.Sprintf("%s, %d approved, %d denied; %s given.", countOf(r.Requests.Total, "request"), r.Requests.Outcomes[flow.OutcomeApproved], r.Requests.Outcomes[flow.OutcomeDenied],
		countOf(r.Access.Given, "access was", "accesses were"))
	if r.Decisions.Count > 0 {
		text += fmt.Sprintf(" Half of the decisions took %s at most.", short(r.Decisions.Median))
	}
	points := r.points()
	if len(points) == 0 {
		return text + " Nothing stands out."
	}
	var list []string
	for _, p := range points {
		list = append(list, p.Count+" "+p.Text)
	}
	return text + " To look at: " + strings.Join(list, "; ") + "."
}

// Text says it in lines, for a terminal.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, made at %s\n", r.Org, r.From.Format("January 2006"), r.Made.Format(time.RFC3339))
	if !r.Over {
		b.WriteString("the month is not over: these are its figures so far\n")
	}
	b.WriteString(r.Summary() + "\n")
	if len(r.Flows) > 0 {
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "FLOW\tREQUESTS\tAPPROVED\tDENIED\tEXPIRED\tWITHDRAWN\tOPEN\tMEDIAN")
		for _, f := range r.Flows {
			fmt.Fprintf(table, "%s\t%d", f.Flow, f.Total)
			for _, s := range series {
				fmt.Fprintf(table, "\t%d", f.Outcomes[s.Outcome])
			}
			fmt.Fprintf(table, "\t%s\n", short(f.Decisions.Median))
		}
		table.Flush() // a strings.Builder takes all
	}
	return b.String()
}
