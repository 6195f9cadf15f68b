package catalog

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Document is a document that no file has: what the configuration API stores. It says
// the same as one in a file, with three differences: what it refers to it names by ids,
// its Python is the text itself, and others may have its name.
type Document struct {
	ID, Kind, Name string
	// Attributes is a JSON object with all but kind and name. Attributes that are null
	// are absent.
	Attributes json.RawMessage
	// ByAPI tells that it came by the API, which may not say all that files may.
	ByAPI bool
	// Place is where people find it, such as "flows.yaml:12"; "" if nowhere but by its
	// kind and name.
	Place string
}

// Reference is what a document says of another one.
type Reference struct {
	Path string // of the reference
	Kind string
	ID   string
}

// Part is what came of a document, with all that it needs. One that is whole has one of
// the pointers, by its kind.
type Part struct {
	ID, Kind, Name string
	// Faults are of the document, and of all that it needs; none: it is whole.
	Faults []Fault
	// Missing are the references among these that lead nowhere.
	Missing []Reference

	Flow        *flow.Flow
	Filter      *flow.FlowsFilter
	Strategy    *flow.Strategy
	Environment *flow.Environment
	Destination *flow.LogDestination // with the environments that name it: none may
}

// LoadDocuments is Load for documents that no file has.
func LoadDocuments(docs []Document, org string, types map[string]strategy.Type, describe ...Describe) (*Catalog, Report) {
	l := loadDocuments(docs, "", org, types, describe)
	if len(l.report.Faults) == 0 {
		l.findUnused()
	}
	l.report.sort()
	if l.report.Err() != nil {
		return nil, l.report
	}
	return l.catalog(), l.report
}

// Parts gives what came of each flow, flows filter, strategy, environment and log
// destination among the documents, in their order: some may be whole though others are not.
func Parts(docs []Document, org string, types map[string]strategy.Type, describe ...Describe) []Part {
	l := loadDocuments(docs, "", org, types, describe)
	var parts []Part
	for _, d := range l.documents {
		p := Part{ID: d.id, Kind: d.kind, Name: d.name}
		d.gather(&p, map[*document]bool{})
		whole := len(p.Faults) == 0
		switch d.kind {
		case "flow":
			if whole {
				p.Flow = l.flowOf[d]
			}
		case kindFilter:
			if whole {
				p.Filter = l.filter
			}
		case "strategy":
			if granting, ok := l.granting[d.key()]; ok && whole {
				p.Strategy = &granting
			}
		case "environment":
			if whole {
				p.Environment = l.environments[d.key()]
			}
		case "log_destination":
			if whole {
				p.Destination = l.logDestinations[d.key()]
			}
		default:
			continue
		}
		parts = append(parts, p)
	}
	return parts
}

// gather collects what is wrong with a document and with what it needs. A flow does not
// need the log destinations of its environment, nor they the flows whose records they take.
func (d *document) gather(p *Part, seen map[*document]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	p.Faults, p.Missing = append(p.Faults, d.faults...), append(p.Missing, d.missing...)
	for _, to := range d.refers {
		if to.kind != "log_destination" && to.kind != "flow" {
			to.gather(p, seen)
		}
	}
}

// Check gives the faults that a document has among others: those that it refers to, and
// what these refer to, in any order. Only its own Python is looked at.
func Check(doc Document, others []Document, org string, types map[string]strategy.Type, describe ...Describe) []Fault {
	l := loadDocuments(append(slices.Clone(others), doc), doc.ID, org, types, describe)
	var found []Fault
	for _, f := range l.report.Faults {
		if strings.EqualFold(f.ID, doc.ID) {
			found = append(found, f)
		}
	}
	return found
}

func loadDocuments(docs []Document, only, org string, types map[string]strategy.Type, describe []Describe) *loader {
	l := newLoader(org, types, describe)
	l.only = strings.ToLower(only)
	for _, doc := range docs {
		l.add(doc)
	}
	l.resolve()
	return l
}

// add registers a document that no file has.
func (l *loader) add(doc Document) {
	d := &document{
		loader: l, id: strings.ToLower(doc.ID), kind: doc.Kind, name: doc.Name, place: doc.Place, byAPI: doc.ByAPI,
		node: &yaml.Node{Kind: yaml.MappingNode}, faulty: map[string]bool{},
	}
	if d.kind == kindFilter {
		d.name, d.used = kindFilter, true
	}
	if !slices.Contains(kindNames(), d.kind) {
		d.fault("kind", "%q is no kind: write one of %s", flow.Clip(d.kind, maxQuoted), strings.Join(kindNames(), ", "))
		return
	}
	if err := flow.CheckName(d.name); err != nil && d.kind != kindFilter {
		d.fault("name", "%s", flow.UserMessage(err))
	}
	node, _, err := readJSON(string(doc.Attributes))
	switch {
	case err != nil:
		d.fault("", "is no JSON: %v", err)
	case node.Kind != yaml.MappingNode:
		d.fault("", "is no object of JSON: write its attributes")
	default:
		dropNull(node)
		d.node = node
		d.plain(node, "", 0)
	}
	if typ := value(d.node, "type"); typ != nil && typ.ShortTag() == "!!str" {
		d.typ = typ.Value
	}
	l.byID[d.id] = d
	l.documents = append(l.documents, d)
}

// dropNull takes out attributes that are null, and leaves such items of lists.
func dropNull(node *yaml.Node) {
	if node.Kind == yaml.MappingNode {
		var kept []*yaml.Node
		for i := 0; i < len(node.Content); i += 2 {
			if v := node.Content[i+1]; v.Kind != yaml.ScalarNode || v.Tag != "!!null" {
				kept = append(kept, node.Content[i], v)
			}
		}
		node.Content = kept
	}
	for _, child := range node.Content {
		dropNull(child)
	}
}

// unseen tells whether the Python of a document is not looked at here: whoever published
// the files has looked at that of their flows.
func (d *document) unseen() bool {
	return d.loader.only != "" && d.loader.only != d.id || d.id != "" && d.kind == "flow" && !d.byAPI
}
