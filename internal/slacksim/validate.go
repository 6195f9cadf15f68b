package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"
)

// checker collects what is wrong with blocks, in the form Slack reports it:
// "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]".
type checker struct {
	faults []string
}

func (c *checker) fault(at, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// checkBlocks validates the blocks of a message or a view.
func (c *checker) checkBlocks(at string, blocks []any, on surface) {
	limit := maxMessageBlocks
	if on == inView {
		limit = maxViewBlocks
	}
	if len(blocks) > limit {
		c.fault(at, "no more than %d items allowed", limit)
	}
	ids := map[string]bool{}
	focused, charts := false, 0
	for i, b := range blocks {
		here := fmt.Sprintf("%s/%d", at, i)
		block, ok := b.(object)
		if !ok {
			c.fault(here, "must provide an object")
			continue
		}
		kind, ok := blockTypes[text(block, "type")]
		if !ok || !slices.Contains(kind.surfaces, on) {
			c.fault(here+"/type", "unsupported type: %s", text(block, "type"))
			continue
		}
		c.checkShape(here, block, kind.shape)
		c.checkTogether(here, block)
		if inner, ok := block["child_blocks"].([]any); ok {
			for n, b := range inner {
				if b, ok := b.(object); ok && !slices.Contains(containable, text(b, "type")) {
					c.fault(fmt.Sprintf("%s/child_blocks/%d/type", here, n), "unsupported type: %s", text(b, "type"))
				}
			}
			c.checkBlocks(here+"/child_blocks", inner, on)
		}
		if text(block, "type") == "data_visualization" {
			if charts++; charts > maxCharts {
				c.fault(here, "no more than %d data_visualization blocks allowed", maxCharts)
			}
		}
		if id := text(block, "block_id"); id != "" {
			if ids[id] {
				c.fault(here+"/block_id", "`block_id` value `%s` already exists", id)
			}
			ids[id] = true
		}
		actions := map[string]bool{}
		for _, e := range elementsOf(block) {
			if id := text(e, "action_id"); id != "" {
				if actions[id] {
					c.fault(here, "`action_id` value `%s` already exists", id)
				}
				actions[id] = true
			}
			if flag(e, "focus_on_load") {
				if focused {
					c.fault(here, "only one element may have `focus_on_load`")
				}
				focused = true
			}
		}
	}
}

func (c *checker) checkShape(at string, o object, s shape) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		r, ok := s[name]
		if !ok {
			c.fault(at, "invalid additional property: %s", name)
			continue
		}
		c.checkValue(at+"/"+name, o[name], r)
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if _, ok := o[name]; s[name].required && !ok {
			c.fault(at, "missing required field: %s", name)
		}
	}
}

func (c *checker) checkValue(at string, v any, r rule) {
	wrong := func(what string) { c.fault(at, "must provide %s", what) }
	switch r.kind {
	case isString:
		s, ok := v.(string)
		if !ok {
			wrong("a string")
			return
		}
		c.checkLength(at, s, r)
		if r.enum != nil && !slices.Contains(r.enum, s) {
			c.fault(at, "must be one of %q", r.enum)
		}
	case isBool:
		if _, ok := v.(bool); !ok {
			wrong("a boolean")
		}
	case isNumber:
		f, ok := v.(float64)
		switch {
		case !ok || f != float64(int(f)):
			wrong("an integer")
		case int(f) < r.min:
			c.fault(at, "must be greater than %d", r.min-1)
		case r.max > 0 && int(f) > r.max:
			c.fault(at, "must be less than %d", r.max+1)
		}
	case isFloat:
		if _, ok := v.(float64); !ok {
			wrong("a number")
		}
	case isText, isPlain:
		c.checkText(at, v, r)
	case isList:
		items, ok := v.([]any)
		if !ok {
			wrong("an array")
			return
		}
		if len(items) < r.min {
			c.fault(at, "no less than %d items allowed", r.min)
		}
		if r.max > 0 && len(items) > r.max {
			c.fault(at, "no more than %d items allowed", r.max)
		}
		for i, item := range items {
			c.checkValue(fmt.Sprintf("%s/%d", at, i), item, *r.item)
		}
	case isShape:
		o, ok := v.(object)
		if !ok {
			wrong("an object")
			return
		}
		c.checkShape(at, o, compositions[r.shape])
	case isElement:
		o, ok := v.(object)
		if !ok {
			wrong("an object")
			return
		}
		kind, ok := elementTypes[text(o, "type")]
		if !ok || !slices.Contains(kind.places, r.place) {
			c.fault(at+"/type", "unsupported type: %s", text(o, "type"))
			return
		}
		c.checkShape(at, o, kind.shape)
		c.checkElement(at, o)
	}
}

func (c *checker) checkLength(at, s string, r rule) {
	n := utf8.RuneCountInString(s)
	if n < r.min {
		c.fault(at, "must be more than %d characters", r.min-1)
	}
	if r.max > 0 && n > r.max {
		c.fault(at, "must be less than %d characters", r.max+1)
	}
}

func (c *checker) checkText(at string, v any, r rule) {
	o, ok := v.(object)
	if !ok {
		c.fault(at, "must provide an object")
		return
	}
	s := shape{"type": must(oneOf("plain_text")), "text": must(str(r.max)), "emoji": boolean}
	if r.kind == isText && text(o, "type") != "plain_text" {
		s = shape{"type": must(oneOf("plain_text", "mrkdwn")), "text": must(str(r.max)), "verbatim": boolean}
	}
	c.checkShape(at, o, s)
}

// checkTogether holds the rules about several properties of one block.
func (c *checker) checkTogether(at string, block object) {
	if text(block, "type") == "section" && block["text"] == nil && block["fields"] == nil {
		c.fault(at, "missing required field: text")
	}
	switch text(block, "type") {
	case "data_table":
		c.checkTable(at, block)
	case "data_visualization":
		c.checkChart(at+"/chart", child(block, "chart"))
	}
}

// checkElement holds the rules about several properties of one element.
func (c *checker) checkElement(at string, e object) {
	switch kind := text(e, "type"); kind {
	case "static_select", "multi_static_select":
		if (e["options"] == nil) == (e["option_groups"] == nil) {
			c.fault(at, "must have either `options` or `option_groups`")
		}
		c.checkInitial(at, e)
	case "checkboxes", "radio_buttons":
		c.checkInitial(at, e)
	case "plain_text_input":
		least, _ := number(e, "min_length")
		if most, ok := number(e, "max_length"); ok && least > most {
			c.fault(at+"/min_length", "must be less than max_length")
		}
	}
}

// checkInitial: what is chosen from the start has to be one of the options,
// to the letter.
func (c *checker) checkInitial(at string, e object) {
	chosen := objects(e, "initial_options")
	if o := child(e, "initial_option"); o != nil {
		chosen = append(chosen, o)
	}
	for _, o := range chosen {
		if !slices.ContainsFunc(optionsOf(e), func(p object) bool { return reflect.DeepEqual(p, o) }) {
			c.fault(at, "initial option %q is not one of the options", text(o, "value"))
		}
	}
}

// checkView validates a view of a type: a modal, or a Home tab.
func (c *checker) checkView(at, kind string, v object) {
	without := maps.Clone(v)
	delete(without, "blocks")
	c.checkShape(at, without, viewShapes[kind])
	blocks, ok := v["blocks"].([]any)
	if !ok {
		c.fault(at, "missing required field: blocks")
		return
	}
	c.checkBlocks(at+"/blocks", blocks, inView)
	for _, b := range objects(v, "blocks") {
		if text(b, "type") == "input" && v["submit"] == nil && kind == "modal" {
			c.fault(at, "missing required field: submit")
			break
		}
	}
}

// messages gives the faults as response_metadata has them.
func (c *checker) messages() []string {
	out := make([]string, len(c.faults))
	for i, f := range c.faults {
		out[i] = "[ERROR] " + f
	}
	return out
}

// elementsOf gives the interactive elements of a block.
func elementsOf(block object) []object {
	switch text(block, "type") {
	case "section":
		if e := child(block, "accessory"); e != nil {
			return []object{e}
		}
	case "actions":
		return objects(block, "elements")
	case "input":
		if e := child(block, "element"); e != nil {
			return []object{e}
		}
	case "data_table":
		var buttons []object
		for _, row := range tableRows(block) {
			for _, cell := range row {
				if e := child(cell, "element"); e != nil {
					buttons = append(buttons, e)
				}
			}
		}
		return buttons
	}
	return nil
}

// optionsOf gives the options of an element, grouped or not.
func optionsOf(e object) []object {
	options := objects(e, "options")
	for _, g := range objects(e, "option_groups") {
		options = append(options, objects(g, "options")...)
	}
	return options
}

// identify gives blocks and elements the ids that they lack, as Slack does.
func identify(blocks []any) []any {
	out := make([]any, len(blocks))
	for i, item := range blocks {
		b := maps.Clone(item.(object))
		if text(b, "block_id") == "" {
			b["block_id"] = fmt.Sprintf("block-%d", i)
		}
		switch text(b, "type") {
		case "section":
			if e := child(b, "accessory"); e != nil {
				b["accessory"] = identifyElement(e, 0)
			}
		case "input":
			b["element"] = identifyElement(child(b, "element"), 0)
		case "actions":
			elements := objects(b, "elements")
			for n, e := range elements {
				elements[n] = identifyElement(e, n)
			}
			b["elements"] = anys(elements)
		case "data_table":
			b["rows"] = identifyCells(tableRows(b))
		case "container":
			inner := anys(objects(b, "child_blocks"))
			for n, child := range inner {
				child := maps.Clone(child.(object))
				if text(child, "block_id") == "" {
					child["block_id"] = fmt.Sprintf("%s-%d", b["block_id"], n)
				}
				inner[n] = child
			}
			b["child_blocks"] = identify(inner)
		}
		out[i] = b
	}
	return out
}

func identifyCells(rows [][]object) []any {
	n := 0
	for _, row := range rows {
		for i, cell := range row {
			if e := child(cell, "element"); e != nil {
				row[i] = maps.Clone(cell)
				row[i]["element"] = identifyElement(e, n)
				n++
			}
		}
	}
	out := make([]any, len(rows))
	for i, row := range rows {
		out[i] = anys(row)
	}
	return out
}

func identifyElement(e object, n int) object {
	if text(e, "action_id") != "" || text(e, "type") == "image" {
		return e
	}
	e = maps.Clone(e)
	e["action_id"] = fmt.Sprintf("action-%d", n)
	return e
}

// parseBlocks reads and validates the JSON of a list of blocks.
func parseBlocks(at string, raw []byte, on surface) ([]any, *apiError) {
	var blocks []any
	if json.Unmarshal(raw, &blocks) != nil {
		return nil, &apiError{code: "invalid_blocks_format"}
	}
	var c checker
	c.checkBlocks(at, blocks, on)
	if len(c.faults) > 0 {
		return nil, &apiError{code: "invalid_blocks", messages: c.messages()}
	}
	return identify(blocks), nil
}
