package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// graphError is one of the errors that stand in an answer of status 200.
type graphError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// page says whether a list goes on, and where.
type page struct {
	HasNextPage bool   `json:"hasNextPage"`
	EndCursor   string `json:"endCursor"`
}

// query asks the GraphQL API. found is false if what the query names is not there,
// or not to be seen.
func (h *hub) query(ctx context.Context, api *vendorhttp.Client, text string, variables map[string]any, data any) (found bool, err error) {
	got, err := api.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: github.GraphQL(h.frozen), Reads: true,
		Body: map[string]any{"query": text, "variables": variables},
	})
	if err != nil {
		return false, err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphError    `json:"errors"`
	}
	if err := api.Decode(got, &answer); err != nil {
		return false, err
	}
	for _, e := range answer.Errors {
		switch e.Type {
		case "NOT_FOUND":
			return false, nil
		case "RATE_LIMITED", "RATE_LIMIT":
			err := flow.Errorf(flow.CodeUnavailable, "GitHub asks for fewer calls: it is tried again")
			if after := vendorhttp.ResetAt(got, "X-RateLimit-Reset"); after > 0 {
				return false, &flow.RateLimited{After: after, Cause: err}
			}
			return false, err
		case "FORBIDDEN", "INSUFFICIENT_SCOPES", "SAML_FAILURE", "UNAUTHORIZED":
			return false, flow.Errorf(flow.CodeStrategy, "GitHub does not show this to what we sign in with: give it the permissions that the guide lists. It says: %s", flow.Clip(e.Message, maxSaid))
		case "UNPROCESSABLE", "":
			// Without a type it is a fault of GitHub's own, a query that took too long
			// among them; or of the query, which tests hold to GitHub's schema.
			return false, flow.Errorf(flow.CodeUnavailable, "GitHub could not answer just now: %s", flow.Clip(e.Message, maxSaid))
		}
		return false, flow.Errorf(flow.CodeUnavailable, "GitHub could not answer just now: %s (%s)", flow.Clip(e.Message, maxSaid), flow.Clip(e.Type, maxSaid))
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return false, &flow.Error{Code: flow.CodeUnavailable, Message: "GitHub answered something that is not what its API answers", Cause: err}
	}
	return true, nil
}

// maxSaid is how much of GitHub's words people are shown.
const maxSaid = 300
