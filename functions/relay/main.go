// Command relay reads the table's stream: it drives the runs that changed, and
// then ships what they recorded. Records that the audit log does not take wait
// in a queue, which it reads too.
package main

import (
	"context"
	"encoding/json"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/auditlog"
	"github.com/symflows/symflows/internal/aws/auditqueue"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (func(context.Context, json.RawMessage) (any, error), error) {
	settings := d.Settings.AWS
	stream := firehose.NewFromConfig(d.AWS)
	r := relay{
		Deployed: d,
		drive: workflow.Relay{Drive: workflow.Drive{
			Runs: d.Runs, Now: d.Clock.Now,
			Runner:  stepfn.Runner{API: sfn.NewFromConfig(d.AWS), StateMachineARN: settings.StateMachine},
			Remover: invoke.Remover{API: lambda.NewFromConfig(d.AWS), FunctionARN: settings.RemovalFunction},
		}},
		audit: d.Audit(
			auditlog.Firehose[events.AuditRecord]{API: stream, Stream: settings.AuditStream, Clock: d.Clock},
			auditlog.Firehose[events.AdminRecord]{API: stream, Stream: settings.AdminStream, Clock: d.Clock},
		),
		queue: auditqueue.Queue{API: sqs.NewFromConfig(d.AWS), URL: settings.AuditQueue},
	}
	return r.handle, nil
}
