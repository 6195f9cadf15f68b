package strategytest

import (
	"bytes"
	"crypto/rand"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Front stands before the API of a fake vendor and does what all fakes share: the
// moods from Willing to Untimed, and Expired; which calls asked for a change; and
// which tokens there are. Embedded in a fake, it gives it SetMood, Changes and
// Refused. The API sees calls of moods in which it is to work only, and asks
// [Front.Mood] for the others (Stale, Inviting), or [Front.Conflict].
type Front struct {
	API http.Handler // required: the vendor's API, which keeps the state
	// Change tells whether a call asks for a change, and which. The body has been
	// read, and can be read again. It is required.
	Change func(r *http.Request, body []byte) (Change, bool)
	// Token takes the token out of a call, "" if there is none, and tells whether it
	// is to be one of [Front.Issue]. nil: none are looked at.
	Token func(*http.Request) (token string, wanted bool)
	// SignsIn tells which calls sign in. nil: those that need no issued token.
	SignsIn func(*http.Request) bool
	// Refuse writes the vendor's answer to what it does not allow.
	Refuse func(http.ResponseWriter)
	// Throttle writes the vendor's answer to too many calls; 0: it does not say for
	// how long to wait.
	Throttle func(w http.ResponseWriter, wait time.Duration)
	// Unauthorized writes the vendor's answer to a token that it does not take.
	Unauthorized func(http.ResponseWriter)
	// Wait is what a Throttled vendor asks for.
	Wait time.Duration
	// Shapes are what calls and answers are held to, by the test T; nil: nothing.
	Shapes *Shapes
	T      testing.TB

	mu      sync.Mutex
	mood    Mood
	changes []Change
	refused int
	tokens  map[string]bool
	calls   []string
	astray  Astray
	strayed int
}

// SetMood implements System.
func (f *Front) SetMood(m Mood) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mood = m
	if m == Expired {
		clear(f.tokens)
	}
}

// SetAstray implements Strayer.
func (f *Front) SetAstray(a Astray) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.astray, f.strayed = a, 0
	clear(f.tokens)
}

// Strayed implements Strayer.
func (f *Front) Strayed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.strayed
}

func (f *Front) signsIn(r *http.Request) bool {
	if f.SignsIn != nil || f.Token == nil {
		return f.SignsIn != nil && f.SignsIn(r)
	}
	_, wanted := f.Token(r)
	return !wanted
}

// Mood is the one that holds.
func (f *Front) Mood() Mood {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mood
}

// Changes implements System.
func (f *Front) Changes() []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// Calls lists all calls, as "GET /path", in their order.
func (f *Front) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Refused implements Refuser.
func (f *Front) Refused() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// Issue gives out a token, which is taken until it expires.
func (f *Front) Issue() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := rand.Text()
	if f.tokens == nil {
		f.tokens = map[string]bool{}
	}
	f.tokens[token] = true
	return token
}

// Conflict tells whether a change is to be refused because of another one of the
// same thing. The next one won't be.
func (f *Front) Conflict() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mood != Conflicted {
		return false
	}
	f.mood = Willing
	f.refused++
	return true
}

// takes tells whether a call has a token that is taken.
func (f *Front) takes(r *http.Request) bool {
	if f.Token == nil {
		return true
	}
	token, wanted := f.Token(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !wanted || f.tokens[token] {
		return true
	}
	f.refused++
	return false
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // whole, so that a caller who gives up is noticed
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	change, changes := f.Change(r, body)
	f.mu.Lock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	if changes {
		f.changes = append(f.changes, change)
	}
	mood, astray := f.mood, f.astray
	f.mu.Unlock()
	if astray == AnotherServer || astray == NoAccount && f.signsIn(r) {
		f.mu.Lock()
		f.strayed++
		f.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, astray.words())
		return
	}
	switch mood {
	case Refusing:
		f.Refuse(w)
	case Throttled:
		f.Throttle(w, f.Wait)
	case Untimed:
		f.Throttle(w, 0)
	case Broken:
		w.WriteHeader(http.StatusInternalServerError)
	case Mute:
		<-r.Context().Done()
	default:
		if !f.takes(r) {
			f.Unauthorized(w)
			return
		}
		if f.Shapes == nil && !(mood == Forgetful && changes) {
			f.API.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		f.API.ServeHTTP(answer, r)
		if f.Shapes != nil {
			f.Shapes.hold(f.T, r, body, answer.Code, answer.Body.Bytes())
		}
		if mood == Forgetful && changes {
			panic(http.ErrAbortHandler) // closes the connection
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}
}
