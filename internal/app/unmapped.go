package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/lambdahost"
)

// unmapped says which functions and secrets a configuration names that this machine
// has nothing for: each is an error to whoever needs it first. With away, functions
// are in AWS instead.
func unmapped(c *catalog.Catalog, m lambdahost.Config, away bool) []string {
	users := map[string]string{} // by ARN
	name := func(call *flow.LambdaCall, whose string) {
		if call != nil {
			users[call.ARN] = whose
		}
	}
	for _, e := range c.Environments {
		for _, arn := range e.LambdaARNs {
			users[arn] = "lambda_arns of environment " + e.Name
		}
	}
	for _, s := range c.Strategies {
		for _, t := range s.Targets {
			if s.Type == "aws_lambda" {
				users[t.Settings["arn"]] = "target " + t.Name
			}
		}
	}
	for _, f := range c.Flows {
		name(f.Params.OnApprove, "on_approve of flow "+f.Name)
		name(f.Params.AfterApprove, "after_approve of flow "+f.Name)
	}
	var lines []string
	for _, arn := range slices.Sorted(maps.Keys(users)) {
		if _, ok := m.Functions[arn]; !ok && !away && arn != "" {
			lines = append(lines, fmt.Sprintf("local.yaml has no function %s, which %s names: on this machine, calling it fails until it is there, under functions", arn, users[arn]))
		}
	}
	var paths []string
	for _, s := range c.Secrets {
		if _, ok := m.Secrets[s.Path]; !ok && !slices.Contains(paths, s.Path) {
			paths = append(paths, s.Path)
			lines = append(lines, fmt.Sprintf("local.yaml has no secret %s (%s): on this machine, what needs it fails until it is there, under secrets", s.Path, s.Name))
		}
	}
	return lines
}

// checkMapped is unmapped for a folder that is looked at: one without local.yaml is
// for AWS alone, and lacks nothing.
func checkMapped(c *catalog.Catalog, flows string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(flows, "local.yaml")); err != nil {
		return nil, nil
	}
	m, err := mappingIn(flows)
	if err != nil {
		return nil, err
	}
	return unmapped(c, m, false), nil
}
