package client

import (
	"context"
	"encoding/json"
	"net"
	"strconv"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/postgres"
)

// Deps is what the strategy works with.
type Deps struct {
	Secrets strategy.Secrets // required by strategies with a DSN
	// Dial connects to their servers, and is required by those: see egress.Way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Accounts are asked for when a strategy is opened that goes by the RDS Data
	// API, and required by those.
	Accounts func() (*account.Accounts, error)
	// Looking has sessions that can change nothing, where it is a connection.
	Looking bool
}

// Open gives the opener of strategies.
func Open(d Deps) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		r := roles{frozen: s, deps: d}
		if s.Settings[postgres.SettingResourceARN] != "" {
			accounts, err := d.Accounts()
			if err != nil {
				return nil, &flow.Error{Code: flow.CodeUnavailable, Message: "strategy " + s.Name + " can't be used: the configuration of AWS's clients here can't be read", Cause: err}
			}
			r.accounts = accounts
		}
		return r, nil
	}
}

// roles is a strategy whose targets are roles of a server.
type roles struct {
	frozen   flow.Strategy
	deps     Deps
	accounts *account.Accounts // of the RDS Data API; nil: a connection
}

// session opens the way to the server, for a run or, without one, to look.
func (r roles) session(ctx context.Context, c account.Caller) (session, error) {
	if r.accounts != nil {
		return r.dataAPI(c), nil
	}
	return r.connect(ctx)
}

// of opens it, and looks at the role and the user of a call.
func (r roles) of(ctx context.Context, c strategy.Call) (session, sight, error) {
	if err := postgres.CheckIdentity(c.Identity); err != nil {
		return nil, sight{}, err
	}
	on, err := r.session(ctx, account.For(c, strategy.Pace{}))
	if err != nil {
		return nil, sight{}, err
	}
	seen, err := look(ctx, on, c.Target.Settings[postgres.SettingRole], c.Identity, c.Target.Settings[postgres.SettingDatabase])
	if err != nil {
		on.close()
		return nil, sight{}, err
	}
	return on, seen, nil
}

func (r roles) ends() bool { return r.frozen.Settings[strategy.SettingEndSessions] == "true" }

// Entitlements implements strategy.Strategy.
func (r roles) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return postgres.Entitlements(r.frozen, target, identity)
}

// Grant makes the user a member of the role. PostgreSQL is content if they are.
func (r roles) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	on, seen, err := r.of(ctx, c)
	if err != nil {
		return strategy.Result{}, err
	}
	defer on.close()
	if err := r.refusal(seen, c); err != nil {
		return strategy.Result{}, err
	}
	return strategy.Result{}, on.do(ctx, grant(c.Target.Settings[postgres.SettingRole], c.Identity))
}

// refusal says why a grant is not to be. What others than people would get, and
// what would give power over what grants, is never granted.
func (r roles) refusal(seen sight, c strategy.Call) error {
	role, user, us := c.Target.Settings[postgres.SettingRole], c.Identity, seen.Grantor.Name
	refuse := func(format string, args ...any) error { return flow.Errorf(flow.CodeStrategy, format, args...) }
	switch {
	case seen.Role == nil:
		return refuse("PostgreSQL has no role %s: make it there, or correct the target", role)
	case seen.User == nil:
		return flow.Errorf(flow.CodeIdentity, "PostgreSQL has no user %s: make one there, or have an administrator save the name of theirs as who they are at postgres", user)
	case !seen.Database:
		return refuse("PostgreSQL has no database %s: correct the target", c.Target.Settings[postgres.SettingDatabase])
	case seen.Role.Superuser:
		return refuse("role %s is a superuser, or is in one: access to it is never granted, because whoever has it can undo everything. Make a role with the privileges that are needed", role)
	case seen.Role.Grantor:
		return refuse("role %s is login %s of this strategy, or is in it: whoever has it could grant anything. Name another role", role, us)
	case seen.User.Grantor:
		return flow.Errorf(flow.CodeIdentity, "%s is the login of this strategy and no person: have an administrator save who they are at postgres", user)
	case !seen.User.Login:
		return flow.Errorf(flow.CodeIdentity, "%s is a role that can't log in, so that it stands for others: have an administrator save who the person is at postgres", user)
	case !seen.Role.Admin && !seen.Grantor.Superuser && (seen.Version >= perGrantor || !seen.Grantor.CreateRole):
		return refuse("login %s may not grant role %s: give it the right by GRANT %s TO %s WITH ADMIN OPTION", us, role, quoted(role), quoted(us))
	case r.ends() && !seen.Grantor.Signals:
		return refuse("login %s may not end sessions, which this strategy's end_sessions asks for: give it the right by GRANT pg_signal_backend TO %s", us, quoted(us))
	}
	return nil
}

// ended is what a removal that ends sessions answers.
type ended struct {
	Sessions int `json:"sessions_ended"`
}

// Revoke takes the user out of the role, and ends their sessions where the
// strategy says so; they stay if the user has the role by other ways.
func (r roles) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	on, seen, err := r.of(ctx, c)
	if err != nil {
		return strategy.Result{}, err
	}
	defer on.close()
	role := c.Target.Settings[postgres.SettingRole]
	switch {
	case seen.User == nil:
		return strategy.Gone("PostgreSQL has no user " + c.Identity), nil
	case seen.Role == nil:
		return strategy.Gone("PostgreSQL has no role " + role), nil
	case seen.User.Grantor: // before version 16, it would lose what it grants by
		return strategy.Result{Warnings: []string{c.Identity + " is the login of this strategy, which it takes nothing from"}}, nil
	}
	if err := on.do(ctx, revoke(role, c.Identity)); err != nil {
		return strategy.Result{}, err
	}
	if !r.ends() || len(seen.others()) > 0 {
		return strategy.Result{}, nil
	}
	text, err := on.ask(ctx, End, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return strategy.Result{}, &flow.Error{Code: flow.CodeUnavailable, Message: "PostgreSQL did not say how many sessions it has ended", Cause: err}
	}
	output, err := json.Marshal(ended{n})
	return strategy.Result{Output: output}, err
}

// Observe looks for the membership that this strategy's login gives.
func (r roles) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	on, seen, err := r.of(ctx, c)
	if err != nil {
		return strategy.Sight{}, err
	}
	defer on.close()
	if seen.present() {
		return strategy.Sight{Presence: flow.Present, Others: seen.others()}, nil
	}
	return strategy.Sight{Presence: flow.Absent, Others: seen.others()}, nil
}

// Holders lists the users whose membership Observe would find.
func (r roles) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	on, err := r.session(ctx, account.Caller{})
	if err != nil {
		return nil, err
	}
	defer on.close()
	return read[[]string](ctx, on, Members, target.Settings[postgres.SettingRole])
}
