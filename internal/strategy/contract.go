package strategy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// What follows is Sym's contract with customers' code that grants access, be
// it a Lambda function (aws_lambda) or a server (http). The code is called
// with the step's audit record, once to escalate and once to deescalate, and
// answers {"body": {…}, "errors": ["…"]}. It can't be read back.

// counted is the setting, of a strategy or of a target, that makes runs share a
// grant. Code that tells runs apart by their ids must not share, because it
// hears of the first run's grant and of the last one's removal only.
const counted = "counted"

// Counted is the setting by which code says that its grants are shared.
func Counted() Setting {
	return Setting{
		Name: counted, About: `"true": all runs of a person share one grant; "false" unless set`,
		Check: func(value string) error {
			if value == "true" || value == "false" {
				return nil
			}
			return flow.Errorf(flow.CodeInvalid, `must be "true" or "false": true where the code behind it grants the same thing to all runs of a person`)
		},
	}
}

// ContractEntitlements is what a target means, one entitlement, whose code lives at destination
// (an ARN, a URL). Every setting of the target may change what the code does,
// so all of them tell entitlements apart. A target's own setting
// "counted" wins over the strategy's.
func ContractEntitlements(s flow.Strategy, destination string, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	if identity == "" {
		return nil, flow.Errorf(flow.CodeIdentity, "nobody to grant %s to: the requester has no identity", target.Title())
	}
	shared := s.Settings[counted]
	if own := target.Settings[counted]; own != "" {
		shared = own
	}
	what, err := json.Marshal(struct {
		Destination string
		Settings    map[string]string
	}{destination, target.Settings})
	if err != nil {
		return nil, fmt.Errorf("encode the target's settings: %w", err)
	}
	digest := sha256.Sum256(what)
	key := []string{s.Type, target.Name, hex.EncodeToString(digest[:8]), identity}
	if shared != "true" {
		key = append(key, runID)
	}
	return []flow.Entitlement{{Key: strings.Join(key, "/")}}, nil
}

// Limits of what people are shown of an answer's errors. A run keeps no more
// than 2,000 characters of a failure.
const (
	maxErrors    = 10
	maxErrorText = 300 // characters
)

// ReadAnswer reads what the code that is called "who" answered. Errors in it
// make one of flow.CodeStrategy, a line each. An answer of another shape is a
// success, as it is for Sym, with a warning that says what is expected; but
// whatever stands under "errors" and is not empty counts as an error. The
// output that is kept has a body and errors, whatever came.
func ReadAnswer(who string, answer []byte) (Result, error) {
	var got struct {
		Body   json.RawMessage `json:"body"`
		Errors json.RawMessage `json:"errors"`
	}
	var odd []string
	if kind(answer) != "an object" || json.Unmarshal(answer, &got) != nil {
		odd = append(odd, "the answer is "+kind(answer))
	} else {
		if k := kind(got.Body); k != "an object" {
			odd = append(odd, "body is "+k)
		}
		if k := kind(got.Errors); k != "a list" {
			odd = append(odd, "errors is "+k)
		}
	}
	if said := errorsIn(got.Errors); len(said) > 0 {
		return Result{}, flow.Errorf(flow.CodeStrategy, "%s reported:\n• %s", who, strings.Join(said, "\n• "))
	}
	if len(got.Body) == 0 {
		got.Body = json.RawMessage("null")
	}
	output, err := json.Marshal(events.StrategyResponse{Body: got.Body, Errors: []string{}})
	if err != nil {
		return Result{}, fmt.Errorf("keep the answer of %s: %w", who, err)
	}
	result := Result{Output: output}
	if len(odd) > 0 {
		result.Warnings = []string{fmt.Sprintf(`%s did not answer in the shape {"body": {…}, "errors": ["…"]}: %s. It counts as a success.`, who, strings.Join(odd, ", "))}
	}
	return result, nil
}

// kind names the kind of a JSON value, for people.
func kind(v []byte) string {
	v = bytes.TrimSpace(v)
	switch {
	case len(v) == 0:
		return "missing"
	case !json.Valid(v):
		return "no JSON"
	case v[0] == '{':
		return "an object"
	case v[0] == '[':
		return "a list"
	case v[0] == '"':
		return "a text"
	case string(v) == "null":
		return "null"
	}
	return "a number or truth value"
}

// errorsIn lists what an answer has under "errors", texts as they are and
// everything else as JSON.
func errorsIn(v json.RawMessage) []string {
	var list []json.RawMessage
	switch kind(v) {
	case "missing", "null":
		return nil
	case "a list":
		if json.Unmarshal(v, &list) != nil {
			return nil // can't be: it is a list
		}
	default:
		list = []json.RawMessage{v}
	}
	var said []string
	for i, item := range list {
		if i == maxErrors {
			return append(said, fmt.Sprintf("and %d more", len(list)-i))
		}
		var text string
		if json.Unmarshal(item, &text) != nil {
			text = string(item)
		}
		if text = strings.TrimSpace(text); text != "" && text != "{}" && text != "false" {
			said = append(said, flow.Clip(text, maxErrorText))
		}
	}
	return said
}
