package events

// RunReceipts proves to whoever has the public key of the transparency log that what
// happened to a run was recorded, and is as it was recorded.
type RunReceipts struct {
	RunID    string       `json:"run_id"`
	Keys     []string     `json:"keys"`     // public keys of the log; trust those that you know otherwise
	Receipts []RunReceipt `json:"receipts"` // by event, oldest first
}

// RunReceipt is the receipt of an event.
type RunReceipt struct {
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	Revision  int64  `json:"revision"`
	Index     int64  `json:"index"`  // in the log
	Record    string `json:"record"` // the record as it was logged, byte for byte
	Proof     string `json:"proof"`  // c2sp.org/tlog-proof@v1, to be kept as .tlog-proof
}
