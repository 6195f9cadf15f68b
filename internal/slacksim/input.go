package slacksim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// initialValues gives the state of all elements of blocks: what was entered
// before where it still fits, else what the app suggests.
func initialValues(blocks []object, before values) values {
	var out values
	for _, b := range blocks {
		for _, e := range elementsOf(b) {
			value := initialValue(e)
			if value == nil {
				continue
			}
			block, action := text(b, "block_id"), text(e, "action_id")
			if old, ok := before[block][action]; ok && old["type"] == value["type"] {
				value = old
			}
			out = out.set(block, action, value)
		}
	}
	return out
}

// initialValue gives the value of an element as it is first shown, nil if its
// kind holds no value.
func initialValue(e object) object {
	v := object{"type": text(e, "type")}
	or := func(key, initial string, none any) object {
		v[key] = none
		if e[initial] != nil {
			v[key] = e[initial]
		}
		return v
	}
	switch v["type"] {
	case "plain_text_input", "number_input":
		return or("value", "initial_value", nil)
	case "static_select", "external_select", "radio_buttons":
		return or("selected_option", "initial_option", nil)
	case "multi_static_select", "multi_external_select", "checkboxes":
		return or("selected_options", "initial_options", []any{})
	case "datepicker":
		return or("selected_date", "initial_date", nil)
	case "timepicker":
		return or("selected_time", "initial_time", nil)
	case "datetimepicker":
		return or("selected_date_time", "initial_date_time", nil)
	case "users_select":
		return or("selected_user", "initial_user", nil)
	case "multi_users_select":
		return or("selected_users", "initial_users", []any{})
	}
	return nil
}

// isEmpty tells whether nothing has been entered.
func isEmpty(value object) bool {
	for key, v := range value {
		if key == "type" {
			continue
		}
		switch v := v.(type) {
		case string:
			return v == ""
		case []any:
			return len(v) == 0
		default:
			return v == nil
		}
	}
	return true
}

func isMulti(kind string) bool { return strings.HasPrefix(kind, "multi_") || kind == "checkboxes" }

// enter turns what a person picks or types into the value of an element: texts
// for inputs, values or texts of options, handles or ids of people. None clears
// it. The error says what there is to choose from.
func (s *Sim) enter(e object, offered []object, entered []string) (object, error) {
	kind := text(e, "type")
	value := object{"type": kind}
	if !isMulti(kind) && len(entered) > 1 {
		return nil, fmt.Errorf("only one value fits, not %q", entered)
	}
	switch kind {
	case "plain_text_input", "number_input":
		value["value"] = nil
		if len(entered) == 1 && entered[0] != "" {
			value["value"] = entered[0]
		}
	case "datepicker", "timepicker", "datetimepicker":
		return enterMoment(value, entered)
	case "static_select", "external_select", "radio_buttons", "multi_static_select", "multi_external_select", "checkboxes":
		chosen := make([]any, 0, len(entered))
		for _, want := range entered {
			option, err := pick(e, offered, want)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, option)
		}
		setOne(value, "selected_option", kind, chosen)
	case "users_select", "multi_users_select":
		chosen := make([]any, 0, len(entered))
		for _, want := range entered {
			p, ok := s.person(want)
			if !ok {
				return nil, fmt.Errorf("there is nobody called %q", want)
			}
			chosen = append(chosen, p.id())
		}
		setOne(value, "selected_user", kind, chosen)
	default:
		return nil, fmt.Errorf("nothing can be entered into a %s", kind)
	}
	return value, nil
}

// enterMoment enters a date (2026-03-02), a time (09:30), or both as seconds since
// 1970.
func enterMoment(value object, entered []string) (object, error) {
	key := map[string]string{"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time"}[text(value, "type")]
	value[key] = nil
	if len(entered) == 0 || entered[0] == "" {
		return value, nil
	}
	if layout := map[string]string{"datepicker": time.DateOnly, "timepicker": "15:04"}[text(value, "type")]; layout != "" {
		if _, err := time.Parse(layout, entered[0]); err != nil {
			return nil, fmt.Errorf("%q is not like %s", entered[0], layout)
		}
		value[key] = entered[0]
		return value, nil
	}
	seconds, err := strconv.ParseInt(entered[0], 10, 64)
	if err != nil || len(entered[0]) != 10 {
		return nil, fmt.Errorf("%q is no number of ten digits, of seconds since 1970", entered[0])
	}
	value[key] = float64(seconds) // as JSON has it
	return value, nil
}

func setOne(value object, key, kind string, chosen []any) {
	switch {
	case isMulti(kind):
		value[key+"s"] = chosen
	case len(chosen) == 1:
		value[key] = chosen[0]
	default:
		value[key] = nil
	}
}

func pick(e object, offered []object, want string) (object, error) {
	options := append(optionsOf(e), objects(e, "initial_options")...)
	if o := child(e, "initial_option"); o != nil {
		options = append(options, o)
	}
	options = append(options, offered...)
	for _, is := range []func(object) bool{
		func(o object) bool { return text(o, "value") == want },
		func(o object) bool { return text(o, "text", "text") == want },
	} {
		if i := slices.IndexFunc(options, is); i >= 0 {
			return options[i], nil
		}
	}
	var texts []string
	for _, o := range options {
		if t := text(o, "text", "text"); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	return nil, fmt.Errorf("there is no option %q; there are %q", want, texts)
}

// complaint gives what Slack's client says about an input before it submits,
// "" if it is content.
func complaint(block, value object) string {
	e := child(block, "element")
	if isEmpty(value) {
		if flag(block, "optional") {
			return ""
		}
		return "Please complete this required field."
	}
	switch text(e, "type") {
	case "plain_text_input":
		n := utf8.RuneCountInString(text(value, "value"))
		most, limited := number(e, "max_length")
		if !limited {
			most = 3000
		}
		least, _ := number(e, "min_length")
		if n < least {
			return fmt.Sprintf("Please enter at least %d characters.", least)
		}
		if n > most {
			return fmt.Sprintf("Please enter no more than %d characters.", most)
		}
	case "number_input":
		return numberComplaint(e, text(value, "value"))
	default:
		most, limited := number(e, "max_selected_items")
		chosen, _ := value["selected_options"].([]any)
		users, _ := value["selected_users"].([]any)
		if limited && len(chosen)+len(users) > most {
			return fmt.Sprintf("Please choose no more than %d.", most)
		}
	}
	return ""
}

var (
	integer = regexp.MustCompile(`^-?[0-9]+$`)
	decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

func numberComplaint(e object, entered string) string {
	switch {
	case !decimal.MatchString(entered):
		return "Please enter a number."
	case !flag(e, "is_decimal_allowed") && !integer.MatchString(entered):
		return "Please enter a whole number."
	}
	// What matches the pattern parses.
	n, _ := strconv.ParseFloat(entered, 64)
	if least, err := strconv.ParseFloat(text(e, "min_value"), 64); err == nil && n < least {
		return "Please enter a number that is at least " + text(e, "min_value") + "."
	}
	if most, err := strconv.ParseFloat(text(e, "max_value"), 64); err == nil && n > most {
		return "Please enter a number that is at most " + text(e, "max_value") + "."
	}
	return ""
}
