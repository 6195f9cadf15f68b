package events

import "time"

// BrokenList is the answer of GET /entities/broken: what the configuration API has stored
// and no flows can be made of.
type BrokenList struct {
	Broken []BrokenEntity `json:"broken"`
	// Pending says that something has changed which the list does not heed yet: it will
	// in a few seconds.
	Pending bool `json:"pending"`
}

// BrokenEntity is an entity with faults: its own, and those of all that it needs.
type BrokenEntity struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Faults []string  `json:"faults"` // each with the entity and the attribute that it is about; the first 20
	Since  time.Time `json:"since"`
	Ended  bool      `json:"ended"` // a flow that takes no requests any more
}
