package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// orb does over HTTP what the commands of Sym's CircleCI orb do (request,
// deescalate, validate, validate_event): the same paths, headers, bodies and
// fields of the answer, and the same ideas of success.
type orb struct {
	url, token string                       // SYM_API_URL, SYM_JWT
	saved      map[string]map[string]string // answers kept by request_slug
}

// curl is "curl --fail-with-body -Ls".
func (o *orb) curl(method, path, body string) (map[string]any, error) {
	req, err := http.NewRequest(method, o.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, fmt.Errorf("Sym API request failed: %s", b)
	}
	var answer map[string]any
	return answer, json.Unmarshal(b, &answer)
}

func (o *orb) save(slug string, answer map[string]any) {
	o.saved[slug] = map[string]string{}
	for k, v := range answer {
		if s, ok := v.(string); ok {
			o.saved[slug][k] = s
		}
	}
}

func (o *orb) request(flowSRN, flowInputs, context, slug string) error {
	answer, err := o.curl("POST", "/events/request", fmt.Sprintf("{\n  \"flow_srn\": %q,\n  \"flow_inputs\": %s,\n  \"context\": %s\n}", flowSRN, flowInputs, context))
	if err == nil {
		o.save(slug, answer)
	}
	return err
}

func (o *orb) deescalate(slug, saveAs string) error {
	answer, err := o.curl("POST", "/events/deescalate", fmt.Sprintf("{\n  \"run_id\": %q\n}", o.saved[slug]["run_id"]))
	if err == nil {
		o.save(saveAs, answer)
	}
	return err
}

func (o *orb) validate(slug string) error {
	answer, err := o.curl("GET", "/runs/"+o.saved[slug]["run_id"], "")
	if err == nil && answer["status"] != "approved" && answer["status"] != "escalated" {
		err = fmt.Errorf("invalid status: %v", answer["status"])
	}
	return err
}

var errPolledOut = errors.New("reached maximum number of event polling attempts")

// validateEvent polls; between two polls the world moves on by one step.
func (o *orb) validateEvent(slug string, between func()) error {
	for range 30 {
		answer, err := o.curl("GET", "/events/"+o.saved[slug]["event_id"], "")
		if err != nil {
			return err
		}
		switch answer["status"] {
		case "success":
			return nil
		case "error":
			return fmt.Errorf("event failed: %v", answer["error"])
		}
		between()
	}
	return errPolledOut
}

// The pipeline of the orb's example: request, wait for it, hold, validate,
// deploy, deescalate, wait for that.
func TestOrb(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	o := &orb{url: server.URL + Base, token: f.token, saved: map[string]map[string]string{}}
	const inputs = `{"reason": "Deploy build 1234", "target_srn": "sym:access_target:aws_lambda_function:orders-db:latest", "duration": 600}`
	if err := o.request("sym:flow:prod-access:latest", inputs, `{"diff": "main.tf", "build": "1234"}`, "deploy"); err != nil {
		t.Fatal(err)
	}
	run := o.saved["deploy"]["run_id"]
	if err := o.validateEvent("deploy", func() {}); !errors.Is(err, errPolledOut) {
		t.Errorf("a request that nothing happens to: %v", err)
	}
	if err := o.validateEvent("deploy", func() { f.route(run) }); err != nil {
		t.Errorf("request: %v", err)
	}
	if o.validate("deploy") == nil {
		t.Error("a request that nobody approved is valid")
	}
	if o.deescalate("deploy", "end") == nil {
		t.Error("what is not escalated can be ended")
	}
	f.receive(run, flow.ActionApprove, bob.Actor)
	f.decide(run)
	if err := o.validate("deploy"); err != nil {
		t.Errorf("approved: %v", err)
	}
	f.intend(run)
	f.change(run, func(flow.Run) flow.Input { return flow.Escalate{} })
	if err := o.validate("deploy"); err != nil {
		t.Errorf("escalated: %v", err)
	}
	if err := o.deescalate("deploy", "end"); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Second)
	if err := o.validateEvent("end", func() { f.remove(run) }); err != nil {
		t.Errorf("deescalate: %v", err)
	}
	if o.validate("deploy") == nil {
		t.Error("access that has ended is valid")
	}
	if err := o.request("sym:flow:prod-access:latest", `{"reason": "Deploy"}`, "{}", "wrong"); err == nil {
		t.Error("a request without a target is taken")
	}
}
