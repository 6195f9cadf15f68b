package core

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"

	"github.com/symflows/symflows/internal/config"
)

// ours are the services, by the SDK's ids, that hold a deployment up when they throttle it.
// Those at which access is granted have their own pace: see workflow.Limiter.
var ours = []string{"DynamoDB", "Lambda", "SFN", "Scheduler", "SQS", "Firehose", "S3", "Secrets Manager"}

// tellThrottled has each attempt that one of our services refuses for its pace told by a
// line of the log, even if the next attempt succeeds. That costs nothing while there are
// none, where metrics of all services and functions would be paid each month.
func tellThrottled(cfg *aws.Config, w io.Writer, function string) {
	throttles := retry.IsErrorThrottles(retry.DefaultThrottles)
	tell := middleware.FinalizeMiddlewareFunc("TellThrottled", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		service := awsmiddleware.GetServiceID(ctx)
		if err != nil && slices.Contains(ours, service) && throttles.IsErrorThrottle(err).Bool() {
			_ = json.NewEncoder(w).Encode(map[string]string{ // who can't log, fails
				config.MetricDimension: function, "error": err.Error(),
				config.HitchKey: config.HitchThrottled + ": " + service + " " + awsmiddleware.GetOperationName(ctx) + ". " + config.Hitches[config.HitchThrottled],
			})
		}
		return out, metadata, err
	})
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(tell, "Retry", middleware.After)
	})
}
