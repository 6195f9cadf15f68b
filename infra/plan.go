package main

import (
	"encoding/json"
	"slices"

	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/strategy"
)

// metadataKey is where a template says what this deployment is, for preflight.
const metadataKey = "SymFlows"

// plan is what a template says of its deployment: of one to be made, and of the one
// that is there.
type plan struct {
	// Options are those that were set, as they were written.
	Options map[string]string
	// Kept are the ids of what outlives the stack.
	Kept []string
	// Roles are the ARNs of roles that other accounts may trust, by function.
	Roles map[string]string
	// Trusting are the roles in other accounts that the configuration has us assume.
	Trusting []trusting
	// KeyPolicy is what the policy of a given key has to say.
	KeyPolicy []any
	// Endpoints are the services that functions in a VPC call.
	Endpoints []string
	// Reserved is how many executions are kept for functions.
	Reserved int
}

// trusting is a role that has to trust roles of ours.
type trusting struct {
	ARN, ExternalID string
	By              []string // functions whose roles assume it
}

// addPlan writes the plan into the template's metadata.
func (d *deployment) addPlan() {
	p := plan{
		Options:  d.options.given(),
		Kept:     slices.Sorted(slices.Values(d.kept)),
		Roles:    map[string]string{accessFunction: d.roleARN(accessFunction), "drift": d.roleARN("drift"), "deliver": d.roleARN("deliver")},
		Reserved: d.options.reservedConcurrency.total(),
	}
	p.Endpoints = d.endpoints()
	if d.options.kmsKey != "" && d.options.kmsKey != createKey {
		p.KeyPolicy = d.keyPolicy()
	}
	for _, use := range []struct {
		by     string
		assume []strategy.Role
	}{
		{accessFunction, d.config.StrategyRights().Assume}, {"drift", d.config.LookingRights().Assume}, {"deliver", d.config.DestinationRights().Assume},
	} {
		for _, role := range use.assume {
			i := slices.IndexFunc(p.Trusting, func(t trusting) bool { return t.ARN == role.ARN && t.ExternalID == role.ExternalID })
			if i < 0 {
				i, p.Trusting = len(p.Trusting), append(p.Trusting, trusting{ARN: role.ARN, ExternalID: role.ExternalID})
			}
			p.Trusting[i].By = append(p.Trusting[i].By, use.by)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // it is of maps and texts
	}
	var metadata any
	if err := json.Unmarshal(text, &metadata); err != nil {
		panic(err)
	}
	d.stack.AddMetadata(jsii.String(metadataKey), metadata)
}
