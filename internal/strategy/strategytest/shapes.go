package strategytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Shapes are a vendor's operations as its own description has them. A [Front] that
// has some holds all calls and answers to them, so that neither a strategy nor its
// fake makes up what the vendor does not have.
type Shapes struct {
	Operations []Operation
	// Errors are the fields of answers of a status other than 2xx.
	Errors string
	// Anywhere are the statuses that all operations may have, besides their own.
	Anywhere []int
}

// Operation is one thing that a vendor can be asked. Fields are named with those
// that they are in, as in "scope.id", whatever lists are between; "scope.*" are all
// that are in one. Names stand with spaces between them.
type Operation struct {
	Call       string // "POST /v1/groups/{}:add-members"; {} stands for an id
	Parameters string // of the query
	Body       string // the fields of what is sent, as JSON or as a form
	Answer     string // the fields of what is answered with 2xx
	Statuses   []int  // that the description has; nil: it does not say
}

// held says what of a call and its answer the description does not have.
func (s *Shapes) held(r *http.Request, sent []byte, status int, answered []byte) []string {
	call := r.Method + " " + r.URL.Path
	i := slices.IndexFunc(s.Operations, func(o Operation) bool { return matches(o.Call, call) })
	if i < 0 {
		return []string{call + ": there is no such operation"}
	}
	o := s.Operations[i]
	var wrong []string
	expect := func(what, allowed string, names []string) {
		for _, name := range names {
			if !allows(strings.Fields(allowed), name) {
				wrong = append(wrong, fmt.Sprintf("%s: %s has %q, which the description does not have", o.Call, what, name))
			}
		}
	}
	var parameters []string
	for name := range r.URL.Query() {
		parameters = append(parameters, name)
	}
	expect("the query", o.Parameters, parameters)
	if form, err := url.ParseQuery(string(sent)); err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		for name := range form {
			expect("the form", o.Body, []string{name})
		}
	} else {
		expect("the body", o.Body, fields(sent))
	}
	if status < 200 || status > 299 {
		expect(fmt.Sprintf("the answer of status %d", status), s.Errors, fields(answered))
	} else {
		expect("the answer", o.Answer, fields(answered))
	}
	if o.Statuses != nil && !slices.Contains(o.Statuses, status) && !slices.Contains(s.Anywhere, status) {
		wrong = append(wrong, fmt.Sprintf("%s: status %d is not in the description", o.Call, status))
	}
	return wrong
}

// hold has the test fail for what is not held.
func (s *Shapes) hold(t testing.TB, r *http.Request, sent []byte, status int, answered []byte) {
	for _, w := range s.held(r, sent, status, answered) {
		t.Errorf("%s", w)
	}
}

// matches tells whether a call is one of an operation's.
func matches(operation, call string) bool {
	for operation != "" {
		before, after, found := strings.Cut(operation, "{}")
		rest, ok := strings.CutPrefix(call, before)
		if !ok {
			return false
		}
		if !found {
			return rest == ""
		}
		id := strings.IndexAny(rest, "/:")
		if id < 0 {
			id = len(rest)
		}
		if id == 0 {
			return false
		}
		operation, call = after, rest[id:]
	}
	return call == ""
}

// In gives names of fields as those of what is in another: In("items", "id name") is
// "items.id items.name".
func In(outer, names string) string {
	var all []string
	for _, name := range strings.Fields(names) {
		all = append(all, outer+"."+name)
	}
	return strings.Join(all, " ")
}

// allows tells whether a field is among those that are named, or in one of which all
// fields are.
func allows(named []string, field string) bool {
	return slices.ContainsFunc(named, func(n string) bool {
		in, all := strings.CutSuffix(n, ".*")
		return n == field || all && (field == in || strings.HasPrefix(field, in+".")) || strings.HasPrefix(n, field+".")
	})
}

// fields lists the fields of a JSON text, with those that they are in.
func fields(text []byte) []string {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return nil
	}
	var names []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(at, item)
			}
		case map[string]any:
			for name, inner := range v {
				name = strings.TrimPrefix(at+"."+name, ".")
				names = append(names, name)
				walk(name, inner)
			}
		}
	}
	walk("", value)
	slices.Sort(names)
	return slices.Compact(names)
}
