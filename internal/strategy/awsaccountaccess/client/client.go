package client

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/identitycenter"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
)

// Open gives the opener of strategies that act in accounts of AWS.
func Open(accounts *account.Accounts) strategy.Opener {
	stores := &identitycenter.Stores{}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return &manager{accounts, stores, s, strategy.AccountOf(s)}, nil
	}
}

// manager is an application of the account access manager.
type manager struct {
	accounts *account.Accounts
	stores   *identitycenter.Stores
	frozen   flow.Strategy
	in       strategy.AWSAccount // where we may ask it
}

var _ interface {
	strategy.Observer
	strategy.Lingerer
	strategy.Lister
	strategy.Discoverer
	strategy.Identifier
} = (*manager)(nil)

// pace is how fast the manager may be asked: AWS's limits of it, by account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/aam-quotas.html
func (m *manager) pace() strategy.Pace {
	return strategy.Pace{
		Key:   m.application() + "/" + m.in.ID,
		Calls: [3]int{strategy.Looking: 5, strategy.Granting: 15, strategy.Removing: 20},
		Slots: [3]int{strategy.Granting: 12, strategy.Removing: 15},
	}
}

func (m *manager) application() string { return m.frozen.Settings[awsaccountaccess.SettingApplication] }

func (m *manager) api(c account.Caller) api {
	in := m.in
	in.Region = awsaccountaccess.RegionOf(m.frozen)
	c.Pace = m.pace()
	return api{m.accounts.Config(in, c), m.accounts.Now, m.application()}
}

func (m *manager) directory(c account.Caller) identitycenter.Directory {
	in := m.in
	if in.Region == "" {
		in.Region = awsaccountaccess.RegionOf(m.frozen)
	}
	instance := m.frozen.Settings[strategy.SettingInstanceARN]
	c.Pace = identitycenter.Pace(instance, in)
	return identitycenter.Directory{Stores: m.stores, Instance: instance, Store: m.frozen.Settings[strategy.SettingIdentityStoreID], AWS: m.accounts.Config(in, c)}
}

func caller(call strategy.Call) account.Caller { return account.For(call, strategy.Pace{}) }

// Entitlements implements strategy.Strategy.
func (m *manager) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return awsaccountaccess.Entitlements(m.frozen, target, identity)
}

// Identity finds the user of Identity Center by e-mail address, or by user name.
func (m *manager) Identity(ctx context.Context, who flow.Actor) (string, error) {
	return m.directory(account.Caller{Class: strategy.Granting}).Identity(ctx, m.frozen, who)
}

// granted is the output of a grant.
type granted struct {
	EntitlementID string `json:"entitlement_id"`
}

// newRole is how long a role that AWS does not know is left alone: one that was
// made a moment ago is known everywhere within two minutes.
const newRole = 30 * time.Second

// Grant entitles the user to the role. Whoever is entitled already stays so, by
// the same id.
func (m *manager) Grant(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	role := call.Target.Settings[awsaccountaccess.SettingRole]
	var id string
	err := m.inSlot(ctx, call, func(a api) (err error) {
		id, err = a.create(ctx, role, call.Identity)
		return err
	})
	switch account.Code(err) {
	case "ConflictException":
		there, looked := m.api(caller(call)).list(ctx, filter{Role: role, User: call.Identity})
		if looked != nil || len(there) == 0 {
			return strategy.Result{}, failure(err)
		}
		id, err = there[0].ID, nil
	case "ValidationException":
		if there, asked := m.directory(caller(call)).HasUser(ctx, call.Identity); asked == nil && !there {
			return strategy.Result{}, identitycenter.NoUser(m.frozen, call.Identity, err)
		}
		return strategy.Result{}, &flow.RateLimited{After: newRole, Cause: &flow.Error{
			Code: flow.CodeUnavailable, Cause: err,
			Message: "the account access manager does not take role " + role + ": one that was just made is known in a minute or two; else see that it is there. It says: " + identitycenter.Said(err),
		}}
	}
	if err != nil {
		return strategy.Result{}, failure(err)
	}
	output, err := json.Marshal(granted{id})
	return strategy.Result{Output: output}, err
}

// Revoke takes the user's entitlements to the role away. AWS is content if there
// are none.
func (m *manager) Revoke(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	there, err := m.api(caller(call)).list(ctx, filter{Role: call.Target.Settings[awsaccountaccess.SettingRole], User: call.Identity})
	if err != nil {
		return strategy.Result{}, failure(err)
	}
	var ids []string
	for _, e := range there {
		ids = append(ids, e.ID)
	}
	var was granted
	if len(ids) == 0 && json.Unmarshal(call.Output, &was) == nil && was.EntitlementID != "" {
		ids = []string{was.EntitlementID} // what is listed may be behind
	}
	for _, id := range ids {
		if err := m.inSlot(ctx, call, func(a api) error { return a.delete(ctx, id) }); err != nil && account.Code(err) != "ResourceNotFoundException" {
			return strategy.Result{}, failure(err)
		}
	}
	var result strategy.Result
	if there, asked := m.directory(caller(call)).HasUser(ctx, call.Identity); asked == nil && !there {
		result.Warnings = []string{identitycenter.UserGone}
	}
	return result, nil
}

// inSlot makes a change while one of the changes that AWS allows at a time is
// ours. Where its answer is lost, it may be under way, and the slot stays taken.
func (m *manager) inSlot(ctx context.Context, call strategy.Call, change func(api) error) error {
	limiter := m.accounts.Limiter
	if limiter != nil {
		if err := limiter.Begin(ctx, m.pace(), call.Class, call.Entitlement.Key); err != nil {
			return err
		}
	}
	err := change(m.api(caller(call)))
	if limiter != nil && (err == nil || account.Code(err) != "") {
		_ = limiter.End(ctx, m.pace(), call.Entitlement.Key) // else it ends by itself
	}
	return err
}

// Observe looks for the user among those who are entitled to the role, and for
// groups that give it to the user.
func (m *manager) Observe(ctx context.Context, call strategy.Call) (strategy.Sight, error) {
	all, err := m.api(caller(call)).list(ctx, filter{Role: call.Target.Settings[awsaccountaccess.SettingRole]})
	if err != nil {
		return strategy.Sight{}, failure(err)
	}
	seen := strategy.Sight{Presence: flow.Absent}
	var groups []string
	for _, e := range all {
		switch {
		case strings.EqualFold(e.User, call.Identity):
			seen.Presence = flow.Present
		case e.Group != "" && !slices.Contains(groups, e.Group):
			groups = append(groups, e.Group)
		}
	}
	var there bool
	seen.Others, there, err = m.directory(caller(call)).Others(ctx, call.Identity, groups, seen.Presence)
	switch {
	case err != nil && call.Class == strategy.Removing: // it keeps no removal from being seen
		seen.Others = []string{identitycenter.PerhapsOthers}
	case err != nil:
		return strategy.Sight{}, err
	case !there: // what AWS still lists of somebody who was deleted is of no use to anybody
		seen.Presence = flow.Absent
	}
	return seen, nil
}

// longestSession is the most that a role may allow. What it does allow is for its
// own account to know.
const longestSession = 12 * time.Hour

// Lingers is the longest that sessions of roles last.
func (m *manager) Lingers(context.Context, flow.Target) (time.Duration, error) {
	return longestSession, nil
}

// failure says what an error of the manager means to people and to the workflow.
func failure(err error) error {
	switch account.Code(err) {
	case "ConflictException":
		return &flow.RateLimited{After: 10 * time.Second, Cause: &flow.Error{
			Code: flow.CodeUnavailable, Message: "the account access manager is still busy with an earlier change: it is tried again", Cause: err,
		}}
	case "ResourceNotFoundException":
		return &flow.Error{Code: flow.CodeStrategy, Message: "the account access manager has no such application here: correct the strategy's application_arn. It says: " + identitycenter.Said(err), Cause: err}
	case "ServiceQuotaExceededException", "ValidationException":
		return &flow.Error{Code: flow.CodeStrategy, Message: "the account access manager refuses: " + identitycenter.Said(err), Cause: err}
	}
	return account.Failure(err)
}
