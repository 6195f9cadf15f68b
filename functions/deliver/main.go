// Command deliver sends the records of the transparency log to the log destinations of the
// configuration, each minute. It reads the log and can't write it; of the table it reads
// which destinations there are, and keeps how far each has been sent.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/destination/clients"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// reserve is how long before its time-out the function begins nothing more: longer than
// writing down how far it has come takes.
const reserve = 10 * time.Second

// input is the schedule's event, or what an administrator sends.
type input struct {
	Source string `json:"source"`
	// Replay names a destination that is sent the log again, from the record From on.
	Replay string `json:"replay"`
	From   *int64 `json:"from"`
}

// invoker is whoever asks for a replay: Lambda does not tell who invokes a function, and
// CloudTrail does, of functions whose data events it is to keep.
var invoker = flow.Principal{Kind: flow.PrincipalAWS, Name: "whoever may invoke this function"}

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) ([]workflow.Delivered, error), error) {
	bucket := logbucket.Bucket{
		API:  s3.NewFromConfig(d.AWS, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }), // an emulator's name is no part of buckets' hosts
		Name: d.Settings.AWS.LogBucket,
	}
	open := clients.Open(clients.Deps{
		Web: web.Deps{HTTP: &http.Client{Transport: web.Guarded(d.AWS.BaseEndpoint != nil)}, Secrets: d.Secrets, Now: d.Clock.Now},
		AWS: func() (aws.Config, error) { return d.AWS, nil },
	})
	deliver := d.Deliver(transparency.Reader{Files: bucket}, open)
	return func(ctx context.Context, in input) ([]workflow.Delivered, error) {
		switch {
		case in.Replay != "" && in.From != nil:
			if err := d.Destinations.Replay(ctx, flow.Author{By: invoker, At: d.Clock.Now()}, in.Replay, *in.From); err != nil {
				return nil, err
			}
		case in.Source != "aws.events":
			return nil, errors.New(`this is neither the schedule's event nor {"replay": "siem", "from": 0}`)
		}
		if end, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end.Add(-reserve))
			defer cancel()
		}
		stand, err := deliver.Run(ctx)
		if err != nil {
			return nil, err
		}
		counts := map[string]int{config.CountDestinations: len(stand), config.FailureDestinationDown: 0, config.FailureDestinationBehind: 0}
		for _, s := range stand {
			if s.Down(d.Clock.Now()) {
				counts[config.FailureDestinationDown]++
			} else if s.Lag > behind {
				counts[config.FailureDestinationBehind]++
			}
		}
		return stand, core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), counts)
	}, nil
}

// behind is how many records a destination that takes them may lack until somebody is told:
// more than are logged in a busy hour.
const behind = 10_000
