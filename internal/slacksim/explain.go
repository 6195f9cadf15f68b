package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Explainer says what would come of requests that nobody has made, and why those that
// there are stand where they do. Nothing comes of asking it.
type Explainer interface {
	// Flows lists those that can be asked about.
	Flows(context.Context) ([]AskedFlow, error)
	// Explain answers a question. Its error is in words for people.
	Explain(context.Context, Question) (Explained, error)
}

// AskedFlow is a flow, and what its form asks for.
type AskedFlow struct {
	Name   string       `json:"name"`
	Label  string       `json:"label"`
	Fields []AskedField `json:"fields"`
	Ways   []Way        `json:"ways"` // by which it may be asked for
	// Later says that access may start later, and Emergency that it may be had without
	// approval.
	Later     bool `json:"later"`
	Emergency bool `json:"emergency"`
	Purpose   bool `json:"purpose"` // agents have to say one
}

// Way is how somebody asks for something.
type Way string

// Ways of asking.
const (
	BySlack Way = "slack"
	ByAPI   Way = "api"
	ByAgent Way = "agent" // of theirs
)

// AskedField is a field of a form.
type AskedField struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Kind     string   `json:"kind"` // "text", "number", "truth" or "person"
	Several  bool     `json:"several"`
	Required bool     `json:"required"`
	Options  []Choice `json:"options"` // none: anything
}

// Choice is a value, and what people call it.
type Choice struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// Question is a request that nobody has made, or a run that there is.
type Question struct {
	Run       string         `json:"run"` // id; then the rest is empty
	Flow      string         `json:"flow"`
	Who       string         `json:"who"` // asks, by Slack id
	Way       Way            `json:"way"`
	Values    map[string]any `json:"values"` // texts, lists of them, and truths
	Purpose   string         `json:"purpose"`
	At        time.Time      `json:"at,omitzero"` // zero: now
	StartAt   time.Time      `json:"start_at,omitzero"`
	Emergency bool           `json:"emergency"`
}

// Explained is an answer, for explain.js to draw.
type Explained struct {
	Explanation json.RawMessage `json:"explanation"`
	Records     []Record        `json:"records"` // that there would be, oldest first
}

var errNoExplainer = errors.New("nothing is explained here")

// explainable lists what the page's panel can ask about.
func (p Person) explainable() (any, error) {
	if p.sim.config.Explain == nil {
		return nil, errNoExplainer
	}
	return p.sim.config.Explain.Flows(context.Background())
}

// explain answers a question of the page's panel. Whoever is at the page may be anybody,
// so that nobody is kept from asking.
func (p Person) explain(q Question) (any, error) {
	if p.sim.config.Explain == nil {
		return nil, errNoExplainer
	}
	return p.sim.config.Explain.Explain(context.Background(), q)
}
