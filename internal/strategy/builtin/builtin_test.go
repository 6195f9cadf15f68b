package builtin_test

import (
	"testing"

	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	types := builtin.Types()
	if len(types) < 2 {
		t.Fatalf("got %d types, want aws_lambda and http at least", len(types))
	}
	for name, typ := range types {
		if typ.Name != name || typ.About == "" || len(typ.Targets) == 0 {
			t.Errorf("%s: incomplete, or under another name: %+v", name, typ)
		}
		for _, target := range typ.Targets {
			h := target.Habits
			said := h.Before != "" && h.Expiry != "" && h.Lingers != "" && h.Limit != ""
			if typ.Observes && !said {
				t.Errorf("%s: it observes, and does not say all of what the system does with its access: %+v", target.Name, h)
			}
			if !typ.Observes && h != (strategy.Habits{}) {
				t.Errorf("%s: it can't see what the system does, and says so: %+v", target.Name, h)
			}
		}
	}
}

// No two strategies grant the same type of target: a target's type says which
// one it is for.
func TestTargetTypes(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for name, typ := range builtin.Types() {
		for _, target := range typ.TargetNames() {
			if other, taken := owner[target]; taken || target == "" {
				t.Errorf("targets of type %q are granted by %s and by %s", target, other, name)
			}
			owner[target] = name
		}
	}
}
