package githubfake

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed shapes.json
var shapesText []byte

// shapes are what answers look like, by the names of GitHub's schemas: an object
// has its fields, those with ? at will; a text says the type of a value, with ? at
// its end where it may be null, or the words that it may be; @ refers to a shape.
var shapes = func() (all map[string]any) {
	if err := json.Unmarshal(shapesText, &all); err != nil {
		panic(err)
	}
	return all
}()

// held tells what of an answer is not of its shape; nil: nothing.
func held(name string, text []byte) error {
	shape, known := shapes[name]
	if !known {
		return fmt.Errorf("there is no shape %q", name)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return compare(name, shape, value)
}

func compare(at string, shape, value any) error {
	switch s := shape.(type) {
	case string:
		return word(at, s, value)
	case []any:
		list, is := value.([]any)
		if !is {
			return fmt.Errorf("%s is no list", at)
		}
		for i, v := range list {
			if err := compare(fmt.Sprintf("%s[%d]", at, i), s[0], v); err != nil {
				return err
			}
		}
	case map[string]any:
		fields, is := value.(map[string]any)
		if !is {
			return fmt.Errorf("%s is no object", at)
		}
		for name := range fields {
			if s[name] == nil && s[name+"?"] == nil {
				return fmt.Errorf("%s has a field %s", at, name)
			}
		}
		for name, of := range s {
			bare, optional := strings.CutSuffix(name, "?")
			v, there := fields[bare]
			if !there && !optional {
				return fmt.Errorf("%s has no %s", at, bare)
			}
			if there {
				if err := compare(at+"."+bare, of, v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func word(at, shape string, value any) error {
	if name, refers := strings.CutPrefix(shape, "@"); refers {
		return compare(at, shapes[name], value)
	}
	kind, nullable := strings.CutSuffix(shape, "?")
	right := false
	switch v := value.(type) {
	case nil:
		right = nullable
	case string:
		right = kind == "string" || slices.Contains(strings.Split(kind, "|"), v)
	case float64:
		right = kind == "number"
	case bool:
		right = kind == "boolean"
	}
	if !right && kind != "any" {
		return fmt.Errorf("%s is %v, and is to be %s", at, value, shape)
	}
	return nil
}
