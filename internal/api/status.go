package api

import (
	"net/http"

	"github.com/symflows/symflows/internal/flow"
)

// statuses maps the codes of errors to HTTP. An error whose code is not here
// is a fault of ours: status 500, flow.CodeInternal, and no detail.
var statuses = map[flow.Code]int{
	flow.CodeInvalid:         http.StatusBadRequest,
	flow.CodeInvalidRun:      http.StatusBadRequest, // Sym's
	flow.CodeNothingFailed:   http.StatusBadRequest,
	flow.CodeNotExtendable:   http.StatusBadRequest,
	flow.CodeUnauthenticated: http.StatusUnauthorized,
	flow.CodeTooManyAttempts: http.StatusTooManyRequests,
	flow.CodeAgentLimit:      http.StatusTooManyRequests,
	flow.CodeForbidden:       http.StatusForbidden,
	flow.CodeWrongSource:     http.StatusForbidden,
	flow.CodeUnknownFlow:     http.StatusNotFound,
	flow.CodeUnknownEntity:   http.StatusNotFound,
	flow.CodeUnknownRun:      http.StatusNotFound,
	flow.CodeNotLogged:       http.StatusNotFound,
	flow.CodeUnknownEvent:    http.StatusNotFound,
	flow.CodeNotFound:        http.StatusNotFound,
	flow.CodeMethod:          http.StatusMethodNotAllowed,
	flow.CodeIdempotency:     http.StatusConflict,
	flow.CodeDecided:         http.StatusConflict,
	flow.CodeIllegal:         http.StatusConflict,
	flow.CodeFull:            http.StatusConflict,
	flow.CodeStale:           http.StatusConflict,
	flow.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	flow.CodeMediaType:       http.StatusUnsupportedMediaType,
	flow.CodeLookup:          http.StatusServiceUnavailable,
	flow.CodeLookupRefused:   http.StatusServiceUnavailable,
	flow.CodeConfigFaulty:    http.StatusServiceUnavailable,
	flow.CodeDiskFull:        http.StatusServiceUnavailable,
}
