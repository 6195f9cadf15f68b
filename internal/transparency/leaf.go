package transparency

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// longest is how many bytes a leaf has at most. The format takes a few more.
const longest = 60_000

// Elsewhere stands in a record where something was too long for the log, which has
// its hash instead.
type Elsewhere struct {
	SHA256 string `json:"sha256"` // of the JSON text, in hexadecimal
	Bytes  int    `json:"bytes"`
	Kept   string `json:"kept"` // the log's file that has the JSON text
}

// part is something of a record that may lie elsewhere.
type part struct {
	text    []byte // JSON
	replace func(there json.RawMessage)
}

// leafOf gives the leaf of a record, and the files that have what is too long for it:
// the output first, then the longest of the fields and of the errors' texts. If there
// are too many fields, all of them lie elsewhere together.
func leafOf(r events.AuditRecord) (leaf []byte, aside []file, err error) {
	r.Log = nil
	if leaf, err = json.Marshal(r); err != nil || len(leaf) <= longest {
		return leaf, nil, err
	}
	for _, together := range []bool{false, true} {
		short := r
		parts, err := partsOf(&short, together)
		if err != nil {
			return nil, nil, err
		}
		if aside, err = putAside(parts, len(leaf)-longest); err != nil {
			return nil, nil, err
		}
		if leaf, err := json.Marshal(short); err != nil || len(leaf) <= longest {
			return leaf, aside, err
		}
	}
	return nil, nil, flow.Errorf(flow.CodeTooLarge, "audit record %s has %d bytes, and too many of them outside of its fields and output: the transparency log takes %d", r.ID, len(leaf), longest)
}

// partsOf lists what may lie elsewhere, in the order in which it goes there. The
// record is changed through what it gives only.
func partsOf(r *events.AuditRecord, together bool) (parts []part, err error) {
	add := func(v any, replace func(json.RawMessage)) {
		text, failed := json.Marshal(v)
		err = errors.Join(err, failed)
		parts = append(parts, part{text, replace})
	}
	r.Fields, r.State.Errors = maps.Clone(r.Fields), slices.Clone(r.State.Errors)
	if together {
		add(r.Fields, func(there json.RawMessage) { r.Fields = map[string]any{"all": there} })
	} else {
		for name, v := range r.Fields {
			add(v, func(there json.RawMessage) { r.Fields[name] = there })
		}
	}
	for i, e := range r.State.Errors {
		add(e.Message, func(there json.RawMessage) { r.State.Errors[i].Message = string(there) })
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), bytes.Compare(a.text, b.text))
	})
	if len(r.Output) > 0 {
		add(r.Output, func(there json.RawMessage) { r.Output = there })
		last := len(parts) - 1
		parts = append([]part{parts[last]}, parts[:last]...)
	}
	return parts, err
}

// instead is about how many bytes stand for what lies elsewhere.
const instead = 250

// putAside has parts lie elsewhere until the record is shorter by so many bytes.
func putAside(parts []part, over int) (aside []file, err error) {
	for _, p := range parts {
		if over <= 0 {
			break
		}
		if len(p.text) <= instead {
			continue
		}
		sum := sha256.Sum256(p.text)
		name := hex.EncodeToString(sum[:])
		f := file{valuesDir + "/" + name, p.text}
		there, err := json.Marshal(Elsewhere{SHA256: name, Bytes: len(p.text), Kept: f.name})
		if err != nil {
			return nil, err
		}
		p.replace(there)
		aside, over = append(aside, f), over-len(p.text)+instead
	}
	return aside, nil
}

// Line is a leaf with its place, as it goes on to readers of records.
func Line(leaf []byte, index int64) []byte {
	return fmt.Appendf(slices.Clip(leaf[:len(leaf)-1]), `%s{"index":%d,"leaf_hash":"%s"}}`, logMember, index, tlog.RecordHash(leaf))
}

// logMember begins the last member of a line.
const logMember = `,"log":`

// OfLine takes a line apart, and tells its place: false if the line has none.
func OfLine(line []byte) (leaf []byte, place events.AuditLogPlace, ok bool) {
	line = bytes.TrimRight(line, "\r\n")
	i := bytes.LastIndex(line, []byte(logMember+`{"index":`))
	if i < 0 || !bytes.HasSuffix(line, []byte("}}")) {
		return nil, place, false
	}
	d := json.NewDecoder(bytes.NewReader(line[i+len(logMember) : len(line)-1]))
	d.DisallowUnknownFields()
	if d.Decode(&place) != nil || d.InputOffset() != int64(len(line)-1-i-len(logMember)) {
		return nil, place, false
	}
	if h, err := base64.StdEncoding.DecodeString(place.LeafHash); err != nil || len(h) != tlog.HashSize {
		return nil, place, false
	}
	return append(slices.Clip(line[:i]), '}'), place, true
}
