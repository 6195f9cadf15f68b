package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/pattern"
)

// Submission is a checked request: what the run goes on with.
type Submission struct {
	// Fields are the values by name, normalised: string, int64, bool,
	// []string, []int64; duration in seconds (int64), target_id a target's id.
	Fields   map[string]any
	Target   *Target // with bindings filled in; nil in approval-only flows
	Duration time.Duration
	// Labels are what the form calls the values that were chosen, by field and text of
	// the value; only those that have one.
	Labels map[string]map[string]string
	// Offered are the targets that the form offered, by name; nil: all of the flow's.
	Offered []string
	// StartAt is when access is to start; zero: once it is approved.
	StartAt time.Time
	// BreakGlass asks for it without waiting for approval.
	BreakGlass bool
}

// Fields lists the inputs of the flow's form, in order. In access flows the
// target and the duration are among them even where the configuration does not
// name them: then the target comes first and the duration last.
func (f *Flow) Fields() []PromptField {
	if f.ApprovalOnly() {
		return f.Params.PromptFields
	}
	var out []PromptField
	if _, declared := f.Params.declared(FieldNameTarget); !declared {
		out = append(out, PromptField{Name: FieldNameTarget, Type: FieldString, Label: "Target", Required: true, Visible: true})
	}
	out = append(out, f.Params.PromptFields...)
	if _, declared := f.Params.declared(FieldNameDuration); !declared && f.Params.ScheduleDeescalation {
		out = append(out, PromptField{
			Name: FieldNameDuration, Type: FieldDuration, Label: "Duration", Required: true, Visible: true,
			AllowedValues: slices.Clone(DefaultDurations),
		})
	}
	return out
}

// DefaultDurations are offered where the flow declares no duration field.
var DefaultDurations = []string{"30s", "10m", "1h"}

// slackUserPattern is the form of Slack's user ids.
var slackUserPattern = pattern.Of(`^[UW][A-Z0-9]{2,}$`)

// Submit checks the values of a request against the flow. Slack's form and the
// API go through the same rules. The values may be
// JSON's types or texts; target_id may be a target's id or name. The error is
// an [Error] of CodeInvalid that names every field at fault, hidden ones that
// were given a value included: only the flow's own code sets those.
func (f *Flow) Submit(values map[string]any) (Submission, error) {
	var faults []FieldError
	values = maps.Clone(values)
	for _, p := range f.Fields() {
		if v, given := values[p.Name]; given && !p.Visible {
			delete(values, p.Name)
			if !empty(v) {
				faults = append(faults, FieldError{Field: p.Name, Message: "is hidden (visible: false) and can't be given: leave it out"})
			}
		}
	}
	return f.checkFields(f.Fields(), values, faults)
}

// checkFields checks values against fields of the flow; faults are those that are
// known.
func (f *Flow) checkFields(fields []PromptField, values map[string]any, faults []FieldError) (Submission, error) {
	sub := Submission{Fields: map[string]any{}}
	fault := func(field, format string, args ...any) {
		faults = append(faults, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	known := map[string]bool{}
	for _, p := range fields {
		known[p.Name] = true
		v, given := values[p.Name]
		if !given || empty(v) {
			if p.Default == "" {
				if f.Needs(p) {
					fault(p.Name, "is required")
				}
				continue
			}
			v = p.Default
		}
		if p.Name == FieldNameTarget && !f.ApprovalOnly() {
			t, ok := f.Strategy.Target(f.Org, text(v))
			if !ok {
				fault(p.Name, "%s is not one of the flow's targets", subject(v))
				continue
			}
			sub.Target = &t
			sub.Fields[p.Name] = t.IDIn(f.Org)
			continue
		}
		value, err := p.normalise(v)
		if err != nil {
			fault(p.Name, "%s", UserMessage(err))
			continue
		}
		if p.Name == FieldNameDuration && !f.ApprovalOnly() {
			sub.Duration = time.Duration(value.(int64)) * time.Second
			if limit := f.LongestFor(false); limit > 0 && sub.Duration > limit {
				fault(p.Name, "%s is longer than this flow allows: at most %s", asTyped(v, sub.Duration), Words(limit))
			}
		}
		sub.Fields[p.Name] = value
	}
	for name := range values {
		if !known[name] {
			fault(name, "is not a field of flow %q", f.Name)
		}
	}
	if len(faults) == 0 {
		if b, err := EncodeJSON(sub.Fields); err != nil || len(b) > MaxFieldsBytes {
			return Submission{}, Errorf(CodeTooLarge, "the fields are larger than %d KB together: shorten them", MaxFieldsBytes>>10)
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
		return Submission{}, &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: faults}
	}
	if sub.Target != nil {
		bound := sub.Target.Bind(sub.Fields)
		if err := bound.checkMany(); err != nil {
			e := &Error{Code: CodeInvalid, Message: "some fields are not right"}
			for _, name := range bound.FieldBindings {
				if _, several := valuesOf(sub.Fields[name]); several {
					e.Fields = append(e.Fields, FieldError{Field: name, Message: UserMessage(err)})
				}
			}
			return Submission{}, e
		}
		sub.Target = &bound
	}
	return sub, nil
}

// Needs tells whether a request that leaves the field out is refused, where it has no
// default.
func (f *Flow) Needs(p PromptField) bool {
	return p.Required && p.Visible || f.essential(p.Name)
}

// essential tells whether no request can do without the field, whatever the
// configuration says: access needs a target, and an end if it has one at all.
func (f *Flow) essential(name string) bool {
	return !f.ApprovalOnly() && (name == FieldNameTarget || name == FieldNameDuration && f.Params.ScheduleDeescalation)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case []string:
		return len(v) == 0
	case []int64:
		return len(v) == 0
	}
	return false
}

// normalise turns a value into the field's type, or says what is wrong with it: of
// a list, with which of its items.
func (p PromptField) normalise(v any) (any, error) {
	if !p.Type.List() {
		one, err := p.one(v)
		if err != nil {
			return nil, Errorf(CodeInvalid, "%s %s", subject(v), UserMessage(err))
		}
		return one, nil
	}
	items, err := readList(v)
	if err != nil {
		return nil, err
	}
	var texts []string
	var ints []int64
	for _, item := range items {
		one, err := p.one(item.value)
		if err != nil {
			return nil, Errorf(CodeInvalid, "%s, %s, %s", item.where, subject(item.value), UserMessage(err))
		}
		switch one := one.(type) {
		case int64:
			ints = append(ints, one)
		case string:
			texts = append(texts, one)
		}
	}
	if p.Type == FieldIntList {
		return ints, nil
	}
	return texts, nil
}

// asTyped writes a duration in the words of whoever gave it.
func asTyped(v any, d time.Duration) string {
	if _, ok := v.(string); ok {
		return subject(v)
	}
	return Words(d)
}

// subject quotes a value in a sentence about it.
func subject(v any) string {
	if s, ok := v.(string); ok {
		return "`" + Clip(s, 60) + "`"
	}
	if b, err := json.Marshal(v); err == nil {
		return Clip(string(b), 60)
	}
	return Clip(fmt.Sprint(v), 60)
}

// one normalises a single value, an element of a list included. What it says of a
// wrong one stands behind the value: "is not a whole number".
func (p PromptField) one(v any) (any, error) {
	switch p.Type {
	case FieldString, FieldStringList:
		s, ok := v.(string)
		if !ok {
			return nil, Errorf(CodeInvalid, "is not text")
		}
		if p.Type == FieldStringList && empty(s) {
			return nil, Errorf(CodeInvalid, "is empty: leave it out")
		}
		if err := p.checkAllowed(func(a string) bool { return a == s }); err != nil {
			return nil, err
		}
		return s, nil
	case FieldInt, FieldIntList:
		n, err := readInteger(v)
		if err != nil {
			return nil, err
		}
		return n, p.checkAllowed(func(a string) bool {
			m, err := strconv.ParseInt(a, 10, 64)
			return err == nil && m == n
		})
	case FieldBool:
		b, ok := readBool(v)
		if !ok {
			return nil, Errorf(CodeInvalid, "is neither true nor false")
		}
		return b, p.checkAllowed(func(a string) bool { c, ok := readBool(a); return ok && b == c })
	case FieldDuration:
		d, err := readDuration(v)
		if err != nil {
			return nil, err
		}
		return int64(d / time.Second), p.checkAllowed(func(a string) bool {
			b, err := ParseDuration(a)
			return err == nil && b == d
		})
	case FieldSlackUser, FieldSlackUserList:
		s, ok := v.(string)
		if !ok || !slackUserPattern.MatchString(s) {
			return nil, Errorf(CodeInvalid, "is not a Slack user id, such as U024BE7LH")
		}
		return s, nil
	}
	return nil, Errorf(CodeInvalid, "has the unknown type %q", p.Type)
}

// checkAllowed holds a value to allowed_values; none allows everything.
func (p PromptField) checkAllowed(same func(string) bool) error {
	if len(p.AllowedValues) == 0 || slices.ContainsFunc(p.AllowedValues, same) {
		return nil
	}
	return Errorf(CodeInvalid, "is not allowed: choose one of %s", Clip(strings.Join(p.AllowedValues, ", "), 300))
}

// item is a value of a list, and where whoever gave it finds it.
type item struct {
	value any
	where string // "item 2", "line 2"
}

func readList(v any) ([]item, error) {
	switch v := v.(type) {
	case []any:
		return items(v), nil
	case []string:
		return items(v), nil
	case []int64:
		return items(v), nil
	case string: // a text box of the form: one value a line
		var out []item
		for i, line := range strings.Split(v, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, item{line, fmt.Sprintf("line %d", i+1)})
			}
		}
		return out, nil
	}
	return nil, Errorf(CodeInvalid, "%s is not a list", subject(v))
}

func items[T any](values []T) []item {
	out := make([]item, len(values))
	for i, v := range values {
		out[i] = item{v, fmt.Sprintf("item %d", i+1)}
	}
	return out
}

func readBool(v any) (value, ok bool) {
	switch v {
	case true, "true":
		return true, true
	case false, "false":
		return false, true
	}
	return false, false
}

// maxInteger is the largest whole number that all readers of JSON take without
// loss (RFC 8259, section 6).
const maxInteger = 1<<53 - 1

// readInteger reads a whole number of at most maxInteger, either sign.
func readInteger(v any) (int64, error) {
	wrong := Errorf(CodeInvalid, "is not a whole number")
	large := Errorf(CodeInvalid, "is not between -%d and %[1]d, as whole numbers have to be", int64(maxInteger))
	var n int64
	var err error
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case float64:
		switch {
		case v != math.Trunc(v) || math.IsInf(v, 0): // NaN is no number either
			return 0, wrong
		case math.Abs(v) > maxInteger:
			return 0, large
		}
		n = int64(v)
	case json.Number:
		n, err = v.Int64()
	case string:
		n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	default:
		return 0, wrong
	}
	if errors.Is(err, strconv.ErrRange) || n > maxInteger || n < -maxInteger {
		return 0, large
	}
	if err != nil {
		return 0, wrong
	}
	return n, nil
}

// readDuration reads seconds, or a text such as "30m".
func readDuration(v any) (time.Duration, error) {
	s, isText := v.(string)
	if isText {
		if d, err := ParseDuration(strings.TrimSpace(s)); err == nil {
			return d, nil
		}
	}
	n, err := readInteger(v)
	switch {
	case err == nil && n > 0 && n <= math.MaxInt64/int64(time.Second):
		return time.Duration(n) * time.Second, nil
	case !isText:
		return 0, Errorf(CodeInvalid, "is not a duration: write seconds as a positive whole number, or a text such as 30m")
	}
	if unit := strings.TrimLeft(strings.TrimSpace(s), "0123456789 "); unit != "" && unit != strings.TrimSpace(s) && !isUnit(unit) {
		return 0, Errorf(CodeInvalid, "is not a duration: there is no unit `%s`, only s, m, h, d and mo (30 days); write 30m, say", Clip(unit, 20))
	}
	return 0, Errorf(CodeInvalid, "is not a duration: write a whole number and s, m, h, d or mo (30 days), such as 30m")
}

// text writes a normalised value as the text that settings hold.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64: // a number that was stored
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// valuesOf writes the values of a list as the texts that settings hold. False: it is
// a single value. Values are normalised, or as JSON has them once they were stored.
func valuesOf(v any) ([]string, bool) {
	var texts []string
	switch v := v.(type) {
	case []string:
		return v, true
	case []int64:
		for _, n := range v {
			texts = append(texts, text(n))
		}
	case []any:
		for _, one := range v {
			texts = append(texts, text(one))
		}
	default:
		return nil, false
	}
	return texts, true
}
