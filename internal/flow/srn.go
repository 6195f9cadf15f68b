package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// SRN is a Sym resource name:
// <org>:<model>[:<type>]:<slug>:<version>[:<identifier>]. Models that come in
// types (users, targets, …) carry the type.
type SRN struct {
	Org, Model, Type, Slug, Version, Identifier string
}

// Latest is the version that stands for the newest one.
const Latest = "latest"

// typed are the models whose names carry a type.
var typed = map[string]bool{
	"access_strategy": true, "access_target": true, "user": true, "secret": true,
	"secrets": true, "integration": true, "log_destination": true,
}

var (
	slugPattern = pattern.Of(`^[a-zA-Z0-9_-]+$`)
	// Sym's versions have three digits at most in each place; ours count on.
	versionPattern = pattern.Of(`^(latest|\d{1,3}\.\d{1,3}\.\d{1,9})$`)
)

// ParseSRN reads a resource name. The error says what a right one looks like.
func ParseSRN(s string) (SRN, error) {
	bad := func(why string) (SRN, error) {
		return SRN{}, Errorf(CodeInvalid, "%q is not a resource name: %s; write it as <org>:flow:<name>:latest, for example", Clip(s, 120), why)
	}
	parts := strings.Split(s, ":")
	if len(parts) < 4 {
		return bad("it has too few parts")
	}
	n := SRN{Org: parts[0], Model: parts[1]}
	rest := parts[2:]
	if typed[n.Model] {
		n.Type, rest = rest[0], rest[1:]
	}
	if len(rest) < 2 || len(rest) > 3 {
		return bad("it has the wrong number of parts")
	}
	n.Slug, n.Version = rest[0], rest[1]
	slugs := append(slices.Clone(parts[:len(parts)-len(rest)+1]), rest[2:]...)
	for _, p := range slugs {
		if !slugPattern.MatchString(p) {
			return bad(fmt.Sprintf("%q may have letters, digits, - and _ only", Clip(p, 60)))
		}
	}
	n.Identifier = strings.Join(rest[2:], "")
	if !versionPattern.MatchString(n.Version) {
		return bad(fmt.Sprintf("version %q is neither \"latest\" nor like 1.0.3", Clip(n.Version, 30)))
	}
	return n, nil
}

func (n SRN) String() string {
	parts := []string{n.Org, n.Model}
	if n.Type != "" {
		parts = append(parts, n.Type)
	}
	parts = append(parts, n.Slug, n.Version)
	if n.Identifier != "" {
		parts = append(parts, n.Identifier)
	}
	return strings.Join(parts, ":")
}

// FlowSRN names a version of a flow.
func FlowSRN(org, name, version string) string {
	return SRN{Org: org, Model: "flow", Slug: name, Version: version}.String()
}

// RunSRN names a run.
func RunSRN(org, flow, version, id string) string {
	return SRN{Org: org, Model: "run", Slug: flow, Version: version, Identifier: id}.String()
}

// TargetSRN names a target as a version of a flow knows it.
func TargetSRN(org, typ, name, version string) string {
	return SRN{Org: org, Model: "access_target", Type: typ, Slug: name, Version: version}.String()
}

// StrategySRN names a strategy.
func StrategySRN(org, typ, name string) string {
	return SRN{Org: org, Model: "access_strategy", Type: typ, Slug: name, Version: Latest}.String()
}

// IntegrationSRN names an integration.
func IntegrationSRN(org, typ, name string) string {
	return SRN{Org: org, Model: "integration", Type: typ, Slug: name, Version: Latest}.String()
}

// UserSRN names a person ("normal") or a bot ("bot").
func UserSRN(org, kind, id string) string {
	return SRN{Org: org, Model: "user", Type: kind, Slug: id, Version: Latest}.String()
}
