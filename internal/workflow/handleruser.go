package workflow

import (
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// HandlerUser is a person, a bot or the system as handlers see them: Sym's
// user object.
type HandlerUser struct {
	ID         string            `json:"id"`
	SRN        string            `json:"srn"`
	Email      string            `json:"email"`
	Username   string            `json:"username"`
	Name       string            `json:"name"`
	FirstName  string            `json:"first_name"`
	LastName   string            `json:"last_name"`
	Type       string            `json:"type"` // "normal" or "bot"
	Role       string            `json:"role"` // "admin", "member" or "guest"
	Identities []HandlerIdentity `json:"identities"`
}

// HandlerIdentity is somebody as an outside service knows them.
type HandlerIdentity struct {
	Service   string `json:"service"`
	ServiceID string `json:"service_id"`
	UserID    string `json:"user_id"`
}

// UserForHandlers makes the user object of somebody. Admins are those whom the
// flow's environment names.
func UserForHandlers(f *flow.Flow, a flow.Actor, role store.Role, identities []store.Identity) HandlerUser {
	u := HandlerUser{
		ID: a.ID, SRN: flow.UserSRN(f.Org, a.Kind, a.ID), Email: a.Email, Username: a.Email, Name: a.Name,
		Type: flow.KindPerson, Role: "member", Identities: []HandlerIdentity{},
	}
	u.FirstName, u.LastName, _ = strings.Cut(a.Name, " ")
	switch {
	case a.Kind == flow.KindSystem:
		u.ID, u.Type = flow.UserID(f.Org, flow.KindSystem), flow.KindBot
		u.SRN, u.Username = flow.UserSRN(f.Org, flow.KindSystem, flow.KindSystem), flow.KindSystem
	case a.Kind == flow.KindBot:
		u.Type, u.Username = flow.KindBot, a.Name
	case a.Email != "" && slices.ContainsFunc(f.Environment.Admins, func(email string) bool { return strings.EqualFold(email, a.Email) }):
		u.Role = "admin"
	case role == store.RoleGuest, role == store.RoleDeactivated:
		u.Role = "guest"
	}
	if a.SlackID != "" {
		u.Identities = append(u.Identities, HandlerIdentity{Service: string(flow.ChannelSlack), ServiceID: a.SlackTeam, UserID: a.SlackID})
	}
	for _, i := range identities {
		u.Identities = append(u.Identities, HandlerIdentity{Service: i.Service, ServiceID: i.ExternalID, UserID: i.UserID})
	}
	return u
}
