package slackapp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// trouble is what an error of Slack's is about, which says what helps.
type trouble int

const (
	passing   trouble = iota // Slack itself: the same may work in a moment
	noSuch                   // what was named: Slack has no such person or group
	address                  // what was named: it can't be reached as things are
	scope                    // what was asked: the app may not do it as it is installed
	workspace                // the whole workspace: nothing works until that is over
)

// refusal is one of Slack's errors: its kind, and what people should do about
// it. %s is what was to be reached or asked about.
type refusal struct {
	kind trouble
	hint string
}

const (
	newToken   = "Slack refuses the bot token, so that %s can't be reached: install the app again and set the new token"
	reinstall  = "Slack does not let the app reach %s: compare the app's settings with the manifest in docs/slack.md, and install the app again"
	fixNotify  = ": correct the flow's approval.notify"
	tooLong    = "Slack found the message to %s too long: shorten the request's fields"
	ourFault   = "Slack could not read what was sent to %s: this is a fault of ours, please report it"
	otherPlace = ", or name another channel in the flow"
)

// refusals are Slack's errors, of all methods that are called here, as its
// reference lists them (docs.slack.dev/reference/methods). One that is not
// here counts as passing: it is tried again, and what waits for it too long
// says so.
var refusals = map[string]refusal{
	"internal_error":      {passing, "Slack has a fault, so that %s can't be reached just now"},
	"fatal_error":         {passing, "Slack has a fault, so that %s can't be reached just now"},
	"service_unavailable": {passing, "Slack is not available, so that %s can't be reached just now"},
	"request_timeout":     {passing, "Slack took too long, so that %s can't be reached just now"},

	"user_not_found":  {noSuch, "Slack does not know %s any more" + fixNotify},
	"users_not_found": {noSuch, "Slack does not know %s any more" + fixNotify},
	"no_such_subteam": {noSuch, "Slack has no such user group as %s any more: correct the flow"},
	// Slack says so of people, and to a person's question it is the same as if
	// there were none.
	"user_not_visible": {noSuch, "Slack does not let the bot see %s" + fixNotify},

	"channel_not_found":                        {address, "Slack has no channel %s that the bot can see: check its name, and if it is private, type /invite @Sym in it; where the app is installed for a whole organisation, name the channel by its id"},
	"not_in_channel":                           {address, "the bot is not in %s: type /invite @Sym there"},
	"is_archived":                              {address, "the channel %s is archived: unarchive it" + otherPlace},
	"restricted_action":                        {address, "the workspace does not let apps post in %s: allow it in the channel's settings" + otherPlace},
	"restricted_action_read_only_channel":      {address, "the channel %s is read-only: name another one in the flow"},
	"restricted_action_thread_only_channel":    {address, "the channel %s takes answers in threads only: name another one in the flow"},
	"restricted_action_non_threadable_channel": {address, "the channel %s takes no threads: name another one in the flow"},
	"channel_type_not_supported":               {address, "%s is no channel that an app can use: name another one in the flow"},
	"method_not_supported_for_channel_type":    {address, "%s is no channel that an app can use: name another one in the flow"},
	"user_disabled":                            {address, "%s has been deactivated in Slack" + fixNotify},
	"cannot_dm_bot":                            {address, "%s is a bot, which can't be sent messages" + fixNotify},
	"messages_tab_disabled":                    {address, "%s can't be sent messages: switch on the Messages Tab under App Home in the Slack app's settings"},
	"user_not_in_channel":                      {address, "the person is not in %s"},
	"too_many_users":                           {address, "too many people to share one conversation: %s; name fewer in the flow's approval.notify, or a channel"},
	"ekm_access_denied":                        {address, "the workspace's administrators have suspended messages to %s"},
	"msg_too_long":                             {address, tooLong},
	"msg_blocks_too_long":                      {address, tooLong},
	"invalid_blocks":                           {address, ourFault},
	"invalid_blocks_format":                    {address, ourFault},

	"missing_scope":             {scope, "the Slack app lacks a scope to reach %s: add it under OAuth & Permissions and install the app again"},
	"no_permission":             {scope, reinstall},
	"permission_denied":         {scope, reinstall},
	"access_denied":             {scope, reinstall},
	"not_allowed_token_type":    {scope, "Slack does not take this kind of token for %s: set the bot token, which begins with xoxb-"},
	"missing_argument":          {scope, "Slack wants to know for which workspace it is asked about %s: where the app is installed for a whole organisation, name the user group or channel by its id, and see docs/slack.md"},
	"invalid_arguments":         {scope, ourFault},
	"invalid_arg_name":          {scope, ourFault},
	"unknown_method":            {scope, ourFault},
	"method_deprecated":         {scope, ourFault},
	"deprecated_endpoint":       {scope, ourFault},
	"limit_required":            {scope, ourFault},
	"team_access_not_granted":   {scope, "the app may not act in the workspace of %s: an organisation's administrator has to add the app to that workspace"},
	"team_not_found":            {scope, "Slack does not let the app into the workspace of %s: an organisation's administrator has to add the app to it"},
	"enterprise_is_restricted":  {scope, "the organisation keeps apps from %s: its administrator has to allow this one"},
	"paid_teams_only":           {scope, "Slack has user groups in paid workspaces only, so %s can't be asked about: name people in the flow"},
	"plan_upgrade_required":     {scope, "Slack has this in paid workspaces only, so %s can't be asked about: name people in the flow"},
	"two_factor_setup_required": {scope, reinstall},

	"account_inactive":   {workspace, newToken},
	"token_revoked":      {workspace, newToken},
	"token_expired":      {workspace, newToken},
	"invalid_auth":       {workspace, newToken},
	"not_authed":         {workspace, newToken},
	"org_login_required": {workspace, "Slack is moving the workspace into an organisation, so that %s can't be reached until that is done"},
	"team_added_to_org":  {workspace, "Slack is moving the workspace into an organisation, so that %s can't be reached until that is done"},
}

// impatience is how long to wait where Slack asks to, but does not say how long.
const impatience = 30 * time.Second

// troubleOf says what an error of Slack's is about, with what people should do;
// what names what was to be reached or asked about. Everything that is no
// answer of Slack's is passing.
func troubleOf(err error, what string) (trouble, string) {
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok {
		return passing, "Slack does not answer, so that " + what + " can't be reached just now"
	}
	r, known := refusals[refused.Err]
	if !known {
		return passing, fmt.Sprintf("Slack says %q of %s, which is tried again", flow.Clip(refused.Err, 100), what)
	}
	hint := strings.Replace(r.hint, "%s", what, 1)
	if refused.Err == "missing_scope" && refused.Needed != "" {
		hint += fmt.Sprintf(" (needed: %s; there: %s)", flow.Clip(refused.Needed, 200), flow.Clip(cmp.Or(refused.Provided, "none"), 500))
	}
	return r.kind, hint
}

// limited returns how long Slack asks to be left alone, and false if it does
// not ask.
func limited(err error) (time.Duration, bool) {
	if limit, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return min(max(limit.RetryAfter, time.Second), flow.MaxRetryAfter), true
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusTooManyRequests {
		return impatience, true
	}
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch refused.Err {
		case "ratelimited", "rate_limited", "accesslimited":
			return impatience, true
		}
	}
	return 0, false
}

// delivery turns Slack's errors about a message into ours: the address can't be
// reached as things are; wait for so long; or Slack can't be reached at all,
// which is not the address's fault.
func delivery(err error, to string) error {
	if err == nil {
		return nil
	}
	if after, ok := limited(err); ok {
		return &flow.RateLimited{After: after, Cause: &flow.Error{Code: flow.CodeUnreachable, Message: "Slack asks to wait", Cause: err}}
	}
	switch kind, hint := troubleOf(err, to); kind {
	case passing, workspace:
		return &flow.Error{Code: flow.CodeUnreachable, Message: hint, Cause: err}
	default:
		return &flow.Error{Code: flow.CodeUndeliverable, Message: hint, Cause: err}
	}
}

// lookup turns Slack's errors to a question into ours: there is no such person
// or group; Slack won't say as things are; or it can't be asked now. What names
// what the question is about.
func lookup(err error, what string) error {
	if err == nil {
		return nil
	}
	if after, ok := limited(err); ok {
		return &flow.RateLimited{After: after, Cause: &flow.Error{Code: flow.CodeLookup, Message: "Slack asks to wait before it says more about " + what, Cause: err}}
	}
	switch kind, hint := troubleOf(err, what); kind {
	case noSuch:
		return &flow.Error{Code: flow.CodeUnknownUser, Message: "Slack does not know " + what, Cause: err}
	case scope, address:
		return &flow.Error{Code: flow.CodeLookupRefused, Message: hint, Cause: err}
	default:
		return &flow.Error{Code: flow.CodeLookup, Message: hint, Cause: err}
	}
}
