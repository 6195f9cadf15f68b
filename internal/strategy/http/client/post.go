package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
)

const maxAnswer = 1 << 20 // bytes

// post sends the record and reads the answer. What went wrong names the
// server's host only: the rest of its URL may be confidential.
func (s server) post(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	body, err := json.Marshal(c.Record)
	if err != nil {
		return strategy.Result{}, fmt.Errorf("encode the record for the server: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, httpstrategy.URL(s.frozen, c.Target), bytes.NewReader(body))
	if err != nil {
		return strategy.Result{}, &flow.Error{Code: flow.CodeStrategy, Message: "the strategy's url is not an address", Cause: bare(err)}
	}
	who := "the server " + req.URL.Host
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "symflows")
	req.Header.Set("Idempotency-Key", c.Record.ID)
	if err := s.sign(ctx, req, body); err != nil {
		return strategy.Result{}, err
	}
	resp, err := s.deps.Client.Do(req)
	if refused, ok := errors.AsType[*egress.Refused](err); ok {
		return strategy.Result{}, &flow.Error{Code: flow.CodeStrategy, Message: who + " is not called: its address " + refused.Why, Cause: bare(err)}
	}
	if err != nil {
		return strategy.Result{}, &flow.Error{Code: flow.CodeUnavailable, Message: who + " could not be reached, or did not answer in time", Cause: bare(err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return strategy.Result{}, &flow.Error{Code: flow.CodeUnavailable, Message: "the answer of " + who + " was lost on the way", Cause: err}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return strategy.Result{}, s.refusal(who, resp, answer)
	}
	if len(answer) > maxAnswer {
		// It may have errors that were not read: no success can be told from it.
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "%s answered with more than %d KB", who, maxAnswer>>10)
	}
	return strategy.ReadAnswer(who, answer)
}

// sign adds the signature's headers if the strategy has a signing secret.
func (s server) sign(ctx context.Context, req *http.Request, body []byte) error {
	ref, ok := s.frozen.Secrets[httpstrategy.SettingSecret]
	if !ok {
		return nil
	}
	secret, err := s.deps.Secrets.Value(ctx, ref)
	if flow.CodeOf(err) == flow.CodeUnavailable {
		return err // it says how to repair it
	}
	if err != nil {
		return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("the signing secret %q could not be read", ref.Name), Cause: err}
	}
	if secret == "" {
		return flow.Errorf(flow.CodeStrategy, "the signing secret %q is empty: give it a value", ref.Name)
	}
	timestamp := strconv.FormatInt(s.deps.Now().Unix(), 10)
	req.Header.Set(events.HeaderTimestamp, timestamp)
	req.Header.Set(events.HeaderSignature, events.Signature(secret, timestamp, body))
	return nil
}

// refusal says what a status other than 2xx means: 408, 425, 429 and 5xx ask
// to try again (RFC 9110 §15, RFC 6585 §4, RFC 8470 §5.2), the others don't.
func (s server) refusal(who string, resp *http.Response, answer []byte) error {
	switch code := resp.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		err := flow.Errorf(flow.CodeUnavailable, "%s answered with status %d", who, code)
		if after := s.retryAfter(resp.Header.Get("Retry-After")); after > 0 {
			return &flow.RateLimited{After: after, Cause: err}
		}
		return err
	case code >= 300 && code < 400:
		return flow.Errorf(flow.CodeStrategy, "%s answered with status %d, a redirect, which is not followed: set the url to the address that it leads to", who, code)
	}
	if _, err := strategy.ReadAnswer(who, answer); err != nil {
		return err // its own words
	}
	return flow.Errorf(flow.CodeStrategy, "%s answered with status %d", who, resp.StatusCode)
}

// retryAfter reads the header (RFC 9110 §10.2.3): seconds, or a date. Zero
// means that there is none that makes sense.
func (s server) retryAfter(text string) time.Duration {
	var after time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		after = time.Duration(min(seconds, int(flow.MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(s.deps.Now())
	}
	return max(0, min(after, flow.MaxRetryAfter))
}

// bare takes the URL off an error.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
