package slacksim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The paths at which the app takes Slack's requests.
const (
	pathCommands     = "/slack/commands"
	pathInteractions = "/slack/interactions"
	pathOptions      = "/slack/options"
)

// Delivery is one request that was sent to the app, and its answer.
type Delivery struct {
	Path   string
	Header http.Header // with timestamp and signature
	Body   string      // form-encoded, or JSON for an event, as signed
	Status int         // 0 if there was no answer
	Answer string
	// Err says why there was no answer: operation_timeout after three seconds,
	// app_unreachable else.
	Err error
}

var (
	errTimeout     = errors.New("operation_timeout")
	errUnreachable = errors.New("app_unreachable")
)

// Deliveries gives the requests sent to the app so far, oldest first, at most
// the last 1,000.
func (s *Sim) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Redeliver sends a request again to the last byte, as somebody would who has
// recorded it, and gives the answer. Nobody in the workspace sees it.
func (s *Sim) Redeliver(d Delivery) Delivery {
	return s.post(Delivery{Path: d.Path, Header: d.Header.Clone(), Body: d.Body})
}

// Deliver signs and sends any form to the app, as Slack's own requests are, and
// gives the answer. It is for requests that no client of Slack's would make.
func (s *Sim) Deliver(path string, form url.Values) Delivery {
	body := form.Encode()
	return s.post(Delivery{Path: path, Header: s.signed(body, "application/x-www-form-urlencoded"), Body: body})
}

// signed gives the header of a request of Slack's with this body.
func (s *Sim) signed(body, kind string) http.Header {
	stamp := strconv.FormatInt(s.config.Clock.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.config.SigningSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	header := http.Header{}
	header.Set("Content-Type", kind)
	header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	header.Set("Accept", "application/json,*/*")
	header.Set("X-Slack-Request-Timestamp", stamp)
	header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return header
}

// deliverPayload sends an interaction.
func (s *Sim) deliverPayload(path string, payload object) Delivery {
	// Payloads are made of strings, lists and objects, which always marshal.
	raw, _ := json.Marshal(payload)
	return s.Deliver(path, url.Values{"payload": {string(raw)}})
}

// post sends a request and gives up on it after three seconds.
func (s *Sim) post(d Delivery) Delivery {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		select {
		case <-s.config.Clock.After(ackSeconds * time.Second):
			cancel(errTimeout)
		case <-ctx.Done():
		}
	}()
	d.Status, d.Answer, d.Err = s.roundTrip(ctx, d)
	if d.Err != nil {
		s.config.Logger.Warn("simulated Slack can't reach the app", "path", d.Path, "error", d.Err)
		if errors.Is(context.Cause(ctx), errTimeout) {
			d.Err = errTimeout
		} else {
			d.Err = errUnreachable
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, d)
	if len(s.sent) > 1000 {
		s.sent = slices.Clone(s.sent[len(s.sent)-1000:])
	}
	return d
}

func (s *Sim) roundTrip(ctx context.Context, d Delivery) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.AppURL+d.Path, strings.NewReader(d.Body))
	if err != nil {
		return 0, "", err
	}
	req.Header = d.Header
	resp, err := s.config.Client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, string(answer), err
}

// InProcess gives a client that calls a handler without a network, for tests
// whose app and Sim share a process. A request whose context ends is answered
// by that error while the handler goes on, as on a real connection.
func InProcess(h http.Handler) *http.Client { return &http.Client{Transport: inProcess{h}} }

type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RequestURI, r.Host, r.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:0"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answered := make(chan *http.Response, 1)
	go func() {
		defer close(answered)
		defer func() {
			// A server survives a handler's panic, and the client sees the
			// connection break.
			_ = recover()
		}()
		a := &answer{status: http.StatusOK, header: http.Header{}}
		p.handler.ServeHTTP(a, r)
		answered <- &http.Response{
			StatusCode: a.status, Status: http.StatusText(a.status), Header: a.header, Request: r,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()),
		}
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case resp, ok := <-answered:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	}
}

// answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
