package events

import "time"

// ProposalList is the answer of GET /entities/proposals: the changes of the configuration
// that wait for approval.
type ProposalList struct {
	Approval  string           `json:"approval"` // the name of the flow that decides; "": changes need no approval
	Proposals []TokenProposals `json:"proposals"`
}

// TokenProposals is what one token proposes.
type TokenProposals struct {
	Token   string    `json:"token"` // its id
	Bot     string    `json:"bot"`
	Owner   string    `json:"owner"`             // who counts as the requester
	RunID   string    `json:"run_id,omitempty"`  // the run that lists it; "": none yet
	Digest  string    `json:"digest,omitempty"`  // of what that run lists
	Trouble string    `json:"trouble,omitempty"` // why nobody can be asked, and what to do
	Since   time.Time `json:"since,omitzero"`    // when the last of them was proposed
	// Changes are all that the token proposes.
	Changes []ProposedChange `json:"changes"`
}

// ProposedChange is what becomes of an entity if that is approved.
type ProposedChange struct {
	Kind   string   `json:"kind"`
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Change string   `json:"change"` // created, changed or deleted
	Lines  []string `json:"lines"`  // what changes, in plain words
	Wider  bool     `json:"wider"`  // it may let something happen that could not happen before
	Digest string   `json:"digest,omitempty"`
	Former string   `json:"former_digest,omitempty"`
	Listed bool     `json:"listed"` // the run lists it as it is here
}
