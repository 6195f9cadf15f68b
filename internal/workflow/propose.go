package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Propose asks for approval of what tokens have proposed to the configuration API: once a
// token has been quiet for a while, one run of a flow lists all of it. [Conclude] does what
// was decided.
type Propose struct {
	Flow     string // the name of the flow that decides
	Entities store.Entities
	Tokens   store.Tokens
	Submit   Submit
	Notices  store.Notices
	Now      func() time.Time
	Log      *slog.Logger
}

// ProposeQuiet is for how long a token must not have proposed anything before it is asked
// for approval.
const ProposeQuiet = time.Minute

// FieldChanges is the field that a flow needs which decides on the configuration: it lists
// what is proposed.
const FieldChanges = "changes"

// Limits of the list that people read, which is shown in one text of Slack's, and of the
// one by digests that programs read.
const (
	maxChangesText = 2500
	maxLinesShown  = 12
	maxDigests     = 100
)

// Run asks for what is to be asked, and returns when to call it again though nothing
// changes: zero if there is no such time. One call at a time is enough, and several do no
// harm.
func (p Propose) Run(ctx context.Context) (next time.Time, err error) {
	if p.Flow == "" {
		return next, nil
	}
	all, err := p.Entities.Proposals().List(ctx)
	if err != nil {
		return next, err
	}
	var failed error
	for _, one := range all {
		at, err := p.one(ctx, one)
		if errors.Is(err, store.ErrConflict) {
			at, err = p.Now(), nil // another call was first: look again
		}
		if err != nil {
			p.Log.ErrorContext(ctx, "what a token proposes could not be asked for, and will be in a minute", "token", one.Token, "error", err)
			at, failed = p.Now().Add(ProposeQuiet), err
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if failed != nil && ctx.Err() != nil {
		return next, failed
	}
	return next, nil
}

// Due tells whether Run has something to do, for a function that has it called.
func (p Propose) Due(ctx context.Context) (bool, error) {
	if p.Flow == "" {
		return false, nil
	}
	all, err := p.Entities.Proposals().List(ctx)
	for _, one := range all {
		a := one.Asked
		if err != nil || one.Drop != "" || a != nil && a.Applying {
			continue
		}
		if a != nil && (a.Run == "" || a.Superseded) {
			return true, nil
		}
		var last time.Time
		if last, err = p.Entities.Proposals().Last(ctx, one.Token); err == nil && !last.IsZero() && (a == nil || last.After(a.At)) && !p.Now().Before(last.Add(ProposeQuiet)) {
			return true, nil
		}
	}
	return false, err
}

func (p Propose) one(ctx context.Context, one store.Proposing) (next time.Time, err error) {
	if one.Drop != "" {
		return next, nil // Conclude does that
	}
	last, err := p.Entities.Proposals().Last(ctx, one.Token)
	if err != nil {
		return next, err
	}
	if a := one.Asked; a != nil && a.Run == "" {
		there, err := p.made(ctx, one)
		if err != nil {
			return next, err
		}
		if there || strings.EqualFold(a.Flow, p.Flow) && !last.After(a.At) {
			return p.ask(ctx, one)
		}
		one.Asked = nil // nobody was asked, and there is more to ask for, or another flow decides
	}
	switch a := one.Asked; {
	case a != nil && (a.Applying || a.Superseded):
		return p.supersede(ctx, one)
	case last.IsZero() || a != nil && !last.After(a.At):
		return next, nil
	case p.Now().Before(last.Add(ProposeQuiet)):
		return last.Add(ProposeQuiet), nil
	case a != nil:
		// More was proposed than the open run lists: another one lists all of it.
		a.Superseded = true
		if one, err = p.Entities.Proposals().Put(ctx, one); err != nil {
			return next, err
		}
		return p.supersede(ctx, one)
	}
	changes, err := proposedBy(ctx, p.Entities, one.Token)
	if err != nil || len(changes) == 0 {
		return next, err
	}
	asked, err := p.asking(ctx, one, changes)
	if err != nil {
		return next, err
	}
	if asked, err = p.Entities.Proposals().Freeze(ctx, one.Token, changes, asked); err != nil {
		return next, err
	}
	one.Asked = &asked
	if one, err = p.Entities.Proposals().Put(ctx, one); err != nil {
		return next, err
	}
	return p.ask(ctx, one)
}

// proposedBy compares what a token proposes with what is in force, in order of kind and
// id.
func proposedBy(ctx context.Context, inForce store.Entities, token string) ([]store.AskedChange, error) {
	proposed, err := inForce.Proposals().Of(ctx, token)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(proposed, func(a, b entity.Entity) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	return each(proposed, func(e entity.Entity) (store.AskedChange, error) {
		before, err := inForce.Get(ctx, e.Kind, e.ID)
		if flow.CodeOf(err) == flow.CodeUnknownEntity {
			err = nil
		}
		return store.AskedChange{Before: before.Digest(), Entity: e}, err
	})
}

// asking writes what changes do, for people: what may let more happen first.
func (p Propose) asking(ctx context.Context, one store.Proposing, changes []store.AskedChange) (store.Asked, error) {
	all, err := compared(ctx, p.Entities, one.Token, changes)
	if err != nil {
		return store.Asked{}, err
	}
	a := store.Asked{Flow: p.Flow}
	for _, c := range all {
		if c.Wider {
			a.Wider++
		}
	}
	slices.SortStableFunc(all, func(a, b entity.Change) int {
		switch {
		case a.Wider == b.Wider:
			return 0
		case a.Wider:
			return -1
		}
		return 1
	})
	a.Text = changesText(all, a.Wider)
	return a, nil
}

// compared says what changes do that a token proposes.
func compared(ctx context.Context, inForce store.Entities, token string, changes []store.AskedChange) ([]entity.Change, error) {
	proposed := inForce
	proposed.ProposedBy = token
	return each(changes, func(c store.AskedChange) (entity.Change, error) {
		var failed error
		name := func(kind entity.Kind, id string) string {
			e, err := proposed.Get(ctx, kind, strings.ToLower(id))
			if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
				failed = err
			}
			return e.Name
		}
		before, err := inForce.Get(ctx, c.Entity.Kind, c.Entity.ID)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
			return entity.Change{}, err
		}
		return entity.Compare(before, c.Entity, name), failed
	})
}

// each makes something of several things, some of them at once.
func each[T, U any](list []T, do func(T) (U, error)) ([]U, error) {
	made, errs := make([]U, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i, one := range list {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			made[i], errs[i] = do(one)
		})
	}
	all.Wait()
	return made, errors.Join(errs...)
}

// TokenProposals is what a token proposes, and where that is.
type TokenProposals struct {
	store.Proposing

	Since   time.Time // when the last of it was proposed
	Changes []ProposedChange
}

// ProposedChange is one change, and what it does.
type ProposedChange struct {
	store.AskedChange

	Change entity.Change
	Listed bool // as it is by the open run
}

// Proposed gives what waits for approval, of all tokens.
func (c Configure) Proposed(ctx context.Context) ([]TokenProposals, error) {
	c.Entities.ProposedBy = ""
	all, err := c.Entities.Proposals().List(ctx)
	if err != nil {
		return nil, err
	}
	var list []TokenProposals
	for _, one := range all {
		changes, err := proposedBy(ctx, c.Entities, one.Token)
		if err != nil {
			return nil, err
		}
		said, err := compared(ctx, c.Entities, one.Token, changes)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 && one.Asked == nil {
			continue
		}
		listed := map[string]string{}
		if one.Asked != nil {
			asked, err := c.Entities.Proposals().Frozen(ctx, one.Token, *one.Asked)
			if err != nil && !store.NotAsListed(err) {
				return nil, err
			}
			for _, a := range asked {
				listed[a.Entity.ID] = a.Before + " " + a.Entity.Digest()
			}
		}
		shown := TokenProposals{Proposing: one}
		for i, change := range changes {
			at, there := listed[change.Entity.ID]
			shown.Changes = append(shown.Changes, ProposedChange{change, said[i], there && at == change.Before+" "+change.Entity.Digest()})
			if change.Entity.Changed.After(shown.Since) {
				shown.Since = change.Entity.Changed
			}
		}
		list = append(list, shown)
	}
	return list, nil
}

// widerMark stands before what may let more happen than before.
const widerMark = "[wider] "

func changesText(all []entity.Change, wider int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of the configuration, %s", things(len(all), "change"), widerOf(wider))
	hidden, hiddenWider := 0, 0
	for i, c := range all {
		line := "\n- "
		if c.Wider {
			line += widerMark
		}
		line += c.What + ": " + c.Verb
		shown := c.Lines[:min(len(c.Lines), maxLinesShown)]
		if len(shown) > 0 {
			line += " (" + strings.Join(shown, "; ")
			if more := len(c.Lines) - len(shown); more > 0 {
				line += fmt.Sprintf("; and %d more", more)
			}
			line += ")"
		}
		if b.Len()+len(line) > maxChangesText {
			for _, c := range all[i:] {
				hidden++
				if c.Wider {
					hiddenWider++
				}
			}
			break
		}
		b.WriteString(line)
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "\nand %d more, %s: GET /api/v1/entities/proposals lists all of them", hidden, widerOf(hiddenWider))
	}
	return b.String()
}

func widerOf(n int) string {
	switch n {
	case 0:
		return "none of which lets anything happen that could not happen before"
	case 1:
		return "of which 1 may let something happen that could not happen before (" + strings.TrimSpace(widerMark) + ")"
	}
	return fmt.Sprintf("of which %d may let something happen that could not happen before (%s)", n, strings.TrimSpace(widerMark))
}

func things(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ask makes the run that lists what was frozen, by the token for its owner.
func (p Propose) ask(ctx context.Context, one store.Proposing) (next time.Time, err error) {
	bot, token, err := p.Tokens.Known(ctx, one.Hash)
	if flow.CodeOf(err) == flow.CodeUnauthenticated {
		one.Drop, one.Asked = tokenOver, nil
		_, err = p.Entities.Proposals().Put(ctx, one)
		return next, err
	}
	if err != nil {
		return next, err
	}
	r, err := p.request(ctx, one, bot, token)
	if err != nil {
		return p.trouble(ctx, one, err)
	}
	one.Asked.Run, one.Trouble = r.ID, ""
	act := flow.NewAct(flow.Author{By: by(one), At: p.Now()}, flow.ActProposalsAsk, flow.Subject{Kind: "run", ID: r.ID, Name: r.Flow}, map[string]any{
		"token": one.Token, "owner": one.Owner, "digest": one.Asked.Digest, "count": one.Asked.Count, "wider": one.Asked.Wider,
	})
	_, err = p.Entities.Proposals().Put(ctx, one, act)
	p.Log.InfoContext(ctx, "what a token proposes is asked for", "token", one.Token, "run", r.ID, "changes", one.Asked.Count)
	return next, err
}

// by is in whose name proposals are asked for, applied and dropped.
func by(one store.Proposing) flow.Principal {
	return flow.Principal{Kind: flow.PrincipalBot, Name: one.Bot + ", for " + one.Owner, ID: one.Token}
}

func (p Propose) request(ctx context.Context, one store.Proposing, bot flow.Actor, token store.Token) (flow.Run, error) {
	if token.Owner == "" {
		return flow.Run{}, flow.Errorf(flow.CodeForbidden, "the token %s has no owner, who would count as the requester: name one (token set-owner)", token.ID)
	}
	f, err := p.Submit.Flows.Latest(ctx, one.Asked.Flow)
	if err != nil {
		return flow.Run{}, err
	}
	field, ok := f.Field(FieldChanges)
	if !f.ApprovalOnly() || !ok || field.Type != flow.FieldString || !field.Visible || field.Prefetch || len(field.AllowedValues) > 0 {
		return flow.Run{}, flow.Errorf(flow.CodeInvalid, "it can't list changes: it needs to be without strategy, and to have a prompt field %s of type string, which is visible and offers no values", FieldChanges)
	}
	context, err := p.context(ctx, one)
	if err != nil {
		return flow.Run{}, err
	}
	token.Flows, token.People = nil, nil // it does not ask by itself
	r, _, err := p.Submit.RequestByAPI(ctx, APIRequest{
		Bot: bot, Token: token, IdempotencyKey: askedBy(*one.Asked),
		FlowSRN: flow.FlowSRN(p.Submit.Org, f.Name, flow.Latest),
		Inputs:  map[string]any{FieldChanges: one.Asked.Text}, Context: context,
	})
	return r, err
}

// askedBy is by what a run is known that lists something: there is one for each list.
func askedBy(a store.Asked) string { return "proposals " + a.ID }

// made tells whether the run is there, though that was not noted.
func (p Propose) made(ctx context.Context, one store.Proposing) (bool, error) {
	_, err := p.Submit.Runs.Get(ctx, flow.RunIDFrom(p.Submit.Org, "api", one.Token, askedBy(*one.Asked)))
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return false, nil
	}
	return err == nil, err
}

// listing is what the record of a run says of what it lists.
type listing struct {
	Token  string `json:"token"` // that proposed it
	Digest string `json:"digest"`
	Count  int    `json:"count"`
	Wider  int    `json:"wider"`
}

func about(one store.Proposing) listing {
	return listing{one.Token, one.Asked.Digest, one.Asked.Count, one.Asked.Wider}
}

// listed is the part of a run's context that says it.
type listed struct {
	Configuration struct {
		listing

		// Changes are the first of them, by digest.
		Changes []listedChange `json:"changes"`
	} `json:"configuration"`
}

type listedChange struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Digest string `json:"digest,omitempty"`
	Former string `json:"former_digest,omitempty"`
}

// aboutOf reads what a run lists.
func aboutOf(r flow.Run) listing {
	var l listed
	_ = json.Unmarshal(r.Context, &l) // of a run that lists nothing it may be anything
	return l.Configuration.listing
}

// context writes what the run's record says of what it lists.
func (p Propose) context(ctx context.Context, one store.Proposing) (json.RawMessage, error) {
	changes, err := p.Entities.Proposals().Frozen(ctx, one.Token, *one.Asked)
	if err != nil {
		return nil, err
	}
	var l listed
	l.Configuration.listing = about(one)
	for _, c := range changes[:min(len(changes), maxDigests)] {
		l.Configuration.Changes = append(l.Configuration.Changes, listedChange{string(c.Entity.Kind), c.Entity.ID, c.Entity.Digest(), c.Before})
	}
	return json.Marshal(l)
}

// trouble has those told who can mend why nobody is asked. It is tried again.
func (p Propose) trouble(ctx context.Context, one store.Proposing, why error) (time.Time, error) {
	next := p.Now().Add(ProposeQuiet)
	if e, ok := errors.AsType[*flow.Error](why); !ok || e.Cause != nil && e.Code != flow.CodeLookup {
		return next, why
	}
	text := fmt.Sprintf("What was proposed to the configuration can't be asked for by the flow %s, and does not come into force: %s. A deploy names another flow (configApproval), or none.", one.Asked.Flow, strings.TrimSuffix(flow.UserMessage(why), "."))
	if one.Trouble != text {
		one.Trouble = text
		if _, err := p.Entities.Proposals().Put(ctx, one); err != nil {
			return next, err
		}
	}
	return next, p.Notices.Tell(ctx, "proposals of token "+one.Token, text, "")
}

// supersede cancels the run that does not list all any more. Conclude sees to what comes
// of it, also if it was decided meanwhile.
func (p Propose) supersede(ctx context.Context, one store.Proposing) (next time.Time, err error) {
	if one.Asked.Applying {
		return next, nil
	}
	bot, _, err := p.Tokens.Known(ctx, one.Hash)
	if flow.CodeOf(err) == flow.CodeUnauthenticated {
		return next, nil // Conclude drops it all, whatever is decided
	}
	if err != nil {
		return next, err
	}
	_, err = p.Submit.Runs.Change(ctx, one.Asked.Run, p.Now, func(r flow.Run) (flow.Input, error) {
		if r.Status != flow.Requested && r.Status != flow.Prompted || len(r.Signals) > 0 {
			return nil, flow.ErrUnchanged // it is decided, or about to be
		}
		return flow.Receive{Action: flow.ActionCancel, Actor: bot, Channel: flow.ChannelAPI, Message: "more was proposed: another request lists all of it"}, nil
	})
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		err = nil
	}
	return p.Now().Add(ProposeQuiet), err
}
