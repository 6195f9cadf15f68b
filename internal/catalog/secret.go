package catalog

import (
	"regexp"
	"strings"
)

// secretForms are the forms of well-known credentials, and a part that each
// has in any case: looking for it first spares most lines the pattern.
var secretForms = []struct {
	part string
	form *regexp.Regexp
}{
	{"xox", regexp.MustCompile(`\bxox[a-z]-[A-Za-z0-9-]{6,}`)}, // Slack's tokens
	{"xapp-", regexp.MustCompile(`\bxapp-[A-Za-z0-9-]{6,}`)},
	{"hooks.slack.com/services/", regexp.MustCompile(`hooks\.slack\.com/services/[A-Za-z0-9/]+`)},
	{"AKIA", regexp.MustCompile(`\bAKIA[A-Z0-9]{12,}`)}, // AWS' access keys
	{"ASIA", regexp.MustCompile(`\bASIA[A-Z0-9]{12,}`)},
	{"-----BEGIN", regexp.MustCompile(`-----BEGIN.*`)},         // private keys
	{"gh", regexp.MustCompile(`\bgh[opsur]_[A-Za-z0-9]{20,}`)}, // GitHub's tokens
	{"github_pat_", regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{20,}`)},
	{"glpat-", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{16,}`)},                             // GitLab's
	{"AIza", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{30,}`)},                                 // Google's API keys
	{"k_live_", regexp.MustCompile(`\b[sr]k_live_[A-Za-z0-9]{10,}`)},                         // Stripe's
	{"eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?`)}, // JSON web tokens
}

// clippedSecret is what is left of a credential in a text that was shortened.
var clippedSecret = regexp.MustCompile(`\b(xox[a-z]-|xapp-|AKIA|ASIA|gh[opsur]_|github_pat_|glpat-|AIza|[sr]k_live_|eyJ)\S*…`)

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
