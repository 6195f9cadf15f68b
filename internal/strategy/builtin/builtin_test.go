package builtin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	open := builtin.Open(builtin.Deps{HTTPClient: http.DefaultClient, Now: time.Now, Handlers: &sdk.Client{}})
	types := builtin.Types()
	if len(types) < 2 {
		t.Fatalf("got %d types, want aws_lambda and http at least", len(types))
	}
	for name, typ := range types {
		if typ.Name != name || typ.About == "" || len(typ.Targets) == 0 {
			t.Errorf("%s: incomplete, or under another name: %+v", name, typ)
		}
		if _, err := open(flow.Strategy{Name: "databases", Type: name}); err != nil {
			t.Errorf("%s: does not open: %v", name, err)
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

func TestOpenUnknownType(t *testing.T) {
	t.Parallel()
	open := builtin.Open(builtin.Deps{HTTPClient: http.DefaultClient, Now: time.Now})
	_, err := open(flow.Strategy{Name: "databases", Type: "ldap"})
	if !flow.Retryable(err) {
		t.Errorf("got %v, want an error that may pass", err)
	}
	for _, want := range []string{`"databases"`, `"ldap"`, "aws_lambda, custom, http"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}
