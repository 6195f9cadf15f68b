package catalog

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// textsOfJSON are attributes of a flow's params that Sym's first configurations
// wrote as texts of JSON, and what they are today.
var textsOfJSON = []struct{ old, now string }{
	{"prompt_fields_json", "prompt_fields"},
	{"allowed_sources_json", "allowed_sources"},
}

// expandJSON puts what such texts say in their place, as if it had been written
// there: faults then point into the text.
func (d *document) expandJSON() {
	params := value(d.node, "params")
	if params == nil || params.Kind != yaml.MappingNode {
		return
	}
	for _, attribute := range textsOfJSON {
		for i := 0; i < len(params.Content); i += 2 {
			if params.Content[i].Value != attribute.old {
				continue
			}
			if list := d.listIn(params, i, attribute.now); list != nil {
				params.Content[i].Value, params.Content[i+1] = attribute.now, list
			} else {
				params.Content = slices.Delete(params.Content, i, i+2)
			}
			break
		}
	}
}

// listIn reads the text of JSON at a place of params. It returns nil, and reports
// a fault, if it can't be taken for the attribute.
func (d *document) listIn(params *yaml.Node, i int, attribute string) *yaml.Node {
	key, text := params.Content[i], params.Content[i+1]
	wrong := func(line int, why string) *yaml.Node {
		d.faulty["params."+attribute] = true
		if d.id != "" {
			d.fault("params."+key.Value, "%s", why)
			return nil
		}
		d.loader.fault(d.file, line, "%s", d.describe("params."+key.Value, why))
		return nil
	}
	if value(params, attribute) != nil {
		return wrong(key.Line, "says the same as "+attribute+", which is there too: remove one of them")
	}
	if text.Kind != yaml.ScalarNode || text.ShortTag() != "!!str" {
		return wrong(key.Line, "is no text of JSON: write the list itself, as "+attribute)
	}
	list, line, err := readJSON(text.Value)
	if err != nil {
		return wrong(lineIn(text, line), "is no JSON: "+err.Error())
	}
	shift(list, text)
	d.plain(list, "params."+attribute, 0)
	return list
}

// readJSON reads JSON as if it were YAML, each value with its line. It is read as
// what it is: of JSON, the parser of YAML knows neither halves of characters nor
// a tab at the beginning of a line. On an error, it returns the line in the
// text, from 1.
func readJSON(text string) (*yaml.Node, int, error) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		end := len(text)
		if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
			end = min(int(wrong.Offset), end)
		}
		return nil, 1 + strings.Count(text[:end], "\n"), err
	}
	values := jsonValues{Decoder: json.NewDecoder(strings.NewReader(text)), text: text, line: 1}
	values.UseNumber()
	return values.next(), 0, nil
}

// jsonValues reads the values of a text that is known to be JSON.
type jsonValues struct {
	*json.Decoder
	text string
	read int64 // so far
	line int   // there
}

func (v *jsonValues) next() *yaml.Node {
	token, err := v.Token()
	if err != nil {
		panic(err) // it is JSON
	}
	end := v.InputOffset()
	v.line += strings.Count(v.text[v.read:end], "\n") // no token has one in it
	v.read = end
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: v.line}
	switch token := token.(type) {
	case json.Delim:
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		if token == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		for v.More() {
			node.Content = append(node.Content, v.next())
		}
		_, _ = v.Token() // its end; the lines before it count with what follows
	case string:
		node.Tag, node.Value, node.Style = "!!str", token, yaml.DoubleQuotedStyle
	case json.Number:
		node.Value = token.String() // what kind of number, YAML tells by how it is written
	case bool:
		node.Tag, node.Value = "!!bool", strconv.FormatBool(token)
	default:
		node.Tag, node.Value = "!!null", "null"
	}
	return node
}

// lineIn gives the line of the file for a line of a text in it, from 1. Texts in
// quotes do not keep their lines.
func lineIn(text *yaml.Node, line int) int {
	if text.Style&yaml.LiteralStyle == 0 {
		return text.Line
	}
	return text.Line + line // the text begins below its mark
}

func shift(node, text *yaml.Node) {
	node.Line = lineIn(text, node.Line)
	for _, child := range node.Content {
		shift(child, text)
	}
}

// targetID matches what stands for a target's id in a variable.
var targetID = pattern.Of(`\$\{target\.([^}]*)\}`)

// vars reads the variables of handlers, in which ${target.<name>.id} stands for
// the id of a target: the one that a form's target_id has.
func (o *object) vars() map[string]string {
	vars := o.textMap("vars")
	if o.doc.id != "" {
		return vars // they have the ids themselves
	}
	for name, text := range vars {
		path := o.at("vars") + "." + name
		written := value(value(o.node, "vars"), name)
		vars[name] = targetID.ReplaceAllStringFunc(text, func(reference string) string {
			inside := targetID.FindStringSubmatch(reference)[1]
			target, isID := strings.CutSuffix(inside, ".id")
			if !isID {
				o.doc.fault(path, "%q stands for nothing: write ${target.<name>.id}, for the id of a target", flow.Clip(reference, maxQuoted))
				return reference
			}
			t := o.doc.loader.refer(o.doc, path, "target", target)
			if t == nil {
				return reference
			}
			return o.doc.loader.targets[t.key()].IDIn(o.doc.loader.org)
		})
		o.doc.loader.texts[written] = vars[name]
	}
	return vars
}
