package invoke

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Queue is the queue of a function's asynchronous invocations, which Lambda keeps.
type Queue struct {
	API      *lambda.Client // required
	Function string         // required: its name or ARN
}

// Put leaves a payload for the function, which Lambda gives it as soon as it can,
// and repeats as the function is configured to
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html). An error
// means that it is not in the queue.
func (q Queue) Put(ctx context.Context, payload []byte) error {
	_, err := q.API.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(q.Function), InvocationType: types.InvocationTypeEvent, Payload: payload,
	})
	return err
}
