package client

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// sessionMax is for how long a session may last of whose target Boundary does not
// say.
const sessionMax = 8 * time.Hour

// ended are the states of sessions that are over, or about to be.
var ended = []string{"canceling", "terminated"}

// endSessions cancels all of a user's sessions in a scope and below it: which role
// let them in is not on record. One that ends meanwhile is no fault.
func (g groups) endSessions(ctx context.Context, scopeID, userID string) error {
	query := below(scopeID)
	query.Set("filter", `"/item/user_id" == "`+userID+`"`)
	type session struct {
		ID      string `json:"id"`
		UserID  string `json:"user_id"`
		Status  string `json:"status"`
		Version uint32 `json:"version"`
	}
	for s, err := range list[session](ctx, g.api, "/v1/sessions", query) {
		if err != nil {
			return err
		}
		if s.UserID != userID || slices.Contains(ended, s.Status) {
			continue
		}
		err = g.api.Do(ctx, http.MethodPost, vendorhttp.Path("v1", "sessions", s.ID)+":cancel", nil, map[string]any{"version": s.Version}, nil)
		if err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

// Lingers gives the longest session that a target in the group's scope, or below
// it, allows. A strategy that cancels sessions leaves none.
func (g groups) Lingers(ctx context.Context, target flow.Target) (time.Duration, error) {
	if boundary.EndsSessions(g.frozen) {
		return 0, nil
	}
	now, err := g.read(ctx, target)
	if err != nil {
		return 0, err
	}
	var longest time.Duration
	for t, err := range list[struct {
		Seconds *int64 `json:"session_max_seconds"`
	}](ctx, g.api, "/v1/targets", below(now.ScopeID)) {
		if err != nil {
			return 0, err
		}
		lasts := sessionMax
		if t.Seconds != nil {
			lasts = time.Duration(*t.Seconds) * time.Second
		}
		longest = max(longest, lasts)
	}
	return longest, nil
}
