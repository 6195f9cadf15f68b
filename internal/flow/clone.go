package flow

import (
	"reflect"
	"sync"
	"time"
)

// Clone gives a copy that shares nothing with the run which anybody could change. It
// takes a tenth of what decoding a run takes.
func (r Run) Clone() Run {
	unshare(reflect.ValueOf(&r).Elem())
	return r
}

// unshare replaces whatever an addressable value refers to by copies, all the way
// down. What the values of exported fields of structs refer to counts; times, which
// nobody can change, stay.
func unshare(v reflect.Value) {
	if flat(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			unshare(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			to := reflect.New(v.Type().Elem())
			to.Elem().Set(v.Elem())
			unshare(to.Elem())
			v.Set(to)
		}
	case reflect.Slice:
		if !v.IsNil() {
			to := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(to, v)
			if !flat(v.Type().Elem()) {
				for i := range to.Len() {
					unshare(to.Index(i))
				}
			}
			v.Set(to)
		}
	case reflect.Map:
		if !v.IsNil() {
			to := reflect.MakeMapWithSize(v.Type(), v.Len())
			for each := v.MapRange(); each.Next(); {
				to.SetMapIndex(each.Key(), unshared(each.Value()))
			}
			v.Set(to)
		}
	case reflect.Interface:
		if !v.IsNil() && !flat(v.Elem().Type()) {
			v.Set(unshared(v.Elem()))
		}
	}
}

// unshared gives a copy of a value that is not addressable.
func unshared(v reflect.Value) reflect.Value {
	if flat(v.Type()) {
		return v
	}
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	unshare(to)
	return to
}

// flatTypes is what flat has found out: reflect.Type → bool.
var flatTypes sync.Map

// flat tells whether an assignment copies all of a value of this type.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return false
	case reflect.Struct:
	default:
		return true
	}
	if known, ok := flatTypes.Load(t); ok {
		return known.(bool)
	}
	is := true
	for i := range t.NumField() {
		is = is && flat(t.Field(i).Type)
	}
	is = is || t == reflect.TypeFor[time.Time]()
	flatTypes.Store(t, is)
	return is
}
