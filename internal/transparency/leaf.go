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

// typeAdmin is the type of the records of administrative acts.
const typeAdmin = "admin"

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
func leafOf(r events.AuditRecord) (leaf, []file, error) {
	r.Log = nil
	return shortened(r.ID, r.Meta.Revision, r, partsOf)
}

// leafOfAct is leafOf of an administrative act, which has fields only.
func leafOfAct(r events.AdminRecord) (leaf, []file, error) {
	r.Log = nil
	return shortened(r.ID, r.Meta.Revision, r, func(r *events.AdminRecord, together bool) ([]part, error) {
		fields, err := partsOfFields(&r.Fields, together)
		return longestFirst(fields), err
	})
}

// shortened makes a leaf, and has parts of its record lie elsewhere if it is too long.
func shortened[Record any](id string, rev int64, r Record, partsOf func(r *Record, together bool) ([]part, error)) (l leaf, aside []file, err error) {
	l = leaf{id: id, rev: rev}
	encode := func(r Record) error {
		text, err := json.Marshal(r)
		l.text = bytes.ToValidUTF8(text, []byte("\ufffd")) // which an output need not be, and the store keeps no other
		return err
	}
	if err = encode(r); err != nil || len(l.text) <= longest {
		return l, nil, err
	}
	whole := len(l.text)
	for _, together := range []bool{false, true} {
		short := r
		parts, err := partsOf(&short, together)
		if err != nil {
			return l, nil, err
		}
		if aside, err = putAside(parts, whole-longest); err != nil {
			return l, nil, err
		}
		if err = encode(short); err != nil || len(l.text) <= longest {
			return l, aside, err
		}
	}
	return l, nil, flow.Errorf(flow.CodeTooLarge, "audit record %s has %d bytes, and too many of them outside of its fields and output: the transparency log takes %d", id, whole, longest)
}

// partsOf lists what may lie elsewhere, in the order in which it goes there. The
// record is changed through what it gives only.
func partsOf(r *events.AuditRecord, together bool) ([]part, error) {
	parts, err := partsOfFields(&r.Fields, together)
	if err != nil {
		return nil, err
	}
	r.State.Errors = slices.Clone(r.State.Errors)
	for i, e := range r.State.Errors {
		text, err := json.Marshal(e.Message)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{text, func(there json.RawMessage) { r.State.Errors[i].Message = string(there) }})
	}
	parts = longestFirst(parts)
	if len(r.Output) == 0 {
		return parts, nil
	}
	text, err := json.Marshal(r.Output)
	return append([]part{{text, func(there json.RawMessage) { r.Output = there }}}, parts...), err
}

// partsOfFields lists fields, each by itself or all together.
func partsOfFields(fields *map[string]any, together bool) (parts []part, err error) {
	all := maps.Clone(*fields)
	*fields = all
	add := func(v any, replace func(json.RawMessage)) {
		text, failed := json.Marshal(v)
		err = errors.Join(err, failed)
		parts = append(parts, part{text, replace})
	}
	if together {
		add(all, func(there json.RawMessage) { *fields = map[string]any{"all": there} })
		return parts, err
	}
	for name, v := range all {
		add(v, func(there json.RawMessage) { all[name] = there })
	}
	return parts, err
}

func longestFirst(parts []part) []part {
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), bytes.Compare(a.text, b.text))
	})
	return parts
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
