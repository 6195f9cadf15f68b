package catalog

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// LoadDocuments is Load for entities, of which those that are dead count for nothing. They
// say the same as documents in files, with three differences: what they refer to they name
// by ids, their Python is the text itself, and several may have one name.
func LoadDocuments(docs []entity.Entity, org string, types map[string]strategy.Type, describe ...Describe) (*Catalog, Report) {
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
func Parts(docs []entity.Entity, org string, types map[string]strategy.Type, describe ...Describe) []workflow.Part {
	l := loadDocuments(docs, "", org, types, describe)
	var parts []workflow.Part
	for _, d := range l.documents {
		p := workflow.Part{Entity: d.entity}
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
func (d *document) gather(p *workflow.Part, seen map[*document]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	for _, f := range d.faults {
		p.Faults = append(p.Faults, f.String())
	}
	p.Missing = append(p.Missing, d.missing...)
	for _, path := range slices.Sorted(maps.Keys(d.refers)) {
		to := d.refers[path]
		if to.kind != "log_destination" && to.kind != "flow" {
			to.gather(p, seen)
		}
	}
}

// Check gives the faults that a document has among others: those that it refers to, and
// what these refer to, in any order. Only its own Python is looked at.
func Check(doc entity.Entity, others []entity.Entity, org string, types map[string]strategy.Type, describe ...Describe) []Fault {
	l := loadDocuments(append(slices.Clone(others), doc), doc.ID, org, types, describe)
	var found []Fault
	for _, f := range l.report.Faults {
		if strings.EqualFold(f.ID, doc.ID) {
			found = append(found, f)
		}
	}
	return found
}

func loadDocuments(docs []entity.Entity, only, org string, types map[string]strategy.Type, describe []Describe) *loader {
	l := newLoader(org, types, describe)
	l.only = strings.ToLower(only)
	for _, doc := range docs {
		if doc.Alive() {
			l.add(doc)
		}
	}
	l.resolve()
	return l
}

// add registers an entity.
func (l *loader) add(e entity.Entity) {
	d := &document{
		loader: l, id: strings.ToLower(e.ID), entity: e, kind: string(e.Kind), typ: e.Type, name: e.Name,
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
	node, _, err := readJSON(string(e.Attributes))
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
	if d.typ != "" && value(d.node, "type") == nil {
		d.node.Content = append(d.node.Content, textNode("type"), textNode(d.typ))
	}
	l.byID[d.id] = d
	l.documents = append(l.documents, d)
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
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
	return d.loader.only != "" && d.loader.only != d.id || d.id != "" && d.kind == "flow" && !d.byAPI()
}

// byAPI tells whether the document came by the API, which may not say all that files may.
func (d *document) byAPI() bool { return d.entity.Owner == entity.API }
