package api

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// sheet is a listing of runs as CSV (RFC 4180), a line for each.
type sheet struct{ store.RunPage }

// columns are those of a sheet, in their order, with what they show of a run.
var columns = []struct {
	name string
	of   func(*flow.Run) string
}{
	{"run_id", func(r *flow.Run) string { return r.ID }},
	{"flow", func(r *flow.Run) string { return r.Flow }},
	{"requester", func(r *flow.Run) string { return called(r.Requester) }},
	{"submitter", func(r *flow.Run) string {
		if r.Asker == nil {
			return ""
		}
		return called(*r.Asker)
	}},
	{flow.KeyTarget, func(r *flow.Run) string {
		if t := r.GivenTarget(); t != nil {
			return t.Name
		}
		return ""
	}},
	{"reason", (*flow.Run).Reason},
	{"duration_seconds", func(r *flow.Run) string {
		if r.ApprovalOnly {
			return ""
		}
		return strconv.FormatInt(int64(r.GivenDuration()/time.Second), 10)
	}},
	{"status", func(r *flow.Run) string { return string(r.Status) }},
	{flow.KeyBreakGlass, func(r *flow.Run) string { return strconv.FormatBool(r.BreakGlass != nil) }},
	{"decided_by", func(r *flow.Run) string {
		var names []string
		for _, who := range r.DecidedBy() {
			names = append(names, called(who))
		}
		return strings.Join(names, " ")
	}},
	{"created_at", func(r *flow.Run) string { return written(r.Created) }},
	{"decided_at", func(r *flow.Run) string { e, _ := r.Decision(); return written(e.At) }},
	{"granted_at", func(r *flow.Run) string { e, _ := r.Last(flow.EventEscalate); return written(e.At) }},
	{"ended_at", func(r *flow.Run) string { e, _ := r.Last(flow.EventDeescalate); return written(e.At) }},
}

// called is how a sheet names somebody: by address, or else by name.
func called(who flow.Actor) string {
	if who.Email != "" {
		return who.Email
	}
	return who.Name
}

func written(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// inert keeps a spreadsheet from taking what people wrote for a formula:
// https://owasp.org/www-community/attacks/CSV_Injection.
func inert(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r\n") {
		return "'" + text
	}
	return text
}

// CSV writes the sheet, its header first.
func (s sheet) CSV() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
	}
	_ = w.Write(line) // a strings.Builder takes everything
	for _, r := range s.Runs {
		for i, c := range columns {
			line[i] = inert(c.of(&r))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return b.String()
}

// next gives the link to the page behind this one (RFC 8288); "" if it is the last.
func (s sheet) next(page *url.URL) string {
	if s.Cursor == "" {
		return ""
	}
	q := page.Query()
	q.Set("cursor", s.Cursor)
	return "<" + page.Path + "?" + q.Encode() + `>; rel="next"`
}

// writeSheet sends a sheet; where the next page is stands in the header Link.
func (x *exchange) writeSheet(r *http.Request, s sheet) {
	if next := s.next(r.URL); next != "" {
		x.Header().Set("Link", next)
	}
	x.send(r, http.StatusOK, "text/csv; charset=utf-8", []byte(s.CSV()))
}
