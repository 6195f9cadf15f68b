// Command transparency writes the transparency log. Each minute it takes what relay has
// queued, gives each record its place in the log, signs that, and sends the lines on to
// Firehose; and once an hour it signs though nothing has happened. It alone can read the
// key.
package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditlog"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (output, error), error) {
	settings := d.Settings.AWS
	bucket := logbucket.Bucket{
		API:  s3client.New(d.AWS),
		Name: settings.LogBucket, Locked: settings.LogLock != "", Now: d.Clock.Now,
		Kept: func(ctx context.Context, name string, why error) {
			d.Log.WarnContext(ctx, "a partial file of the transparency log was not removed, and takes room", "file", name, "error", why)
		},
	}
	stream := firehose.NewFromConfig(d.AWS)
	w := &writing{
		Deployed: d, bucket: bucket,
		queue: auditqueue.Queue{API: sqs.NewFromConfig(d.AWS), URL: settings.LogQueue, DeadLetters: settings.LogDeadLetters},
		writer: &transparency.Writer{
			Log: store.Log{Store: d.Runs.Store}, Files: bucket, Now: d.Clock.Now,
			Next:      auditlog.Firehose[events.AuditRecord]{API: stream, Stream: settings.AuditStream, Clock: d.Clock},
			NextAdmin: auditlog.Firehose[events.AdminRecord]{API: stream, Stream: settings.AdminStream, Clock: d.Clock},
		},
	}
	if name, prefix, ok := logbucket.Parse(settings.LogCheckpoints); ok {
		w.writer.Elsewhere = []transparency.Keeper{logbucket.Bucket{API: bucket.API, Name: name, Prefix: prefix}}
	} else if settings.LogCheckpoints != "" {
		w.writer.Elsewhere = []transparency.Keeper{channel{d, settings.LogCheckpoints}}
	}
	w.audit = d.Audit(w.writer, w.writer.Admin())
	return w.handle, nil
}

// channel connects to Slack once in an hour: a Slack that is down keeps nothing else waiting.
type channel struct {
	core.Deployed
	name string
}

// Keep implements [transparency.Keeper].
func (c channel) Keep(ctx context.Context, name string, text []byte) error {
	s, err := c.Slack(ctx)
	if err != nil {
		return err
	}
	return slackapp.Checkpoints{API: s.API, Channel: c.name}.Keep(ctx, name, text)
}

// input is the schedule's event, or what an administrator sends.
type input struct {
	Source string `json:"source"`
	// PruneBefore is a day, such as 2025-11-01: records of before it need not be kept.
	PruneBefore string `json:"prune_before"`
}

// reserve is how long before its time-out the function takes nothing more: longer than a
// batch of messages takes.
const reserve = 45 * time.Second

// writing is what the function works with. Invocations of one process come one after the
// other.
type writing struct {
	core.Deployed
	bucket logbucket.Bucket
	queue  auditqueue.Queue
	writer *transparency.Writer
	audit  workflow.Audit
	beaten time.Time // the hour that has a checkpoint
}

// output says from which index on records are kept, where that was asked.
type output struct {
	KeptFrom *int64 `json:"kept_from,omitempty"`
}

// handle takes either input.
func (w *writing) handle(ctx context.Context, in input) (output, error) {
	before, err := time.Parse(time.DateOnly, in.PruneBefore)
	if in.Source != "aws.events" && err != nil {
		return output{}, errors.New(`this is neither the schedule's event nor {"prune_before": "2025-11-01"}, with a day`)
	}
	if err := w.open(ctx); err != nil {
		return output{}, err
	}
	if in.PruneBefore == "" {
		return output{}, w.once(ctx)
	}
	from, err := w.writer.Prune(ctx, before)
	return output{&from}, err
}

// once writes what is queued. It signs for the hour even if that fails.
func (w *writing) once(ctx context.Context) error {
	failed := w.take(ctx)
	if hour := w.Clock.Now().Truncate(time.Hour); !hour.Equal(w.beaten) {
		if err := w.writer.Beat(ctx); err != nil {
			return errors.Join(failed, err)
		}
		w.beaten = hour
	}
	return failed
}

// open reads the keys, which may have changed, and writes the public ones beside the log.
func (w *writing) open(ctx context.Context) error {
	secret, err := w.Secrets.Value(ctx, flow.SecretRef{Name: "log-key", Path: w.Settings.AWS.LogKey})
	if err != nil {
		return err
	}
	keys, err := transparency.KeysFrom(secret, w.Settings.AWS.LogOrigin)
	if err != nil || keysEqual(keys, w.writer.Keys) {
		return err
	}
	var public strings.Builder
	for _, k := range keys {
		public.WriteString(k.Public() + "\n")
	}
	if err := w.bucket.Replace(ctx, transparency.PublicKeyName, []byte(public.String())); err != nil {
		return err
	}
	w.writer.Keys = keys
	return nil
}

func keysEqual(a, b []transparency.Key) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Secret() != b[i].Secret() {
			return false
		}
	}
	return true
}

// take writes what is queued until nothing is, or time is up. What can't be written is an
// error: it comes again in order.
func (w *writing) take(ctx context.Context) error {
	for {
		if until, ok := ctx.Deadline(); ok && until.Sub(w.Clock.Now()) < reserve {
			return nil // the next minute goes on
		}
		messages, err := w.queue.Take(ctx)
		if err != nil || len(messages) == 0 {
			return err
		}
		var items []workflow.Unshipped
		foreign := false
		for _, m := range messages {
			items = append(items, m.Items...)
			foreign = foreign || m.Items == nil
		}
		if err := w.audit.Ship(ctx, workflow.Together(items)); foreign || forGood(err) {
			err = w.each(ctx, messages)
			if err != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		if err := w.queue.Done(ctx, messages...); err != nil {
			return err
		}
	}
}

// forGood tells whether trying again is of no use.
func forGood(err error) bool {
	code := flow.CodeOf(err)
	return code == flow.CodeTooLarge || code == flow.CodeInvalid
}

// each writes messages one by one, and sets aside those that can never be written, so that
// they keep nobody waiting.
func (w *writing) each(ctx context.Context, messages []auditqueue.Message) error {
	for _, m := range messages {
		err := error(flow.Errorf(flow.CodeInvalid, "message %s names no run and no item", m.ID))
		if m.Items != nil {
			err = w.audit.Ship(ctx, m.Items)
		}
		switch {
		case err == nil:
			err = w.queue.Done(ctx, m)
		case forGood(err):
			w.Log.ErrorContext(ctx, "audit records can't be logged, and were set aside", "message", m.ID, "items", m.Items, "error", err)
			if err = w.queue.SetAside(ctx, m); err == nil {
				err = core.Report(os.Stdout, lambdacontext.FunctionName, w.Clock.Now(), map[string]int{config.FailureNotLogged: 1})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
