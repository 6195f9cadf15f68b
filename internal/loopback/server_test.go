package loopback

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// connection is an answer whose connection notes the deadlines that it is given.
type connection struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (c *connection) SetReadDeadline(at time.Time) error {
	c.deadlines = append(c.deadlines, at)
	return nil
}

// A body has a deadline until it has arrived; what is answered after that has
// none.
func TestServer_Body(t *testing.T) {
	t.Parallel()
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(c.deadlines) != 1 || c.deadlines[0].Before(before.Add(bodyTime)) {
			t.Errorf("while the body is read: %v", c.deadlines)
		}
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != "body" {
			t.Errorf("read %q, %v", got, err)
		}
		if len(c.deadlines) != 2 || !c.deadlines[1].IsZero() {
			t.Errorf("after that: %v", c.deadlines)
		}
	}), bodyTime).ServeHTTP(c, httptest.NewRequest(http.MethodPost, "/", io.NopCloser(strings.NewReader("body"))))
}

// Without a body there is nothing to wait for.
func TestServer_NoBody(t *testing.T) {
	t.Parallel()
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Body = http.NoBody
	bounded(http.NotFoundHandler(), bodyTime).ServeHTTP(c, request)
	if len(c.deadlines) > 0 {
		t.Errorf("deadlines %v", c.deadlines)
	}
}

// Half a body is given up by a real connection.
func TestServer_SlowBody(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	}), 0) // over at once
	s.Start()
	t.Cleanup(s.Close)
	half, never := io.Pipe()
	t.Cleanup(func() { _ = never.Close() })
	go fmt.Fprint(never, "half")
	if res, err := http.Post(s.URL, "text/plain", half); err == nil {
		_ = res.Body.Close()
	}
	if err := <-read; err == nil {
		t.Error("half a body was taken for a whole one")
	}
}

// Every part of what is waited for has a bound.
func TestNewServer(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), 0, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("headers %v, idle %v", s.ReadHeaderTimeout, s.IdleTimeout)
	}
}
