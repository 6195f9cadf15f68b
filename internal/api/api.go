package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// API is the Events API. All fields are required but where it is said.
type API struct {
	Submit workflow.Submit
	Runs   store.Runs
	Flows  *store.Flows
	Tokens store.Tokens
	Drifts store.Drifts
	// Messages say where runs are shown.
	Messages store.Messages
	Org      string
	Now      func() time.Time
	Log      *slog.Logger
	// Receipts prove that records are in the transparency log. Nil: there is none.
	Receipts *transparency.Prover
	// Attempts limits bad tokens. Nil: what stands before the API does that.
	Attempts *Attempts
}

// Base is the path that all of the API's paths start with.
const Base = "/api/v1"

// HeaderRequestID carries the request's id, which people quote when they ask
// for help. The client may choose it (a UUID).
const HeaderRequestID = "X-Sym-Request-ID"

// caller is who sends a request, by the token that it carries.
type caller struct {
	bot   flow.Actor
	token store.Token
}

// route is one thing that the API does.
type route struct {
	method, path string
	// act gives the body of the answer, whose status is then 200.
	act func(*http.Request, caller) (any, error)
}

func (a *API) routes() []route {
	return []route{
		{http.MethodPost, "/events/request", a.request},
		{http.MethodPost, "/events/deescalate", a.deescalate},
		{http.MethodPost, "/events/retry", a.retry},
		{http.MethodPost, "/runs/{id}/extend", a.extend},
		{http.MethodPost, "/runs/{id}/cancel", a.cancel},
		{http.MethodPost, "/runs/{id}/again", a.again},
		{http.MethodGet, "/events/{id}", a.event},
		{http.MethodGet, "/runs/{id}", a.run},
		{http.MethodGet, "/runs/{id}/receipt", a.receipt},
		{http.MethodGet, "/runs", a.runs},
		{http.MethodGet, "/flows", a.flows},
		{http.MethodGet, "/flows/{name}", a.flow},
		{http.MethodGet, "/drift", a.drift},
	}
}

// openAPIPath serves the description of the API, to everybody.
const openAPIPath = "/openapi.json"

// Handler serves the API under [Base]. What it answers is JSON, but for a [sheet].
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		mux.Handle(Base+rt.path, only(rt.method, func(x *exchange, r *http.Request) (any, error) {
			who, err := a.authenticate(r.Context(), r.Header)
			if err != nil {
				return nil, err
			}
			x.caller = who
			body, err := rt.act(r, who)
			x.run = runIn(body)
			return body, err
		}))
	}
	mux.Handle(Base+openAPIPath, only(http.MethodGet, func(*exchange, *http.Request) (any, error) {
		return openAPI, nil
	}))
	mux.HandleFunc("/", nowhere)
	return edge{a.Now, a.Log}.exchanges(mux)
}

// edge is what all requests go through, with a token or without.
type edge struct {
	now func() time.Time
	log *slog.Logger
}

// exchange is a request being answered. It remembers what the log is to say.
type exchange struct {
	http.ResponseWriter
	caller caller
	run    string // id of the one run that it is about, or ""
	status int
	err    error
}

// runIn returns the id of the run that an answer is about.
func runIn(body any) string {
	switch body := body.(type) {
	case events.RequestOutput:
		return body.RunID
	case events.DeescalateOutput:
		return body.RequestBody.RunID
	case events.ExtendOutput:
		return body.RunID
	case events.CancelOutput:
		return body.RunID
	case events.AgainOutput:
		return body.RunID
	case events.RetryOutput:
		return body.RunID
	case events.EventStatus:
		return body.RunID
	case events.RunStatus:
		return body.RunID
	case events.RunReceipts:
		return body.RunID
	}
	return ""
}

// exchanges does what all requests have in common: it gives each an id, turns
// a panic into an answer, and writes one line to the log.
func (e edge) exchanges(next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := e.now()
		id := r.Header.Get(HeaderRequestID)
		if len(id) != 36 || uuid.Validate(id) != nil {
			id = uuid.NewString()
		}
		w.Header().Set(HeaderRequestID, id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		x := &exchange{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				if x.status == 0 {
					x.fail(r, err)
				}
				x.err = err
			}
			e.record(x, r, id, e.now().Sub(began))
		}()
		if path.Clean(r.URL.Path) != r.URL.Path {
			nowhere(x, r) // the mux would redirect
			return
		}
		next.ServeHTTP(x, r)
	})
}

// record writes the exchange to the log: never a header, a body or a query,
// which may hold secrets.
func (e edge) record(x *exchange, r *http.Request, id string, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", x.status), slog.Duration("took", took),
	}
	if x.caller.bot.Name != "" {
		attrs = append(attrs, slog.String("bot", x.caller.bot.Name), slog.String("token_id", x.caller.token.ID))
	}
	if x.run != "" {
		attrs = append(attrs, slog.String("run", x.run))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	e.log.LogAttrs(r.Context(), level, "api request", attrs...)
}

// only answers requests of one method. HEAD is GET without the body.
func only(method string, act func(*exchange, *http.Request) (any, error)) http.Handler {
	allow := method
	if method == http.MethodGet {
		allow = "GET, HEAD"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange) // exchanges wraps everything
		if r.Method != method && !(r.Method == http.MethodHead && method == http.MethodGet) {
			x.Header().Set("Allow", allow)
			x.fail(r, flow.Errorf(flow.CodeMethod, "this path takes %s only", allow))
			return
		}
		body, err := act(x, r)
		if err != nil {
			x.fail(r, err)
			return
		}
		if s, ok := body.(sheet); ok {
			x.writeSheet(r, s)
			return
		}
		x.write(r, http.StatusOK, body)
	})
}

func nowhere(w http.ResponseWriter, r *http.Request) {
	w.(*exchange).fail(r, flow.Errorf(flow.CodeNotFound, "there is nothing at this path: GET %s%s describes those that there are", Base, openAPIPath))
}

// AdmitAgent tells whether a request carries the token of an agent. If not, it answers.
func (a *API) AdmitAgent(w http.ResponseWriter, r *http.Request) bool {
	who, err := a.authenticate(r.Context(), r.Header)
	if err == nil && !who.token.Agent {
		err = flow.Errorf(flow.CodeForbidden, "this is for agents: ask with the token of one (token create -agent), and by the API with any other")
	}
	if err != nil {
		(&exchange{ResponseWriter: w}).fail(r, err)
	}
	return err == nil
}

func (a *API) authenticate(ctx context.Context, h http.Header) (caller, error) {
	return bearer{a.Tokens, a.Attempts}.authenticate(ctx, h)
}

// bearer knows callers by tokens. Without attempts, bad tokens are not counted.
type bearer struct {
	tokens   store.Tokens
	attempts *Attempts
}

// authenticate finds out whose token a request carries (RFC 6750).
func (b bearer) authenticate(ctx context.Context, h http.Header) (caller, error) {
	given := h.Values("Authorization")
	if len(given) != 1 {
		return caller{}, flow.Errorf(flow.CodeUnauthenticated, "send the token as one header, Authorization: Bearer <token>")
	}
	scheme, value, _ := strings.Cut(given[0], " ")
	value = strings.TrimSpace(value)
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return caller{}, flow.Errorf(flow.CodeUnauthenticated, "send the token as a header, Authorization: Bearer <token>")
	}
	var who caller
	err := b.attempts.Look(value, func() (err error) {
		who.bot, who.token, err = b.tokens.Check(ctx, value)
		return err
	})
	return who, err
}
