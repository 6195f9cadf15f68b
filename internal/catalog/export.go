package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// Exported are entities as files of a folder.
type Exported struct {
	Files map[string][]byte // by path
	// Names are those of the documents, by the ids of the entities. They are the entities'
	// own but where documents of files may not share one.
	Names map[string]string
}

// Export writes the entities that the configuration API has as documents of files, which
// refer to each other, and to what files have, by name. What only one flow uses stands in
// its file, and Python in files beside. Those that are dead count for nothing. The error
// lists what documents can't say.
func Export(all []entity.Entity, org string) (Exported, error) {
	x := exporter{org: org, byID: map[string]entity.Entity{}, names: map[string]string{}, taken: map[string]string{}, sharing: map[string]int{}, files: map[string][]byte{}, inUse: map[string]bool{}}
	for _, e := range all {
		if e.Alive() {
			x.byID[strings.ToLower(e.ID)] = e
		}
	}
	x.name()
	x.place()
	x.write()
	if len(x.faults) > 0 {
		return Exported{}, flow.Errorf(flow.CodeInvalid, "%s", strings.Join(x.faults, "\n"))
	}
	return Exported{Files: x.files, Names: x.names}, nil
}

// Differ names the entities of the API that documents, read back among others, say
// otherwise, or not at all.
func (x Exported) Differ(all []entity.Entity, documents []entity.Draft) (names []string) {
	byName := map[string]entity.Entity{}
	for _, e := range all {
		if e.Alive() {
			byName[unique(e.Kind, e.Type, x.Names[e.ID])] = e
		}
	}
	ids := map[string]string{}
	for _, d := range documents {
		ids[d.Key] = byName[unique(d.Entity.Kind, d.Entity.Type, d.Entity.Name)].ID
	}
	said := map[string]entity.Entity{}
	for _, d := range documents {
		e := d.Entity
		if e.ID = ids[d.Key]; e.ID != "" {
			e.Attributes = d.Attributes(func(key string) string { return ids[key] })
			said[e.ID] = e
		}
	}
	for _, e := range all {
		again := said[e.ID]
		if name := e.Name; e.Alive() && e.Owner == entity.API {
			if e.Name = x.Names[e.ID]; again.ID == "" || !bytes.Equal(e.Wire(), again.Wire()) {
				names = append(names, strings.TrimSpace(string(e.Kind)+" "+name))
			}
		}
	}
	slices.Sort(names)
	return names
}

// Leaving gives the entities of the files that the API can take over, in order of kinds,
// and those that stay: isolated flows, and what they need. The error lists what the files
// of a folder say otherwise than what was published of them.
func Leaving(all []entity.Entity, folder *Catalog) (leaving, staying []entity.Entity, err error) {
	byName := map[string]entity.Entity{}
	for _, e := range all {
		if e.Alive() && e.Owner == entity.Files {
			byName[unique(e.Kind, e.Type, e.Name)] = e
		}
	}
	of := map[string]string{}
	for _, d := range folder.Drafts {
		of[d.Key] = byName[unique(d.Entity.Kind, d.Entity.Type, d.Entity.Name)].ID
	}
	var unpublished []string
	byID := map[string]entity.Entity{}
	for _, d := range folder.Drafts {
		e, again := byName[unique(d.Entity.Kind, d.Entity.Type, d.Entity.Name)], d.Entity
		again.Attributes = d.Attributes(func(key string) string { return of[key] })
		if e.ID == "" || !again.Says(e) {
			unpublished = append(unpublished, strings.TrimSpace(string(d.Entity.Kind)+" "+d.Entity.Name))
		}
		byID[e.ID] = e
	}
	if len(unpublished) > 0 {
		return nil, nil, flow.Errorf(flow.CodeInvalid, "the files say these otherwise than they were published, or they were not: %s; publish them first", strings.Join(unpublished, ", "))
	}
	stays := map[string]bool{}
	var stay func(e entity.Entity)
	stay = func(e entity.Entity) {
		if e.ID == "" || stays[e.ID] {
			return
		}
		stays[e.ID] = true
		for _, r := range e.Refs() {
			stay(byID[strings.ToLower(r.ID)])
		}
	}
	for _, name := range folder.Isolated() {
		stay(byName[unique(entity.KindFlow, "", name)])
	}
	for _, d := range folder.Drafts {
		e := byName[unique(d.Entity.Kind, d.Entity.Type, d.Entity.Name)]
		if stays[e.ID] {
			staying = append(staying, e)
		} else {
			leaving = append(leaving, e)
		}
	}
	return leaving, staying, nil
}

type exporter struct {
	org   string
	byID  map[string]entity.Entity
	names map[string]string // of documents, by id
	taken map[string]string // id, by what must be unique among documents
	// sharing is how many documents of a kind, of whatever type, have a name.
	sharing map[string]int
	of      map[string]string // the flow that alone uses an entity, by id
	files   map[string][]byte
	inUse   map[string]bool // paths of files, as file systems tell them apart that don't know the case of letters
	faults  []string
}

func (x *exporter) fault(format string, args ...any) {
	x.faults = append(x.faults, fmt.Sprintf(format, args...))
}

// entities gives those of the API, or those of files, in order of kind and name.
func (x *exporter) entities(owner entity.Owner) (list []entity.Entity) {
	kinds := entity.Kinds()
	for _, e := range x.byID {
		if e.Owner == owner {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b entity.Entity) int {
		if c := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); c != 0 {
			return c
		}
		if c := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// unique is what no two documents of files have.
func unique(kind entity.Kind, typ, name string) string {
	key := string(kind) + " " + strings.ToLower(name)
	if slices.Contains(typedKinds, string(kind)) {
		key += " " + typ
	}
	return key
}

// name gives each document its name.
func (x *exporter) name() {
	for _, owner := range []entity.Owner{entity.Files, entity.API} {
		for _, e := range x.entities(owner) {
			name := e.Name
			other, double := x.taken[unique(e.Kind, e.Type, name)]
			if double && e.Kind.Derived() {
				for n := 2; double; n++ { // nobody has chosen these names
					name = fmt.Sprintf("%s-%d", e.Name[:min(len(e.Name), maxDerived)], n)
					_, double = x.taken[unique(e.Kind, e.Type, name)]
				}
			}
			if double {
				x.fault("there are two of kind %s named %q (%s and %s), of which files can have one only: delete one of them, or give it another name, and export again", e.Kind, e.Name, other, e.ID)
				continue
			}
			x.taken[unique(e.Kind, e.Type, name)] = e.ID
			x.names[e.ID] = name
			x.sharing[string(e.Kind)+" "+strings.ToLower(name)]++
		}
	}
}

// maxDerived leaves room for a number behind a name.
const maxDerived = 70

// place finds what only one flow uses.
func (x *exporter) place() {
	users := map[string]map[string]bool{} // flows, by id
	var use func(user string, e entity.Entity)
	use = func(user string, e entity.Entity) {
		if users[e.ID] == nil {
			users[e.ID] = map[string]bool{}
		}
		if users[e.ID][user] {
			return
		}
		users[e.ID][user] = true
		for _, r := range e.Refs() {
			if to, ok := x.byID[strings.ToLower(r.ID)]; ok && to.Kind != entity.KindFlow {
				use(user, to)
			}
		}
	}
	for _, e := range x.entities(entity.API) {
		if e.Kind == entity.KindFlow {
			use(e.ID, e)
		}
	}
	x.of = map[string]string{}
	for id, flows := range users {
		if e := x.byID[id]; len(flows) == 1 && e.Owner == entity.API && (e.Kind == entity.KindFlow || e.Kind == entity.KindStrategy || e.Kind == entity.KindTarget) {
			for f := range flows {
				x.of[id] = f
			}
		}
	}
}

// sharedFiles has the file of the entities of each kind that several flows use, or none.
var sharedFiles = map[entity.Kind]string{
	entity.KindIntegration: "integrations.yaml", entity.KindSecretSource: "secrets.yaml", entity.KindSecret: "secrets.yaml",
	entity.KindRuntime: "environments.yaml", entity.KindErrorLogger: "environments.yaml", entity.KindLogDestination: "environments.yaml",
	entity.KindEnvironment: "environments.yaml", entity.KindTarget: "targets.yaml", entity.KindStrategy: "strategies.yaml", entity.KindFlowsFilter: "flows_filter.yaml",
}

// file gives the path of the file in which an entity stands.
func (x *exporter) file(e entity.Entity) string {
	if f, ok := x.of[e.ID]; ok {
		file := x.byID[f].Name + ".yaml"
		for _, shared := range sharedFiles {
			if strings.EqualFold(file, shared) || strings.EqualFold(file, notConfig) {
				return "flow-" + file
			}
		}
		return file
	}
	return sharedFiles[e.Kind]
}

// write writes the files.
func (x *exporter) write() {
	documents := map[string][]*yaml.Node{}
	for _, e := range x.entities(entity.API) {
		if _, named := x.names[e.ID]; named {
			file := x.file(e)
			documents[file] = append(documents[file], x.document(e))
		}
	}
	for _, file := range slices.Sorted(maps.Keys(documents)) {
		var b bytes.Buffer
		w := yaml.NewEncoder(&b)
		w.SetIndent(2)
		for _, d := range documents[file] {
			if err := w.Encode(d); err != nil {
				x.fault("%s can't be written: %v", file, err)
			}
		}
		if err := w.Close(); err != nil {
			x.fault("%s can't be written: %v", file, err)
		}
		x.files[file] = b.Bytes()
	}
}

// document writes an entity as a document.
func (x *exporter) document(e entity.Entity) *yaml.Node {
	v := e.Plain(func(r entity.Ref) string { return x.reference(e, r) })
	v["kind"] = string(e.Kind)
	if !e.Kind.Single() {
		v["name"] = x.names[e.ID]
	}
	if e.Type != "" {
		v["type"] = e.Type
	}
	if e.Kind == entity.KindTarget && e.ID != flow.TargetID(x.org, x.names[e.ID]) {
		v["id"] = e.ID
	}
	for _, attribute := range e.Kind.Sources() {
		name := x.names[e.ID]
		if e.Kind.Single() {
			name = kindFilter
		}
		x.python(v, attribute, string(e.Kind), "", name+".py")
	}
	if params, ok := v["params"].(map[string]any); ok && e.Kind == entity.KindFlow {
		fields, _ := params["prompt_fields"].([]any)
		for _, f := range fields {
			if field, ok := f.(map[string]any); ok {
				name, _ := field["name"].(string)
				x.python(field, "on_change", string(e.Kind), x.names[e.ID], "on_change_"+name+".py")
			}
		}
	}
	if vars, ok := v["vars"].(map[string]any); ok {
		for key, text := range vars {
			if text, ok := text.(string); ok {
				vars[key] = x.variable(e, key, text)
			}
		}
	}
	whole := node(v, true)
	whole.Style = 0
	return whole
}

// reference writes a reference of an entity as the name of a document.
func (x *exporter) reference(e entity.Entity, r entity.Ref) string {
	to, ok := x.byID[strings.ToLower(r.ID)]
	if !ok || to.Kind != r.Kind {
		x.fault("%s: there is no %s with the id %s: mend that first (local check -url lists what is broken)", describe(string(e.Kind), e.Name, r.Attribute, ""), r.Kind, r.ID)
		return r.ID
	}
	return x.nameFor(to)
}

// nameFor is how references name a document: with its type if several have the name.
func (x *exporter) nameFor(to entity.Entity) string {
	name := x.names[to.ID]
	if !slices.Contains(typedKinds, string(to.Kind)) {
		return name
	}
	if x.sharing[string(to.Kind)+" "+strings.ToLower(name)] > 1 {
		return to.Type + "/" + name
	}
	return name
}

// uuidIn finds the ids in a text.
var uuidIn = pattern.Of(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// variable writes a variable of handlers with references to the targets whose ids it has.
func (x *exporter) variable(e entity.Entity, key, text string) string {
	if targetID.MatchString(text) {
		x.fault("%s: %q is text for the API, and stands for the id of a target in files: change it first", describe(string(e.Kind), e.Name, "vars."+key, ""), targetID.FindString(text))
	}
	return uuidIn.ReplaceAllStringFunc(text, func(id string) string {
		if to, ok := x.byID[id]; ok && to.Kind == entity.KindTarget && x.names[id] != "" {
			return "${target." + x.nameFor(to) + ".id}"
		}
		return id
	})
}

// python moves the text of an attribute into a file of its own, and leaves the path.
func (x *exporter) python(v map[string]any, attribute, kind, folder, file string) {
	text, ok := v[attribute].(string)
	if !ok {
		return
	}
	at := path.Join(folder, file)
	for n := 0; x.inUse[strings.ToLower(at)]; n++ {
		at = path.Join(folder, kind, strings.Repeat("more/", n), file)
	}
	x.files[at], x.inUse[strings.ToLower(at)] = []byte(text), true
	v[attribute] = "./" + at
}

// order has the attributes that come first in documents, params and fields, as people
// write them. Others follow by name.
var order = []string{
	"kind", "name", "id", "type", "label", "required", "external_id", "path", "environment_id", "source_id", "integration_id", "runtime_id", "context_id",
	"destination", "implementation", "strategy_id", "integrations", "settings", "field_bindings", "targets", "error_logger_id", "log_destination_ids", "vars",
	"params", "prompt_fields", "approval", "channel", "users", "timeout",
}

// maxOnLine is how long lists and maps may be, in bytes, that are written on one line.
const maxOnLine = 100

// node writes a value as YAML; ordered, if its keys are attributes.
func node(v any, ordered bool) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if ordered {
			slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
		}
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, key := range keys {
			free := key == "settings" || key == "vars" || key == "integrations" || key == "payload"
			n.Content = append(n.Content, plainText(key), node(v[key], ordered && !free))
		}
		n.Style = onLine(n)
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v {
			n.Content = append(n.Content, node(item, ordered))
		}
		n.Style = onLine(n)
		return n
	case json.Number:
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
		n.Tag = n.ShortTag()
		return n
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}
	case string:
		return plainText(v)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
}

// Texts that need no quotes, whoever reads them; and those that older readers of YAML take
// for something else.
var (
	unquoted = pattern.Of(`^[A-Za-z0-9_./]([A-Za-z0-9_./@+()-]| [A-Za-z0-9_./@+()-])*$`)
	formerly = pattern.Of(`^(?i:y|n|yes|no|on|off)$`)
	inBlock  = pattern.Of(`^(\S[^\pC]*\n)(([^\s\pC][^\pC]*)?\n)*([^\s\pC][^\pC]*)?$`)
)

// plainText writes a text: without quotes if it needs none, line by line if it has some.
func plainText(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	switch {
	case unquoted.MatchString(text) && !formerly.MatchString(text) && !strings.HasPrefix(text, ".."):
		n.Style = 0
	case inBlock.MatchString(text) && !strings.Contains(text, " \n") && strings.TrimRight(text, "\n") != "":
		n.Style = yaml.LiteralStyle
	}
	return n
}

func rank(key string) int {
	if i := slices.Index(order, key); i >= 0 {
		return i
	}
	return len(order)
}

// onLine gives the style of a list or map: on one line, if that is short and easily read.
func onLine(n *yaml.Node) yaml.Style {
	length := 0
	for _, c := range n.Content {
		inner := c.Content
		if c.Kind == yaml.ScalarNode {
			inner = []*yaml.Node{c}
		} else if n.Kind != yaml.MappingNode || c.Kind != yaml.SequenceNode && len(c.Content) > 0 || c.Style != yaml.FlowStyle {
			return 0
		}
		for _, scalar := range inner {
			if length += len(scalar.Value) + len(": "); scalar.Style == yaml.LiteralStyle {
				return 0
			}
		}
	}
	if length > maxOnLine {
		return 0
	}
	return yaml.FlowStyle
}
