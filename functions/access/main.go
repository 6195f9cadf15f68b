// Command access grants, and takes away. It is the only code that holds the
// rights of strategies. Two functions run it, so that grants that hang take no
// places of removals: Step Functions calls access for the step that grants;
// removal is called for removals, with a run's id alone, by schedules, by the
// sweep, by relay, and by both of them. Each has a queue for what it is to do later:
// that of access is of runs whose targets need time. removal is called early by its
// schedules, and for targets that need time as well; nobody waits in it: what its
// queue shows when it is time, it only calls itself with, asynchronously, so that many
// ends of one moment begin together, however slowly Lambda lets a queue's reader
// grow. What an earlier release has scheduled calls access, which takes that away as
// well.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/later"
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

func build(_ context.Context, d core.Deployed) (func(context.Context, input) (any, error), error) {
	api, queues, settings := lambda.NewFromConfig(d.AWS), sqs.NewFromConfig(d.AWS), d.Settings.AWS
	grants := later.Queue{API: queues, URL: settings.GrantLooks, Now: d.Clock.Now}
	removals := later.Queue{API: queues, URL: settings.RemovalQueue, Now: d.Clock.Now}
	remover := invoke.Remover{API: api, FunctionARN: settings.RemovalFunction, Now: d.Clock.Now, Later: removals.Put}
	functions := invoke.Functions{API: api}
	handlers := d.Handlers(functions, settings.SDKFunction, sdk.Services{Function: settings.ServicesFunction}, settings.Isolated()...)
	access, err := d.Access(core.AccessPorts{
		Open: clients.Open(clients.Deps{
			Functions: functions, Handlers: handlers, Secrets: d.Secrets, Egress: d.Egress(), Now: d.Clock.Now, Limiter: d.Limiter,
			AWS: func() (aws.Config, error) { return d.AWS, nil },
		}),
		Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound, Handlers: handlers,
		Schedule: schedule.EventBridge{
			API: scheduler.NewFromConfig(d.AWS), Group: settings.ScheduleGroup, FunctionARN: settings.RemovalFunction,
			RoleARN: settings.ScheduleRole, DeadLetterARN: settings.ScheduleDeadLetters, Now: d.Clock.Now,
		},
		Remover:     remover,
		Looks:       later.Looks{Grants: grants, Removals: removals},
		CallTimeout: max(callTimeout, d.Patience), Ahead: core.Ahead,
	})
	if err != nil {
		return nil, err
	}
	tasks := stepfn.Tasks{Steps: map[flow.Step]stepfn.Task{flow.StepEscalate: access.Escalate, flow.StepExtend: access.Extend, flow.StepLater: access.Later}, Runs: d.Runs, Now: d.Clock.Now}
	return func(ctx context.Context, in input) (any, error) {
		switch {
		case len(in.Records) > 0:
			do := access.Look
			if removals.Showed(in.Records[0]) {
				do = remover.Call
			}
			return later.Each(ctx, in.Records, do, func(m events.SQSMessage, err error) {
				d.Log.ErrorContext(ctx, "a message was not followed, and is shown again", "message", m.MessageId, "body", m.Body, "error", err)
			}), nil
		case in.Step == "":
			return nil, access.OnTime(ctx, in.Run)
		}
		return tasks.Handle(ctx, in.Input)
	}, nil
}

// input is what the function is called with: by the state machine or for a removal,
// or by a queue.
type input struct {
	stepfn.Input
	Records []events.SQSMessage `json:"Records"`
}
