package loopback

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
)

// ErrNotTold says that this system does not tell whose a connection is.
var ErrNotTold = errors.New("this system does not tell whose a connection is")

// Listen listens on a free port of 127.0.0.1 for processes of our own user.
// Connections of others are closed before anything is read, and logged.
func Listen(log *slog.Logger) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &listener{Listener: l, log: log, check: ours}, nil
}

type listener struct {
	net.Listener
	log   *slog.Logger
	check func(peer, here net.Addr) error
}

// Accept gives the next connection of our own user.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := l.check(c.RemoteAddr(), c.LocalAddr()); err != nil {
			l.log.Warn("a connection was refused", "address", l.Addr().String(), "error", err)
			c.Close()
			continue
		}
		return c, nil
	}
}

// ours is nil for a connection of our own user, or where the system does not
// tell. Root's is ours only if we are root.
func ours(peer, here net.Addr) error {
	uid, err := ownerOf(peer, here)
	switch {
	case errors.Is(err, ErrNotTold):
		return nil
	case err != nil:
		return err
	case uid != os.Geteuid():
		return fmt.Errorf("it is user %d's, and only user %d may connect", uid, os.Geteuid())
	}
	return nil
}

func ownerOf(peer, here net.Addr) (int, error) {
	from, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return 0, err
	}
	to, err := netip.ParseAddrPort(here.String())
	if err != nil {
		return 0, err
	}
	return Owner(from, to)
}

// Ours lets in requests of our own user, and root's, who may forward what
// comes from a browser (as Windows' subsystem for Linux does). To others on
// this machine it answers 403.
func Ours(h http.Handler) http.Handler {
	return own(h, ownerOf)
}

func own(h http.Handler, ownerOf func(peer, here net.Addr) (int, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !ok { // no connection: the call comes from this process
			h.ServeHTTP(w, r)
			return
		}
		uid, err := ownerOf(addr(r.RemoteAddr), here)
		if errors.Is(err, ErrNotTold) || err == nil && (uid == os.Geteuid() || uid == 0) {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, "this page is for the user who started it", http.StatusForbidden)
	})
}

// addr is an address that is known by its text.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
