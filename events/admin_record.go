package events

import (
	_ "embed"
	"time"
)

// AdminSchemaVersion is the version of the record's shape (meta.schema_version).
const AdminSchemaVersion = 2

// AdminRecordSchema is the JSON Schema (2020-12) of an AdminRecord.
//
//go:embed admin_record.schema.json
var AdminRecordSchema string

// AdminRecord says what was done to a deployment itself: to its tokens, its people's
// identities, its configuration. Deliveries may repeat; a repeated one has the same
// ID, and the one that arrived last says most.
type AdminRecord struct {
	ID    string       `json:"id"`   // UUID
	Type  string       `json:"type"` // always "admin"
	Meta  AuditMeta    `json:"meta"`
	State AdminState   `json:"state"`
	Event AdminEvent   `json:"event"`
	Actor AdminActor   `json:"actor"`
	About AdminSubject `json:"about"`
	// Fields has what the act itself tells.
	Fields map[string]any `json:"fields"`
	// Log is as in an AuditRecord.
	Log *AuditLogPlace `json:"log,omitempty"`
}

// Values of AdminState.Status, beside StatusCompleted and StatusInProgress, which is
// of an act that has begun.
const (
	StatusFailed  = "failed"
	StatusRefused = "refused"
)

// AdminState says how the act went.
type AdminState struct {
	Status string `json:"status"`
	// Count and LastAt tell how often it happened, and when last, where one record
	// stands for several times.
	Count  int        `json:"count,omitempty"`
	LastAt *time.Time `json:"last_at,omitempty"`
}

// AdminEvent says what was done.
type AdminEvent struct {
	Type      string    `json:"type"` // "token_create", …
	Timestamp time.Time `json:"timestamp"`
}

// AdminActor is who did it, as far as that is known.
type AdminActor struct {
	Kind string `json:"kind,omitempty"` // "person", "aws", "bot", "operator", "deploy", "handlers", "strategy" or "system"
	Name string `json:"name"`           // of "aws" the ARN, of "bot" with its token's owner
	ID   string `json:"id,omitempty"`   // of a person in Slack, or of a bot's token
}

// AdminSubject is what it was done to.
type AdminSubject struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}
