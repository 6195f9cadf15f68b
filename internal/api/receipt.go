package api

import (
	"net/http"

	"github.com/symflows/symflows/internal/flow"
)

// receipt is GET /runs/{id}/receipt. Events that are not in the log yet are left out.
func (a *API) receipt(r *http.Request, who caller) (any, error) {
	run, err := a.seen(r, who)
	if err != nil {
		return nil, err
	}
	if a.Receipts == nil {
		return nil, flow.Errorf(flow.CodeNotLogged, "this deployment keeps no transparency log")
	}
	return a.Receipts.OfRun(r.Context(), run)
}
