package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/s3client"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// quick is a clock that moves when somebody waits.
type quick struct{ *clockwork.FakeClock }

func (q quick) After(d time.Duration) <-chan time.Time {
	c := q.FakeClock.After(d)
	q.Advance(d)
	return c
}

// open makes a publisher whose S3 answers so, with the time at which it is asked.
func open(t *testing.T, answer func(w http.ResponseWriter, at time.Duration)) (publisher, quick) {
	t.Helper()
	clock := quick{clockwork.NewFakeClock()}
	began := clock.Now()
	bucket := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, clock.Now().Sub(began)) })
	kept := &storetest.Memory{Now: clock.Now}
	flows := &store.Flows{Store: kept}
	return publisher{
		s3: s3client.New(awstest.Config(t, bucket)), org: "sym", clock: clock, log: slog.New(slog.DiscardHandler),
		handlers: &sdk.Client{Functions: &python{map[string][]string{}}, ARN: sharedARN, Log: slog.New(slog.DiscardHandler)},
		publish:  workflow.Publish{Runs: store.Runs{Store: kept}, Flows: flows, Entities: store.Entities{Store: kept, Org: "sym", Now: clock.Now}, Rights: builtin.Rights},
	}, clock
}

// python stands for the functions that run handlers, and keeps what each is sent.
type python struct{ sent map[string][]string }

func (p *python) Invoke(_ context.Context, arn string, payload []byte) ([]byte, error) {
	p.sent[arn] = append(p.sent[arn], string(payload))
	return []byte(`{"version":1,"handlers":["strategy:Wiki"],"results":[]}`), nil
}

func denied(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
}

func archive(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("flows.yaml")
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	create = cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{"Bucket": "assets", "Key": "sym-flows/1.zip"}}
	remove = cfn.Event{RequestType: cfn.RequestDelete}
)

const approvalOnly = `
{kind: integration, name: slack, type: slack, external_id: T0123456789}
---
{kind: environment, name: main, integrations: {slack_id: slack}}
---
kind: flow
name: ask
environment_id: main
params: {approval: {notify: [{channel: "#general"}]}}
`

// TestHandle_RightsArriveLate: the role has its rights some seconds after the
// deploy has given them.
func TestHandle_RightsArriveLate(t *testing.T) {
	t.Parallel()
	p, _ := open(t, func(w http.ResponseWriter, at time.Duration) {
		if at < 50*time.Second {
			denied(w)
			return
		}
		_, _ = w.Write(archive(t, approvalOnly))
	})
	if _, _, err := p.handle(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if list, err := p.publish.Flows.List(t.Context()); err != nil || len(list) != 1 || list[0].Name != "ask" {
		t.Errorf("published %v, %v", list, err)
	}
}

const sharedARN = "arn:aws:lambda:us-east-1:123456789012:function:sym-flows-sdk"

// TestHandle_Isolated: where a flow is isolated, nobody's Python runs beside that
// of others, not even to look at it; and what the isolated flow has, its strategy
// included, goes to its own function, so that no other can answer for it.
func TestHandle_Isolated(t *testing.T) {
	t.Parallel()
	const flows = approvalOnly + `---
{kind: flow, name: open, environment_id: main, implementation: "x = 2", params: {approval: {notify: [{channel: "#general"}]}}}
---
{kind: target, name: wiki, type: custom, label: Wiki}
---
{kind: strategy, name: wiki, type: custom, targets: [wiki], implementation: "x = 3"}
---
kind: flow
name: more
environment_id: main
implementation: "x = 1"
params:
  strategy_id: wiki
  prompt_fields: [{name: duration, type: duration, allowed_values: [1h]}]
  approval: {notify: [{channel: "#general"}]}
`
	for text, want := range map[string]struct {
		read bool
		own  []string // what the isolated flow's function is sent
	}{
		flows:                      {},
		flows + "isolated: true\n": {true, []string{"x = 1", "x = 3"}},
	} {
		p, _ := open(t, func(w http.ResponseWriter, _ time.Duration) { _, _ = w.Write(archive(t, text)) })
		if _, _, err := p.handle(t.Context(), create); err != nil {
			t.Fatal(err)
		}
		sent := p.handlers.Functions.(*python).sent
		for _, source := range []string{"x = 1", "x = 2", "x = 3"} {
			at := sharedARN
			if slices.Contains(want.own, source) {
				at += "-more"
			}
			for arn, messages := range sent {
				i := slices.IndexFunc(messages, func(m string) bool { return strings.Contains(m, source) })
				if (i >= 0) != (arn == at) || i >= 0 && strings.Contains(messages[i], `"read":true`) != want.read {
					t.Errorf("%s was sent %q, want %q of %s, to be read: %t", arn, messages, source, at, want.read)
				}
			}
		}
		if len(sent) != 1+min(len(want.own), 1) {
			t.Errorf("asked %q", sent)
		}
	}
}

// TestHandle_RightsMissing: patience has an end, and the reason says what is
// missing.
func TestHandle_RightsMissing(t *testing.T) {
	t.Parallel()
	p, clock := open(t, func(w http.ResponseWriter, _ time.Duration) { denied(w) })
	began := clock.Now()
	id, _, err := p.handle(t.Context(), create)
	if err == nil || id != physicalID {
		t.Fatalf("got %q, %v", id, err)
	}
	for _, want := range []string{"s3://assets/sym-flows/1.zip", "AccessDenied", "right", "1m0s"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in the reason %q", want, err)
		}
	}
	if waited := clock.Now().Sub(began); waited < patience || waited > patience+maxPause {
		t.Errorf("gave up after %s", waited)
	}
}

// TestHandle_OtherFaults: what waiting doesn't mend is told at once.
func TestHandle_OtherFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, time.Duration)
		want   string
	}{
		"NoArchive": {func(w http.ResponseWriter, _ time.Duration) { _, _ = io.WriteString(w, "no archive") }, "zip"},
		"Panic":     {func(w http.ResponseWriter, _ time.Duration) { _, _ = w.Write(archive(t, approvalOnly)) }, "fault of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, clock := open(t, test.answer)
			if name == "Panic" {
				p.publish.Flows = nil
			}
			began := clock.Now()
			id, _, err := p.handle(t.Context(), create)
			if err == nil || !strings.Contains(err.Error(), test.want) || id != physicalID {
				t.Errorf("got %q, %v", id, err)
			}
			if waited := clock.Now().Sub(began); waited != 0 {
				t.Errorf("waited %s", waited)
			}
		})
	}
}

// TestRefuse: a publish that could not start says why, and stands in nobody's way
// who deletes the stack.
func TestRefuse(t *testing.T) {
	t.Parallel()
	handle := refuse(errors.New("SYM_TABLE is not set"))
	if id, _, err := handle(t.Context(), create); id != physicalID || err == nil || err.Error() != "publish could not start: SYM_TABLE is not set" {
		t.Errorf("got %q, %v", id, err)
	}
	if id, _, err := handle(t.Context(), remove); id != physicalID || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
}
