package egress

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Bounds of connecting, which are those of package http.
const (
	patience  = 10 * time.Second
	keepAlive = 30 * time.Second
)

// Way is how what one owner has configured is connected to.
type Way struct {
	HTTP *http.Client // it follows no redirect
	// Dial connects to a server of another protocol: "tcp", "db.example.com:5432". The
	// error is, or wraps, a [*Refused] if the address may not be connected to.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Ways are the ways of both owners.
type Ways struct {
	Files Way // of what files own
	API   Way // of what the configuration API owns
}

// New gives the ways where what files own is held to a rule. Names are looked up by
// resolver; nil: as the machine does.
func New(files Rule, resolver *net.Resolver) Ways {
	return Ways{Files: files.way(resolver), API: Public.way(resolver)}
}

// Through gives ways that send what is HTTP through a transport, which decides what is
// reached: in one process, or nowhere.
func Through(t http.RoundTripper) Ways {
	w := New(Machine, nil)
	w.Files.HTTP.Transport, w.API.HTTP.Transport = t, secure{t}
	return w
}

// Of gives the way of what the configuration API owns, or of what files own.
func (w Ways) Of(api bool) Way {
	if api {
		return w.API
	}
	return w.Files
}

func (r Rule) way(resolver *net.Resolver) Way {
	dialer := &net.Dialer{Timeout: patience, KeepAlive: keepAlive, Resolver: resolver, Control: r.control}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = dialer.DialContext
	way := Way{
		HTTP: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Dial: dialer.DialContext,
	}
	if !r.private {
		t.Proxy = nil
		way.HTTP.Transport = secure{t}
	}
	return way
}

// secure sends by https only.
type secure struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (s secure) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &Refused{Why: "does not begin with https://, as all must that the configuration API names"}
	}
	return s.next.RoundTrip(r)
}
