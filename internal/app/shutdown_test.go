package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// heldStore holds the first run that is written until release.
type heldStore struct {
	store.Store
	once           *sync.Once
	begun, release chan struct{}
}

func (s heldStore) Put(ctx context.Context, item store.Item) (int64, error) {
	if _, ok := store.KindRun.Name(item.Key); ok {
		s.once.Do(func() {
			close(s.begun)
			<-s.release
		})
	}
	return s.Store.Put(ctx, item)
}

// TestStopWaitsForRequests: a request that is in flight when the process is told to
// stop is carried out and answered before anything is closed.
func TestStopWaitsForRequests(t *testing.T) {
	t.Parallel()
	c := newCorpse(t, ledgerModes[0])
	clock := clockwork.NewFakeClockAt(crashStart)
	held := heldStore{once: new(sync.Once), begun: make(chan struct{}), release: make(chan struct{})}
	opened := openLedger(filepath.Join(c.data, "ledger.json"), "", clock.Now, &victim{}, &mishap{})
	l, err := Open(t.Context(), Options{
		Listen: "127.0.0.1:0", Data: filepath.Join(c.data, "state"), Flows: filepath.Join(c.data, "flows"),
		Settings: testSettings, Clock: clock, Log: slog.New(slog.DiscardHandler),
		seams: seams{
			reserve: new(disk).under,
			store:   func(s store.Store) store.Store { held.Store = s; return held },
			open: func(strategy.Opener) strategy.Opener {
				return func(flow.Strategy) (strategy.Strategy, error) { return opened, nil }
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(l.Run(ctx), l.Close()) }()
	token, err := os.ReadFile(filepath.Join(c.data, "state", "token"))
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("POST", l.URL+"/api/v1/events/request", strings.NewReader(`{"flow_srn": "sym:flow:prod-access:latest", "flow_inputs": {"reason": "r", "duration": 600, "target_srn": "sym:access_target:aws_lambda_function:orders-db:latest"}}`))
		req.Header.Set("Authorization", "Bearer "+string(token))
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- err.Error()
			return
		}
		resp.Body.Close()
		status <- resp.Status
	}()
	<-held.begun
	stop()
	refused := 0
	for refused < 2000 { // by then, whoever does not wait has ended
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(l.URL, "http://"))
		if err == nil {
			conn.Close()
			continue
		}
		refused++
		select {
		case err := <-ended:
			close(held.release)
			t.Fatalf("it ended while a request was in flight: %v", err)
		default:
		}
	}
	close(held.release)
	if got := <-status; !strings.HasPrefix(got, "20") {
		t.Errorf("the request in flight: %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
