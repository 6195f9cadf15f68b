// Command notify reads the table's stream and shows the runs that changed in
// Slack. Lambda gathers changes for a moment before it calls, so that what is overtaken
// is not sent. However Slack throttles, it delays messages only: removals are not its.
// What Slack can't carry it counts by metrics, which alarms look at.
package main

import (
	"context"
	"os"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { lambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (func(context.Context, awsevents.DynamoDBEvent) (awsevents.DynamoDBEventResponse, error), error) {
	s, err := d.Slack(ctx)
	if err != nil {
		return nil, err
	}
	notify := d.Notify(slackapp.Messenger{API: s.API}, d.HomeTab(s.API))
	handle := workflow.Patient{Handle: notify.Handle, Clock: d.Clock}.Run
	return func(ctx context.Context, event awsevents.DynamoDBEvent) (awsevents.DynamoDBEventResponse, error) {
		batch := dynamo.Batch(event)
		failed := workflow.Each(ctx, batch.Changes, handle)
		for _, f := range failed {
			d.Log.WarnContext(ctx, "run could not be shown, and will be again", "key", f.Change.Key, "error", f.Cause)
		}
		if f := notify.Health.Take(); f != (workflow.Failures{}) {
			err := core.Report(os.Stdout, lambdacontext.FunctionName, d.Clock.Now(), map[string]int{
				config.MetricSlackUnreachable: f.Unreachable, config.FailureErrorChannelLost: f.Lost,
			})
			if err != nil {
				return awsevents.DynamoDBEventResponse{}, err
			}
		}
		return batch.Again(workflow.Changes(failed)...), nil
	}, nil
}
