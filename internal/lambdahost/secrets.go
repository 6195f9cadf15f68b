package lambdahost

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Secrets says where this machine has the secrets that AWS Secrets Manager has
// in the cloud, by their paths.
type Secrets map[string]Secret

// Secret is kept in a variable of our environment, or in a file.
type Secret struct {
	Env  string
	File string
}

// Value reads a secret; with a JSONKey, that key of the JSON object that it
// is. Nothing is kept. The error, of flow.CodeUnavailable, says what to write
// into local.yaml, and never shows a value.
func (s Secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	secret, ok := s[ref.Path]
	if !ok {
		return "", flow.Errorf(flow.CodeUnavailable, "secret %q is not mapped in local.yaml: add its path %s there, under secrets", ref.Name, ref.Path)
	}
	value, err := secret.read(ref)
	if err != nil || ref.JSONKey == "" {
		return value, err
	}
	var object map[string]any
	if json.Unmarshal([]byte(value), &object) != nil {
		return "", flow.Errorf(flow.CodeUnavailable, "secret %q is no JSON object, but settings.json_key asks for a key of it", ref.Name)
	}
	switch v := object[ref.JSONKey].(type) {
	case string:
		return v, nil
	case nil:
		return "", flow.Errorf(flow.CodeUnavailable, "secret %q has no key %q", ref.Name, ref.JSONKey)
	default:
		return fmt.Sprint(v), nil
	}
}

func (s Secret) read(ref flow.SecretRef) (string, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", flow.Errorf(flow.CodeUnavailable, "secret %q is not there: the variable %s is not set", ref.Name, s.Env)
		}
		return value, nil
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return "", &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("secret %q could not be read from its file", ref.Name), Cause: err}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
