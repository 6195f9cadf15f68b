package flow

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// secretPath is the form of a secret's name in AWS Secrets Manager, or of its
// ARN: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html.
var secretPath = regexp.MustCompile(`^(arn:aws[a-z-]*:secretsmanager:[a-z]{2}[a-z-]*-\d:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,519}$`)

// CheckSecretPath says whether the text may name a secret. Whoever may read it
// is given the right by this name: it stands for one secret, never for several.
// The error has CodeInvalid.
func CheckSecretPath(path string) error {
	if secretPath.MatchString(path) {
		return nil
	}
	return Errorf(CodeInvalid, "%q is no secret of AWS Secrets Manager: write its name, such as /sym/main/okta, or its ARN", Clip(path, 200))
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
