package lambdahost

import (
	"context"
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
	if err != nil {
		return "", err
	}
	return ref.Pick(value)
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
