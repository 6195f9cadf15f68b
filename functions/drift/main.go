// Command drift compares every few minutes what was granted with what targets
// show, and asks them for how long sessions go on after access. It may read there, and nothing else: what it finds lingering is taken away
// by others. Who invokes it with {"now": true} has a new comparison begun.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
)

// askFor is how long targets are asked for something else at one look.
const askFor = 30 * time.Second

// input is the schedule's event, or what an admin sends.
type input struct {
	Source string `json:"source"`
	Now    bool   `json:"now"`
}

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (store.DriftReport, error), error) {
	open := clients.Open(clients.Deps{
		AWS: func() (aws.Config, error) { return d.AWS, nil }, Looking: true, Now: d.Clock.Now, Limiter: d.Limiter,
		Secrets: d.Secrets, Egress: d.Egress(),
	})
	compare, linger := d.Reconcile(open, builtin.Observes), d.Linger(open, builtin.Observes)
	return func(ctx context.Context, in input) (store.DriftReport, error) {
		if in.Source != "aws.events" && !in.Now {
			return store.DriftReport{}, errors.New(`this is neither the schedule's event nor {"now": true}`)
		}
		asking, cancel := context.WithTimeout(ctx, askFor)
		if _, err := linger.Ask(asking); err != nil { // which keeps nothing from being compared
			d.Log.WarnContext(ctx, "targets were not asked for how long sessions go on, the next look does", "error", err)
		}
		cancel()
		once := compare
		if in.Now {
			once.Every = 0
		}
		report, err := once.Look(ctx)
		if err != nil {
			return report, err
		}
		return report, core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{
			config.FailureDriftLingering: report.Count(flow.DriftLingering),
		})
	}, nil
}
