// Package webidentity gets AWS's own signed word on who we are: a JSON Web Token
// for a vendor that takes it in place of a secret of ours
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound.html).
// The vendor is told once to trust the account's issuer, and the role whose ARN is
// the token's subject. A strategy that signs in so declares the right to by
// [strategy.IdentityTokens].
package webidentity

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

const (
	// lifetime is that of a token: it is used at once, to be exchanged for one of the
	// vendor's.
	lifetime = 5 * time.Minute
	// early is how long before its end a token is renewed.
	early = time.Minute
	// algorithm is the one that all vendors take.
	algorithm = "RS256"
)

// Tokens asks for tokens, and keeps each for as long as it is of use, in memory
// only. Methods are safe for concurrent use; one token is asked for by one call at
// a time.
type Tokens struct {
	// Accounts says how AWS is called: by rights of our own, in our own region, as
	// the service is not to be had at its global address. It is required.
	Accounts *account.Accounts

	mu         sync.Mutex
	byAudience map[string]*token
}

// token is one, for an audience. Its lock is held while AWS is asked.
type token struct {
	mu    sync.Mutex
	text  string
	until time.Time
}

// Token gives a token that is good for a minute at least. The audience is what
// the vendor calls itself in tokens for it. Whoever has a token is us, there, so
// that it must not be in logs or errors. Errors are those of [account.Failure].
func (t *Tokens) Token(ctx context.Context, audience string) (string, error) {
	known := t.of(audience)
	known.mu.Lock()
	defer known.mu.Unlock()
	now := t.Accounts.Now()
	if now.Before(known.until) {
		return known.text, nil
	}
	api := sts.NewFromConfig(t.Accounts.Config(strategy.AWSAccount{}, account.Caller{}))
	out, err := api.GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{
		Audience: []string{audience}, SigningAlgorithm: aws.String(algorithm), DurationSeconds: aws.Int32(int32(lifetime / time.Second)),
	})
	if err != nil {
		return "", failure(err)
	}
	text := aws.ToString(out.WebIdentityToken)
	if text == "" {
		return "", flow.Errorf(flow.CodeUnavailable, "AWS has given an identity token for %s that is empty", audience)
	}
	end := now.Add(lifetime)
	if out.Expiration != nil {
		end = *out.Expiration
	}
	known.text, known.until = text, end.Add(-early)
	return text, nil
}

func (t *Tokens) of(audience string) *token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAudience[audience] == nil {
		if t.byAudience == nil {
			t.byAudience = map[string]*token{}
		}
		t.byAudience[audience] = &token{}
	}
	return t.byAudience[audience]
}

func failure(err error) error {
	switch account.Code(err) {
	case "OutboundWebIdentityFederationDisabledException":
		return &flow.Error{Code: flow.CodeStrategy, Cause: err, Message: "AWS gives out no identity tokens in this account: switch on outbound identity federation, once" +
			" (aws iam enable-outbound-web-identity-federation; it takes the right iam:EnableOutboundWebIdentityFederation), and have the system trust the issuer that it names"}
	case "SessionDurationEscalationException":
		return &flow.Error{Code: flow.CodeUnavailable, Cause: err, Message: "our session at AWS ends too soon for an identity token: it is renewed, or sign in again (aws sso login)"}
	}
	return account.Failure(err)
}
