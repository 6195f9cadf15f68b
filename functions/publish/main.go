// Command publish makes the configuration in flows/ the current one when
// CloudFormation deploys: as a custom resource, so that a configuration which
// can't be used fails the deploy and rolls it back.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// listingLag is more than an index of DynamoDB usually takes to follow the table.
const listingLag = 5 * time.Second

func main() {
	handle, err := core.Build(build)
	if err != nil {
		handle = refuse(err)
	}
	awslambda.Start(cfn.LambdaWrap(handle))
}

func build(_ context.Context, d core.Deployed) (cfn.CustomResourceFunction, error) {
	if d.Settings.AWS.SDKFunction == "" {
		return nil, errors.New("SYM_SDK_FUNCTION is not set: it names the function that runs handlers, as the deploy sets it")
	}
	p := publisher{
		s3:       s3client.New(d.AWS),
		org:      d.Org,
		handlers: d.Handlers(invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, d.Settings.AWS.SDKFunction, sdk.Services{}),
		publish:  workflow.Publish{Runs: d.Runs, Flows: d.Flows, Entities: d.Entities, Rights: builtin.Rights, Lag: listingLag, Clock: d.Clock, Patience: d.Patience},
		clock:    d.Clock,
		log:      d.Log,
	}
	return p.handle, nil
}
