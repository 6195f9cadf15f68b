package strategytest

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
)

// Vault is a strategy.Secrets for tests: the texts of secrets, by their paths.
type Vault map[string]string

// Value implements strategy.Secrets.
func (v Vault) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	text, ok := v[ref.Path]
	if !ok {
		return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref)
	}
	return ref.Pick(text)
}
