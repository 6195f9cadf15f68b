package mcp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
)

// Whoever closes the connection of a call waits for it no more, and neither do we.
func TestHandler_Gone(t *testing.T) {
	t.Parallel()
	sleeps, over := make(chan struct{}), make(chan error, 1)
	server := httptest.NewServer(Handler{
		API: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"run_id":"r","status":"requested","flow_srn":"f"}`))
		}),
		Admit: func(http.ResponseWriter, *http.Request) bool { return true },
		Now:   time.Now, Longest: deadline.LastResort,
		Sleep: func(ctx context.Context, _ time.Duration) error {
			close(sleeps)
			<-ctx.Done()
			over <- ctx.Err()
			return ctx.Err()
		},
	}.Handler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","arguments":{"run_id":"r"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": statelessVersion, "Mcp-Method": "tools/call", "Mcp-Name": "wait"} {
		r.Header.Set(name, value)
	}
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
	}()
	for _, wait := range []func() bool{
		func() bool { _, open := <-sleeps; return !open },
		func() bool { cancel(); return <-over != nil },
	} {
		done := make(chan bool, 1)
		go func() { done <- wait() }()
		select {
		case ok := <-done:
			if !ok {
				t.Error("it does not wait, or goes on")
			}
		case <-time.After(deadline.LastResort):
			t.Fatal("it goes on though nobody waits for it")
		}
	}
}
