package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/slacksim"
)

// A page that is opened shows what happened last as the last, whichever log it is of;
// a log that can't be read just now loses nothing of the others.
func TestAuditPanel(t *testing.T) {
	t.Parallel()
	at := func(id string, second int) slacksim.Record {
		return slacksim.Record{ID: id, At: time.Date(2026, 3, 2, 9, 0, second, 0, time.UTC)}
	}
	var broken error
	log := func(records ...slacksim.Record) *tailed {
		return &tailed{tail: func(_ context.Context, after string) ([]slacksim.Record, string, error) {
			if after != "" {
				return nil, after, broken
			}
			return records, "read", nil
		}}
	}
	p := &auditPanel{logs: []*tailed{log(at("request", 5), at("approve", 9)), log(at("publish", 1), at("token_create", 7))}}
	broken = errors.New("the disk is away")
	if _, err := p.Tail(t.Context(), 0); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	broken = nil
	records, err := p.Tail(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.ID)
	}
	if want := []string{"publish", "request", "token_create", "approve"}; !slices.Equal(got, want) {
		t.Errorf("shown: %v, want %v", got, want)
	}
	if records, err = p.Tail(t.Context(), 4); err != nil || len(records) != 0 {
		t.Errorf("shown again: %v, %v", records, err)
	}
}
