// Command access grants, and takes away. It is the only code that holds the
// rights of strategies. Two functions run it, so that grants that hang take no
// places of removals: Step Functions calls access for the step that grants;
// removal is called for removals, with a run's id alone, by schedules, by the
// sweep, by relay, and by both of them. What an earlier release has scheduled
// calls access, which takes that away as well.
package main

import (
	"context"
	"net/http"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/schedule"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
)

// callTimeout bounds the calls of targets in one attempt.
const callTimeout = 30 * time.Second

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, stepfn.Input) (*stepfn.Output, error), error) {
	api, settings := lambda.NewFromConfig(d.AWS), d.Settings.AWS
	functions := invoke.Functions{API: api}
	handlers := d.Handlers(functions, settings.SDKFunction, sdk.Services{Function: settings.ServicesFunction}, settings.Isolated()...)
	access, err := d.Access(core.AccessPorts{
		Open: clients.Open(clients.Deps{
			Functions: functions, Handlers: handlers, Secrets: d.Secrets, HTTPClient: &http.Client{}, Now: d.Clock.Now, Limiter: d.Limiter,
			AWS: func() (aws.Config, error) { return d.AWS, nil },
		}),
		Rights: builtin.Rights, Bound: builtin.CheckBound, Handlers: handlers,
		Schedule: schedule.EventBridge{
			API: scheduler.NewFromConfig(d.AWS), Group: settings.ScheduleGroup, FunctionARN: settings.RemovalFunction,
			RoleARN: settings.ScheduleRole, DeadLetterARN: settings.ScheduleDeadLetters, Now: d.Clock.Now,
		},
		Remover:     invoke.Remover{API: api, FunctionARN: settings.RemovalFunction},
		CallTimeout: max(callTimeout, d.Patience), Ahead: core.Ahead,
	})
	if err != nil {
		return nil, err
	}
	tasks := stepfn.Tasks{Steps: map[flow.Step]stepfn.Task{flow.StepEscalate: access.Escalate}, Runs: d.Runs, Now: d.Clock.Now}
	return func(ctx context.Context, in stepfn.Input) (*stepfn.Output, error) {
		if in.Step == "" {
			return nil, access.Deescalate(ctx, in.Run)
		}
		out, err := tasks.Handle(ctx, in)
		return &out, err
	}, nil
}
