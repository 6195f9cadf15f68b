// Command sweep looks once a minute at whatever is due and was missed. It
// trusts no schedule and no execution, and says how it went by metrics, whose
// absence is an alarm.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambdacontext"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context) error, error) {
	sweep := d.Sweep(workflow.Drive{
		Runs: d.Runs, Now: d.Clock.Now,
		Runner:  stepfn.Runner{API: sfn.NewFromConfig(d.AWS), StateMachineARN: d.Settings.AWS.StateMachine},
		Remover: invoke.Remover{API: lambda.NewFromConfig(d.AWS), FunctionARN: d.Settings.AWS.RemovalFunction},
	}, core.SweepAhead)
	return func(ctx context.Context) error {
		swept, err := sweep.Run(ctx)
		if err != nil {
			return err // what it has not seen is not to be reported as well
		}
		return core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{
			config.MetricRemovalsOverdue: swept.Overdue, config.MetricRunsDriven: swept.Driven, config.MetricRunsFailed: swept.Failed,
		})
	}, nil
}
