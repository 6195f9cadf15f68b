package catalog

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// Catalog is a configuration without faults: references are resolved and
// defaults applied. Everything is in order of name.
type Catalog struct {
	Flows []*flow.Flow // without versions; publishing gives them
	// Filter says which flows people are shown. If it is nil, they are shown
	// all.
	Filter *flow.FlowsFilter
	// Strategies are all that there are, with their targets, whether a flow
	// uses them or not.
	Strategies      []flow.Strategy
	Environments    []flow.Environment
	LogDestinations []flow.LogDestination // those that an environment names
	// Secrets are all that the configuration names, and functions may need to
	// read.
	Secrets []flow.SecretRef
	// Drafts are the documents as the store keeps them, for the configuration API to refer
	// to: each after those that it refers to, but for the flows of a log destination. A
	// catalog of entities has none.
	Drafts []entity.Draft `json:"-"`

	rights, looking strategy.Rights
}

// Configuration is what publishing takes of a catalog.
func (c *Catalog) Configuration() workflow.Configuration {
	return workflow.Configuration{Flows: c.Flows, Filter: c.Filter, Strategies: c.Strategies, Destinations: c.LogDestinations, Drafts: c.Drafts}
}

// FlowARNs lists the Lambda functions that flows may invoke: lambda_arns of
// all environments.
func (c *Catalog) FlowARNs() []string {
	var arns []string
	for _, e := range c.Environments {
		arns = append(arns, e.LambdaARNs...)
	}
	return distinct(arns)
}

// StrategyRights says what strategies need in AWS, all together.
func (c *Catalog) StrategyRights() strategy.Rights { return c.rights }

// LookingRights says what it takes of that to look at the targets that can be read
// back.
func (c *Catalog) LookingRights() strategy.Rights { return c.looking }

// DestinationRights says what it takes in AWS to send records to the destinations.
func (c *Catalog) DestinationRights() strategy.Rights {
	var all []strategy.Rights
	for _, d := range c.LogDestinations {
		all = append(all, destination.Rights(d))
	}
	return strategy.Join(all...)
}

// Isolated lists the flows whose Python has a function of its own.
func (c *Catalog) Isolated() []string {
	var names []string
	for _, f := range c.Flows {
		if f.Isolated {
			names = append(names, f.Name)
		}
	}
	return names
}

// Isolates tells whether a configuration has such flows, or has faults, so that
// it can't be told: then its Python must show what it defines without being run
// beside that of others.
func Isolates(fsys fs.FS, org string, types map[string]strategy.Type) bool {
	c, _ := LoadFS(fsys, org, types)
	return c == nil || len(c.Isolated()) > 0
}

// HandlerARNs lists the Lambda functions that handlers may invoke: those of an
// isolated flow by its name, and for "" those of all others. The latter have
// lambda_arns of all environments but those of isolated flows alone.
func (c *Catalog) HandlerARNs(isolated string) []string {
	var arns []string
	for _, e := range c.Environments {
		own, others := false, false
		for _, f := range c.Flows {
			if f.Environment.Name == e.Name {
				own, others = own || f.Isolated, others || !f.Isolated
			}
			if f.Environment.Name == e.Name && f.Isolated && f.Name == isolated {
				arns = append(arns, e.LambdaARNs...)
			}
		}
		if isolated == "" && (others || !own) {
			arns = append(arns, e.LambdaARNs...)
		}
	}
	return distinct(arns)
}

// HandlerSecrets lists the secrets that handlers may read: those of an isolated
// flow by its name, and for "" those of all others. They are those of the
// integrations that flows with Python have, by their environment or strategy.
// Those of others are also what the flows filter has, and what strategies with
// Python have, whether a flow still uses them or not: a run may. The secrets with
// which other strategies sign are not among them.
func (c *Catalog) HandlerSecrets(isolated string) []flow.SecretRef {
	var used []flow.Integration
	apart := map[string]bool{} // strategies of isolated flows
	for _, f := range c.Flows {
		if f.Isolated && f.Strategy != nil {
			apart[f.Strategy.Type+"/"+f.Strategy.Name] = true
		}
		if !f.HasPython() || f.Isolated != (isolated != "") || f.Isolated && f.Name != isolated {
			continue
		}
		used = slices.AppendSeq(used, maps.Values(f.Environment.Integrations))
		if f.Strategy != nil && f.Strategy.Integration != nil {
			used = append(used, *f.Strategy.Integration)
		}
	}
	if isolated == "" {
		if c.Filter != nil {
			used = slices.AppendSeq(used, maps.Values(c.Filter.Integrations))
		}
		for _, s := range c.Strategies {
			if s.Implementation != nil && s.Integration != nil && !apart[s.Type+"/"+s.Name] {
				used = append(used, *s.Integration)
			}
		}
	}
	var refs []flow.SecretRef
	for _, i := range used {
		refs = slices.AppendSeq(refs, maps.Values(i.Secrets))
	}
	return distinctRefs(refs)
}

func distinctRefs(refs []flow.SecretRef) []flow.SecretRef {
	slices.SortFunc(refs, func(a, b flow.SecretRef) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(refs)
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// Load reads the configuration in a folder: every .yaml and .yml file of it,
// local.yaml, *.policy.yaml and folders below it excepted, and the Python files that these
// name. Org is the first part of SRNs; types are the strategy types that there
// are, by name. The catalog is nil if the report has faults. File names in the
// report begin with dir. Without a [Describe], the Python is not looked at.
func Load(dir, org string, types map[string]strategy.Type, describe ...Describe) (*Catalog, Report) {
	return LoadPart(dir, Folder(dir), org, types, describe...)
}

// Folder is what is in a folder. Links that lead out of it are not followed: what
// is wrong with a file is shown with its text, and files may be a stranger's.
func Folder(dir string) fs.FS {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return missing{err}
	}
	return root.FS()
}

// missing is a folder that can't be opened.
type missing struct{ err error }

func (m missing) Open(string) (fs.File, error) { return nil, m.err }

// LoadPart is Load for the files of the folder that the file system shows.
func LoadPart(dir string, part fs.FS, org string, types map[string]strategy.Type, describe ...Describe) (*Catalog, Report) {
	c, report := LoadFS(part, org, types, describe...)
	for _, list := range [][]Fault{report.Faults, report.Warnings} {
		for i := range list {
			list[i].File = filepath.Join(dir, list[i].File)
		}
	}
	if c != nil {
		for _, f := range c.Flows {
			for path, place := range f.Places {
				f.Places[path] = filepath.Join(filepath.Base(dir), place) // people of other machines read it
			}
		}
	}
	return c, report
}

// LoadFS is Load for the top folder of a file system.
func LoadFS(fsys fs.FS, org string, types map[string]strategy.Type, describe ...Describe) (*Catalog, Report) {
	l := load(fsys, org, types, describe...)
	if len(l.report.Faults) == 0 {
		l.findUnused()
	}
	l.report.sort()
	if l.report.Err() != nil {
		return nil, l.report
	}
	return l.catalog(), l.report
}

func load(fsys fs.FS, org string, types map[string]strategy.Type, describe ...Describe) *loader {
	l := newLoader(org, types, describe)
	l.fsys = fsys
	if len(describe) > 0 {
		l.apart = apart(fsys, org, types)
	}
	if err := flow.CheckName(org); err != nil {
		l.fault("", 0, "org %s", flow.UserMessage(err))
	}
	l.files(fsys)
	l.resolve()
	return l
}

func newLoader(org string, types map[string]strategy.Type, describe []Describe) *loader {
	return &loader{
		org: org, types: types, describe: describe, byName: names{}, byID: map[string]*document{}, flowOf: map[*document]*flow.Flow{},
		means: map[*yaml.Node][]*document{}, texts: map[*yaml.Node]string{},
		described: map[[2]string][]string{}, besides: map[Fault]bool{},
	}
}

// place is a document by its kind and key.
type place struct{ kind, key string }

// apart finds the documents whose Python is that of an isolated flow: the flow's
// own, and that of its strategy, which no other flow may have. Of a configuration
// with faults it finds none.
func apart(fsys fs.FS, org string, types map[string]strategy.Type) map[place]string {
	found := map[place]string{}
	c, _ := LoadFS(fsys, org, types)
	if c == nil {
		return found
	}
	for _, f := range c.Flows {
		if !f.Isolated {
			continue
		}
		own := document{kind: "flow", name: f.Name}
		found[place{own.kind, own.key()}] = f.Name
		if f.Strategy != nil {
			theirs := document{kind: "strategy", name: f.Strategy.Name, typ: f.Strategy.Type}
			found[place{theirs.kind, theirs.key()}] = f.Name
		}
	}
	return found
}

// loader holds what has been read so far.
type loader struct {
	org       string
	types     map[string]strategy.Type
	fsys      fs.FS
	describe  []Describe
	described map[[2]string][]string // what sources define, by digest and isolated flow
	// apart has the isolated flow of each document whose Python is one's alone.
	apart     map[place]string
	documents []*document // in order of file and line
	byName    names
	byID      map[string]*document // entities
	flowOf    map[*document]*flow.Flow
	means     map[*yaml.Node][]*document // what references of files lead to
	texts     map[*yaml.Node]string      // what stands for nodes of files: Python for its path, ids for names
	only      string                     // the id of the document whose Python alone is looked at; "": that of all
	report    Report
	besides   map[Fault]bool // those that discovering targets can do with
	suggested int            // how often a name was looked for that may have been meant

	// What documents mean, by their keys. Those with faults are here
	// too, as far as they could be read.
	sources         map[string]string // type
	secrets         map[string]flow.SecretRef
	integrations    map[string]*flow.Integration
	errorChannels   map[string]string
	logDestinations map[string]*flow.LogDestination
	targets         map[string]flow.Target
	strategies      map[string]*flow.Strategy
	granting        map[string]flow.Strategy // those with the targets that are gone: live access still has to be taken away
	environments    map[string]*flow.Environment
	flows           []*flow.Flow
	filter          *flow.FlowsFilter
}

func (l *loader) fault(file string, line int, format string, args ...any) {
	message := redact(fmt.Sprintf(format, args...))
	l.report.Faults = append(l.report.Faults, Fault{File: file, Line: line, Message: message})
}

// maxSuggestions bounds the work spent on guessing which name was meant.
const maxSuggestions = 100

// guess writes a suggestion for the name of a document of the kind.
func (l *loader) guess(kind, name string) string {
	if l.suggested++; l.suggested > maxSuggestions {
		return ""
	}
	var names []string
	for _, d := range l.documents {
		if d.kind == kind && d.name != "" {
			names = append(names, d.name)
		}
	}
	return flow.DidYouMean(name, names)
}
