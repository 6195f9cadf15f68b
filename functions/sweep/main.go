// Command sweep looks once a minute at whatever is due and was missed. It
// trusts no schedule and no execution, and says how it went by metrics, whose
// absence is an alarm. Ends that are a while away it puts into a queue of its own,
// which shows them when it is time: then it calls removal, asynchronously.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/later"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (any, error), error) {
	queue := later.Queue{API: sqs.NewFromConfig(d.AWS), URL: d.Settings.AWS.SweepQueue, Now: d.Clock.Now}
	remover := invoke.Remover{API: lambda.NewFromConfig(d.AWS), FunctionARN: d.Settings.AWS.RemovalFunction, Now: d.Clock.Now, Later: queue.Put}
	sweep := d.Sweep(workflow.Drive{
		Runs: d.Runs, Now: d.Clock.Now,
		Runner:  stepfn.Runner{API: sfn.NewFromConfig(d.AWS), StateMachineARN: d.Settings.AWS.StateMachine},
		Remover: remover,
	}, core.Ahead)
	configure := invoke.Queue{API: lambda.NewFromConfig(d.AWS), Function: d.Settings.AWS.ConfigFunction}
	wake := d.Wake(func(ctx context.Context) error { return configure.Put(ctx, []byte(`{"assemble": true}`)) })
	attend := attend{
		propose: d.Propose(workflow.Submit{}), conclude: d.Conclude(), configure: configure,
		api: invoke.Queue{API: lambda.NewFromConfig(d.AWS), Function: d.Settings.AWS.APIFunction},
	}
	return func(ctx context.Context, in input) (any, error) {
		if len(in.Records) > 0 {
			return later.Each(ctx, in.Records, remover.Call, func(m events.SQSMessage, err error) {
				d.Log.ErrorContext(ctx, "removal could not be called, the next sweep does it", "message", m.MessageId, "body", m.Body, "error", err)
			}), nil
		}
		swept, err := sweep.Run(ctx)
		if err != nil {
			return nil, err // what it has not seen is not to be reported as well
		}
		if err := wake.Due(ctx); err != nil { // the next sweep does it
			d.Log.ErrorContext(ctx, "nobody was called to look at what the API has configured", "error", err)
		}
		if err := attend.run(ctx); err != nil {
			d.Log.ErrorContext(ctx, "nobody was called to see to what was proposed to the configuration", "error", err)
		}
		return nil, core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{
			config.MetricRemovalsOverdue: swept.Overdue, config.CountRunsDriven: swept.Driven, config.CountRunsFailed: swept.Failed,
			config.MetricEmergenciesUnreviewed: swept.Unreviewed, config.HitchLooksMissed: swept.Missed,
		})
	}, nil
}

// attend has those called who ask for approval of what was proposed to the configuration,
// and who do what was decided.
type attend struct {
	propose        workflow.Propose
	conclude       workflow.Conclude
	api, configure invoke.Queue
}

func (a attend) run(ctx context.Context) error {
	decided, err := a.conclude.Due(ctx)
	if decided {
		err = a.configure.Put(ctx, []byte(`{"conclude": true}`))
	}
	due, failed := a.propose.Due(ctx)
	if due {
		failed = a.api.Put(ctx, []byte(`{"propose": true}`))
	}
	return errors.Join(err, failed)
}

// input is what the function is called with: by the rule, of which it reads nothing, or
// by its queue.
type input struct {
	Records []events.SQSMessage `json:"Records"`
}
