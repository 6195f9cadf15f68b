package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	// maxReads bounds the pages of an index that one request looks through for
	// runs that pass the other filters.
	maxReads = 10
)

// filters are the parameters of a listing of runs. Each filter has an index,
// and one of them is used: that of the requester before that of the flow
// before that of the status, since a person has the fewest runs and a status
// the most. The other filters are applied to what it gives.
type filters struct {
	requester string // user id
	flow      string // name
	status    string
	glass     bool // only those whose access was asked for in an emergency
	limit     int
	cursor    string
}

// runs is GET /runs. It refuses a listing without any filter, which would have
// to read every run, or be out of order.
func (a *API) runs(r *http.Request, _ caller) (any, error) {
	f, err := a.filters(r.Context(), r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	q := store.Query{By: store.ByStatus, Value: f.status, Cursor: f.cursor}
	switch {
	case f.requester != "":
		q.By, q.Value = store.ByRequester, f.requester
	case f.flow != "":
		q.By, q.Value = store.ByFlow, f.flow
	case f.status == "":
		return nil, invalid("status", "give at least one of requester, flow and status")
	}
	if _, _, err := q.Position(); err != nil {
		return nil, invalid("cursor", flow.UserMessage(err))
	}
	list := events.RunList{Runs: []events.RunStatus{}}
	for range maxReads {
		q.Limit = f.limit - len(list.Runs)
		page, err := a.Runs.List(r.Context(), q)
		if err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			if f.match(run) {
				list.Runs = append(list.Runs, statusOf(run))
			}
		}
		list.Cursor, q.Cursor = page.Cursor, page.Cursor
		if page.Cursor == "" || len(list.Runs) == f.limit {
			break
		}
	}
	return list, nil
}

// match looks at the filter of the index too: indexes lag behind.
func (f filters) match(r flow.Run) bool {
	return (f.requester == "" || r.Requester.ID == f.requester) &&
		(f.flow == "" || r.Flow == f.flow) &&
		(f.status == "" || string(r.Status) == f.status) &&
		(!f.glass || r.BreakGlass != nil)
}

// filters reads the parameters, and reports all faults at once.
func (a *API) filters(ctx context.Context, query string) (filters, error) {
	f := filters{limit: defaultLimit}
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, invalid("query", "can't be read: parameters are name=value, joined by &, with odd characters as %XX")
	}
	var faults []flow.FieldError
	fault := func(name, message string) {
		faults = append(faults, flow.FieldError{Field: name, Message: message})
	}
	for name, given := range values {
		value := given[0]
		switch {
		case len(given) > 1:
			fault(name, "is given more than once")
			continue
		case value == "":
			fault(name, "is empty: give a value, or leave it out")
			continue
		}
		switch name {
		case "requester":
			f.requester = a.userID(value)
		case "flow":
			if f.flow, err = a.flowName(ctx, value); err != nil {
				return f, err
			}
		case "status":
			f.status = value
			if !slices.Contains(flow.Statuses, flow.Status(value)) {
				fault(name, "must be one of "+words(flow.Statuses))
			}
		case flow.KeyBreakGlass:
			if f.glass = value == "true"; !f.glass {
				fault(name, "must be true, or be left out")
			}
		case "limit":
			if f.limit, err = strconv.Atoi(value); err != nil || f.limit < 1 || f.limit > maxLimit {
				fault(name, "must be a whole number from 1 to "+strconv.Itoa(maxLimit))
			}
		case "cursor":
			f.cursor = value
		default:
			fault(name, "is not a parameter of this listing, which has requester, flow, status, break_glass, limit and cursor")
		}
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b flow.FieldError) int { return strings.Compare(a.Field, b.Field) })
		return f, &flow.Error{Code: flow.CodeInvalid, Message: "some parameters are not right", Fields: faults}
	}
	return f, nil
}

// userID takes an id as it is, and makes one of an e-mail address or the name
// of a bot.
func (a *API) userID(given string) string {
	if uuid.Validate(given) == nil {
		return strings.ToLower(given)
	}
	return flow.UserID(a.Org, given)
}

// flowName finds how a flow's name is written, given in any case, or as an SRN.
// The name of a flow that is gone must be written exactly.
func (a *API) flowName(ctx context.Context, given string) (string, error) {
	if n, err := flow.ParseSRN(given); err == nil && n.Model == "flow" {
		given = n.Slug
	}
	f, err := a.Flows.Latest(ctx, given)
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		return given, nil
	}
	if err != nil {
		return "", err
	}
	return f.Name, nil
}

func words(statuses []flow.Status) string {
	var out []string
	for _, s := range statuses {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}
