// Command services answers what customers' Python handlers ask while they run,
// each with the token of its own call. It grants nothing, changes no run, and
// reads no secret but that of Slack.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/slackapp"
)

func main() { lambda.Start(core.Start(build)) }

func build(ctx context.Context, d core.Deployed) (func(context.Context, services.Request) (services.Response, error), error) {
	s, err := d.WaitingSlack(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := d.Services(core.ServicesPorts{People: s.Directory, Slack: slackapp.Services{API: s.API, Directory: s.Directory}})
	if err != nil {
		return nil, err
	}
	return answers.Handle, nil
}
