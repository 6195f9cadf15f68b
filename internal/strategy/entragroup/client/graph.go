package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// v1 makes a path of Microsoft Graph.
func v1(parts ...string) string { return "/v1.0" + vendorhttp.Path(parts...) }

func selecting(fields string) url.Values { return url.Values{"$select": {fields}} }

// notFound tells whether something that a call speaks of is not there.
func notFound(err error) bool { return vendorhttp.Missing(err) }

// said gives what Graph answered in place of what was asked for; nil if it did not.
func said(err error) *vendorhttp.Error {
	e, _ := errors.AsType[*vendorhttp.Error](err)
	return e
}

// hasCode tells whether Graph answered with one of some codes.
func hasCode(err error, codes ...string) bool {
	e := said(err)
	return e != nil && slices.Contains(codes, e.Code)
}

// maxPages ends a list that never ends.
const maxPages = 10_000

// all reads a list, page by page, as each gives the address of the next. Queries that
// count are answered from an index, which Graph wants to be told that we know.
func all[T any](ctx context.Context, c *vendorhttp.Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		r := vendorhttp.Request{Method: "GET", Path: path, Query: query}
		if query.Has("$count") {
			r.Header = http.Header{"ConsistencyLevel": {"eventual"}}
		}
		var none T
		for range maxPages {
			var page struct {
				Value []T    `json:"value"`
				Next  string `json:"@odata.nextLink"`
			}
			got, err := c.Send(ctx, r)
			if err == nil {
				err = c.Decode(got, &page)
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, one := range page.Value {
				if !yield(one, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			r.Path, r.Query = page.Next, nil
		}
		yield(none, flow.Errorf(flow.CodeStrategy, "Microsoft Graph has a list of more than %d pages, which is not read", maxPages))
	}
}
