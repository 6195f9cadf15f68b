package catalog

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
)

// object reads the attributes of a mapping. A value of the wrong type is a
// fault, and reads as absent. An attribute that was not read by the time of
// done is a fault, too.
type object struct {
	doc   *document
	node  *yaml.Node
	path  string
	asked []string // attributes that there can be
}

func (d *document) object() *object {
	return &object{doc: d, node: d.node, asked: []string{"kind"}}
}

func (o *object) at(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// get returns an attribute, or nil if it is absent.
func (o *object) get(key string) *yaml.Node {
	o.asked = append(o.asked, key)
	return value(o.node, key)
}

// done reports the attributes that do not exist.
func (o *object) done() {
	for i := 0; i < len(o.node.Content); i += 2 {
		key := o.node.Content[i].Value
		if o.node.Content[i].ShortTag() == "!!str" && !slices.Contains(o.asked, key) {
			o.doc.fault(o.at(key), "is no attribute here%s: there are %s", flow.DidYouMean(key, o.asked), strings.Join(o.asked, ", "))
		}
	}
}

// wrong reports that a value has not the type that it should have.
func (o *object) wrong(path string, node *yaml.Node, want string) {
	switch node.ShortTag() {
	case unreadable:
		o.doc.faulty[path] = true
		return
	case "!!null":
		o.doc.fault(path, "has no value: write %s, or remove the line", want)
		return
	}
	got, ok := typeNames[node.ShortTag()]
	if !ok {
		got = node.ShortTag()
	}
	instead := want
	if want == "text" && node.Kind == yaml.ScalarNode {
		instead = fmt.Sprintf("it in quotes, %q", flow.Clip(node.Value, maxQuoted))
	}
	o.doc.fault(path, "is %s: write %s", got, instead)
}

var typeNames = map[string]string{
	"!!map": "attributes", "!!seq": "a list", "!!str": "text", "!!bool": "true or false",
	"!!int": "a number", "!!float": "a number", "!!timestamp": "a date",
}

// text reads a text. It returns false if it is absent or wrong.
func (o *object) text(key string) (string, bool) {
	node := o.get(key)
	if node == nil {
		return "", false
	}
	return o.textOf(o.at(key), node)
}

func (o *object) textOf(path string, node *yaml.Node) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str" {
		o.wrong(path, node, "text")
		return "", false
	}
	return node.Value, true
}

// required reads a text that must be there.
func (o *object) required(key, example string) (string, bool) {
	if node := o.get(key); node == nil || node.ShortTag() == "!!str" && node.Value == "" {
		o.doc.fault(o.at(key), "is missing: write %s", example)
		return "", false
	}
	return o.text(key)
}

// simple tells whether a value is a text, a number or the like.
func simple(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() != "!!null" && node.ShortTag() != unreadable
}

// scalarOf reads a value of any simple type as it is written.
func (o *object) scalarOf(path string, node *yaml.Node) (string, bool) {
	if !simple(node) {
		o.wrong(path, node, "a value")
		return "", false
	}
	return node.Value, true
}

func (o *object) scalar(key string) string {
	node := o.get(key)
	if node == nil {
		return ""
	}
	s, _ := o.scalarOf(o.at(key), node)
	return s
}

// flag reads true or false.
func (o *object) flag(key string, absent bool) bool {
	node := o.get(key)
	if node == nil {
		return absent
	}
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!bool" {
		o.wrong(o.at(key), node, "true or false")
		return absent
	}
	return strings.EqualFold(node.Value, "true")
}

// number reads a whole number.
func (o *object) number(key string, absent int) int {
	node := o.get(key)
	if node == nil {
		return absent
	}
	n, err := strconv.Atoi(node.Value)
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!int" || err != nil {
		o.wrong(o.at(key), node, "a whole number")
		return absent
	}
	return n
}

// duration reads a duration such as 30m.
func (o *object) duration(key string) flow.Duration {
	node := o.get(key)
	if node == nil {
		return 0
	}
	if !simple(node) {
		o.wrong(o.at(key), node, "a duration, such as 30m")
		return 0
	}
	return o.durationOf(o.at(key), node.Value)
}

func (o *object) durationOf(path, s string) flow.Duration {
	d, err := flow.ParseDuration(s)
	if err != nil {
		o.doc.fault(path, "%s", flow.UserMessage(err))
	}
	return flow.Duration(d)
}

// durations reads a list of durations. It leaves out what is none.
func (o *object) durations(key string) []flow.Duration {
	var out []flow.Duration
	o.list(key, "a list of durations, such as [30m, 1h]", func(path string, n *yaml.Node) {
		if s, ok := o.scalarOf(path, n); ok {
			if d := o.durationOf(path, s); d > 0 {
				out = append(out, d)
			}
		}
	})
	return out
}

// list reads a list, item by item. It returns false if it is absent or wrong.
func (o *object) list(key, want string, item func(path string, node *yaml.Node)) bool {
	node := o.get(key)
	if node == nil {
		return false
	}
	if node.Kind != yaml.SequenceNode {
		o.wrong(o.at(key), node, want)
		return false
	}
	for i, n := range node.Content {
		item(fmt.Sprintf("%s[%d]", o.at(key), i), n)
	}
	return true
}

// texts reads a list of texts. Items of another type read as "", so that
// positions in the list stay what they are in the file.
func (o *object) texts(key string) []string {
	var out []string
	o.list(key, "a list of texts", func(path string, n *yaml.Node) {
		s, _ := o.textOf(path, n)
		out = append(out, s)
	})
	return out
}

// scalars reads a list of simple values as they are written.
func (o *object) scalars(key string) []string {
	var out []string
	o.list(key, "a list of values", func(path string, n *yaml.Node) {
		s, _ := o.scalarOf(path, n)
		out = append(out, s)
	})
	return out
}

// child reads a mapping. It returns nil if it is absent or wrong.
func (o *object) child(key string) *object {
	node := o.get(key)
	if node == nil {
		return nil
	}
	return o.childOf(o.at(key), node)
}

func (o *object) childOf(path string, node *yaml.Node) *object {
	if node.Kind != yaml.MappingNode {
		o.wrong(path, node, "attributes")
		return nil
	}
	return &object{doc: o.doc, node: node, path: path}
}

// children reads a list of mappings. It returns nil in the place of an item
// that is no mapping.
func (o *object) children(key string) []*object {
	var out []*object
	o.list(key, "a list of attributes", func(path string, n *yaml.Node) {
		out = append(out, o.childOf(path, n))
	})
	return out
}

// textMap reads a mapping of texts to texts.
func (o *object) textMap(key string) map[string]string {
	c := o.child(key)
	if c == nil || len(c.node.Content) == 0 {
		return nil
	}
	out := map[string]string{}
	for i := 0; i < len(c.node.Content); i += 2 {
		k := c.node.Content[i].Value
		if s, ok := c.textOf(c.at(k), c.node.Content[i+1]); ok {
			out[k] = s
		}
	}
	return out
}

// json reads a mapping of anything that JSON can say.
func (o *object) json(key string) map[string]any {
	c := o.child(key)
	if c == nil {
		return nil
	}
	out, _ := o.jsonOf(c.path, c.node).(map[string]any)
	return out
}

func (o *object) jsonOf(path string, node *yaml.Node) any {
	switch node.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i].Value
			out[key] = o.jsonOf(path+"."+key, node.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for i, n := range node.Content {
			out = append(out, o.jsonOf(fmt.Sprintf("%s[%d]", path, i), n))
		}
		return out
	}
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!str":
		return node.Value
	case "!!timestamp": // JSON has no times
		return node.Value
	case "!!int", "!!float":
		var f float64
		if err := node.Decode(&f); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) && (node.ShortTag() == "!!float" || math.Abs(f) < 1<<53) {
			return f
		}
		o.doc.fault(path, "%q is no number that JSON carries without loss: write it in quotes", flow.Clip(node.Value, maxQuoted))
		return nil
	}
	o.wrong(path, node, "text, a number, true, false, a list or attributes")
	return nil
}
