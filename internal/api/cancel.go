package api

import (
	"net/http"
	"strings"

	"github.com/symflows/symflows/events"
)

// cancel is POST /runs/{id}/cancel, the Cancel button for programs. Repeating it gives
// the same event.
func (a *API) cancel(r *http.Request, who caller) (any, error) {
	body, err := readOptional(r)
	if err != nil {
		return nil, err
	}
	if err := body.err(); err != nil {
		return nil, err
	}
	run, eventID, err := a.Submit.CancelByAPI(r.Context(), strings.ToLower(r.PathValue("id")), who.bot, who.token)
	if err != nil {
		return nil, err
	}
	return events.CancelOutput{RunID: run.ID, EventID: eventID}, nil
}
