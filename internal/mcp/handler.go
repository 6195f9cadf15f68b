package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/internal/client"
)

// Path is where the tools are served, beside the API.
const Path = "/mcp"

// Handler serves the tools by streamable HTTP, without sessions: each request stands for
// itself, and carries the agent's token. All fields are required.
type Handler struct {
	API http.Handler // the Events API, by which everything is done
	// Admit tells whether requests with these headers come from an agent. If not it answers
	// as the API does, and returns false.
	Admit func(http.ResponseWriter, *http.Request) bool
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	// Longest is how long a request may wait for an outcome.
	Longest time.Duration
}

// Longest is how long a request waits for an outcome at most where the server answers
// each within some 20 seconds: agents call again.
const Longest = 10 * time.Second

// maxRequest is how large a request may be, in bytes.
const maxRequest = 256 << 10

// Handler serves under [Path].
func (h Handler) Handler() http.Handler {
	serve := sdk.NewStreamableHTTPHandler(func(r *http.Request) *sdk.Server {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return New(&client.Client{
			URL: "http://api.invalid/api/v1", Token: strings.TrimSpace(token), // in this process: nothing is looked up
			HTTP: &http.Client{Transport: inProcess{h.API}}, Now: h.Now, Sleep: h.Sleep, Attempts: 1,
		}, h.Longest)
	}, &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true, MaxRequestBodyBytes: maxRequest, PropagateRequestCancellation: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if len(r.Header.Values("Origin")) > 0 { // a page in a browser, where no agent is
			write(w, http.StatusForbidden, &refusal{code: codeRequest, message: "no page may ask here"})
			return
		}
		if h.Admit(w, r) && h.understands(w, r) {
			serve.ServeHTTP(w, r)
		}
	})
}

// understands tells whether the SDK can answer a request as the protocol has it. If not,
// it is answered.
func (h Handler) understands(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		return true
	}
	version := r.Header.Get("Mcp-Protocol-Version")
	if refused := checkVersion(version); refused != nil {
		write(w, refused.status(version), refused)
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		write(w, status, &refusal{code: codeRequest, message: fmt.Sprintf("the message can't be read: it may have %d bytes at most", maxRequest)})
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return true // which the SDK says
	}
	refused, silent := check(body)
	switch {
	case refused != nil:
		write(w, refused.status(version), refused)
	case silent:
		w.WriteHeader(http.StatusAccepted)
	}
	return refused == nil && !silent
}

func write(w http.ResponseWriter, status int, refused *refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(refused.json()) // to somebody who may be gone
}

// inProcess has a handler of this process answer requests.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.handler.ServeHTTP(w, r)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: w.header, Body: body{bytes.NewReader(w.b.Bytes())}, ContentLength: int64(w.b.Len()), Request: r,
	}, nil
}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	b      bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.b.Write(p) }
