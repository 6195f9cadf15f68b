package vendorhttp

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// maxPages ends a list that a vendor never ends.
const maxPages = 10_000

// Pages reads a list page by page, each decoded into a T, as long as the answer has
// a Link header for the next (RFC 8288). It ends with the first error, which is one
// of [Client.Send].
func Pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		r := Request{Method: http.MethodGet, Path: path, Query: query}
		for range maxPages {
			var page T
			got, err := c.Send(ctx, r)
			if err == nil {
				err = c.Decode(got, &page)
			}
			if !yield(page, err) || err != nil {
				return
			}
			next := Next(got.Header)
			if next == "" {
				return
			}
			r = Request{Method: http.MethodGet, Path: next}
		}
		var none T
		yield(none, flow.Errorf(flow.CodeStrategy, "%s has a list of more than %d pages, which is not read", c.Vendor, maxPages))
	}
}

// Next gives the address of the next page from Link headers; "" if there is none.
func Next(h http.Header) string {
	for _, line := range h.Values("Link") {
		for line != "" {
			_, rest, found := strings.Cut(line, "<")
			address, rest, closed := strings.Cut(rest, ">")
			if !found || !closed {
				break
			}
			parameters, after, _ := strings.Cut(rest, ",")
			for p := range strings.SplitSeq(parameters, ";") {
				name, value, _ := strings.Cut(p, "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") && hasWord(strings.Trim(strings.TrimSpace(value), `"`), "next") {
					return address
				}
			}
			line = after
		}
	}
	return ""
}

func hasWord(text, word string) bool {
	for w := range strings.FieldsSeq(text) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
