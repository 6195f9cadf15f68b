package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
)

// Discover lists the roles that people or groups have on the projects that we may
// see: those of Google's own agents and the basic ones left out.
func (r *roles) Discover(ctx context.Context) ([]flow.Target, error) {
	var found []flow.Target
	err := google.Pages(func(token string) (string, error) {
		var got struct {
			Projects      []struct{ ProjectID, DisplayName, State string }
			NextPageToken string
		}
		query := url.Values{"query": {"state:ACTIVE"}}
		if token != "" {
			query.Set("pageToken", token)
		}
		if err := r.api.Do(ctx, http.MethodGet, "/v3/projects:search", query, nil, &got); err != nil {
			return "", google.Failure(err, resourceManager)
		}
		for _, p := range got.Projects {
			on, err := r.given(ctx, p.ProjectID, p.DisplayName)
			if err != nil {
				return "", err
			}
			found = append(found, on...)
		}
		return got.NextPageToken, nil
	})
	slices.SortFunc(found, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

func (r *roles) given(ctx context.Context, project, label string) ([]flow.Target, error) {
	p, err := r.policy(ctx, project)
	if _, is := google.AsGone(err); is || google.Forbidden(err) {
		return nil, nil // deleted meanwhile, or not for us to change
	} else if err != nil {
		return nil, err
	}
	var found []flow.Target
	seen := map[string]bool{}
	for _, b := range p.bindings {
		people := slices.ContainsFunc(b.Members, func(m string) bool { return strings.HasPrefix(m, "user:") || strings.HasPrefix(m, "group:") })
		t := flow.Target{Name: name(project, b.Role), Type: gcpiam.TargetRole, Settings: map[string]string{
			gcpiam.SettingProject: project, gcpiam.SettingRole: b.Role,
		}}
		if label == "" {
			label = project
		}
		t.Label = b.Role[strings.LastIndex(b.Role, "/")+1:] + " on " + label
		if !people || seen[b.Role] || len(gcpiam.Type().Check(flow.Strategy{Type: r.frozen.Type, Integration: r.frozen.Integration, Settings: r.frozen.Settings, Targets: []flow.Target{t}})) > 0 {
			continue
		}
		seen[b.Role] = true
		found = append(found, t)
	}
	return found, nil
}

// name is made of ids, which never change. Of one that is too long, the end is a
// digest of the whole.
func name(project, role string) string {
	whole := strings.NewReplacer("/", "_", ".", "_", ":", "_").Replace(project + "-" + strings.TrimPrefix(role, "roles/"))
	if len(whole) <= flow.MaxOption {
		return whole
	}
	digest := fmt.Sprintf("-%x", sha256.Sum256([]byte(whole)))[:9]
	return whole[:flow.MaxOption-len(digest)] + digest
}
