package events

// RunList is the answer of GET /runs: a page of runs, newest first.
type RunList struct {
	Runs []RunStatus `json:"runs"` // without their events
	// Cursor, sent back with the same filters, gives the next page; "" says
	// that this is the last one.
	Cursor string `json:"cursor"`
}
