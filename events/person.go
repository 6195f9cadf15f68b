package events

import "time"

// Identity is who a person is in another system. The body of PUT /identities,
// which takes AWS credentials, has the first four fields, that of DELETE
// /identities the first three.
type Identity struct {
	Email     string     `json:"email"`
	Service   string     `json:"service"`              // type of the system, such as "okta"
	ServiceID string     `json:"service_id,omitempty"` // which one of that type: an integration's external_id
	UserID    string     `json:"user_id,omitempty"`    // the person there
	SavedBy   string     `json:"saved_by,omitempty"`
	SavedAt   *time.Time `json:"saved_at,omitempty"`
	// FoundBy is there instead where nobody saved it: the strategy whose system's own
	// directory gave it. It is asked again before a grant.
	FoundBy string     `json:"found_by,omitempty"`
	FoundAt *time.Time `json:"found_at,omitempty"`
}

// IdentityList is the answer of GET /identities?email=….
type IdentityList struct {
	Identities []Identity `json:"identities"`
}

// AddressClaim is a Slack account that turned up behind an e-mail address which
// belongs to another one.
type AddressClaim struct {
	Email   string    `json:"email"`
	Name    string    `json:"name"`
	Account string    `json:"account"` // the new one
	Former  string    `json:"former"`  // the one that the address belongs to
	Since   time.Time `json:"since"`
}

// AddressClaims is the answer of GET /users, and of POST /users, which lists
// what was confirmed.
type AddressClaims struct {
	Claims []AddressClaim `json:"claims"`
}

// ConfirmInput is the body of POST /users, which takes AWS credentials: one
// address, or all that are claimed.
type ConfirmInput struct {
	Email string `json:"email,omitempty"`
	All   bool   `json:"all,omitempty"`
}
