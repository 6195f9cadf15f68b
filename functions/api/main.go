// Command api serves the Events API, whose requests API Gateway sends to it. It
// can't grant anything, and can't make tokens.
package main

import (
	"context"

	"github.com/akrylysov/algnhsa"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
)

func main() { lambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (lambda.Handler, error) {
	a := &api.API{
		Submit: d.Submit(d.SlackDirectory()), Runs: d.Runs, Flows: d.Flows, Tokens: d.Tokens,
		Org: d.Org, Now: d.Clock.Now, Log: d.Log,
	}
	return algnhsa.New(a.Handler(), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}), nil
}
