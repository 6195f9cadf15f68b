package strategytest_test

import (
	"testing"

	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

func TestVault(t *testing.T) {
	t.Parallel()
	strategytest.Secrets(t, func(_ *testing.T, values map[string]string) strategy.Secrets { return strategytest.Vault(values) })
}
