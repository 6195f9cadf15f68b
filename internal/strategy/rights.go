package strategy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Rights are what a strategy needs in AWS. The role of the function that grants
// is written by them, and has no others: infra/roles.go.
type Rights struct {
	Allow   []Allow          // in the account that we run in, or that lets us in by itself
	Assume  []Role           // to act where these may
	Secrets []flow.SecretRef // read by the strategy: see [Type.RightsOf]; not those that handlers read
}

// Allow is a right to do things to resources.
type Allow struct {
	Actions []string // "lambda:InvokeFunction", without wildcards
	// Resources are ARNs. Where the configuration does not name the account, they
	// have placeholders: "arn:{partition}:iam::{account}:group/ops".
	Resources []string
	// When limits it further: what a condition key of IAM ("eks:policyArn") must be
	// equal to, one of the values; nil: nothing.
	When map[string][]string
}

// Placeholders in ARNs, for where we run.
const (
	Partition = "{partition}"
	Region    = "{region}"
	Account   = "{account}"
)

// Role is a role to assume.
type Role struct {
	ARN        string
	ExternalID string // "" for none
}

const invokeFunction = "lambda:InvokeFunction"

// InvokeFunctions is the right to invoke Lambda functions.
func InvokeFunctions(arns ...string) Rights {
	if len(arns) == 0 {
		return Rights{}
	}
	return Rights{Allow: []Allow{{Actions: []string{invokeFunction}, Resources: arns}}}
}

// audience is the condition key of who a token is for.
const audience = "sts:IdentityTokenAudience"

// IdentityTokens is the right to have AWS sign who we are, for the vendors whose
// audiences these are: see aws/webidentity. There is no resource that it is on.
func IdentityTokens(audiences ...string) Rights {
	if len(audiences) == 0 {
		return Rights{}
	}
	return Rights{Allow: []Allow{{Actions: []string{"sts:GetWebIdentityToken"}, Resources: []string{"*"}, When: map[string][]string{audience: audiences}}}}
}

// Multivalued tells whether calls may have several values of a condition key, so
// that each of them must be allowed.
func Multivalued(key string) bool { return key == audience }

// looks are what names of actions begin with that change nothing. Signing is among
// them: it is how systems outside of AWS are signed in to; and so are statements,
// by which alone databases can be looked at.
var looks = []string{"Get", "List", "Describe", "Is", "Sign", "ExecuteStatement"}

// Looking are those of the rights that a comparison of what is recorded with what
// targets show needs: to read, to act where that may be done, and to sign in.
func (r Rights) Looking() Rights {
	var out Rights
	for _, a := range r.Allow {
		var actions []string
		for _, action := range a.Actions {
			_, name, _ := strings.Cut(action, ":")
			if slices.ContainsFunc(looks, func(verb string) bool { return strings.HasPrefix(name, verb) }) {
				actions = append(actions, action)
			}
		}
		if len(actions) > 0 {
			out.Allow = append(out.Allow, Allow{Actions: actions, Resources: a.Resources, When: a.When})
		}
	}
	out.Assume, out.Secrets = r.Assume, r.Secrets
	return Join(out)
}

// RightsOf says what a strategy needs in AWS, with its targets: what the type's
// Rights say, and to read the secrets that settings which it declares name, its own
// and its integration's. A setting that is bound to a field counts as not known,
// also where the target has a value of its own for it, and in the target of a run,
// which has what was asked for: both take the same rights.
func (t Type) RightsOf(s flow.Strategy) Rights {
	rights := []Rights{{Secrets: secrets(t.Settings.Known, s.Secrets)}}
	if s.Integration != nil {
		rights = append(rights, Rights{Secrets: secrets(t.Integration.Settings, s.Integration.Secrets)})
	}
	if t.Rights != nil {
		s.Targets = unbound(s.Targets)
		rights = append(rights, t.Rights(s))
	}
	return Join(rights...)
}

// unbound gives targets without the settings that fields fill in.
func unbound(targets []flow.Target) []flow.Target {
	out := slices.Clone(targets)
	for i, t := range out {
		out[i].Settings = maps.Clone(t.Settings)
		for _, name := range t.FieldBindings {
			delete(out[i].Settings, name)
		}
		out[i].Each = nil
	}
	return out
}

func secrets(known []Setting, refs map[string]flow.SecretRef) []flow.SecretRef {
	var out []flow.SecretRef
	for _, k := range known {
		if ref, ok := refs[k.Name]; ok {
			out = append(out, ref)
		}
	}
	return out
}

// Join puts rights together: each once, and in an order that only depends on
// what they are, so that a policy changes only if they do.
func Join(all ...Rights) Rights {
	var out Rights
	joined := map[string]*Allow{} // by actions and conditions
	for _, r := range all {
		for _, a := range r.Allow {
			actions := distinct(a.Actions)
			same := strings.Join(actions, " ") + conditions(a.When)
			if joined[same] == nil {
				joined[same] = &Allow{Actions: actions, When: inOrder(a.When)}
			}
			joined[same].Resources = append(joined[same].Resources, a.Resources...)
		}
		out.Assume = append(out.Assume, r.Assume...)
		out.Secrets = append(out.Secrets, r.Secrets...)
	}
	for _, a := range joined {
		a.Resources = distinct(a.Resources)
		out.Allow = append(out.Allow, *a)
	}
	slices.SortFunc(out.Allow, func(a, b Allow) int {
		return cmp.Or(slices.Compare(a.Actions, b.Actions), strings.Compare(conditions(a.When), conditions(b.When)))
	})
	slices.SortFunc(out.Assume, func(a, b Role) int {
		return cmp.Or(strings.Compare(a.ARN, b.ARN), strings.Compare(a.ExternalID, b.ExternalID))
	})
	slices.SortFunc(out.Secrets, func(a, b flow.SecretRef) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path), strings.Compare(a.JSONKey, b.JSONKey))
	})
	out.Assume, out.Secrets = slices.Compact(out.Assume), slices.Compact(out.Secrets)
	return out
}

func inOrder(when map[string][]string) map[string][]string {
	when = maps.Clone(when)
	for key, values := range when {
		when[key] = distinct(values)
	}
	return when
}

// conditions tells them in one order: " if eks:policyArn is …".
func conditions(when map[string][]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(when)) {
		b.WriteString(" if " + key + " is " + strings.Join(distinct(when[key]), " or "))
	}
	return b.String()
}

func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// Names tells the rights to people, a line each: what live access needs for its
// removal, and a new configuration must not drop. Secrets are left out: a
// strategy needs those that only its handlers read as well.
func (r Rights) Names() []string {
	var names []string
	for _, a := range r.Allow {
		what := "right to " + strings.Join(a.Actions, ", ") + " on "
		if slices.Equal(a.Actions, []string{invokeFunction}) {
			what = "function "
		}
		for _, on := range a.Resources {
			names = append(names, what+on+conditions(a.When))
		}
	}
	for _, role := range r.Assume {
		name := "role " + role.ARN
		if role.ExternalID != "" {
			name += " with external id " + role.ExternalID
		}
		names = append(names, name)
	}
	return names
}
