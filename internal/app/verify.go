package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/transparency"
)

// auditCommand is the command audit, for those who check the record.
func auditCommand(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("audit wants one of: verify, receipt, prune")
	}
	switch verb, args := args[0], args[1:]; verb {
	case "verify":
		return verify(ctx, args, out)
	case "receipt":
		return checkReceipt(args, out)
	case "prune":
		return prune(ctx, args, out)
	default:
		return fmt.Errorf("audit has no %q: use verify, receipt or prune", verb)
	}
}

// keyFlag adds the flag of the log's public keys.
func keyFlag(set *flag.FlagSet, keys *[]string) {
	set.Func("key", "public key of the log, or a file with one a line; give it once for each, the old ones too where the key was changed", func(given string) error {
		text := given
		if !strings.Contains(given, "+") {
			read, err := os.ReadFile(given)
			if err != nil {
				return err
			}
			text = string(read)
		}
		*keys = append(*keys, strings.Fields(text)...)
		return nil
	})
}

// argument takes the one argument of a command that may stand before its flags.
func argument(set *flag.FlagSet, args []string, what string) (string, error) {
	given := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		given, args = args[0], args[1:]
	}
	if err := set.Parse(args); err != nil {
		return "", err
	}
	if rest := set.Args(); given == "" && len(rest) == 1 {
		return rest[0], nil
	}
	if given == "" || set.NArg() > 0 {
		return "", fmt.Errorf("%s wants %s, and flags after it", set.Name(), what)
	}
	return given, nil
}

// verify checks a transparency log, and fails if anything is wrong with it.
func verify(ctx context.Context, args []string, out io.Writer) error {
	set := flags("local audit verify", out)
	v := transparency.Verification{Now: time.Now()}
	keyFlag(set, &v.Public)
	var lines []string
	set.Func("lines", "folder, or s3://bucket/prefix, of the JSON lines, or of audit/ and admin/ with them; give it once for each (default those beside a log in a folder; with none, lines are not compared)", func(given string) error {
		lines = append(lines, given)
		return nil
	})
	stored := set.String("store", "", "also compare the events of a deployment: its data folder, or dynamodb:TABLE")
	progress := set.String("progress", "", "file that says how far an earlier verification has come, to go on from there; it is made, and kept up to date")
	set.DurationVar(&v.Lag, "lag", 0, "how long a record may be on its way to the lines (default 15m for buckets, none for folders)")
	set.DurationVar(&v.MaxSilence, "max-silence", 0, "fail if there is no checkpoint for so long, up to now; they are written each hour (default: say so only)")
	set.Func("checkpoint", "checkpoint that was kept elsewhere: a file, copied from Slack as well, or a folder or s3://bucket/prefix of them; give it once for each", func(given string) error {
		kept, err := keptCheckpoints(ctx, given)
		v.Against = append(v.Against, kept...)
		return err
	})
	where, err := argument(set, args, "the log: a folder, or s3://bucket/prefix")
	if err != nil {
		return err
	}
	if err := openEvidence(ctx, &v, where, lines); err != nil {
		return err
	}
	if len(v.Public) == 0 {
		public, err := fs.ReadFile(v.Log, transparency.PublicKeyName)
		if err != nil {
			return fmt.Errorf("-key is missing: give the log's public key, which its owner keeps where the log's writers can't change it")
		}
		v.Public = strings.Fields(string(public))
		fmt.Fprintf(out, "warning: the key is the one that lies beside the log: whoever can rewrite the log can replace it. Give the one that you know by -key\n")
	}
	if *stored != "" {
		s, done, err := openStored(ctx, *stored)
		if err != nil {
			return err
		}
		defer done()
		v.Stored = s
	}
	if *progress != "" {
		if v.Progress, err = readProgress(*progress); err != nil {
			return err
		}
		v.Save = func(p transparency.Progress) error { return saveProgress(*progress, p) }
	}
	report, err := v.Run(ctx)
	if err != nil {
		return err
	}
	return showReport(out, v, report)
}

// keptCheckpoints reads checkpoints that were kept elsewhere: one of a file, or all of a
// folder or bucket.
func keptCheckpoints(ctx context.Context, given string) (kept [][]byte, err error) {
	var files fs.FS
	if info, err := os.Stat(given); err == nil && !info.IsDir() {
		text, err := os.ReadFile(given)
		return [][]byte{copied(text)}, err
	}
	if files, err = openFolder(ctx, given); err != nil {
		return nil, err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		text, err := fs.ReadFile(files, name)
		kept = append(kept, copied(text))
		return err
	})
	if err == nil && len(kept) == 0 {
		err = fmt.Errorf("%s has no checkpoints", given)
	}
	return kept, err
}

// copied takes a checkpoint out of a message of Slack's that was copied.
func copied(text []byte) []byte {
	const fence = "```"
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	if _, after, fenced := strings.Cut(s, fence); fenced {
		s, _, _ = strings.Cut(after, fence)
	}
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// openBucket opens s3://bucket/prefix with this shell's credentials.
func openBucket(ctx context.Context, url string) (logbucket.Bucket, error) {
	name, prefix, _ := logbucket.Parse(url)
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return logbucket.Bucket{}, fmt.Errorf("find AWS credentials: %w", err)
	}
	return logbucket.Bucket{API: s3client.New(cfg), Name: name, Prefix: prefix}, nil
}

// openEvidence opens the log and its lines.
func openEvidence(ctx context.Context, v *transparency.Verification, where string, lines []string) error {
	const delivery = 15 * time.Minute // Firehose's time to a file, at most
	open := func(url string) (fs.FS, error) {
		if _, _, remote := logbucket.Parse(url); remote {
			v.Lag = cmp.Or(v.Lag, delivery)
		}
		return openFolder(ctx, url)
	}
	if _, _, remote := logbucket.Parse(where); !remote {
		if _, err := os.Stat(logDir(where)); err == nil {
			where = logDir(where) // it is a data folder
		}
		if beside := filepath.Dir(filepath.Clean(where)); len(lines) == 0 {
			for _, name := range linesDirs {
				if _, err := os.Stat(filepath.Join(beside, name)); err == nil {
					lines = append(lines, filepath.Join(beside, name))
				}
			}
		}
	}
	var err error
	if v.Log, err = open(where); err != nil {
		return err
	}
	for _, given := range lines {
		folder, err := open(given)
		if err != nil {
			return err
		}
		in, err := fs.ReadDir(folder, ".")
		if err != nil {
			return err
		}
		split := false
		for _, d := range in {
			if slices.Contains(linesDirs, d.Name()) && d.IsDir() {
				part, err := fs.Sub(folder, d.Name())
				if err != nil {
					return err
				}
				v.Lines, split = append(v.Lines, part), true
			}
		}
		if !split {
			v.Lines = append(v.Lines, folder)
		}
	}
	return nil
}

// linesDirs are the folders of lines, in buckets too: of what happened to runs, and of
// what administrators did.
var linesDirs = []string{"audit", "admin"}

// openStored opens the store of a deployment, to be read.
func openStored(ctx context.Context, where string) (all iter.Seq2[transparency.Stored, error], done func() error, err error) {
	var s store.Store
	done = func() error { return nil }
	if table, remote := strings.CutPrefix(where, "dynamodb:"); remote {
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("find AWS credentials: %w", err)
		}
		s = dynamo.New(cfg, table, time.Now)
	} else {
		db, err := openState(where)
		if err != nil {
			return nil, nil, err
		}
		s, done = db, db.Close
	}
	runs := store.Runs{Store: s}
	return func(yield func(transparency.Stored, error) bool) {
		for cursor := ""; ; {
			page, err := runs.List(ctx, store.Query{By: store.ByKind, Cursor: cursor})
			if err != nil {
				yield(transparency.Stored{}, err)
				return
			}
			for _, r := range page.Runs {
				for _, e := range r.Events {
					if !yield(transparency.Stored{Run: r.ID, ID: e.ID, Rev: e.Rev, Changed: r.Touched}, nil) {
						return
					}
				}
			}
			if cursor = page.Cursor; cursor == "" {
				return
			}
		}
	}, done, nil
}

func readProgress(file string) (*transparency.Progress, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var p transparency.Progress
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s says nothing of an earlier verification: remove it to check everything anew: %w", file, err)
	}
	return &p, nil
}

func saveProgress(file string, p transparency.Progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// shownFaults is how many faults are printed.
const shownFaults = 20

// showReport writes a report for people. The error says that something is wrong.
func showReport(out io.Writer, v transparency.Verification, r transparency.Report) error {
	if c := r.Checkpoint; !c.At.IsZero() {
		fmt.Fprintf(out, "log %s: %d records, signed on %s\nroot %s\n", c.Origin, c.Tree.N, c.At.Format(time.RFC3339), c.Tree.Hash)
		fmt.Fprintf(out, "%d records read, %d checkpoints of hours\n", r.Records, r.Kept)
		if v.Lines == nil {
			fmt.Fprintln(out, "lines: not compared (-lines)")
		} else {
			fmt.Fprintf(out, "%d lines read", r.Lines)
			if r.OnTheirWay > 0 {
				fmt.Fprintf(out, "; the lines of %d new records are on their way", r.OnTheirWay)
			}
			if r.Unplaced > 0 {
				fmt.Fprintf(out, "; %d lines are from before the log began, which proves nothing of them", r.Unplaced)
			}
			fmt.Fprintln(out)
		}
		if v.Stored != nil {
			fmt.Fprintf(out, "%d events of the store compared\n", r.Stored)
		}
	}
	if r.Pruned > 0 {
		fmt.Fprintf(out, "pruned: the records before %d need not be kept, as the log has signed\n", r.Pruned)
	}
	for _, c := range r.KeyChanges {
		fmt.Fprintf(out, "the key was changed on %s, when the log had %d records", c.At.Format(time.RFC3339), c.From)
		if c.Vouched {
			fmt.Fprintln(out, "; a key that signed before has signed for the new one")
		} else {
			fmt.Fprintln(out, ": no key that signed before has signed for the new one. Ask whoever runs this why, and compare with a checkpoint that you kept (-checkpoint)")
		}
	}
	for _, s := range r.Silences {
		fmt.Fprintf(out, "silence: no checkpoint from %s to %s (%s): it was stopped then, or checkpoints were removed\n", s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), s.Until.Sub(s.From).Round(time.Minute))
	}
	for i, f := range r.Faults {
		if i == 0 && f.Record >= 0 {
			fmt.Fprintf(out, "the first bad record is %d\n", f.Record)
		}
		if i == shownFaults {
			fmt.Fprintf(out, "and %d more\n", r.Found-shownFaults)
			break
		}
		fmt.Fprint(out, "WRONG: ")
		if f.Where != "" {
			fmt.Fprint(out, f.Where, ": ")
		}
		fmt.Fprintf(out, "%s %s\n", f.What, f.Means)
	}
	if r.Found > 0 {
		return fmt.Errorf("the record is not as it was signed: %d faults", r.Found)
	}
	fmt.Fprintln(out, "all is as it was signed")
	return nil
}

// checkReceipt checks receipts that the API gave, with nothing but a public key.
func checkReceipt(args []string, out io.Writer) error {
	set := flags("local audit receipt", out)
	var keys []string
	keyFlag(set, &keys)
	file, err := argument(set, args, "a file with what GET /runs/{id}/receipt gave")
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return errors.New("-key is missing: give the log's public key, which you know from its owner, not from the receipt")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var given events.RunReceipts
	if err := json.Unmarshal(text, &given); err != nil || len(given.Receipts) == 0 {
		return fmt.Errorf("%s has no receipts: give a file with the whole answer of GET /runs/{id}/receipt", file)
	}
	for _, r := range given.Receipts {
		index, c, err := transparency.CheckReceipt([]byte(r.Record), []byte(r.Proof), keys...)
		if err != nil {
			return fmt.Errorf("%s: %w", r.EventID, err)
		}
		var record events.AuditRecord
		if err := json.Unmarshal([]byte(r.Record), &record); err != nil {
			return fmt.Errorf("%s was logged, and is no audit record: %w", r.EventID, err)
		}
		who := cmp.Or(record.Actor.Username, record.Actor.Name)
		fmt.Fprintf(out, "%s %s by %s, %s: record %d of %s, signed on %s\n", record.Event.Timestamp.Format(time.RFC3339), record.Event.Type, who, record.State.Status, index, c.Origin, c.At.Format(time.RFC3339))
	}
	return nil
}
