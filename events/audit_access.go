package events

import "time"

// AuditAccess is all that taking access away needs, as it was frozen before the target
// was touched: with it, access can be ended that nothing else knows of any more. It
// has no secrets, only where they are kept. Records have it whose event grants access
// or moves its end; Sym's do not.
type AuditAccess struct {
	Strategy     AuditStrategy      `json:"strategy"`
	Target       AuditAccessTarget  `json:"target"`
	Identity     string             `json:"identity"` // of the requester at the target
	Entitlements []AuditEntitlement `json:"entitlements"`
	Began        time.Time          `json:"began"`         // when granting began
	End          *time.Time         `json:"end,omitempty"` // as of this event; nil: only by hand
}

// AuditStrategy is what grants and takes away.
type AuditStrategy struct {
	Name        string                    `json:"name"`
	Type        string                    `json:"type"`
	Label       string                    `json:"label,omitempty"`
	Settings    map[string]string         `json:"settings,omitempty"`
	Secrets     map[string]AuditSecretRef `json:"secrets,omitempty"` // by setting
	Integration *AuditIntegration         `json:"integration,omitempty"`
	// Implementation is the Python of a strategy of the customer's. Its text is in the
	// version of the flow.
	Implementation *AuditSource `json:"implementation,omitempty"`
}

// AuditIntegration is the system that a strategy acts at.
type AuditIntegration struct {
	Name       string                    `json:"name"`
	Type       string                    `json:"type"`
	ExternalID string                    `json:"external_id"`
	Label      string                    `json:"label,omitempty"`
	Settings   map[string]string         `json:"settings,omitempty"`
	Secrets    map[string]AuditSecretRef `json:"secrets,omitempty"` // by setting
}

// AuditSecretRef says where a secret is kept. It never holds the value.
type AuditSecretRef struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Path    string `json:"path"`
	JSONKey string `json:"json_key,omitempty"`
}

// AuditSource names code, without its text.
type AuditSource struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the text, in hexadecimal
}

// AuditAccessTarget is the target with what the request filled in.
type AuditAccessTarget struct {
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Label    string            `json:"label,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	// Each has the settings that differ, where the request was for several.
	Each []map[string]string `json:"each,omitempty"`
}

// AuditEntitlement is one thing that the access means at the target.
type AuditEntitlement struct {
	Key string `json:"key"` // by which it is counted for all runs
	// Value is the one that was asked for, where the system keeps one for each person
	// and thing, and Values are all that there are, from the least to the most.
	Value    string            `json:"value,omitempty"`
	Values   []string          `json:"values,omitempty"`
	Expires  bool              `json:"expires,omitempty"`  // the system ends it by itself when told to
	Settings map[string]string `json:"settings,omitempty"` // that the strategy needs for this one
	// Before is what the target showed before it was first touched: "absent",
	// "invited" or "present", with BeforeValue where it keeps one; "": not seen yet.
	// What was there before is never removed.
	Before      string `json:"before,omitempty"`
	BeforeValue string `json:"before_value,omitempty"`
}
