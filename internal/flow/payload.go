package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// LambdaCall runs a customer's function at a step of an approval-only flow.
type LambdaCall struct {
	ARN string `json:"lambda_arn"`
	// Payload is what the function is called with. A text that is a reference
	// and nothing else is replaced by the value that it names, with its type:
	//
	//	fields.<name>     the request's field; null where it was left empty
	//	run.id, run.srn   the run
	//	event.id          the approval: the same each time that this call is repeated
	//	requester.email, requester.id, approver.email, approver.id
	//
	// Everything else is a constant. A constant text that looks like a
	// reference is written with a backslash in front, which is taken off:
	// \run.sh is the text run.sh.
	Payload map[string]any `json:"payload,omitempty"`
}

// referencePattern is what looks like a reference, whether there is such a
// value or not; the first group holds the backslashes of a constant.
var referencePattern = pattern.Of(`^(\\*)((?:fields|run|event|requester|approver)\.[A-Za-z0-9_-]+)$`)

// references are those that every run has a value for.
var references = []string{"run.id", "run.srn", "event.id", "requester.email", "requester.id", "approver.email", "approver.id"}

// Render gives the payload as JSON, with the values of the run, of the event
// that it is called for and of the approver in place of the references.
func (c *LambdaCall) Render(r *Run, eventID string, approver Actor) (json.RawMessage, error) {
	given := r.At(eventID)
	fields := given.GivenFields()
	values := map[string]any{
		"run.id": r.ID, "run.srn": r.SRN(),
		"requester.email": r.Requester.Email, "requester.id": r.Requester.ID,
		"event.id":       eventID,
		"approver.email": approver.Email, "approver.id": approver.ID,
	}
	payload, err := substitute(c.Payload, func(ref string) (any, error) {
		if name, ok := strings.CutPrefix(ref, "fields."); ok {
			return fields[name], nil
		}
		v, ok := values[ref]
		if !ok {
			return nil, Errorf(CodeInvalid, "the payload refers to %q, which a run does not have", ref)
		}
		return v, nil
	})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	return b, nil
}

// substitute copies v with its references replaced and its constants unescaped.
func substitute(v any, value func(ref string) (any, error)) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			var err error
			if out[k], err = substitute(item, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = substitute(item, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		switch m := referencePattern.FindStringSubmatch(v); {
		case m == nil:
			return v, nil
		case m[1] == "":
			return value(m[2])
		}
		return v[1:], nil
	}
	return v, nil
}

// checkReferences finds the references that no run of the flow can resolve.
func (c *LambdaCall) checkReferences(f *Flow, path string, fault func(path, format string, args ...any)) {
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], path+"."+k)
			}
		case []any:
			for i, item := range v {
				walk(item, fmt.Sprintf("%s[%d]", path, i))
			}
		case string:
			m := referencePattern.FindStringSubmatch(v)
			if m == nil || m[1] != "" {
				return
			}
			if slices.Contains(references, v) {
				return
			}
			if name, ok := strings.CutPrefix(m[2], "fields."); !ok {
				fault(path, `"%s" refers to nothing: there are fields.<name>, %s; for the text itself write \%[1]s`, v, strings.Join(references, ", "))
			} else if _, declared := f.Params.declared(name); !declared {
				fault(path, `"%s" refers to no field of this flow: add a prompt field %q, or write \%[1]s for the text itself`, v, name)
			}
		}
	}
	walk(c.Payload, path)
}
