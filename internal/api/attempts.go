package api

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Attempts refuses to look up tokens after too many bad ones in a minute. In
// AWS, API Gateway throttles; on one machine nothing else does. A caller who has
// shown a valid token is still let in.
type Attempts struct {
	PerMinute int              // bad tokens, of all callers together
	Now       func() time.Time // required

	mu    sync.Mutex
	since time.Time // when this minute began
	bad   int
	good  map[[sha256.Size]byte]bool
}

// maxGood bounds the tokens that are remembered as valid.
const maxGood = 1000

// Allow says whether the token may be looked up. The error has
// flow.CodeTooManyAttempts. A nil receiver allows all.
func (a *Attempts) Allow(token string) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.Now(); now.Sub(a.since) >= time.Minute || now.Before(a.since) {
		a.since, a.bad = now, 0
	}
	if a.bad < a.PerMinute || a.good[sha256.Sum256([]byte(token))] {
		return nil
	}
	return flow.Errorf(flow.CodeTooManyAttempts, "too many bad tokens in a minute: try again in a minute")
}

// Note takes down what came of looking a token up.
func (a *Attempts) Note(token string, err error) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	switch {
	case err == nil && len(a.good) < maxGood:
		if a.good == nil {
			a.good = map[[sha256.Size]byte]bool{}
		}
		a.good[key] = true
	case flow.CodeOf(err) == flow.CodeUnauthenticated:
		delete(a.good, key)
		a.bad++
	}
}
