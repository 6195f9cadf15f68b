// Command slack takes Slack's requests, which API Gateway sends to it: it
// verifies, authorises, writes and answers. It can't grant anything.
package main

import (
	"context"

	"github.com/akrylysov/algnhsa"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

func main() { awslambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (awslambda.Handler, error) {
	s, signingSecret, err := d.SignedSlack(ctx)
	if err != nil {
		return nil, err
	}
	app, err := d.SlackApp(core.SlackPorts{API: s.API, APIURL: d.Settings.Slack.APIURL, Directory: s.Directory, Bound: builtin.CheckBound, Handlers: d.Handlers(
		invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, d.Settings.AWS.SDKFunction, sdk.Services{Function: d.Settings.AWS.ServicesFunction},
		d.Settings.AWS.Isolated()...,
	)})
	if err != nil {
		return nil, err
	}
	return algnhsa.New(app.Handler(signingSecret), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}), nil
}
