// Package mcp lets agents ask by the Model Context Protocol: what may be asked for, to
// ask, to wait, what is live, and to end. It calls the Events API with the agent's own token
// and has no right of its own, so that no tool can do what the API would refuse: nothing
// decides, nothing breaks glass, and no run but the agent's own is there.
//
//	server.go   the tools
//	handler.go  serves them by HTTP, beside the API
//	stdio.go    serves them by standard input and output
//	message.go  what is no message of the protocol, and how that is said
package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/client"
)

const instructions = "Access to production, and approvals, which people give. List what may be asked for, ask with a purpose that a person will read, wait for the outcome, and end access once it is not needed any more. Nothing here decides: a person does, in Slack."

// New makes a server of the tools for one agent. No call of wait takes longer than
// longest.
func New(api *client.Client, longest time.Duration) *sdk.Server {
	t := tools{api, longest}
	s := sdk.NewServer(&sdk.Implementation{Name: "symflows", Title: "Sym Flows", Version: "1.0.0"}, &sdk.ServerOptions{
		Instructions: instructions, Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	yes, no := true, false
	reads := &sdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &no}
	sdk.AddTool(s, &sdk.Tool{
		Name: "list_flows", Annotations: reads, OutputSchema: flowListSchema,
		Description: "What may be asked for: flows, with a JSON Schema of the inputs that each takes (targets are the constants of target_srn) and for how many seconds access may be had at most.",
	}, t.listFlows)
	sdk.AddTool(s, &sdk.Tool{
		Name: "ask", Annotations: &sdk.ToolAnnotations{IdempotentHint: false, DestructiveHint: &no, OpenWorldHint: &yes},
		Description: "Ask for access or an approval, for the person who owns this agent. People are asked in Slack, and read the purpose. Gives the id of the run to wait for.",
	}, t.ask)
	sdk.AddTool(s, &sdk.Tool{
		Name: "wait", Annotations: reads,
		Description: "Wait for the outcome of what was asked for. While it is not over, the answer says so after some seconds: call it again, as often as is needed.",
	}, t.wait)
	sdk.AddTool(s, &sdk.Tool{
		Name: "list_live", Annotations: reads,
		Description: "What this agent has asked for that is still open, or gives access now.",
	}, t.listLive)
	sdk.AddTool(s, &sdk.Tool{
		Name: "end", Annotations: &sdk.ToolAnnotations{IdempotentHint: true, DestructiveHint: &yes, OpenWorldHint: &yes},
		Description: "Withdraw a request, or end the access that came of it, once it is not needed any more.",
	}, t.end)
	return s
}

type tools struct {
	api     *client.Client
	longest time.Duration
}

// failure is the error of a tool: the API's own, as JSON, so that its code can be read.
type failure struct {
	Code        string                 `json:"code"`
	Message     string                 `json:"message"`
	Errors      []events.APIFieldError `json:"errors,omitempty"`
	IsRetryable bool                   `json:"is_retryable"`
}

func (f *failure) Error() string {
	b, err := json.Marshal(f)
	if err != nil {
		return f.Message
	}
	return string(b)
}

// failed tells the agent what the API refuses; of what else went wrong, that it did.
func failed(err error) error {
	if e, ok := err.(*client.Error); ok {
		return &failure{e.Code, e.Message, e.Errors, e.IsRetryable}
	}
	if errors.Is(err, context.Canceled) { // which is no result of the tool
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the call was cancelled"}
	}
	return &failure{"Internal:ERROR", "the deployment can't be reached just now", nil, true}
}

// Flow is one that agents may start.
type Flow struct {
	Name        string          `json:"name"`
	Label       string          `json:"label,omitempty"`
	Inputs      json.RawMessage `json:"inputs" jsonschema:"JSON Schema of the inputs of ask"`
	MaxDuration int64           `json:"max_duration,omitempty" jsonschema:"how many seconds access may be had at most"`
}

// FlowList is what list_flows gives.
type FlowList struct {
	Flows []Flow `json:"flows"`
}

// flowListSchema is that of FlowList: to the SDK, raw JSON is a list of bytes.
var flowListSchema = func() *jsonschema.Schema {
	s, err := jsonschema.For[FlowList](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): {Type: "object"},
	}})
	if err != nil {
		panic(err) // of a type of ours
	}
	return s
}()

func (t tools) listFlows(ctx context.Context, _ *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, FlowList, error) {
	list, err := t.api.Flows(ctx)
	if err != nil {
		return nil, FlowList{}, failed(err)
	}
	out := FlowList{Flows: []Flow{}}
	for _, f := range list.Flows {
		detail, err := t.api.Flow(ctx, f.Name)
		if client.CodeOf(err) == "Flow:NOT_FOUND" {
			continue // withdrawn just then
		}
		if err != nil {
			return nil, FlowList{}, failed(err)
		}
		shown := Flow{Name: f.Name, Label: f.Label, Inputs: detail.FlowInputs}
		if detail.Agents != nil {
			shown.MaxDuration = detail.Agents.MaxDuration
		}
		out.Flows = append(out.Flows, shown)
	}
	return nil, out, nil
}

// Ask is what ask takes. There is nobody to be named: an agent asks for its owner.
type Ask struct {
	Flow    string         `json:"flow" jsonschema:"name of a flow, as list_flows has it"`
	Inputs  map[string]any `json:"inputs,omitempty" jsonschema:"by the flow's JSON Schema: target_srn, duration in seconds, and what else it has"`
	Purpose string         `json:"purpose" jsonschema:"what this is for, in a sentence: the person who decides reads it"`
	Key     string         `json:"key,omitempty" jsonschema:"the same request with the same key is asked once, however often it is sent"`
}

// Run is how something stands that was asked for.
type Run struct {
	RunID     string `json:"run_id"`
	Status    string `json:"status" jsonschema:"prompted, requested, approved, denied, expired, cancelled, escalated (access is live) or deescalated"`
	Flow      string `json:"flow,omitempty"`
	Outcome   string `json:"outcome,omitempty" jsonschema:"granted, approved, denied, expired, cancelled or failed; not there while it is open"`
	Over      bool   `json:"over" jsonschema:"whether there is an outcome: if not, wait again"`
	ExpiresAt string `json:"expires_at,omitempty" jsonschema:"when live access ends"`
	Problem   string `json:"problem,omitempty" jsonschema:"what keeps it from going on"`
}

func (t tools) shown(r events.RunStatus) Run {
	outcome := client.OutcomeOf(r, t.api.Now())
	out := Run{RunID: r.RunID, Status: r.Status, Flow: r.FlowSRN, Outcome: string(outcome), Over: outcome != client.Open}
	if r.ExpiresAt != nil {
		out.ExpiresAt = r.ExpiresAt.Format(time.RFC3339)
	}
	if r.Error != nil {
		out.Problem = r.Error.Message
	}
	return out
}

func (t tools) ask(ctx context.Context, _ *sdk.CallToolRequest, in Ask) (*sdk.CallToolResult, Run, error) {
	detail, err := t.api.Flow(ctx, in.Flow)
	if err != nil {
		return nil, Run{}, failed(err)
	}
	if in.Inputs == nil {
		in.Inputs = map[string]any{}
	}
	if in.Key == "" {
		in.Key = uuid.NewString()
	}
	out, err := t.api.Request(ctx, events.RequestInput{FlowSRN: detail.SRN, FlowInputs: in.Inputs, Purpose: in.Purpose}, in.Key)
	if err != nil {
		return nil, Run{}, failed(err)
	}
	return nil, Run{RunID: out.RunID, Status: "prompted", Flow: detail.SRN}, nil
}

// OfRun names a run.
type OfRun struct {
	RunID string `json:"run_id" jsonschema:"as ask gave it"`
}

// Wait is what wait takes.
type Wait struct {
	RunID   string `json:"run_id" jsonschema:"as ask gave it"`
	Seconds int    `json:"seconds,omitempty" jsonschema:"how long to wait at most"`
}

func (t tools) wait(ctx context.Context, _ *sdk.CallToolRequest, in Wait) (*sdk.CallToolResult, Run, error) {
	longest := t.longest
	if asked := time.Duration(in.Seconds) * time.Second; asked > 0 {
		longest = min(longest, asked)
	}
	run, _, err := t.api.Wait(ctx, in.RunID, t.api.Now().Add(longest), func(events.RunStatus) {})
	if err != nil {
		return nil, Run{}, failed(err)
	}
	return nil, t.shown(run), nil
}

// RunList is what list_live gives.
type RunList struct {
	Runs []Run `json:"runs"`
}

func (t tools) listLive(ctx context.Context, _ *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, RunList, error) {
	list, err := t.api.Runs(ctx, url.Values{"limit": {"100"}})
	if err != nil {
		return nil, RunList{}, failed(err)
	}
	out := RunList{Runs: []Run{}}
	for _, r := range list.Runs {
		if slices.Contains([]string{"prompted", "requested", "approved", "escalated"}, r.Status) {
			shown := t.shown(r)
			if !shown.Over || r.Status == "escalated" {
				out.Runs = append(out.Runs, shown)
			}
		}
	}
	return nil, out, nil
}

// Ended is what end gives.
type Ended struct {
	RunID string `json:"run_id"`
	Was   string `json:"was" jsonschema:"its status before"`
	Ended bool   `json:"ended" jsonschema:"whether there was anything to end"`
}

func (t tools) end(ctx context.Context, _ *sdk.CallToolRequest, in OfRun) (*sdk.CallToolResult, Ended, error) {
	run, ended, err := t.api.End(ctx, in.RunID)
	if err != nil {
		return nil, Ended{}, failed(err)
	}
	return nil, Ended{RunID: run.RunID, Was: run.Status, Ended: ended}, nil
}
