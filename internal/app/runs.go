package app

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// runFilters are the flags of "local runs": the parameters of GET /runs.
var runFilters = []struct{ name, usage string }{
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

// showRuns prints runs as GET /runs lists them: of the state on this machine, or of a
// deployment's API.
func showRuns(ctx context.Context, args []string, settings config.Settings, getenv func(string) string, out io.Writer) error {
	set := flags("local runs", out)
	data := set.String("data", ".local", dataUsage)
	base := set.String("url", "", "instead of -data: URL of the API of a deployment (output ApiUrl), asked with the token in SYM_JWT")
	asJSON := set.Bool("json", false, "print the API's answer")
	for _, f := range runFilters {
		set.String(f.name, "", f.usage)
	}
	if err := parse(set, args); err != nil {
		return err
	}
	query := url.Values{}
	set.Visit(func(given *flag.Flag) {
		for _, f := range runFilters {
			if f.name == given.Name {
				query.Set(strings.ReplaceAll(f.name, "-", "_"), given.Value.String())
			}
		}
	})
	list, err := listRuns(ctx, *data, *base, getenv("SYM_JWT"), query, settings)
	if err != nil {
		return err
	}
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RUN\tCREATED\tSTATUS\tWHO\tFLOW\tTARGET\tREASON")
	for _, r := range list.Runs {
		flowName := r.FlowSRN
		if n, err := flow.ParseSRN(r.FlowSRN); err == nil {
			flowName = n.Slug
		}
		fmt.Fprintln(table, strings.Join([]string{
			r.RunID, r.CreatedAt.Format(time.RFC3339), r.Status, cmp.Or(r.Requester.Username, r.Requester.Name), flowName, textOf(r.Fields[flow.KeyTarget]), flow.Clip(textOf(r.Fields[flow.FieldNameReason]), 60),
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
	return strings.Join(strings.Fields(text), " ")
}

func listRuns(ctx context.Context, data, base, token string, query url.Values, settings config.Settings) (events.RunList, error) {
	if base != "" {
		return remoteRuns(ctx, base, token, query)
	}
	if _, err := os.Stat(databaseFile(data)); err != nil {
		return events.RunList{}, fmt.Errorf("there is no state in %s: give -data, or -url for a deployment's", data)
	}
	db, err := openState(data)
	if err != nil {
		return events.RunList{}, err
	}
	defer db.Close()
	here := &api.API{Runs: store.Runs{Store: db}, Flows: &store.Flows{Store: db}, Org: settings.Org, Now: core.WallClock{}.Now}
	list, err := here.List(ctx, query.Encode())
	return list, said(err)
}

// said has an error tell the fields that it is about.
func said(err error) error {
	shown, ok := err.(*flow.Error)
	if !ok {
		return err
	}
	text := shown.Message
	for _, f := range shown.Fields {
		text += "; " + f.Field + " " + f.Message
	}
	return fmt.Errorf("%s", text)
}

func remoteRuns(ctx context.Context, base, token string, query url.Values) (list events.RunList, err error) {
	u, err := apiURL(base)
	if err != nil {
		return list, err
	}
	if token == "" {
		return list, fmt.Errorf("SYM_JWT is not set: put a token of the API into it (local token create makes one)")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u+"/runs?"+query.Encode(), nil)
	if err != nil {
		return list, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return list, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return list, err
	}
	if response.StatusCode != http.StatusOK {
		return list, refusal(response, answer)
	}
	return list, json.Unmarshal(answer, &list)
}
