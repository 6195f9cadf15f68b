package catalog

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Discovery is what a configuration has of a type of strategy, before its
// targets are known.
type Discovery struct {
	Strategies []flow.Strategy // of the type, in order of name, without targets
	Targets    []PlacedTarget  // of the types that it grants, in order of file and line
}

// PlacedTarget is a target and the file that it stands in.
type PlacedTarget struct {
	flow.Target
	File string // in the folder
}

// discoveryNeeds are the kinds of documents that must be right for targets to be
// discovered: what is wrong with the others may be just that there are none yet.
var discoveryNeeds = []string{"secrets", "secret", "integration", "strategy"}

// LoadForDiscovery reads as much of a configuration as discovering the targets of
// a type takes. The report has the faults that keep it from that; see
// [LoadFS].
func LoadForDiscovery(fsys fs.FS, org string, types map[string]strategy.Type, typ string) (Discovery, Report) {
	l := load(fsys, org, types)
	l.report.Warnings = nil
	l.report.Faults = slices.DeleteFunc(l.report.Faults, func(f Fault) bool { return l.besides[f] })
	l.report.sort()
	var found Discovery
	for _, s := range byName(l.strategies) {
		if s.Type == typ {
			s.Targets = nil
			found.Strategies = append(found.Strategies, *s)
		}
	}
	for _, d := range l.documents {
		if _, granted := types[typ].Target(d.typ); d.kind == "target" && granted && d.name != "" {
			found.Targets = append(found.Targets, PlacedTarget{l.targets[d.key()], d.file})
		}
	}
	return found, l.report
}

// found gives what a pattern among a strategy's targets means: those documents
// that it has found itself, by name. * stands for any part of a name.
func (d *document) found(typ strategy.Type) func(at, pattern string) []*document {
	return func(at, pattern string) []*document {
		var found []*document
		for _, t := range d.loader.documents {
			if _, granted := typ.Target(t.typ); t.kind != "target" || !granted || !strings.EqualFold(t.foundBy, d.name) {
				continue
			}
			if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(t.name)); ok && err == nil {
				found = append(found, t)
			}
		}
		if len(found) == 0 {
			d.fault(at, "no target that strategy %q has found has a name like %q: find them by local targets %s, or write the name of one", d.name, flow.Clip(pattern, maxQuoted), typ.Name)
		}
		return found
	}
}
