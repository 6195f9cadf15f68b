// Command config serves the configuration API, which is that of Sym's Terraform
// provider: to tokens that may configure, and on a path of its own to callers whose AWS
// credentials may call it. It keeps what it is sent, and makes flows of that when relay
// and sweep have it called. Where changes need approval, it keeps them as proposals, and
// puts in force what was approved when these two have it called. It can't grant anything.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/akrylysov/algnhsa"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (awslambda.Handler, error) {
	if d.Settings.AWS.SDKFunction == "" {
		return nil, errors.New("SYM_SDK_FUNCTION is not set: it names the function that looks at Python, as the deploy sets it")
	}
	handlers := d.Handlers(invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, d.Settings.AWS.SDKFunction, sdk.Services{})
	handlers.Read = true // what is sent is not run before it is used
	bounds, err := entity.ParseBounds(d.Settings.AWS.Grants)
	if err != nil {
		return nil, fmt.Errorf("SYM_GRANTS: %w", err)
	}
	a := &api.ConfigAPI{
		Configure: d.Configure(catalog.Checker{Org: d.Org, Types: builtin.Types(), Describe: handlers.Describe}.Check, &bounds),
		Tokens:    d.Tokens, Caller: caller, Now: d.Clock.Now, Log: d.Log,
	}
	reader := &catalog.Reader{Org: d.Org, Types: builtin.Types(), Describe: func(ctx context.Context, s flow.Source) (flow.Outline, error) {
		return handlers.Describe(ctx, s, "")
	}}
	return handler{
		api:      algnhsa.New(a.Handler(), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}),
		assemble: d.Assemble(reader.Parts, builtin.Rights), conclude: d.Conclude(), after: d.Clock.After,
	}, nil
}

// handler takes requests, and the calls that have flows made of what they said, or have it put in
// force.
type handler struct {
	api      awslambda.Handler
	assemble workflow.Assemble
	conclude workflow.Conclude
	after    func(time.Duration) <-chan time.Time
}

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var call struct {
		Assemble bool `json:"assemble"`
		Conclude bool `json:"conclude"`
	}
	err := json.Unmarshal(payload, &call)
	switch {
	case err != nil || !call.Assemble && !call.Conclude:
		return h.api.Invoke(ctx, payload)
	case call.Conclude:
		return []byte("null"), h.conclude.Run(ctx)
	}
	return []byte("null"), h.assemble.Settle(ctx, h.after)
}

// caller is whom API Gateway has authenticated, on the path where it does.
func caller(r *http.Request) (flow.Principal, bool) {
	event, ok := algnhsa.APIGatewayV2RequestFromContext(r.Context())
	if !ok || event.RequestContext.Authorizer == nil || event.RequestContext.Authorizer.IAM == nil {
		return flow.Principal{}, false
	}
	arn := event.RequestContext.Authorizer.IAM.UserARN
	return flow.Principal{Kind: flow.PrincipalAWS, Name: arn}, arn != ""
}
