package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
)

// drift shows how targets differ from what was granted, as the last comparison of
// a deployment found, or compares a deployment on this machine now.
func drift(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local drift", out)
	at := placeFlags(set)
	now := set.Bool("now", false, "compare now, with the credentials of this machine, instead of showing the last comparison")
	if err := parse(set, args); err != nil {
		return err
	}
	if *now && at.inAWS() {
		return errors.New(`-now compares what is granted from this machine: invoke the function drift of the deployment with {"now": true}`)
	}
	db, err := at.open(ctx, settings)
	if err != nil {
		return err
	}
	defer db.Close()
	c := core.New(db.settings, db.Store, core.Clocks{Business: db.clock, Wall: core.Wall{Clock: core.WallClock{}}}, slog.New(slog.NewTextHandler(out, nil)))
	comparison, _, err := c.Drifts.Get(ctx)
	if err != nil {
		return err
	}
	report := comparison.Last
	if *now {
		kept, err := lambdahost.Restore(keptFunctionsIn(*at.data))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		compare := c.Reconcile(clients.Open(clients.Deps{
			AWS: func() (aws.Config, error) { return awsconfig.LoadDefaultConfig(ctx) }, Looking: true, Now: time.Now,
			Secrets: kept.Secrets, Egress: egress.New(egress.Machine, nil),
		}), builtin.Observes)
		compare.Every = 0
		if report, err = compare.Look(ctx); err != nil {
			return err
		}
	}
	return showDrift(out, report)
}

// showDrift writes a report for people.
func showDrift(out io.Writer, report store.DriftReport) error {
	if report.Ended.IsZero() {
		fmt.Fprintln(out, "nothing was compared yet: -now does it now")
		return nil
	}
	fmt.Fprintf(out, "compared %s at %s, %s\n", count(report.Grants, "grant"), counted(report.Targets), report.Ended.Format(time.RFC3339))
	switch {
	case len(report.Found) > 0:
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "DIFFERS\tWHO\tAT THE TARGET\tTARGET\tSINCE\tRUN")
		for _, d := range report.Found {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Kind, cmp.Or(d.Requester, "-"), d.Identity, d.Title, d.Since.Format(time.RFC3339), cmp.Or(d.Run, "-"))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	case len(report.Unseen) == 0:
		fmt.Fprintln(out, "all targets show what was granted")
	}
	if report.More > 0 {
		fmt.Fprintf(out, "and %d more\n", report.More)
	}
	for _, title := range slices.Sorted(maps.Keys(report.Unknown)) {
		fmt.Fprintf(out, "%s: nobody asked here for the access that %s\n", title, have(report.Unknown[title]))
	}
	for _, title := range slices.Sorted(maps.Keys(report.Unseen)) {
		fmt.Fprintf(out, "%s could not be compared: %s\n", title, report.Unseen[title])
	}
	return nil
}

// have says how many people there are: "1 person has", "3 people have".
func have(n int) string {
	if n == 1 {
		return "1 person has"
	}
	return fmt.Sprintf("%d people have", n)
}
