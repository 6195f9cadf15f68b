package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/symflows/symflows/internal/flow"
)

const (
	maxBodyBytes = 256 << 10
	maxDepth     = 64 // of nested arrays and objects
)

// object is the JSON object that a request carries. Its methods read one field
// each and collect faults, which err returns at the end.
type object struct {
	values map[string]json.RawMessage
	known  []string
	faults []flow.FieldError
}

// readObject reads the body of a request: one JSON object in UTF-8 of at most
// 256 KB, no key of it or of the objects inside given twice.
func readObject(r *http.Request) (*object, error) { return readBody(r, maxBodyBytes) }

// readBody is readObject for a body of at most so many bytes.
func readBody(r *http.Request, most int64) (*object, error) {
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	tooLarge := flow.Errorf(flow.CodeTooLarge, "the body is too large: at most %d KB", most>>10)
	if r.ContentLength > most {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, malformed("it broke off")
	case int64(len(b)) > most:
		return nil, tooLarge
	case len(bytes.TrimSpace(b)) == 0:
		return nil, malformed("it is empty")
	case !utf8.Valid(b):
		return nil, malformed("it is not UTF-8")
	}
	o := &object{}
	if err := json.Unmarshal(b, &o.values); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, malformed(fmt.Sprintf("it is not JSON: %v at byte %d", syntax, syntax.Offset))
		}
		return nil, malformed("it must be an object")
	}
	if o.values == nil {
		return nil, malformed("it must be an object, not null")
	}
	return o, checkKeys(b)
}

// readOptional is readObject for what may do without a body: none is an empty object.
func readOptional(r *http.Request) (*object, error) {
	if r.ContentLength == 0 {
		return &object{}, nil
	}
	return readObject(r)
}

func malformed(why string) error {
	return &flow.Error{Code: flow.CodeInvalid, Message: "the body can't be read", Fields: []flow.FieldError{{Field: "body", Message: why}}}
}

func checkMediaType(h http.Header) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return flow.Errorf(flow.CodeMediaType, "the body must be JSON: send the header Content-Type: application/json")
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return flow.Errorf(flow.CodeMediaType, "the body must not be compressed")
	}
	return nil
}

// checkKeys walks through valid JSON, and refuses keys that are given twice,
// because two readers may take different ones, and arrays and objects nested
// deeper than any request needs.
func checkKeys(b []byte) error {
	type level struct {
		keys map[string]bool // nil in an array
		key  bool            // the next token is a key
	}
	var open []level
	tokens := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // the JSON is valid, so only this is left
			return malformed("it has a number that is too large")
		}
		if d, ok := token.(json.Delim); ok {
			switch d {
			case '{':
				open = append(open, level{keys: map[string]bool{}, key: true})
				continue
			case '[':
				open = append(open, level{})
				continue
			}
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			continue
		}
		if len(open) > maxDepth {
			return malformed(fmt.Sprintf("it is nested more than %d deep", maxDepth))
		}
		in := &open[len(open)-1]
		if in.key {
			key, _ := token.(string)
			if in.keys[key] {
				return malformed(fmt.Sprintf("the key %.60q is given twice in one object", key))
			}
			in.keys[key] = true
		}
		in.key = in.keys != nil && !in.key
	}
}

func (o *object) fault(name, message string) {
	o.faults = append(o.faults, flow.FieldError{Field: name, Message: message})
}

// raw gives a field as it stands; nil where it is absent or null.
func (o *object) raw(name string) json.RawMessage {
	o.known = append(o.known, name)
	if v := o.values[name]; string(v) != "null" {
		return v
	}
	return nil
}

// text reads a text that may be left out, but not be empty: an empty one is
// most likely a variable that somebody forgot to set.
func (o *object) text(name string) string {
	v := o.raw(name)
	if v == nil {
		return ""
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		o.fault(name, "must be text")
	} else if strings.TrimSpace(s) == "" {
		o.fault(name, "is empty: give a value, or leave it out")
	}
	return s
}

// maxSeconds bounds durations: more than a hundred years are a mistake.
const maxSeconds = 100 * 365 * 24 * 60 * 60

// seconds reads a duration that must be there.
func (o *object) seconds(name string) int64 {
	v := o.raw(name)
	if v == nil {
		o.fault(name, "is required")
		return 0
	}
	var n int64
	if err := json.Unmarshal(v, &n); err != nil || n <= 0 || n > maxSeconds {
		o.fault(name, "must be whole seconds, such as 1800")
	}
	return n
}

// time reads a time in RFC 3339; nil where it is left out.
func (o *object) time(name string) *time.Time {
	v := o.raw(name)
	if v == nil {
		return nil
	}
	var s string
	_ = json.Unmarshal(v, &s) // what is no text is no time either
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.fault(name, "must be a time in RFC 3339, such as 2026-03-02T09:00:00Z")
		return nil
	}
	t = t.UTC()
	return &t
}

// boolean reads an optional true or false.
func (o *object) boolean(name string) bool {
	var v bool
	if raw := o.raw(name); raw != nil && json.Unmarshal(raw, &v) != nil {
		o.fault(name, "must be true or false")
	}
	return v
}

// number reads an optional whole number from 1 on; 0 where it is left out.
func (o *object) number(name string) int {
	v := o.raw(name)
	if v == nil {
		return 0
	}
	var n int
	if err := json.Unmarshal(v, &n); err != nil || n < 1 {
		o.fault(name, "must be a whole number from 1 on")
	}
	return n
}

// required reads a text that must be there.
func (o *object) required(name string) string {
	faults := len(o.faults)
	s := o.text(name)
	if s == "" && len(o.faults) == faults {
		o.fault(name, "is required")
	}
	return s
}

// texts reads a list of texts; nil where it is left out.
func (o *object) texts(name string) []string {
	v := o.raw(name)
	if v == nil {
		return nil
	}
	list := []string{}
	if err := json.Unmarshal(v, &list); err != nil {
		o.fault(name, "must be a list of texts")
	}
	return list
}

// object reads an object, empty where it is left out.
func (o *object) object(name string) map[string]any {
	m := map[string]any{}
	if v := o.raw(name); v != nil {
		if err := json.Unmarshal(v, &m); err != nil {
			o.fault(name, "must be an object")
		}
	}
	return m
}

// err returns all faults found, with a fault for each field that was not read.
func (o *object) err() error {
	for name := range o.values {
		if !slices.Contains(o.known, name) {
			o.fault(name, "is not a field of this request, which has "+cmp.Or(strings.Join(o.known, ", "), "none"))
		}
	}
	if len(o.faults) == 0 {
		return nil
	}
	slices.SortFunc(o.faults, func(a, b flow.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &flow.Error{Code: flow.CodeInvalid, Message: "the request is not right", Fields: o.faults}
}
