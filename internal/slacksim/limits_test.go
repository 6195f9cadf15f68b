package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func chars(n int) string { return strings.Repeat("x", n) }

func repeat(n int, item func(int) string) string {
	out := make([]string, n)
	for i := range out {
		out[i] = item(i)
	}
	return strings.Join(out, ",")
}

func plainJSON(t string) string { return `{"type":"plain_text","text":"` + t + `"}` }

func button(id, label, more string) string {
	return `{"type":"button","action_id":"` + id + `","text":` + plainJSON(label) + more + `}`
}

func option(i int) string {
	return fmt.Sprintf(`{"text":{"type":"plain_text","text":"o%d"},"value":"%d"}`, i, i)
}

// TestLimits: each limit holds, and one less than it is fine.
func TestLimits(t *testing.T) {
	t.Parallel()
	section := func(n int) string {
		return `{"type":"section","text":{"type":"mrkdwn","text":"` + chars(n) + `"}}`
	}
	divider := func(int) string { return `{"type":"divider"}` }
	field := func(int) string { return `{"type":"mrkdwn","text":"x"}` }
	container := func(children string) string {
		return `{"type":"container","title":` + plainJSON("x") + `,"child_blocks":[` + children + `]}`
	}
	act := func(elements string) string { return `{"type":"actions","elements":[` + elements + `]}` }
	sized := func(kind, more string, n int) string {
		return `{"type":"` + kind + `","action_id":"v","options":[` + repeat(n, option) + `]` + more + `}`
	}
	for name, c := range map[string]struct {
		on    surface
		good  string
		bad   string
		fault string
	}{
		"Alert":           {inView, `{"type":"alert","text":` + plainJSON("x") + `}`, `{"type":"alert","text":` + plainJSON("x") + `,"level":"loud"}`, "must be one of"},
		"AlertInMessage":  {inMessage, section(1), `{"type":"alert","text":` + plainJSON("x") + `}`, "unsupported type: alert"},
		"Contained":       {inMessage, container(repeat(10, divider)), container(repeat(11, divider)), "no more than 10 items allowed [json-pointer:/blocks/0/child_blocks]"},
		"ContainedText":   {inMessage, container(section(3000)), container(section(3001)), "must be less than 3001 characters [json-pointer:/blocks/0/child_blocks/0/text/text]"},
		"ContainedKind":   {inMessage, container(divider(0)), container(container(divider(0))), "unsupported type: container [json-pointer:/blocks/0/child_blocks/0/type]"},
		"Date":            {inMessage, act(`{"type":"datepicker","action_id":"d","initial_date":"2026-03-02"}`), act(`{"type":"datepicker","action_id":"d","initial_date":"2026-03-02T"}`), "must be less than 11 characters"},
		"DateTime":        {inMessage, act(`{"type":"datetimepicker","action_id":"d","initial_date_time":1772442000}`), act(`{"type":"datetimepicker","action_id":"d","initial_date_time":1}`), "must be greater than 999999999"},
		"SectionText":     {inMessage, section(3000), section(3001), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"EmptyText":       {inMessage, section(1), section(0), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"MessageBlocks":   {inMessage, repeat(50, divider), repeat(51, divider), "no more than 50 items allowed [json-pointer:/blocks]"},
		"ViewBlocks":      {inView, repeat(100, divider), repeat(101, divider), "no more than 100 items allowed [json-pointer:/blocks]"},
		"Fields":          {inMessage, `{"type":"section","fields":[` + repeat(10, field) + `]}`, `{"type":"section","fields":[` + repeat(11, field) + `]}`, "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"SectionNeeds":    {inMessage, section(1), `{"type":"section"}`, "missing required field: text [json-pointer:/blocks/0]"},
		"Header":          {inMessage, `{"type":"header","text":` + plainJSON(chars(150)) + `}`, `{"type":"header","text":` + plainJSON(chars(151)) + `}`, "must be less than 151 characters"},
		"HeaderMrkdwn":    {inMessage, `{"type":"header","text":` + plainJSON("x") + `}`, `{"type":"header","text":{"type":"mrkdwn","text":"x"}}`, "must be one of [\"plain_text\"]"},
		"EmojiInMrkdwn":   {inMessage, section(1), `{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`, "invalid additional property: emoji"},
		"Context":         {inMessage, `{"type":"context","elements":[` + repeat(10, field) + `]}`, `{"type":"context","elements":[` + repeat(11, field) + `]}`, "no more than 10 items allowed"},
		"Actions":         {inMessage, act(repeat(25, func(i int) string { return button(fmt.Sprint(i), "x", "") })), act(repeat(26, func(i int) string { return button(fmt.Sprint(i), "x", "") })), "no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		"ButtonText":      {inMessage, act(button("a", chars(75), "")), act(button("a", chars(76), "")), "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
		"ButtonValue":     {inMessage, act(button("a", "x", `,"value":"`+chars(2000)+`"`)), act(button("a", "x", `,"value":"`+chars(2001)+`"`)), "must be less than 2001 characters"},
		"ButtonStyle":     {inMessage, act(button("a", "x", `,"style":"danger"`)), act(button("a", "x", `,"style":"loud"`)), "must be one of"},
		"ActionID":        {inMessage, act(button(chars(255), "x", "")), act(button(chars(256), "x", "")), "must be less than 256 characters"},
		"ActionTwice":     {inMessage, act(button("a", "x", "") + "," + button("b", "x", "")), act(button("a", "x", "") + "," + button("a", "x", "")), "`action_id` value `a` already exists"},
		"ActionPerBlock":  {inMessage, act(button("a", "x", "")) + "," + act(button("a", "x", "")), act(button("", "x", "")), "must be more than 0 characters"},
		"BlockTwice":      {inMessage, `{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}`, `{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}`, "`block_id` value `a` already exists"},
		"BlockID":         {inMessage, `{"type":"divider","block_id":"` + chars(255) + `"}`, `{"type":"divider","block_id":"` + chars(256) + `"}`, "must be less than 256 characters"},
		"UnknownBlock":    {inMessage, divider(0), `{"type":"poem"}`, "unsupported type: poem [json-pointer:/blocks/0/type]"},
		"UnknownProperty": {inMessage, divider(0), `{"type":"divider","color":"red"}`, "invalid additional property: color [json-pointer:/blocks/0]"},
		"WrongSurface":    {inView, divider(0), `{"type":"markdown","text":"x"}`, "unsupported type: markdown"},
		"WrongPlace":      {inMessage, input("a", typeHere, ""), act(typeHere), "unsupported type: plain_text_input"},
		"ButtonInInput":   {inView, input("a", typeHere, ""), input("a", button("a", "x", ""), ""), "unsupported type: button"},
		"Confirm":         {inMessage, act(button("a", "x", confirmJSON(100, 300, 30))), act(button("a", "x", confirmJSON(101, 301, 31))), "must be less than 31 characters"},
		"InputLabel":      {inView, input("a", typeHere, ""), `{"type":"input","element":` + typeHere + `}`, "missing required field: label"},
		"SelectOptions":   {inView, input("a", sized("static_select", "", 100), ""), input("a", sized("static_select", "", 101), ""), "no more than 100 items allowed"},
		"SelectEmpty":     {inView, input("a", sized("static_select", "", 1), ""), input("a", sized("static_select", "", 0), ""), "no less than 1 items allowed"},
		"SelectNoOptions": {inView, input("a", sized("static_select", "", 1), ""), input("a", `{"type":"static_select","action_id":"v"}`, ""), "must have either `options` or `option_groups`"},
		"OptionText":      {inView, input("a", menuOf("static_select", "", chars(75)), ""), input("a", menuOf("static_select", "", chars(76)), ""), "must be less than 76 characters"},
		"OptionValue":     {inView, input("a", `{"type":"static_select","options":[{"text":`+plainJSON("x")+`,"value":"`+chars(150)+`"}]}`, ""), input("a", `{"type":"static_select","options":[{"text":`+plainJSON("x")+`,"value":"`+chars(151)+`"}]}`, ""), "must be less than 151 characters"},
		"Placeholder":     {inView, input("a", `{"type":"plain_text_input","placeholder":`+plainJSON(chars(150))+`}`, ""), input("a", `{"type":"plain_text_input","placeholder":`+plainJSON(chars(151))+`}`, ""), "must be less than 151 characters"},
		"Checkboxes":      {inView, input("a", sized("checkboxes", "", 10), ""), input("a", sized("checkboxes", "", 11), ""), "no more than 10 items allowed"},
		"Radio":           {inView, input("a", sized("radio_buttons", "", 10), ""), input("a", sized("radio_buttons", "", 11), ""), "no more than 10 items allowed"},
		"InitialOption":   {inView, input("a", sized("static_select", `,"initial_option":`+option(0), 2), ""), input("a", sized("static_select", `,"initial_option":`+option(2), 2), ""), "is not one of the options"},
		"NumberDecimal":   {inView, input("a", `{"type":"number_input","is_decimal_allowed":false}`, ""), input("a", `{"type":"number_input"}`, ""), "missing required field: is_decimal_allowed"},
		"NumberIsString":  {inView, input("a", `{"type":"number_input","is_decimal_allowed":false,"min_value":"1"}`, ""), input("a", `{"type":"number_input","is_decimal_allowed":false,"min_value":1}`, ""), "must provide a string"},
		"TextLength":      {inView, input("a", `{"type":"plain_text_input","max_length":3000}`, ""), input("a", `{"type":"plain_text_input","max_length":3001}`, ""), "must be less than 3001"},
		"MinOverMax":      {inView, input("a", `{"type":"plain_text_input","min_length":2,"max_length":2}`, ""), input("a", `{"type":"plain_text_input","min_length":3,"max_length":2}`, ""), "must be less than max_length"},
		"FocusTwice":      {inView, input("a", `{"type":"plain_text_input","focus_on_load":true}`, ""), input("a", `{"type":"plain_text_input","focus_on_load":true}`, "") + "," + input("b", `{"type":"plain_text_input","focus_on_load":true}`, ""), "only one element"},
		"MaxSelected":     {inView, input("a", sized("multi_static_select", `,"max_selected_items":1`, 2), ""), input("a", sized("multi_static_select", `,"max_selected_items":0`, 2), ""), "must be greater than 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if faults := check(t, c.on, c.good); len(faults) > 0 {
				t.Errorf("refuses what is legal: %v", faults)
			}
			faults := check(t, c.on, c.bad)
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, c.fault) }) {
				t.Errorf("faults = %v, want %q", faults, c.fault)
			}
		})
	}
}

func confirmJSON(title, body, ok int) string {
	return `,"confirm":{"title":` + plainJSON(chars(title)) + `,"text":` + plainJSON(chars(body)) +
		`,"confirm":` + plainJSON(chars(ok)) + `,"deny":` + plainJSON("no") + `}`
}

func check(t *testing.T, on surface, blocks string) []string {
	t.Helper()
	var list []any
	if err := json.Unmarshal([]byte("["+blocks+"]"), &list); err != nil {
		t.Fatal(err)
	}
	var c checker
	c.checkBlocks("/blocks", list, on)
	return c.faults
}

func TestViewLimits(t *testing.T) {
	t.Parallel()
	good := `{"type":"modal","title":` + plainJSON(chars(24)) + `,"submit":` + plainJSON(chars(24)) + `,"private_metadata":"` + chars(3000) + `","blocks":[]}`
	for name, c := range map[string]struct{ view, fault string }{
		"Fine":         {good, ""},
		"Title":        {strings.Replace(good, chars(24), chars(25), 1), "must be less than 25 characters [json-pointer:/view/title/text]"},
		"NoTitle":      {`{"type":"modal","blocks":[]}`, "missing required field: title"},
		"NoBlocks":     {`{"type":"modal","title":` + plainJSON("x") + `}`, "missing required field: blocks"},
		"NoSubmit":     {`{"type":"modal","title":` + plainJSON("x") + `,"blocks":[` + input("a", typeHere, "") + `]}`, "missing required field: submit"},
		"Metadata":     {strings.Replace(good, chars(3000), chars(3001), 1), "must be less than 3001 characters"},
		"NoModal":      {strings.Replace(good, "modal", "sheet", 1), "must be one of"},
		"UnknownField": {strings.Replace(good, `"blocks"`, `"colour":1,"blocks"`, 1), "invalid additional property: colour"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v object
			if err := json.Unmarshal([]byte(c.view), &v); err != nil {
				t.Fatal(err)
			}
			var check checker
			check.checkView("/view", "modal", v)
			all := strings.Join(check.messages(), "\n")
			if (c.fault == "") != (all == "") || !strings.Contains(all, c.fault) {
				t.Errorf("faults = %q, want %q", all, c.fault)
			}
		})
	}
}

func TestFaultsAreReportedAsSlackDoes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	answer := a.call("chat.postMessage", `{"channel":"#general","blocks":[{"type":"poem"}]}`)
	raw, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, string(raw),
		`"errors":["unsupported type: poem [json-pointer:/blocks/0/type]"]`,
		`"messages":["[ERROR] unsupported type: poem [json-pointer:/blocks/0/type]"]`)
}
