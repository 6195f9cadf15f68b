package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// leaf is one thing that can differ between two flows, with how to make it differ in a
// flow that is filled.
type leaf struct {
	path   string
	change func(reflect.Value)
}

// leaves lists all that a type holds: maps of texts and open values are one thing each.
// at finds the value in a flow.
func leaves(t reflect.Type, path string, at func(reflect.Value) reflect.Value) []leaf {
	switch t.Kind() {
	case reflect.Pointer:
		return leaves(t.Elem(), path, func(v reflect.Value) reflect.Value { return at(v).Elem() })
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Struct && t.Elem().Kind() != reflect.String && t.Elem().Kind() != reflect.Int64 || t == reflect.TypeFor[[]flow.Channel]() {
			return []leaf{{path, func(v reflect.Value) { change(at(v)) }}}
		}
		return leaves(t.Elem(), path+"[]", func(v reflect.Value) reflect.Value { return at(v).Index(0) })
	case reflect.Struct:
		var all []leaf
		for i := range t.NumField() {
			f := t.Field(i)
			all = append(all, leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), func(v reflect.Value) reflect.Value { return at(v).Field(i) })...)
		}
		return all
	case reflect.Map:
		if e := t.Elem(); e.Kind() == reflect.Struct {
			// A value of a map is changed as a whole, for each of the fields that it has.
			return leaves(e, path+"{}", func(v reflect.Value) reflect.Value {
				m := at(v)
				fresh := reflect.New(e).Elem()
				fresh.Set(m.MapIndex(reflect.ValueOf("a")))
				m.SetMapIndex(reflect.ValueOf("a"), reflect.Value{})
				return fresh
			})
		}
	}
	return []leaf{{path, func(v reflect.Value) { change(at(v)) }}}
}

// fill puts something into all that a value holds.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.SetMapIndex(reflect.ValueOf("a"), e)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("a")
	case reflect.Int, reflect.Int64:
		v.SetInt(2e9)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf("a"))
	default:
		panic(fmt.Sprintf("a flow holds a %s: say here how it is filled and changed", v.Type()))
	}
}

// change makes a value another one.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "b")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() * 2)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Map:
		other := reflect.MakeMap(v.Type())
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		other.SetMapIndex(reflect.ValueOf("b"), e)
		v.Set(other)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case reflect.Interface:
		v.Set(reflect.ValueOf("b"))
	default:
		panic(fmt.Sprintf("a flow holds a %s: say here how it is changed", v.Type()))
	}
}

// covers tells whether a row's field stands for a leaf.
func covers(field, path string) bool {
	if before, ok := strings.CutSuffix(field, "*"); ok {
		return strings.HasPrefix(path, before)
	}
	return field == path
}

// TestEveryAttribute: everything that a flow holds has one row that says what a change
// of it means, and a change of it is seen. Whoever adds an attribute to flow.Flow adds
// it to a row of the table, or a row.
func TestEveryAttribute(t *testing.T) {
	t.Parallel()
	all := leaves(reflect.TypeFor[flow.Flow](), "", func(v reflect.Value) reflect.Value { return v })
	if len(all) < 80 {
		t.Fatalf("a flow holds %d things only", len(all))
	}
	var used []string
	for _, l := range all {
		var rows []attribute
		for _, a := range attributes {
			for _, field := range a.fields {
				if covers(field, l.path) {
					rows, used = append(rows, a), append(used, field)
				}
			}
		}
		if len(rows) != 1 {
			t.Errorf("%s is in %d rows of the table attributes: say in one whether a change of it lets more happen, or less", l.path, len(rows))
			continue
		}
		var before, after flow.Flow
		fill(reflect.ValueOf(&before).Elem())
		fill(reflect.ValueOf(&after).Elem())
		l.change(reflect.ValueOf(&after).Elem())
		changes := Of(&before, &after, nil)
		if rows[0].compare == nil {
			if rows[0].why == "" {
				t.Errorf("%s is not compared, and nobody says why", l.path)
			}
			continue
		}
		if !slices.ContainsFunc(changes, func(c Change) bool { return c.Attribute == rows[0].name }) {
			t.Errorf("a change of %s is not seen as one of %s: %+v", l.path, rows[0].name, changes)
		}
	}
	for _, a := range attributes {
		for _, field := range a.fields {
			if !slices.Contains(used, field) {
				t.Errorf("the row %s names %s, which a flow does not hold", a.name, field)
			}
		}
	}
}
