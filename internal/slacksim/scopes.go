package slacksim

import (
	"slices"
	"strings"
)

// scopes are what the bot token needs for a method: one of these. Methods that are
// not here need none (docs.slack.dev/reference/scopes).
var scopes = map[string][]string{
	"chat.postMessage":      {"chat:write"},
	"chat.postEphemeral":    {"chat:write"},
	"chat.update":           {"chat:write"},
	"chat.delete":           {"chat:write"},
	"chat.unfurl":           {"links:write"},
	"users.info":            {"users:read"},
	"users.list":            {"users:read"},
	"users.lookupByEmail":   {"users:read.email"},
	"users.conversations":   {"channels:read", "groups:read", "im:read", "mpim:read"},
	"bots.info":             {"users:read"},
	"usergroups.list":       {"usergroups:read"},
	"usergroups.users.list": {"usergroups:read"},
	"conversations.open":    {"im:write", "mpim:write", "channels:manage", "groups:write"},
	"conversations.list":    {"channels:read", "groups:read", "im:read", "mpim:read"},
	"conversations.info":    {"channels:read", "groups:read", "im:read", "mpim:read"},
	"conversations.members": {"channels:read", "groups:read", "im:read", "mpim:read"},
	"conversations.join":    {"channels:join"},
}

// lacks returns the refusal of a method for which the app has no scope; nil if it
// has one, or has all.
func (s *Sim) lacks(method string) *apiError {
	needed := scopes[method]
	if s.config.Scopes == nil || len(needed) == 0 || slices.ContainsFunc(needed, s.has) {
		return nil
	}
	return &apiError{code: "missing_scope", needed: strings.Join(needed, ","), provided: strings.Join(s.config.Scopes, ",")}
}

func (s *Sim) has(scope string) bool { return slices.Contains(s.config.Scopes, scope) }
