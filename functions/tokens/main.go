// Command tokens makes, lists and revokes tokens of the Events API, and says who
// people are, for callers whose AWS credentials may call it. Nothing else may
// write tokens.
package main

import (
	"context"
	"net/http"

	"github.com/akrylysov/algnhsa"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/flow"
)

func main() { lambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (lambda.Handler, error) {
	a := &api.TokenAPI{Tokens: d.Tokens, Caller: caller, Now: d.Clock.Now, Log: d.Log}
	people := &api.PeopleAPI{People: api.People{Users: d.Users, Org: d.Org, Now: d.Clock.Now}, Caller: caller, Log: d.Log}
	return algnhsa.New(a.With(people), &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}), nil
}

// caller is whom API Gateway has authenticated. Should the route ever lose its
// authorisation, all callers are refused.
func caller(r *http.Request) (flow.Principal, bool) {
	event, ok := algnhsa.APIGatewayV2RequestFromContext(r.Context())
	if !ok || event.RequestContext.Authorizer == nil || event.RequestContext.Authorizer.IAM == nil {
		return flow.Principal{}, false
	}
	arn := event.RequestContext.Authorizer.IAM.UserARN
	return flow.Principal{Kind: flow.PrincipalAWS, Name: arn}, arn != ""
}
