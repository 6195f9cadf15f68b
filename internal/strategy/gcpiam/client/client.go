package client

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// attempts are how often a policy is read anew because somebody else has changed it
// in between. After that, the workflow comes back later.
const attempts = 4

var resourceManager = google.API{
	Name: "Google's Resource Manager API", Base: "https://cloudresourcemanager.googleapis.com",
	Scopes:  []string{"https://www.googleapis.com/auth/cloud-platform"},
	Reading: []string{"https://www.googleapis.com/auth/cloud-platform.read-only"},
}

// Open gives the opener of strategies that act through Google's APIs.
func Open(apis *google.APIs) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return &roles{s, apis.Client(s.Integration, resourceManager), apis.Accounts(s.Integration), apis.Now}, nil
	}
}

// roles is a strategy whose targets are roles on projects
// (https://cloud.google.com/resource-manager/reference/rest/v3/projects).
type roles struct {
	frozen   flow.Strategy
	api      *vendorhttp.Client
	accounts *google.Accounts
	now      func() time.Time
}

// Entitlements implements strategy.Strategy.
func (r *roles) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return gcpiam.Entitlements(target, identity)
}

// Identity implements strategy.Identifier.
func (r *roles) Identity(ctx context.Context, who flow.Actor) (string, error) {
	return r.accounts.Identity(ctx, who)
}

func projectOf(t flow.Target) string { return t.Settings[gcpiam.SettingProject] }
func roleOf(t flow.Target) string    { return t.Settings[gcpiam.SettingRole] }

// Grant binds the role to the person until the end, or moves the end. Whoever has the
// role for good has nothing to be given.
func (r *roles) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	role := roleOf(c.Target)
	err := r.change(ctx, c, func(p *policy) (bool, error) {
		h := p.holds(role, c.Identity, r.now())
		if h.direct && !h.ours || h.ours && h.until.Equal(c.Until.UTC().Truncate(time.Second)) {
			return false, nil
		}
		p.remove(role, c.Identity)
		p.add(role, c.Identity, cmp.Or(c.RunID, "access"), c.Until)
		if p.principals() > maxPrincipals {
			return false, flow.Errorf(flow.CodeStrategy, "the policy of project %s names as many as Google allows, %d: take out bindings there, or give roles to groups", projectOf(c.Target), maxPrincipals)
		}
		return true, nil
	})
	if vendorhttp.StatusOf(err) == http.StatusBadRequest { // as of an account that is not there
		err = cmp.Or(r.accounts.Exists(ctx, c.Identity), err)
	}
	if g, is := google.AsGone(err); is && g.What == google.Account {
		return strategy.Result{}, flow.Errorf(flow.CodeIdentity, "%s: have an administrator save the address of their account as who they are at Google", g)
	} else if is {
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "%s any more: correct the target", g)
	}
	return strategy.Result{}, err
}

// Revoke takes away what is ours. What others have bound stays.
func (r *roles) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	role, was, removed := roleOf(c.Target), held{}, false
	err := r.change(ctx, c, func(p *policy) (bool, error) {
		was = p.holds(role, c.Identity, r.now())
		removed = p.remove(role, c.Identity)
		return removed, nil
	})
	if err == nil && was.gone {
		err = &google.Gone{What: google.Account, Name: c.Identity}
	} else if err == nil && !removed {
		err = r.accounts.Exists(ctx, c.Identity)
	}
	if g, is := google.AsGone(err); is {
		return strategy.Gone(g.Error()), nil
	}
	return strategy.Result{}, err
}

// Observe looks at what the person has of the role. Without a condition, it is what
// was there before a grant, and another way to the same access beside ours, or after
// ours was taken away.
func (r *roles) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	seen := strategy.Sight{Presence: flow.Absent}
	p, err := r.policy(ctx, projectOf(c.Target))
	if _, is := google.AsGone(err); is {
		return seen, nil
	} else if err != nil {
		return strategy.Sight{}, err
	}
	h := p.holds(roleOf(c.Target), c.Identity, r.now())
	switch {
	case h.ours:
		seen.Presence, seen.Until = flow.Present, h.until
	case h.direct && c.Class != strategy.Removing:
		seen.Presence = flow.Present
		h.direct = false
	}
	if h.direct {
		seen.Others = append(seen.Others, fmt.Sprintf("role %s on %s, given to them for good", roleOf(c.Target), projectOf(c.Target)))
	}
	for _, title := range h.others {
		seen.Others = append(seen.Others, fmt.Sprintf("role %s on %s, with the condition %q", roleOf(c.Target), projectOf(c.Target), flow.Clip(title, 100)))
	}
	return seen, nil
}

// Holders lists the people who have the role by a binding of their own, ours or
// without a condition. A project that is gone has none.
func (r *roles) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	p, err := r.policy(ctx, projectOf(target))
	if _, is := google.AsGone(err); is {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var holders []string
	seen := map[string]bool{}
	for _, b := range p.bindings {
		end, ours := b.until()
		if b.Role != roleOf(target) || b.Condition != nil && !(ours && end.After(r.now())) {
			continue
		}
		for _, m := range b.Members {
			if person, user := strings.CutPrefix(strings.ToLower(m), "user:"); user && !seen[person] {
				seen[person] = true
				holders = append(holders, person)
			}
		}
	}
	return holders, nil
}

// policy reads the whole policy of a project, its conditions included. The error is a
// google.Gone if the project is deleted.
func (r *roles) policy(ctx context.Context, project string) (policy, error) {
	path := "/v3" + vendorhttp.Path("projects", project)
	got, err := r.api.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: path + ":getIamPolicy", Reads: true,
		Body: map[string]any{"options": map[string]int{"requestedPolicyVersion": version}},
	})
	if google.Forbidden(err) || vendorhttp.Missing(err) { // as of a project that is not there
		var found struct{ State string }
		if r.api.Do(ctx, http.MethodGet, path, nil, nil, &found) == nil && found.State != "ACTIVE" {
			return policy{}, &google.Gone{What: google.Project, Name: project}
		}
	}
	if err != nil {
		return policy{}, google.Failure(err, resourceManager)
	}
	return read(got.Body)
}

// change changes the policy of the call's project, unless change says that nothing is
// to be, and nothing is left over of ours. It is read and written as one: if somebody else has written it in between,
// Google refuses ours, and it begins anew.
func (r *roles) change(ctx context.Context, c strategy.Call, change func(*policy) (bool, error)) error {
	for attempt := 1; ; attempt++ {
		p, err := r.policy(ctx, projectOf(c.Target))
		if err != nil {
			return err
		}
		is, err := change(&p)
		if err != nil {
			return err
		}
		if pruned := p.prune(r.now()); !is && !pruned {
			return nil
		}
		text, err := p.written()
		if err != nil {
			return fmt.Errorf("encode the policy: %w", err)
		}
		_, err = r.api.Send(ctx, vendorhttp.Request{
			Method: http.MethodPost, Path: "/v3" + vendorhttp.Path("projects", projectOf(c.Target)) + ":setIamPolicy",
			Body: text, Header: http.Header{"Content-Type": {"application/json"}},
		})
		if google.Code(err) != google.Aborted || attempt == attempts {
			return google.Failure(err, resourceManager)
		}
	}
}
