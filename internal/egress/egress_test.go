package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/egress"
)

// proxied counts what came to the proxy that the environment names.
var proxied atomic.Int64

// TestMain names a proxy in the environment, where package http looks once.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		proxied.Add(1)
		io.WriteString(w, "by the proxy")
	}))
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		os.Setenv(name, proxy.URL)
	}
	os.Setenv("NO_PROXY", "direct.example.com")
	code := m.Run()
	proxy.Close()
	os.Exit(code)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	// Of each address: whether the API, files in AWS and files on one machine may name it.
	for address, want := range map[string][3]bool{
		"93.184.216.34": {true, true, true}, "2606:4700::1111": {true, true, true},
		"::ffff:93.184.216.34": {true, true, true}, "64:ff9b::5db8:d822": {true, true, true},

		"10.1.2.3": {false, true, true}, "172.16.0.1": {false, true, true}, "172.31.255.255": {false, true, true}, "192.168.1.1": {false, true, true},
		"::ffff:10.1.2.3": {false, true, true}, "64:ff9b::a01:203": {false, true, true}, "100.64.0.1": {false, true, true}, "198.18.0.1": {false, true, true},
		"fd12:3456::1": {false, true, true}, "192.0.2.1": {false, true, true}, "2001:db8::1": {false, true, true},

		"127.0.0.1": {false, false, true}, "127.9.9.9": {false, false, true}, "::1": {false, false, true},
		"::ffff:127.0.0.1": {false, false, true}, "64:ff9b::7f00:1": {false, false, true},

		"169.254.169.254": {}, "169.254.170.2": {}, "::ffff:169.254.169.254": {}, "64:ff9b::a9fe:a9fe": {}, "fd00:ec2::254": {}, "fe80::1": {}, "fe80::1%eth0": {},
		"0.0.0.0": {}, "0.1.2.3": {}, "::": {}, "224.0.0.1": {}, "255.255.255.255": {}, "240.0.0.1": {}, "ff02::1": {},
		"168.63.129.16": {}, "::7f00:1": {}, "::ffff:0:7f00:1": {}, "64:ff9b:1::7f00:1": {}, "2002:7f00:1::1": {}, "2001:0:7f00:1::1": {}, "fec0::1": {},
	} {
		a := netip.MustParseAddr(address)
		for i, rule := range []egress.Rule{egress.Public, egress.Network, egress.Machine} {
			err := rule.Check(a)
			if _, refused := errors.AsType[*egress.Refused](err); refused == want[i] || refused != (err != nil) {
				t.Errorf("%s by rule %d: %v", address, i, err)
			}
		}
	}
	if egress.Machine.Check(netip.Addr{}) == nil {
		t.Error("no address may be connected to")
	}
}

// names is a server of DNS, which gives the addresses of a name one after the other, the
// last one for ever.
type names map[string][]string

// resolver asks it over a pipe.
func (n names) resolver(t *testing.T) *net.Resolver {
	asked := map[string]int{}
	turn := make(chan struct{}, 1)
	answer := func(query []byte) []byte {
		turn <- struct{}{}
		defer func() { <-turn }()
		name, at := "", 12
		for query[at] > 0 {
			name += string(query[at+1:at+1+int(query[at])]) + "."
			at += 1 + int(query[at])
		}
		question := query[12 : at+5]
		name = strings.TrimSuffix(name, ".")
		said := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		list := n[name]
		if len(list) == 0 {
			return said
		}
		a := netip.MustParseAddr(list[min(asked[name], len(list)-1)])
		kind := binary.BigEndian.Uint16(query[at+1:])
		if is4 := a.Is4(); is4 && kind == 1 || !is4 && kind == 28 {
			said[7] = 1
			said = append(said, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8))
			said = append(said, a.AsSlice()...)
			asked[name]++
		}
		return said
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			for {
				var length [2]byte
				if _, err := io.ReadFull(ours, length[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(ours, query); err != nil {
					return
				}
				said := answer(query)
				if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(said))), said...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

// get calls a URL, and gives the address that was refused; "" if none was.
func get(t *testing.T, way egress.Way, address string) (refused string, resp *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(deadline.Context(t), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	resp, err = way.HTTP.Do(r)
	if e, ok := errors.AsType[*egress.Refused](err); ok {
		return e.Address, nil
	}
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return "", resp
}

// TestAPI: whatever a name leads to when it is dialled, the API has nothing called but what
// is public: not by HTTP, and not otherwise.
func TestAPI(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1", "::1", "10.0.0.5", "169.254.169.254", "100.64.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "fd00:ec2::254", "0.0.0.0", "fe80::1",
	} {
		way := egress.New(egress.Machine, names{"grants.example.com": {address}}.resolver(t)).API
		dialled := netip.MustParseAddr(address)
		if refused, _ := get(t, way, "https://grants.example.com/sym"); refused != dialled.String() && refused != dialled.Unmap().String() {
			t.Errorf("%s: refused was %q", address, refused)
		}
		_, err := way.Dial(deadline.Context(t), "tcp", "grants.example.com:5432")
		if _, refused := errors.AsType[*egress.Refused](err); !refused {
			t.Errorf("%s: dialled, with %v", address, err)
		}
	}
	way := egress.New(egress.Machine, nil).API
	if _, err := way.Dial(deadline.Context(t), "unix", "/var/run/postgresql/.s.PGSQL.5432"); !strings.Contains(err.Error(), "not connected to") {
		t.Errorf("a socket of this machine: %v", err)
	}
}

// TestAPI_Rebound: a name that led elsewhere when it was looked at is held to where it
// leads now.
func TestAPI_Rebound(t *testing.T) {
	t.Parallel()
	resolver := names{"grants.example.com": {"93.184.216.34", "127.0.0.1"}}.resolver(t)
	before, err := resolver.LookupNetIP(deadline.Context(t), "ip4", "grants.example.com")
	if err != nil || len(before) != 1 || egress.Public.Check(before[0]) != nil {
		t.Fatalf("it led to %v, %v", before, err)
	}
	if refused, _ := get(t, egress.New(egress.Machine, resolver).API, "https://grants.example.com/sym"); refused != "127.0.0.1" {
		t.Errorf("refused was %q", refused)
	}
}

// TestAPI_HTTPS: nothing is sent in the clear.
func TestAPI_HTTPS(t *testing.T) {
	t.Parallel()
	for _, ways := range []egress.Ways{egress.New(egress.Machine, nil), egress.Through(http.DefaultTransport)} {
		_, err := ways.API.HTTP.Post("http://grants.example.com/sym", "application/json", strings.NewReader("{}"))
		if e, ok := errors.AsType[*egress.Refused](err); !ok || !strings.Contains(e.Error(), "https") {
			t.Errorf("got %v", err)
		}
	}
}

// TestFiles: files reach private addresses, and this machine where that is allowed.
func TestFiles(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resolver := func() *net.Resolver {
		return names{"direct.example.com": {"127.0.0.1"}, "metadata.example.com": {"169.254.169.254"}}.resolver(t)
	}
	here := "http://direct.example.com:" + at.Port()
	if refused, resp := get(t, egress.New(egress.Machine, resolver()).Files, here); refused != "" || resp.StatusCode != http.StatusOK {
		t.Errorf("on one machine: refused %q", refused)
	}
	if refused, _ := get(t, egress.New(egress.Network, resolver()).Files, here); refused != "127.0.0.1" {
		t.Errorf("in AWS: refused %q", refused)
	}
	if _, err := egress.New(egress.Machine, resolver()).Files.Dial(deadline.Context(t), "tcp", "metadata.example.com:80"); !strings.Contains(err.Error(), "no configuration may") {
		t.Errorf("metadata: %v", err)
	}
	conn, err := egress.New(egress.Machine, resolver()).Files.Dial(deadline.Context(t), "tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestProxy: files go by the proxy that the environment names, and the API does not, which
// would leave it to the proxy to look up names.
func TestProxy(t *testing.T) {
	t.Parallel()
	ways := egress.New(egress.Machine, names{"proxied.example.com": {"10.0.0.5"}}.resolver(t))
	before := proxied.Load()
	if refused, resp := get(t, ways.Files, "http://proxied.example.com/"); refused != "" || resp.StatusCode != http.StatusOK || proxied.Load() == before {
		t.Errorf("files: refused %q", refused)
	}
	if refused, _ := get(t, ways.API, "https://proxied.example.com/"); refused != "10.0.0.5" {
		t.Errorf("the API: refused %q, so that something else was dialled", refused)
	}
}

// sender answers requests in place of servers.
type sender func(*http.Request) *http.Response

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) { return s(r), nil }

// TestRedirects: none is followed, wherever it leads, so that what authorises a request
// reaches nobody else.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"https://grants.example.com/other", "https://evil.example.net/", "http://127.0.0.1:9001/", "//169.254.169.254/latest"} {
		for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			var called []string
			ways := egress.Through(sender(func(r *http.Request) *http.Response {
				called = append(called, r.URL.String())
				return &http.Response{StatusCode: status, Header: http.Header{"Location": {to}}, Body: http.NoBody, Request: r}
			}))
			for _, way := range []egress.Way{ways.Files, ways.API} {
				called = nil
				if _, resp := get(t, way, "https://grants.example.com/sym"); resp == nil || resp.StatusCode != status || len(called) != 1 {
					t.Errorf("%d to %s: called were %q", status, to, called)
				}
			}
		}
	}
}

// TestOf: each owner has its way.
func TestOf(t *testing.T) {
	t.Parallel()
	ways := egress.New(egress.Machine, nil)
	if ways.Of(true).HTTP != ways.API.HTTP || ways.Of(false).HTTP != ways.Files.HTTP || ways.API.HTTP == ways.Files.HTTP {
		t.Error("the owners are mixed up")
	}
}
