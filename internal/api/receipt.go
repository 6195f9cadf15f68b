package api

import (
	"net/http"

	"github.com/symflows/symflows/internal/flow"
)

// receipt is GET /runs/{id}/receipt. Events that are not in the log yet are left out.
func (a *API) receipt(r *http.Request, _ caller) (any, error) {
	id, err := a.runID(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	run, err := a.Runs.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if a.Receipts == nil {
		return nil, flow.Errorf(flow.CodeNotLogged, "this deployment keeps no transparency log")
	}
	return a.Receipts.OfRun(r.Context(), run)
}
