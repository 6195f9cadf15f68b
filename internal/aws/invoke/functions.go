// Package invoke calls Lambda functions in AWS: [Functions] waits for their
// answers, [Queue] leaves them what they are to do later, and [Remover] an order for
// the function that removes access. Its
// counterpart on this machine is lambdahost.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Functions invokes functions and waits for their answers.
type Functions struct {
	API *lambda.Client // required
}

var _ workflow.Functions = Functions{}

// As gives functions as they may be invoked by whom a configuration of the SDK signs in as.
func (f Functions) As(cfg aws.Config) workflow.Functions {
	return Functions{API: lambda.NewFromConfig(cfg)}
}

// Invoke calls a function; see workflow.Functions. People are shown what the
// function reports as its error, without the stack trace.
func (f Functions) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	out, err := f.API.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(arn), InvocationType: types.InvocationTypeRequestResponse, Payload: payload,
	}, where(arn))
	if err != nil {
		return nil, invokeError(arn, err)
	}
	if out.FunctionError != nil {
		// https://docs.aws.amazon.com/lambda/latest/dg/invocation-sync.html: the
		// payload is then an object with errorMessage and errorType.
		var said struct {
			Message string `json:"errorMessage"`
			Type    string `json:"errorType"`
		}
		if json.Unmarshal(out.Payload, &said) != nil || said.Message == "" {
			said.Message = "it gave no reason"
		}
		failed := flow.Errorf(flow.CodeHandler, "function %s failed: %s", name(arn), said.Message)
		if said.Type == timedOut {
			failed.Cause = fmt.Errorf("%s: %w", timedOut, context.DeadlineExceeded)
		}
		return nil, failed
	}
	return out.Payload, nil
}

// timedOut is Lambda's type of error for a function that was stopped because its
// own time was over.
const timedOut = "Sandbox.Timedout"

// where has a call go to the region that the function is in: others know nothing
// of it.
func where(arn string) func(*lambda.Options) {
	return func(o *lambda.Options) {
		if region := flow.ARNRegion(arn); region != "" {
			o.Region = region
		}
	}
}

// invokeError tells what has to be mended from what may pass.
func invokeError(arn string, err error) error {
	e := flow.Errorf(flow.CodeUnavailable, "function %s could not be reached", name(arn))
	if unsigned, ok := errors.AsType[*flow.Error](err); ok { // a role that can't be assumed
		return unsigned
	}
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		switch refused.ErrorCode() {
		case "ResourceNotFoundException":
			e = flow.Errorf(flow.CodeHandler, "function %s does not exist: correct its ARN", name(arn))
		case "AccessDeniedException":
			e = flow.Errorf(flow.CodeHandler, "we may not invoke function %s: list its ARN in the environment's lambda_arns and deploy, or let the role of the strategy's integration invoke it", name(arn))
		case "InvalidParameterValueException", "InvalidRequestContentException", "RequestTooLargeException", "UnsupportedMediaTypeException":
			e = flow.Errorf(flow.CodeHandler, "function %s does not take the payload: %s", name(arn), refused.ErrorMessage())
		}
	}
	e.Cause = fmt.Errorf("invoke %s: %w", arn, err)
	if after := retryAfter(err); after > 0 {
		return &flow.RateLimited{After: after, Cause: e}
	}
	return e
}

// retryAfter is how long Lambda asks to wait, by its header Retry-After; zero
// if it does not ask
// (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
func retryAfter(err error) time.Duration {
	throttled, ok := errors.AsType[*types.TooManyRequestsException](err)
	if !ok {
		return 0
	}
	seconds, err := strconv.Atoi(aws.ToString(throttled.RetryAfterSeconds))
	if err != nil {
		return 0
	}
	return time.Duration(min(max(seconds, 0), int(flow.MaxRetryAfter/time.Second))) * time.Second
}

// name gives the last part of an ARN, by which people know a function.
func name(arn string) string {
	for i := len(arn) - 1; i >= 0; i-- {
		if arn[i] == ':' {
			return fmt.Sprintf("%q", arn[i+1:])
		}
	}
	return fmt.Sprintf("%q", arn)
}
