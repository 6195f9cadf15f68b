package flow

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets everything in a value, all the way down.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), depth)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 4))
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, depth)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.Interface:
		if depth > 0 {
			v.Set(reflect.ValueOf([]any{"text", map[string]any{"inner": []any{1.5, map[string]any{}}}}))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint('7')
	case reflect.Float64:
		v.SetFloat(1.5)
	default:
		panic("don't know how to fill " + v.Type().String())
	}
}

// shared lists what two values both refer to.
func shared(path string, a, b reflect.Value) []string {
	var found []string
	in := func(name string, a, b reflect.Value) { found = append(found, shared(path+name, a, b)...) }
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range a.NumField() {
			in("."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.IsNil() {
			return nil
		}
		if a.Pointer() == b.Pointer() && (a.Kind() != reflect.Slice || a.Cap() > 0) {
			found = append(found, path)
		}
		switch a.Kind() {
		case reflect.Pointer:
			in("*", a.Elem(), b.Elem())
		case reflect.Slice:
			for i := range a.Len() {
				in(fmt.Sprint("[", i, "]"), a.Index(i), b.Index(i))
			}
		default:
			for _, key := range a.MapKeys() {
				in(fmt.Sprint("[", key, "]"), a.MapIndex(key), b.MapIndex(key))
			}
		}
	case reflect.Interface:
		if !a.IsNil() {
			in("", a.Elem(), b.Elem())
		}
	}
	return found
}

// A copy says the same, and shares nothing, whatever a run has.
func TestRun_Clone(t *testing.T) {
	t.Parallel()
	var r Run
	fill(reflect.ValueOf(&r).Elem(), 1)
	c := r.Clone()
	if diff := cmp.Diff(r, c); diff != "" {
		t.Errorf("the copy differs (-run +copy):\n%s", diff)
	}
	if both := shared("Run", reflect.ValueOf(r), reflect.ValueOf(c)); len(both) > 0 {
		t.Errorf("both refer to %q", both)
	}
	if both := shared("Run", reflect.ValueOf(r), reflect.ValueOf(r)); len(both) < 20 {
		t.Errorf("of a run and itself only %q was found to be shared", both)
	}
	if diff := cmp.Diff(Run{}, Run{}.Clone()); diff != "" {
		t.Errorf("the copy of an empty run differs (-run +copy):\n%s", diff)
	}
}
