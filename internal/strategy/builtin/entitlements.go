package builtin

import (
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
	"github.com/symflows/symflows/internal/strategy/awseks"
	"github.com/symflows/symflows/internal/strategy/awsiam"
	"github.com/symflows/symflows/internal/strategy/awslambda"
	"github.com/symflows/symflows/internal/strategy/awssso"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/strategy/custom"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
	"github.com/symflows/symflows/internal/strategy/okta"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/strategy/postgres"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

// meaning is what a target of a strategy means for an identity in a run.
type meaning func(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error)

// meanings has a line for each strategy.
var meanings = map[string]meaning{
	"aptible":            ofTarget(aptible.Entitlements),
	"aws_account_access": ofStrategy(awsaccountaccess.Entitlements),
	"aws_eks":            ofStrategy(awseks.Entitlements),
	"aws_iam":            ofStrategy(awsiam.Entitlements),
	"aws_lambda":         awslambda.Entitlements,
	"aws_sso":            ofStrategy(awssso.Entitlements),
	"boundary":           ofStrategy(boundary.Entitlements),
	"custom":             custom.Entitlements,
	"entra_group":        ofStrategy(entragroup.Entitlements),
	"gcp_iam":            ofTarget(gcpiam.Entitlements),
	"github":             ofStrategy(github.Entitlements),
	"google_group":       ofTarget(googlegroup.Entitlements),
	"http":               httpstrategy.Entitlements,
	"okta":               ofStrategy(okta.Entitlements),
	"onelogin":           ofStrategy(onelogin.Entitlements),
	"postgres":           ofStrategy(postgres.Entitlements),
	"tailscale":          ofStrategy(tailscale.Entitlements),
}

// ofStrategy is a meaning that is the same in all runs.
func ofStrategy(entitlements func(flow.Strategy, flow.Target, string) ([]flow.Entitlement, error)) meaning {
	return func(s flow.Strategy, target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
		return entitlements(s, target, identity)
	}
}

// ofTarget is one that is the same however the strategy is configured.
func ofTarget(entitlements func(flow.Target, string) ([]flow.Entitlement, error)) meaning {
	return func(_ flow.Strategy, target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
		return entitlements(target, identity)
	}
}

// Entitlements says what a target of a strategy means for an identity, as the strategy
// itself says it once it is opened. A type that is not built in is an error of
// flow.CodeUnavailable.
func Entitlements(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	says, ok := meanings[s.Type]
	if !ok {
		return nil, flow.Errorf(flow.CodeUnavailable, "strategy %q has type %q, which this build does not know: deploy one that does", s.Name, s.Type)
	}
	return says(s, target, identity, runID)
}
