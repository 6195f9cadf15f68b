package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Suffix is how the names of policy files end.
const Suffix = ".policy.yaml"

// maxBytes bounds a file, and maxDepth how deep it is nested.
const (
	maxBytes = 1 << 20
	maxDepth = 20
)

// Fault is something wrong with a policy file, or a case of it that gets something else
// than it expects.
type Fault struct {
	File    string
	Line    int // from 1; 0 is the whole file
	Message string
}

func (f Fault) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
}

// Case is a request, and what is expected of it.
type Case struct {
	File      string
	Line      int
	Name      string
	Flow      string
	Directory *Directory // of its file

	As      string // e-mail address
	By      flow.Channel
	Agent   string // of theirs that asks; "": they do
	Purpose string
	Values  map[string]any // as [workflow.Submit.Request] takes them
	At      time.Time

	Expect Expect
}

// Expect is what a case expects; what is zero, it does not say anything of.
type Expect struct {
	Outcome   string // workflow.OutcomeAsked and the like
	Why       string // a part of it
	Approvals int
	May       []Named // who may approve, and who may not
	MayNot    []Named
	// NobodyElse of the directory may, but those of May.
	NobodyElse bool
	Asks       [][]string // each round
	Silence    string     // what nobody's decision leads to
	Grants     Grants
	// Longest is with all extensions; Lasts and EndsAt are exact, if it is approved at once.
	Longest, Lasts time.Duration
	EndsAt         time.Time

	lines map[string]int // of the keys; those of grants begin with "grants."
}

// Grants is the access that a case expects to be given once it is approved.
type Grants struct {
	Target, Identity string
	// Rights are parts of what each is called, as [workflow.WouldEntitle.Words] has it:
	// each part is in one, and each has a part in it. Nil says nothing of them.
	Rights []Right
}

// Right is a part of what a right is called.
type Right struct {
	Part string
	Line int
}

// Named is a person of a case.
type Named struct {
	Email string
	Line  int
}

// started is when cases happen that say nothing else: a Monday morning.
var started = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Load reads all policy files of a folder, in the order of their names. The cases are
// those that could be read.
func Load(fsys fs.FS, org string) ([]Case, []Fault) {
	names, err := fs.Glob(fsys, "*"+Suffix)
	if err != nil {
		return nil, []Fault{{File: "*" + Suffix, Message: err.Error()}}
	}
	var cases []Case
	var faults []Fault
	for _, name := range names {
		r := reader{file: name, org: org}
		r.read(fsys)
		cases, faults = append(cases, r.cases...), append(faults, r.faults...)
	}
	return cases, faults
}

// ReadDirectory reads a file that is nothing but a directory, or a policy file, whose
// directory it gives.
func ReadDirectory(fsys fs.FS, name, org string) (*Directory, []Fault) {
	r := reader{file: name, org: org}
	var d *Directory
	r.documents(fsys, func(doc *yaml.Node) {
		for i := 0; i+1 < len(doc.Content); i += 2 {
			if doc.Content[i].Value == "directory" {
				doc = doc.Content[i+1]
				break
			}
		}
		if d == nil {
			d = r.directory(doc)
		}
	})
	if d == nil && len(r.faults) == 0 {
		r.fault(1, "is empty: write members, a list of e-mail addresses")
	}
	return d, r.faults
}

// reader reads one file.
type reader struct {
	file, org string
	cases     []Case
	faults    []Fault
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) documents(fsys fs.FS, each func(*yaml.Node)) {
	f, err := fsys.Open(r.file)
	if err != nil {
		r.fault(0, "can't be read: %v", err)
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	switch {
	case err != nil:
		r.fault(0, "can't be read: %v", err)
		return
	case len(data) > maxBytes:
		r.fault(0, "is larger than %d MB: split it into several files", maxBytes>>20)
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.fault(0, "is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
			return
		}
		doc := root.Content[0]
		if doc.Kind != yaml.MappingNode {
			r.fault(doc.Line, "is no mapping: write attributes, each a name, a colon and a value")
			continue
		}
		if r.plain(doc, 0) {
			each(doc)
		}
	}
}

// plain tells whether there is nothing in the node but texts, lists and mappings
// whose keys are there once.
func (r *reader) plain(node *yaml.Node, depth int) bool {
	switch {
	case depth > maxDepth:
		r.fault(node.Line, "is nested more than %d levels deep: nothing here needs that", maxDepth)
		return false
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		r.fault(node.Line, "anchors and aliases are not supported: write the value out each time")
		return false
	}
	good := true
	seen := map[string]bool{}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			if child.Kind != yaml.ScalarNode || seen[child.Value] {
				r.fault(child.Line, "%q is there twice, or is no name: write each name once", flow.Clip(child.Value, 60))
				good = false
			}
			seen[child.Value] = true
		}
		good = r.plain(child, depth+1) && good
	}
	return good
}

// attributes reads a mapping by what is done with each of its attributes. One that
// there is not is a fault.
func (r *reader) attributes(node *yaml.Node, of string, known map[string]func(*yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		r.fault(node.Line, "%s is no mapping: write attributes, each a name, a colon and a value", of)
		return
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if read := known[key.Value]; read != nil {
			read(value)
			continue
		}
		r.fault(key.Line, "%q is no attribute of %s%s: there are %s", flow.Clip(key.Value, 60), of, flow.DidYouMean(key.Value, names), strings.Join(names, ", "))
	}
}

func (r *reader) text(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
			r.fault(node.Line, "write %s", what)
			return
		}
		*into = node.Value
	}
}

// list reads a list of texts; one text stands for itself.
func (r *reader) list(what string, each func(line int, text string)) func(*yaml.Node) {
	return func(node *yaml.Node) {
		items := node.Content
		if node.Kind == yaml.ScalarNode && node.ShortTag() != "!!null" {
			items = []*yaml.Node{node}
		} else if node.Kind != yaml.SequenceNode {
			r.fault(node.Line, "write a list of %s", what)
			return
		}
		for _, item := range items {
			if item.Kind != yaml.ScalarNode || item.ShortTag() == "!!null" {
				r.fault(item.Line, "write %s", what)
				continue
			}
			each(item.Line, item.Value)
		}
	}
}

func (r *reader) emails(each func(line int, email string)) func(*yaml.Node) {
	return r.list("e-mail addresses", func(line int, email string) {
		if err := flow.CheckEmail(email); err != nil {
			r.fault(line, "%s", flow.UserMessage(err))
			return
		}
		each(line, email)
	})
}

func (r *reader) duration(into *time.Duration) func(*yaml.Node) {
	return func(node *yaml.Node) {
		d, err := flow.ParseDuration(node.Value)
		if err != nil {
			r.fault(node.Line, "%q is no duration: write a number and a unit, such as 30m, 8h or 2d", flow.Clip(node.Value, 60))
			return
		}
		*into = d
	}
}

func (r *reader) time(into *time.Time) func(*yaml.Node) {
	return func(node *yaml.Node) {
		at, err := time.Parse(time.RFC3339, node.Value)
		if err != nil {
			r.fault(node.Line, "%q is no time: write one such as 2026-12-24T03:00:00Z", flow.Clip(node.Value, 60))
			return
		}
		*into = at.UTC()
	}
}

func (r *reader) truth(into *bool) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if err := node.Decode(into); err != nil || node.ShortTag() != "!!bool" {
			r.fault(node.Line, "write true or false")
		}
	}
}

func (r *reader) oneOf(into *string, words ...string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if !slices.Contains(words, node.Value) {
			r.fault(node.Line, "%q is none of %s%s", flow.Clip(node.Value, 60), strings.Join(words, ", "), flow.DidYouMean(node.Value, words))
			return
		}
		*into = node.Value
	}
}

// read reads the cases of the file.
func (r *reader) read(fsys fs.FS) {
	documents := 0
	r.documents(fsys, func(doc *yaml.Node) {
		documents++
		var name string
		var directory, cases *yaml.Node
		keep := func(into **yaml.Node) func(*yaml.Node) { return func(node *yaml.Node) { *into = node } }
		r.attributes(doc, "a policy file", map[string]func(*yaml.Node){
			"flow": r.text(&name, "the name of a flow"), "directory": keep(&directory), "cases": keep(&cases),
		})
		if name == "" {
			r.fault(doc.Line, "flow is missing: write the name of the flow that the cases are of")
		}
		people := NewDirectory(r.org)
		if directory == nil {
			r.fault(doc.Line, "directory is missing: write members, guests and groups, for no workspace is asked")
		} else {
			people = r.directory(directory)
		}
		if cases == nil || cases.Kind != yaml.SequenceNode || len(cases.Content) == 0 {
			r.fault(doc.Line, "cases is missing: write a list, each with a name, as, and expect")
			return
		}
		for _, node := range cases.Content {
			r.readCase(node, name, people)
		}
	})
	if documents == 0 && len(r.faults) == 0 {
		r.fault(1, "is empty: write flow, directory and cases, or remove the file")
	}
}

// directory reads who people are.
func (r *reader) directory(node *yaml.Node) *Directory {
	d := NewDirectory(r.org)
	role := func(role store.Role) func(*yaml.Node) {
		return r.emails(func(line int, email string) {
			if u, ok := d.find(email); ok {
				r.fault(line, "%s is there already, as a %s", email, u.Role)
			}
			d.Add(email, role)
		})
	}
	var groups *yaml.Node
	r.attributes(node, "a directory", map[string]func(*yaml.Node){
		"members": role(store.RoleMember), "guests": role(store.RoleGuest), "deactivated": role(store.RoleDeactivated),
		"groups": func(node *yaml.Node) { groups = node },
	})
	if groups == nil {
		return d
	}
	if groups.Kind != yaml.MappingNode {
		r.fault(groups.Line, "groups is no mapping: write the handle of each user group, a colon, and a list of e-mail addresses")
		return d
	}
	for i := 0; i < len(groups.Content); i += 2 {
		handle := groups.Content[i].Value
		d.AddGroup(handle)
		r.emails(func(line int, email string) {
			if _, ok := d.find(email); !ok {
				r.fault(line, "%s is nobody: add them to members or guests of the directory as well", email)
			}
			d.AddGroup(handle, email)
		})(groups.Content[i+1])
	}
	return d
}

// readCase reads one case. Cases with faults are left out.
func (r *reader) readCase(node *yaml.Node, name string, people *Directory) {
	before := len(r.faults)
	c := Case{File: r.file, Line: node.Line, Flow: name, Directory: people, At: started, Values: map[string]any{}}
	var by, target string
	var startAt time.Time
	var glass bool
	var expect *yaml.Node
	person := func(into *string) func(*yaml.Node) {
		return r.emails(func(line int, email string) {
			if _, ok := people.find(email); !ok {
				r.fault(line, "%s is nobody: add them to the directory", email)
			}
			*into = email
		})
	}
	r.attributes(node, "a case", map[string]func(*yaml.Node){
		"name": r.text(&c.Name, "what the case is about"), "as": person(&c.As), "by": r.oneOf(&by, string(flow.ChannelSlack), string(flow.ChannelAPI)),
		"agent": r.text(&c.Agent, "the name of an agent"), flow.KeyPurpose: r.text(&c.Purpose, "what the agent says it is for"),
		flow.KeyTarget: r.text(&target, "the name of a target"), "at": r.time(&c.At), flow.KeyStartAt: r.time(&startAt), flow.KeyBreakGlass: r.truth(&glass),
		"fields": func(node *yaml.Node) {
			if node.Kind != yaml.MappingNode || node.Decode(&c.Values) != nil {
				r.fault(node.Line, "fields is no mapping: write the fields of the form by their names")
			}
		},
		"expect": func(node *yaml.Node) { expect = node },
	})
	if c.Name == "" {
		c.Name = fmt.Sprintf("line %d", node.Line)
	}
	if c.As == "" && len(r.faults) == before {
		r.fault(node.Line, "as is missing: write the e-mail address of who asks")
	}
	c.By = flow.Channel(by)
	switch {
	case c.Agent != "" && flow.CheckName(c.Agent) != nil:
		r.fault(node.Line, "agent %q is no name: it %s", flow.Clip(c.Agent, 60), flow.UserMessage(flow.CheckName(c.Agent)))
	case c.Agent != "" && c.By == flow.ChannelSlack:
		r.fault(node.Line, "agents ask by the API: leave by out")
	case c.Agent == "" && c.Purpose != "":
		r.fault(node.Line, "purpose is what an agent says: name the agent as well")
	}
	if target != "" {
		c.Values[flow.FieldNameTarget] = target
	}
	if !startAt.IsZero() {
		c.Values[flow.KeyStartAt] = fmt.Sprint(startAt.Unix())
	}
	if glass {
		c.Values[flow.KeyBreakGlass] = []string{flow.KeyBreakGlass}
	}
	if expect == nil {
		r.fault(node.Line, "expect is missing: write what is to come of it, such as outcome: asked")
		return
	}
	c.Expect = r.expect(expect, people)
	if len(r.faults) == before {
		r.cases = append(r.cases, c)
	}
}

// Outcomes are the words for what comes of a request.
var Outcomes = []string{
	workflow.OutcomeAsked, workflow.OutcomeApproved, workflow.OutcomeDenied, workflow.OutcomeRefused, workflow.OutcomeIgnored, workflow.OutcomeFailed,
}

func (r *reader) expect(node *yaml.Node, people *Directory) Expect {
	e := Expect{lines: map[string]int{}}
	keep := func(prefix string, node *yaml.Node) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			e.lines[prefix+node.Content[i].Value] = node.Content[i].Line
		}
	}
	who := func(into *[]Named) func(*yaml.Node) {
		return r.emails(func(line int, email string) {
			if _, ok := people.find(email); !ok {
				r.fault(line, "%s is nobody: add them to the directory", email)
			}
			*into = append(*into, Named{email, line})
		})
	}
	r.attributes(node, "expect", map[string]func(*yaml.Node){
		"outcome": r.oneOf(&e.Outcome, Outcomes...), "why": r.text(&e.Why, "a part of what whoever asks is told"),
		"may_approve": who(&e.May), "may_not_approve": who(&e.MayNot), "nobody_else": r.truth(&e.NobodyElse),
		"approvals": func(node *yaml.Node) {
			if err := node.Decode(&e.Approvals); err != nil || e.Approvals < 1 {
				r.fault(node.Line, "write how many people have to approve, 1 or more")
			}
		},
		"asks": func(node *yaml.Node) {
			rounds := []*yaml.Node{node} // one stands for itself
			if node.Kind == yaml.SequenceNode {
				rounds = node.Content
			}
			e.Asks = [][]string{}
			for _, item := range rounds {
				round := []string{}
				r.list("channels and e-mail addresses", func(line int, to string) {
					if flow.CheckChannel(to) != nil && flow.CheckEmail(to) != nil {
						r.fault(line, `%q is not who is asked: write a channel ("#name"), or an e-mail address for each person`, flow.Clip(to, 60))
					}
					round = append(round, to)
				})(item)
				e.Asks = append(e.Asks, round)
			}
		},
		"longest": r.duration(&e.Longest), "lasts": r.duration(&e.Lasts), "ends_at": r.time(&e.EndsAt),
		"silence": r.oneOf(&e.Silence, string(flow.Expired), string(flow.Approved), string(flow.Denied)),
		"grants": func(node *yaml.Node) {
			r.attributes(node, "grants", map[string]func(*yaml.Node){
				flow.KeyTarget: r.text(&e.Grants.Target, "the name of a target"), "identity": r.text(&e.Grants.Identity, "who the requester is at the target"),
				"rights": func(node *yaml.Node) {
					e.Grants.Rights = []Right{}
					r.list("parts of what rights are called", func(line int, part string) {
						if strings.TrimSpace(part) == "" {
							r.fault(line, "write a part of what a right is called: explain says what there are")
						}
						e.Grants.Rights = append(e.Grants.Rights, Right{part, line})
					})(node)
				},
			})
			if node.Kind == yaml.MappingNode && len(node.Content) == 0 {
				r.fault(node.Line, "grants is empty: write target, identity or rights")
			}
			keep("grants.", node)
		},
	})
	keep("", node)
	if len(e.lines) == 0 && node.Kind == yaml.MappingNode {
		r.fault(node.Line, "expect is empty: write what is to come of it, such as outcome: asked")
	}
	return e
}
