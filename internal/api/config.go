package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// ConfigAPI is the configuration API, which Sym's Terraform provider speaks. All fields
// are required but where it is said.
//
// A GET or DELETE may have a body, which is not read: the provider sends one. Look-ups
// are answered by a list. All that a person can mend is status 400 with a message for
// each attribute, since the provider shows nothing of any other answer.
type ConfigAPI struct {
	Configure workflow.Configure
	Tokens    store.Tokens
	// Caller names the caller that AWS has authenticated; false if it has not. Nil:
	// everybody needs a token.
	Caller   func(*http.Request) (flow.Principal, bool)
	Now      func() time.Time
	Log      *slog.Logger
	Attempts *Attempts // as in [API]
}

// EntitiesPath is what the paths of the configuration API start with, below [Base].
// Callers whom AWS has authenticated use SignedEntitiesPath: a path of API Gateway's has
// one way to sign in.
const (
	EntitiesPath       = "/entities/"
	SignedEntitiesPath = "/signed/entities/"
)

// Paths that are no kind's. They are ours: the provider does not know them.
const (
	brokenPath = "broken" // where what is broken is listed
	allPath    = "all"    // where everything is listed, whoever has it
	// proposalsPath is where what waits for approval is listed.
	proposalsPath = "proposals"
	offerPath     = "offer" // where entities are offered to another owner
)

// maxEntityBytes is more than a strategy of ten thousand targets takes, and less than
// Lambda does.
const maxEntityBytes = 4 << 20

// Handler serves the configuration API under [Base].
func (a *ConfigAPI) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, base := range []string{Base + EntitiesPath, Base + SignedEntitiesPath} {
		for _, kind := range entity.Kinds() {
			all, one := base+kind.Collection(), base+kind.Collection()+"/{id}"
			a.handle(mux, "POST "+all, kind, a.create)
			if kind.Single() {
				one = all
			} else {
				a.handle(mux, "GET "+all, kind, a.find)
				mux.Handle(all, others("GET, POST"))
			}
			a.handle(mux, "GET "+one, kind, a.get)
			a.handle(mux, "PATCH "+one, kind, a.replace)
			a.handle(mux, "DELETE "+one, kind, a.delete)
			allowed := "DELETE, GET, PATCH"
			if kind.Single() {
				allowed += ", POST"
			}
			mux.Handle(one, others(allowed))
		}
		for path, list := range map[string]func(entityRequest) (any, error){brokenPath: a.broken, allPath: a.all, proposalsPath: a.proposals} {
			a.handle(mux, "GET "+base+path, "", list)
			mux.Handle(base+path, others("GET"))
		}
		a.handle(mux, "POST "+base+offerPath, "", a.offer)
		mux.Handle(base+offerPath, others("POST"))
	}
	mux.HandleFunc("/", nowhere)
	return edge{a.Now, a.Log}.exchanges(mux)
}

// others refuses other methods.
func others(allowed string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.Header().Set("Allow", allowed)
		x.fail(r, flow.Errorf(flow.CodeMethod, "this path takes %s only", allowed))
	})
}

// entityRequest is a request about entities of a kind.
type entityRequest struct {
	*http.Request
	kind entity.Kind
	by   store.EntityChange
	id   string // of the path
	// config is the configuration as the caller sees it.
	config workflow.Configure
}

func (a *ConfigAPI) handle(mux *http.ServeMux, pattern string, kind entity.Kind, act func(entityRequest) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		by, token, err := a.by(x, r)
		var body any
		if err == nil {
			by.Request = x.Header().Get(HeaderRequestID)
			body, err = act(entityRequest{r, kind, by, a.id(kind, r), a.Configure.By(token)})
		}
		switch {
		case err != nil:
			x.fail(r, mendable(err))
		case body == nil:
			x.status = http.StatusNoContent
			x.WriteHeader(http.StatusNoContent)
		default:
			x.write(r, http.StatusOK, body)
		}
	})
}

// id is the id that a path names; that of the kind of which there is one.
func (a *ConfigAPI) id(kind entity.Kind, r *http.Request) string {
	if kind.Single() {
		return flow.EntityID(a.Configure.Entities.Org, string(kind), "", "")
	}
	return r.PathValue("id")
}

// by finds out who changes or reads the configuration, and with which token; nil: with
// none.
func (a *ConfigAPI) by(x *exchange, r *http.Request) (store.EntityChange, *store.Token, error) {
	if strings.HasPrefix(r.URL.Path, Base+SignedEntitiesPath) {
		if a.Caller != nil {
			if who, ok := a.Caller(r); ok {
				return store.EntityChange{By: who}, nil, nil
			}
		}
		return store.EntityChange{}, nil, flow.Errorf(flow.CodeUnauthenticated, "sign the request with AWS credentials that may call this path (execute-api:Invoke)")
	}
	who, err := bearer{a.Tokens, a.Attempts}.authenticate(r.Context(), r.Header)
	if err != nil {
		return store.EntityChange{}, nil, err
	}
	x.caller = who
	if !who.token.Config || who.token.Agent {
		return store.EntityChange{}, nil, flow.Errorf(flow.CodeForbidden, "this token may not configure: make one with \"token create -config\"")
	}
	by := flow.Principal{Kind: flow.PrincipalBot, Name: who.bot.Name + ", for " + who.token.Owner, ID: who.token.ID}
	return store.EntityChange{By: by}, &who.token, nil
}

// mendable makes errors that people can mend ones that the provider shows.
func mendable(err error) error {
	shown, ok := errors.AsType[*flow.Error](err)
	if !ok || shown.Code != flow.CodeInvalid && shown.Code != flow.CodeTooLarge && shown.Code != flow.CodeMediaType {
		return err
	}
	fixed := *shown
	fixed.Code = flow.CodeInvalid
	if len(fixed.Fields) == 0 {
		fixed.Fields = []flow.FieldError{{Field: "body", Message: shown.Message}}
	}
	return &fixed
}

// read reads the entity that a request carries, and the id in it.
func (r entityRequest) read() (entity.Entity, string, error) {
	body, err := readBody(r.Request, maxEntityBytes)
	if err != nil {
		return entity.Entity{}, "", err
	}
	e, id, faults := entity.FromWire(r.kind, body.values)
	return e, id, workflow.Refused(faults)
}

func (a *ConfigAPI) create(r entityRequest) (any, error) {
	e, id, err := r.read()
	if err != nil {
		return nil, err
	}
	if id != "" {
		return nil, invalid("id", "is given by the server: leave it out, or PATCH the entity that has it")
	}
	if e, err = r.config.Create(r.Context(), r.by, e); err != nil {
		return nil, err
	}
	return a.changed(r, e), nil
}

func (a *ConfigAPI) replace(r entityRequest) (any, error) {
	e, id, err := r.read()
	if err != nil {
		return nil, err
	}
	if id != "" && !strings.EqualFold(id, r.id) {
		return nil, invalid("id", "is not the one of the path")
	}
	e.ID = strings.ToLower(r.id)
	if e, err = r.config.Replace(r.Context(), r.by, e); err != nil {
		return nil, err
	}
	return a.changed(r, e), nil
}

func (a *ConfigAPI) delete(r entityRequest) (any, error) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxEntityBytes))
	if err := r.config.Delete(r.Context(), r.by, r.kind, r.id); err != nil {
		return nil, err
	}
	a.changed(r, entity.Entity{ID: r.id})
	return nil, nil
}

// changed writes a change to the log, and gives the answer to it.
func (a *ConfigAPI) changed(r entityRequest, e entity.Entity) json.RawMessage {
	a.Log.InfoContext(r.Context(), changedOrProposed(r), "caller", r.by.By.Name, "method", r.Method, "kind", r.kind, "entity", e.ID, "name", e.Name, "request_id", r.by.Request)
	if !e.Alive() || e.Kind == "" {
		return nil
	}
	return e.Wire()
}

func changedOrProposed(r entityRequest) string {
	if r.config.Approval != "" {
		return "a change of the configuration was proposed"
	}
	return "configuration changed"
}

func (a *ConfigAPI) get(r entityRequest) (any, error) {
	e, err := r.config.Get(r.Context(), r.kind, r.id)
	if err != nil {
		return nil, err
	}
	return e.Wire(), nil
}

// broken lists the entities that no flows can be made of, and why.
func (a *ConfigAPI) broken(r entityRequest) (any, error) {
	if r.URL.RawQuery != "" {
		return nil, invalid("query", "is none here: everything is listed")
	}
	broken, pending, err := a.Configure.Broken(r.Context())
	if err != nil {
		return nil, err
	}
	list := events.BrokenList{Broken: []events.BrokenEntity{}, Pending: pending}
	for _, b := range broken {
		list.Broken = append(list.Broken, events.BrokenEntity{Kind: b.Kind, Name: b.Name, Faults: b.Faults, Since: b.Since.UTC(), Ended: b.Ended})
	}
	return list, nil
}

// all lists everything that is configured, part by part, as documents say it.
func (a *ConfigAPI) all(r entityRequest) (any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query", "can't be read: write ?after=<next>, with the next of the answer before")
	}
	for name := range query {
		if name != "after" {
			return nil, invalid(name, "is no parameter here: write ?after=<next>, with the next of the answer before")
		}
	}
	page, next, err := a.Configure.Page(r.Context(), query.Get("after"))
	if err != nil {
		return nil, err
	}
	list := events.EntityList{Org: a.Configure.Entities.Org, Entities: []events.Entity{}, Next: next}
	for _, e := range page {
		list.Entities = append(list.Entities, events.Entity{ID: e.ID, Kind: string(e.Kind), Type: e.Type, Name: e.Name, Owner: string(e.Owner), File: e.File, Attributes: e.Attributes, Digest: e.Digest(), MovesUntil: moves(e, a.Now())})
	}
	return list, nil
}

// proposals lists what waits for approval, of all tokens.
func (a *ConfigAPI) proposals(r entityRequest) (any, error) {
	if r.URL.RawQuery != "" {
		return nil, invalid("query", "is none here: everything is listed")
	}
	list := events.ProposalList{Approval: a.Configure.Approval, Proposals: []events.TokenProposals{}}
	all, err := a.Configure.Proposed(r.Context())
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		one := events.TokenProposals{Token: p.Token, Bot: p.Bot, Owner: p.Owner, Trouble: p.Trouble, Since: p.Since, Changes: []events.ProposedChange{}}
		if p.Asked != nil {
			one.RunID, one.Digest = p.Asked.Run, p.Asked.Digest
		}
		for _, c := range p.Changes {
			one.Changes = append(one.Changes, events.ProposedChange{
				Kind: string(c.Entity.Kind), ID: c.Entity.ID, Name: c.Entity.Name, Change: c.Change.Verb, Lines: append([]string{}, c.Change.Lines...), Wider: c.Change.Wider,
				Digest: c.Entity.Digest(), Former: c.Before, Listed: c.Listed,
			})
		}
		list.Proposals = append(list.Proposals, one)
	}
	return list, nil
}

// moves gives until when an entity changes hands; zero if it does not.
func moves(e entity.Entity, now time.Time) time.Time {
	if !e.Moves(now) {
		return time.Time{}
	}
	return e.Moving.Until
}

// maxOffered is how many entities one request may offer.
const maxOffered = 500

// offer has entities change hands.
func (a *ConfigAPI) offer(r entityRequest) (any, error) {
	body, err := readBody(r.Request, maxEntityBytes)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body.values)
	if err != nil {
		return nil, err
	}
	var in events.OfferInput
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&in); err != nil || len(in.Entities) == 0 || len(in.Entities) > maxOffered {
		return nil, invalid("entities", fmt.Sprintf("are 1 to %d objects with kind, id and digest, as GET /entities/all gives them", maxOffered))
	}
	var offered []workflow.Offered
	for _, e := range in.Entities {
		offered = append(offered, workflow.Offered{Kind: entity.Kind(e.Kind), ID: strings.ToLower(e.ID), Digest: e.Digest, As: e.As})
	}
	until := a.Now().UTC().Add(offeredFor).Truncate(time.Second)
	if err := a.Configure.Offer(r.Context(), r.by, offered, until, in.Check); err != nil {
		return nil, err
	}
	if !in.Check {
		a.Log.InfoContext(r.Context(), "configuration offered to another owner", "caller", r.by.By.Name, "entities", len(offered), "until", until, "request_id", r.by.Request)
	}
	return events.OfferOutput{Until: until}, nil
}

// offeredFor is how long what is offered waits for a publish: as long as a change of files
// may take to be reviewed.
const offeredFor = 30 * 24 * time.Hour

// find looks entities up: by name, and type where the kind has some, or all.
func (a *ConfigAPI) find(r entityRequest) (any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query", "can't be read: write ?slug=<name>")
	}
	for name := range query {
		if name != "slug" && (name != "type" || !r.kind.Typed()) {
			return nil, invalid(name, "is no parameter here: write ?slug=<name>, and &type=<type> for what has one")
		}
	}
	var found []entity.Entity
	if query.Has("slug") {
		found, err = r.config.Find(r.Context(), r.kind, query.Get("slug"), query.Get("type"))
	} else if found, err = r.config.List(r.Context(), r.kind); query.Has("type") {
		found = slices.DeleteFunc(found, func(e entity.Entity) bool { return e.Type != query.Get("type") })
	}
	if err != nil {
		return nil, err
	}
	list := []json.RawMessage{}
	for _, e := range found {
		list = append(list, e.Wire())
	}
	return list, nil
}
