package main

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestUnsent: what has no effect in AWS is not passed over.
func TestUnsent(t *testing.T) {
	t.Parallel()
	if got := unsent(nil); got != nil {
		t.Errorf("of none: %q", got)
	}
	got := unsent([]flow.LogDestination{{Name: "siem"}, {Name: "lake"}})
	if len(got) != 2 || !strings.HasPrefix(got[0], `log_destination "siem": is sent nothing by a deployment in AWS`) {
		t.Errorf("got %q", got)
	}
}
