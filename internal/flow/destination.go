package flow

import (
	"slices"
	"strings"
)

// LogDestination is a place that audit records are sent to, beside our own.
type LogDestination struct {
	// ByAPI: the configuration API owns it. Where it is kept tells so.
	ByAPI bool `json:"-"`
	// ID is its entity's, if the configuration API owns it: others may have its name,
	// which is derived there, and it keeps the id when that changes.
	ID string `json:"id,omitempty"`

	Name        string               `json:"name"`
	Type        string               `json:"type"` // "http", "kinesis_firehose", …
	Label       string               `json:"label,omitempty"`
	Settings    map[string]string    `json:"settings,omitempty"`
	Secrets     map[string]SecretRef `json:"secrets,omitempty"` // by setting: "signing_secret_id", …
	Integration *Integration         `json:"integration,omitempty"`
	// Environments name it: it gets the records of their flows.
	Environments []string `json:"environments"`
	// Flows and Events are those that it gets the records of; none: of all.
	Flows  []string    `json:"flows,omitempty"`
	Events []EventName `json:"events,omitempty"`
	Format LogFormat   `json:"format,omitempty"`
}

// Key tells the destination apart from all others, of which another type may have its name.
func (d LogDestination) Key() string {
	if d.ID != "" {
		return d.ID
	}
	return d.Type + "/" + strings.ToLower(d.Name)
}

// Among is what people call the destination among some: its name, or its key if others
// have that name, too.
func (d LogDestination) Among(all []LogDestination) string {
	for _, other := range all {
		if strings.EqualFold(other.Name, d.Name) && other.Key() != d.Key() {
			return d.Key()
		}
	}
	return d.Name
}

// LogFormat is how records are written for a destination.
type LogFormat string

// The formats.
const (
	FormatSym  LogFormat = "sym"  // audit records as they are: also ""
	FormatOCSF LogFormat = "ocsf" // events of the Open Cybersecurity Schema Framework
)

// LogFormats lists the formats.
var LogFormats = []LogFormat{FormatSym, FormatOCSF}

// Wants tells whether the destination gets the record of an event of a flow in an
// environment. Names of flows and environments are the same in letters of either case.
func (d LogDestination) Wants(environment, flow string, event EventName) bool {
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, name) })
	}
	return has(d.Environments, environment) && (len(d.Flows) == 0 || has(d.Flows, flow)) && (len(d.Events) == 0 || slices.Contains(d.Events, event))
}
