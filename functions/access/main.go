// Command access grants, and takes away. It is the only code that holds the
// rights of strategies. Two functions run it, so that grants that hang take no
// places of removals: Step Functions calls access for the step that grants;
// removal is called for removals, with a run's id alone, by schedules, by the
// sweep, by relay, and by both of them. Each has a queue that calls it again for
// runs whose targets need time. What an earlier release has scheduled calls access,
// which takes that away as well.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/looks"
	"github.com/symflows/symflows/internal/aws/schedule"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
	"github.com/symflows/symflows/internal/workflow"
)

// callTimeout bounds the calls of targets in one attempt.
const callTimeout = 30 * time.Second

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (any, error), error) {
	api, settings := lambda.NewFromConfig(d.AWS), d.Settings.AWS
	functions := invoke.Functions{API: api}
	handlers := d.Handlers(functions, settings.SDKFunction, sdk.Services{Function: settings.ServicesFunction}, settings.Isolated()...)
	access, err := d.Access(core.AccessPorts{
		Open: clients.Open(clients.Deps{
			Functions: functions, Handlers: handlers, Secrets: d.Secrets, HTTPClient: &http.Client{}, Now: d.Clock.Now, Limiter: d.Limiter,
			AWS: func() (aws.Config, error) { return d.AWS, nil },
		}),
		Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound, Handlers: handlers,
		Schedule: schedule.EventBridge{
			API: scheduler.NewFromConfig(d.AWS), Group: settings.ScheduleGroup, FunctionARN: settings.RemovalFunction,
			RoleARN: settings.ScheduleRole, DeadLetterARN: settings.ScheduleDeadLetters, Now: d.Clock.Now,
		},
		Remover:     invoke.Remover{API: api, FunctionARN: settings.RemovalFunction},
		Looks:       looks.Queues{API: sqs.NewFromConfig(d.AWS), Grants: settings.GrantLooks, Removals: settings.RemovalLooks, Now: d.Clock.Now},
		CallTimeout: max(callTimeout, d.Patience), Ahead: core.Ahead,
	})
	if err != nil {
		return nil, err
	}
	tasks := stepfn.Tasks{Steps: map[flow.Step]stepfn.Task{flow.StepEscalate: access.Escalate, flow.StepExtend: access.Extend, flow.StepLater: access.Later}, Runs: d.Runs, Now: d.Clock.Now}
	return func(ctx context.Context, in input) (any, error) {
		switch {
		case len(in.Records) > 0:
			return look(ctx, access, in.Records, d.Log), nil
		case in.Step == "":
			return nil, access.OnTime(ctx, in.Run)
		}
		return tasks.Handle(ctx, in.Input)
	}, nil
}

// input is what the function is called with: by the state machine or for a removal,
// or by the queue of looks.
type input struct {
	stepfn.Input
	Records []events.SQSMessage `json:"Records"`
}

// look goes on with the run of each message, of which the queue brings one at a
// time. One that fails is shown again.
func look(ctx context.Context, access *workflow.Access, messages []events.SQSMessage, log *slog.Logger) (out events.SQSEventResponse) {
	for _, m := range messages {
		run, err := looks.Run(m)
		if err == nil {
			err = access.Look(ctx, run)
		}
		if err != nil {
			log.ErrorContext(ctx, "a look at a target failed, and is repeated", "run", run, "message", m.MessageId, "error", err)
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out
}
