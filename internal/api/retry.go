package api

import (
	"net/http"
	"strings"

	"github.com/symflows/symflows/events"
)

// retry is POST /events/retry, the Retry button for programs.
func (a *API) retry(r *http.Request, who caller) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.RetryInput{RunID: body.required("run_id")}
	if err := body.err(); err != nil {
		return nil, err
	}
	run, eventID, err := a.Submit.RetryByAPI(r.Context(), strings.ToLower(in.RunID), who.bot, who.token)
	if err != nil {
		return nil, err
	}
	return events.RetryOutput{RunID: run.ID, EventID: eventID, RequestBody: in}, nil
}
