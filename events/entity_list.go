package events

import (
	"encoding/json"
	"time"
)

// EntityList is the answer of GET /entities/all: a part of what is configured, by files and
// by the API, in no order that matters.
type EntityList struct {
	Org      string   `json:"org"`
	Entities []Entity `json:"entities"`
	Next     string   `json:"next"` // what to ask for with ?after= to read on; "": this was all
}

// Entity is a piece of configuration, as a document of files says it: but with ids where
// that has names, and the text of Python where it has the path of a file.
type Entity struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	Type       string          `json:"type,omitempty"`
	Name       string          `json:"name,omitempty"`
	Owner      string          `json:"owner"`          // files or api
	File       string          `json:"file,omitempty"` // where files have it
	Attributes json.RawMessage `json:"attributes"`
	Digest     string          `json:"digest"` // of what it says
	// MovesUntil is until when it goes over to whoever the next publish of files says;
	// absent: it stays whose it is.
	MovesUntil time.Time `json:"moves_until,omitzero"`
}
