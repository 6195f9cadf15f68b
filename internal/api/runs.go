package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	// What one request looks through for runs that pass the filters that have no
	// index is bounded: by runs, and by pages of the index.
	maxLooked = 1000
	maxReads  = 20
)

// filters are the parameters of a listing of runs. The first five have a listing
// each, and one of them is used, the first that is given: a person has the fewest
// runs, and a status the most. The other filters are applied to what it gives.
type filters struct {
	agent     flow.Actor // only what this agent asked for; zero: whoever did
	requester string     // user id
	approver  string     // user id
	target    string     // id
	flow      string     // name
	status    string
	glass     bool      // only those whose access was asked for in an emergency
	from, to  time.Time // of the run's creation: not before from, and before to
	text      string    // in the reason, in letters of either case
	limit     int
	cursor    string
	csv       bool
}

// runs is GET /runs.
func (a *API) runs(r *http.Request, who caller) (any, error) {
	f, err := a.filters(r.Context(), r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if who.token.Agent { // which sees nothing but what it asked for, all of which is its owner's
		if f.requester != "" || f.approver != "" {
			return nil, flow.Errorf(flow.CodeForbidden, "an agent sees what it asked for, and nothing of others: leave requester and approver out")
		}
		f.agent, f.requester = who.bot, flow.UserID(a.Org, who.token.Owner)
	}
	page, err := a.list(r.Context(), f)
	if err != nil {
		return nil, err
	}
	if f.csv {
		return sheet{page}, nil
	}
	return listOf(page), nil
}

// List lists runs as GET /runs does, for a query as its URL has it. It refuses a
// listing without any filter that has an index: it would have to read every run, or
// be out of order.
func (a *API) List(ctx context.Context, query string) (events.RunList, error) {
	f, err := a.filters(ctx, query)
	if err != nil {
		return events.RunList{}, err
	}
	page, err := a.list(ctx, f)
	return listOf(page), err
}

func listOf(page store.RunPage) events.RunList {
	list := events.RunList{Runs: []events.RunStatus{}, Cursor: page.Cursor}
	for _, r := range page.Runs {
		list.Runs = append(list.Runs, statusOf(r))
	}
	return list
}

func (a *API) list(ctx context.Context, f filters) (store.RunPage, error) {
	q := store.Query{By: store.ByStatus, Value: f.status, Cursor: f.cursor, Before: f.to}
	switch {
	case f.requester != "":
		q.By, q.Value = store.ByRequester, f.requester
	case f.approver != "":
		q.Value = store.ListOfDecider(f.approver)
	case f.target != "":
		q.Value = store.ListOfTarget(f.target)
	case f.flow != "":
		q.By, q.Value = store.ByFlow, f.flow
	case f.status == "":
		return store.RunPage{}, invalid("status", "give at least one of requester, approver, target, flow and status")
	}
	if _, _, err := q.Position(); err != nil {
		return store.RunPage{}, invalid("cursor", flow.UserMessage(err))
	}
	var list store.RunPage
	for looked, reads := 0, 0; looked < maxLooked && reads < maxReads; reads++ {
		q.Limit = f.limit - len(list.Runs)
		page, err := a.Runs.List(ctx, q)
		if err != nil {
			return store.RunPage{}, err
		}
		looked += len(page.Runs)
		for _, run := range page.Runs {
			if run.Created.Before(f.from) {
				page.Cursor = "" // so are all that follow
				break
			}
			if f.match(run) {
				list.Runs = append(list.Runs, run)
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
	return (f.agent.ID == "" || r.AsksAs(f.agent)) &&
		(f.requester == "" || r.Requester.ID == f.requester) &&
		(f.approver == "" || slices.ContainsFunc(r.DecidedBy(), func(who flow.Actor) bool { return who.ID == f.approver })) &&
		(f.target == "" || r.TargetID() == f.target) &&
		(f.flow == "" || r.Flow == f.flow) &&
		(f.status == "" || string(r.Status) == f.status) &&
		(!f.glass || r.BreakGlass != nil) &&
		(f.to.IsZero() || r.Created.Before(f.to)) &&
		strings.Contains(strings.ToLower(r.Reason()), f.text)
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
		case "approver":
			f.approver = a.userID(value)
		case "target":
			f.target = a.targetID(value)
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
		case "from", "to":
			at, err := dayOrTime(value)
			if err != nil {
				fault(name, "must be a day, such as 2026-11-01, or a time, such as 2026-11-01T09:30:00Z")
			}
			if name == "from" {
				f.from = at
			} else {
				f.to = at
			}
		case "text":
			f.text = strings.ToLower(value)
		case "limit":
			if f.limit, err = strconv.Atoi(value); err != nil || f.limit < 1 || f.limit > maxLimit {
				fault(name, "must be a whole number from 1 to "+strconv.Itoa(maxLimit))
			}
		case "cursor":
			f.cursor = value
		case "format":
			if f.csv = value == "csv"; !f.csv && value != "json" {
				fault(name, "must be json or csv")
			}
		default:
			fault(name, "is not a parameter of this listing, which has requester, approver, target, flow, status, break_glass, from, to, text, limit, cursor and format")
		}
	}
	if !f.from.IsZero() && !f.to.IsZero() && !f.from.Before(f.to) {
		fault("to", "must be later than from: what is created at that time or later is left out")
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b flow.FieldError) int { return strings.Compare(a.Field, b.Field) })
		return f, &flow.Error{Code: flow.CodeInvalid, Message: "some parameters are not right", Fields: faults}
	}
	return f, nil
}

// dayOrTime reads the beginning of a day in UTC, or a time.
func dayOrTime(given string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, given); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, given)
}

// targetID takes an id as it is, and makes one of a target's name or SRN.
func (a *API) targetID(given string) string {
	if uuid.Validate(given) == nil {
		return strings.ToLower(given)
	}
	if n, err := flow.ParseSRN(given); err == nil && n.Model == "access_target" {
		given = n.Slug
	}
	return flow.TargetID(a.Org, given)
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
