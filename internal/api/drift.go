package api

import (
	"net/http"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// drift is GET /drift. It names people and what they have, whoever they are, so a
// token needs a right of its own for it.
func (a *API) drift(r *http.Request, who caller) (any, error) {
	if !who.token.Drift {
		return nil, flow.Errorf(flow.CodeForbidden, "this token may not see where targets differ from what was granted: make one with token create -drift")
	}
	comparison, _, err := a.Drifts.Get(r.Context())
	if err != nil {
		return nil, err
	}
	last := comparison.Last
	report := events.DriftReport{
		Targets: last.Targets, Grants: last.Grants, More: last.More,
		Found: []events.Drift{}, Unknown: map[string]int{}, Unseen: map[string]string{},
	}
	if !last.Ended.IsZero() {
		report.Began, report.Ended = &last.Began, &last.Ended
	}
	for _, d := range last.Found {
		report.Found = append(report.Found, events.Drift{
			Kind: string(d.Kind), Strategy: d.Strategy, Target: d.Target, Label: d.Title, Identity: d.Identity, RunID: d.Run, Since: d.Since,
		})
	}
	for title, n := range last.Unknown {
		report.Unknown[title] = n
	}
	for title, why := range last.Unseen {
		report.Unseen[title] = why
	}
	return report, nil
}
