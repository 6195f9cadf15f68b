package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// flow is GET /flows/{name}: a flow, and what its requests take.
func (a *API) flow(r *http.Request, who caller) (any, error) {
	f, err := a.Flows.Latest(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	if !who.letIn(f) {
		return nil, flow.Errorf(flow.CodeUnknownFlow, "there is no flow %q among those that this agent may start", f.Name)
	}
	schema, err := json.Marshal(inputsOf(a.Org, f, f.LongestFor(who.token.Agent)))
	if err != nil {
		return nil, err
	}
	out := events.FlowDetail{
		FlowSummary: summaryOf(a.Org, f.Name, f.Label, f.Version, f.ApprovalOnly(), f.Params.AllowedSources),
		FlowInputs:  schema,
	}
	if agents := f.Params.Agents; agents != nil {
		out.Agents = &events.FlowAgents{MaxDuration: agents.MaxDuration.Seconds(), Purpose: agents.Purpose}
	}
	return out, nil
}

// schema is the part of JSON Schema (draft 2020-12) that inputs are described with.
type schema struct {
	Type        string            `json:"type,omitempty"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Const       any               `json:"const,omitempty"`
	Enum        []any             `json:"enum,omitempty"`
	OneOf       []schema          `json:"oneOf,omitempty"`
	Items       *schema           `json:"items,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	Minimum     int64             `json:"minimum,omitempty"`
	Maximum     int64             `json:"maximum,omitempty"`
	Default     any               `json:"default,omitempty"`
	Properties  map[string]schema `json:"properties,omitempty"`
	Required    []string          `json:"required,omitempty"`
	// AdditionalProperties is false for objects, which take no others.
	AdditionalProperties *bool `json:"additionalProperties,omitempty"`
}

// inputsOf describes the flow_inputs of a request: the fields that can be given, by
// the types that they have in JSON. longest bounds durations; 0: nothing does.
func inputsOf(org string, f *flow.Flow, longest time.Duration) schema {
	no := false
	out := schema{Type: "object", Properties: map[string]schema{}, Required: []string{}, AdditionalProperties: &no}
	for _, p := range f.Fields() {
		if !p.Visible {
			continue // only the flow's own code sets those
		}
		name, s := p.Name, inputOf(p)
		switch {
		case p.Name == flow.FieldNameTarget && !f.ApprovalOnly():
			name, s = flow.KeyTargetSRN, targetsOf(org, f.Strategy.Targets)
		case p.Name == flow.FieldNameDuration && !f.ApprovalOnly():
			s.Maximum = int64(longest / time.Second)
			s.Enum = slices.DeleteFunc(s.Enum, func(v any) bool { n, _ := v.(int64); return longest > 0 && n > s.Maximum })
		}
		s.Title = p.Title()
		out.Properties[name] = s
		if f.Needs(p) && p.Default == "" {
			out.Required = append(out.Required, name)
		}
	}
	return out
}

func targetsOf(org string, targets []flow.Target) schema {
	s := schema{Type: "string"}
	for _, t := range targets {
		s.OneOf = append(s.OneOf, schema{Const: flow.TargetSRN(org, t.Type, t.Name, flow.Latest), Title: t.Title()})
	}
	return s
}

// inputOf describes one field. What the form looks up, or what is checked further, is said
// in words.
func inputOf(p flow.PromptField) schema {
	one := schema{Type: "string"}
	read := func(text string) any { return text }
	switch p.Type {
	case flow.FieldInt, flow.FieldIntList:
		one.Type = "integer"
		read = func(text string) any {
			n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64) // checked with the configuration
			return n
		}
	case flow.FieldBool:
		one.Type = "boolean"
		read = func(text string) any { return text == "true" }
	case flow.FieldDuration:
		one.Type, one.Minimum, one.Description = "integer", 1, "Seconds."
		read = func(text string) any {
			d, _ := flow.ParseDuration(text)
			return int64(d / time.Second)
		}
	case flow.FieldSlackUser, flow.FieldSlackUserList:
		one.Pattern, one.Description = "^[UW][A-Z0-9]{2,}$", "Slack's id of a person."
	}
	for _, v := range p.AllowedValues {
		one.Enum = append(one.Enum, read(v))
	}
	if p.Prefetch {
		one.Description = strings.TrimSpace(one.Description + " One of the options that the form offers just then.")
	}
	if !p.Type.List() {
		if p.Default != "" {
			one.Default = read(p.Default)
		}
		return one
	}
	return schema{Type: "array", Items: &one}
}
