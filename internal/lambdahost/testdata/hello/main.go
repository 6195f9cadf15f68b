// Command hello is a function that is built by the tests.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, name string) (string, error) { return "hello " + name, nil })
}
