package events

import "time"

// DriftReport is the answer of GET /drift: how targets differ from what was
// granted, as the last comparison found.
type DriftReport struct {
	// Began and Ended are when the comparison did; null: there was none yet.
	Began   *time.Time `json:"began_at"`
	Ended   *time.Time `json:"ended_at"`
	Targets int        `json:"targets"` // that were looked at
	Grants  int        `json:"grants"`  // that were compared
	Found   []Drift    `json:"found"`   // the gravest first
	More    int        `json:"more"`    // found beyond those
	// Unknown counts access that was never ours, by the target's label.
	Unknown map[string]int `json:"unknown"`
	// Unseen says of targets that could not be looked at why, by their labels.
	Unseen map[string]string `json:"unseen"`
}

// Drift is one difference.
type Drift struct {
	// Kind is "lingering", "missing", "back" or "unknown".
	Kind     string `json:"kind"`
	Strategy string `json:"strategy"` // by name
	Target   string `json:"target"`   // by name
	Label    string `json:"label"`    // of the target
	Identity string `json:"identity"` // who it is at the target
	// RunID is the run that holds the access, or held it last; "" for none.
	RunID string    `json:"run_id,omitempty"`
	Since time.Time `json:"since"` // when it was seen first
}
