// Command slack takes Slack's requests, which API Gateway sends to it: it
// verifies, authorises, writes and answers. It can't grant anything.
package main

import (
	"context"

	"github.com/akrylysov/algnhsa"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/app/core"
)

func main() { lambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (lambda.Handler, error) {
	s, signingSecret, err := d.SignedSlack(ctx)
	if err != nil {
		return nil, err
	}
	app := d.SlackApp(s.API, s.Directory, d.Submit(s.Directory))
	return algnhsa.New(app.Handler(signingSecret), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}), nil
}
