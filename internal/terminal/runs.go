package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// filters are the flags of commands that list runs: the parameters of GET /runs.
var filters = []struct{ name, usage string }{
	{"requester", "e-mail address of whoever asked, or name of a bot"},
	{"approver", "e-mail address of somebody who approved or denied"},
	{"target", "name of a target"},
	{"flow", "name of a flow"},
	{"status", "status, such as escalated"},
	{"break-glass", "true: emergencies only"},
	{"from", "day, or time (RFC 3339), of the first that is wanted"},
	{"to", "day, or time, before which they were created"},
	{"text", "what is in the reason"},
	{"limit", "how many at most (default 50)"},
	{"cursor", "where the page before ended"},
}

// Filters adds the flags that sift runs to a set. The function that it returns gives, once
// the flags are parsed, the parameters of GET /runs.
func Filters(set *flag.FlagSet) func() url.Values {
	for _, f := range filters {
		set.String(f.name, "", f.usage)
	}
	return func() url.Values {
		query := url.Values{}
		set.Visit(func(given *flag.Flag) {
			for _, f := range filters {
				if f.name == given.Name {
					query.Set(strings.ReplaceAll(f.name, "-", "_"), given.Value.String())
				}
			}
		})
		return query
	}
}

// list lists runs; without filters those that have live access.
func (c Command) list(ctx context.Context, args []string) error {
	set, connection := c.flags("list", "")
	query := Filters(set)
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	api, err := c.connect(connection)
	if err != nil {
		return err
	}
	given := query()
	if len(given) == 0 {
		given.Set("status", "escalated")
	}
	runs, err := api.Runs(ctx, given)
	if err != nil {
		return err
	}
	if *connection.json {
		return json.NewEncoder(c.Out).Encode(runs)
	}
	return Table(c.Out, runs)
}

// Table prints runs, a line each.
func Table(out io.Writer, list events.RunList) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RUN\tCREATED\tSTATUS\tWHO\tFLOW\tTARGET\tREASON")
	for _, r := range list.Runs {
		name := r.FlowSRN
		if n, err := flow.ParseSRN(r.FlowSRN); err == nil {
			name = n.Slug
		}
		target, _ := r.Fields[flow.KeyTarget].(map[string]any)
		fmt.Fprintln(table, strings.Join([]string{
			r.RunID, clock(r.CreatedAt), r.Status, line(cmp.Or(r.Requester.Username, r.Requester.Name)), name, textOf(target["name"]), flow.Clip(textOf(r.Fields[flow.FieldNameReason]), 60),
		}, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if list.Cursor != "" {
		fmt.Fprintf(out, "there may be more: -cursor %s\n", list.Cursor)
	}
	return nil
}

// textOf gives a text as one line; "" for what is none.
func textOf(value any) string {
	text, _ := value.(string)
	return line(text)
}
