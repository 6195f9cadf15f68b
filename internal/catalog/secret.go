package catalog

import (
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// secretForms are the forms of well-known credentials, and a part that each
// has in any case: looking for it first spares most lines the pattern.
var secretForms = []struct {
	part string
	form pattern.Pattern
}{
	{"xox", pattern.Of(`\bxox[a-z]-[A-Za-z0-9-]{6,}`)}, // Slack's tokens
	{"xapp-", pattern.Of(`\bxapp-[A-Za-z0-9-]{6,}`)},
	{"hooks.slack.com/services/", pattern.Of(`hooks\.slack\.com/services/[A-Za-z0-9/]+`)},
	{"AKIA", pattern.Of(`\bAKIA[A-Z0-9]{12,}`)}, // AWS' access keys
	{"ASIA", pattern.Of(`\bASIA[A-Z0-9]{12,}`)},
	{"-----BEGIN", pattern.Of(`-----BEGIN.*`)},         // private keys
	{"gh", pattern.Of(`\bgh[opsur]_[A-Za-z0-9]{20,}`)}, // GitHub's tokens
	{"github_pat_", pattern.Of(`\bgithub_pat_[A-Za-z0-9_]{20,}`)},
	{"glpat-", pattern.Of(`\bglpat-[A-Za-z0-9_-]{16,}`)},                             // GitLab's
	{"AIza", pattern.Of(`\bAIza[A-Za-z0-9_-]{30,}`)},                                 // Google's API keys
	{"k_live_", pattern.Of(`\b[sr]k_live_[A-Za-z0-9]{10,}`)},                         // Stripe's
	{"eyJ", pattern.Of(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?`)}, // JSON web tokens
}

// clippedSecret is what is left of a credential in a text that was shortened.
var clippedSecret = pattern.Of(`\b(xox[a-z]-|xapp-|AKIA|ASIA|gh[opsur]_|github_pat_|glpat-|AIza|[sr]k_live_|eyJ)\S*…`)

// hasSecret tells whether something in the text looks like a credential.
func hasSecret(s string) bool {
	for _, f := range secretForms {
		if strings.Contains(s, f.part) && f.form.MatchString(s) {
			return true
		}
	}
	return false
}

// redact takes credentials out of a message.
func redact(s string) string {
	for _, f := range secretForms {
		s = f.form.ReplaceAllString(s, "[secret]")
	}
	return clippedSecret.ReplaceAllString(s, "[secret]")
}

// namesSecret tells whether a setting holds the name of a secret.
func namesSecret(setting string) bool {
	return strings.HasSuffix(setting, "_secret") || strings.HasSuffix("_"+setting, "_secret_id")
}
