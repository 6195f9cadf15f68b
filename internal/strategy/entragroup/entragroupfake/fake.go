package entragroupfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// The tenant, its app, and the role in AWS that the app's federated credential
// trusts.
const (
	Tenant       = "0f6f1a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	ClientID     = "1c1c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	ClientSecret = "Q~8Q~0123456789abcdefghijklmnopqrstuvwxyz"
	RoleARN      = "arn:aws:iam::123456789012:root"
	audience     = "api://AzureADTokenExchange"
)

// Fake is Entra, with one tenant. Methods are safe for concurrent use.
type Fake struct {
	*strategytest.Front

	mu      sync.Mutex
	clock   func() time.Time
	passed  time.Duration // besides
	state   state
	shown   state // what there was before the reads were Stale
	trusted func(word, audience string) (subject string, err error)
}

// state is what the tenant has.
type state struct {
	users  map[string]*user
	groups map[string]*group
}

type user struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	Mail              string `json:"mail"`
	AccountEnabled    bool   `json:"accountEnabled"`
}

// Group is one as a test adds it.
type Group struct {
	ID, Name    string
	Dynamic     bool // its members come of a rule
	OnPremises  bool // it is copied from another directory
	Distributes bool // it is a distribution list
}

type group struct {
	Group
	members  []string             // users and groups
	assigned map[string]time.Time // by PIM, with their ends; zero: none
	active   map[string]bool      // who has activated it by themselves
}

func (s state) copy() state {
	c := state{maps.Clone(s.users), map[string]*group{}}
	for id, g := range s.groups {
		c.groups[id] = &group{g.Group, slices.Clone(g.members), maps.Clone(g.assigned), maps.Clone(g.active)}
	}
	return c
}

// New makes a tenant without users and groups.
func New() *Fake {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := &Fake{clock: func() time.Time { return begin }, state: state{map[string]*user{}, map[string]*group{}}}
	f.Front = &strategytest.Front{
		API: f.routes(), Change: change, Token: tokenOf, Wait: 30 * time.Second,
		Refuse: func(w http.ResponseWriter) {
			refuse(w, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		},
		Unauthorized: func(w http.ResponseWriter) {
			refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
		},
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				w.Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)))
			}
			refuse(w, http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
		},
	}
	return f
}

// SetMood implements strategytest.System. While it is Stale, reads show what there
// is now.
func (f *Fake) SetMood(m strategytest.Mood) {
	f.mu.Lock()
	f.shown = f.state.copy()
	f.mu.Unlock()
	f.Front.SetMood(m)
}

// GoBy has Entra go by a clock, in place of its own, which stands still.
func (f *Fake) GoBy(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = now
}

// time is the time that Entra has. The lock is held.
func (f *Fake) time() time.Time { return f.clock().Add(f.passed) }

// Now is the time that Entra has.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.time()
}

// Advance lets time pass.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed += d
}

// Trust has the app be let in on words that are taken for those of [RoleARN].
func (f *Fake) Trust(trusted func(word, audience string) (subject string, err error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trusted = trusted
}

// AddUser makes a user, who may sign in if enabled.
func (f *Fake) AddUser(id, name, mail string, enabled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.users[id] = &user{id, name, mail, enabled}
}

// AddGroup makes a group.
func (f *Fake) AddGroup(g Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.groups[g.ID] = &group{g, nil, map[string]time.Time{}, map[string]bool{}}
}

// Activate has a user activate by themselves what PIM lets them.
func (f *Fake) Activate(id, user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.groups[id].active[user] = true
}

// Has implements strategytest.System.
func (f *Fake) Has(target flow.Target, identity string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.state.groups[target.Settings[entragroup.SettingGroup]]
	if g == nil || f.state.users[identity] == nil {
		return false
	}
	if target.Type == entragroup.TargetPIM {
		return g.assignedAt(identity, f.time())
	}
	return slices.Contains(g.members, identity)
}

// Give implements strategytest.Outsider.
func (f *Fake) Give(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.state.groups[target.Settings[entragroup.SettingGroup]]
	if target.Type == entragroup.TargetPIM {
		g.assigned[identity] = time.Time{}
	} else if !slices.Contains(g.members, identity) {
		g.members = append(g.members, identity)
	}
}

// Take implements strategytest.Outsider.
func (f *Fake) Take(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.state.groups[target.Settings[entragroup.SettingGroup]]
	if target.Type == entragroup.TargetPIM {
		delete(g.assigned, identity)
	} else {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == identity })
	}
}

// Until implements strategytest.Expirer.
func (f *Fake) Until(target flow.Target, identity string) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.groups[target.Settings[entragroup.SettingGroup]].assigned[identity]
}

// DeleteTarget implements strategytest.Deleter.
func (f *Fake) DeleteTarget(target flow.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.state.groups, target.Settings[entragroup.SettingGroup])
}

// DeletePerson implements strategytest.Deleter.
func (f *Fake) DeletePerson(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.state.users, identity)
	for _, g := range f.state.groups {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == identity })
		delete(g.assigned, identity)
	}
}

// inner is a group that is put into others.
const inner = "9f9f2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"

// GiveByway implements strategytest.Byway: a group with a group that has the person
// is put into the group.
func (f *Fake) GiveByway(target flow.Target, identity string) {
	f.AddGroup(Group{ID: inner, Name: "Contractors"})
	f.AddGroup(Group{ID: strings.Replace(inner, "9f9f", "8f8f", 1), Name: "Everybody"})
	f.mu.Lock()
	defer f.mu.Unlock()
	outer := strings.Replace(inner, "9f9f", "8f8f", 1)
	f.state.groups[inner].members = []string{identity}
	f.state.groups[outer].members = []string{inner}
	g := f.state.groups[target.Settings[entragroup.SettingGroup]]
	g.members = append(g.members, outer)
}

// change is for the Front: which call asks for which change.
func change(r *http.Request, body []byte) (strategytest.Change, bool) {
	parts := strings.Split(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodDelete:
		return strategytest.Change{Event: "deescalate", Identity: parts[len(parts)-2]}, true
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/members/$ref"):
		var in reference
		if err := json.Unmarshal(body, &in); err != nil {
			return strategytest.Change{}, true
		}
		return strategytest.Change{Event: "escalate", Identity: in.ID[strings.LastIndex(in.ID, "/")+1:]}, true
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/assignmentScheduleRequests"):
		var in scheduleRequest
		if err := json.Unmarshal(body, &in); err != nil {
			return strategytest.Change{}, true
		}
		event := "escalate"
		if in.Action == "adminRemove" {
			event = "deescalate"
		}
		return strategytest.Change{Event: event, Identity: in.PrincipalID}, true
	}
	return strategytest.Change{}, false
}

func tokenOf(r *http.Request) (string, bool) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token, !strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token")
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message, "innerError": map[string]any{"date": "2026-03-01T12:00:00", "request-id": "5e3c", "client-request-id": "5e3c"},
	}})
}

// token lets the app in.
func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	trusted := f.trusted
	f.mu.Unlock()
	no := func(code, text string) {
		answer(w, http.StatusUnauthorized, map[string]any{"error": code, "error_description": text, "error_codes": []int{7000215}})
	}
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "scope": {"https://graph.microsoft.com/.default"}}
	if err := r.ParseForm(); err != nil || r.PathValue("tenant") != Tenant {
		no("invalid_request", "AADSTS90002: Tenant not found.")
		return
	}
	for name := range want {
		if r.PostForm.Get(name) != want.Get(name) {
			no("unauthorized_client", "AADSTS700016: Application with identifier was not found in the directory.")
			return
		}
	}
	if word := r.PostForm.Get("client_assertion"); word != "" {
		if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || trusted == nil {
			no("invalid_request", "AADSTS70002: client_assertion_type")
			return
		}
		if subject, err := trusted(word, audience); err != nil || subject != RoleARN {
			no("invalid_client", "AADSTS70021: No matching federated identity record found for presented assertion.")
			return
		}
	} else if r.PostForm.Get("client_secret") != ClientSecret {
		no("invalid_client", "AADSTS7000215: Invalid client secret provided.")
		return
	}
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": f.Issue()})
}
