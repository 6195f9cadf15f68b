package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// TestMoveClock: time that is let pass at once happens as it would have by itself,
// each thing at its time, and outlives the process; what others check goes by the
// machine's time.
func TestMoveClock(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	ask := func() {
		t.Helper()
		alice := p.local.Slack.As("alice")
		if err := errors.Join(alice.Command("/sym req acme"), alice.Fill(map[string]string{"Target": "Orders database", "duration": "1h"}), alice.Submit(), p.settle()); err != nil {
			t.Fatal(err, alice.Modal())
		}
		if err := errors.Join(p.local.Slack.As("dana").Click("", "Approve"), p.settle()); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if err := p.meet(); err != nil {
		t.Fatal(err)
	}
	if got := p.target.access(); !strings.Contains(got, "alice@example.com") {
		t.Fatalf("at the target: %q", got)
	}
	move := func(by time.Duration) error {
		t.Helper()
		return errors.Join(p.local.moveClock(t.Context(), by), p.settle())
	}
	if err := move(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := p.target.access(); got != "" {
		t.Errorf("a day later, at the target: %q", got)
	}
	r, err := p.local.Runs.Get(t.Context(), p.runs[0])
	if err != nil {
		t.Fatal(err)
	}
	began, _ := r.Last(flow.EventEscalate)
	ended, ok := r.Last(flow.EventDeescalate)
	if late := ended.At.Sub(began.At.Add(time.Hour)); !ok || late < 0 || late > flow.RemovalPromise {
		t.Errorf("access began at %s and ended at %s, and not after an hour", began.At, ended.At)
	}
	if !p.clock.Now().Equal(scriptStart) {
		t.Errorf("the machine's time was moved to %s", p.clock.Now())
	}
	if ahead := p.local.clock.Ahead(); ahead != 24*time.Hour {
		t.Errorf("the clock is %s ahead", ahead)
	}

	// Records before the move have no mark, those after it have.
	records, _, err := p.local.Audit.Tail(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		if record.Meta.Simulated != (record.Event.Type == string(flow.EventDeescalate)) {
			t.Errorf("%s: simulated is %v", record.Event.Type, record.Meta.Simulated)
		}
	}

	// Forward only, and not too far.
	for _, by := range []time.Duration{0, -time.Hour, 2 * farthest} {
		if err := p.local.moveClock(t.Context(), by); flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("by %s: %v", by, err)
		}
	}

	// The next process goes on from there: signatures are still taken, and so is the
	// token of the API.
	if err := errors.Join(p.stop(), p.start(func(*Options) error { return nil })); err != nil {
		t.Fatal(err)
	}
	if now := p.local.clock.Now(); !now.Equal(scriptStart.Add(24 * time.Hour)) {
		t.Errorf("after a restart it is %s", now)
	}
	ask()
	token, err := os.ReadFile(p.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/flows", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := move(farthest); err != nil { // beyond the token's end, by business time
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a valid token gets %d", resp.StatusCode)
	}
}

// TestMoveClock_UnderWay: the clock stands while a target is being called, so that
// no lease ends by a move.
func TestMoveClock_UnderWay(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	begun, let := make(chan struct{}), make(chan struct{})
	p.local.Engine.Go("a target", func(context.Context) { close(begun); <-let })
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	moved := make(chan error, 1)
	go func() { moved <- p.local.moveClock(ctx, time.Hour) }()
	cancel()
	if err := <-moved; flow.CodeOf(err) != flow.CodeBusy || p.local.clock.Ahead() != 0 {
		t.Errorf("%v, %s ahead", err, p.local.clock.Ahead())
	}
	close(let)
	if err := errors.Join(p.settle(), p.local.moveClock(t.Context(), time.Hour)); err != nil || p.local.clock.Ahead() != time.Hour {
		t.Errorf("%v, %s ahead", err, p.local.clock.Ahead())
	}
}

// TestClockIsFixed: only a simulation whose targets are all on this machine may move
// its clock, and data of one that was moved is for no other.
func TestClockIsFixed(t *testing.T) {
	t.Parallel()
	loopback := &flow.Integration{Settings: map[string]string{"api_url": "http://127.0.0.1:9999"}}
	vendor := &flow.Integration{ExternalID: "acme.okta.com"}
	for _, c := range []struct {
		strategy flow.Strategy
		here     bool
	}{
		{flow.Strategy{Type: "aws_lambda"}, true},
		{flow.Strategy{Type: "custom"}, true},
		{flow.Strategy{Type: "http", Settings: map[string]string{"url": "http://localhost:1/x"}}, true},
		{flow.Strategy{Type: "http", Settings: map[string]string{"url": "http://[::1]:1/x"}}, true},
		{flow.Strategy{Type: "http", Settings: map[string]string{"url": "https://grants.example.com/sym"}}, false},
		{flow.Strategy{Type: "http", Settings: map[string]string{"url": "http://127.0.0.1.example.com"}}, false},
		{flow.Strategy{Type: "okta", Integration: loopback}, true},
		{flow.Strategy{Type: "okta", Integration: vendor}, false},
		{flow.Strategy{Type: "aws_sso"}, false},
		{flow.Strategy{Type: "aws_iam", Integration: &flow.Integration{ExternalID: "123456789012"}}, false},
	} {
		if got := onLoopback(c.strategy); got != c.here {
			t.Errorf("%s %v: %v", c.strategy.Type, c.strategy.Settings, got)
		}
	}
	p := ownFlows(t)
	if err := p.local.moveClock(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	_, connect := p.workspace(t, config.Slack{BotToken: "xoxb-x", SigningSecret: "secret"})
	for name, configure := range map[string]func(*Options) error{
		"RealLambdas": func(o *Options) error { o.RealLambdas = true; return nil },
		"RealSlack": func(o *Options) error {
			connect(o)

			return nil
		},
	} {
		if err := p.start(configure); err == nil || !strings.Contains(err.Error(), "was moved ahead by 1 hour") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(p.path("data/clock.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.start(func(*Options) error { return nil }); err == nil || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("with a broken file: %v", err)
	}
}

// TestClockIsFixed_ByAPI: what the configuration API puts in force keeps the clock from
// being moved, if its targets are not on this machine; and is not put in force once the
// clock was moved.
func TestClockIsFixed_ByAPI(t *testing.T) {
	t.Parallel()
	c := startByAPI(t, map[string]string{"files.yaml": "kind: runtime\nname: unused\n"})
	outside := c.flowOf("outside")
	if why := c.local.clockFixed(); why != "" {
		t.Errorf("fixed before it is in force: %s", why)
	}
	c.passed(time.Minute)
	const why = "the targets of strategy outside (http) are not on this machine"
	if got := c.local.clockFixed(); !strings.Contains(got, why) {
		t.Errorf("the page says %q", got)
	}
	if err := c.local.moveClock(t.Context(), time.Hour); flow.CodeOf(err) != flow.CodeForbidden || !strings.Contains(err.Error(), why) || c.local.clock.Ahead() > 0 {
		t.Errorf("moved by %s: %v", c.local.clock.Ahead(), err)
	}
	c.send("DELETE", outside["flow"], nil)
	c.passed(2 * time.Minute)
	if err := c.local.moveClock(t.Context(), time.Hour); err != nil || c.local.clockFixed() != "" {
		t.Fatalf("%v, %s", err, c.local.clockFixed())
	}
	c.send("POST", "flows", flowBy("outside", outside.id("environment"), outside.id("strategy")))
	target := c.send("POST", "access-targets", map[string]any{"type": "http", "slug": "here", "settings": map[string]any{}})
	here := c.send("POST", "access-strategies", strategyOf("here", "127.0.0.1:9", outside.id("secret"), target))
	c.send("POST", "flows", flowBy("here", outside.id("environment"), here))
	c.passed(3 * time.Minute)
	inForce := func() {
		t.Helper()
		list, err := c.local.flows.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Name != "of-here" {
			t.Errorf("in force: %+v, %v", list, err)
		}
	}
	inForce()
	broken, _, err := workflow.Configure{Entities: c.local.Submit.Entities}.Broken(t.Context())
	if err != nil || len(broken) != 1 || !strings.Contains(broken[0].Faults[0], why) || !strings.Contains(broken[0].Faults[0], "was moved ahead by 1 hour") {
		t.Errorf("broken: %+v, %v", broken, err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.boot()
	inForce()
}

// TestMovedClock_Forward: the offset is kept before it is seen.
func TestMovedClock_Forward(t *testing.T) {
	t.Parallel()
	wall := clockwork.NewFakeClockAt(scriptStart)
	c, err := openClock(wall, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.forward(scriptStart.Add(time.Hour)), c.forward(scriptStart)); err != nil || c.Ahead() != time.Hour {
		t.Errorf("%v, %s", err, c.Ahead())
	}
	c.file = "/nowhere/clock.json"
	if err := c.forward(scriptStart.Add(2 * time.Hour)); err == nil || c.Ahead() != time.Hour {
		t.Errorf("%v, %s", err, c.Ahead())
	}
}
