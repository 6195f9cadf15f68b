package client

import (
	"context"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
)

// Discover lists the groups, each to be a member of.
func (s *strategyOf) Discover(ctx context.Context) ([]flow.Target, error) {
	found, err := s.groups.all(ctx)
	slices.SortFunc(found, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

// target is that of a group. Its id stays when the group is renamed.
func target(id, name, address string) flow.Target {
	if name == "" {
		name = address
	}
	return flow.Target{Name: "google-group-" + strings.ToLower(id), Type: googlegroup.TargetGroup, Label: name, Settings: map[string]string{
		googlegroup.SettingGroup: strings.ToLower(address), googlegroup.SettingRole: googlegroup.Member,
	}}
}
