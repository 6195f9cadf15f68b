package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// typedKinds are the kinds whose documents may share a name if their types
// differ, as their resource names have the type in them.
var typedKinds = []string{"integration", "target", "strategy"}

// names are the documents by kind and name, letters of either case alike.
type names map[string]map[string][]*document

// add registers a document. It returns the one that has its name already, and
// its type where that tells documents of the kind apart; nil: there is none.
func (n names) add(d *document) *document {
	if n[d.kind] == nil {
		n[d.kind] = map[string][]*document{}
	}
	name := strings.ToLower(d.name)
	for _, first := range n[d.kind][name] {
		if first.typ == d.typ || !slices.Contains(typedKinds, d.kind) {
			return first
		}
	}
	n[d.kind][name] = append(n[d.kind][name], d)
	return nil
}

// key is unique among the documents of the kind.
func (d *document) key() string {
	if d.id != "" {
		return strings.ToLower(d.name) + " " + d.id // names have no spaces, and come first in the order
	}
	key := strings.ToLower(d.name)
	if slices.Contains(typedKinds, d.kind) {
		key += " " + d.typ // names have no spaces
	}
	return key
}

// refer returns the document that a reference means: a name, or <type>/<name>
// where several have the name. Types are those that are wanted there, the best
// first; none: any. If there is no such document, it returns nil and reports a
// fault at the path of d.
func (l *loader) refer(d *document, path, kind, reference string, types ...string) *document {
	if d.id != "" {
		return d.referByID(path, kind, reference)
	}
	typ, name, qualified := strings.Cut(reference, "/")
	if !qualified || !slices.Contains(typedKinds, kind) {
		typ, name = "", reference
	}
	found := l.byName[kind][strings.ToLower(name)]
	if typ != "" {
		found = slices.DeleteFunc(slices.Clone(found), func(d *document) bool { return d.typ != typ })
	}
	if len(found) > 1 {
		for _, want := range types {
			if i := slices.IndexFunc(found, func(d *document) bool { return d.typ == want }); i >= 0 {
				found = found[i : i+1]
				break
			}
		}
	}
	switch len(found) {
	case 0:
		d.fault(path, "no document of kind %s is named %q%s: write the name of one that there is", kind, flow.Clip(reference, maxQuoted), l.guess(kind, name))
		return nil
	case 1:
		found[0].used = true
		return found[0]
	}
	var several []string
	for _, f := range found {
		several = append(several, fmt.Sprintf("%s/%s", f.typ, f.name))
	}
	d.fault(path, "there are %d documents of kind %s named %q: write which, one of %s", len(found), kind, flow.Clip(name, maxQuoted), strings.Join(several, ", "))
	return nil
}

// referByID is refer for an entity: its references are ids.
func (d *document) referByID(path, kind, id string) *document {
	to := d.loader.byID[strings.ToLower(id)]
	if to == nil {
		d.missing = append(d.missing, entity.Ref{Attribute: path, Kind: entity.Kind(kind), ID: id})
		d.fault(path, "there is no %s with the id %q: it was deleted, or never was; refer to one that there is", kind, flow.Clip(id, maxQuoted))
		return nil
	}
	if to.kind != kind {
		d.fault(path, "%q is the id of a document of kind %s: refer to one of kind %s", flow.Clip(id, maxQuoted), to.kind, kind)
		return nil
	}
	d.leads(path, to)
	to.used = true
	return to
}

// leads notes a reference.
func (d *document) leads(path string, to *document) {
	if d.refers == nil {
		d.refers = map[string]*document{}
	}
	d.refers[path] = to
}
