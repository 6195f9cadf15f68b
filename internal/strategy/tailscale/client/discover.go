package client

import (
	"context"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

// asked matches the condition of a posture that an attribute be true.
var asked = pattern.Of(`^\s*(custom:[A-Za-z0-9_]+)\s*==\s*true\s*$`)

// Discover lists the groups of the policy file, and the attributes that its postures
// ask to be true, in the order of their names.
func (t tailnet) Discover(ctx context.Context) ([]flow.Target, error) {
	p, err := group{t, t.api(ofGroups)}.policy(ctx)
	if err != nil {
		return nil, err
	}
	var found []flow.Target
	add := func(typ, setting, name string) {
		_, bare, _ := strings.Cut(name, ":")
		found = append(found, flow.Target{
			Name: typ + "-" + strings.ToLower(bare), Type: typ, Label: name, Settings: map[string]string{setting: name},
		})
	}
	for _, m := range p.object("/groups") {
		if name, ok := m.Name.Value.(hujson.Literal); ok {
			add(tailscale.TargetGroup, tailscale.SettingGroup, name.String())
		}
	}
	var attributes []string
	for _, m := range p.object("/postures") {
		conditions, ok := m.Value.Value.(*hujson.Array)
		if !ok {
			continue
		}
		for _, c := range conditions.Elements {
			l, ok := c.Value.(hujson.Literal)
			if !ok || l.Kind() != '"' {
				continue
			}
			if a := asked.FindStringSubmatch(l.String()); a != nil && !slices.Contains(attributes, a[1]) {
				attributes = append(attributes, a[1])
			}
		}
	}
	for _, a := range attributes {
		add(tailscale.TargetPosture, tailscale.SettingAttribute, a)
	}
	slices.SortFunc(found, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// object gives the members of an object of the file.
func (p policy) object(at string) []hujson.ObjectMember {
	v := p.file.Find(at)
	if v == nil {
		return nil
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return nil
	}
	return o.Members
}
