package lambdahost

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// runtimeAPI serves one process, at an address and below a path that only this
// process was told. Callers that do not know the path can neither take an
// invocation nor answer one: other users of this machine, other functions, and
// web pages, which the headers Host and Origin give away as well.
func (w *worker) runtimeAPI(address, secret string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", w.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", w.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", w.serveError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", w.serveInitError)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		said, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Host != address || r.Header.Get("Origin") != "" || subtle.ConstantTimeCompare([]byte(said), []byte(secret)) != 1 {
			refuse(rw, http.StatusForbidden, "Forbidden", "this is the Runtime API of a local function, at the whole address in AWS_LAMBDA_RUNTIME_API")
			return
		}
		http.StripPrefix("/"+secret, mux).ServeHTTP(rw, r)
	})
}

// serveNext gives the process its next invocation, however long that takes.
func (w *worker) serveNext(rw http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-w.next:
		w.mu.Lock()
		w.current, w.request = inv, inv.id
		w.mu.Unlock()
		header := rw.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		header.Set("Lambda-Runtime-Invoked-Function-Arn", w.function.arn)
		header.Set("Lambda-Runtime-Trace-Id", inv.trace)
		_, _ = rw.Write(inv.payload) // a process that is gone is noticed by its exit
	case <-r.Context().Done():
	}
}

func (w *worker) serveResponse(rw http.ResponseWriter, r *http.Request) {
	w.settle(rw, r, func(body []byte) outcome {
		// A Go function that streams its answer says in a trailer that it broke off.
		if r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "" {
			said, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
			return outcome{err: w.functionError(said)}
		}
		return outcome{answer: body}
	})
}

func (w *worker) serveError(rw http.ResponseWriter, r *http.Request) {
	w.settle(rw, r, func(body []byte) outcome { return outcome{err: w.functionError(body)} })
}

// settle ends the current invocation with what the process sent.
func (w *worker) settle(rw http.ResponseWriter, r *http.Request, read func([]byte) outcome) {
	inv := w.take(r.PathValue("id"))
	if inv == nil {
		refuse(rw, http.StatusBadRequest, "InvalidRequestID", "there is no such invocation under way")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxPayload))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		e := w.function.failed("its answer is larger than 6 MB")
		e.Cause = errors.New("Function.ResponseSizeTooLarge") // Lambda's name for it
		inv.done <- outcome{err: e}
		refuse(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the answer is larger than 6 MB")
		return
	}
	if err != nil {
		inv.done <- outcome{err: w.function.unavailable(err, "broke off its answer")}
		return
	}
	inv.done <- read(body)
	accept(rw)
}

// take gives the current invocation, to one caller only.
func (w *worker) take(id string) *invocation {
	w.mu.Lock()
	defer w.mu.Unlock()
	inv := w.current
	if inv == nil || inv.id != id {
		return nil
	}
	w.current = nil
	return inv
}

func (w *worker) serveInitError(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxPayload))
	if err != nil {
		body = nil // the failure is reported without its reason
	}
	failed := w.functionError(body)
	w.mu.Lock()
	w.initErr = failed
	w.mu.Unlock()
	accept(rw)
	w.doom()
}

// functionError reads the form in which runtimes report errors. People see the
// message; where it happened is for the log.
func (w *worker) functionError(body []byte) *flow.Error {
	var said struct {
		Message string          `json:"errorMessage"`
		Type    string          `json:"errorType"`
		Stack   json.RawMessage `json:"stackTrace"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		said.Message, said.Type = "it gave no reason", "Runtime.Unknown"
	}
	w.mu.Lock()
	request := w.request
	w.mu.Unlock()
	const most = 16 << 10 // bytes of a stack trace
	w.function.host.log.Warn("the function reported an error", "function", w.function.name, "request_id", request,
		"type", said.Type, "message", said.Message, "stack", string(said.Stack[:min(len(said.Stack), most)]))
	if said.Message == "" {
		said.Message = said.Type // Python's MemoryError says no more, for one
	}
	e := w.function.failed(said.Message)
	e.Cause = &Reported{Type: said.Type, Message: said.Message}
	return e
}

// Reported is the cause of an error that the function itself reported, in its
// own words. Type is by what Step Functions tells errors apart.
type Reported struct{ Type, Message string }

func (r *Reported) Error() string { return r.Type }

func accept(rw http.ResponseWriter) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`) // a process that is gone is noticed by its exit
}

func refuse(rw http.ResponseWriter, status int, errorType, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]string{"errorType": errorType, "errorMessage": message}) // as above
}
