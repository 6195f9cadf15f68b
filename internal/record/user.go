package record

import (
	"cmp"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// User is a person, a bot or the system as handlers see them: Sym's
// user object.
type User struct {
	ID         string     `json:"id"`
	SRN        string     `json:"srn"`
	Email      string     `json:"email"`
	Username   string     `json:"username"`
	Name       string     `json:"name"`
	FirstName  string     `json:"first_name"`
	LastName   string     `json:"last_name"`
	Type       string     `json:"type"` // "normal" or "bot", which agents are as well
	Role       string     `json:"role"` // "admin", "member" or "guest"
	Agent      bool       `json:"agent,omitempty"`
	Identities []Identity `json:"identities"`
}

// Identity is somebody as an outside service knows them; a store.Identity
// converts to it.
type Identity struct {
	Service    string `json:"service"`
	ExternalID string `json:"service_id"`
	UserID     string `json:"user_id"`
}

// UserOf makes the user object of somebody. Admins are those whom the flow's
// environment names; outsiders are guests of the workspace, and people who left
// it. Identities other than Slack's are left to the caller, who appends them.
func UserOf(f *flow.Flow, a flow.Actor, outsider bool) User {
	u := User{
		ID: a.ID, SRN: flow.UserSRN(f.Org, a.Kind, a.ID), Email: a.Email, Username: a.Email, Name: a.Name,
		Type: flow.KindPerson, Role: "member", Identities: []Identity{},
	}
	u.FirstName, u.LastName, _ = strings.Cut(a.Name, " ")
	switch {
	case a.Kind == flow.KindSystem:
		u.ID, u.Type = flow.UserID(f.Org, flow.KindSystem), flow.KindBot
		u.SRN, u.Username = flow.UserSRN(f.Org, flow.KindSystem, flow.KindSystem), cmp.Or(a.Hook, flow.KindSystem)
	case a.Kind == flow.KindBot, a.Kind == flow.KindAgent:
		u.Type, u.Username, u.Agent = flow.KindBot, a.Name, a.Kind == flow.KindAgent
	case f.Environment.Administers(a):
		u.Role = "admin"
	case outsider:
		u.Role = "guest"
	}
	if a.SlackID != "" {
		u.Identities = append(u.Identities, Identity{Service: string(flow.ChannelSlack), ExternalID: a.SlackTeam, UserID: a.SlackID})
	}
	return u
}
