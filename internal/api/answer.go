package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// write sends a JSON body.
func (x *exchange) write(r *http.Request, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		x.fail(r, err)
		return
	}
	x.send(r, status, "application/json", append(b, '\n'))
}

// send sends a body of a media type.
func (x *exchange) send(r *http.Request, status int, kind string, b []byte) {
	x.status = status
	x.Header().Set("Content-Type", kind)
	x.Header().Set("Content-Length", strconv.Itoa(len(b)))
	x.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = x.Write(b) // a client that has gone needs no answer
	}
}

// fail sends an error in the shape of [events.APIError].
func (x *exchange) fail(r *http.Request, err error) {
	x.err = err
	shown, _ := errors.AsType[*flow.Error](err)
	status := statuses[flow.CodeOf(err)]
	if status == 0 {
		status = http.StatusInternalServerError
		shown = flow.Errorf(flow.CodeInternal, "something went wrong on our side: try again, and quote the %s if it stays so", HeaderRequestID)
	}
	body := events.APIError{
		Error: true, Message: shown.Message, Code: string(shown.Code), StatusCode: status,
		Errors: []events.APIFieldError{}, IsRetryable: flow.Retryable(shown),
	}
	for _, f := range shown.Fields {
		body.Errors = append(body.Errors, events.APIFieldError{Field: f.Field, Message: f.Message})
	}
	if status == http.StatusUnauthorized {
		x.Header().Set("WWW-Authenticate", "Bearer")
	}
	x.write(r, status, body)
}

// invalid says what is wrong with one part of a request.
func invalid(field, message string) error {
	return &flow.Error{Code: flow.CodeInvalid, Message: "the request is not right", Fields: []flow.FieldError{{Field: field, Message: message}}}
}
