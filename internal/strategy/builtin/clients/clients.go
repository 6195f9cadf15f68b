// Package clients lists what does the work of the strategies of this build. Only
// entry points that grant link it; the others do with the types that package
// builtin lists.
package clients

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/webidentity"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	aptible "github.com/symflows/symflows/internal/strategy/aptible/client"
	awsaccountaccess "github.com/symflows/symflows/internal/strategy/awsaccountaccess/client"
	awseks "github.com/symflows/symflows/internal/strategy/awseks/client"
	awsiam "github.com/symflows/symflows/internal/strategy/awsiam/client"
	awslambda "github.com/symflows/symflows/internal/strategy/awslambda/client"
	awssso "github.com/symflows/symflows/internal/strategy/awssso/client"
	boundary "github.com/symflows/symflows/internal/strategy/boundary/client"
	custom "github.com/symflows/symflows/internal/strategy/custom/client"
	entragroup "github.com/symflows/symflows/internal/strategy/entragroup/client"
	gcpiam "github.com/symflows/symflows/internal/strategy/gcpiam/client"
	github "github.com/symflows/symflows/internal/strategy/github/client"
	googlegroup "github.com/symflows/symflows/internal/strategy/googlegroup/client"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http/client"
	okta "github.com/symflows/symflows/internal/strategy/okta/client"
	onelogin "github.com/symflows/symflows/internal/strategy/onelogin/client"
	postgres "github.com/symflows/symflows/internal/strategy/postgres/client"
	tailscale "github.com/symflows/symflows/internal/strategy/tailscale/client"
	"github.com/symflows/symflows/internal/vendorhttp"
	"github.com/symflows/symflows/internal/workflow"
)

// Deps is what strategies work with.
type Deps struct {
	Functions workflow.Functions // required by aws_lambda
	Handlers  custom.Handlers    // nil where no Python can be run
	Secrets   strategy.Secrets   // required by http and by those of vendors
	Egress    egress.Ways        // required by http and by those of vendors
	Now       func() time.Time   // required by all but aws_lambda and custom
	// AWS is how AWS is called by rights of our own. It is asked when the first
	// strategy of AWS is opened, and required by those.
	AWS func() (aws.Config, error)
	// Looking narrows what strategies sign in with to reading.
	Looking bool
	// Limiter keeps the pace of systems that limit calls; nil: there is no limit.
	Limiter strategy.Limiter

	way      egress.Way // of the strategies' owner
	accounts func() (*account.Accounts, error)
	google   func() *google.APIs // all strategies of Google share the tokens
	// identityToken gives AWS's word on who we are, for vendors that take it.
	identityToken func(ctx context.Context, audience string) (string, error)
}

// openers has a line for each strategy of package builtin.
var openers = map[string]func(Deps) strategy.Opener{
	"aptible":            atVendor(aptible.Open),
	"aws_account_access": inAWS(awsaccountaccess.Open),
	"aws_eks":            inAWS(awseks.Open),
	"aws_iam":            inAWS(awsiam.Open),
	"aws_lambda": func(d Deps) strategy.Opener {
		return awslambda.Open(awslambda.Deps{Functions: d.Functions, Accounts: d.accounts})
	},
	"aws_sso":      inAWS(awssso.Open),
	"boundary":     atVendor(boundary.Open),
	"custom":       func(d Deps) strategy.Opener { return custom.Open(d.Handlers) },
	"gcp_iam":      func(d Deps) strategy.Opener { return gcpiam.Open(d.google()) },
	"google_group": func(d Deps) strategy.Opener { return googlegroup.Open(d.google()) },
	"github": func(d Deps) strategy.Opener {
		return github.Open(github.Deps{HTTP: d.way.HTTP, Secrets: d.Secrets, Keys: d.keys(), Now: d.Now, Looking: d.Looking})
	},
	"entra_group": func(d Deps) strategy.Opener {
		return entragroup.Open(entragroup.Deps{HTTP: d.way.HTTP, Secrets: d.Secrets, Now: d.Now, IdentityToken: d.identityToken})
	},
	"http": func(d Deps) strategy.Opener {
		return httpstrategy.Open(httpstrategy.Deps{Client: d.way.HTTP, Secrets: d.Secrets, Now: d.Now})
	},
	"onelogin": atVendor(onelogin.Open),
	"okta": func(d Deps) strategy.Opener {
		return okta.Open(okta.Deps{HTTP: d.way.HTTP, Secrets: d.Secrets, Keys: d.keys(), Now: d.Now, Looking: d.Looking})
	},
	"postgres": func(d Deps) strategy.Opener {
		return postgres.Open(postgres.Deps{Secrets: d.Secrets, Dial: d.way.Dial, Accounts: d.accounts, Looking: d.Looking})
	},
	"tailscale": func(d Deps) strategy.Opener {
		return tailscale.Open(tailscale.Deps{HTTP: d.way.HTTP, Secrets: d.Secrets, Now: d.Now, IdentityToken: d.identityToken, Looking: d.Looking})
	},
}

// atVendor gives the opener of a strategy that signs in to a vendor with secrets.
func atVendor(open func(vendorhttp.Deps) strategy.Opener) func(Deps) strategy.Opener {
	return func(d Deps) strategy.Opener {
		return open(vendorhttp.Deps{HTTP: d.way.HTTP, Secrets: d.Secrets, Now: d.Now, Looking: d.Looking})
	}
}

// keys are the private keys with which apps sign in to vendors.
func (d Deps) keys() appkey.Keys { return appkey.Keys{Secrets: d.Secrets, Accounts: d.accounts} }

// inAWS gives the opener of a strategy that acts in accounts of AWS, all of which
// share the sessions of their roles.
func inAWS(open func(*account.Accounts) strategy.Opener) func(Deps) strategy.Opener {
	return func(d Deps) strategy.Opener {
		accounts, err := d.accounts()
		if err != nil {
			return func(s flow.Strategy) (strategy.Strategy, error) {
				return nil, &flow.Error{Code: flow.CodeUnavailable, Message: "strategy " + s.Name + " can't be used: the configuration of AWS's clients here can't be read", Cause: err}
			}
		}
		return open(accounts)
	}
}

// wordOfAWS asks AWS who we are, once for all strategies.
func wordOfAWS(accounts func() (*account.Accounts, error)) func(ctx context.Context, audience string) (string, error) {
	tokens := sync.OnceValues(func() (*webidentity.Tokens, error) {
		a, err := accounts()
		return &webidentity.Tokens{Accounts: a}, err
	})
	return func(ctx context.Context, audience string) (string, error) {
		from, err := tokens()
		if err != nil {
			return "", &flow.Error{Code: flow.CodeUnavailable, Message: "the configuration of AWS's clients here can't be read, by which we sign in elsewhere", Cause: err}
		}
		return from.Token(ctx, audience)
	}
}

// inGoogle signs in to Google, by AWS's word on who we are or by a private key.
func inGoogle(d Deps) *google.APIs {
	return &google.APIs{
		HTTP: d.way.HTTP, Now: d.Now, Looking: d.Looking, AWS: d.accounts,
		Sign:          d.keys().Sign,
		IdentityToken: d.identityToken,
	}
}

// Open gives the opener of every strategy of this build. A client is made when
// the first strategy of its type is opened, and kept: one for those of files and one for
// those of the configuration API, which [egress.Ways] tells apart. A type that is not built
// in, because the run began under another build, is an error of
// flow.CodeUnavailable: a removal must go on trying until a build has it again.
func Open(d Deps) strategy.Opener { return open(openers, d) }

func open(openers map[string]func(Deps) strategy.Opener, d Deps) strategy.Opener {
	d.accounts = sync.OnceValues(func() (*account.Accounts, error) {
		cfg, err := d.AWS()
		return &account.Accounts{AWS: cfg, Limiter: d.Limiter, Now: d.Now, Looking: d.Looking}, err
	})
	d.identityToken = wordOfAWS(d.accounts)
	made := map[bool]map[string]func() strategy.Opener{} // by whether it is the API's
	for _, api := range []bool{false, true} {
		d := d
		d.way = d.Egress.Of(api)
		d.google = sync.OnceValue(func() *google.APIs { return inGoogle(d) })
		made[api] = map[string]func() strategy.Opener{}
		for name, opener := range openers {
			made[api][name] = sync.OnceValue(func() strategy.Opener { return opener(d) })
		}
	}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		opener, ok := made[s.ByAPI][s.Type]
		if !ok {
			return nil, flow.Errorf(flow.CodeUnavailable, "strategy %q has type %q, which this build does not know (it knows %s): deploy one that does",
				s.Name, s.Type, strings.Join(slices.Sorted(maps.Keys(openers)), ", "))
		}
		return opener()(s)
	}
}
