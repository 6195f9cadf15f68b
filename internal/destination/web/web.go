// Package web sends audit records to vendors and servers over HTTP: a file each.
//
//	http.go     a server of yours, a record in each call, signed as strategies' calls are
//	segment.go  Segment's HTTP Tracking API
//	datadog.go  Datadog's intake of logs
//	splunk.go   Splunk's HTTP Event Collector
//
// Redirects are not followed, and addresses that only this machine or its network knows
// by themselves (link-local ones, and loopback in AWS) are not called whatever a name
// resolves to: see [Guarded].
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what destinations send with. All is required.
type Deps struct {
	HTTP    *http.Client // one that is [Guarded], but in tests
	Secrets strategy.Secrets
	Now     func() time.Time
}

// Guarded is how destinations are connected to. Loopback says that servers of this machine
// may be.
func Guarded(loopback bool) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := to.Addr().Unmap()
		if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip.IsLoopback() && !loopback {
			return fmt.Errorf("the name leads to %s, which no record is sent to", ip)
		}
		return nil
	}}
	t.DialContext = dialer.DialContext
	return t
}

// client calls the server of an address.
func (d Deps) client(vendor string, to *url.URL) *vendorhttp.Client {
	return &vendorhttp.Client{Vendor: vendor, Base: to.Scheme + "://" + to.Host, HTTP: d.HTTP, Now: d.Now}
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
