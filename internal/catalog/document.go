package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

const (
	// maxFileBytes is more than ten thousand targets take.
	maxFileBytes = 8 << 20
	// maxDepth is far more than any attribute needs.
	maxDepth = 50
	// notConfig maps functions to commands on this machine; it is not deployed.
	notConfig = "local.yaml"
	// policySuffix ends the names of files that say what is expected of flows.
	policySuffix = ".policy.yaml"
)

// document is one YAML document of a file, or an entity.
type document struct {
	loader *loader
	file   string
	id     string        // of an entity; "" if it stands in a file
	entity entity.Entity // if it is one
	node   *yaml.Node    // a mapping
	kind   string
	typ    string // of the kinds that tell by it; "" if it has none
	name   string // "" if it has none, or a wrong one
	// faulty has the paths at which something is wrong, so that what follows
	// from it is not reported as well.
	faulty map[string]bool
	faults []Fault // that were found in it
	used   bool    // something refers to it
	// refers has the documents that it refers to, by the path of the reference.
	refers map[string]*document
	// missing are the references that lead nowhere, of an entity.
	missing []entity.Ref
	// Of targets: that nobody is to be offered it, that it is not there any more, and
	// which strategy has found it, "" if people wrote it.
	hidden, gone bool
	foundBy      string
}

// files reads the documents of all files of the folder.
func (l *loader) files(fsys fs.FS) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		l.fault("", 0, "the folder can't be read: %v", err)
		return
	}
	found := false
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.IsDir() || ext != ".yaml" && ext != ".yml" || e.Name() == notConfig || strings.HasSuffix(e.Name(), policySuffix) {
			continue
		}
		found = true
		if before, ok := strings.CutSuffix(e.Name(), ".policy.yml"); ok {
			l.fault(e.Name(), 0, "is a policy file by its name, and would be read as none: name it %s%s", before, policySuffix)
			continue
		}
		l.file(fsys, e.Name())
	}
	if !found {
		l.report.Warnings = append(l.report.Warnings, Fault{Message: "the folder has no configuration, which is in files that end in .yaml or .yml: that is right only where everything is configured by the API"})
	}
}

func (l *loader) file(fsys fs.FS, name string) {
	data, err := readFile(fsys, name)
	if err != nil {
		l.fault(name, 0, "can't be read: %v", err)
		return
	}
	if len(data) > maxFileBytes {
		l.fault(name, 0, "is larger than %d MB: split it into several files", maxFileBytes>>20)
		return
	}
	lines := 1
	for line := range bytes.Lines(data) {
		switch {
		case !utf8.Valid(line):
			l.fault(name, lines, "is not UTF-8 text: save the file as UTF-8")
			return
		case hasSecret(string(line)):
			l.fault(name, lines, secretInFile)
		}
		lines++
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	empty := true
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, what := syntaxError(err)
			l.fault(name, min(line, lines), "is not YAML: %s", what)
			return
		}
		if node := root.Content[0]; node.Kind != yaml.ScalarNode || node.ShortTag() != "!!null" {
			empty = false
			l.document(name, node)
		}
	}
	if empty {
		l.fault(name, 1, "is empty: write a document that begins with kind:, or remove the file")
	}
}

const secretInFile = "looks like a secret: remove it and revoke it, keep the value in a secret store, and refer to it by a document of kind secret"

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

var syntaxPattern = pattern.Of(`^yaml: (?:line (\d+): )?`)

func syntaxError(err error) (line int, what string) {
	s := err.Error()
	m := syntaxPattern.FindStringSubmatch(s)
	if m == nil {
		return 1, s
	}
	line, _ = strconv.Atoi(m[1]) // 0 where the parser names no line
	return max(line, 1), s[len(m[0]):]
}

// document registers one document under its kind and name.
func (l *loader) document(file string, node *yaml.Node) {
	d := &document{loader: l, file: file, node: node, faulty: map[string]bool{}}
	if node.Kind != yaml.MappingNode {
		l.fault(file, node.Line, "is no document: write attributes, beginning with kind:")
		return
	}
	d.plain(node, "", 0)
	if kind := value(node, "kind"); kind != nil && kind.ShortTag() == "!!str" {
		d.kind = kind.Value
	}
	switch known := kindNames(); {
	case d.kind == "":
		d.fault("kind", "is missing: write one of %s", strings.Join(known, ", "))
		return
	case !slices.Contains(known, d.kind):
		d.fault("kind", "%q is no kind%s: write one of %s", flow.Clip(d.kind, maxQuoted), flow.DidYouMean(d.kind, known), strings.Join(known, ", "))
		return
	}
	if typ := value(node, "type"); typ != nil && typ.ShortTag() == "!!str" {
		d.typ = typ.Value
	}
	o := d.object()
	if d.kind == kindFilter {
		if found := l.byName[kindFilter][kindFilter]; len(found) > 0 {
			first := found[0]
			d.fault("kind", "there is a %s already (%s:%d), and there can be one only: put both into one", kindFilter, first.file, first.node.Line)
			return
		}
		d.name, d.used = kindFilter, true // it needs no name, since nothing refers to it
		l.byName.add(d)
		l.documents = append(l.documents, d)
		return
	}
	name, ok := o.text("name")
	if err := flow.CheckName(name); err != nil && (ok || value(node, "name") == nil) {
		d.fault("name", "%s", flow.UserMessage(err))
		ok = false
	}
	if ok {
		d.name = name
		if first := l.byName.add(d); first != nil {
			d.fault("name", "is the name of another %s already (%s:%d): choose another one; the case of letters makes no difference",
				d.kind, first.file, locate(first.node, "name"))
		}
	}
	l.documents = append(l.documents, d)
}

// unreadable is the tag given to values that were reported and are not read.
const unreadable = "!unreadable"

// plain checks what holds for YAML of every kind.
func (d *document) plain(node *yaml.Node, path string, depth int) {
	at := func(format string, args ...any) { d.faultIn(path, node.Line, format, args...) }
	switch {
	case depth > maxDepth:
		at("is nested more than %d levels deep: nothing here needs that", maxDepth)
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: unreadable, Line: node.Line}
	case node.Kind == yaml.AliasNode:
		at("*%s: anchors and aliases are not supported: write the value out", flow.Clip(node.Value, maxQuoted))
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: unreadable, Line: node.Line}
	case node.Anchor != "":
		at("&%s: anchors and aliases are not supported: write the value out each time", flow.Clip(node.Anchor, maxQuoted))
	case node.Kind == yaml.ScalarNode && hasSecret(node.Value):
		at(secretInFile) // it may be written with escapes
	}
	if node.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i]
			switch {
			case key.Kind != yaml.ScalarNode:
				d.faultIn(path, key.Line, "a key must be text: write the name of an attribute")
				continue
			case key.ShortTag() == "!!merge":
				d.faultIn(path, key.Line, "<< is not supported: write the attributes out")
				continue
			case key.ShortTag() != "!!str":
				d.faultIn(path, key.Line, "a key must be text: put %q in quotes", flow.Clip(key.Value, maxQuoted))
				continue
			}
			if first, twice := seen[key.Value]; twice {
				d.faultIn(path, key.Line, "%q is there twice (first on line %d): remove one", flow.Clip(key.Value, maxQuoted), first)
			}
			seen[key.Value] = key.Line
		}
	}
	for i, child := range node.Content {
		at := path
		switch {
		case node.Kind == yaml.SequenceNode:
			at = fmt.Sprintf("%s[%d]", path, i)
		case i%2 == 1:
			at = strings.TrimPrefix(path+"."+node.Content[i-1].Value, ".")
		}
		d.plain(child, at, depth+1)
	}
}

// faultIn reports a fault at a line of the file that has the document, or at its path if
// no file has it.
func (d *document) faultIn(path string, line int, format string, args ...any) {
	if d.id == "" {
		d.loader.fault(d.file, line, format, args...)
		return
	}
	d.fault(path, format, args...)
}

// fault reports that a path of the document can't be read.
func (d *document) fault(path, format string, args ...any) {
	d.faulty[path] = true
	d.report(path, fmt.Sprintf(format, args...))
}

// follow reports a fault found by rules on what was read. It reports nothing if
// the path, or a part of the document around it, could not be read.
func (d *document) follow(f flow.Fault) {
	if d.readable(f.Path) {
		d.report(f.Path, f.Message)
	}
}

func (d *document) readable(path string) bool {
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if d.faulty[path] {
			return false
		}
	}
	return true
}

func (d *document) report(path, message string) {
	l := d.loader
	l.report.Faults = append(l.report.Faults, d.finding(path, message))
	d.faults = append(d.faults, l.report.Faults[len(l.report.Faults)-1])
	if !slices.Contains(discoveryNeeds, d.kind) || d.kind == "strategy" && (path == "targets" || strings.HasPrefix(path, "targets[")) {
		l.besides[l.report.Faults[len(l.report.Faults)-1]] = true
	}
}

func (d *document) warn(path, format string, args ...any) {
	d.loader.report.Warnings = append(d.loader.report.Warnings, d.finding(path, fmt.Sprintf(format, args...)))
}

// finding is what is told of a path of the document.
func (d *document) finding(path, message string) Fault {
	if d.id != "" {
		return Fault{Kind: d.kind, Name: d.name, ID: d.id, Path: path, What: redact(message), Message: redact(d.describe(path, message))}
	}
	return Fault{File: d.file, Line: locate(d.node, path), Message: redact(d.describe(path, message))}
}

func (d *document) describe(path, message string) string {
	return describe(d.kind, d.name, path, message)
}

// describe says what a message is about.
func describe(kind, name, path, message string) string {
	what := kind
	if name != "" {
		what += fmt.Sprintf(" %q", name)
	}
	for _, s := range []string{path, message} {
		switch {
		case s != "" && what != "":
			what += ": " + s
		case s != "":
			what = s
		}
	}
	return what
}

// value returns an attribute of a mapping, or nil if the mapping does not have
// it.
func value(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// locate gives the line of what a path such as "params.prompt_fields[1].name"
// leads to, or of the nearest thing around it that is there.
func locate(node *yaml.Node, path string) int {
	line := node.Line
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		var next *yaml.Node
		rest := ""
		switch node.Kind {
		case yaml.MappingNode:
			longest := -1 // keys may have dots themselves
			for i := 0; i < len(node.Content); i += 2 {
				key := node.Content[i].Value
				after, ok := strings.CutPrefix(path, key)
				if ok && len(key) > longest && (after == "" || after[0] == '.' || after[0] == '[') {
					longest, line, next, rest = len(key), node.Content[i].Line, node.Content[i+1], after
				}
			}
		case yaml.SequenceNode:
			index, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
			if i, err := strconv.Atoi(index); ok && err == nil && i >= 0 && i < len(node.Content) {
				next, rest = node.Content[i], after
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		node, path = next, rest
	}
	return line
}

// maxQuoted is how much of a text is repeated in a message, in characters.
const maxQuoted = 60
