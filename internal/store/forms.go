package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Forms keeps what forms have become that handlers have a say in, by the run
// that was prompted: the options that were fetched, and what on_change made of
// the fields. Here, and not in the form: Slack keeps 3,000 characters for us,
// and a person's options may be more than a hundred times that; what is never
// sent can't be forged; and whichever process is asked next knows it too.
type Forms struct {
	Store Store // required
	Now   func() time.Time
}

// Get reads a form and its revision. The error has flow.CodeStale if there is no
// form for the run, or it has expired.
func (s Forms) Get(ctx context.Context, runID string) (form flow.OpenForm, rev int64, err error) {
	item, err := s.Store.Get(ctx, KindForm.Key(runID))
	if errors.Is(err, ErrNotFound) {
		return form, 0, flow.Errorf(flow.CodeStale, "this form was open too long; start again with /sym req")
	}
	if err == nil {
		err = unpack(item.Body, &form)
	}
	if err != nil {
		return form, 0, fmt.Errorf("read form of run %s: %w", runID, err)
	}
	return form, item.Rev, nil
}

// Put writes a form over the revision that it was made from, 0 for a new one. It
// returns ErrConflict if another write came between; the error has
// flow.CodeTooLarge if the form does not fit into an item.
func (s Forms) Put(ctx context.Context, runID string, form flow.OpenForm, rev int64) error {
	body, err := pack(form)
	if err != nil {
		return fmt.Errorf("encode form of run %s: %w", runID, err)
	}
	_, err = s.Store.Put(ctx, Item{
		Key: KindForm.Key(runID), Rev: rev, Writer: NewWriter(), Body: body, Expires: s.Now().UTC().Add(flow.PromptTimeout),
	})
	if errors.Is(err, ErrTooLarge) {
		return &flow.Error{Code: flow.CodeTooLarge, Message: "the form has more options than can be kept: offer fewer", Cause: err}
	}
	return err
}
