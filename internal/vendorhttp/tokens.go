package vendorhttp

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// early is how long before its end a token is not used any more: a call that is
// under way with it is to arrive before.
const early = time.Minute

// Token is what a vendor gave for signing in.
type Token struct {
	// Header is the value of the Authorization header: "Bearer …".
	Header string
	// Until is when it ends.
	Until time.Time
}

// Tokens keeps tokens no longer than they live, for all calls of a process. Its
// methods are safe for concurrent use.
type Tokens struct {
	Now func() time.Time // required

	mu   sync.Mutex
	kept map[string]*keptToken
}

// keptToken is the token of one sign-in. Who holds turn asks for it.
type keptToken struct {
	turn  chan struct{}
	token Token
}

// Authorize gives what [Client.Authorize] is to be, for one sign-in. The key tells
// sign-ins apart: whatever sign depends on (address, account, scopes) must be in it,
// and secrets must not. Many that need a token at once wait for one that asks for it.
func (t *Tokens) Authorize(key string, sign func(context.Context) (Token, error)) func(ctx context.Context, refused string) (string, error) {
	return func(ctx context.Context, refused string) (string, error) {
		k := t.at(key)
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return "", &flow.Error{Code: flow.CodeUnavailable, Message: "signing in took too long", Cause: ctx.Err()}
		}
		defer func() { <-k.turn }()
		if k.token.Header != "" && k.token.Header != refused && t.Now().Add(early).Before(k.token.Until) {
			return k.token.Header, nil
		}
		got, err := sign(ctx)
		if err != nil {
			return "", err
		}
		k.token = got
		return got.Header, nil
	}
}

// BySecrets is Authorize for a sign-in that takes the values of secrets, which its
// key need not name. If the vendor refuses them (with status 400 or 401), they are
// read anew, in case that one was rotated just now, and it signs in with those that
// they are then.
func (t *Tokens) BySecrets(key string, secrets strategy.Secrets, sign func(ctx context.Context, values []string) (Token, error), refs ...flow.SecretRef) func(ctx context.Context, refused string) (string, error) {
	for _, ref := range refs {
		key += " " + ref.Path + " " + ref.JSONKey
	}
	return t.Authorize(key, func(ctx context.Context) (Token, error) { return withSecrets(ctx, secrets, sign, refs) })
}

func withSecrets(ctx context.Context, secrets strategy.Secrets, sign func(context.Context, []string) (Token, error), refs []flow.SecretRef) (Token, error) {
	var token Token
	var refusal error
	var before []string
	for {
		var values []string
		for _, ref := range refs {
			value, err := valueOf(ctx, secrets, ref)
			if err != nil {
				return Token{}, err
			}
			values = append(values, value)
		}
		if slices.Equal(values, before) {
			return token, refusal
		}
		token, refusal = sign(ctx, values)
		forgetter, ok := secrets.(strategy.Forgetter)
		if status := StatusOf(refusal); !ok || before != nil || status != http.StatusBadRequest && status != http.StatusUnauthorized {
			return token, refusal
		}
		before = values
		for _, ref := range refs {
			forgetter.Forget(ref)
		}
	}
}

// Secret gives what [Client.Authorize] is to be where a secret is all that it takes:
// the header is made of its value. A value that was refused is read anew, in case that it was rotated just now.
func Secret(secrets strategy.Secrets, ref flow.SecretRef, header func(value string) string) func(ctx context.Context, refused string) (string, error) {
	return func(ctx context.Context, refused string) (string, error) {
		if forgetter, ok := secrets.(strategy.Forgetter); ok && refused != "" {
			forgetter.Forget(ref)
		}
		value, err := valueOf(ctx, secrets, ref)
		if err != nil {
			return "", err
		}
		return header(value), nil
	}
}

// valueOf gives the value of a secret without space around it, which people paste
// along.
func valueOf(ctx context.Context, secrets strategy.Secrets, ref flow.SecretRef) (string, error) {
	value, err := secrets.Value(ctx, ref)
	if err != nil {
		return "", err
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", flow.Errorf(flow.CodeStrategy, "secret %q is empty: give it a value", ref.Name)
	}
	return value, nil
}

func (t *Tokens) at(key string) *keptToken {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[string]*keptToken{}
	}
	if t.kept[key] == nil {
		t.kept[key] = &keptToken{turn: make(chan struct{}, 1)}
	}
	return t.kept[key]
}
