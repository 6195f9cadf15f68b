package main

import (
	"slices"
	"testing"

	"github.com/symflows/symflows/internal/store"
)

// The stream's readers are given the changes that one machine's are.
func TestStreamReaders_Followed(t *testing.T) {
	t.Parallel()
	for _, k := range store.Kinds() {
		read := slices.ContainsFunc(streamReaders, func(r streamReader) bool { return slices.Contains(append(r.kinds, r.acts...), k) })
		key := k.Key("x")
		if k.Single() {
			key = k.Key("")
		}
		if followed := store.Followed(key); followed != read {
			t.Errorf("%s: followed %t, read %t", k, followed, read)
		}
	}
}
