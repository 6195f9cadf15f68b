package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Tokens keeps the bot tokens of the API. Their values are shown once and
// stored hashed.
type Tokens struct {
	Store Store // required
	Org   string
	Now   func() time.Time // required
}

// Token describes a token, without its value.
type Token struct {
	// ID names the token for listing and revoking; it is part of its hash.
	ID string `json:"id"`
	// Agent tells that it is an agent's, who asks for its owner and sees nothing but that.
	Agent bool   `json:"agent,omitempty"`
	Bot   string `json:"bot"` // name of the bot, or the agent, that it belongs to
	Label string `json:"label,omitempty"`
	// Owner is the e-mail address of the person who answers for it; "" for those
	// made before there were owners.
	Owner string `json:"owner,omitempty"`
	// Succession says which of the people who had that address the owner is:
	// [Users.Succession] of when they were named.
	Succession int `json:"succession,omitempty"`
	// Flows are the names of those that it may start; nil: all.
	Flows []string `json:"flows,omitzero"`
	// People are the e-mail addresses of those whom it may ask for; nil:
	// everybody, empty: nobody but the bot itself.
	People []string `json:"people,omitzero"`
	// ShutOuts is how often the agent had been shut out when the token was made: once more
	// ends it.
	ShutOuts int `json:"shut_outs,omitempty"`
	// Limits are those of an agent.
	Limits AgentLimits `json:"limits,omitzero"`
	// Drift says that it may see where targets differ from what was granted.
	Drift bool `json:"drift,omitempty"`
	// Config says that it may read and change the configuration.
	Config  bool      `json:"config,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Hash    string    `json:"hash"`
	// Revoked is who ended it before its time; nil: nobody.
	Revoked *flow.Author `json:"revoked,omitempty"`
	// Acts are what was done to it.
	Acts flow.Acts `json:"acts,omitempty"`
}

// subject is the token as acts tell of it.
func (t Token) subject() flow.Subject { return flow.Subject{Kind: "token", ID: t.ID, Name: t.Bot} }

// told is what acts tell of what the token may do.
func (t Token) told() map[string]any {
	fields := map[string]any{"owner": t.Owner, flow.KeyExpiresAt: t.Expires.Format(time.RFC3339)}
	if t.Label != "" {
		fields["label"] = t.Label
	}
	if t.Flows != nil {
		fields["flows"] = t.Flows
	}
	if t.People != nil {
		fields["people"] = t.People
	}
	if t.Drift {
		fields["drift"] = true
	}
	if t.Config {
		fields["config"] = true
	}
	if t.Agent {
		fields["agent"], fields["an_hour"], fields["at_once"] = true, t.Limits.AnHour, t.Limits.AtOnce
	}
	return fields
}

// tokenPrefix marks the values, so that scanners of leaked secrets can know them.
const tokenPrefix = "symflows_"

// Create makes a token, in the name of by, of which it takes the bot, the label, the owner and what
// it may do, valid for the given time. It returns its value, which can't be had
// again. The error has flow.CodeInvalid for a bot whose name flow.CheckName
// refuses, an owner, flow or person that can't be one, or a time that is over at
// once; and flow.CodeForbidden while another account claims the owner's address.
// (An e-mail address is no such name, so that no bot has the id of a person.)
func (s Tokens) Create(ctx context.Context, by flow.Principal, t Token, valid time.Duration) (value string, created Token, err error) {
	if err := flow.CheckName(t.Bot); err != nil {
		return "", Token{}, flow.Errorf(flow.CodeInvalid, "the bot's name %s", flow.UserMessage(err))
	}
	if t, err = s.ownedBy(ctx, t, t.Owner); err != nil {
		return "", Token{}, err
	}
	for _, name := range t.Flows {
		if err := flow.CheckName(name); err != nil {
			return "", Token{}, flow.Errorf(flow.CodeInvalid, "%q is no name of a flow: it %s", flow.Clip(name, 60), flow.UserMessage(err))
		}
	}
	for _, email := range t.People {
		if err := flow.CheckEmail(email); err != nil {
			return "", Token{}, flow.Errorf(flow.CodeInvalid, "%q is nobody to ask for: it %s", flow.Clip(email, 60), flow.UserMessage(err))
		}
	}
	if t, err = t.ofAgent(); err != nil {
		return "", Token{}, err
	}
	if valid <= 0 {
		return "", Token{}, flow.Errorf(flow.CodeInvalid, "a token must be valid for some time: give a duration such as 720h")
	}
	if t.Agent {
		known, _, err := getAgent(ctx, s.Store, t.Actor(s.Org))
		if err != nil {
			return "", Token{}, err
		}
		t.ShutOuts = known.ShutOuts
	}
	value = tokenPrefix + rand.Text()
	now := s.Now().UTC()
	t.Created, t.Expires, t.Hash = now, now.Add(valid), hash(value)
	t.ID = t.Hash[:12]
	t, err = s.put(ctx, t, 0, flow.NewAct(flow.Author{By: by, At: now}, flow.ActTokenCreate, t.subject(), t.told()))
	if err != nil {
		return "", Token{}, err
	}
	return value, t, nil
}

// put writes a token at a revision, with an act. The item outlives the token, so that
// its acts are shipped.
func (s Tokens) put(ctx context.Context, t Token, rev int64, act flow.Act) (Token, error) {
	t.Acts = t.Acts.With(act, rev+1)
	body, err := json.Marshal(t)
	if err != nil {
		return Token{}, err
	}
	kept := s.Now().Add(actsKept)
	if t.Expires.After(kept) {
		kept = t.Expires
	}
	if _, err := s.Store.Put(ctx, Item{Key: KindToken.Key(t.Hash), Rev: rev, Writer: NewWriter(), Body: body, Expires: kept, Acts: true}); err != nil {
		return Token{}, fmt.Errorf("write token %s: %w", t.ID, err)
	}
	return t, nil
}

// Check gives the bot that a token's value stands for. The error has
// flow.CodeUnauthenticated, without details, if there is no such token or it is
// over.
func (s Tokens) Check(ctx context.Context, value string) (flow.Actor, Token, error) {
	return s.Known(ctx, hash(value))
}

// Known is [Tokens.Check] for the hash of a token's value, by which it is stored.
func (s Tokens) Known(ctx context.Context, h string) (flow.Actor, Token, error) {
	refused := flow.Errorf(flow.CodeUnauthenticated, "the token is not valid: it may be wrong, expired or revoked")
	item, err := s.Store.Get(ctx, KindToken.Key(h))
	if errors.Is(err, ErrNotFound) {
		return flow.Actor{}, Token{}, refused
	}
	if err != nil {
		return flow.Actor{}, Token{}, fmt.Errorf("read token: %w", err)
	}
	var t Token
	if err := json.Unmarshal(item.Body, &t); err != nil {
		return flow.Actor{}, Token{}, fmt.Errorf("decode token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(h)) != 1 || t.Revoked != nil || s.over(t) {
		return flow.Actor{}, Token{}, refused
	}
	if t, err = s.shutOut(ctx, t); err != nil {
		return flow.Actor{}, Token{}, err
	}
	if t.Revoked != nil {
		return flow.Actor{}, Token{}, refused
	}
	return t.Actor(s.Org), t, nil
}

// shutOut tells of an agent's token that it has ended because the agent was shut out: then
// it is revoked, by whoever did that.
func (s Tokens) shutOut(ctx context.Context, t Token) (Token, error) {
	if !t.Agent || t.Revoked != nil {
		return t, nil
	}
	known, _, err := getAgent(ctx, s.Store, t.Actor(s.Org))
	if err == nil && known.ShutOuts > t.ShutOuts {
		t.Revoked = known.ShutOut
	}
	return t, err
}

// Actor is the bot, or the agent, that a token stands for.
func (t Token) Actor(org string) flow.Actor {
	if t.Agent {
		return flow.Actor{ID: flow.AgentID(org, t.Bot, fmt.Sprintf("%s %d", t.Owner, t.Succession)), Kind: flow.KindAgent, Name: t.Bot}
	}
	return flow.Actor{ID: flow.UserID(org, t.Bot), Kind: flow.KindBot, Name: t.Bot}
}

// over tells whether a token's time is over.
func (s Tokens) over(t Token) bool { return !s.Now().Before(t.Expires) }

// ownedBy gives a token to whoever has an address now.
func (s Tokens) ownedBy(ctx context.Context, t Token, email string) (Token, error) {
	if err := flow.CheckEmail(email); err != nil {
		return t, flow.Errorf(flow.CodeInvalid, "the owner %s: give the e-mail address of the person who answers for the token", flow.UserMessage(err))
	}
	t.Owner = strings.ToLower(email)
	var err error
	t.Succession, err = Users{Store: s.Store}.Succession(ctx, flow.Actor{ID: flow.UserID(s.Org, t.Owner), Email: t.Owner})
	return t, err
}

// SetOwner gives a token, by its id, to whoever has an address now, in the name of
// by. The error has flow.CodeInvalid if there is no such token, or the owner can't be
// one, and flow.CodeForbidden while another account claims the address.
func (s Tokens) SetOwner(ctx context.Context, by flow.Principal, id, owner string) (Token, error) {
	return s.edit(ctx, id, func(t Token) (Token, flow.Act, error) {
		former := t.Owner
		t, err := s.ownedBy(ctx, t, owner)
		if err == nil && t.Agent { // another agent, which may have been shut out before
			var known asked
			if known, _, err = getAgent(ctx, s.Store, t.Actor(s.Org)); err == nil {
				t.ShutOuts = known.ShutOuts
			}
		}
		act := flow.NewAct(flow.Author{By: by, At: s.Now()}, flow.ActTokenSetOwner, t.subject(), map[string]any{"owner": t.Owner, "former_owner": former})
		return t, act, err
	})
}

// edit changes a token that is not over, by its id, anew for each lost race. The error
// has flow.CodeInvalid if there is none.
func (s Tokens) edit(ctx context.Context, id string, edit func(Token) (Token, flow.Act, error)) (Token, error) {
	found, err := s.find(ctx, id)
	if err != nil {
		return Token{}, err
	}
	for range maxConflicts {
		item, err := s.Store.Get(ctx, KindToken.Key(found.Hash))
		if errors.Is(err, ErrNotFound) {
			return Token{}, noToken(id)
		}
		var t Token
		if err == nil {
			err = json.Unmarshal(item.Body, &t)
		}
		if err != nil {
			return Token{}, fmt.Errorf("read token %s: %w", id, err)
		}
		if t.Revoked != nil {
			return Token{}, flow.Errorf(flow.CodeInvalid, "token %s is revoked already, by %s", id, t.Revoked.By.Name)
		}
		changed, act, err := edit(t)
		if err != nil {
			return Token{}, err
		}
		if changed, err = s.put(ctx, changed, item.Rev, act); !errors.Is(err, ErrConflict) {
			return changed, err
		}
	}
	return Token{}, fmt.Errorf("write token %s: %w", id, ErrConflict)
}

// List gives the tokens that are valid, and those that were revoked lately.
func (s Tokens) List(ctx context.Context) ([]Token, error) {
	var out []Token
	q := Query{By: ByKind, Value: string(KindToken)}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		for _, item := range page.Items {
			var t Token
			if err := json.Unmarshal(item.Body, &t); err != nil {
				return nil, fmt.Errorf("decode token: %w", err)
			}
			if t, err = s.shutOut(ctx, t); err != nil {
				return nil, err
			}
			if t.Revoked != nil || !s.over(t) {
				out = append(out, t)
			}
		}
		if page.Cursor == "" {
			return out, nil
		}
		q.Cursor = page.Cursor
	}
}

// Revoke ends a token at once, by its id, in the name of by. It stays listed as
// revoked for a while. The error has flow.CodeInvalid if there is none, or it is
// revoked already.
func (s Tokens) Revoke(ctx context.Context, by flow.Principal, id string) error {
	_, err := s.edit(ctx, id, func(t Token) (Token, flow.Act, error) {
		act := flow.NewAct(flow.Author{By: by, At: s.Now()}, flow.ActTokenRevoke, t.subject(), map[string]any{"owner": t.Owner})
		t.Revoked = &act.Author
		return t, act, nil
	})
	return err
}

// find finds a token by its id.
func (s Tokens) find(ctx context.Context, id string) (Token, error) {
	list, err := s.List(ctx)
	if err != nil {
		return Token{}, err
	}
	for _, t := range list {
		if t.ID == id {
			return t, nil
		}
	}
	return Token{}, noToken(id)
}

func noToken(id string) error {
	return flow.Errorf(flow.CodeInvalid, "there is no token %q: \"token list\" shows those that there are", flow.Clip(id, 60))
}

func hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
