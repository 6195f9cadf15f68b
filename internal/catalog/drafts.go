package catalog

import (
	"encoding/json"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// drafts gives the documents of files as what entities of the files are to be, each after
// those that it refers to, but for the flows of a log destination.
func (l *loader) drafts() []entity.Draft {
	var list []entity.Draft
	for _, kind := range entity.Kinds() {
		for _, d := range l.documents {
			if d.kind != string(kind) {
				continue
			}
			e := entity.Entity{ID: l.targets[d.key()].ID, Kind: kind, Type: d.typ, Name: d.name, Owner: entity.Files, File: d.file}
			if kind != entity.KindTarget {
				e.ID = ""
			}
			if kind.Single() {
				e.Name = ""
			}
			list = append(list, entity.Draft{Entity: e, Key: d.draftKey(), Attributes: d.attributes})
		}
	}
	return list
}

func (d *document) draftKey() string { return d.kind + " " + d.key() }

// attributes writes the document's attributes as JSON, with the ids of what it refers to.
func (d *document) attributes(id func(key string) string) []byte {
	w := writer{d.loader, id}
	attributes, _ := w.write("", d.node).(map[string]any)
	for _, known := range []string{"kind", "name", "type", "id"} {
		delete(attributes, known)
	}
	body, err := flow.EncodeJSON(attributes)
	if err != nil {
		panic(err) // it is made of texts, numbers, lists and the like
	}
	return body
}

// writer writes the nodes of documents that have no faults.
type writer struct {
	loader *loader
	id     func(key string) string
}

func (w writer) write(key string, node *yaml.Node) any {
	if means, ok := w.loader.means[node]; ok {
		ids := w.ids(means)
		if key == secretList {
			text, err := json.Marshal(ids)
			if err != nil {
				panic(err) // texts always have a JSON form
			}
			return string(text)
		}
		if len(ids) == 0 {
			return nil
		}
		return ids[0]
	}
	if text, ok := w.loader.texts[node]; ok {
		return text
	}
	switch node.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if v := w.write(name, node.Content[i+1]); v != nil {
				out[name] = v
			}
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, n := range node.Content {
			if means, ok := w.loader.means[n]; ok { // a pattern means several
				for _, id := range w.ids(means) {
					if !slices.Contains(out, any(id)) {
						out = append(out, id)
					}
				}
				continue
			}
			out = append(out, w.write("", n))
		}
		return out
	}
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return len(node.Value) > 0 && (node.Value[0] == 't' || node.Value[0] == 'T')
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return json.Number(node.Value)
		}
	}
	return node.Value
}

// ids gives the ids of documents, each once, without those that have none yet.
func (w writer) ids(means []*document) []string {
	ids := []string{}
	for _, d := range means {
		if id := w.id(d.draftKey()); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// mean notes which documents a node of a file refers to.
func (l *loader) mean(node *yaml.Node, to ...*document) {
	if node != nil {
		l.means[node] = append(l.means[node], to...)
	}
}
