package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// part is a document of a file, with the line that separates it from the one
// before.
type part struct {
	separator string // "---", with what may follow on its line before the text; "" for the first
	text      string
	root      *yaml.Node // nil if there are only comments
	changed   bool
}

// split reads a file. The error names the line that can't be read.
func split(file []byte) ([]*part, error) {
	parts := []*part{{}}
	line, began := 0, []int{1}
	for each := range strings.Lines(string(file)) {
		line++
		if bare := strings.TrimRight(each, " \t\r\n"); bare == "---" || strings.HasPrefix(each, "--- ") || strings.HasPrefix(each, "---\t") {
			parts = append(parts, &part{separator: each[:3], text: each[3:]})
			began = append(began, line)
			continue
		}
		parts[len(parts)-1].text += each
	}
	for i, p := range parts {
		var root, more yaml.Node
		d := yaml.NewDecoder(strings.NewReader(p.text))
		switch err := d.Decode(&root); {
		case errors.Is(err, io.EOF):
			continue
		case err != nil:
			return nil, fmt.Errorf("the document that begins on line %d is not YAML: %w", began[i], err)
		}
		if err := d.Decode(&more); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("after the document that begins on line %d there is more: separate documents by a line ---", began[i])
		}
		p.root = &root
	}
	return parts, nil
}

// join writes a file. Parts that have not changed are written as they were.
func join(parts []*part) ([]byte, error) {
	var out bytes.Buffer
	for _, p := range parts {
		if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		out.WriteString(p.separator)
		if !p.changed {
			out.WriteString(p.text)
			continue
		}
		if p.separator != "" {
			out.WriteByte('\n')
		}
		if err := encode(&out, p.root); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func encode(w io.Writer, node *yaml.Node) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	return errors.Join(e.Encode(node), e.Close())
}

// mapping returns the attributes of a document; nil if it has none.
func (p *part) mapping() *yaml.Node {
	if p.root == nil || p.root.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	return p.root.Content[0]
}

// get returns the value of a mapping's key; nil if it is not there.
func get(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// text returns the value of a mapping's key as it reads; "" if it is not there.
func text(mapping *yaml.Node, key string) string {
	if node := get(mapping, key); node != nil && node.Kind == yaml.ScalarNode {
		return node.Value
	}
	return ""
}

// set changes the text of a mapping's key, and adds the key at the end if it is
// not there.
func set(mapping *yaml.Node, key, value string) {
	if node := get(mapping, key); node != nil {
		node.Value, node.Tag = value, "!!str"
		return
	}
	mapping.Content = append(mapping.Content, scalar(key), scalar(value))
}

// remove takes a key out of a mapping.
func remove(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return
		}
	}
}

func scalar(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// pairs makes a mapping of keys and values; nil values are left out.
func pairs(list ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i < len(list); i += 2 {
		switch v := list[i+1].(type) {
		case *yaml.Node:
			if v != nil {
				m.Content = append(m.Content, scalar(list[i].(string)), v)
			}
		case string:
			if v != "" {
				m.Content = append(m.Content, scalar(list[i].(string)), scalar(v))
			}
		}
	}
	return m
}
