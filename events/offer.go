package events

import "time"

// OfferInput is the body of POST /entities/offer: entities that are to change hands.
type OfferInput struct {
	Entities []OfferedEntity `json:"entities"` // 500 at most
	// Check has it said what is in the way, and nothing changed.
	Check bool `json:"check,omitempty"`
}

// OfferedEntity is one that goes over to whoever the next publish of files says: to the
// files if they have a document of its name, and else to the configuration API.
type OfferedEntity struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Digest string `json:"digest"`       // of what it said when it was looked at
	As     string `json:"as,omitempty"` // the name of the document, if not its own
}

// OfferOutput is the answer.
type OfferOutput struct {
	Until time.Time `json:"until"` // when whatever has not gone over by then stays whose it is
}
