package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// limited tells whether GitHub asks to wait. It has a limit of calls an hour, whose
// end a header tells, and secondary ones, which may say how long; where they don't,
// its documentation asks for a minute. Both come with 403 as well as with 429.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
func limited(a vendorhttp.Answer) (time.Duration, bool) {
	spent := a.Header.Get("X-RateLimit-Remaining") == "0"
	_, message := reason(a.Body)
	message = strings.ToLower(message)
	said := strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection")
	after := vendorhttp.RetryAfter(a)
	switch {
	case a.Status == http.StatusServiceUnavailable:
		return after, after > 0
	case a.Status != http.StatusForbidden && a.Status != http.StatusTooManyRequests:
		return 0, false
	case after > 0:
		return after, true
	case spent:
		return vendorhttp.ResetAt(a, "X-RateLimit-Reset"), true
	}
	return time.Minute, said || a.Status == http.StatusTooManyRequests
}

// reason reads what is wrong, with its details.
func reason(body []byte) (code, message string) {
	var got struct {
		Message string            `json:"message"`
		Errors  []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &got) != nil {
		return "", ""
	}
	message = got.Message
	for _, raw := range got.Errors {
		var text string
		var detail struct {
			Message string `json:"message"`
			Field   string `json:"field"`
			Code    string `json:"code"`
		}
		if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &detail) == nil {
			if text = detail.Message; text == "" {
				text = strings.TrimSpace(detail.Field + " " + detail.Code)
			}
		}
		if text != "" {
			message += "; " + text
		}
	}
	return "", message
}

func renamed(was, now string) error {
	return flow.Errorf(flow.CodeStrategy, "the repository %s is %s by now: correct the target", was, now)
}

// personGone says in a warning that GitHub has no such account any more.
func (h *hub) personGone(ctx context.Context, api *vendorhttp.Client, login string) ([]string, error) {
	err := api.Do(ctx, http.MethodGet, vendorhttp.Path("users", login), nil, nil, nil)
	if vendorhttp.Missing(err) {
		return []string{"GitHub does not have the account " + login + " any more: the access counts as removed"}, nil
	}
	return nil, err
}

const administerQuery = `query Administers($org: String!) {
  organization(login: $org) { viewerCanAdminister }
}`

// sure returns nil if what GitHub does not show is not there: the sign-in sees all
// of the organization. Else it is an error, so that nothing counts as removed which
// is only hidden.
func (h *hub) sure(ctx context.Context, api *vendorhttp.Client, target flow.Target) error {
	org := github.OrgOf(h.frozen, target)
	all := false
	switch {
	case h.asApp():
		var seen struct {
			Selection string `json:"repository_selection"`
			Account   struct {
				Login string `json:"login"`
			} `json:"account"`
		}
		if err := h.ofInstallation(ctx, http.MethodGet, nil, &seen); err != nil {
			return h.noToken(err, nil)
		}
		if !strings.EqualFold(seen.Account.Login, org) {
			return flow.Errorf(flow.CodeStrategy, "the app is installed in the organization %s, and not in %s: if it has another name by now, correct the integration, and press Retry", flow.Clip(seen.Account.Login, 100), org)
		}
		all = seen.Selection == "all" || target.Type != github.Repo // apps see all teams and members
	default:
		var data struct {
			Organization *struct {
				All bool `json:"viewerCanAdminister"`
			} `json:"organization"`
		}
		if _, err := h.query(ctx, api, administerQuery, map[string]any{"org": org}, &data); err != nil {
			return err
		}
		all = data.Organization != nil && data.Organization.All
	}
	if all {
		return nil
	}
	what := "who is in " + org
	if name := target.Settings[github.SettingRepo] + target.Settings[github.SettingTeam]; target.Type != github.Org {
		what = org + "/" + name
	}
	return flow.Errorf(flow.CodeStrategy, "GitHub does not show %s to what we sign in with, which does not see all of the organization: it may be deleted, and it may be hidden. "+
		"Let the app see all repositories, or have the token of an owner, so that the two can be told apart", what)
}

// refusal says what GitHub's refusal of a change means, and what to do about it.
// nil stays nil.
func (h *hub) refusal(ctx context.Context, api *vendorhttp.Client, c strategy.Call, err error) error {
	refused, ok := errors.AsType[*vendorhttp.Error](err)
	if !ok || flow.CodeOf(err) != flow.CodeStrategy {
		return err
	}
	org := github.OrgOf(h.frozen, c.Target)
	say := func(code flow.Code, format string, args ...any) error {
		return &flow.Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: err}
	}
	words := strings.ToLower(refused.Message)
	switch status := refused.Status; {
	case status >= 300 && status < 400 && c.Target.Type == github.Repo:
		return say(flow.CodeStrategy, "the repository %s has another name by now: correct the target", h.fullName(c.Target))
	case status == http.StatusNotFound:
		gone, err := h.personGone(ctx, api, c.Identity)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			return say(flow.CodeIdentity, "GitHub has no account %s: have an administrator save the person's login as who they are at github", c.Identity)
		}
		return say(flow.CodeStrategy, "GitHub does not show what the target names to what we sign in with: correct the target, or give the sign-in the permissions that the guide lists")
	case status == http.StatusForbidden && c.Target.Type == github.Team && managed(words):
		return say(flow.CodeStrategy, "the members of team %s of %s come from the identity provider, and GitHub lets nobody else change them: grant the group there, by a strategy of that system. It says: %s",
			c.Target.Settings[github.SettingTeam], org, refused.Message)
	case strings.Contains(words, "cannot assign"):
		return say(flow.CodeStrategy, "GitHub gives nobody less than the base permission that all members of %s have: ask for more than that, or lower the base permission. It says: %s", org, refused.Message)
	case status == http.StatusUnprocessableEntity && strings.Contains(words, "managed user"):
		return say(flow.CodeIdentity, "%s is an account that an enterprise manages, and may not be invited here: have an administrator save the login that the person has in %s. GitHub says: %s", c.Identity, org, refused.Message)
	}
	return err
}

// managed tells whether a refusal is about a team whose members come from elsewhere.
func managed(words string) bool {
	for _, word := range []string{"external group", "externally managed", "identity provider", "synchroniz", "managed by"} {
		if strings.Contains(words, word) {
			return true
		}
	}
	return false
}
