package api

import (
	"net/http"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// deescalate is POST /events/deescalate. Repeating it gives the same event.
func (a *API) deescalate(r *http.Request, who caller) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.DeescalateInput{RunID: body.required("run_id")}
	if err := body.err(); err != nil {
		return nil, err
	}
	_, eventID, err := a.Submit.Click(r.Context(), workflow.Click{
		RunID: strings.ToLower(in.RunID), Action: flow.ActionDeescalate,
		Actor: store.User{Actor: who.bot, Role: store.RoleBot}, Channel: flow.ChannelAPI,
	})
	if err != nil {
		return nil, err
	}
	return events.DeescalateOutput{EventID: eventID, RequestBody: in}, nil
}
