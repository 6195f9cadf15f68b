package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// graphError is one of the errors that stand in an answer of status 200.
type graphError struct {
	Type    string   `json:"type"`
	Message string   `json:"message"`
	Path    []string `json:"path"`
}

// page says whether a list goes on, and where.
type page struct {
	HasNextPage bool   `json:"hasNextPage"`
	EndCursor   string `json:"endCursor"`
}

// query asks the GraphQL API. missing is the path to what the query names and GitHub
// does not show ("repository.collaborators"); "": it shows all.
func (h *hub) query(ctx context.Context, api *vendorhttp.Client, text string, variables map[string]any, data any) (missing string, err error) {
	got, err := api.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: github.GraphQL(h.frozen), Reads: true,
		Body: map[string]any{"query": text, "variables": variables},
	})
	if err != nil {
		return "", err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphError    `json:"errors"`
	}
	if err := api.Decode(got, &answer); err != nil {
		return "", err
	}
	for _, e := range answer.Errors {
		switch e.Type {
		case "NOT_FOUND":
			missing = strings.Join(e.Path, ".")
			continue
		case "RATE_LIMITED", "RATE_LIMIT":
			err := flow.Errorf(flow.CodeUnavailable, "GitHub asks for fewer calls: it is tried again")
			if after := vendorhttp.ResetAt(got, "X-RateLimit-Reset"); after > 0 {
				return "", &flow.RateLimited{After: after, Cause: err}
			}
			return "", err
		case "FORBIDDEN", "INSUFFICIENT_SCOPES", "SAML_FAILURE", "UNAUTHORIZED":
			return "", flow.Errorf(flow.CodeStrategy, "GitHub does not show this to what we sign in with: give it the permissions that the guide lists. It says: %s", flow.Clip(e.Message, maxSaid))
		}
		// A fault of GitHub's own, as a query that took too long: those have no type.
		return "", flow.Errorf(flow.CodeUnavailable, "GitHub could not answer just now: %s", flow.Clip(e.Message, maxSaid))
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return "", &flow.Error{Code: flow.CodeUnavailable, Message: "GitHub answered something that is not what its API answers", Cause: err}
	}
	return missing, nil
}

// maxSaid is how much of GitHub's words people are shown.
const maxSaid = 300
