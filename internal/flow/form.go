package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Option is one that a form offers.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// UnmarshalJSON takes values that are whole numbers, too: handlers may write
// them so.
func (o *Option) UnmarshalJSON(b []byte) error {
	var in struct {
		Value any    `json:"value"`
		Label string `json:"label"`
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return err
	}
	switch in.Value.(type) {
	case string, json.Number:
		*o = Option{Value: fmt.Sprint(in.Value), Label: in.Label}
		return nil
	}
	return Errorf(CodeInvalid, "the value of an option must be a text or a whole number")
}

// OpenForm is a form that somebody has open, as on_change handlers see and change
// it.
type OpenForm struct {
	Fields               []OpenField       `json:"fields"`
	FlowVars             map[string]string `json:"flow_vars"`
	AdditionalHeaderText string            `json:"additional_header_text"`
}

// OpenField is a field of an [OpenForm]. Its name, its type and the values that it
// allowed at first stay as they are.
type OpenField struct {
	Name  string    `json:"name"`
	Type  FieldType `json:"type"`
	Value any       `json:"value"` // as in [Submission]; nil if there is none of the field's type
	Label string    `json:"label"`
	// Required counts while the field is visible.
	Required bool `json:"required"`
	Visible  bool `json:"visible"`
	// Nil lets the field take any value.
	CurrentAllowed  []Option `json:"current_allowed_values"`
	OriginalAllowed []Option `json:"original_allowed_values"`
}

// Field finds a field by name.
func (form OpenForm) Field(name string) (OpenField, bool) {
	i := slices.IndexFunc(form.Fields, func(x OpenField) bool { return x.Name == name })
	if i < 0 {
		return OpenField{}, false
	}
	return form.Fields[i], true
}

// DynamicForm tells whether handlers have a say in what the form shows. What
// such a form has become has to be kept while it is open.
func (f *Flow) DynamicForm() bool {
	return slices.ContainsFunc(f.Params.PromptFields, func(p PromptField) bool { return p.Prefetch || p.OnChange != nil })
}

// OpenForm is the form before anybody has touched it. The options are those of the
// fields with prefetch, by name.
func (f *Flow) OpenForm(prefetched map[string][]Option) OpenForm {
	form := OpenForm{FlowVars: f.Vars, AdditionalHeaderText: f.Params.AdditionalHeaderText}
	if form.FlowVars == nil {
		form.FlowVars = map[string]string{}
	}
	for _, p := range f.Fields() {
		field := OpenField{Name: p.Name, Type: p.Type, Label: p.Title(), Required: p.Required, Visible: p.Visible}
		switch {
		case p.Prefetch:
			field.OriginalAllowed = append([]Option{}, prefetched[p.Name]...)
		case p.Name == FieldNameTarget && !f.ApprovalOnly():
			for _, t := range f.Strategy.Targets {
				field.OriginalAllowed = append(field.OriginalAllowed, Option{Value: t.IDIn(f.Org), Label: t.Title()})
			}
		default:
			for _, allowed := range p.AllowedValues {
				o := Option{Value: allowed, Label: allowed}
				if d, err := ParseDuration(allowed); p.Type == FieldDuration && err == nil {
					o.Label = Words(d)
				}
				field.OriginalAllowed = append(field.OriginalAllowed, o)
			}
		}
		field.CurrentAllowed = field.OriginalAllowed
		field.Value = f.offered(p, field, f.valueIn(p, p.Default))
		form.Fields = append(form.Fields, field)
	}
	return form
}

// Fill is the form with what somebody has entered into the fields that they
// can see.
func (f *Flow) Fill(form OpenForm, values map[string]any) OpenForm {
	form.Fields = slices.Clone(form.Fields)
	for i, p := range f.Fields() {
		if form.Fields[i].Visible {
			form.Fields[i].Value = f.valueIn(p, values[p.Name])
		}
	}
	return form
}

// Refill is the form with what an earlier request asked for, where it can still be
// chosen. The fields where it can't are left empty; it returns their titles, too.
func (f *Flow) Refill(form OpenForm, asked map[string]any) (OpenForm, []string) {
	form.Fields = slices.Clone(form.Fields)
	var lost []string
	for i, p := range f.Fields() {
		field := &form.Fields[i]
		v, was := asked[p.Name]
		if !was || !field.Visible {
			continue
		}
		value := f.valueIn(p, v)
		offered := value
		if !slices.ContainsFunc(field.CurrentAllowed, func(o Option) bool { return o.Value == value }) { // else it is sure, and quick
			offered = f.offered(p, *field, value)
		}
		if field.Value = offered; offered == nil && !empty(v) || !SameValue(offered, value) {
			lost = append(lost, p.Title())
		}
	}
	return form, lost
}

// Unsettled lists the fields with on_change whose values the form does not know
// yet: somebody was faster than the handler.
func (f *Flow) Unsettled(form OpenForm, values map[string]any) []string {
	var names []string
	filled := f.Fill(form, values)
	for i, p := range f.Fields() {
		if p.OnChange != nil && !SameValue(form.Fields[i].Value, filled.Fields[i].Value) {
			names = append(names, p.Name)
		}
	}
	return names
}

// SameValue compares values of fields, whether they were written as JSON
// meanwhile or not.
func SameValue(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Change is the form as an on_change handler made it from another. It takes
// what handlers may change, and drops values that are not among the field's
// options any more, and what somebody entered into a field that is hidden now.
// The error has CodeHandler.
func (f *Flow) Change(form, by OpenForm) (OpenForm, error) {
	form.Fields = slices.Clone(form.Fields)
	form.AdditionalHeaderText = by.AdditionalHeaderText
	for i, p := range f.Fields() {
		field := &form.Fields[i]
		made, ok := by.Field(field.Name)
		if !ok {
			return form, Errorf(CodeHandler, "on_change took field %q out of the form: set visible = False instead", field.Name)
		}
		if !made.Visible && f.essential(field.Name) {
			return form, Errorf(CodeHandler, "on_change hid field %q, which no request can do without", field.Name)
		}
		value := f.valueIn(p, made.Value)
		if value == nil && !empty(made.Value) {
			return form, Errorf(CodeHandler, "on_change gave field %q a value that is no %s: %s", field.Name, field.Type, Clip(fmt.Sprint(made.Value), 60))
		}
		if field.Visible && !made.Visible && SameValue(field.Value, value) {
			value = f.valueIn(p, p.Default) // it is not the handler's
		}
		field.Label, field.Required, field.Visible, field.CurrentAllowed = made.Label, made.Required, made.Visible, made.CurrentAllowed
		field.Value = f.offered(p, *field, value)
	}
	return form, nil
}

// valueIn is a value as the field holds it. It returns nil if the field can't
// hold the value.
func (f *Flow) valueIn(p PromptField, v any) any {
	if empty(v) {
		return nil
	}
	if p.Name == FieldNameTarget && !f.ApprovalOnly() {
		s, _ := v.(string)
		if t, ok := f.Strategy.Target(f.Org, s); ok {
			return t.IDIn(f.Org)
		}
		return nil
	}
	p.AllowedValues = nil
	value, err := p.normalise(v)
	if err != nil {
		return nil
	}
	return value
}

// offered is a value, or as much of it as the field offers now.
func (f *Flow) offered(p PromptField, field OpenField, value any) any {
	if value == nil || field.CurrentAllowed == nil {
		return value
	}
	offers := f.offers(p, field)
	switch list := value.(type) {
	case []string:
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !offers[s] })
		return orNone(list)
	case []int64:
		list = slices.DeleteFunc(slices.Clone(list), func(n int64) bool { return !offers[text(n)] })
		return orNone(list)
	}
	if offers[text(value)] {
		return value
	}
	return nil
}

func orNone[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// offers are the values of a field's options, as texts of values.
func (f *Flow) offers(p PromptField, field OpenField) map[string]bool {
	offers := map[string]bool{}
	p.AllowedValues = nil
	for _, o := range field.CurrentAllowed {
		value := f.valueIn(p, o.Value)
		if p.Type.List() {
			value, _ = p.one(o.Value) // an option is one of the list, line breaks and all
		}
		if value != nil {
			offers[text(value)] = true
		}
	}
	return offers
}

// FieldsOf are the inputs of the flow's form as it is now.
func (f *Flow) FieldsOf(form OpenForm) []PromptField {
	fields := slices.Clone(f.Fields())
	for i := range fields {
		p, field := &fields[i], form.Fields[i]
		p.Label, p.Required, p.Visible = field.Label, field.Required, field.Visible
		if field.CurrentAllowed != nil || field.OriginalAllowed != nil {
			p.AllowedValues = nil // its options hold
		}
	}
	return fields
}

// SubmitForm is Submit for a form that handlers had a say in: what is required
// and allowed is what the form shows. Hidden fields have what handlers made of
// them, else the default of the configuration, whatever is given for them.
func (f *Flow) SubmitForm(form OpenForm, values map[string]any) (Submission, error) {
	values = maps.Clone(values)
	if values == nil {
		values = map[string]any{}
	}
	fields := f.FieldsOf(form)
	var faults []FieldError
	for i, p := range fields {
		switch {
		case !p.Visible:
			values[p.Name] = form.Fields[i].Value
		case !f.isOffered(p, form.Fields[i], values[p.Name]):
			faults = append(faults, notOffered(p.Name))
		}
	}
	sub, err := f.checkFields(fields, values, faults)
	if err != nil {
		return sub, err
	}
	return f.NameChosen(form, sub), nil
}

// maxLabels bounds how many labels of one field a run keeps: more are not read.
const maxLabels = 50

// NameChosen is the submission with what the form calls the values that were chosen.
func (f *Flow) NameChosen(form OpenForm, sub Submission) Submission {
	sub.Labels = nil
	for i, p := range f.Fields() {
		switch p.Type {
		case FieldString, FieldStringList, FieldInt, FieldIntList:
		default:
			continue // messages have words of their own for these
		}
		value, chosen := sub.Fields[p.Name]
		if p.Name == FieldNameTarget && !f.ApprovalOnly() || !chosen {
			continue
		}
		values, several := valuesOf(value)
		if !several {
			values = []string{text(value)}
		}
		labels := map[string]string{}
		for _, o := range form.Fields[i].CurrentAllowed {
			if o.Label != "" && o.Label != o.Value && len(labels) < maxLabels && slices.Contains(values, o.Value) {
				labels[o.Value] = o.Label
			}
		}
		if len(labels) > 0 {
			if sub.Labels == nil {
				sub.Labels = map[string]map[string]string{}
			}
			sub.Labels[p.Name] = labels
		}
	}
	return sub
}

// labelled are the fields with the labels of what was chosen, by field.
func labelled(fields []FormField, labels map[string]map[string]string) []FormField {
	if len(labels) == 0 {
		return fields
	}
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Labels = labels[fields[i].Name]
	}
	return fields
}

// CheckPrefetched holds values to the options of the fields with prefetch that
// were asked for, by name. The error has CodeInvalid.
func (f *Flow) CheckPrefetched(prefetched map[string][]Option, values map[string]any) error {
	form := f.OpenForm(prefetched)
	var faults []FieldError
	for i, p := range f.Fields() {
		if _, asked := prefetched[p.Name]; asked && !f.isOffered(p, form.Fields[i], values[p.Name]) {
			faults = append(faults, notOffered(p.Name))
		}
	}
	if len(faults) > 0 {
		return &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: faults}
	}
	return nil
}

// isOffered tells whether a field offers a value. It takes for offered what is
// no value of the field at all, which is found elsewhere.
func (f *Flow) isOffered(p PromptField, field OpenField, v any) bool {
	value := f.valueIn(p, v)
	return value == nil || SameValue(value, f.offered(p, field, value))
}

func notOffered(field string) FieldError {
	return FieldError{Field: field, Message: "is not among the options that there are: choose one of them"}
}
