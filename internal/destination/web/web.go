// Package web sends audit records to vendors and servers over HTTP: a file each.
//
//	http.go     a server of yours, a record in each call, signed as strategies' calls are
//	segment.go  Segment's HTTP Tracking API
//	datadog.go  Datadog's intake of logs
//	splunk.go   Splunk's HTTP Event Collector
//
// Which addresses are called, whatever a name resolves to, is what package egress says.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what destinations send with. All is required.
type Deps struct {
	Egress  egress.Ways
	Secrets strategy.Secrets
	Now     func() time.Time
}

// client calls the server of an address for a destination.
func (d Deps) client(vendor string, of flow.LogDestination, to *url.URL) *vendorhttp.Client {
	return &vendorhttp.Client{Vendor: vendor, Base: to.Scheme + "://" + to.Host, HTTP: d.Egress.Of(of.ByAPI).HTTP, Now: d.Now}
}

// secret reads a secret that a setting names.
func (d Deps) secret(ctx context.Context, refs map[string]flow.SecretRef, setting string) (string, error) {
	ref, ok := refs[setting]
	if !ok {
		return "", flow.Errorf(flow.CodeStrategy, "%s names no secret: set it", setting)
	}
	value, err := d.Secrets.Value(ctx, ref)
	if flow.CodeOf(err) == flow.CodeUnavailable {
		return "", err // it says how to repair it
	}
	if err != nil {
		return "", &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("the secret %q could not be read", ref.Name), Cause: err}
	}
	if value == "" {
		return "", flow.Errorf(flow.CodeStrategy, "the secret %q is empty: give it a value", ref.Name)
	}
	return value, nil
}

// refused has the secret be read anew if what came of it was not accepted.
func (d Deps) refused(err error, ref flow.SecretRef) {
	if forgetter, ok := d.Secrets.(strategy.Forgetter); ok && (vendorhttp.StatusOf(err) == http.StatusUnauthorized || vendorhttp.StatusOf(err) == http.StatusForbidden) {
		forgetter.Forget(ref)
	}
}

// judged says of a call that failed whether that is for what was sent: 400, 413, 415 and 422.
func judged(err error) error {
	e, ok := errors.AsType[*flow.Error](err)
	if !ok || e.Code != flow.CodeStrategy {
		return err
	}
	said := *e
	switch vendorhttp.StatusOf(err) {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		said.Code = flow.CodeInvalid
	case http.StatusRequestEntityTooLarge:
		said.Code = flow.CodeTooLarge
	}
	return &said
}

// list writes JSON texts as a list.
func list(texts [][]byte) []byte {
	return append(append([]byte("["), bytes.Join(texts, []byte(","))...), ']')
}

// with puts members before those of a JSON object.
func with(members map[string]any, object []byte) ([]byte, error) {
	head, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	rest := bytes.TrimSpace(object)
	if len(rest) < 2 || rest[0] != '{' {
		return nil, errors.New("it is no JSON object")
	}
	if rest = rest[1:]; !bytes.Equal(rest, []byte("}")) {
		head = append(head[:len(head)-1], ',')
	} else {
		head = head[:len(head)-1]
	}
	return append(head, rest...), nil
}

// codeOf is the vendor's own code of an answer.
func codeOf(err error) string {
	if e, ok := errors.AsType[*vendorhttp.Error](err); ok {
		return e.Code
	}
	return ""
}
