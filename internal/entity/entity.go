package entity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Owner is where an entity is written: nobody else may change it.
type Owner string

// The owners.
const (
	Files Owner = "files" // documents of the folder that is published
	API   Owner = "api"
)

// Entity is a piece of configuration.
type Entity struct {
	ID   string `json:"id"` // UUID
	Kind Kind   `json:"kind"`
	Type string `json:"type,omitempty"` // "" where the kind has none
	// Name is as it was written. Letters of either case are alike. "" for the flows
	// filter.
	Name  string `json:"name,omitempty"`
	Owner Owner  `json:"owner"`
	// File is where an entity of the files is written, such as flows.yaml:12.
	File string `json:"file,omitempty"`
	// Attributes are an object: those of the YAML document but kind, name and type.
	// References are ids, sources are texts. What is empty, and means the same as if
	// it were not there, is not there. Keys are in order, so that the same attributes
	// are the same text.
	Attributes json.RawMessage `json:"attributes,omitempty"`
	Created    time.Time       `json:"created"` // or when it came back
	// Named is when it took its name: of several of one kind and name, the one that
	// took it last is meant.
	Named   time.Time `json:"named"`
	Changed time.Time `json:"changed"`
	// Dead is since when it is gone; zero: it is alive. What is dead has no
	// attributes.
	Dead time.Time `json:"dead,omitzero"`
	// Moving says that it changes hands; zero: it stays whose it is.
	Moving Moving `json:"moving,omitzero"`
	// Request is the id of the request that wrote it last; "" if there was none.
	Request string `json:"request,omitempty"`
	Rev     int64  `json:"-"` // in the store
}

// Moving says that an entity goes over to whoever the next publish of files says: it is
// theirs if they have a document of its name, and else the configuration API's. It is
// about what the entity says: whoever changes that takes it back.
type Moving struct {
	Until time.Time `json:"until"`
	As    string    `json:"as,omitempty"` // the name of the document, if not the entity's own
}

// Moves tells whether the entity is changing hands at a time.
func (e Entity) Moves(now time.Time) bool { return now.Before(e.Moving.Until) }

// Alive tells whether the entity is there.
func (e Entity) Alive() bool { return e.Dead.IsZero() }

// Is tells whether the entity has a name, letters of either case being alike.
func (e Entity) Is(name string) bool { return strings.EqualFold(e.Name, name) }

// Same tells whether two states of an entity say the same.
func (e Entity) Same(other Entity) bool {
	return e.Kind == other.Kind && e.Type == other.Type && e.Name == other.Name && e.Owner == other.Owner && e.File == other.File &&
		e.Alive() == other.Alive() && bytes.Equal(e.Attributes, other.Attributes)
}

// Says tells whether two states of an entity say the same, whoever has them, and however
// much of what is so anyway is written out.
func (e Entity) Says(other Entity) bool {
	e.ID = other.ID
	return e.Kind == other.Kind && e.Name == other.Name && bytes.Equal(e.Wire(), other.Wire())
}

// Digest tells what entities say apart, for records and for whoever goes by what was
// said before; "" of what is dead.
func (e Entity) Digest() string {
	if len(e.Attributes) == 0 {
		return ""
	}
	sum := sha256.Sum256(append([]byte(e.Type+"\n"+e.Name+"\n"), e.Attributes...))
	return hex.EncodeToString(sum[:])
}

// values are attributes in memory. Numbers are json.Number, so that they stay as
// they were written.
type values map[string]any

// values reads the attributes.
func (e Entity) values() values {
	v, err := decode(e.Attributes)
	if err != nil {
		return values{} // what is dead has none
	}
	return v
}

func decode(text []byte) (values, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v values
	err := d.Decode(&v)
	return v, err
}

// encode writes attributes, the keys in order. HTML's letters are not written with
// escapes, so that sources stay as long as they are.
func encode(v values) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any(v)); err != nil {
		panic(err) // it was JSON
	}
	return bytes.TrimSpace(b.Bytes())
}

// Document gives what a YAML document of the entity says, but for its kind and name: the
// attributes with the type.
func (e Entity) Document() json.RawMessage {
	v := e.values()
	if e.Type != "" {
		v["type"] = e.Type
	}
	return encode(v)
}

// Fault is what is wrong with one attribute.
type Fault struct {
	Attribute string // such as params.prompt_fields[1].name
	Message   string
}
