package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// again is POST /runs/{id}/again, the Ask again button for programs: a request of its
// own, with what an earlier one asked for where the body says nothing else.
func (a *API) again(r *http.Request, who caller) (any, error) {
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := readOptional(r)
	if err != nil {
		return nil, err
	}
	in := events.AgainInput{FlowInputs: body.object("flow_inputs"), Context: body.raw("context"), StartAt: body.time(flow.KeyStartAt), Purpose: body.text(flow.KeyPurpose)}
	if err := body.err(); err != nil {
		return nil, err
	}
	var start time.Time
	if in.StartAt != nil {
		start = *in.StartAt
	}
	run, eventID, err := a.Submit.RequestByAPI(r.Context(), workflow.APIRequest{
		Bot: who.bot, Token: who.token, IdempotencyKey: key,
		Repeats: strings.ToLower(r.PathValue("id")), Inputs: in.FlowInputs, Context: in.Context, StartAt: start, Purpose: in.Purpose,
	})
	if err != nil {
		return nil, err
	}
	return events.AgainOutput{RunID: run.ID, EventID: eventID, RequestBody: in}, nil
}
