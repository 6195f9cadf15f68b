package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TokenAPI makes, lists and revokes the tokens of the Events API. It does not
// authenticate by tokens: Caller says who is calling. All fields are required.
type TokenAPI struct {
	Tokens store.Tokens
	// Caller names the caller. It returns false for one that may not use the
	// API.
	Caller func(*http.Request) (flow.Principal, bool)
	Now    func() time.Time
	Log    *slog.Logger
}

const tokensPath = "/tokens"

// Handler serves POST and GET /tokens, and PUT and DELETE /tokens/{id}, under [Base].
func (a *TokenAPI) Handler() http.Handler {
	mux := http.NewServeMux()
	routes := map[string]map[string]func(*http.Request, flow.Principal) (any, error){
		tokensPath:           {http.MethodPost: a.create, http.MethodGet: a.list},
		tokensPath + "/{id}": {http.MethodDelete: a.revoke, http.MethodPut: a.setOwner},
	}
	for path, methods := range routes {
		for method, act := range methods {
			mux.Handle(method+" "+Base+path, only(method, func(x *exchange, r *http.Request) (any, error) {
				caller, ok := a.Caller(r)
				if !ok {
					return nil, flow.Errorf(flow.CodeUnauthenticated, "sign the request with AWS credentials that may call this path (execute-api:Invoke)")
				}
				body, err := act(r, caller)
				if err == nil && method != http.MethodGet {
					a.Log.InfoContext(r.Context(), "tokens changed", "caller", caller.Name, "method", method, "token", tokenIn(body))
				}
				return body, err
			}))
		}
	}
	mux.HandleFunc("/", nowhere)
	return edge{a.Now, a.Log}.exchanges(mux)
}

// With serves people beside tokens.
func (a *TokenAPI) With(people *PeopleAPI) http.Handler {
	tokens, others := a.Handler(), people.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case Base + identitiesPath, Base + usersPath:
			others.ServeHTTP(w, r)
		default:
			tokens.ServeHTTP(w, r)
		}
	})
}

// tokenIn gives the id of the token that was made or revoked: never its value.
func tokenIn(body any) string {
	switch body := body.(type) {
	case events.CreatedToken:
		return body.ID
	case events.Token:
		return body.ID
	}
	return ""
}

func (a *TokenAPI) create(r *http.Request, by flow.Principal) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.CreateTokenInput{
		Bot: body.required("bot"), Label: body.text("label"), Expires: body.required("expires"),
		Owner: body.required("owner"), Flows: body.texts("flows"), People: body.texts("people"), Drift: body.boolean("drift"), Config: body.boolean("config"),
		Agent: body.boolean("agent"), AnHour: body.number("an_hour"), AtOnce: body.number("at_once"),
	}
	if err := body.err(); err != nil {
		return nil, err
	}
	valid, err := flow.ParseDuration(in.Expires)
	if err != nil {
		return nil, invalid("expires", flow.UserMessage(err))
	}
	value, t, err := a.Tokens.Create(r.Context(), by, TokenAskedFor(in), valid)
	if err != nil {
		return nil, err
	}
	return events.CreatedToken{Value: value, Token: TokenShown(t)}, nil
}

func (a *TokenAPI) setOwner(r *http.Request, by flow.Principal) (any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	in := events.SetTokenOwnerInput{Owner: body.required("owner")}
	if err := body.err(); err != nil {
		return nil, err
	}
	t, err := a.Tokens.SetOwner(r.Context(), by, r.PathValue("id"), in.Owner)
	return TokenShown(t), err
}

func (a *TokenAPI) list(r *http.Request, _ flow.Principal) (any, error) {
	tokens, err := a.Tokens.List(r.Context())
	if err != nil {
		return nil, err
	}
	out := events.TokenList{Tokens: []events.Token{}}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, TokenShown(t))
	}
	return out, nil
}

func (a *TokenAPI) revoke(r *http.Request, by flow.Principal) (any, error) {
	id := r.PathValue("id")
	return events.Token{ID: id}, a.Tokens.Revoke(r.Context(), by, id)
}

// TokenAskedFor is the token that an input describes.
func TokenAskedFor(in events.CreateTokenInput) store.Token {
	return store.Token{
		Bot: in.Bot, Label: in.Label, Owner: in.Owner, Flows: in.Flows, People: in.People, Drift: in.Drift, Config: in.Config,
		Agent: in.Agent, Limits: store.AgentLimits{AnHour: in.AnHour, AtOnce: in.AtOnce},
	}
}

// TokenShown describes a token as the API does.
func TokenShown(t store.Token) events.Token {
	out := events.Token{ID: t.ID, Bot: t.Bot, Label: t.Label, Owner: t.Owner, Flows: t.Flows, People: t.People, Drift: t.Drift, Config: t.Config, Created: &t.Created, Expires: &t.Expires,
		Agent: t.Agent, AnHour: t.Limits.AnHour, AtOnce: t.Limits.AtOnce}
	if t.Revoked != nil {
		out.RevokedBy, out.RevokedAt = t.Revoked.By.Name, &t.Revoked.At
	}
	return out
}
