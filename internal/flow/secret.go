package flow

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// secretPath is the form of a secret's name in AWS Secrets Manager, or of its
// ARN, in the partition that we run in: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html.
var secretPath = pattern.Of(`^(arn:aws:secretsmanager:[a-z]{2}[a-z-]*-\d:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,519}$`)

// CheckSecretPath says whether the text may name a secret. The right to read it
// is given by this name, which must stand for one secret, never for several.
// The error has CodeInvalid.
func CheckSecretPath(path string) error {
	if secretPath.MatchString(path) {
		return nil
	}
	if otherPartition(path) {
		return Errorf(CodeInvalid, "%q is of another partition of AWS, which is out of reach: name a secret whose ARN begins with arn:aws:secretsmanager:", Clip(path, 200))
	}
	return Errorf(CodeInvalid, "%q is no secret of AWS Secrets Manager: write its name, such as /sym/main/okta, or its ARN", Clip(path, 200))
}

// secretSuffix is how a secret's ARN ends: six letters of Secrets Manager's own
// choice. A name may end like that, too.
var secretSuffix = pattern.Of(`^-[A-Za-z0-9]{6}$`)

const suffixLength = 7

// SecretARNs gives the patterns of the ARNs that a secret's path can stand for,
// where it is an ARN itself: whole, or without the six letters at its end, or it
// can't be told, as with …:secret:client-secret.
func SecretARNs(path string) []string {
	without := path + "-??????"
	if len(path) > suffixLength && secretSuffix.MatchString(path[len(path)-suffixLength:]) {
		return []string{path, without}
	}
	return []string{without}
}

// SecretName gives the name by which to ask for a secret that was not found under
// its path, and whether there is such a name: Secrets Manager takes an ARN for whole
// if it ends like one (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
// What is found by it has to have an ARN that [SecretHas] knows.
func SecretName(path string) (string, bool) {
	_, name, is := strings.Cut(path, ":secret:")
	return name, is && len(SecretARNs(path)) > 1
}

// SecretHas tells whether a secret of that ARN is the one at the path, which is
// an ARN without the six letters at its end.
func SecretHas(arn, path string) bool {
	rest, found := strings.CutPrefix(arn, path)
	return found && secretSuffix.MatchString(rest)
}

// ListedSecret is under which setting the i-th secret of secret_ids_json is
// kept: names that sort like the list.
func ListedSecret(i int) string { return fmt.Sprintf("secret_ids_json.%03d", i) }

// String names the secret for people: what the configuration calls it, and
// where its value is kept.
func (s SecretRef) String() string {
	if s.Name == "" {
		return s.Path
	}
	return fmt.Sprintf("%q (%s)", s.Name, s.Path)
}

// Pick takes what the reference asks for from the text that is kept at its
// path: all of it, or with a JSONKey that key's value of the JSON object that
// the text is. A value that is no text is given as JSON writes it. The error,
// of CodeUnavailable, never shows the text.
func (s SecretRef) Pick(text string) (string, error) {
	if s.JSONKey == "" {
		return text, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return "", Errorf(CodeUnavailable, "secret %s is no JSON object, but settings.json_key asks for its key %q", s, s.JSONKey)
	}
	value := object[s.JSONKey]
	if value == nil || string(value) == "null" {
		return "", Errorf(CodeUnavailable, "secret %s has no key %q: add it, or correct settings.json_key", s, s.JSONKey)
	}
	var word string
	if json.Unmarshal(value, &word) == nil {
		return word, nil
	}
	return string(value), nil
}
