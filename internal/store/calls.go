package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Calls keeps the tokens by which handlers ask something of us while they run:
// each for one call, on behalf of one run. They are stored hashed.
type Calls struct {
	Store Store            // required
	Now   func() time.Time // required
}

// Call is what a token stands for.
type Call struct {
	Run   string `json:"run"`
	Event string `json:"event,omitempty"` // that the handlers are asked about
	// Supposed is the run itself, where it is only supposed and kept nowhere: then nothing
	// that the handlers ask for is done.
	Supposed *flow.Run `json:"supposed,omitempty"`
	Expires  time.Time `json:"expires"`
}

// CallTime is how long a token is good for at most: as long as a function of
// AWS can run.
const CallTime = 15 * time.Minute

// Begin makes the token of a call, and says until when it is good.
func (s Calls) Begin(ctx context.Context, c Call) (token string, err error) {
	token = "call_" + rand.Text()
	c.Expires = s.Now().UTC().Add(CallTime)
	body, err := flow.EncodeJSON(c)
	if err != nil {
		return "", err
	}
	_, err = s.Store.Put(ctx, Item{Key: KindCall.Key(hash(token)), Writer: NewWriter(), Body: body, Expires: c.Expires})
	if err != nil {
		return "", fmt.Errorf("write the token of a call: %w", err)
	}
	return token, nil
}

// Check gives the call that a token stands for. The error has
// flow.CodeUnauthenticated, without details, if the token is unknown or over.
func (s Calls) Check(ctx context.Context, token string) (Call, error) {
	refused := flow.Errorf(flow.CodeUnauthenticated, "the token is not valid: it is good for one call of a handler, while that runs")
	item, err := s.Store.Get(ctx, KindCall.Key(hash(token)))
	if errors.Is(err, ErrNotFound) {
		return Call{}, refused
	}
	var c Call
	if err == nil {
		err = json.Unmarshal(item.Body, &c)
	}
	if err != nil {
		return Call{}, fmt.Errorf("read the token of a call: %w", err)
	}
	if !s.Now().Before(c.Expires) {
		return Call{}, refused
	}
	return c, nil
}

// End makes a token worthless. It returns nil if the token is gone already.
func (s Calls) End(ctx context.Context, token string) error {
	item, err := s.Store.Get(ctx, KindCall.Key(hash(token)))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = s.Store.Delete(ctx, item.Key, item.Rev)
	}
	if err != nil {
		return fmt.Errorf("end the token of a call: %w", err)
	}
	return nil
}
