// Command deliver sends the records of the transparency log to the log destinations of the
// configuration, each minute. It reads the log and can't write it; of the table it reads
// which destinations there are, and keeps how far each has been sent.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/destination/clients"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
)

// reserve is how long before its time-out the function begins nothing more: longer than
// writing down how far it has come takes.
const reserve = 10 * time.Second

// input is the schedule's event, or what an administrator sends.
type input struct {
	Source string `json:"source"`
	// List asks how each destination stands, after it was sent what there is.
	List bool `json:"list"`
	// Replay names a destination that is sent the log again, from the record From on; by its
	// id, or as <type>/<name>, where others have its name.
	Replay string `json:"replay"`
	From   *int64 `json:"from"`
}

// invoker is whoever asks for a replay: Lambda does not tell who invokes a function, and
// CloudTrail does, of functions whose data events it is to keep.
var invoker = flow.Principal{Kind: flow.PrincipalAWS, Name: "whoever may invoke this function"}

func main() { awslambda.Start(core.Start(build)) }

// standing is how a destination stands, for an administrator.
type standing struct {
	Name         string        `json:"name"`
	Type         string        `json:"type"`
	ID           string        `json:"id,omitempty"` // if the configuration API has it: others may have its name
	Next         int64         `json:"next"`         // index of the first record of the log that it has not been sent
	BehindBy     int64         `json:"behind_by"`    // records
	TookOne      time.Time     `json:"took_one,omitzero"`
	FailingSince time.Time     `json:"failing_since,omitzero"`
	Error        string        `json:"error,omitempty"`
	Refused      int64         `json:"refused"`
	SetAside     []store.Aside `json:"set_aside,omitempty"` // the last of those that it has refused
}

func build(_ context.Context, d core.Deployed) (func(context.Context, input) ([]standing, error), error) {
	bucket := logbucket.Bucket{
		API:  s3client.New(d.AWS),
		Name: d.Settings.AWS.LogBucket,
	}
	open := clients.Open(clients.Deps{
		Web: web.Deps{Egress: d.Egress(), Secrets: d.Secrets, Now: d.Clock.Now},
		AWS: func() (aws.Config, error) { return d.AWS, nil },
	})
	deliver := d.Deliver(transparency.Reader{Files: bucket}, open)
	return func(ctx context.Context, in input) ([]standing, error) {
		switch {
		case in.Replay != "" && in.From != nil:
			to, err := d.Destinations.Named(ctx, in.Replay)
			if err == nil {
				err = d.Destinations.Replay(ctx, flow.Author{By: invoker, At: d.Clock.Now()}, to, *in.From)
			}
			if errors.Is(err, store.ErrNotFound) {
				return nil, fmt.Errorf(`there is no log destination %q: {"list": true} lists them`, in.Replay)
			}
			if err != nil {
				return nil, err
			}
		case in.Source != "aws.events" && !in.List:
			return nil, errors.New(`this is neither the schedule's event nor {"list": true} nor {"replay": "siem", "from": 0}`)
		}
		sending := ctx
		if end, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			sending, cancel = context.WithDeadline(ctx, end.Add(-reserve))
			defer cancel()
		}
		delivered, err := deliver.Run(sending)
		if err != nil {
			return nil, err
		}
		counts := map[string]int{config.CountDestinations: len(delivered), config.FailureDestinationDown: 0, config.FailureDestinationBehind: 0}
		var unknown []error // of those nothing is known: the function fails, and is told of as such
		for _, s := range delivered {
			if s.Err != nil {
				unknown = append(unknown, fmt.Errorf("log destination %q: %w", s.To.Name, s.Err))
			} else if s.Down(d.Clock.Now()) {
				counts[config.FailureDestinationDown]++
			} else if s.Lag > behind {
				counts[config.FailureDestinationBehind]++
			}
		}
		if err := core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), counts); err != nil {
			return nil, err
		}
		if err := errors.Join(unknown...); err != nil || in.Source == "aws.events" { // whose answer nobody reads
			return nil, err
		}
		list := []standing{}
		for _, s := range delivered {
			c, err := d.Destinations.Cursor(ctx, s.To)
			if err != nil {
				return nil, err
			}
			list = append(list, standing{s.To.Name, s.To.Type, s.To.ID, c.Next, s.Lag, c.At, c.Failing, c.Error, c.Refused, c.Aside})
		}
		return list, nil
	}, nil
}

// behind is how many records a destination that takes them may lack until somebody is told:
// more than are logged in a busy hour.
const behind = 10_000
