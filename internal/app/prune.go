package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
)

// prune removes records from a transparency log that the log has signed need not be kept; of
// a log on this machine it signs that first. Who signs in AWS can't remove, and who removes
// can't sign.
func prune(ctx context.Context, args []string, out io.Writer) error {
	set := flags("local audit prune", out)
	var public []string
	keyFlag(set, &public)
	before := set.String("before", "", "sign first that records of before this day need not be kept, such as 2025-11-01 (UTC); for a log on this machine, in its data folder")
	where, err := argument(set, args, "the log: a data folder, or s3://bucket/prefix")
	if err != nil {
		return err
	}
	var log fs.FS
	var remove func(ctx context.Context, name string) error
	if _, _, remote := logbucket.Parse(where); remote {
		if *before != "" {
			return errors.New("-before is for a log on this machine: in AWS the function transparency signs, by aws lambda invoke with {\"prune_before\": \"2025-11-01\"}")
		}
		bucket, err := openBucket(ctx, where)
		if err != nil {
			return err
		}
		log, remove = bucket.FS(ctx), bucket.Remove
	} else {
		folder := &audit.Folder{Dir: logDir(where)}
		if _, err := os.Stat(folder.Dir); err != nil {
			return fmt.Errorf("%s is no data folder: it has no audit-log", where)
		}
		if *before != "" {
			if err := signPruning(ctx, where, folder, *before); err != nil {
				return err
			}
		}
		log, remove = os.DirFS(folder.Dir), folder.Remove
	}
	if public == nil {
		text, err := fs.ReadFile(log, transparency.PublicKeyName)
		if err != nil {
			return errors.New("-key is missing: give the log's public key")
		}
		public = strings.Fields(string(text))
	}
	text, err := fs.ReadFile(log, transparency.CheckpointName)
	if err != nil {
		return err
	}
	c, err := transparency.Open(text, public...)
	if err != nil {
		return err
	}
	from, err := transparency.PrunedTo(log, public...)
	if err != nil {
		return err
	}
	names, err := transparency.Prunable(ctx, log, from, c.Tree.N)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := remove(ctx, name); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "the log keeps its records from %d on; %d files were removed\n", from, len(names))
	return nil
}

// signPruning signs that records of before a day need not be kept.
func signPruning(ctx context.Context, data string, folder *audit.Folder, day string) error {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fmt.Errorf("-before is %q: write a day such as 2025-11-01", day)
	}
	text, err := os.ReadFile(logKeyFile(data))
	if err != nil {
		return err
	}
	keys, err := transparency.ParseKeys(string(text))
	if err != nil {
		return err
	}
	db, err := openState(data)
	if err != nil {
		return err
	}
	w := transparency.Writer{Log: store.Log{Store: db}, Files: folder, Keys: keys, Now: time.Now}
	_, err = w.Prune(ctx, at)
	return errors.Join(err, db.Close())
}
