package events_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// roundTrip reads a sample into a T, which must know every one of its fields,
// and writes it again: nothing may be lost, added or changed.
func roundTrip[T any](t *testing.T, sample string) {
	t.Helper()
	b := readSample(t, sample)
	var v T
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	written, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	if diff := cmp.Diff(tree(t, b), tree(t, written)); diff != "" {
		t.Errorf("%s: -sample +written:\n%s", sample, diff)
	}
}

func readSample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tree(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
