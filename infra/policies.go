package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// How much IAM takes, in characters without white space, and by default
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
const (
	maxInline   = 10_240 // all policies that are part of a role
	maxManaged  = 6_144  // a policy of its own
	maxAttached = 10     // policies of their own that a role has
)

// addConfigured gives roles the rights that follow from the configuration, after
// something else was done.
func (d *deployment) addConfigured(after awscdk.CfnResource) {
	all, patterns := d.configuredRights(), d.options.patterns()
	d.faults = append(d.faults, d.checkOwn(all)...)
	d.faults = append(d.faults, checkPatterns(patterns, all)...)
	for _, function := range slices.Sorted(maps.Keys(all)) {
		d.addTargets(function, merge(wide(all[function], patterns)), after)
	}
}

// checkOwn finds functions of ours that the configuration would have others invoke.
// They take the word of who may invoke them, tokens and config that of their gateway.
func (d *deployment) checkOwn(all map[string][]right) (faults []error) {
	own := map[string]bool{}
	for _, f := range d.functions {
		own[*f.FunctionName()] = true
	}
	for _, function := range slices.Sorted(maps.Keys(all)) {
		for _, r := range all[function] {
			for _, arn := range r.resources {
				_, name, _ := strings.Cut(arn, ":function:")
				if name, _, _ = strings.Cut(name, ":"); invokes(r) && own[name] {
					faults = append(faults, fmt.Errorf("the configuration has %s invoke %s, which is a part of this deployment: name functions of yours only", function, arn))
				}
			}
		}
	}
	return faults
}

// addTargets gives a function's role rights: as a part of the role if that has
// room for them, else as policies of their own, over which they are spread. They
// are one or the other: what replaces something is there before CloudFormation
// takes that away.
func (d *deployment) addTargets(function string, rights []right, after awscdk.CfnResource) {
	if len(rights) == 0 {
		return // a policy without statements is refused
	}
	id := title(function) + "Targets"
	add := func(made awscdk.CfnResource) {
		made.AddDependency(after)
		suppressWildcards(made)
	}
	if d.inline[title(function)+"Role"]+length(policy(rights)) <= maxInline {
		add(awsiam.NewCfnRolePolicy(d.stack, jsii.String(id), &awsiam.CfnRolePolicyProps{
			PolicyName: jsii.String("targets"), RoleName: d.roles[function].Ref(), PolicyDocument: policy(rights),
		}))
		return
	}
	parts := spread(rights)
	if err := fits(function, rights, parts); err != nil {
		d.faults = append(d.faults, err)
		return
	}
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		made := awsiam.NewCfnManagedPolicy(d.stack, jsii.String(fmt.Sprint(id, i+1)), &awsiam.CfnManagedPolicyProps{
			Description: jsii.String(fmt.Sprintf("Sym Flows: what the configuration has %s do, part %d", function, i+1)),
			Roles:       &[]any{d.roles[function].Ref()}, PolicyDocument: policy(part),
		})
		add(made)
	}
}

// fits says whether IAM takes the parts, and what to do if it does not.
func fits(function string, rights []right, parts [][]right) error {
	all, largest := 0, 0
	for _, r := range rights {
		all += len(r.resources)
	}
	for _, part := range parts {
		largest = max(largest, length(policy(part)))
	}
	if largest <= maxManaged {
		return nil
	}
	return fmt.Errorf("the configuration has %s work with %d functions, secrets and the like, which is more than the policies of one role can list: the longest of %d would have %d characters, and IAM takes %d. "+
		"Allow functions whose names begin alike by a pattern (-c functionPatterns='arn:aws:lambda:us-east-1:123456789012:function:grant-*'), "+
		"let one function grant several targets, or divide the flows between deployments (-c name=…)", function, all, maxAttached, largest, maxManaged)
}

// spread divides rights among the policies that a role can have. Where a right
// is put follows from itself alone: it never moves when others come or go, so that
// no update of two policies, of which one is made first, takes it away for a while.
func spread(rights []right) [][]right {
	parts := make([][]right, maxAttached)
	for _, r := range rights {
		of := map[int][]string{}
		for _, resource := range r.resources {
			sum := sha256.Sum256([]byte(key(r) + resource))
			i := int(sum[0])<<8 | int(sum[1])
			of[i%maxAttached] = append(of[i%maxAttached], resource)
		}
		for i, resources := range of {
			parts[i] = append(parts[i], right{r.actions, resources, r.condition})
		}
	}
	return parts
}

// merge puts rights together that differ in their resources only. Each is named
// once.
func merge(rights []right) []right {
	var out []right
	for _, r := range rights {
		i := slices.IndexFunc(out, func(other right) bool { return key(other) == key(r) })
		if i < 0 {
			i = len(out)
			out = append(out, right{actions: r.actions, condition: r.condition})
		}
		out[i].resources = append(out[i].resources, r.resources...)
	}
	for i := range out {
		slices.Sort(out[i].resources)
		out[i].resources = slices.Compact(out[i].resources)
	}
	return out
}

// key gives all of a right but its resources.
func key(r right) string { return string(compact([]any{r.actions, r.condition})) }

// wide replaces functions that match a pattern by the pattern.
func wide(rights []right, patterns []string) []right {
	var out []right
	for _, r := range rights {
		if invokes(r) {
			r.resources = slices.Clone(r.resources)
			for i, arn := range r.resources {
				if at := slices.IndexFunc(patterns, func(p string) bool { return matches(p, arn) }); at >= 0 {
					r.resources[i] = patterns[at]
				}
			}
		}
		out = append(out, r)
	}
	return out
}

func invokes(r right) bool { return slices.Equal(r.actions, []string{"lambda:InvokeFunction"}) }

func matches(pattern, arn string) bool {
	return strings.HasPrefix(arn, strings.TrimSuffix(pattern, "*"))
}

// checkPatterns finds patterns that are of no use, and those by which one role could
// invoke what the configuration has another one invoke: handlers reach no targets.
func checkPatterns(patterns []string, all map[string][]right) (faults []error) {
	invoked := map[string][]string{} // by function
	for function, rights := range all {
		for _, r := range rights {
			if invokes(r) {
				invoked[function] = append(invoked[function], r.resources...)
			}
		}
	}
	for _, p := range patterns {
		here := func(arn string) bool { return matches(p, arn) }
		used := false
		for _, function := range slices.Sorted(maps.Keys(invoked)) {
			if !slices.ContainsFunc(invoked[function], here) {
				continue
			}
			used = true
			for _, other := range slices.Sorted(maps.Keys(invoked)) {
				for _, arn := range invoked[other] {
					if here(arn) && !slices.Contains(invoked[function], arn) {
						faults = append(faults, fmt.Errorf("context functionPatterns: %s would let %s invoke %s, which only %s may: begin it with more of the names", p, function, arn, other))
					}
				}
			}
		}
		if !used {
			faults = append(faults, fmt.Errorf("context functionPatterns: the configuration names no function that matches %s: correct or remove it", p))
		}
	}
	return faults
}

// unknown are values that are known at deploy only, as the CDK writes them, and
// the most characters that they can have: partition, region and account have
// their own, names and ARNs of what the stack makes as many as they need.
var (
	unknown = regexp.MustCompile(`\$\{Token\[[^\]]*\]\}`)
	longest = map[string]int{"AWS.Partition": len("aws"), "AWS.Region": len("ap-southeast-99"), "AWS.AccountId": 12}
)

const longestUnknown = 160 // a table with a name of 40 letters and CloudFormation's own after it

// length bounds the length of a policy as IAM counts it.
func length(policy any) int {
	return len(unknown.ReplaceAllStringFunc(string(compact(policy)), func(token string) string {
		name := strings.TrimPrefix(token, "${Token[")
		name = name[:strings.LastIndex(name, ".")]
		n, known := longest[name]
		if !known {
			n = longestUnknown
		}
		return strings.Repeat("x", n)
	}))
}

// compact writes JSON without white space and without needless escapes.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // policies are of maps and texts
	}
	return bytes.TrimSpace(b.Bytes())
}
