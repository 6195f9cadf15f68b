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
	ID    string `json:"id"`
	Bot   string `json:"bot"` // name of the bot user it belongs to
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
	// Drift says that it may see where targets differ from what was granted.
	Drift   bool      `json:"drift,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Hash    string    `json:"hash"`
}

// tokenPrefix marks the values, so that scanners of leaked secrets can know them.
const tokenPrefix = "symflows_"

// Create makes a token, of which it takes the bot, the label, the owner and what
// it may do, valid for the given time. It returns its value, which can't be had
// again. The error has flow.CodeInvalid for a bot whose name flow.CheckName
// refuses, an owner, flow or person that can't be one, or a time that is over at
// once; and flow.CodeForbidden while another account claims the owner's address.
// (An e-mail address is no such name, so that no bot has the id of a person.)
func (s Tokens) Create(ctx context.Context, t Token, valid time.Duration) (value string, created Token, err error) {
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
	if valid <= 0 {
		return "", Token{}, flow.Errorf(flow.CodeInvalid, "a token must be valid for some time: give a duration such as 720h")
	}
	value = tokenPrefix + rand.Text()
	now := s.Now().UTC()
	t.Created, t.Expires, t.Hash = now, now.Add(valid), hash(value)
	t.ID = t.Hash[:12]
	body, err := json.Marshal(t)
	if err != nil {
		return "", Token{}, err
	}
	_, err = s.Store.Put(ctx, Item{Key: KindToken.Key(t.Hash), Writer: NewWriter(), Body: body, Expires: t.Expires})
	if err != nil {
		return "", Token{}, fmt.Errorf("write token: %w", err)
	}
	return value, t, nil
}

// Check gives the bot that a token's value stands for. The error has
// flow.CodeUnauthenticated, without details, if there is no such token or it is
// over.
func (s Tokens) Check(ctx context.Context, value string) (flow.Actor, Token, error) {
	refused := flow.Errorf(flow.CodeUnauthenticated, "the token is not valid: it may be wrong, expired or revoked")
	h := hash(value)
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
	if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(h)) != 1 || !s.Now().Before(t.Expires) {
		return flow.Actor{}, Token{}, refused
	}
	return flow.Actor{ID: flow.UserID(s.Org, t.Bot), Kind: flow.KindBot, Name: t.Bot}, t, nil
}

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

// SetOwner gives a token, by its id, to whoever has an address now. The error
// has flow.CodeInvalid if there is no such token, or the owner can't be one, and
// flow.CodeForbidden while another account claims the address.
func (s Tokens) SetOwner(ctx context.Context, id, owner string) (Token, error) {
	t, err := s.find(ctx, id)
	if err == nil {
		t, err = s.ownedBy(ctx, t, owner)
	}
	if err != nil {
		return Token{}, err
	}
	item, err := s.Store.Get(ctx, KindToken.Key(t.Hash))
	if errors.Is(err, ErrNotFound) {
		return Token{}, noToken(id)
	}
	if err != nil {
		return Token{}, fmt.Errorf("read token %s: %w", id, err)
	}
	if item.Body, err = json.Marshal(t); err != nil {
		return Token{}, err
	}
	item.Writer = NewWriter()
	if _, err := s.Store.Put(ctx, item); err != nil {
		return Token{}, fmt.Errorf("write token %s: %w", id, err)
	}
	return t, nil
}

// List gives the tokens that are valid.
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
			out = append(out, t)
		}
		if page.Cursor == "" {
			return out, nil
		}
		q.Cursor = page.Cursor
	}
}

// Revoke ends a token at once, by its id. The error has flow.CodeInvalid if
// there is none.
func (s Tokens) Revoke(ctx context.Context, id string) error {
	t, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	return s.delete(ctx, t)
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

func (s Tokens) delete(ctx context.Context, t Token) error {
	item, err := s.Store.Get(ctx, KindToken.Key(t.Hash))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = s.Store.Delete(ctx, item.Key, item.Rev)
	}
	if err != nil {
		return fmt.Errorf("delete token %s: %w", t.ID, err)
	}
	return nil
}

func hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
