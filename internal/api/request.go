package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// request is POST /events/request.
func (a *API) request(r *http.Request, who caller) (any, error) {
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.RequestInput{
		FlowSRN: body.required("flow_srn"), FlowInputs: body.object("flow_inputs"), Context: body.raw("context"),
		UserEmail: body.text("user_email"), UserID: body.text("user_id"), StartAt: body.time(flow.KeyStartAt), Purpose: body.text(flow.KeyPurpose),
	}
	if err := body.err(); err != nil {
		return nil, err
	}
	var start time.Time
	if in.StartAt != nil {
		start = *in.StartAt
	}
	run, eventID, err := a.Submit.RequestByAPI(r.Context(), workflow.APIRequest{
		Bot: who.bot, Token: who.token, IdempotencyKey: key,
		FlowSRN: in.FlowSRN, Inputs: in.FlowInputs, Context: in.Context, UserEmail: in.UserEmail, UserID: in.UserID,
		StartAt: start, Purpose: in.Purpose,
	})
	if err != nil {
		return nil, err
	}
	return events.RequestOutput{RunID: run.ID, EventID: eventID, RequestBody: in}, nil
}

// headerIdempotencyKey makes a repeated request the same run.
const headerIdempotencyKey = "Idempotency-Key"

func idempotencyKey(h http.Header) (string, error) {
	given := h.Values(headerIdempotencyKey)
	if len(given) == 0 {
		return "", nil
	}
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if key := given[0]; len(given) == 1 && key != "" && len(key) <= 255 && !strings.ContainsFunc(key, odd) {
		return key, nil
	}
	return "", invalid(headerIdempotencyKey, "must be 1 to 255 printable ASCII characters, once")
}
