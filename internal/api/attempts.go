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

	// strangers is held while a token that is not known to be good is looked up:
	// one at a time, so that the next one knows what came of it.
	strangers sync.Mutex

	mu    sync.Mutex // guards what follows
	since time.Time  // when this minute began
	bad   int
	good  map[[sha256.Size]byte]bool
}

// maxGood bounds the tokens that are remembered as valid.
const maxGood = 1000

// Look looks a token up, unless too many were bad in this minute: then the error
// has flow.CodeTooManyAttempts. Otherwise it is that of look, which has
// flow.CodeUnauthenticated for a bad token. A nil receiver always looks.
func (a *Attempts) Look(token string, look func() error) error {
	if a == nil {
		return look()
	}
	key := sha256.Sum256([]byte(token))
	if !a.known(key) {
		a.strangers.Lock()
		defer a.strangers.Unlock()
		if a.over() {
			return flow.Errorf(flow.CodeTooManyAttempts, "too many bad tokens in a minute: try again in a minute")
		}
	}
	err := look()
	a.note(key, err)
	return err
}

func (a *Attempts) known(key [sha256.Size]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.good[key]
}

// over tells whether too many tokens were bad in this minute.
func (a *Attempts) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.Now(); now.Sub(a.since) >= time.Minute || now.Before(a.since) {
		a.since, a.bad = now, 0
	}
	return a.bad >= a.PerMinute
}

// note takes down what came of looking a token up.
func (a *Attempts) note(key [sha256.Size]byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
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
