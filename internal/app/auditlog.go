package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
)

// logDir is the folder of the transparency log.
func logDir(data string) string { return filepath.Join(data, "audit-log") }

// logKeyFile has the key that signs it. It lies outside of the log, which others are
// given to check.
func logKeyFile(data string) string { return filepath.Join(data, "audit-log.key") }

// openLog makes what writes the transparency log, whose lines go on to the files of
// records. What it keeps in the store wakes none of the readers of changes.
func (l *Local) openLog(ctx context.Context, db store.Store) (*transparency.Writer, error) {
	o := l.options
	folder := &audit.Folder{Dir: logDir(o.Data), MakeRoom: l.reserve.MakeRoom}
	keys, made, err := folder.Keys(ctx, logKeyFile(o.Data), "localhost/"+o.Settings.Org+"/audit-log")
	if err != nil {
		return nil, err
	}
	log := store.Log{Store: db}
	if head, _, err := log.Head(ctx); err != nil {
		return nil, err
	} else if made && head.Size > 0 {
		o.Log.WarnContext(ctx, "the key of the transparency log was gone, and a new one was made: tell those who verify the log, for whom the log is another's from here on", "file", logKeyFile(o.Data))
	}
	w := &transparency.Writer{Log: log, Files: folder, Keys: keys, Next: followed{l.Audit, &l.logged}, NextAdmin: followed{l.Admin, &l.logged}, Now: o.Clock.Now}
	l.Receipts = &transparency.Prover{Log: log, Files: folder}
	for _, k := range keys {
		l.Receipts.Public = append(l.Receipts.Public, k.Public())
	}
	return w, nil
}

// startBeat has the log signed each hour, and the checkpoint sent elsewhere.
func (l *Local) startBeat(w *transparency.Writer, api *slack.Client) error {
	o := l.options
	switch to := o.Checkpoints; {
	case strings.HasPrefix(to, "#"):
		w.Elsewhere = []transparency.Keeper{slackapp.Checkpoints{API: api, Channel: to}}
	case to != "":
		if info, err := os.Stat(to); err != nil || !info.IsDir() {
			return fmt.Errorf("-checkpoints is %q: name a folder that is there, on another disk or machine, or a channel of Slack, such as #audit-log", to)
		}
		w.Elsewhere = []transparency.Keeper{&audit.Folder{Dir: to}}
	}
	beat := func(ctx context.Context) {
		if err := w.Beat(ctx); err != nil {
			o.Log.ErrorContext(ctx, "the transparency log was not signed, or the checkpoint not kept elsewhere: the next hour makes up for it", "error", err)
		}
	}
	l.Engine.Go("transparency log", beat)
	l.Engine.Every("transparency log", time.Hour, func(ctx context.Context) error { beat(ctx); return nil })
	return nil
}

// receipt gives the receipts of a run as the API does.
func (l *Local) receipt(ctx context.Context, run string) ([]byte, error) {
	r, err := l.Runs.Get(ctx, run)
	if err != nil {
		return nil, err
	}
	receipts, err := l.Receipts.OfRun(ctx, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(receipts)
}
