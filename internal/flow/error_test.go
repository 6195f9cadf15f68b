package flow

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestRetryable holds what may be tried again, and when.
func TestRetryable(t *testing.T) {
	t.Parallel()
	limited := func(cause error) error { return &RateLimited{After: 7 * time.Second, Cause: cause} }
	for _, c := range []struct {
		name  string
		err   error
		again bool
		wait  time.Duration
	}{
		{"without a code", errors.New("connection reset"), true, 0},
		{"unavailable", Errorf(CodeUnavailable, "down"), true, 0},
		{"refused", Errorf(CodeStrategy, "no"), false, 0},
		{"rate limited", limited(Errorf(CodeUnavailable, "slow down")), true, 7 * time.Second},
		{"rate limited, wrapped", fmt.Errorf("grant: %w", errors.Join(limited(errors.New("429")))), true, 7 * time.Second},
		{"rate limited by what else would refuse", limited(Errorf(CodeStrategy, "quota")), true, 7 * time.Second},
	} {
		if got := Retryable(c.err); got != c.again {
			t.Errorf("%s: retryable %t, want %t", c.name, got, c.again)
		}
		if got := AskedToWait(c.err); got != c.wait {
			t.Errorf("%s: asked to wait %s, want %s", c.name, got, c.wait)
		}
		if got := FailureOf(c.err).Retryable; got != c.again {
			t.Errorf("%s: kept as retryable %t, want %t", c.name, got, c.again)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "four": "four", "fünf!": "fünf…", "日本語日本": "日本語日…"} {
		if got := Clip(text, 4); got != want {
			t.Errorf("Clip(%q, 4) = %q, want %q", text, got, want)
		}
	}
}
