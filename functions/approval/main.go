// Command approval does the steps of the request workflow that collect a
// decision: route, await, decide and forward. It may call customers' functions,
// and can't grant anything.
package main

import (
	"context"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// functionTimeout bounds one call of a customer's function.
const functionTimeout = 30 * time.Second

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, stepfn.Input) (stepfn.Output, error), error) {
	functions, settings := invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, d.Settings.AWS
	approval, err := d.Approval(core.ApprovalPorts{
		Directory: d.SlackDirectory(), Functions: functions, FunctionTimeout: functionTimeout, Bound: builtin.CheckBound,
		Handlers: d.Handlers(functions, settings.SDKFunction, sdk.Services{Function: settings.ServicesFunction}, settings.Isolated()...),
	})
	if err != nil {
		return nil, err
	}
	approval.Emergency = func() {
		err := core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{config.MetricEmergencies: 1})
		if err != nil {
			d.Log.Error("an emergency is not counted", "error", err)
		}
	}
	return stepfn.Tasks{
		Steps: map[flow.Step]stepfn.Task{
			flow.StepRoute: approval.Route, flow.StepDecide: approval.Decide, flow.StepForward: approval.Forward, flow.StepVouch: approval.Vouch,
		},
		Await: approval.Await,
		Runs:  d.Runs,
		Runner: stepfn.Runner{
			API: sfn.NewFromConfig(d.AWS), StateMachineARN: settings.StateMachine,
		},
		Now: d.Clock.Now,
	}.Handle, nil
}
