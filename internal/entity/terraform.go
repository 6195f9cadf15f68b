package entity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// said are the attributes that Sym's Terraform provider knows of each kind, beside name and
// type; params of flows and their fields below.
var said = map[Kind][]string{
	KindIntegration:    {"external_id", "label", "settings"},
	KindRuntime:        {"label", "context_id"},
	KindSecretSource:   {"label", "settings"},
	KindSecret:         {"label", "path", "source_id", "settings"},
	KindErrorLogger:    {"integration_id", "destination"},
	KindLogDestination: {"integration_id", "settings"},
	KindTarget:         {"label", "field_bindings", "settings"},
	KindStrategy:       {"label", "integration_id", "targets", "settings", "implementation"},
	KindEnvironment:    {"label", "runtime_id", "integrations", "error_logger_id", "log_destination_ids"},
	KindFlow:           {"label", "implementation", "environment_id", "vars", "params"},
	KindFlowsFilter:    {"implementation", "vars", "integrations"},
}

var (
	saidParams = []string{
		"strategy_id", "allow_revoke", "schedule_deescalation", "allowed_sources", "include_decision_message", "additional_header_text", "allow_guest_interaction", "prompt_fields",
	}
	saidFields = []string{"name", "type", "label", "required", "default", "allowed_values", "visible", "prefetch", "on_change"}
)

// Unsaid lists the attributes that the provider has no words for: the next change of the
// entity by Terraform takes them away, since it replaces the whole.
func (e Entity) Unsaid() (list []string) {
	missing := func(inside map[string]any, path string, known []string) {
		for _, name := range slices.Sorted(maps.Keys(inside)) {
			if !slices.Contains(known, name) && inside[name] != nil {
				list = append(list, path+name)
			}
		}
	}
	v := e.values()
	missing(v, "", said[e.Kind])
	if params, ok := v["params"].(map[string]any); ok && e.Kind == KindFlow {
		missing(params, "params.", saidParams)
		fields, _ := params["prompt_fields"].([]any)
		for i, f := range fields {
			if field, ok := f.(map[string]any); ok {
				missing(field, fmt.Sprintf("params.prompt_fields[%d].", i), saidFields)
			}
		}
	}
	return list
}

// Resource gives the address of the resource that stands for the entity in Terraform, by a
// name of ours, and the id by which it is imported.
func (e Entity) Resource() (address, id string) {
	name := strings.ReplaceAll(e.Name, "-", "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	id = cmp.Or(e.Name, e.Kind.Collection())
	if e.Kind.Single() {
		name = "main"
	}
	if e.Kind.Typed() {
		id = e.Type + ":" + id
	}
	return "sym_" + string(e.Kind) + "." + name, id
}
