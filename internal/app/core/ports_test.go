package core

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// TestPorts: each part is built of all its ports, and without any one of them
// it is not: the error names that one.
func TestPorts(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	c := New(config.Settings{Org: "sym"}, &storetest.Memory{Now: clock.Now}, OneClock(clock), slog.New(slog.DiscardHandler))
	type stub struct { // of what no part calls before it has work to do
		workflow.Schedule
		workflow.Remover
		workflow.Looks
		workflow.Functions
		services.Slack
	}
	bound := func(flow.Strategy, flow.Target) error { return nil }
	handlers, directory := &sdk.Client{}, &slackapp.Directory{}
	for part, build := range map[string]struct {
		ports    any
		build    func(ports any) error
		optional string
	}{
		"approval": {
			ApprovalPorts{Directory: directory, Functions: stub{}, Handlers: handlers, Bound: bound, FunctionTimeout: time.Second},
			func(p any) error { _, err := c.Approval(p.(ApprovalPorts)); return err }, "",
		},
		"access": {
			AccessPorts{
				Open:       func(flow.Strategy) (strategy.Strategy, error) { return nil, nil },
				Rights:     func(flow.Strategy) strategy.Rights { return strategy.Rights{} },
				TargetType: func(flow.Strategy, flow.Target) strategy.TargetType { return strategy.TargetType{} }, Bound: bound, Handlers: handlers,
				Schedule: stub{}, Remover: stub{}, Looks: stub{}, CallTimeout: time.Second, Ahead: time.Second, Within: context.WithTimeout,
			},
			func(p any) error { _, err := c.Access(p.(AccessPorts)); return err }, "Ahead Within",
		},
		"the explainer": {
			ExplainPorts{
				Directory: directory, Handlers: handlers, Bound: bound, Alone: true,
				Entitlements: func(flow.Strategy, flow.Target, string, string) ([]flow.Entitlement, error) { return nil, nil },
				Rights:       func(flow.Strategy) strategy.Rights { return strategy.Rights{} },
				TargetType:   func(flow.Strategy, flow.Target) strategy.TargetType { return strategy.TargetType{} },
			},
			func(p any) error { _, err := c.Explainer(p.(ExplainPorts)); return err }, "Alone",
		},
		"services": {
			ServicesPorts{People: directory, Slack: stub{}, Secrets: nil, Functions: nil},
			func(p any) error { _, err := c.Services(p.(ServicesPorts)); return err }, "Secrets Functions",
		},
		"the Slack app": {
			SlackPorts{API: &slack.Client{}, HandOn: func(context.Context, []byte) error { return nil }, Explain: func(context.Context, workflow.Question) (workflow.Explanation, error) {
				return workflow.Explanation{}, nil
			}, Directory: directory, Handlers: handlers, Bound: bound, Closed: func() error { return nil }},
			func(p any) error { _, err := c.SlackApp(p.(SlackPorts)); return err }, "APIURL Closed URL",
		},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			if err := build.build(build.ports); err != nil {
				t.Fatalf("with all ports: %v", err)
			}
			for i := range reflect.TypeOf(build.ports).NumField() {
				ports := reflect.New(reflect.TypeOf(build.ports)).Elem()
				ports.Set(reflect.ValueOf(build.ports))
				ports.Field(i).SetZero()
				name := ports.Type().Field(i).Name
				want := part + " can't be built: it lacks " + name
				if slices.Contains(strings.Fields(build.optional), name) {
					want = ""
				}
				got := ""
				if err := build.build(ports.Interface()); err != nil {
					got = err.Error()
				}
				if got != want {
					t.Errorf("without %s: %q, want %q", name, got, want)
				}
			}
		})
	}
	if _, err := c.Approval(ApprovalPorts{Directory: (*slackapp.Directory)(nil), Functions: stub{}, FunctionTimeout: 1}); err == nil || err.Error() != "approval can't be built: it lacks Directory, Handlers, Bound" {
		t.Errorf("without two ports, one of them a nil pointer: %v", err)
	}
}
