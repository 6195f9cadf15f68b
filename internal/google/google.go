package google

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// API is one of Google's.
type API struct {
	Name string // for people
	Base string // where it is, unless the integration has an api_url
	// Scopes are what a token is to be good for. Reading are those for whoever only
	// looks.
	Scopes, Reading []string
}

// APIs signs in to Google, and keeps tokens no longer than they live. Methods are
// safe for concurrent use.
type APIs struct {
	HTTP *http.Client     // required
	Now  func() time.Time // required
	// Sign signs claims by the private key of an integration, for those that have one:
	// appkey.Keys.
	Sign func(ctx context.Context, i *flow.Integration, id string, claims map[string]any) (string, error)
	// AWS says how AWS signs for us. It is asked at the first sign-in by AWS, and
	// required by those.
	AWS func() (*account.Accounts, error)
	// IdentityToken gives AWS's own word on who we are, for an audience, for integrations
	// that sign in by it: webidentity.Tokens.
	IdentityToken func(ctx context.Context, audience string) (string, error)
	// Looking narrows tokens to reading.
	Looking bool

	once   sync.Once
	tokens *vendorhttp.Tokens
}

// Client calls an API as an integration says. It connects to nothing yet.
func (a *APIs) Client(i *flow.Integration, api API) *vendorhttp.Client {
	if i == nil {
		i = &flow.Integration{}
	}
	a.once.Do(func() { a.tokens = &vendorhttp.Tokens{Now: a.Now} })
	scopes := api.Scopes
	if a.Looking {
		scopes = api.Reading
	}
	s := signIn{apis: a, to: i, scopes: scopes}
	c := a.anonymous(strategy.Address(i, api.Base))
	c.Vendor = cmp.Or(api.Name, c.Vendor)
	c.Authorize = a.tokens.Authorize(s.key(), s.token)
	return c
}

// anonymous calls a server of Google's without a token.
func (a *APIs) anonymous(base string) *vendorhttp.Client {
	return &vendorhttp.Client{Vendor: "Google", Base: base, HTTP: a.HTTP, Now: a.Now, Limited: limited, Reason: reason}
}

// key tells sign-ins apart.
func (s signIn) key() string {
	set := s.to.Settings
	return strings.Join([]string{
		set[strategy.SettingAPIURL], set[strategy.SettingGoogleAudience], set[strategy.SettingGoogleSubjectToken],
		set[strategy.SettingGoogleTokenURL], set[strategy.SettingGoogleImpersonation], set[strategy.SettingGoogleSubject],
		set[strategy.SettingGoogleAccount], set[strategy.SettingPrivateKeyKMS], s.to.Secrets[strategy.SettingPrivateKey].Path,
		s.to.Secrets[strategy.SettingPrivateKey].JSONKey, strings.Join(s.scopes, " "),
	}, "\n")
}

// Pages reads a list to its end. read gives the token of the page after.
func Pages(read func(token string) (string, error)) error {
	const most = 1000
	token := ""
	for range most {
		var err error
		if token, err = read(token); err != nil || token == "" {
			return err
		}
	}
	return flow.Errorf(flow.CodeStrategy, "Google has a list of more than %d pages, which is not read", most)
}
