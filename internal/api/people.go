package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// People is what an administrator may say of people: who they are in other
// systems, and that an address belongs to another account now. All fields are
// required.
type People struct {
	Users store.Users
	Org   string
	Now   func() time.Time
}

func (p People) named(email string) (flow.Actor, error) {
	if err := flow.CheckEmail(email); err != nil {
		return flow.Actor{}, invalid("email", flow.UserMessage(err))
	}
	return flow.Actor{ID: flow.UserID(p.Org, email), Kind: flow.KindPerson, Email: email}, nil
}

// Identities lists the stored identities of whoever has an address, and those that
// directories gave in the last day.
func (p People) Identities(ctx context.Context, email string) (events.IdentityList, error) {
	out := events.IdentityList{Identities: []events.Identity{}}
	who, err := p.named(email)
	if err != nil {
		return out, err
	}
	saved, err := p.Users.Saved(ctx, who)
	for _, i := range saved {
		shown := events.Identity{Email: email, Service: i.Service, ServiceID: i.ExternalID, UserID: i.UserID, SavedBy: i.By.Name}
		if !i.At.IsZero() {
			shown.SavedAt = &i.At
		}
		out.Identities = append(out.Identities, shown)
	}
	if err != nil {
		return out, err
	}
	found, err := p.Users.Found(ctx, who, p.Now())
	for _, i := range found {
		out.Identities = append(out.Identities, events.Identity{
			Email: email, Service: i.Service, ServiceID: i.ExternalID, UserID: i.UserID, FoundBy: i.Strategy, FoundAt: &i.At,
		})
	}
	return out, err
}

// SetIdentity saves who a person is in a system; by is who says so.
func (p People) SetIdentity(ctx context.Context, in events.Identity, by flow.Principal) error {
	who, err := p.named(in.Email)
	if err != nil {
		return err
	}
	i := store.Identity{Service: in.Service, ExternalID: in.ServiceID, UserID: in.UserID}
	if err := i.Check(); err != nil {
		return err
	}
	return p.Users.SetIdentity(ctx, who, store.SavedIdentity{Identity: i, Author: flow.Author{By: by, At: p.Now().UTC()}})
}

// DeleteIdentity removes who a person is in a system; by is who says so. The error
// has flow.CodeInvalid if nothing is stored.
func (p People) DeleteIdentity(ctx context.Context, in events.Identity, by flow.Principal) error {
	who, err := p.named(in.Email)
	if err != nil {
		return err
	}
	return p.Users.DeleteIdentity(ctx, flow.Author{By: by, At: p.Now()}, who, in.Service, in.ServiceID)
}

// Claims lists the accounts that wait to be confirmed.
func (p People) Claims(ctx context.Context) (events.AddressClaims, error) {
	return claims(p.Users.Claims(ctx))
}

// Confirm gives one address, or all, to the accounts that claim it, and lists
// them; by is who confirms it. The error has flow.CodeInvalid if nobody claims
// the one.
func (p People) Confirm(ctx context.Context, in events.ConfirmInput, by flow.Principal) (events.AddressClaims, error) {
	accounts := workflow.Accounts{Users: p.Users, Now: p.Now}
	if in.All && in.Email == "" {
		return claims(accounts.Confirm(ctx, store.Confirmable{All: true}, by))
	}
	who, err := p.named(in.Email)
	if err == nil && in.All {
		err = invalid("all", "must be left out where email is given")
	}
	if err != nil {
		return events.AddressClaims{}, err
	}
	return claims(accounts.Confirm(ctx, store.Confirmable{Person: who.ID}, by))
}

func claims(list []store.Claim, err error) (events.AddressClaims, error) {
	out := events.AddressClaims{Claims: []events.AddressClaim{}}
	for _, c := range list {
		out.Claims = append(out.Claims, events.AddressClaim{
			Email: c.Email, Name: c.Display(), Account: c.Account.String(), Former: c.Former.String(), Since: c.SeenAt,
		})
	}
	return out, err
}

// PeopleAPI is People for those whom AWS lets in. All fields are required.
type PeopleAPI struct {
	People
	// Caller names who calls; false: nobody that may.
	Caller func(*http.Request) (flow.Principal, bool)
	Log    *slog.Logger
}

const (
	identitiesPath = "/identities"
	usersPath      = "/users"
)

// Handler serves GET, PUT and DELETE /identities and GET and POST /users under
// [Base].
func (a *PeopleAPI) Handler() http.Handler {
	mux := http.NewServeMux()
	routes := map[string]map[string]func(*http.Request, flow.Principal) (any, error){
		identitiesPath: {http.MethodGet: a.identities, http.MethodPut: a.set, http.MethodDelete: a.delete},
		usersPath:      {http.MethodGet: a.waiting, http.MethodPost: a.confirm},
	}
	for path, methods := range routes {
		for method, act := range methods {
			mux.Handle(method+" "+Base+path, only(method, func(_ *exchange, r *http.Request) (any, error) {
				by, ok := a.Caller(r)
				if !ok {
					return nil, flow.Errorf(flow.CodeUnauthenticated, "sign the request with AWS credentials that may call this path (execute-api:Invoke)")
				}
				body, err := act(r, by)
				if err == nil && method != http.MethodGet {
					a.Log.InfoContext(r.Context(), "people changed", "caller", by.Name, "method", method, "path", path, "change", body)
				}
				return body, err
			}))
		}
	}
	mux.HandleFunc("/", nowhere)
	return edge{a.Now, a.Log}.exchanges(mux)
}

func (a *PeopleAPI) identities(r *http.Request, _ flow.Principal) (any, error) {
	return a.Identities(r.Context(), r.URL.Query().Get("email"))
}

func (a *PeopleAPI) set(r *http.Request, by flow.Principal) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.Identity{Email: body.required("email"), Service: body.required("service"), ServiceID: body.text("service_id"), UserID: body.required("user_id")}
	if err := body.err(); err != nil {
		return nil, err
	}
	return in, a.SetIdentity(r.Context(), in, by)
}

func (a *PeopleAPI) delete(r *http.Request, by flow.Principal) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.Identity{Email: body.required("email"), Service: body.required("service"), ServiceID: body.text("service_id")}
	if err := body.err(); err != nil {
		return nil, err
	}
	return in, a.DeleteIdentity(r.Context(), in, by)
}

func (a *PeopleAPI) waiting(r *http.Request, _ flow.Principal) (any, error) {
	return a.Claims(r.Context())
}

func (a *PeopleAPI) confirm(r *http.Request, by flow.Principal) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.ConfirmInput{Email: body.text("email"), All: body.boolean("all")}
	if err := body.err(); err != nil {
		return nil, err
	}
	return a.Confirm(r.Context(), in, by)
}
