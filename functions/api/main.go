// Command api serves the Events API, and the tools of agents beside it (/mcp), whose
// requests API Gateway sends to it. It
// can't grant anything, and can't make tokens.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/akrylysov/algnhsa"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/mcp"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

func main() { awslambda.Start(core.Start(build)) }

func build(_ context.Context, d core.Deployed) (awslambda.Handler, error) {
	handlers := d.Handlers(invoke.Functions{API: lambda.NewFromConfig(d.AWS)}, d.Settings.AWS.SDKFunction, sdk.Services{}, d.Settings.AWS.Isolated()...)
	bucket := logbucket.Bucket{
		API:  s3client.New(d.AWS),
		Name: d.Settings.AWS.LogBucket,
	}
	a := &api.API{
		Receipts: &transparency.Prover{Log: store.Log{Store: d.Runs.Store}, Files: bucket},
		Submit:   d.Submit(d.SlackDirectory(), builtin.CheckBound, handlers, nil), Runs: d.Runs, Flows: d.Flows, Tokens: d.Tokens, Drifts: d.Drifts, Messages: d.Messages,
		Org: d.Org, Now: d.Clock.Now, Log: d.Log,
	}
	served := a.Handler()
	mux := http.NewServeMux()
	mux.Handle("/", served)
	mux.Handle(mcp.Path, mcp.Handler{API: served, Admit: a.AdmitAgent, Now: time.Now, Sleep: client.Sleep, Longest: mcp.Longest}.Handler())
	return handler{
		api:     algnhsa.New(mux, &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}),
		propose: d.Propose(a.Submit),
	}, nil
}

// handler takes requests, and the calls of sweep that have it ask for approval of what was
// proposed to the configuration, in the name of who did.
type handler struct {
	api     awslambda.Handler
	propose workflow.Propose
}

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var call struct {
		Propose bool `json:"propose"`
	}
	if err := json.Unmarshal(payload, &call); err != nil || !call.Propose {
		return h.api.Invoke(ctx, payload)
	}
	_, err := h.propose.Run(ctx)
	return []byte("null"), err
}
