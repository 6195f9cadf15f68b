package events

// FlowList is the answer of GET /flows: the flows there are, by name.
type FlowList struct {
	Flows []FlowSummary `json:"flows"`
}

// FlowSummary describes a flow.
type FlowSummary struct {
	Name         string `json:"name"`
	SRN          string `json:"srn"` // of the latest version, as requests want it
	Label        string `json:"label"`
	Version      string `json:"version"`
	ApprovalOnly bool   `json:"approval_only"` // takes no target_srn and no duration
	// AllowedSources is nil where all are allowed; an empty list allows none.
	AllowedSources []string `json:"allowed_sources"`
}
