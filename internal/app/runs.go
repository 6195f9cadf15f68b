package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/terminal"
)

// showRuns prints runs as GET /runs lists them: of the state on this machine, or of a
// deployment's API.
func showRuns(ctx context.Context, args []string, settings config.Settings, getenv func(string) string, out io.Writer) error {
	set := flags("local runs", out)
	at := placeFlags(set)
	base := set.String("url", "", "instead of -data: URL of the API of a deployment (output ApiUrl), asked with the token in SYM_JWT")
	asJSON := set.Bool("json", false, "print the API's answer")
	filters := terminal.Filters(set)
	if err := parse(set, args); err != nil {
		return err
	}
	list, err := listRuns(ctx, at, *base, getenv("SYM_JWT"), filters(), settings)
	if err != nil {
		return err
	}
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	}
	return terminal.Table(out, list)
}

func listRuns(ctx context.Context, at place, base, token string, query url.Values, settings config.Settings) (events.RunList, error) {
	if base != "" {
		return remoteRuns(ctx, base, token, query)
	}
	if _, err := os.Stat(databaseFile(*at.data)); err != nil && !at.inAWS() {
		return events.RunList{}, fmt.Errorf("there is no state in %s: give -data, or -outputs or -url for a deployment's", *at.data)
	}
	db, err := at.open(ctx, settings)
	if err != nil {
		return events.RunList{}, err
	}
	defer db.Close()
	here := &api.API{Runs: store.Runs{Store: db.Store}, Flows: &store.Flows{Store: db.Store}, Org: db.settings.Org, Now: core.WallClock{}.Now}
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

func remoteRuns(ctx context.Context, base, token string, query url.Values) (events.RunList, error) {
	address, err := client.Address(base)
	if err != nil {
		return events.RunList{}, err
	}
	if token == "" {
		return events.RunList{}, fmt.Errorf("SYM_JWT is not set: put a token of the API into it (local token create makes one)")
	}
	return client.New(address, token).Runs(ctx, query)
}
