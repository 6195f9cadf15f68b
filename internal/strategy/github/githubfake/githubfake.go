package githubfake

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/github/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// The organization, and how one signs in to it.
const (
	OrgName      = "acme"
	App          = "123456"
	Installation = "7654321"
	// Token is a personal access token of an owner.
	Token = "ghp_s3cretS3cretS3cretS3cretS3cretS3cret"

	wait = 7 * time.Second
)

// GitHub is one organization at GitHub.
type GitHub struct {
	strategytest.Front
	URL string // of the REST API
	Key *rsa.PrivateKey

	t     testing.TB
	clock func() time.Time

	mu      sync.Mutex
	now     state
	shown   *state // while reads are stale
	scopes  map[string]map[string]string
	nextID  int64
	limit   map[string]string // headers that each answer has
	lacks   map[string]bool   // permissions that the app was not given
	refusal *refusal          // of the next change
	failed  *graphError       // of the next query
	tokens  []map[string]string
}

type refusal struct {
	status int
	body   map[string]any
}

// state is what the organization is like.
type state struct {
	Users    map[string]User            // by login
	Members  map[string]Member          // of the organization, by login
	Teams    map[string]*TeamState      // by slug
	Repos    map[string]*RepositoryData // by name
	Renamed  map[string]string          // by the name of before
	Base     string                     // the base permission, by the newer words: "none", "read", …
	Linked   []Linked                   // what the identity provider says; nil: there is none
	Managed  bool                       // accounts are the enterprise's, which asks nobody whether they want to join
	Selected bool                       // the app sees some of the repositories only
	Owner    bool                       // the token is one of an owner
	External map[string]string          // groups of managed users, by the team that they are behind
	Synced   map[string]string          // groups of team synchronization
}

// User is a person at GitHub.
type User struct {
	ID        int64
	Login     string
	Email     string // on the profile; "" if it is hidden
	Suspended bool
	Managed   bool // by another enterprise, so that nobody else can invite them
}

// Member is somebody's membership of the organization.
type Member struct {
	Role     string // member, admin, billing_manager
	Pending  bool
	Indirect []string // teams of the enterprise
	Only     bool     // by those teams alone
}

// TeamState is a team.
type TeamState struct {
	ID      int64
	Name    string
	Slug    string
	Parent  string
	Kind    string            // "organization" or "enterprise"
	Members map[string]string // roles, by login
}

// RepositoryData is a repository.
type RepositoryData struct {
	ID          int64
	Name        string
	Private     bool
	Archived    bool
	Direct      map[string]string // roles by the newer words, by login
	Invitations []Invitation
	Teams       map[string]string // roles, by slug
}

// Invitation is one to a repository.
type Invitation struct {
	ID         int64
	Login      string
	Permission string // by the newer words
	Expired    bool
}

// Linked is what the identity provider says of somebody.
type Linked struct {
	Login  string // "": nobody has linked it
	NameID string
	Email  string
}

func (s state) clone() state {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var c state
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

// appKey is the private key of the app. To make one takes a while.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// New gives an organization with an owner, olivia, and two members, alice and bob,
// whose profiles show their addresses;
// the repositories orders and billing; and the teams platform and on-call. It ends
// with the test.
func New(t testing.TB) *GitHub {
	t.Helper()
	g := &GitHub{Key: appKey(), t: t, clock: time.Now, scopes: map[string]map[string]string{}, nextID: 100, now: state{
		Users: map[string]User{}, Members: map[string]Member{}, Teams: map[string]*TeamState{}, Repos: map[string]*RepositoryData{}, Renamed: map[string]string{},
		Base: "none", Owner: true, External: map[string]string{}, Synced: map[string]string{},
	}}
	for _, login := range []string{"olivia", "alice", "bob"} {
		g.AddUser(login, login+"@example.com")
		g.now.Members[login] = Member{Role: "member"}
	}
	g.now.Members["olivia"] = Member{Role: "admin"}
	for _, name := range []string{"orders", "billing"} {
		g.AddRepo(name)
	}
	for _, slug := range []string{"platform", "on-call"} {
		g.AddTeam(slug, "")
	}
	g.Front = strategytest.Front{
		API: g.api(), Change: g.change, Token: bearer, Wait: wait,
		Refuse: func(w http.ResponseWriter) {
			g.fail(w, http.StatusForbidden, "Resource not accessible by integration")
		},
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			w.Header().Set("X-RateLimit-Remaining", "4321")
			if wait > 0 {
				w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())))
			}
			g.fail(w, http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		},
		Unauthorized: func(w http.ResponseWriter) { g.fail(w, http.StatusUnauthorized, "Bad credentials") },
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// PrivateKey is that of the app, as GitHub gives it.
func (g *GitHub) PrivateKey() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(g.Key)}))
}

// GoBy has GitHub go by a clock; else it goes by the machine's.
func (g *GitHub) GoBy(now func() time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clock = now
}

// SetMood implements strategytest.System.
func (g *GitHub) SetMood(m strategytest.Mood) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shown = nil; m == strategytest.Stale {
		shown := g.now.clone()
		g.shown = &shown
	}
	if m == strategytest.Expired {
		clear(g.scopes)
	}
	g.Front.SetMood(m)
}

// edit changes the organization, as somebody else would.
func (g *GitHub) edit(how func(*state)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how(&g.now)
}

func (g *GitHub) id() int64 {
	g.nextID++
	return g.nextID
}

// AddUser makes an account; email is what its profile shows.
func (g *GitHub) AddUser(login, email string) {
	g.edit(func(s *state) { s.Users[login] = User{ID: g.id(), Login: login, Email: email} })
}

// ChangeUser changes an account.
func (g *GitHub) ChangeUser(login string, how func(*User)) {
	g.edit(func(s *state) { u := s.Users[login]; how(&u); s.Users[login] = u })
}

// RenameUser gives an account another login, as its owner may at any time. What the
// account has is its own by that login then.
func (g *GitHub) RenameUser(was, login string) {
	g.edit(func(s *state) {
		u := s.Users[was]
		u.Login = login
		s.Users[login] = u
		delete(s.Users, was)
		if m, is := s.Members[was]; is {
			s.Members[login] = m
			delete(s.Members, was)
		}
		for _, t := range s.Teams {
			if role, is := t.Members[was]; is {
				t.Members[login] = role
				delete(t.Members, was)
			}
		}
		for _, r := range s.Repos {
			if role, is := r.Direct[was]; is {
				r.Direct[login] = role
				delete(r.Direct, was)
			}
			for i := range r.Invitations {
				if r.Invitations[i].Login == was {
					r.Invitations[i].Login = login
				}
			}
		}
	})
}

// SetMember makes somebody a member of the organization.
func (g *GitHub) SetMember(login string, m Member) {
	g.edit(func(s *state) { s.Members[login] = m })
}

// RemoveMember takes somebody out of the organization.
func (g *GitHub) RemoveMember(login string) {
	g.edit(func(s *state) { s.leave(login) })
}

// AddRepo makes a private repository.
func (g *GitHub) AddRepo(name string) {
	g.edit(func(s *state) {
		s.Repos[name] = &RepositoryData{ID: g.id(), Name: name, Private: true, Direct: map[string]string{}, Teams: map[string]string{}}
	})
}

// ChangeRepo changes a repository.
func (g *GitHub) ChangeRepo(name string, how func(*RepositoryData)) {
	g.edit(func(s *state) { how(s.Repos[name]) })
}

// RenameRepo gives a repository another name, and leaves the old one pointing there.
func (g *GitHub) RenameRepo(was, name string) {
	g.edit(func(s *state) {
		r := s.Repos[was]
		delete(s.Repos, was)
		r.Name = name
		s.Repos[name], s.Renamed[was] = r, name
	})
}

// AddTeam makes a team, below a parent if that is not "".
func (g *GitHub) AddTeam(slug, parent string) {
	g.edit(func(s *state) {
		s.Teams[slug] = &TeamState{ID: g.id(), Name: strings.ToUpper(slug[:1]) + slug[1:], Slug: slug, Parent: parent, Kind: "organization", Members: map[string]string{}}
	})
}

// ChangeTeam changes a team.
func (g *GitHub) ChangeTeam(slug string, how func(*TeamState)) {
	g.edit(func(s *state) { how(s.Teams[slug]) })
}

// SetBase sets the base permission of members: none, read, write or admin.
func (g *GitHub) SetBase(permission string) { g.edit(func(s *state) { s.Base = permission }) }

// Link has the identity provider say who members are.
func (g *GitHub) Link(linked ...Linked) { g.edit(func(s *state) { s.Linked = linked }) }

// Manage has the enterprise manage the accounts of people: they join at once.
func (g *GitHub) Manage() { g.edit(func(s *state) { s.Managed = true }) }

// Hide has the sign-in see less than all of the organization.
func (g *GitHub) Hide() { g.edit(func(s *state) { s.Selected, s.Owner = true, false }) }

// Synchronize has a group of the identity provider keep a team; external as
// enterprises with managed users have them.
func (g *GitHub) Synchronize(slug, group string, external bool) {
	g.edit(func(s *state) {
		if external {
			s.External[slug] = group
		} else {
			s.Synced[slug] = group
		}
	})
}

// Lack has the app not have a permission.
func (g *GitHub) Lack(permission string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lacks = map[string]bool{permission: true}
}

// RefuseNext has GitHub refuse the next change.
func (g *GitHub) RefuseNext(status int, message string, details ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusal = &refusal{status, map[string]any{"message": message, "documentation_url": documentation, "errors": append([]string{}, details...)}}
}

// FailQuery has the next query fail, in an answer of status 200.
func (g *GitHub) FailQuery(kind, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed = &graphError{kind: kind, message: message}
}

// Tokens lists the permissions of the tokens that the app has taken.
func (g *GitHub) Tokens() []map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tokens)
}

// SetLimit sets headers of limits that each answer has, and refuses what comes while
// none is left.
func (g *GitHub) SetLimit(headers map[string]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = headers
}

// Value implements strategytest.Valuer, by the words of targets.
func (g *GitHub) Value(target flow.Target, login string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	login = g.now.login(login)
	switch target.Type {
	case github.Repo:
		if r := g.now.repo(target.Settings[github.SettingRepo]); r != nil {
			return older(r.Direct[login])
		}
	case github.Team:
		if t := g.now.Teams[target.Settings[github.SettingTeam]]; t != nil && !g.now.Members[login].Pending {
			return t.Members[login]
		}
	default:
		if m, ok := g.now.Members[login]; ok && !m.Pending && !m.Only {
			return m.Role
		}
	}
	return ""
}

// GiveValue implements strategytest.Valuer.
func (g *GitHub) GiveValue(target flow.Target, login, role string) {
	g.edit(func(s *state) {
		switch target.Type {
		case github.Repo:
			s.repo(target.Settings[github.SettingRepo]).Direct[login] = newer(role)
		case github.Team:
			s.Teams[target.Settings[github.SettingTeam]].Members[login] = role
		default:
			s.Members[login] = Member{Role: role}
		}
	})
}

// Invitations lists the invitations of somebody to a repository.
func (g *GitHub) Invitations(repo, login string) []Invitation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.now.Repos[repo].Invitations), func(i Invitation) bool { return i.Login != login })
}

// Has implements strategytest.System.
func (g *GitHub) Has(target flow.Target, login string) bool { return g.Value(target, login) != "" }

// Give implements strategytest.Outsider.
func (g *GitHub) Give(target flow.Target, login string) {
	g.GiveValue(target, login, github.ValueOf(target))
}

// Take implements strategytest.Outsider.
func (g *GitHub) Take(target flow.Target, login string) {
	g.edit(func(s *state) {
		switch target.Type {
		case github.Repo:
			delete(s.repo(target.Settings[github.SettingRepo]).Direct, login)
		case github.Team:
			delete(s.Teams[target.Settings[github.SettingTeam]].Members, login)
		default:
			s.leave(login)
		}
	})
}

// DeleteTarget implements strategytest.Deleter.
func (g *GitHub) DeleteTarget(target flow.Target) {
	g.edit(func(s *state) {
		if target.Type == github.Repo {
			delete(s.Repos, target.Settings[github.SettingRepo])
		} else {
			delete(s.Teams, target.Settings[github.SettingTeam])
		}
	})
}

// DeletePerson implements strategytest.Deleter.
func (g *GitHub) DeletePerson(login string) {
	g.edit(func(s *state) {
		s.leave(login)
		for _, r := range s.Repos {
			delete(r.Direct, login)
			r.Invitations = slices.DeleteFunc(r.Invitations, func(i Invitation) bool { return i.Login == login })
		}
		delete(s.Users, login)
	})
}

// GiveByway implements strategytest.Byway: by a team that has the repository, by a
// child team, or by a team of the enterprise.
func (g *GitHub) GiveByway(target flow.Target, login string) {
	switch target.Type {
	case github.Repo:
		g.AddTeam("byway", "")
		g.edit(func(s *state) {
			s.Teams["byway"].Members[login] = "member"
			s.repo(target.Settings[github.SettingRepo]).Teams["byway"] = newer(github.ValueOf(target))
		})
	case github.Team:
		g.AddTeam("byway", target.Settings[github.SettingTeam])
		g.edit(func(s *state) { s.Teams["byway"].Members[login] = "member" })
	default:
		g.SetMember(login, Member{Role: "member", Indirect: []string{"ent:everybody"}, Only: true})
	}
}

// Accept implements strategytest.Inviter.
func (g *GitHub) Accept(target flow.Target, login string) {
	g.edit(func(s *state) {
		if target.Type != github.Repo {
			m := s.Members[login]
			m.Pending = false
			s.Members[login] = m
			return
		}
		r := s.repo(target.Settings[github.SettingRepo])
		r.Invitations = slices.DeleteFunc(r.Invitations, func(i Invitation) bool {
			if i.Login == login && !i.Expired {
				r.Direct[login] = i.Permission
			}
			return i.Login == login
		})
	})
}

// login is the way somebody writes theirs.
func (s state) login(text string) string {
	for login := range s.Users {
		if strings.EqualFold(login, text) {
			return login
		}
	}
	return text
}

// repo finds a repository by its name, also by one of before.
func (s state) repo(name string) *RepositoryData {
	for _, n := range slices.Sorted(maps.Keys(s.Repos)) {
		if strings.EqualFold(n, name) {
			return s.Repos[n]
		}
	}
	if now, ok := s.Renamed[name]; ok {
		return s.Repos[now]
	}
	return nil
}

// leave takes somebody out of the organization: its teams and repositories as well.
func (s *state) leave(login string) {
	if m := s.Members[login]; len(m.Indirect) > 0 {
		m.Only = true
		s.Members[login] = m
		return
	}
	delete(s.Members, login)
	for _, t := range s.Teams {
		delete(t.Members, login)
	}
	for _, r := range s.Repos {
		delete(r.Direct, login)
	}
}

// children are the teams below one.
func (s state) children(slug string) []*TeamState {
	var below []*TeamState
	for _, name := range slices.Sorted(maps.Keys(s.Teams)) {
		if t := s.Teams[name]; t.Parent == slug {
			below = append(append(below, t), s.children(t.Slug)...)
		}
	}
	return below
}

// in tells how somebody is in a team: by themselves, or by a child team.
func (s state) in(slug, login string) (role string, inherited bool) {
	if s.Members[login].Pending || s.Members[login].Role == "" {
		return "", false
	}
	if role := s.Teams[slug].Members[login]; role != "" {
		if s.Members[login].Role == "admin" {
			role = "maintainer" // GitHub shows owners so
		}
		return role, false
	}
	for _, t := range s.children(slug) {
		if t.Members[login] != "" {
			return "member", true
		}
	}
	return "", false
}

var words = map[string]string{"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}

// newer gives the newer word for a permission.
func newer(permission string) string { return cmp.Or(words[permission], permission) }

// older gives the word of targets.
func older(role string) string {
	for old, word := range words {
		if word == role {
			return old
		}
	}
	return role
}

// Subject opens the client on an organization of its own. The app signs in, and two
// repositories come first.
func Subject(t testing.TB) strategytest.Subject {
	return New(t).Subject()
}

// Subject opens the client on the organization.
func (g *GitHub) Subject() strategytest.Subject {
	return strategytest.Subject{
		Type: github.Type(), Open: g.Open(false), System: g, Strategy: g.Strategy(), Identities: [2]string{"alice", "bob"},
		Shared: true, Wait: wait, Secrets: []string{Token, "ghs_"},
		Cannot: map[strategytest.Case]string{
			strategytest.Pending:              "GitHub answers when it is done",
			strategytest.PendingFails:         "GitHub answers when it is done",
			strategytest.ConcurrentEdit:       "a change is of one person and one thing, and GitHub has no versions of it",
			strategytest.ThrottledWithoutTime: "where GitHub says no time, its documentation says a minute",
		},
	}
}

// Open opens the client.
func (g *GitHub) Open(looking bool) strategy.Opener {
	return client.Open(client.Deps{HTTP: &http.Client{}, Secrets: Secrets{g}, Keys: appkey.Keys{Secrets: Secrets{g}}, Now: g.clock, Looking: looking})
}

// Strategy is one with a target of each type, two repositories first.
func (g *GitHub) Strategy() flow.Strategy {
	return flow.Strategy{
		Name: "code", Type: "github",
		Integration: &flow.Integration{
			Name: "github", Type: "github", ExternalID: OrgName,
			Settings: map[string]string{github.SettingApp: App, github.SettingInstallation: Installation, "api_url": g.URL},
			Secrets:  map[string]flow.SecretRef{"private_key_secret": {Name: "github-key", Source: "aws_secrets_manager", Path: KeyPath}},
		},
		Targets: []flow.Target{
			{Name: "orders", Type: github.Repo, Label: "orders", Settings: map[string]string{github.SettingRepo: "orders", github.SettingPermission: "push"}},
			{Name: "billing", Type: github.Repo, Label: "billing", Settings: map[string]string{github.SettingRepo: "billing", github.SettingPermission: "maintain"}},
			{Name: "platform", Type: github.Team, Label: "Platform", Settings: map[string]string{github.SettingOrg: OrgName, github.SettingTeam: "platform", github.SettingRole: github.RoleMember}},
			{Name: "acme", Type: github.Org, Label: "acme", Settings: map[string]string{github.SettingOrg: OrgName, github.SettingRole: github.RoleMember}},
		},
	}
}

// ByToken has the strategy sign in by the token of an owner.
func ByToken(s flow.Strategy) flow.Strategy {
	i := *s.Integration
	i.Settings = map[string]string{"api_url": i.Settings["api_url"]}
	i.Secrets = map[string]flow.SecretRef{github.SettingToken: {Name: "github-token", Source: "aws_secrets_manager", Path: TokenPath}}
	s.Integration = &i
	return s
}

// Where the secrets are.
const (
	KeyPath   = "/sym/main/github-key"
	TokenPath = "/sym/main/github-token"
)

// Secrets has the app's key, and the token.
type Secrets struct{ *GitHub }

// Value implements strategy.Secrets.
func (g Secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	switch ref.Path {
	case KeyPath:
		return g.PrivateKey(), nil
	case TokenPath:
		return Token, nil
	}
	return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref)
}
