package events

import (
	_ "embed"
	"encoding/json"
	"time"
)

// AuditSchemaVersion is the version of the record's shape (meta.schema_version).
const AuditSchemaVersion = 6

// AuditRecordSchema is the JSON Schema (2020-12) of an AuditRecord.
//
//go:embed audit_record.schema.json
var AuditRecordSchema string

// AuditRecord says what happened to a run: one record per event, prompts and
// failures included. The same record is what strategies' functions and servers
// are called with. Deliveries may repeat; a repeated one has the same ID.
type AuditRecord struct {
	ID    string     `json:"id"`   // UUID of the event
	Type  string     `json:"type"` // always "event"
	Meta  AuditMeta  `json:"meta"`
	State AuditState `json:"state"`
	Run   AuditRun   `json:"run"`
	Event AuditEvent `json:"event"`
	Actor AuditActor `json:"actor"`
	// Fields has the request's fields (duration in seconds), target, target_id,
	// and what the event itself adds: decision_message, deescalate_type, ….
	Fields map[string]any `json:"fields"`
	// Output is what the target or a customer's function answered, at most 16 KB.
	Output json.RawMessage `json:"output,omitempty"`
	// Access is what taking the access away needs, in records of escalate and extend.
	Access *AuditAccess `json:"access,omitempty"`
	// Log says where the record is in the transparency log. It is the last member of
	// the line, and no part of what was logged.
	Log *AuditLogPlace `json:"log,omitempty"`
}

// AuditLogPlace is a record's place in the transparency log.
type AuditLogPlace struct {
	Index    int64  `json:"index"`     // counted from 0
	LeafHash string `json:"leaf_hash"` // SHA-256 of a zero byte and the line without "log", in base64
}

// AuditMeta describes the record.
type AuditMeta struct {
	SchemaVersion int `json:"schema_version"`
	// Revision counts up with each state of the record: of several records with one
	// id, the one with the highest says most. Calls of strategies have none.
	Revision int64 `json:"revision,omitempty"`
	// Simulated says that the times are those of a clock which somebody moved
	// ahead, in a simulation on one machine. Sym has no such mark.
	Simulated bool `json:"simulated,omitempty"`
}

// Values of AuditState.Status.
const (
	StatusCompleted   = "completed"
	StatusIntercepted = "intercepted" // a handler overrode or ignored the event
	StatusInProgress  = "in_progress" // counted in part, or failed: then with errors
	StatusProcessing  = "processing"  // in a call to a strategy: not over yet
)

// AuditState says how the event went.
type AuditState struct {
	Status string       `json:"status"`
	Errors []AuditError `json:"errors"`
	// Attempts, FirstAt and LastAt tell how often, and when, a step failed.
	Attempts int        `json:"attempts,omitempty"`
	FirstAt  *time.Time `json:"first_at,omitempty"`
	LastAt   *time.Time `json:"last_at,omitempty"`
}

// AuditError is one error: a sentence for people and a code ("Type:NAME").
type AuditError struct {
	Message string `json:"message"`
	Code    string `json:"code"`
}

// AuditRun says which run it is. The run's id is the last part of SRN.
type AuditRun struct {
	SRN    string                `json:"srn"`
	Parent string                `json:"parent,omitempty"`
	Flow   string                `json:"flow"`   // SRN
	Actors map[string]AuditActor `json:"actors"` // by event so far
	// Submitter is the bot or the colleague who asked for the requester, and TokenOwner the person
	// who answers for the token that asked; nil where there is none. Sym has
	// neither.
	Submitter  *AuditActor `json:"submitter,omitempty"`
	TokenOwner *AuditActor `json:"token_owner,omitempty"`
	// Purpose is what an agent said it asks for this for; "" where none asked.
	Purpose string `json:"purpose,omitempty"`
	// Repeats is the id of the run whose request is made once more with this one; "" for
	// none. Sym does not have it.
	Repeats string `json:"repeats,omitempty"`
}

// AuditEvent says what happened.
type AuditEvent struct {
	SRN       string    `json:"srn"`      // sym:event-spec:approval:1.0.0:<type>
	Type      string    `json:"type"`     // "approve", …
	Template  string    `json:"template"` // sym:template:approval:1.0.0
	Timestamp time.Time `json:"timestamp"`
	Channel   string    `json:"channel"` // slack, sym (API), sdk, internal
}

// AuditActor is who did it.
type AuditActor struct {
	User     string        `json:"user"` // SRN
	Name     string        `json:"name"`
	Username string        `json:"username"` // e-mail address
	Identity AuditIdentity `json:"identity"`
	// Kind is "agent" for an agent, and "" for all others, whose kind is in User. Owner is
	// the e-mail address of the person who answers for an agent.
	Kind  string `json:"kind,omitempty"`
	Owner string `json:"owner,omitempty"`
}

// AuditIdentity is the actor as one service knows them. Which of the keys
// beside service and external_id is set depends on the service.
type AuditIdentity struct {
	Service       string `json:"service"`
	ExternalID    string `json:"external_id"`
	UserID        string `json:"user_id,omitempty"`
	Email         string `json:"email,omitempty"`
	PrincipalUUID string `json:"principal_uuid,omitempty"` // aws_sso
	UserARN       string `json:"user_arn,omitempty"`       // aws_iam
}

// AuditTarget is the value of Fields["target"].
type AuditTarget struct {
	Name     string            `json:"name"`
	SRN      string            `json:"srn"`
	Type     string            `json:"type"`
	Label    string            `json:"label"`
	Settings map[string]string `json:"settings"`
}
