package strategytest

import (
	"strings"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Secrets holds an implementation of [strategy.Secrets] to its contract. open
// makes one that has secrets of these values, by their paths.
func Secrets(t *testing.T, open func(t *testing.T, values map[string]string) strategy.Secrets) {
	const plain, object = "s3cret ✓ #1", `{"token":"s3cret-token","port":5432,"none":null,"inner":{"a":"s3cret-inner"}}`
	values := map[string]string{"/sym/plain": plain, "/sym/object": object}
	for _, test := range []struct {
		name, path, key string
		want            string
		refused         string // what the error speaks of; "": there is none
	}{
		{name: "Plain", path: "/sym/plain", want: plain},
		{name: "Object", path: "/sym/object", want: object},
		{name: "Key", path: "/sym/object", key: "token", want: "s3cret-token"},
		{name: "Number", path: "/sym/object", key: "port", want: "5432"},
		{name: "NoSuchKey", path: "/sym/object", key: "user", refused: "user"},
		{name: "KeyOfNoObject", path: "/sym/plain", key: "token", refused: "JSON object"},
		{name: "NoSuchSecret", path: "/sym/other", refused: "/sym/other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			secrets := open(t, values)
			var asking sync.WaitGroup
			for range 3 { // at once, and each gets the same
				asking.Go(func() {
					got, err := secrets.Value(t.Context(), flow.SecretRef{Name: "it", Path: test.path, JSONKey: test.key})
					if test.refused == "" {
						if err != nil || got != test.want {
							t.Errorf("got %q, %v; want %q", got, err, test.want)
						}
						return
					}
					if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(flow.UserMessage(err), test.refused) || got != "" {
						t.Errorf("got %q, %v of %s; want an error about %s", got, err, flow.CodeOf(err), test.refused)
					}
					if err != nil && strings.Contains(err.Error(), "s3cret") {
						t.Errorf("the error shows a value: %v", err)
					}
				})
			}
			asking.Wait()
		})
	}
}
