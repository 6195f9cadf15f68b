package slacksim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Clock is time, so that tests can move it.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}

// Time is a time that can be moved ahead of that of the machine.
type Time interface {
	Now() time.Time
	// Ahead is how far it was moved.
	Ahead() time.Duration
	// Fixed says why it can't be moved; "" if it can.
	Fixed() string
	// Move lets so much time pass at once. The error says why it did not.
	Move(ctx context.Context, by time.Duration) error
}

// Record is an audit record as the page shows it. A later one with the same id
// takes the place of an earlier one.
type Record struct {
	ID   string `json:"id"`
	Line string `json:"line"` // what happened, in a sentence for people
	Note string `json:"note"` // a few words more; may be ""
	// Until is when what it tells of ends, in place of a note; zero: that is not known.
	Until time.Time `json:"until,omitzero"`
	Mood  Mood      `json:"mood"`
	At    time.Time `json:"at"`
	Run   string    `json:"run"`  // id
	Said  string    `json:"said"` // what people call the run
	Flow  string    `json:"flow"` // name
	// People are those whom it is about, by their e-mail addresses: who asked, and
	// who acted.
	People []string        `json:"people"`
	Raw    json.RawMessage `json:"raw"` // the record itself
}

// Mood is what a record means to those who watch.
type Mood string

// Moods of a record.
const (
	MoodPlain Mood = "plain"
	MoodGood  Mood = "good"
	MoodBad   Mood = "bad"
)

// Records gives audit records to the page.
type Records interface {
	// Tail gives the records after the first `after` ones, oldest first.
	Tail(ctx context.Context, after int) ([]Record, error)
	// All calls do with each record there is, oldest first, until that fails.
	All(ctx context.Context, do func(Record) error) error
}

// Access is a grant that is there right now.
type Access struct {
	Run    string    `json:"run"`             // id of the run that gave it
	Who    string    `json:"who"`             // e-mail address, or any other name
	What   string    `json:"what"`            // what it opens
	Until  time.Time `json:"until,omitzero"`  // zero: somebody ends it
	Ending bool      `json:"ending,omitzero"` // it is being taken away
	Ends   []string  `json:"ends"`            // who may end it, by their Slack ids
}

// Drift is a difference between what was granted and what a target shows.
type Drift struct {
	Kind string `json:"kind"` // "lingering", "missing", "back" or "unknown"
	Who  string `json:"who"`
	What string `json:"what"` // what it opens
}

// Shortcut is a shortcut of the app: a global one, or one in the menus of messages.
type Shortcut struct {
	Name       string // as shown
	CallbackID string // as sent
	OnMessages bool
}

// Config is what a Sim needs to know.
type Config struct {
	// SigningSecret signs what is sent to the app. Required.
	SigningSecret string
	// BotToken is the one token that the Web API accepts. Required.
	BotToken string
	// Scopes are the rights of the token. Default: all.
	Scopes []string
	// AppURL is where the app listens, without the paths /slack/commands,
	// /slack/interactions, /slack/options and /slack/events. Required.
	AppURL string
	// BaseURL is where the Sim itself is served. Response URLs and permalinks
	// start with it. Required.
	BaseURL string
	Clock   Clock // required: signatures, and all that has to be in time, go by it
	// Time is what messages are stamped with, and the page shows. Default: that of
	// Clock, which the page can't move.
	Time Time

	// Client sends the requests to the app. Default: a plain one.
	Client *http.Client
	// Random makes triggers, response URLs and hashes unguessable, and unique
	// across restarts. Default: crypto/rand.
	Random io.Reader
	Logger *slog.Logger // default: none

	// Workspaces are names of more workspaces. With one or more, there is an
	// organisation of them and the first one, and the app is installed for all.
	Workspaces []string

	People   []Profile // default: DefaultPeople
	Groups   []Group   // default: DefaultGroups
	Channels []Channel // default: DefaultChannels
	Commands []string  // default: "/sym"
	// Domains are those of links that the app shows previews of.
	Domains   []string
	Events    []string // types that the app subscribes to; default: "app_home_opened"
	Shortcuts []Shortcut

	// Records feeds the page's panel of audit records. Default: no panel.
	Records Records
	// Receipt gives the receipts of a run's records, as JSON: that they were recorded,
	// and are as they were. Default: none.
	Receipt func(ctx context.Context, run string) ([]byte, error)
	// Access tells who has access to what right now. Default: no panel.
	Access func(context.Context) ([]Access, error)
	// End ends the access of a run as a person, by Slack id, and refuses what they
	// may not. Required with Access.
	End func(ctx context.Context, by, run string) error
	// Explain says what would come of requests. Default: no panel.
	Explain Explainer
	// Guide tells newcomers what to do, step by step, in mrkdwn. Default: nothing.
	Guide []string
	// Drift tells where targets differ from what was granted. Default: no panel.
	Drift func(context.Context) ([]Drift, error)
}

// Sim is a simulated Slack. It is an http.Handler with the Web API, response
// URLs and the page.
type Sim struct {
	config Config
	directory
	mux     *http.ServeMux
	closing chan struct{}
	close   func()

	mu         sync.Mutex
	workspace  workspace
	modals     map[string][]*view    // person → stack of open views
	homes      map[string]*view      // person → the app's Home tab
	inputs     map[inputsKey]values  // what people typed into messages
	offered    map[offerKey][]object // options that the app gave for a query
	triggers   map[string]*trigger
	responses  map[string]*responseURL
	faults     []*pendingFault
	calls      map[string]int // of the Web API, by method
	sent       []Delivery
	steps      []*Step // of workflows, oldest first; executions has them by Slack's ids
	executions map[string]*Step
	opened     map[string]*Opened // what is shown of Work Objects, by trigger
	views      int                // how many were ever opened, for their ids
	version    int
	changed    chan struct{} // closed at each change, and replaced
}

type (
	inputsKey struct{ user, channel, ts string }
	offerKey  struct{ user, block, action string }
)

// New makes a workspace. The error says what the config lacks.
func New(c Config) (*Sim, error) {
	for name, missing := range map[string]bool{
		"SigningSecret": c.SigningSecret == "", "BotToken": c.BotToken == "",
		"AppURL": c.AppURL == "", "BaseURL": c.BaseURL == "", "Clock": c.Clock == nil, "End": c.Access != nil && c.End == nil,
	} {
		if missing {
			return nil, fmt.Errorf("simulated Slack: %s is required", name)
		}
	}
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.People == nil {
		c.People = DefaultPeople()
	}
	if c.Groups == nil {
		c.Groups = DefaultGroups()
	}
	if c.Channels == nil {
		c.Channels = DefaultChannels()
	}
	if c.Events == nil {
		c.Events = []string{"app_home_opened"}
	}
	if c.Commands == nil {
		c.Commands = []string{"/sym"}
	}
	c.AppURL, c.BaseURL = strings.TrimSuffix(c.AppURL, "/"), strings.TrimSuffix(c.BaseURL, "/")

	s := &Sim{
		config:     c,
		directory:  directory{people: c.People, groups: c.Groups},
		closing:    make(chan struct{}),
		modals:     map[string][]*view{},
		homes:      map[string]*view{},
		inputs:     map[inputsKey]values{},
		offered:    map[offerKey][]object{},
		triggers:   map[string]*trigger{},
		responses:  map[string]*responseURL{},
		executions: map[string]*Step{}, opened: map[string]*Opened{},
		calls:   map[string]int{},
		changed: make(chan struct{}),
	}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	if err := s.directory.validate(); err != nil {
		return nil, fmt.Errorf("simulated Slack: %w", err)
	}
	var err error
	if s.workspace, err = newWorkspace(s.directory, c.Channels); err != nil {
		return nil, fmt.Errorf("simulated Slack: %w", err)
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/{method}", fromApp(s.serveAPI))
	s.mux.HandleFunc("POST /response/{id}", fromApp(s.serveResponse))
	s.routePage(s.mux)
	return s, nil
}

// ServeHTTP answers apps and the page, on loopback only.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := checkLoopback(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Close ends the event streams of open pages, which would otherwise keep a
// server from shutting down.
func (s *Sim) Close() { s.close() }

// now is the time that the workspace shows.
func (s *Sim) now() time.Time {
	if s.config.Time != nil {
		return s.config.Time.Now()
	}
	return s.config.Clock.Now()
}

// change tells everybody who waits that something is different. The caller
// holds the lock.
func (s *Sim) change() {
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait blocks until the condition holds. It is asked again after each change
// of the workspace; what it reads elsewhere does not wake it. The error is the
// context's.
func (s *Sim) Wait(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Autosave writes a snapshot now, after each change, and once more when the
// context ends; then it returns nil.
func (s *Sim) Autosave(ctx context.Context, path string) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if err := s.Snapshot(path); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return s.Snapshot(path)
		case <-changed:
		}
	}
}

// Calls counts the calls of the Web API so far, by method: also those that went wrong.
func (s *Sim) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Messages gives every message of a conversation, ephemeral ones included, by
// its name ("#general") or id, oldest first.
func (s *Sim) Messages(conversation string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.anyConversation(conversation)
	if c == nil {
		return nil
	}
	out := make([]Message, len(c.Messages))
	for i, m := range c.Messages {
		out[i] = *m
	}
	return out
}

func (s *Sim) anyConversation(name string) *conversation {
	if c := s.workspace.conversation(name); c != nil {
		return c
	}
	return s.workspace.named(name)
}

// token gives an unguessable string of 2n characters.
func (s *Sim) token(n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.config.Random, b); err != nil {
		// A source of random numbers that has failed must not lead to ids that
		// can be guessed or come twice.
		panic(errors.Join(errors.New("simulated Slack: no random numbers"), err))
	}
	return hex.EncodeToString(b)
}

// edit replaces a message, because stored ones are shared and never changed.
func (c *conversation) edit(ts string, change func(*Message)) {
	i := slices.IndexFunc(c.Messages, func(m *Message) bool { return m.TS == ts })
	edited := *c.Messages[i]
	change(&edited)
	c.Messages[i] = &edited
}

// delete removes a message. One that has replies leaves a note in its place, under
// which they stay.
func (c *conversation) delete(ts string) {
	if slices.ContainsFunc(c.Messages, func(m *Message) bool { return m.ThreadTS == ts && m.OnlyFor == "" }) {
		c.edit(ts, func(m *Message) {
			*m = Message{TS: m.TS, Channel: m.Channel, User: slackbot, Text: "This message was deleted.", Deleted: true}
		})
		return
	}
	c.Messages = slices.DeleteFunc(c.Messages, func(m *Message) bool { return m.TS == ts })
}
