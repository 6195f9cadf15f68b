package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// recovers puts grants back that the table lacks and the audit log tells of.
func recovers(ctx context.Context, args []string, out io.Writer) error {
	set := flags("local recover", out)
	data := set.String("data", ".local", dataUsage+", whose server must be stopped")
	table := set.String("table", "", "instead of -data: table of a deployment in AWS, written with this shell's credentials")
	log := set.String("audit", "", "folder, or s3://bucket/audit, of the audit records (default audit in -data)")
	logged := set.String("log", "", "with -table: s3://bucket of the transparency log, which goes on where its files are; none if the deployment had none")
	since := set.String("since", "", "day, or time (RFC 3339), up to which the table is known to be whole: records from its hour on are read (required)")
	if err := parse(set, args); err != nil {
		return err
	}
	from, err := recoverFrom(*since)
	if err != nil {
		return err
	}
	if *table != "" && *log == "" {
		return errors.New("-audit is missing: give the audit bucket (output AuditBucketName) as s3://NAME/audit, or a folder that it was copied to")
	}
	if *table != "" && *logged == "" {
		return errors.New("-log is missing: give the bucket of the transparency log (output LogBucketName) as s3://NAME, or none if the deployment had none")
	}
	lines, err := openFolder(ctx, cmp.Or(*log, filepath.Join(*data, "audit")))
	if err != nil {
		return err
	}
	db, by, done, err := openAlone(ctx, *data, *table)
	if err != nil {
		return err
	}
	v := workflow.Recovery{
		Runs: store.Runs{Store: db}, Grants: store.Grants{Store: db}, Flows: &store.Flows{Store: db}, Acts: store.Acts{Store: db, Now: time.Now},
		Now: time.Now, By: by, Table: cmp.Or(*table, *data),
	}
	err = showRecovery(ctx, v, from, lines, out)
	if *table == "" {
		err = errors.Join(err, resumeHere(ctx, *data, db))
	} else if *logged != "none" {
		err = errors.Join(err, resumeInAWS(ctx, *logged, db))
	}
	return errors.Join(err, done())
}

// resumeHere has the transparency log of this machine go on where its files are.
func resumeHere(ctx context.Context, data string, db store.Store) error {
	if _, err := os.Stat(logKeyFile(data)); errors.Is(err, fs.ErrNotExist) {
		return nil // there is none
	}
	folder := &audit.Folder{Dir: logDir(data)}
	keys, _, err := folder.Keys(ctx, logKeyFile(data), "")
	if err != nil {
		return fmt.Errorf("go on with the transparency log in %s: %w", folder.Dir, err)
	}
	var public []string
	for _, k := range keys {
		public = append(public, k.Public())
	}
	return resume(ctx, folder.Dir, db, folder, public)
}

// resumeInAWS has the transparency log of a deployment go on where its files are. Its
// public keys are beside them.
func resumeInAWS(ctx context.Context, url string, db store.Store) error {
	name, prefix, ok := logbucket.Parse(url)
	if !ok {
		return fmt.Errorf("-log is %q: give s3:// and the name of a bucket (output LogBucketName)", url)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	bucket := logbucket.Bucket{API: s3client.New(cfg), Name: name, Prefix: prefix}
	keys, err := bucket.Read(ctx, transparency.PublicKeyName)
	if err != nil {
		return fmt.Errorf("go on with the transparency log in %s: %w", url, err)
	}
	return resume(ctx, url, db, bucket, strings.Fields(string(keys)))
}

func resume(ctx context.Context, where string, db store.Store, files transparency.Files, keys []string) error {
	if _, err := transparency.Resume(ctx, store.Log{Store: db}, files, keys); err != nil {
		return fmt.Errorf("go on with the transparency log in %s: %w", where, err)
	}
	return nil
}

func recoverFrom(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("-since is missing, or no time: give the time of which the table was restored, and of a table that is lost the day on which the oldest live access may have begun, such as 2026-03-02 or 2026-03-02T09:00:00Z")
}

// openAlone opens a table to be written: of this machine, that no server has open, or
// of AWS.
func openAlone(ctx context.Context, data, table string) (db store.Store, by flow.Principal, done func() error, err error) {
	if table != "" {
		cfg, who, err := caller(ctx)
		return dynamo.New(cfg, table, time.Now), who, func() error { return nil }, err
	}
	release, err := sqlite.Lock(data)
	if err != nil {
		return nil, by, nil, err
	}
	// The consumers are named, so that a new table keeps for them what is written now.
	s, err := sqlite.Open(databaseFile(data), time.Now, relayConsumer, notifyConsumer, auditConsumer)
	if err != nil {
		return nil, by, nil, errors.Join(err, release())
	}
	return s, flow.Operator, func() error { return errors.Join(s.Close(), release()) }, nil
}

// caller finds this shell's AWS credentials, and whose they are.
func caller(ctx context.Context) (aws.Config, flow.Principal, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, flow.Principal{}, fmt.Errorf("find AWS credentials: %w", err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return cfg, flow.Principal{}, fmt.Errorf("ask AWS whose credentials these are: %w", err)
	}
	return cfg, flow.Principal{Kind: flow.PrincipalAWS, Name: aws.ToString(who.Arn)}, nil
}

// openFolder opens a folder, or what lies under a prefix of a bucket.
func openFolder(ctx context.Context, url string) (fs.FS, error) {
	name, prefix, ok := logbucket.Parse(url)
	if !ok {
		if info, err := os.Stat(url); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("there is no folder %s", url)
		}
		return os.DirFS(url), nil
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("find AWS credentials: %w", err)
	}
	return logbucket.Bucket{API: s3client.New(cfg), Name: name, Prefix: prefix}.FS(ctx), nil
}

// recordsSince reads the records that arrived from the hour of a time on, in the
// layout that they have in S3 and here alike.
func recordsSince(log fs.FS, since time.Time) iter.Seq2[events.AuditRecord, error] {
	from := since.UTC().Format("year=2006/month=01/day=02/hour=15")
	return func(yield func(events.AuditRecord, error) bool) {
		err := fs.WalkDir(log, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != "." && name < from[:min(len(from), len(name))]:
				return fs.SkipDir
			case d.IsDir() || !strings.HasPrefix(name, "year=") || !strings.HasSuffix(name, ".jsonl.gz"):
				return nil
			}
			file, err := log.Open(name)
			if err != nil {
				return err
			}
			defer file.Close()
			for r, err := range record.Lines(file) {
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				if !yield(r, nil) {
					return fs.SkipAll
				}
			}
			return nil
		})
		if err != nil {
			yield(events.AuditRecord{}, err)
		}
	}
}

// recoveryOrder is in which counts are shown.
var recoveryOrder = []string{
	workflow.RecoveredGrant, workflow.RecoveredEnd, workflow.RecoveredDoubt, workflow.RecoveryFailed,
	workflow.RecoveredAsked, workflow.RecoveredNone, workflow.RecoveredOver,
}

// showRecovery recovers, and says what it did. The error says that there is something
// left to look at.
func showRecovery(ctx context.Context, v workflow.Recovery, since time.Time, log fs.FS, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var notes []string
	count, err := v.Run(ctx, since, recordsSince(log, since), func(r workflow.Recovered) {
		what := r.What
		switch {
		case r.Err != nil:
			what = workflow.RecoveryFailed
			notes = append(notes, fmt.Sprintf("%s: %v", r.Run, r.Err))
		case r.Why != "":
			notes = append(notes, fmt.Sprintf("%s: %s at %s: %s", r.Run, r.Person, cmp.Or(r.Target, "its target"), r.Why))
		case what == workflow.RecoveredNone || what == workflow.RecoveredOver:
			return
		}
		end := "by hand only"
		if !r.End.IsZero() {
			end = r.End.UTC().Format(time.RFC3339)
		}
		if what != workflow.RecoveredGrant && what != workflow.RecoveryFailed {
			end = ""
		}
		fmt.Fprintln(table, strings.Join([]string{what, r.Run, r.Flow, r.Person, r.Target, end}, "\t"))
	})
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(out, note)
	}
	for _, what := range recoveryOrder {
		fmt.Fprintf(out, "%d %s\n", count[what], what)
	}
	if left := count[workflow.RecoveryFailed] + count[workflow.RecoveredDoubt]; err == nil && left > 0 {
		err = fmt.Errorf("%d runs are to be looked at by hand: the list says why", left)
	}
	return err
}
