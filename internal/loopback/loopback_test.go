package loopback

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// stranger asks for the page at an address as another user, and prints its
// status; "" is an answer that never came. Only root may be somebody else.
const stranger = "LOOPBACK_TEST_STRANGER"

func TestMain(m *testing.M) {
	if address := os.Getenv(stranger); address != "" {
		resp, err := http.Get("http://" + address + "/")
		if err == nil {
			fmt.Print(resp.Status)
		}
		return
	}
	os.Exit(m.Run())
}

func TestListenIsForOurUser(t *testing.T) {
	t.Parallel()
	l, err := Listen(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, page)
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("our own user: got %s", resp.Status)
	}
}

// Whoever is refused gets nothing, and the next one is served.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	verdicts := make(chan error, 2)
	verdicts <- errors.New("it is user 7's, and only user 8 may connect")
	verdicts <- nil
	serve(t, &listener{
		Listener: inner, log: slog.New(slog.NewTextHandler(&log, nil)),
		check: func(net.Addr, net.Addr) error { return <-verdicts },
	}, page)
	get := func() (string, error) {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n") // a refusal may be faster
		return bufio.NewReader(c).ReadString('\n')
	}
	if line, err := get(); err == nil {
		t.Errorf("a stranger was answered %q", line)
	}
	if line, err := get(); err != nil || !strings.Contains(line, "200") {
		t.Errorf("after a stranger: got %q, %v", line, err)
	}
	if !strings.Contains(log.String(), "it is user 7's") {
		t.Errorf("the log has %q", log.String())
	}
}

func TestOurs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		uid    int
		err    error
		status int
	}{
		{"OurUser", os.Geteuid(), nil, 200},
		{"Root", 0, nil, 200},
		{"SomebodyElse", os.Geteuid() + 1, nil, 403},
		{"NotTold", 0, ErrNotTold, 200},
		{"Gone", 0, errors.New("there is no such connection"), 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(own(http.HandlerFunc(page), func(net.Addr, net.Addr) (int, error) { return test.uid, test.err }))
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("got %s, want %d", resp.Status, test.status)
			}
		})
	}
	rw := httptest.NewRecorder()
	Ours(http.HandlerFunc(page)).ServeHTTP(rw, httptest.NewRequest("GET", "/", nil))
	if rw.Code != 200 {
		t.Errorf("a call in this process: got %d", rw.Code)
	}
}

func page(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func serve(t *testing.T, l net.Listener, h http.HandlerFunc) {
	t.Helper()
	server := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(l) // ends with Close
		close(ended)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
}
