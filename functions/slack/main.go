// Command slack takes Slack's requests, which API Gateway sends to it: it
// verifies, authorises, writes and answers. A form that handlers are asked about it
// hands on to another invocation of itself, so that Slack has its answer at once. It
// can't grant anything.
package main

import (
	"context"

	"github.com/akrylysov/algnhsa"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

func main() { awslambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (awslambda.Handler, error) {
	s, signingSecret, err := d.SignedSlack(ctx)
	if err != nil {
		return nil, err
	}
	functions := lambda.NewFromConfig(d.AWS)
	handlers := d.Handlers(
		invoke.Functions{API: functions}, d.Settings.AWS.SDKFunction, sdk.Services{Function: d.Settings.AWS.ServicesFunction},
		d.Settings.AWS.Isolated()...,
	)
	explainer, err := d.Explainer(core.ExplainPorts{
		Directory: s.Directory, Handlers: handlers, Entitlements: builtin.Entitlements, Rights: builtin.Rights, TargetType: builtin.TargetType, Bound: builtin.CheckBound,
		Alone: true,
	})
	if err != nil {
		return nil, err
	}
	app, err := d.SlackApp(core.SlackPorts{
		HandOn: invoke.Queue{API: functions, Function: d.Settings.AWS.SlackFunction}.Put, API: s.API, APIURL: d.Settings.Slack.APIURL, URL: d.Settings.URL,
		Directory: s.Directory, Bound: builtin.CheckBound, Handlers: handlers, Explain: explainer.Request,
	})
	if err != nil {
		return nil, err
	}
	return invocations{app, algnhsa.New(app.Handler(signingSecret), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2})}, nil
}

// invocations are of two kinds: requests over HTTP, and tasks that another
// invocation has handed on. Only this function's own role may send the latter.
type invocations struct {
	app      *slackapp.App
	requests awslambda.Handler
}

// Invoke implements [awslambda.Handler].
func (i invocations) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if slackapp.IsTask(payload) {
		return nil, i.app.Continue(ctx, payload)
	}
	return i.requests.Invoke(ctx, payload)
}
