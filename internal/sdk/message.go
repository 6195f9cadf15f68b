package sdk

import (
	"encoding/json"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

// protocolVersion is that of the messages.
const protocolVersion = 1

// What a message asks for.
const (
	opDescribe = "describe"
	opHandle   = "handle"
	opPrefetch = "prefetch"
	opOnChange = "on_change"
	opStrategy = "strategy"
	opIdentity = "identity"
	opFlows    = "flows"
)

// request is the message that goes to the Python side.
type request struct {
	Version   int            `json:"version"`
	ID        string         `json:"id"`
	Op        string         `json:"op"`
	TimeoutMS int64          `json:"timeout_ms"` // of each handler
	Source    source         `json:"source"`
	Read      bool           `json:"read,omitempty"` // a source to describe: run nothing of it
	Services  *services      `json:"services,omitempty"`
	Event     *event         `json:"event,omitempty"`
	Handlers  []string       `json:"handlers,omitempty"`
	Handler   string         `json:"handler,omitempty"`
	Field     string         `json:"field,omitempty"`
	Username  string         `json:"username,omitempty"`
	Form      *flow.OpenForm `json:"form,omitempty"`
	Method    string         `json:"method,omitempty"`
	TargetID  string         `json:"target_id,omitempty"`
	Strategy  *strategy      `json:"strategy,omitempty"`
	Service   string         `json:"service,omitempty"`
	External  string         `json:"external_id,omitempty"`
	User      *user          `json:"user,omitempty"`
	Flows     []flowObject   `json:"flows,omitempty"`
	Vars      any            `json:"vars,omitempty"`
}

type source struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	SHA256 string `json:"sha256"`
}

type services struct {
	URL      string   `json:"url,omitempty"`
	Function string   `json:"function,omitempty"`
	Token    string   `json:"token"`
	Offers   []string `json:"offers,omitempty"`
}

// event is what handlers see as their event.
type event struct {
	Name        string                     `json:"name"`
	SRN         string                     `json:"srn"`
	Timestamp   string                     `json:"timestamp"`
	Template    string                     `json:"template"`
	Channel     channel                    `json:"channel"`
	User        user                       `json:"user"`
	Fields      map[string]any             `json:"fields"`
	Target      *target                    `json:"target"`
	Run         run                        `json:"run"`
	Flow        flowObject                 `json:"flow"`
	StepOutputs map[string]json.RawMessage `json:"step_outputs"`
	Forward     *forward                   `json:"forward,omitempty"`
}

type channel struct {
	Type       string  `json:"type"`
	Identifier *string `json:"identifier"`
}

type run struct {
	ID            string                     `json:"id"`
	SRN           string                     `json:"srn"`
	Actors        map[string]user            `json:"actors"`
	Contexts      map[string]json.RawMessage `json:"contexts"`
	SourceChannel *channel                   `json:"source_channel"`
	Agent         *agent                     `json:"agent,omitempty"`
}

// agent is who asked for the requester, where that was an agent.
type agent struct {
	User    user   `json:"user"`
	Owner   user   `json:"owner"`
	Purpose string `json:"purpose"`
}

type user = record.User

type flowObject struct {
	Name        string            `json:"name"`
	SRN         string            `json:"srn"`
	Label       string            `json:"label"`
	Vars        map[string]string `json:"vars"`
	Fields      []field           `json:"fields"`
	Environment environment       `json:"environment"`
	Strategy    *strategy         `json:"strategy"`
}

type field struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Label         string   `json:"label"`
	Required      bool     `json:"required"`
	Default       string   `json:"default,omitempty"`
	AllowedValues []string `json:"allowed_values"`
	Visible       bool     `json:"visible"`
}

type environment struct {
	Name         string                 `json:"name"`
	Integrations map[string]integration `json:"integrations"`
}

type strategy struct {
	ID          string            `json:"id"`
	SRN         string            `json:"srn"`
	Type        string            `json:"type"`
	Name        string            `json:"name"`
	Label       string            `json:"label"`
	Integration *integration      `json:"integration"`
	Targets     []target          `json:"targets"`
	Settings    map[string]string `json:"settings"`
}

type target struct {
	ID       string            `json:"id"`
	SRN      string            `json:"srn"`
	Name     string            `json:"name"`
	Label    string            `json:"label"`
	Type     string            `json:"type"`
	Settings map[string]string `json:"settings"`
}

type integration struct {
	Name       string            `json:"name"`
	SRN        string            `json:"srn"`
	Type       string            `json:"type"`
	ExternalID string            `json:"external_id"`
	Settings   map[string]string `json:"settings"`
	Secrets    map[string]secret `json:"secrets"`
}

type secret struct {
	Name     string            `json:"name"`
	Path     string            `json:"path"`
	Source   string            `json:"source"`
	Settings map[string]string `json:"settings"`
}

// forward is what hooks of request_forward get beside the event.
type forward struct {
	All     []flow.Destination `json:"all_request_destinations"`
	Current int                `json:"current_destination_index"`
	Next    *int               `json:"next_destination_index"`
}

// response is the message that comes back.
type response struct {
	Version  int      `json:"version"`
	Handlers []string `json:"handlers"`
	Results  []result `json:"results"`
	Error    *fault   `json:"error"`
	Warnings []*fault `json:"warnings"` // about the source, though it can be used
	Output   string   `json:"output"`   // what was printed outside of handlers
}

// States of a result.
const (
	stateReturned = "returned"
	stateFailed   = "failed"
)

type result struct {
	Handler string          `json:"handler"`
	State   string          `json:"state"` // or "absent", "skipped"
	Value   json.RawMessage `json:"value"`
	Error   *fault          `json:"error"`
	Output  string          `json:"output"` // what it printed
	MS      int64           `json:"ms"`
}

// fault is what went wrong in customers' code, and where.
type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	File    string `json:"file"`
	Line    int    `json:"line"`
}
