package workflow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// APIRequest is a request by a program.
type APIRequest struct {
	Bot   flow.Actor
	Token store.Token // the bot's
	// IdempotencyKey makes a repeated call the same run; "" makes each one new.
	IdempotencyKey string
	FlowSRN        string
	Inputs         map[string]any // flow_inputs: fields, target_srn, duration
	Context        json.RawMessage
	UserEmail      string // ask for this person; at most one of the two
	UserID         string
	// Purpose is what an agent says it asks for that for.
	Purpose string    `json:",omitempty"`
	StartAt time.Time `json:",omitzero"` // when access is to start; zero: once it is approved
	// Repeats is the run whose request is made once more: what is given here takes the
	// place of what it asked for, and FlowSRN, UserEmail and UserID are its. "": none.
	Repeats string `json:",omitempty"`
}

// RequestByAPI starts a run and submits its request in one write. It returns
// the run and the id of its request event.
func (s Submit) RequestByAPI(ctx context.Context, q APIRequest) (flow.Run, string, error) {
	digest, err := digestOf(q)
	if err != nil {
		return flow.Run{}, "", err
	}
	id := flow.NewRunID()
	if q.IdempotencyKey != "" {
		id = flow.RunIDFrom(s.Org, "api", q.Token.ID, q.IdempotencyKey)
		// What was accepted once is not checked again: the flow may have changed.
		if r, err := s.Runs.Get(ctx, id); flow.CodeOf(err) != flow.CodeUnknownRun {
			return accepted(r, digest, err)
		}
	}
	if err := s.open(); err != nil {
		return flow.Run{}, "", err
	}
	if q.Repeats != "" {
		if q, err = s.repeated(ctx, q); err != nil {
			return flow.Run{}, "", err
		}
	}
	f, err := s.flowBySRN(ctx, q.FlowSRN)
	if err != nil {
		return flow.Run{}, "", err
	}
	if err := ForFlow(q.Token, f.Name); err != nil {
		return flow.Run{}, "", err
	}
	requester := store.User{Actor: q.Bot}
	var asker *flow.Actor
	var agent *flow.Agent
	switch {
	case q.Token.Agent:
		if requester.Actor, agent, err = s.byAgent(ctx, q); err == nil {
			asker = &q.Bot
		}
	case q.Purpose != "":
		return flow.Run{}, "", invalid(flow.KeyPurpose, "is what agents say: leave it out, or ask with an agent's token")
	case q.UserEmail != "" && q.UserID != "":
		return flow.Run{}, "", invalid("user_id", "give user_email or user_id, not both")
	case q.UserEmail != "":
		requester, err = s.Directory.UserByEmail(ctx, q.UserEmail)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			err = invalid("user_email", "nobody in the workspace has this e-mail address")
		}
		if err == nil && requester.Unconfirmed {
			err = invalid("user_email", "belongs to another Slack account than before: an administrator has to confirm it (local user confirm)")
		}
		asker = &q.Bot
	case q.UserID != "":
		requester, err = s.userByID(ctx, q.UserID)
		if flow.CodeOf(err) == flow.CodeUnknownUser {
			err = invalid("user_id", "nobody has this user id")
		}
		asker = &q.Bot
	}
	if err != nil {
		return flow.Run{}, "", err
	}
	if asker != nil && agent == nil {
		if err := forPerson(q.Token, requester.Actor); err != nil {
			return flow.Run{}, "", err
		}
	}
	if err := s.mayStart(f, flow.ChannelAPI, requester); err != nil {
		return flow.Run{}, "", err
	}
	if len(q.Context) > flow.MaxContextBytes {
		return flow.Run{}, "", &flow.Error{Code: flow.CodeTooLarge, Message: "the context is too large", Fields: []flow.FieldError{
			{Field: "context", Message: fmt.Sprintf("must be at most %d KB", flow.MaxContextBytes>>10)},
		}}
	}
	if err := f.CheckStart(q.StartAt, s.Now()); err != nil {
		return flow.Run{}, "", err
	}
	values, fault := s.inputs(f, q.Inputs)
	if values == nil {
		return flow.Run{}, "", fault
	}
	sub, err := f.Submit(values)
	sub, err = s.submitted(ctx, f, sub, err)
	if err := allFaults(fault, asInputs(err)); err != nil {
		return flow.Run{}, "", err
	}
	if agent != nil {
		if err := f.CheckAgent(sub, agent.Purpose); err != nil {
			return flow.Run{}, "", err
		}
	}
	sub.StartAt = q.StartAt
	owner, err := s.owner(ctx, q.Token)
	if err != nil {
		return flow.Run{}, "", err
	}
	start := flow.Start{
		ID: id, Flow: f, Requester: requester.Actor, Asker: asker, Owner: owner, Source: flow.ChannelAPI,
		Context: q.Context, RequestDigest: digest, Repeats: q.Repeats, Agent: agent,
	}
	options, err := s.checkPrefetched(ctx, start, values)
	if err != nil {
		return flow.Run{}, "", asInputs(err)
	}
	sub = f.NameChosen(f.OpenForm(options), sub)
	sent := requester.Actor
	if agent != nil {
		sent = q.Bot // it asks as itself
		if err := (store.Agents{Runs: s.Runs, Now: s.Now}).Count(ctx, q.Bot, q.Token.Limits, id); err != nil {
			return flow.Run{}, "", err
		}
	}
	r, err := s.start(ctx, start, &flow.Receive{Action: flow.ActionRequest, Actor: sent, Channel: flow.ChannelAPI, Submission: &sub})
	return accepted(r, digest, err)
}

// ForFlow refuses a token that was made for other flows.
func ForFlow(t store.Token, name string) error {
	if t.Flows == nil || containsFold(t.Flows, name) {
		return nil
	}
	return flow.Errorf(flow.CodeForbidden, "this token can't start flow %q: it was made for %s only", name, cmp.Or(strings.Join(t.Flows, ", "), "no flow"))
}

// forPerson refuses a token that was made to ask for other people.
func forPerson(t store.Token, who flow.Actor) error {
	if t.People == nil || !who.Unconfirmed && containsFold(t.People, who.Email) {
		return nil
	}
	return flow.Errorf(flow.CodeForbidden, "this token can't ask for %s: it was made to ask for %s only", who.Display(), cmp.Or(strings.Join(t.People, ", "), "the bot itself"))
}

// forRun refuses a token by which its bot could not have asked for what a run asks for. An
// agent has to have asked for it: there are no other runs, as far as it can tell.
func forRun(t store.Token, bot flow.Actor, r flow.Run) error {
	if t.Agent {
		return ForAgent(bot, r)
	}
	if err := ForFlow(t, r.Flow); err != nil || r.Requester.ID == bot.ID {
		return err
	}
	return forPerson(t, r.Requester)
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(each string) bool { return strings.EqualFold(each, s) })
}

// RetryByAPI asks for a run's failed step to be tried again now, as the button
// does. A token may do so where it may ask for the same; a removal is for every
// token to hurry, because taking away is the safe side. It returns the run and
// the id of the event that the client knows the failure by: that of the signal
// that waits, of the failed attempts, or of what code of the customer failed after. The error has flow.CodeNothingFailed if
// there is nothing to try again.
func (s Submit) RetryByAPI(ctx context.Context, runID string, bot flow.Actor, token store.Token) (flow.Run, string, error) {
	var eventID string
	r, err := s.Runs.Change(ctx, runID, s.Now, func(r flow.Run) (flow.Input, error) {
		if token.Agent {
			if err := ForAgent(bot, r); err != nil {
				return nil, err
			}
		}
		after := r.StuckAfter()
		if r.Error == nil && len(after) == 0 {
			return nil, flow.Errorf(flow.CodeNothingFailed, "nothing of this run waits to be tried again; it is %s", r.Status)
		}
		if r.Error == nil || r.Error.Step != flow.EventDeescalate {
			if err := forRun(token, bot, r); err != nil {
				return nil, err
			}
			if _, err := s.owner(ctx, token); err != nil {
				return nil, err
			}
		}
		if r.Error == nil {
			eventID = after[0]
		} else {
			eventID = cmp.Or(r.Error.SignalID, r.Error.EventID)
		}
		return flow.Retry{Actor: bot}, nil
	})
	return r, eventID, err
}

// owner finds the person who answers for a token; nil if it has none, which
// administrators are told of. The error has flow.CodeForbidden if the owner may
// not ask any more, or the address of the owner is another person's now: then they
// are told, too.
func (s Submit) owner(ctx context.Context, t store.Token) (*flow.Actor, error) {
	notices := store.Notices{Store: s.Runs.Store, Now: s.Now}
	whose := fmt.Sprintf("The token %s of the bot %s", t.ID, t.Bot)
	if t.Owner == "" {
		return nil, notices.Tell(ctx, "token "+t.ID+" without owner", whose+" has no owner, so that whoever holds it may approve what they ask for with it. "+
			"Name the person who answers for it: token set-owner "+t.ID+" <e-mail address>.", "")
	}
	who, err := s.Directory.UserByEmail(ctx, t.Owner)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return nil, err
	}
	why := "is no active member of the workspace"
	if err == nil && MayRequest(who) == nil {
		theirs, err := store.Users{Store: s.Runs.Store}.Succession(ctx, who.Actor)
		if err == nil && theirs == t.Succession {
			return &who.Actor, nil
		}
		if err != nil && flow.CodeOf(err) != flow.CodeForbidden {
			return nil, err
		}
		why = "has left that e-mail address, which belongs to another Slack account than before"
	}
	if err := notices.Tell(ctx, "owner of token "+t.ID+" "+t.Owner, whose+" is refused: its owner, "+t.Owner+", "+why+". "+
		"Name who answers for it now (token set-owner "+t.ID+" <e-mail address>), or revoke it (token revoke "+t.ID+").", ""); err != nil {
		return nil, err
	}
	return nil, flow.Errorf(flow.CodeForbidden, "the owner of this token, %s, %s, so that nothing can be asked for with it: have it given another owner (token set-owner)", t.Owner, why)
}

// checkPrefetched refuses values that are not among the options which the form
// would have now, and returns these options, by field. Such a value may say which thing
// of a system a grant is for.
func (s Submit) checkPrefetched(ctx context.Context, start flow.Start, values map[string]any) (map[string][]flow.Option, error) {
	r, err := flow.Apply(flow.Run{}, start, s.Now())
	if err != nil {
		return nil, err
	}
	r.ID = "" // not kept yet, so that handlers can ask nothing about it
	prefetched := map[string][]flow.Option{}
	for _, p := range start.Flow.Fields() {
		if v, given := values[p.Name]; !p.Prefetch || !given || v == nil || v == "" {
			continue
		}
		if prefetched[p.Name], err = (Forms{Fields: s.Fields}).Options(ctx, start.Flow, r, p.Name); err != nil {
			return nil, &flow.Error{Code: flow.CodeLookup, Message: fmt.Sprintf("which values field %q may have could not be asked: %s", p.Name, flow.UserMessage(err)), Cause: err}
		}
	}
	return prefetched, start.Flow.CheckPrefetched(prefetched, values)
}

// accepted answers an API request with its run, unless the run was made for
// another request.
func accepted(r flow.Run, digest string, err error) (flow.Run, string, error) {
	if err != nil {
		return flow.Run{}, "", err
	}
	if r.RequestDigest != digest {
		return flow.Run{}, "", flow.Errorf(flow.CodeIdempotency, "this Idempotency-Key was used for another request: use a new one")
	}
	return r, flow.EventID(r.ID, 1), nil
}

// userByID finds a person by Slack's id or by ours, as they are now. Ours are
// UUIDs; Slack's have no dash.
func (s Submit) userByID(ctx context.Context, id string) (store.User, error) {
	if !strings.Contains(id, "-") {
		return s.Directory.User(ctx, id)
	}
	return People{s.Directory, store.Users{Store: s.Runs.Store}}.user(ctx, id)
}

// flowBySRN finds the flow that an SRN names, in our org.
func (s Submit) flowBySRN(ctx context.Context, srn string) (*flow.Flow, error) {
	n, err := s.ownSRN("flow_srn", srn, "flow")
	if err != nil {
		return nil, err
	}
	f, err := s.Flows.Version(ctx, n.Slug, n.Version)
	if err != nil {
		return nil, err
	}
	if n.Version != flow.Latest {
		latest, err := s.Flows.Latest(ctx, n.Slug)
		if err != nil {
			return nil, err
		}
		if latest.Version != f.Version {
			return nil, flow.Errorf(flow.CodeUnknownFlow, "version %s of flow %q is not the current one: use %s", n.Version, f.Name, flow.FlowSRN(s.Org, f.Name, flow.Latest))
		}
	}
	return f, nil
}

func (s Submit) ownSRN(field, srn, model string) (flow.SRN, error) {
	n, err := flow.ParseSRN(srn)
	if err != nil {
		return n, invalid(field, flow.UserMessage(err))
	}
	if n.Model != model {
		return n, invalid(field, fmt.Sprintf("must name a %s, not a %s", model, n.Model))
	}
	if !strings.EqualFold(n.Org, s.Org) {
		return n, invalid(field, fmt.Sprintf("belongs to another org: ours is %q", s.Org))
	}
	return n, nil
}

// inputs turns the API's flow_inputs into field values: target_srn names the
// target that the form would call target_id. With an error it also returns the
// values that can still be checked, or nil if none can.
func (s Submit) inputs(f *flow.Flow, in map[string]any) (map[string]any, error) {
	values := make(map[string]any, len(in))
	for k, v := range in {
		values[k] = v
	}
	given, ok := values[flow.KeyTargetSRN]
	if f.ApprovalOnly() {
		var faults []flow.FieldError
		for _, name := range []string{flow.KeyTargetSRN, flow.FieldNameDuration} {
			if _, ok := values[name]; ok {
				faults = append(faults, flow.FieldError{Field: "flow_inputs." + name, Message: "must not be given: the flow is approval-only"})
			}
		}
		if len(faults) > 0 {
			return values, &flow.Error{Code: flow.CodeInvalid, Message: "some inputs are not right", Fields: faults}
		}
		return values, nil
	}
	if _, both := values[flow.FieldNameTarget]; both {
		return nil, invalid("flow_inputs.target_id", "give target_srn instead")
	}
	delete(values, flow.KeyTargetSRN)
	if !ok {
		return values, nil // Submit says that it is required
	}
	srn, ok := given.(string)
	if !ok {
		return values, invalid("flow_inputs.target_srn", "must be text")
	}
	n, err := s.ownSRN("flow_inputs.target_srn", srn, "access_target")
	if err != nil {
		return values, err
	}
	t, ok := f.Strategy.Target(s.Org, n.Slug)
	if !ok || t.Type != n.Type {
		return values, invalid("flow_inputs.target_srn", "is not one of the flow's targets")
	}
	if id := t.IDIn(s.Org); n.Identifier != "" && !strings.EqualFold(n.Identifier, id) {
		return values, invalid("flow_inputs.target_srn", fmt.Sprintf("ends in an id that is not this target's: write %s, or leave the id out", id))
	}
	values[flow.FieldNameTarget] = t.Name
	return values, nil
}

// asInputs puts the API's names on the fields of an error.
func asInputs(err error) error {
	e, ok := errors.AsType[*flow.Error](err)
	if !ok {
		return err
	}
	shown := *e
	shown.Fields = slices.Clone(e.Fields)
	for i, f := range shown.Fields {
		if f.Field == flow.FieldNameTarget {
			f.Field = flow.KeyTargetSRN
		}
		shown.Fields[i].Field = "flow_inputs." + f.Field
	}
	return &shown
}

// allFaults puts two reports of what is wrong with fields into one. Where both
// speak of a field, it keeps what the first says.
func allFaults(first, second error) error {
	a, isA := errors.AsType[*flow.Error](first)
	b, isB := errors.AsType[*flow.Error](second)
	if !isA || !isB || b.Code != flow.CodeInvalid {
		return cmp.Or(first, second)
	}
	all := *b
	all.Fields = slices.Clone(a.Fields)
	for _, f := range b.Fields {
		if !slices.ContainsFunc(all.Fields, func(known flow.FieldError) bool { return known.Field == f.Field }) {
			all.Fields = append(all.Fields, f)
		}
	}
	return &all
}

func invalid(field, message string) error {
	return &flow.Error{Code: flow.CodeInvalid, Message: "the request is not right", Fields: []flow.FieldError{{Field: field, Message: message}}}
}

// digestOf returns a digest by which two API requests can be told apart.
func digestOf(q APIRequest) (string, error) {
	q.Bot, q.Token, q.IdempotencyKey = flow.Actor{}, store.Token{}, ""
	b, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8]), nil
}
