package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
)

// maxNested is how many groups in a group are looked into for another way to the
// same access.
const maxNested = 20

// Open gives the opener of strategies that act through Google's APIs.
func Open(apis *google.APIs) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		directory := newDirectory(apis, s.Integration)
		g := &strategyOf{frozen: s, accounts: apis.Accounts(s.Integration), groups: directory}
		if cmp.Or(s.Settings[googlegroup.SettingAPI], googlegroup.CloudIdentity) == googlegroup.CloudIdentity {
			g.groups = newCloudIdentity(apis, s.Integration, directory, g.accounts)
		}
		return g, nil
	}
}

// groups are Google's, by one of its APIs. Errors are a google.Gone where the group or the
// account is not there.
type groups interface {
	// find looks for a place of a person in a group. The place of somebody who has
	// none, or only by another group, has no role.
	find(ctx context.Context, group, person string) (place, error)
	// add gives a person a place, until a time or, zero, for good. There is none yet;
	// Exists is true of the error if there is.
	add(ctx context.Context, group, person, role string, until time.Time) error
	// set makes another place of one that was found.
	set(ctx context.Context, found place, role string, until time.Time) error
	// remove takes it away, and succeeds if it is not there.
	remove(ctx context.Context, found place) error
	// members lists who is in a group.
	members(ctx context.Context, group string) ([]place, error)
	// within tells whether a person is in a group, directly or by groups in it, as
	// far as Google tells.
	within(ctx context.Context, group, person string) (bool, error)
	// all lists the groups that there are.
	all(ctx context.Context) ([]flow.Target, error)
	// ends tells whether Google ends a place of the role by itself.
	ends(role string) bool
}

// place is what somebody is in a group.
type place struct {
	id            string // the API's
	group, person string
	role          string    // the highest; "" for none
	until         time.Time // when Google ends it; zero: never
	nested        bool      // it is a group's
}

// strategyOf is a strategy whose targets are groups.
type strategyOf struct {
	frozen   flow.Strategy
	groups   groups
	accounts *google.Accounts
}

// Entitlements implements strategy.Strategy.
func (s *strategyOf) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return googlegroup.Entitlements(target, identity)
}

func groupOf(t flow.Target) string { return t.Settings[googlegroup.SettingGroup] }

// Grant gives the person the role. Google says of one who is in the group that they
// are: what they are there is then changed, unless it is what is asked for.
func (s *strategyOf) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	group, role, until := groupOf(c.Target), cmp.Or(c.Value, c.Entitlement.Value), c.Until
	var result strategy.Result
	if !s.groups.ends(role) || c.Before != "" {
		until = time.Time{}
	}
	err := s.groups.add(ctx, group, c.Identity, role, until)
	if google.Exists(err) {
		err = s.change(ctx, c, role, until)
	}
	if google.Forbidden(err) && !until.IsZero() { // as of an edition that has no ends: the other calls tell if it is more than that
		if err = s.groups.add(ctx, group, c.Identity, role, time.Time{}); google.Exists(err) {
			err = s.change(ctx, c, role, time.Time{})
		}
		result.Warnings = append(result.Warnings, "Google does not end this membership by itself: that takes Workspace Enterprise Standard or Plus, Education, or Cloud Identity Premium. It is removed by us alone")
	}
	if err != nil {
		return strategy.Result{}, refusal(err)
	}
	return result, nil
}

// change makes what is asked for of the place that somebody has.
func (s *strategyOf) change(ctx context.Context, c strategy.Call, role string, until time.Time) error {
	found, err := s.groups.find(ctx, groupOf(c.Target), c.Identity)
	switch {
	case err != nil:
		return err
	case found.role == "":
		return nil // reads are behind: what is looked at afterwards decides
	case !slices.Contains(googlegroup.Roles, found.role):
		return flow.Errorf(flow.CodeStrategy, "%s has the role %s in %s, which could not be given back: it is left as it is", c.Identity, flow.Clip(found.role, 50), groupOf(c.Target))
	}
	if c.Before != "" { // the end is somebody else's
		if role == found.role {
			return nil
		}
		if !found.until.IsZero() {
			return flow.Errorf(flow.CodeStrategy, "%s is in %s until %s, which somebody else has set and Google can't keep beside another role: it is left as it is", c.Identity, groupOf(c.Target), found.until.UTC().Format(time.RFC3339))
		}
	}
	if role == found.role && until.Equal(found.until) {
		return nil
	}
	return s.groups.set(ctx, found, role, until)
}

// Revoke takes the person out of the group.
func (s *strategyOf) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	found, err := s.groups.find(ctx, groupOf(c.Target), c.Identity)
	if err == nil && found.role != "" {
		err = s.groups.remove(ctx, found)
	} else if err == nil {
		err = s.accounts.Exists(ctx, c.Identity)
	}
	if g, is := google.AsGone(err); is {
		return strategy.Gone(g.Error()), nil
	}
	return strategy.Result{}, err
}

// Observe looks at what the person is in the group, and by what other group they are
// in it.
func (s *strategyOf) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	seen := strategy.Sight{Presence: flow.Absent}
	found, err := s.groups.find(ctx, groupOf(c.Target), c.Identity)
	if _, is := google.AsGone(err); is {
		return seen, nil
	} else if err != nil {
		return strategy.Sight{}, err
	}
	if found.role != "" {
		seen.Presence, seen.Value, seen.Until = flow.Present, found.role, found.until
	}
	seen.Others, err = s.others(ctx, groupOf(c.Target), c.Identity)
	return seen, err
}

// others names the groups in a group that have the person.
func (s *strategyOf) others(ctx context.Context, group, person string) ([]string, error) {
	members, err := s.groups.members(ctx, group)
	if err != nil {
		return nil, err
	}
	var others []string
	asked := 0
	for _, m := range members {
		if !m.nested || asked == maxNested {
			continue
		}
		asked++
		in, err := s.groups.within(ctx, m.person, person)
		if _, is := google.AsGone(err); is || google.Forbidden(err) { // of another Workspace, as a rule
			continue
		} else if err != nil {
			return nil, err
		}
		if in {
			others = append(others, fmt.Sprintf("group %s, which is in %s", m.person, group))
		}
	}
	return others, nil
}

// Holders lists the people who are in the group by themselves, whatever they are
// there. A group that is gone has none.
func (s *strategyOf) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	members, err := s.groups.members(ctx, groupOf(target))
	if _, is := google.AsGone(err); is {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var holders []string
	for _, m := range members {
		if !m.nested {
			holders = append(holders, strings.ToLower(m.person))
		}
	}
	return holders, nil
}

// refusal says what a grant's error means.
func refusal(err error) error {
	g, is := google.AsGone(err)
	switch {
	case is && g.What == google.Group:
		return flow.Errorf(flow.CodeStrategy, "%s: make it there, or correct the target", g)
	case is:
		return flow.Errorf(flow.CodeIdentity, "%s: have an administrator save the address of their account as who they are at Google", g)
	}
	return err
}

// Identity implements strategy.Identifier.
func (s *strategyOf) Identity(ctx context.Context, who flow.Actor) (string, error) {
	return s.accounts.Identity(ctx, who)
}
