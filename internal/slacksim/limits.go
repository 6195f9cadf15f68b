package slacksim

import "maps"

// The limits of Block Kit, messages and views, as Slack documents them at
// docs.slack.dev/reference/block-kit, …/reference/views and the pages of the
// methods. Lengths are in characters.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxAttachments   = 100
	maxPostedText    = 40_000
	maxUpdatedText   = 4_000
	maxViewBytes     = 250_000
	// Slack documents no limit for all blocks of a message together, but has
	// one: github.com/slackapi/bolt-js issue 2509 found it near 13,200.
	maxBlocksSize      = 13_200
	maxViewStack       = 3
	maxCharts          = 2      // of one message or view
	maxChildBlocks     = 10     // of a container
	maxTableText       = 10_000 // characters of all cells of a data table
	maxOpenUsers       = 8
	maxOfferedOptions  = 100
	responseURLUses    = 5
	responseURLMinutes = 30
	ackSeconds         = 3 // for an app to answer, and for a trigger to be used
)

// surface is where blocks stand.
type surface string

const (
	inMessage surface = "message"
	inView    surface = "view"
)

// place is where an element stands in a block.
type place string

const (
	inSection place = "section"
	inActions place = "actions"
	inInput   place = "input"
	inContext place = "context"
	inTable   place = "table"
	inCell    place = "cell" // of a table
)

// rule says what one property may hold.
type rule struct {
	kind     ruleKind
	required bool
	min, max int      // characters of a string, items of a list, or a number's range; max 0 is unlimited
	enum     []string // of a string
	shape    string   // of an object, by its name in compositions
	place    place    // of an element
	item     *rule    // of a list
}

type ruleKind int

const (
	isString ruleKind = iota
	isBool
	isNumber // an integer
	isFloat
	isText  // a text object of either type
	isPlain // a text object of type plain_text
	isList
	isShape
	isElement
	isBlock // in a container; checkBlocks looks at it
)

type shape map[string]rule

func must(r rule) rule                  { r.required = true; return r }
func str(max int) rule                  { return rule{kind: isString, min: 1, max: max} }
func maybeEmpty(max int) rule           { return rule{kind: isString, max: max} }
func oneOf(words ...string) rule        { return rule{kind: isString, enum: words} }
func num(min, max int) rule             { return rule{kind: isNumber, min: min, max: max} }
func anyText(max int) rule              { return rule{kind: isText, max: max} }
func plain(max int) rule                { return rule{kind: isPlain, max: max} }
func composed(shape string) rule        { return rule{kind: isShape, shape: shape} }
func element(p place) rule              { return rule{kind: isElement, place: p} }
func list(min, max int, item rule) rule { return rule{kind: isList, min: min, max: max, item: &item} }
func with(base, more shape) shape {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

var (
	boolean = rule{kind: isBool}
	float   = rule{kind: isFloat}
)

// compositions are the objects that elements are made of.
var compositions = map[string]shape{
	"confirm": {
		"title": must(plain(100)), "text": must(anyText(300)),
		"confirm": must(plain(30)), "deny": must(plain(30)), "style": oneOf("primary", "danger"),
	},
	// A choice is an option of a menu, a markedChoice one of a group of boxes or
	// radio buttons, whose texts may have mrkdwn.
	"choice":       {"text": must(plain(75)), "value": must(str(150)), "description": plain(75)},
	"markedChoice": {"text": must(anyText(75)), "value": must(str(150)), "description": anyText(75)},
	"linkChoice":   {"text": must(plain(75)), "value": str(150), "description": plain(75), "url": str(3000)},
	"choiceGroup":  {"label": must(plain(75)), "options": must(list(1, 100, composed("choice")))},
	"point":        {"label": must(str(20)), "value": must(float)},
	"series":       {"name": must(str(20)), "data": must(list(1, 20, composed("point")))},
	"axis":         {"categories": must(list(1, 20, str(20))), "x_label": str(50), "y_label": str(50)},
	"segment":      {"label": must(str(20)), "value": must(float)},
	"chart": {
		"type":   must(oneOf("pie", "bar", "area", "line")),
		"series": list(1, 6, composed("series")), "axis_config": composed("axis"), "segments": list(1, 6, composed("segment")),
	},
	"richSection": {"type": must(oneOf("rich_text_section")), "elements": must(list(1, 0, composed("richElement")))},
	"richElement": {
		"type": must(oneOf("text", "date")), "text": str(0), "timestamp": num(0, 0), "format": str(0), "fallback": str(0),
	},
	"dispatch": {"trigger_actions_on": list(1, 2, oneOf("on_enter_pressed", "on_character_entered"))},
}

var (
	actionable = shape{"type": must(str(0)), "action_id": str(255)}
	focusable  = with(actionable, shape{"focus_on_load": boolean, "placeholder": plain(150)})
	menu       = with(focusable, shape{"confirm": composed("confirm")})
	multiMenu  = with(menu, shape{"max_selected_items": num(1, 0)})
	typed      = with(focusable, shape{"initial_value": maybeEmpty(3000), "dispatch_action_config": composed("dispatch")})
	choices    = list(1, 100, composed("choice"))
	groups     = list(1, 100, composed("choiceGroup"))
)

// elementType is a kind of element and the blocks it works in.
type elementType struct {
	places []place
	shape  shape
}

var menuPlaces = []place{inSection, inActions, inInput}

var elementTypes = map[string]elementType{
	"button": {[]place{inSection, inActions, inCell}, with(actionable, shape{
		"text": must(plain(75)), "value": str(2000), "url": str(3000), "style": oneOf("primary", "danger"),
		"confirm": composed("confirm"), "accessibility_label": str(75),
	})},
	"overflow": {[]place{inSection, inActions}, with(actionable, shape{
		"options": must(list(1, 5, composed("linkChoice"))), "confirm": composed("confirm"),
	})},
	"image": {[]place{inSection, inContext}, shape{
		"type": must(str(0)), "image_url": must(str(3000)), "alt_text": must(str(2000)),
	}},
	"static_select": {menuPlaces, with(menu, shape{
		"options": choices, "option_groups": groups, "initial_option": composed("choice"),
	})},
	"multi_static_select": {[]place{inSection, inInput}, with(multiMenu, shape{
		"options": choices, "option_groups": groups, "initial_options": list(1, 100, composed("choice")),
	})},
	"external_select": {menuPlaces, with(menu, shape{
		"initial_option": composed("choice"), "min_query_length": num(0, 0),
	})},
	"multi_external_select": {[]place{inSection, inInput}, with(multiMenu, shape{
		"initial_options": list(1, 100, composed("choice")), "min_query_length": num(0, 0),
	})},
	"datepicker": {menuPlaces, with(menu, shape{"initial_date": str(10)})},
	"timepicker": {menuPlaces, with(menu, shape{"initial_time": str(5), "timezone": str(0)})},
	"datetimepicker": {[]place{inActions, inInput}, with(actionable, shape{
		"initial_date_time": num(1_000_000_000, 9_999_999_999), "confirm": composed("confirm"), "focus_on_load": boolean,
	})},
	"users_select":       {menuPlaces, with(menu, shape{"initial_user": str(0)})},
	"multi_users_select": {[]place{inSection, inInput}, with(multiMenu, shape{"initial_users": list(1, 0, str(0))})},
	"checkboxes": {menuPlaces, with(actionable, shape{
		"options": must(list(1, 10, composed("markedChoice"))), "initial_options": list(1, 10, composed("markedChoice")),
		"confirm": composed("confirm"), "focus_on_load": boolean,
	})},
	"radio_buttons": {menuPlaces, with(actionable, shape{
		"options": must(list(1, 10, composed("markedChoice"))), "initial_option": composed("markedChoice"),
		"confirm": composed("confirm"), "focus_on_load": boolean,
	})},
	"plain_text_input": {[]place{inInput}, with(typed, shape{
		"multiline": boolean, "min_length": num(0, 3000), "max_length": num(1, 3000),
	})},
	"number_input": {[]place{inInput}, with(typed, shape{
		"is_decimal_allowed": must(boolean), "min_value": str(0), "max_value": str(0),
	})},
	"raw_text":   {[]place{inTable}, shape{"type": must(str(0)), "text": must(maybeEmpty(0))}},
	"raw_number": {[]place{inTable}, shape{"type": must(str(0)), "value": must(float), "text": str(0)}},
	// Of rich text, only what stands in cells: sections of texts and dates.
	"rich_text":   {[]place{inTable}, shape{"type": must(str(0)), "elements": must(list(1, 0, composed("richSection")))}},
	"action_cell": {[]place{inTable}, shape{"type": must(str(0)), "element": must(element(inCell)), "fallback": element(inTable)}},
	"plain_text":  {[]place{inContext}, shape{"type": must(str(0)), "text": must(str(3000)), "emoji": boolean}},
	"mrkdwn":      {[]place{inContext}, shape{"type": must(str(0)), "text": must(str(3000)), "verbatim": boolean}},
}

// blockType is a kind of block and the surfaces that show it.
type blockType struct {
	surfaces []surface
	shape    shape
}

var (
	anywhere = []surface{inMessage, inView}
	anyBlock = shape{"type": must(str(0)), "block_id": str(255)}
)

var blockTypes = map[string]blockType{
	"section": {anywhere, with(anyBlock, shape{
		"text": anyText(3000), "fields": list(1, 10, anyText(2000)), "accessory": element(inSection), "expand": boolean,
	})},
	"header":  {anywhere, with(anyBlock, shape{"text": must(plain(150))})},
	"divider": {anywhere, anyBlock},
	"context": {anywhere, with(anyBlock, shape{"elements": must(list(1, 10, element(inContext)))})},
	"actions": {anywhere, with(anyBlock, shape{"elements": must(list(1, 25, element(inActions)))})},
	"image": {anywhere, with(anyBlock, shape{
		"image_url": must(str(3000)), "alt_text": must(str(2000)), "title": plain(2000),
	})},
	"input": {anywhere, with(anyBlock, shape{
		"label": must(plain(2000)), "element": must(element(inInput)), "hint": plain(2000),
		"optional": boolean, "dispatch_action": boolean,
	})},
	// Slack's page of the data table names no surface that it is not for.
	"data_table": {anywhere, with(anyBlock, shape{
		"caption": must(str(0)), "rows": must(list(2, 101, list(1, 20, element(inTable)))), "page_size": num(1, 100), "row_header_column_index": num(0, 19),
	})},
	"data_visualization": {anywhere, with(anyBlock, shape{"title": must(str(50)), "chart": must(composed("chart"))})},
	"alert":              {[]surface{inView}, with(anyBlock, shape{"text": must(anyText(200)), "level": oneOf("default", "info", "warning", "error", "success")})},
	"container": {anywhere, with(anyBlock, shape{
		"title": must(plain(150)), "subtitle": anyText(150), "width": oneOf("narrow", "standard", "wide", "full"),
		"is_collapsible": boolean, "default_collapsed": boolean, "has_header_divider": boolean,
		"child_blocks": must(list(1, maxChildBlocks, rule{kind: isBlock})),
	})},
	"markdown": {[]surface{inMessage}, with(anyBlock, shape{"text": must(str(12_000))})},
}

// containable are the types of blocks that may stand in a container.
var containable = []string{"actions", "context", "divider", "header", "image", "input", "section"}

// viewShapes are views by their type, without their blocks.
var viewShapes = map[string]shape{
	"modal": {
		"type": must(oneOf("modal")), "title": must(plain(24)), "submit": plain(24), "close": plain(24),
		"private_metadata": maybeEmpty(3000), "callback_id": maybeEmpty(255), "external_id": maybeEmpty(255),
		"clear_on_close": boolean, "notify_on_close": boolean,
	},
	"home": {
		"type": must(oneOf("home")), "private_metadata": maybeEmpty(3000), "callback_id": maybeEmpty(255), "external_id": maybeEmpty(255),
	},
}
