package account

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Accounts makes configurations of AWS's SDK. Methods are safe for concurrent use.
type Accounts struct {
	// AWS is how we call by rights of our own. It is required. Its BaseEndpoint
	// (AWS_ENDPOINT_URL) holds for all accounts; its Retryer, unless nil, too.
	AWS aws.Config
	// Limiter keeps the pace; nil: there is no limit.
	Limiter strategy.Limiter
	Now     func() time.Time // required
	// Looking narrows the sessions of roles to reading, whatever the roles may do.
	Looking bool

	mu       sync.Mutex
	sessions map[key]*session
}

// Caller says for whom AWS is called.
type Caller struct {
	// RunID names the session of the role that is assumed, so that CloudTrail
	// tells which run it was; "": "sym".
	RunID string
	Class strategy.Class
	// Pace is how fast the service may be asked; the zero value: no limit.
	Pace strategy.Pace
}

// For is the caller of a strategy's call.
func For(c strategy.Call, pace strategy.Pace) Caller {
	return Caller{RunID: c.RunID, Class: c.Class, Pace: pace}
}

// Config configures clients that act in an account. It connects to nothing yet:
// a role is assumed by the first call. Each attempt of each call waits for its
// turn, and a session that AWS says has expired is renewed once. Give errors of
// the clients to [Failure].
func (a *Accounts) Config(in strategy.AWSAccount, c Caller) aws.Config {
	cfg := a.AWS.Copy()
	if in.Region != "" {
		cfg.Region = in.Region
	}
	if cfg.Retryer == nil {
		cfg.Retryer = patient
	}
	turn := &turn{limiter: a.Limiter, caller: c}
	if in.Role.ARN != "" {
		turn.session = a.session(in.Role, sessionName(c.RunID))
		cfg.Credentials = turn.session
	} else if cfg.Credentials != nil {
		cfg.Credentials = own{cfg.Credentials}
	}
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], turn.attach)
	return cfg
}

// own are the credentials that we run with. Their errors say what to do: on a
// machine they may be missing, or have expired.
type own struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (o own) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := o.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &flow.Error{Code: flow.CodeUnavailable, Message: "there are no credentials for AWS here, or they have expired: sign in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", Cause: err}
	}
	return c, nil
}

// patient repeats what fails for a moment: a connection that was closed while
// the function slept, a fault of AWS's own. Who is throttled comes back later, as
// all the rest does: the workflow repeats its steps by itself.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return 100 * time.Millisecond << (attempt - 1), nil
		})
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if throttled(err) {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})}, o.Retryables...)
	})
}

// turn is what a call does before each attempt, and with a session that expired.
type turn struct {
	limiter strategy.Limiter
	caller  Caller
	session *session // nil: none is assumed
}

// attach puts it around the steps of the SDK.
func (t *turn) attach(stack *middleware.Stack) error {
	renew := middleware.InitializeMiddlewareFunc("SymRenewSession", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if t.session == nil || !expired(err) {
			return out, metadata, err
		}
		t.session.drop()
		return next.HandleInitialize(ctx, in)
	})
	if err := stack.Initialize.Add(renew, middleware.After); err != nil {
		return err
	}
	if t.limiter == nil {
		return nil
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SymPace", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if err := t.limiter.Call(ctx, t.caller.Pace, t.caller.Class); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		return next.HandleFinalize(ctx, in)
	}), "Retry", middleware.After)
}
