package entity

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// Bounds are what the configuration API may have access granted by. The rights of
// functions are fixed when they are deployed, while targets come and go by API: the
// deployment says what they may ever touch.
type Bounds struct {
	Roles     []string // ARNs of roles that may be assumed; * stands for any part
	Functions []string // ARNs of Lambda functions that may be invoked
	Secrets   []string // paths of secrets that may be read
	Hosts     []string // that may be called, and sent secrets: *.example.com are all below it
	// HandlerFunctions and HandlerSecrets are those that flows and their handlers may use.
	// None of the functions is one that grants, which handlers would reach past approval.
	HandlerFunctions, HandlerSecrets []string
}

// GrantsOption is the option of the deployment that bounds are written in.
const GrantsOption = "grants"

var (
	rolePattern     = pattern.Of(`^arn:aws:iam::(\d{12}|\*):role/[\w+=,.@/-]*\*?$`)
	functionPattern = pattern.Of(`^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+\*?$`)
	pathPattern     = pattern.Of(`^[\w/+=.@-]+\*?$`)
	hostPattern     = pattern.Of(`^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// forHandlers begins the parts of bounds that are for flows and their handlers.
const forHandlers = "handlers:"

// ParseBounds reads bounds: ARNs of roles and functions, secret:<path> and host:<name>,
// with commas between them, and with handlers: before functions and secrets those that are
// for flows and their handlers. The error says which part is none, and what to write.
func ParseBounds(text string) (Bounds, error) {
	var b Bounds
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		kind, rest, _ := strings.Cut(part, ":")
		handlers, is := strings.CutPrefix(part, forHandlers)
		secret, isSecret := strings.CutPrefix(handlers, "secret:")
		switch {
		case is && functionPattern.MatchString(handlers):
			b.HandlerFunctions = append(b.HandlerFunctions, handlers)
		case is && isSecret && pathPattern.MatchString(secret):
			b.HandlerSecrets = append(b.HandlerSecrets, secret)
		case part == "":
		case rolePattern.MatchString(part):
			b.Roles = append(b.Roles, part)
		case functionPattern.MatchString(part):
			b.Functions = append(b.Functions, part)
		case kind == "secret" && pathPattern.MatchString(rest):
			b.Secrets = append(b.Secrets, rest)
		case kind == "host" && hostPattern.MatchString(rest):
			b.Hosts = append(b.Hosts, rest)
		default:
			return Bounds{}, fmt.Errorf("%q bounds nothing: write ARNs of roles (arn:aws:iam::123456789012:role/sym/*) and of functions (arn:aws:lambda:us-east-1:123456789012:function:grant-*), secret:/sym/* and host:*.example.com, with commas between them, and handlers: before functions and secrets of handlers", part)
		}
	}
	for _, theirs := range b.HandlerFunctions {
		for _, grants := range b.Functions {
			if overlap(theirs, grants) {
				return Bounds{}, fmt.Errorf("%q would let handlers invoke what %q grants by, without an approval: give those functions names that begin otherwise", forHandlers+theirs, grants)
			}
		}
	}
	return b, nil
}

// overlap tells whether two texts, at whose end a star stands for anything, have one in
// common.
func overlap(a, b string) bool {
	x, open := strings.CutSuffix(a, "*")
	y, wide := strings.CutSuffix(b, "*")
	return a == b || open && strings.HasPrefix(y, x) || wide && strings.HasPrefix(x, y)
}

// within tells whether a text is one of a list, in which a star at the end stands for
// anything, and one elsewhere for anything without a colon or slash.
func within(list []string, text string) bool {
	return slices.ContainsFunc(list, func(one string) bool {
		expression := strings.ReplaceAll(regexp.QuoteMeta(one), `\*`, `[^:/]*`)
		if strings.HasSuffix(one, "*") {
			expression = strings.TrimSuffix(expression, `[^:/]*`) + ".*"
		}
		ok, err := regexp.MatchString("^"+expression+"$", text)
		return ok && err == nil
	})
}

// listed tells whether secrets may be sent to a host.
func (b Bounds) listed(host string) bool {
	host = strings.ToLower(host)
	return slices.ContainsFunc(b.Hosts, func(one string) bool {
		if below, ok := strings.CutPrefix(one, "*"); ok {
			return strings.HasSuffix(host, below)
		}
		return host == one
	})
}

// Outside gives what of an entity is outside of the bounds.
func (b Bounds) Outside(e Entity) []Fault {
	var found []Fault
	fault := func(attribute, format string, args ...any) {
		found = append(found, Fault{attribute, fmt.Sprintf(format, args...) + fmt.Sprintf("; whoever deploys allows it by -c %s=…", GrantsOption)})
	}
	v := e.values()
	if path, _ := v["path"].(string); e.Kind == KindSecret && path != "" && !within(b.Secrets, path) && !within(b.HandlerSecrets, path) {
		fault("path", "%q is no secret that this deployment lets the configuration API use", path)
	}
	arns, _ := v["lambda_arns"].([]any)
	for i, value := range arns {
		if arn, _ := value.(string); !within(b.HandlerFunctions, arn) {
			fault(fmt.Sprintf("lambda_arns[%d]", i), "%q is no function that this deployment lets flows and handlers of the configuration API use (%s…)", arn, forHandlers)
		}
	}
	settings, _ := v["settings"].(map[string]any)
	secret := false
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		secret = secret || NamesSecret(key) || key == SecretList
		text, _ := settings[key].(string)
		at := "settings." + key
		switch {
		case strings.HasPrefix(text, "arn:") && strings.Contains(text, ":iam:") && strings.Contains(text, ":role/"):
			if !within(b.Roles, text) {
				fault(at, "%q is no role that this deployment lets the configuration API use", text)
			}
		case strings.HasPrefix(text, "arn:") && strings.Contains(text, ":lambda:"):
			if !within(b.Functions, text) {
				fault(at, "%q is no function that this deployment lets the configuration API use", text)
			}
		case strings.Contains(text, "://"):
			if why := b.reach(text); why != "" {
				fault(at, "%s", why)
			}
		case key == "host" || key == "hostname" || key == "endpoint":
			if host, _, _ := strings.Cut(text, ":"); !b.listed(host) {
				fault(at, "%q is no host that this deployment lets the configuration API use", host)
			}
		}
	}
	// Where the account at a service is named by its host, its secrets go there.
	id, _ := v["external_id"].(string)
	host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(id), "/"))
	switch {
	case e.Kind != KindIntegration:
	case strings.Contains(id, "://"):
		if why := b.reach(strings.TrimSpace(id)); why != "" {
			fault("external_id", "%s", why)
		}
	case secret && hostPattern.MatchString(host) && !b.listed(host):
		fault("external_id", "%q is no host that this deployment lets secrets of the configuration API be sent to", host)
	}
	return found
}

// reach says why a URL may not be called; "" if it may.
func (b Bounds) reach(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "is no URL: write one such as https://grants.example.com/sym"
	case u.Scheme != "https":
		return "must begin with https://"
	case u.User != nil:
		return "must not have a name or a password in it"
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return fmt.Sprintf("%q is an address: write the name of a host", host)
	}
	if !b.listed(host) {
		return fmt.Sprintf("%q is no host that this deployment lets the configuration API use", host)
	}
	return ""
}

// String writes bounds as they are read.
func (b Bounds) String() string {
	list := slices.Concat(b.Roles, b.Functions)
	for _, path := range b.Secrets {
		list = append(list, "secret:"+path)
	}
	for _, host := range b.Hosts {
		list = append(list, "host:"+host)
	}
	for _, arn := range b.HandlerFunctions {
		list = append(list, forHandlers+arn)
	}
	for _, path := range b.HandlerSecrets {
		list = append(list, forHandlers+"secret:"+path)
	}
	return strings.Join(list, ",")
}
