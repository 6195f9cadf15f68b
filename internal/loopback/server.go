package loopback

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Timeouts of servers: a client that sends slowly, or not at all, must not hold
// a connection for ever.
const (
	headerTime = 10 * time.Second
	bodyTime   = 30 * time.Second
	idleTime   = 2 * time.Minute
)

// NewServer makes a server of this machine that reads no request for longer
// than a fixed time, or than patience where that is longer. An answer may take
// as long as it takes: pages that listen, and functions that wait for work, hold
// theirs open.
func NewServer(h http.Handler, patience time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: bounded(h, max(bodyTime, patience)), ReadHeaderTimeout: max(headerTime, patience), IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// bounded gives the body of a request that much time to arrive. The server's own
// ReadTimeout would end handlers that wait, too.
func bounded(next http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			connection := http.NewResponseController(w)
			// The deadline is of real time: the kernel keeps it.
			if err := connection.SetReadDeadline(time.Now().Add(d)); err == nil {
				r.Body = &timedBody{r.Body, func() { _ = connection.SetReadDeadline(time.Time{}) }}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody lifts the deadline when the body has been read to its end, or given
// up.
type timedBody struct {
	io.ReadCloser
	lift func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.lift()
	}
	return n, err
}
