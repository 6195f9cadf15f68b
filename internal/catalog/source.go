package catalog

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Describe reads a source as Python and gives the handlers that it defines, as
// the runner tells them, and what to warn of. Isolated names the isolated flow
// whose source it is; it is "" for those of others. A text that both have is
// looked at for each of them. An error is a [flow.SourceError] if the source is
// at fault; any other means that it could not be looked at.
type Describe func(s flow.Source, isolated string) (flow.Outline, error)

// source reads Python: the path of a file ending in .py, relative to the YAML
// file, or the text itself. It returns nil if the attribute is absent. A file
// that can't be read is a fault; an empty source is returned for it, so that
// its handlers are not reported as missing, too.
func (o *object) source(key, nameless string) *flow.Source {
	if value(o.node, key) == nil {
		o.get(key)
		return nil
	}
	text, ok := o.text(key)
	d, at := o.doc, o.at(key)
	if !ok {
		return flow.NewSource(nameless+".py", "") // there is one, though it can't be read
	}
	file := ""
	name := nameless + ".py"
	if d.id == "" && strings.HasSuffix(text, ".py") && !strings.Contains(text, "\n") {
		file = path.Join(path.Dir(d.file), text)
		name = path.Base(file)
		code, err := readFile(d.loader.fsys, file)
		switch {
		case path.IsAbs(text) || !fs.ValidPath(file):
			d.fault(at, "%q leads out of this folder: write the path of a file in it, such as ./impl.py", flow.Clip(text, maxQuoted))
			return flow.NewSource(name, "")
		case errors.Is(err, fs.ErrNotExist):
			d.fault(at, "there is no file %s: write the path of one, relative to this file", flow.Clip(file, maxQuoted))
			return flow.NewSource(name, "")
		case err != nil:
			d.fault(at, "%s can't be read: %v", flow.Clip(file, maxQuoted), err)
			return flow.NewSource(name, "")
		}
		text = string(code)
		n := 0
		for line := range strings.Lines(text) {
			if n++; hasSecret(line) {
				d.faulty[at] = true
				d.loader.fault(file, n, secretInFile)
			}
		}
	}
	d.loader.texts[value(o.node, key)] = text
	s := flow.NewSource(name, text)
	if d.faulty[at] || len(text) > flow.MaxSourceBytes || text == "" {
		return s // the rules say so
	}
	if d.unseen() {
		return s
	}
	for _, describe := range d.loader.describe {
		s.Handlers = d.handlers(describe, *s, at, file)
	}
	return s
}

// handlers asks what a source defines, once for each text, and once more for each
// isolated flow that has it.
func (d *document) handlers(describe Describe, s flow.Source, at, file string) []string {
	isolated := d.loader.apart[place{d.kind, d.key()}]
	once := [2]string{s.SHA256, isolated}
	if known, ok := d.loader.described[once]; ok {
		return known
	}
	found, err := describe(s, isolated)
	if wrong, ok := errors.AsType[*flow.SourceError](err); ok {
		d.faulty[at] = true
		if file == "" {
			d.report(at, wrong.Error())
			return nil
		}
		d.loader.fault(file, wrong.Line, "%s", wrong.Message)
		return nil
	}
	if err != nil {
		d.fault(at, "can't be checked: %v", err)
		return nil
	}
	for _, w := range found.Warnings {
		if file == "" {
			d.warn(at, "%s", w.Error())
			continue
		}
		d.loader.report.Warnings = append(d.loader.report.Warnings, Fault{File: file, Line: w.Line, Message: redact(w.Message)})
	}
	if found.Handlers == nil {
		found.Handlers = []string{} // it is known that there are no handlers
	}
	d.loader.described[once] = found.Handlers
	return found.Handlers
}
