package entity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// none is how the provider writes that a strategy or a log destination has no
// integration.
const none = "<null>"

// formerTemplate is what flows of the provider's first major version carry: the one
// template that there was.
const formerTemplate = "sym:template:approval:1.0.0"

// Defaults of a flow's params and prompt fields, which the provider writes out.
var (
	paramDefaults = values{
		"allow_revoke": true, "schedule_deescalation": true, "include_decision_message": false, "allow_guest_interaction": false, "additional_header_text": "",
	}
	fieldDefaults = values{
		"label": "", "required": true, "default": "", "allowed_values": []any{}, "visible": true, "prefetch": false, "on_change": "",
	}
)

// FromWire reads an entity as the provider sends it: the attributes, with the name as
// slug, Python in base64, and what is empty written out. The id of the body is
// returned as it is; "" if it has none. Faults are of what can't be read at all: the
// attributes are not checked.
func FromWire(kind Kind, body map[string]json.RawMessage) (e Entity, id string, faults []Fault) {
	a := kind.about()
	e = Entity{Kind: kind, Owner: API}
	fault := func(attribute, format string, args ...any) {
		faults = append(faults, Fault{attribute, fmt.Sprintf(format, args...)})
	}
	v := values{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		one, err := decode(json.RawMessage(`{"v":` + string(body[name]) + `}`))
		if err != nil {
			fault(name, "can't be read")
			continue
		}
		v[name] = one["v"]
	}
	id, _ = v["id"].(string)
	delete(v, "id")
	text := func(name, attribute string) string {
		s, ok := v[name].(string)
		if given, there := v[name]; there && given != nil && !ok {
			fault(attribute, "must be text")
		}
		delete(v, name)
		return s
	}
	slug := text("slug", "name")
	if a.named {
		e.Name = slug
		if slug == "" && len(faults) == 0 {
			fault("name", "is missing: give it a name")
		}
	}
	if a.typed {
		if e.Type = text("type", "type"); e.Type == "" && len(faults) == 0 {
			fault("type", "is missing: say which type it is of")
		}
	}
	for _, reserved := range []string{"kind", "name", "file"} {
		if _, there := v[reserved]; there {
			fault(reserved, "is no attribute here: the name is sent as slug")
		}
	}
	if kind == KindFlow && v["template"] == formerTemplate {
		delete(v, "template")
	}
	if v["integration_id"] == none {
		delete(v, "integration_id")
	}
	drop(v, "label", "integration_id", "runtime_id", "error_logger_id", "context_id", "log_destination_ids", "field_bindings")
	for _, name := range []string{"settings", "vars", "integrations", "params"} {
		if inside, ok := v[name].(map[string]any); ok {
			dropNulls(inside)
			if name == "integrations" {
				drop(inside, slices.Collect(maps.Keys(inside))...)
			}
		}
		drop(v, name)
	}
	for _, name := range a.sources {
		source(v, name, name, fault)
	}
	if params, ok := v["params"].(map[string]any); ok {
		drop(params, "strategy_id", "additional_header_text", "prompt_fields")
		fields, _ := params["prompt_fields"].([]any)
		for i, f := range fields {
			if field, ok := f.(map[string]any); ok {
				dropNulls(field)
				source(field, "on_change", fmt.Sprintf("params.prompt_fields[%d].on_change", i), fault)
				drop(field, "label", "default", "allowed_values")
			}
		}
		drop(v, "params")
	}
	dropNulls(v)
	if !a.named && !kind.Single() {
		e.Name = derived(kind, e.Type, v)
	}
	e.Attributes = encode(v)
	return e, id, faults
}

// drop leaves out those of the attributes that are empty.
func drop(v map[string]any, names ...string) {
	for _, name := range names {
		switch value := v[name].(type) {
		case nil:
			delete(v, name)
		case string:
			if value == "" {
				delete(v, name)
			}
		case []any:
			if len(value) == 0 {
				delete(v, name)
			}
		case map[string]any:
			if len(value) == 0 {
				delete(v, name)
			}
		}
	}
}

func dropNulls(v map[string]any) {
	maps.DeleteFunc(v, func(_ string, value any) bool { return value == nil })
}

// source takes Python out of base64.
func source(v map[string]any, name, attribute string, fault func(attribute, format string, args ...any)) {
	value, there := v[name]
	if !there {
		return
	}
	text, ok := value.(string)
	if value != nil && !ok {
		fault(attribute, "must be text: the source, in base64")
		return
	}
	code, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err != nil:
		fault(attribute, "is not base64: send the source in base64, of the standard alphabet and padded")
	case !utf8.Valid(code):
		fault(attribute, "is not UTF-8 text: save the source as UTF-8")
	case len(code) == 0:
		delete(v, name)
	default:
		v[name] = string(code)
	}
}

// Wire gives the entity as the provider reads it: with the attributes that it sends
// always, even empty ones, and with Python in base64.
func (e Entity) Wire() json.RawMessage {
	a, v := e.Kind.about(), e.values()
	for name, empty := range a.always {
		if v[name] == nil {
			v[name] = empty
		}
	}
	v["id"] = e.ID
	if !e.Kind.Single() {
		v["slug"] = e.Name
	}
	if a.typed {
		v["type"] = e.Type
	}
	for _, name := range a.sources {
		encoded(v, name)
	}
	for _, name := range []string{"settings", "vars"} {
		if inside, ok := v[name].(map[string]any); ok {
			for key, value := range inside {
				inside[key] = written(value)
			}
		}
	}
	if e.Kind == KindFlow {
		if params, ok := v["params"].(map[string]any); ok {
			complete(params, paramDefaults)
			fields, _ := params["prompt_fields"].([]any)
			for _, f := range fields {
				if field, ok := f.(map[string]any); ok {
					encoded(field, "on_change")
					complete(field, fieldDefaults)
					field["default"] = written(field["default"])
					if allowed, ok := field["allowed_values"].([]any); ok {
						for i := range allowed {
							allowed[i] = written(allowed[i])
						}
					}
				}
			}
			if fields == nil {
				params["prompt_fields"] = []any{} // the provider ends at null
			}
		}
	}
	return encode(v)
}

func encoded(v map[string]any, name string) {
	if code, ok := v[name].(string); ok {
		v[name] = base64.StdEncoding.EncodeToString([]byte(code))
	}
}

// complete adds what is left out.
func complete(v map[string]any, defaults values) {
	for name, value := range defaults {
		if _, there := v[name]; !there {
			v[name] = value
		}
	}
}

// written gives a number, or true or false, as text: YAML may have them where the
// provider knows texts only.
func written(value any) any {
	switch value := value.(type) {
	case json.Number:
		return value.String()
	case bool:
		return fmt.Sprint(value)
	}
	return value
}
