package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// policy is the policy file of a tailnet: JSON with comments, which are kept.
type policy struct {
	file hujson.Value
	etag string // of what was read
}

const (
	hujsonType = "application/hujson"
	// tries is how often a file is changed that others change at the same time.
	tries = 3
)

// policy reads the file.
func (g group) policy(ctx context.Context) (policy, error) {
	got, err := g.http.Send(ctx, vendorhttp.Request{Method: http.MethodGet, Path: g.at("acl"), Header: http.Header{"Accept": {hujsonType}}})
	if err != nil {
		return policy{}, err
	}
	file, err := hujson.Parse(got.Body)
	if err != nil {
		return policy{}, &flow.Error{Code: flow.CodeUnavailable, Message: "the policy file of the tailnet " + g.integration.ExternalID + " can't be read: it is no HuJSON", Cause: fmt.Errorf("%d bytes", len(got.Body))}
	}
	return policy{file, strings.Trim(strings.TrimPrefix(got.Header.Get("ETag"), "W/"), `"`)}, nil
}

// list is the array of a group's members; nil if the file has no such group.
func (p policy) list(group string) *hujson.Array {
	v := p.file.Find("/groups/" + pointer.Replace(group))
	if v == nil {
		return nil
	}
	a, _ := v.Value.(*hujson.Array)
	return a
}

// pointer escapes a part of a JSON pointer.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// members are those of a group, as the file has them: people and groups.
func (p policy) members(group string) []string {
	list := p.list(group)
	if list == nil {
		return nil
	}
	var out []string
	for _, e := range list.Elements {
		if l, ok := e.Value.(hujson.Literal); ok && l.Kind() == '"' {
			out = append(out, l.String())
		}
	}
	return out
}

// has tells whether somebody stands in a group.
func (p policy) has(group, login string) bool {
	return slices.ContainsFunc(p.members(group), func(m string) bool { return strings.EqualFold(m, login) })
}

// through are the groups inside of a group by which somebody is in it, too.
func (p policy) through(group, login string) []string {
	var out []string
	seen := map[string]bool{group: true}
	for next := []string{group}; len(next) > 0; next = next[1:] {
		for _, m := range p.members(next[0]) {
			if !strings.HasPrefix(m, "group:") || seen[m] {
				continue
			}
			seen[m], next = true, append(next, m)
			if p.has(m, login) {
				out = append(out, m)
			}
		}
	}
	return out
}

// add puts somebody at the end of a group, on a line of their own if the last one is.
func (p *policy) add(group, login string) error {
	indent := []byte{}
	if list := p.list(group).Elements; len(list) > 0 {
		if indent = lastLine(list[len(list)-1].BeforeExtra); indent == nil {
			indent = []byte(" ")
		}
	}
	if err := p.patch("add", group, "-", login); err != nil {
		return err
	}
	list := p.list(group).Elements
	added := &list[len(list)-1]
	// A comment behind the one before it has come here, with the end of its line.
	added.BeforeExtra = append(bytes.TrimRight(added.BeforeExtra, " \t\r\n"), indent...)
	return nil
}

// remove takes somebody out of a group, however often they stand there.
func (p *policy) remove(group, login string) error {
	for {
		list := p.list(group)
		i := slices.IndexFunc(list.Elements, func(e hujson.Value) bool {
			l, ok := e.Value.(hujson.Literal)
			return ok && l.Kind() == '"' && strings.EqualFold(l.String(), login)
		})
		if i < 0 {
			return nil
		}
		indent := lastLine(list.AfterExtra)
		if err := p.patch("remove", group, fmt.Sprint(i), nil); err != nil {
			return err
		}
		if list = p.list(group); indent != nil && len(list.Elements) > 0 {
			list.AfterExtra = append(bytes.TrimRight(list.AfterExtra, " \t\r\n"), indent...)
		}
	}
}

// lastLine is the end of what stands between two values, from its last line break
// on; nil if it has none.
func lastLine(between hujson.Extra) []byte {
	if i := bytes.LastIndexByte(between, '\n'); i >= 0 {
		return slices.Clone([]byte(between[i:]))
	}
	return nil
}

func (p *policy) patch(op, group, index string, value any) error {
	patch, err := json.Marshal([]map[string]any{{"op": op, "path": "/groups/" + pointer.Replace(group) + "/" + index, "value": value}})
	if err != nil {
		return err
	}
	return p.file.Patch(patch)
}

// change reads the file, has it edited, tries it, and puts it in the place of what
// was read; whatever others change meanwhile is read again, and kept. edit tells
// whether it has changed anything.
func (g group) change(ctx context.Context, edit func(*policy) (bool, error)) error {
	for try := 1; ; try++ {
		p, err := g.policy(ctx)
		if err != nil {
			return err
		}
		if changed, err := edit(&p); err != nil || !changed {
			return err
		}
		if p.etag == "" {
			return flow.Errorf(flow.CodeStrategy, "Tailscale does not say which version of the policy file it has given, so that a change could undo what others change")
		}
		file := p.file.Pack()
		if err := g.try(ctx, file); err != nil {
			return err
		}
		_, err = g.http.Send(ctx, vendorhttp.Request{
			Method: http.MethodPost, Path: g.at("acl"), Body: file,
			Header: http.Header{"Content-Type": {hujsonType}, "Accept": {hujsonType}, "If-Match": {`"` + p.etag + `"`}},
		})
		if vendorhttp.StatusOf(err) != http.StatusPreconditionFailed || try == tries {
			return err
		}
	}
}

// verdict is what Tailscale says of a policy file.
type verdict struct {
	Message string `json:"message"`
	Data    []struct {
		User     string   `json:"user"`
		Errors   []string `json:"errors"`
		Warnings []string `json:"warnings"`
	} `json:"data"`
}

// fault is what is wrong with the file; "" if nothing is. Warnings were there before.
func (v verdict) fault() string {
	var all []string
	warned := len(v.Data) > 0
	for _, d := range v.Data {
		for _, e := range d.Errors {
			all = append(all, d.User+": "+e)
		}
		warned = warned && len(d.Errors) == 0 && len(d.Warnings) > 0
	}
	if v.Message == "" || warned {
		return ""
	}
	return flow.Clip(strings.TrimSuffix(v.Message+": "+strings.Join(all, "; "), ": "), 300)
}

// try has Tailscale check a file, and run the tests that are in it, without taking
// it.
func (g group) try(ctx context.Context, file []byte) error {
	got, err := g.http.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: g.at("acl", "validate"), Body: file, Reads: true, Header: http.Header{"Content-Type": {hujsonType}},
	})
	if err != nil || len(bytes.TrimSpace(got.Body)) == 0 {
		return err
	}
	var said verdict
	if err := g.http.Decode(got, &said); err != nil {
		return err
	}
	if fault := said.fault(); fault != "" {
		return flow.Errorf(flow.CodeStrategy, "the policy file of the tailnet %s would not hold with this change, so that it was not made: correct the file, or its tests. Tailscale says: %s", g.integration.ExternalID, fault)
	}
	return nil
}
