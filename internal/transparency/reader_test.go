package transparency_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
)

// TestReader: whoever keeps an index only is given every record once, in order, and what
// was put there by somebody else is refused.
func TestReader(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := transparency.Reader{Files: l.folder, Public: []string{l.key.Public()}}
	if got, size, err := r.Read(t.Context(), 0, 10); got != nil || size != 0 || err != nil {
		t.Errorf("a log that was never written gives %v, %d, %v", got, size, err)
	}
	l.write(t, records(0, 300)...)
	l.write(t, record(7, 2))
	var at int64
	for {
		got, size, err := r.Read(t.Context(), at, 100)
		if err != nil || size != 301 || len(got) > 100 {
			t.Fatalf("%d records, %d, %v", len(got), size, err)
		}
		if len(got) == 0 {
			break
		}
		for _, e := range got {
			want := record(int(at), 1)
			if at == 300 {
				want = record(7, 2)
			}
			if e.Index != at || e.ID != want.ID || e.Rev != want.Meta.Revision || e.Admin || !bytes.HasPrefix(e.Text, []byte(`{"id":"`+want.ID)) {
				t.Fatalf("record %d is %d, %s.%d: %s", at, e.Index, e.ID, e.Rev, e.Text)
			}
			at++
		}
	}
	if at != 301 {
		t.Errorf("%d records were read", at)
	}
	name := "tile/entries/000"
	l.folder.files[name] = bytes.Replace(l.folder.files[name], []byte("ticket 9"), []byte("ticket 8"), 1)
	if got, _, err := r.Read(t.Context(), 0, 9); len(got) != 9 || err != nil {
		t.Errorf("those before what was altered: %d, %v", len(got), err)
	}
	if _, _, err := r.Read(t.Context(), 9, 1); flow.CodeOf(err) != flow.CodeTampered || !strings.Contains(flow.UserMessage(err), "not those of its 301 records") {
		t.Errorf("a record that was altered: %v", err)
	}
}
