package entity

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is what an entity configures: the word that YAML documents have as their
// kind.
type Kind string

// The kinds.
const (
	KindSecretSource   Kind = "secrets"
	KindSecret         Kind = "secret"
	KindIntegration    Kind = "integration"
	KindRuntime        Kind = "runtime"
	KindErrorLogger    Kind = "error_logger"
	KindLogDestination Kind = "log_destination"
	KindTarget         Kind = "target"
	KindStrategy       Kind = "strategy"
	KindEnvironment    Kind = "environment"
	KindFlow           Kind = "flow"
	KindFlowsFilter    Kind = "flows_filter"
)

// about is what is known of a kind.
type about struct {
	kind Kind
	// collection is its name in the paths of the API.
	collection string
	// typed: the entities have a type. byType: several may have one name if their
	// types differ, and are looked up by both.
	typed, byType bool
	// named: the name is sent. Otherwise it is derived (slug.go), or there is none.
	named bool
	// always has the attributes that the provider always sends, empty ones too.
	always map[string]any
	// sources are the attributes that hold Python.
	sources []string
	// refs are the attributes that hold ids: "runtime_id", "targets[]" in a list,
	// "integrations.*" in a map.
	refs map[string]Kind
	// secrets: settings may name secrets.
	secrets bool
}

// kinds has a row for each kind, in the order in which the provider creates: what is
// referred to comes first.
var kinds = []about{
	{kind: KindIntegration, collection: "integrations", typed: true, byType: true, named: true, always: values{"settings": values{}}, secrets: true},
	{kind: KindRuntime, collection: "runtimes", named: true, refs: map[string]Kind{"context_id": KindIntegration}},
	{kind: KindSecretSource, collection: "secret-sources", typed: true, byType: true, named: true, always: values{"settings": values{}}, refs: map[string]Kind{"settings.context_id": KindIntegration}},
	{kind: KindSecret, collection: "secrets", always: values{"settings": values{}}, refs: map[string]Kind{"source_id": KindSecretSource}},
	{kind: KindErrorLogger, collection: "error-loggers", refs: map[string]Kind{"integration_id": KindIntegration}},
	{
		kind: KindLogDestination, collection: "log-destinations", typed: true, byType: true, always: values{"settings": values{}}, secrets: true,
		refs: map[string]Kind{"integration_id": KindIntegration, "flows[]": KindFlow},
	},
	{kind: KindTarget, collection: "access-targets", typed: true, byType: true, named: true, always: values{"settings": values{}}},
	{
		kind: KindStrategy, collection: "access-strategies", typed: true, byType: true, named: true, always: values{"settings": values{}, "targets": []any{}},
		sources: []string{"implementation"}, refs: map[string]Kind{"integration_id": KindIntegration, "targets[]": KindTarget}, secrets: true,
	},
	{
		kind: KindEnvironment, collection: "environments", named: true, always: values{"integrations": values{}},
		refs: map[string]Kind{
			"runtime_id": KindRuntime, "error_logger_id": KindErrorLogger, "log_destination_ids[]": KindLogDestination, "integrations.*": KindIntegration,
		},
	},
	{
		kind: KindFlow, collection: "flows", named: true, always: values{"vars": values{}, "params": values{}, "implementation": ""},
		sources: []string{"implementation"}, refs: map[string]Kind{"environment_id": KindEnvironment, "params.strategy_id": KindStrategy},
	},
	{
		kind: KindFlowsFilter, collection: "flows-filter", always: values{"vars": values{}, "integrations": values{}, "implementation": ""},
		sources: []string{"implementation"}, refs: map[string]Kind{"integrations.*": KindIntegration},
	},
}

// Kinds lists all kinds, each after those that it refers to, but for the flows of a
// log destination.
func Kinds() []Kind {
	var list []Kind
	for _, a := range kinds {
		list = append(list, a.kind)
	}
	return list
}

// about gives what is known of the kind; of one that there is not, nothing.
func (k Kind) about() about {
	i := slices.IndexFunc(kinds, func(a about) bool { return a.kind == k })
	if i < 0 {
		return about{}
	}
	return kinds[i]
}

// Collection is the kind's name in the paths of the API.
func (k Kind) Collection() string { return k.about().collection }

// OfCollection gives the kind that has a name in paths.
func OfCollection(name string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(a about) bool { return a.collection == name })
	if i < 0 {
		return "", false
	}
	return kinds[i].kind, true
}

// Typed tells whether entities of the kind are looked up by name and type.
func (k Kind) Typed() bool { return k.about().byType }

// Derived tells whether names of the kind are derived from what entities say, since none
// is sent.
func (k Kind) Derived() bool { return !k.about().named && !k.Single() }

// Sources are the attributes of the kind that hold Python.
func (k Kind) Sources() []string { return k.about().sources }

// Single tells whether there is one entity of the kind only, without a name.
func (k Kind) Single() bool { return k == KindFlowsFilter }

// Ref is a reference to another entity.
type Ref struct {
	Attribute string // such as targets[3]
	Kind      Kind
	ID        string
}

// Refs lists what the entity refers to, in the order of attributes. What is no text is
// left out: the rules of attributes say so.
func (e Entity) Refs() []Ref {
	var list []Ref
	e.eachRef(e.values(), func(r Ref) string {
		list = append(list, r)
		return r.ID
	})
	return list
}

// eachRef puts what to gives in the place of each reference among the attributes.
func (e Entity) eachRef(v values, to func(Ref) string) {
	a := e.Kind.about()
	in := func(m map[string]any, key, attribute string, kind Kind) {
		if id, ok := m[key].(string); ok && id != "" {
			m[key] = to(Ref{attribute, kind, id})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(a.refs)) {
		kind := a.refs[path]
		outer, inner, nested := strings.Cut(path, ".")
		inside, _ := v[outer].(map[string]any)
		switch {
		case strings.HasSuffix(path, "[]"):
			name := strings.TrimSuffix(path, "[]")
			items, _ := v[name].([]any)
			for i, item := range items {
				if id, ok := item.(string); ok && id != "" {
					items[i] = to(Ref{fmt.Sprintf("%s[%d]", name, i), kind, id})
				}
			}
		case inner == "*":
			for _, key := range slices.Sorted(maps.Keys(inside)) {
				in(inside, key, outer+"."+key, kind)
			}
		case nested:
			in(inside, inner, path, kind)
		default:
			in(v, path, path, kind)
		}
	}
	if !a.secrets {
		return
	}
	settings, _ := v["settings"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		path := "settings." + key
		switch {
		case NamesSecret(key):
			in(settings, key, path, KindSecret)
		case key == SecretList:
			text, _ := settings[key].(string)
			var ids []string
			if json.Unmarshal([]byte(text), &ids) != nil {
				continue // the rules of settings say what is wrong
			}
			changed := false
			for i, id := range ids {
				if id != "" {
					ids[i] = to(Ref{fmt.Sprintf("%s[%d]", path, i), KindSecret, id})
					changed = changed || ids[i] != id
				}
			}
			if list, err := json.Marshal(ids); err == nil && changed {
				settings[key] = string(list)
			}
		}
	}
}

// SecretList is Sym's setting of custom integrations: the secrets of a service that we
// know nothing of, as a JSON list in a text.
const SecretList = "secret_ids_json"

// NamesSecret tells whether a setting refers to a secret.
func NamesSecret(setting string) bool {
	return strings.HasSuffix(setting, "_secret") || strings.HasSuffix("_"+setting, "_secret_id")
}
