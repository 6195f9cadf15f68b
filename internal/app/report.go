package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/report"
)

// reportCommand prints the report of a month of a deployment on this machine, or in AWS.
func reportCommand(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local report", out)
	at := placeFlags(set)
	text := set.String("month", "", "the month, such as 2026-11 (default: the last one that is over)")
	asPage := set.Bool("html", false, "print one HTML page, to be shown or printed")
	asJSON := set.Bool("json", false, "print the figures as JSON")
	if err := parse(set, args); err != nil {
		return err
	}
	if *asPage && *asJSON {
		return errors.New("give -html or -json, and not both")
	}
	db, err := at.open(ctx, settings)
	if err != nil {
		return err
	}
	defer db.Close()
	proof, err := at.proof()
	if err != nil {
		return err
	}
	now := db.clock.Now().UTC()
	month := now.AddDate(0, 0, 1-now.Day()).AddDate(0, -1, 0).Truncate(24 * time.Hour)
	if *text != "" {
		if month, err = report.Month(*text); err != nil {
			return fmt.Errorf("-month: %w", err)
		}
	}
	c := core.New(db.settings, db.Store, core.Clocks{Business: db.clock, Wall: core.Wall{Clock: core.WallClock{}}}, slog.New(slog.NewTextHandler(out, nil)))
	r, err := c.Reports(proof, nil).Of(ctx, month)
	if err != nil {
		return err
	}
	var printed []byte
	switch {
	case *asPage:
		printed, err = r.Page()
	case *asJSON:
		printed, err = r.JSON()
	default:
		printed = []byte(r.Text())
	}
	if err != nil {
		return err
	}
	_, err = out.Write(printed)
	return err
}

// proof says where readers of a report of this deployment find what proves it.
func (p place) proof() (report.Place, error) {
	if !p.inAWS() {
		return report.Here(*p.data), nil
	}
	audit, err := p.output("AuditBucketName")
	if err != nil {
		return report.Place{}, err
	}
	log, err := p.output("LogBucketName")
	return report.InAWS(*p.outputs, audit, log), err
}

// reportFolder keeps the reports of months in the data folder. It implements
// workflow.ReportFiles.
type reportFolder string

func (data reportFolder) file(name string) string {
	return filepath.Join(string(data), "reports", name)
}

// Has implements workflow.ReportFiles.
func (data reportFolder) Has(_ context.Context, name string) (bool, error) {
	_, err := os.Stat(data.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Put implements workflow.ReportFiles. Reports say who asked for what: they are for
// this user only.
func (data reportFolder) Put(_ context.Context, name, _ string, content []byte) (string, error) {
	file := data.file(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fmt.Errorf("make the folder of reports: %w", err)
	}
	if err := writeWhole(file, content); err != nil {
		return "", fmt.Errorf("keep the report: %w", err)
	}
	return file, nil
}
