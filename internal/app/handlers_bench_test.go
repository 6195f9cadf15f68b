package app

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// BenchmarkHandlers is one question to a flow's handlers, a hook and a reducer
// in one call: of a worker that is there ("warm"), and of a function that has to
// start first, with its worker ("cold").
func BenchmarkHandlers(b *testing.B) {
	call := handlerCall(b)
	b.Run("warm", func(b *testing.B) {
		c, end := askPython(b)
		defer end()
		ask(b, c, call)
		var took []time.Duration
		for range b.N {
			took = append(took, ask(b, c, call))
		}
		reportTimes(b, took)
	})
	b.Run("cold", func(b *testing.B) {
		var took []time.Duration
		for range b.N {
			c, end := askPython(b)
			took = append(took, ask(b, c, call))
			end()
		}
		reportTimes(b, took)
	})
}

// askPython makes what asks handlers, over a host of its own.
func askPython(b *testing.B) (*sdk.Client, func()) {
	b.Helper()
	function, err := sdkFunction("")
	if err != nil {
		b.Fatal(err)
	}
	host, err := lambdahost.Open(b.Context(), lambdahost.Options{
		Config: lambdahost.Config{Functions: map[string]lambdahost.Function{sdkARN: function}},
		Data:   b.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	c := core.New(config.Settings{Org: "sym"}, &storetest.Memory{Now: time.Now}, core.OneClock(core.WallClock{}), slog.New(slog.DiscardHandler))
	return c.Handlers(host, sdkARN, sdk.Services{}), func() {
		if err := host.Close(); err != nil {
			b.Error(err)
		}
	}
}

func handlerCall(b *testing.B) workflow.HandlerCall {
	b.Helper()
	code := flow.NewSource("impl.py", `
from sym.sdk.annotations import hook, reducer
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.templates import ApprovalTemplate

@hook
def on_request(event):
    return ApprovalTemplate.approve(reason="on call")

@reducer
def get_permissions(event):
    return RequestPermission(webapp_view=PermissionLevel.MEMBER, approve_deny=PermissionLevel.MEMBER)
`)
	f := &flow.Flow{Org: "sym", Name: "prod-access", Version: "1.0.1", Implementation: code}
	who := flow.Actor{ID: flow.UserID("sym", "alice@example.com"), Kind: flow.KindPerson, Email: "alice@example.com", Name: "Alice"}
	r, err := flow.Apply(flow.Run{}, flow.Start{ID: flow.RunIDFrom("sym", "bench"), Flow: f, Requester: who, Source: flow.ChannelSlack}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return workflow.HandlerCall{Flow: f, Run: r, Event: flow.Event{ID: flow.EventID(r.ID, 1), Name: flow.EventRequest, Actor: who, Channel: flow.ChannelSlack, At: time.Now()}}
}

// ask asks once, and gives how long that took.
func ask(b *testing.B, c *sdk.Client, call workflow.HandlerCall) time.Duration {
	b.Helper()
	began := time.Now()
	got, err := c.Handle(context.Background(), call, []string{flow.HookBefore(flow.EventRequest), flow.HandlerPermissions})
	took := time.Since(began)
	if err != nil || got.Error != nil || got.Answer.Hook == nil || got.Answer.Permissions == nil {
		b.Fatalf("got %+v, %v", got, err)
	}
	return took
}

func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	ms := func(q float64) float64 {
		return float64(took[int(float64(len(took)-1)*q)].Microseconds()) / 1000
	}
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}
