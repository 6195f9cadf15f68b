package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TestEgress: a strategy of a file is granted by a server on this machine, and one of the
// configuration API is not: nothing connects there, and the request says why.
func TestEgress(t *testing.T) {
	t.Parallel()
	var granted atomic.Int64
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		granted.Add(1)
		_, _ = io.WriteString(w, `{"body": {}, "errors": []}`)
	}))
	t.Cleanup(own.Close)
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connected atomic.Int64
	go func() {
		for {
			conn, err := inside.Accept()
			if err != nil {
				return
			}
			connected.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { inside.Close() })

	c := &byAPI{T: t, product: newProduct(t.TempDir(), "../.."), removed: make(chan string, 100)}
	c.sent.all, c.sent.changed = map[string][]events.AuditRecord{}, make(chan struct{})
	c.write(map[string]string{
		"local.yaml": "secrets:\n  /sym/signing: {file: signing}\n", "signing": "not very secret",
		"flows.yaml": fmt.Sprintf(`{kind: integration, name: slack, type: slack, external_id: T0LOCAL}
---
{kind: error_logger, name: errors, integration_id: slack, destination: "#sym-errors"}
---
{kind: environment, name: main, integrations: {slack_id: slack}, error_logger_id: errors}
---
{kind: target, name: file, type: http}
---
{kind: strategy, name: file, type: http, targets: [file], settings: {url: %q}}
---
kind: flow
name: of-file
environment_id: main
params:
  strategy_id: file
  approval: {approvers: ["group:platform"], notify: [{channel: "#access-prod"}]}
  prompt_fields: [{name: duration, type: duration, label: "For how long?", allowed_values: [30m]}]
`, own.URL+"/sym"),
	})
	if err := c.start(func(o *Options) error { o.seams.http = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	c.token, _, err = c.local.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "terraform", Owner: "carol@example.com", Config: true}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	made := c.flowOf("api")
	c.send("PATCH", made["strategy"], strategyOf("api", inside.Addr().String(), made.id("secret"), made.id("target")))
	c.passed(time.Minute)

	if r := c.run(c.request("file")); r.Status != flow.Escalated || granted.Load() == 0 {
		t.Errorf("of a file: %s, %+v", r.Status, r.Error)
	}
	r := c.run(c.request("api"))
	if r.Status != flow.Approved || r.Error == nil || r.Error.Code != flow.CodeStrategy || !strings.Contains(r.Error.Message, "leads to the machine that calls") {
		t.Errorf("of the API: %s, %+v", r.Status, r.Error)
	}
	if connected.Load() > 0 {
		t.Error("something has connected to it")
	}
}
