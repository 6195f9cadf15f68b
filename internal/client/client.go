// Package client calls the Events API of a deployment, as programs elsewhere do: it
// asks, waits for what comes of it, and ends. It repeats what was limited, what failed
// on the other side and what got no answer, so that nothing is asked for twice and no
// answer is lost.
//
//	client.go   the calls
//	wait.go     waits for the outcome of a request
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
)

// Client calls one deployment with one token. All fields are required but where it is
// said. It may be used by many at once.
type Client struct {
	URL   string // of the API, as [Address] gives it
	Token string
	HTTP  *http.Client // it follows no redirection, whatever it is told
	Now   func() time.Time
	// Sleep waits for a time, or returns the error of a context that is over before.
	Sleep func(context.Context, time.Duration) error
	// Attempts is how often a call is made that may pass; 0: a few times. One, where whoever
	// asks can't wait.
	Attempts int
}

// New makes a client that works by the clock of this machine.
func New(address, token string) *Client {
	return &Client{URL: address, Token: token, HTTP: &http.Client{Timeout: 30 * time.Second}, Now: time.Now, Sleep: Sleep}
}

// Sleep waits for a time by the clock of this machine.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// base is the path that all of the API's paths start with.
const base = "/api/v1"

// Address gives the URL of the API's paths for one that people give: that of the
// deployment, or of its API. A token is sent there, so that it is HTTPS but on this
// machine.
func Address(given string) (string, error) {
	u, err := url.Parse(given)
	here := err == nil && u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost")
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !here {
		return "", fmt.Errorf("the URL of the API is not right: give that of the deployment, such as https://abc123.execute-api.us-east-1.amazonaws.com, or of this machine, such as http://127.0.0.1:8080")
	}
	return strings.TrimSuffix(strings.TrimSuffix(given, "/"), base) + base, nil
}

// Error is an answer by which the API refuses something.
type Error struct {
	events.APIError
	RequestID string        // to quote when asking for help
	after     time.Duration // before which it is not to be asked again
}

func (e *Error) Error() string {
	text := e.Message
	for _, f := range e.Errors {
		text += "; " + f.Field + " " + f.Message
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// passes tells whether the same call may succeed later.
func (e *Error) passes() bool {
	return e.IsRetryable || e.StatusCode == http.StatusTooManyRequests || e.StatusCode >= http.StatusInternalServerError
}

// CodeOf gives the code of an error of the API; "" for any other error.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Flows lists the flows that there are.
func (c *Client) Flows(ctx context.Context) (out events.FlowList, err error) {
	err = c.call(ctx, http.MethodGet, "/flows", "", nil, &out)
	return out, err
}

// Flow tells what requests of a flow take.
func (c *Client) Flow(ctx context.Context, name string) (out events.FlowDetail, err error) {
	err = c.call(ctx, http.MethodGet, "/flows/"+segment(name), "", nil, &out)
	return out, err
}

// Request asks. The same request with the same key is the same run, however often it
// is sent.
func (c *Client) Request(ctx context.Context, in events.RequestInput, key string) (out events.RequestOutput, err error) {
	err = c.call(ctx, http.MethodPost, "/events/request", key, in, &out)
	return out, err
}

// Run tells how a run stands. The id may be a short one.
func (c *Client) Run(ctx context.Context, id string) (out events.RunStatus, err error) {
	err = c.call(ctx, http.MethodGet, "/runs/"+segment(id), "", nil, &out)
	return out, err
}

// Runs lists runs, by the parameters of GET /runs.
func (c *Client) Runs(ctx context.Context, query url.Values) (out events.RunList, err error) {
	err = c.call(ctx, http.MethodGet, "/runs?"+query.Encode(), "", nil, &out)
	return out, err
}

// Broken lists what the configuration API has stored and no flows can be made of. The
// token must be one that may configure.
func (c *Client) Broken(ctx context.Context) (out events.BrokenList, err error) {
	err = c.call(ctx, http.MethodGet, "/entities/broken", "", nil, &out)
	return out, err
}

// Configured lists a part of what is configured: what comes after next of the part before,
// "" for the first. The token must be one that may configure.
func (c *Client) Configured(ctx context.Context, after string) (out events.EntityList, err error) {
	err = c.call(ctx, http.MethodGet, "/entities/all?"+url.Values{"after": {after}}.Encode(), "", nil, &out)
	return out, err
}

// Proposals lists what was proposed to the configuration API and waits for approval. The
// token must be one that may configure.
func (c *Client) Proposals(ctx context.Context) (out events.ProposalList, err error) {
	err = c.call(ctx, http.MethodGet, "/entities/proposals", "", nil, &out)
	return out, err
}

// Offer lets entities change hands in the next publish of files. The token must be one that
// may configure.
func (c *Client) Offer(ctx context.Context, in events.OfferInput) (out events.OfferOutput, err error) {
	err = c.call(ctx, http.MethodPost, "/entities/offer", "", in, &out)
	return out, err
}

// End withdraws a request, or ends access that has come of it, whatever it has become
// meanwhile. It returns how the run stood before, and whether there was anything to end.
func (c *Client) End(ctx context.Context, id string) (run events.RunStatus, ended bool, err error) {
	// What was decided between looking and ending is looked at again.
	for range 5 {
		if run, err = c.Run(ctx, id); err != nil {
			return run, false, err
		}
		switch run.Status {
		case "denied", "expired", "cancelled", "deescalated":
			return run, false, nil
		case "escalated":
			err = c.deescalate(ctx, run.RunID)
		default:
			err = c.call(ctx, http.MethodPost, "/runs/"+segment(run.RunID)+"/cancel", "", nil, new(events.CancelOutput))
			if CodeOf(err) == "Run:ALREADY_DECIDED" && run.Status == "approved" {
				if approvalOnly(run) {
					return run, false, nil // there is nothing that could be taken back
				}
				err = c.deescalate(ctx, run.RunID)
			}
		}
		if code := CodeOf(err); code != "Run:ALREADY_DECIDED" && code != "DeescalateAPI:INVALID_RUN" {
			return run, err == nil, err
		}
	}
	return run, false, err
}

func (c *Client) deescalate(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/events/deescalate", "", events.DeescalateInput{RunID: id}, new(events.DeescalateOutput))
}

// segment makes one part of a path of a text that people give.
func segment(text string) string {
	if text == "." || text == ".." || text == "" {
		return "-" // which is no id and no name
	}
	return url.PathEscape(text)
}

const (
	attempts   = 6 // of a call that may pass, where the client does not say
	firstPause = 500 * time.Millisecond
	maxPause   = time.Minute
	maxAnswer  = 8 << 20 // bytes
)

// call makes a call until it has an answer that stays, a few times at most.
func (c *Client) call(ctx context.Context, method, path, key string, in, out any) error {
	var err error
	for n := range cmp.Or(c.Attempts, attempts) {
		if n > 0 {
			if pause := c.Sleep(ctx, pauseAfter(err, firstPause<<(n-1))); pause != nil {
				return pause
			}
		}
		if err = c.once(ctx, method, path, key, in, out); !passes(ctx, err) {
			return err
		}
	}
	return err
}

// pauseAfter is how long to wait after an error: as long as it says, or about as long
// as is usual, not all clients at once.
func pauseAfter(err error, usual time.Duration) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok && e.after > 0 {
		return min(e.after, maxPause)
	}
	return usual/2 + rand.N(usual/2)
}

// passes tells whether a call failed so that it may be made again.
func passes(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.passes()
	}
	_, lost := errors.AsType[*url.Error](err)
	return lost || errors.Is(err, io.ErrUnexpectedEOF)
}

// once makes a call.
func (c *Client) once(ctx context.Context, method, path, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "symflows")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	straight := *c.HTTP
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := straight.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &url.Error{Op: method, URL: c.URL + path, Err: err} // the answer broke off
	}
	if response.StatusCode != http.StatusOK {
		return c.refusal(response, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("what answers at %s is not the API: give the deployment's own URL", c.URL)
	}
	return nil
}

// refusal reads an answer that reports an error. One of the API has a code; one of what
// stands before it may have a message.
func (c *Client) refusal(response *http.Response, body []byte) error {
	e := &Error{RequestID: response.Header.Get("X-Sym-Request-ID")}
	if json.Unmarshal(body, &e.APIError) != nil || e.Code == "" {
		var theirs struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &theirs)
		e.APIError = events.APIError{Error: true, Message: strings.TrimSpace("the deployment answered " + response.Status + " " + theirs.Message)}
	}
	e.StatusCode = response.StatusCode
	if after := response.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			e.after = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(after); err == nil {
			e.after = at.Sub(c.Now())
		}
	}
	return e
}
