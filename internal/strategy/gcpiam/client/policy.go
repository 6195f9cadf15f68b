package client

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

const (
	// version is that of policies with conditions. Asked for less, Google leaves them
	// out; and takes them away, where less is written.
	version = 3
	// maxPrincipals is how often a policy may name somebody, at most:
	// https://cloud.google.com/iam/quotas#limits
	maxPrincipals = 1500
	// title is what those of our conditions begin with.
	title = "sym-"
	// leftover is how long after its end a binding is taken away that is still there:
	// clocks differ.
	leftover = 5 * time.Minute
)

// never is the end of what has none: a condition is what makes a binding ours.
var never = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// policy is a project's. What it has besides bindings is kept as it came.
type policy struct {
	rest     map[string]json.RawMessage
	bindings []binding
}

// binding is a role of some, in a policy.
type binding struct {
	raw       json.RawMessage // as it came; nil for one that we have changed
	Role      string          `json:"role"`
	Members   []string        `json:"members"`
	Condition *condition      `json:"condition,omitempty"`
}

type condition struct {
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Expression  string `json:"expression"`
}

// read takes a policy apart. The error has flow.CodeUnavailable if it is none that
// may be written again: without its etag it would overwrite what others change.
func read(text json.RawMessage) (policy, error) {
	broken := func(what string) (policy, error) {
		return policy{}, flow.Errorf(flow.CodeUnavailable, "Google has answered with a policy %s: nothing is changed", what)
	}
	var p policy
	if json.Unmarshal(text, &p.rest) != nil {
		return broken("that can't be read")
	}
	var etag string
	if json.Unmarshal(p.rest["etag"], &etag) != nil || etag == "" {
		return broken("without an etag")
	}
	var raw []json.RawMessage
	if list, there := p.rest["bindings"]; there && json.Unmarshal(list, &raw) != nil {
		return broken("whose bindings can't be read")
	}
	for _, one := range raw {
		b := binding{raw: one}
		if json.Unmarshal(one, &b) != nil {
			return broken("whose bindings can't be read")
		}
		p.bindings = append(p.bindings, b)
	}
	return p, nil
}

// written is the request that sets the policy.
func (p policy) written() ([]byte, error) {
	bindings := []any{}
	for _, b := range p.bindings {
		if b.raw != nil {
			bindings = append(bindings, b.raw)
		} else {
			bindings = append(bindings, b)
		}
	}
	whole := map[string]any{}
	for name, value := range p.rest {
		whole[name] = value
	}
	whole["bindings"], whole["version"] = bindings, version
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(map[string]any{"policy": whole})
	return text.Bytes(), err
}

var onTime = pattern.Of(`^request\.time < timestamp\(['"]([^'"]+)['"]\)$`)

// until tells whether a binding is ours, and when it ends.
func (b binding) until() (end time.Time, ours bool) {
	if b.Condition == nil || !strings.HasPrefix(b.Condition.Title, title) {
		return time.Time{}, false
	}
	m := onTime.FindStringSubmatch(b.Condition.Expression)
	if m == nil {
		return time.Time{}, false
	}
	end, err := time.Parse(time.RFC3339, m[1])
	return end, err == nil
}

// names tells whether a binding names somebody, and whether as one who is gone:
// Google writes deleted accounts as deleted:user:alice@example.com?uid=123.
func (b binding) names(person string) (is, deleted bool) {
	for _, m := range b.Members {
		account, _, _ := strings.Cut(strings.TrimPrefix(m, "deleted:"), "?uid=")
		if strings.EqualFold(account, "user:"+person) {
			return true, account != m
		}
	}
	return false, false
}

// without is the binding without somebody.
func (b binding) without(person string) binding {
	b.raw = nil
	b.Members = slices.DeleteFunc(slices.Clone(b.Members), func(m string) bool {
		is, _ := binding{Members: []string{m}}.names(person)
		return is
	})
	return b
}

// held is what somebody has of a role.
type held struct {
	ours   bool
	until  time.Time // of ours; zero: never
	direct bool      // without a condition
	others []string  // titles of conditions of others
	gone   bool      // the account is deleted
}

// holds looks for what somebody has of a role at a time.
func (p policy) holds(role, person string, now time.Time) held {
	var h held
	for _, b := range p.bindings {
		is, deleted := b.names(person)
		if b.Role != role || !is {
			continue
		}
		if h.gone = h.gone || deleted; deleted {
			continue
		}
		end, ours := b.until()
		switch {
		case ours && end.After(now):
			if h.ours = true; end.After(h.until) {
				h.until = end
			}
		case ours: // over
		case b.Condition == nil:
			h.direct = true
		default:
			h.others = append(h.others, b.Condition.Title)
		}
	}
	if !h.until.Before(never) {
		h.until = time.Time{}
	}
	return h
}

// remove takes what is ours of a role from somebody, and tells whether there was any.
func (p *policy) remove(role, person string) bool {
	removed := false
	var kept []binding
	for _, b := range p.bindings {
		_, ours := b.until()
		if is, _ := b.names(person); b.Role == role && ours && is {
			removed = true
			if b = b.without(person); len(b.Members) == 0 {
				continue
			}
		}
		kept = append(kept, b)
	}
	p.bindings = kept
	return removed
}

// prune takes away what is ours and over, whosever it was, and tells whether there was
// any: it gives nothing, and counts towards Google's limits.
func (p *policy) prune(now time.Time) bool {
	before := len(p.bindings)
	p.bindings = slices.DeleteFunc(p.bindings, func(b binding) bool {
		end, ours := b.until()
		return ours && end.Add(leftover).Before(now)
	})
	return len(p.bindings) < before
}

// add gives somebody a role until a time; zero: for good.
func (p *policy) add(role, person, runID string, until time.Time) {
	if until.IsZero() {
		until = never
	}
	p.bindings = append(p.bindings, binding{Role: role, Members: []string{"user:" + person}, Condition: &condition{
		Title: title + runID, Description: "Given by Sym Flows for request " + runID,
		Expression: "request.time < timestamp('" + until.UTC().Format(time.RFC3339) + "')",
	}})
}

// principals counts whom the policy names, each as often as it does.
func (p policy) principals() int {
	n := 0
	for _, b := range p.bindings {
		n += len(b.Members)
	}
	return n
}
